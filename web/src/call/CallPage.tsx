import { PipecatClientAudio, PipecatClientProvider } from "@pipecat-ai/client-react";
import { createStore } from "jotai";
import { useEffect, useState, useSyncExternalStore } from "react";
import { Navigate, useNavigate, useParams } from "react-router";

import { usePortal } from "../portal/PortalContext";
import { session } from "../portal/session";
import { CallBar } from "./CallBar";
import { CallFailure } from "./CallFailure";
import classes from "./CallPage.module.css";
import { CardsAside } from "./Cards";
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
  const [store] = useState(createStore);
  const navigate = useNavigate();

  useEffect(() => {
    document.title = `Call with ${call.agent.name} – Parley`;
  }, [call]);

  if (state.phase === "ended") return <Navigate to="/after" replace />;
  if (state.failure) {
    const act = (remedy: Remedy) => {
      if (remedy === "retry") return void call.retry();
      call.microphone.close();
      if (remedy === "enter-code") session.end();
      void navigate(remedy === "enter-code" ? "/" : "/agents", {
        replace: true,
        state: state.failure?.kind === "session-expired" ? { reason: "expired" } : null,
      });
    };
    return <CallFailure key={state.failure.kind} failure={state.failure} act={act} />;
  }
  return (
    <PipecatClientProvider client={call.client} jotaiStore={store}>
      <PipecatClientAudio />
      <div className={classes.page}>
        <CallBar call={call} state={state} />
        <div className={state.cards.length > 0 ? `${classes.middle} ${classes.withCards}` : classes.middle}>
          <ConversationView
            conversation={state.conversation}
            phase={state.phase}
            agentName={call.agent.name}
            trySaying={call.agent.try_saying}
          />
          {state.cards.length > 0 && <CardsAside cards={state.cards} />}
        </div>
        <Dock call={call} state={state} />
      </div>
    </PipecatClientProvider>
  );
}
