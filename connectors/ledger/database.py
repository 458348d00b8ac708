"""The database behind the ledger: SQLite in WAL mode out of the box, PostgreSQL by URL. Transactions are short and hold no I/O."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError, OperationalError

from connectors.kit.clock import SystemClock
from connectors.kit.errors import BadConfiguration, NotNow, WharfingerError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30
IDLE_SECONDS = 300  # PostgreSQL takes its locks back from a process that stopped in the middle of a transaction
UNIQUE_VIOLATION = "23505"
# what no waiting mends; texts of SQLite and PostgreSQL, which have no codes for them
NEVER = {"unable to open database file": "See that its folder exists and may be written.", "readonly database": "See that the file may be written.",
         "not a database": "Look at the path: that file is no ledger.", "malformed": "Restore a backup (connectors/ledger/README.md).",
         "password authentication failed": "Correct user and password.", "no password supplied": "Give a password.",
         "no pg_hba.conf entry": "Let this machine in (pg_hba.conf).", "does not exist": "Make that database and role."}
LATER = {"database or disk is full": "Free some disk space.", "disk I/O error": "Look at the disk: it may be full or broken.",
         "No space left on device": "Free some disk space.", "database is locked": "Look for a process that holds the ledger.",
         "lock timeout": "Look for a process that holds the ledger."}

_migrating = threading.Lock()  # alembic works through module globals


def dumps(value: Any) -> str:
    """JSON as the ledger keeps it: sorted and compact, so that equal payloads are equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: a text that somebody cut in the middle of an emoji
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return text


def shortened(text: str, longest: int) -> str:
    """The same text when it is short enough for an index, else its beginning and a hash: long keys stay different."""
    return text if len(text) <= longest else f"{text[:longest - 33]} {hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:32]}"


class Database:
    """An engine, and the one way to open a transaction on it."""

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS) -> None:
        self.engine = _engine(url, busy_seconds)
        self.is_postgres = self.engine.dialect.name == "postgresql"
        self._busy_seconds, self._here = busy_seconds, threading.local()
        # SQLite has one writer, and in memory one connection for all: this process's threads queue here
        self._writer = nullcontext() if self.is_postgres else _Queue(busy_seconds)

    @property
    def in_transaction(self) -> bool:
        """True while this thread holds a transaction: then nothing may touch network or files (invariant 16)."""
        return getattr(self._here, "depth", 0) > 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All or nothing. Raises NotNow when the database is locked, full or away, BadConfiguration when no waiting mends it: nothing was changed then.

        One exception, and the error says so: a PostgreSQL that goes away during COMMIT may or may not have kept it.
        """
        if self.in_transaction:
            raise AssertionError("a transaction inside a transaction")
        self._here.depth, committing = 1, False
        try:
            with self._writer, self.engine.begin() as tx:
                yield tx
                committing = True
        except (DBAPIError, sa.exc.TimeoutError) as error:
            _raise(error, in_doubt=committing and self.is_postgres)
        finally:
            self._here.depth = 0

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read only, everything as of one moment, however long it takes: nobody who writes waits for it, and it waits for nobody. Raises NotNow."""
        if self.in_transaction:
            raise AssertionError("a transaction inside a transaction")
        self._here.depth = 1
        queue = self._writer if self.engine.pool.__class__ is sa.pool.StaticPool else nullcontext()  # in memory there is one connection for all
        try:
            with queue, self.engine.connect().execution_options(reads=True) as tx:
                if self.is_postgres:
                    tx.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                yield tx
        except (DBAPIError, sa.exc.TimeoutError) as error:
            _raise(error, in_doubt=False)
        finally:
            self._here.depth = 0

    def migrate(self) -> None:
        """Bring the tables up to date. Safe to call from several threads and processes at once. Raises NotNow, BadConfiguration."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        try:
            with _migrating, self.transaction() as tx:
                self.lock(tx, "migrations")
                config.attributes["connection"] = tx
                command.upgrade(config, "head")
        except CommandError as error:
            raise BadConfiguration("opening the ledger", f"its tables are not ours: {error}", "Was it made by a newer version? Run that one.") from None

    def lock(self, tx: Connection, name: str) -> None:
        """Serialise transactions about `name` until this one ends. SQLite has one writer anyway."""
        if self.is_postgres:
            tx.execute(_LOCK, {"name": name})

    def locks(self, column: sa.Column[str]) -> list[Any]:
        """The same as one more column of a select: for whoever reads the row and locks its `column` in one go. SQLite: nothing."""
        return [sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(column, 0)).label("locked")] if self.is_postgres else []

    def insert(self, table: sa.Table) -> "SqliteInsert | PostgresInsert":
        """An insert that can say what happens on a conflict (both dialects spell it alike)."""
        # asked for, since SQLAlchemy otherwise forgets an insert's rowcount (it answers -1 on PostgreSQL, which is true)
        return (postgres_insert(table) if self.is_postgres else sqlite_insert(table)).inline().execution_options(preserve_rowcount=True)

    def kept(self, insert: "SqliteInsert | PostgresInsert") -> Callable[[Connection, dict[str, Any]], sa.CursorResult]:
        """The same insert, to be called with a transaction and the values of a row. Compiled once for their columns: what says what happens on a conflict
        SQLAlchemy compiles anew each time, which takes four times as long as all the rest of it."""
        compiled: dict[tuple[str, ...], Any] = {}

        def execute(tx: Connection, values: dict[str, Any]) -> sa.CursorResult:
            if (ready := compiled.get(columns := tuple(values))) is None:
                ready = compiled[columns] = insert.compile(dialect=self.engine.dialect, column_keys=list(values))
            return tx.execute(ready, values)

        return execute

    def content(self) -> bytes:
        """SQLite in memory only: everything in it, as `load` takes it."""
        with self._writer, self.engine.connect() as connection:
            return connection.connection.driver_connection.serialize()

    def load(self, content: bytes) -> None:
        """SQLite in memory only: become a copy of that content."""
        with self._writer, self.engine.connect() as connection:
            connection.connection.driver_connection.deserialize(content)

    def many(self, tx: Connection, statement: Any, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        """An insert or update of many rows at once (all with the same keys, the table's columns). SQLAlchemy's own way takes five times as long
        to get a row ready as SQLite to write it."""
        if not rows:
            return
        dialect, names = self.engine.dialect, list(rows[0])
        compiled = statement.compile(dialect=dialect, column_keys=names)
        ready = {name: table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names}
        columns = {name: [ready[name](row[name]) for row in rows] if ready[name] else [row[name] for row in rows] for name in names}
        if compiled.positional:
            places = [columns[name] if name in columns else [compiled.params[name]] * len(rows) for name in compiled.positiontup]
            tx.exec_driver_sql(str(compiled), list(zip(*places, strict=True)))
        else:
            fixed = {name: value for name, value in compiled.params.items() if name not in columns}
            tx.exec_driver_sql(str(compiled), [fixed | dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)])

    def checkpoint(self) -> None:
        """SQLite: write the journal (-wal) into the file and empty it, as before a file copy and after a shredding. PostgreSQL: nothing."""
        if not self.is_postgres:
            with self._writer, self.engine.connect() as connection:
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


class _Queue:
    """A lock that is waited for no longer than the database's own."""

    def __init__(self, seconds: float) -> None:
        self._lock, self._seconds = threading.Lock(), seconds

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=self._seconds):
            raise NotNow("writing to the ledger", "database is locked (nothing was changed)", "Another thread of this process holds it: is one stuck?")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def _engine(url: str, busy_seconds: float) -> Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise BadConfiguration("opening the ledger", "its URL cannot be read", "Use sqlite:////path/ledger.db or postgresql+psycopg://…") from None
    more = {"json_serializer": dumps, "hide_parameters": True}  # an error's text must not quote rows
    if parsed.get_backend_name() == "postgresql":
        engine = sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args={"connect_timeout": 10}, **more)
        sa.event.listen(engine, "connect", _prepare_postgres(busy_seconds))
        return engine
    if parsed.get_backend_name() != "sqlite":
        raise BadConfiguration("opening the ledger", f"{parsed.get_backend_name()} is not supported", "Use SQLite or PostgreSQL.")
    kept = {"poolclass": sa.pool.StaticPool} if parsed.database in (None, "", ":memory:") else {}
    engine = sa.create_engine(parsed.set(drivername="sqlite"), connect_args={"timeout": busy_seconds, "check_same_thread": False}, **kept, **more)
    sa.event.listen(engine, "connect", _prepare_sqlite(busy_seconds))
    # pysqlite begins late and as a reader: two readers that both go on to write would deadlock into 'database is locked'
    sa.event.listen(engine, "begin", lambda tx: tx.exec_driver_sql("BEGIN" if tx.get_execution_options().get("reads") else "BEGIN IMMEDIATE"))
    return engine


def _prepare_sqlite(busy_seconds: float) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        _journal(cursor, busy_seconds)
        # secure_delete: what is shredded is overwritten, not only forgotten
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return prepare


def _journal(cursor: sqlite3.Cursor, busy_seconds: float) -> None:
    """Turn a file to WAL. While another process writes to a file that is not yet, SQLite refuses at once: its own timeout does not hold here."""
    clock = SystemClock()
    until = clock.now() + timedelta(seconds=busy_seconds)
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or clock.now() > until:
                raise
            clock.sleep(0.02)


def _prepare_postgres(busy_seconds: float) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{int(busy_seconds * 1000)}ms'")
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        connection.commit()

    return prepare


def _without_row(error: Exception) -> None:
    """PostgreSQL's errors go on, after their first line, with 'Failing row contains …': rows do not belong into logs."""
    for part in (error, getattr(error, "orig", None)):
        if part is not None and part.args and isinstance(part.args[0], str):
            part.args = (part.args[0].partition("\n")[0], *part.args[1:])


def _raise(error: DBAPIError | sa.exc.TimeoutError, in_doubt: bool) -> NoReturn:
    """As one of ours, or as it is; either way without the row that it was about."""
    named = _named(error, in_doubt)
    _without_row(error)
    if named is None:
        raise error
    raise named from error


def _named(error: DBAPIError | sa.exc.TimeoutError, in_doubt: bool) -> WharfingerError | None:
    """The error as one of ours; None when it is a bug of ours, whatever the weather."""
    text = str(getattr(error, "orig", None) or error).strip().splitlines()[0][:300]
    doing = "writing to the ledger"
    if isinstance(error, IntegrityError):
        if getattr(error.orig, "sqlstate", "") != UNIQUE_VIOLATION:
            return None
        return NotNow(doing, "another process wrote the same record at the same moment (nothing was changed)", "Repeat the step.")
    for sign, remedy in NEVER.items():
        if isinstance(error, DatabaseError) and sign in text and not getattr(error.orig, "sqlstate", None):
            return BadConfiguration("opening the ledger", text, remedy)
    if isinstance(error, (OperationalError, sa.exc.TimeoutError)) or error.connection_invalidated:
        kept = "it is not known whether this last step was kept; repeating it is safe" if in_doubt else "nothing was changed"
        remedy = next((remedy for sign, remedy in LATER.items() if sign in text), "Look at the ledger's database.")
        return NotNow(doing, f"{text} ({kept})", remedy)
    return None
