"""What each desk has been told of, so that a rerun or a crash tells it neither twice nor never.

An alert is promised here before it is sent, under the id that it is sent with; a promise that nobody kept is looked up by that id first.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.ledger.database import Database
from connectors.ledger.exceptions import OPEN
from connectors.ledger.tables import alert, exception

OPENED, DUE = "opened", "due"
WORTH_TELLING = "high"  # the severity that is told as soon as it opens; the others when they are nearly due
CHUNK = 500


class Alerts:
    """The alert table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def untold(self, tx: Connection, owner: str, due_before: datetime) -> dict[str, list[Row[Any]]]:
        """Open exceptions of this desk that it has not been told of, by stage, most urgent first: newly opened, and soon due."""
        return {stage: list(tx.execute(sa.select(exception).where(
            exception.c.state == OPEN, exception.c.owner == owner, condition,
            ~sa.exists().where(alert.c.exception_id == exception.c.exception_id, alert.c.stage == stage),
        ).order_by(exception.c.due_at, exception.c.opened_at, exception.c.record)))
            for stage, condition in ((OPENED, exception.c.severity == WORTH_TELLING), (DUE, exception.c.due_at <= due_before))}

    def last_promised(self, tx: Connection, owner: str) -> datetime | None:
        """When this desk was last told of anything."""
        return tx.execute(sa.select(sa.func.max(alert.c.promised_at, type_=alert.c.promised_at.type))
                          .join(exception, exception.c.exception_id == alert.c.exception_id).where(exception.c.owner == owner)).scalar()

    def promise(self, tx: Connection, alert_id: str, stage: str, exception_ids: Iterable[str]) -> None:
        """These are about to be told under this id."""
        now, ids = self._clock.now(), list(exception_ids)
        for start in range(0, len(ids), CHUNK):
            tx.execute(self._database.insert(alert).values([
                {"exception_id": one, "stage": stage, "alert_id": alert_id, "promised_at": now, "told_at": None} for one in ids[start:start + CHUNK]
            ]).on_conflict_do_nothing(index_elements=["exception_id", "stage"]))

    def broken(self, tx: Connection, promised_before: datetime) -> dict[str, dict[str, list[Row[Any]]]]:
        """Promises that were not seen kept: {alert id: {stage: exceptions}}."""
        found: dict[str, dict[str, list[Row[Any]]]] = {}
        for row in tx.execute(sa.select(alert.c.alert_id, alert.c.stage, exception).join(exception, exception.c.exception_id == alert.c.exception_id).where(
                alert.c.told_at.is_(None), alert.c.promised_at <= promised_before).order_by(exception.c.due_at, exception.c.exception_id)):
            found.setdefault(row.alert_id, {OPENED: [], DUE: []})[row.stage].append(row)
        return found

    def told(self, tx: Connection, alert_id: str) -> None:
        """It is out."""
        tx.execute(sa.update(alert).where(alert.c.alert_id == alert_id, alert.c.told_at.is_(None)).values(told_at=self._clock.now()))
