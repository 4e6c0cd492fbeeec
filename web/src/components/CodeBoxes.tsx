import { Box, Button, PinInput, Stack, Text } from "@mantine/core";
import { useEffect, useId, useRef, useState, type ClipboardEvent, type FormEvent } from "react";

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

const digitsOf = (text: string) => text.replaceAll(/[\s\-–—._]/g, "");

/** A box for each character of a code: typed, or pasted as it came; whole codes are handed in by themselves. */
export function CodeBoxes({
  label,
  length,
  type = "number",
  inputMode = "numeric",
  busy,
  fault,
  clean = digitsOf,
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

  function handIn(value: string) {
    setCode(value);
    if (value.length === length && !busy) submit(value);
  }

  function send(event: FormEvent) {
    event.preventDefault();
    if (code.length === length) handIn(code);
    else boxes.current?.querySelectorAll("input")[code.length]?.focus();
  }

  // Codes are copied with spaces, dashes and line ends around them.
  function paste(event: ClipboardEvent) {
    const pasted = clean(event.clipboardData.getData("text")).slice(0, length);
    if (!pasted) return;
    event.preventDefault();
    event.stopPropagation();
    handIn(pasted);
  }

  return (
    <form onSubmit={send}>
      <Stack gap="md">
        <Box
          ref={boxes}
          onPasteCapture={paste}
          role="group"
          aria-labelledby={`${id}-label`}
          aria-describedby={`${id}-fault`}
        >
          <Text component="p" id={`${id}-label`} fw={600} mb="xs">
            {label}
          </Text>
          <PinInput
            key={length}
            length={length}
            type={type}
            inputMode={inputMode}
            size="xl"
            gap={length > 6 ? 6 : "xs"}
            placeholder=""
            ariaLabel="Code character"
            autoFocus
            oneTimeCode
            value={code}
            onChange={(value) => setCode(value.toUpperCase())}
            onComplete={(value) => handIn(value.toUpperCase())}
            error={fault !== ""}
            readOnly={busy}
            styles={{
              root: { display: "grid", gridTemplateColumns: `repeat(${length}, minmax(0, 1fr))` },
              pinInput: { width: "100%" },
              input: { width: "100%", fontVariantNumeric: "tabular-nums", fontWeight: 600 },
            }}
          />
          <Text id={`${id}-fault`} role="alert" c="var(--mantine-color-error)" mt="sm" mih="3em" lh={1.5}>
            {fault}
          </Text>
        </Box>
        <Button type="submit" size="lg" fullWidth loading={busy}>
          Continue
        </Button>
      </Stack>
    </form>
  );
}
