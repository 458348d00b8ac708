"""The partner's CSV files: dispatch advice (columns by the profile) and the item master. Pure and bounded.

A CSV file has no envelope. So a last line without a line end is taken for a file that was cut off, and a partner that can write
a trailer with a row count should be asked to (`csv_advice.trailer`).
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from connectors.gxo.profile import CsvAdvice, Profile, Strict
from connectors.kit.errors import BadDocument
from connectors.ports import Message
from contracts.dispatches import Dispatches
from contracts.items import Items
from contracts.money import NotMoney, to_minor

MAX_BYTES = 20_000_000
MAX_ROWS = 500_000
_QUANTITY = re.compile(r"([0-9]{1,10})(\.0{0,6})?")
_LONGEST = {"reference": 64, "advice_id": 64, "sku": 48}


class ItemColumns(Strict):
    """Which column of the items file is which field. Every column must be there; '' says: the file has none."""

    sku: str = "sku"
    description: str = "description"
    is_active: str = "active"
    unit: str = "unit"
    barcode: str = "barcode"
    hs_code: str = "hs_code"
    origin: str = "origin"
    customs_value: str = "customs_value"
    customs_currency: str = "customs_currency"


def advice_messages(warehouse: str, profile: Profile, body: bytes, name: str) -> list[Message]:
    """One message a shipment. A bad row spoils its shipment, and only that. Raises BadDocument when the file cannot be read."""
    layout = profile.csv_advice
    if layout is None:
        raise _bad(name, "it is no X12 (it does not begin with ISA), and the partner profile has no CSV layout")
    header, rows = _table(body, layout.delimiter, layout.encoding, name)
    places = _places(header, layout.columns, name)
    digest, groups = hashlib.sha256(body).hexdigest(), {}
    for number, row in enumerate(_without_trailer(rows, layout.trailer, name), start=2):
        cell = places["advice_id"]
        advice_id = row[cell].strip() if len(row) == len(header) else ""
        groups.setdefault(advice_id or f"row {number}", []).append((number, row))
    return [_message(warehouse, profile, layout, places, len(header), f"{digest}|{advice_id}", rows) for advice_id, rows in groups.items()]


def items(warehouse: str, body: bytes, columns: ItemColumns, name: str, delimiter: str = ",", encoding: str = "utf-8-sig",
          ) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """The item master: sound rows (contract Items), and {record, why} of the others. Of a SKU listed twice, no row is taken."""
    header, rows = _table(body, delimiter, encoding, name)
    places = _places(header, {field: column for field, column in columns.model_dump().items() if column}, name)
    read, unreadable, seen = [], [], {}
    for number, row in enumerate(rows, start=2):
        try:
            item = _item(warehouse, row, places, len(header))
        except ValueError as why:
            unreadable.append({"record": f"{name} row {number}", "why": str(why)})
            continue
        seen.setdefault(item["sku"], []).append(number)
        read.append(item)
    twice = {sku: numbers for sku, numbers in seen.items() if len(numbers) > 1}
    unreadable += [{"record": sku, "why": f"listed {len(numbers)} times ({name} rows {', '.join(map(str, numbers[:9]))}): which one counts?"}
                   for sku, numbers in twice.items()]
    sound, unsound = Items.split(Items.frame(item for item in read if item["sku"] not in twice))
    return sound, unreadable + [{"record": row.sku, "why": row.why} for row in unsound.itertuples()]


def _table(body: bytes, delimiter: str, encoding: str, name: str) -> tuple[list[str], list[list[str]]]:
    if len(body) > MAX_BYTES:
        raise _bad(name, f"it has {len(body)} bytes, more than the {MAX_BYTES} we read")
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        raise _bad(name, f"byte {error.start} is not {encoding}") from None
    if not text.endswith("\n"):
        raise _bad(name, "its last line has no end: it was cut off, or is empty")
    if "\x00" in text:
        raise _bad(name, "it holds a NUL character")
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            if row:
                rows.append(row)
            if len(rows) > MAX_ROWS + 1:
                raise _bad(name, f"more than {MAX_ROWS} rows")
    except csv.Error as error:
        raise _bad(name, f"row {len(rows) + 1}: {error}") from None
    if not rows:
        raise _bad(name, "it has no header")
    return [cell.strip() for cell in rows[0]], rows[1:]


def _places(header: list[str], columns: dict[Any, str], name: str) -> dict[str, int]:
    lacking = sorted(set(columns.values()) - set(header))
    if lacking:
        raise _bad(name, f"its header lacks {', '.join(lacking)}")
    twice = sorted({column for column in columns.values() if header.count(column) > 1})
    if twice:
        raise _bad(name, f"its header has {', '.join(twice)} twice")
    return {field: header.index(column) for field, column in columns.items()}


def _without_trailer(rows: list[list[str]], trailer: str, name: str) -> list[list[str]]:
    if not trailer:
        return rows
    last = rows[-1] if rows else [""]
    if last[0].strip() != trailer:
        raise _bad(name, f"it does not end with the trailer {trailer!r}: it was cut off")
    if len(last) < 2 or last[1].strip() != str(len(rows) - 1):
        raise _bad(name, f"its trailer counts other than the {len(rows) - 1} rows there are")
    return rows[:-1]


def _message(warehouse: str, profile: Profile, layout: CsvAdvice, places: dict[str, int], width: int, key: str,
             rows: Iterable[tuple[int, list[str]]]) -> Message:
    read, errors = [], []
    for number, row in rows:
        try:
            read.append({"warehouse": warehouse} | _advice_row(profile, layout, places, width, number, row))
        except ValueError as why:
            errors.append(f"row {number}: {why}")
    if errors:
        return Message(key, "dispatches", errors=errors[:20])
    return Message(key, "dispatches", dispatches=Dispatches.frame(read))


def _advice_row(profile: Profile, layout: CsvAdvice, places: dict[str, int], width: int, number: int, row: list[str]) -> dict[str, Any]:
    if len(row) != width:
        raise ValueError(f"{len(row)} cells, the header has {width}")
    cells = {field: row[place].strip() for field, place in places.items()}
    for field, longest in _LONGEST.items():
        if not 1 <= len(cells[field]) <= longest or not cells[field].isprintable():
            raise ValueError(f"{layout.columns[field]}: one to {longest} characters are needed")
    quantity = _QUANTITY.fullmatch(cells["quantity"])
    if not quantity:
        raise ValueError(f"{layout.columns['quantity']}: not a whole quantity of 0 or more")
    shipped = {name: cells.get(name, "") for name in ("package_id", "carrier", "service", "tracking_number", "request_line", "line_status", "facility")}
    shipped["package_id"] = shipped["package_id"] or shipped["tracking_number"] or f"row {number}"
    return shipped | {"advice_id": cells["advice_id"], "reference": cells["reference"], "sku": cells["sku"], "quantity": int(quantity[1]),
                      "unit": cells.get("unit") or layout.unit, "shipped_at": _moment(cells["shipped_at"], layout, profile)}


def _moment(value: str, layout: CsvAdvice, profile: Profile) -> datetime:
    try:
        at = datetime.strptime(value, layout.date_format)
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(profile.timezone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{layout.columns['shipped_at']}: not a date of the form {layout.date_format}") from None


def _item(warehouse: str, row: list[str], places: dict[str, int], width: int) -> dict[str, Any]:
    if len(row) != width:
        raise ValueError(f"{len(row)} cells, the header has {width}")
    cells = {field: row[place].strip() for field, place in places.items()}
    active = cells.get("is_active", "Y").upper()
    if active not in ("Y", "N", "YES", "NO", "TRUE", "FALSE", "1", "0", "A", "I"):
        raise ValueError("active: neither yes nor no")
    currency, value = cells.get("customs_currency", "").upper(), cells.get("customs_value", "")
    if value and not currency:
        raise ValueError("customs_value: has no currency")
    try:
        minor = to_minor(value or "0", currency)
    except NotMoney as why:
        raise ValueError(f"customs_value: {why}") from None
    return {"warehouse": warehouse, "sku": cells["sku"], "description": cells.get("description", ""), "is_active": active in ("Y", "YES", "TRUE", "1", "A"),
            "unit": cells.get("unit", "EA").upper(), "barcode": cells.get("barcode", ""), "hs_code": cells.get("hs_code", ""),
            "origin": cells.get("origin", "").upper(), "customs_value_minor": minor, "customs_currency": currency}


def _bad(name: str, why: str) -> BadDocument:
    return BadDocument(f"reading {name}", why, "Ask the partner for a corrected file.")
