import { ActionIcon, Text, TextInput } from "@mantine/core";
import { IconSend } from "@tabler/icons-react";
import { useState, type FormEvent, type KeyboardEvent, type Ref } from "react";

import { isPlainYes } from "./acts";
import type { CallState, LiveCall } from "./live-call";

interface TypeFieldProps {
  ref?: Ref<HTMLInputElement>;
  call: LiveCall;
  state: CallState;
  close: () => void;
}

const MAX_TYPED = 500;

/** Turns that are typed. A yes that could not count yet is kept in the field: sending it would only begin the reading anew. */
export function TypeField({ ref, call, state, close }: TypeFieldProps) {
  const [text, setText] = useState("");
  const [early, setEarly] = useState(false);
  const disabled = state.phase !== "live";
  const reading = state.acts.readBack === "reading";

  function submit(event: FormEvent) {
    event.preventDefault();
    if (disabled || !text.trim()) return;
    if (reading && isPlainYes(text)) return setEarly(true);
    call.say(text);
    setText("");
    setEarly(false);
  }
  function keyDown(event: KeyboardEvent) {
    if (event.key === "Escape") close();
  }
  return (
    <form onSubmit={submit} onKeyDown={keyDown}>
      <TextInput
        ref={ref}
        aria-label="Type to the assistant"
        placeholder={disabled ? "You can type as soon as you are connected" : "Type to the assistant"}
        size="lg"
        value={text}
        maxLength={MAX_TYPED}
        autoComplete="off"
        enterKeyHint="send"
        onChange={(event) => {
          setText(event.currentTarget.value);
          setEarly(false);
        }}
        rightSectionWidth={52}
        rightSection={
          <ActionIcon type="submit" size={44} variant="subtle" aria-label="Send" disabled={disabled || !text.trim()}>
            <IconSend size={22} />
          </ActionIcon>
        }
      />
      <Text role="status" fw={600} mt={early ? 6 : 0}>
        {early &&
          (reading
            ? "Please wait until it has been read out. Then send your yes."
            : "It has been read out. Send it now.")}
      </Text>
    </form>
  );
}
