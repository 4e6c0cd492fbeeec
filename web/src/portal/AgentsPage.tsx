import { Button, Card, List, SimpleGrid, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconArrowRight, IconCheck, IconClock } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { agentsQuery, type Agent } from "../api/queries";
import { isForeign, languageName, ownName } from "../components/language";
import { LoadFault } from "../components/LoadFault";
import { Notice } from "../components/Notice";
import { Page, PageTitle } from "../components/Page";
import { AnotherCode } from "./AnotherCode";
import classes from "./AgentsPage.module.css";
import { OfflineSpeechNotice } from "./OfflineSpeechNotice";
import { usePortal } from "./PortalContext";
import { usesInWords } from "./uses";

/** Lines become free and busy. */
const LOOK_AGAIN_MS = 20_000;

export function AgentsPage() {
  const { me } = usePortal();
  const agents = useQuery({ ...agentsQuery, refetchInterval: LOOK_AGAIN_MS });
  const usedUp = me.remaining_uses !== null && me.remaining_uses <= 0;
  return (
    <Page size={1080}>
      <PageTitle lead="Everything that is said also appears on the screen, and you can type instead of speaking.">
        Who would you like to talk to?
      </PageTitle>
      {me.remaining_uses !== null && !usedUp && (
        <Text fw={600} className="figures">
          {usesInWords(me.remaining_uses)} on your code
        </Text>
      )}
      {usedUp && (
        <Notice trouble title="This code has been used up" actions={<AnotherCode />}>
          Every call your code allowed has been made. Ask for a new one.
        </Notice>
      )}
      {me.offline_speech && !usedUp && <OfflineSpeechNotice />}
      {agents.isPending && <CardsLoading />}
      {agents.isError && <LoadFault what="the assistants" retry={agents.refetch} error={agents.error} />}
      {agents.data?.length === 0 && (
        <Notice title="No assistant is switched on">
          Come back a little later, or tell the person who gave you the code.
        </Notice>
      )}
      {agents.data && agents.data.length > 0 && (
        <SimpleGrid
          cols={{ base: 1, sm: Math.min(2, agents.data.length), md: Math.min(3, agents.data.length) }}
          spacing="lg"
        >
          {agents.data.map((agent) => (
            <AgentCard key={agent.id} agent={agent} usedUp={usedUp} />
          ))}
        </SimpleGrid>
      )}
    </Page>
  );
}

function AgentCard({ agent, usedUp }: { agent: Agent; usedUp: boolean }) {
  const open = agent.available && !usedUp;
  return (
    <Card
      withBorder
      padding="lg"
      radius="lg"
      component="article"
      aria-labelledby={`agent-${agent.id}`}
      maw={560}
      w="100%"
    >
      <Stack gap="md" h="100%">
        <div>
          <Title order={2} id={`agent-${agent.id}`} lang={agent.language}>
            {agent.name}
          </Title>
          <Text mt={4} lang={agent.language}>
            {agent.description}
          </Text>
          {isForeign(agent.language) && (
            <Text mt={4} fw={600}>
              Speaks {languageName(agent.language)} · <span lang={agent.language}>{ownName(agent.language)}</span>
            </Text>
          )}
        </div>
        <List
          lang={agent.language}
          spacing={4}
          icon={<IconCheck size={18} color="var(--mantine-color-anchor)" aria-hidden />}
          styles={{ itemWrapper: { alignItems: "flex-start" }, itemIcon: { marginTop: 3 } }}
        >
          {agent.can_do.map((act) => (
            <List.Item key={act}>{act}</List.Item>
          ))}
        </List>
        {agent.try_saying.length > 0 && (
          <div>
            <Text fw={600} fz="sm" c="dimmed" mb={4}>
              Try saying
            </Text>
            <Stack gap={4} lang={agent.language}>
              {agent.try_saying.map((sentence) => (
                <Text key={sentence}>“{sentence}”</Text>
              ))}
            </Stack>
          </div>
        )}
        <Text mt="auto" c="dimmed" className={classes.wait}>
          {agent.available ? <IconCheck size={18} aria-hidden /> : <IconClock size={18} aria-hidden />}
          {agent.available
            ? "No waiting: a line is free now"
            : agent.out_of_order
              ? "It takes no calls at the moment. This page looks again by itself."
              : "All lines are busy. This page looks again by itself."}
        </Text>
        {open ? (
          <Button
            component={Link}
            to={`/agents/${encodeURIComponent(agent.id)}/ready`}
            size="lg"
            rightSection={<IconArrowRight size={20} />}
            aria-label={`Choose ${agent.name}`}
          >
            Choose
          </Button>
        ) : (
          <Button size="lg" disabled>
            {usedUp ? "No calls left" : "Not available now"}
          </Button>
        )}
      </Stack>
    </Card>
  );
}

function CardsLoading() {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, md: 3 }} spacing="lg" role="status" aria-label="Loading the assistants">
      {[0, 1, 2].map((card) => (
        <Skeleton key={card} height={360} radius="lg" />
      ))}
    </SimpleGrid>
  );
}
