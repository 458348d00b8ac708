"""What the house did to itself, for whoever must prove it later: purges, changes of rules. Counts and ids, never a name."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.ledger.tables import journal


class Journal:
    """Only ever added to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def note(self, tx: Connection, actor: str, what: str, detail: dict[str, Any]) -> None:
        """One thing that was done. No personal data in `detail`."""
        tx.execute(sa.insert(journal).values(at=self._clock.now(), actor=actor, what=what, detail=detail))

    def of(self, tx: Connection, what: str, since: datetime | None = None) -> list[Row[Any]]:
        """Every entry of one kind, oldest first."""
        wanted = sa.select(journal).where(journal.c.what == what).order_by(journal.c.sequence)
        return list(tx.execute(wanted if since is None else wanted.where(journal.c.at >= since)))
