import { Button, Card, Group, NativeSelect, Stack, Text, Textarea, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type FormEvent } from "react";
import { Link, useNavigate } from "react-router";

import { refusalInWords } from "../api/refusals";
import { bankDate, bankDayAndTime, bankMoment, isElsewhere } from "../components/bank-time";
import { Notice } from "../components/Notice";
import { addReminder, cancelReminder, refreshBank, remindersQuery } from "./api";
import { BankPage } from "./BankPage";
import { Listing, Nothing } from "./Listing";
import { AllNotices } from "./Notices";
import classes from "./Notices.module.css";
import type { Reminder, Repeats } from "./types";

const REPEATS: Record<Repeats, string> = {
  none: "Once",
  daily: "Every day",
  weekly: "Every week",
  monthly: "Every month",
};

const ADD = (
  <Button component={Link} to="/bank/reminders/new" size="lg">
    Add a reminder
  </Button>
);

export function RemindersPage() {
  const reminders = useQuery(remindersQuery);
  return (
    <BankPage title="Reminders" action={ADD}>
      <Listing query={reminders} what="your reminders">
        {(list) =>
          list.length === 0 ? (
            <Nothing title="You have no reminders">
              Add one here, or ask for it on a call: “Remind me to pay the rent on Monday.”
            </Nothing>
          ) : (
            <ul className={classes.list}>
              {list.map((reminder) => (
                <ReminderRow key={reminder.id} reminder={reminder} />
              ))}
            </ul>
          )
        }
      </Listing>
      <AllNotices />
    </BankPage>
  );
}

function ReminderRow({ reminder }: { reminder: Reminder }) {
  const queryClient = useQueryClient();
  const cancelling = useMutation({
    mutationFn: () => cancelReminder(reminder.id),
    onSuccess: () => refreshBank(queryClient),
  });
  return (
    <Card component="li" withBorder padding="md" radius="lg">
      <Group justify="space-between" gap="sm" wrap="nowrap">
        <div style={{ minWidth: 0 }}>
          <Title order={2} fz="lg" fw={600} style={{ overflowWrap: "anywhere" }}>
            {reminder.text}
          </Title>
          <Text c="dimmed" className="figures">
            {bankDayAndTime(reminder.due_at)}
            {reminder.repeats !== "none" && `, then ${REPEATS[reminder.repeats].toLowerCase()}`}
          </Text>
          {cancelling.error && (
            <Text c="var(--mantine-color-error)" role="alert">
              {refusalInWords(cancelling.error)}
            </Text>
          )}
        </div>
        <Button
          variant="subtle"
          color="red"
          c="var(--mantine-color-error)"
          h={44}
          flex="none"
          loading={cancelling.isPending}
          onClick={() => cancelling.mutate()}
          aria-label={`Cancel the reminder: ${reminder.text}`}
        >
          Cancel
        </Button>
      </Group>
    </Card>
  );
}

export function NewReminderPage() {
  const [text, setText] = useState("");
  const [date, setDate] = useState("");
  const [time, setTime] = useState("09:00");
  const [repeats, setRepeats] = useState<Repeats>("none");
  /** When it was last tried to send it. */
  const [sentAt, setSentAt] = useState(0);
  const sent = sentAt > 0;
  const form = useRef<HTMLFormElement>(null);
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const due = bankMoment(date, time);
  const faults = {
    text: text.trim() ? null : "Write what you want to be reminded of.",
    date: !date ? "Choose a day." : due.getTime() <= sentAt ? "Choose a time that is still to come." : null,
    time: time ? null : "Choose a time.",
  };
  const adding = useMutation({
    mutationFn: () => addReminder({ text: text.trim(), due_at: due.toISOString(), repeats }),
    onSuccess: async () => {
      await refreshBank(queryClient);
      await navigate("/bank/reminders");
    },
  });

  function submit(event: FormEvent) {
    event.preventDefault();
    const now = Date.now();
    setSentAt(now);
    const past = due.getTime() <= now && "date";
    const wrong = (["text", "date", "time"] as const).find((name) => faults[name]) ?? past;
    if (wrong) return form.current?.querySelector<HTMLElement>(`[name="${wrong}"]`)?.focus();
    adding.mutate();
  }

  return (
    <BankPage title="Add a reminder" narrow>
      <form ref={form} onSubmit={submit} noValidate>
        <Stack gap="md">
          <Textarea
            name="text"
            label="Remind me to"
            size="lg"
            autosize
            minRows={2}
            maxLength={200}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            error={sent && faults.text}
          />
          <Group gap="md" grow align="flex-start" preventGrowOverflow={false}>
            <TextInput
              name="date"
              type="date"
              label="Day"
              size="lg"
              value={date}
              min={bankDate()}
              onChange={(event) => setDate(event.currentTarget.value)}
              error={sent && faults.date}
            />
            <TextInput
              name="time"
              type="time"
              label={isElsewhere() ? "Time in India" : "Time"}
              size="lg"
              value={time}
              onChange={(event) => setTime(event.currentTarget.value)}
              error={sent && faults.time}
            />
          </Group>
          <NativeSelect
            label="How often"
            size="lg"
            value={repeats}
            onChange={(event) => setRepeats(event.currentTarget.value as Repeats)}
            data={Object.entries(REPEATS).map(([value, label]) => ({ value, label }))}
          />
          {adding.error && <Notice trouble>{refusalInWords(adding.error)}</Notice>}
          <Group gap="sm" className="actions">
            <Button type="submit" size="lg" loading={adding.isPending}>
              Add this reminder
            </Button>
            <Button component={Link} to="/bank/reminders" size="lg" variant="default">
              Cancel
            </Button>
          </Group>
        </Stack>
      </form>
    </BankPage>
  );
}
