import { createContext, useContext, type ReactNode } from "react";
import { createPortal } from "react-dom";

interface Slots {
  title: HTMLElement | null;
  tools: HTMLElement | null;
}

export const HeaderSlots = createContext<Slots>({ title: null, tools: null });

/** Puts a page's own title or tools into the header. */
export function HeaderSlot({ place, children }: { place: keyof Slots; children: ReactNode }) {
  const element = useContext(HeaderSlots)[place];
  return element && createPortal(children, element);
}
