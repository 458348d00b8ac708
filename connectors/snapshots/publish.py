"""The analysts' catalogue: built beside the old one, renamed over it. A reader that has the old one open keeps it."""

import csv
import os
from collections.abc import Mapping
from datetime import UTC, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from connectors.kit.clock import Clock
from connectors.kit.errors import NotNow
from connectors.snapshots import files
from connectors.snapshots.errors import SnapshotRefused
from connectors.snapshots.history import attach_last, keep_history
from connectors.snapshots.kinds import KINDS, columns_of
from connectors.snapshots.snapshots import Snapshots
from connectors.snapshots.sql import quoted, relation
from connectors.snapshots.tables import LEDGER_TABLES, table_frame

CATALOGUE = "analytics.duckdb"
VIEWS = Path(__file__).with_name("views.sql")
DICTIONARY = Path(__file__).with_name("dictionary.csv")
EVERY_VIEW = "*"
MACRO = "macro table"  # as COMMENT ON has it
HISTORY_DAYS = 400
SNAPSHOT_LIST = {"kind": "VARCHAR", "source": "VARCHAR", "as_of": "TIMESTAMPTZ", "seen_at": "TIMESTAMPTZ"}
MEANINGS = {"view_name": "VARCHAR", "place": "BIGINT", "column_name": "VARCHAR", "type": "VARCHAR", "meaning": "VARCHAR"}


def publish(ledger_tables: Mapping[str, pd.DataFrame], folder: Path, clock: Clock, history_days: int = HISTORY_DAYS) -> Path:
    """Build `analytics.duckdb` from these frames and the snapshots in `folder`, and put it in place of the old one. Returns its path.

    ledger_tables: table -> frame, as in LEDGER_TABLES; a missing one is published empty. history_days: stock that ceased to hold earlier is left out. Raises SnapshotRefused (a table or column
    that is not declared) and NotNow (disk full or away); in both cases the old catalogue stays as it was.
    """
    folder = Path(folder)
    frames = {table: table_frame(table, ledger_tables.get(table)) for table in [*LEDGER_TABLES, *(set(ledger_tables) - set(LEDGER_TABLES))]}
    final = folder / CATALOGUE
    temporary = files.unfinished(folder, clock, ".duckdb")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.sweep(folder, clock)
        _build(temporary, frames, Snapshots(folder, clock), clock, final, history_days)
        temporary.chmod(0o444)  # whoever opens it with a DuckDB of his own cannot write to it either
        files.settle(temporary)
        os.replace(temporary, final)
        files.settle(folder)
    except (OSError, duckdb.IOException, duckdb.TransactionException) as error:  # a full disk shows as the last, on COMMIT
        raise NotNow("publishing the catalogue", f"the file could not be written ({type(error).__name__})",
                     "See that the disk is there and has room; the old catalogue stays.") from error
    finally:
        for path in folder.glob(f"{temporary.name}*"):  # DuckDB leaves .wal and .tmp beside it
            files.remove(path)
    return final


def _build(path: Path, frames: dict[str, pd.DataFrame], snapshots: Snapshots, clock: Clock, old: Path, history_days: int) -> None:
    with duckdb.connect(path, config={"python_enable_replacements": False, "autoinstall_known_extensions": False,
                                      "autoload_known_extensions": False}) as connection:
        is_carried = attach_last(connection, old)
        connection.execute("SET TimeZone = 'UTC'; BEGIN; CREATE SCHEMA ledger; CREATE SCHEMA kept; CREATE SCHEMA catalogue")
        connection.execute("CREATE TABLE catalogue.published AS SELECT ?::TIMESTAMPTZ AS published_at", [clock.now().astimezone(UTC)])
        for table, frame in frames.items():
            _create(connection, f"ledger.{table}", LEDGER_TABLES[table])
            _fill(connection, f"ledger.{table}", LEDGER_TABLES[table], frame)
        _keep_snapshots(connection, snapshots)
        keep_history(connection, snapshots, is_carried, clock.now().astimezone(UTC) - timedelta(days=history_days))
        _create(connection, "catalogue.dictionary", MEANINGS)
        connection.execute(VIEWS.read_text(encoding="utf-8"))
        _fill(connection, "catalogue.dictionary", MEANINGS, _document(connection))
        connection.execute("COMMIT; CHECKPOINT")  # one transaction: two hundred of them took a second of fsync


def _create(connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str]) -> None:
    """The names come from LEDGER_TABLES and KINDS, never from outside."""
    connection.execute(f"CREATE TABLE {table} ({', '.join(f'{quoted(column)} {sql_type}' for column, sql_type in columns.items())})")


def _fill(connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str], frame: pd.DataFrame) -> None:
    """Text is never null."""
    typed = [f"coalesce(CAST({quoted(column)} AS VARCHAR), '')" if sql_type == "VARCHAR" else f"CAST({quoted(column)} AS {sql_type})"
             for column, sql_type in columns.items()]
    is_arrow = not any(dtype == object for dtype in frame.dtypes)  # half the time; a column of mixed objects only pandas takes
    connection.register("rows", pa.Table.from_pandas(frame, preserve_index=False) if is_arrow else frame)
    try:
        connection.execute(f"INSERT INTO {table} SELECT {', '.join(typed)} FROM rows")
    except (duckdb.ConversionException, duckdb.BinderException):  # its text would repeat the value
        raise SnapshotRefused("publishing the catalogue", f"a value of {table} is not of its column's type") from None
    connection.unregister("rows")


def _keep_snapshots(connection: duckdb.DuckDBPyConnection, snapshots: Snapshots) -> None:
    """Copied in, not read through views: a query that may read the snapshots' folder may write to it too (`allowed_directories`)."""
    listed = []
    for kind, declared in KINDS.items():
        if declared.is_published:
            _create(connection, f"kept.{kind}", SNAPSHOT_LIST | columns_of(kind))
        for source in snapshots.sources(kind):
            kept = snapshots.kept(kind, source)
            listed += [(kind, source, one.as_of, one.seen_at) for one in kept]
            if declared.is_published and kept:
                relation(connection, kind, kept[-1].path).create_view("newest")
                connection.execute(f"INSERT INTO kept.{kind} SELECT ?, ?, ?, ?, {', '.join(map(quoted, columns_of(kind)))} FROM newest",
                                   [kind, source, kept[-1].as_of, kept[-1].seen_at])
                connection.execute("DROP VIEW newest")
    _create(connection, "kept.snapshots", SNAPSHOT_LIST)
    _fill(connection, "kept.snapshots", SNAPSHOT_LIST, pd.DataFrame(listed, columns=list(SNAPSHOT_LIST)))


def _document(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Give every view, macro and column its meaning, and list them. Raises SnapshotRefused when one has none, or a meaning has no column."""
    with DICTIONARY.open(encoding="utf-8", newline="") as file:
        meanings = {(row["view"], row["column"]): row["meaning"] for row in csv.DictReader(file)}
    unused, undocumented, documented = set(meanings), [], []
    there = _there(connection)
    macros = {view for view, _, _, data_type in there if data_type == MACRO}
    for view, place, column, data_type in there:
        key = (view, column) if (view, column) in meanings else (EVERY_VIEW, column)
        unused.discard(key)
        if not column and key not in meanings or not meanings.get(key):
            undocumented.append(f"{view}.{column}")
            continue
        documented.append((view, place, column, data_type, meanings[key]))
        if column and view not in macros:
            connection.execute(f"COMMENT ON COLUMN {view}.{quoted(column)} IS {_text(meanings[key])}")
        elif not column:
            connection.execute(f"COMMENT ON {data_type.upper()} {view} IS {_text(meanings[key])}")
    if undocumented or unused:
        raise SnapshotRefused("documenting the catalogue", f"without a meaning: {undocumented}; meanings of nothing: {sorted(unused)}",
                              "Mend dictionary.csv.")
    return pd.DataFrame(documented, columns=list(MEANINGS))


def _there(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str, str]]:
    """(view or macro, place, column, type), place 0 and no column being the thing itself."""
    columns = connection.execute("SELECT table_name, column_index, column_name, data_type FROM duckdb_columns() "
                                 "WHERE schema_name = 'main' AND database_name = current_database() AND NOT internal ORDER BY ALL").fetchall()
    rows = [(view, 0, "", "view") for view in sorted({view for view, *_ in columns})] + columns
    for macro, parameters in connection.execute("SELECT function_name, parameters FROM duckdb_functions() WHERE function_type = 'table_macro' AND NOT internal "
                                                "AND database_name = current_database() ORDER BY ALL").fetchall():
        given = ", ".join("now()" for _ in parameters)  # a macro's columns are only known by asking
        rows += [(macro, 0, "", MACRO), *((macro, place, name, kind) for place, (name, kind, *_) in enumerate(
            connection.execute(f"DESCRIBE FROM {macro}({given})").fetchall(), 1))]
    return rows


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
