"""Users and portal codes in the database."""

from __future__ import annotations

import asyncio
import time
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from core.db import Database
from core.errors import AppError, Conflict, Forbidden, Invalid, NotFound, Unauthorized
from core.settings import DEV_ADMIN_PASSWORD, Settings
from identity import admins, otp, users
from identity.actor import SYSTEM, Actor
from identity.otp import CodeState, CodeUsedUp, OtpCode
from identity.users import LoginRefused, User, UserRole

SECRET = "a secret of at least thirty-two bytes"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


# --- Codes ------------------------------------------------------------------------------------------------------------


async def issue(database: Database, **options: object) -> otp.IssuedCode:
    async with database.transaction() as db:
        (code,) = await otp.issue(db, actor=SYSTEM, **({"secret": SECRET, "fmt": "digits6", "now": NOW} | options))  # type: ignore[arg-type]
    return code


async def log_in(database: Database, code: str, now: datetime = NOW) -> OtpCode:
    async with database.reading() as db:
        return await otp.verify(db, secret=SECRET, code=code, now=now)


async def count(database: Database, otp_id: str, now: datetime = NOW) -> int:
    async with database.transaction() as db:
        return await otp.count_use(db, otp_id=otp_id, now=now)


@pytest.mark.parametrize("fmt", ["digits6", "crockford8"])
async def test_an_issued_code_logs_in_as_often_as_wanted_until_its_uses_are_counted(
    database: Database, fmt: str
) -> None:
    code = await issue(database, fmt=fmt, max_uses=2, label="Front desk")
    for _ in range(3):
        assert (await log_in(database, code.code)).id == code.id
    assert await count(database, code.id) == 1
    assert (await log_in(database, f" {code.code.lower()} ")).remaining == 1
    assert await count(database, code.id) == 0
    with pytest.raises(CodeUsedUp) as caught:
        await count(database, code.id)
    assert (caught.value.status, caught.value.code) == (403, "code_used_up")


async def test_whatever_is_wrong_with_a_code_the_answer_is_the_same(database: Database) -> None:
    expired = await issue(database, expires_at=NOW)
    used_up = await issue(database)
    await count(database, used_up.id)
    disabled = await issue(database)
    async with database.transaction() as db:
        await db.execute(sa.update(OtpCode).where(OtpCode.id == disabled.id).values(disabled_at=NOW))
    known = {expired.code, used_up.code, disabled.code}
    unknown = next(code for code in ("000000", "000001", "000002", "000003") if code not in known)

    answers = set()
    for code in (*known, unknown, "", "not a code", "\x00", "9" * 1000):
        with pytest.raises(Unauthorized) as caught:
            await log_in(database, code)
        answers.add((caught.value.code, caught.value.message, caught.value.status))
    assert len(answers) == 1
    assert next(iter(answers))[0] == "code_refused"


async def test_a_code_works_until_the_moment_it_expires(database: Database) -> None:
    code = await issue(database, expires_at=NOW + timedelta(minutes=1), max_uses=5)
    last = NOW + timedelta(seconds=59)
    assert (await log_in(database, code.code, now=last)).id == code.id
    assert await count(database, code.id, now=last) == 4
    with pytest.raises(Unauthorized):
        await log_in(database, code.code, now=NOW + timedelta(minutes=1))
    with pytest.raises(Unauthorized):
        await count(database, code.id, now=NOW + timedelta(minutes=1))


async def test_twenty_at_once_on_one_remaining_use_get_exactly_one(database: Database) -> None:
    for _ in range(5):
        code = await issue(database, max_uses=1)

        async def use(otp_id: str = code.id) -> bool:
            try:
                await count(database, otp_id)
            except CodeUsedUp:
                return False
            return True

        assert sum(await asyncio.gather(*(use() for _ in range(20)))) == 1
        async with database.reading() as db:
            assert (await otp.get(db, code.id)).uses == 1


async def test_the_database_holds_no_code(database: Database) -> None:
    code = await issue(database, fmt="crockford8")
    async with database.reading() as db:
        row = (await db.execute(sa.text("SELECT * FROM otp_codes"))).one()
    assert code.code not in " ".join(map(str, row))


async def test_many_codes_are_all_different(database: Database) -> None:
    async with database.transaction() as db:
        issued = await otp.issue(db, actor=SYSTEM, secret=SECRET, fmt="digits6", count=1000, max_uses=1)
    assert len({code.code for code in issued}) == 1000
    assert len({code.id for code in issued}) == 1000


@pytest.mark.parametrize(("number", "uses"), [(0, 1), (1001, 1), (-1, 1), (1, 0), (1, 10**7)])
async def test_impossible_numbers_of_codes_are_refused(database: Database, number: int, uses: int) -> None:
    with pytest.raises(Invalid):
        async with database.transaction() as db:
            await otp.issue(db, actor=SYSTEM, secret=SECRET, fmt="digits6", count=number, max_uses=uses)


async def change(database: Database, otp_id: str, **changes: object) -> OtpCode:
    async with database.transaction() as db:
        return await otp.change(db, otp_id=otp_id, changes=changes, actor=SYSTEM, now=NOW)


async def remove(database: Database, otp_id: str) -> None:
    async with database.transaction() as db:
        await otp.remove(db, otp_id=otp_id, actor=SYSTEM, now=NOW)


async def test_a_code_is_switched_off_and_on_and_given_more_time(database: Database) -> None:
    code = await issue(database, max_uses=3, expires_at=NOW)
    with pytest.raises(Unauthorized):
        await log_in(database, code.code)
    assert (await change(database, code.id, expires_at=None)).state(NOW) is CodeState.ACTIVE
    await log_in(database, code.code)
    assert (await change(database, code.id, disabled=True, label="lent out")).state(NOW) is CodeState.DISABLED
    with pytest.raises(Unauthorized):
        await log_in(database, code.code)
    with pytest.raises(Unauthorized):
        await count(database, code.id)
    changed = await change(database, code.id, disabled=False)
    assert (changed.label, changed.state(NOW)) == ("lent out", CodeState.ACTIVE)
    await log_in(database, code.code)


async def test_uses_counted_while_a_code_is_lowered_or_deleted_are_never_too_many(database: Database) -> None:
    for lowered_to in (0, 1, 3, None):
        code = await issue(database, max_uses=8)

        async def use(otp_id: str = code.id) -> bool:
            try:
                await count(database, otp_id)
            except (CodeUsedUp, Unauthorized):
                return False
            return True

        async def end(otp_id: str = code.id, lowered_to: int | None = lowered_to) -> int:
            if lowered_to is None:
                await remove(database, otp_id)
            else:
                await change(database, otp_id, max_uses=lowered_to)
            async with database.reading() as db:
                row = await db.get(OtpCode, otp_id)
                assert row is not None
                return row.uses

        before = await asyncio.gather(*(use() for _ in range(2)))
        *used, when_ended = await asyncio.gather(*(use() for _ in range(5)), end())
        after = await asyncio.gather(*(use() for _ in range(10)))
        async with database.reading() as db:
            row = await db.get(OtpCode, code.id)
        assert row is not None
        assert row.uses == sum(before) + sum(used) + sum(after), "every use that was granted is counted"
        assert sum(after) <= max(0, (lowered_to or 0) - when_ended), "and none was granted beyond the new number"


async def test_a_deleted_code_is_gone_but_for_the_record(database: Database) -> None:
    code = await issue(database, keep_clear=True)
    await remove(database, code.id)
    with pytest.raises(Unauthorized):
        await log_in(database, code.code)
    async with database.reading() as db:
        assert await otp.page(db, now=NOW) == ([], 0)
        row = await db.get(OtpCode, code.id)
        assert row is not None
        assert row.clear is None
        with pytest.raises(NotFound):
            await otp.get(db, code.id)
    for gone in (remove(database, code.id), change(database, code.id, max_uses=5)):
        with pytest.raises(NotFound):
            await gone


async def test_a_code_is_shown_again_only_where_a_copy_was_kept_for_that(database: Database) -> None:
    kept, forgotten = await issue(database, keep_clear=True), await issue(database)
    async with database.reading() as db:
        assert (await otp.get(db, kept.id)).clear == kept.code
        assert (await otp.get(db, forgotten.id)).clear is None
        row = (await db.execute(sa.text("SELECT * FROM otp_codes WHERE id = :id"), {"id": kept.id})).one()
    assert kept.code not in " ".join(map(str, row))


async def test_codes_are_listed_by_state_and_label(database: Database) -> None:
    states = {
        (await issue(database, label="Lobby 1")).id: CodeState.ACTIVE,
        (await issue(database, label="lobby 2", expires_at=NOW)).id: CodeState.EXPIRED,
        (used := await issue(database, label="50 % lobby")).id: CodeState.USED_UP,
        (off := await issue(database)).id: CodeState.DISABLED,
    }
    await count(database, used.id)
    await change(database, off.id, disabled=True)
    async with database.reading() as db:
        everything, total = await otp.page(db, now=NOW)
        assert {row.id: row.state(NOW) for row in everything} == states
        assert total == 4
        for state in CodeState:
            rows, number = await otp.page(db, now=NOW, state=state)
            assert ([row.state(NOW) for row in rows], number) == ([state], 1)
        assert (await otp.page(db, now=NOW, search="LOBBY"))[1] == 3
        assert (await otp.page(db, now=NOW, search="0 % l"))[1] == 1
        assert (await otp.page(db, now=NOW, search=off.id))[1] == 1
        assert len((await otp.page(db, now=NOW, page=2, per_page=3))[0]) == 1


async def test_an_unknown_code_id_is_not_found(database: Database) -> None:
    async with database.reading() as db:
        with pytest.raises(NotFound):
            await otp.get(db, "otp_nobody")
    with pytest.raises(Unauthorized):
        await count(database, "otp_nobody")


# --- Users ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def ada(database: Database) -> User:
    async with database.transaction() as db:
        return await users.create(
            db,
            username="Ada",
            password="lovelace1815",
            name="Ada Lovelace",
            role=UserRole.USER,
            email="Ada@Example.com",
            phone="+911234567890",
            now=NOW,
        )


async def authenticate(database: Database, login: str, password: str, role: UserRole | None = None) -> User:
    async with database.reading() as db:
        return await users.authenticate(db, login=login, password=password, role=role)


@pytest.mark.parametrize("login", ["ada", "ADA", " ada@example.COM ", "+911234567890"])
async def test_a_user_logs_in_by_name_address_or_number(database: Database, ada: User, login: str) -> None:
    assert (await authenticate(database, login, "lovelace1815")).id == ada.id


async def test_a_long_address_is_a_name_like_others(database: Database) -> None:
    address = f"{'A' * 60}@{'b' * 60}.example"
    async with database.transaction() as db:
        user = await users.create(
            db, username="long", password="password123", name="Long", role=UserRole.USER, email=address, now=NOW
        )
    assert (await authenticate(database, address, "password123")).id == user.id
    decomposed = unicodedata.normalize("NFD", "rené")
    async with database.transaction() as db:
        rene = await users.create(
            db, username=decomposed, password="password123", name="René", role=UserRole.USER, now=NOW
        )
    for typed in (decomposed, unicodedata.normalize("NFC", "René")):
        assert (await authenticate(database, typed, "password123")).id == rene.id


async def test_every_refused_log_in_sounds_the_same(database: Database, ada: User) -> None:
    answers = set()
    attempts: list[tuple[str, str, UserRole | None]] = [
        ("ada", "wrong password", None),
        ("nobody", "lovelace1815", None),
        ("ada", "lovelace1815", UserRole.ADMIN),
        ("", "", None),
        ("x" * 100, "x", None),
        ("x" * 10_000, "x", None),
        ("\x00", "\ud800", None),
    ]
    for login, password, role in attempts:
        with pytest.raises(Unauthorized) as caught:
            await authenticate(database, login, password, role)
        answers.add((caught.value.code, caught.value.message))
    async with database.transaction() as db:
        (await users.get(db, ada.id)).disabled_at = NOW
    with pytest.raises(Unauthorized) as caught:
        await authenticate(database, "ada", "lovelace1815")
    answers.add((caught.value.code, caught.value.message))
    assert len(answers) == 1


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(database: Database, ada: User) -> None:
    async def median_s(login: str) -> float:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            with pytest.raises(Unauthorized):
                await authenticate(database, login, "wrong password")
            times.append(time.perf_counter() - started)
        return sorted(times)[2]

    known, unknown = await median_s("ada"), await median_s("nobody")
    assert known / 3 < unknown < known * 3  # without a hash an unknown name would take a hundredth


@pytest.mark.parametrize("taken", [{"username": "ADA"}, {"email": "ada@example.com"}, {"phone": "+911234567890"}])
async def test_a_taken_name_is_refused(database: Database, ada: User, taken: dict[str, str]) -> None:
    with pytest.raises(Conflict):
        async with database.transaction() as db:
            await users.create(
                db,
                **({"username": "other"} | taken),  # type: ignore[arg-type]
                password="password123",
                name="Other",
                role=UserRole.USER,
                now=NOW,
            )


async def test_a_changed_password_makes_old_tokens_void(database: Database, ada: User) -> None:
    hashed = await users.new_password(ada, current="lovelace1815", new="another password")
    async with database.transaction() as db:
        await users.set_password(db, user=ada, password_hash=hashed)
    async with database.reading() as db:
        with pytest.raises(Unauthorized) as caught:
            await users.check_current(db, ada.id, version=0)
        assert caught.value.code == "token_withdrawn"
        assert (await users.check_current(db, ada.id, version=1)).id == ada.id
    assert (await authenticate(database, "ada", "another password")).token_version == 1
    with pytest.raises(Unauthorized):
        await authenticate(database, "ada", "lovelace1815")


async def test_of_two_changes_at_once_one_counts(database: Database, ada: User) -> None:
    hashed = await users.new_password(ada, current="lovelace1815", new="another password")
    async with database.transaction() as db:
        await users.set_password(db, user=ada, password_hash=hashed)
    with pytest.raises(Conflict):
        async with database.transaction() as db:
            await users.set_password(db, user=ada, password_hash="$late")
    assert await authenticate(database, "ada", "another password")


@pytest.mark.parametrize("new", ["lovelace1815", "short", DEV_ADMIN_PASSWORD, "x" * 1025])
async def test_a_new_password_must_be_new_and_good(database: Database, ada: User, new: str) -> None:
    with pytest.raises(Invalid) as caught:
        await users.new_password(ada, current="lovelace1815", new=new)
    assert caught.value.code == "bad_password"


async def test_nobody_changes_a_password_without_the_current_one(database: Database, ada: User) -> None:
    with pytest.raises(LoginRefused) as caught:
        await users.new_password(ada, current="wrong", new="another password")
    assert caught.value.user_id == ada.id


async def test_a_refusal_knows_whose_password_was_wrong_and_does_not_say(database: Database, ada: User) -> None:
    with pytest.raises(LoginRefused) as wrong:
        await authenticate(database, "ada@example.com", "wrong password")
    with pytest.raises(LoginRefused) as unknown:
        await authenticate(database, "nobody", "wrong password")
    assert (wrong.value.user_id, unknown.value.user_id) == (ada.id, None)
    assert wrong.value.message == unknown.value.message


async def test_hashing_holds_no_connection(database: Database, ada: User) -> None:
    """More log-ins at once than there are connections leave room for somebody who only reads."""

    async def log_in() -> None:
        with pytest.raises(Unauthorized):
            await authenticate(database, "ada", "wrong password")

    log_ins = [asyncio.create_task(log_in()) for _ in range(24)]
    await asyncio.wait(log_ins, return_when=asyncio.FIRST_COMPLETED)
    async with database.reading() as db:
        assert (await users.get(db, ada.id)).username == "ada"
    assert sum(task.done() for task in log_ins) < 12, "the reader did not wait for the log-ins"
    await asyncio.gather(*log_ins)


# --- The first administrator ------------------------------------------------------------------------------------------


def settings(tmp_path: Path, **values: object) -> Settings:
    defaults = {"_env_file": None, "data_dir": tmp_path, "environment": "development"}
    return Settings(**(defaults | values))  # type: ignore[arg-type]


async def ensure_admin(database: Database, settings: Settings) -> users.FirstAdmin:
    async with database.transaction() as db:
        return await users.ensure_admin(db, settings)


async def test_development_has_the_published_administrator(database: Database, tmp_path: Path) -> None:
    for _ in range(2):
        first = await ensure_admin(database, settings(tmp_path))
        assert first == users.FirstAdmin("cawadmin", DEV_ADMIN_PASSWORD)
    admin = await authenticate(database, "cawadmin", DEV_ADMIN_PASSWORD, UserRole.ADMIN)
    assert not admin.must_change_password


async def test_production_shows_a_random_password_once(database: Database, tmp_path: Path) -> None:
    production = settings(tmp_path, environment="production")
    first = await ensure_admin(database, production)
    assert first.password_to_show is not None
    assert first.password_to_show != DEV_ADMIN_PASSWORD
    admin = await authenticate(database, first.username, first.password_to_show, UserRole.ADMIN)
    assert admin.must_change_password
    assert (await ensure_admin(database, production)).password_to_show is None


async def test_a_configured_password_is_used_and_never_shown(database: Database, tmp_path: Path) -> None:
    configured = settings(tmp_path, environment="production", admin_password=SecretStr("chosen by the owner"))
    assert (await ensure_admin(database, configured)).password_to_show is None
    assert await authenticate(database, "cawadmin", "chosen by the owner", UserRole.ADMIN)


async def test_production_refuses_the_published_password(database: Database, tmp_path: Path) -> None:
    await ensure_admin(database, settings(tmp_path))
    with pytest.raises(Forbidden) as caught:
        await ensure_admin(database, settings(tmp_path, environment="production"))
    assert caught.value.code == "default_admin_password"
    assert isinstance(caught.value, AppError)


# --- Several administrators -------------------------------------------------------------------------------------------


async def add_admin(database: Database, username: str) -> tuple[User, str]:
    password, password_hash = await admins.new_password()
    async with database.transaction() as db:
        user = await admins.add(
            db, username=username, name=username.title(), password_hash=password_hash, actor=SYSTEM, now=NOW
        )
    return user, password


def acting(user: User) -> Actor:
    return Actor(user.id, "admin", "web")


async def disable(database: Database, user: User, *, by: User, disabled: bool = True) -> User:
    async with database.transaction() as db:
        return await admins.set_disabled(db, admin_id=user.id, disabled=disabled, actor=acting(by), now=NOW)


async def test_an_administrator_makes_another_who_must_change_the_password(database: Database) -> None:
    user, password = await add_admin(database, "grace")
    async with database.reading() as db:
        found = await users.authenticate(db, login="Grace", password=password, role=UserRole.ADMIN)
    assert (found.id, found.must_change_password) == (user.id, True)
    with pytest.raises(Conflict):
        await add_admin(database, "GRACE")


async def test_a_disabled_administrator_is_out_and_may_come_back(database: Database) -> None:
    (ada, _), (grace, password) = await add_admin(database, "ada"), await add_admin(database, "grace")
    await disable(database, grace, by=ada)
    async with database.reading() as db:
        with pytest.raises(Unauthorized):
            await users.check_current(db, grace.id, version=grace.token_version)
        with pytest.raises(LoginRefused):
            await users.authenticate(db, login="grace", password=password)
    with pytest.raises(Conflict):
        await disable(database, ada, by=ada)
    await disable(database, grace, by=ada, disabled=False)
    async with database.reading() as db:
        assert (await users.authenticate(db, login="grace", password=password)).id == grace.id


async def test_of_administrators_who_disable_each_other_at_once_one_stays(database: Database) -> None:
    for round_ in range(5):
        (ada, _), (grace, _) = await add_admin(database, f"ada{round_}"), await add_admin(database, f"grace{round_}")
        results = await asyncio.gather(
            disable(database, grace, by=ada), disable(database, ada, by=grace), return_exceptions=True
        )
        assert len([result for result in results if isinstance(result, Conflict)]) == 1
        (left,) = [user for user, result in zip((grace, ada), results, strict=True) if isinstance(result, Conflict)]
        other = ada if left is grace else grace
        async with database.reading() as db:
            assert (await admins.get(db, left.id)).disabled_at is None
            assert (await admins.get(db, other.id)).disabled_at is not None
        async with database.transaction() as db:  # for the next round, nobody is left
            await db.execute(sa.update(User).values(disabled_at=NOW))


async def test_a_lost_password_is_reset_by_somebody_else(database: Database) -> None:
    (ada, _), (grace, old) = await add_admin(database, "ada"), await add_admin(database, "grace")
    password, password_hash = await admins.new_password()
    reset = {"password_hash": password_hash, "remove_totp": True, "now": NOW}
    async with database.transaction() as db:
        with pytest.raises(Conflict):
            await admins.reset_password(db, admin_id=ada.id, actor=acting(ada), **reset)
        await admins.reset_password(db, admin_id=grace.id, actor=acting(ada), **reset)
    async with database.reading() as db:
        with pytest.raises(LoginRefused):
            await users.authenticate(db, login="grace", password=old)
        assert (await users.authenticate(db, login="grace", password=password)).must_change_password
        with pytest.raises(Unauthorized):
            await users.check_current(db, grace.id, version=grace.token_version)
