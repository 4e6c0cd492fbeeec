import { Button, Modal, Stack, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useState, type KeyboardEvent } from "react";

import { keyPressed, Keys } from "../components/Keys";
import classes from "./KeypadDialog.module.css";

const MAX_DIGITS = 18;

/** Numbers that are hard to make oneself heard with, by key; they are said as if typed. No place for secrets. */
export function NumberPad({ opened, close, say }: { opened: boolean; close: () => void; say: (text: string) => void }) {
  const small = useMediaQuery("(max-width: 30em)");
  return (
    <Modal
      opened={opened}
      onClose={close}
      returnFocus={false} // It goes back to the key that opened it.
      title="Keypad"
      closeButtonProps={{ "aria-label": "Close", size: 44 }}
      transitionProps={{ duration: 0 }}
      fullScreen={small ?? false}
      size={400}
      centered
      padding="md"
      radius={small ? 0 : "lg"}
      classNames={{ title: classes.title, content: classes.content, body: classes.atThumb }}
    >
      <Pad
        send={(digits) => {
          say(digits);
          close();
        }}
      />
    </Modal>
  );
}

function Pad({ send }: { send: (digits: string) => void }) {
  const [digits, setDigits] = useState("");
  const press = (digit: string) => setDigits((before) => (before + digit).slice(0, MAX_DIGITS));
  const erase = () => setDigits((before) => before.slice(0, -1));
  function keyDown(event: KeyboardEvent) {
    const pressed = keyPressed(event);
    if (pressed === "erase") erase();
    else if (pressed) press(pressed.digit);
    else if (event.key === "Enter" && event.target instanceof HTMLOutputElement && digits) {
      event.preventDefault(); // Else it would press what has the focus afterwards, too.
      send(digits);
    }
  }
  return (
    <Stack gap="sm" onKeyDown={keyDown}>
      <Text>
        For amounts and other numbers. Codes do not belong here: when one is asked for, a keypad that nobody hears opens
        by itself.
      </Text>
      <output className={`figures ${classes.digits}`} aria-label="Number" data-autofocus tabIndex={-1}>
        {digits || " "}
      </output>
      <Keys press={press} erase={erase} empty={digits === ""}>
        <Button disabled={digits === ""} onClick={() => send(digits)}>
          Send
        </Button>
      </Keys>
    </Stack>
  );
}
