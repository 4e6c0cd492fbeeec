"""The database: engine, base class, column types, and `transaction()`, the only commit in the code base."""

from __future__ import annotations

import asyncio
import enum
import sqlite3
import time
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Dialect, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator

from core.clock import monotonic_s
from core.errors import AppError, Busy, Invalid
from core.tasks import spawn

if TYPE_CHECKING:
    from alembic.config import Config

T = TypeVar("T")

LOCK_WAIT_S = 5
STATEMENT_TIMEOUT_S = 5
POOL_SIZE = 10
PING_AFTER_S = 1.0
SQLITE_READERS = 4
MAX_PAGE = 10_000
MAX_PER_PAGE = 100

# What a Postgres server says when the same request may succeed later: lock and statement timeouts, deadlock,
# serialisation, too many connections, shutting down or starting up, out of disk or memory.
_PASSING_SQLSTATES = frozenset(
    {
        "55P03",
        "57014",
        "40P01",
        "40001",
        "53300",
        "53100",
        "53200",
        "57P01",
        "57P02",
        "57P03",
        "08006",
        "08001",
        "08003",
    }
)
_PASSING_SQLITE = ("database is locked", "database table is locked", "database or disk is full", "disk i/o error")

_SQLITE_PRAGMAS = (
    f"busy_timeout={LOCK_WAIT_S * 1000}",
    "foreign_keys=ON",
    "secure_delete=ON",
    "mmap_size=0",
    "synchronous=FULL",
)


# --- Columns ----------------------------------------------------------------------------------------------------------


class Base(DeclarativeBase):
    """Base of every table; constraint names follow one convention so that migrations can address them."""

    metadata = sa.MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on both databases; a naive value is a programming error and is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; SQLite keeps it without the zone, which then is always UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class SafeStr(TypeDecorator[str]):
    """Text of at most `length` characters that both databases can hold; anything else raises `Invalid`.

    Args:
        length: Most characters after normalisation to NFC.
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Refuse what Postgres refuses, so that both databases hold the same."""
        return None if value is None else safe_text(value, max_length=self.length)


class Minor(TypeDecorator[int]):
    """Whole minor units of money in 64 bits; floats and booleans are refused rather than rounded."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Check the type and the range before the driver does, in its own way."""
        if value is None:
            return None
        if type(value) is not int or not -(2**63) < value < 2**63:
            raise Invalid("That amount is not possible.", code="bad_amount")
        return value


class epoch_s(GenericFunction[int]):  # noqa: N801 - a function of SQL
    """Whole seconds since 1970 of a moment, in SQL."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(epoch_s, "sqlite")
def _epoch_on_sqlite(element: epoch_s, compiler: SQLCompiler, **options: Any) -> str:
    # Without the fraction, which would be rounded up from half a millisecond before a second, into the next.
    return f"CAST(strftime('%s', substr({compiler.process(element.clauses, **options)}, 1, 19)) AS INTEGER)"


@compiles(epoch_s, "postgresql")
def _epoch_on_postgres(element: epoch_s, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(FLOOR(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **options)})) AS BIGINT)"


def one_of(choices: type[enum.StrEnum]) -> sa.Enum:
    """A text column for the values of `choices`; without a CHECK, so that a new choice needs no rebuilt table."""
    return sa.Enum(
        choices,
        native_enum=False,
        create_constraint=False,
        validate_strings=True,
        length=20,
        values_callable=lambda kind: [member.value for member in kind],
    )


def safe_text(value: str, *, max_length: int) -> str:
    """Normalise text to NFC, refusing NUL, lone surrogates and too long texts.

    Raises: Invalid.
    """
    if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise Invalid("The text holds characters that cannot be stored.", code="bad_text")
    value = unicodedata.normalize("NFC", value)
    if len(value) > max_length:
        raise Invalid(f"The text is longer than {max_length} characters.", code="bad_text")
    return value


def storable_text(value: str, *, max_length: int) -> str:
    """As much of `value` as can be stored, for text that is recorded rather than asked for (a transcript)."""
    value = value.encode("utf-8", "replace").decode().replace("\x00", "")
    return unicodedata.normalize("NFC", value)[:max_length]


Row = TypeVar("Row", bound=Base)
Query = TypeVar("Query", bound=sa.GenerativeSelect)


# --- Sessions ---------------------------------------------------------------------------------------------------------


class Database:
    """One database, SQLite or Postgres, with the same promises.

    `transaction()` commits all or nothing and sees nobody else's half-done work; `reading()` sees one unchanging
    moment and cannot write. Waiting for locks and connections is bounded; then `Busy` is raised.

    On SQLite one connection writes, so writers queue in this process instead of polling the file's lock.
    """

    def __init__(self, url: str) -> None:
        """Prepare the engine; nothing is opened before the first use.

        Args:
            url: SQLAlchemy URL; `sqlite` and `postgresql` get their asyncio driver when none is named.

        Raises: ValueError for another kind of database, or SQLite in memory (each connection would have its own).
        """
        self.url = async_url(url)
        if self.url.get_backend_name() == "sqlite":
            self._writer = _sqlite_engine(self.url, begin="BEGIN IMMEDIATE", pool_size=1)
            self._reader = _sqlite_engine(self.url, begin="BEGIN", pool_size=SQLITE_READERS, query_only=True)
        else:
            self._writer = _postgres_engine(self.url)
            self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writing = async_sessionmaker(self._writer, expire_on_commit=False)
        self._reading = async_sessionmaker(self._reader, expire_on_commit=False)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.url.get_backend_name()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end, or undone if an exception leaves the block.

        A block that is cancelled is undone too, unless the commit had begun, which then goes to its end before the
        cancellation does: work whose outcome must be known runs inside `core.tasks.finish`. Never nest two of these,
        and await nothing slow inside: on SQLite all other writers wait.

        Raises: Busy if a lock, a connection or the server is not to be had in time.
        """
        with _translated():
            session = self._writing()
            try:
                await _connected(session)
                yield session
                for _, work in sorted(session.info.pop(_BEFORE_COMMIT, {}).items()):
                    await work(session)
                await session.flush()
            except BaseException:
                await _to_the_end(session.close())
                raise
            await _to_the_end(_commit(session))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session on one snapshot that can only read.

        Raises: Busy as `transaction()`.
        """
        with _translated():
            session = self._reading()
            try:
                await _connected(session)
                yield session
            finally:
                await _to_the_end(session.close())

    async def close(self) -> None:
        """Close every connection; the object is not usable afterwards."""
        await self._writer.dispose()
        if self._reader.sync_engine.pool is not self._writer.sync_engine.pool:
            await self._reader.dispose()


async def _connected(session: AsyncSession) -> None:
    """Take a connection now: what the network says then is the server's fault, not the block's."""
    try:
        await session.connection()
    except OSError as error:  # refused, no such host or socket, timed out
        raise _busy() from error


_BEFORE_COMMIT = "before_commit"
_AFTER_COMMIT = "after_commit"


def before_commit(
    db: AsyncSession, name: str, work: Callable[[AsyncSession], Awaitable[None]], *, last: bool = False
) -> None:
    """Have `work` done once at the end of this transaction; asked for again under the same name, still once.

    Args:
        last: After all else, for the one thing that everybody writes to (the head of a chain): its lock is then taken
            last by all, and held shortly.
    """
    db.info.setdefault(_BEFORE_COMMIT, {})[last, name] = work


def after_commit(db: AsyncSession, work: Callable[[], None]) -> None:
    """Have `work` done when, and only if, this transaction is committed; it must neither wait nor raise."""
    db.info.setdefault(_AFTER_COMMIT, []).append(work)


async def _commit(session: AsyncSession) -> None:
    await session.run_sync(_commit_and_close)
    for work in session.info.pop(_AFTER_COMMIT, []):
        work()


def _commit_and_close(session: Session) -> None:
    try:
        session.commit()
    finally:
        session.close()


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end, which is soon, even if cancelled meanwhile: half-closed connections keep their locks."""
    task = spawn(work, owner="database session")
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the drivers say into what a person can act on."""
    try:
        yield
    except exc.StatementError as error:
        if isinstance(error.orig, AppError):  # a column type refused a value
            raise error.orig from None
        if _passing(error):
            raise _busy() from error
        raise
    except (exc.TimeoutError, ConnectionError, TimeoutError) as error:
        raise _busy() from error


def _passing(error: exc.StatementError) -> bool:
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        return sqlstate in _PASSING_SQLSTATES
    return isinstance(error, exc.OperationalError) and any(s in str(error.orig).lower() for s in _PASSING_SQLITE)


def _busy() -> Busy:
    return Busy("The server is busy. Please try again in a moment.", spoken="One moment, please.", retry_after_s=2)


def async_url(url: str) -> URL:
    """Check a database URL and give it the driver we use.

    Raises: ValueError for another database than a SQLite file or Postgres.
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise ValueError("DATABASE_URL must name a SQLite file; a database in memory is not shared")
        return parsed.set(drivername="sqlite+aiosqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+asyncpg")
    raise ValueError(f"DATABASE_URL names {backend}; sqlite and postgresql are supported")


class _SqliteConnection(sqlite3.Connection):
    """A connection that undoes its transaction when it is closed.

    SQLite alone keeps a closed connection's transaction, and its lock, as long as one of its statements is referred to:
    the traceback of a cancelled query is enough.
    """

    def close(self) -> None:
        """Roll back, then close."""
        with suppress(sqlite3.Error):
            if self.in_transaction:
                self.rollback()
        super().close()


def _sqlite_engine(url: URL, *, begin: str, pool_size: int, query_only: bool = False) -> AsyncEngine:
    engine = create_async_engine(
        url,
        poolclass=sa.pool.AsyncAdaptedQueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=LOCK_WAIT_S,
        connect_args={"factory": _SqliteConnection},
        hide_parameters=True,
    )
    _sqlite_transactions(engine.sync_engine, begin=begin, query_only=query_only)
    return engine


def _sqlite_transactions(engine: sa.Engine, *, begin: str, query_only: bool = False, foreign_keys: bool = True) -> None:
    """Set up connections of `engine`, and begin transactions ourselves: the driver would begin them too late."""

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _SQLITE_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        _write_ahead(cursor)
        if not foreign_keys:
            cursor.execute("PRAGMA foreign_keys=OFF")
        if query_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Switch the file to write-ahead logging; two that switch at once do not wait for each other by themselves."""
    deadline = monotonic_s() + LOCK_WAIT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic_s() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _postgres_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=LOCK_WAIT_S,
        pool_recycle=1800,
        hide_parameters=True,  # an error's text reaches logs, people's data must not
        connect_args={
            "timeout": LOCK_WAIT_S,
            "command_timeout": STATEMENT_TIMEOUT_S + 1,  # for a server that answers nothing at all
            "server_settings": {
                "application_name": "parley",
                "timezone": "UTC",
                "lock_timeout": f"{LOCK_WAIT_S * 1000}",
                "statement_timeout": f"{STATEMENT_TIMEOUT_S * 1000}",
                "idle_in_transaction_session_timeout": "30000",
            },
        },
    )
    _ping_after_idleness(engine.sync_engine)
    return engine


def _ping_after_idleness(engine: sa.Engine) -> None:
    """See whether a connection that has lain idle still works before it is lent, and if not, lend another.

    The pool's own `pool_pre_ping` does so each time, with as many round trips as a short transaction takes.
    """

    @event.listens_for(engine, "checkin")
    def _given_back(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["idle_since_s"] = monotonic_s()

    @event.listens_for(engine, "checkout")
    def _lent(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        if monotonic_s() - record.info.get("idle_since_s", monotonic_s()) < PING_AFTER_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise exc.DisconnectionError from error


async def paged(
    db: AsyncSession,
    query: sa.Select[Row],
    *order_by: sa.ColumnExpressionArgument[Any],
    page: int,
    per_page: int,
    most: int = MAX_PER_PAGE,
) -> tuple[Sequence[Row], int]:
    """One page of the rows that `query` finds, and how many it finds in all.

    Args:
        order_by: In which order; it must tell any two rows apart, or they may come on two pages.
        page: From 1; what lies outside 1 to `MAX_PAGE` counts as the nearer of the two.
        per_page: From 1 to `most`, likewise.
    """
    total = await db.scalar(sa.select(sa.func.count()).select_from(query.subquery()))
    return (await db.scalars(at_page(query.order_by(*order_by), page, per_page, most=most))).all(), total or 0


def at_page(query: Query, page: int, per_page: int, *, most: int = MAX_PER_PAGE) -> Query:
    """An ordered query cut down to one page, within the bounds of `paged` but with at most `most` rows."""
    per_page = max(1, min(per_page, most))
    return query.limit(per_page).offset((max(1, min(page, MAX_PAGE)) - 1) * per_page)


async def insert_if_absent(db: AsyncSession, table: type[Row], **values: Any) -> Row | None:
    """Insert a row unless one like it is there by any unique constraint; the new row, or None.

    On Postgres this waits for a transaction that is inserting the same, and then sees how that ended.
    """
    return await db.scalar(_insert(db, table).values(**values).on_conflict_do_nothing().returning(table))


async def upsert(db: AsyncSession, table: type[Base], *, unique: Collection[str], **values: Any) -> None:
    """Insert a row, or give the row that is the same in `unique`, the columns of a unique constraint, the other values.

    Where that row says the same already, nothing changes.
    """
    others = {name: value for name, value in values.items() if name not in unique}
    statement = _insert(db, table).values(**values)
    await db.execute(statement.on_conflict_do_update(index_elements=sorted(unique), set_=others))


def _insert(db: AsyncSession, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can be told what to do about a row that is there already."""
    return (sqlite if db.get_bind().dialect.name == "sqlite" else postgresql).insert(table)


# --- Schema -----------------------------------------------------------------------------------------------------------


class SchemaTooNew(AppError):
    """The database was migrated by a newer release than this one."""

    code = "schema_too_new"
    status = 503


def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema to `revision`, all of it or nothing; a no-op when it is there already.

    Blocking, and only callable where no event loop runs (`asyncio.to_thread` otherwise). Processes that migrate at the
    same time wait for each other. Going down is for tests: `revision="base"` drops everything.

    Raises: SchemaTooNew.
    """
    from alembic import command

    def run(connection: Connection) -> None:
        config = alembic_config()
        config.attributes["connection"] = connection
        current = _current(connection)
        if revision == "base":
            command.downgrade(config, revision)
        elif current is None or current != _head():
            command.upgrade(config, revision)
        if connection.dialect.name == "sqlite":
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            assert not broken, f"the migration left dangling references: {broken[:3]}"

    parsed = async_url(url)
    if parsed.get_backend_name() == "sqlite":
        _private_file(Path(str(parsed.database)))
    on_connection(parsed, run)


def needs_migration(url: str) -> bool:
    """Whether the schema is older than the code. Blocking, as `migrate`.

    Raises: SchemaTooNew.
    """
    parsed = async_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return True
    return on_connection(parsed, _current) != _head()


def _current(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaTooNew("The database belongs to a newer release of this program. Install that release.")
    return current


def _head() -> str | None:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def alembic_config() -> Config:
    """Where the revisions are; `attributes["connection"]` must be set before a command runs them."""
    from alembic.config import Config

    config = Config()
    # The folder beside this room, in a checkout and in an installed wheel alike.
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def on_connection(url: URL, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction that no other migration shares. Blocking, as `migrate`."""
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            url.set(drivername="sqlite+pysqlite"), poolclass=sa.pool.NullPool, hide_parameters=True
        )
        # Rebuilding a table in batch mode drops the old one; with enforcement on, that would delete what refers to it.
        _sqlite_transactions(engine, begin="BEGIN IMMEDIATE", foreign_keys=False)
        with _translated(), engine.begin() as connection:
            return work(connection)

    async def on_postgres() -> T:
        engine = create_async_engine(
            url, poolclass=sa.pool.NullPool, connect_args={"timeout": LOCK_WAIT_S}, hide_parameters=True
        )
        async with engine.begin() as connection:
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('parley.migrate'))"))
            return await connection.run_sync(work)

    with _translated():
        return asyncio.run(on_postgres())


def _private_file(path: Path) -> None:
    """Make sure the file exists and only its owner reads it: it holds what people said and own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
