"""The catalogue is whole at every moment, holds only what was declared, and says what everything in it means."""

import multiprocessing
import re
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from connectors.kit.clock import ManualClock, SystemClock
from connectors.snapshots import publish as publishing
from connectors.snapshots.errors import SnapshotRefused
from connectors.snapshots.kinds import PERSONAL
from connectors.snapshots.publish import publish
from connectors.snapshots.query import query
from connectors.snapshots.snapshots import Snapshots
from connectors.snapshots.tables import LEDGER_TABLES
from tests.snapshots.rows import NOW, items, ledger, stock, table

ROOT = Path(__file__).resolve().parents[2]
CLOCK = ManualClock(NOW)
VIEWS = "SELECT view_name FROM dictionary WHERE column_name = '' AND type = 'view'"
README = Path(publishing.__file__).with_name("README.md")


def _rows(path: Path, sql: str) -> list[tuple]:
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def _orders(count: int) -> dict[str, pd.DataFrame]:
    """`count` orders and twice as many lines: a reader who sees anything else saw half a catalogue."""
    ids = pd.Series(range(count)).astype(str)
    orders = table("orders", {"connection": "bc-uk"}).iloc[[0] * count].reset_index(drop=True).assign(order_id=ids)
    lines = table("order_lines", {"connection": "bc-uk", "quantity": 1}).iloc[[0] * count].reset_index(drop=True).assign(order_id=ids)
    return {"orders": orders, "order_lines": pd.concat([lines.assign(line_id="1"), lines.assign(line_id="2")], ignore_index=True)}


def _publish_many(folder: Path, times: int) -> None:
    for turn in range(times):
        publish(_orders(10 + turn % 7), folder, CLOCK)


def _read_until(folder: Path, stop: Any, found: Any) -> None:
    """A reader of his own making: a plain DuckDB on the published file."""
    reads = 0
    while not stop.is_set() or reads < 5:
        [(orders, lines, status)] = _rows(folder / "analytics.duckdb", "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_lines), "
                                          "(SELECT sum(lines_ordered) FROM order_status)")
        assert lines == 2 * orders == status and orders >= 10
        reads += 1
    found.put(reads)


def test_readers_in_other_processes_never_fail_while_it_is_published_again_and_again(tmp_path: Path) -> None:
    publish(_orders(10), tmp_path, CLOCK)
    spawn = multiprocessing.get_context("spawn")
    stop, found = spawn.Event(), spawn.Queue()
    readers = [spawn.Process(target=_read_until, args=(tmp_path, stop, found)) for _ in range(2)]
    for reader in readers:
        reader.start()
    _publish_many(tmp_path, 25)
    stop.set()
    for reader in readers:
        reader.join(60)
    assert [reader.exitcode for reader in readers] == [0, 0] and min(found.get(timeout=5) for _ in readers) >= 5


def test_threads_may_publish_and_ask_at_once_and_each_sees_a_whole_catalogue(tmp_path: Path) -> None:
    publish(_orders(10), tmp_path, CLOCK)
    writers = [threading.Thread(target=_publish_many, args=(tmp_path, 8)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for _ in range(5):
        [[orders, lines]] = query("SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_lines)", tmp_path / "analytics.duckdb").values
        assert lines == 2 * orders
    for writer in writers:
        writer.join()
    assert [path.name for path in tmp_path.iterdir()] == ["analytics.duckdb"]


def test_a_reader_who_has_the_old_one_open_keeps_it_and_the_next_question_sees_the_new_one(tmp_path: Path) -> None:
    """DuckDB shares one instance per path and process: with a plain connect, whoever asked while another had the old file open got the old rows."""
    path = publish(_orders(10), tmp_path, CLOCK)
    with duckdb.connect(path, read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM orders").fetchone() == (10,)
        publish(_orders(20), tmp_path, CLOCK)
        assert reader.execute("SELECT count(*), (SELECT count(*) FROM order_lines) FROM orders").fetchone() == (10, 20)
        assert query("SELECT count(*) AS n FROM orders", path)["n"].tolist() == [20]


def test_a_process_that_has_it_open_does_not_stop_the_rename(tmp_path: Path) -> None:
    path = publish(_orders(10), tmp_path, CLOCK)
    code = ("import sys, duckdb; c = duckdb.connect(sys.argv[1], read_only=True); print('open', flush=True); sys.stdin.readline()\n"
            "print(c.execute('SELECT count(*) FROM order_status').fetchone()[0])")
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout.readline() == "open\n"
        publish(_orders(20), tmp_path, CLOCK)
        assert reader.communicate("\n", timeout=60)[0] == "10\n"
    assert _rows(path, "SELECT count(*) FROM orders") == [(20,)]


def test_a_crash_before_the_rename_leaves_the_old_one_and_is_swept_later(tmp_path: Path) -> None:
    path = publish(_orders(10), tmp_path, CLOCK)
    before = path.read_bytes()
    code = ("import os, sys; from pathlib import Path; from connectors.kit.clock import ManualClock\n"
            "from connectors.snapshots.publish import publish; from tests.snapshots.rows import NOW\n"
            "os.replace = lambda *_: os._exit(9)\npublish({}, Path(sys.argv[1]), ManualClock(NOW))")
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, timeout=60).returncode == 9
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 2
    publish(_orders(11), tmp_path, ManualClock(NOW + timedelta(hours=7)))
    assert [left.name for left in tmp_path.iterdir()] == ["analytics.duckdb"] and _rows(path, "SELECT count(*) FROM orders") == [(11,)]


def test_a_full_disk_leaves_the_old_one_and_says_so(tmp_path: Path) -> None:
    path = publish(_orders(10), tmp_path, CLOCK)
    before = path.read_bytes()
    code = ("import sys, resource; from pathlib import Path; from connectors.kit.clock import ManualClock; from connectors.kit.errors import NotNow\n"
            "from connectors.snapshots.publish import publish; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
            "try: publish({}, Path(sys.argv[1]), ManualClock())\nexcept NotNow as error: print(error)")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "room" in done.stdout, done.stderr
    assert path.read_bytes() == before and [left.name for left in tmp_path.iterdir()] == ["analytics.duckdb"]


def test_published_twice_is_the_same(tmp_path: Path) -> None:
    views = [view for (view,) in _rows(publish(ledger(), tmp_path, CLOCK), VIEWS)]
    first = {view: _rows(tmp_path / "analytics.duckdb", f"FROM {view} ORDER BY ALL") for view in views}
    publish(ledger(), tmp_path, CLOCK)
    assert first == {view: _rows(tmp_path / "analytics.duckdb", f"FROM {view} ORDER BY ALL") for view in views}


def test_every_view_and_every_column_says_what_it_means(tmp_path: Path) -> None:
    path = publish({}, tmp_path, CLOCK)
    views = dict(_rows(path, "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"))
    macros = dict(_rows(path, "SELECT function_name, comment FROM duckdb_functions() WHERE function_type = 'table_macro' AND NOT internal"))
    columns = _rows(path, "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE schema_name = 'main' AND NOT internal")
    assert set(views) >= {"orders", "order_lines", "fulfilment_requests", "dispatches", "exceptions", "exceptions_open", "order_timeline", "feeds",
                          "effects", "items", "mappings", "order_status", "dictionary", "stock_positions", "stock_history", "stock_changes", "stock_told", "stock_shown",
                          "returns", "rmas", "refunds", "payments", "drift", "reconciliation", "hints", "alerts", "journal"}
    assert all(views.values()) and all(macros.values()) and all(comment for *_, comment in columns) and set(macros) == {"stock_as_of"}
    listed = _rows(path, "SELECT view_name, column_name, meaning FROM dictionary")
    described = [("stock_as_of", name) for name, *_ in _rows(path, "DESCRIBE FROM stock_as_of(now())")]
    assert sorted(row for row in listed if not (row[0] in macros and row[1])) == sorted([*((view, "", comment) for view, comment in (views | macros).items()), *columns])
    assert [(view, column) for view, column, _ in listed if view in macros and column] == described


def test_a_view_without_a_meaning_is_not_published() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE VIEW orders AS SELECT 1 AS order_id, 2 AS colour")
        with pytest.raises(SnapshotRefused, match=r"orders\.colour"):
            publishing._document(connection)


def test_no_view_shows_a_personal_column_and_no_payload(tmp_path: Path) -> None:
    shown = {(view, column) for view, column in _rows(publish({}, tmp_path, CLOCK), "SELECT view_name, column_name FROM dictionary")}
    assert {(view, column) for view, column in shown if column in PERSONAL | {"payload", "evidence"}} == {
        ("order_lines", "name"), ("inbox", "name"), ("channels", "name"), ("locations", "name")}  # names of products, files, channels and places


@pytest.mark.parametrize(("tables", "why"), [
    ({"customers": pd.DataFrame()}, "customers"),
    ({"orders": table("orders").assign(email="")}, "not declared: email"),
    ({"orders": table("orders", {}).drop(columns="state")}, "missing: state"),
    ({"order_lines": table("order_lines", {}).assign(quantity=2.5)}, "whole number"),
    ({"orders": table("orders", {}).assign(placed_at="canary@example.com")}, "not of its column's type"),
    ({"order_lines": table("order_lines", {}).assign(quantity="canary")}, "whole number"),
], ids=["table", "column", "missing", "fraction", "time", "number"])
def test_what_was_not_declared_is_not_published_and_the_old_one_stays(tmp_path: Path, tables: dict[str, pd.DataFrame], why: str) -> None:
    before = publish(ledger(), tmp_path, CLOCK).read_bytes()
    with pytest.raises(SnapshotRefused, match=why) as refused:
        publish(tables, tmp_path, CLOCK)
    assert "canary" not in str(refused.value)
    assert (tmp_path / "analytics.duckdb").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_no_frames_one_frame_and_empty_frames_all_make_a_catalogue(tmp_path: Path) -> None:
    for tables in ({}, {"orders": pd.DataFrame()}, {name: table(name) for name in LEDGER_TABLES}, {"orders": ledger()["orders"]}):
        path = publish(tables, tmp_path, CLOCK)
        for (view,) in _rows(path, VIEWS):
            _rows(path, f"FROM {view}")


def test_rows_as_a_database_gives_them_are_taken(tmp_path: Path) -> None:
    """Missing numbers make floats in pandas, SQLite gives naive UTC times and 0/1 for booleans; a missing text is ''."""
    frame = pd.concat([table("order_lines", {"quantity": 3, "name": None}), table("order_lines", {"quantity": 4})], ignore_index=True)
    frame = frame.assign(quantity=[3.0, float("nan")], is_stock=[1, 0])
    orders = table("orders", {"order_id": "1"}).assign(placed_at=NOW.replace(tzinfo=None), modified_at=NOW.isoformat(), order_id=7)
    path = publish({"order_lines": frame, "orders": orders}, tmp_path, CLOCK)
    assert _rows(path, "SELECT quantity, name, is_stock FROM order_lines ORDER BY ALL") == [(3, "", True), (None, "", False)]
    assert _rows(path, "SELECT order_id, placed_at = modified_at, epoch(placed_at)::BIGINT FROM orders") == [("7", True, int(NOW.timestamp()))]


def test_the_newest_item_master_of_every_warehouse_is_shown(tmp_path: Path) -> None:
    kept = Snapshots(tmp_path, CLOCK)
    kept.keep("items", "gxo", NOW, items("NEW"), "2")
    kept.keep("items", "gxo", NOW - timedelta(days=1), items("OLD"), "1")
    kept.keep("items", "shiphero-1", NOW, items("A", "B"), "1")
    path = publish({}, tmp_path, CLOCK)
    assert _rows(path, "SELECT source, sku FROM items ORDER BY ALL") == [("gxo", "NEW"), ("shiphero-1", "A"), ("shiphero-1", "B")]
    assert len(_rows(path, "FROM snapshots")) == 3


def test_order_status_says_where_every_order_stands(tmp_path: Path) -> None:
    path = publish(ledger(), tmp_path, CLOCK)
    assert _rows(path, "SELECT order_id, units_ordered, units_requested, units_dispatched, tracking_numbers, held_because, held_by, stands "
                       "FROM order_status ORDER BY 1") == [
        ("100", 4, 4, 3, "1Z1", "", "", "partly dispatched"), ("101", 2, 0, 0, "", "sku_unknown", "ecommerce", "needs a person"),
        ("102", 0, 0, 0, "", "", "", "not requested")]
    assert _rows(path, "SELECT exception_id, age_minutes, is_overdue FROM exceptions_open") == [("x1", 120, True)]
    assert _rows(path, "SELECT behind_minutes FROM feeds") == [(7,)]


@pytest.mark.parametrize("record", ["101:1", "bc-uk-100", "bc-uk-100:P1"])
def test_an_exception_on_a_line_or_a_reference_holds_its_order(tmp_path: Path, record: str) -> None:
    tables = ledger()
    tables["exceptions"] = tables["exceptions"].head(1).assign(record=record, connection="gxo" if record.startswith("bc-uk") else "bc-uk")
    order = "100" if record.startswith("bc-uk") else "101"
    assert _rows(publish(tables, tmp_path, CLOCK), "SELECT order_id FROM order_status WHERE stands = 'needs a person'") == [(order,)]


def test_a_hundred_thousand_rows_are_published_in_seconds(tmp_path: Path) -> None:
    tables, clock = _orders(33_334), SystemClock()
    began = clock.now()
    path = publish(tables, tmp_path, CLOCK)
    seconds = (clock.now() - began).total_seconds()
    print(f"published {sum(map(len, tables.values())):,} rows in {seconds:.2f} s, {path.stat().st_size / 1e6:.1f} MB")
    assert seconds < 20


def test_the_readme_s_queries_give_what_it_shows(tmp_path: Path) -> None:
    shown = re.findall(r"```sql\n(.*?)```\n\n```text\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    path = publish(stock(tmp_path), tmp_path, CLOCK)
    assert len(shown) == 5
    for sql, answer in shown:
        assert query(sql, path).to_string(index=False).split() == answer.split(), query(sql, path).to_string(index=False)


def test_the_readme_names_every_view(tmp_path: Path) -> None:
    path = publish({}, tmp_path, CLOCK)
    told = re.findall(r"^\| `(\w+)` \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert told == _rows(path, "SELECT view_name, meaning FROM dictionary WHERE column_name = '' ORDER BY 1")
