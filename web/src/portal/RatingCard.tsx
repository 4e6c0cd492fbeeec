import {
  Box,
  Button,
  Card,
  Group,
  SegmentedControl,
  Stack,
  Text,
  Textarea,
  Title,
  VisuallyHidden,
} from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState, type FormEvent } from "react";

import { api } from "../api/client";
import { refusalInWords } from "../api/refusals";

const WORDS = ["Bad", "Not good", "All right", "Good", "Very good"] as const;
const MAX_COMMENT = 500;

/** How the call was, in the caller's own judgement; it can be given anew. */
export function RatingCard({ callId }: { callId: string }) {
  const [rating, setRating] = useState(0);
  const [comment, setComment] = useState("");
  const [sent, setSent] = useState(false);
  const sending = useMutation({
    mutationFn: () =>
      api.POST("/api/v1/calls/{call_id}/rating", {
        params: { path: { call_id: callId } },
        body: { rating, ...(comment.trim() ? { comment: comment.trim() } : {}) },
      }),
    onSuccess: () => setSent(true),
  });

  const thanks = useRef<HTMLParagraphElement>(null);
  // The button that had the focus is gone.
  useEffect(() => {
    if (sent) thanks.current?.focus();
  }, [sent]);

  function submit(event: FormEvent) {
    event.preventDefault();
    sending.mutate();
  }

  return (
    <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="rating">
      <form onSubmit={submit}>
        <Stack gap="sm" align="flex-start">
          <Title order={2} id="rating">
            How was the call?
          </Title>
          <Box w="100%" maw={420}>
            <SegmentedControl
              fullWidth
              size="lg"
              radius="md"
              color="harbour"
              value={rating ? String(rating) : ""}
              onChange={(value) => {
                setRating(Number(value));
                setSent(false);
              }}
              data={WORDS.map((word, index) => ({
                value: String(index + 1),
                label: (
                  <>
                    {index + 1}
                    <VisuallyHidden>{` of 5: ${word}`}</VisuallyHidden>
                  </>
                ),
              }))}
              aria-labelledby="rating"
              disabled={sending.isPending}
            />
            <Group justify="space-between" mt={4} aria-hidden>
              <Text c="dimmed" fz="sm">
                {WORDS[0]}
              </Text>
              <Text fw={600}>{rating > 1 && rating < 5 && WORDS[rating - 1]}</Text>
              <Text c="dimmed" fz="sm">
                {WORDS[4]}
              </Text>
            </Group>
          </Box>
          {rating > 0 && !sent && (
            <>
              <Textarea
                label="What was good, what was not?"
                description="If you like. Please write nothing secret."
                w="100%"
                size="md"
                rows={3}
                maxLength={MAX_COMMENT}
                value={comment}
                onChange={(event) => setComment(event.currentTarget.value)}
              />
              <Button type="submit" loading={sending.isPending}>
                Send the rating
              </Button>
            </>
          )}
          <Text ref={thanks} tabIndex={-1} role="status" c={sending.isError ? "var(--mantine-color-error)" : undefined}>
            {sent && "Thank you. Your rating is kept with this call."}
            {sending.isError && !sent && refusalInWords(sending.error)}
          </Text>
        </Stack>
      </form>
    </Card>
  );
}
