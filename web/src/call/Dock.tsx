import { Button, Tooltip } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import {
  IconDialpad,
  IconKeyboard,
  IconMicrophone,
  IconMicrophoneOff,
  IconPhoneOff,
  IconVolume,
  IconVolumeOff,
} from "@tabler/icons-react";
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";

import { Notice } from "../components/Notice";
import { useLoaded } from "../components/useLoaded";
import classes from "./Dock.module.css";
import { loadKeypads } from "./keypads";
import { LevelMeter } from "./LevelMeter";
import type { CallState, LiveCall } from "./live-call";
import { troubleWords } from "./microphone";
import { SoundPanel } from "./SoundPanel";
import { speaker } from "./speaker";
import { TypeField } from "./TypeField";

/** Who is speaking, and everything a caller can do, within reach of the thumb. */
export function Dock({ call, state }: { call: LiveCall; state: CallState }) {
  const [typing, setTyping] = useState(!call.withMicrophone);
  const [keypad, setKeypad] = useState(false);
  const [sound, setSound] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const typeButton = useRef<HTMLButtonElement>(null);
  const live = state.phase === "live";
  const trouble = useMicrophoneTrouble(call);
  const keypadButton = useRef<HTMLButtonElement>(null);
  const soundButton = useRef<HTMLButtonElement>(null);
  const { blocked, volume } = useSyncExternalStore(speaker.subscribe, speaker.snapshot);

  function type(open: boolean) {
    setTyping(open);
    if (!open) typeButton.current?.focus();
  }
  useEffect(() => {
    if (typing) field.current?.focus();
  }, [typing, live]);

  const [, keypads] = useLoaded(loadKeypads, keypad) ?? [];
  const toggleMute = () => call.setMuted(!state.muted);
  useHotkeys([
    ["m", toggleMute],
    ["t", () => type(true)],
  ]);

  return (
    <section className={classes.dock} aria-label="Call controls">
      <div className={classes.inner}>
        {trouble && (
          <Notice
            trouble
            title={trouble.title}
            actions={
              <Button variant="default" onClick={() => void call.useMicrophone()}>
                Try again
              </Button>
            }
          >
            {trouble.advice}
          </Notice>
        )}
        {blocked && (
          <Notice
            trouble
            title="The sound is off"
            // Any touch of the page will do.
            actions={<Button variant="default">Turn on the sound</Button>}
          >
            Your browser plays nothing before you touch the page.
          </Notice>
        )}
        {state.quality?.grade === "lost" && (
          <Notice trouble title="The line is broken">
            Trying to restore it. What is said meanwhile is not heard.
          </Notice>
        )}
        <Presence call={call} state={state} />
        {sound && (
          <SoundPanel
            call={call}
            close={() => {
              setSound(false);
              soundButton.current?.focus();
            }}
          />
        )}
        {typing && <TypeField ref={field} call={call} state={state} close={() => type(false)} />}
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
            ref={keypadButton}
            variant="default"
            size="lg"
            leftSection={<IconDialpad size={22} />}
            aria-haspopup="dialog"
            aria-busy={keypad && !keypads}
            onClick={() => setKeypad(true)}
            classNames={buttonClasses}
          >
            Keypad
          </Button>
          <Button
            ref={soundButton}
            variant={sound ? "filled" : "default"}
            size="lg"
            leftSection={volume === 0 ? <IconVolumeOff size={22} /> : <IconVolume size={22} />}
            aria-expanded={sound}
            onClick={() => setSound(!sound)}
            classNames={buttonClasses}
          >
            Sound
          </Button>
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
      {keypads && (
        <keypads.NumberPad
          // The keypad for a code takes its place.
          opened={keypad && live && state.acts.code === null}
          close={() => {
            setKeypad(false);
            keypadButton.current?.focus();
          }}
          say={(digits) => call.say(digits)}
        />
      )}
    </section>
  );
}

const buttonClasses = {
  root: classes.button,
  inner: classes.buttonInner,
  section: classes.buttonIcon,
  label: classes.buttonLabel,
};

function Presence({ call, state }: { call: LiveCall; state: CallState }) {
  const microphone = useSyncExternalStore(call.microphone.subscribe, call.microphone.snapshot);
  const own = microphone.status === "on" && !state.muted && call.withMicrophone ? microphone.stream : null;
  const { voice } = state;
  const theirs = useMemo(() => voice && new MediaStream([voice]), [voice]);
  return (
    <div className={classes.presence}>
      <Side name="You" status={callerStatus(call, state)} speaking={state.callerSpeaking} stream={own} />
      <Side name={call.agent.name} status={agentStatus(state)} speaking={state.agentSpeaking} stream={theirs} />
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
