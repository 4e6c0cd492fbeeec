import { ActionIcon, Anchor, Button, Group, Text, Tooltip } from "@mantine/core";
import { useTimeout } from "@mantine/hooks";
import {
  IconCircleCheck,
  IconKeyboard,
  IconMicrophone,
  IconMicrophoneOff,
  IconPhoneOff,
  IconX,
} from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { Link } from "react-router";

import { money } from "../components/format";
import { langOf } from "../components/language";
import { ShellSlot } from "../components/ShellSlot";
import { usePortal } from "../portal/PortalContext";
import type { Done } from "./acts";
import { Elapsed } from "./CallBar";
import type { Turn } from "./conversation";
import classes from "./DockedCall.module.css";
import { agentStatus } from "./Dock";
import { ending } from "./end-reasons";
import type { CallState, LiveCall } from "./live-call";
import { TypeField } from "./TypeField";

/** The call while its caller looks at other pages: what is said, what waits, and the way back. */
export function DockedCall({ call, state }: { call: LiveCall; state: CallState }) {
  const going = state.phase === "connecting" || state.phase === "live";
  return (
    <ShellSlot place="dock">
      <section className={classes.dock} aria-label={`Call with ${call.agent.name}`}>
        <div className={classes.inner}>{going ? <Going call={call} state={state} /> : <Over state={state} />}</div>
      </section>
    </ShellSlot>
  );
}

/** Four words in a row fit the smallest phone. */
const NARROW = { base: 8, xs: "sm" };

function Going({ call, state }: { call: LiveCall; state: CallState }) {
  const { draft, code, done } = state.acts;
  const [latest] = done;
  const [typing, setTyping] = useState(false);
  const typeButton = useRef<HTMLButtonElement>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (typing) field.current?.focus();
  }, [typing]);
  return (
    <>
      {!draft && latest && <JustDone key={latest.id} done={latest} />}
      {draft && (
        <Text className={classes.draft} role="status">
          Waiting for your {code ? "code" : "yes"}:{" "}
          <strong className="figures">{money(draft.amount_minor, draft.currency)}</strong> to{" "}
          <strong>{draft.payee}</strong>
          {draft.payee_detail && `, ${draft.payee_detail}`}
        </Text>
      )}
      <Caption turns={state.conversation.turns} agentName={call.agent.name} />
      {typing && (
        <TypeField
          ref={field}
          call={call}
          state={state}
          close={() => {
            setTyping(false);
            typeButton.current?.focus();
          }}
        />
      )}
      <div className={classes.row}>
        <Text component="p" className={classes.status}>
          <strong>{call.agent.name}</strong>{" "}
          <span>{state.quality?.grade === "lost" ? "Reconnecting" : agentStatus(state)}</span>{" "}
          <Elapsed since={state.startedAt} />
        </Text>
        <Group gap="xs" wrap="nowrap" className={classes.buttons}>
          {call.withMicrophone && (
            <Button
              variant={state.muted ? "filled" : "default"}
              h={44}
              px={NARROW}
              aria-pressed={state.muted}
              leftSection={state.muted ? <IconMicrophoneOff size={20} /> : <IconMicrophone size={20} />}
              onClick={() => call.setMuted(!state.muted)}
              classNames={{ section: classes.icon }}
            >
              {state.muted ? "Unmute" : "Mute"}
            </Button>
          )}
          <Button
            ref={typeButton}
            variant={typing ? "filled" : "default"}
            h={44}
            px={NARROW}
            aria-expanded={typing}
            leftSection={<IconKeyboard size={20} />}
            onClick={() => setTyping(!typing)}
            classNames={{ section: classes.icon }}
          >
            Type
          </Button>
          <Button component={Link} to={call.address} h={44} px={NARROW}>
            Back to call
          </Button>
          <Button
            color="red.9"
            h={44}
            px={NARROW}
            leftSection={<IconPhoneOff size={20} />}
            onClick={() => void call.end("hung_up")}
            classNames={{ section: classes.icon }}
          >
            End
          </Button>
        </Group>
      </div>
    </>
  );
}

const TOLD_MS = 20_000;

/** What was committed a moment ago, from the bank's books. */
function JustDone({ done }: { done: Done }) {
  const [told, setTold] = useState(false);
  const { start, clear } = useTimeout(() => setTold(true), TOLD_MS);
  useEffect(() => {
    start();
    return clear;
  }, [start, clear]);
  if (told) return null;
  return (
    <Text className={classes.done} role="status">
      <IconCircleCheck size={20} aria-hidden className={classes.check} />
      <span>
        Done: <strong className="figures">{money(done.amount_minor, done.currency)}</strong> to{" "}
        <strong>{done.payee}</strong>{" "}
        <Anchor component={Link} to={`/bank/transfers/${done.id}`} underline="always">
          See it
        </Anchor>
      </span>
    </Text>
  );
}

/** The call ended while its caller was elsewhere; the page stays. */
function Over({ state }: { state: CallState }) {
  const { call, setCall } = usePortal();
  return (
    <div className={classes.row} role="status">
      <Text component="p" fw={600}>
        {state.failure?.title ?? ending(state.endReason).title}
      </Text>
      <Group gap="xs" wrap="nowrap">
        <Button component={Link} to={state.failure ? (call?.address ?? "/agents") : "/after"} h={44} px="sm">
          {state.failure ? "What to do" : "What was done"}
        </Button>
        <Tooltip label="Close">
          <ActionIcon
            variant="subtle"
            color="gray"
            c="dimmed"
            size={44}
            aria-label="Close"
            onClick={() => setCall(null)}
          >
            <IconX size={20} />
          </ActionIcon>
        </Tooltip>
      </Group>
    </div>
  );
}

/** The latest words of the call; what is finished is read out. */
function Caption({ turns, agentName }: { turns: readonly Turn[]; agentName: string }) {
  const turn = turns.at(-1);
  return (
    <p className={classes.caption} role="log" aria-live="polite" aria-relevant="additions" aria-label="Captions">
      {turn && (
        <span key={turn.id}>
          {turn.kind !== "activity" && (
            <span className={classes.who}>{turn.kind === "caller" ? "You" : agentName} </span>
          )}
          {turn.kind === "activity" && turn.doing}
          {turn.kind === "caller" && (
            <>
              <span key={turn.text} lang={langOf(turn.text)}>
                {turn.text}
              </span>{" "}
              <span aria-hidden>{turn.interim}</span>
            </>
          )}
          {turn.kind === "agent" &&
            turn.segments.map(({ id, text }) => (
              <span key={id} lang={langOf(text)}>
                {text}{" "}
              </span>
            ))}
        </span>
      )}
    </p>
  );
}
