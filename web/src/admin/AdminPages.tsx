import "@mantine/charts/styles.css";
import "@mantine/notifications/styles.css";
import "./admin.css";

import { Button, Center, Group, Loader } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { Link, Navigate, Route, Routes, useLocation, useNavigate } from "react-router";

import { ApiError } from "../api/errors";
import { meQuery, type Me } from "../api/queries";
import { session, type LoginState } from "../api/session";
import { LoadFault } from "../components/LoadFault";
import { Page, PageTitle } from "../components/Page";
import { logOut } from "../portal/login";
import { PasswordPage } from "../portal/PasswordPage";
import { AccountPage } from "./AccountPage";
import { AdminContext } from "./AdminContext";
import { AdminFrame } from "./AdminFrame";
import { AdminPage } from "./AdminPage";
import { AdminsPage } from "./AdminsPage";
import { AgentsPage } from "./AgentsPage";
import { CodePage } from "./codes/CodePage";
import { LiveLine } from "./live";
import { RequestsPage } from "./RequestsPage";
import { SystemPage } from "./SystemPage";

// Charts are large, and come with the pages that show them.
const OverviewPage = lazy(() => import("./overview/OverviewPage"));
const CallsPage = lazy(() => import("./calls/CallsPage"));
const CallPage = lazy(() => import("./calls/CallPage"));
const CodesPage = lazy(() => import("./codes/CodesPage"));
const AuditPage = lazy(() => import("./AuditPage"));

/** The operator's door: who is no administrator is told so. */
export default function AdminPages() {
  // Asked once: whoever logs out here is led to the door by that.
  const [isOver] = useState(() => session.isOver);
  const { data: me, error, refetch } = useQuery({ ...meQuery, enabled: !isOver });
  if (isOver || (error instanceof ApiError && error.status === 401)) return <LoggedOut seen={me !== undefined} />;
  if (error instanceof ApiError && error.code === "password_change_required")
    return <PasswordPage first from="/admin" />;
  if (me) return me.role === "admin" ? <Dashboard me={me} /> : <NotForYou me={me} />;
  if (error) {
    return (
      <Page>
        <LoadFault what="your session" retry={refetch} error={error} />
      </Page>
    );
  }
  return <Loading />;
}

function Loading() {
  return (
    <Center h="40dvh">
      <Loader aria-label="Loading" />
    </Center>
  );
}

/** Leads to the door, and from there back to the page that was asked for; `seen` if somebody was logged in on this page. */
function LoggedOut({ seen }: { seen: boolean }) {
  const { pathname, search } = useLocation();
  const [known] = useState(() => seen || session.kind !== null);
  useEffect(() => session.end(), []);
  const state: LoginState = { ...(known ? { reason: "expired" } : {}), from: pathname + search };
  return <Navigate to="/login" replace state={state} />;
}

function NotForYou({ me }: { me: Me }) {
  const leave = useLogOut();
  const guest = me.role === "otp";
  return (
    <Page>
      <PageTitle
        lead={`You are here ${guest ? "with a code" : "as a customer"}. To see it, log out and log in as an administrator.`}
      >
        This page is for administrators
      </PageTitle>
      <Group gap="sm" className="actions">
        <Button component={Link} to={guest ? "/agents" : "/bank/accounts"} size="lg">
          {guest ? "Go to the assistants" : "Go to your accounts"}
        </Button>
        <Button size="lg" variant="default" onClick={leave}>
          Log out
        </Button>
      </Group>
    </Page>
  );
}

function Dashboard({ me }: { me: Me }) {
  const queryClient = useQueryClient();
  const leave = useLogOut();
  const [live] = useState(() => new LiveLine(() => void queryClient.invalidateQueries({ queryKey: meQuery.queryKey })));
  const value = useMemo(() => ({ me, live, logOut: leave }), [me, live, leave]);
  useEffect(() => session.begin("admin"), []);
  return (
    <AdminContext value={value}>
      <AdminFrame>
        <Suspense fallback={<Loading />}>
          <Routes>
            <Route index element={<OverviewPage />} />
            <Route path="calls" element={<CallsPage />} />
            <Route path="calls/:callId" element={<CallPage />} />
            <Route path="codes" element={<CodesPage />} />
            <Route path="codes/:codeId" element={<CodePage />} />
            <Route path="agents" element={<AgentsPage />} />
            <Route path="requests" element={<RequestsPage />} />
            <Route path="system" element={<SystemPage />} />
            <Route path="audit" element={<AuditPage />} />
            <Route path="administrators" element={<AdminsPage />} />
            <Route path="account" element={<AccountPage />} />
            <Route path="account/password" element={<PasswordPage back="/admin/account" from="/admin" />} />
            <Route path="*" element={<NoSuchPage />} />
          </Routes>
        </Suspense>
      </AdminFrame>
    </AdminContext>
  );
}

function NoSuchPage() {
  return (
    <AdminPage title="There is no such page" lead="The address may be mistyped, or the page has moved.">
      <Group>
        <Button component={Link} to="/admin">
          Go to the overview
        </Button>
      </Group>
    </AdminPage>
  );
}

function useLogOut(): () => void {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  return useCallback(() => {
    async function leave() {
      session.end();
      await logOut().catch(() => undefined); // The cookies expire by themselves as well.
      const state: LoginState = { reason: "left", from: "/admin" };
      await navigate("/login", { state });
      queryClient.clear();
    }
    void leave();
  }, [navigate, queryClient]);
}
