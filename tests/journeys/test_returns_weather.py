"""Refunds in bad weather: struck calls, dying processes, stale answers, every file and every run twice. One return is one refund."""

import itertools

import pytest

from connectors.kit.sandbox import STALE_READ
from deployments.demo_world import STOREFRONT, WAREHOUSE
from tasks import mappings
from tests.journeys.rig import LEASE, QUIET, Crash, Rig
from tests.journeys.test_crash_anywhere import Photographs

RULES = f"connection,warehouse,grade,refund_percent,disposition,needs_rma\n*,{WAREHOUSE},A,100,restock,no\n*,{WAREHOUSE},B,50,keep apart,no\n"
FAULTS = ("F1", "F2", "F3", "F5", "F6", "F7", "F8", "F10", "F11")
CALLS = ("POST */refund_quotes", "POST */refunds", "GET */transactions*", "GET */payment_actions/refunds*")


def _came_back(world) -> Rig:
    """Two orders that were shipped; of the first, two parcels came back, of the second one and a little too much."""
    rig = world()
    mappings.change_mapping(rig.house, "return_rules", RULES, "set-up")
    first, second = rig.orders(("HEART", 4, {"price": "2.60"})), rig.orders(("MUG", 1), ("TRAY", 1))
    rig.drains()
    rig.customer_returns(first, ("HEART", 1, "A"))
    rig.customer_returns(first, ("HEART", 1, "B"))
    rig.customer_returns(second, ("MUG", 2, "A"))
    return rig


def _outcome(rig: Rig):
    lines = sorted((row.document_id, row.state, row.order_id, row.storefront_quantity, row.disposition) for row in rig.ledger.table("return_line").itertuples())
    return {order: sorted(str(refund) for refund in rig.refunds(order)) for order in (100, 101)}, rig.desk(), lines


EXPECTED_MINOR = {100: [130, 260], 101: [255]}


def _minor(rig: Rig):
    return {order: sorted(refund["minor"] for refund in rig.refunds(order)) for order in (100, 101)}


def test_every_call_about_money_struck_by_every_fault_ends_as_if_nothing_had_been(world):
    rig = _came_back(world)
    start = rig.image()
    rig.settles_returns()
    expected = _outcome(rig)
    assert _minor(rig) == EXPECTED_MINOR and expected[1] == [("return_unexpected", "101")]
    for fault, call in itertools.product(FAULTS, CALLS):
        rig.goes_back_to(start)
        rig.shop.faults.add(fault, call, times=1)
        rig.handles_returns()
        struck = rig.shop.faults.struck[fault]
        rig.settles_returns()
        assert struck == 1 and _outcome(rig) == expected, (fault, call, _outcome(rig))


def test_a_refund_whose_answer_was_lost_is_found_and_not_made_again_even_when_the_list_is_stale(world):
    rig = _came_back(world)
    rig.shop.faults.add("F3", "POST */refunds", times=1)
    rig.handles_returns()
    rig.heals()
    rig.shop.faults.add(STALE_READ, "GET */payment_actions/refunds*", times=2)
    for _ in range(8):
        rig.passes(QUIET + LEASE + 1)
        rig.handles_returns()
    rig.settles_returns()
    assert _minor(rig) == EXPECTED_MINOR and rig.desk() == [("return_unexpected", "101")]
    with rig.ledger.transaction() as tx:
        told = [row.what for row in rig.ledger.timeline.of(tx, STOREFRONT, "100")] + [row.what for row in rig.ledger.timeline.of(tx, STOREFRONT, "101")]
    assert "refund in doubt" in told and "refund found" in told


def test_a_process_that_dies_at_any_point_refunds_once_and_forgets_nothing(world):
    rig = _came_back(world)
    start = rig.image()
    photographs = Photographs(rig)
    for run in ("first run", "second run"):
        photographs.step = run
        rig.handles_returns()
        rig.passes(QUIET + LEASE)
    rig.settles_returns()
    expected = _outcome(rig)
    assert _minor(rig) == EXPECTED_MINOR and len(photographs.different) > 40, len(photographs.different)
    wrong = {}
    for where, image in [("the start", start), *photographs.different.values()]:
        rig.goes_back_to(image)
        rig.passes(QUIET + LEASE)
        rig.settles_returns()
        if _outcome(rig) != expected or rig.errors:
            wrong[where] = _outcome(rig), [str(error) for error in rig.errors]
    assert wrong == {}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["POST /orders/100/payment_actions/refunds", "POST /orders/100/payment_actions/refund_quotes"])
def test_a_process_that_is_killed_around_a_refund_leaves_a_doubt_that_is_read_back(world, when, what):
    rig = _came_back(world)
    deaths = []

    def die(seen: str) -> None:
        if seen == what and not deaths:
            deaths.append(seen)
            raise Crash(seen)

    getattr(rig.watch, when).append(die)
    with pytest.raises(Crash):
        rig.handles_returns()
    rig.dies()
    rig.settles_returns()
    assert deaths and _minor(rig) == EXPECTED_MINOR


def test_the_parcels_in_another_order_and_everything_twice_refund_the_same_units(world):
    rig = _came_back(world)
    start = rig.image()
    rig.settles_returns()
    units = {order: sum(sum(refund["lines"].values()) for refund in rig.refunds(order)) for order in (100, 101)}
    rig.goes_back_to(start)
    files = {name: body for name, body in rig.waiting_files().items() if b"ST*944" in body}
    for name in files:
        (rig.home / "partner" / rig.site_profile.from_partner / name).unlink()
    for place, (name, body) in enumerate(reversed(list(files.items()))):
        rig.arrives(name, body)
        rig.handles_returns()
        rig.arrives(f"again_{place}.edi", body)
        rig.arrives(f"anew_{place}.edi", body.replace(body[90:99], f"00000999{place}".encode()))
        rig.handles_returns()
        rig.handles_returns()
    rig.settles_returns()
    assert {order: sum(sum(refund["lines"].values()) for refund in rig.refunds(order)) for order in (100, 101)} == units == {100: 2, 101: 1}
    assert rig.desk() == [("return_unexpected", "101")] and list(rig.ledger.table("inbox")["state"]).count("duplicate") == 6


def test_two_shops_with_orders_of_one_number_are_told_apart_or_left_to_a_person(world):
    rig = world(accounts=(STOREFRONT, "bigcommerce-de"))
    mappings.change_mapping(rig.house, "return_rules", RULES, "set-up")
    orders = [rig.orders(("HEART", 1), shop=shop, number=500) for shop in rig.shops]
    rig.drains()
    references = sorted(rig.site.books()["orders"])
    assert orders == [500, 500] and len(references) == 2
    rig.site.receive_return(references[0], [("HEART", 1, "A")])
    rig.site.receive_return("500", [("HEART", 1, "A")])
    for shop in rig.shops:
        rig.handles_returns(shop)
    assert [len(shop.books()["refunds"]) for shop in rig.shops.values()] == [0, 1]
    (held,) = rig.on_desk("return_unmatched")
    assert "2 orders" in held.evidence["why"]
