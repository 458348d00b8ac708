"""From DuckDB's answer to a frame, without a number becoming a float on the way."""

import pandas as pd
import pyarrow as pa

_WITH_GAPS = {pa.int8(): "Int8", pa.int16(): "Int16", pa.int32(): "Int32", pa.int64(): "Int64", pa.uint8(): "UInt8", pa.uint16(): "UInt16",
              pa.uint32(): "UInt32", pa.uint64(): "UInt64", pa.bool_(): "boolean"}


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A frame: whole numbers stay whole (`Int64` where some are missing), sums of whole numbers too; decimals stay `Decimal`."""
    columns = [_whole(table.column(i)) for i in range(table.num_columns)]
    series = [_series(column) for column in columns]
    frame = pd.concat(series, axis=1) if series else pd.DataFrame()
    frame.columns = table.column_names  # a join may bring the same name twice
    return frame


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """sum(BIGINT) is a HUGEINT in DuckDB and a decimal of scale 0 in Arrow: an integer again, where it fits."""
    if not pa.types.is_decimal(column.type) or column.type.scale:
        return column
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def _series(column: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_nested(column.type):  # else the whole numbers in a list with a gap become floats
        return pd.Series(column.to_pylist(), dtype="object")
    nullable = _WITH_GAPS.get(column.type) if column.null_count else None
    if nullable:
        return pd.Series(pd.array(column.to_pylist(), dtype=nullable))
    return column.to_pandas().reset_index(drop=True)
