"""The audit log: who did what, as a chain of hashes written in the same transaction as the act.

A record's hash is SHA-256 over the hash before it and its own content as canonical JSON: a record that is changed,
taken out or put in breaks the chain from there on. A whole chain made anew is found by the signed heads, which are
kept apart from the table.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from loguru import logger
from sqlalchemy import BigInteger, Index, String, Text, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, Database, UtcDateTime, at_page, before_commit, storable_text
from core.log import redact
from core.settings import Settings
from identity.actor import Actor

Result = Literal["ok", "refused", "failed"]

GENESIS = "0" * 64
"""What stands before the first record."""

MAX_COMMAND = 500
MAX_DETAILS = 4000
MAX_PER_PAGE = 200
HEAD_EVERY_RECORDS = 100
HEAD_EVERY = timedelta(seconds=60)
WALK_PAGE = 400  # about 5 ms of hashing at a time


class Record(Base):
    """One act on record; never changed, never deleted.

    Attributes:
        seq: Its place in the chain: 1, 2, 3, … without a gap.
        actor: Who did it: a user's or portal code's id, or "system".
        act: What was done ("transfer.posted").
        subject: What it was done to: an id.
        customer_id: Whose money or data it concerned.
        command: What the actor said or asked for, where that is kept.
        details: The rest, as canonical JSON.
        hash: SHA-256 over the hash before it and this record's content.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_act_seq", "act", "seq"),
        Index("ix_audit_log_at", "at"),
        Index("ix_audit_log_call_id", "call_id"),
        Index("ix_audit_log_customer_id_seq", "customer_id", "seq"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(40))
    role: Mapped[str] = mapped_column(String(20))
    channel: Mapped[str] = mapped_column(String(20))
    call_id: Mapped[str | None] = mapped_column(String(40))
    act: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str | None] = mapped_column(String(64))
    customer_id: Mapped[str | None] = mapped_column(String(40))
    result: Mapped[str] = mapped_column(String(10))
    command: Mapped[str | None] = mapped_column(Text)
    details: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying the chain found.

    Attributes:
        checked: Records that were read and are as they were written.
        first_broken: Place of the first record that is not; None if all are well.
        why: What is wrong with it, for people; empty if all are well.
        heads: Signed heads the chain was held against.
    """

    ok: bool
    checked: int
    first_broken: int | None = None
    why: str = ""
    heads: int = 0


@dataclass(frozen=True, slots=True)
class SignedHead:
    """What the end of the chain was at a moment, signed.

    Attributes:
        signature: Ed25519 over `content`, base64.
    """

    seq: int
    hash: str
    at: datetime
    signature: str = ""

    @property
    def content(self) -> bytes:
        """What is signed."""
        return f"parley audit head {self.seq} {self.hash} {_moment(self.at)}".encode()


# --- Writing ----------------------------------------------------------------------------------------------------------

_PENDING = "audit"
_TABLE = Record.metadata.tables[Record.__tablename__]
_GIVEN = [column for column in _TABLE.columns if column.name not in ("seq", "hash")]
# A view of revision 0006: the end of the chain; on Postgres reading it takes the chain's lock first.
_HEAD = sa.table("audit_head", sa.column("seq", BigInteger), sa.column("hash", String))
# One statement, so that the chain is locked for as short as can be.
_APPEND = insert(_TABLE).from_select(
    [*_GIVEN, _TABLE.c.seq, _TABLE.c.hash],
    select(
        *(sa.bindparam(column.name, type_=column.type) for column in _GIVEN),
        _HEAD.c.seq + 1,
        func.chain_hash(_HEAD.c.hash, sa.bindparam("content", type_=Text), type_=String),
    ),
)


def note(
    db: AsyncSession,
    *,
    actor: Actor,
    act: str,
    subject: str | None,
    customer_id: str | None = None,
    at: datetime,
    result: Result = "ok",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Put an act on record: with this transaction, or not at all.

    The record joins the chain as the transaction's last deed, so that the chain's end is locked only shortly.

    Args:
        act: What was done, as noun.verb ("transfer.posted").
        subject: Id of what it was done to.
        customer_id: Whose money or data it concerned.
        details: Texts, whole numbers, booleans and lists of them that say more; no secrets and no personal data.
    """
    text = _canonical(details or {})
    assert len(text) <= MAX_DETAILS, f"the details of {act} are too long for the record"
    record = {
        "at": at.astimezone(UTC),
        "actor": actor.subject,
        "role": actor.role,
        "channel": actor.channel,
        "call_id": actor.call_id,
        "act": act,
        "subject": None if subject is None else storable_text(subject, max_length=64),
        "customer_id": customer_id,
        "result": result,
        "command": None if actor.command is None else storable_text(redact(actor.command), max_length=MAX_COMMAND),
        "details": text,
    }
    db.info.setdefault(_PENDING, []).append({**record, "content": _content(record)})
    before_commit(db, _PENDING, _append, last=True)


async def _append(db: AsyncSession) -> None:
    """Add what was noted to the chain."""
    await db.flush()  # whatever else this transaction locks, it locks before the end of the chain
    connection = await db.connection()
    if connection.dialect.name == "sqlite":
        await _teach_to_hash(connection)
    await connection.execute(_APPEND, db.info.pop(_PENDING))


async def _teach_to_hash(connection: AsyncConnection) -> None:
    """Give a connection to SQLite, once, the function that Postgres has from revision 0006."""
    raw = await connection.get_raw_connection()
    if not raw.info.get("chain_hash"):
        assert raw.driver_connection is not None
        await raw.driver_connection.create_function("chain_hash", 2, _chain_hash)
        raw.info["chain_hash"] = True


def _chain_hash(previous: str, content: str) -> str:
    return hashlib.sha256(bytes.fromhex(previous) + content.encode()).hexdigest()


def _content(record: Mapping[Any, Any]) -> str:
    """What of a record is hashed: all but its place, which the chain itself gives it."""
    return _canonical({column.name: record[column.name] for column in _GIVEN} | {"at": _moment(record["at"])})


def _canonical(content: Mapping[str, Any]) -> str:
    """JSON that is the same for the same content: sorted, without spaces, in ASCII."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


# --- Reading ----------------------------------------------------------------------------------------------------------


async def page(
    db: AsyncSession,
    *,
    act: str | None = None,
    customer_id: str | None = None,
    call_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    page: int = 1,
    per_page: int = 50,
) -> tuple[Sequence[Record], int]:
    """Records newest first, and how many there are in all.

    Args:
        since: Only acts from this moment on.
        until: Only acts before this moment.
    """
    wanted = ((Record.act, act), (Record.customer_id, customer_id), (Record.call_id, call_id))
    tests = [column == value for column, value in wanted if value is not None]
    if since is not None:
        tests.append(Record.at >= since)
    if until is not None:
        tests.append(Record.at < until)
    # Nothing is ever missing from the chain, so its end says how long it is.
    total = select(func.count() if tests else func.coalesce(func.max(Record.seq), 0)).select_from(Record)
    query = at_page(select(Record).where(*tests).order_by(Record.seq.desc()), page, per_page, most=MAX_PER_PAGE)
    return (await db.scalars(query)).all(), await db.scalar(total.where(*tests)) or 0


async def verify(db: AsyncSession, heads: Iterable[SignedHead] = (), *, last: int | None = None) -> Verdict:
    """Recompute the chain and hold it against what was signed earlier.

    Call it inside a `Database.reading()` that began after the heads were read. A record that was changed is found at
    itself or, where its hash was made to fit, at the record after it.

    Args:
        heads: From `Heads.read`, which looks at their signatures.
        last: Only the newest this many records; all by default.
    """
    signed: dict[int, str] = {}
    for head in heads:
        if signed.setdefault(head.seq, head.hash) != head.hash:
            return Verdict(False, 0, head.seq, f"record {head.seq} was signed with two different contents", len(signed))
    newest = await db.scalar(select(func.max(_TABLE.c.seq))) or 0
    after = max(0, newest - last) if last is not None else 0
    previous = GENESIS
    if after:
        found = await db.scalar(select(_TABLE.c.hash).where(_TABLE.c.seq == after))
        if found is None:
            return Verdict(False, 0, after, f"record {after} is missing", len(signed))
        previous = found

    checked = after
    try:
        async for seq, found in _walk(db, after=after, previous=previous):
            if signed.get(seq, found) != found:
                raise _Broken(seq, f"record {seq} is not the one that was signed")
            checked = seq
    except _Broken as broken:
        return Verdict(False, checked - after, broken.seq, str(broken), len(signed))
    if signed and max(signed) > newest:
        why = f"the chain ends at record {newest}, but record {max(signed)} was signed"
        return Verdict(False, checked - after, newest + 1, why, len(signed))
    return Verdict(True, checked - after, heads=len(signed))


class _Broken(Exception):
    """The chain does not hold at a record."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(why)
        self.seq = seq


async def _walk(db: AsyncSession, *, after: int, previous: str) -> AsyncIterator[tuple[int, str]]:
    """Every record's place and hash from `after` on, each found to follow from the one before it.

    Raises: _Broken.
    """
    query = select(_TABLE).where(_TABLE.c.seq > sa.bindparam("after")).order_by(_TABLE.c.seq).limit(WALK_PAGE)
    while rows := (await db.execute(query, {"after": after})).mappings().all():
        for row in rows:
            if row["seq"] != after + 1:
                raise _Broken(after + 1, f"record {after + 1} is missing")
            if _chain_hash(previous, _content(row)) != row["hash"]:
                raise _Broken(row["seq"], f"record {row['seq']} is not what was written after record {after}")
            after, previous = row["seq"], row["hash"]
            yield after, previous


# --- Signed heads -----------------------------------------------------------------------------------------------------


class Heads:
    """The file of signed heads: what the end of the chain was, every 100 records or 60 seconds, one JSON line each.

    It is worth the more the further from the database it lies; a copy elsewhere is the operator's.

    Args:
        path: The file; made when first needed.
        secret: The server's; the signing key is derived from it.
    """

    def __init__(self, path: Path, *, secret: str) -> None:
        self._path = path
        seed = HKDF(SHA256(), length=32, salt=None, info=b"parley:audit heads").derive(secret.encode())
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._last: SignedHead | None = None
        self._looked_at: datetime | None = None

    @classmethod
    def of_settings(cls, settings: Settings, *, secret: str) -> Heads:
        """The file of this installation."""
        return cls(Path(settings.audit_heads_file or settings.data_dir / "audit_heads.jsonl"), secret=secret)

    @property
    def public_key(self) -> str:
        """What others verify signatures with: the raw Ed25519 key in base64."""
        return base64.b64encode(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def read(self) -> Iterator[SignedHead]:
        """Every head in the file. Blocking.

        A line that is no head (a crash while writing) is passed over: that tells no more than a line taken out.

        Raises: ValueError for a head with a wrong signature.
        """
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                head = _parsed(line)
                if head is None:
                    continue
                try:
                    self._key.public_key().verify(base64.b64decode(head.signature), head.content)
                except (InvalidSignature, ValueError, TypeError):
                    raise ValueError(f"the signed head in line {number} has a wrong signature") from None
                yield head

    async def sign_due(self, database: Database, *, now: datetime) -> SignedHead | None:
        """Sign the chain's end if 100 records or 60 seconds have gone by since the last time; the head, or None."""
        if self._looked_at is not None and now - self._looked_at < HEAD_EVERY:
            async with database.reading() as db:
                newest = await db.scalar(select(func.max(_TABLE.c.seq))) or 0
            if newest - (self._last.seq if self._last else 0) < HEAD_EVERY_RECORDS:
                return None
        return await self.sign(database, now=now)

    async def sign(self, database: Database, *, now: datetime) -> SignedHead | None:
        """Sign the chain's end if it has grown and all that was added since the last head follows from it.

        A chain that does not hold is not signed; that is logged as critical, each time.
        """
        self._looked_at = now
        if self._last is None:
            heads = await asyncio.to_thread(lambda: list(self.read()))
            self._last = max(heads, key=lambda head: head.seq, default=None)
        before = (self._last.seq, self._last.hash) if self._last else (0, GENESIS)
        try:
            newest = await self._newest(database, *before)
        except _Broken as broken:
            logger.critical("The audit log was tampered with: {}", broken)
            return None
        if newest == before:
            return None
        head = SignedHead(*newest, now)
        head = replace(head, signature=base64.b64encode(self._key.sign(head.content)).decode())
        await asyncio.to_thread(self._append, head)
        # Also to the log, which is usually collected on another machine.
        logger.info("Audit head: record {} has hash {}", head.seq, head.hash)
        self._last = head
        return head

    @staticmethod
    async def _newest(database: Database, seq: int, hash_: str) -> tuple[int, str]:
        """The chain's end, found to follow from an earlier one."""
        async with database.reading() as db:
            if seq and await db.scalar(select(_TABLE.c.hash).where(_TABLE.c.seq == seq)) != hash_:
                raise _Broken(seq, f"record {seq} is not the one that was signed")
            newest = seq, hash_
            async for end in _walk(db, after=seq, previous=hash_):
                newest = end
            return newest

    def _append(self, head: SignedHead) -> None:
        line = {"seq": head.seq, "hash": head.hash, "at": _moment(head.at), "signature": head.signature}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            torn = size > 0 and (file.seek(size - 1), file.read(1))[1] != b"\n"
            file.write(b"\n" * torn + _canonical(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _parsed(line: bytes) -> SignedHead | None:
    try:
        parts = json.loads(line)
        return SignedHead(parts["seq"], parts["hash"], datetime.fromisoformat(parts["at"]), parts["signature"])
    except (ValueError, TypeError, KeyError):
        return None
