"""846 -> rows of StockLevels, 947 -> rows of StockChanges, by the partner profile. Pure. Raise Unsound.

A figure below zero or beyond belief, and a SKU that is there twice, stay as they are: the intake sets that SKU aside, and only that one. What
makes the whole set untrue (a fraction, two units on a line, a total that does not add up) refuses the set.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.gxo.profile import Profile
from connectors.gxo.reading import Unsound, facilities, facility, item_number, needed, unit, when, whole
from connectors.gxo.wire import Listing, first
from connectors.gxo.x12 import Group, Interchange, Segment, TransactionSet

Rows = list[dict[str, Any]]
_FIGURES = ("available", "on_hand", "on_hold")


@dataclass(frozen=True)
class Statement:
    """What one 846 states. `part_of`: sets of one group that state the same are parts of one statement."""

    rows: Rows
    is_whole: bool
    part_of: tuple[str, ...]


def stock_levels(warehouse: str, profile: Profile, interchange: Interchange, group: Group, document: TransactionSet) -> Statement:
    """The rows of one 846 that has passed the map."""
    read, where = Listing.read(document, "LIN", "CTT"), profile.stock
    bia, around = read.header[0], facilities(where.facility, read.header)
    as_of = when(where.as_of, read.header, profile, group)
    common = {"warehouse": warehouse, "as_of": as_of, "sequence": int(interchange.control)}
    rows = [common | {"facility": facility(where.facility, line, around), "sku": item_number(line[0], where.sku_qualifiers)} | _figures(line, profile)
            for line in read.lines]
    _check_totals(read, profile)
    is_whole = bia.at(1) in where.whole_purposes and (not where.whole_reports or bia.at(2) in where.whole_reports)
    places = sorted({row["facility"] for row in rows})
    rows = _added(rows, read.lines) if where.repeated == "added" else rows
    return Statement(rows, is_whole, (bia.at(1), bia.at(2), bia.at(3), as_of.isoformat(), *places))


def _figures(line: list[Segment], profile: Profile) -> dict[str, Any]:
    """available, on_hand, on_hold and unit of one LIN."""
    where, found, units = profile.stock, dict.fromkeys(_FIGURES), Counter()
    for segment in line:
        if segment.id == "UIT":
            units[unit(segment, 1)] += 1
        figure = next((name for name in _FIGURES if segment.id == "QTY" and segment.at(1) in getattr(where, name)), "")
        if figure:
            found[figure] = (found[figure] or 0) + whole(segment, 2)
            units[unit(segment, 3)] += 1
    del units[""]
    if len(units) > 1:
        raise Unsound(f"segment {line[0].number} (LIN): its quantities are in two units")
    if found[profile.stock_basis] is None:
        qualifiers = " or ".join(getattr(where, profile.stock_basis))
        raise Unsound(f"segment {line[0].number} (LIN): no quantity (QTY) with qualifier {qualifiers}")
    return _completed(found, profile) | {"unit": next(iter(units), where.unit)}


def _completed(found: dict[str, int | None], profile: Profile) -> dict[str, int]:
    """What the site left out follows from the rest."""
    on_hold = found["on_hold"] or 0
    if profile.stock_basis == "on_hand":
        return {"available": found["on_hand"] - on_hold, "on_hand": found["on_hand"], "on_hold": on_hold}
    on_hand = found["available"] + on_hold if found["on_hand"] is None else found["on_hand"]
    return {"available": found["available"], "on_hand": on_hand, "on_hold": on_hold}


def _added(rows: Rows, lines: list[list[Segment]]) -> Rows:
    """One row a SKU in a facility, where the profile says that lines are lots."""
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    for row, line in zip(rows, lines, strict=True):
        before = kept.setdefault((row["facility"], row["sku"]), row)
        if before["unit"] != row["unit"]:
            raise Unsound(f"segment {line[0].number} (LIN): the SKU was on a line before, in another unit")
        if before is not row:
            before |= {figure: before[figure] + row[figure] for figure in _FIGURES}
    return list(kept.values())


def _check_totals(read: Listing, profile: Profile) -> None:
    """CTT-01 counts the lines; CTT-02, where it is given, adds up every quantity."""
    ctt = read.total
    if ctt is None:
        return
    if int(ctt.at(1)) != len(read.lines):
        raise Unsound(f"segment {ctt.number} (CTT element 01): it counts {int(ctt.at(1))} lines, there are {len(read.lines)}")
    if ctt.at(2) and profile.stock.hash_total == "quantities":
        try:
            there = sum((Decimal(segment.at(2) or 0) for line in read.lines for segment in line if segment.id == "QTY"), Decimal(0))
        except InvalidOperation:
            there = None
        if there != Decimal(ctt.at(2)):
            raise Unsound(f"segment {ctt.number} (CTT element 02): its hash total is not the sum of the quantities")


def adjustments(warehouse: str, profile: Profile, interchange: Interchange, group: Group, document: TransactionSet) -> Rows:
    """Rows of StockChanges out of one 947 that has passed the map."""
    read, where = Listing.read(document, "W19"), profile.adjustments
    common = {"warehouse": warehouse, "kind": "adjustment", "document_id": needed("document number", where.document_id, read.header),
              "occurred_at": when(where.occurred_at, read.header, profile, group), "sequence": int(interchange.control)}
    around, reference = facilities(where.facility, read.header), first(where.reference, read.header)
    return [common | _adjusted(line, around, profile) | {"line": number, "reference": first(where.reference, line) or reference}
            for number, line in enumerate(read.lines, 1)]


def _adjusted(line: list[Segment], around: set[str], profile: Profile) -> dict[str, Any]:
    w19, where = line[0], profile.adjustments
    reason, change = w19.at(1), whole(w19, 2)
    if reason in where.minus_reasons:
        change = -abs(change)
    if reason in where.unsold_reasons:
        change = 0
    return {"facility": facility(where.facility, line, around), "sku": item_number(w19, where.sku_qualifiers), "unit": unit(w19, 3), "change": change,
            "reason": reason}
