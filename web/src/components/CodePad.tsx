import { Button, Text } from "@mantine/core";
import { useRef, useState, type ClipboardEvent, type KeyboardEvent } from "react";

import classes from "./CodePad.module.css";
import { CodeInput, pastedCode } from "./CodeInput";
import { counted, duration } from "./format";
import { keyPressed, Keys } from "./Keys";
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
    const pressed = keyPressed(event);
    if (pressed === "erase") enter(code.slice(0, -1));
    else if (pressed) enter(code + pressed.digit);
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
      <Keys
        press={(digit) => enter(code + digit)}
        erase={() => enter(code.slice(0, -1))}
        empty={code === ""}
        disabled={checking}
      >
        <Button variant="default" px={4} fz="md" onClick={cancel} aria-label={`Cancel: ${cancelWords}`}>
          Cancel
        </Button>
      </Keys>
    </div>
  );
}
