"""An exception is a record on somebody's desk: counted, not repeated, and never gone without a name and a reason."""

from datetime import timedelta
from typing import Any

import pytest

from connectors.kit.errors import BadConfiguration
from contracts.exceptions import Finding
from tests.ledger.rigs import Rig


@pytest.fixture
def rig(shared: Rig) -> Rig:
    """SQLite in a file, and PostgreSQL: these tables do not care whether SQLite is in memory."""
    return shared


def _finding(cause: str = "no item 85123A", record: str = "1001", kind: str = "sku_unknown", waits_on: str = "", **evidence: Any) -> Finding:
    return Finding(kind, "bc-uk", record, cause, evidence, waits_on)


def _open(rig: Rig, *findings: Finding) -> int:
    with rig.ledger.transaction() as tx:
        return rig.ledger.exceptions.open(tx, findings)


def _resolve(rig: Rig, exception_id: str, actor: str = "ada", reason: str = "the item is set up") -> bool:
    with rig.ledger.transaction() as tx:
        return rig.ledger.exceptions.resolve(tx, exception_id, actor, reason)


def _settle(rig: Rig, *keep: tuple[str, str], record: str = "1001", types: tuple[str, ...] = ("sku_unknown", "po_missing")) -> int:
    with rig.ledger.transaction() as tx:
        return rig.ledger.exceptions.settle(tx, "bc-uk", record, types, keep, "orders_to_warehouse", "it no longer holds")


def test_the_same_cause_counts_up_and_keeps_the_newest_evidence(rig: Rig) -> None:
    opened_at = rig.clock.now()
    assert _open(rig, _finding(seen=1)) == 1
    rig.clock.sleep(60)
    assert _open(rig, _finding(seen=2), _finding(seen=3)) == 0
    (row,) = rig.ledger.exceptions.listed()
    assert (row.count, row.evidence, row.opened_at, row.last_seen_at) == (3, {"seen": 3}, opened_at, opened_at + timedelta(seconds=60))
    assert (row.owner, row.severity, row.state) == ("ecommerce", "high", "open")


def test_another_cause_record_type_or_connection_is_another_exception(rig: Rig) -> None:
    others = [_finding("no item X"), _finding(record="1002"), _finding(kind="sku_spelling"), Finding("sku_unknown", "bc-us", "1001", "no item 85123A", {})]
    assert _open(rig, _finding(), *others) == 5 and _open(rig, _finding(), *others) == 0
    assert len(rig.ledger.exceptions.listed()) == 5


def test_none_is_resolved_without_an_actor_and_a_reason(rig: Rig) -> None:
    _open(rig, _finding())
    (row,) = rig.ledger.exceptions.listed()
    for actor, reason in (("", "why"), ("ada", ""), (" ", "why"), ("ada", "\t")):
        with pytest.raises(BadConfiguration, match="no name or no reason"):
            _resolve(rig, row.exception_id, actor, reason)
    assert len(rig.ledger.exceptions.listed()) == 1
    assert _resolve(rig, row.exception_id) is True and _resolve(rig, row.exception_id) is False and _resolve(rig, "unknown") is False
    (row,) = rig.ledger.exceptions.listed(only_open=False)
    assert (row.state, row.resolved_by, row.reason, row.resolved_at) == ("resolved", "ada", "the item is set up", rig.clock.now())


def test_what_comes_back_later_is_a_new_row_and_the_old_one_stays_resolved(rig: Rig) -> None:
    _open(rig, _finding())
    _resolve(rig, rig.ledger.exceptions.listed()[0].exception_id)
    rig.clock.sleep(60)
    assert _open(rig, _finding()) == 1
    rows = sorted(rig.ledger.exceptions.listed(only_open=False), key=lambda row: row.opened_at)
    assert [(row.state, row.count, row.resolved_by) for row in rows] == [("resolved", 1, "ada"), ("open", 1, "")]


def test_every_exception_ever_opened_is_open_or_resolved(rig: Rig) -> None:
    opened = 0
    for n in range(30):
        opened += _open(rig, _finding(f"cause {n % 7}", f"{n % 3}"))
        if n % 4 == 0:
            _resolve(rig, rig.ledger.exceptions.listed()[0].exception_id)
        if n % 5 == 0:
            _settle(rig, record=f"{n % 3}")
    rows = rig.rows("exception")
    still_open = rig.ledger.exceptions.listed()
    assert opened == len(rows) == len(still_open) + sum(row.state == "resolved" and row.resolved_by != "" and row.reason != "" for row in rows)
    assert len(still_open) > 0


def test_settling_resolves_what_no_longer_holds_and_keeps_what_does(rig: Rig) -> None:
    long = "x" * 400
    _open(rig, _finding("gone"), _finding("stays"), _finding(long), _finding(kind="po_missing"), _finding(kind="cancel_refused"), _finding(record="1002"))
    assert _settle(rig, ("sku_unknown", "stays"), ("sku_unknown", long)) == 2
    assert {(row.type, row.record) for row in rig.ledger.exceptions.listed(only_open=False) if row.state == "resolved"} == {
        ("sku_unknown", "1001"), ("po_missing", "1001")}
    assert {row.cause[:5] for row in rig.ledger.exceptions.listed() if row.record == "1001"} == {"stays", "xxxxx", "no it"}
    assert _settle(rig, ("sku_unknown", "stays"), ("sku_unknown", long)) == 0


def test_causes_and_records_of_any_length_stay_apart(rig: Rig) -> None:
    """An order id that breaks its contract by being too long was itself too long for the table: on PostgreSQL its page could not be taken in."""
    long = "x" * 5000
    assert _open(rig, _finding(long + "1", long), _finding(long + "2", long), _finding(long + "1", long + "b"), _finding(waits_on=long)) == 4
    assert _open(rig, _finding(long + "1", long)) == 0
    assert _settle(rig, record=long) == 2


def test_the_list_is_most_urgent_first_and_can_be_narrowed(rig: Rig) -> None:
    _open(rig, _finding(kind="refund_declined"), _finding(kind="sku_unknown"), Finding("settlement_inconsistent", "amazon-de", "S1", "c", {}))
    assert [row.type for row in rig.ledger.exceptions.listed()] == ["sku_unknown", "refund_declined", "settlement_inconsistent"]
    assert {row.type for row in rig.ledger.exceptions.listed(owner="finance")} == {"refund_declined", "settlement_inconsistent"}
    assert [row.type for row in rig.ledger.exceptions.listed(owner="finance", connection="amazon-de")] == ["settlement_inconsistent"]


def test_what_waits_is_found_by_exactly_the_beginning_that_was_asked_for(rig: Rig) -> None:
    """LIKE took '_' for any letter, and SQLite's took 'a' for 'A': two SKUs that differ in nothing else were replayed for each other."""
    waits = ["items:gxo:a_1", "items:gxo:aX1", "items:gxo:A_1", "skus:connection=bc", ""]
    _open(rig, *(_finding(f"c{n}", waits_on=wait) for n, wait in enumerate(waits)))
    with rig.ledger.transaction() as tx:
        found = {prefix: [row.waits_on for row in rig.ledger.exceptions.waiting(tx, prefix)] for prefix in ("items:gxo:a_1", "items:", "")}
    assert found["items:gxo:a_1"] == ["items:gxo:a_1"] and sorted(found["items:"]) == sorted(waits[:3]) and len(found[""]) == 4


def test_one_cause_is_settled_alone_however_long_it_is(rig: Rig) -> None:
    """Kept shortened and looked for at full length, a long cause would have stayed open for ever."""
    long = "x" * 600
    _open(rig, _finding(long + "1", long), _finding(long + "2", long))
    with rig.ledger.transaction() as tx:
        settle = rig.ledger.exceptions.settle_cause
        assert settle(tx, "sku_unknown", "bc-uk", long, long + "1", "ada", "it is there") == 1
        assert settle(tx, "sku_unknown", "bc-uk", long, long + "1", "ada", "it is there") == 0
        (left,) = rig.ledger.exceptions.open_of(tx, "sku_unknown", "bc-uk")
        assert rig.ledger.exceptions.get(tx, left.exception_id).state == "open" and rig.ledger.exceptions.open_of(tx, "sku_unknown", "bc-us") == []
        assert rig.ledger.exceptions.get(tx, "none") is None
