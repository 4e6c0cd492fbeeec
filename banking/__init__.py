"""The bank: customers, accounts and a ledger that only `post()` writes."""
