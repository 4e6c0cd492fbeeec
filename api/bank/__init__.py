"""The bank over HTTP: one file per noun, and what the application mounts.

`router` holds every noun's canonical paths, for `/api/v1`; `bare` the same handlers at the paths of an older client.
"""

from fastapi import APIRouter

from api.bank import accounts, beneficiaries, bills, ledger, loans, reminders, transfers

router = APIRouter()
for _part in (
    accounts.router,
    accounts.balances,
    ledger.router,
    beneficiaries.router,
    transfers.router,
    bills.router,
    loans.router,
    reminders.router,
    reminders.told,
):
    router.include_router(_part)

bare = APIRouter(include_in_schema=False)
for _part in (accounts.balances, ledger.transactions, transfers.bare, loans.router, reminders.router):
    bare.include_router(_part)

__all__ = ["bare", "router"]
