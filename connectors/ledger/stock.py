"""What the warehouses said of their stock, and what happened since that they may not have counted yet. An older word never wins over a newer one."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.ledger.database import Database
from connectors.ledger.tables import CONFIRMED, dispatch_line, effect, exception, item, order_book, request, request_line, sku_sales, stock_change, stock_feed
from contracts.stock import AskedLine

GONE = ("withdrawn", "cancelled", "rejected")
OVER = ("done", "cancelled", "not_ours", "nothing_to_ship")  # orders that claim no stock any more
OFF, OPEN = ("cancelled", "refunded"), ("awaiting_payment", "on_hold", "awaiting_fulfilment", "awaiting_pickup")  # an order's status at its storefront
CANCEL_REFUSED = "cancel_refused"
CHUNK = 500


class Stock:
    """Feeds with compare-and-set, the documents between two statements, and the orders that a statement does not count."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def feeds(self, tx: Connection, warehouse: str) -> dict[str, Row[Any]]:
        """What each facility's feed has reached, by facility."""
        return {row.facility: row for row in tx.execute(sa.select(stock_feed).where(stock_feed.c.warehouse == warehouse))}

    def move_feed(self, tx: Connection, warehouse: str, facility: str, expected: str, values: dict[str, Any]) -> bool:
        """Point the feed at other positions, if it still is where we read it (`expected`; '': nowhere yet). False: somebody was quicker."""
        values = values | {"received_at": self._clock.now()}
        if not expected:
            return bool(tx.execute(self._database.insert(stock_feed).values(warehouse=warehouse, facility=facility, **values).on_conflict_do_nothing()).rowcount)
        return bool(tx.execute(sa.update(stock_feed).where(stock_feed.c.warehouse == warehouse, stock_feed.c.facility == facility,
                                                           stock_feed.c.positions == expected).values(**values)).rowcount)

    def documents(self, tx: Connection, warehouse: str, documents: Iterable[str]) -> dict[tuple[str, int], Row[Any]]:
        """What is known of these documents, by (document, line)."""
        found = tx.execute(sa.select(stock_change).where(stock_change.c.warehouse == warehouse, stock_change.c.document_id.in_(list(documents))))
        return {(row.document_id, row.line): row for row in found}

    def enter_changes(self, tx: Connection, rows: list[dict[str, Any]], inbox_key: str) -> int:
        """Rows of the contract StockChanges, each line of a document once for ever. How many are new."""
        return sum(tx.execute(self._database.insert(stock_change).values(inbox_key=inbox_key, entered_at=self._clock.now(), is_open=True, **row)
                              .on_conflict_do_nothing()).rowcount for row in rows)

    def open_changes(self, tx: Connection, warehouse: str) -> list[Row[Any]]:
        """Changes that no statement is known to count yet, oldest first."""
        return list(tx.execute(sa.select(stock_change).where(stock_change.c.warehouse == warehouse, stock_change.c.is_open.is_(True))
                               .order_by(stock_change.c.occurred_at, stock_change.c.document_id, stock_change.c.line)))

    def close_changes(self, tx: Connection, warehouse: str, keys: Iterable[tuple[str, int]]) -> int:
        """A statement counts them by now (document, line). How many."""
        return sum(tx.execute(sa.update(stock_change).where(
            stock_change.c.warehouse == warehouse, stock_change.c.document_id == document, stock_change.c.line == line, stock_change.c.is_open.is_(True),
        ).values(is_open=False)).rowcount for document, line in keys)

    def asked(self, tx: Connection, warehouse: str, since: datetime, acknowledges: bool) -> list[AskedLine]:
        """Live request lines of which some statement since then may not know, or whose goods may not have left by then."""
        seen = effect.c.verified_at if acknowledges else effect.c.confirmed_at
        is_live = request.c.state.notin_((*GONE, "shipped"))
        found = tx.execute(sa.select(
            request.c.reference, request.c.facility, request_line.c.warehouse_sku, request_line.c.quantity, effect.c.state, seen.label("seen_at"),
        ).join(request_line, sa.and_(request_line.c.warehouse == request.c.warehouse, request_line.c.reference == request.c.reference))
            .join(effect, effect.c.effect_id == request.c.effect_id)
            .where(request.c.warehouse == warehouse, request.c.state.notin_(GONE), sa.or_(is_live, seen.is_(None), seen > since, request.c.created_at > since))).all()
        shipped = self._shipped(tx, warehouse, sorted({row.reference for row in found}))
        wanted: Counter[tuple[Any, ...]] = Counter()
        for row in found:
            wanted[row.reference, row.facility, row.warehouse_sku, row.seen_at if row.state == CONFIRMED else None] += row.quantity
        return [AskedLine(facility, sku, quantity, seen_at, tuple(shipped.get((reference, sku), ())))
                for (reference, facility, sku, seen_at), quantity in wanted.items()]

    def units_asked_since(self, tx: Connection, warehouse: str, facility: str, since: datetime) -> int:
        """Units of requests that the facility got after that moment: what a statement may have lost for a reason that we know."""
        return tx.execute(sa.select(sa.func.coalesce(sa.func.sum(request_line.c.quantity), 0)).select_from(request).join(
            request_line, sa.and_(request_line.c.warehouse == request.c.warehouse, request_line.c.reference == request.c.reference),
        ).join(effect, effect.c.effect_id == request.c.effect_id).where(
            request.c.warehouse == warehouse, request.c.facility == facility, request.c.state.notin_(GONE), effect.c.confirmed_at > since)).scalar_one()

    def _shipped(self, tx: Connection, warehouse: str, references: list[str]) -> dict[tuple[str, str], list[tuple[datetime, int]]]:
        found: dict[tuple[str, str], list[tuple[datetime, int]]] = {}
        for start in range(0, len(references), CHUNK):
            for row in tx.execute(sa.select(dispatch_line.c.reference, dispatch_line.c.sku, dispatch_line.c.shipped_at, dispatch_line.c.quantity).where(
                    dispatch_line.c.warehouse == warehouse, dispatch_line.c.reference.in_(references[start:start + CHUNK]), dispatch_line.c.quantity > 0)):
                found.setdefault((row.reference, row.sku), []).append((row.shipped_at, row.quantity))
        return found

    def claiming_orders(self, tx: Connection) -> list[Row[Any]]:
        """Orders of every storefront that may still want stock."""
        return list(tx.execute(sa.select(order_book.c.connection, order_book.c.order_id, order_book.c.order, order_book.c.lines, order_book.c.ship_groups)
                               .where(order_book.c.state.notin_(OVER)).order_by(order_book.c.connection, order_book.c.order_id)))

    def asked_of_orders(self, tx: Connection) -> dict[tuple[str, str, str], int]:
        """(connection, order, line) -> how many storefront units of it have been asked of a warehouse, for orders that may still want stock."""
        found = tx.execute(sa.select(request.c.connection, request.c.order_id, request_line.c.line_id, request_line.c.quantity, request_line.c.factor)
                           .join(request_line, sa.and_(request_line.c.warehouse == request.c.warehouse, request_line.c.reference == request.c.reference))
                           .join(order_book, sa.and_(order_book.c.connection == request.c.connection, order_book.c.order_id == request.c.order_id))
                           .where(request.c.state.notin_(GONE), order_book.c.state.notin_(OVER)))
        asked: dict[tuple[str, str, str], int] = {}
        for row in found:  # a kit is asked as its components: each of them stands for the same kits
            key = (row.connection, row.order_id, row.line_id)
            asked[key] = max(asked.get(key, 0), row.quantity // row.factor)
        return asked

    def item_units(self, tx: Connection, warehouse: str, skus: list[str]) -> dict[tuple[str, str], str]:
        """(warehouse, SKU) -> the unit that the item master keeps it in, for those of these SKUs that it has."""
        found: dict[tuple[str, str], str] = {}
        if tx.execute(sa.select(item.c.sku).where(item.c.warehouse == warehouse).limit(1)).first() is None:
            return found
        for start in range(0, len(skus), CHUNK):
            for row in tx.execute(sa.select(item.c.sku, item.c.fields).where(item.c.warehouse == warehouse, item.c.sku.in_(skus[start:start + CHUNK]))):
                found[warehouse, row.sku] = row.fields["unit"]
        return found

    def sales(self, tx: Connection) -> list[Row[Any]]:
        """What was last counted of each SKU's sales, of every storefront."""
        return list(tx.execute(sa.select(sku_sales)))

    def keep_sales(self, tx: Connection, connection: str, rows: list[dict[str, Any]]) -> None:
        """Replace what was counted of this storefront: {sku, units, days, dispersion_milli}."""
        tx.execute(sa.delete(sku_sales).where(sku_sales.c.connection == connection))
        if rows:
            tx.execute(sa.insert(sku_sales), [row | {"connection": connection, "counted_at": self._clock.now()} for row in rows])

    def moved_there(self, tx: Connection, connection: str, since: datetime) -> set[str]:
        """SKUs of orders that came or changed since then and are still open, were called off, or shipped although they had been: the storefront has moved its
        own figures for them, and where goods came in meanwhile ours may be the same as before."""
        refused = sa.exists().where(exception.c.connection == order_book.c.connection, exception.c.record == order_book.c.order_id, exception.c.type == CANCEL_REFUSED)
        found = tx.execute(sa.select(order_book.c.order, order_book.c.lines, refused.label("refused")).where(
            order_book.c.connection == connection, order_book.c.changed_at > since))
        return {line["sku"].strip() for order, lines, is_refused in found
                if is_refused or order["status"] in OFF or order["status"] in OPEN and order.get("fulfilled_by") != "marketplace" for line in lines}

    def sold(self, tx: Connection, connection: str, since: datetime) -> list[tuple[datetime, str, int]]:
        """(placed at, SKU, units) of every shippable line ordered since then, not called off, and not out of a marketplace's own stock."""
        found = tx.execute(sa.select(order_book.c.order, order_book.c.lines).where(
            order_book.c.connection == connection, order_book.c.modified_at >= since, order_book.c.state != "cancelled"))
        rows = []
        for order, lines in found:
            placed_at = datetime.fromisoformat(order["placed_at"])
            if placed_at >= since and order["status"] not in OFF and order.get("fulfilled_by") != "marketplace":
                rows += [(placed_at, line["sku"].strip(), line["quantity"]) for line in lines if line["is_shippable"] and line["sku"].strip()]
        return rows

