"""Announced returns: asked for by customer service, decided by a person, told to the warehouse only then (R4)."""

from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration
from connectors.ledger.effects import Planned
from connectors.ledger.ledger import Row, Tx
from connectors.ledger.records import sha256
from connectors.ledger.returns import APPROVED, ASKED, REFUSED
from connectors.ports import RETURN_NOTICE
from contracts.effects import NoticeLine, ReturnNotice
from tasks.opened import RETRY, house
from tasks.returned import ACTOR, Order, all_pieces, close_complete, counted, keep_dues
from tasks.rules.rmas import NUMBER_LONGEST, ask_for, is_complete, is_open, read_lines, used

NOTICES = (RETURN_NOTICE,)


def ask_return(opened: House, connection: str, order_id: str, csv: str, reason: str, actor: str, approve: bool = False) -> list[str]:
    """Ask for the return of these lines (CSV: sku,quantity, as the storefront spells them), and approve it at once if so said. Their RMA numbers.

    One number for each request that shipped them (a split order comes back to where it was shipped from). Raises BadConfiguration when more is
    asked for than was shipped and is neither back nor announced: then nothing was asked for.
    """
    doing = f"asking for a return of order {order_id}"
    wanted, problems = read_lines(csv)
    if problems:
        raise BadConfiguration(doing, "; ".join(problems[:10]), "Correct the lines.")
    with opened.ledger.transaction() as tx:
        opened.ledger.returns.lock(tx, connection, order_id)
        entry = opened.ledger.books.order(tx, connection, order_id)
        if entry is None:
            raise BadConfiguration(doing, f"{connection} has no order {order_id} that we know of", "Check the number.")
        room = _room(opened, tx, (connection, order_id))
        units, problems = ask_for(wanted, entry.lines, room)
        if problems:
            raise BadConfiguration(doing, "; ".join(problems[:10]), "Correct the lines.")
        numbers = _ask(opened, tx, (connection, order_id), units, reason, actor)
        for number in numbers if approve else []:
            _decide(opened, tx, opened.ledger.returns.rma(tx, connection, number), True, actor, reason)
    return numbers


def decide_rma(opened: House, connection: str, rma: str, approve: bool, actor: str, reason: str) -> None:
    """Approve or refuse a return that was asked for. Approved, the warehouse is told of it, and what came back already is refunded by the next run."""
    with opened.ledger.transaction() as tx:
        row = opened.ledger.returns.rma(tx, connection, rma)
        if row is None:
            raise BadConfiguration(f"deciding the return {rma}", f"{connection} has no return of this number", "Check the number.")
        opened.ledger.returns.lock(tx, connection, row.order_id)
        _decide(opened, tx, row, approve, actor, reason)


def ask_for_what_came(opened: House, tx: Tx, order: Order, warehouse: str, document: str, units: dict[str, int]) -> str:
    """A return that nobody announced, entered so that a person can decide it. Its number."""
    entry = opened.ledger.books.order(tx, *order)
    skus = {line["line_id"]: line["sku"] for line in entry.lines} if entry else {}
    requests = [request for request in opened.ledger.books.requests_of(tx, *order) if request.warehouse == warehouse]
    lines = [{"line_id": line_id, "sku": skus.get(line_id, ""), "quantity": quantity, "reference": requests[0].reference} for line_id, quantity in units.items()]
    number = _number(opened, tx, order, requests[0].reference)
    opened.ledger.returns.ask_rma(tx, order[0], number, order[1], warehouse, requests[0].facility, lines, f"came back in {document}", ACTOR)
    return number


def _room(opened: House, tx: Tx, order: Order) -> dict[str, int]:
    """{line id: units that were shipped and are neither back nor announced}."""
    taken = used(all_pieces(opened.ledger.returns.of_order(tx, *order)))
    room: dict[str, int] = {}
    for warehouse in sorted({request.warehouse for request in opened.ledger.books.requests_of(tx, *order)}):
        count = counted(opened, tx, warehouse, order)
        back = count.whole()
        for line_id, units in count.shipped().items():
            room[line_id] = room.get(line_id, 0) + units - back.get(line_id, 0)
    for row in opened.ledger.returns.rmas_of(tx, *order):
        for line in row.lines if row.state in (ASKED, APPROVED) else []:
            room[line["line_id"]] = room.get(line["line_id"], 0) - max(0, line["quantity"] - taken.get((row.rma, line["line_id"]), 0))
    return room


def _ask(opened: House, tx: Tx, order: Order, units: dict[str, int], reason: str, actor: str) -> list[str]:
    numbers, skus = [], {line["line_id"]: line["sku"] for line in opened.ledger.books.order(tx, *order).lines}  # a kit's, not its parts'
    for request in opened.ledger.books.requests_of(tx, *order):
        lines = {}
        for line in opened.ledger.books.request_lines(tx, request.warehouse, request.reference):
            if units.get(line.line_id) and line.advised:
                lines[line.line_id] = {"line_id": line.line_id, "sku": skus.get(line.line_id, line.sku), "quantity": units[line.line_id], "reference": request.reference}
        for line_id in lines:
            units.pop(line_id)
        if lines:
            number = _number(opened, tx, order, request.reference)
            opened.ledger.returns.ask_rma(tx, order[0], number, order[1], request.warehouse, request.facility, list(lines.values()), reason, actor)
            opened.ledger.timeline.note(tx, *order, "return asked for", actor, f"{number}: {reason}")
            numbers.append(number)
    return numbers


def _number(opened: House, tx: Tx, order: Order, reference: str) -> str:
    number = f"R{reference}-{len(opened.ledger.returns.rmas_of(tx, *order)) + 1}"
    return number if len(number) <= NUMBER_LONGEST else f"R{sha256(number.encode())[:NUMBER_LONGEST - 1].upper()}"


def _decide(opened: House, tx: Tx, row: Row, approve: bool, actor: str, reason: str) -> None:
    doing, order = f"deciding the return {row.rma}", (row.connection, row.order_id)
    if not actor.strip() or not reason.strip():
        raise BadConfiguration(doing, "there is no name or no reason", "Say who decided, and why.")
    if not opened.ledger.returns.move_rma(tx, row.connection, row.rma, APPROVED if approve else REFUSED, ASKED, actor):
        raise BadConfiguration(doing, f"it is {row.state} already", "Nothing was changed.")
    opened.ledger.timeline.note(tx, *order, "return approved" if approve else "return refused", actor, f"{row.rma}: {reason}")
    if approve:
        _announce(opened, tx, row)
        close_complete(opened, tx, order)
    else:
        _refuse(opened, tx, row)
    opened.ledger.exceptions.settle_cause(tx, "rma_not_approved", *order, f"rma_not_approved:{row.rma}", actor, reason)


def _refuse(opened: House, tx: Tx, row: Row) -> None:
    for line in opened.ledger.returns.of_order(tx, row.connection, row.order_id):
        if any(piece["rma"] == row.rma and is_open(piece) for piece in line.dues):
            keep_dues(opened, tx, line, [piece | {"closed": "the return was refused"} if piece["rma"] == row.rma and is_open(piece) else piece for piece in line.dues])


def _announce(opened: House, tx: Tx, row: Row) -> None:
    """Tell the warehouse, unless it takes no notices or has it all."""
    taken = used(all_pieces(opened.ledger.returns.of_order(tx, row.connection, row.order_id)))
    if not opened.warehouse(row.warehouse).announces_returns or is_complete(row.lines, row.rma, taken):
        return
    reference = row.lines[0]["reference"]
    notice = ReturnNotice(connection=row.connection, order_id=row.order_id, rma=row.rma, reference=reference, warehouse=row.warehouse, facility=row.facility,
                          approved_on=f"{opened.clock.now():%Y-%m-%d}", lines=_notice_lines(opened, tx, row, reference))
    order = f"{row.connection}/{row.order_id}"
    opened.ledger.effects.plan(tx, Planned(RETURN_NOTICE, row.warehouse, f"{order}/{row.rma}", order, row.connection, row.order_id, notice.model_dump()))


def _notice_lines(opened: House, tx: Tx, row: Row, reference: str) -> list[NoticeLine]:
    """In the warehouse's SKUs and units, under the line numbers of the request: so what it echoes is known again."""
    announced: dict[str, Any] = {line["line_id"]: line["quantity"] for line in row.lines}
    return [NoticeLine(number=line.number, sku=line.sku, warehouse_sku=line.warehouse_sku, quantity=announced[line.line_id] * line.factor, unit=line.unit,
                       reason=row.reason)
            for line in opened.ledger.books.request_lines(tx, row.warehouse, reference) if line.line_id in announced]


@task(name="authorise return", task_run_name="{decision} a return of {order_id}", **RETRY)
def authorise_return_of(storefront: str, order_id: str, csv: str, reason: str, actor: str, decision: str, rma: str) -> list[dict[str, Any]]:
    """What the form asks for; the order's announced returns as they are then."""
    if bool(csv.strip()) == bool(rma.strip()) or (rma.strip() and decision == "ask only") or (csv.strip() and decision == "refuse"):
        raise BadConfiguration(f"authorising a return of order {order_id}", "the form says neither what comes back nor which return is decided, or both",
                               "Give lines, to ask or to approve at once; or an RMA number, to approve or to refuse it.")
    opened = house()
    if rma.strip():
        decide_rma(opened, storefront, rma.strip(), decision == "approve", actor, reason)
    else:
        ask_return(opened, storefront, order_id, csv, reason, actor, decision == "approve")
    return announced(opened, storefront, order_id)


def announced(opened: House, storefront: str, order_id: str) -> list[dict[str, Any]]:
    """The announced returns of an order, as a table."""
    with opened.ledger.transaction() as tx:
        return [{"rma": row.rma, "state": row.state, "warehouse": row.warehouse, "facility": row.facility, "asked by": row.asked_by, "decided by": row.decided_by,
                 "lines": ", ".join(f"{line['quantity']} x {line['sku']}" for line in row.lines)}
                for row in opened.ledger.returns.rmas_of(tx, storefront, order_id)]
