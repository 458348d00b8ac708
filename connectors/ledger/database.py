"""The database behind the ledger: SQLite in WAL mode out of the box, PostgreSQL by URL. Transactions are short and hold no I/O."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from connectors.kit.errors import BadConfiguration, NotNow

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30


def dumps(value: Any) -> str:
    """JSON as the ledger keeps it: sorted and compact, so that equal payloads are equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Database:
    """An engine, and the one way to open a transaction on it."""

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS) -> None:
        self.engine = _engine(url, busy_seconds)
        self.is_postgres = self.engine.dialect.name == "postgresql"
        self._here = threading.local()

    @property
    def in_transaction(self) -> bool:
        """True while this thread holds a transaction: then nothing may touch network or files (invariant 16)."""
        return getattr(self._here, "depth", 0) > 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All or nothing. Raises NotNow when the database is locked, full or away: then nothing was changed."""
        assert not self.in_transaction, "a transaction inside a transaction"
        self._here.depth = 1
        try:
            with self.engine.begin() as tx:
                yield tx
        except OperationalError as error:
            raise _unavailable(error) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise _unavailable(error) from error
            raise
        finally:
            self._here.depth = 0

    def migrate(self) -> None:
        """Bring the tables up to date. Safe to call from several processes at once."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        try:
            with self.engine.begin() as tx:
                if self.is_postgres:
                    tx.execute(sa.text("SELECT pg_advisory_xact_lock(727001)"))
                config.attributes["connection"] = tx
                command.upgrade(config, "head")
        except OperationalError as error:
            raise _unavailable(error) from error

    def lock(self, tx: Connection, name: str) -> None:
        """Serialise transactions about `name` until this one ends. SQLite has one writer anyway."""
        if self.is_postgres:
            tx.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _engine(url: str, busy_seconds: float) -> Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise BadConfiguration("opening the ledger", "its URL cannot be read", "Use sqlite:////path/ledger.db or postgresql+psycopg://…") from None
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(url, json_serializer=dumps, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    if parsed.get_backend_name() != "sqlite":
        raise BadConfiguration("opening the ledger", f"{parsed.get_backend_name()} is not supported", "Use SQLite or PostgreSQL.")
    kept = {"poolclass": sa.pool.StaticPool} if parsed.database in (None, "", ":memory:") else {}
    engine = sa.create_engine(url, json_serializer=dumps, connect_args={"timeout": busy_seconds, "check_same_thread": False}, **kept)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    # pysqlite begins late and as a reader: two readers that both go on to write would deadlock into 'database is locked'
    sa.event.listen(engine, "begin", lambda tx: tx.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _unavailable(error: DBAPIError) -> NotNow:
    text = str(error.orig).strip().splitlines()[0][:120] if error.orig else type(error).__name__
    remedy = {"database or disk is full": "Free some disk space.", "database is locked": "Look for a process that holds the ledger."}
    return NotNow("writing to the ledger", f"{text} (nothing was changed)", remedy.get(text, "Look at the ledger's database."))
