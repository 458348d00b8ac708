"""Announced returns: nothing reaches the warehouse before a person has approved, and goods that come first wait for him (R4)."""

import pytest

from connectors.kit.errors import BadConfiguration
from deployments.demo_world import STOREFRONT, UK_FACILITY, WAREHOUSE
from tasks import mappings
from tasks.returns import ask_return, decide_rma
from tasks.rmas import announced, authorise_return_of
from tests.journeys.rig import Rig

WITH_RMA = f"connection,warehouse,grade,refund_percent,disposition,needs_rma\n*,{WAREHOUSE},*,100,restock,yes\n"


@pytest.fixture
def shipped(world):
    """An order that the customer has got, and rules that want every return authorised."""
    rig = world(acknowledge_seconds=0)
    mappings.change_mapping(rig.house, "return_rules", WITH_RMA, "set-up")
    order = rig.orders(("HEART", 4), ("MUG", 2))
    rig.drains()
    return rig, order


def _ask(rig: Rig, order: int, lines: str, approve: bool = False) -> str:
    (number,) = ask_return(rig.house, STOREFRONT, str(order), f"sku,quantity\n{lines}", "unwanted", "ann", approve)
    return number


def _notices(rig: Rig):
    return {number: (notice["facility"], notice["copies"], [(line["sku"], line["quantity"]) for line in notice["lines"]])
            for number, notice in rig.site.books()["notices"].items()}


def test_the_warehouse_hears_of_a_return_when_it_is_approved_and_not_before(shipped):
    rig, order = shipped
    number = _ask(rig, order, "HEART,2\nMUG,1")
    rig.settles_returns()
    rig.warehouse_works()
    assert number == f"RUK{order}-1" and _notices(rig) == {} and not (rig.ledger.table("effect")["kind"] == "return_notice").any()
    decide_rma(rig.house, STOREFRONT, number, True, "bob", "within 30 days")
    for _ in range(2):
        rig.handles_returns()
        rig.warehouse_works()
    assert _notices(rig) == {number: (UK_FACILITY, 1, [("HEART", 2), ("MUG", 1)])}


def test_a_return_under_its_number_is_refunded_and_closed_when_all_has_come(shipped):
    rig, order = shipped
    number = _ask(rig, order, "HEART,2", approve=True)
    rig.handles_returns()
    rig.warehouse_works()
    rig.customer_returns(order, ("HEART", 1, "A"), reference="", rma=number)
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255] and announced(rig.house, STOREFRONT, str(order))[0]["state"] == "approved"
    rig.customer_returns(order, ("HEART", 1, "A"), reference="", rma=number)
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255, 255] and announced(rig.house, STOREFRONT, str(order))[0]["state"] == "closed"
    assert set(rig.ledger.table("return_line")["matched_by"]) == {"rma"} and rig.desk() == []


def test_goods_that_nobody_announced_wait_for_a_decision_and_one_approval_frees_the_parcel(shipped):
    rig, order = shipped
    rig.customer_returns(order, ("HEART", 2, "A"), ("MUG", 1, "A"))
    rig.settles_returns()
    rig.settles_returns()
    (held,) = rig.on_desk("rma_not_approved")
    assert rig.refunds(order) == [] and [(line["sku"], line["quantity"]) for line in held.evidence["lines"]] == [("HEART", 2), ("MUG", 1)]
    decide_rma(rig.house, STOREFRONT, held.evidence["rma"], True, "ann", "fine")
    rig.settles_returns()
    rig.warehouse_works()
    assert [refund["minor"] for refund in rig.refunds(order)] == [765] and rig.desk() == [] and _notices(rig) == {}
    assert [(one["state"], one["decided by"]) for one in announced(rig.house, STOREFRONT, str(order))] == [("closed", "ann")]


def test_a_refused_return_is_never_refunded(shipped):
    rig, order = shipped
    rig.customer_returns(order, ("HEART", 1, "A"))
    rig.settles_returns()
    decide_rma(rig.house, STOREFRONT, rig.on_desk("rma_not_approved")[0].evidence["rma"], False, "ann", "worn")
    rig.settles_returns()
    assert rig.refunds(order) == [] and rig.desk() == [] and list(rig.ledger.table("return_line")["state"]) == ["settled"]


def test_goods_that_come_after_their_return_was_refused_are_on_a_desk(shipped):
    rig, order = shipped
    number = _ask(rig, order, "HEART,1")
    decide_rma(rig.house, STOREFRONT, number, False, "bob", "too late")
    rig.customer_returns(order, ("HEART", 1, "A"), rma=number)
    rig.settles_returns()
    rig.settles_returns()
    (held,) = rig.on_desk("return_unexpected")
    assert "refused by bob" in held.evidence["why"] and held.count == 1 and rig.refunds(order) == []


def test_more_than_was_announced_waits_for_a_decision_of_its_own(shipped):
    rig, order = shipped
    number = _ask(rig, order, "HEART,1", approve=True)
    rig.customer_returns(order, ("HEART", 3, "A"), rma=number)
    rig.settles_returns()
    (held,) = rig.on_desk("rma_not_approved")
    assert [refund["minor"] for refund in rig.refunds(order)] == [255] and [line["quantity"] for line in held.evidence["lines"]] == [2]
    decide_rma(rig.house, STOREFRONT, held.evidence["rma"], True, "ann", "fine")
    rig.settles_returns()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255, 510] and rig.desk() == []


def test_goods_that_come_while_the_decision_is_open_are_refunded_when_it_is_made(shipped):
    rig, order = shipped
    number = _ask(rig, order, "HEART,1")
    rig.customer_returns(order, ("HEART", 1, "A"), rma=number)
    rig.settles_returns()
    assert [row.evidence["rma"] for row in rig.on_desk("rma_not_approved")] == [number] and rig.refunds(order) == []
    decide_rma(rig.house, STOREFRONT, number, True, "bob", "fine")
    rig.settles_returns()
    rig.warehouse_works()
    assert [refund["minor"] for refund in rig.refunds(order)] == [255] and rig.desk() == [] and _notices(rig) == {}


def test_a_reference_and_a_return_number_of_two_orders_are_for_a_person(shipped):
    rig, order = shipped
    other = rig.orders(("HEART", 1))
    rig.drains()
    number = _ask(rig, order, "HEART,1", approve=True)
    rig.customer_returns(other, ("HEART", 1, "A"), rma=number)
    rig.settles_returns()
    (held,) = rig.on_desk("return_unmatched")
    assert f"order {order}" in held.evidence["why"] and {one["order_id"] for one in held.evidence["candidates"]} == {str(order), str(other)}


@pytest.mark.parametrize(("lines", "why"), [
    ("HEART,5", "5 asked for, 4 were shipped"), ("LANTERN,1", "not on the order"), ("HEART,x", "a whole number"), ("", "it lists nothing"),
])
def test_no_more_can_be_asked_for_than_was_shipped(shipped, lines, why):
    rig, order = shipped
    with pytest.raises(BadConfiguration, match=why):
        _ask(rig, order, lines)
    assert announced(rig.house, STOREFRONT, str(order)) == []


def test_what_is_announced_already_cannot_be_announced_again(shipped):
    rig, order = shipped
    assert [_ask(rig, order, "HEART,3"), _ask(rig, order, "HEART,1")] == [f"RUK{order}-1", f"RUK{order}-2"]
    with pytest.raises(BadConfiguration, match="neither back nor announced"):
        _ask(rig, order, "HEART,1")
    decide_rma(rig.house, STOREFRONT, f"RUK{order}-1", False, "bob", "no")
    assert not (rig.ledger.table("effect")["kind"] == "return_notice").any()
    assert _ask(rig, order, "HEART,3") == f"RUK{order}-3"


def test_a_return_is_decided_once_with_a_name_and_a_reason(shipped):
    rig, order = shipped
    number = _ask(rig, order, "HEART,1")
    with pytest.raises(BadConfiguration, match="no name or no reason"):
        decide_rma(rig.house, STOREFRONT, number, True, "bob", " ")
    decide_rma(rig.house, STOREFRONT, number, True, "bob", "fine")
    with pytest.raises(BadConfiguration, match="approved already"):
        decide_rma(rig.house, STOREFRONT, number, False, "eve", "no")
    with pytest.raises(BadConfiguration, match="no return of this number"):
        decide_rma(rig.house, STOREFRONT, "R9", True, "bob", "fine")
    assert len(rig.ledger.table("effect")[rig.ledger.table("effect")["kind"] == "return_notice"]) == 1


def test_a_form_that_says_two_things_at_once_is_refused():
    for csv, decision, rma in (("", "approve", ""), ("sku,quantity\nA,1", "approve", "R1"), ("", "ask only", "R1"), ("sku,quantity\nA,1", "refuse", "")):
        with pytest.raises(BadConfiguration, match="neither what comes back nor which"):
            authorise_return_of.fn(STOREFRONT, "100", csv, "unwanted", "ann", decision, rma)
