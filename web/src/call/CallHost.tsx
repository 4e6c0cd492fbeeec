import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useSyncExternalStore } from "react";
import { useMatch, useNavigate } from "react-router";

import { renewSession } from "../api/renewal";
import { session } from "../api/session";
import { refreshBank } from "../bank/api";
import { useLoaded } from "../components/useLoaded";
import { AgentVoice } from "./AgentVoice";
import { DockedCall } from "./DockedCall";
import { loadKeypads } from "./keypads";
import type { LiveCall } from "./live-call";

/** Longer calls than a log-in lasts keep it fresh: a broken line is mended over requests that need it. */
const RENEW_EVERY_MS = 4 * 60_000;

/** What of a call is there whichever page is open: its sound, its keypad, its bar, and where the agent leads. */
export default function CallHost({ call }: { call: LiveCall }) {
  const state = useSyncExternalStore(call.subscribe, call.snapshot);
  const onCallPage = useMatch("/call/:agentId") !== null;
  const onAfterPage = useMatch("/after") !== null;
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const { shown, changes, phase } = state;
  const { draft, code } = state.acts;
  const going = phase === "connecting" || phase === "live";

  useEffect(() => {
    if (changes > 0) void refreshBank(queryClient);
  }, [changes, queryClient]);

  // Once for each time the agent asks: the caller is free to go elsewhere afterwards.
  const show = useEffectEvent((address: string) => void navigate(address));
  useEffect(() => {
    if (shown) show(shown.address);
  }, [shown]);

  // A draft may want a code; what is wanted then has come while the draft was read out.
  const [keypads] = useLoaded(loadKeypads, draft !== null || code !== null) ?? [];

  useSignsOfLife(call, onCallPage);

  useEffect(() => {
    if (!going || session.kind !== "customer") return;
    const timer = setInterval(() => void renewSession().catch(() => undefined), RENEW_EVERY_MS);
    return () => clearInterval(timer);
  }, [going]);

  return (
    <>
      {going && <AgentVoice track={state.voice} />}
      {!onCallPage && !onAfterPage && <DockedCall call={call} state={state} />}
      {keypads && <keypads.KeypadDialog call={call} code={code} />}
    </>
  );
}

/** Who types or reads is there, and need not be asked; on other pages than the call's, moving the pointer is reading too. */
function useSignsOfLife(call: LiveCall, onCallPage: boolean): void {
  useEffect(() => {
    const signs = [
      "keydown",
      "input",
      "wheel",
      "touchmove",
      "scroll",
      ...(onCallPage ? [] : ["pointermove", "pointerdown"]),
    ];
    const note = () => call.noteActivity();
    for (const sign of signs) window.addEventListener(sign, note, { passive: true, capture: true });
    if (!onCallPage) note(); // A page has been opened.
    return () => signs.forEach((sign) => window.removeEventListener(sign, note, { capture: true }));
  }, [call, onCallPage]);
}
