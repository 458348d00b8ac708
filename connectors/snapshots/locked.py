"""The process in which an analyst's SQL runs: started by `query`, told one question on stdin, killed when it takes too long.

A process of its own because DuckDB's memory limit and interrupt do not bound everything: `SELECT range(1000000000)` took 20 GB
and 84 seconds inside `memory_limit='512MB'` and a two-second interrupt (DuckDB 2.0.0, measured). The operating system's limits do.
Nothing of the asking process is here: not its variables, its environment or its open files.

Four walls, each tested by the attack list: one SELECT over the published views and macros (read from DuckDB's own syntax tree); read-only
with external access off and the configuration locked; no extension loaded or installed; limits on memory, and no file may grow.
Answer: an Arrow stream on stdout; or exit code 3 with the reason on stderr.
"""

import difflib
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa

REFUSED = 3
CATALOGUE = "analytics"
QUERY_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
TABLE_FUNCTIONS = {"range", "generate_series", "unnest", "json_each", "json_tree"}
SETTINGS_FUNCTIONS = {"current_setting", "write_log"}
MOST_BYTES = 64 * 1024 * 1024
BATCH_ROWS = 1_000
LISTED = "SELECT * FROM dictionary lists them"
ONLY_SELECT = "only one SELECT (or DESCRIBE, SHOW, SUMMARIZE) is answered"


class _Refused(Exception):
    """The reason, for the person who asked."""


def main() -> int:
    """Answer the question on stdin."""
    asked = json.load(sys.stdin)
    _limit_process(asked["process_bytes"])
    try:
        _answer(asked)
    except (_Refused, duckdb.Error) as error:
        sys.stderr.write(str(error))
        return REFUSED
    except MemoryError:
        sys.stderr.write("it needs more memory than a query may use")
        return REFUSED
    return 0


def _limit_process(most_bytes: int) -> None:
    try:
        import resource  # not on Windows: there the settings and the time limit stand alone
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(asked: dict[str, Any]) -> None:
    connection = _open(asked)
    tree = json.loads(connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [asked["sql"]]).fetchone()[0])
    if tree.get("error"):
        raise _Refused(ONLY_SELECT if tree.get("error_type") == "not implemented" else tree["error_message"])
    if len(tree["statements"]) != 1:
        raise _Refused(ONLY_SELECT)
    views, macros = _published(connection)
    _check(tree, views, macros)
    try:
        _write(connection.sql(asked["sql"]), asked["limit_rows"])
    except duckdb.BinderException as error:
        raise _Refused(_with_nearest(connection, str(error))) from None


def _published(connection: duckdb.DuckDBPyConnection) -> tuple[set[str], set[str]]:
    views = connection.execute("SELECT view_name FROM duckdb_views() WHERE database_name = ? AND schema_name = 'main' AND NOT internal", [CATALOGUE]).fetchall()
    macros = connection.execute("SELECT function_name FROM duckdb_functions() WHERE database_name = ? AND schema_name = 'main' AND function_type = 'table_macro' "
                                "AND NOT internal", [CATALOGUE]).fetchall()
    return {name for (name,) in views}, {name for (name,) in macros}


def _with_nearest(connection: duckdb.DuckDBPyConnection, said: str) -> str:
    """DuckDB proposes whatever is left in the FROM clause; a name that is spelt alike helps more."""
    missing = re.search(r'column "([^"]+)"|column named "([^"]+)"', said)
    if not missing:
        return said
    name = (missing[1] or missing[2]).lower()
    known = dict(connection.execute("SELECT column_name, string_agg(DISTINCT view_name, ', ' ORDER BY view_name) FROM dictionary WHERE column_name <> '' GROUP BY ALL").fetchall())
    holding = sorted((column for column in known if len(name) > 2 and name in column), key=len)
    nearest = holding or difflib.get_close_matches(name, known, 2)
    alike = "; ".join(f"{column!r} is in {known[column]}" for column in nearest[:2])
    return f"{said.splitlines()[0]} {f'Did you mean: {alike}?' if alike else f'No view has a column of that name: {LISTED}.'}"


def _open(asked: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """The catalogue attached to an empty database in memory. (A direct connect shares one instance per path and process.)"""
    connection = duckdb.connect(":memory:", config={
        "memory_limit": asked["memory"], "threads": asked["threads"], "temp_directory": "", "python_enable_replacements": False,
        "autoinstall_known_extensions": False, "autoload_known_extensions": False, "allow_community_extensions": False})
    connection.execute("ATTACH ? AS analytics (READ_ONLY)", [asked["path"]])
    for statement in ("USE analytics", "SET TimeZone = 'UTC'", "SET enable_external_access = false", "SET lock_configuration = true"):
        connection.execute(statement)
    return connection


def _check(tree: dict[str, Any], views: set[str], macros: set[str]) -> None:
    """Only reading, and only from the published views and macros.

    ATTACH puts the catalogue's own file and its .wal on DuckDB's `allowed_paths`, external access or not, so that
    COPY … TO 'analytics.duckdb' (USE_TMP_FILE false) overwrites it and read_blob('analytics.duckdb') reads it: hence this allow-list.
    """
    nodes = list(_nodes(tree))
    named = views | {node["key"].lower() for node in nodes if "key" in node and "value" in node}  # CTEs
    for node in nodes:
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in QUERY_NODES:
            raise _Refused(ONLY_SELECT)
        if kind == "TABLE_FUNCTION" and not _may_be_called(node["function"], macros):
            raise _Refused(f"the table function {node['function'].get('function_name', '')!r} is not available here"
                           + _alike(node["function"].get("function_name", ""), macros | views))
        if node.get("class") == "FUNCTION" and node.get("function_name", "").lower() in SETTINGS_FUNCTIONS:
            raise _Refused(f"the function {node['function_name']!r} is not available here")
        if kind == "BASE_TABLE" and not _is_view(node["qualified_name"]["path"], named):
            raise _Refused(f"there is no view {'.'.join(node['qualified_name']['path'])!r}{_alike(node['qualified_name']['path'][-1], views | macros)}; {LISTED}")


def _may_be_called(function: dict[str, Any], macros: set[str]) -> bool:
    """One of the harmless table functions, or a macro that we published: under its own name and nowhere else."""
    *place, name = [part.lower() for part in function.get("qualified_name", {}).get("path") or [function.get("function_name", "")]]
    if name in macros:
        return place in ([], ["main"], [CATALOGUE], [CATALOGUE, "main"])
    return name in TABLE_FUNCTIONS and place in ([], ["main"], ["system", "main"])


def _alike(name: str, known: set[str]) -> str:
    found = difflib.get_close_matches(name.lower(), known, 2, 0.5)
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def _is_view(path: list[str], named: set[str]) -> bool:
    *place, name = [part.lower() for part in path]
    return name in named and place in ([], ["main"], [CATALOGUE], [CATALOGUE, "main"])


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _write(relation: duckdb.DuckDBPyRelation, limit_rows: int) -> None:
    """The first `limit_rows` rows as an Arrow stream; one row more says that the answer was cut."""
    reader = relation.limit(limit_rows + 1).to_arrow_reader(BATCH_ROWS)
    sent = 0
    with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as stream:
        for batch in reader:
            sent += batch.nbytes
            if sent > MOST_BYTES:
                raise _Refused(f"the answer is larger than {MOST_BYTES // 1024 // 1024} MB: select fewer columns or rows")
            stream.write_batch(batch)


if __name__ == "__main__":
    sys.exit(main())
