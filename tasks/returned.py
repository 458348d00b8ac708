"""What came back of one order so far, put together from the ledger: the floor that returns, RMAs and refunds stand on."""

from collections.abc import Iterable
from typing import Any

from connectors.house import House
from connectors.ledger.ledger import Row, Tx
from connectors.ledger.returns import APPROVED, CLOSED, DUE, SETTLED, UNEXPECTED
from tasks.rules.lookup import Mappings
from tasks.rules.returned_units import ReturnedUnits
from tasks.rules.rmas import Piece, is_complete, is_open, used

ACTOR = "returns"
Order = tuple[str, str]


def counted(opened: House, tx: Tx, warehouse: str, order: Order) -> ReturnedUnits:
    """The count of an order at a warehouse: what it shipped, and what earlier return lines were put to."""
    books = opened.ledger.books
    lines = [dict(line._mapping) for request in books.requests_of(tx, *order) if request.warehouse == warehouse
             for line in books.request_lines(tx, warehouse, request.reference)]
    return ReturnedUnits(lines, [entry for line in opened.ledger.returns.of_order(tx, *order) if line.warehouse == warehouse for entry in line.placed])


def state_of(placed: Iterable[dict[str, Any]], dues: Iterable[Piece], quantity: int) -> str:
    """The state of a return line whose order is known."""
    if any(is_open(piece) for piece in dues):
        return DUE
    return SETTLED if list(placed) or not quantity else UNEXPECTED


def keep_dues(opened: House, tx: Tx, line: Row, dues: list[Piece], **more: Any) -> None:
    """The line's pieces as they are now, and its state with them."""
    effects = [piece["effect"] for piece in dues if piece["effect"]]
    opened.ledger.returns.change(tx, line, dues=dues, state=state_of(line.placed, dues, line.quantity), refund_effect=effects[-1] if effects else "", **more)


def all_pieces(lines: Iterable[Row]) -> list[Piece]:
    """Every piece of these return lines."""
    return [piece for line in lines for piece in line.dues]


def rules_of(opened: House, tx: Tx) -> Mappings:
    """The return rules, ready to ask."""
    return Mappings.of({"return_rules": opened.ledger.mappings.current(tx, "return_rules")})


def close_complete(opened: House, tx: Tx, order: Order) -> None:
    """Approved returns that have come back whole are closed."""
    taken = used(all_pieces(opened.ledger.returns.of_order(tx, *order)))
    for row in opened.ledger.returns.rmas_of(tx, *order):
        if row.state == APPROVED and is_complete(row.lines, row.rma, taken):
            opened.ledger.returns.move_rma(tx, order[0], row.rma, CLOSED, APPROVED)
            opened.ledger.timeline.note(tx, *order, "return complete", ACTOR, f"everything announced under {row.rma} has come back")
