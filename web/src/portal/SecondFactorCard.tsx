import {
  Anchor,
  Button,
  Card,
  Code,
  CopyButton,
  Group,
  PasswordInput,
  Stack,
  Switch,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState, type FormEvent, type ReactNode } from "react";
import { encode } from "uqr";

import { api, body } from "../api/client";
import { meQuery, type Me } from "../api/queries";
import { refusalInWords } from "../api/refusals";
import type { components } from "../api/schema";
import { Notice } from "../components/Notice";
import { whereIsTheCode } from "../components/second-factor";
import classes from "./SecondFactorCard.module.css";

type Enrolment = components["schemas"]["EnrolmentOut"];
/** What every authenticator app shows unless the key says otherwise, and ours does not. */
const APP_DIGITS = 6;

type Step = "none" | "add" | "remove" | "login-code";

interface Props {
  factor: Me["second_factor"];
  /** Whether codes can be sent to them: an administrator has no address. */
  reachable?: boolean;
}

/** What is asked for besides the password: an authenticator app, or codes that are sent. */
export function SecondFactorCard({ factor, reachable = true }: Props) {
  const [step, setStep] = useState<Step>("none");
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null);
  const [told, setTold] = useState("");
  const queryClient = useQueryClient();

  async function done(words: string) {
    await queryClient.invalidateQueries({ queryKey: meQuery.queryKey });
    setStep("none");
    setEnrolment(null);
    setTold(words);
  }

  function open(next: Step) {
    setTold("");
    setStep(next);
  }

  const close = () => setStep("none");
  const sentCode = factor.login_factor === "code";
  return (
    <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="second-factor">
      <Stack gap="md">
        <div>
          <Title order={2} id="second-factor">
            Second factor
          </Title>
          <Text role="status" fw={600}>
            {told}
          </Text>
        </div>
        <Group justify="space-between" gap="sm">
          <div className={classes.words}>
            <Text fw={600}>Authenticator app: {factor.totp ? "on" : "off"}</Text>
            <Text c="dimmed">
              {factor.totp
                ? `It is asked for when you log in${reachable ? " and when money needs a code" : ""}.`
                : "An app on your phone that shows a new code every 30 seconds, also without network."}
            </Text>
          </div>
          {step === "none" && (
            <Button h={44} variant="default" onClick={() => open(factor.totp ? "remove" : "add")}>
              {factor.totp ? "Remove the app" : "Add an app"}
            </Button>
          )}
        </Group>
        {step === "add" && !enrolment && <Begin begun={setEnrolment} cancel={close} />}
        {step === "add" && enrolment && (
          <Confirm
            enrolment={enrolment}
            done={() => done("The app is added.")}
            cancel={() => {
              setEnrolment(null);
              close();
            }}
          />
        )}
        {step === "remove" && (
          <Remove
            done={() => done(`The app is removed.${reachable ? " Codes are sent to you instead." : ""}`)}
            cancel={close}
          />
        )}
        {reachable && !factor.totp && (
          <Switch
            size="md"
            label="Send me a code whenever I log in"
            checked={sentCode}
            disabled={step !== "none" && step !== "login-code"}
            onChange={() => open("login-code")}
          />
        )}
        {step === "login-code" && (
          <LoginCode
            on={!sentCode}
            done={() => done(sentCode ? "Logging in no longer sends a code." : "Logging in now sends you a code.")}
            cancel={close}
          />
        )}
      </Stack>
    </Card>
  );
}

interface StepProps {
  done: () => Promise<void>;
  cancel: () => void;
}

function Begin({ begun, cancel }: { begun: (enrolment: Enrolment) => void; cancel: () => void }) {
  const beginning = useMutation({
    mutationFn: async (password: string) => body(await api.POST("/api/v1/me/totp", { body: { password } })),
    onSuccess: begun,
  });
  return (
    <PasswordForm
      words="Enter your password to add an authenticator app."
      button="Continue"
      busy={beginning.isPending}
      error={beginning.error}
      submit={beginning.mutate}
      cancel={cancel}
    />
  );
}

function Remove({ done, cancel }: StepProps) {
  const removing = useMutation({
    mutationFn: (password: string) => api.POST("/api/v1/me/totp/remove", { body: { password } }),
    onSuccess: done,
  });
  return (
    <PasswordForm
      words="Enter your password to remove the authenticator app."
      button="Remove the app"
      busy={removing.isPending}
      error={removing.error}
      submit={removing.mutate}
      cancel={cancel}
    />
  );
}

function LoginCode({ on, done, cancel }: StepProps & { on: boolean }) {
  const setting = useMutation({
    mutationFn: (password: string) =>
      api.PUT("/api/v1/me/login-factor", { body: { password, login_factor: on ? "code" : null } }),
    onSuccess: done,
  });
  return (
    <PasswordForm
      words={`Enter your password to switch codes at log-in ${on ? "on" : "off"}.`}
      button={on ? "Switch on" : "Switch off"}
      busy={setting.isPending}
      error={setting.error}
      submit={setting.mutate}
      cancel={cancel}
    />
  );
}

interface PasswordFormProps {
  words: ReactNode;
  button: string;
  busy: boolean;
  error: Error | null;
  submit: (password: string) => void;
  cancel: () => void;
}

/** How one logs in is not changed by whoever finds the page open. */
function PasswordForm({ words, button, busy, error, submit, cancel }: PasswordFormProps) {
  const [password, setPassword] = useState("");
  const [missing, setMissing] = useState(false);
  function send(event: FormEvent) {
    event.preventDefault();
    setMissing(!password);
    if (password) submit(password);
  }
  return (
    <form onSubmit={send} noValidate className={classes.form}>
      <Stack gap="sm">
        <PasswordInput
          label={words}
          size="lg"
          autoFocus
          autoComplete="current-password"
          maxLength={256}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={missing && !password ? "Enter your password." : error && refusalInWords(error)}
          visibilityToggleButtonProps={{ "aria-label": "Show the password" }}
        />
        <Group gap="sm" className="actions">
          <Button type="submit" size="lg" loading={busy}>
            {button}
          </Button>
          <Button variant="default" size="lg" onClick={cancel}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Confirm({ enrolment, done, cancel }: StepProps & { enrolment: Enrolment }) {
  const { secret, otpauth_uri, challenge, enrolment_id } = enrolment;
  const [otp, setOtp] = useState("");
  const [code, setCode] = useState("");
  const [sent, setSent] = useState(false);
  const confirming = useMutation({
    mutationFn: () =>
      api.POST("/api/v1/me/totp/confirm", {
        body: { enrolment_id, otp, ...(challenge && { challenge_id: challenge.challenge_id, code }) },
      }),
    onSuccess: done,
  });
  const digitsOf = (text: string, length: number) => text.replaceAll(/\D/g, "").slice(0, length);
  const missing = (value: string, length: number) => sent && value.length !== length && `Enter the ${length} digits.`;

  function submit(event: FormEvent) {
    event.preventDefault();
    setSent(true);
    if (otp.length === APP_DIGITS && (!challenge || code.length === challenge.length)) confirming.mutate();
  }

  return (
    <form onSubmit={submit} noValidate>
      <ol className={classes.steps}>
        <li>
          <Text>Scan this with your authenticator app, or type the key into it.</Text>
          <div className={classes.secret}>
            <QrCode text={otpauth_uri} />
            <Stack gap="xs" align="flex-start" miw={0}>
              <Code className={classes.key}>{secret.replaceAll(/(.{4})(?=.)/g, "$1 ")}</Code>
              <CopyButton value={secret}>
                {({ copied, copy }) => (
                  <Button variant="default" h={44} onClick={copy}>
                    {copied ? "Copied" : "Copy the key"}
                  </Button>
                )}
              </CopyButton>
              <Anchor href={otpauth_uri} py={8}>
                Open in an app on this device
              </Anchor>
            </Stack>
          </div>
        </li>
        <li>
          <TextInput
            label="The code the app shows"
            size="lg"
            inputMode="numeric"
            autoComplete="off"
            className="figures"
            value={otp}
            onChange={(event) => setOtp(digitsOf(event.currentTarget.value, APP_DIGITS))}
            error={missing(otp, APP_DIGITS)}
            maw="16rem"
          />
        </li>
        {challenge && (
          <li>
            <TextInput
              label="The code we sent you"
              description={whereIsTheCode("code", challenge.sent_to)}
              size="lg"
              inputMode="numeric"
              autoComplete="one-time-code"
              className="figures"
              value={code}
              onChange={(event) => setCode(digitsOf(event.currentTarget.value, challenge.length))}
              error={missing(code, challenge.length)}
              maw="16rem"
            />
          </li>
        )}
      </ol>
      <Stack gap="sm">
        {confirming.error && <Notice trouble>{refusalInWords(confirming.error)}</Notice>}
        <Group gap="sm" className="actions">
          <Button type="submit" size="lg" loading={confirming.isPending}>
            Finish
          </Button>
          <Button variant="default" size="lg" onClick={cancel}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Drawn here: the secret in it is for nobody else. */
function QrCode({ text }: { text: string }) {
  const { path, size } = useMemo(() => {
    const { data, size } = encode(text, { ecc: "M", border: 3 });
    const squares = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])));
    return { path: squares.join(""), size };
  }, [text]);
  return (
    <svg
      viewBox={`0 0 ${size} ${size}`}
      className={classes.qr}
      role="img"
      aria-label="QR code with the key"
      shapeRendering="crispEdges"
    >
      <path d={path} fill="#000" />
    </svg>
  );
}
