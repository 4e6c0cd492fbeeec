"""Log-ins: renewed once by each refresh token, ended by a second use."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from core.db import Database
from core.errors import NotFound, Unauthorized
from identity import sessions
from identity.sessions import MAX_LIFE, EndedBy, LoginSession, RefreshToken, Renewed

SECRET = "a secret of at least thirty-two bytes"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def opened(database: Database, *, subject: str = "usr_1", now: datetime = NOW) -> tuple[str, str]:
    async with database.transaction() as db:
        session_id, token = await sessions.open_session(
            db, secret=SECRET, subject=subject, role="user", version=2, life=HOUR, renewable=True, now=now
        )
    assert token
    return session_id, token


async def refresh(database: Database, token: str, now: datetime = NOW) -> Renewed | None:
    async with database.transaction() as db:
        return await sessions.refresh(db, secret=SECRET, token=token, life=HOUR, now=now)


async def next_token(database: Database, token: str, now: datetime = NOW) -> str:
    renewed = await refresh(database, token, now)
    assert renewed
    assert renewed.refresh_token
    return renewed.refresh_token


async def alive(database: Database, session_id: str) -> bool:
    async with database.reading() as db:
        try:
            await sessions.check(db, session_id)
        except Unauthorized as refused:
            assert refused.code == "token_withdrawn"
            return False
    return True


async def ended_by(database: Database, session_id: str) -> EndedBy | None:
    async with database.reading() as db:
        return await db.scalar(sa.select(LoginSession.ended_by).where(LoginSession.id == session_id))


async def test_each_token_brings_the_next(database: Database) -> None:
    session_id, token = await opened(database)
    seen = {token}
    for minute in (10, 20, 30):
        now = NOW + timedelta(minutes=minute)
        renewed = await refresh(database, token, now)
        assert renewed
        assert (renewed.session_id, renewed.subject, renewed.role, renewed.version) == (session_id, "usr_1", "user", 2)
        assert (renewed.expires_at, renewed.reused) == (now + HOUR, False)
        assert renewed.refresh_token not in seen
        token = str(renewed.refresh_token)
        seen.add(token)
    assert await alive(database, session_id)


async def test_a_token_used_twice_ends_the_session(database: Database) -> None:
    session_id, first = await opened(database)
    second = await next_token(database, first)
    thief = await refresh(database, first)
    assert thief
    assert (thief.reused, thief.refresh_token, thief.subject) == (True, None, "usr_1")
    assert not await alive(database, session_id)
    assert await ended_by(database, session_id) is EndedBy.REUSE
    assert await refresh(database, second) is None, "the owner's newer token is dead too"


async def test_an_old_token_used_again_much_later_ends_the_session(database: Database) -> None:
    session_id, first = await opened(database)
    token = first
    for _ in range(3):
        token = await next_token(database, token)
    again = await refresh(database, first, NOW + timedelta(minutes=59))
    assert again
    assert again.reused
    assert not await alive(database, session_id)


async def test_a_token_used_many_times_at_once_renews_once(database: Database) -> None:
    session_id, token = await opened(database)
    answers = await asyncio.gather(*(refresh(database, token) for _ in range(10)))
    assert sum(bool(answer and answer.refresh_token) for answer in answers) == 1
    assert sum(bool(answer and answer.reused) for answer in answers) == 9
    assert not await alive(database, session_id)


@pytest.mark.parametrize("token", ["", "nonsense", "\x00", "\ud800", "x" * 10**6])
async def test_what_is_no_token_renews_nothing(database: Database, token: str) -> None:
    session_id, _ = await opened(database)
    assert await refresh(database, token) is None
    assert await alive(database, session_id)


async def test_a_token_is_good_for_its_time(database: Database) -> None:
    _, token = await opened(database)
    assert await refresh(database, token, NOW + HOUR) is None
    _, token = await opened(database)
    assert await refresh(database, token, NOW + HOUR - timedelta(seconds=1))


async def test_no_session_is_renewed_for_ever(database: Database) -> None:
    _, token = await opened(database)
    now = NOW
    while (renewed := await refresh(database, token, now)) is not None:
        assert renewed.expires_at <= NOW + MAX_LIFE
        token = str(renewed.refresh_token)
        now += timedelta(minutes=50)
    assert now - NOW >= MAX_LIFE


async def test_an_ended_session_is_not_renewed(database: Database) -> None:
    session_id, token = await opened(database)
    async with database.transaction() as db:
        await sessions.revoke(db, session_id=session_id, subject="usr_1", now=NOW)
    assert not await alive(database, session_id)
    assert await refresh(database, token) is None
    assert await ended_by(database, session_id) is EndedBy.LOGOUT


async def test_revoking_all_ends_those_that_are_open_and_says_so(database: Database) -> None:
    left, _ = await opened(database)
    open_, token = await opened(database)
    async with database.transaction() as db:
        await sessions.revoke(db, session_id=left, subject="usr_1", now=NOW)
        await sessions.revoke_all(db, subject="usr_1", now=NOW)
    assert await refresh(database, token) is None
    assert [await ended_by(database, each) for each in (left, open_)] == [EndedBy.LOGOUT, EndedBy.REVOKED]


async def test_a_refresh_token_ends_its_session(database: Database) -> None:
    session_id, token = await opened(database)
    other, _ = await opened(database)
    async with database.transaction() as db:
        await sessions.revoke_by_token(db, secret=SECRET, token=token, now=NOW)
        await sessions.revoke_by_token(db, secret=SECRET, token="nonsense", now=NOW)
    assert not await alive(database, session_id)
    assert await alive(database, other)


async def test_nobody_ends_anothers_session(database: Database) -> None:
    session_id, _ = await opened(database)
    async with database.transaction() as db:
        with pytest.raises(NotFound):
            await sessions.revoke(db, session_id=session_id, subject="usr_2", now=NOW)
    assert await alive(database, session_id)


async def test_a_session_that_never_was_is_not_alive(database: Database) -> None:
    assert not await alive(database, "ses_nothing")


async def test_a_session_of_a_guest_has_no_refresh_token(database: Database) -> None:
    async with database.transaction() as db:
        session_id, token = await sessions.open_session(
            db, secret=SECRET, subject="otp_1", role="otp", version=0, life=HOUR, renewable=False, now=NOW
        )
    assert token is None
    assert await alive(database, session_id)


async def test_people_see_their_own_live_sessions(database: Database) -> None:
    first, _ = await opened(database, now=NOW - timedelta(minutes=30))
    ended, _ = await opened(database)
    await opened(database, now=NOW - 2 * HOUR)  # over
    await opened(database, subject="usr_2")
    newest, _ = await opened(database, now=NOW + timedelta(minutes=1))
    async with database.transaction() as db:
        await sessions.revoke(db, session_id=ended, subject="usr_1", now=NOW)
    async with database.reading() as db:
        assert [session.id for session in await sessions.of_user(db, "usr_1", now=NOW)] == [newest, first]


async def test_the_database_holds_no_token(database: Database) -> None:
    _, token = await opened(database)
    async with database.reading() as db:
        row = " ".join(map(str, (await db.execute(sa.text("SELECT * FROM refresh_tokens"))).one()))
    assert token not in row


async def test_old_sessions_are_pruned_with_their_tokens(database: Database) -> None:
    _, token = await opened(database)
    await next_token(database, token)
    young, _ = await opened(database, now=NOW + timedelta(hours=2))
    later = NOW + HOUR + timedelta(days=1, seconds=1)
    async with database.transaction() as db:
        assert await sessions.prune(db, now=later) == 1
        assert list(await db.scalars(sa.select(RefreshToken.session_id))) == [young]
