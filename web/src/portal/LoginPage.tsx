import { Anchor, Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type FormEvent } from "react";
import { Link, Navigate, useLocation, useNavigate } from "react-router";

import { meQuery } from "../api/queries";
import { refusalInWords } from "../api/refusals";
import { session, type LoginState, type SessionKind } from "../api/session";
import { CodeBoxes } from "../components/CodeBoxes";
import { whereIsTheCode } from "../components/second-factor";
import { Notice } from "../components/Notice";
import { Page, PageTitle } from "../components/Page";
import { giveSecondFactor, logIn, type Challenge } from "./login";

/** The door of customers of the bank and of administrators: a password, then a code where their account asks for one. */
export function LoginPage() {
  const [challenge, setChallenge] = useState<Challenge | null>(null);
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const { reason, from } = (useLocation().state as LoginState | null) ?? {};

  async function enter() {
    session.begin("customer");
    queryClient.clear(); // Nothing of whoever was logged in before.
    // The next page asks it as well; what keeps it from being known is told there.
    const me = await queryClient.fetchQuery(meQuery).catch(() => null);
    if (me?.role === "admin") session.begin("admin");
    await navigate(from ?? home(session.kind), { replace: true });
  }

  if (session.kind && !reason) return <Navigate to={home(session.kind)} replace />;
  return (
    <Page size={480}>
      {challenge ? (
        <SecondFactor challenge={challenge} entered={enter} restart={() => setChallenge(null)} />
      ) : (
        <Password
          reason={reason}
          operator={from?.startsWith("/admin") ?? false}
          entered={enter}
          challenged={setChallenge}
        />
      )}
    </Page>
  );
}

function home(kind: SessionKind | null): string {
  if (kind === "admin") return "/admin";
  return kind === "guest" ? "/agents" : "/bank/accounts";
}

interface PasswordProps {
  reason: LoginState["reason"];
  /** Whether the dashboard was asked for. */
  operator: boolean;
  entered: () => Promise<void>;
  challenged: (challenge: Challenge) => void;
}

function Password({ reason, operator, entered, challenged }: PasswordProps) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [missing, setMissing] = useState(false);
  const nameField = useRef<HTMLInputElement>(null);
  const passwordField = useRef<HTMLInputElement>(null);
  const login = useMutation({
    mutationFn: () => logIn(name.trim(), password),
    onSuccess: (challenge) => (challenge ? challenged(challenge) : entered()),
    onError: () => {
      setPassword("");
      passwordField.current?.focus();
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    setMissing(true);
    if (!name.trim()) return nameField.current?.focus();
    if (!password) return passwordField.current?.focus();
    login.mutate();
  }

  return (
    <>
      <PageTitle
        focus={false}
        lead={
          operator
            ? "See every call as it happens, and hand out codes."
            : "See your accounts, pay, and talk to the bank's assistant."
        }
      >
        {operator ? "Log in to the dashboard" : "Log in to your bank"}
      </PageTitle>
      {reason === "expired" && !login.error && (
        <Notice title="You have been logged out">Your session has ended. Log in again to go on.</Notice>
      )}
      {reason === "new-password" && !login.error && (
        <Notice title="Your password is changed">
          Log in with the new one. Every other browser is logged out too.
        </Notice>
      )}
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <TextInput
            ref={nameField}
            label="User name, e-mail or phone"
            size="lg"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            autoFocus
            maxLength={254}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={missing && !name.trim() && "Enter the name you log in with."}
          />
          <PasswordInput
            ref={passwordField}
            label="Password"
            size="lg"
            autoComplete="current-password"
            maxLength={256}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            error={missing && !password && !login.isError && "Enter your password."}
            visibilityToggleButtonProps={{ "aria-label": "Show the password" }}
          />
          <Text role="alert" c="var(--mantine-color-error)" mih="1.5em">
            {login.error ? refusalInWords(login.error) : ""}
          </Text>
          <Button type="submit" size="lg" fullWidth loading={login.isPending}>
            Log in
          </Button>
        </Stack>
      </form>
      <Text c="dimmed">
        Were you given a code instead?{" "}
        <Anchor component={Link} to="/" underline="always">
          Enter your code
        </Anchor>
      </Text>
    </>
  );
}

interface SecondFactorProps {
  challenge: Challenge;
  entered: () => Promise<void>;
  restart: () => void;
}

function SecondFactor({ challenge, entered, restart }: SecondFactorProps) {
  const token = useMutation({
    mutationFn: (code: string) => giveSecondFactor(challenge.challenge_id, code),
    onSuccess: entered,
  });
  return (
    <>
      <PageTitle lead={whereIsTheCode(challenge.method, challenge.sent_to)}>Enter the code</PageTitle>
      <CodeBoxes
        label={`Your ${challenge.length}-digit code`}
        length={challenge.length}
        busy={token.isPending}
        fault={token.error ? refusalInWords(token.error) : ""}
        submit={token.mutate}
      />
      <Anchor component="button" type="button" onClick={restart} ta="left">
        Start again with another name or password
      </Anchor>
    </>
  );
}
