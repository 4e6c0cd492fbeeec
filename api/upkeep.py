"""What the server does by itself while it runs: reminders, expiry, deliveries, signed heads, pruning."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

from loguru import logger

from api import system
from api.deps import Shared
from banking import holds, reminders, transfers
from calls import log as call_log
from calls import traffic, usage
from core import idempotency, webhooks
from core.clock import utc_now
from core.errors import AppError
from core.jobs import Jobs
from core.webhooks import Courier
from identity import mfa, sessions
from identity.audit import Heads

Work = Callable[..., Awaitable[object]]


class Upkeep:
    """The recurring work of one process; several processes share it without doing anything twice."""

    def __init__(self, shared: Shared) -> None:
        settings = shared.settings
        self._shared = shared
        self._db = shared.db
        self._longest = timedelta(seconds=settings.max_call_s) + timedelta(hours=1)
        self._jobs = Jobs(self._note)
        self._courier = Courier(shared.db, allow_private=settings.webhook_allow_private)
        self._heads = Heads.of_settings(settings, secret=shared.secret)

    def begin(self) -> None:
        """Start; call once the event loop runs."""
        every = self._jobs.every
        every(2, self._in_transaction(reminders.fire_due), "reminders")
        every(10, self._in_transaction(transfers.expire_due), "expired drafts")
        every(30, self._in_transaction(holds.release_expired), "expired holds")
        every(1, self._courier.tick, "webhooks")
        every(2, self._write_refusals, "refusals")
        every(60, self._sum_traffic, "traffic")
        every(60, self._close_forgotten, "forgotten calls")
        every(10, self._sign_heads, "audit heads")
        every(10, partial(system.look, self._shared), "health")
        for name, prune in (
            ("second factors", mfa.prune),
            ("sessions", sessions.prune),
            ("deliveries", webhooks.prune),
            ("idempotency keys", idempotency.prune),
        ):
            every(60, self._in_transaction(prune), f"pruning {name}")

    async def close(self) -> None:
        """Stop, and sign what the audit chain has come to."""
        await self._jobs.close()
        with suppress(AppError):
            await self._write_refusals()
        await self._courier.close()
        try:
            await self._heads.sign(self._db, now=utc_now())
        except (AppError, ValueError, OSError) as error:
            logger.error("The end of the audit log was not signed: {}", error)

    def _note(self, job: str, wrong: str | None) -> None:
        self._shared.parts.note(f"job {job}", ok=wrong is None, at=utc_now(), detail=wrong or "")

    async def _write_refusals(self) -> None:
        if self._shared.switchboard.refusals.waiting:
            async with self._db.transaction() as db:
                await self._shared.switchboard.refusals.write(db, now=utc_now())

    async def _sum_traffic(self) -> None:
        more = True
        while more:
            async with self._db.transaction() as db:
                more = await traffic.sum_up(db, now=utc_now())

    async def _close_forgotten(self) -> None:
        now = utc_now()
        async with self._db.transaction() as db:
            if swept := await call_log.sweep_forgotten(db, at=now, longest=self._longest):
                await usage.return_unserved(db, call_ids=swept, now=now)

    async def _sign_heads(self) -> None:
        await self._heads.sign_due(self._db, now=utc_now())

    def _in_transaction(self, work: Work) -> Callable[[], Awaitable[object]]:
        async def run() -> object:
            async with self._db.transaction() as db:
                return await work(db, now=utc_now())

        return run
