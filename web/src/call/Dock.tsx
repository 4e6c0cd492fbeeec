import { ActionIcon, Button, TextInput, Tooltip } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconKeyboard, IconMicrophone, IconMicrophoneOff, IconPhoneOff, IconSend } from "@tabler/icons-react";
import { useEffect, useMemo, useRef, useState, useSyncExternalStore, type FormEvent, type KeyboardEvent } from "react";

import { Notice } from "../components/Notice";
import classes from "./Dock.module.css";
import { LevelMeter } from "./LevelMeter";
import type { CallState, LiveCall } from "./live-call";
import { troubleWords } from "./microphone";

/** Who is speaking, and everything a caller can do, within reach of the thumb. */
export function Dock({ call, state }: { call: LiveCall; state: CallState }) {
  const [typing, setTyping] = useState(!call.withMicrophone);
  const field = useRef<HTMLInputElement>(null);
  const typeButton = useRef<HTMLButtonElement>(null);
  const live = state.phase === "live";
  const trouble = useMicrophoneTrouble(call);

  function type(open: boolean) {
    setTyping(open);
    if (!open) typeButton.current?.focus();
  }
  useEffect(() => {
    if (typing) field.current?.focus();
  }, [typing, live]);

  const toggleMute = () => call.setMuted(!state.muted);
  useHotkeys([
    ["m", toggleMute],
    ["t", () => type(true)],
  ]);

  return (
    <section className={classes.dock} aria-label="Call controls">
      <div className={classes.inner}>
        {trouble && (
          <Notice trouble title={trouble.title}>
            {trouble.advice}
          </Notice>
        )}
        {state.quality?.grade === "lost" && (
          <Notice trouble title="The line is broken">
            Trying to restore it. What is said meanwhile is not heard.
          </Notice>
        )}
        <Presence call={call} state={state} />
        {typing && <TypeField ref={field} disabled={!live} say={(text) => call.say(text)} close={() => type(false)} />}
        <div className={classes.buttons}>
          <Tooltip label={call.withMicrophone ? "Key: M" : "This call has no microphone"}>
            <Button
              variant={state.muted ? "filled" : "default"}
              size="lg"
              leftSection={state.muted ? <IconMicrophoneOff size={22} /> : <IconMicrophone size={22} />}
              aria-pressed={state.muted}
              data-disabled={!call.withMicrophone || undefined}
              aria-disabled={!call.withMicrophone}
              onClick={toggleMute}
              classNames={buttonClasses}
            >
              {state.muted ? "Unmute" : "Mute"}
            </Button>
          </Tooltip>
          <Tooltip label="Key: T, and Esc to close">
            <Button
              ref={typeButton}
              variant={typing ? "filled" : "default"}
              size="lg"
              leftSection={<IconKeyboard size={22} />}
              aria-expanded={typing}
              onClick={() => type(!typing)}
              classNames={buttonClasses}
            >
              Type
            </Button>
          </Tooltip>
          <Button
            color="red.9"
            size="lg"
            leftSection={<IconPhoneOff size={22} />}
            onClick={() => void call.end("hung_up")}
            classNames={buttonClasses}
          >
            End
          </Button>
        </div>
      </div>
    </section>
  );
}

const buttonClasses = {
  root: classes.button,
  inner: classes.buttonInner,
  section: classes.buttonIcon,
  label: classes.buttonLabel,
};

interface TypeFieldProps {
  ref: React.Ref<HTMLInputElement>;
  disabled: boolean;
  say: (text: string) => void;
  close: () => void;
}

const MAX_TYPED = 500;

function TypeField({ ref, disabled, say, close }: TypeFieldProps) {
  const [text, setText] = useState("");
  function submit(event: FormEvent) {
    event.preventDefault();
    if (disabled || !text.trim()) return;
    say(text);
    setText("");
  }
  function keyDown(event: KeyboardEvent) {
    if (event.key === "Escape") close();
  }
  return (
    <form onSubmit={submit} onKeyDown={keyDown}>
      <TextInput
        ref={ref}
        aria-label="Type to the assistant"
        placeholder={disabled ? "You can type as soon as you are connected" : "Type to the assistant"}
        size="lg"
        value={text}
        maxLength={MAX_TYPED}
        autoComplete="off"
        enterKeyHint="send"
        onChange={(event) => setText(event.currentTarget.value)}
        rightSectionWidth={52}
        rightSection={
          <ActionIcon type="submit" size={44} variant="subtle" aria-label="Send" disabled={disabled || !text.trim()}>
            <IconSend size={22} />
          </ActionIcon>
        }
      />
    </form>
  );
}

function Presence({ call, state }: { call: LiveCall; state: CallState }) {
  const microphone = useSyncExternalStore(call.microphone.subscribe, call.microphone.snapshot);
  const own = microphone.status === "on" && !state.muted && call.withMicrophone ? microphone.stream : null;
  const track = state.phase === "live" ? call.agentTrack : undefined;
  const theirs = useMemo(() => (track ? new MediaStream([track]) : null), [track]);
  return (
    <div className={classes.presence}>
      <Side name="You" status={callerStatus(call, state)} speaking={state.callerSpeaking} stream={own} />
      <Side name="Assistant" status={agentStatus(state)} speaking={state.agentSpeaking} stream={theirs} />
    </div>
  );
}

function Side(props: { name: string; status: string; speaking: boolean; stream: MediaStream | null }) {
  return (
    <div className={classes.side} data-speaking={props.speaking || undefined}>
      <div className={classes.sideWords}>
        <strong>{props.name}</strong>
        <span>{props.status}</span>
      </div>
      <LevelMeter stream={props.stream} />
    </div>
  );
}

function callerStatus(call: LiveCall, state: CallState): string {
  if (!call.withMicrophone) return "Typing";
  if (state.muted) return "Muted";
  return state.callerSpeaking ? "Speaking" : "Mic on";
}

export function agentStatus(state: CallState): string {
  if (state.phase === "connecting") return "Connecting";
  if (state.agentSpeaking) return "Speaking";
  return state.thinking ? "Thinking" : "Listening";
}

function useMicrophoneTrouble(call: LiveCall) {
  const microphone = useSyncExternalStore(call.microphone.subscribe, call.microphone.snapshot);
  return call.withMicrophone && microphone.status === "trouble" ? troubleWords[microphone.trouble] : null;
}
