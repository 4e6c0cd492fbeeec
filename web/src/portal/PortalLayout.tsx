import { Button, Center, Loader } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { Navigate, Outlet, useMatch, useNavigate } from "react-router";

import { api } from "../api/client";
import { ApiError } from "../api/errors";
import { meQuery } from "../api/queries";
import type { LiveCall } from "../call/live-call";
import { Microphone } from "../call/microphone";
import { HeaderSlot } from "../components/HeaderSlot";
import { LoadFault } from "../components/LoadFault";
import { Page } from "../components/Page";
import { PortalContext } from "./PortalContext";
import { session, type CodePageReason } from "./session";

/** Everything behind the code: knows who is here, and keeps the microphone and the call from page to page. */
export function PortalLayout() {
  const { data: me, error, refetch } = useQuery(meQuery);
  const [microphone] = useState(() => new Microphone());
  const [call, setCall] = useState<LiveCall | null>(null);
  const value = useMemo(() => me && { me, microphone, call, setCall }, [me, microphone, call]);

  useEffect(() => () => microphone.close(), [microphone]);
  useHangUpOnLeaving(call);
  useEffect(() => {
    // The next pages are fetched while the first is read, so that none is waited for in the middle of a call.
    void Promise.all([import("./ReadyPage"), import("../call/CallPage"), import("./AfterPage")]).catch(() => undefined);
  }, []);

  if (error instanceof ApiError && error.status === 401) {
    const reason: CodePageReason = "expired";
    session.end();
    return <Navigate to="/" replace state={{ reason }} />;
  }
  if (value) {
    return (
      <PortalContext value={value}>
        <LeaveButton />
        <Outlet />
      </PortalContext>
    );
  }
  if (error) {
    return (
      <Page>
        <LoadFault what="your session" retry={refetch} />
      </Page>
    );
  }
  return (
    <Center h="40dvh">
      <Loader aria-label="Loading" />
    </Center>
  );
}

/** Going to another page by the browser's own buttons ends the call as surely as the button for it. */
function useHangUpOnLeaving(call: LiveCall | null): void {
  const inCall = useMatch("/call/:agentId") !== null;
  const wasInCall = useRef(inCall);
  useEffect(() => {
    if (wasInCall.current && !inCall) void call?.end("hung_up");
    wasInCall.current = inCall;
  }, [inCall, call]);
}

function LeaveButton() {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const inCall = useMatch("/call/:agentId") !== null;
  if (inCall) return null;

  async function leave() {
    session.end();
    await api.POST("/api/auth/logout").catch(() => undefined); // The cookie expires by itself as well.
    queryClient.removeQueries({ queryKey: meQuery.queryKey });
    const reason: CodePageReason = "left";
    await navigate("/", { state: { reason } });
  }

  return (
    <HeaderSlot place="tools">
      <Button variant="subtle" h={44} px="sm" onClick={() => void leave()}>
        Leave
      </Button>
    </HeaderSlot>
  );
}
