import { Anchor, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Navigate, useLocation, useNavigate } from "react-router";

import { api } from "../api/client";
import { portalQuery } from "../api/queries";
import { session, type LoginState } from "../api/session";
import { ending } from "../call/end-reasons";
import { CodeBoxes } from "../components/CodeBoxes";
import { Notice } from "../components/Notice";
import { Page, PageTitle } from "../components/Page";
import { cleanCode, codeRefusal, codeShape } from "./code";

const withdrawn = ending("withdrawn");

export function CodePage() {
  const portal = useQuery(portalQuery);
  const shape = codeShape(portal.data);
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const reason = (useLocation().state as LoginState | null)?.reason;

  const login = useMutation({
    mutationFn: (otp_code: string) => api.POST("/api/auth/login/otp", { body: { otp_code } }),
    onSuccess: async () => {
      session.begin("guest");
      queryClient.clear(); // Nothing of whoever was logged in before.
      await navigate("/agents");
    },
  });

  if (session.kind && !reason) return <Navigate to="/agents" replace />;
  return (
    <Page size={480}>
      <PageTitle focus={false} lead="Talk to an assistant that does real work, and see everything it does.">
        Welcome to Parley
      </PageTitle>
      {reason === "expired" && !login.error && (
        <Notice title="You have been logged out">Your session has ended. Enter your code again to go on.</Notice>
      )}
      {reason === "withdrawn" && !login.error && <Notice title={withdrawn.title}>{withdrawn.explanation}</Notice>}
      <CodeBoxes
        label={`Your ${shape.words} code`}
        length={shape.length}
        type={shape.type}
        inputMode={shape.inputMode}
        clean={(text) => cleanCode(text, shape)}
        busy={login.isPending}
        fault={login.error ? codeRefusal(login.error) : ""}
        submit={login.mutate}
      />
      <Text c="dimmed">
        No code? Ask the person who told you about Parley.{" "}
        {portal.isError && (
          <Anchor component="button" type="button" underline="always" onClick={() => void portal.refetch()}>
            The server did not answer: try again.
          </Anchor>
        )}
      </Text>
      <Text c="dimmed">
        Customer of the bank?{" "}
        <Anchor component={Link} to="/login" underline="always">
          Log in with your password
        </Anchor>
      </Text>
    </Page>
  );
}
