"""What the sandbox writes of its stock: 846s, 947s and 944s, by the partner profile as such partners send them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connectors.gxo.profile import Profile

Row = tuple[str, ...]
LINES_MAX = 10_000  # of one 846, by the 4010 map
UNIT = "EA"


@dataclass(frozen=True)
class Came:
    """One line of a receipt: sound units, damaged ones, and of a return its grade and our line number."""

    sku: str
    units: int
    damaged: int = 0
    grade: str = ""
    line: str = ""


def statement_sets(profile: Profile, facility: str, number: str, at: datetime, figures: dict[str, dict[str, int]], is_whole: bool,
                   lines_max: int = LINES_MAX) -> list[tuple[str, list[Row]]]:
    """One 846, or several when it is longer than one may be."""
    where, skus = profile.stock, list(figures)
    purpose = where.whole_purposes[0] if is_whole else next(code for code in ("04", "05", "00") if code not in where.whole_purposes)
    report = where.whole_reports[0] if where.whole_reports else "DD"
    qualifiers = {"on_hand": where.on_hand[0], "on_hold": where.on_hold[0]} | (
        {"available": where.available[0]} if profile.stock_basis == "available" else {})
    sets = []
    for start in range(0, max(len(skus), 1), lines_max):
        rows: list[Row] = [("BIA", purpose, report, number, f"{at:%Y%m%d}", f"{at:%H%M}"), ("N1", "WH", "", "92", facility)]
        part, total = skus[start:start + lines_max], 0
        for place, sku in enumerate(part, 1):
            rows.append(("LIN", str(place), where.sku_qualifiers[0], sku))
            rows += [("QTY", qualifier, str(figures[sku][figure]), UNIT) for figure, qualifier in qualifiers.items()]
            total += sum(figures[sku][figure] for figure in qualifiers)
        sets.append(("846", [*rows, ("CTT", str(len(part)), *([str(total)] if len(str(total)) <= 10 else []))]))
    return sets


def adjustment_set(profile: Profile, facility: str, number: str, at: datetime, changes: Iterable[tuple[str, int, str]]) -> tuple[str, list[Row]]:
    """A 947; changes: (SKU, signed units, reason)."""
    qualifier = profile.adjustments.sku_qualifiers[0]
    return "947", [("W15", f"{at:%Y%m%d}", number, number), ("N1", "WH", "", "92", facility),
                   *(("W19", reason, str(units), UNIT, "", qualifier, sku) for sku, units, reason in changes)]


def receipt_set(profile: Profile, facility: str, number: str, at: datetime, lines: list[Came], reference: str = "") -> tuple[str, list[Row]]:
    """A 944 of stock that came, under the reference that announced it."""
    return "944", _receipt(profile, facility, profile.receipts.codes[0], number, at, reference, [], lines)


def return_set(profile: Profile, facility: str, number: str, at: datetime, lines: list[Came], reference: str, rma: str, tracking: str) -> tuple[str, list[Row]]:
    """A 944 of goods that a customer sent back. Its primary reference is the RMA number where there is one."""
    marks = [("N9", "RZ", rma), *([("N9", "SO", reference)] if reference else [])] if rma else []
    marks += [("N9", "CN", tracking)] if tracking else []
    return "944", _receipt(profile, facility, profile.receipts.return_codes[0], number, at, rma or reference, marks, lines)


def _receipt(profile: Profile, facility: str, code: str, number: str, at: datetime, reference: str, marks: list[Row], lines: list[Came]) -> list[Row]:
    where = profile.receipts
    rows: list[Row] = [("W17", code, f"{at:%Y%m%d}", number, reference, "", "1", f"{at:%H%M}"), ("N1", "WH", "", "92", facility), *marks]
    total = 0
    for line in lines:
        units = line.units + (line.damaged if where.apart == "within" else 0)
        total += units
        rows.append(("W07", str(units), UNIT, "", where.sku_qualifiers[0], line.sku))
        rows += [("N9", qualifier, value) for qualifier, value in (("LI", line.line), ("ZZ", line.grade)) if value]
        rows += [("W13", str(line.damaged), UNIT, "01", "", "NR")] if line.damaged else []
    return [*rows, ("W14", str(total))]
