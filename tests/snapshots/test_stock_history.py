"""Stock as of any moment: intervals that hold whatever came late, carried over from the last catalogue or made from nothing alike."""

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from connectors.kit.clock import ManualClock, SystemClock
from connectors.snapshots.publish import publish
from connectors.snapshots.query import query
from connectors.snapshots.snapshots import Snapshots
from contracts.stock import ShownStock, StockLevels
from tests.snapshots.rows import NOW, table

HISTORY = "SELECT place, sku, quantity, valid_from, valid_to, because, changed_by, document FROM stock_history ORDER BY ALL"


class World:
    """A warehouse that states its stock, and what is published of it in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, ManualClock(NOW)
        self.snapshots, self.ledger = Snapshots(folder, self.clock), {"stock_changes": table("stock_changes"), "stock_updates": table("stock_updates")}
        self.kept = 0

    def states(self, minute: float, stock: dict[str, int | tuple[int, float]], facility: str = "LON", sequence: int = 1) -> None:
        """A snapshot of positions: sku -> available, or (available, the minute of the older statement that named it)."""
        self.kept += 1
        rows = [{"warehouse": "gxo", "facility": facility, "sku": sku, "unit": "EA", "available": told[0] if isinstance(told, tuple) else told, "on_hand": 99, "on_hold": 0,
                 "as_of": at(told[1] if isinstance(told, tuple) else minute), "sequence": sequence} for sku, told in stock.items()]
        self.snapshots.keep("stock_positions", f"gxo--{facility}", at(minute), StockLevels.frame(rows), str(self.kept))

    def documents(self, *documents: tuple[float, str, int, str], sequence: int = 9) -> None:
        """(minute, sku, change, kind) each."""
        before = self.ledger["stock_changes"]
        rows = [{"warehouse": "gxo", "document_id": f"D{len(before) + n}", "line": 1, "kind": kind, "facility": "LON", "sku": sku, "unit": "EA", "change": change,
                 "reason": "03", "occurred_at": at(minute), "sequence": sequence, "entered_at": at(minute)} for n, (minute, sku, change, kind) in enumerate(documents)]
        self.ledger["stock_changes"] = pd.concat([before, table("stock_changes", *rows)], ignore_index=True)

    def shows(self, minute: float, stock: dict[str, int]) -> None:
        """A storefront, looked at."""
        self.kept += 1
        rows = [{"connection": "bc-uk", "location": "1", "sku": sku, "on_hand": shown, "available": shown, "safety_stock": 0, "is_tracked": True, "seen_at": at(minute)}
                for sku, shown in stock.items()]
        self.snapshots.keep("shown_stock", "bc-uk", at(minute), ShownStock.frame(rows), str(self.kept))

    def publishes(self) -> Path:
        """The catalogue, carried on from the one before."""
        return publish(self.ledger, self.folder, self.clock)

    def says(self, sql: str = HISTORY) -> list[tuple]:
        """What it answers."""
        return rows_of(self.publishes(), sql)

    def from_nothing(self, sql: str = HISTORY) -> list[tuple]:
        """The same, with no catalogue before it."""
        (self.folder / "analytics.duckdb").unlink(missing_ok=True)
        return self.says(sql)


def at(minute: float) -> datetime:
    """A moment of the day."""
    return NOW + timedelta(minutes=minute)


def rows_of(path: Path, sql: str) -> list[tuple]:
    with duckdb.connect(path, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _is(sku: str, quantity: int, since: float, until: float | None, because: str = "statement", document: str = "") -> tuple[Any, ...]:
    return ("LON", sku, quantity, at(since), None if until is None else at(until), because, "gxo", document)


def test_what_is_said_again_is_one_interval_and_a_change_begins_another(world: World) -> None:
    for minute, stock in ((0, {"A": 5, "B": 1}), (10, {"A": 5, "B": 1}), (20, {"A": 3, "B": 1}), (30, {"A": 5, "B": 1})):
        world.states(minute, stock)
    assert world.says() == [_is("A", 3, 20, 30), _is("A", 5, 0, 20), _is("A", 5, 30, None), _is("B", 1, 0, None)]
    assert world.says("SELECT sku, available, since, stated_at FROM stock_positions ORDER BY 1") == [("A", 5, at(30), at(30)), ("B", 1, at(0), at(30))]


def test_a_document_changes_the_figure_until_the_next_statement_that_names_the_sku(world: World) -> None:
    world.states(0, {"A": 5, "B": 7})
    world.documents((5, "A", -2, "adjustment"), (7, "A", 10, "receipt"), (5, "B", 1, "adjustment"))
    world.states(10, {"A": 12, "B": (7, 0)})
    assert world.says() == [_is("A", 3, 5, 7, "adjustment", "D0"), _is("A", 5, 0, 5), _is("A", 12, 10, None), _is("A", 13, 7, 10, "receipt", "D1"),
                            _is("B", 7, 0, 5), _is("B", 8, 5, None, "adjustment", "D2")]
    changes = world.says("SELECT changed_at, quantity_before, quantity, change, because, document, reason FROM stock_changes WHERE sku = 'A' ORDER BY 1")
    assert changes == [(at(0), None, 5, None, "statement", "", ""), (at(5), 5, 3, -2, "adjustment", "D0", "03"), (at(7), 3, 13, 10, "receipt", "D1", "03"),
                       (at(10), 13, 12, -1, "statement", "", "")]


def test_a_statement_that_says_the_same_after_a_document_ends_what_the_document_changed(world: World) -> None:
    """Made into one run with the statement before it, the change would have gone on for ever."""
    world.states(0, {"A": 5})
    world.states(10, {"A": 5})
    world.publishes()
    world.documents((5, "A", -2, "adjustment"))  # entered after both
    expected = [_is("A", 3, 5, 10, "adjustment", "D0"), _is("A", 5, 0, 5), _is("A", 5, 10, None)]
    assert world.says() == expected == world.from_nothing()


def test_a_document_of_the_statement_s_own_moment_counts_when_its_number_is_later(world: World) -> None:
    """The same rule as the stock that is sold: (moment, number) up to the statement's is counted in it."""
    world.states(0, {"A": 5, "B": 5}, sequence=4)
    world.documents((0, "A", -1, "adjustment"), sequence=5)
    world.documents((0, "B", -1, "adjustment"), sequence=4)
    now = "SELECT sku, quantity FROM stock_as_of('2026-01-15 09:00') ORDER BY 1"
    assert world.says(now) == [("A", 4), ("B", 5)] == world.from_nothing(now)


def test_a_statement_that_comes_late_takes_its_place_in_the_past(world: World) -> None:
    world.states(0, {"A": 5, "B": 1})
    world.states(20, {"A": 5, "B": 1})
    world.publishes()
    world.states(10, {"A": 4, "B": 1})
    expected = [_is("A", 4, 10, 20), _is("A", 5, 0, 10), _is("A", 5, 20, None), _is("B", 1, 0, None)]
    assert world.says() == expected == world.from_nothing()


def test_of_two_statements_of_one_moment_the_later_number_holds(world: World) -> None:
    world.states(0, {"A": 5}, sequence=2)
    world.states(0, {"A": 4}, sequence=1)
    assert world.says() == [_is("A", 5, 0, None)]


@pytest.mark.parametrize("seed", range(6))
def test_carried_from_catalogue_to_catalogue_it_is_what_it_is_made_from_nothing(tmp_path: Path, seed: int) -> None:
    """Statements and documents in any order of arrival, published at any time; and every moment is what a slow reading of all of them says."""
    dice, world, said, documents = random.Random(seed), World(tmp_path), [], []
    moments = [*range(0, 200, 10)]
    dice.shuffle(moments)
    for minute in moments:
        stock = {sku: dice.randrange(4) for sku in "ABC" if dice.random() < 0.8}
        if stock:
            world.states(minute, stock)
            said += [(minute, sku, figure) for sku, figure in stock.items()]
        if dice.random() < 0.4:
            document = (dice.randrange(0, 2000) / 10 + 0.05, dice.choice("ABC"), dice.randrange(-2, 3), "adjustment")
            documents.append(document)
            world.documents(document)
        if dice.random() < 0.4:
            world.publishes()
    assert world.says() == world.from_nothing()
    for minute in (dice.randrange(0, 2200) / 10 + 0.01 for _ in range(25)):
        expected = set()
        for sku in "ABC":
            before = max((told for told in said if told[1] == sku and told[0] <= minute), default=None)
            if before:
                expected.add((sku, before[2] + sum(change for when, of, change, _ in documents if of == sku and before[0] < when <= minute)))
        assert set(rows_of(world.folder / "analytics.duckdb", f"SELECT sku, quantity FROM stock_as_of('{at(minute).isoformat()}')")) == expected, f"seed {seed}, minute {minute}"


def test_stock_of_every_system_at_a_moment(world: World) -> None:
    world.states(0, {"A": 5})
    world.states(20, {"A": 2})
    world.shows(3, {"A": 4})
    world.shows(25, {"A": 4})
    world.shows(30, {"A": 2})
    update = {"connection": "bc-uk", "location": "1", "sku": "A", "state": "CONFIRMED"}
    world.ledger["stock_updates"] = table("stock_updates", update | {"effect_id": "e1", "quantity": 4, "confirmed_at": at(1)},
                                          update | {"effect_id": "e2", "quantity": 2, "confirmed_at": at(22)}, update | {"effect_id": "e3", "quantity": 0, "state": "REJECTED"})
    path = world.publishes()
    asked = "SELECT system, figure, quantity, changed_by, document FROM stock_as_of('2026-01-15 09:21') ORDER BY ALL"
    expected = [["bc-uk", "shows", 4, "bc-uk", ""], ["bc-uk", "told", 4, "wharfinger", "e1"], ["gxo", "has", 2, "gxo", ""]]
    assert query(asked, path).values.tolist() == expected
    later = query("SELECT figure, quantity, document FROM stock_as_of(TIMESTAMP '2026-01-15 09:31') ORDER BY 1", path).values.tolist()
    assert later == [["has", 2, ""], ["shows", 2, ""], ["told", 2, "e2"]]
    assert query("SELECT * FROM stock_as_of('2026-01-15 08:59')", path).empty
    assert rows_of(path, "SELECT available, since, seen_at FROM stock_shown") == [(2, at(30), at(30))]


def test_a_macro_answers_in_a_duckdb_of_the_analyst_s_own_under_any_name(world: World) -> None:
    world.states(0, {"A": 5})
    path = world.publishes()
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS copy (READ_ONLY)")
        connection.execute("USE copy")
        assert connection.execute("SELECT sku, quantity FROM stock_as_of(TIMESTAMPTZ '2026-01-15 10:00+00')").fetchall() == [("A", 5)]


def test_what_ceased_to_hold_long_ago_is_left_out_and_what_holds_stays(world: World) -> None:
    world.states(0, {"A": 5, "B": 1})
    world.states(10, {"A": 4, "B": 1})
    world.clock.sleep(35 * 86400)
    assert rows_of(publish(world.ledger, world.folder, world.clock, 30), "SELECT sku, quantity FROM stock_history ORDER BY 1") == [("A", 4), ("B", 1)]


def test_a_last_catalogue_that_cannot_be_read_or_is_of_another_make_is_not_built_on(world: World) -> None:
    world.states(0, {"A": 5})
    first = world.says()
    (world.folder / "analytics.duckdb").chmod(0o644)
    (world.folder / "analytics.duckdb").write_bytes(b"no database")
    assert world.says() == first
    (world.folder / "analytics.duckdb").unlink()
    with duckdb.connect(world.folder / "analytics.duckdb") as other:
        other.execute("CREATE SCHEMA kept; CREATE TABLE kept.warehouse_stock (sku VARCHAR)")
    assert world.says() == first


def test_only_new_snapshots_are_read(world: World) -> None:
    """The old ones are made unreadable: whoever opens them, fails."""
    world.states(0, {"A": 5})
    world.publishes()
    for path in (world.folder / "snapshots").rglob("*.parquet"):
        path.chmod(0o644)
        path.write_bytes(b"no parquet")
    world.states(10, {"A": 4})
    assert world.says() == [_is("A", 4, 10, None), _is("A", 5, 0, 10)]


def test_a_hundred_snapshots_of_ten_thousand_skus_are_a_history_in_seconds(tmp_path: Path) -> None:
    world, clock = World(tmp_path), SystemClock()
    with duckdb.connect() as connection:
        for n in range(100):
            said = connection.sql(f"SELECT 'gxo' AS warehouse, 'LON' AS facility, 'SKU' || i AS sku, 'EA' AS unit, 50 + (hash(i, ({n} + i) // 10) % 5)::BIGINT AS available, "
                                  f"99::BIGINT AS on_hand, 0::BIGINT AS on_hold, TIMESTAMPTZ '{at(n * 5).isoformat()}' AS as_of, 1::BIGINT AS sequence FROM range(10000) t(i)")
            world.snapshots.keep("stock_positions", "gxo--LON", at(n * 5), said.df().astype(StockLevels.frame().dtypes.to_dict()), str(n))
    began = clock.now()
    world.publishes()
    first = (clock.now() - began).total_seconds()
    [(intervals,)] = rows_of(tmp_path / "analytics.duckdb", "SELECT count(*) FROM stock_history")
    world.states(500, {"SKU1": 0})
    began = clock.now()
    world.publishes()
    again = (clock.now() - began).total_seconds()
    print(f"1,000,000 rows in 100 snapshots: {intervals:,} intervals in {first:.2f} s; with one snapshot more {again:.2f} s")
    assert 50_000 < intervals < 120_000 and first < 20 and again < 10
