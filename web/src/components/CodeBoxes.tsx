import { Button, Stack, Text } from "@mantine/core";
import { useEffect, useId, useRef, useState, type ClipboardEvent, type FormEvent } from "react";

import { CodeInput, pastedCode } from "./CodeInput";

interface CodeBoxesProps {
  label: string;
  length: number;
  type?: "number" | RegExp;
  inputMode?: "numeric" | "text";
  busy: boolean;
  /** What was wrong with the last code; an empty string while nothing is. */
  fault: string;
  /** What of a pasted text is the code. */
  clean?: (text: string) => string;
  submit: (code: string) => void;
}

/** A form of nothing but a code: typed, or pasted as it came; whole codes are handed in by themselves. */
export function CodeBoxes({
  label,
  length,
  type = "number",
  inputMode = "numeric",
  busy,
  fault,
  clean,
  submit,
}: CodeBoxesProps) {
  const [code, setCode] = useState("");
  const boxes = useRef<HTMLDivElement>(null);
  const id = useId();

  // A refused code is cleared away for the next one.
  const [refused, setRefused] = useState(fault);
  if (fault !== refused) {
    setRefused(fault);
    if (fault) setCode("");
  }
  useEffect(() => {
    if (fault && !busy) boxes.current?.querySelector("input")?.focus();
  }, [fault, busy]);

  function enter(next: string) {
    const value = next.toUpperCase().slice(0, length);
    setCode(value);
    if (value.length === length && value !== code && !busy) submit(value);
  }

  function send(event: FormEvent) {
    event.preventDefault();
    if (code.length < length) boxes.current?.querySelectorAll("input")[code.length]?.focus();
    else if (!busy) submit(code);
  }

  function paste(event: ClipboardEvent) {
    const pasted = pastedCode(event, clean);
    if (pasted) enter(pasted);
  }

  return (
    <form onSubmit={send} onPasteCapture={paste}>
      <Stack gap="md">
        <div>
          <Text component="p" id={`${id}-label`} fw={600} mb="xs">
            {label}
          </Text>
          <CodeInput
            ref={boxes}
            length={length}
            boxLabel="Code character"
            type={type}
            inputMode={inputMode}
            value={code}
            change={enter}
            wrong={fault !== ""}
            readOnly={busy}
            aria-labelledby={`${id}-label`}
            aria-describedby={`${id}-fault`}
          />
          <Text id={`${id}-fault`} role="alert" c="var(--mantine-color-error)" mt="sm" mih="3em" lh={1.5}>
            {fault}
          </Text>
        </div>
        <Button type="submit" size="lg" fullWidth loading={busy}>
          Continue
        </Button>
      </Stack>
    </form>
  );
}
