"""What a desk was told, on both databases: promised once, counted for each desk, and looked up when nobody saw it kept."""

from datetime import timedelta

import pytest

from connectors.ledger.alerts import CHUNK
from contracts.exceptions import Finding
from tests.ledger.rigs import Rig


@pytest.fixture
def rig(shared: Rig) -> Rig:
    """SQLite in a file, and PostgreSQL."""
    return shared


def _open(rig: Rig, kind: str, *records: int) -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.exceptions.open(tx, [Finding(kind, "bc-uk", str(record), f"{kind}:{record}", {}) for record in records])


def _untold(rig: Rig, owner: str, hours: float = 0) -> dict[str, list[str]]:
    with rig.ledger.transaction() as tx:
        found = rig.ledger.alerts.untold(tx, owner, rig.clock.now() + timedelta(hours=hours))
    return {stage: [row.record for row in rows] for stage, rows in found.items()}


def _promise(rig: Rig, alert_id: str, stage: str, owner: str) -> None:
    with rig.ledger.transaction() as tx:
        rows = rig.ledger.alerts.untold(tx, owner, rig.clock.now() + timedelta(hours=99))[stage]
        rig.ledger.alerts.promise(tx, alert_id, stage, [row.exception_id for row in rows])


def test_what_is_promised_is_not_untold_any_more_and_the_other_stage_still_is(rig: Rig) -> None:
    _open(rig, "carrier_unmapped", 1, 2)
    _open(rig, "stock_drift", 3)
    assert _untold(rig, "operations", 25) == {"opened": ["1", "2"], "due": ["1", "2"]} and _untold(rig, "ecommerce") == {"opened": [], "due": []}
    _promise(rig, "a1", "opened", "operations")
    assert _untold(rig, "operations", 25) == {"opened": [], "due": ["1", "2"]} and _untold(rig, "ecommerce", 25) == {"opened": [], "due": ["3"]}


def test_a_promise_made_twice_is_one_and_a_thousand_are_promised_at_once(rig: Rig) -> None:
    _open(rig, "carrier_unmapped", *range(2 * CHUNK + 1))
    with rig.ledger.transaction() as tx:
        ids = [row.exception_id for row in rig.ledger.alerts.untold(tx, "operations", rig.clock.now())["opened"]]
        rig.ledger.alerts.promise(tx, "a1", "opened", ids)
        rig.ledger.alerts.promise(tx, "a2", "opened", ids)
    assert {row.alert_id for row in rig.rows("alert")} == {"a1"} and len(rig.rows("alert")) == 2 * CHUNK + 1


def test_a_promise_that_nobody_saw_kept_is_broken_until_it_is_told(rig: Rig) -> None:
    _open(rig, "carrier_unmapped", 1)
    _promise(rig, "a1", "opened", "operations")
    made_at = rig.clock.now()
    with rig.ledger.transaction() as tx:
        assert rig.ledger.alerts.broken(tx, made_at - timedelta(seconds=1)) == {}
        broken = rig.ledger.alerts.broken(tx, made_at)
        assert [(alert_id, [row.record for row in by_stage["opened"]]) for alert_id, by_stage in broken.items()] == [("a1", ["1"])]
        assert rig.ledger.alerts.last_promised(tx, "operations") == made_at and rig.ledger.alerts.last_promised(tx, "finance") is None
        rig.ledger.alerts.told(tx, "a1")
        assert rig.ledger.alerts.broken(tx, made_at + timedelta(days=1)) == {}
    assert [row.told_at for row in rig.rows("alert")] == [made_at]


def test_an_exception_is_found_by_the_beginning_of_its_id_and_by_its_record(rig: Rig) -> None:
    _open(rig, "carrier_unmapped", 1, 2)
    first = rig.ledger.exceptions.listed()[0]
    with rig.ledger.transaction() as tx:
        assert [row.exception_id for row in rig.ledger.exceptions.beginning(tx, first.exception_id)] == [first.exception_id]
        assert rig.ledger.exceptions.beginning(tx, "%") == rig.ledger.exceptions.beginning(tx, "_") == []
        assert [row.record for row in rig.ledger.exceptions.of_record(tx, "bc-uk", "2")] == ["2"]
