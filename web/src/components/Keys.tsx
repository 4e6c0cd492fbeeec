import { Button, VisuallyHidden } from "@mantine/core";
import { IconBackspace } from "@tabler/icons-react";
import type { ReactNode } from "react";

import classes from "./Keys.module.css";

interface KeysProps {
  press: (digit: string) => void;
  erase: () => void;
  /** Nothing is typed that could be taken back. */
  empty: boolean;
  disabled?: boolean;
  /** Beside the zero. */
  children: ReactNode;
}

const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"] as const;

/** The keys of a telephone, for the thumb. */
export function Keys({ press, erase, empty, disabled = false, children }: KeysProps) {
  const key = (digit: string) => (
    <Button
      key={digit}
      variant="default"
      className={`${classes.key} ${classes.digit}`}
      onClick={() => press(digit)}
      disabled={disabled}
    >
      {digit}
    </Button>
  );
  return (
    <div className={classes.keys}>
      {DIGITS.map(key)}
      {children}
      {key("0")}
      <Button variant="default" className={classes.key} onClick={erase} disabled={disabled || empty}>
        <IconBackspace size={26} aria-hidden />
        <VisuallyHidden>Delete a digit</VisuallyHidden>
      </Button>
    </div>
  );
}

/** What a key on the keyboard means for the keypad it was pressed in; fields see to their own keys. */
export function keyPressed(event: React.KeyboardEvent): { digit: string } | "erase" | null {
  if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return null;
  if (/^\d$/.test(event.key)) return { digit: event.key };
  return event.key === "Backspace" ? "erase" : null;
}
