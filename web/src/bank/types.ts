/** What the bank's routes take and give, by the names the pages use. */
import type { components } from "../api/schema";

type Schemas = components["schemas"];

export type Account = Schemas["AccountOut"];
export type LedgerLine = Schemas["LedgerLineOut"];
export type Payee = Schemas["BeneficiaryOut"];
export type NewPayee = Schemas["BeneficiaryIn"];
export type Transfer = Schemas["TransferOut"];
export type NewTransfer = Schemas["TransferIn"];
export type Challenge = NonNullable<Transfer["challenge"]>;
export type Limits = Schemas["LimitsOut"];
export type Bill = Schemas["BillOut"];
export type Loan = Schemas["LoanOut"];
export type Reminder = Schemas["ReminderOut"];
export type NewReminder = Schemas["ReminderIn"];
export type Repeats = Reminder["repeats"];
export type Notice = Schemas["NoticeOut"];
