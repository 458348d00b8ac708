"""An analyst may read the published views and nothing else: the attack list of RELIABILITY.md §5, and what we found ourselves."""

import os
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from connectors.kit.clock import ManualClock, SystemClock
from connectors.kit.errors import NotNow, WharfingerError
from connectors.snapshots import locked
from connectors.snapshots.errors import QueryRefused
from connectors.snapshots.publish import publish
from connectors.snapshots.query import query
from connectors.snapshots.snapshots import Snapshots
from contracts.stock import StockLevels
from tests.snapshots.rows import NOW, items, ledger

CANARY = "canary-3f9a"
ATTACKS = {
    "read_csv": "SELECT * FROM read_csv('/etc/passwd')",
    "read_text": "SELECT * FROM read_text('/etc/passwd')",
    "read_text in a subquery": "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "read_text in a CTE": "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
    "read_text behind an allowed name": "WITH read_text AS (SELECT 1) SELECT * FROM read_text('/etc/passwd')",
    "read_blob": "SELECT * FROM read_blob('/etc/passwd')",
    "read_blob of the catalogue": "SELECT * FROM read_blob('{path}')",
    "read_json": "SELECT * FROM read_json('/etc/passwd')",
    "read_parquet of a snapshot": "SELECT * FROM read_parquet('{folder}/snapshots/**/*.parquet')",
    "a text file beside it": "SELECT * FROM read_text('{folder}/private.txt')",
    "a file as a table": "SELECT * FROM '{folder}/private.csv'",
    "the catalogue as a table": "SELECT * FROM '{path}'",
    "a file as a table under a CTE's name": "SELECT * FROM (WITH \"/etc/passwd\" AS (SELECT 1) SELECT 1), '/etc/passwd'",
    "sniff_csv": "SELECT * FROM sniff_csv('{folder}/private.csv')",
    "parquet_metadata": "SELECT * FROM parquet_metadata('{folder}/snapshots/x.parquet')",
    "glob": "SELECT * FROM glob('/etc/*')",
    "query()": "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "query_table()": "SELECT * FROM query_table('/etc/passwd')",
    "json_execute_serialized_sql": "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "summarize a file": "SUMMARIZE '/etc/passwd'",
    "describe a file": "DESCRIBE SELECT * FROM read_csv('/etc/passwd')",
    "copy to": "COPY (SELECT 1) TO '{folder}/out.csv'",
    "copy to the catalogue": "COPY (SELECT 1) TO '{path}'",
    "copy over the catalogue": "COPY (SELECT 1) TO '{path}' (FORMAT csv, USE_TMP_FILE false)",
    "copy to the catalogue's log": "COPY (SELECT 1) TO '{path}.wal' (FORMAT csv)",
    "copy to a snapshot": "COPY (SELECT 1) TO '{folder}/snapshots/forged.parquet'",
    "copy from": "COPY orders FROM '/etc/passwd'",
    "export": "EXPORT DATABASE '{folder}/out'",
    "import": "IMPORT DATABASE '{folder}'",
    "attach": "ATTACH '{folder}/other.duckdb'",
    "attach memory": "ATTACH ':memory:' AS m",
    "detach": "DETACH analytics",
    "use": "USE memory",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "load by path": "LOAD '{folder}/x.duckdb_extension'",
    "httpfs": "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "httpfs as a table": "SELECT * FROM 'https://127.0.0.1:9/x.parquet'",
    "s3": "SELECT * FROM read_parquet('s3://bucket/x')",
    "sqlite": "SELECT * FROM sqlite_scan('{folder}/ledger.sqlite', 'vault')",
    "secret": "CREATE SECRET s (TYPE http)",
    "secrets": "SELECT * FROM duckdb_secrets()",
    "set": "SET memory_limit = '100GB'",
    "set external access": "SET enable_external_access = true",
    "unlock": "SET lock_configuration = false",
    "reset": "RESET lock_configuration",
    "set variable": "SET VARIABLE x = 1",
    "pragma": "PRAGMA database_list",
    "pragma that sets": "PRAGMA threads = 64",
    "call": "CALL pragma_version()",
    "call logging": "CALL enable_logging(storage := 'file', storage_config := {{'path': '{folder}/log'}})",
    "select logging": "SELECT * FROM enable_logging(storage := 'file')",
    "write_log": "SELECT write_log('x')",
    "settings": "SELECT current_setting('allowed_paths')",
    "settings as a table": "SELECT * FROM duckdb_settings()",
    "databases": "SELECT * FROM duckdb_databases()",
    "getenv": "SELECT getenv('HOME')",
    "variables of Python": "SELECT * FROM secret_frame",
    "pandas_scan": "SELECT * FROM pandas_scan(12345)",
    "arrow_scan": "SELECT * FROM arrow_scan(1, 2, 3)",
    "create table": "CREATE TABLE t AS SELECT 1",
    "create temporary table": "CREATE TEMP TABLE t AS SELECT 1",
    "create macro": "CREATE MACRO f() AS 1",
    "create temporary macro": "CREATE TEMP MACRO f() AS TABLE SELECT * FROM read_text('/etc/passwd')",
    "create view": "CREATE VIEW v AS SELECT 1",
    "insert": "INSERT INTO ledger.orders DEFAULT VALUES",
    "update": "UPDATE ledger.orders SET state = 'x'",
    "delete": "DELETE FROM ledger.orders",
    "delete in a CTE": "WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x",
    "drop": "DROP VIEW orders",
    "comment": "COMMENT ON VIEW orders IS 'x'",
    "checkpoint": "CHECKPOINT analytics",
    "vacuum": "VACUUM",
    "transaction": "BEGIN",
    "prepare": "PREPARE p AS SELECT 1",
    "explain analyze copy": "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/out.csv'",
    "several statements": "SELECT 1; SELECT 2",
    "a statement behind": "SELECT 1; COPY (SELECT 1) TO '{folder}/out.csv'",
    "a statement behind a comment": "SELECT 1 /* */; -- x\n DROP VIEW orders",
    "nothing": "",
    "only a comment": "-- SELECT 1",
    "not SQL": "SELEC 1",
    "tables behind the views": "SELECT * FROM ledger.orders",
    "the system's tables": "SELECT * FROM information_schema.tables",
    "a parameter": "SELECT ?",
    "a file through the macro": "SELECT * FROM stock_as_of((SELECT content FROM read_text('/etc/passwd')))",
    "a file through the macro's parameter": "SELECT * FROM stock_as_of(\"at\" := (SELECT content FROM read_text('/etc/passwd')))",
    "a macro of that name elsewhere": "SELECT * FROM system.main.stock_as_of(now())",
    "a macro in a schema behind the views": "SELECT * FROM ledger.stock_as_of(now())",
    "a harmless name in another place": "SELECT * FROM kept.range(3)",
    "the macro as a scalar": "SELECT stock_as_of(now())",
    "the macro as a table": "SELECT * FROM stock_as_of",
    "a table behind the macro": "SELECT * FROM kept.warehouse_stock",
    "intervals by the whole name": "SELECT * FROM analytics.kept.warehouse_stock",
    "a view behind the views": "SELECT * FROM catalogue.known_records",
    "the last catalogue": "SELECT * FROM old.kept.warehouse_stock",
    "change the macro": "CREATE OR REPLACE MACRO stock_as_of(\"at\") AS TABLE SELECT * FROM read_text('/etc/passwd')",
    "drop the macro": "DROP MACRO TABLE stock_as_of",
    "comment on the macro": "COMMENT ON MACRO TABLE stock_as_of IS 'x'",
    "copy the stock": "COPY (FROM stock_as_of(now())) TO '{folder}/stock.csv'",
    "insert into the journal": "INSERT INTO ledger.journal DEFAULT VALUES",
    "a file in the time that is asked for": "FROM stock_history WHERE valid_from < (SELECT max(size) FROM read_blob('{path}'))",
    "a file joined to the timeline": "FROM order_timeline, LATERAL (SELECT * FROM read_text('/etc/' || what))",
    "many positions at once": "SELECT list(a.sku || b.sku) FROM stock_positions a, stock_positions b, range(100000000)",
    "too long": "SELECT 1 -- " + "x" * 100_001,
    "a very deep expression": "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
    "20 GB in one value": "SELECT range(1000000000)",
    "a very long text": "SELECT length(repeat('a', 4000000000))",
    "a very large list": "SELECT list(i) FROM range(1000000000) t(i)",
    "an answer of gigabytes": "SELECT repeat('x', 1000000) FROM range(5000)",
}
ENDLESS = {
    "cross join": "SELECT count(*) FROM range(1000000) a, range(1000000) b",
    "recursion": "WITH RECURSIVE x AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM x) SELECT count(*) FROM x",
    "sorting": "SELECT * FROM range(1000000) a, range(1000000) b ORDER BY hash(a.range, b.range)",
    "sleep": "SELECT sleep_ms(600000)",
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalogue")
    for name in ("private.txt", "private.csv"):
        (folder / name).write_text(CANARY)
    snapshots = Snapshots(folder, ManualClock(NOW))
    snapshots.keep("items", "gxo", NOW, items("A"), "k")
    snapshots.keep("stock_positions", "gxo--LON", NOW, StockLevels.frame([{
        "warehouse": "gxo", "facility": "LON", "sku": sku, "unit": "EA", "available": 5, "on_hand": 5, "on_hold": 0, "as_of": NOW, "sequence": 1} for sku in "AB"]), "k")
    return publish(ledger(), folder, ManualClock(NOW))


def _everything(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("attack", ATTACKS)
def test_is_refused_and_nothing_changes(path: Path, attack: str) -> None:
    secret_frame = pd.DataFrame({"secret": [CANARY]})
    before = _everything(path.parent)
    with pytest.raises(QueryRefused) as refused:
        query(ATTACKS[attack].format(path=path, folder=path.parent) if "{" in ATTACKS[attack] else ATTACKS[attack], path)
    assert _everything(path.parent) == before and len(secret_frame) == 1
    said = str(refused.value)
    assert CANARY not in said and "root:" not in said and "Trying again cannot help" in said and len(said) < 600
    assert isinstance(refused.value, WharfingerError)


@pytest.mark.parametrize("attack", ENDLESS)
def test_a_query_that_does_not_end_is_stopped(path: Path, attack: str) -> None:
    clock = SystemClock()
    began = clock.now()
    with pytest.raises(QueryRefused):
        query(ENDLESS[attack], path, seconds=2)
    assert (clock.now() - began).total_seconds() < 6


@pytest.mark.parametrize("attack", ["read_text", "glob", "copy to", "export", "attach", "install", "load", "httpfs", "set external access", "unlock",
                                    "pragma that sets", "call logging", "variables of Python", "read_parquet of a snapshot", "copy to a snapshot"])
def test_the_second_wall_stands_without_the_first(path: Path, attack: str) -> None:
    """The locked database alone, without the check of the syntax tree."""
    secret_frame = pd.DataFrame({"secret": [CANARY]})  # noqa: F841
    before = _everything(path.parent)
    with locked._open({"memory": "256MB", "threads": 1, "path": str(path)}) as connection, pytest.raises(duckdb.Error):
        connection.execute(ATTACKS[attack].format(path=path, folder=path.parent)).fetchall()
    assert _everything(path.parent) == before


def test_a_locked_read_only_database_alone_would_let_a_query_overwrite_the_catalogue(path: Path, tmp_path: Path) -> None:
    """Why the syntax tree is checked: ATTACH puts the catalogue's own file on `allowed_paths`, and read-only does not concern COPY."""
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(path.read_bytes())
    with locked._open({"memory": "256MB", "threads": 1, "path": str(copy)}) as connection:
        connection.execute(f"COPY (SELECT 1) TO '{copy}' (FORMAT csv, USE_TMP_FILE false)")
    assert copy.stat().st_size < 10


def test_naming_the_snapshots_folder_would_let_a_query_write_there(tmp_path: Path) -> None:
    """Why snapshots are copied into the catalogue: `allowed_directories` opens a folder for writing as well, and for any kind of file."""
    with duckdb.connect() as connection:
        connection.execute(f"SET allowed_directories = ['{tmp_path}']")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        connection.execute("COPY (SELECT 'forged' AS sku) TO ? (FORMAT parquet)", [str(tmp_path / "forged.parquet")])
    assert (tmp_path / "forged.parquet").exists()


@pytest.mark.parametrize("sql", [
    "SELECT 1", "SELECT 1;", "FROM orders", "TABLE orders", "VALUES (1)", "DESCRIBE orders", "SHOW TABLES", "SUMMARIZE orders",
    "SELECT * FROM analytics.main.orders", "SELECT o.* FROM Main.Orders o JOIN ORDER_LINES l USING (connection, order_id)",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n",
    "SELECT * FROM orders WHERE order_id IN (SELECT order_id FROM order_lines) -- the rest",
    "SELECT unnest([1, 2]), x FROM generate_series(1, 3) t(x)",
    "SELECT stands, count(*) FROM order_status GROUP BY ALL HAVING count(*) > 0 ORDER BY 2",
    "SELECT * FROM orders UNION BY NAME SELECT * FROM orders", "SELECT row_number() OVER (ORDER BY order_id) FROM orders",
    "SELECT * FROM stock_as_of('2026-01-15 14:05')", "FROM main.stock_as_of(TIMESTAMP '2026-01-15 14:05')", "FROM analytics.main.Stock_As_Of(now())",
    "SELECT * FROM stock_as_of((SELECT max(valid_from) FROM stock_history))", "SELECT h.sku FROM stock_history h JOIN stock_positions p USING (sku)",
    "SELECT * FROM stock_history WHERE TIMESTAMPTZ '2026-01-15 14:05' BETWEEN valid_from AND coalesce(valid_to, now()) ", "FROM stock_changes WHERE sku = 'A'",
    "WITH was AS (FROM stock_as_of('2026-01-15 09:00')) SELECT count(*) FROM was", "DESCRIBE FROM stock_as_of(now())", "FROM feeds",
    "SELECT * FROM dictionary", "SELECT ';' AS x", "SELECT 'read_text(''/etc/passwd'')'"])
def test_what_analysts_do_is_answered(path: Path, sql: str) -> None:
    assert len(query(sql, path))


def test_an_answer_is_cut_at_the_limit_and_says_so(path: Path) -> None:
    assert query("SELECT * FROM range(3) ORDER BY 1 DESC", path, limit_rows=3).attrs == {"is_cut": False}
    cut = query("SELECT * FROM range(99) t(n) ORDER BY n DESC", path, limit_rows=3)
    assert cut["n"].tolist() == [98, 97, 96] and cut.attrs == {"is_cut": True}
    assert len(query("SELECT * FROM range(1000000000000)", path, limit_rows=3)) == 3  # only what is shown is worked out


def test_money_never_becomes_a_float(path: Path) -> None:
    frame = query("SELECT sum(total_minor) AS total, max(total_minor) AS most, NULL::BIGINT AS gap, 1.50::DECIMAL(9, 2) AS exact FROM orders", path)
    assert frame["total"].tolist() == [9_007_199_254_742_493] and frame["most"].tolist() == [9_007_199_254_740_993]
    assert str(frame["total"].dtype) == "int64" and str(frame["gap"].dtype) == "Int64" and frame["exact"].tolist() == [Decimal("1.50")]


def test_times_are_utc_and_text_is_text(path: Path) -> None:
    frame = query("SELECT placed_at, order_id FROM orders ORDER BY order_id", path)
    assert str(frame["placed_at"].dtype) == "datetime64[us, UTC]" and frame["placed_at"][0] == NOW
    assert frame["order_id"].tolist() == ["100", "101", "102"]


def test_no_rows_are_a_frame_with_columns(path: Path) -> None:
    assert list(query("SELECT order_id, total_minor FROM orders WHERE false", path).columns) == ["order_id", "total_minor"]


def test_the_same_column_twice_is_shown_twice(path: Path) -> None:
    assert query("SELECT 1 AS a, 2 AS a", path).shape == (1, 2)


def test_a_catalogue_that_is_not_there_yet_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotNow, match="publish_analytics"):
        query("SELECT 1", tmp_path / "analytics.duckdb")


def test_an_answer_that_is_too_big_says_so(path: Path) -> None:
    with pytest.raises(QueryRefused, match="larger than 64 MB"):
        query("SELECT repeat('x', 1000000 + i::INTEGER) FROM range(80) t(i)", path)


def test_a_change_inside_a_query_is_refused_before_the_database_sees_it(path: Path) -> None:
    with pytest.raises(QueryRefused, match="only one SELECT"):
        query(ATTACKS["delete in a CTE"], path)


def test_a_mistake_is_explained_in_words(path: Path) -> None:
    with pytest.raises(QueryRefused, match="colour"):
        query("SELECT colour FROM orders", path)
    with pytest.raises(QueryRefused, match="SELECT \\* FROM dictionary"):
        query("SELECT * FROM customers", path)


@pytest.mark.parametrize(("sql", "helps"), [
    ("SELECT * FROM ordres", "did you mean 'orders'"), ("FROM stock_hist", "did you mean 'stock_history'"), ("FROM stockchanges", "did you mean 'stock_changes'"),
    ("FROM stock_asof(now())", "did you mean 'stock_as_of'"), ("SELECT tracking FROM dispatches", "'tracking_number' is in dispatches"),
    ("SELECT valid_form FROM stock_history", "'valid_from' is in mappings, stock_as_of, stock_history"),
    ("SELECT d.sku_ FROM dispatches d", "'sku' is in"), ("SELECT zzzzqqq FROM orders", "No view has a column of that name"),
    ("SELECT amountminor FROM refunds", "'amount_minor' is in payments, refunds"), ("SELECT fo(1)", "Did you mean"),
])
def test_a_name_that_does_not_exist_is_answered_with_the_nearest(path: Path, sql: str, helps: str) -> None:
    with pytest.raises(QueryRefused, match=helps):
        query(sql, path)


def test_the_process_that_answers_has_nothing_of_ours(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is empty, so that not even a hole in DuckDB finds a secret there."""
    monkeypatch.setenv("WHARFINGER_SECRET", CANARY)
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    assert query("SELECT 1 AS one", path)["one"].tolist() == [1] and os.environ["WHARFINGER_SECRET"] == CANARY
