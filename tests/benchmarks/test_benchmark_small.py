"""The benchmark in its small form: not timed, but every variant that this environment has must find the same rows, and the step must owe exactly those."""

from tests.benchmarks.our_step import prepare, step
from tests.benchmarks.run import decisions
from tests.benchmarks.settlement_run import settlements
from tests.benchmarks.settlement_world import total
from tests.benchmarks.stock_world import FACILITIES, changed

ROWS = 10_000


def test_every_variant_finds_the_same_rows(tmp_path):
    found = decisions(tmp_path, ROWS, peers=None)
    assert {one["changed"] for one in found.values()} == {changed(ROWS)} == {200} and len(found) == 3


def test_the_whole_step_owes_exactly_what_changed(tmp_path):
    home = tmp_path / "home"
    prepare(home, ROWS)
    assert step(home, ROWS)["changed"] == changed(ROWS)
    assert len(list((home / "analytics" / "snapshots").rglob("kind=stock_positions/*/*/*.parquet"))) == 2 * FACILITIES


def test_a_settlement_is_read_alike_by_all(tmp_path):
    found, size = settlements(tmp_path, ROWS, peers=None)
    assert {(one["rows"], one["cents"]) for one in found.values()} == {(ROWS, total(ROWS))} and len(found) == 4 and size > 100 * ROWS
