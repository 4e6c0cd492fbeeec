import { Button, Card, Group, Loader, Text } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import { useEffect, useState } from "react";

import { checkConnection, verdictInWords, type Connection } from "./connection";
import classes from "./ConnectionCheck.module.css";

/** Checks the way of a call as far as it can be before the call, and says how far that is. */
export function ConnectionCheck({ counted }: { /** Whether calls are counted. */ counted: boolean }) {
  const [connection, setConnection] = useState<Connection | null>(null);
  const [tries, setTries] = useState(0);

  useEffect(() => {
    let gone = false;
    void checkConnection().then((found) => gone || setConnection(found));
    return () => {
      gone = true;
    };
  }, [tries]);

  useEffect(() => {
    const again = () => setTries((before) => before + 1);
    for (const change of ["online", "offline"]) window.addEventListener(change, again);
    return () => ["online", "offline"].forEach((change) => window.removeEventListener(change, again));
  }, []);

  const words = connection && verdictInWords(connection);
  const good = connection?.verdict === "good";
  return (
    <Card withBorder padding="lg" radius="lg" component="section" aria-label="Connection" className={classes.check}>
      <div role="status" className={classes.words} data-verdict={connection && (good ? "good" : "trouble")}>
        {!words && <Loader size={22} aria-hidden />}
        {words && (good ? <IconCircleCheck size={24} aria-hidden /> : <IconAlertTriangle size={24} aria-hidden />)}
        <div>
          <Text fw={600}>{words?.title ?? "Checking the connection"}</Text>
          <Text className="figures">{words?.advice ?? "One moment…"}</Text>
        </div>
      </div>
      {words && !good && (
        <Group mt="sm">
          <Button
            variant="default"
            onClick={() => {
              setConnection(null);
              setTries(tries + 1);
            }}
          >
            Check again
          </Button>
        </Group>
      )}
      {(!words || good) && (
        <Text c="dimmed" fz="sm" mt="xs">
          Not checked: whether your network lets the sound through. That shows when you call
          {counted ? ", and a call that cannot connect does not count." : "."}
        </Text>
      )}
    </Card>
  );
}
