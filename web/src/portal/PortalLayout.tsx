import { Button, Center, Group, Loader, Text } from "@mantine/core";
import { IconLogout } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { Navigate, Outlet, useMatch, useNavigate } from "react-router";

import { api } from "../api/client";
import { ApiError } from "../api/errors";
import { meQuery } from "../api/queries";
import type { LiveCall } from "../call/live-call";
import { Microphone } from "../call/microphone";
import { LoadFault } from "../components/LoadFault";
import { Page } from "../components/Page";
import { PortalContext } from "./PortalContext";
import { session, type CodePageReason } from "./session";
import { usesInWords } from "./uses";

/** Everything behind the code: knows who is here, and keeps the microphone and the call from page to page. */
export function PortalLayout() {
  const { data: me, error, refetch } = useQuery(meQuery);
  const [microphone] = useState(() => new Microphone());
  const [call, setCall] = useState<LiveCall | null>(null);
  const value = useMemo(() => me && { me, microphone, call, setCall }, [me, microphone, call]);

  useEffect(() => () => microphone.close(), [microphone]);
  useHangUpOnLeaving(call);

  if (error instanceof ApiError && error.status === 401) {
    const reason: CodePageReason = "expired";
    session.end();
    return <Navigate to="/" replace state={{ reason }} />;
  }
  if (value) {
    return (
      <PortalContext value={value}>
        <HeaderTools uses={value.me.remaining_uses} />
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
    if (wasInCall.current && !inCall) void call?.end("hangup");
    wasInCall.current = inCall;
  }, [inCall, call]);
}

function HeaderTools({ uses }: { uses: number | null }) {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const inCall = useMatch("/call/:agentId");
  const place = document.getElementById("header-tools");
  if (inCall || !place) return null;

  async function leave() {
    session.end();
    await api.POST("/api/auth/logout").catch(() => undefined); // The cookie expires by itself as well.
    queryClient.removeQueries({ queryKey: meQuery.queryKey });
    const reason: CodePageReason = "left";
    await navigate("/", { state: { reason } });
  }

  return createPortal(
    <Group gap="xs" wrap="nowrap">
      {uses !== null && (
        <Text fz="sm" c="dimmed" className="figures">
          {usesInWords(uses)}
        </Text>
      )}
      <Button
        variant="subtle"
        size="sm"
        h={44}
        px="sm"
        leftSection={<IconLogout size={18} />}
        onClick={() => void leave()}
      >
        Leave
      </Button>
    </Group>,
    place,
  );
}
