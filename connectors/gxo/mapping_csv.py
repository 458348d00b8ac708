"""CSV files of the partner: dispatch advice by the profile's columns, and the item master. Pure.

A shipment with one bad row is refused whole; the shipments beside it are read all the same. Item rows are set aside one by one.
"""

import csv
import hashlib
import io
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from connectors.gxo.profile import CsvAdvice, Profile
from connectors.kit.errors import BadDocument
from connectors.ports import Message
from contracts.base import WHY
from contracts.dispatches import Dispatches
from contracts.items import Items
from contracts.money import NotMoney, to_minor

ROWS_MAX = 200_000
ITEM_COLUMNS = ("sku", "description", "active", "unit", "barcode", "hs_code", "origin", "customs_value", "customs_currency")
YES, NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")


def advice_messages(warehouse: str, profile: Profile, body: bytes, name: str) -> list[Message]:
    """One message a shipment. Raises BadDocument when the file as a whole cannot be read (encoding, header, row count, no profile)."""
    layout = profile.csv_advice
    if layout is None:
        raise BadDocument(f"reading {name}", "it is not X12, and the partner profile has no CSV advice", "Ask the partner, or add csv_advice.")
    rows = _table(body, name, layout.encoding, layout.delimiter, set(layout.columns.values()), layout.trailer)
    shipments: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for number, row in rows:
        shipments.setdefault(row[layout.columns["advice_id"]], []).append((number, row))
    digest = hashlib.sha256(body).hexdigest()
    return [_shipment(warehouse, profile, layout, advice_id, numbered, f"{profile.partner_id}|csv|{digest}|{place}")
            for place, (advice_id, numbered) in enumerate(shipments.items(), 1)]


def _shipment(warehouse: str, profile: Profile, layout: CsvAdvice, advice_id: str, numbered: list[tuple[int, dict[str, str]]], key: str) -> Message:
    read, errors = [], []
    for number, row in numbered:
        try:
            read.append(_advice_row(warehouse, profile, layout, row))
        except ValueError as why:
            errors.append(f"shipment {advice_id[:40]!r}, line {number}: {why}")
    frame = Dispatches.frame(read) if not errors else None
    if frame is not None:
        _, unsound = Dispatches.split(frame)
        errors = [f"shipment {advice_id[:40]!r}: {why}" for why in unsound[WHY].unique()]
    return Message(key, "dispatches", None, None if errors else frame, errors=errors)


def _advice_row(warehouse: str, profile: Profile, layout: CsvAdvice, row: dict[str, str]) -> dict[str, Any]:
    said = {field: row[column] for field, column in layout.columns.items()}
    for field in ("advice_id", "reference", "sku"):
        if not said[field]:
            raise ValueError(f"{layout.columns[field]} is empty")
    zeros = f"({re.escape(layout.decimal_mark)}0*)?" if layout.decimal_mark else ""
    units = re.fullmatch(f"([0-9]{{1,9}}){zeros}", said["quantity"])
    if units is None:
        raise ValueError(f"{layout.columns['quantity']} is not a whole number")
    try:
        shipped_at = datetime.strptime(said["shipped_at"], layout.date_format)
        shipped_at = (shipped_at if shipped_at.tzinfo else shipped_at.replace(tzinfo=ZoneInfo(profile.timezone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{layout.columns['shipped_at']} is not a date in the form {layout.date_format}") from None
    defaults = {name: "" for name in Dispatches.columns()} | {"warehouse": warehouse, "unit": layout.unit}
    whole = defaults | {field: value for field, value in said.items() if value} | {"quantity": int(units[1]), "shipped_at": shipped_at}
    return whole | {"package_id": whole["package_id"] or whole["tracking_number"] or whole["advice_id"]}


def items_frame(warehouse: str, body: bytes, name: str) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """The item master (contract Items) and the rows that could not be read. Both rows of a repeated SKU are set aside. Raises BadDocument."""
    rows, bad, by_sku = [], [], {}
    for number, row in _table(body, name, "utf-8-sig", ",", set(ITEM_COLUMNS), ""):
        by_sku.setdefault(row["sku"], []).append(number)  # a broken row counts too: which of the two is right, nobody knows
        try:
            rows.append((number, _item(warehouse, row)))
        except (ValueError, NotMoney) as why:
            bad.append({"record": row["sku"] or f"line {number}", "why": f"line {number}: {why}"})
    repeated = {sku: lines for sku, lines in by_sku.items() if sku and len(lines) > 1}
    bad += [{"record": sku, "why": f"it is there more than once: lines {', '.join(map(str, lines))}"} for sku, lines in repeated.items()]
    sound, unsound = Items.split(Items.frame(item for _, item in rows if item["sku"] not in repeated))
    bad += [{"record": row["sku"] or "a row without a SKU", "why": row[WHY]} for row in unsound.to_dict("records")]
    return sound, bad


def _item(warehouse: str, row: dict[str, str]) -> dict[str, Any]:
    active = row["active"].casefold()
    if active not in YES + NO:
        raise ValueError("active is neither yes nor no")
    value = to_minor(row["customs_value"] or "0", row["customs_currency"])
    return {"warehouse": warehouse, "sku": row["sku"], "description": row["description"], "is_active": active in YES, "unit": row["unit"],
            "barcode": row["barcode"], "hs_code": row["hs_code"], "origin": row["origin"], "customs_value_minor": value,
            "customs_currency": row["customs_currency"]}


def _table(body: bytes, name: str, encoding: str, delimiter: str, wanted: set[str], trailer: str) -> list[tuple[int, dict[str, str]]]:
    """(line number, row) with outer spaces removed; every row as wide as the header. Raises BadDocument."""
    doing = f"reading {name}"
    try:
        lines = list(csv.reader(io.StringIO(body.decode(encoding), newline=""), delimiter=delimiter, strict=True))
        if any("\x00" in cell for line in lines for cell in line):
            raise csv.Error("it holds a NUL character")
    except UnicodeDecodeError:
        raise BadDocument(doing, f"it is not written in {encoding}", "Ask the partner for the agreed encoding.") from None
    except csv.Error as why:
        raise BadDocument(doing, f"it is not CSV ({why})", "Ask the partner for a whole file.") from None
    lines = [(number, [cell.strip() for cell in line]) for number, line in enumerate(lines, 1) if any(cell.strip() for cell in line)]
    if not lines or (body and not body.endswith(b"\n")):
        raise BadDocument(doing, "it is empty" if not lines else "its last line is not ended: it may be cut off", "Ask the partner for a whole file.")
    header = lines[0][1]
    if len(set(header)) < len(header) or wanted - set(header):
        lacking = ", ".join(sorted(wanted - set(header)))
        raise BadDocument(doing, f"its header lacks {lacking}" if lacking else "its header names a column twice", "Compare it with the profile.")
    rows = lines[1:]
    if trailer:
        if not rows or rows[-1][1][0] != trailer or rows[-1][1][1:2] != [str(len(rows) - 1)]:
            raise BadDocument(doing, f"its last row is not {trailer} with the count of its rows", "Ask the partner for a whole file.")
        rows = rows[:-1]
    uneven = [number for number, line in rows if len(line) != len(header)]
    if uneven or len(rows) > ROWS_MAX:
        why = f"line {uneven[0]} has not as many cells as the header" if uneven else f"it has more than {ROWS_MAX} rows"
        raise BadDocument(doing, why, "Ask the partner.")
    return [(number, dict(zip(header, line, strict=True))) for number, line in rows]
