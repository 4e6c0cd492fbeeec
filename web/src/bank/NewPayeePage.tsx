import { Button, Group, Radio, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type FormEvent } from "react";
import { Link, useNavigate } from "react-router";

import { ApiError } from "../api/errors";
import { refusalInWords } from "../api/refusals";
import { Notice } from "../components/Notice";
import { addPayee, refreshBank } from "./api";
import { BankPage } from "./BankPage";
import { accountNumberFault, compactCode, ifscFault, nameFault } from "./entry";
import type { NewPayee } from "./types";

const EMPTY = { name: "", nickname: "", number: "", again: "", ifsc: "" };
type Field = keyof typeof EMPTY;
const FIELDS = Object.keys(EMPTY) as Field[];

/** Refusals of the bank that are about one of the fields. */
const FIELD_OF: Record<string, Field> = { nickname_taken: "nickname", bad_ifsc: "ifsc", bad_account_number: "number" };

export function NewPayeePage() {
  const [values, setValues] = useState(EMPTY);
  const [elsewhere, setElsewhere] = useState(true);
  /** Faults are told once it was sent: told any sooner, they would push the button away from under the finger. */
  const [sent, setSent] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const adding = useMutation({
    mutationFn: (payee: NewPayee) => addPayee(payee),
    onSuccess: async ({ nickname }) => {
      await refreshBank(queryClient);
      const told = `${nickname} is added. For the first day a code is asked for whenever you send them money.`;
      await navigate("/bank/payees", { state: { told } });
    },
  });

  const faults: Record<Field, string | null> = {
    name: nameFault(values.name, 120),
    nickname: values.nickname.trim() ? nameFault(values.nickname, 64) : null,
    number: accountNumberFault(compactCode(values.number)),
    again: compactCode(values.again) === compactCode(values.number) ? null : "The two account numbers differ.",
    ifsc: elsewhere ? ifscFault(compactCode(values.ifsc)) : null,
  };
  const refused = adding.error instanceof ApiError ? FIELD_OF[adding.error.code] : undefined;

  function field(name: Field) {
    const told = (sent && faults[name]) || (refused === name && refusalInWords(adding.error));
    return {
      name,
      size: "lg",
      value: values[name],
      autoComplete: "off",
      error: told || undefined,
      onChange: (event: { currentTarget: { value: string } }) => {
        const { value } = event.currentTarget;
        setValues((before) => ({ ...before, [name]: value }));
        if (refused === name) adding.reset();
      },
    };
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setSent(true);
    const wrong = FIELDS.find((name) => faults[name]);
    if (wrong) return form.current?.querySelector<HTMLInputElement>(`[name="${wrong}"]`)?.focus();
    adding.mutate({
      name: values.name.trim(),
      nickname: values.nickname.trim() || values.name.trim().slice(0, 64),
      account_number: compactCode(values.number),
      ifsc: elsewhere ? compactCode(values.ifsc) : null,
    });
  }

  return (
    <BankPage title="Add a payee" narrow>
      <form ref={form} onSubmit={submit} noValidate>
        <Stack gap="md">
          <TextInput label="Name on the account" maxLength={120} {...field("name")} />
          <TextInput
            label="What you call them"
            description="You say this name on a call. Leave it empty to use the name on the account."
            maxLength={64}
            {...field("nickname")}
          />
          <Radio.Group
            label="Where is the account?"
            size="lg"
            value={elsewhere ? "elsewhere" : "here"}
            onChange={(value) => setElsewhere(value === "elsewhere")}
          >
            <Group gap="lg" mt="xs">
              <Radio value="elsewhere" label="At another bank" size="md" />
              <Radio value="here" label="At this bank" size="md" />
            </Group>
          </Radio.Group>
          <TextInput
            label="Account number"
            inputMode="numeric"
            className="figures"
            maxLength={30}
            {...field("number")}
          />
          <TextInput
            label="Account number again"
            description="Money sent to a wrong number may not come back."
            inputMode="numeric"
            className="figures"
            maxLength={30}
            {...field("again")}
          />
          {elsewhere && (
            <TextInput
              label="IFSC"
              description="The 11 characters of the branch, such as HDFC0001234."
              className="figures"
              maxLength={20}
              autoCapitalize="characters"
              spellCheck={false}
              {...field("ifsc")}
            />
          )}
          {adding.error && !refused && <Notice trouble>{refusalInWords(adding.error)}</Notice>}
          <Group gap="sm" className="actions">
            <Button type="submit" size="lg" loading={adding.isPending}>
              Add this payee
            </Button>
            <Button component={Link} to="/bank/payees" size="lg" variant="default">
              Cancel
            </Button>
          </Group>
        </Stack>
      </form>
    </BankPage>
  );
}
