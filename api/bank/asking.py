"""What the bank's handlers ask for: whose bank it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from api.bank.exact import ExactRoute
from api.deps import App, Who
from api.limited import Limited
from banking import customers
from core.clock import utc_now

RATE = "600/minute"
"""What a person's page, or a program of theirs, may ask of any one route."""

MONEY = Depends(Limited("120/minute"))
CODES = Depends(Limited("20/minute"))


async def customer_id(app: App, who: Who) -> str:
    """The bank customer a log-in is; a portal guest's is made when it is first asked for.

    Raises: Unauthorized; Forbidden for administrators; NotFound for a user without a customer.
    """
    async with app.db.reading() as db:
        known = await customers.of_login(db, who)
    if known is not None:
        return known.id
    async with app.db.transaction() as db:
        return await customers.admit(db, who, utc_now())


def noun() -> APIRouter:
    """A router for one noun of the bank."""
    return APIRouter(tags=["bank"], route_class=ExactRoute, dependencies=[Depends(Limited(RATE))])


CustomerId = Annotated[str, Depends(customer_id)]
