import { Anchor, Box, Button, PinInput, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type ClipboardEvent, type FormEvent } from "react";
import { Navigate, useLocation, useNavigate } from "react-router";

import { api } from "../api/client";
import { meQuery, portalQuery } from "../api/queries";
import { loginFailure } from "../call/failures";
import { Notice } from "../components/Notice";
import { Page, PageTitle } from "../components/Page";
import { cleanCode, codeShape } from "./code";
import { session, type CodePageReason } from "./session";

export function CodePage() {
  const portal = useQuery(portalQuery);
  const shape = codeShape(portal.data);
  const [code, setCode] = useState("");
  const boxes = useRef<HTMLDivElement>(null);
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const reason = (useLocation().state as { reason?: CodePageReason } | null)?.reason;

  const login = useMutation({
    mutationFn: (otp_code: string) => api.POST("/api/auth/login/otp", { body: { otp_code } }),
    onSuccess: async () => {
      session.begin();
      queryClient.removeQueries({ queryKey: meQuery.queryKey });
      await navigate("/agents");
    },
    onError: () => {
      setCode("");
      boxes.current?.querySelector("input")?.focus();
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    if (code.length === shape.length) login.mutate(code);
    else boxes.current?.querySelectorAll("input")[code.length]?.focus();
  }

  // Codes are copied with spaces, dashes and line ends around them.
  function paste(event: ClipboardEvent) {
    const pasted = cleanCode(event.clipboardData.getData("text"), shape);
    if (!pasted) return;
    event.preventDefault();
    event.stopPropagation();
    setCode(pasted);
    if (pasted.length === shape.length) login.mutate(pasted);
  }

  if (session.exists && !reason) return <Navigate to="/agents" replace />;
  return (
    <Page size={480}>
      <PageTitle focus={false} lead="Talk to an assistant that does real work, and see everything it does.">
        Welcome to Parley
      </PageTitle>
      {reason === "expired" && !login.error && (
        <Notice title="You have been logged out">Your session has ended. Enter your code again to go on.</Notice>
      )}
      <form onSubmit={submit}>
        <Stack gap="md">
          <Box
            ref={boxes}
            onPasteCapture={paste}
            role="group"
            aria-labelledby="code-label"
            aria-describedby="code-error"
          >
            <Text component="p" id="code-label" fw={600} mb="xs">
              Your {shape.words} code
            </Text>
            <PinInput
              key={shape.length}
              length={shape.length}
              type={shape.type}
              inputMode={shape.inputMode}
              size="xl"
              gap={shape.length > 6 ? 6 : "xs"}
              placeholder=""
              ariaLabel="Code character"
              autoFocus
              value={code}
              onChange={(value) => setCode(value.toUpperCase())}
              onComplete={(value) => login.mutate(value.toUpperCase())}
              error={login.isError}
              readOnly={login.isPending}
              styles={{
                root: { display: "grid", gridTemplateColumns: `repeat(${shape.length}, minmax(0, 1fr))` },
                pinInput: { width: "100%" },
                input: { width: "100%", fontVariantNumeric: "tabular-nums", fontWeight: 600 },
              }}
            />
            <Text id="code-error" role="alert" c="var(--mantine-color-error)" mt="sm" mih="3em" lh={1.5}>
              {login.error ? loginFailure(login.error) : ""}
            </Text>
          </Box>
          <Button type="submit" size="lg" fullWidth loading={login.isPending}>
            Continue
          </Button>
        </Stack>
      </form>
      <Text c="dimmed">
        No code? Ask the person who told you about Parley.{" "}
        {portal.isError && (
          <Anchor component="button" type="button" onClick={() => void portal.refetch()}>
            The server did not answer: try again.
          </Anchor>
        )}
      </Text>
    </Page>
  );
}
