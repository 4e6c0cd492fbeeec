import { Modal, Stack, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconLock } from "@tabler/icons-react";

import { CodePad } from "../components/CodePad";
import { DemoPhone } from "../components/DemoPhone";
import { money } from "../components/format";
import { whereIsTheCode } from "../components/second-factor";
import type { CodeRequest } from "./acts";
import classes from "./KeypadDialog.module.css";
import type { LiveCall } from "./live-call";

/** Opens by itself while the server asks for a code, and closes when it no longer does. */
export function KeypadDialog({ call, code }: { call: LiveCall; code: CodeRequest | null }) {
  const small = useMediaQuery("(max-width: 30em)");
  return (
    <Modal
      opened={code !== null}
      // To step back is the safe way: nothing is sent.
      onClose={() => void call.cancelCode()}
      closeOnClickOutside={false}
      withCloseButton={false}
      transitionProps={{ duration: 0 }}
      title="Enter the code"
      fullScreen={small ?? false}
      size={448}
      centered
      padding="md"
      radius={small ? 0 : "lg"}
      classNames={{ title: classes.title, header: classes.header }}
    >
      {code && <Keypad key={code.expires_at} call={call} code={code} />}
    </Modal>
  );
}

function Keypad({ call, code }: { call: LiveCall; code: CodeRequest }) {
  return (
    <Stack gap="sm">
      {code.amount_minor !== null && (
        <Text className={classes.what}>
          <span className="figures">{money(code.amount_minor, code.currency)}</span> to {code.payee}
        </Text>
      )}
      <div>
        <Text>{whereIsTheCode(code.method, code.sent_to)}</Text>
        <Text className={classes.secret}>
          <IconLock size={20} aria-hidden className={classes.lock} />
          Nobody hears it, the assistant included.
        </Text>
      </div>
      {code.method === "code" && <DemoPhone />}
      <CodePad
        length={code.length}
        triesLeft={code.tries_left}
        expiresAt={code.expires_at}
        submit={(digits) => call.enterCode(digits)}
        cancel={() => void call.cancelCode()}
        cancelWords="do not send"
      />
    </Stack>
  );
}
