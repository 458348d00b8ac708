"""What our book says that a warehouse was asked, put back to what the warehouse has when the newest of it does not count."""

from typing import Any

from connectors.house import House
from connectors.ledger.ledger import Row, Tx
from connectors.ports import FULFILMENT_CHANGE, FULFILMENT_REQUEST

SHIPPING = ("partly_shipped", "shipped")
REFUSALS = ("edited_after_export", "rejected_by_warehouse")  # exceptions that name the effect that a warehouse refused
NEVER_CAME = ("WITHDRAWN", "REJECTED")


def put_back(opened: House, tx: Tx, request: Row, newest: Any) -> Row:
    """Behind a request or change `newest` that was taken back or refused, the warehouse has what was asked before it, and our book must say so: else its
    lines claim goods that nobody will ship, and the request is never shipped whole. The request as it stands then; nothing before it: as it was.
    """
    effects, books = opened.ledger.effects, opened.ledger.books
    told = _refused(opened, tx, request.connection, request.order_id)
    before = next((one for one in reversed(effects.of_record(tx, request.connection, request.order_id)) if one.sequence < newest.sequence
                   and one.kind in (FULFILMENT_REQUEST, FULFILMENT_CHANGE) and (one.target, one.payload["reference"]) == (request.warehouse, request.reference)
                   and one.state not in NEVER_CAME and one.effect_id not in told), None)
    if before is None:
        return request
    asked = "asked" if before.kind == FULFILMENT_REQUEST else "changed"
    books.ask(tx, before.payload | {"revision": request.revision}, before.effect_id, asked if request.state in ("asked", "changed") else request.state)
    if request.state in SHIPPING and all(line.advised >= line.quantity for line in books.request_lines(tx, request.warehouse, request.reference)):
        books.set_request(tx, request.warehouse, request.reference, "shipped")  # all of what it was asked
    return books.requests(tx, request.warehouse, [request.reference])[request.reference]


def refused(opened: House, tx: Tx, change: Any) -> None:
    """A change (a row of `effect`) that the warehouse refuses: it goes on with what it has. A newer one that is on its way has its own answer."""
    request = opened.ledger.books.requests(tx, change.target, [change.payload["reference"]])[change.payload["reference"]]
    if request.effect_id == change.effect_id:
        put_back(opened, tx, request, change)


def refused_changes(opened: House, tx: Tx, connection: str, order_id: str) -> list[dict[str, Any]]:
    """What the changes of this order said that its warehouses refused: a person was told of each."""
    told = _refused(opened, tx, connection, order_id)
    return [row.payload for row in opened.ledger.effects.of_record(tx, connection, order_id) if row.kind == FULFILMENT_CHANGE and row.effect_id in told] if told else []


def _refused(opened: House, tx: Tx, connection: str, order_id: str) -> set[str]:
    named = {one.evidence.get("effect") for one in opened.ledger.exceptions.of_record(tx, connection, order_id) if one.type in REFUSALS}
    return named - {None}
