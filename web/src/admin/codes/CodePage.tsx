import { Anchor, Button, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useParams } from "react-router";

import { ApiError } from "../../api/errors";
import { agentsQuery } from "../../api/queries";
import { duration, heading } from "../../components/format";
import { AdminPage } from "../AdminPage";
import { codeQuery, usageQuery } from "../api";
import { Facts } from "../Facts";
import { spent } from "../figures";
import { Listed, NothingHere } from "../Listed";
import { Panel } from "../Panel";
import { Row, Rows } from "../Rows";
import { State } from "../State";
import type { Access, Code } from "../types";
import { When } from "../When";
import { CODE_STATES, endInWords } from "../words";
import { nameOf, TONES, usesOf } from "./code";
import { UsedInAll } from "./UsedInAll";
import { useCodeActs } from "./useCodeActs";

const BACK = { to: "/admin/codes", label: "Codes" };
const STEP = 50;
const MOST = 1000;

/** One code: what it may do, and who did what with it. */
export function CodePage() {
  const { codeId = "" } = useParams();
  const navigate = useNavigate();
  const code = useQuery(codeQuery(codeId));
  const { acts, dialogs } = useCodeActs(() => void navigate("/admin/codes", { replace: true }));
  const of = code.data;
  if (code.error instanceof ApiError && code.error.status === 404) {
    return (
      <AdminPage title="There is no such code" lead="It may have been deleted." back={BACK}>
        <UsedInAll codeId={codeId} />
        <Usage codeId={codeId} />
      </AdminPage>
    );
  }
  return (
    <AdminPage
      title={of ? nameOf(of) : "Code"}
      back={BACK}
      tools={
        of && (
          <>
            <Button variant="default" onClick={() => acts.edit(of)}>
              Change
            </Button>
            <Button variant="default" onClick={() => acts.toggle(of)}>
              {of.disabled ? "Enable" : "Disable"}
            </Button>
            <Button variant="subtle" c="var(--mantine-color-error)" color="red" onClick={() => acts.remove(of)}>
              Delete
            </Button>
          </>
        )
      }
    >
      <Panel title="Code">
        <Listed query={code} what="the code" height={120}>
          {(of) => <CodeFacts code={of} />}
        </Listed>
      </Panel>
      <UsedInAll codeId={codeId} budget={of?.budget_usd ?? null} />
      <Usage codeId={codeId} />
      {dialogs}
    </AdminPage>
  );
}

function CodeFacts({ code }: { code: Code }) {
  return (
    <Facts
      facts={[
        ["State", <State tone={TONES[code.state]}>{CODE_STATES[code.state]}</State>],
        ["Code", code.code],
        ["Calls used", usesOf(code)],
        ["Last used", code.last_used_at ? <When at={code.last_used_at} stop /> : "Never"],
        ["Expires", code.expires_at ? <When at={code.expires_at} stop /> : "Never"],
        ["Made", <When at={code.created_at} stop />],
      ]}
    />
  );
}

/** Who used it for what, the newest first. */
function Usage({ codeId }: { codeId: string }) {
  const [limit, setLimit] = useState(STEP);
  const usage = useQuery(usageQuery(codeId, limit));
  const agents = useQuery(agentsQuery);
  const agentOf = (id: string) => agents.data?.find((agent) => agent.id === id)?.name ?? heading(id);
  return (
    <Panel title="What it was used for" flush>
      <Listed query={usage} what="the uses">
        {(uses) =>
          uses.length === 0 ? (
            <NothingHere title="It has not been used yet">Each use is listed here with its call.</NothingHere>
          ) : (
            <>
              <Rows label="Uses">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>When</Table.Th>
                    <Table.Th>Agent</Table.Th>
                    <Table.Th visibleFrom="sm">What became of it</Table.Th>
                    <Table.Th data-right>Length</Table.Th>
                    <Table.Th data-right visibleFrom="xs">
                      Cost
                    </Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {uses.map((use) => (
                    <UseRow key={use.id} use={use} agent={agentOf(use.agent_type)} />
                  ))}
                </Table.Tbody>
              </Rows>
              {uses.length === limit && limit < MOST && (
                <Button
                  variant="subtle"
                  m="sm"
                  loading={usage.isPlaceholderData}
                  onClick={() => setLimit(Math.min(MOST, limit + STEP * 4))}
                >
                  Show more
                </Button>
              )}
            </>
          )
        }
      </Listed>
    </Panel>
  );
}

function UseRow({ use, agent }: { use: Access; agent: string }) {
  const to = use.call_id ? `/admin/calls/${encodeURIComponent(use.call_id)}` : undefined;
  const what = use.returned_at
    ? "Given back: the call could not be made"
    : !use.call_id
      ? "No call was made with it"
      : use.ended_at
        ? endInWords(use.end_reason)
        : "Live";
  return (
    <Row to={to}>
      <Table.Td>
        {to ? (
          <Anchor component={Link} to={to}>
            <When at={use.at} />
          </Anchor>
        ) : (
          <When at={use.at} />
        )}
        <Text component="span" display="block" fz="xs" c="dimmed" hiddenFrom="sm">
          {what}
        </Text>
      </Table.Td>
      <Table.Td>{agent}</Table.Td>
      <Table.Td visibleFrom="sm">{what}</Table.Td>
      <Table.Td data-right>{use.seconds === null ? "–" : duration(use.seconds * 1000)}</Table.Td>
      <Table.Td data-right visibleFrom="xs">
        {use.cost_usd === null ? "–" : spent(use)}
      </Table.Td>
    </Row>
  );
}
