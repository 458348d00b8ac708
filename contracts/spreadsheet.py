"""Text as a spreadsheet may open it: no cell of ours is ever read as a formula. Everything that leaves as CSV or XLSX goes through here.

Names of products, notes and references are written by strangers; Excel, LibreOffice and Google Sheets run a text that begins like a formula.
"""

import csv
import io
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd

BEGINS_FORMULA = ("=", "+", "-", "@")
_MARK = "'"  # a spreadsheet takes what follows as text
_QUOTES = frozenset("'\"`\u2018\u2019\u201c\u201d\u00ab\u00bb")
_MINUSES = frozenset("\u2010\u2011\u2012\u2013\u2014\u2212")
_UNSEEN = ("Zs", "Zl", "Zp", "Cf", "Mn", "Me")


def safe_cell(text: str) -> str:
    """The text with a `'` before it when a spreadsheet might run it, else as it is. For text only: numbers are written as numbers."""
    return _MARK + text if _may_run(text) else text


def plain_cell(cell: str) -> str:
    """What `safe_cell` was given: whoever reads our files back gets the very text."""
    return cell[1:] if cell.startswith(_MARK) and _may_run(cell[1:]) else cell


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """RFC 4180: lines end in CRLF, text is made safe, numbers stay numbers, moments are ISO 8601 in UTC, what is missing is empty."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([safe_cell(column) for column in columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue()


def _may_run(text: str) -> bool:
    """True when the first character that counts begins a formula, in any width, or is a control character (tab, line feed, NUL).

    Spaces, quotes and what cannot be seen do not count: some programs drop them before they look.
    """
    for letter in text:
        category = unicodedata.category(letter)
        if letter in _QUOTES or category in _UNSEEN:
            continue
        return category == "Cc" or letter in _MINUSES or unicodedata.normalize("NFKC", letter).startswith(BEGINS_FORMULA)
    return False


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return safe_cell(value)
    if isinstance(value, (list, dict, tuple, bytes)):
        return safe_cell(str(value))
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, (int, float, Decimal, date)) or hasattr(value, "dtype"):  # bool is an int; numpy's own have a dtype
        return str(value)
    return safe_cell(str(value))
