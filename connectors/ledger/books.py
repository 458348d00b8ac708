"""What we know of orders, fulfilment requests and dispatches: no personal data, and an older word never wins over a newer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.ledger.database import Database, shortened
from connectors.ledger.tables import PACKAGE_NUMBERS, control_number, dispatch_line, held_dispatch, order_book, package_number, request, request_line

KEY_LONGEST = 400


@dataclass(frozen=True)
class OrderEntry:
    """One order as a storefront told it, ready for the book. order, lines, ship_groups: JSON of the contracts' rows."""

    connection: str
    order_id: str
    order: dict[str, Any]
    lines: list[dict[str, Any]]
    ship_groups: list[dict[str, Any]]
    fingerprint: str
    addressed: list[str]
    modified_at: datetime


class Books:
    """The order book, the requests made of warehouses, and what the warehouses said they shipped."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._enter = database.kept(database.insert(order_book).on_conflict_do_nothing())

    def take_in(self, tx: Connection, entry: OrderEntry) -> str:
        """Enter an order: 'new', 'changed', 'same', or 'older' (then nothing was changed)."""
        values = {"order": entry.order, "lines": entry.lines, "ship_groups": entry.ship_groups, "fingerprint": entry.fingerprint,
                  "addressed": entry.addressed, "modified_at": entry.modified_at, "taken_in_at": self._clock.now()}
        if self._enter(tx, values | {"connection": entry.connection, "order_id": entry.order_id, "state": "new", "asked_hash": "", "replan": True,
                                             "changed_at": values["taken_in_at"]}).rowcount:
            return "new"
        # locked until we commit: between our look and our write nobody enters a newer one (PostgreSQL; SQLite has one writer)
        before = tx.execute(_ORDER_LOCKED, {"of": entry.connection, "id": entry.order_id}).one()
        if entry.modified_at < before.modified_at:
            return "older"
        same = ({"ship_by": None} | before.order | {"modified_at": ""}, before.lines, before.ship_groups, before.fingerprint, before.addressed) == (
            {"ship_by": None} | entry.order | {"modified_at": ""}, entry.lines, entry.ship_groups, entry.fingerprint, entry.addressed)
        replan = before.replan or not same
        tx.execute(_ENTER_AGAIN, values | {"of": entry.connection, "id": entry.order_id, "replan": replan, "changed_at": before.changed_at if same else values["taken_in_at"]})
        return "same" if same else "changed"

    def order(self, tx: Connection, connection: str, order_id: str) -> Row[Any] | None:
        """One entry of the order book."""
        return tx.execute(_ORDER, {"of": connection, "id": order_id}).one_or_none()

    def lines(self, tx: Connection, connection: str) -> list[dict[str, Any]]:
        """Every order line of a storefront: JSON of the contract OrderLines."""
        found = tx.execute(sa.select(order_book.c.lines).where(order_book.c.connection == connection)).scalars()
        return [line for lines in found for line in lines]

    def to_plan(self, tx: Connection, connection: str, limit: int) -> list[Row[Any]]:
        """Orders whose plan is owed, in a fixed order."""
        return list(tx.execute(_TO_PLAN, {"of": connection, "most": limit}))

    def planned(self, tx: Connection, connection: str, order_id: str, state: str, asked_hash: str | None = None) -> None:
        """The plan of this order is made."""
        values = {"state": state, "replan": False} | ({} if asked_hash is None else {"asked_hash": asked_hash})
        tx.execute(sa.update(order_book).where(*_is(connection, order_id)).values(**values))

    def plan_again(self, tx: Connection, records: Iterable[tuple[str, str]]) -> int:
        """Make the plans of these orders anew at the next run. How many there are."""
        return sum(tx.execute(sa.update(order_book).where(*_is(connection, order_id)).values(replan=True)).rowcount for connection, order_id in records)

    def ask(self, tx: Connection, payload: dict[str, Any], effect_id: str, state: str = "asked") -> None:
        """Enter a fulfilment request, or its newer revision; what was already advised is kept."""
        where = (request.c.warehouse == payload["warehouse"], request.c.reference == payload["reference"])
        advised = {row.number: row.advised for row in self.request_lines(tx, payload["warehouse"], payload["reference"])}
        values = {name: payload[name] for name in ("connection", "order_id", "ship_group", "facility", "carrier", "service", "revision")}
        values |= {"state": state, "effect_id": effect_id, "payload": payload}
        if not tx.execute(sa.update(request).where(*where).values(**values)).rowcount:
            tx.execute(sa.insert(request).values(warehouse=payload["warehouse"], reference=payload["reference"], created_at=self._clock.now(), **values))
        tx.execute(sa.delete(request_line).where(request_line.c.warehouse == payload["warehouse"], request_line.c.reference == payload["reference"]))
        if not payload["lines"]:
            return
        tx.execute(sa.insert(request_line), [
            {"warehouse": payload["warehouse"], "reference": payload["reference"], "advised": advised.get(line["number"], 0)}
            | {name: line[name] for name in ("number", "line_id", "sku", "warehouse_sku", "quantity", "unit", "factor")} for line in payload["lines"]])

    def requests_of(self, tx: Connection, connection: str, order_id: str) -> list[Row[Any]]:
        """The requests made for an order, by reference."""
        return list(tx.execute(sa.select(request).where(request.c.connection == connection, request.c.order_id == order_id).order_by(request.c.reference)))

    def requests(self, tx: Connection, warehouse: str, references: Iterable[str]) -> dict[str, Row[Any]]:
        """Requests by the reference that the warehouse echoes."""
        found = tx.execute(_REQUESTS, {"at": warehouse, "named": list(references)})
        return {row.reference: row for row in found}

    def request_lines(self, tx: Connection, warehouse: str, reference: str) -> list[Row[Any]]:
        """The lines of one request, by number."""
        return list(tx.execute(_REQUEST_LINES, {"at": warehouse, "named": reference}))

    def set_request(self, tx: Connection, warehouse: str, reference: str, state: str) -> None:
        """asked, changed, cancelling, cancelled, rejected, partly_shipped, shipped, withdrawn."""
        tx.execute(sa.update(request).where(request.c.warehouse == warehouse, request.c.reference == reference).values(state=state))

    def advise(self, tx: Connection, warehouse: str, reference: str, number: int, units: int) -> None:
        """The warehouse says it shipped `units` more of this request line."""
        tx.execute(sa.update(request_line).where(request_line.c.warehouse == warehouse, request_line.c.reference == reference, request_line.c.number == number)
                   .values(advised=request_line.c.advised + units))

    def dispatched(self, tx: Connection, warehouse: str, references: Iterable[str]) -> list[Row[Any]]:
        """What the warehouse has advised for these references so far."""
        return list(tx.execute(sa.select(dispatch_line).where(dispatch_line.c.warehouse == warehouse, dispatch_line.c.reference.in_(list(references)))
                               .order_by(dispatch_line.c.sequence)))

    def enter_dispatch(self, tx: Connection, rows: list[dict[str, Any]], inbox_key: str) -> None:
        """Keep the advice as it came; rows of the contract Dispatches."""
        if rows:
            tx.execute(sa.insert(dispatch_line), [row | {"inbox_key": inbox_key} for row in rows])

    def forget_dispatch(self, tx: Connection, warehouse: str, reference: str, advice_id: str) -> None:
        """Take back advice that could not be placed, so that it can be entered anew with its order."""
        tx.execute(sa.delete(dispatch_line).where(dispatch_line.c.warehouse == warehouse, dispatch_line.c.reference == reference,
                                                  dispatch_line.c.advice_id == advice_id))

    def number_package(self, tx: Connection, connection: str, order_id: str, package: str) -> int:
        """The package's number within its order: 1, 2, …, given once, kept for ever, and never another package's.

        A storefront that knows a package by such a number takes the same number again for a correction, and a new one for one more package.
        """
        of_order = (package_number.c.connection == connection, package_number.c.order_id == order_id)
        package = shortened(package, KEY_LONGEST)
        self._database.lock(tx, f"packages {connection}/{order_id}")
        given = tx.execute(sa.select(package_number.c.number).where(*of_order, package_number.c.package == package)).scalar()
        if given is not None:
            return given
        last = tx.execute(sa.select(sa.func.max(package_number.c.number)).where(*of_order)).scalar() or 0
        used = tx.execute(sa.select(control_number.c.last).where(control_number.c.stream == PACKAGE_NUMBERS)).scalar() or 0  # before a backup was restored
        number = max(last, used) + 1
        tx.execute(sa.insert(package_number).values(connection=connection, order_id=order_id, package=package, number=number, given_at=self._clock.now()))
        return number

    def hold_dispatch(self, tx: Connection, business_key: str, payload: dict[str, Any], waits_on: str) -> None:
        """A package whose confirmation cannot be made yet."""
        tx.execute(self._database.insert(held_dispatch).values(
            business_key=shortened(business_key, KEY_LONGEST), connection=payload["connection"], order_id=payload["order_id"], waits_on=waits_on,
            payload=payload, held_at=self._clock.now()).on_conflict_do_nothing())

    def held_dispatches(self, tx: Connection, connection: str) -> list[Row[Any]]:
        """Packages of this storefront that wait for a mapping."""
        return list(tx.execute(_HELD, {"of": connection}))

    def release_dispatch(self, tx: Connection, business_key: str) -> None:
        """It waits no longer."""
        tx.execute(sa.delete(held_dispatch).where(held_dispatch.c.business_key == shortened(business_key, KEY_LONGEST)))


def _is(connection: Any, order_id: Any) -> tuple[Any, Any]:
    return order_book.c.connection == connection, order_book.c.order_id == order_id


# asked in every run: built once
_ORDER = sa.select(order_book).where(*_is(sa.bindparam("of"), sa.bindparam("id")))
_ORDER_LOCKED = _ORDER.with_for_update()
_ENTER_AGAIN = sa.update(order_book).where(*_is(sa.bindparam("of"), sa.bindparam("id"))).values({name: sa.bindparam(name) for name in (
    "order", "lines", "ship_groups", "fingerprint", "addressed", "modified_at", "taken_in_at", "replan", "changed_at")})
_TO_PLAN = sa.select(order_book).where(order_book.c.connection == sa.bindparam("of"), order_book.c.replan.is_(True)).order_by(
    order_book.c.modified_at, order_book.c.order_id).limit(sa.bindparam("most"))
_REQUESTS = sa.select(request).where(request.c.warehouse == sa.bindparam("at"), request.c.reference.in_(sa.bindparam("named", expanding=True)))
_REQUEST_LINES = sa.select(request_line).where(
    request_line.c.warehouse == sa.bindparam("at"), request_line.c.reference == sa.bindparam("named")).order_by(request_line.c.number)
_HELD = sa.select(held_dispatch).where(held_dispatch.c.connection == sa.bindparam("of")).order_by(held_dispatch.c.business_key)
