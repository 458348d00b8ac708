"""What was announced to a warehouse against what it received, and the rows that a person gives for an announcement."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = ("sku", "quantity")
UNIT = "unit"
LINES_MAX = 9_999  # of one 943


def read_rows(text: str, items: Mapping[str, Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Lines of a notice out of CSV with the columns sku, quantity and, if need be, unit; and what is wrong with them, in words.

    items: the warehouse's active items by their SKU; a row without a unit has the item's.
    """
    try:
        reader = csv.DictReader(io.StringIO(text.strip() + "\n", newline=""))
        given, rows = sorted(reader.fieldnames or ()), list(reader)
    except csv.Error as why:
        return [], [f"the rows are not CSV ({why})"]
    if not rows or given not in (sorted(COLUMNS), sorted((*COLUMNS, UNIT))):
        return [], [f"the rows need a header of {', '.join(COLUMNS)} and, if need be, {UNIT}, and at least one row"]
    lines, problems, seen = [], [], set()
    for number, row in enumerate(rows, 1):
        said = {name: str(value or "").strip() for name, value in row.items() if name}
        wrong = _wrong(said, items, seen, is_uneven=None in row)
        seen.add(said["sku"])
        if wrong:
            problems.append(f"row {number} ({said['sku'] or 'no SKU'}): {wrong}")
        else:
            unit = said.get(UNIT) or items[said["sku"]]["unit"]
            lines.append({"number": number, "sku": said["sku"], "warehouse_sku": said["sku"], "quantity": int(said["quantity"]), "unit": unit})
    if len(rows) > LINES_MAX:
        problems.append(f"{len(rows)} rows, and a notice holds {LINES_MAX}")
    return lines, problems


def _wrong(said: Mapping[str, str], items: Mapping[str, Mapping[str, Any]], seen: set[str], is_uneven: bool) -> str:
    if is_uneven:
        return "it has more cells than the header"
    if said["sku"] in seen:
        return "the SKU is on a row before"
    if said["sku"] not in items:
        return "the warehouse has no active item of this SKU"
    if not re.fullmatch(r"[1-9][0-9]{0,7}", said["quantity"]):
        return "quantity is not a whole number of 1 or more"
    if not re.fullmatch(r"([A-Z0-9]{2})?", said.get(UNIT, "")):
        return "unit is not a code of two characters"
    return ""


def differences(announced: Iterable[Mapping[str, Any]], received: Iterable[Mapping[str, Any]], facility: str) -> list[dict[str, Any]]:
    """Every SKU and unit of which another number came than was announced, or that came elsewhere: [{sku, unit, announced, received, facility}]."""
    wanted: dict[tuple[str, str, str], int] = {}
    there: dict[tuple[str, str, str], int] = {}
    for line in announced:
        key = (line["warehouse_sku"], line["unit"], facility)
        wanted[key] = wanted.get(key, 0) + line["quantity"]
    for row in received:
        key = (row["sku"], row["unit"], row["facility"])
        there[key] = there.get(key, 0) + row["units"]
    return [{"sku": key[0], "unit": key[1], "facility": key[2], "announced": wanted.get(key, 0), "received": there.get(key, 0)}
            for key in sorted({*wanted, *there}) if wanted.get(key, 0) != there.get(key, 0)]
