import { Text } from "@mantine/core";
import { useRef, useState } from "react";

import { useLevel } from "./level";
import classes from "./LevelMeter.module.css";

/** A bar as long as the sound is loud. Decoration beside words that say the same. */
export function LevelMeter({ stream, onLevel }: { stream: MediaStream | null; onLevel?: (level: number) => void }) {
  const bar = useRef<HTMLDivElement>(null);
  useLevel(stream, (level) => {
    bar.current?.style.setProperty("--level", level.toFixed(3));
    onLevel?.(level);
  });
  return (
    <div className={classes.meter} aria-hidden>
      <div className={classes.bar} ref={bar} />
    </div>
  );
}

const HEARD = 0.35;

/** The meter of the check before a call, with its result in words. */
export function HeardCheck({ stream }: { stream: MediaStream }) {
  const [heard, setHeard] = useState(false);
  return (
    <div>
      <LevelMeter stream={stream} onLevel={(level) => level > HEARD && setHeard(true)} />
      <Text mt={8} role="status" fw={600}>
        {heard ? "You can be heard." : "Nothing heard yet. Say something."}
      </Text>
    </div>
  );
}
