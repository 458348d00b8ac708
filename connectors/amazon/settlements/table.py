"""The lines of a file as an Arrow table of texts, every column of the layout there, and the number of each line in the file.

Arrow reads at once what has as many cells as the header. Only if some lines have not are they looked at one by one: a line whose last empty cells were cut off is
filled up, a blank one left out, and what has more cells than the header, or ends before its amount, is set aside with its number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from connectors.amazon.settlements.form import Text
from connectors.amazon.settlements.layout import V1_COLUMNS, V2, V2_COLUMNS
from connectors.kit.errors import BadDocument

MANY = {"order-id", "merchant-order-id", "adjustment-id", "shipment-id", "order-item-code", "merchant-order-item-id", "merchant-adjustment-item-id", "promotion-id"}
LINE = "line"
_CODES = pa.dictionary(pa.int32(), pa.string())


@dataclass
class Lines:
    """table: texts, trimmed, one column a name of the layout (dictionaries where texts repeat), and `line`. odd: (line, why) of lines that cannot be used."""

    layout: str
    table: pa.Table
    odd: list[tuple[int, str]] = field(default_factory=list)
    is_cut: bool = False
    notes: list[str] = field(default_factory=list)

    def distinct(self, column: str) -> list[str]:
        """The texts of a column that is a dictionary."""
        return self.table.column(column).chunk(0).dictionary.to_pylist() if self.table.num_rows else []


def read_lines(name: str, text: Text, layout: str, names: Sequence[str]) -> Lines:
    """Every line of the file. Raises BadDocument for what cannot be read as a table at all."""
    body, notes = text.body[:_end(text.body)], list(text.notes)
    has_last_end = len(body) < len(text.body) or not len(body)
    fits: list[bool] = []
    table = _parsed(name, body, text, names, lambda row: fits.append(False) or "skip") if len(body) else None
    odd: list[tuple[int, str]] = []
    filled = 0
    if fits or table is None:
        mended, lines, odd, filled = _mended(bytes(body), text, layout, names)
        notes += [f"{filled} lines end before their last columns"] if filled else []
        table = _parsed(name, mended, text, names, None) if mended else pa.table({one: pa.array([], pa.string()) for one in names})
        line_numbers = pa.array(lines, pa.int64())
    else:
        line_numbers = pa.array(range(text.first_line, text.first_line + table.num_rows), pa.int64())
    if len(line_numbers) != table.num_rows:
        line_numbers = pa.array(range(text.first_line, text.first_line + table.num_rows), pa.int64())  # quoted cells with line ends in them
    if not has_last_end:
        notes.append("its last line has no end")
    is_cut = text.is_cut or (not has_last_end and filled == 1 and _ends_short(text))
    return Lines(layout, _whole(table, layout).append_column(LINE, line_numbers), odd, is_cut, notes)


def _ends_short(text: Text) -> bool:
    """Its last line, and only that, has fewer cells than the header."""
    last = bytes(text.body[-65536:]).replace(b"\r", b"\n").rpartition(b"\n")[2]
    return last.count(text.separator.encode()) + 1 < len(text.header)


def _end(body: memoryview) -> int:
    """Where the last line ends, without the empty ones behind it."""
    end = len(body)
    while end and body[end - 1] in b"\r\n":
        end -= 1
    return end


def _parsed(name: str, body: bytes | memoryview, text: Text, names: Sequence[str], on_odd: object) -> pa.Table:
    quote = '"' if text.is_quoted else False
    try:
        return pacsv.read_csv(
            pa.py_buffer(body), read_options=pacsv.ReadOptions(column_names=list(names), block_size=8 << 20),
            parse_options=pacsv.ParseOptions(delimiter=text.separator, quote_char=quote, double_quote=text.is_quoted, newlines_in_values=text.is_quoted,
                                             ignore_empty_lines=False, invalid_row_handler=on_odd),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, null_values=[]))
    except pa.ArrowInvalid as error:
        raise BadDocument(f"reading {name}", f"it is no table ({str(error)[:120]})", "Download it again.") from None


def _mended(body: bytes, text: Text, layout: str, names: Sequence[str]) -> tuple[bytes, list[int], list[tuple[int, str]], int]:
    """The same lines, all as long as the header; the number of each; those that cannot be used; and how many were filled up."""
    separator, wanted = text.separator.encode(), len(names)
    least = 1 + max(names.index(one) for one in (("amount",) if layout == V2 else ("settlement-id",)))
    kept, numbers, odd, filled = [], [], [], 0
    for number, line in enumerate(body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), text.first_line):
        cells = line.count(separator) + 1
        if not line.strip():
            continue
        if cells > wanted and not line.split(separator, wanted)[wanted].strip(separator + b" "):
            line, cells = separator.join(line.split(separator)[:wanted]), wanted
        if cells < wanted and (cells >= least or _is_summary(line, separator, names)):
            line, cells, filled = line + separator * (wanted - cells), wanted, filled + 1
        if cells != wanted and not text.is_quoted:
            odd.append((number, f"it has {cells} cells, the header {wanted}"))
            continue
        kept.append(line)
        numbers.append(number)
    return b"\n".join(kept), numbers, odd, filled


def _is_summary(line: bytes, separator: bytes, names: Sequence[str]) -> bool:
    """A line that ends before its amount may be a settlement's head, whose amounts' columns are empty anyway: it has a total, and nothing after its currency."""
    cells = dict(zip(names, (cell.strip() for cell in line.split(separator)), strict=False))
    head = {"settlement-id", "settlement-start-date", "settlement-end-date", "deposit-date", "total-amount", "currency"}
    return bool(cells.get("settlement-id") and cells.get("total-amount") and cells.get("currency")) and not any(cell for one, cell in cells.items() if one not in head)


def _whole(table: pa.Table, layout: str) -> pa.Table:
    """Exactly the layout's columns, missing ones empty, each in one piece and trimmed."""
    wanted = V2_COLUMNS if layout == V2 else V1_COLUMNS
    return pa.table({one: _column(table, one) for one in wanted})


def _column(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:
        return _empty(pa.string() if name in MANY else _CODES, table.num_rows)
    texts = table.column(name)
    if name in MANY:
        return pc.utf8_trim_whitespace(texts.combine_chunks())
    found = texts.dictionary_encode()
    return _trimmed(found.chunk(0) if found.num_chunks == 1 else found.combine_chunks())


def _empty(kind: pa.DataType, rows: int) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([""]))
    return pa.repeat(pa.scalar(""), rows)


def _trimmed(piece: pa.DictionaryArray) -> pa.DictionaryArray:
    texts = pc.utf8_trim_whitespace(piece.dictionary)
    if len(pc.unique(texts)) == len(texts):
        return pa.DictionaryArray.from_arrays(piece.indices, texts)
    again = texts.dictionary_encode()
    return pa.DictionaryArray.from_arrays(pc.take(again.indices, piece.indices), again.dictionary)

