import { Button, ScrollArea, SegmentedControl, Table, Text } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { IconTable, IconTimeline } from "@tabler/icons-react";
import { useMemo, useRef, useState, type KeyboardEvent } from "react";

import { duration } from "../../components/format";
import { NothingHere } from "../Listed";
import { Panel } from "../Panel";
import { Rows } from "../Rows";
import { span } from "../figures";
import { LANE_WORDS, LANES, placeInWords, step, ticks, type Piece, type Timeline } from "./timeline";
import classes from "./TimelinePanel.module.css";

const CLOSE_UP_PX_PER_S = 40;
const WIDEST_PX = 100_000;
/** Of a longer call the whole is no more than stripes. */
const LONG_MS = 5 * 60_000;

interface TimelineProps {
  timeline: Timeline;
  chosen: string | null;
  choose: (id: string) => void;
}

/** Who spoke when, what the tools did meanwhile, and where the caller waited. */
export function TimelinePanel({ timeline, chosen, choose }: TimelineProps) {
  const [closeUp, setCloseUp] = useState(timeline.length > LONG_MS);
  const [asTable, setAsTable] = useState(false);
  const Icon = asTable ? IconTimeline : IconTable;
  return (
    <Panel
      title="Timeline"
      flush
      tools={
        <>
          {!asTable && (
            <SegmentedControl
              aria-label="How close"
              size="sm"
              value={closeUp ? "close" : "whole"}
              onChange={(value) => setCloseUp(value === "close")}
              data={[
                { value: "whole", label: "Whole call" },
                { value: "close", label: "Close up" },
              ]}
              transitionDuration={0}
            />
          )}
          <Button
            variant="subtle"
            size="sm"
            h={40}
            px="xs"
            leftSection={<Icon size={18} aria-hidden />}
            onClick={() => setAsTable(!asTable)}
            aria-label={`Timeline: show as ${asTable ? "chart" : "table"}`}
          >
            {asTable ? "Chart" : "Table"}
          </Button>
        </>
      }
    >
      {timeline.pieces.length === 0 ? (
        <NothingHere title="Nothing was said in this call" />
      ) : asTable ? (
        <PieceTable pieces={timeline.pieces} />
      ) : (
        <Lanes timeline={timeline} closeUp={closeUp} chosen={chosen} choose={choose} />
      )}
    </Panel>
  );
}

function Lanes({ timeline, closeUp, chosen, choose }: TimelineProps & { closeUp: boolean }) {
  const { length, pieces } = timeline;
  const { ref: scroller, width: seen } = useElementSize();
  const items = useRef(new Map<string, HTMLButtonElement>());
  const [looked, setLooked] = useState<string | null>(null);
  const byLane = useMemo(
    () => LANES.map((lane) => ({ lane, pieces: pieces.filter((piece) => piece.lane === lane) })),
    [pieces],
  );
  const width = closeUp ? Math.min(WIDEST_PX, Math.max(seen, (length / 1000) * CLOSE_UP_PX_PER_S)) : seen;
  // One stop of the Tab key leads in; the arrows lead on.
  const stop = pieces.some(({ id }) => id === chosen) ? chosen : pieces[0]?.id;
  const shown = pieces.find(({ id }) => id === (looked ?? chosen));

  function move(event: KeyboardEvent) {
    const at = pieces.findIndex(({ id }) => items.current.get(id) === document.activeElement);
    const next = pieces[step(pieces, at, event.key)];
    if (!next) return;
    event.preventDefault();
    const button = items.current.get(next.id);
    button?.focus();
    button?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  return (
    <>
      <div className={classes.frame}>
        <div className={classes.names} aria-hidden>
          {LANES.map((lane) => (
            <span key={lane}>{LANE_WORDS[lane]}</span>
          ))}
        </div>
        <div ref={scroller} className={classes.scroller}>
          <div
            className={classes.lanes}
            style={{ width: closeUp ? width : undefined }}
            role="group"
            aria-label="Timeline; the arrow keys lead from piece to piece"
            onKeyDown={move}
            onPointerLeave={() => setLooked(null)}
          >
            {byLane.map(({ lane, pieces }) => (
              <ul key={lane} className={classes.lane} aria-label={LANE_WORDS[lane]}>
                {pieces.map((piece) => (
                  <li key={piece.id}>
                    <button
                      ref={(button) => {
                        if (button) items.current.set(piece.id, button);
                        else items.current.delete(piece.id);
                      }}
                      type="button"
                      className={classes.piece}
                      data-lane={lane}
                      data-outcome={piece.outcome ?? undefined}
                      data-guessed={piece.guessed || undefined}
                      data-chosen={piece.id === chosen || undefined}
                      aria-pressed={piece.id === chosen}
                      tabIndex={piece.id === stop ? 0 : -1}
                      style={{
                        left: `${(piece.from / length) * 100}%`,
                        width: `${((piece.to - piece.from) / length) * 100}%`,
                      }}
                      aria-label={inWords(piece)}
                      onFocus={() => setLooked(piece.id)}
                      onBlur={() => setLooked(null)}
                      onPointerEnter={() => setLooked(piece.id)}
                      onClick={() => choose(piece.id)}
                    />
                  </li>
                ))}
              </ul>
            ))}
            <div className={classes.axis} aria-hidden>
              {ticks(length, width || 800).map((at) => (
                <span key={at} style={{ left: `${(at / length) * 100}%` }}>
                  {duration(at)}
                </span>
              ))}
            </div>
          </div>
        </div>
      </div>
      <Text className={`${classes.readout} figures`} fz="sm" aria-hidden>
        {shown ? (
          <>
            <b>
              {LANE_WORDS[shown.lane]} at {placeInWords(shown)}
              {shown.outcome && `, ${shown.outcome}`}
            </b>{" "}
            {shown.what}
          </>
        ) : (
          <span className={classes.hint}>
            Point at a piece, or reach it with the Tab and arrow keys, to see its figures.
          </span>
        )}
      </Text>
    </>
  );
}

function inWords(piece: Piece): string {
  return [`${LANE_WORDS[piece.lane]} at ${placeInWords(piece)}`, piece.outcome, piece.what].filter(Boolean).join(", ");
}

function PieceTable({ pieces }: { pieces: readonly Piece[] }) {
  return (
    <ScrollArea.Autosize mah={360} viewportProps={{ tabIndex: 0, role: "group", "aria-label": "Timeline as a table" }}>
      <Rows label="Timeline">
        <Table.Thead>
          <Table.Tr>
            <Table.Th data-right>At</Table.Th>
            <Table.Th>Who</Table.Th>
            <Table.Th data-right>Length</Table.Th>
            <Table.Th>What</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {pieces.map((piece) => (
            <Table.Tr key={piece.id}>
              <Table.Td data-right>{duration(piece.from)}</Table.Td>
              <Table.Td className={classes.who}>{LANE_WORDS[piece.lane]}</Table.Td>
              <Table.Td data-right>
                {piece.guessed && "about "}
                {span(piece.to - piece.from)}
              </Table.Td>
              <Table.Td>{[piece.what, piece.outcome && `(${piece.outcome})`].filter(Boolean).join(" ")}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Rows>
    </ScrollArea.Autosize>
  );
}
