"""What customers have asked the bank's people to do, for those people."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.deps import Acting, App, admin
from api.fields import PathId
from api.limited import OPERATOR
from api.paging import PageOut, Paging
from banking import customers, requests
from banking.requests import RequestKind, RequestState, ServiceRequest
from core.clock import utc_now

router = APIRouter(prefix="/requests", tags=["requests"], dependencies=[Depends(admin), OPERATOR])


class RequestsIn(Paging):
    """Which requests."""

    state: RequestState | None = None
    kind: RequestKind | None = None


class RequestOut(BaseModel):
    """Work for a person at the bank."""

    id: str
    customer_id: str
    customer_name: str
    kind: RequestKind
    note: str
    call_id: str | None = Field(description="The call it was asked for in")
    state: RequestState
    created_at: datetime


@router.get("")
async def list_requests(app: App, wanted: Annotated[RequestsIn, Query()]) -> PageOut[RequestOut]:
    """What customers have asked for, the newest first."""
    async with app.db.reading() as db:
        rows, total = await requests.page(
            db, state=wanted.state, kind=wanted.kind, page=wanted.page, per_page=wanted.per_page
        )
        names = await customers.names(db, (row.customer_id for row in rows))
    return wanted.of([_shown(row, names[row.customer_id]) for row in rows], total)


@router.post("/{request_id}/done")
async def close_request(request_id: PathId, app: App, actor: Acting) -> RequestOut:
    """Mark a request as seen to; again changes nothing."""
    async with app.db.transaction() as db:
        row = await requests.close(db, actor=actor, request_id=request_id, now=utc_now())
        return _shown(row, (await customers.get(db, row.customer_id)).name)


def _shown(row: ServiceRequest, customer_name: str) -> RequestOut:
    return RequestOut(
        id=row.id,
        customer_id=row.customer_id,
        customer_name=customer_name,
        kind=row.kind,
        note=row.note,
        call_id=row.call_id,
        state=row.state,
        created_at=row.created_at,
    )
