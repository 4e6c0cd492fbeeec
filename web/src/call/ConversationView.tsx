import { Text, VisuallyHidden } from "@mantine/core";
import { IconCircleCheck, IconLoader2 } from "@tabler/icons-react";
import { useEffect, useLayoutEffect, useRef, type ReactNode } from "react";

import { langOf } from "../components/language";
import classes from "./ConversationView.module.css";
import type { Activity, AgentTurn, CallerTurn, Conversation, Segment, Turn } from "./conversation";
import type { CallState } from "./live-call";

interface ConversationViewProps {
  conversation: Conversation;
  phase: CallState["phase"];
  agentName: string;
  trySaying: readonly string[];
  /** What the call is about, beside the words (below them where there is no room). */
  aside: ReactNode;
}

/** All that is said, and what it is about: they scroll as one. */
export function ConversationView({ conversation, phase, agentName, trySaying, aside }: ConversationViewProps) {
  const { scroller, end } = useStickToEnd(conversation);
  const callerHasSpoken = conversation.turns.some((turn) => turn.kind === "caller");
  return (
    <section ref={scroller} className={classes.scroller} aria-label="Conversation" tabIndex={0}>
      <div className={aside ? `${classes.columns} ${classes.withAside}` : classes.columns}>
        <div className={classes.said}>
          {conversation.turns.length === 0 && (
            <Text c="dimmed" className={classes.waiting} role="status">
              {phase === "connecting" ? "Connecting you…" : "You are connected. The assistant is about to greet you."}
            </Text>
          )}
          {/* What is finished is read out; words that may still change are not. */}
          <div role="log" aria-live="polite" aria-relevant="additions" aria-label="Captions">
            <TurnList turns={conversation.turns} agentName={agentName} />
          </div>
          {conversation.turns.length > 0 && !callerHasSpoken && trySaying.length > 0 && (
            <Text c="dimmed" className={classes.hint}>
              Try saying: “{trySaying[0]}”
            </Text>
          )}
        </div>
        {aside || <p className={classes.nothingYet}>What you talk about appears here.</p>}
      </div>
      <div ref={end} className={classes.end} />
    </section>
  );
}

/** Turns in order. */
export function TurnList({ turns, agentName }: { turns: readonly Turn[]; agentName: string }) {
  return (
    <ol className={classes.turns}>
      {turns.map((turn) => (
        <li key={turn.id} className={classes.turn} data-kind={turn.kind}>
          {turn.kind === "caller" && <CallerWords turn={turn} />}
          {turn.kind === "agent" && <AgentWords turn={turn} name={agentName} />}
          {turn.kind === "activity" && <ActivityLine activity={turn} />}
        </li>
      ))}
    </ol>
  );
}

function CallerWords({ turn }: { turn: CallerTurn }) {
  return (
    <>
      <span className={classes.who}>{turn.typed ? "You, typed" : "You"}</span>
      <p className={classes.words}>
        {turn.text && (
          <span key={turn.text} lang={langOf(turn.text)}>
            {turn.text}
          </span>
        )}
        {turn.text && turn.interim && " "}
        {turn.interim && (
          <span className={classes.interim} aria-hidden>
            {turn.interim}
          </span>
        )}
      </p>
    </>
  );
}

function AgentWords({ turn, name }: { turn: AgentTurn; name: string }) {
  const speaking = turn.silentAt === null || turn.cutOff;
  return (
    <>
      <span className={classes.who}>{name}</span>
      <p className={classes.words}>
        {turn.segments.map((segment) => (
          <SegmentWords key={segment.id} segment={segment} speaking={speaking} cutOff={turn.cutOff} />
        ))}
        {turn.cutOff && <span className={classes.cutOffMark}>You interrupted here</span>}
      </p>
    </>
  );
}

function SegmentWords({ segment, speaking, cutOff }: { segment: Segment; speaking: boolean; cutOff: boolean }) {
  const heard = speaking ? segment.text.slice(0, segment.heard) : segment.text;
  const rest = segment.text.slice(heard.length);
  const unheard = rest.trimStart();
  return (
    <>
      {/* Read out once as a whole; the progress through it is for the eye. */}
      <VisuallyHidden component="span" lang={langOf(segment.text)}>
        {segment.text}{" "}
      </VisuallyHidden>
      <span aria-hidden>
        {heard}
        {rest.length > unheard.length && " "}
        {unheard && <span className={cutOff ? classes.never : classes.unheard}>{unheard}</span>}{" "}
      </span>
    </>
  );
}

function ActivityLine({ activity }: { activity: Activity }) {
  const Icon = activity.done ? IconCircleCheck : IconLoader2;
  return (
    <p className={classes.activity}>
      <Icon size={20} aria-hidden className={activity.done ? undefined : classes.turning} />
      <span>{activity.doing}</span>
      <VisuallyHidden component="span">{activity.done ? "done" : ""}</VisuallyHidden>
    </p>
  );
}

/** Keep the newest words in view, unless the person has scrolled away from them. */
function useStickToEnd(content: unknown) {
  const scroller = useRef<HTMLElement>(null);
  const end = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (!end.current || !scroller.current) return;
    const watchEnd = new IntersectionObserver(([entry]) => {
      atEnd.current = entry?.isIntersecting ?? true;
    });
    // The space for the words changes too, when the field to type in opens or a card appears.
    const watchSize = new ResizeObserver(() => {
      if (atEnd.current) end.current?.scrollIntoView({ block: "nearest" });
    });
    watchEnd.observe(end.current);
    watchSize.observe(scroller.current);
    if (scroller.current.firstElementChild) watchSize.observe(scroller.current.firstElementChild);
    return () => {
      watchEnd.disconnect();
      watchSize.disconnect();
    };
  }, []);
  useLayoutEffect(() => {
    if (atEnd.current) end.current?.scrollIntoView({ block: "nearest" });
  }, [content]);
  return { scroller, end };
}
