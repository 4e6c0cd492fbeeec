import { Card, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { inboxQuery, meQuery } from "../api/queries";

/** Guests have no phone of ours to write to: what the bank would send them appears here. */
export function DemoPhone() {
  const me = useQuery(meQuery);
  return me.data?.role === "otp" ? <Messages /> : null;
}

function Messages() {
  const inbox = useQuery({ ...inboxQuery, refetchInterval: 2_000 });
  const newest = inbox.data?.[0];
  return (
    <Card
      withBorder
      radius="md"
      px="md"
      py="xs"
      bg="var(--parley-page)"
      component="section"
      aria-labelledby="demo-phone"
      mih="5.5rem"
    >
      <Title order={3} id="demo-phone" fz="sm" fw={600} c="dimmed">
        Message on your demo phone
      </Title>
      <Text role="status" style={{ overflowWrap: "anywhere" }} className="figures">
        {newest?.text ?? (inbox.isError ? "Could not load the message. Trying again…" : "No message yet…")}
      </Text>
    </Card>
  );
}
