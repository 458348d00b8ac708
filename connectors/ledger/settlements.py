"""Settlements that were taken in: their heads, what each kind of amount comes to by day, and what each order got.

The amounts themselves are a snapshot (kind `settlement_rows`); sums and items are made from it and from the mapping table `settlement_types`, and
can be made again at any time.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.ledger.database import Database
from connectors.ledger.tables import settlement, settlement_item, settlement_sum

CONSISTENT, INCONSISTENT = "consistent", "inconsistent"
BY_CATALOGUE, BY_RULE, BY_NOBODY = "catalogue", "rule", "nobody"
CHUNK = 500


class Settled:
    """settlement, settlement_sum and settlement_item. Every method takes part in the caller's transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def lock(self, tx: Connection, connection: str) -> None:
        """One at a time about the settlements of a connection, until this transaction ends."""
        self._database.lock(tx, f"settlements {connection}")

    def head(self, tx: Connection, connection: str, settlement_id: str) -> Row[Any] | None:
        """One settlement."""
        return tx.execute(sa.select(settlement).where(*_is(settlement, connection, settlement_id))).one_or_none()

    def heads(self, tx: Connection, connection: str) -> list[Row[Any]]:
        """Every settlement of a connection, the oldest first; one without dates stands first."""
        found = tx.execute(sa.select(settlement).where(settlement.c.connection == connection)).all()
        return sorted(found, key=lambda row: (row.started_at is not None, row.started_at, row.settlement_id) if row.started_at else (False, None, row.settlement_id))

    def enter(self, tx: Connection, head: dict[str, Any], sums: list[dict[str, Any]], items: list[dict[str, Any]]) -> None:
        """A settlement that is not known yet. Raises NotNow when another process entered it meanwhile."""
        tx.execute(sa.insert(settlement).values(**head, taken_in_at=self._clock.now()))
        self._fill(tx, sums, items)

    def attribute(self, tx: Connection, connection: str, settlement_id: str, sums: list[dict[str, Any]], items: list[dict[str, Any]]) -> None:
        """Its sums and items are these now."""
        for table in (settlement_sum, settlement_item):
            tx.execute(sa.delete(table).where(*_is(table, connection, settlement_id)))
        self._fill(tx, sums, items)

    def _fill(self, tx: Connection, sums: list[dict[str, Any]], items: list[dict[str, Any]]) -> None:
        for table, rows in ((settlement_sum, sums), (settlement_item, items)):
            self._database.many(tx, sa.insert(table), table, rows)

    def sums(self, tx: Connection, connection: str) -> list[Row[Any]]:
        """What every kind of amount comes to, by settlement and day."""
        return list(tx.execute(sa.select(settlement_sum).where(settlement_sum.c.connection == connection).order_by(settlement_sum.c.sequence)))

    def not_in_catalogue(self, tx: Connection, connection: str) -> list[Row[Any]]:
        """The sums of triples that the catalogue does not know, classified by people or by nobody."""
        return list(tx.execute(sa.select(settlement_sum).where(settlement_sum.c.connection == connection, settlement_sum.c.known_by != BY_CATALOGUE)
                               .order_by(settlement_sum.c.sequence)))

    def items(self, tx: Connection, connection: str, concerned: sa.ScalarSelect[str] | Iterable[str] | None = None) -> list[Row[Any]]:
        """What these orders (None: all) got, a row each settlement and item."""
        wanted = sa.select(settlement_item).where(settlement_item.c.connection == connection).order_by(settlement_item.c.sequence)
        return list(tx.execute(wanted if concerned is None else wanted.where(settlement_item.c.order_id.in_(concerned))))

    def of_order(self, tx: Connection, connection: str, order_id: str) -> list[Row[Any]]:
        """What one order got, the oldest first."""
        return list(tx.execute(sa.select(settlement_item).where(settlement_item.c.connection == connection, settlement_item.c.order_id == order_id)
                               .order_by(settlement_item.c.first_posted_at, settlement_item.c.sequence)))

    def orders_outside(self, tx: Connection, connection: str, known: sa.ScalarSelect[str]) -> list[Row[Any]]:
        """Items of orders that are not among the known ones."""
        return list(tx.execute(sa.select(settlement_item).where(settlement_item.c.connection == connection, settlement_item.c.order_id.not_in(known))
                               .order_by(settlement_item.c.sequence)))


def _is(table: sa.Table, connection: str, settlement_id: str) -> tuple[Any, Any]:
    return table.c.connection == connection, table.c.settlement_id == settlement_id
