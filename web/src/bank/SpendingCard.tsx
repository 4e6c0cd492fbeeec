import { Anchor, Card, Progress, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { counted, heading, money } from "../components/format";
import { spendingQuery } from "./api";
import { Listing } from "./Listing";
import type { Span } from "./period";
import classes from "./SpendingCard.module.css";

/** The bank remembers nothing older. */
const EVER = "1970-01-01";
/** What has no category goes by this name; the bank cannot look for it. */
const UNKNOWN = "other";

interface SpendingCardProps {
  span: Span;
  category: string;
  choose: (category: string) => void;
}

/** What went out to others in a time, the largest first; a category shows its transactions only. */
export function SpendingCard({ span, category, choose }: SpendingCardProps) {
  const spending = useQuery(spendingQuery({ since: EVER, ...span }));
  return (
    <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="spending">
      <Stack gap="sm">
        <Title order={2} id="spending">
          Spent
        </Title>
        <Listing query={spending} what="what you spent" rows={3} rowHeight={44}>
          {({ total_minor, count, currency, by_category }) => (
            <div aria-busy={spending.isPlaceholderData}>
              {count > 0 ? (
                <Text className="figures">
                  <span className={classes.total}>{money(total_minor, currency)}</span>{" "}
                  <span className={classes.count}>in {counted(count, "payment")}</span>
                </Text>
              ) : (
                <Text c="dimmed">Nothing was spent in this time.</Text>
              )}
              <ul className={classes.list}>
                {by_category.map((each) => {
                  const share = total_minor > 0 ? (100 * each.total_minor) / total_minor : 0;
                  const chosen = each.category === category;
                  return (
                    <li key={each.category} className={`figures ${classes.row}`}>
                      {each.category === UNKNOWN ? (
                        <Text className={classes.name}>{heading(each.category)}</Text>
                      ) : (
                        <Anchor
                          component="button"
                          type="button"
                          className={classes.name}
                          aria-pressed={chosen}
                          fw={chosen ? 650 : undefined}
                          onClick={() => choose(chosen ? "" : each.category)}
                        >
                          {heading(each.category)}
                        </Anchor>
                      )}
                      <Progress
                        value={share}
                        size="md"
                        radius="sm"
                        color="var(--mantine-color-anchor)"
                        aria-label={`${Math.round(share)} %`}
                        className={classes.bar}
                      />
                      <Text className={classes.amount}>{money(each.total_minor, currency)}</Text>
                    </li>
                  );
                })}
              </ul>
            </div>
          )}
        </Listing>
      </Stack>
    </Card>
  );
}
