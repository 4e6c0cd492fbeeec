"""Sealing every personal field anew with the newest key, while the server works.

A new key comes in four steps, each with a restart of every process of the installation:

1. add it at the end of `FIELD_KEYS`, so that all processes can open what it will seal;
2. move it to the front: from then on it seals;
3. `python run.py rotate-keys`, until it says that the older keys are not needed any more;
4. take the old key out.

Where one process is the whole installation, the first two are one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from core.db import Database
from core.vault import DamagedField, vault

WINDOW = 500
BATCH = 100
PAUSE_S = 0.05
MAX_NAMED = 20
SAMPLE = 5
_SEALED = "_sealed"
_HASH = "_hash"


@dataclass(slots=True)
class Rotation:
    """What came of a rotation.

    Attributes:
        rows: How many rows were sealed anew.
        left: How many rows still need an older key: none may be taken out before this is 0.
        problems: Why, for the first of them.
    """

    rows: int = 0
    left: int = 0
    problems: list[str] = field(default_factory=list)

    def told(self) -> str:
        """The outcome in words, for whoever rotates the keys."""
        if not self.left:
            return f"Sealed anew: {self.rows} rows. No server that runs with the new key needs the older ones any more."
        why = "".join(f"\n  {problem}" for problem in self.problems)
        return f"Sealed anew: {self.rows} rows. Still under an older key: {self.left} rows. Keep that key.{why}"


async def rotate(database: Database, *, batch: int = BATCH, pause_s: float = PAUSE_S) -> Rotation:
    """Seal and hash with the newest key whatever is under an older one.

    Stopped at any moment and begun again, it goes on where it was; several at once do no harm, and neither do readers
    and writers meanwhile. It goes by the schema, so that no table can be forgotten: a sealed field is a column
    `<name>_sealed` of a table with the key `id`, with `<name>_hash` where the value is looked for.

    Args:
        batch: Rows sealed in one transaction.
        pause_s: Between two transactions, for other writers.

    Raises: Busy if the database is; what was done stays done.
    """
    done = Rotation()
    for table in await _tables(database):
        # Somebody who holds a row may be waiting for another one of the batch. So rows that are held are passed over at
        # first, as are batches that cannot be stored as a whole, and then come one by one, with nothing else held.
        async for ids in _stale(database, table, batch):
            async with database.transaction() as db:
                sealed, _ = await _seal_anew(db, table, ids, wait=False)
            done.rows += sealed
            await asyncio.sleep(pause_s)
        async for ids in _stale(database, table, 1):
            async with database.transaction() as db:
                sealed, problems = await _seal_anew(db, table, ids, wait=True)
            done.rows += sealed
            done.problems = (done.problems + problems)[:MAX_NAMED]
        async for ids in _stale(database, table, WINDOW):
            done.left += len(ids)
    return done


async def unopened(database: Database) -> list[str]:
    """The fields that none of the keys opens in the first rows of their tables, as `table.field`: a key is missing."""
    found: list[str] = []
    for table in await _tables(database):
        async with database.reading() as db:
            rows = (await db.execute(sa.select(table).order_by(table.c.id).limit(SAMPLE))).all()
        for row in rows:
            for column, sealed in _sealed(row).items():
                name = column.removesuffix(_SEALED)
                try:
                    if sealed is not None:
                        vault().open(sealed, table=table.name, row=row.id, column=name)
                except DamagedField:
                    found.append(f"{table.name}.{name}")
    return sorted(set(found))


async def _tables(database: Database) -> list[sa.Table]:
    """Every table with sealed fields, with the columns that matter here."""

    def find(connection: sa.Connection) -> list[sa.Table]:
        inspector = sa.inspect(connection)
        found: list[sa.Table] = []
        for name in sorted(inspector.get_table_names()):
            columns = {column["name"] for column in inspector.get_columns(name)}
            sealed = sorted(column for column in columns if column.endswith(_SEALED))
            hashes = sorted(columns & {_hash_of(column) for column in sealed})
            if sealed:
                kept = (sa.Column(column, sa.Text) for column in ("id", *sealed, *hashes))
                found.append(sa.Table(name, sa.MetaData(), *kept))
        return found

    async with database.reading() as db:
        return await (await db.connection()).run_sync(find)


async def _stale(database: Database, table: sa.Table, size: int) -> AsyncIterator[list[str]]:
    """The ids of rows with a field under an older key, up to `size` at a time; the table is read in small pieces."""
    last = ""
    while True:
        async with database.reading() as db:
            window = sa.select(table).where(table.c.id > last).order_by(table.c.id).limit(WINDOW)
            rows = (await db.execute(window)).all()
        if not rows:
            return
        last = rows[-1].id
        stale = [row.id for row in rows if _older(row)]
        for start in range(0, len(stale), size):
            yield stale[start : start + size]


async def _seal_anew(db: AsyncSession, table: sa.Table, ids: Sequence[str], *, wait: bool) -> tuple[int, list[str]]:
    """Seal these rows, or none if one cannot be stored; how many were sealed, and what was wrong with others."""
    rows = await db.execute(sa.select(table).where(table.c.id.in_(ids)).with_for_update(skip_locked=not wait))
    changes: list[dict[str, str | None]] = []
    problems: list[str] = []
    for row in filter(_older, rows.all()):
        try:
            changes.append({"of_row": row.id, **_anew(table, row)})
        except DamagedField as error:
            problems.append(f"{error}.")
    if changes:
        try:
            async with db.begin_nested():
                await db.execute(sa.update(table).where(table.c.id == sa.bindparam("of_row")), changes)
        except IntegrityError:  # stored at the same moment by processes with different newest keys
            return 0, [*problems, f"{table.name}: another row holds the same value as {', '.join(ids)}."]
    return len(changes), problems


def _anew(table: sa.Table, row: sa.Row[Any]) -> dict[str, str | None]:
    """What the row stores under the newest key."""
    keys = vault()
    values: dict[str, str | None] = {}
    for column, sealed in _sealed(row).items():
        name = column.removesuffix(_SEALED)
        place = {"table": table.name, "row": row.id, "column": name}
        value = None if sealed is None else keys.open(sealed, **place)
        values[column] = None if value is None else keys.seal(value, **place)
        if _hash_of(column) in table.c:
            values[_hash_of(column)] = None if value is None else keys.hash(value, column=f"{table.name}.{name}")
    return values


def _sealed(row: sa.Row[Any]) -> dict[str, str | None]:
    return {column: value for column, value in row._mapping.items() if column.endswith(_SEALED)}


def _older(row: sa.Row[Any]) -> bool:
    """Whether a field of the row is under an older key."""
    keys = vault()
    return any(value is not None and not keys.is_newest(value) for value in _sealed(row).values())


def _hash_of(column: str) -> str:
    return column.removesuffix(_SEALED) + _HASH
