"""What the bank's handlers ask for: whose bank it is, and which page of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from api.bank.exact import ExactRoute
from api.bank.schemas import Id, PageOut, PaginationOut
from api.deps import App, Who
from api.limited import Limited
from banking import customers
from core.clock import utc_now
from core.db import MAX_PAGE, MAX_PER_PAGE

RATE = "600/minute"
"""What a person's page, or a program of theirs, may ask of any one route."""

MONEY = Depends(Limited("120/minute"))
CODES = Depends(Limited("20/minute"))

Item = TypeVar("Item")


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


class Paging(BaseModel):
    """Which page of a list."""

    page: int = Field(1, ge=1, le=MAX_PAGE)
    per_page: int = Field(20, ge=1, le=MAX_PER_PAGE)

    def of(self, items: list[Item], total: int) -> PageOut[Item]:
        """Such a page, holding `items` of `total`."""
        return PageOut(data=items, pagination=self.pagination(total))

    def cut(self, items: Sequence[Item]) -> PageOut[Item]:
        """Such a page of a list that is here as a whole."""
        start = (self.page - 1) * self.per_page
        return self.of(list(items[start : start + self.per_page]), len(items))

    def pagination(self, total: int) -> PaginationOut:
        """Where this page lies among `total` items."""
        return PaginationOut(page=self.page, per_page=self.per_page, total=total, pages=-(-total // self.per_page))


CustomerId = Annotated[str, Depends(customer_id)]
Page = Annotated[Paging, Query()]
PathId = Annotated[Id, Path()]
