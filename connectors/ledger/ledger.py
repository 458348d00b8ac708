"""The ledger as the rest of the house sees it: one object, one transaction at a time."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import time

import pandas as pd
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.engine import Connection as Tx
from sqlalchemy.engine import Row

from connectors.kit.clock import Clock, new_id
from connectors.kit.errors import WharfingerError
from connectors.ledger.alerts import Alerts
from connectors.ledger.books import Books
from connectors.ledger.database import BUSY_SECONDS, Database
from connectors.ledger.desired import DesiredStock
from connectors.ledger.drift import Drifts
from connectors.ledger.effects import Effects
from connectors.ledger.exceptions import Exceptions
from connectors.ledger.extract import Extract
from connectors.ledger.hints import Hints
from connectors.ledger.journal import Journal
from connectors.ledger.receipts import Receipts
from connectors.ledger.reconciliation import Reconciliations
from connectors.ledger.records import Inbox, ItemMasters, Mappings, Runs, Timeline, Watermarks
from connectors.ledger.retention import Retention
from connectors.ledger.returns import Returns
from connectors.ledger.settlements import Settled
from connectors.ledger.stock import Stock
from connectors.ledger.tables import metadata
from connectors.ledger.vault import Vault
from contracts.exceptions import CUT_OFF

__all__ = ["Ledger", "Row", "Tx"]  # Tx and Row: so that nobody above needs to know which database library this is


class Ledger:
    """Opens the database, brings its tables up to date, and holds the parts that work on it."""

    def __init__(self, url: str, clock: Clock, master_key: SecretStr, lease_seconds: float = 120, make_id: Callable[[], str] = new_id,
                 busy_seconds: float = BUSY_SECONDS, cut_off: time = CUT_OFF, content: bytes = b"") -> None:
        """content: for a ledger in memory, another one's whole content (`Database.content`) to begin with, of this same version."""
        self.database = Database(url, busy_seconds)
        try:
            self.database.load(content) if content else self.database.migrate()
        except WharfingerError:
            self.database.close()
            raise
        self.effects = Effects(self.database, clock, lease_seconds)
        self.exceptions = Exceptions(self.database, clock, make_id, cut_off)
        self.books = Books(self.database, clock)
        self.watermarks = Watermarks(self.database, clock)
        self.mappings = Mappings(self.database, clock)
        self.items = ItemMasters(clock)
        self.inbox = Inbox(clock)
        self.timeline = Timeline(clock)
        self.runs = Runs(self.database, clock)
        self.extract = Extract(self.database)
        self.journal = Journal(clock)
        self.retention = Retention(self.database, clock)
        self.hints = Hints(self.database, clock)
        self.alerts = Alerts(self.database, clock)
        self.reconciliations = Reconciliations(self.database, clock)
        self.returns = Returns(self.database, clock)
        self.settlements = Settled(self.database, clock)
        self.stock = Stock(self.database, clock)
        self.desired = DesiredStock(self.database, clock)
        self.drifts = Drifts(self.database, clock)
        self.receipts = Receipts(self.database, clock)
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

    def jump_ahead(self, numbers: int, fences: int, quiet_seconds: float = 0, streams: Iterable[str] = ()) -> int:
        """Call once after an older backup was restored, before any flow runs. How many effects are in doubt because of it.

        Every stream of control numbers (`streams`: those that may not have been in use yet) jumps by `numbers` and every fence by `fences` (give more than can have been used since the
        backup), so that no number is used twice and no worker of before the restore can write an outcome. What the backup says is
        owed may have been sent since: it is read back before it is sent, and not before `quiet_seconds` from now, as a call of a moment ago may still
        be carried out. Raises BadConfiguration for a jump below 1.
        """
        with self.transaction() as tx:
            return self.effects.jump_ahead(tx, numbers, fences, quiet_seconds, streams)

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()
