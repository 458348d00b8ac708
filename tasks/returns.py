"""Take in what came back to a warehouse and find out whose it is; what a person decides about returns. (`refunds.py` gives the money back.)

The stock of returned goods is none of this: it stands in the same document's stock lines and in the warehouse's next statement, and is counted
there, once. A rule's disposition (restock, keep apart, scrap) is kept beside the line for people and analysts, and moves no figure.
"""

from collections import Counter
from datetime import datetime
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration
from connectors.ledger.ledger import Row, Tx
from connectors.ports import Message
from contracts.base import WHY, rows_of
from contracts.exceptions import Finding
from contracts.returns import ReturnLines
from tasks.entered import Entered
from tasks.opened import RETRY, house
from tasks.returned import ACTOR, Order, all_pieces, close_complete, counted, rules_of, state_of
from tasks.rmas import ask_return, decide_rma
from tasks.rules.lookup import Mappings
from tasks.rules.returned_units import ReturnedUnits
from tasks.rules.returns import (
    BY_HAND, UNEXPECTED, UNMATCHED, Whose, loose, loose_cause, order_ids, rank, unexpected, unexpected_cause, unmatched, whose,
)
from tasks.rules.rmas import pieces, under, used

__all__ = ["ask_return", "decide_rma", "enter_returns", "match_by_hand", "place_again", "place_again_of"]

CONTENT = tuple(name for name in ReturnLines.columns() if name not in ("warehouse", "document_id"))
NEVER_ORDERED = "not ordered"


def enter_returns(opened: House, tx: Tx, warehouse: str, message: Message) -> Entered:
    """The return lines of one message into the book, each with its order, or on a desk. A document that came before is not entered again."""
    sound, unsound = ReturnLines.split(message.returns)
    if len(unsound):
        return Entered("quarantined", "; ".join(unsound[WHY].unique()[:5]))
    rows = [_native(row) for row in rows_of(sound)]
    if len({(row["document_id"], row["line"]) for row in rows}) < len(rows):
        return Entered("quarantined", "two lines of one document have the same number")
    counts: Counter = Counter()
    new = _not_received_before(opened, tx, warehouse, rows)
    opened.ledger.returns.enter(tx, new, message.key)
    _match(opened, tx, warehouse, new, counts)
    if new or not rows:
        return Entered("processed", f"{len(new)} return lines", counts)
    return Entered("duplicate", "every document of it was received before", counts)


def place_again(opened: House, warehouse: str) -> Counter:
    """What could not be placed when it came: a return whose order has turned up since, goods whose dispatch was advised only later."""
    counts: Counter = Counter()
    with opened.ledger.transaction() as tx:
        for row in opened.ledger.exceptions.open_of(tx, UNMATCHED, warehouse):
            lines = _lines_of(opened, tx, row)
            group = [_bare(line) for line in lines]
            found = _whose(opened, tx, warehouse, group) if group else Whose()
            if found.order:
                _place(opened, tx, warehouse, found.order, group, found.how, counts)
                opened.ledger.exceptions.resolve(tx, row.exception_id, ACTOR, "The order is known now.")
        for row in opened.ledger.exceptions.open_of(tx, UNEXPECTED):
            if row.evidence.get("warehouse") == warehouse and row.evidence.get("line"):
                counts["placed again"] += _take_rest(opened, tx, warehouse, row)
    return counts


def match_by_hand(opened: House, exception_id: str, connection: str, order_id: str, actor: str, reason: str) -> int:
    """A person says whose a return is. What the order never had stays on the desk. How many lines were placed.

    Raises BadConfiguration when the exception is no open `return_unmatched`, or nothing of it was ever on that order: then nothing was changed.
    """
    doing, order, counts = f"matching a return with order {order_id}", (connection, order_id), Counter()
    with opened.ledger.transaction() as tx:
        row = opened.ledger.exceptions.get(tx, exception_id)
        if row is None or row.state != "open" or row.type != UNMATCHED:
            raise BadConfiguration(doing, "there is no open return_unmatched of this id", "Take the id from the list.")
        lines = [_bare(line) for line in _lines_of(opened, tx, row)]
        units = counted(opened, tx, row.connection, order)
        fits = [line for line in lines if units.asks(line["sku"])]
        if not fits:
            raise BadConfiguration(doing, f"{row.connection} was never asked to ship any of these SKUs for it", "Choose another order.")
        if not opened.ledger.exceptions.resolve(tx, exception_id, actor, reason):
            raise BadConfiguration(doing, "somebody has resolved it meanwhile", "Look at the list again.")
        _place(opened, tx, row.connection, order, fits, BY_HAND, counts)
        opened.ledger.timeline.note(tx, *order, "return matched by hand", actor, reason)
        rest = [line for line in lines if line not in fits]
        if rest:
            opened.ledger.exceptions.open(tx, [_unmatched(opened, tx, row.connection, rest, f"the others of the parcel went to order {order_id}")])
    return len(fits)


def _not_received_before(opened: House, tx: Tx, warehouse: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of documents that are new. A document that came before with other contents is a person's to look at."""
    documents = {row["document_id"] for row in rows}
    before: dict[str, Counter] = {}
    lines = opened.ledger.returns.lines(tx, warehouse, documents)
    for line in lines:
        before.setdefault(line.document_id, Counter())[tuple(getattr(line, name) for name in CONTENT)] += 1
    now: dict[str, Counter] = {}
    for row in rows:
        now.setdefault(row["document_id"], Counter())[tuple(row[name] for name in CONTENT)] += 1
    for document in sorted(document for document in now if document in before and before[document] != now[document]):
        known = next((line for line in lines if line.document_id == document and line.order_id), None)
        where = (known.connection, known.order_id) if known else (warehouse, document)
        opened.ledger.exceptions.open(tx, [Finding("advice_changed", *where, f"advice_changed:return:{document}",
                                                   {"document": document, "why": "the return was advised before with other contents; the first is used"})])
    return [row for row in rows if row["document_id"] not in before]


def _match(opened: House, tx: Tx, warehouse: str, rows: list[dict[str, Any]], counts: Counter) -> None:
    """Parcel by parcel: what shares a document, a reference, a return number and a tracking number is one customer's."""
    parcels: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        parcels.setdefault(tuple(row[name].strip() for name in ("document_id", "reference", "rma", "tracking_number")), []).append(row)
    for _, parcel in sorted(parcels.items()):
        found = _whose(opened, tx, warehouse, parcel)
        if found.order:
            _place(opened, tx, warehouse, found.order, parcel, found.how, counts)
        else:
            opened.ledger.exceptions.open(tx, [_unmatched(opened, tx, warehouse, parcel, found.why)])
            counts["unmatched returns"] += 1


def _whose(opened: House, tx: Tx, warehouse: str, parcel: list[dict[str, Any]]) -> Whose:
    returns, reference, rma = opened.ledger.returns, parcel[0]["reference"].strip(), parcel[0]["rma"].strip()
    prefixes = _prefixes(opened)
    rmas: dict[str, list[Order]] = {}
    for row in returns.rmas(tx, [rma] if rma else []):
        rmas.setdefault(row.rma, []).append((row.connection, row.order_id))
    return whose(reference, rma, returns.request_orders(tx, warehouse, [reference]), returns.known_orders(tx, warehouse, order_ids(reference, prefixes)),
                 rmas, prefixes)


def _prefixes(opened: House) -> dict[str, str]:
    return {name: opened.settings(name).reference_prefix for name in opened.names("storefront")}


def _unmatched(opened: House, tx: Tx, warehouse: str, rows: list[dict[str, Any]], why: str) -> Finding:
    candidates = opened.ledger.returns.candidates(tx, warehouse, {row["sku"].strip() for row in rows})
    return unmatched(warehouse, rows, why, rank(rows, candidates, _prefixes(opened)))


def _place(opened: House, tx: Tx, warehouse: str, order: Order, rows: list[dict[str, Any]], how: str, counts: Counter) -> None:
    """The rows onto the lines of their order, in the order of their numbers; what is too much or strange is on a desk, the rest is due."""
    opened.ledger.returns.lock(tx, *order)
    gone = {(line.document_id, line.line) for line in opened.ledger.returns.lines(tx, warehouse, {row["document_id"] for row in rows}) if line.order_id}
    units, rules = counted(opened, tx, warehouse, order), rules_of(opened, tx)
    for row in sorted(rows, key=lambda row: (row["document_id"], row["line"])):
        if (row["document_id"], row["line"]) in gone:  # another process was quicker (PostgreSQL)
            continue
        rest = _take(opened, tx, units, order, row, row["quantity"], rules, {"matched_by": how, "placed": [], "dues": []})
        counts["return lines"] += 1
        counts["unexpected returns"] += bool(rest)
        opened.ledger.timeline.note(tx, *order, "return received", warehouse,
                                    f"{row['document_id']}: {row['quantity']} x {row['sku']}, grade {row['grade'] or 'not said'}, found by {how}")
    _tell_loose(opened, tx, warehouse, order, units)
    close_complete(opened, tx, order)


def _take(opened: House, tx: Tx, units: ReturnedUnits, order: Order, row: dict[str, Any], quantity: int, rules: Mappings, before: dict[str, Any]) -> int:
    """Count `quantity` units of a return line; keeps what it became. The units that no line took: they are on a desk."""
    taken = units.take(row["reference"].strip(), row["request_line"], row["sku"], row["unit"], quantity, row["grade"].strip())
    lines = opened.ledger.returns.of_order(tx, *order)
    dues = under(pieces(taken.dues), row["rma"].strip(), [dict(rma._mapping) for rma in opened.ledger.returns.rmas_of(tx, *order)], used(all_pieces(lines)))
    placed, dues = before["placed"] + taken.placed, before["dues"] + dues
    rule = rules.return_rule(order[0], row["warehouse"], row["grade"])
    opened.ledger.returns.change(
        tx, row, connection=order[0], order_id=order[1], placed=placed, dues=dues, matched_by=before["matched_by"], state=state_of(placed, dues, row["quantity"]),
        line_id=units.line_id(placed), storefront_quantity=sum(piece["quantity"] for piece in dues), disposition=rule["disposition"] if rule else "")
    if taken.rest:
        opened.ledger.exceptions.open(tx, [unexpected(order, row, taken)])
    return taken.rest


def _take_rest(opened: House, tx: Tx, warehouse: str, found: Row) -> int:
    """Once more, what no line took: its dispatch may have been advised since. How many units were placed now."""
    order = (found.connection, found.record)
    opened.ledger.returns.lock(tx, *order)
    line = next((line for line in opened.ledger.returns.lines(tx, warehouse, [found.evidence["document"]]) if line.line == found.evidence["line"]), None)
    if line is None or (line.connection, line.order_id) != order:
        return 0
    units, left = counted(opened, tx, warehouse, order), line.quantity - sum(entry["units"] for entry in line.placed)
    if not left or units.room(line.sku) <= 0:
        return 0
    rest = _take(opened, tx, units, order, _bare(line), left, rules_of(opened, tx), {"matched_by": line.matched_by, "placed": line.placed, "dues": line.dues})
    if not rest:
        opened.ledger.exceptions.settle_cause(tx, UNEXPECTED, *order, unexpected_cause(_bare(line)), ACTOR, "What was shipped of it is known now.")
    _tell_loose(opened, tx, warehouse, order, units)
    return left - rest


def _tell_loose(opened: House, tx: Tx, warehouse: str, order: Order, units: ReturnedUnits) -> None:
    """Parts of kits and of cases onto a desk, and off it once the rest has come."""
    left = units.loose()
    opened.ledger.exceptions.open(tx, [loose(order, warehouse, line_id, parts) for line_id, parts in left.items()])
    for line_id in units.whole().keys() - left.keys():
        opened.ledger.exceptions.settle_cause(tx, UNEXPECTED, *order, loose_cause(warehouse, line_id), ACTOR, "The rest has come.")


def _lines_of(opened: House, tx: Tx, found: Row) -> list[Row]:
    """The lines that an open `return_unmatched` is about and that still have no order."""
    numbers = {line["line"] for line in found.evidence["lines"]}
    return [line for line in opened.ledger.returns.lines(tx, found.connection, [found.evidence["document"]]) if line.line in numbers and not line.order_id]


def _bare(line: Row) -> dict[str, Any]:
    return {name: getattr(line, name) for name in ReturnLines.columns()}


def _native(row: dict[str, Any]) -> dict[str, Any]:
    received_at = row["received_at"]
    return row | {"received_at": received_at if type(received_at) is datetime else received_at.to_pydatetime()}


@task(name="place returns again", task_run_name="place again what came back to {warehouse}", **RETRY)
def place_again_of(warehouse: str) -> dict[str, int]:
    """Returns whose order or dispatch has turned up since."""
    return dict(place_again(house(), warehouse))
