"""The live traffic as its listeners hear it: at once, on every change, and no longer than they may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api import live
from api.app import create_app
from api.live import LiveOut, Ticker
from calls import log, usage
from core import tasks
from core.clock import utc_now
from core.db import Database
from core.errors import Busy
from core.ids import new_id
from core.settings import Settings
from identity import otp, sessions, users
from identity.actor import SYSTEM
from identity.tokens import Claims
from identity.users import UserRole

SOON_S = 5.0
"""Well under the beat of 15 s, well over the second between two looks."""


class Studio:
    """An application that is not served, its ticker, and an administrator."""

    def __init__(self, database: Database, data_dir: Path) -> None:
        settings = Settings(
            _env_file=None,  # pyright: ignore[reportCallIssue]
            data_dir=data_dir,
            database_url=database.url.render_as_string(hide_password=False),
            smart_turn_process=False,
            media_workers=0,
        )
        self.db = database
        self.app = create_app(settings)
        self.ticker: Ticker = self.app.state.ticker

    async def log_in(self) -> Claims:
        now = utc_now()
        async with self.db.transaction() as db:
            user = await users.register(
                db, username=new_id("x"), password_hash="x", name="Ada", role=UserRole.ADMIN, now=now
            )
            session_id, _ = await sessions.open_session(
                db,
                secret="s" * 32,
                subject=user.id,
                role="admin",
                version=0,
                life=timedelta(hours=1),
                renewable=False,
                now=now,
            )
        return Claims(user.id, "admin", (), None, None, 0, "1", now, now + timedelta(hours=1), session_id)

    async def access(self) -> None:
        """Something that changes today's numbers."""
        async with self.db.transaction() as db:
            (code,) = await otp.issue(db, actor=SYSTEM, secret="s" * 32, fmt="digits6")
            await usage.grant_access(db, otp_id=code.id, agent_type="banking", now=utc_now())

    async def call(self) -> None:
        """Something that is told at the next look."""
        async with self.db.transaction() as db:
            await log.open_call(
                db,
                call_id=new_id("call"),
                agent_type="banking",
                subject="x",
                role="user",
                channel="webrtc",
                at=utc_now(),
            )


@pytest.fixture
async def studio(database: Database, tmp_path: Path) -> AsyncIterator[Studio]:
    studio = Studio(database, tmp_path)
    yield studio
    await studio.ticker.close()
    await studio.app.state.shared.db.close()


async def news(stream: AsyncIterator[LiveOut | None]) -> LiveOut:
    async with asyncio.timeout(SOON_S):
        found = await anext(stream)
    assert found is not None
    return found


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not true():
            await asyncio.sleep(0.02)


async def test_a_listener_hears_what_is_and_then_what_changes(studio: Studio) -> None:
    who = await studio.log_in()
    stream = studio.ticker.listen(who)
    assert (first := await news(stream)).calls == []
    assert (first.seats, first.seats_taken, first.today.accesses) == (8, 0, 0)

    async with studio.db.transaction() as db:
        now = utc_now()
        await log.open_call(
            db, call_id="call_1", agent_type="banking", subject="x", role="user", channel="webrtc", at=now
        )
    (call,) = (await news(stream)).calls
    assert (call.id, call.agent_name, call.connected_at) == ("call_1", "Bank", None)
    async with studio.db.transaction() as db:
        await log.connected(db, call_id="call_1", at=utc_now())
    (call,) = (await news(stream)).calls
    assert call.connected_at is not None
    also = studio.ticker.listen(who)
    assert [each.id for each in (await news(also)).calls] == ["call_1"], "whoever comes later hears what is, at once"
    async with studio.db.transaction() as db:
        await log.close_call(db, call_id="call_1", reason="hung_up", at=utc_now())
    for each in (stream, also):
        told = await news(each)
        assert (told.calls, told.today.calls, told.today.connected) == ([], 1, 1)
        await each.aclose()


async def test_nothing_new_is_not_told(studio: Studio) -> None:
    stream = studio.ticker.listen(await studio.log_in())
    await news(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.wait([waiting], timeout=3 * live.LOOK_EVERY_S)
    assert not waiting.done()
    await studio.call()
    async with asyncio.timeout(SOON_S):
        told = await waiting
    assert told is not None and (len(told.calls), told.today.calls) == (1, 1)
    await stream.aclose()


async def test_todays_numbers_are_read_when_a_call_began_or_ended_and_once_a_beat(studio: Studio) -> None:
    now_s = 0.0
    numbers = live.Today(clock=lambda: now_s)

    async def accesses(*calls: str) -> int:
        async with studio.db.reading() as db:
            return (await numbers.numbers(db, calls=set(calls), now=utc_now())).accesses

    assert await accesses() == 0
    await studio.access()
    now_s = live.BEAT_S - 0.1
    assert await accesses() == 0
    now_s = live.BEAT_S
    assert await accesses() == 1
    await studio.access()
    assert (await accesses("call_1"), await accesses("call_1")) == (2, 2), "a call began"
    await studio.access()
    assert await accesses() == 3, "a call ended"


async def test_who_has_logged_out_hears_nothing_more(studio: Studio) -> None:
    who, other = await studio.log_in(), await studio.log_in()
    stream, others = studio.ticker.listen(who), studio.ticker.listen(other)
    await news(stream)
    await news(others)
    waiting = asyncio.ensure_future(news(stream))
    await asyncio.sleep(0.1)
    assert who.session_id is not None
    async with studio.db.transaction() as db:
        await sessions.revoke(db, session_id=who.session_id, subject=who.subject, now=utc_now())
    await studio.call()
    with pytest.raises(StopAsyncIteration):
        await waiting
    assert (await news(others)).today.calls == 1
    await others.aclose()


async def test_when_the_server_stops_every_stream_ends_and_no_task_is_left(studio: Studio) -> None:
    before = tasks.running()
    who = await studio.log_in()
    streams = [studio.ticker.listen(who) for _ in range(20)]
    for stream in streams:
        await news(stream)
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await asyncio.sleep(0)
    assert tasks.running() > before
    await studio.ticker.close()
    async with asyncio.timeout(SOON_S):
        ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, StopAsyncIteration) for each in ended)
    await until(lambda: tasks.running() == before)
    with pytest.raises(Busy):
        studio.ticker.check_room()


async def test_nobody_looks_when_nobody_listens(studio: Studio) -> None:
    before = tasks.running()
    who = await studio.log_in()
    for _ in range(2):
        stream = studio.ticker.listen(who)
        await news(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)
        waiting.cancel()  # the page is closed
        await asyncio.gather(waiting, return_exceptions=True)
        await stream.aclose()
        await until(lambda: tasks.running() == before)


async def test_there_is_room_for_fifty(studio: Studio) -> None:
    who = await studio.log_in()
    for _ in range(2):
        streams = []
        for _ in range(live.MAX_LISTENERS):
            studio.ticker.check_room()
            streams.append(studio.ticker.listen(who))
            await news(streams[-1])
        with pytest.raises(Busy):
            studio.ticker.check_room()
        for stream in streams:
            await stream.aclose()


async def test_whatever_goes_wrong_with_one_look_there_is_another(studio: Studio) -> None:
    stream = studio.ticker.listen(await studio.log_in())
    await news(stream)
    await rename(studio.db, "calls", "lost_calls")
    try:
        await asyncio.sleep(2 * live.LOOK_EVERY_S)
    finally:
        await rename(studio.db, "lost_calls", "calls")
    await studio.call()
    assert (await news(stream)).today.calls == 1
    await stream.aclose()


async def rename(database: Database, table: str, name: str) -> None:
    async with database.transaction() as db:
        await db.execute(sa.text(f"ALTER TABLE {table} RENAME TO {name}"))
