import { Button, Card, Group, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { agentsQuery, type Agent } from "../api/queries";
import { counted } from "../components/format";
import { AdminPage } from "./AdminPage";
import { agentConfigQuery, trafficQuery } from "./api";
import { Facts } from "./Facts";
import { number, spent } from "./figures";
import { Listed, NothingHere } from "./Listed";
import { State } from "./State";
import type { AgentConfig, Traffic } from "./types";
import { When } from "./When";
import { kindInWords, toolInWords } from "./words";

const HOURS = 24;
const BUCKET_MINUTES = 60;

/** Whom callers may talk to, and what each runs on. */
export function AgentsPage() {
  const agents = useQuery(agentsQuery);
  const traffic = useQuery({ ...trafficQuery(HOURS, BUCKET_MINUTES), refetchInterval: 30_000 });
  const configs = useQueries({ queries: (agents.data ?? []).map(({ id }) => agentConfigQuery(id)) });
  return (
    <AdminPage title="Agents" lead="Whom callers may talk to, and what each runs on.">
      <Listed query={agents} what="the agents" height={360}>
        {(list) =>
          list.length === 0 ? (
            <NothingHere title="No agent is switched on">An agent type is a file of the server’s own.</NothingHere>
          ) : (
            <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
              {list.map((agent, index) => (
                <AgentCard
                  key={agent.id}
                  agent={agent}
                  config={configs[index]?.data}
                  traffic={traffic.data?.find(({ agent_type }) => agent_type === agent.id)}
                />
              ))}
            </SimpleGrid>
          )
        }
      </Listed>
    </AdminPage>
  );
}

interface AgentCardProps {
  agent: Agent;
  config: AgentConfig | undefined;
  traffic: Traffic | undefined;
}

function AgentCard({ agent, config, traffic }: AgentCardProps) {
  return (
    <Card withBorder padding="lg" radius="lg" component="article" aria-labelledby={`agent-${agent.id}`}>
      <Stack gap="md" h="100%">
        <div>
          <Group justify="space-between" gap="xs">
            <Title order={2} id={`agent-${agent.id}`} fz="lg">
              {agent.name}
            </Title>
            <State tone={agent.available ? "good" : "fair"}>
              {agent.available ? "Takes calls" : "Takes no calls now"}
            </State>
          </Group>
          <Text fz="sm" c="dimmed" mt={4}>
            {agent.description}
          </Text>
        </div>
        <Facts
          facts={[
            ...Object.entries(agent.providers).map(([kind, name]) => [kindInWords(kind), name] as const),
            ["Live now", traffic && number(traffic.live)],
            ["Uses today", traffic && number(traffic.today)],
            ["Uses in all", traffic && number(traffic.total)],
            ["Cost today", traffic && spent(traffic.cost_today)],
            ["Cost in all", traffic && spent(traffic.cost)],
            ["Last used", traffic && (traffic.last_access ? <When at={traffic.last_access} stop /> : "Never")],
          ]}
        />
        {config && (
          <>
            <div>
              <Text fz="xs" c="dimmed">
                Greeting
              </Text>
              <Text fz="sm">“{config.greeting}”</Text>
            </div>
            <div>
              <Text fz="xs" c="dimmed">
                {counted(config.tools.length, "tool")}
              </Text>
              <Text fz="sm">{config.tools.map(toolInWords).join(", ") || "None"}</Text>
            </div>
          </>
        )}
        <Group mt="auto">
          <Button component={Link} to={`/admin/calls?agent=${encodeURIComponent(agent.id)}`} variant="default">
            Calls with {agent.name}
          </Button>
        </Group>
      </Stack>
    </Card>
  );
}
