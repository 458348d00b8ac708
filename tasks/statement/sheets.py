"""The statement's rows as CSV and as a workbook: numbers as numbers, text as text that no spreadsheet runs."""

import io
from decimal import Decimal
from typing import Any

import xlsxwriter

from contracts.money import MINOR_DIGITS, to_major
from contracts.spreadsheet import csv_text, safe_cell
from tasks.statement.figures import AMOUNTS, Statement, by_verdict, movements
from tasks.statement.marketplace import (
    HELD_COLUMNS, JOURNAL_COLUMNS, OPEN_COLUMNS, PART_COLUMNS, SUSPENSE_COLUMNS, held_rows, journal_rows, open_rows, part_rows, suspense_rows,
)

COLUMNS = ("order_id", "placed_at", "status", "currency", "verdict", "carried_in", "carried_out", *AMOUNTS, "explained_by", "detail")
DIFFERENCE_COLUMNS = ("order_id", "difference", "currency", "amount", "explained_by", "detail")
CELL_LONGEST = 32_000  # a cell of a workbook holds 32,767 characters


def order_rows(statement: Statement) -> list[dict[str, Any]]:
    """One row an order, amounts as Decimals in major units."""
    explained: dict[str, list[str]] = {}
    for difference in statement.found.differences.to_dict("records"):
        if difference["explained_by"]:
            explained.setdefault(difference["order_id"], []).append(f"{difference['name']}: {difference['explained_by']}")
    return [{
        "order_id": row["order_id"], "placed_at": f"{row['placed_at']:%Y-%m-%dT%H:%M:%SZ}", "status": row["status"], "currency": row["currency"],
        "verdict": row["verdict"], "carried_in": _yes(row["is_carried_in"]), "carried_out": _yes(row["is_carried_out"]),
        **{name: Decimal(to_major(row[f"{name}_minor"], row["currency"])) for name in AMOUNTS},
        "explained_by": "; ".join(explained.get(row["order_id"], [])), "detail": row["detail"],
    } for row in statement.found.rows.to_dict("records")]


def difference_rows(statement: Statement) -> list[dict[str, Any]]:
    """One row a difference."""
    return [{"order_id": row["order_id"], "difference": row["name"], "currency": row["currency"], "amount": Decimal(to_major(row["amount_minor"], row["currency"])),
             "explained_by": row["explained_by"], "detail": row["detail"]} for row in statement.found.differences.to_dict("records")]


def csv_of(statement: Statement) -> str:
    """One row an order (RFC 4180). Its SHA-256 is what the signed page names."""
    return csv_text(COLUMNS, ([row[name] for name in COLUMNS] for row in order_rows(statement)))


def postings_of(statement: Statement) -> str:
    """The journal of the settlements that were paid out in the month, as CSV; '' for a storefront that is no marketplace."""
    if statement.marketplace is None:
        return ""
    return csv_text(JOURNAL_COLUMNS, ([row[name] for name in JOURNAL_COLUMNS] for row in journal_rows(statement.marketplace)))


def xlsx_of(statement: Statement) -> bytes:
    """A workbook: totals, movements, differences, and every order."""
    written = io.BytesIO()
    book = xlsxwriter.Workbook(written, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False})
    book.set_properties({"title": f"Statement {statement.connection} {statement.period.name}", "created": statement.made_at.replace(tzinfo=None)})
    steps = [{"currency": one["currency"], "step": step["what"], "amount": Decimal(to_major(step["minor"], one["currency"]))}
             for one in movements(statement.found) for step in one["steps"]]
    _sheet(book, "Totals", ("currency", "verdict", "orders", *AMOUNTS), _total_rows(statement))
    _sheet(book, "Movements", ("currency", "step", "amount"), steps)
    _sheet(book, "Differences", DIFFERENCE_COLUMNS, difference_rows(statement))
    _sheet(book, "Orders", COLUMNS, order_rows(statement))
    if statement.marketplace:
        for title, columns, rows in (("Marketplace", HELD_COLUMNS, held_rows), ("Settlements", PART_COLUMNS, part_rows), ("Journal", JOURNAL_COLUMNS, journal_rows),
                                     ("Suspense", SUSPENSE_COLUMNS, suspense_rows), ("Not settled yet", OPEN_COLUMNS, open_rows)):
            _sheet(book, title, columns, rows(statement.marketplace))
    book.close()
    return written.getvalue()


def _total_rows(statement: Statement) -> list[dict[str, Any]]:
    return [{"currency": table["currency"], "verdict": row["verdict"] or "all orders", "orders": row["orders"],
             **{name: Decimal(to_major(row[name], table["currency"])) for name in AMOUNTS}}
            for table in by_verdict(statement.found) for row in (*table["rows"], table["total"])]


def _sheet(book: Any, title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    sheet, head = book.add_worksheet(title), book.add_format({"bold": True, "bottom": 1})
    formats = {digits: book.add_format({"num_format": f"#,##0{'.' if digits else ''}{'0' * digits};[Red]-#,##0{'.' if digits else ''}{'0' * digits}"}) for digits in (0, 2, 3)}
    for place, name in enumerate(columns):
        sheet.write_string(0, place, name.replace("_", " "), head)
        widest = max((len(str(row[name])) for row in rows), default=0)
        sheet.set_column(place, place, min(max(len(name), widest) + 2, 60))
    for line, row in enumerate(rows, start=1):
        for place, name in enumerate(columns):
            value = row[name]
            if isinstance(value, Decimal):
                sheet.write_number(line, place, value, formats[MINOR_DIGITS.get(row["currency"], 2)])
            elif isinstance(value, int):
                sheet.write_number(line, place, value, formats[0])
            else:
                sheet.write_string(line, place, safe_cell(value)[:CELL_LONGEST])
    sheet.freeze_panes(1, 0)
    if rows:
        sheet.autofilter(0, 0, len(rows), len(columns) - 1)


def _yes(claim: bool) -> str:
    return "yes" if claim else "no"
