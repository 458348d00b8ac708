"""The ledger as the rest of the house sees it: one object, one transaction at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.engine import Connection as Tx
from sqlalchemy.engine import Row

from connectors.kit.clock import Clock, new_id
from connectors.ledger.books import Books
from connectors.ledger.database import Database
from connectors.ledger.effects import Effects
from connectors.ledger.exceptions import Exceptions
from connectors.ledger.records import Inbox, ItemMasters, Mappings, Runs, Timeline, Watermarks
from connectors.ledger.tables import metadata
from connectors.ledger.vault import Vault

__all__ = ["Ledger", "Row", "Tx"]  # Tx and Row: so that nobody above needs to know which database library this is


class Ledger:
    """Opens the database, brings its tables up to date, and holds the parts that work on it."""

    def __init__(self, url: str, clock: Clock, master_key: SecretStr, lease_seconds: float = 120, make_id: Callable[[], str] = new_id) -> None:
        self.database = Database(url)
        self.database.migrate()
        self.effects = Effects(self.database, clock, lease_seconds)
        self.exceptions = Exceptions(self.database, clock, make_id)
        self.books = Books(clock)
        self.watermarks = Watermarks(clock)
        self.mappings = Mappings(self.database, clock)
        self.items = ItemMasters(clock)
        self.inbox = Inbox(clock)
        self.timeline = Timeline(clock)
        self.runs = Runs(self.database, clock)
        self.vault = Vault(self.database, clock, master_key)

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """All or nothing; no call to another system inside. Raises NotNow when the database is locked, full or away."""
        with self.database.transaction() as tx:
            yield tx

    def table(self, name: str) -> pd.DataFrame:
        """A whole table as a frame, for publishing and for checks. Never the vault."""
        if name.startswith("vault") or name not in metadata.tables:
            raise KeyError(name)
        with self.transaction() as tx:
            found = tx.execute(sa.select(metadata.tables[name]))
            return pd.DataFrame(found.mappings().all(), columns=list(found.keys()))

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()
