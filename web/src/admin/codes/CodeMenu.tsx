import { ActionIcon, Menu } from "@mantine/core";
import { IconDots, IconPencil, IconPlayerPause, IconPlayerPlay, IconTrash } from "@tabler/icons-react";

import type { Code } from "../types";
import { nameOf } from "./code";
import type { CodeActs } from "./useCodeActs";

/** What can be done to the code of a row. */
export function CodeMenu({ code, acts }: { code: Code; acts: CodeActs }) {
  return (
    <Menu withInitialFocusPlaceholder={false} position="bottom-end" transitionProps={{ duration: 0 }} shadow="md">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" c="dimmed" size={40} aria-label={`Change or delete: ${nameOf(code)}`}>
          <IconDots size={20} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconPencil size={18} aria-hidden />} onClick={() => acts.edit(code)}>
          Change
        </Menu.Item>
        <Menu.Item
          leftSection={
            code.disabled ? <IconPlayerPlay size={18} aria-hidden /> : <IconPlayerPause size={18} aria-hidden />
          }
          onClick={() => acts.toggle(code)}
        >
          {code.disabled ? "Enable" : "Disable"}
        </Menu.Item>
        <Menu.Item
          leftSection={<IconTrash size={18} aria-hidden />}
          c="var(--mantine-color-error)"
          onClick={() => acts.remove(code)}
        >
          Delete
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
