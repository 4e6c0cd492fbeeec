import { createContext, useContext } from "react";

import type { Me } from "../api/queries";
import type { LiveLine } from "./live";

export interface AdminContextValue {
  me: Me;
  live: LiveLine;
  logOut: () => void;
}

export const AdminContext = createContext<AdminContextValue | null>(null);

export function useAdmin(): AdminContextValue {
  const value = useContext(AdminContext);
  if (!value) throw new Error("Only the operator's pages know who administers.");
  return value;
}
