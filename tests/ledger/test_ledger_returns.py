"""The ledger's part about returns, on every database: kept as it came, found again by order, and what the storefront shows as it shows it now."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.kit.errors import BadConfiguration
from connectors.ledger.returns import APPROVED, ASKED, CLOSED, DUE
from contracts.exceptions import Finding
from tests.ledger.rigs import Rig, in_processes, open_ledger

AT = datetime(2026, 1, 20, 9, 0, tzinfo=UTC)
SHOP, WAREHOUSE = "bc-uk", "gxo-uk"


def came(document="RC1", line=1, sku="A", quantity=1, **other):
    return {"warehouse": WAREHOUSE, "document_id": document, "line": line, "reference": "", "rma": "", "request_line": "", "sku": sku, "quantity": quantity,
            "unit": "EA", "grade": "", "tracking_number": "", "facility": "F1", "received_at": AT} | other


def refund(refund_id="r1", line_id="L1", declined=False, amount=100, order="100", at=AT):
    return {"connection": SHOP, "order_id": order, "refund_id": refund_id, "line_id": line_id, "quantity": 1, "amount_minor": amount, "currency": "GBP",
            "is_declined": declined, "reason": "", "created_at": at}


def payment(payment_id="p1", settled=True, amount=1000):
    return {"connection": SHOP, "order_id": "100", "payment_id": payment_id, "kind": "capture", "amount_minor": amount, "currency": "GBP", "is_settled": settled,
            "gateway": "card", "occurred_at": AT}


def shipped(rig: Rig, order: str, *lines: tuple[str, int], reference: str = "", tracking: str = "", at: datetime = AT - timedelta(days=2)) -> None:
    """A request of which the warehouse shipped (sku, units)."""
    books, reference = rig.ledger.books, reference or f"BC{order}"
    payload = {"connection": SHOP, "order_id": order, "ship_group": "a", "reference": reference, "warehouse": WAREHOUSE, "facility": "F1", "carrier": "UPSN",
               "service": "GND", "revision": 1,
               "lines": [{"number": number, "line_id": f"L{number}", "sku": sku, "warehouse_sku": sku, "quantity": units, "unit": "EA", "factor": 1}
                         for number, (sku, units) in enumerate(lines, 1)]}
    with rig.ledger.transaction() as tx:
        books.ask(tx, payload, f"e {reference}")
        for number, (sku, units) in enumerate(lines, 1):
            books.advise(tx, WAREHOUSE, reference, number, units)
            books.enter_dispatch(tx, [{"warehouse": WAREHOUSE, "advice_id": "A1", "reference": reference, "package_id": "P1", "carrier": "UPSN", "service": "GND",
                                       "tracking_number": tracking, "request_line": str(number), "sku": sku, "quantity": units, "unit": "EA",
                                       "line_status": "CC", "facility": "F1", "shipped_at": at}], "inbox")


def test_a_return_is_kept_as_it_came_and_found_by_document_and_by_order(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.returns.enter(tx, [came("RC2", 2), came("RC2", 1), came("RC1", received_at=AT + timedelta(hours=1))], "inbox")
        lines = rig.ledger.returns.lines(tx, WAREHOUSE, ["RC2", "RC9"])
        assert [(line.line, line.state, line.placed, line.dues, line.received_at) for line in lines] == [(1, "unmatched", [], [], AT), (2, "unmatched", [], [], AT)]
        for line in rig.ledger.returns.lines(tx, WAREHOUSE, ["RC1", "RC2"]):
            rig.ledger.returns.change(tx, line, connection=SHOP, order_id="100", state=DUE, dues=[{"line_id": "L1", "quantity": line.line}])
        assert [(line.document_id, line.dues[0]["quantity"]) for line in rig.ledger.returns.of_order(tx, SHOP, "100")] == [("RC2", 1), ("RC2", 2), ("RC1", 1)]
        assert rig.ledger.returns.orders_due(tx, SHOP) == ["100"] and rig.ledger.returns.orders_due(tx, "other") == []


def test_text_from_outside_is_kept_whatever_it_holds(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.returns.enter(tx, [came(sku="S" * 2000, reference="n\x00ul", grade="\ud800")], "inbox")
        line = rig.ledger.returns.lines(tx, WAREHOUSE, ["RC1"])[0]
    assert (len(line.sku), line.reference, line.grade) == (2000, "n\ufffdul", "\ufffd")


def test_orders_are_known_by_reference_and_by_number(rig: Rig) -> None:
    shipped(rig, "100", ("A", 1))
    shipped(rig, "101", ("A", 1), reference="BC101-1")
    with rig.ledger.transaction() as tx:
        assert rig.ledger.returns.request_orders(tx, WAREHOUSE, ["BC100", "BC101", "bc100"]) == {"BC100": (SHOP, "100")}
        assert rig.ledger.returns.request_orders(tx, "other", ["BC100"]) == {}
        assert rig.ledger.returns.known_orders(tx, WAREHOUSE, [(SHOP, "101"), ("other", "100"), (SHOP, "102")]) == {(SHOP, "101")}


def test_candidates_are_what_was_shipped_and_is_not_back(rig: Rig) -> None:
    shipped(rig, "100", ("A", 3), ("B", 1), tracking="1Z100")
    shipped(rig, "101", ("B", 2))
    with rig.ledger.transaction() as tx:
        rig.ledger.returns.enter(tx, [came(quantity=2)], "inbox")
        rig.ledger.returns.change(tx, came(), connection=SHOP, order_id="100", placed=[{"reference": "BC100", "number": 1, "units": 2, "grade": "", "no": 1}])
        found = {one["order_id"]: one for one in rig.ledger.returns.candidates(tx, WAREHOUSE, ["A"])}
        assert list(found) == ["100"] and found["100"]["left"] == {"A": 1, "B": 1}
        assert (found["100"]["tracking_numbers"], found["100"]["facilities"], found["100"]["references"]) == ({"1Z100"}, {"F1"}, {"BC100"})
        assert found["100"]["shipped_at"] == AT - timedelta(days=2)
        assert {one["order_id"] for one in rig.ledger.returns.candidates(tx, WAREHOUSE, ["A", "B"])} == {"100", "101"}
        assert len(rig.ledger.returns.candidates(tx, WAREHOUSE, ["B"], limit=1)) == 1


def test_an_announced_return_moves_only_from_the_state_it_is_in(rig: Rig) -> None:
    lines = [{"line_id": "L1", "sku": "A", "quantity": 1, "reference": "BC100"}]
    with rig.ledger.transaction() as tx:
        rig.ledger.returns.ask_rma(tx, SHOP, "R1", "100", WAREHOUSE, "F1", lines, "unwanted", "ann")
        assert not rig.ledger.returns.move_rma(tx, SHOP, "R1", CLOSED, APPROVED)
        assert rig.ledger.returns.move_rma(tx, SHOP, "R1", APPROVED, ASKED, "bob")
        assert not rig.ledger.returns.move_rma(tx, SHOP, "R1", APPROVED, ASKED, "eve")
        row = rig.ledger.returns.rma(tx, SHOP, "R1")
        assert (row.state, row.asked_by, row.decided_by, row.lines) == ("approved", "ann", "bob", lines)
        assert [one.rma for one in rig.ledger.returns.rmas(tx, ["R1", "R2"])] == ["R1"] == [one.rma for one in rig.ledger.returns.rmas_of(tx, SHOP, "100")]
    with pytest.raises(BadConfiguration), rig.ledger.transaction() as tx:
        rig.ledger.returns.ask_rma(tx, SHOP, "R1", "101", WAREHOUSE, "F1", lines, "", "ann")


def test_a_refund_is_news_once_and_again_when_its_payment_is_declined(rig: Rig) -> None:
    def see(*rows):
        with rig.ledger.transaction() as tx:
            return [(row["refund_id"], row["is_declined"]) for row in rig.ledger.returns.see_refunds(tx, list(rows))]

    assert see(refund(), refund("r2", declined=True)) == [("r1", False), ("r2", True)]
    assert see(refund(), refund("r2", declined=True)) == []
    assert see(refund(declined=True)) == [("r1", True)] and see(refund(declined=True)) == []
    with rig.ledger.transaction() as tx:
        assert [(row["refund_id"], row["is_declined"]) for row in rig.ledger.returns.refunds_of(tx, SHOP, "100")] == [("r1", True), ("r2", True)]


def test_payments_are_kept_as_they_are_shown_now(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.returns.see_payments(tx, [payment(settled=False)])
        rig.ledger.returns.see_payments(tx, [payment(), payment("p2", amount=5)])
        assert [(row["payment_id"], row["is_settled"]) for row in rig.ledger.returns.payments_of(tx, SHOP, "100")] == [("p1", True), ("p2", True)]


def test_a_period_is_half_open_and_has_its_columns_even_when_nothing_happened(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.returns.enter(tx, [came("RC1"), came("RC2", received_at=AT + timedelta(days=1))], "inbox")
        for document in ("RC1", "RC2"):
            rig.ledger.returns.change(tx, came(document), connection=SHOP, order_id="100")
        rig.ledger.returns.see_refunds(tx, [refund(), refund("r2", at=AT + timedelta(days=1))])
        period = rig.ledger.returns.period(tx, SHOP, AT, AT + timedelta(days=1))
        nothing = rig.ledger.returns.period(tx, SHOP, AT - timedelta(days=9), AT - timedelta(days=8))
    assert list(period["returns"]["document_id"]) == ["RC1"] and list(period["refunds"]["refund_id"]) == ["r1"]
    assert {name: list(frame.columns) for name, frame in nothing.items()} == {name: list(frame.columns) for name, frame in period.items()}


def test_only_a_persons_word_on_the_same_cause_stands(rig: Rig) -> None:
    def word(cause="c"):
        with rig.ledger.transaction() as tx:
            return rig.ledger.returns.decided_by(tx, "refund_over_cap", SHOP, "100", cause, "returns")

    for actor in ("returns", "ann"):
        with rig.ledger.transaction() as tx:
            rig.ledger.exceptions.open(tx, [Finding("refund_over_cap", SHOP, "100", "c", {})])
        assert word() == ""
        with rig.ledger.transaction() as tx:
            rig.ledger.exceptions.settle_cause(tx, "refund_over_cap", SHOP, "100", "c", actor, "looked")
    assert word() == "ann" and word("d") == ""


def _enter_and_count(number: int, url: str) -> int:
    ledger = open_ledger(url)
    with ledger.transaction() as tx:
        ledger.returns.lock(tx, SHOP, "100")
        before = len(ledger.returns.of_order(tx, SHOP, "100"))
        ledger.returns.enter(tx, [came(f"RC{number}")], "inbox")
        ledger.returns.change(tx, came(f"RC{number}"), connection=SHOP, order_id="100")
    ledger.close()
    return before


def test_what_several_processes_do_about_one_order_they_do_one_after_the_other(shared: Rig) -> None:
    assert sorted(in_processes(4, _enter_and_count, shared.url)) == [0, 1, 2, 3]
