"""What is known of the orders whose personal data is still held, and the trimming of what nobody needs any more. Nothing here opens the vault."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connectors.kit.clock import Clock
from connectors.ledger.database import Database
from connectors.ledger.exceptions import OPEN
from connectors.ledger.tables import (
    BLOCKED, IN_FLIGHT, PLANNED, UNKNOWN, dispatch_line, effect, exception, hint, order_book, request, run, stock_feed, vault_item,
)

UNSETTLED = (PLANNED, IN_FLIGHT, UNKNOWN, BLOCKED)
GONE = ("withdrawn", "cancelled", "rejected")
AT_ONCE = 400
Key = tuple[str, str]  # connection, order id


@dataclass(frozen=True)
class Held:
    """One order of which personal data is held. last_shipped_at: None when nothing has left. live: its requests that may still be shipped."""

    connection: str
    order_id: str
    oldest_at: datetime
    status: str
    modified_at: datetime
    is_plan_owed: bool
    last_shipped_at: datetime | None
    live: int
    requests: int


class Retention:
    """Reads as of one moment; `unsettled` is asked again in the transaction that destroys."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def held(self) -> tuple[list[Held], list[tuple[str, datetime]]]:
        """Orders of which the vault holds something; and the subjects that are no order, with their oldest row."""
        with self._database.reading() as tx:
            oldest = {row.subject: row.at for row in tx.execute(
                sa.select(vault_item.c.subject, sa.func.min(vault_item.c.sealed_at, type_=vault_item.c.sealed_at.type).label("at")).group_by(vault_item.c.subject))}
            orders = tx.execute(sa.select(order_book.c.connection, order_book.c.order_id, order_book.c.order, order_book.c.modified_at, order_book.c.replan)).all()
            asked = tx.execute(sa.select(request.c.connection, request.c.order_id, sa.func.count().label("requests"),
                                         sa.func.sum(sa.case((request.c.state.in_((*GONE, "shipped")), 0), else_=1)).label("live"))
                               .group_by(request.c.connection, request.c.order_id)).all()
            left = tx.execute(sa.select(request.c.connection, request.c.order_id, sa.func.max(dispatch_line.c.shipped_at, type_=dispatch_line.c.shipped_at.type).label("at"))
                              .join(dispatch_line, sa.and_(dispatch_line.c.warehouse == request.c.warehouse, dispatch_line.c.reference == request.c.reference))
                              .where(dispatch_line.c.quantity > 0).group_by(request.c.connection, request.c.order_id)).all()
        counts = {(row.connection, row.order_id): row for row in asked}
        shipped = {(row.connection, row.order_id): row.at for row in left}
        found = []
        for row in orders:
            since = oldest.pop(f"{row.connection}/{row.order_id}", None)
            if since is not None:
                of = counts.get((row.connection, row.order_id))
                found.append(Held(row.connection, row.order_id, since, row.order["status"], row.modified_at, row.replan,
                                  shipped.get((row.connection, row.order_id)), of.live if of else 0, of.requests if of else 0))
        return found, sorted(oldest.items())

    def unsettled(self, tx: Connection) -> dict[Key, list[str]]:
        """Orders that must not be touched yet, and why: an effect of theirs is open, or an exception about them, a reference of theirs included."""
        why: dict[Key, set[str]] = {}
        for row in tx.execute(sa.select(effect.c.connection, effect.c.record, effect.c.kind, effect.c.state).where(effect.c.state.in_(UNSETTLED))):
            why.setdefault((row.connection, row.record), set()).add(f"{row.kind} is {row.state}")
        exceptions = tx.execute(sa.select(exception.c.connection, exception.c.record, exception.c.type).where(exception.c.state == OPEN)).all()
        records = sorted({row.record.partition(":")[0] for row in exceptions})
        asked = [row for start in range(0, len(records), AT_ONCE) for row in tx.execute(
            sa.select(request.c.warehouse, request.c.reference, request.c.connection, request.c.order_id).where(request.c.reference.in_(records[start:start + AT_ONCE])))]
        references = {(told_by, row.reference): (row.connection, row.order_id) for row in asked for told_by in (row.warehouse, row.connection)}
        for row in exceptions:
            record = (row.connection, row.record.partition(":")[0])
            why.setdefault(references.get(record, record), set()).add(f"{row.type} is open")
        return {key: sorted(reasons) for key, reasons in why.items()}

    def evidence(self, tx: Connection) -> set[str]:
        """Names in the vault that an open exception needs: 'inbound:…' of a file that cannot be read, 'document:…' of an effect that is not settled."""
        found = {str(row.evidence[name]) for row in tx.execute(sa.select(exception.c.evidence).where(exception.c.state == OPEN))
                 for name in ("kept_as",) if name in (row.evidence or {})}
        return found | {f"document:{effect_id}" for effect_id in tx.execute(sa.select(effect.c.effect_id).where(effect.c.state.in_(UNSETTLED))).scalars()}

    def unaddress(self, tx: Connection, keys: Iterable[Key]) -> None:
        """These orders can no longer be addressed: a plan made of them now is held, not sent without an address. Not for what a warehouse has."""
        for connection, order_id in keys:
            tx.execute(sa.update(order_book).where(order_book.c.connection == connection, order_book.c.order_id == order_id).values(addressed=[]))

    def positions_in_use(self) -> set[str]:
        """Snapshots of stock that the ledger points at, by name."""
        with self._database.reading() as tx:
            return {name for name in tx.execute(sa.select(stock_feed.c.positions)).scalars() if name}

    def trim(self, tx: Connection, hints_before: datetime, runs_before: datetime) -> Mapping[str, int]:
        """Webhooks' hints and ended runs that are older. How many of each."""
        return {"hints": _rows(tx.execute(sa.delete(hint).where(hint.c.received_at < hints_before))),
                "runs": _rows(tx.execute(sa.delete(run).where(run.c.ended_at.is_not(None), run.c.ended_at < runs_before)))}

    def trimmable(self, tx: Connection, hints_before: datetime, runs_before: datetime) -> Mapping[str, int]:
        """The same, only counted."""
        return {"hints": tx.execute(sa.select(sa.func.count()).select_from(hint).where(hint.c.received_at < hints_before)).scalar() or 0,
                "runs": tx.execute(sa.select(sa.func.count()).select_from(run).where(run.c.ended_at.is_not(None), run.c.ended_at < runs_before)).scalar() or 0}


def _rows(done: Any) -> int:
    return int(done.rowcount)
