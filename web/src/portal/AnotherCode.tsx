import { Button } from "@mantine/core";
import { useState } from "react";

import { usePortal } from "./PortalContext";

/** For whom the code has no calls left: out, to the door where another one is entered. */
export function AnotherCode() {
  const { leave } = usePortal();
  const [leaving, setLeaving] = useState(false);
  function leaveOnce() {
    setLeaving(true);
    void leave();
  }
  return (
    <Button size="lg" loading={leaving} onClick={leaveOnce}>
      Enter another code
    </Button>
  );
}
