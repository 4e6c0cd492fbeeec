"""`Idempotency-Key`: a request that comes again under its key is answered again and not carried out again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from api.deps import App, Who
from api.errors import ErrorOut
from core import idempotency
from core.clock import utc_now
from core.crypto import keyed_hash
from core.db import Database
from core.errors import AppError
from core.idempotency import MAX_KEY, Asked, InFlight, KeptAnswer
from core.ids import new_id

REPLAYED = "Idempotency-Replayed"

Work = Callable[[AsyncSession], Awaitable[tuple[int, BaseModel]]]
"""An act inside one transaction; the status and the body to answer with."""

_in_flight: set[Asked] = set()


class Repeatable:
    """A request that is carried out once, however often it comes under its key.

    Attributes:
        key: The asker's `Idempotency-Key`; without one, a new name for this request alone.
    """

    def __init__(self, db: Database, asked: Asked | None, headers: Response) -> None:
        self._db = db
        self._asked = asked
        self._headers = headers
        self.key = asked.key if asked else new_id("req")

    async def run(self, work: Work) -> Response:
        """Carry out `work` in a transaction of its own and answer, or answer as the first time.

        A refusal that would be the same every time (an `AppError` that is not retryable) is kept as an answer too:
        who was told that nothing happened must not find later that it did.

        Raises: KeyReused; InFlight; what `work` raises.
        """
        if self._asked is None:
            async with self._db.transaction() as db:
                status, body = await work(db)
            return self._answer(status, body.model_dump_json(by_alias=True))
        if self._asked in _in_flight:
            raise InFlight
        _in_flight.add(self._asked)
        try:
            return await self._once(self._asked, work)
        finally:
            _in_flight.discard(self._asked)

    async def _once(self, asked: Asked, work: Work) -> Response:
        try:
            async with self._db.transaction() as db:
                if kept := await _kept(db, asked):
                    return self._answer(kept.status, kept.body, replayed=True)
                status, body = await _refusing(work(db))
                text = body.model_dump_json(by_alias=True)
                await idempotency.keep(db, asked, status=status, body=text, at=utc_now())
            return self._answer(status, text)
        except _Refused as refused:
            return await self._refuse(asked, refused.error)

    async def _refuse(self, asked: Asked, error: AppError) -> Response:
        """Keep a refusal, whose transaction was undone; if another process was faster, its answer counts."""
        text = ErrorOut.of(error).model_dump_json()
        async with self._db.transaction() as db:
            if kept := await _kept(db, asked):
                return self._answer(kept.status, kept.body, replayed=True)
            await idempotency.keep(db, asked, status=error.status, body=text, at=utc_now())
        return self._answer(error.status, text)

    def _answer(self, status: int, body: str, *, replayed: bool = False) -> Response:
        response = Response(body, status_code=status, media_type="application/json")
        response.headers.raw.extend(self._headers.headers.raw)  # what other dependencies set, such as rate limits
        if replayed:
            response.headers[REPLAYED] = "true"
        return response


async def repeatable(
    request: Request,
    response: Response,
    app: App,
    who: Who,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=MAX_KEY,
            pattern=r"^[\x21-\x7e]+$",
            description="Names this request: the same key and body are answered the same, and carried out once",
        ),
    ] = None,
) -> Repeatable:
    """The request, under its key if it has one."""
    if key is None:
        return Repeatable(app.db, None, response)
    route = f"{request.method} {request.url.path}"
    content = f"{route}?{request.url.query}\n".encode() + await request.body()
    # Keyed: a body may hold a short code, which a bare hash would give away.
    request_hash = keyed_hash(app.secret, "request", content.decode("latin-1"))
    return Repeatable(app.db, Asked(who.subject, route[:200], key, request_hash), response)


async def _kept(db: AsyncSession, asked: Asked) -> KeptAnswer | None:
    await idempotency.lock(db, asked)
    return await idempotency.find(db, asked)


class _Refused(Exception):
    """The work refused, for good."""

    def __init__(self, error: AppError) -> None:
        super().__init__(error.code)
        self.error = error


async def _refusing(work: Awaitable[tuple[int, BaseModel]]) -> tuple[int, BaseModel]:
    try:
        return await work
    except AppError as error:
        if error.retryable or error.status >= 500 or error.status in (401, 403, 429):
            raise
        raise _Refused(error) from None


Once = Annotated[Repeatable, Depends(repeatable)]
