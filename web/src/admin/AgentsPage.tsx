import { Button, Card, Group, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { agentsQuery, type Agent } from "../api/queries";
import { counted } from "../components/format";
import { languageName } from "../components/language";
import { Notice } from "../components/Notice";
import { AdminPage } from "./AdminPage";
import { agentConfigQuery, profilesQuery, saveProfile, trafficQuery } from "./api";
import { EditProfileDialog } from "./EditProfileDialog";
import { Facts } from "./Facts";
import { number, spent } from "./figures";
import { Listed, NothingHere } from "./Listed";
import { State } from "./State";
import { tell, tellTrouble } from "./tell";
import type { AgentConfig, Profile, ProfileChange, Traffic } from "./types";
import { When } from "./When";
import { kindInWords, toolInWords } from "./words";

const HOURS = 24;
const BUCKET_MINUTES = 60;

/** Whom callers may talk to, and what each runs on. */
export function AgentsPage() {
  const agents = useQuery(agentsQuery);
  const traffic = useQuery({ ...trafficQuery(HOURS, BUCKET_MINUTES), refetchInterval: 30_000 });
  const configs = useQueries({ queries: (agents.data ?? []).map(({ id }) => agentConfigQuery(id)) });
  const profiles = useQuery(profilesQuery);
  const [editing, setEditing] = useState<Profile | null>(null);
  const queryClient = useQueryClient();
  const refresh = () =>
    Promise.all([
      queryClient.invalidateQueries({ queryKey: profilesQuery.queryKey }),
      queryClient.invalidateQueries({ queryKey: agentsQuery.queryKey }),
      queryClient.invalidateQueries({ queryKey: ["admin", "agent"] }),
    ]);

  async function takeBack(before: Profile) {
    try {
      await saveProfile(before.agent_type, changeOf(before));
      tell(`${before.name} is as it was.`);
    } catch (error) {
      tellTrouble("Nothing was changed", error);
    }
    await refresh();
  }

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
                  profile={profiles.data?.data.find(({ agent_type }) => agent_type === agent.id)}
                  edit={setEditing}
                  traffic={traffic.data?.find(({ agent_type }) => agent_type === agent.id)}
                />
              ))}
            </SimpleGrid>
          )
        }
      </Listed>
      <EditProfileDialog
        profile={editing}
        providers={profiles.data?.providers ?? {}}
        close={() => setEditing(null)}
        changed={(before) => {
          tell(`${before.name}: this counts from the next call on.`, () => void takeBack(before));
          void refresh();
        }}
      />
    </AdminPage>
  );
}

/** A profile as it would be saved again. */
function changeOf({ language, voice, stt_provider, llm_provider, tts_provider }: Profile): ProfileChange {
  return { language, voice, stt_provider, llm_provider, tts_provider };
}

/** "cartesia, then offline" */
function inOrder(chain: string[] | undefined): string | undefined {
  return chain?.join(", then ");
}

interface AgentCardProps {
  agent: Agent;
  config: AgentConfig | undefined;
  profile: Profile | undefined;
  edit: (profile: Profile) => void;
  traffic: Traffic | undefined;
}

function AgentCard({ agent, config, profile, edit, traffic }: AgentCardProps) {
  const name = profile?.name ?? agent.name;
  return (
    <Card withBorder padding="lg" radius="lg" component="article" aria-labelledby={`agent-${agent.id}`}>
      <Stack gap="md" h="100%">
        <div>
          <Group justify="space-between" gap="xs">
            <Title order={2} id={`agent-${agent.id}`} fz="lg">
              {name}
            </Title>
            <State tone={agent.available ? "good" : "fair"}>
              {agent.available ? "Takes calls" : "Takes no calls now"}
            </State>
          </Group>
          <Text fz="sm" c="dimmed" mt={4} lang={agent.language}>
            {agent.description}
          </Text>
        </div>
        {profile?.trouble && (
          <Notice trouble title="Nobody can call it as it is set">
            {profile.trouble}
          </Notice>
        )}
        <Facts
          facts={[
            ["Speaks", languageName(agent.language)],
            ["Its voice", profile?.voice],
            ...Object.entries(agent.providers).map(
              ([kind, name]) => [kindInWords(kind), inOrder(profile?.serving[kind]) ?? name] as const,
            ),
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
              <Text fz="sm" lang={agent.language}>
                “{config.greeting}”
              </Text>
            </div>
            <div>
              <Text fz="xs" c="dimmed">
                {counted(config.tools.length, "tool")}
              </Text>
              <Text fz="sm">{config.tools.map(toolInWords).join(", ") || "None"}</Text>
            </div>
          </>
        )}
        <Group mt="auto" gap="sm">
          {profile && (
            <Button onClick={() => edit(profile)} aria-label={`Change ${name}`}>
              Change
            </Button>
          )}
          <Button component={Link} to={`/admin/calls?agent=${encodeURIComponent(agent.id)}`} variant="default">
            Calls with {name}
          </Button>
        </Group>
      </Stack>
    </Card>
  );
}
