import { Anchor, Button, Card, Code, Collapse, Group, Table, Text, VisuallyHidden } from "@mantine/core";
import { IconShieldCheck } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { Link } from "react-router";

import { isRecord } from "../api/guards";
import { refusalInWords } from "../api/refusals";
import { counted, heading } from "../components/format";
import { Notice } from "../components/Notice";
import { AdminPage } from "./AdminPage";
import { adminsQuery, auditQuery, verifyChain, type AuditFilter } from "./api";
import classes from "./AuditPage.module.css";
import { number } from "./figures";
import filterClasses from "./Filters.module.css";
import { Listed, NothingHere } from "./Listed";
import { PageNumbers } from "./PageNumbers";
import { Panel } from "./Panel";
import { momentsOf } from "./period";
import { PERIOD_NAMES, PeriodFilter } from "./PeriodFilter";
import { Rows } from "./Rows";
import { SearchField } from "./SearchField";
import { State } from "./State";
import type { AuditRecord, Verdict } from "./types";
import { useFilters } from "./useFilters";
import { useNow } from "./useNow";
import { When } from "./When";

const PER_PAGE = 50;

/** Who did what, in a record that cannot be changed unnoticed. */
export default function AuditPage() {
  const filters = useFilters([...PERIOD_NAMES, "act", "customer", "call"]);
  const filter = useFilter(filters);
  const records = useQuery(auditQuery(filter, filters.page, PER_PAGE));
  return (
    <AdminPage title="Audit" lead="Who did what, in a record that cannot be changed unnoticed.">
      <Chain />
      <search className={filterClasses.filters} aria-label="Which records">
        <PeriodFilter filters={filters} />
        <SearchField filters={filters} name="act" label="Act" placeholder="transfer.posted" most={64} />
        <SearchField filters={filters} name="customer" label="Customer" placeholder="cus_…" most={64} />
        <SearchField filters={filters} name="call" label="Call" placeholder="call_…" most={64} />
        <Text fz="sm" c="dimmed" role="status" pb={10} className="figures">
          {records.data && counted(records.data.pagination.total, "record")}
        </Text>
      </search>
      <Card withBorder radius="lg" padding={0}>
        <Listed query={records} what="the records" height={480}>
          {({ data, pagination }) =>
            data.length === 0 ? (
              <NothingHere
                title={filters.any ? "No record fits" : "There is nothing on record yet"}
                action={
                  filters.any && (
                    <Button variant="default" onClick={filters.clear}>
                      Show every record
                    </Button>
                  )
                }
              >
                {filters.any && "Acts, customers and calls are found by their whole names. Choose fewer conditions."}
              </NothingHere>
            ) : (
              <>
                <Records records={data} />
                <PageNumbers total={pagination.pages} filters={filters} />
              </>
            )
          }
        </Listed>
      </Card>
    </AdminPage>
  );
}

function useFilter(filters: ReturnType<typeof useFilters>): AuditFilter {
  const minute = Math.floor(useNow(60_000) / 60_000);
  const [period, first, last] = PERIOD_NAMES.map(filters.of) as [string, string, string];
  const { from, to } = momentsOf(period, first, last, new Date(minute * 60_000));
  const [act, customer, call] = ["act", "customer", "call"].map(filters.of);
  return {
    ...(from && { since: from }),
    ...(to && { until: to }),
    ...(act && { act }),
    ...(customer && { customer }),
    ...(call && { call }),
  };
}

/** Whether the record still stands as it was written. */
function Chain() {
  const verifying = useMutation({ mutationFn: verifyChain });
  const { data: verdict } = verifying;
  return (
    <Panel
      title="Is the record as it was written?"
      about="Each record seals the one before it, and signed seals are kept beside the database."
      tools={
        <Button
          variant="default"
          leftSection={<IconShieldCheck size={18} aria-hidden />}
          loading={verifying.isPending}
          onClick={() => verifying.mutate()}
        >
          Verify
        </Button>
      }
    >
      <div role="status" className={classes.verdict}>
        {verdict ? (
          <VerdictWords verdict={verdict} />
        ) : (
          <Text fz="sm" c="dimmed">
            {verifying.isPending ? "Reading the newest records…" : "Not verified since you opened this page."}
          </Text>
        )}
      </div>
      {verifying.error && <Notice trouble>{refusalInWords(verifying.error)}</Notice>}
    </Panel>
  );
}

function VerdictWords({ verdict: { ok, checked, first_broken, why, heads } }: { verdict: Verdict }) {
  if (ok) {
    return (
      <Group gap="sm">
        <State tone="good">Nothing was changed</State>
        <Text fz="sm" c="dimmed">
          {counted(checked, "record")} held against {counted(heads, "signed seal")}.
        </Text>
      </Group>
    );
  }
  return (
    <Notice trouble title="The record is not as it was written">
      {first_broken !== null && `Record ${number(first_broken)} is the first that differs. `}
      {why} Keep a copy of the database as it is, and of the signed seals.
    </Notice>
  );
}

function Records({ records }: { records: readonly AuditRecord[] }) {
  const admins = useQuery(adminsQuery(1, 100));
  const names = new Map(admins.data?.data.map(({ id, name }) => [id, name]));
  return (
    <Rows label="Records">
      <Table.Thead>
        <Table.Tr>
          <Table.Th visibleFrom="sm">When</Table.Th>
          <Table.Th>Act</Table.Th>
          <Table.Th visibleFrom="sm">By</Table.Th>
          <Table.Th visibleFrom="md">About</Table.Th>
          <Table.Th visibleFrom="sm">Result</Table.Th>
          <Table.Th>
            <VisuallyHidden>Details</VisuallyHidden>
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {records.map((record) => (
          <RecordRows key={record.id} record={record} name={names.get(record.user_id)} />
        ))}
      </Table.Tbody>
    </Rows>
  );
}

const COLUMNS = 6;
const ROLES: Record<string, string> = { admin: "Administrator", user: "Customer", otp: "Code" };
const CHANNELS: Record<string, string> = {
  web: "on a page",
  api: "by a program",
  voice: "in a call",
  call: "in a call",
};

function RecordRows({ record, name }: { record: AuditRecord; name: string | undefined }) {
  const [open, setOpen] = useState(false);
  const details = useId();
  const { act, subject } = record.action_json as { act?: string; subject?: string | null };
  const well = record.result === "ok";
  return (
    <>
      <Table.Tr>
        <Table.Td visibleFrom="sm">
          <When at={record.created_at} />
        </Table.Td>
        <Table.Td>
          {act}
          <Text component="span" display="block" fz="xs" c="dimmed" hiddenFrom="sm">
            <When at={record.created_at} />
            {", "}
            {[record.role === "system" ? "the server itself" : (name ?? record.user_id), !well && record.result]
              .filter(Boolean)
              .join(", ")}
          </Text>
        </Table.Td>
        <Table.Td visibleFrom="sm">
          <Actor record={record} name={name} />
        </Table.Td>
        <Table.Td visibleFrom="md">{subject ?? "–"}</Table.Td>
        <Table.Td visibleFrom="sm">
          <State tone={well ? "good" : "fair"}>{well ? "Done" : heading(record.result)}</State>
        </Table.Td>
        <Table.Td data-right>
          <Button
            variant="subtle"
            size="sm"
            h={40}
            px="xs"
            aria-expanded={open}
            aria-controls={details}
            onClick={() => setOpen(!open)}
            aria-label={`${open ? "Less" : "More"} on record ${record.seq}`}
          >
            {open ? "Less" : "More"}
          </Button>
        </Table.Td>
      </Table.Tr>
      <Table.Tr id={details} hidden={!open} className={classes.details}>
        <Table.Td colSpan={COLUMNS}>
          <Collapse expanded={open} transitionDuration={0}>
            {open && <Details record={record} />}
          </Collapse>
        </Table.Td>
      </Table.Tr>
    </>
  );
}

/** Who did it, and by what way. */
function Actor({ record: { user_id, role, channel }, name }: { record: AuditRecord; name: string | undefined }) {
  if (role === "system") return "The server itself";
  return (
    <>
      {role === "otp" ? (
        <Anchor component={Link} to={`/admin/codes/${encodeURIComponent(user_id)}`}>
          {user_id}
        </Anchor>
      ) : (
        (name ?? user_id)
      )}
      <Text component="span" display="block" fz="xs" c="dimmed">
        {[ROLES[role] ?? heading(role), CHANNELS[channel] ?? channel].join(", ")}
      </Text>
    </>
  );
}

function Details({ record }: { record: AuditRecord }) {
  const { details } = record.action_json as { details?: unknown };
  return (
    <div className={classes.about}>
      <Group gap="lg">
        <Text fz="sm">Record {number(record.seq)}</Text>
        {record.call_id && (
          <Anchor component={Link} to={`/admin/calls/${encodeURIComponent(record.call_id)}`} fz="sm" py={6}>
            The call it was done in
          </Anchor>
        )}
        {record.customer_id && (
          <Anchor component={Link} to={`?customer=${encodeURIComponent(record.customer_id)}`} fz="sm" py={6}>
            Everything about {record.customer_id}
          </Anchor>
        )}
      </Group>
      {record.command_text && <Text fz="sm">“{record.command_text}”</Text>}
      {isRecord(details) && Object.keys(details).length > 0 && (
        <Code block tabIndex={0} fz="sm">
          {JSON.stringify(details, null, 2)}
        </Code>
      )}
      <Text fz="xs" c="dimmed" ff="monospace">
        {record.hash}
      </Text>
    </div>
  );
}
