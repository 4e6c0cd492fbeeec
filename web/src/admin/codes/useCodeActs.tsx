import { Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";

import { changeCode, deleteCode } from "../api";
import { Confirm } from "../Dialog";
import { tell, tellTrouble } from "../tell";
import type { Code, CodeChange } from "../types";
import { nameOf } from "./code";
import { EditCodeDialog } from "./EditCodeDialog";

export interface CodeActs {
  edit: (code: Code) => void;
  /** Disable a code after asking, or enable it again. */
  toggle: (code: Code) => void;
  remove: (code: Code) => void;
}

const OUT_AT_ONCE = "Nobody can log in with it any more, and calls under way with it end at once.";

/** What can be done to a code, and the dialogs it takes. */
export function useCodeActs(removed?: () => void): { acts: CodeActs; dialogs: ReactNode } {
  const [editing, setEditing] = useState<Code | null>(null);
  const [disabling, setDisabling] = useState<Code | null>(null);
  const [removing, setRemoving] = useState<Code | null>(null);
  const queryClient = useQueryClient();
  const refresh = () => queryClient.invalidateQueries({ queryKey: ["admin", "codes"] });

  async function apply(code: Code, change: CodeChange, told: string) {
    try {
      await changeCode(code.id, change);
      tell(told);
    } catch (error) {
      tellTrouble("The code was not changed", error);
    }
    await refresh();
  }

  const enable = (code: Code) => void apply(code, { disabled: false }, `“${nameOf(code)}” is enabled.`);

  const disablement = useMutation({
    mutationFn: (code: Code) => changeCode(code.id, { disabled: true }),
    onSuccess: async (_, code) => {
      setDisabling(null);
      tell(`“${nameOf(code)}” is disabled.`, () => enable(code));
      await refresh();
    },
  });
  function keepEnabled() {
    disablement.reset();
    setDisabling(null);
  }

  const removal = useMutation({
    mutationFn: (code: Code) => deleteCode(code.id),
    onSuccess: async (_, code) => {
      setRemoving(null);
      tell(`“${nameOf(code)}” is deleted.`);
      removed?.();
      await refresh();
    },
  });
  function keep() {
    removal.reset();
    setRemoving(null);
  }

  const acts: CodeActs = {
    edit: setEditing,
    remove: setRemoving,
    toggle: (code) => (code.disabled ? enable(code) : setDisabling(code)),
  };
  const dialogs = (
    <>
      <EditCodeDialog
        code={editing}
        close={() => setEditing(null)}
        changed={(before, change) => {
          const undo: CodeChange = {
            ...("max_uses" in change && { max_uses: before.max_uses }),
            ...("label" in change && { label: before.label }),
            ...("expires_at" in change && { expires_at: before.expires_at }),
          };
          tell("The code is changed.", () => void apply(before, undo, "It is as it was before."));
          void refresh();
        }}
      />
      <Confirm
        opened={disabling !== null}
        title={`Disable “${disabling ? nameOf(disabling) : ""}”?`}
        act="Disable"
        keep="Keep"
        busy={disablement.isPending}
        error={disablement.error}
        confirm={() => disabling && disablement.mutate(disabling)}
        close={keepEnabled}
      >
        <Text>{OUT_AT_ONCE} You can enable it again at any time.</Text>
      </Confirm>
      <Confirm
        opened={removing !== null}
        title={`Delete “${removing ? nameOf(removing) : ""}”?`}
        act="Delete"
        keep="Keep"
        busy={removal.isPending}
        error={removal.error}
        confirm={() => removing && removal.mutate(removing)}
        close={keep}
      >
        <Text>
          {OUT_AT_ONCE} This cannot be undone. Calls that were made with it stay on record. To stop it for a while only,
          disable it.
        </Text>
      </Confirm>
    </>
  );
  return { acts, dialogs };
}
