"""Positions: whatever order statements and documents come in, and however often, what is known at the end is the same."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.kit.clock import ManualClock
from connectors.snapshots.positions import FEW, Known, changed_skus, merging, positions_of, source_of, stock_at
from connectors.snapshots.snapshots import SAFE_NAME, Snapshots
from contracts.stock import StockLevels
from tests.inventory.small_world import AT, World

FIGURE = st.integers(0, 9)
STATEMENT = st.tuples(st.integers(0, 4), st.integers(0, 2), st.booleans(), st.dictionaries(st.sampled_from("ABC"), st.tuples(FIGURE, FIGURE), min_size=1))


def frame(minutes, sequence, figures, facility="F1"):
    return StockLevels.frame({"warehouse": "w", "facility": facility, "sku": sku, "unit": "EA", "available": available, "on_hand": on_hand, "on_hold": 0,
                              "as_of": AT + timedelta(minutes=minutes), "sequence": sequence} for sku, (available, on_hand) in figures.items())


def after(snapshots, statements):
    """The positions after these statements in this order, and what is known of the feed."""
    known = Known()
    for number, (minutes, sequence, is_whole, figures) in enumerate(statements):
        with merging(snapshots, frame(minutes, sequence, figures)) as merge:
            merged = merge.merge("F1", known, is_whole)
            if merged.says_new:
                known = Known(merge.keep(merged, "w--F1", f"{known.positions}|{number}|{minutes}|{sequence}|{is_whole}|{figures}"), merged.version, merged.whole)
    return {row["sku"]: tuple(row[name] for name in ("available", "on_hand", "as_of", "sequence")) for row in positions_of(snapshots, known.positions)}, known


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statements=st.lists(STATEMENT, min_size=1, max_size=5), dice=st.randoms(use_true_random=False))
def test_any_order_of_arrival_and_any_repetition_gives_the_same_positions(statements, dice):
    other = statements + [dice.choice(statements) for _ in range(2)]
    dice.shuffle(other)
    with tempfile.TemporaryDirectory() as folder:
        snapshots = Snapshots(Path(folder), ManualClock())
        first, known = after(snapshots, statements)
        second, known_again = after(snapshots, other)
    assert first == second and (known.version, known.whole) == (known_again.version, known_again.whole)


@settings(max_examples=10, deadline=None)
@given(statements=st.lists(STATEMENT, min_size=1, max_size=4))
def test_each_sku_has_the_newest_word_that_names_it(statements):
    """Against a plain reading of the rule, one SKU at a time."""
    with tempfile.TemporaryDirectory() as folder:
        got, _ = after(Snapshots(Path(folder), ManualClock()), statements)
    for sku in "ABC":
        words = [((minutes, sequence, 1), tuple(-figure for figure in figures[sku])) for minutes, sequence, _, figures in statements if sku in figures]
        if not words:
            assert sku not in got
            continue
        silent = [((minutes, sequence, 0), (0, 0)) for minutes, sequence, is_whole, figures in statements if is_whole and sku not in figures]
        assert got[sku][:2] == tuple(-figure for figure in max(words + silent)[1])


@pytest.fixture
def snapshots(tmp_path):
    return Snapshots(tmp_path, ManualClock())


def test_only_figures_that_differ_are_a_change(snapshots):
    _, first = after(snapshots, [(0, 0, False, {"A": (1, 1), "B": (2, 2)})])
    _, second = after(snapshots, [(0, 0, False, {"A": (1, 1), "B": (2, 2)}), (5, 0, False, {"A": (1, 1), "B": (3, 3), "C": (0, 0)})])
    assert sorted(changed_skus(snapshots, first.positions, second.positions)) == ["B", "C"]
    assert sorted(changed_skus(snapshots, "", first.positions)) == ["A", "B"] and changed_skus(snapshots, first.positions, first.positions) == []


@pytest.mark.parametrize("count", [7, FEW + 7])
def test_few_skus_are_read_and_compared_as_many_are(snapshots, count):
    """Of few, Python looks; of many, DuckDB: both against what was put in."""
    was = {f"S{number}": (number, number + 1) for number in range(count)}
    now = {sku: (figures[0], 99) if sku == "S2" else figures for sku, figures in was.items()} | {"NEW": (1, 1)}
    _, first = after(snapshots, [(0, 0, True, was)])
    rows, second = after(snapshots, [(0, 0, True, was), (5, 0, False, {"S2": now["S2"], "NEW": now["NEW"], "S3": was["S3"]})])
    assert sorted(changed_skus(snapshots, first.positions, second.positions)) == ["NEW", "S2"] == sorted(changed_skus(snapshots, second.positions, first.positions))
    assert sorted(changed_skus(snapshots, "", first.positions)) == sorted(was)
    assert {sku: figures[:2] for sku, figures in rows.items()} == now
    some = {row["sku"]: row for row in positions_of(snapshots, second.positions, ["S3", "NEW", "nobody's"])}
    expected = {"unit": "EA", "available": 3, "on_hand": 4, "on_hold": 0, "as_of": AT + timedelta(minutes=5), "sequence": 0}
    assert some == {"S3": {"sku": "S3", **expected}, "NEW": {"sku": "NEW", **expected, "available": 1, "on_hand": 1}}
    assert positions_of(snapshots, "") == [] and positions_of(snapshots, first.positions, []) == []


def test_a_sku_that_a_statement_names_twice_is_told_and_left_as_it_was(snapshots):
    _, known = after(snapshots, [(0, 0, True, {"A": (5, 5), "B": (5, 5)})])
    twice = StockLevels.frame([*frame(5, 0, {"A": (1, 1), "B": (2, 2)}).to_dict("records"), *frame(5, 0, {"A": (9, 9)}).to_dict("records")][i] | {
        "as_of": AT + timedelta(minutes=5)} for i in range(3))
    with merging(snapshots, twice) as merge:
        merged = merge.merge("F1", known, is_whole=True)
        rows = {row["sku"]: row["available"] for row in positions_of(snapshots, merge.keep(merged, "w--F1", "twice"))}
    assert merged.named_twice == ["A"] and rows == {"A": 5, "B": 2}


def test_a_moment_is_answered_by_the_statement_that_stood_then_in_whatever_order_they_came(snapshots):
    after(snapshots, [(10, 0, False, {"A": (1, 1)}), (20, 0, False, {"A": (2, 2)})])
    for minutes, expected in ((9, []), (10, [1]), (19, [1]), (20, [2])):
        assert stock_at(snapshots, "w", "F1", AT + timedelta(minutes=minutes))["available"].tolist() == expected


@pytest.mark.parametrize("names", [("gxo.uk", "F 1"), ("w", "é"), ("w" * 80, "F"), ("w", "F1")])
def test_every_facility_has_a_source_of_its_own_with_a_name_that_a_disk_takes(names):
    assert SAFE_NAME.fullmatch(source_of(*names)) and source_of(*names) == source_of(*names)
    assert source_of("a.b", "c") != source_of("a-b", "c") != source_of("a b", "c")


MESSAGE = st.one_of(st.tuples(st.just("levels"), st.integers(0, 6), st.dictionaries(st.sampled_from("AB"), FIGURE, min_size=1)),
                    st.tuples(st.just("changes"), st.integers(0, 6), st.dictionaries(st.sampled_from("AB"), st.integers(-4, 4), min_size=1)))


@settings(max_examples=4, deadline=None)
@given(messages=st.lists(MESSAGE, min_size=1, max_size=5), dice=st.randoms(use_true_random=False))
def test_any_order_of_statements_and_documents_shows_the_same_at_the_end(messages, dice):
    """Through a whole house: taken in, decided, sent, a run after each file and some files twice."""
    def played(order):
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder) / "home", skus="AB")
            for number in order:
                kind, minutes, figures = messages[number]
                if kind == "levels":
                    world.says(minutes, sequence=number, **figures)
                else:
                    world.changes(f"D{number}", minutes, sequence=number, **figures)
                world.run()
            found = world.shows(), world.positions(), world.desk()
            world.house.close()
        return found

    order = [*range(len(messages)), dice.randrange(len(messages))]
    dice.shuffle(order)
    assert played(range(len(messages))) == played(order)
