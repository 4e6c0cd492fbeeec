import { Button, Card, Group, Stack, Text, Title } from "@mantine/core";
import { IconBell } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { bankDayAndTime } from "../components/bank-time";
import { noticesQuery, readNotice } from "./api";
import { Listing } from "./Listing";
import classes from "./Notices.module.css";
import type { Notice } from "./types";

/** What the bank has told and nobody has read yet; takes no room when there is nothing. */
export function UnreadNotices() {
  const notices = useQuery(noticesQuery);
  const unread = notices.data?.filter(({ read_at }) => read_at === null) ?? [];
  return (
    <div role="status">
      {unread.length > 0 && (
        <ul className={`${classes.list} ${classes.news}`}>
          {unread.slice(0, 3).map((notice) => (
            <Unread key={notice.id} notice={notice} />
          ))}
        </ul>
      )}
    </div>
  );
}

/** All of them, the newest first. */
export function AllNotices() {
  const notices = useQuery(noticesQuery);
  return (
    <section aria-labelledby="messages">
      <Title order={2} id="messages" mb="sm">
        Messages
      </Title>
      <Listing query={notices} what="your messages" rows={2} rowHeight={64}>
        {(list) =>
          list.length === 0 ? (
            <Text c="dimmed">No messages yet. When a reminder is due, it appears here.</Text>
          ) : (
            <ul className={classes.list}>
              {list.map((notice) =>
                notice.read_at === null ? (
                  <Unread key={notice.id} notice={notice} />
                ) : (
                  <Card key={notice.id} component="li" withBorder padding="md" radius="lg">
                    <Words notice={notice} />
                  </Card>
                ),
              )}
            </ul>
          )
        }
      </Listing>
    </section>
  );
}

function Unread({ notice }: { notice: Notice }) {
  const queryClient = useQueryClient();
  const reading = useMutation({
    mutationFn: () => readNotice(notice.id),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: noticesQuery.queryKey }),
  });
  return (
    <Card component="li" withBorder padding="md" radius="lg" className={classes.unread}>
      <Group justify="space-between" gap="sm" wrap="nowrap" align="flex-start">
        <Group gap="sm" wrap="nowrap" align="flex-start" style={{ minWidth: 0 }}>
          <IconBell size={22} aria-hidden className={classes.bell} />
          <Words notice={notice} />
        </Group>
        <Button
          variant="default"
          h={44}
          px="sm"
          flex="none"
          loading={reading.isPending}
          onClick={() => reading.mutate()}
          aria-label={`Mark as read: ${notice.text}`}
        >
          {reading.isError ? "Try again" : "Mark as read"}
        </Button>
      </Group>
    </Card>
  );
}

function Words({ notice }: { notice: Notice }) {
  return (
    <Stack gap={0} style={{ minWidth: 0 }}>
      <Text fw={notice.read_at === null ? 600 : undefined} style={{ overflowWrap: "anywhere" }}>
        {notice.text}
      </Text>
      <Text c="dimmed" fz="sm" className="figures">
        {bankDayAndTime(notice.at)}
      </Text>
    </Stack>
  );
}
