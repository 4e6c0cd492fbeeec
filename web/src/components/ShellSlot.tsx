import { createContext, useContext, type ReactNode } from "react";
import { createPortal } from "react-dom";

interface Slots {
  title: HTMLElement | null;
  tools: HTMLElement | null;
  dock: HTMLElement | null;
}

export const ShellSlots = createContext<Slots>({ title: null, tools: null, dock: null });

/** Puts something of a page's own into the frame: its title or tools into the header, a dock below everything. */
export function ShellSlot({ place, children }: { place: keyof Slots; children: ReactNode }) {
  const element = useContext(ShellSlots)[place];
  return element && createPortal(children, element);
}
