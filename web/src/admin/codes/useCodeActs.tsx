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
  /** Disable a code, or enable it again; it can be undone. */
  toggle: (code: Code) => void;
  remove: (code: Code) => void;
}

/** What can be done to a code, and the dialogs it takes. */
export function useCodeActs(removed?: () => void): { acts: CodeActs; dialogs: ReactNode } {
  const [editing, setEditing] = useState<Code | null>(null);
  const [removing, setRemoving] = useState<Code | null>(null);
  const queryClient = useQueryClient();
  const refresh = () => queryClient.invalidateQueries({ queryKey: ["admin", "codes"] });

  async function apply(code: Code, change: CodeChange, told: string, undo?: CodeChange) {
    try {
      await changeCode(code.id, change);
      tell(told, undo && (() => void apply(code, undo, "It is as it was before.")));
    } catch (error) {
      tellTrouble("The code was not changed", error);
    }
    await refresh();
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
    toggle: (code) =>
      void apply(
        code,
        { disabled: !code.disabled },
        `“${nameOf(code)}” is ${code.disabled ? "enabled" : "disabled"}.`,
        { disabled: code.disabled },
      ),
  };
  const dialogs = (
    <>
      <EditCodeDialog
        code={editing}
        close={() => setEditing(null)}
        changed={(before) => {
          const { max_uses, label, expires_at } = before;
          tell(
            "The code is changed.",
            () => void apply(before, { max_uses, label, expires_at }, "It is as it was before."),
          );
          void refresh();
        }}
      />
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
          Nobody can log in with it any more, and this cannot be undone. Calls that were made with it stay on record. To
          stop it for a while only, disable it.
        </Text>
      </Confirm>
    </>
  );
  return { acts, dialogs };
}
