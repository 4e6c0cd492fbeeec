import { Button, Text, VisuallyHidden } from "@mantine/core";
import { IconBackspace } from "@tabler/icons-react";
import { useRef, useState, type ClipboardEvent, type KeyboardEvent } from "react";

import classes from "./CodePad.module.css";
import { CodeInput, pastedCode } from "./CodeInput";
import { counted, duration } from "./format";
import { useSecondsLeft } from "./useSecondsLeft";

interface CodePadProps {
  length: number;
  triesLeft: number;
  expiresAt: string;
  /** Hands in a whole code; the answer is what is wrong with it, or null. */
  submit: (code: string) => Promise<string | null>;
  /** Does without what the code is for. */
  cancel: () => void;
  /** What is then not done, as in "Cancel: do not send". */
  cancelWords: string;
}

const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"] as const;

/** Hidden digits, by keyboard, by paste or by the keys below; the last one hands them in. */
export function CodePad({ length, triesLeft, expiresAt, submit, cancel, cancelWords }: CodePadProps) {
  const [code, setCode] = useState("");
  const [checking, setChecking] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const boxes = useRef<HTMLDivElement>(null);
  const left = useSecondsLeft(expiresAt);

  function enter(next: string) {
    if (checking) return;
    const digits = next.replaceAll(/\D/g, "").slice(0, length);
    setCode(digits);
    if (digits) setFault(null);
    if (digits.length === length) void handIn(digits);
  }

  async function handIn(digits: string) {
    setChecking(true);
    const wrong = await submit(digits);
    setChecking(false);
    setCode("");
    setFault(wrong);
    if (wrong) boxes.current?.querySelector("input")?.focus();
  }

  // Digits count wherever in the keypad the focus is; the boxes see to their own.
  function keyDown(event: KeyboardEvent) {
    if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^\d$/.test(event.key)) enter(code + event.key);
    else if (event.key === "Backspace") enter(code.slice(0, -1));
  }

  function paste(event: ClipboardEvent) {
    const pasted = pastedCode(event);
    if (pasted) enter(pasted);
  }

  return (
    <div onKeyDown={keyDown} onPasteCapture={paste} className={classes.pad}>
      <CodeInput
        ref={boxes}
        length={length}
        boxLabel="Code digit"
        // The keys below take the place of the screen's own.
        inputMode="none"
        hidden
        value={code}
        change={enter}
        wrong={fault !== null}
        readOnly={checking}
        aria-label={`Code, ${length} digits`}
        aria-describedby="code-pad-state"
      />
      <div id="code-pad-state" className={classes.state}>
        <Text component="span" role="alert" c="var(--mantine-color-error)">
          {fault}
        </Text>{" "}
        <Text component="span" c="dimmed" className="figures" role="status">
          {checking ? "Checking…" : `${counted(triesLeft, "try", "tries")} left`}
        </Text>
        {!checking && (
          <Text component="span" c="dimmed" className="figures" aria-hidden>
            {left > 0 ? `, valid for ${duration(left * 1000)}` : ", may have expired"}
          </Text>
        )}
      </div>
      <div className={classes.keys}>
        {DIGITS.map((digit) => (
          <Key key={digit} digit={digit} press={() => enter(code + digit)} disabled={checking} />
        ))}
        <Button
          variant="default"
          className={classes.key}
          px={4}
          fz="md"
          onClick={cancel}
          aria-label={`Cancel: ${cancelWords}`}
        >
          Cancel
        </Button>
        <Key digit="0" press={() => enter(`${code}0`)} disabled={checking} />
        <Button
          variant="default"
          className={classes.key}
          onClick={() => enter(code.slice(0, -1))}
          disabled={checking || code === ""}
        >
          <IconBackspace size={26} aria-hidden />
          <VisuallyHidden>Delete a digit</VisuallyHidden>
        </Button>
      </div>
    </div>
  );
}

function Key({ digit, press, disabled }: { digit: string; press: () => void; disabled: boolean }) {
  return (
    <Button variant="default" className={`${classes.key} ${classes.digit}`} onClick={press} disabled={disabled}>
      {digit}
    </Button>
  );
}
