import { Box, PinInput } from "@mantine/core";
import type { ClipboardEvent, Ref } from "react";

interface CodeInputProps {
  ref: Ref<HTMLDivElement>;
  length: number;
  /** What one box is called. */
  boxLabel: string;
  /** Letters as well, where a pattern says so. */
  type?: "number" | RegExp;
  /** The keys a telephone shows; none where the page has its own. */
  inputMode: "numeric" | "text" | "none";
  hidden?: boolean;
  value: string;
  change: (code: string) => void;
  wrong: boolean;
  readOnly: boolean;
  "aria-label"?: string;
  "aria-labelledby"?: string;
  "aria-describedby": string;
}

/** A box for each character of a code, as wide together as there is room. */
export function CodeInput({
  ref,
  length,
  boxLabel,
  type = "number",
  inputMode,
  hidden = false,
  value,
  change,
  wrong,
  readOnly,
  ...named
}: CodeInputProps) {
  return (
    <Box ref={ref} role="group" {...named}>
      <PinInput
        key={length}
        length={length}
        type={type}
        inputMode={inputMode}
        mask={hidden}
        oneTimeCode
        autoFocus
        size="xl"
        gap={length > 6 ? 6 : "xs"}
        placeholder=""
        ariaLabel={boxLabel}
        value={value}
        onChange={change}
        error={wrong}
        readOnly={readOnly}
        styles={{
          root: { display: "grid", gridTemplateColumns: `repeat(${length}, minmax(0, 1fr))` },
          pinInput: { width: "100%" },
          input: { width: "100%", fontVariantNumeric: "tabular-nums", fontWeight: 600 },
        }}
      />
    </Box>
  );
}

/** Takes what is pasted; what of it is a code is the answer, an empty string if nothing is. */
export function pastedCode(event: ClipboardEvent, clean: (text: string) => string = digitsIn): string {
  event.preventDefault();
  event.stopPropagation();
  return clean(event.clipboardData.getData("text"));
}

/** Codes are copied with spaces, dashes and line ends around them. */
function digitsIn(text: string): string {
  const compact = text.replaceAll(/[\s\-–—._]/g, "");
  return /^\d+$/.test(compact) ? compact : "";
}
