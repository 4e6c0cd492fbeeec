import { PipecatClientAudio, PipecatClientProvider } from "@pipecat-ai/client-react";
import { useQueryClient } from "@tanstack/react-query";
import { createStore } from "jotai";
import { useEffect, useEffectEvent, useState, useSyncExternalStore } from "react";
import { useMatch, useNavigate } from "react-router";

import { renewSession } from "../api/renewal";
import { session } from "../api/session";
import { refreshBank } from "../bank/api";
import { DockedCall } from "./DockedCall";
import { KeypadDialog } from "./KeypadDialog";
import type { LiveCall } from "./live-call";

/** Longer calls than a log-in lasts keep it fresh: a broken line is mended over requests that need it. */
const RENEW_EVERY_MS = 4 * 60_000;

/** What of a call is there whichever page is open: its sound, its keypad, its bar, and where the agent leads. */
export default function CallHost({ call }: { call: LiveCall }) {
  const state = useSyncExternalStore(call.subscribe, call.snapshot);
  const [store] = useState(createStore);
  const onCallPage = useMatch("/call/:agentId") !== null;
  const onAfterPage = useMatch("/after") !== null;
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const { shown, changes, phase } = state;
  const going = phase === "connecting" || phase === "live";

  useEffect(() => {
    if (changes > 0) void refreshBank(queryClient);
  }, [changes, queryClient]);

  // Once for each time the agent asks: the caller is free to go elsewhere afterwards.
  const show = useEffectEvent((address: string) => void navigate(address));
  useEffect(() => {
    if (shown) show(shown.address);
  }, [shown]);

  useEffect(() => {
    if (!going || session.kind !== "customer") return;
    const timer = setInterval(() => void renewSession().catch(() => undefined), RENEW_EVERY_MS);
    return () => clearInterval(timer);
  }, [going]);

  return (
    <>
      {going && (
        <PipecatClientProvider client={call.client} jotaiStore={store}>
          <PipecatClientAudio />
        </PipecatClientProvider>
      )}
      {!onCallPage && !onAfterPage && <DockedCall call={call} state={state} />}
      <KeypadDialog call={call} code={state.acts.code} />
    </>
  );
}
