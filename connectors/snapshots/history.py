"""Stock as it was at any moment: intervals made of what systems said again and again. One row a figure for as long as it held.

A statement that says the same again makes no row. What the last catalogue holds is carried over and only new snapshots are read; a key is made
anew from all its snapshots when one came late (older than what is known), or a document about its past did. Made from nothing, it is the same.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from connectors.snapshots.kinds import columns_of
from connectors.snapshots.snapshots import Kept, Snapshots
from connectors.snapshots.sql import relation
from connectors.snapshots.tables import LEDGER_TABLES

FILES = {"kind": "VARCHAR", "source": "VARCHAR", "name": "VARCHAR"}
_SPAN = {"valid_from": "TIMESTAMPTZ", "valid_to": "TIMESTAMPTZ", "run_to": "TIMESTAMPTZ", "stated_at": "TIMESTAMPTZ", "stated_sequence": "BIGINT",
         "because": "VARCHAR", "document_id": "VARCHAR", "reason": "VARCHAR"}


@dataclass(frozen=True)
class Told:
    """What is watched: snapshots of `kind`, one figure a `key`, in these `figures`. `changes`: the ledger's documents that change it between two statements."""

    kind: str
    table: str
    key: tuple[str, ...]
    figures: tuple[str, ...]
    at: str
    sequence: str = "0"
    said: str = "statement"
    changes: str = ""
    changed: str = ""

    @property
    def columns(self) -> dict[str, str]:
        """Column -> type of the intervals' table. run_to: until when the statement stood, documents or not (null: it still does)."""
        types = columns_of(self.kind)
        return {column: types[column] for column in (*self.key, *self.figures)} | _SPAN


HISTORIES = (
    Told("stock_positions", "kept.warehouse_stock", ("warehouse", "facility", "sku"), ("unit", "available", "on_hand", "on_hold"), "as_of", "sequence",
         changes="ledger.stock_changes", changed="available"),
    Told("shown_stock", "kept.shown_stock", ("connection", "location", "sku"), ("available", "on_hand", "safety_stock", "is_tracked"), "seen_at", said="look"),
)


def attach_last(connection: duckdb.DuckDBPyConnection, old: Path) -> bool:
    """Is there a last catalogue whose intervals are made as we make them? It is attached as `old`; any doubt, and all is made anew.

    Outside a transaction: a file that is no database would end it.
    """
    if not old.is_file():
        return False
    try:
        connection.execute("ATTACH ? AS old (READ_ONLY)", [str(old)])
        there = {f"{schema}.{table}": columns for schema, table, columns in connection.execute(
            "SELECT schema_name, table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() WHERE database_name = 'old' GROUP BY ALL").fetchall()}
    except duckdb.Error:
        return False
    wanted = {told.table: list(told.columns) for told in HISTORIES} | {f"kept.{kind}": list(columns_of(kind)) for kind in ALL_OF} | {
        "kept.history_files": list(FILES), "ledger.stock_changes": list(LEDGER_TABLES["stock_changes"])}
    return all(there.get(table) == columns for table, columns in wanted.items())


# kinds of which every snapshot is published whole: kind -> when a row was said; '' keeps them all, however old
ALL_OF = {"stock_decisions": "decided_at", "settlement_rows": ""}


def keep_history(connection: duckdb.DuckDBPyConnection, snapshots: Snapshots, is_carried: bool, since: datetime) -> None:
    """Fill the tables of HISTORIES and `kept.history_files` from the last catalogue (is_carried: it is attached) and the snapshots that it does not know.

    What ceased to hold before `since` is left out: the history stays bounded.
    """
    connection.execute(f"CREATE TABLE kept.history_files ({_typed(FILES)})")
    for told in HISTORIES:
        connection.execute(f"CREATE TABLE {told.table} ({_typed(told.columns)})")
        known, files = _known(connection, told.kind, is_carried), _files(snapshots, told.kind)
        _keep_one(connection, told, [kept.path for name, kept in files.items() if name not in known], [kept.path for kept in files.values()], is_carried)
        connection.execute(f"DELETE FROM {told.table} WHERE run_to < ?", [since])
        _note_files(connection, told.kind, files)
    for kind, at in ALL_OF.items():
        _keep_all(connection, snapshots, kind, at, is_carried, since)


def _keep_all(connection: duckdb.DuckDBPyConnection, snapshots: Snapshots, kind: str, at: str, is_carried: bool, since: datetime) -> None:
    """What the last catalogue has, and the rows of the snapshots that it does not know."""
    connection.execute(f"CREATE TABLE kept.{kind} ({_typed(columns_of(kind))})")
    known, files = _known(connection, kind, is_carried), _files(snapshots, kind)
    if is_carried:
        connection.execute(f"INSERT INTO kept.{kind} FROM old.kept.{kind} WHERE {at or 'now()'} >= ?", [since])
    relation(connection, kind, [kept.path for name, kept in files.items() if name not in known and (not at or kept.as_of >= since)]).create_view("fresh")
    connection.execute(f"INSERT INTO kept.{kind} FROM fresh; DROP VIEW fresh")
    _note_files(connection, kind, files)


def _known(connection: duckdb.DuckDBPyConnection, kind: str, is_carried: bool) -> set[tuple[str, str]]:
    return set(connection.execute("SELECT source, name FROM old.kept.history_files WHERE kind = ?", [kind]).fetchall()) if is_carried else set()


def _files(snapshots: Snapshots, kind: str) -> dict[tuple[str, str], Kept]:
    return {(source, _name(kept)): kept for source in snapshots.sources(kind) for kept in snapshots.kept(kind, source)}


def _note_files(connection: duckdb.DuckDBPyConnection, kind: str, files: dict[tuple[str, str], Kept]) -> None:
    connection.register("files", pa.table({"kind": [kind] * len(files), "source": [source for source, _ in files], "name": [name for _, name in files]},
                                          schema=pa.schema([(column, pa.string()) for column in FILES])))
    connection.execute("INSERT INTO kept.history_files FROM files")
    connection.unregister("files")


def _name(kept: Kept) -> str:
    return f"{kept.path.parent.name}/{kept.path.name}"


def _typed(columns: dict[str, str]) -> str:
    return ", ".join(f"{column} {sql_type}" for column, sql_type in columns.items())


def _keep_one(connection: duckdb.DuckDBPyConnection, told: Told, new: list[Path], every: list[Path], is_carried: bool) -> None:
    keys = ", ".join(told.key)
    connection.execute(f"CREATE TEMP VIEW was AS FROM {f'old.{told.table}' if is_carried else told.table}")
    connection.execute(f"CREATE TEMP TABLE changes AS {_changes_sql(told, is_carried)}")
    _materialise(connection, "fresh", _said(connection, told, new))
    connection.execute(f"CREATE TEMP TABLE anew AS {_anew_sql(told)}")
    if is_carried and connection.execute("SELECT count(*) FROM anew").fetchall() != [(0,)]:
        _materialise(connection, "again", _said(connection, told, every), f"SEMI JOIN anew USING ({keys})")
        connection.execute("INSERT INTO fresh FROM again")
        connection.execute("DROP TABLE again")
    connection.execute(f"CREATE TEMP TABLE touched AS SELECT {keys} FROM fresh UNION SELECT {keys} FROM changes WHERE is_new UNION FROM anew")
    if is_carried:
        connection.execute(f"INSERT INTO {told.table} FROM was ANTI JOIN touched USING ({keys})")
        connection.execute(f"INSERT INTO {told.table} SELECT was.* FROM was SEMI JOIN touched USING ({keys}) ANTI JOIN anew USING ({keys}) WHERE run_to IS NOT NULL")
    connection.execute(f"CREATE TEMP TABLE runs AS {_runs_sql(told)}")
    connection.execute(f"INSERT INTO {told.table} {_spans_sql(told)}")
    connection.execute("DROP VIEW was; DROP TABLE changes; DROP TABLE fresh; DROP TABLE anew; DROP TABLE touched; DROP TABLE runs")


def _said(connection: duckdb.DuckDBPyConnection, told: Told, files: list[Path]) -> duckdb.DuckDBPyRelation:
    """What these snapshots say of the figures, and when it was said."""
    return relation(connection, told.kind, files).select(", ".join((*told.key, *told.figures, f"{told.at} AS stated_at", f"{told.sequence}::BIGINT AS stated_sequence")))


def _materialise(connection: duckdb.DuckDBPyConnection, name: str, said: duckdb.DuckDBPyRelation, only: str = "") -> None:
    said.create_view("said")
    connection.execute(f"CREATE TEMP TABLE {name} AS FROM said {only}")
    connection.execute("DROP VIEW said")


def _changes_sql(told: Told, is_carried: bool) -> str:
    """The documents that change a figure, and which of them the last catalogue did not have yet."""
    if not told.changes:
        return (f"SELECT {', '.join(f'NULL::VARCHAR AS {column}' for column in told.key)}, NULL::TIMESTAMPTZ AS occurred_at, 0::BIGINT AS sequence, 0::BIGINT AS change, "
                "'' AS kind, '' AS document_id, 0::BIGINT AS line, '' AS reason, false AS is_new WHERE false")
    known = f"EXISTS (FROM old.{told.changes} o WHERE (o.warehouse, o.document_id, o.line) = (c.warehouse, c.document_id, c.line))" if is_carried else "false"
    return (f"SELECT {', '.join(told.key)}, occurred_at, sequence, change, kind, document_id, line, reason, NOT {known} AS is_new FROM {told.changes} c")


def _anew_sql(told: Told) -> str:
    """Keys of which something is told that is older than what is known: their intervals cannot be carried on."""
    keys, known = ", ".join(told.key), f"SELECT * FROM was WHERE run_to IS NULL AND because = '{told.said}'"
    return f"""
        SELECT DISTINCT {keys} FROM fresh JOIN ({known}) known USING ({keys})
        WHERE (fresh.stated_at, fresh.stated_sequence) < (known.stated_at, known.stated_sequence)
        UNION SELECT {keys} FROM changes JOIN ({known}) known USING ({keys}) WHERE is_new AND (occurred_at, sequence) <= (known.stated_at, known.stated_sequence)"""


def _runs_sql(told: Told) -> str:
    """From statements to runs of the same figures. A document between two equal statements parts them: the second says that its change is over."""
    keys, figures = ", ".join(told.key), ", ".join(told.figures)
    differs = " OR ".join(f"{figure} IS DISTINCT FROM lag({figure}) OVER w" for figure in (*told.figures, "documents"))
    return f"""
        WITH said AS (
            SELECT {keys}, {figures}, valid_from AS began, stated_at, stated_sequence
            FROM was SEMI JOIN touched USING ({keys}) ANTI JOIN anew USING ({keys}) WHERE run_to IS NULL AND because = '{told.said}'
            UNION ALL SELECT {keys}, {figures}, stated_at, stated_at, stated_sequence FROM fresh
        ), counted AS (
            SELECT {keys}, version, sum(count(*)) OVER (PARTITION BY {keys} ORDER BY version) AS documents
            FROM (SELECT {keys}, {_version('occurred_at', 'sequence')} AS version FROM changes) GROUP BY {keys}, version
        ), event AS (
            SELECT said.*, coalesce(counted.documents, 0) AS documents FROM (FROM said SEMI JOIN counted USING ({keys})) said
            ASOF LEFT JOIN counted ON {' AND '.join(f'said.{key} = counted.{key}' for key in told.key)} AND {_version('said.stated_at', 'said.stated_sequence')} >= counted.version
            UNION ALL SELECT *, 0 FROM said ANTI JOIN counted USING ({keys})
        ), compared AS (
            SELECT *, lag(began) OVER w IS NULL OR {differs} AS is_first, lag(stated_at) OVER w AS said_before, lag(stated_sequence) OVER w AS sequence_before,
                last_value(stated_at) OVER whole AS said_last, last_value(stated_sequence) OVER whole AS sequence_last
            FROM event
            WINDOW w AS (PARTITION BY {keys} ORDER BY stated_at, stated_sequence, began, {figures}),
                whole AS (PARTITION BY {keys} ORDER BY stated_at, stated_sequence, began, {figures} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
        )
        SELECT {keys}, {figures}, began AS valid_from, lead(began) OVER w AS run_to,
            coalesce(lead(said_before) OVER w, said_last) AS stated_at, coalesce(lead(sequence_before) OVER w, sequence_last) AS stated_sequence
        FROM compared WHERE is_first
        WINDOW w AS (PARTITION BY {keys} ORDER BY stated_at, stated_sequence, began, {figures})
        QUALIFY run_to IS NULL OR run_to > began"""


def _version(at: str, sequence: str) -> str:
    """A source's version as one number, since an ASOF join compares only one: a document up to a statement's version is counted in it."""
    return f"(epoch_us({at})::HUGEINT * 10000000000000000000 + {sequence})"


def _spans_sql(told: Told) -> str:
    """From runs to intervals: a document that came after the last statement of a run begins a new one, with the figure as the document leaves it."""
    keys, columns = ", ".join(told.key), ", ".join(told.columns)
    plain = f"SELECT *, run_to AS valid_to, '{told.said}' AS because, '' AS document_id, '' AS reason FROM runs"
    if not told.changed:
        return f"SELECT {columns} FROM ({plain})"
    return f"""
        SELECT {columns} FROM ({plain} ANTI JOIN changes USING ({keys}))
        UNION ALL SELECT {columns} FROM (
            SELECT * REPLACE (({told.changed} + sum(change) OVER w)::BIGINT AS {told.changed}, occurred_at AS valid_from),
                coalesce(lead(occurred_at) OVER w, run_to) AS valid_to
            FROM (
                SELECT *, valid_from AS began, valid_from AS occurred_at, 0 AS sequence, 0 AS change, '{told.said}' AS because, '' AS document_id, 0 AS line, '' AS reason
                FROM runs SEMI JOIN changes USING ({keys})
                UNION ALL BY NAME
                SELECT runs.*, valid_from AS began, occurred_at, sequence, change, kind AS because, document_id, line, reason
                FROM runs JOIN changes USING ({keys}) WHERE (occurred_at, sequence) > (stated_at, stated_sequence) AND (run_to IS NULL OR occurred_at < run_to)
            )
            WINDOW w AS (PARTITION BY {keys}, began ORDER BY occurred_at, because <> '{told.said}', sequence, document_id, line)
        )"""
