import { Button, Group, NumberInput, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { refusalInWords } from "../../api/refusals";
import { counted } from "../../components/format";
import { Notice } from "../../components/Notice";
import { changeCode } from "../api";
import { Dialog } from "../Dialog";
import type { Code, CodeChange } from "../types";
import { expiryFault, expiryOf, momentOf } from "./expiry";
import { ExpiryField } from "./ExpiryField";

interface EditCodeProps {
  code: Code | null;
  close: () => void;
  changed: (before: Code, change: CodeChange) => void;
}

/** How often a code may be used, until when, and what it is called. */
export function EditCodeDialog({ code, close, changed }: EditCodeProps) {
  return (
    <Dialog opened={code !== null} onClose={close} title="Change the code">
      {code && <EditCodeForm key={code.id} code={code} close={close} changed={changed} />}
    </Dialog>
  );
}

function EditCodeForm({ code, close, changed }: EditCodeProps & { code: Code }) {
  const [uses, setUses] = useState<number | string>(code.max_uses);
  const [label, setLabel] = useState(code.label ?? "");
  const [expiry, setExpiry] = useState(() => expiryOf(code.expires_at));
  const [sentAt, setSentAt] = useState(0);
  const before = expiryOf(code.expires_at);
  const sameExpiry = expiry.choice === before.choice && (expiry.choice !== "at" || expiry.at === before.at);
  const expiryWrong = sentAt > 0 && !sameExpiry ? expiryFault(expiry, sentAt) : null;
  const usesWrong = Number.isInteger(uses) && Number(uses) >= 1 ? null : "Choose at least one call.";
  const changing = useMutation({
    mutationFn: (change: CodeChange) => changeCode(code.id, change),
    onSuccess: (_, change) => {
      changed(code, change);
      close();
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    const now = Date.now();
    setSentAt(now);
    if (usesWrong || (!sameExpiry && expiryFault(expiry, now))) return;
    // What was not touched may have been changed by somebody else meanwhile.
    const change: CodeChange = {
      ...(uses !== code.max_uses && { max_uses: Number(uses) }),
      ...(label !== (code.label ?? "") && { label: label.trim() || null }),
      ...(!sameExpiry && { expires_at: momentOf(expiry)?.toISOString() ?? null }),
    };
    if (Object.keys(change).length > 0) changing.mutate(change);
    else close();
  }

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <NumberInput
          size="md"
          label="Calls in all"
          description={code.used > 0 ? `${counted(code.used, "call")} made so far.` : "None made so far."}
          min={1}
          max={1_000_000}
          allowDecimal={false}
          allowNegative={false}
          value={uses}
          onChange={setUses}
          error={sentAt > 0 && usesWrong}
          data-autofocus
        />
        <TextInput
          size="md"
          label="Label"
          maxLength={120}
          value={label}
          onChange={(event) => setLabel(event.currentTarget.value)}
        />
        <ExpiryField value={expiry} change={setExpiry} error={expiryWrong} />
        {changing.error && <Notice trouble>{refusalInWords(changing.error)}</Notice>}
        <Group gap="sm" className="actions">
          <Button type="submit" loading={changing.isPending}>
            Save
          </Button>
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
