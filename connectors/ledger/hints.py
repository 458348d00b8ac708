"""What webhooks said: kept before the answer goes out, one row an event however often it is delivered."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.ledger.database import Database
from connectors.ledger.tables import hint
from connectors.ports import Hint


class Hints:
    """The hint table. A hint is never the truth: it names a record that is fetched anew."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def put(self, tx: Connection, connection: str, said: Hint) -> bool:
        """Keep one; False when this event was there already, taken or not."""
        row = self._database.insert(hint).values(key=said.key, connection=connection, topic=said.topic, record=said.record, received_at=self._clock.now())
        return bool(tx.execute(row.on_conflict_do_nothing(index_elements=["key"])).rowcount)

    def open(self, tx: Connection, connection: str, limit: int = 1000) -> list[Row[Any]]:
        """What nobody has looked at yet, oldest first."""
        return list(tx.execute(sa.select(hint).where(hint.c.connection == connection, hint.c.taken_at.is_(None))
                               .order_by(hint.c.received_at, hint.c.key).limit(limit)))

    def taken(self, tx: Connection, keys: Iterable[str]) -> int:
        """Their records were fetched anew, or will be by the pull."""
        return sum(tx.execute(sa.update(hint).where(hint.c.key == key, hint.c.taken_at.is_(None)).values(taken_at=self._clock.now())).rowcount for key in keys)

    def forget(self, tx: Connection, before: datetime) -> int:
        """Delete what was taken before this moment. A delivery as old as that is refused for its age, so it cannot come back."""
        return tx.execute(sa.delete(hint).where(hint.c.taken_at < before)).rowcount
