import { Anchor, Text } from "@mantine/core";
import { useEffect, useRef } from "react";

import { duration } from "../../components/format";
import { langOf } from "../../components/language";
import { NothingHere } from "../Listed";
import { Panel } from "../Panel";
import type { TurnSaid } from "../types";
import { actInWords } from "../words";
import { turnId } from "./timeline";
import classes from "./Transcript.module.css";

const WHO: Record<TurnSaid["role"], string> = { user: "Caller", assistant: "Agent", tool: "Draft" };

interface TranscriptProps {
  turns: readonly TurnSaid[];
  /** The moment from which times are counted. */
  start: number;
  agent: string;
  live: boolean;
  chosen: string | null;
  choose: (id: string) => void;
}

/** What was said, as far as it was heard. */
export function Transcript({ turns, start, agent, live, chosen, choose }: TranscriptProps) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    // Only within the list: choosing in the timeline must not take it out of view.
    const turn = list.current?.querySelector<HTMLElement>("[data-chosen]");
    const box = list.current?.parentElement;
    if (!turn || !box) return;
    const above = turn.offsetTop - box.scrollTop;
    if (above < 0 || above + turn.offsetHeight > box.clientHeight) box.scrollTop = turn.offsetTop - 24;
  }, [chosen]);
  return (
    <Panel title="Transcript" flush className={classes.panel}>
      {turns.length === 0 ? (
        <NothingHere title="Nothing was said">{live && "What is said appears here."}</NothingHere>
      ) : (
        <div className={classes.scroller} tabIndex={0} role="group" aria-label="What was said">
          <ol ref={list} className={classes.turns}>
            {turns.map((turn) => {
              const id = turnId(turn.seq);
              return (
                <li
                  key={turn.seq}
                  className={classes.turn}
                  data-role={turn.role}
                  data-chosen={id === chosen || undefined}
                >
                  <div className={classes.head}>
                    <span className={classes.who}>{turn.role === "assistant" ? agent : WHO[turn.role]}</span>
                    {turn.role === "tool" ? (
                      <span className={classes.at}>{duration(Date.parse(turn.started_at) - start)}</span>
                    ) : (
                      <Anchor
                        component="button"
                        type="button"
                        className={classes.at}
                        onClick={() => choose(id)}
                        aria-label={`Show in the timeline: ${duration(Date.parse(turn.started_at) - start)}`}
                      >
                        {duration(Date.parse(turn.started_at) - start)}
                      </Anchor>
                    )}
                  </div>
                  <Text className={classes.words} lang={langOf(turn.text)}>
                    {turn.role === "tool" ? actInWords(turn.text) : turn.text}
                  </Text>
                  {turn.interrupted && <Text className={classes.cut}>Cut off by the caller</Text>}
                </li>
              );
            })}
          </ol>
        </div>
      )}
    </Panel>
  );
}
