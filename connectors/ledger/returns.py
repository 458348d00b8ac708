"""Returns: what came back line by line, what was announced, and what the storefront shows of refunds and payments."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration
from connectors.ledger.database import Database, shortened
from connectors.ledger.exceptions import CAUSE_LONGEST, RECORD_LONGEST
from connectors.ledger.tables import authorised_return, dispatch_line, exception, payment_seen, refund_seen, request, request_line, return_line, rma

UNMATCHED, UNEXPECTED, DUE, SETTLED = "unmatched", "unexpected", "due", "settled"
ASKED, APPROVED, REFUSED, CLOSED = "asked", "approved", "refused", "closed"
CHUNK = 500  # keys in one question: SQLite takes some thousands, PostgreSQL some more


class Returns:
    """return_line, rma, refund_seen and payment_seen. Every method takes part in the caller's transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def lock(self, tx: Connection, connection: str, order_id: str) -> None:
        """One at a time about the returns of an order, until this transaction ends."""
        self._database.lock(tx, f"returns {connection}/{order_id}")

    def enter(self, tx: Connection, rows: list[dict[str, Any]], inbox_key: str) -> None:
        """Keep the advice as it came; rows of the contract ReturnLines."""
        if rows:
            tx.execute(sa.insert(return_line), [row | {"inbox_key": inbox_key, "state": UNMATCHED, "placed": [], "dues": []} for row in rows])

    def lines(self, tx: Connection, warehouse: str, document_ids: Iterable[str]) -> list[Row[Any]]:
        """The lines of these documents."""
        return list(tx.execute(sa.select(return_line).where(return_line.c.warehouse == warehouse, return_line.c.document_id.in_(list(document_ids)))
                               .order_by(return_line.c.document_id, return_line.c.line)))

    def of_order(self, tx: Connection, connection: str, order_id: str) -> list[Row[Any]]:
        """Everything that came back of an order, oldest first."""
        return list(tx.execute(sa.select(return_line).where(return_line.c.connection == connection, return_line.c.order_id == order_id)
                               .order_by(return_line.c.received_at, return_line.c.warehouse, return_line.c.document_id, return_line.c.line)))

    def change(self, tx: Connection, line: Row[Any] | dict[str, Any], **values: Any) -> None:
        """What is known of a line by now."""
        key = line if isinstance(line, dict) else line._mapping
        tx.execute(sa.update(return_line).where(*(return_line.c[name] == key[name] for name in ("warehouse", "document_id", "line"))).values(**values))

    def orders_due(self, tx: Connection, connection: str) -> list[str]:
        """Orders of which something came back that is not decided."""
        return list(tx.execute(sa.select(return_line.c.order_id).where(return_line.c.connection == connection, return_line.c.state == DUE)
                               .distinct().order_by(return_line.c.order_id)).scalars())

    def decided_by(self, tx: Connection, type_name: str, connection: str, record: str, cause: str, not_by: str) -> str:
        """The person who closed an exception of exactly this cause; '' when nobody did (what the flow itself settled does not count)."""
        found = tx.execute(sa.select(exception.c.resolved_by).where(
            exception.c.type == type_name, exception.c.connection == connection, exception.c.record == shortened(record, RECORD_LONGEST),
            exception.c.cause == shortened(cause, CAUSE_LONGEST), exception.c.state == "resolved", exception.c.resolved_by != not_by).order_by(exception.c.resolved_at.desc()).limit(1)).scalar()
        return found or ""

    # whose it may be

    def request_orders(self, tx: Connection, warehouse: str, references: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Reference -> order, of the requests that this warehouse had."""
        found = tx.execute(sa.select(request.c.reference, request.c.connection, request.c.order_id)
                           .where(request.c.warehouse == warehouse, request.c.reference.in_(list(references))))
        return {row.reference: (row.connection, row.order_id) for row in found}

    def known_orders(self, tx: Connection, warehouse: str, orders: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the orders that this warehouse had a request for."""
        wanted = set(orders)
        found = tx.execute(sa.select(request.c.connection, request.c.order_id).where(
            request.c.warehouse == warehouse, request.c.order_id.in_({order_id for _, order_id in wanted})).distinct())
        return {(row.connection, row.order_id) for row in found} & wanted

    def candidates(self, tx: Connection, warehouse: str, skus: Iterable[str], limit: int = 300) -> list[dict[str, Any]]:
        """Orders of which this warehouse shipped one of the SKUs and has not got it all back, the newest first: what `rules.returns.rank` wants."""
        newest = (sa.select(request.c.connection, request.c.order_id, sa.func.max(request.c.created_at).label("at"))
                  .join(request_line, sa.and_(request_line.c.warehouse == request.c.warehouse, request_line.c.reference == request.c.reference))
                  .where(request.c.warehouse == warehouse, request_line.c.warehouse_sku.in_(list(skus)), request_line.c.advised > 0)
                  .group_by(request.c.connection, request.c.order_id).order_by(sa.desc("at"), request.c.connection, request.c.order_id).limit(limit)).subquery()
        found: dict[tuple[str, str], dict[str, Any]] = {}
        shipped = sa.select(request, request_line.c.warehouse_sku, request_line.c.advised).join(newest, sa.and_(
            newest.c.connection == request.c.connection, newest.c.order_id == request.c.order_id)).join(request_line, sa.and_(
                request_line.c.warehouse == request.c.warehouse, request_line.c.reference == request.c.reference)).where(request.c.warehouse == warehouse)
        for row in tx.execute(shipped):
            one = found.setdefault((row.connection, row.order_id), {"connection": row.connection, "order_id": row.order_id, "references": set(),
                                                                    "facilities": set(), "tracking_numbers": set(), "shipped_at": None, "left": {}})
            one["references"].add(row.reference)
            one["facilities"].add(row.facility)
            one["left"][row.warehouse_sku] = one["left"].get(row.warehouse_sku, 0) + row.advised
        self._add_parcels(tx, warehouse, found)
        self._take_returned(tx, warehouse, found)
        return list(found.values())

    def _add_parcels(self, tx: Connection, warehouse: str, found: dict[tuple[str, str], dict[str, Any]]) -> None:
        of_reference = {reference: one for one in found.values() for reference in one["references"]}
        for chunk in _chunks(sorted(of_reference)):
            for row in tx.execute(sa.select(dispatch_line.c.reference, dispatch_line.c.tracking_number, sa.func.min(dispatch_line.c.shipped_at,
                                  type_=dispatch_line.c.shipped_at.type).label("shipped_at")).where(dispatch_line.c.warehouse == warehouse,
                                  dispatch_line.c.reference.in_(chunk)).group_by(dispatch_line.c.reference, dispatch_line.c.tracking_number)):
                one = of_reference[row.reference]
                one["tracking_numbers"].add(row.tracking_number)
                one["shipped_at"] = min(filter(None, (one["shipped_at"], row.shipped_at)))

    def _take_returned(self, tx: Connection, warehouse: str, found: dict[tuple[str, str], dict[str, Any]]) -> None:
        for chunk in _chunks(sorted({order_id for _, order_id in found})):
            for row in tx.execute(sa.select(return_line).where(return_line.c.warehouse == warehouse, return_line.c.order_id.in_(chunk))):
                one = found.get((row.connection, row.order_id))
                if one is not None:
                    one["left"][row.sku] = one["left"].get(row.sku, 0) - sum(entry["units"] for entry in row.placed)

    # announced returns

    def ask_rma(self, tx: Connection, connection: str, number: str, order_id: str, warehouse: str, facility: str, lines: list[dict[str, Any]],
                reason: str, actor: str) -> None:
        """A return is asked for. Raises BadConfiguration when the number is taken."""
        if not tx.execute(self._database.insert(rma).values(
                connection=connection, rma=number, order_id=order_id, warehouse=warehouse, facility=facility, lines=lines, reason=reason, state=ASKED,
                asked_at=self._clock.now(), asked_by=actor, decided_by="").on_conflict_do_nothing()).rowcount:
            raise BadConfiguration(f"asking for the return {number}", "there is a return of this number", "Ask again.")

    def rma(self, tx: Connection, connection: str, number: str) -> Row[Any] | None:
        """One announced return."""
        return tx.execute(sa.select(rma).where(rma.c.connection == connection, rma.c.rma == number)).one_or_none()

    def rmas(self, tx: Connection, numbers: Iterable[str]) -> list[Row[Any]]:
        """Announced returns by number, of every storefront."""
        return list(tx.execute(sa.select(rma).where(rma.c.rma.in_(list(numbers))).order_by(rma.c.connection, rma.c.rma)))

    def rmas_of(self, tx: Connection, connection: str, order_id: str) -> list[Row[Any]]:
        """The announced returns of an order, oldest first."""
        return list(tx.execute(sa.select(rma).where(rma.c.connection == connection, rma.c.order_id == order_id).order_by(rma.c.asked_at, rma.c.rma)))

    def move_rma(self, tx: Connection, connection: str, number: str, state: str, expected: str, actor: str = "") -> bool:
        """From one state to the next; with an actor it is his decision. False when it is in another state."""
        decided = {"decided_at": self._clock.now(), "decided_by": actor} if actor else {}
        return bool(tx.execute(sa.update(rma).where(rma.c.connection == connection, rma.c.rma == number, rma.c.state == expected)
                               .values(state=state, **decided)).rowcount)

    # what the storefront shows

    def see_refunds(self, tx: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Keep rows of the contract Refunds as they are shown now; returns those that are new, or whose payment was declined since."""
        news = []
        for row in rows:
            before = tx.execute(sa.select(refund_seen.c.is_declined).where(*_is(refund_seen, row, ("connection", "refund_id", "line_id")))).scalar()
            if before is None or (row["is_declined"] and not before):
                news.append(row)
            self._see(tx, refund_seen, row, ("connection", "refund_id", "line_id"))
        return news

    def see_payments(self, tx: Connection, rows: list[dict[str, Any]]) -> None:
        """Keep rows of the contract Payments as they are shown now."""
        for row in rows:
            self._see(tx, payment_seen, row, ("connection", "payment_id"))

    def see_authorised(self, tx: Connection, rows: list[dict[str, Any]]) -> None:
        """Keep rows of the contract AuthorisedReturns as the marketplace shows them now."""
        for row in rows:
            self._see(tx, authorised_return, row, ("connection", "return_id", "order_id", "sku"))

    def authorised_of(self, tx: Connection, connection: str, order_ids: Iterable[str]) -> list[Row[Any]]:
        """What the marketplace let customers of these orders send back."""
        return [row for chunk in _chunks(sorted(set(order_ids))) for row in tx.execute(
            sa.select(authorised_return).where(authorised_return.c.connection == connection, authorised_return.c.order_id.in_(chunk))
            .order_by(authorised_return.c.order_id, authorised_return.c.asked_at, authorised_return.c.return_id, authorised_return.c.sku))]

    def _see(self, tx: Connection, table: sa.Table, row: dict[str, Any], key: tuple[str, ...]) -> None:
        values = row | {"seen_at": self._clock.now()}
        tx.execute(self._database.insert(table).values(**values).on_conflict_do_update(
            index_elements=list(key), set_={name: value for name, value in values.items() if name not in key}))

    def refunds_of(self, tx: Connection, connection: str, order_id: str) -> list[dict[str, Any]]:
        """The refunds of an order, as last seen."""
        return _dicts(tx, sa.select(refund_seen).where(refund_seen.c.connection == connection, refund_seen.c.order_id == order_id)
                      .order_by(refund_seen.c.created_at, refund_seen.c.refund_id, refund_seen.c.line_id))

    def payments_of(self, tx: Connection, connection: str, order_id: str) -> list[dict[str, Any]]:
        """The movements of money of an order, as last seen."""
        return _dicts(tx, sa.select(payment_seen).where(payment_seen.c.connection == connection, payment_seen.c.order_id == order_id)
                      .order_by(payment_seen.c.occurred_at, payment_seen.c.payment_id))

    # a period

    def period(self, tx: Connection, connection: str, since: datetime, until: datetime) -> dict[str, pd.DataFrame]:
        """What came back, and what was given back, from `since` to before `until`: {'returns': lines, 'refunds': lines} with the order's number."""
        came = sa.select(return_line).where(return_line.c.connection == connection, return_line.c.received_at >= since, return_line.c.received_at < until)
        gave = sa.select(refund_seen).where(refund_seen.c.connection == connection, refund_seen.c.created_at >= since, refund_seen.c.created_at < until)
        return {"returns": _frame(tx, return_line, came.order_by(return_line.c.received_at, return_line.c.document_id, return_line.c.line)),
                "refunds": _frame(tx, refund_seen, gave.order_by(refund_seen.c.created_at, refund_seen.c.refund_id, refund_seen.c.line_id))}


def _is(table: sa.Table, row: dict[str, Any], key: tuple[str, ...]) -> Iterable[Any]:
    return (table.c[name] == row[name] for name in key)


def _dicts(tx: Connection, wanted: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in tx.execute(wanted).mappings()]


def _frame(tx: Connection, table: sa.Table, wanted: sa.Select[Any]) -> pd.DataFrame:
    return pd.DataFrame(_dicts(tx, wanted), columns=[column.name for column in table.c])


def _chunks(keys: list[str]) -> Iterable[list[str]]:
    return (keys[at:at + CHUNK] for at in range(0, len(keys), CHUNK))
