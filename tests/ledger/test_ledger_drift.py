"""Differences: one open row a record, with since when, found, last seen and ended. On SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from connectors.ledger.tables import drift
from contracts.drift import CAUSES, Drifted
from tests.ledger.rigs import Rig

SHOP, SITE = "bc-uk", "gxo-uk"


@pytest.fixture
def rig(shared: Rig) -> Rig:
    """SQLite in a file, and PostgreSQL."""
    return shared


def _one(rig: Rig, record: str = "1001", cause: str = "late", began: float = 0, about: str = "order") -> Drifted:
    return Drifted(about, record, cause, "shipped", "open", "told: nothing", rig.clock.now() - timedelta(seconds=began), "", record)


def _keep(rig: Rig, *found: Drifted, about: str = "order", looked_at: set[str] | None = None):
    with rig.ledger.transaction() as tx:
        return rig.ledger.drifts.keep(tx, SHOP, SITE, about, found, looked_at)


def test_a_difference_is_one_row_that_keeps_its_beginning_whatever_its_cause_becomes(rig: Rig) -> None:
    began = rig.clock.now() - timedelta(seconds=600)
    found_at = rig.clock.now()
    assert _keep(rig, _one(rig, began=600)).new == 1
    rig.clock.sleep(900)
    assert _keep(rig, _one(rig, cause="lost_write")).new == 0
    (row,) = rig.rows("drift")
    assert (row.cause, row.began_at, row.found_at, row.last_seen_at, row.ended_at) == ("lost_write", began, found_at, rig.clock.now(), None)


def test_it_ends_when_they_agree_again_and_what_comes_back_is_another_row(rig: Rig) -> None:
    _keep(rig, _one(rig))
    rig.clock.sleep(60)
    kept = _keep(rig)
    assert [row.record for row in kept.ended] == ["1001"] and rig.rows("drift")[0].ended_at == rig.clock.now()
    assert _keep(rig).ended == [] and _keep(rig, _one(rig)).new == 1
    assert [row.ended_at is None for row in rig.rows("drift")] == [False, True]


def test_what_was_not_looked_at_stays_as_it_was(rig: Rig) -> None:
    """A run that could only read half of the orders ended the differences of the other half."""
    _keep(rig, _one(rig, "1001"), _one(rig, "1002"))
    kept = _keep(rig, looked_at={"1001"})
    assert [row.record for row in kept.ended] == ["1001"]
    with rig.ledger.transaction() as tx:
        assert [row.record for row in rig.ledger.drifts.open_of(tx, SHOP, SITE)] == ["1002"]


def test_another_noun_or_pair_is_left_alone_and_a_record_of_any_length_is_kept_apart(rig: Rig) -> None:
    long = "x" * 4000
    _keep(rig, _one(rig, long + "1", about="stock"), _one(rig, long + "2", about="stock"), about="stock")
    assert _keep(rig, _one(rig)).ended == [] and len(rig.rows("drift")) == 3
    with rig.ledger.transaction() as tx:
        assert rig.ledger.drifts.open_of(tx, SHOP, "another") == []
    assert _keep(rig, _one(rig, long + "1", about="stock"), about="stock").new == 0


def test_the_database_itself_refuses_a_second_open_row_and_an_unknown_noun(rig: Rig) -> None:
    _keep(rig, _one(rig))
    row = dict(rig.rows("drift")[0]._mapping) | {"drift_id": None}
    for bad in (row, row | {"record": "other", "about": "weather"}):
        with pytest.raises(Exception, match="(?i)unique|check|ledger"), rig.ledger.transaction() as tx:
            tx.execute(sa.insert(drift).values({name: value for name, value in bad.items() if name != "drift_id"}))


def test_every_cause_fits_the_column_and_says_what_it_means(rig: Rig) -> None:
    _keep(rig, *(_one(rig, name, name) for name in CAUSES))
    assert {row.cause for row in rig.rows("drift")} == set(CAUSES)
    assert all(cause.says.endswith(".") for cause in CAUSES.values()) and [name for name, cause in CAUSES.items() if not cause.is_alarm] == ["late"]


def test_the_reads_of_a_comparison_are_empty_on_an_empty_ledger(rig: Rig) -> None:
    drifts, long_ago = rig.ledger.drifts, rig.clock.now() - timedelta(days=900)
    with rig.ledger.transaction() as tx:
        assert drifts.orders_in_play(tx, SHOP, SITE, long_ago) == [] and drifts.book_of(tx, SHOP, ["1"]) == {} and drifts.requests_of(tx, SHOP, ["1"]) == []
        assert drifts.effects_of(tx, SHOP, ["1"], ("fulfilment_request",)) == [] and drifts.advised_of(tx, SITE, ["R"]) == {} and drifts.held_of(tx, SHOP, ["1"]) == []
        assert drifts.waiting_at(tx, SHOP, SITE) == [] and drifts.not_asked(tx, SHOP) == [] and drifts.lead_times(tx, SITE, long_ago) == []
        assert drifts.last_heard(tx, SITE) == {} and drifts.waits_since(tx, SITE) == {} and drifts.placed_since(tx, SHOP, long_ago) == []
        assert drifts.latest_effects(tx, SHOP, "stock_update", 5) == [] and list(drifts.book_since(tx, SHOP, long_ago)) == []
        assert drifts.carriers_of(tx, SITE, long_ago) == set() and drifts.on_desks(tx, SHOP, ("status_drift",)) == {}
