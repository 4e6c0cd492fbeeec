import { useEffect } from "react";
import { createPortal } from "react-dom";

import { counted, day } from "../../components/format";
import type { Code } from "../types";
import { inHalves } from "./csv";
import classes from "./PrintSheet.module.css";

interface PrintSheetProps {
  codes: readonly Code[];
  /** Where they are entered. */
  address: string;
  done: () => void;
}

/** Slips to cut out, one for each code; nothing of it is seen but on paper. */
export function PrintSheet({ codes, address, done }: PrintSheetProps) {
  useEffect(() => {
    window.addEventListener("afterprint", done);
    window.print();
    return () => window.removeEventListener("afterprint", done);
  }, [done]);
  return createPortal(
    <div className={classes.sheet} aria-hidden>
      {codes.map(({ id, code, label, max_uses, expires_at }) => (
        <div key={id} className={classes.slip}>
          <p>Talk to an assistant at</p>
          <p className={classes.address}>{address.replace(/^https?:\/\//, "").replace(/\/$/, "")}</p>
          <p>with this code:</p>
          <p className={classes.code}>{inHalves(code ?? "")}</p>
          <p>
            {[counted(max_uses, "call"), expires_at && `until ${day(expires_at)}`, label].filter(Boolean).join(" · ")}
          </p>
        </div>
      ))}
    </div>,
    document.body,
  );
}
