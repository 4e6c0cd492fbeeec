import {
  ActionIcon,
  Button,
  Card,
  Checkbox,
  Code,
  CopyButton,
  Group,
  Menu,
  Stack,
  Table,
  Text,
  TextInput,
  VisuallyHidden,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconCheck, IconCopy, IconDots, IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { refusalInWords } from "../api/refusals";
import { Notice } from "../components/Notice";
import { AdminPage } from "./AdminPage";
import { addAdmin, adminSessionsQuery, adminsQuery, disableAdmin, endSession, resetPassword } from "./api";
import { Confirm, Dialog } from "./Dialog";
import { Listed, NothingHere } from "./Listed";
import { PageNumbers } from "./PageNumbers";
import { Rows } from "./Rows";
import { State } from "./State";
import { tell, tellTrouble } from "./tell";
import type { Admin } from "./types";
import { useFilters } from "./useFilters";
import { When } from "./When";

const PER_PAGE = 50;

/** A password that was just made, and for whom. */
interface Given {
  username: string;
  password: string;
}

interface Acts {
  toggle: (admin: Admin) => void;
  reset: (admin: Admin) => void;
  sessions: (admin: Admin) => void;
}

/** Who may see these pages. */
export function AdminsPage() {
  const filters = useFilters([]);
  const admins = useQuery(adminsQuery(filters.page, PER_PAGE));
  const [adding, { open, close }] = useDisclosure(false);
  const [resetting, setResetting] = useState<Admin | null>(null);
  const [looking, setLooking] = useState<Admin | null>(null);
  const [given, setGiven] = useState<Given | null>(null);
  const queryClient = useQueryClient();
  const refresh = () => queryClient.invalidateQueries({ queryKey: ["admin", "admins"] });

  async function disable(admin: Admin, disabled: boolean, undoable = true) {
    try {
      await disableAdmin(admin.id, disabled);
      tell(
        `${admin.username} ${disabled ? "can no longer log in." : "can log in again."}`,
        undoable ? () => void disable(admin, !disabled, false) : undefined,
      );
    } catch (error) {
      tellTrouble("Nothing was changed", error);
    }
    await refresh();
  }

  const acts: Acts = {
    toggle: (admin) => void disable(admin, !admin.disabled),
    reset: setResetting,
    sessions: setLooking,
  };
  return (
    <AdminPage
      title="Administrators"
      lead="Who may see these pages."
      tools={
        <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={open}>
          Add an administrator
        </Button>
      }
    >
      <Card withBorder radius="lg" padding={0}>
        <Listed query={admins} what="the administrators" height={160}>
          {({ data, pagination }) =>
            data.length === 0 ? (
              <NothingHere title="There are none on this page" />
            ) : (
              <>
                <Rows label="Administrators">
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>Name</Table.Th>
                      <Table.Th>State</Table.Th>
                      <Table.Th visibleFrom="sm">Second factor</Table.Th>
                      <Table.Th visibleFrom="sm">Last log-in</Table.Th>
                      <Table.Th>
                        <VisuallyHidden>Actions</VisuallyHidden>
                      </Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {data.map((admin) => (
                      <AdminRow key={admin.id} admin={admin} acts={acts} />
                    ))}
                  </Table.Tbody>
                </Rows>
                <PageNumbers total={pagination.pages} filters={filters} />
              </>
            )
          }
        </Listed>
      </Card>
      <AddDialog
        opened={adding}
        close={close}
        added={(added) => {
          close();
          setGiven(added);
          void refresh();
        }}
      />
      <ResetDialog
        admin={resetting}
        close={() => setResetting(null)}
        done={(password) => {
          setGiven(password);
          setResetting(null);
          void refresh();
        }}
      />
      <PasswordDialog given={given} close={() => setGiven(null)} />
      <SessionsDialog admin={looking} close={() => setLooking(null)} />
    </AdminPage>
  );
}

function AdminRow({ admin, acts }: { admin: Admin; acts: Acts }) {
  return (
    <Table.Tr>
      <Table.Td>
        {admin.name}
        {admin.current && (
          <Text component="span" c="dimmed" ml={6}>
            (you)
          </Text>
        )}
        <Text component="span" display="block" fz="sm" c="dimmed">
          {admin.username}
        </Text>
      </Table.Td>
      <Table.Td>
        <State tone={admin.disabled ? "fair" : "good"}>{admin.disabled ? "Disabled" : "Can log in"}</State>
        {admin.must_change_password && (
          <Text component="span" display="block" fz="sm" c="dimmed">
            Has yet to choose a password
          </Text>
        )}
      </Table.Td>
      <Table.Td visibleFrom="sm">{admin.totp ? "Authenticator app" : "None"}</Table.Td>
      <Table.Td visibleFrom="sm">{admin.last_login_at ? <When at={admin.last_login_at} /> : "Never"}</Table.Td>
      <Table.Td data-right>
        <Menu withInitialFocusPlaceholder={false} position="bottom-end" transitionProps={{ duration: 0 }} shadow="md">
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" c="dimmed" size={40} aria-label={`Actions for ${admin.username}`}>
              <IconDots size={20} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => acts.sessions(admin)}>Where they are logged in</Menu.Item>
            {!admin.current && <Menu.Item onClick={() => acts.reset(admin)}>Reset the password</Menu.Item>}
            {!admin.current && (
              <Menu.Item
                c={admin.disabled ? undefined : "var(--mantine-color-error)"}
                onClick={() => acts.toggle(admin)}
              >
                {admin.disabled ? "Enable" : "Disable"}
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      </Table.Td>
    </Table.Tr>
  );
}

interface AddProps {
  opened: boolean;
  close: () => void;
  added: (given: Given) => void;
}

function AddDialog({ opened, close, added }: AddProps) {
  return (
    <Dialog opened={opened} onClose={close} title="Add an administrator">
      <AddForm close={close} added={added} />
    </Dialog>
  );
}

function AddForm({ close, added }: Omit<AddProps, "opened">) {
  const [username, setUsername] = useState("");
  const [name, setName] = useState("");
  const [sent, setSent] = useState(false);
  const adding = useMutation({
    mutationFn: () => addAdmin({ username: username.trim(), name: name.trim() }),
    onSuccess: ({ username, password }) => added({ username, password }),
  });
  const usable = /^[\w.@-]{3,64}$/.test(username.trim());
  function submit(event: FormEvent) {
    event.preventDefault();
    setSent(true);
    if (usable && name.trim()) adding.mutate();
  }
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <TextInput
          size="md"
          label="Name"
          maxLength={120}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={sent && !name.trim() && "Enter their name."}
          data-autofocus
        />
        <TextInput
          size="md"
          label="User name"
          description="What they log in with."
          maxLength={64}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={username}
          onChange={(event) => setUsername(event.currentTarget.value)}
          error={sent && !usable && "Use at least 3 letters, digits, dots, dashes or underscores."}
        />
        {adding.error && <Notice trouble>{refusalInWords(adding.error)}</Notice>}
        <Group gap="sm" className="actions">
          <Button type="submit" loading={adding.isPending}>
            Add
          </Button>
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

interface ResetProps {
  admin: Admin | null;
  close: () => void;
  done: (given: Given) => void;
}

function ResetDialog({ admin, close, done }: ResetProps) {
  const [withApp, setWithApp] = useState(false);
  const resetting = useMutation({
    mutationFn: ({ id }: Admin) => resetPassword(id, withApp),
    onSuccess: ({ username, password }) => {
      setWithApp(false);
      done({ username, password });
    },
  });
  function leave() {
    setWithApp(false);
    resetting.reset();
    close();
  }
  return (
    <Confirm
      opened={admin !== null}
      title={`Reset the password of ${admin?.username ?? ""}?`}
      act="Reset the password"
      busy={resetting.isPending}
      error={resetting.error}
      confirm={() => admin && resetting.mutate(admin)}
      close={leave}
    >
      <Text>They are logged out everywhere, and log in with a new password that you are shown next.</Text>
      {admin?.totp && (
        <Checkbox
          mt="md"
          label="Their authenticator app is lost too: remove it"
          checked={withApp}
          onChange={(event) => setWithApp(event.currentTarget.checked)}
        />
      )}
    </Confirm>
  );
}

/** A password in clear, once. */
function PasswordDialog({ given, close }: { given: Given | null; close: () => void }) {
  return (
    <Dialog
      opened={given !== null}
      onClose={close}
      title={`Password of ${given?.username ?? ""}`}
      closeOnClickOutside={false}
      closeOnEscape={false}
    >
      {given && (
        <Stack gap="md">
          <Text>
            Hand it over now: it is not shown again. It opens nothing but the choice of a password of their own.
          </Text>
          <Code fz="lg" p="sm" style={{ overflowWrap: "anywhere" }}>
            {given.password}
          </Code>
          <Group gap="sm" className="actions">
            <CopyButton value={given.password} timeout={3_000}>
              {({ copied, copy }) => (
                <Button
                  variant="default"
                  leftSection={copied ? <IconCheck size={18} aria-hidden /> : <IconCopy size={18} aria-hidden />}
                  onClick={copy}
                >
                  {copied ? "Copied" : "Copy"}
                </Button>
              )}
            </CopyButton>
            <Button onClick={close}>Done</Button>
          </Group>
        </Stack>
      )}
    </Dialog>
  );
}

function SessionsDialog({ admin, close }: { admin: Admin | null; close: () => void }) {
  return (
    <Dialog opened={admin !== null} onClose={close} title={`Where ${admin?.username ?? ""} is logged in`} size="lg">
      {admin && <Sessions admin={admin} />}
    </Dialog>
  );
}

function Sessions({ admin }: { admin: Admin }) {
  const sessions = useQuery(adminSessionsQuery(admin.id));
  const queryClient = useQueryClient();
  const ending = useMutation({
    mutationFn: (session_id: string) => endSession(admin.id, session_id),
    onSettled: () => queryClient.invalidateQueries({ queryKey: adminSessionsQuery(admin.id).queryKey }),
  });
  return (
    <Listed query={sessions} what="the log-ins" height={132}>
      {(list) =>
        list.length === 0 ? (
          <NothingHere title="They are logged in nowhere" />
        ) : (
          <Stack gap="md">
            <Rows label="Log-ins">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Since</Table.Th>
                  <Table.Th visibleFrom="xs">Until</Table.Th>
                  <Table.Th>
                    <VisuallyHidden>Actions</VisuallyHidden>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {list.map((session) => (
                  <Table.Tr key={session.id}>
                    <Table.Td>
                      <When at={session.opened_at} stop />
                    </Table.Td>
                    <Table.Td visibleFrom="xs">
                      <When at={session.expires_at} stop />
                    </Table.Td>
                    <Table.Td data-right>
                      {session.current ? (
                        "This browser"
                      ) : (
                        <Button
                          variant="default"
                          size="sm"
                          h={40}
                          loading={ending.isPending && ending.variables === session.id}
                          onClick={() => ending.mutate(session.id)}
                        >
                          Log out
                        </Button>
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Rows>
            {ending.error && <Notice trouble>{refusalInWords(ending.error)}</Notice>}
          </Stack>
        )
      }
    </Listed>
  );
}
