import { useEffect, useSyncExternalStore } from "react";
import { Navigate, useNavigate, useParams } from "react-router";

import { session, type LoginState } from "../api/session";
import { usePortal } from "../portal/PortalContext";
import { CallBar } from "./CallBar";
import { CallFailure } from "./CallFailure";
import classes from "./CallPage.module.css";
import { CallAside } from "./Cards";
import { ConversationView } from "./ConversationView";
import { Dock } from "./Dock";
import type { Remedy } from "./failures";
import type { LiveCall } from "./live-call";

export default function CallPage() {
  const { agentId = "" } = useParams();
  const { call } = usePortal();
  // A reloaded page has no call. Starting another one would use up the code, so that is left to the person.
  if (!call || call.agent.id !== agentId)
    return <Navigate to={`/agents/${encodeURIComponent(agentId)}/ready`} replace />;
  return <Call call={call} />;
}

function Call({ call }: { call: LiveCall }) {
  const state = useSyncExternalStore(call.subscribe, call.snapshot);
  const { setCall } = usePortal();
  const navigate = useNavigate();

  useEffect(() => {
    document.title = `Call with ${call.agent.name} – Parley`;
  }, [call]);

  if (state.phase === "ended") return <Navigate to="/after" replace />;
  if (state.failure) {
    const act = (remedy: Remedy) => {
      if (remedy === "retry") return void call.retry();
      call.microphone.close();
      setCall(null);
      if (remedy !== "enter-code" && remedy !== "log-in") return void navigate("/agents", { replace: true });
      const door = session.kind === "customer" ? "/login" : "/";
      const login: LoginState = state.failure?.kind === "session-expired" ? { reason: "expired" } : {};
      session.end();
      void navigate(door, { replace: true, state: login });
    };
    return <CallFailure key={state.failure.kind} failure={state.failure} act={act} />;
  }
  const { draft, done } = state.acts;
  const aside = draft !== null || done.length > 0 || state.cards.length > 0;
  return (
    <div className={classes.page}>
      <CallBar call={call} state={state} />
      <ConversationView
        conversation={state.conversation}
        phase={state.phase}
        agentName={call.agent.name}
        trySaying={call.agent.try_saying}
        aside={aside && <CallAside cards={state.cards} acts={state.acts} touched={state.touched} />}
      />
      <Dock call={call} state={state} />
    </div>
  );
}
