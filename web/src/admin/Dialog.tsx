import { Button, Group, Modal, Stack, type ModalProps } from "@mantine/core";
import type { ReactNode } from "react";

import { refusalInWords } from "../api/refusals";
import { Notice } from "../components/Notice";

/** The one look of all dialogs. */
export function Dialog({ children, ...rest }: ModalProps) {
  return (
    <Modal
      centered
      radius="lg"
      padding="lg"
      transitionProps={{ duration: 0 }}
      closeButtonProps={{ "aria-label": "Close", size: 44 }}
      styles={{ title: { fontSize: "1.25rem", fontWeight: 650, overflowWrap: "anywhere" } }}
      {...rest}
    >
      {children}
    </Modal>
  );
}

interface ConfirmProps {
  opened: boolean;
  title: string;
  /** What happens, and what does not. */
  children: ReactNode;
  /** The button that does it. */
  act: string;
  keep?: string;
  harmless?: boolean;
  busy: boolean;
  error: unknown;
  confirm: () => void;
  close: () => void;
}

/** Asks before something that cannot be taken back. */
export function Confirm({
  opened,
  title,
  children,
  act,
  keep = "Cancel",
  harmless = false,
  busy,
  error,
  confirm,
  close,
}: ConfirmProps) {
  return (
    <Dialog opened={opened} onClose={close} title={title}>
      <Stack gap="md">
        <div>{children}</div>
        {error !== null && <Notice trouble>{refusalInWords(error)}</Notice>}
        <Group gap="sm" className="actions">
          <Button color={harmless ? undefined : "red.9"} loading={busy} onClick={confirm}>
            {act}
          </Button>
          <Button variant="default" onClick={close} data-autofocus>
            {keep}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
