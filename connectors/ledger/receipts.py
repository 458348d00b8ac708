"""Stock that was announced to a warehouse, and what it received of it."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.ledger.database import Database
from connectors.ledger.tables import receipt_notice, stock_change


class Receipts:
    """The notices, by warehouse and reference; the warehouse's receipts are among the stock changes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def announce(self, tx: Connection, warehouse: str, reference: str, facility: str, expected_on: str, lines: list[dict[str, Any]], actor: str) -> bool:
        """Enter a notice, once. False: there is one under this reference."""
        return bool(tx.execute(self._database.insert(receipt_notice).values(
            warehouse=warehouse, reference=reference, facility=facility, expected_on=expected_on, lines=lines, state="announced",
            announced_at=self._clock.now(), announced_by=actor).on_conflict_do_nothing()).rowcount)

    def notice(self, tx: Connection, warehouse: str, reference: str) -> Row[Any] | None:
        """One notice."""
        return tx.execute(sa.select(receipt_notice).where(*_is(warehouse, reference))).one_or_none()

    def received(self, tx: Connection, warehouse: str, reference: str) -> list[Row[Any]]:
        """What all receipts under this reference brought so far: (facility, sku, unit, units, documents), by SKU."""
        found = tx.execute(sa.select(stock_change.c.facility, stock_change.c.sku, stock_change.c.unit, sa.func.sum(stock_change.c.change).label("units"),
                                     sa.func.count(sa.distinct(stock_change.c.document_id)).label("documents"))
                           .where(stock_change.c.warehouse == warehouse, stock_change.c.reference == reference, stock_change.c.kind == "receipt")
                           .group_by(stock_change.c.facility, stock_change.c.sku, stock_change.c.unit)
                           .order_by(stock_change.c.sku, stock_change.c.unit, stock_change.c.facility))
        return list(found)

    def set_state(self, tx: Connection, warehouse: str, reference: str, state: str) -> None:
        """announced, differs, received."""
        tx.execute(sa.update(receipt_notice).where(*_is(warehouse, reference)).values(state=state))


def _is(warehouse: str, reference: str) -> tuple[Any, Any]:
    return receipt_notice.c.warehouse == warehouse, receipt_notice.c.reference == reference
