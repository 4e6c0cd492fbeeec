"""The audit log: on record with the act or not at all, one chain, and whoever changes it is found."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.exc import DBAPIError

from core import idempotency, webhooks
from core.db import Database, migrate
from core.webhooks import Event
from identity import audit
from identity.actor import SYSTEM, Actor
from identity.audit import GENESIS, Heads, Record, Verdict
from identity.otp import OtpCode

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SECRET = "the secret of an audited server, long enough"
JOHN = Actor("usr_john", "user", "voice", call_id="call_1", command="send five hundred to Ravi")


async def write(database: Database, *acts: str, at: datetime = NOW, **more: Any) -> None:
    """One transaction with these acts."""
    async with database.transaction() as db:
        for act in acts:
            audit.note(db, **{"actor": SYSTEM, "act": act, "subject": "x", "customer_id": "cus_1", "at": at} | more)


async def verified(database: Database, heads: Heads | None = None, *, last: int | None = None) -> Verdict:
    signed = list(heads.read()) if heads else []
    async with database.reading() as db:
        return await audit.verify(db, signed, last=last)


async def records(database: Database) -> list[Record]:
    async with database.reading() as db:
        return list(await db.scalars(sa.select(Record).order_by(Record.seq)))


async def tamper(database: Database, *statements: str) -> None:
    """What somebody with all rights to the database can do."""
    async with database.transaction() as db:
        if database.dialect == "postgresql":
            await db.execute(sa.text("SET LOCAL session_replication_role = replica"))
        else:
            for trigger in ("no_update", "no_delete", "no_replace"):
                await db.execute(sa.text(f"DROP TRIGGER IF EXISTS audit_log_{trigger}"))
        for statement in statements:
            await (await db.connection()).exec_driver_sql(statement)


async def rewrite(database: Database, change: Mapping[int, Mapping[str, Any]], *, upto: int | None = None) -> None:
    """Change records and make every hash fit again."""
    rows = await records(database)
    async with database.transaction() as db:
        if database.dialect == "postgresql":
            await db.execute(sa.text("SET LOCAL session_replication_role = replica"))
        previous = GENESIS
        for row in rows[:upto]:
            content = {column.name: getattr(row, column.name) for column in Record.__table__.columns}
            content.update(change.get(row.seq, {}))
            previous = content["hash"] = audit._chain_hash(previous, audit._content(content))
            await db.execute(sa.update(Record).where(Record.seq == row.seq).values(**content))


def sealed_file(tmp_path: Path) -> Heads:
    return Heads(tmp_path / "kept" / "heads.jsonl", secret=SECRET)


# --- Writing ----------------------------------------------------------------------------------------------------------


async def test_a_record_says_who_did_what_through_which_door(database: Database) -> None:
    details = {"amount_minor": 50_000, "payees": ["ben_1"], "new": False, "why": None}
    await write(database, "transfer.posted", actor=JOHN, subject="trf_1", result="ok", details=details)
    (record,) = await records(database)
    assert (record.seq, record.actor, record.role, record.channel) == (1, "usr_john", "user", "voice")
    assert (record.call_id, record.command) == ("call_1", "send five hundred to Ravi")
    assert (record.act, record.subject, record.customer_id) == ("transfer.posted", "trf_1", "cus_1")
    assert (record.result, record.at) == ("ok", NOW)
    assert json.loads(record.details) == details


async def test_the_hash_can_be_recomputed_from_its_published_description(database: Database) -> None:
    import hashlib

    await write(database, "a.b", details={"n": 1})
    await write(database, "c.d", actor=JOHN)
    previous = bytes(32)
    for record in await records(database):
        content = {
            "act": record.act,
            "actor": record.actor,
            "at": record.at.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00"),
            "call_id": record.call_id,
            "channel": record.channel,
            "command": record.command,
            "customer_id": record.customer_id,
            "details": record.details,
            "result": record.result,
            "role": record.role,
            "subject": record.subject,
        }
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=True)
        assert hashlib.sha256(previous + text.encode()).hexdigest() == record.hash
        previous = bytes.fromhex(record.hash)


async def test_an_act_that_is_undone_leaves_no_record_and_no_gap(database: Database) -> None:
    await write(database, "one")
    with pytest.raises(KeyError):
        async with database.transaction() as db:
            audit.note(db, actor=SYSTEM, act="undone", subject=None, at=NOW)
            raise KeyError
    await write(database, "two", "three")
    assert [(record.seq, record.act) for record in await records(database)] == [(1, "one"), (2, "two"), (3, "three")]
    assert await verified(database) == Verdict(True, 3)


async def test_many_at_once_make_one_chain(database: Database) -> None:
    await asyncio.gather(*(write(database, f"act.{n}", f"more.{n}") for n in range(25)))
    rows = await records(database)
    assert [row.seq for row in rows] == list(range(1, 51))
    assert all(rows[i].act.split(".")[1] == rows[i + 1].act.split(".")[1] for i in range(0, 50, 2))
    assert (await verified(database)).ok


async def test_two_processes_make_one_chain(database_url: str) -> None:
    one, other = Database(database_url), Database(database_url)
    await asyncio.gather(*(write(process, f"act.{n}") for n in range(10) for process in (one, other)))
    assert await verified(other) == Verdict(True, 20)
    await one.close()
    await other.close()


async def test_the_tables_go_and_come_back_with_data_in_them(database_url: str) -> None:
    async def fill() -> None:
        database = Database(database_url)
        await write(database, "one", "two")
        async with database.transaction() as db:
            await webhooks.add(
                db, url="https://hook.example/", events=[Event.BALANCE_UPDATED], secret="x" * 16, now=NOW
            )
            webhooks.put(db, event=Event.BALANCE_UPDATED, payload={}, at=NOW)
            asked = idempotency.Asked("usr_1", "POST /pay", "k", "hash")
            await idempotency.keep(db, asked, status=201, body="{}", at=NOW)
        assert await verified(database) == Verdict(True, 2)
        await database.close()

    await fill()
    await asyncio.to_thread(migrate, database_url, "base")
    await asyncio.to_thread(migrate, database_url)
    await fill()


async def test_noting_an_act_holds_up_nobody_until_the_end_of_the_transaction(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("on SQLite writers wait for each other anyway")
    async with database.transaction() as slow:
        slow.add(OtpCode(id="a", code_hash="a", max_uses=1, created_at=NOW))
        audit.note(slow, actor=SYSTEM, act="slow", subject=None, at=NOW)
        await slow.flush()
        async with asyncio.timeout(2):
            await write(database, "fast")
    assert [record.act for record in await records(database)] == ["fast", "slow"]


async def test_what_the_transaction_locks_besides_is_locked_before_the_chain(database: Database) -> None:
    """Two acts on one row, noted before the row is written, would otherwise wait for each other."""
    if database.dialect == "sqlite":
        pytest.skip("on SQLite writers wait for each other anyway")
    async with database.transaction() as db:
        db.add(OtpCode(id="a", code_hash="a", max_uses=1, created_at=NOW))
    both_read = asyncio.Barrier(2)

    async def use_once() -> None:
        async with database.transaction() as db:
            row = await db.get_one(OtpCode, "a")
            audit.note(db, actor=SYSTEM, act="used", subject="a", at=NOW)
            await both_read.wait()
            row.uses = OtpCode.uses + 1  # written when the transaction ends

    await asyncio.gather(use_once(), use_once())
    assert len(await records(database)) == 2


@pytest.mark.parametrize(
    "text",
    ["pay \x00 Ravi", "caf\u0065\u0301", "\ud83d half a sign", "₹५०० भेजो", "x" * 5000, ""],
    ids=["nul", "decomposed", "surrogate", "hindi", "long", "empty"],
)
async def test_any_text_can_be_said_and_the_chain_holds(database: Database, text: str) -> None:
    await write(database, "said", actor=replace(JOHN, command=text), details={"said": text[:300]}, subject=text[:100])
    assert await verified(database) == Verdict(True, 1)
    (record,) = await records(database)
    assert record.command is not None
    assert len(record.command) <= audit.MAX_COMMAND
    assert json.loads(record.details)["said"] == text[:300]


async def test_numbers_of_cards_and_accounts_that_were_said_are_not_kept(database: Database) -> None:
    await write(database, "said", actor=replace(JOHN, command="block my card 4111 1111 1111 1111 please"))
    (record,) = await records(database)
    assert record.command == "block my card [digits] please"


async def test_details_that_are_no_plain_values_are_a_mistake_of_the_program(database: Database) -> None:
    for details in ({"at": NOW}, {"n": float("nan")}):
        with pytest.raises((TypeError, ValueError)):
            await write(database, "bad", details=details)
    assert await records(database) == []


# --- The database's own refusal ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("", "UPDATE audit_log SET result = 'ok' WHERE seq = 1"),
        ("", "DELETE FROM audit_log"),
        (
            "",
            "INSERT INTO audit_log SELECT * FROM audit_log WHERE true ON CONFLICT (seq) DO UPDATE SET act = 'changed'",
        ),
        ("sqlite", "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log WHERE seq = 1"),
        ("sqlite", "UPDATE OR REPLACE audit_log SET seq = 1 WHERE seq = 2"),
        ("postgresql", "TRUNCATE audit_log"),
        ("postgresql", "TRUNCATE audit_log CASCADE"),
    ],
)
async def test_the_database_refuses_to_change_records(database: Database, dialect: str, statement: str) -> None:
    if dialect not in ("", database.dialect):
        pytest.skip(f"only {dialect} has this statement")
    await write(database, "one", "two")
    before = [record.hash for record in await records(database)]
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as db:
            await (await db.connection()).exec_driver_sql(statement)
    assert [record.hash for record in await records(database)] == before


# --- Finding what was changed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "first_broken"),
    [
        ("UPDATE audit_log SET result = 'refused' WHERE seq = 3", 3),
        ("UPDATE audit_log SET details = '{\"amount_minor\":1}' WHERE seq = 4", 4),
        ("UPDATE audit_log SET command = 'something else' WHERE seq = 2", 2),
        ("UPDATE audit_log SET customer_id = NULL WHERE seq = 5", 5),
        ("UPDATE audit_log SET at = '2026-03-01 12:00:00.123457+00:00' WHERE seq = 1", 1),
        ("DELETE FROM audit_log WHERE seq = 3", 3),
        ("DELETE FROM audit_log WHERE seq = 1", 1),
        ("UPDATE audit_log SET seq = 7 WHERE seq = 6", 6),
    ],
)
async def test_the_first_record_that_was_changed_is_named(
    database: Database, statement: str, first_broken: int
) -> None:
    for n in range(6):
        await write(database, f"act.{n}", actor=JOHN, details={"n": n})
    if database.dialect == "sqlite":
        statement = statement.replace("+00:00", "")
    await tamper(database, statement)
    verdict = await verified(database)
    assert (verdict.ok, verdict.first_broken, verdict.checked) == (False, first_broken, first_broken - 1)
    assert str(first_broken) in verdict.why


async def test_a_changed_record_whose_hash_was_made_to_fit_is_found_at_the_next(database: Database) -> None:
    for n in range(4):
        await write(database, f"act.{n}")
    await tamper(database)
    await rewrite(database, {2: {"act": "nothing"}}, upto=2)
    assert (await verified(database)).first_broken == 3


async def test_a_long_chain_is_read_page_by_page_and_a_part_of_it_alone(database: Database) -> None:
    for _ in range(9):
        await write(database, *("act",) * 100)
    assert await verified(database) == Verdict(True, 900)
    assert await verified(database, last=50) == Verdict(True, 50)
    assert await verified(database, last=5000) == Verdict(True, 900)
    await tamper(database, "UPDATE audit_log SET act = 'other' WHERE seq = 850")
    assert (await verified(database)).first_broken == 850
    assert (await verified(database, last=100)).first_broken == 850
    assert (await verified(database, last=50)).ok  # the changed one is not among them


async def test_an_empty_log_is_well(database: Database) -> None:
    assert await verified(database) == Verdict(True, 0)
    assert await verified(database, last=10) == Verdict(True, 0)


# --- Signed heads -----------------------------------------------------------------------------------------------------


async def test_a_whole_chain_made_anew_is_found_by_a_signed_head(database: Database, tmp_path: Path) -> None:
    heads = sealed_file(tmp_path)
    await write(database, "one", "two", "three")
    await heads.sign(database, now=NOW)
    await write(database, "four")
    assert await verified(database, heads) == Verdict(True, 4, heads=1)
    await tamper(database)
    await rewrite(database, {2: {"customer_id": "cus_other"}})
    assert (await verified(database)).ok, "the chain itself holds again"
    verdict = await verified(database, heads)
    assert (verdict.ok, verdict.first_broken) == (False, 3)


async def test_a_chain_that_was_cut_is_found_by_a_signed_head(database: Database, tmp_path: Path) -> None:
    heads = sealed_file(tmp_path)
    await write(database, "one", "two", "three")
    await heads.sign(database, now=NOW)
    await tamper(database, "DELETE FROM audit_log WHERE seq > 1")
    assert (await verified(database)).ok, "what is left holds"
    verdict = await verified(database, heads)
    assert (verdict.ok, verdict.first_broken, verdict.checked) == (False, 2, 1)
    await tamper(database, "DELETE FROM audit_log")
    assert (await verified(database, heads)).first_broken == 1


async def test_two_heads_that_contradict_each_other_are_found(database: Database, tmp_path: Path) -> None:
    heads = sealed_file(tmp_path)
    await write(database, "one")
    await heads.sign(database, now=NOW)
    await tamper(database)
    await rewrite(database, {1: {"act": "other"}})
    (tmp_path / "kept" / "heads.jsonl").rename(tmp_path / "first")
    await sealed_file(tmp_path).sign(database, now=NOW)
    with (tmp_path / "first").open("ab") as file:
        file.write((tmp_path / "kept" / "heads.jsonl").read_bytes())
    both = Heads(tmp_path / "first", secret=SECRET)
    assert (await verified(database, both)).first_broken == 1


async def test_heads_are_signed_every_hundred_records_or_sixty_seconds(database: Database, tmp_path: Path) -> None:
    heads = sealed_file(tmp_path)
    assert await heads.sign_due(database, now=NOW) is None, "there is nothing yet"
    await write(database, "one")
    assert await heads.sign_due(database, now=NOW + timedelta(seconds=59)) is None
    head = await heads.sign_due(database, now=NOW + timedelta(seconds=60))
    assert head is not None
    assert head.seq == 1
    await write(database, *("act",) * 99)
    assert await heads.sign_due(database, now=NOW + timedelta(seconds=61)) is None
    await write(database, "act")
    head = await heads.sign_due(database, now=NOW + timedelta(seconds=61))
    assert head is not None
    assert head.seq == 101
    assert await heads.sign_due(database, now=NOW + timedelta(hours=1)) is None, "nothing was added"
    assert [head.seq for head in heads.read()] == [1, 101]


async def test_after_a_restart_only_what_is_new_is_signed(database: Database, tmp_path: Path) -> None:
    await write(database, "one", "two")
    await sealed_file(tmp_path).sign(database, now=NOW)
    again = sealed_file(tmp_path)
    assert await again.sign(database, now=NOW) is None
    await write(database, "three")
    head = await again.sign(database, now=NOW)
    assert head is not None
    assert head.seq == 3


async def test_a_head_can_be_verified_by_others_with_the_public_key(database: Database, tmp_path: Path) -> None:
    heads = sealed_file(tmp_path)
    await write(database, "one")
    await heads.sign(database, now=NOW)
    line = json.loads((tmp_path / "kept" / "heads.jsonl").read_text())
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(heads.public_key))
    content = f"parley audit head {line['seq']} {line['hash']} {line['at']}"
    key.verify(base64.b64decode(line["signature"]), content.encode())
    assert (tmp_path / "kept" / "heads.jsonl").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "change", [("1,", "2,"), ('"hash":"', '"hash":"0'), ('"signature":"', '"signature":"AAAA'), ("2026", "2027")]
)
async def test_a_changed_head_is_found(database: Database, tmp_path: Path, change: tuple[str, str]) -> None:
    heads = sealed_file(tmp_path)
    await write(database, "one")
    await heads.sign(database, now=NOW)
    file = tmp_path / "kept" / "heads.jsonl"
    changed = file.read_text().replace(*change, 1)
    assert changed != file.read_text()
    file.write_text(changed)
    with pytest.raises(ValueError, match="line 1"):
        list(heads.read())


async def test_a_head_of_another_server_is_not_ours(database: Database, tmp_path: Path) -> None:
    await write(database, "one")
    await sealed_file(tmp_path).sign(database, now=NOW)
    other = Heads(tmp_path / "kept" / "heads.jsonl", secret="the secret of another server, also long")
    with pytest.raises(ValueError, match="line 1"):
        list(other.read())


async def test_a_line_cut_off_by_a_crash_does_no_harm(database: Database, tmp_path: Path) -> None:
    heads = sealed_file(tmp_path)
    await write(database, "one")
    await heads.sign(database, now=NOW)
    file = tmp_path / "kept" / "heads.jsonl"
    file.write_bytes(file.read_bytes() + b'{"at":"2026-03-01T12:0')
    again = sealed_file(tmp_path)
    await write(database, "two")
    await again.sign(database, now=NOW)
    assert [head.seq for head in again.read()] == [1, 2]
    assert await verified(database, again) == Verdict(True, 2, heads=2)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_log SET act = 'x' WHERE seq = 2", "DELETE FROM audit_log", "UPDATE audit_log SET hash=''"],
)
async def test_a_chain_that_does_not_hold_is_not_signed(database: Database, tmp_path: Path, statement: str) -> None:
    heads = sealed_file(tmp_path)
    await write(database, "one")
    await heads.sign(database, now=NOW)
    await write(database, "two")
    await tamper(database, statement)
    assert await heads.sign(database, now=NOW) is None
    assert [head.seq for head in heads.read()] == [1]


# --- Reading ----------------------------------------------------------------------------------------------------------


async def test_records_are_found_by_what_whose_which_call_and_when(database: Database) -> None:
    await write(database, "transfer.posted", actor=JOHN)
    await write(database, "transfer.declined", actor=JOHN, customer_id="cus_2", at=NOW + timedelta(minutes=1))
    await write(database, "payee.added", at=NOW + timedelta(minutes=2))

    async def found(**wanted: Any) -> tuple[list[int], int]:
        async with database.reading() as db:
            rows, total = await audit.page(db, **wanted)
        return [row.seq for row in rows], total

    assert await found() == ([3, 2, 1], 3)
    assert await found(page=2, per_page=2) == ([1], 3)
    assert await found(page=2**62, per_page=2**62) == ([], 3)
    assert await found(act="payee.added") == ([3], 1)
    assert await found(customer_id="cus_1", per_page=1) == ([3], 2)
    assert await found(call_id="call_1") == ([2, 1], 2)
    assert await found(since=NOW + timedelta(minutes=1)) == ([3, 2], 2)
    assert await found(until=NOW + timedelta(minutes=1)) == ([1], 1)
    assert await found(act="payee.added", customer_id="cus_2") == ([], 0)
