import { Button, Group, NumberInput, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { refusalInWords } from "../../api/refusals";
import { counted } from "../../components/format";
import { Notice } from "../../components/Notice";
import { issueCodes } from "../api";
import { Dialog } from "../Dialog";
import type { Code } from "../types";
import { expiryFault, momentOf, NEVER } from "./expiry";
import { ExpiryField } from "./ExpiryField";
import { IssuedCodes } from "./IssuedCodes";

const MOST = 1000;
const MOST_USES = 1_000_000;

/** Makes codes, then shows them, once. */
export function NewCodesDialog({ opened, close }: { opened: boolean; close: () => void }) {
  const [issued, setIssued] = useState<Code[] | null>(null);
  function leave() {
    close();
    setIssued(null);
  }
  return (
    <Dialog
      opened={opened}
      onClose={leave}
      title={issued ? `${counted(issued.length, "new code")}` : "New codes"}
      size={issued ? "lg" : "md"}
      // What is shown once is not lost by a slip of the hand.
      closeOnClickOutside={!issued}
      closeOnEscape={!issued}
    >
      {issued ? <IssuedCodes codes={issued} done={leave} /> : <NewCodesForm issued={setIssued} cancel={leave} />}
    </Dialog>
  );
}

function NewCodesForm({ issued, cancel }: { issued: (codes: Code[]) => void; cancel: () => void }) {
  const [count, setCount] = useState<number | string>(1);
  const [uses, setUses] = useState<number | string>(5);
  const [label, setLabel] = useState("");
  const [expiry, setExpiry] = useState(NEVER);
  const [sentAt, setSentAt] = useState(0);
  const queryClient = useQueryClient();
  const issuing = useMutation({
    mutationFn: () => {
      const ends = momentOf(expiry);
      return issueCodes({
        count: Number(count),
        max_uses: Number(uses),
        ...(label.trim() && { label: label.trim() }),
        ...(ends && { expires_in_minutes: Math.max(1, Math.round((ends.getTime() - Date.now()) / 60_000)) }),
      });
    },
    onSuccess: (codes) => {
      void queryClient.invalidateQueries({ queryKey: ["admin", "codes"] });
      issued(codes);
    },
  });
  const faults = {
    count: within(count, MOST) ? null : `Choose a number from 1 to ${MOST}.`,
    uses: within(uses, MOST_USES) ? null : "Choose at least one call.",
    expiry: expiryFault(expiry, sentAt || undefined),
  };

  function submit(event: FormEvent) {
    event.preventDefault();
    const now = Date.now();
    setSentAt(now);
    if (!faults.count && !faults.uses && !expiryFault(expiry, now)) issuing.mutate();
  }

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Group grow align="flex-start" gap="md">
          <NumberInput
            size="md"
            label="How many"
            min={1}
            max={MOST}
            allowDecimal={false}
            allowNegative={false}
            value={count}
            onChange={setCount}
            error={sentAt > 0 && faults.count}
            data-autofocus
          />
          <NumberInput
            size="md"
            label="Calls for each"
            min={1}
            max={MOST_USES}
            allowDecimal={false}
            allowNegative={false}
            value={uses}
            onChange={setUses}
            error={sentAt > 0 && faults.uses}
          />
        </Group>
        <TextInput
          size="md"
          label="Label"
          description="For whom or what they are. You find them by it."
          maxLength={120}
          value={label}
          onChange={(event) => setLabel(event.currentTarget.value)}
        />
        <ExpiryField value={expiry} change={setExpiry} error={sentAt > 0 ? faults.expiry : null} />
        {issuing.error && <Notice trouble>{refusalInWords(issuing.error)}</Notice>}
        <Group gap="sm" className="actions">
          <Button type="submit" loading={issuing.isPending}>
            Make {within(count, MOST) ? counted(Number(count), "code") : "codes"}
          </Button>
          <Button variant="default" onClick={cancel}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function within(value: number | string, most: number): boolean {
  const number = value === "" ? NaN : Number(value);
  return Number.isInteger(number) && number >= 1 && number <= most;
}
