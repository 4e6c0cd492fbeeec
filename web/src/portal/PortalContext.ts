import { createContext, useContext } from "react";

import type { Me } from "../api/queries";
import type { LiveCall } from "../call/live-call";
import type { Microphone } from "../call/microphone";

export interface PortalContextValue {
  me: Me;
  microphone: Microphone;
  /** The call going on, or the last one. */
  call: LiveCall | null;
  setCall: (call: LiveCall | null) => void;
  /** End the call if there is one, forget who was here, and go to the door they came by. */
  leave: () => Promise<void>;
}

export const PortalContext = createContext<PortalContextValue | null>(null);

export function usePortal(): PortalContextValue {
  const value = useContext(PortalContext);
  if (!value) throw new Error("Only pages within PortalLayout know who is logged in.");
  return value;
}
