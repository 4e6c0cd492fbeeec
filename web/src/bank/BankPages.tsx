import { Button, Group, NavLink } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Link, Navigate, Route, Routes, useLocation } from "react-router";

import { counted } from "../components/format";
import { AccountsPage } from "./AccountsPage";
import { noticesQuery } from "./api";
import { BankPage } from "./BankPage";
import classes from "./BankPages.module.css";
import { BillPage, BillsPage } from "./BillsPage";
import { LoanPage, LoansPage } from "./LoansPage";
import { NewPayeePage } from "./NewPayeePage";
import { PayeesPage } from "./PayeesPage";
import { NewReminderPage, RemindersPage } from "./RemindersPage";
import { StatementPage } from "./StatementPage";
import { TransferFormPage } from "./TransferFormPage";
import { TransferPage } from "./TransferPage";

const SECTIONS = [
  { path: "accounts", label: "Accounts" },
  { path: "statement", label: "Statement" },
  { path: "transfer", label: "Send money" },
  { path: "payees", label: "Payees" },
  { path: "bills", label: "Bills" },
  { path: "loans", label: "Loans" },
  { path: "reminders", label: "Reminders" },
] as const;

/** The bank's counter: its sections beside (on a phone above) the one that is open. */
export default function BankPages() {
  return (
    <div className={classes.bank}>
      <Sections />
      <div className={classes.page}>
        <Routes>
          <Route index element={<Navigate to="/bank/accounts" replace />} />
          <Route path="accounts" element={<AccountsPage />} />
          <Route path="statement" element={<StatementPage />} />
          <Route path="transfer" element={<TransferFormPage />} />
          <Route path="transfers/:transferId" element={<TransferPage />} />
          <Route path="payees" element={<PayeesPage />} />
          <Route path="payees/new" element={<NewPayeePage />} />
          <Route path="bills" element={<BillsPage />} />
          <Route path="bills/:billId" element={<BillPage />} />
          <Route path="loans" element={<LoansPage />} />
          <Route path="loans/:loanId" element={<LoanPage />} />
          <Route path="reminders" element={<RemindersPage />} />
          <Route path="reminders/new" element={<NewReminderPage />} />
          <Route path="*" element={<NoSuchPage />} />
        </Routes>
      </div>
    </div>
  );
}

function NoSuchPage() {
  return (
    <BankPage title="There is no such page" lead="The address may be mistyped, or the page has moved." narrow>
      <Group>
        <Button component={Link} to="/bank/accounts" size="lg">
          See your accounts
        </Button>
      </Group>
    </BankPage>
  );
}

function Sections() {
  const { pathname } = useLocation();
  const notices = useQuery(noticesQuery);
  const unread = notices.data?.filter(({ read_at }) => read_at === null).length ?? 0;
  const list = useRef<HTMLElement>(null);

  // On a phone the sections are a strip that scrolls sideways: the open one is kept in view.
  useEffect(() => {
    const open = list.current?.querySelector<HTMLElement>('[aria-current="page"]');
    if (open && list.current) list.current.scrollLeft = open.offsetLeft - 16;
  }, [pathname]);

  return (
    <nav ref={list} className={classes.sections} aria-label="Bank">
      {SECTIONS.map(({ path, label }) => {
        const to = `/bank/${path}`;
        const active = pathname.startsWith(to) && /^(\/|s\/|$)/.test(pathname.slice(to.length));
        const news = path === "reminders" && unread > 0;
        return (
          <NavLink
            key={path}
            component={Link}
            to={to}
            active={active}
            aria-current={active ? "page" : undefined}
            label={label}
            rightSection={
              news ? (
                <span className={classes.news} aria-label={counted(unread, "unread message")}>
                  {unread}
                </span>
              ) : undefined
            }
            classNames={{ root: classes.section, label: classes.sectionLabel }}
          />
        );
      })}
    </nav>
  );
}
