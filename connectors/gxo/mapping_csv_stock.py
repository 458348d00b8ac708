"""A stock statement as CSV -> StockLevels, a million rows in a second or two: Arrow reads and checks whole columns, no row is touched in Python. Pure.

A figure that is no whole number refuses the statement and names the rows; one below zero or beyond belief, and a SKU that is there twice, stay
as they are, for the intake to set that SKU aside.
"""

import csv
import hashlib
import io
import re
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from connectors.gxo.csv_table import moment_of
from connectors.gxo.profile import Profile
from connectors.gxo.profile_csv import CsvStock
from connectors.gxo.reading import Unsound
from connectors.kit.errors import BadDocument
from connectors.ports import Message
from contracts.stock import StockLevels

SHOWN = 5  # how many bad rows are named
_FIGURES = ("available", "on_hand", "on_hold")


def statement_message(warehouse: str, profile: Profile, layout: CsvStock, body: bytes, name: str) -> Message:
    """The one message of the file. Raises BadDocument when it cannot be read as a whole (encoding, header, row count, trailer)."""
    key = f"{profile.partner_id}|csv|{hashlib.sha256(body).hexdigest()}|1"
    table = _table(body, name, layout)
    try:
        frame = _frame(warehouse, profile, layout, table, name)
    except Unsound as why:
        return Message(key, "stock_levels", errors=[f"statement: {why}"])
    return Message(key, "stock_levels", stock_levels=frame, is_whole=layout.is_whole)


def _table(body: bytes, name: str, layout: CsvStock) -> pa.Table:
    """The columns that the profile names, as text without outer spaces. Raises BadDocument."""
    doing = f"reading {name}"
    if len(body) > layout.bytes_max:
        raise BadDocument(doing, f"it has {len(body)} bytes, more than the {layout.bytes_max} that the profile allows", "Raise csv_stock.bytes_max.")
    if not body.endswith(b"\n"):
        raise BadDocument(doing, "its last line is not ended: it may be cut off", "Ask the partner for a whole file.")
    header = _header(body, doing, layout)
    body, said = _without_trailer(body, doing, layout)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body), arrow_csv.ReadOptions(encoding=layout.encoding.removesuffix("-sig"), column_names=header, skip_rows=1),
            arrow_csv.ParseOptions(delimiter=layout.delimiter),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), include_columns=list(layout.columns.values())))
    except (pa.ArrowInvalid, UnicodeDecodeError) as why:
        is_uneven = "Expected" in str(why)
        what = "a row has not as many cells as the header" if is_uneven else f"it is not CSV, or not written in {layout.encoding}"
        raise BadDocument(doing, what, "Ask the partner for a whole file.") from None
    if said is not None and said != table.num_rows or not table.num_rows or table.num_rows > layout.rows_max:
        why = (f"it has {table.num_rows} rows, {f'its trailer counts {said}' if said is not None and said != table.num_rows else 'and no statement'}"
               if table.num_rows <= layout.rows_max else f"it has more than {layout.rows_max} rows")
        raise BadDocument(doing, why, "Ask the partner for a whole file.")
    return pa.table({field: pc.utf8_trim_whitespace(table[column]) for field, column in layout.columns.items()})


def _header(body: bytes, doing: str, layout: CsvStock) -> list[str]:
    first = body[:100_000].split(b"\n", 1)[0]
    try:
        cells = [cell.strip() for cell in next(csv.reader(io.StringIO(first.decode(layout.encoding).rstrip("\r")), delimiter=layout.delimiter), [])]
    except (UnicodeDecodeError, csv.Error):
        raise BadDocument(doing, f"its header is not CSV, or not written in {layout.encoding}", "Ask the partner for the agreed form.") from None
    lacking = ", ".join(sorted(set(layout.columns.values()) - set(cells)))
    if lacking or len(set(cells)) < len(cells):
        raise BadDocument(doing, f"its header lacks {lacking}" if lacking else "its header names a column twice", "Compare it with the profile.")
    return cells


def _without_trailer(body: bytes, doing: str, layout: CsvStock) -> tuple[bytes, int | None]:
    """The file without its last row, and the count that it gives."""
    if not layout.trailer:
        return body, None
    whole = body.rstrip(b"\r\n")
    start = whole.rfind(b"\n") + 1
    cells = whole[start:start + 1_000].decode(layout.encoding, "replace").split(layout.delimiter)
    if not start or cells[0].strip() != layout.trailer or not re.fullmatch(r" *[0-9]{1,9} *", cells[1] if len(cells) > 1 else ""):
        raise BadDocument(doing, f"its last row is not {layout.trailer} with the count of its rows", "Ask the partner for a whole file.")
    return body[:start], int(cells[1])


def _frame(warehouse: str, profile: Profile, layout: CsvStock, table: pa.Table, name: str) -> pd.DataFrame:
    figures = _completed({field: _whole(table, field, layout) for field in _FIGURES if field in table.column_names}, profile)
    as_of, sequence = _named(layout, profile, name)
    columns: dict[str, Any] = {
        "warehouse": _same(warehouse, table), "facility": _text(table, "facility", layout.facility, layout), "sku": _text(table, "sku", "", layout),
        "unit": _text(table, "unit", layout.unit, layout), **figures,
        "as_of": _moments(table, layout, profile) if "as_of" in table.column_names else _same(as_of, table, pa.timestamp("us", "UTC")),
        "sequence": _whole(table, "sequence", layout) if "sequence" in table.column_names else _same(sequence, table, pa.int64())}
    frame = pa.table({field: columns[field] for field in StockLevels.columns()}).to_pandas()
    frame = frame.astype({name: str(column.dtype) for name, column in StockLevels.to_schema().columns.items()})
    return _added(frame) if layout.repeated == "added" else frame


def _same(value: Any, table: pa.Table, kind: pa.DataType | None = None) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), table.num_rows)


def _text(table: pa.Table, field: str, default: str, layout: CsvStock) -> pa.ChunkedArray | pa.Array:
    """The column, the default where a cell is empty. Raises Unsound where that leaves a row without a facility or a SKU."""
    if field not in table.column_names:
        return _same(default, table)
    column = table[field]
    is_empty = pc.equal(column, "")
    if default:
        return pc.if_else(is_empty, default, column)
    if field != "unit":
        _refuse(is_empty, f"{layout.columns[field]} is empty")
    return column


def _whole(table: pa.Table, field: str, layout: CsvStock) -> pa.ChunkedArray:
    """Whole numbers with at most fifteen digits. Raises Unsound."""
    column = table[field]
    zeros = f"({re.escape(layout.decimal_mark)}0*)?" if layout.decimal_mark else ""
    _refuse(pc.invert(pc.match_substring_regex(column, f"^-?[0-9]{{1,15}}{zeros}$")), f"{layout.columns[field]} is not a whole number")
    if layout.decimal_mark:
        column = pc.replace_substring_regex(column, f"{re.escape(layout.decimal_mark)}0*$", "")
    return pc.cast(column, pa.int64())


def _completed(found: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """What the site left out follows from the rest, as in the 846."""
    basis = found[profile.stock_basis]
    on_hold = found.get("on_hold", pc.multiply(basis, 0))
    if profile.stock_basis == "on_hand":
        return {"available": pc.subtract(basis, on_hold), "on_hand": basis, "on_hold": on_hold}
    return {"available": basis, "on_hand": found.get("on_hand", pc.add(basis, on_hold)), "on_hold": on_hold}


def _named(layout: CsvStock, profile: Profile, name: str) -> tuple[datetime | None, int]:
    """as_of and sequence out of the file's name. Raises Unsound when it does not say what it must."""
    if not layout.name_pattern:
        return None, 0
    found = re.search(layout.name_pattern, name)
    said = found.groupdict() if found else {}
    try:
        if not found:
            raise ValueError("the file's name is not in the agreed form")
        sequence = int(said["sequence"][:18]) if said.get("sequence") else 0
        return moment_of(said["as_of"] or "", layout.date_format, profile, "the file's name") if "as_of" in said else None, sequence
    except ValueError as why:
        raise Unsound(str(why)) from None


def _moments(table: pa.Table, layout: CsvStock, profile: Profile) -> pa.Array:
    """The column as UTC. Each different text is read once: most statements have one."""
    coded = pc.dictionary_encode(table["as_of"]).combine_chunks()
    texts = coded.dictionary
    parsed = pd.to_datetime(texts.to_pandas(), format=layout.date_format, errors="coerce", utc="%z" in layout.date_format)
    if parsed.dt.tz is None:
        parsed = parsed.dt.tz_localize(profile.timezone, ambiguous=pd.Series(True, parsed.index).to_numpy(), nonexistent="shift_forward").dt.tz_convert("UTC")
    _refuse(pc.is_in(table["as_of"], texts.filter(pa.array(parsed.isna()))), f"{layout.columns['as_of']} is not a date in the form {layout.date_format}")
    return pa.array(parsed.astype("datetime64[us, UTC]")).take(coded.indices)


def _added(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a SKU in a facility, where the profile says that rows are lots. Of two moments the older one counts."""
    if not frame.duplicated(["facility", "sku"]).any():
        return frame
    grouped = frame.groupby(["facility", "sku"], sort=False, as_index=False)
    if (grouped["unit"].nunique()["unit"] > 1).any():
        raise Unsound("a SKU is on two rows in two units")
    rest = {name: "sum" if name in _FIGURES else "min" if name in ("as_of", "sequence") else "first" for name in frame.columns}
    added = grouped.agg({name: how for name, how in rest.items() if name not in ("facility", "sku")})[frame.columns.to_list()]
    return added.astype(frame.dtypes.to_dict())


def _refuse(bad: pa.Array | pa.ChunkedArray, why: str) -> None:
    """Raises Unsound that names the first rows of these; 1 is the row after the header."""
    if pc.any(bad).as_py():
        rows = pc.indices_nonzero(bad)
        raise Unsound(f"{why}: row {', '.join(str(row + 1) for row in rows[:SHOWN].to_pylist())}{f' and {len(rows) - SHOWN} more' if len(rows) > SHOWN else ''}")
