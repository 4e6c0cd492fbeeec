import { ActionIcon, Button, Center, Group, Loader } from "@mantine/core";
import { IconLogout } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { Link, Navigate, Outlet, useLocation, useMatch, useNavigate } from "react-router";

import { api } from "../api/client";
import { ApiError } from "../api/errors";
import { agentsQuery, meQuery, type Me } from "../api/queries";
import { session, type LoginState } from "../api/session";
import type { LiveCall } from "../call/live-call";
import { Microphone } from "../call/microphone";
import { LoadFault } from "../components/LoadFault";
import { Page, PageTitle } from "../components/Page";
import { ShellSlot } from "../components/ShellSlot";
import { logOut } from "./login";
import { PortalContext, usePortal } from "./PortalContext";

const PasswordPage = lazy(() => import("./PasswordPage").then(({ PasswordPage }) => ({ default: PasswordPage })));
const CallHost = lazy(() => import("../call/CallHost"));

/** Everything behind a door: knows who is here, and keeps the microphone and the call from page to page. */
export function PortalLayout() {
  // Asked once: whoever logs out here is led to the door by that.
  const [isOver] = useState(() => session.isOver);
  const { data, error, refetch } = useQuery({ ...meQuery, enabled: !isOver });
  // The page comes when all of it is there: no second sign of waiting, which stays for a while once it is shown.
  const me = useDeferredValue(data);
  const queryClient = useQueryClient();
  const [microphone] = useState(() => new Microphone());
  const [call, setCall] = useState<LiveCall | null>(null);
  const leave = useLeave(call, me);
  const value = useMemo(() => me && { me, microphone, call, setCall, leave }, [me, microphone, call, leave]);

  useEffect(() => () => microphone.close(), [microphone]);
  useHangUpOnLeaving(call);
  useEffect(() => {
    // The next pages are fetched while the first is read, so that none is waited for in the middle of a call. The bank's are
    // many: guests get them once they go there.
    void Promise.all([
      import("./ReadyPage"),
      import("../call/CallHost"),
      import("../call/CallPage"),
      import("./AfterPage"),
      ...(session.kind === "customer" ? [import("../bank/BankPages")] : []),
    ]).catch(() => undefined);
    if (session.kind === "guest") void queryClient.prefetchQuery(agentsQuery);
  }, [queryClient]);

  if (isOver || (error instanceof ApiError && error.status === 401)) return <LoggedOut me={data} call={call} />;
  if (error instanceof ApiError && error.code === "password_change_required") return <PasswordPage first />;
  if (value) {
    return (
      <PortalContext value={value}>
        <HeaderTools />
        <Room />
        {call && (
          <Suspense>
            <CallHost call={call} />
          </Suspense>
        )}
      </PortalContext>
    );
  }
  if (error) {
    return (
      <Page>
        <LoadFault what="your session" retry={refetch} error={error} />
      </Page>
    );
  }
  return (
    <Center h="40dvh">
      <Loader aria-label="Loading" />
    </Center>
  );
}

/** The page that is asked for; administrators hold no account and no calls, and are told so before they are refused. */
function Room() {
  const { me, leave } = usePortal();
  const own = useMatch("/profile/*") !== null;
  if (me.role !== "admin" || own) return <Outlet />;
  return (
    <Page>
      <PageTitle lead="The bank and the assistants are for customers and guests. To use them, log in as a customer or with a code.">
        You are logged in as an administrator
      </PageTitle>
      <Group gap="sm" className="actions">
        <Button component={Link} to="/admin" size="lg">
          Open the dashboard
        </Button>
        <Button size="lg" variant="default" onClick={() => void leave()}>
          Log out
        </Button>
      </Group>
    </Page>
  );
}

/** Leads to the door by which whoever was here had come, or to the one that opens the page asked for. */
function LoggedOut({ me, call }: { me: Me | undefined; call: LiveCall | null }) {
  const { pathname } = useLocation();
  // Another tab may have logged out whoever was here.
  const [kind] = useState(() => session.kind ?? (me && (me.role === "otp" ? "guest" : "customer")));
  useEffect(() => session.end(), []);
  const toBank = /^\/(bank|profile)(\/|$)/.test(pathname);
  // The call's own page, which says why it ended, closes with the log-in.
  const reason = kind === "guest" && call?.snapshot().endReason === "withdrawn" ? "withdrawn" : "expired";
  const state: LoginState = { ...(kind && { reason }), from: pathname };
  return <Navigate to={kind === "guest" || (!kind && !toBank) ? "/" : "/login"} replace state={state} />;
}

/** A call lives as long as this frame of pages: it ends with the log-in, with the page, and when another one begins. */
function useHangUpOnLeaving(call: LiveCall | null): void {
  useEffect(() => {
    if (!call) return;
    const hangUp = () => void call.end("hung_up");
    window.addEventListener("pagehide", hangUp);
    return () => {
      window.removeEventListener("pagehide", hangUp);
      hangUp();
    };
  }, [call]);
}

function useLeave(call: LiveCall | null, me: Me | undefined): () => Promise<void> {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const customer = me?.role !== "otp";
  return useCallback(async () => {
    await call?.end("hung_up");
    session.end();
    // The cookies expire by themselves as well.
    await (customer ? logOut() : api.POST("/api/auth/logout")).catch(() => undefined);
    const state: LoginState = { reason: "left" };
    await navigate(customer ? "/login" : "/", { state });
    queryClient.clear();
  }, [call, customer, navigate, queryClient]);
}

/** The way between the assistants and the bank, and out. */
function HeaderTools() {
  const { me, leave } = usePortal();
  const inCall = useMatch("/call/:agentId") !== null;
  const inBank = useMatch("/bank/*") !== null;
  const leaving = useRef(false);
  if (inCall) return null;

  function leaveOnce() {
    if (leaving.current) return;
    leaving.current = true;
    void leave();
  }

  return (
    <ShellSlot place="tools">
      {me.role !== "admin" && (
        <Button component={Link} to={inBank ? "/agents" : "/bank/accounts"} variant="subtle" h={44} px="sm">
          {inBank ? "Assistants" : "My bank"}
        </Button>
      )}
      {me.role !== "otp" && (
        <Button component={Link} to={me.role === "admin" ? "/admin" : "/profile"} variant="subtle" h={44} px="sm">
          {me.role === "admin" ? "Dashboard" : "Profile"}
        </Button>
      )}
      {me.role === "otp" ? (
        <Button variant="subtle" h={44} px="sm" onClick={leaveOnce}>
          Leave
        </Button>
      ) : (
        <>
          <Button variant="subtle" h={44} px="sm" onClick={leaveOnce} visibleFrom="xs">
            Log out
          </Button>
          <ActionIcon variant="subtle" size={44} onClick={leaveOnce} hiddenFrom="xs" aria-label="Log out">
            <IconLogout size={22} />
          </ActionIcon>
        </>
      )}
    </ShellSlot>
  );
}
