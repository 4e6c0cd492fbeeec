import { Anchor, Button, Card, Progress, SimpleGrid, Stack, Table, Text, Title } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";

import { bankDay } from "../components/bank-time";
import { counted, heading, money } from "../components/format";
import { loansQuery, scheduleQuery } from "./api";
import { BankPage } from "./BankPage";
import { Listing, Nothing } from "./Listing";
import classes from "./LoansPage.module.css";
import { Pages } from "./Pages";
import type { Loan } from "./types";

export function LoansPage() {
  const loans = useQuery(loansQuery);
  return (
    <BankPage title="Loans">
      <Listing query={loans} what="your loans" rows={1} rowHeight={240}>
        {(list) =>
          list.length === 0 ? (
            <Nothing title="You have no loans">If you take one, its instalments are shown here.</Nothing>
          ) : (
            <SimpleGrid cols={{ base: 1, sm: Math.min(2, list.length) }} spacing="md">
              {list.map((loan) => (
                <Card key={loan.id} withBorder padding="lg" radius="lg" component="article" maw={560}>
                  <Title order={2} fz="lg" mb="xs">
                    {heading(loan.kind)} loan
                  </Title>
                  <Standing loan={loan} />
                  <Anchor component={Link} to={`/bank/loans/${loan.id}`} mt="xs" py={8}>
                    See every instalment
                  </Anchor>
                </Card>
              ))}
            </SimpleGrid>
          )
        }
      </Listing>
    </BankPage>
  );
}

function Standing({ loan }: { loan: Loan }) {
  const { currency, months, instalments_left: left } = loan;
  const paid = months - left;
  return (
    <Stack gap={6}>
      <Text c="dimmed">Still to be paid back</Text>
      <Text className="figures" fz="2rem" fw={650} lh={1.2}>
        {money(loan.outstanding_minor, currency)}
      </Text>
      <Text className="figures">
        {loan.next_due_on
          ? `Next instalment: ${money(loan.emi_minor, currency)} on ${bankDay(loan.next_due_on)}`
          : "Paid back in full"}
      </Text>
      <Progress value={(100 * paid) / months} size="md" radius="sm" color="var(--mantine-color-anchor)" aria-hidden />
      <Text c="dimmed" className="figures">
        {paid} of {counted(months, "instalment")} paid. {money(loan.principal_minor, currency)} at{" "}
        {loan.annual_rate_percent} % a year.
      </Text>
    </Stack>
  );
}

const PER_PAGE = 24;

export function LoanPage() {
  const { loanId = "" } = useParams();
  const loans = useQuery(loansQuery);
  return (
    <Listing query={loans} what="this loan" rows={2} rowHeight={240}>
      {(list) => {
        const loan = list.find(({ id }) => id === loanId);
        return loan ? (
          <Schedule loan={loan} />
        ) : (
          <BankPage title="There is no such loan" narrow>
            <Button component={Link} to="/bank/loans" size="lg" style={{ alignSelf: "flex-start" }}>
              See your loans
            </Button>
          </BankPage>
        );
      }}
    </Listing>
  );
}

function Schedule({ loan }: { loan: Loan }) {
  // It opens where the next instalment is.
  const next = loan.months - loan.instalments_left;
  const [page, setPage] = useState(() => Math.floor(Math.min(next, loan.months - 1) / PER_PAGE) + 1);
  const schedule = useQuery(scheduleQuery(loan.id, page, PER_PAGE));
  const { currency } = loan;
  return (
    <BankPage title={`${heading(loan.kind)} loan`}>
      <Card withBorder padding="lg" radius="lg" maw={560}>
        <Standing loan={loan} />
      </Card>
      <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="schedule">
        <Title order={2} id="schedule" mb="sm">
          Instalments
        </Title>
        <Listing query={schedule} what="the instalments" rows={8} rowHeight={40}>
          {({ data, pagination }) => (
            <div aria-busy={schedule.isPlaceholderData}>
              <Table verticalSpacing={8} horizontalSpacing={0} className={classes.schedule}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Due</Table.Th>
                    <Table.Th ta="right">Instalment</Table.Th>
                    <Table.Th ta="right" visibleFrom="sm">
                      Paid back
                    </Table.Th>
                    <Table.Th ta="right" visibleFrom="sm">
                      Interest
                    </Table.Th>
                    <Table.Th ta="right" visibleFrom="sm">
                      Left to pay back
                    </Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody className="figures">
                  {data.map((each) => (
                    <Table.Tr key={each.n} data-next={each.n === next + 1 || undefined}>
                      <Table.Td>
                        {bankDay(each.due_on)}
                        <Text component="span" fz="sm" className={classes.state}>
                          {each.paid && <IconCheck size={16} aria-hidden />}
                          {each.paid ? "Paid" : each.n === next + 1 ? "Next" : `No. ${each.n}`}
                        </Text>
                      </Table.Td>
                      <Table.Td ta="right">
                        {money(each.emi_minor, currency)}
                        <Text component="span" display="block" fz="sm" c="dimmed" hiddenFrom="sm">
                          of it interest {money(each.interest_minor, currency)}
                        </Text>
                        <Text component="span" display="block" fz="sm" c="dimmed" hiddenFrom="sm">
                          leaves {money(each.balance_after_minor, currency)}
                        </Text>
                      </Table.Td>
                      <Table.Td ta="right" visibleFrom="sm">
                        {money(each.principal_minor, currency)}
                      </Table.Td>
                      <Table.Td ta="right" visibleFrom="sm">
                        {money(each.interest_minor, currency)}
                      </Table.Td>
                      <Table.Td ta="right" visibleFrom="sm">
                        {money(each.balance_after_minor, currency)}
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
              <Pages total={pagination.pages} page={page} open={setPage} />
            </div>
          )}
        </Listing>
      </Card>
    </BankPage>
  );
}
