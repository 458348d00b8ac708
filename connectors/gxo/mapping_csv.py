"""CSV files of the partner: dispatch advice by the profile's columns, and the item master. Pure.

A shipment with one bad row is refused whole; the shipments beside it are read all the same. Item rows are set aside one by one.
"""

import hashlib
from typing import Any

import pandas as pd

from connectors.gxo.csv_table import Numbered, documents, layout_table, moment_of, table, whole_units
from connectors.gxo.profile import CsvAdvice, Profile
from connectors.ports import Message
from contracts.base import WHY, rows_of
from contracts.dispatches import Dispatches
from contracts.items import Items
from contracts.money import NotMoney, to_minor

ITEM_COLUMNS = ("sku", "description", "active", "unit", "barcode", "hs_code", "origin", "customs_value", "customs_currency")
YES, NO = ("yes", "y", "true", "1"), ("no", "n", "false", "0")


def advice_messages(warehouse: str, profile: Profile, layout: CsvAdvice, body: bytes, name: str) -> list[Message]:
    """One message a shipment. Raises BadDocument when the file as a whole cannot be read (encoding, header, row count)."""
    shipments = documents(layout_table(body, name, layout, layout.columns), layout.columns["advice_id"])
    digest = hashlib.sha256(body).hexdigest()
    return [_shipment(warehouse, profile, layout, advice_id, numbered, f"{profile.partner_id}|csv|{digest}|{place}")
            for place, (advice_id, numbered) in enumerate(shipments.items(), 1)]


def _shipment(warehouse: str, profile: Profile, layout: CsvAdvice, advice_id: str, numbered: Numbered, key: str) -> Message:
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
    units = whole_units(said["quantity"], layout.decimal_mark, layout.columns["quantity"])
    shipped_at = moment_of(said["shipped_at"], layout.date_format, profile, layout.columns["shipped_at"])
    defaults = {name: "" for name in Dispatches.columns()} | {"warehouse": warehouse, "unit": layout.unit}
    whole = defaults | {field: value for field, value in said.items() if value} | {"quantity": units, "shipped_at": shipped_at}
    return whole | {"package_id": whole["package_id"] or whole["tracking_number"] or whole["advice_id"]}


def items_frame(warehouse: str, body: bytes, name: str) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """The item master (contract Items) and the rows that could not be read. Both rows of a repeated SKU are set aside. Raises BadDocument."""
    rows, bad, by_sku = [], [], {}
    for number, row in table(body, name, "utf-8-sig", ",", set(ITEM_COLUMNS), ""):
        by_sku.setdefault(row["sku"], []).append(number)  # a broken row counts too: which of the two is right, nobody knows
        try:
            rows.append((number, _item(warehouse, row)))
        except (ValueError, NotMoney) as why:
            bad.append({"record": row["sku"] or f"line {number}", "why": f"line {number}: {why}"})
    repeated = {sku: lines for sku, lines in by_sku.items() if sku and len(lines) > 1}
    bad += [{"record": sku, "why": f"it is there more than once: lines {', '.join(map(str, lines))}"} for sku, lines in repeated.items()]
    sound, unsound = Items.split(Items.frame(item for _, item in rows if item["sku"] not in repeated))
    bad += [{"record": row["sku"] or "a row without a SKU", "why": row[WHY]} for row in rows_of(unsound)]
    return sound, bad


def _item(warehouse: str, row: dict[str, str]) -> dict[str, Any]:
    active = row["active"].casefold()
    if active not in YES + NO:
        raise ValueError("active is neither yes nor no")
    value = to_minor(row["customs_value"] or "0", row["customs_currency"])
    return {"warehouse": warehouse, "sku": row["sku"], "description": row["description"], "is_active": active in YES, "unit": row["unit"],
            "barcode": row["barcode"], "hs_code": row["hs_code"], "origin": row["origin"], "customs_value_minor": value,
            "customs_currency": row["customs_currency"]}
