import { NativeSelect, TextInput } from "@mantine/core";

import { expiryOf, type Expiry } from "./expiry";

const CHOICES = [
  { value: "", label: "Never" },
  { value: "60", label: "In an hour" },
  { value: "1440", label: "In a day" },
  { value: "10080", label: "In 7 days" },
  { value: "43200", label: "In 30 days" },
  { value: "at", label: "Choose day and time" },
];

interface ExpiryFieldProps {
  value: Expiry;
  change: (value: Expiry) => void;
  error: string | null;
}

/** When a code ends. */
export function ExpiryField({ value, change, error }: ExpiryFieldProps) {
  return (
    <>
      <NativeSelect
        size="md"
        label="Expires"
        value={value.choice}
        onChange={(event) => change({ ...value, choice: event.currentTarget.value })}
        data={CHOICES}
      />
      {value.choice === "at" && (
        <TextInput
          size="md"
          type="datetime-local"
          label="Day and time"
          value={value.at}
          min={expiryOf(new Date().toISOString()).at}
          onChange={(event) => change({ ...value, at: event.currentTarget.value })}
          error={error}
        />
      )}
    </>
  );
}
