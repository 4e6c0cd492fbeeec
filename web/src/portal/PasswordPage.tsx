import { Button, Group, PasswordInput, Stack } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type FormEvent } from "react";
import { Link, useNavigate } from "react-router";

import { ApiError } from "../api/errors";
import { refusalInWords } from "../api/refusals";
import { session, type LoginState } from "../api/session";
import { Notice } from "../components/Notice";
import { Page, PageTitle } from "../components/Page";
import { changePassword, logOut } from "./login";

const MIN_CHARS = 8;
const MAX_CHARS = 256;

const EMPTY = { current: "", next: "", again: "" };
type Field = keyof typeof EMPTY;
const FIELDS = Object.keys(EMPTY) as Field[];

/** Refusals that are about one of the fields. */
const FIELD_OF: Record<string, Field> = { login_refused: "current", bad_password: "next" };

interface PasswordPageProps {
  /** Nothing else is open before the password that was given out is changed. */
  first?: boolean;
  /** Where one came from. */
  back?: string;
  /** The page to which the log-in leads afterwards. */
  from?: string;
}

/** A new password for who is logged in. */
export function PasswordPage({ first = false, back = "/profile", from }: PasswordPageProps) {
  const [values, setValues] = useState(EMPTY);
  const [sent, setSent] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const navigate = useNavigate();
  const queryClient = useQueryClient();

  async function backToTheDoor(reason: LoginState["reason"]) {
    const state: LoginState = { reason, from };
    session.end();
    await navigate("/login", { replace: true, state });
    queryClient.clear();
  }

  const changing = useMutation({
    mutationFn: () => changePassword(values.current, values.next),
    onSuccess: () => backToTheDoor("new-password"),
    onError: (error) => form.current?.querySelector<HTMLInputElement>(`[name="${fieldOf(error) ?? ""}"]`)?.focus(),
  });
  const leaving = useMutation({
    mutationFn: () => logOut().catch(() => undefined), // The cookies expire by themselves as well.
    onSuccess: () => backToTheDoor("left"),
  });

  const faults: Record<Field, string | null> = {
    current: values.current ? null : "Enter your current password.",
    next:
      values.next.length < MIN_CHARS
        ? `Use at least ${MIN_CHARS} characters.`
        : values.next === values.current
          ? "Choose a password that is not the current one."
          : null,
    again: values.again === values.next ? null : "The two new passwords differ.",
  };
  const refused = fieldOf(changing.error);

  function field(name: Field) {
    return {
      name,
      size: "lg",
      maxLength: MAX_CHARS,
      value: values[name],
      error: (sent && faults[name]) || (refused === name && refusalInWords(changing.error)),
      onChange: (event: { currentTarget: { value: string } }) => {
        const { value } = event.currentTarget;
        setValues((before) => ({ ...before, [name]: value }));
        if (refused === name) changing.reset();
      },
      visibilityToggleButtonProps: { "aria-label": "Show the password" },
    };
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setSent(true);
    const wrong = FIELDS.find((name) => faults[name]);
    if (wrong) return form.current?.querySelector<HTMLInputElement>(`[name="${wrong}"]`)?.focus();
    changing.mutate();
  }

  return (
    <Page size={480}>
      <PageTitle
        lead={
          first
            ? "You were given your current password. Choose one that only you know; then log in with it."
            : "Afterwards you are logged out everywhere, and log in again with the new one."
        }
      >
        {first ? "Choose a password of your own" : "Change your password"}
      </PageTitle>
      <form ref={form} onSubmit={submit} noValidate>
        <Stack gap="md">
          <PasswordInput label="Current password" autoComplete="current-password" {...field("current")} />
          <PasswordInput
            label="New password"
            description={`At least ${MIN_CHARS} characters. A few words in a row are strong and easy to remember.`}
            autoComplete="new-password"
            {...field("next")}
          />
          <PasswordInput label="New password again" autoComplete="new-password" {...field("again")} />
          {changing.error && !refused && <Notice trouble>{refusalInWords(changing.error)}</Notice>}
          <Group gap="sm" className="actions">
            <Button type="submit" size="lg" loading={changing.isPending}>
              Change the password
            </Button>
            {first ? (
              <Button size="lg" variant="default" loading={leaving.isPending} onClick={() => leaving.mutate()}>
                Log out
              </Button>
            ) : (
              <Button component={Link} to={back} size="lg" variant="default">
                Cancel
              </Button>
            )}
          </Group>
        </Stack>
      </form>
    </Page>
  );
}

function fieldOf(error: unknown): Field | undefined {
  return error instanceof ApiError ? FIELD_OF[error.code] : undefined;
}
