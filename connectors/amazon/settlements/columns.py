"""Small steps on Arrow columns that repeat: everything is done to the distinct texts, and the million rows only carry their number."""

from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.compute as pc


def blank(column: pa.Array) -> pa.Array:
    """True where the text is ''."""
    if not pa.types.is_dictionary(column.type):
        return pc.equal(pc.binary_length(column), 0)
    position = pc.index(column.dictionary, "").as_py()
    return pc.equal(column.indices, position) if position >= 0 else pa.repeat(pa.scalar(False), len(column))


def one(table: pa.Table, name: str) -> pa.Array:
    """The column in one piece."""
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() if column.num_chunks else pa.array([], column.type)


def told(column: pa.Array, of: Callable[[str], str]) -> pa.Array:
    """Each distinct text through a function."""
    said = pa.array([of(text) for text in column.dictionary.to_pylist()], pa.string())
    again = said.dictionary_encode()
    return pa.DictionaryArray.from_arrays(pc.take(again.indices, column.indices), again.dictionary)


def constant(text: str, rows: int) -> pa.Array:
    """The same text on every row."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([text], pa.string()))


def number(value: int, rows: int) -> pa.Array:
    """The same number on every row."""
    return pa.repeat(pa.scalar(value, pa.int64()), rows)


def codes(*columns: pa.Array) -> tuple[pa.Array, list[tuple[str, ...]]]:
    """A number for every distinct combination of texts, and the combinations by number."""
    key = pc.cast(columns[0].indices, pa.int64())
    for column in columns[1:]:
        key = pc.add(pc.multiply(key, max(len(column.dictionary), 1)), pc.cast(column.indices, pa.int64()))
    found = key.dictionary_encode()
    texts = [column.dictionary.to_pylist() for column in columns]
    return found.indices, [_parts(value, texts) for value in found.dictionary.to_pylist()]


def _parts(key: int, texts: list[list[str]]) -> tuple[str, ...]:
    parts = []
    for distinct in reversed(texts):
        key, position = divmod(key, max(len(distinct), 1))
        parts.append(distinct[position])
    return tuple(reversed(parts))


def spread(indices: pa.Array, texts: Iterable[str]) -> pa.Array:
    """Row by row the text of its number."""
    said = pa.array(list(texts), pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(pc.take(said.indices, indices), said.dictionary)


def chosen(table: pa.Table, mask: pa.Array) -> pa.Table:
    """The rows where the mask is true: a slice where they are in one piece, which costs nothing."""
    wanted = pc.sum(mask).as_py() or 0
    if wanted == table.num_rows:
        return table
    first = pc.index(mask, True).as_py()
    if wanted and pc.sum(mask.slice(first, wanted)).as_py() == wanted:
        return table.slice(first, wanted)
    return table.filter(mask)


def total(values: pa.Array) -> int:
    """The exact sum, whatever its size."""
    if not len(values):
        return 0
    bounds = pc.min_max(values)
    if max(abs(bounds["min"].as_py()), abs(bounds["max"].as_py())) * len(values) < 1 << 62:
        return pc.sum(values).as_py()
    return sum(values.to_pylist())
