"""CSV as text: a table of rows as wide as their header, whole units, moments. Pure."""

import csv
import io
import re
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from connectors.gxo.profile import Profile
from connectors.gxo.profile_csv import CsvLayout
from connectors.kit.errors import BadDocument
from connectors.kit.exchange import MAX_BYTES

ROWS_MAX = 200_000
LINES_MAX = ROWS_MAX + 10_000  # empty ones do not count
Numbered = list[tuple[int, dict[str, str]]]


def header_of(body: bytes, encoding: str, delimiter: str) -> set[str]:
    """The column names of the first line; none when it cannot be read as such."""
    line = body[:100_000].lstrip(b"\r\n").split(b"\n", 1)[0]
    try:
        return {cell.strip() for cell in next(csv.reader([line.decode(encoding).rstrip("\r")], delimiter=delimiter), [])}
    except (UnicodeDecodeError, csv.Error):
        return set()


def layout_table(body: bytes, name: str, layout: CsvLayout, columns: dict[str, str]) -> Numbered:
    """The rows of a file of this layout."""
    return table(body, name, layout.encoding, layout.delimiter, set(columns.values()), layout.trailer)


def documents(rows: Numbered, column: str) -> dict[str, Numbered]:
    """The rows by what stands in this column, in the order of its first row."""
    found: dict[str, Numbered] = {}
    for number, row in rows:
        found.setdefault(row[column], []).append((number, row))
    return found


def whole_units(text: str, decimal_mark: str, column: str, sign: str = "") -> int:
    """Whole units; `sign`: the signs that may stand before it. Raises ValueError that names the column."""
    zeros = f"({re.escape(decimal_mark)}0*)?" if decimal_mark else ""
    found = re.fullmatch(f"({f'[{sign}]?' if sign else ''}[0-9]{{1,9}}){zeros}", text, re.ASCII)
    if found is None:
        raise ValueError(f"{column} is not a whole number")
    return int(found[1])


def moment_of(text: str, form: str, profile: Profile, column: str) -> datetime:
    """In UTC; the partner's time zone where the text has none. Raises ValueError that names the column."""
    try:
        at = datetime.strptime(text, form)
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(profile.timezone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{column} is not a date in the form {form}") from None


def table(body: bytes, name: str, encoding: str, delimiter: str, wanted: set[str], trailer: str) -> Numbered:
    """(line number, row) with outer spaces removed; every row as wide as the header. Raises BadDocument."""
    doing = f"reading {name}"
    if len(body) > MAX_BYTES:
        raise BadDocument(doing, f"it has {len(body)} bytes, more than the {MAX_BYTES} that are read row by row", "Ask the partner for smaller files.")
    try:
        lines = list(islice(csv.reader(io.StringIO(body.decode(encoding), newline=""), delimiter=delimiter, strict=True), LINES_MAX))
        if any("\x00" in cell for line in lines for cell in line):
            raise csv.Error("it holds a NUL character")
    except UnicodeDecodeError:
        raise BadDocument(doing, f"it is not written in {encoding}", "Ask the partner for the agreed encoding.") from None
    except csv.Error as why:
        raise BadDocument(doing, f"it is not CSV ({why})", "Ask the partner for a whole file.") from None
    if len(lines) == LINES_MAX:
        raise BadDocument(doing, f"it has more than {ROWS_MAX} rows", "Ask the partner for smaller files.")
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
