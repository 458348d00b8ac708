"""Whose goods came back: from what a warehouse echoes to the order, and for a return that names no order the orders it may be of, best first.

An order is only taken when it is certain: by our reference exactly as we gave it, by our prefix and the storefront's order id (a customer writes
what the shop told him), or by the number of an announced return. Whatever else is alike is a candidate, for a person to choose from.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from contracts.exceptions import Finding
from tasks.rules.returned_units import Taken

Order = tuple[str, str]
Row = Mapping[str, Any]

BY_REFERENCE, BY_PREFIX, BY_RMA, BY_HAND = "reference", "prefix and order id", "rma", "by hand"
UNMATCHED, UNEXPECTED = "return_unmatched", "return_unexpected"
CANDIDATES_MAX = 5
DAYS_MAX = 120  # a parcel older than this says nothing by its date
WORTH = {"reference": 30, "sku": 30, "quantity": 20, "tracking": 30, "date": 10, "facility": 5}


@dataclass(frozen=True)
class Whose:
    """The order of a return and how it was found; or why none was."""

    order: Order | None = None
    how: str = ""
    why: str = ""


def order_ids(reference: str, prefixes: Mapping[str, str]) -> list[Order]:
    """The (connection, order id) that the echoed text may mean in our prefix form: the prefix or none, the part number of a split order or none."""
    text = reference.strip()
    found = {}
    for connection, prefix in sorted(prefixes.items()):
        for form in (text, re.sub(r"-[0-9]{1,2}\Z", "", text)):
            for order_id in (form, form.removeprefix(prefix) if prefix else form):
                if order_id:
                    found[connection, order_id] = None
    return list(found)


def whose(reference: str, rma: str, requests: Mapping[str, Order], orders: Iterable[Order], rmas: Mapping[str, Iterable[Order]],
          prefixes: Mapping[str, str]) -> Whose:
    """The order of a return. `requests`: our references at this warehouse; `orders`: those with a request there; `rmas`: announced returns by number.

    The RMA is the first reference of an announced return; when it and the order's reference name two orders, a person must look.
    """
    named, how = requests.get(reference.strip()), BY_REFERENCE
    if named is None:
        meant = sorted(set(order_ids(reference, prefixes)) & set(orders))
        if len(meant) > 1:
            return Whose(why=f"its reference may mean {len(meant)} orders of different shops")
        named, how = (meant[0] if meant else None), BY_PREFIX
    announced = sorted(set(rmas.get(rma.strip(), ())))
    if len(announced) > 1 and named not in announced:
        return Whose(why=f"two shops have a return of the number {rma.strip()}")
    if named is None and announced:
        return Whose(announced[0], BY_RMA)
    if named is None:
        return Whose(why="it names no order" if not reference.strip() and not rma.strip() else "we sent no order under the reference that it names")
    if announced and named not in announced:
        return Whose(why=f"its reference names order {named[1]}, its return number order {announced[0][1]}")
    return Whose(named, BY_RMA if announced else how)


def unmatched(warehouse: str, rows: list[Row], why: str, candidates: list[dict[str, Any]]) -> Finding:
    """One parcel of a document whose order nobody knows. The lines are in the evidence, so that choosing a candidate places exactly these."""
    first = rows[0]
    cause = ":".join([UNMATCHED, first["document_id"], first["reference"].strip(), first["rma"].strip(), first["tracking_number"].strip()])
    evidence = {"warehouse": warehouse, "document": first["document_id"], "reference": first["reference"], "rma": first["rma"], "why": why,
                "parcel": first["tracking_number"], "facility": first["facility"],
                "lines": [{name: row[name] for name in ("line", "sku", "quantity", "unit", "grade")} for row in rows], "candidates": candidates}
    return Finding(UNMATCHED, warehouse, first["document_id"], cause, evidence)


def unexpected(order: Order, row: Row, taken: Taken) -> Finding:
    """What no line of the order took of a return line: the rest only; the part that is due goes on."""
    evidence = {"warehouse": row["warehouse"], "document": row["document_id"], "line": row["line"], "sku": row["sku"], "came": row["quantity"],
                "not_taken": taken.rest, "unit": row["unit"], "grade": row["grade"], "why": taken.why} | taken.evidence
    return Finding(UNEXPECTED, *order, unexpected_cause(row), evidence)


def unexpected_cause(row: Row) -> str:
    """Of one return line, the same for ever."""
    return f"{UNEXPECTED}:{row['warehouse']}:{row['document_id']}:{row['line']}"


def loose(order: Order, warehouse: str, line_id: str, parts: list[dict[str, Any]]) -> Finding:
    """Parts of a kit, or fewer pieces than a case holds: no whole unit of the line, so nothing of it is refunded before the rest comes."""
    why = "a part of a kit or of a case: nothing is refunded for it before the rest has come"
    return Finding(UNEXPECTED, *order, loose_cause(warehouse, line_id), {"warehouse": warehouse, "line_id": line_id, "parts": parts, "why": why})


def loose_cause(warehouse: str, line_id: str) -> str:
    """Of one order line, the same for ever."""
    return f"{UNEXPECTED}:{warehouse}:loose:{line_id}"


def rank(rows: list[Row], candidates: Iterable[Row], prefixes: Mapping[str, str]) -> list[dict[str, Any]]:
    """The orders that these rows (contract ReturnLines) may be of, best first, with the reasons in words. No personal data goes in or comes out.

    A candidate: {connection, order_id, references, facilities, tracking_numbers, shipped_at, left: {warehouse SKU: units shipped and not yet returned}}.
    """
    scored = []
    for candidate in candidates:
        points, because = _judged(rows, candidate, prefixes)
        if points:
            scored.append({"connection": candidate["connection"], "order_id": candidate["order_id"], "score": points, "because": because})
    return sorted(scored, key=lambda one: (-one["score"], one["connection"], one["order_id"]))[:CANDIDATES_MAX]


def _judged(rows: list[Row], candidate: Row, prefixes: Mapping[str, str]) -> tuple[int, list[str]]:
    came: dict[str, int] = {}
    for row in rows:
        came[row["sku"].strip()] = came.get(row["sku"].strip(), 0) + row["quantity"]
    known = [sku for sku in came if candidate["left"].get(sku, 0) > 0]
    received_at = min(row["received_at"] for row in rows)
    shipped_at: datetime | None = candidate["shipped_at"]
    if not known or (shipped_at is not None and shipped_at > received_at):
        return 0, []
    points, because = _by_goods(came, known, candidate)
    for worth, words in (_by_reference(rows[0], candidate, prefixes), _by_tracking(rows, candidate), _by_date(received_at, shipped_at),
                         _by_facility(rows, candidate)):
        points += worth
        because += [words] if words else []
    return points, because


def _by_goods(came: Mapping[str, int], known: list[str], candidate: Row) -> tuple[int, list[str]]:
    left = candidate["left"]
    because = [f"{len(known)} of {len(came)} SKUs were shipped with it: {', '.join(sorted(known)[:10])}"]
    fits = [sku for sku in known if came[sku] <= left[sku]]
    exact = sum(came[sku] == left[sku] for sku in fits)
    points = WORTH["sku"] * len(known) // len(came) + (WORTH["quantity"] - 5) * len(fits) // len(came) + 5 * exact // len(came)
    if len(fits) == len(came):
        because.append("exactly so many were shipped and are not back yet" if exact == len(came) else "no more came back than was shipped of them")
    else:
        because.append("more came back than was shipped of " + ", ".join(sorted(set(known) - set(fits))[:10]) if set(known) - set(fits) else "the rest is not on it")
    return points, because


def _by_reference(row: Row, candidate: Row, prefixes: Mapping[str, str]) -> tuple[int, str]:
    text = _bare(row["reference"]) or _bare(row["rma"])
    ours = {_bare(form) for form in (*candidate["references"], candidate["order_id"], prefixes.get(candidate["connection"], "") + candidate["order_id"])}
    if not text:
        return 0, ""
    if text in ours:
        return WORTH["reference"], f"what it names is spelt almost like {candidate['order_id']}"
    if any(_one_slip(text, form) for form in ours):
        return WORTH["reference"] // 2, f"what it names is one slip of the pen from {candidate['order_id']}"
    return 0, ""


def _by_tracking(rows: list[Row], candidate: Row) -> tuple[int, str]:
    shared = {row["tracking_number"].strip() for row in rows} & set(candidate["tracking_numbers"]) - {""}
    return (WORTH["tracking"], "it came back under the tracking number it was sent with") if shared else (0, "")


def _by_date(received_at: datetime, shipped_at: datetime | None) -> tuple[int, str]:
    if shipped_at is None or received_at - shipped_at > timedelta(days=DAYS_MAX):
        return 0, ""
    days = (received_at - shipped_at).days
    return WORTH["date"] * (DAYS_MAX - days) // DAYS_MAX, f"it was shipped {days} days before"


def _by_facility(rows: list[Row], candidate: Row) -> tuple[int, str]:
    return (WORTH["facility"], "it came back to the facility that shipped it") if {row["facility"] for row in rows} & set(candidate["facilities"]) else (0, "")


def _bare(text: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", text.upper()).lstrip("0")


def _one_slip(left: str, right: str) -> bool:
    """One character wrong, missing or too many, or two neighbours exchanged; of texts long enough to say anything."""
    if min(len(left), len(right)) < 4 or abs(len(left) - len(right)) > 1:
        return False
    if len(left) == len(right):
        wrong = [at for at, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
        swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and left[wrong[0]] == right[wrong[1]] and left[wrong[1]] == right[wrong[0]]
        return len(wrong) == 1 or swapped
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    return any(longer[:at] + longer[at + 1:] == shorter for at in range(len(longer)))
