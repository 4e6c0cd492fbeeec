import { Button, Group, Text, Title, Tooltip, UnstyledButton } from "@mantine/core";
import { useInterval } from "@mantine/hooks";
import { useEffect, useRef, useState } from "react";
import { Link } from "react-router";

import { duration } from "../components/format";
import { ShellSlot } from "../components/ShellSlot";
import classes from "./CallBar.module.css";
import { BANK, type CallState, type LiveCall } from "./live-call";
import { qualityInWords, type Grade } from "./quality";

/** In the header: who one is talking to, for how long, how good the line is, and the way to the agent's business. */
export function CallBar({ call, state }: { call: LiveCall; state: CallState }) {
  const heading = useRef<HTMLHeadingElement>(null);
  // It names the page: the focus on it lets a change of page be noticed.
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <>
      <ShellSlot place="title">
        <Title ref={heading} order={1} fz="lg" lineClamp={1} tabIndex={-1}>
          {call.agent.name}
        </Title>
      </ShellSlot>
      <ShellSlot place="tools">
        <Group gap={4} wrap="nowrap">
          {call.agent.id === BANK && (
            <Button component={Link} to="/bank/accounts" variant="subtle" h={44} px="sm">
              My bank
            </Button>
          )}
          <Line state={state} />
          <Elapsed since={state.startedAt} />
        </Group>
      </ShellSlot>
    </>
  );
}

const WORDS: Record<Grade, string> = {
  good: "Good line",
  fair: "Fair line",
  poor: "Poor line",
  lost: "Reconnecting",
};

function Line({ state }: { state: CallState }) {
  const { quality } = state;
  const words = state.phase === "connecting" ? "Connecting" : quality ? WORDS[quality.grade] : "Connected";
  const figures = quality ? qualityInWords(quality) : "Measuring";
  return (
    <Tooltip label={figures}>
      <UnstyledButton className={classes.line} aria-label={`${words}: ${figures}`}>
        <span className={classes.dot} data-grade={quality?.grade ?? "none"} aria-hidden />
        <Text component="span" fz="sm" className={classes.words}>
          {words}
        </Text>
      </UnstyledButton>
    </Tooltip>
  );
}

export function Elapsed({ since }: { since: number | null }) {
  const [now, setNow] = useState(() => Date.now());
  const { start, stop } = useInterval(() => setNow(Date.now()), 1000);
  useEffect(() => {
    start();
    return stop;
  }, [start, stop]);
  return (
    <Text
      component="span"
      fz="sm"
      className={`figures ${classes.elapsed}`}
      aria-label="Length of the call"
      role="timer"
    >
      {since === null ? "0:00" : duration(now - since)}
    </Text>
  );
}
