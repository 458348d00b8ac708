"""Adjustments and returns as CSV -> StockChanges and ReturnLines. Pure. A document with one bad row is refused whole; those beside it are read."""

import hashlib
from collections.abc import Callable
from typing import Any

import pandas as pd

from connectors.gxo.csv_table import Numbered, documents, layout_table, moment_of, whole_units
from connectors.gxo.mapping_receipt import sale_changes
from connectors.gxo.profile import Profile
from connectors.gxo.profile_csv import CsvAdjustments, CsvLayout, CsvReturns
from connectors.ports import Message
from contracts.base import WHY, Contract
from contracts.returns import ReturnLines
from contracts.stock import StockChanges

Row = dict[str, Any]


def adjustment_messages(warehouse: str, profile: Profile, layout: CsvAdjustments, body: bytes, name: str) -> list[Message]:
    """One message a document. Raises BadDocument when the file as a whole cannot be read."""
    def read(row: dict[str, str], line: int) -> Row:
        said = _said(row, layout.columns, ("document_id", "sku"))
        kind = layout.kinds.get(said.pop("kind")) if layout.kinds else "adjustment"
        if kind is None:
            raise ValueError(f"{layout.columns['kind']} is none that the profile names")
        change = whole_units(said["change"], layout.decimal_mark, layout.columns["change"], sign="+-")
        return _defaults(StockChanges, warehouse, layout) | said | {
            "line": line, "kind": kind, "change": change, "sequence": whole_units(said.get("sequence", "0"), "", "sequence"),
            "occurred_at": moment_of(said["occurred_at"], layout.date_format, profile, layout.columns["occurred_at"])}

    return [Message(key, "stock_changes", stock_changes=_frame(StockChanges, rows), errors=errors)
            for key, rows, errors in _documents(profile, layout, layout.columns, body, name, read, StockChanges)]


def return_messages(warehouse: str, profile: Profile, layout: CsvReturns, body: bytes, name: str) -> list[Message]:
    """One message a return. Raises BadDocument when the file as a whole cannot be read."""
    def read(row: dict[str, str], line: int) -> Row:
        said = _said(row, layout.columns, ("document_id", "sku"))
        return _defaults(ReturnLines, warehouse, layout) | said | {
            "line": line, "quantity": whole_units(said["quantity"], layout.decimal_mark, layout.columns["quantity"]),
            "received_at": moment_of(said["received_at"], layout.date_format, profile, layout.columns["received_at"])}

    messages = []
    for key, rows, errors in _documents(profile, layout, layout.columns, body, name, read, ReturnLines):
        changes = sale_changes(rows, layout.sale_grades, 0)
        messages.append(Message(key, "returns", returns=_frame(ReturnLines, rows), stock_changes=_frame(StockChanges, changes) if changes else None,
                                errors=errors))
    return messages


def _documents(profile: Profile, layout: CsvLayout, columns: dict[str, str], body: bytes, name: str, read: Callable[[dict[str, str], int], Row],
               contract: type[Contract]) -> list[tuple[str, list[Row], list[str]]]:
    """(key, rows, errors) of each document; one of the two lists is empty."""
    found = []
    digest = hashlib.sha256(body).hexdigest()
    numbered = documents(layout_table(body, name, layout, columns), columns["document_id"])
    for place, (document, rows) in enumerate(numbered.items(), 1):
        good, errors = _read(document, rows, read)
        if not errors:
            errors = [f"document {document[:40]!r}: {why}" for why in contract.split(contract.frame(good))[1][WHY].unique()]
        found.append((f"{profile.partner_id}|csv|{digest}|{place}", [] if errors else good, errors))
    return found


def _read(document: str, numbered: Numbered, read: Callable[[dict[str, str], int], Row]) -> tuple[list[Row], list[str]]:
    rows, errors = [], []
    for line, (number, row) in enumerate(numbered, 1):
        try:
            rows.append(read(row, line))
        except ValueError as why:
            errors.append(f"document {document[:40]!r}, line {number}: {why}")
    return rows, errors


def _said(row: dict[str, str], columns: dict[str, str], needed: tuple[str, ...]) -> dict[str, str]:
    """Our fields that the row fills; an empty cell of an optional one says nothing."""
    for field in needed:
        if not row[columns[field]]:
            raise ValueError(f"{columns[field]} is empty")
    must = {"change", "quantity", "occurred_at", "received_at", "kind"}
    return {field: row[column] for field, column in columns.items() if row[column] or field in must}


def _defaults(contract: type[Contract], warehouse: str, layout: CsvAdjustments | CsvReturns) -> Row:
    return {name: "" for name in contract.columns()} | {"warehouse": warehouse, "unit": layout.unit, "facility": layout.facility}


def _frame(contract: type[Contract], rows: list[Row]) -> pd.DataFrame | None:
    return contract.frame(rows) if rows else None
