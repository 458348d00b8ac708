"""The reconciled orders of a period in the ledger: replaced as a whole, with who made them; the same on every database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.kit.errors import NotNow
from connectors.ledger.books import OrderEntry
from connectors.ledger.effects import Planned
from connectors.ports import DISPATCH_CONFIRMATION
from tests.ledger.rigs import Rig, in_processes, open_ledger

SHOP, PERIOD = "bc-uk", "2026-01"
AT = datetime(2026, 2, 2, 5, 0, tzinfo=UTC)


def row(order_id: str, **other: Any) -> dict[str, Any]:
    return {"order_id": order_id, "placed_at": AT - timedelta(days=20), "status": "shipped", "currency": "GBP", "is_carried_in": False, "is_carried_out": False,
            "verdict": "matched", "ordered_minor": 10**13, "paid_minor": 10**13, "dispatched_minor": 10**13, "refunded_minor": 0, "returned_minor": 0, "deducted_minor": 0,
            "balance_minor": 0, "difference_minor": 0, "explained_minor": 0, "differences": [{"name": "overpaid", "amount_minor": 1, "explained_by": ""}], "detail": ""} | other


def replace(rig: Rig, *rows: dict[str, Any], period: str = PERIOD, actor: str = "ann") -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.reconciliations.replace(tx, SHOP, period, list(rows), actor, AT, {"rows": len(rows), "csv_sha256": "0" * 64})


def kept(rig: Rig, period: str = PERIOD) -> list[Any]:
    with rig.ledger.transaction() as tx:
        return rig.ledger.reconciliations.of(tx, SHOP, period)


def test_a_period_is_replaced_as_a_whole_and_no_other_is_touched(rig: Rig) -> None:
    replace(rig, row("1"), row("2"))
    replace(rig, row("9"), period="2026-02")
    replace(rig, row("2", verdict="overpaid"), row("3"))
    assert [(one.order_id, one.verdict) for one in kept(rig)] == [("2", "overpaid"), ("3", "matched")]
    assert [one.order_id for one in kept(rig, "2026-02")] == ["9"]
    (first, _) = kept(rig)
    assert (first.ordered_minor, first.made_at, first.differences[0]["name"]) == (10**13, AT, "overpaid")


def test_the_journal_says_who_made_each_statement(rig: Rig) -> None:
    for actor in ("ann", "bob"):
        replace(rig, row("1"), actor=actor)
    replace(rig, row("1"), period="2026-02")
    with rig.ledger.transaction() as tx:
        made = rig.ledger.reconciliations.made(tx, SHOP, PERIOD)
    assert [(one.actor, one.detail["rows"], one.detail["csv_sha256"]) for one in made] == [("ann", 1, "0" * 64), ("bob", 1, "0" * 64)]


def test_a_run_that_fails_leaves_the_rows_of_the_last_one(rig: Rig) -> None:
    replace(rig, row("1"))
    with pytest.raises(RuntimeError), rig.ledger.transaction() as tx:
        rig.ledger.reconciliations.replace(tx, SHOP, PERIOD, [row("2")], "bob", AT, {})
        raise RuntimeError
    assert [one.order_id for one in kept(rig)] == ["1"]
    with rig.ledger.transaction() as tx:
        assert len(rig.ledger.reconciliations.made(tx, SHOP, PERIOD)) == 1


def test_more_rows_than_one_insert_takes(rig: Rig) -> None:
    replace(rig, *(row(f"{n:05}") for n in range(1203)))
    assert len(kept(rig)) == 1203


def _replaces(number: int, url: str) -> bool:
    ledger = open_ledger(url)
    try:
        for _ in range(3):
            with ledger.transaction() as tx:
                ledger.reconciliations.replace(tx, SHOP, PERIOD, [row(f"{n}", detail=f"of {number}") for n in range(40)], f"run {number}", AT, {})
    except NotNow:
        return False
    finally:
        ledger.close()
    return True


def test_two_runs_at_once_leave_the_rows_of_one_of_them(shared: Rig) -> None:
    assert all(in_processes(3, _replaces, shared.url))
    found = kept(shared)
    assert len(found) == 40 and len({one.detail for one in found}) == 1


def _entry(order_id: str, placed_at: datetime, connection: str = SHOP) -> OrderEntry:
    order = {"order_id": order_id, "placed_at": placed_at.isoformat(), "modified_at": placed_at.isoformat()}
    return OrderEntry(connection, order_id, order, [], [], "", [], placed_at)


def found_from(rig: Rig, since: datetime, until: datetime) -> list[str]:
    with rig.ledger.transaction() as tx:
        known = rig.ledger.reconciliations
        return [one.order_id for one in known.orders(tx, SHOP, known.concerned(tx, SHOP, since, until))]


def test_old_orders_concern_a_period_when_they_are_open_or_moved_or_nothing_was_ever_reconciled(rig: Rig) -> None:
    since, until, old = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    with rig.ledger.transaction() as tx:
        for order_id in ("closed", "open", "paid", "refunded", "returned", "shipped"):
            rig.ledger.books.take_in(tx, _entry(order_id, old))
    rig.clock.at = since + timedelta(days=5)
    with rig.ledger.transaction() as tx:
        for order_id in ("edited", "new"):
            rig.ledger.books.take_in(tx, _entry(order_id, old if order_id == "edited" else since))
        money = {"connection": SHOP, "currency": "GBP", "amount_minor": 1}
        rig.ledger.returns.see_payments(tx, [money | {"order_id": "paid", "payment_id": "p", "kind": "capture", "is_settled": True, "gateway": "", "occurred_at": since}])
        rig.ledger.returns.see_refunds(tx, [money | {"order_id": "refunded", "refund_id": "r", "line_id": "", "quantity": 0, "is_declined": False, "reason": "", "created_at": since}])
        rig.ledger.returns.enter(tx, [{"warehouse": "w", "document_id": "R", "line": 1, "reference": "", "rma": "", "request_line": "", "sku": "A", "quantity": 1, "unit": "EA",
                                       "grade": "", "tracking_number": "", "facility": "F", "received_at": since, "connection": SHOP, "order_id": "returned"}], "inbox")
        rig.ledger.effects.plan(tx, Planned(DISPATCH_CONFIRMATION, SHOP, "k", "o", SHOP, "shipped", {}))
    assert len(found_from(rig, since, until)) == 8  # nothing was ever reconciled
    replace(rig, row("open", is_carried_out=True), row("closed"))
    assert found_from(rig, since, until) == ["edited", "new", "open", "paid", "refunded", "returned", "shipped"]


def test_orders_placed_before_a_moment_to_the_microsecond(rig: Rig) -> None:
    moment = datetime(2026, 2, 1, tzinfo=UTC)
    early = (moment - timedelta(microseconds=1), moment - timedelta(seconds=1), moment - timedelta(days=400))
    with rig.ledger.transaction() as tx:
        for n, placed_at in enumerate((*early, moment, moment + timedelta(microseconds=1))):
            rig.ledger.books.take_in(tx, _entry(str(n), placed_at))
        rig.ledger.books.take_in(tx, _entry("0", moment - timedelta(days=1), "another-shop"))
    assert found_from(rig, moment, moment) == ["0", "1", "2"]


def test_a_parcel_counts_whether_its_confirmation_is_planned_sent_or_held(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        for n in range(3):
            payload = {"connection": SHOP, "order_id": "100", "n": n}
            rig.ledger.effects.plan(tx, Planned(DISPATCH_CONFIRMATION, SHOP, f"k{n}", f"o{n}", SHOP, "100", payload))
        rig.ledger.effects.withdraw(tx, f"{DISPATCH_CONFIRMATION}:{SHOP}:k1", "the advice was taken back")
        rig.ledger.books.hold_dispatch(tx, "k9", {"connection": SHOP, "order_id": "100", "n": 9}, "carriers:*")
        rig.ledger.books.take_in(tx, _entry("100", AT))
        rig.ledger.books.take_in(tx, _entry("100", AT, "another-shop"))
        known, both = rig.ledger.reconciliations, (AT, AT + timedelta(days=1))
        told = known.confirmations(tx, SHOP, known.concerned(tx, SHOP, *both), DISPATCH_CONFIRMATION)
        assert known.confirmations(tx, "another-shop", known.concerned(tx, "another-shop", *both), DISPATCH_CONFIRMATION) == []
    assert sorted(one["n"] for one in told) == [0, 2, 9]
