"""The SQL over snapshot files. Names come from contracts and our own tables, never from outside; values are bound."""

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb

from connectors.snapshots.kinds import columns_of


def relation(connection: duckdb.DuckDBPyConnection, kind: str, file: Path | Sequence[Path] | None) -> duckdb.DuckDBPyRelation:
    """The rows of one snapshot (or of several) in the contract's columns and types; no rows when there is none.

    A column that the contract got after the file was written reads '' (text) or null; one that it lost is left out.
    """
    columns = columns_of(kind)
    files = [file] if isinstance(file, Path) else list(file or ())
    if not files:
        return connection.sql(f"SELECT {', '.join(f'NULL::{sql_type} AS {quoted(column)}' for column, sql_type in columns.items())} WHERE false")
    said = connection.sql("FROM read_parquet($files, hive_partitioning = false, union_by_name = true)", params={"files": [str(one) for one in files]})
    return said.select(", ".join(_in_file(column, sql_type, said.columns) for column, sql_type in columns.items()))


def _in_file(column: str, sql_type: str, there: list[str]) -> str:
    absent = "''" if sql_type == "VARCHAR" else "NULL"
    return f"CAST({quoted(column) if column in there else absent} AS {sql_type}) AS {quoted(column)}"


def diff_sql(keys: Sequence[str], others: dict[str, str]) -> str:
    """What differs between the tables a and b, in one full join. The names come from a contract, never from outside."""
    same = {column: f"a.{quoted(column)} IS NOT DISTINCT FROM b.{quoted(column)}" for column in (*keys, *others)}
    changed = ", ".join(f"CASE WHEN NOT ({same[column]}) THEN '{column}' END" for column in others) or "NULL"
    pairs = [_seen(side, column, sql_type, when) for column, sql_type in others.items() for side, when in (("a", "before"), ("b", "after"))]
    return f"""
        SELECT {', '.join(f'coalesce(a.{quoted(key)}, b.{quoted(key)}) AS {quoted(key)}' for key in keys)},
            CASE WHEN a._there IS NULL THEN 'added' WHEN b._there IS NULL THEN 'removed' ELSE 'changed' END AS change,
            CASE WHEN a._there AND b._there THEN concat_ws(',', {changed}) ELSE '' END AS changed_columns
            {''.join(f', {pair}' for pair in pairs)}
        FROM (SELECT *, true AS _there FROM a) a FULL JOIN (SELECT *, true AS _there FROM b) b ON {' AND '.join(same[key] for key in keys)}
        WHERE a._there IS NULL OR b._there IS NULL OR NOT ({' AND '.join(same[column] for column in others) or 'true'})
        ORDER BY {', '.join(map(str, range(1, len(keys) + 1)))}"""


def _seen(side: str, column: str, sql_type: str, when: str) -> str:
    value = f"{side}.{quoted(column)}"
    text = f"coalesce({value}, '')" if sql_type == "VARCHAR" else value  # text is never null
    return f"{text} AS {quoted(f'{column}_{when}')}"


def quoted(column: str) -> str:
    """A column's name as SQL takes it, reserved word (`at`) or not."""
    return '"' + column.replace('"', '""') + '"'


def memory() -> duckdb.DuckDBPyConnection:
    """An empty database in memory that loads no extension and sees no Python variable."""
    connection = duckdb.connect(":memory:", config={"python_enable_replacements": False, "autoinstall_known_extensions": False,
                                                    "autoload_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


_NUMBERS = itertools.count(1)


@cache
def _instance(process: int) -> duckdb.DuckDBPyConnection:
    return memory()


@contextmanager
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory for one question. Of one instance a process: to start an instance takes thirty times as long as to ask it."""
    connection, name = _instance(os.getpid()).cursor(), f"scratch_{next(_NUMBERS)}"
    connection.execute(f"SET TimeZone = 'UTC'; ATTACH ':memory:' AS {name}; USE {name}")
    try:
        yield connection
    finally:
        connection.execute(f"USE memory; DETACH {name}")
        connection.close()
