"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from core.db import MAX_PAGE, MAX_PER_PAGE

Item = TypeVar("Item")


class PaginationOut(BaseModel):
    """Where in a list a page lies."""

    page: int
    per_page: int
    total: int
    pages: int


class PageOut(BaseModel, Generic[Item]):
    """One page of a list."""

    data: list[Item]
    pagination: PaginationOut


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


Page = Annotated[Paging, Query()]
