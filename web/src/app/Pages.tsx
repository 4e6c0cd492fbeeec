import { lazy } from "react";
import { Route, Routes } from "react-router";

import { AgentsPage } from "../portal/AgentsPage";
import { CodePage } from "../portal/CodePage";
import { PortalLayout } from "../portal/PortalLayout";
import { NotFoundPage } from "./FaultPages";
import { Shell } from "./Shell";

// What a newcomer does not need on the first page comes when it is needed.
const LoginPage = lazy(() => import("../portal/LoginPage").then(({ LoginPage }) => ({ default: LoginPage })));
const PasswordPage = lazy(() =>
  import("../portal/PasswordPage").then(({ PasswordPage }) => ({ default: PasswordPage })),
);
const ReadyPage = lazy(() => import("../portal/ReadyPage"));
const CallPage = lazy(() => import("../call/CallPage"));
const AfterPage = lazy(() => import("../portal/AfterPage"));
const BankPages = lazy(() => import("../bank/BankPages"));
const AdminPages = lazy(() => import("../admin/AdminPages"));
const ProfilePage = lazy(() => import("../portal/ProfilePage"));

/** Every address of the site. */
export function Pages() {
  return (
    <Routes>
      <Route element={<Shell />}>
        <Route index element={<CodePage />} />
        <Route path="login" element={<LoginPage />} />
        <Route path="admin/*" element={<AdminPages />} />
        <Route element={<PortalLayout />}>
          <Route path="agents" element={<AgentsPage />} />
          <Route path="agents/:agentId/ready" element={<ReadyPage />} />
          <Route path="call/:agentId" element={<CallPage />} />
          <Route path="after" element={<AfterPage />} />
          <Route path="bank/*" element={<BankPages />} />
          <Route path="profile" element={<ProfilePage />} />
          <Route path="profile/password" element={<PasswordPage />} />
        </Route>
        <Route path="*" element={<NotFoundPage />} />
      </Route>
    </Routes>
  );
}
