import { Anchor, Button, Card, Group, Loader, Stack, Text } from "@mantine/core";
import { IconMicrophone, IconPhone } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { Link, useNavigate, useParams } from "react-router";

import { agentsQuery, type Agent } from "../api/queries";
import { ConnectionCheck } from "../call/ConnectionCheck";
import { MicrophoneSelect, SpeakerSelect } from "../call/Devices";
import { HeardCheck } from "../call/LevelMeter";
import { LiveCall } from "../call/live-call";
import { Microphone, troubleWords } from "../call/microphone";
import { LoadFault } from "../components/LoadFault";
import { Notice } from "../components/Notice";
import { Page, PageTitle } from "../components/Page";
import { OfflineSpeechNotice } from "./OfflineSpeechNotice";
import { usePortal } from "./PortalContext";
import classes from "./ReadyPage.module.css";

export default function ReadyPage() {
  const { agentId } = useParams();
  const agents = useQuery(agentsQuery);
  const agent = agents.data?.find(({ id }) => id === agentId);
  const { call } = usePortal();
  if (call && isGoing(call)) return <InCall call={call} />;
  if (agent) return <Ready agent={agent} only={agents.data?.length === 1} />;
  return (
    <Page>
      {agents.isPending && <Loader aria-label="Loading" />}
      {agents.isError && <LoadFault what="the assistant" retry={agents.refetch} error={agents.error} />}
      {agents.data && (
        <>
          <PageTitle lead="It may have been switched off. Choose another one.">
            This assistant is not available
          </PageTitle>
          <Button component={Link} to="/agents">
            Choose an assistant
          </Button>
        </>
      )}
    </Page>
  );
}

/** One call at a time: another would end this one. */
function InCall({ call }: { call: LiveCall }) {
  const { phase } = useSyncExternalStore(call.subscribe, call.snapshot);
  const over = phase === "ended" || phase === "failed";
  return (
    <Page>
      <PageTitle lead={over ? "You can start another one now." : "End it below before you start another one."}>
        {over ? "The call has ended" : `You are in a call with ${call.agent.name}`}
      </PageTitle>
      <Button component={Link} to={over ? "/agents" : call.address} size="lg">
        {over ? "Choose an assistant" : "Back to the call"}
      </Button>
    </Page>
  );
}

function isGoing(call: LiveCall): boolean {
  const { phase } = call.snapshot();
  return phase === "connecting" || phase === "live";
}

function Ready({ agent, only }: { agent: Agent; only: boolean }) {
  const { me, microphone, setCall } = usePortal();
  const navigate = useNavigate();
  const state = useSyncExternalStore(microphone.subscribe, microphone.snapshot);

  const started = useRef(false);
  const next = useRef<HTMLButtonElement>(null);
  const allowing = useRef(false);

  useEffect(() => {
    void Microphone.isAllowed().then((allowed) => {
      if (allowed && microphone.state.status === "off") void microphone.open();
    });
    return () => {
      if (!started.current) microphone.close();
    };
  }, [microphone]);

  // The button that asks is off meanwhile, and loses the focus by that.
  useEffect(() => {
    if (!allowing.current || state.status === "asking") return;
    allowing.current = false;
    next.current?.focus();
  }, [state.status]);

  function allow() {
    allowing.current = true;
    void microphone.open();
  }

  function start(withMicrophone: boolean) {
    started.current = true;
    if (!withMicrophone) microphone.close();
    const call = new LiveCall(agent, microphone, withMicrophone);
    setCall(call);
    void call.start();
    void navigate(`/call/${encodeURIComponent(agent.id)}`);
  }

  const on = state.status === "on";
  return (
    <Page>
      <PageTitle
        lead={
          on ? "Say a few words: the bar moves when you are heard." : "The assistant needs your microphone to hear you."
        }
      >
        {`Ready to call ${agent.name}?`}
      </PageTitle>
      {state.status === "trouble" ? (
        <Notice
          trouble
          title={troubleWords[state.trouble].title}
          actions={
            <Button variant="default" onClick={allow}>
              Try again
            </Button>
          }
        >
          {troubleWords[state.trouble].advice}
        </Notice>
      ) : (
        <Card withBorder padding="lg" radius="lg" mih={180}>
          {on ? (
            <Stack gap="md">
              <HeardCheck stream={state.stream} />
              <div className={classes.devices}>
                <MicrophoneSelect microphone={microphone} choose={(deviceId) => microphone.open(deviceId)} />
                <SpeakerSelect />
              </div>
            </Stack>
          ) : (
            <Text my="auto" fz="lg">
              {state.status === "asking"
                ? "Your browser is asking for permission. Choose “Allow”."
                : "Your browser will ask for permission. The sound goes to the assistant only, and only during the call."}
            </Text>
          )}
        </Card>
      )}
      <ConnectionCheck counted={me.remaining_uses !== null} />
      {me.offline_speech && <OfflineSpeechNotice />}
      <div className={classes.act}>
        {on ? (
          <Button
            ref={next}
            fullWidth
            size="lg"
            h={60}
            leftSection={<IconPhone size={22} />}
            onClick={() => start(true)}
          >
            Start the call
          </Button>
        ) : state.status === "trouble" ? (
          <Button ref={next} fullWidth size="lg" h={60} onClick={() => start(false)}>
            Continue by typing
          </Button>
        ) : (
          <Button
            ref={next}
            fullWidth
            size="lg"
            h={60}
            leftSection={<IconMicrophone size={22} />}
            loading={state.status === "asking"}
            onClick={allow}
          >
            Allow the microphone
          </Button>
        )}
      </div>
      <Group justify="center" gap="xl">
        {state.status !== "trouble" && (
          <Anchor component="button" type="button" onClick={() => start(false)}>
            Continue by typing
          </Anchor>
        )}
        {!only && (
          <Anchor component={Link} to="/agents">
            Choose another assistant
          </Anchor>
        )}
      </Group>
    </Page>
  );
}
