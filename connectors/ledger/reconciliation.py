"""The reconciled orders of a period: replaced as a whole by each run, with who made it; and what the ledger knows of money and goods for it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.ledger.database import Database
from connectors.ledger.tables import (
    WITHDRAWN, effect, exception, held_dispatch, journal, order_book, payment_seen, reconciliation, refund_seen, request, request_line, return_line,
    settlement_item,
)

CHUNK = 500
LOOK_BACK = timedelta(days=92)
MADE = "statement made"


class Reconciliations:
    """The reconciliation table, and the questions that fill it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def replace(self, tx: Connection, connection: str, period: str, rows: list[dict[str, Any]], actor: str, made_at: datetime, detail: dict[str, Any]) -> None:
        """These rows are the period's now, whoever made others before; the journal says who made them, and of what."""
        self._database.lock(tx, f"reconciliation {connection} {period}")
        tx.execute(sa.delete(reconciliation).where(*_of(connection, period)))
        for start in range(0, len(rows), CHUNK):
            tx.execute(sa.insert(reconciliation), [row | {"connection": connection, "period": period, "made_at": made_at} for row in rows[start:start + CHUNK]])
        tx.execute(sa.insert(journal).values(at=self._clock.now(), actor=actor, what=MADE, detail={"connection": connection, "period": period} | detail))

    def of(self, tx: Connection, connection: str, period: str) -> list[Row[Any]]:
        """The period's rows, as the last run made them."""
        return list(tx.execute(sa.select(reconciliation).where(*_of(connection, period)).order_by(reconciliation.c.placed_at, reconciliation.c.order_id)))

    def made(self, tx: Connection, connection: str, period: str) -> list[Row[Any]]:
        """Who made the period's statement, and when: the oldest first."""
        found = tx.execute(sa.select(journal).where(journal.c.what == MADE).order_by(journal.c.sequence))
        return [row for row in found if (row.detail["connection"], row.detail["period"]) == (connection, period)]

    # what the ledger knows

    def concerned(self, tx: Connection, connection: str, since: datetime, until: datetime) -> sa.ScalarSelect[str]:
        """The orders that a period from `since` may concern, as a question for the methods below: all that were placed before `until`.

        Once there is a statement: of those, the ones placed not long before `since`, changed or moved since then, or open by any statement.
        """
        order_id, placed_at = order_book.c.order_id, order_book.c.order["placed_at"].as_string()  # ISO 8601 in UTC: in the order of the alphabet
        wanted = sa.select(order_id).where(order_book.c.connection == connection, placed_at < until.isoformat())
        if tx.execute(sa.select(sa.literal(1)).where(reconciliation.c.connection == connection).limit(1)).scalar() is None:
            return wanted.scalar_subquery()
        moved = [sa.select(table.c.order_id).where(table.c.connection == connection, at >= since) for table, at in (
            (payment_seen, payment_seen.c.occurred_at), (refund_seen, refund_seen.c.created_at), (return_line, return_line.c.received_at),
            (settlement_item, settlement_item.c.last_posted_at))]
        still_open = sa.select(reconciliation.c.order_id).where(reconciliation.c.connection == connection, reconciliation.c.is_carried_out)
        told = sa.select(effect.c.record).where(effect.c.connection == connection, effect.c.planned_at >= since)
        return wanted.where(sa.or_(placed_at >= (since - LOOK_BACK).isoformat(), order_book.c.taken_in_at >= since,
                                   *(order_id.in_(those) for those in (*moved, still_open, told)))).scalar_subquery()

    def known_orders(self, connection: str) -> sa.ScalarSelect[str]:
        """Every order that the storefront ever told of, as a question."""
        return sa.select(order_book.c.order_id).where(order_book.c.connection == connection).scalar_subquery()

    def first_placed(self, tx: Connection, connection: str) -> datetime | None:
        """When the oldest order of the book was placed."""
        first = tx.execute(sa.select(sa.func.min(order_book.c.order["placed_at"].as_string())).where(order_book.c.connection == connection)).scalar()
        return datetime.fromisoformat(first) if first else None

    def orders(self, tx: Connection, connection: str, concerned: sa.ScalarSelect[str]) -> Iterable[Row[Any]]:
        """These orders and their lines, as the storefront last told them."""
        return tx.execute(sa.select(order_book.c.order_id, order_book.c.order, order_book.c.lines, order_book.c.taken_in_at)
                          .where(order_book.c.connection == connection, order_book.c.order_id.in_(concerned)).order_by(order_book.c.order_id))

    def confirmations(self, tx: Connection, connection: str, concerned: sa.ScalarSelect[str], kind: str) -> list[dict[str, Any]]:
        """Every parcel that was placed on order lines: what the storefront was, or is to be, told of it. Refused or not, the goods have left."""
        told = tx.execute(sa.select(effect.c.payload).where(effect.c.connection == connection, effect.c.kind == kind, effect.c.state != WITHDRAWN,
                                                            effect.c.record.in_(concerned)).order_by(effect.c.sequence)).scalars()
        held = tx.execute(sa.select(held_dispatch.c.payload).where(held_dispatch.c.connection == connection, held_dispatch.c.order_id.in_(concerned))
                          .order_by(held_dispatch.c.business_key)).scalars()
        return [*told, *held]

    def requests(self, tx: Connection, connection: str, concerned: sa.ScalarSelect[str]) -> list[Row[Any]]:
        """Whom we asked for these orders."""
        return list(tx.execute(sa.select(request.c.order_id, request.c.warehouse, request.c.reference, request.c.state)
                               .where(request.c.connection == connection, request.c.order_id.in_(concerned)).order_by(request.c.order_id, request.c.reference)))

    def request_line(self, tx: Connection, connection: str, reference: str, warehouse_sku: str) -> Row[Any] | None:
        """The line of a request that asks for this SKU, the first of them."""
        return tx.execute(sa.select(request_line).join(request, sa.and_(request.c.warehouse == request_line.c.warehouse, request.c.reference == request_line.c.reference))
                          .where(request.c.connection == connection, request_line.c.reference == reference, request_line.c.warehouse_sku == warehouse_sku)
                          .order_by(request_line.c.number)).first()

    def returned(self, tx: Connection, connection: str, concerned: sa.ScalarSelect[str]) -> list[Row[Any]]:
        """What came back of these orders."""
        return _of_orders(tx, return_line, connection, concerned)

    def refunds(self, tx: Connection, connection: str, concerned: sa.ScalarSelect[str]) -> list[Row[Any]]:
        """Refunds as the storefront shows them."""
        return _of_orders(tx, refund_seen, connection, concerned)

    def payments(self, tx: Connection, connection: str, concerned: sa.ScalarSelect[str]) -> list[Row[Any]]:
        """Movements of money as the storefront shows them."""
        return _of_orders(tx, payment_seen, connection, concerned)

    def on_desks(self, tx: Connection, connection: str) -> list[Row[Any]]:
        """Exceptions of a storefront, open and closed."""
        return list(tx.execute(sa.select(exception).where(exception.c.connection == connection).order_by(exception.c.opened_at, exception.c.exception_id)))


def _of(connection: str, period: str) -> tuple[Any, Any]:
    return reconciliation.c.connection == connection, reconciliation.c.period == period


def _of_orders(tx: Connection, table: sa.Table, connection: str, concerned: sa.ScalarSelect[str]) -> list[Row[Any]]:
    return list(tx.execute(sa.select(table).where(table.c.connection == connection, table.c.order_id.in_(concerned)).order_by(*table.primary_key)))
