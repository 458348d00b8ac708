"""Rows for an analyst's own DuckDB file: a table written whole, in place of what was there."""

from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow as pa

from connectors.kit.errors import BadConfiguration
from connectors.snapshots.sql import quoted


def write_rows(path: Path, name: str, tables: Iterable[pa.Table]) -> int:
    """Replace a table of the file by these rows, in one transaction; the file is made when it is not there. How many rows."""
    try:
        connection = duckdb.connect(str(path), config={"python_enable_replacements": False})
    except duckdb.Error as error:
        raise BadConfiguration(f"writing {path}", str(error).splitlines()[0], "Name a DuckDB file that nobody has open, or a new one.") from None
    with connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("BEGIN")
        written = 0
        for number, table in enumerate(tables):
            connection.register("incoming", table)
            verb = f"INSERT INTO {quoted(name)}" if number else f"CREATE OR REPLACE TABLE {quoted(name)} AS"
            connection.execute(f"{verb} FROM incoming")
            connection.unregister("incoming")
            written += table.num_rows
        connection.execute("COMMIT")
    return written
