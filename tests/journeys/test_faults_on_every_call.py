"""Each call that leaves the house, struck by each fault; then all is healed, drained, and must hold."""

import pytest

from connectors.kit.errors import InDoubt, NotNow
from connectors.kit.sandbox import DELIVERED_TWICE
from tests.journeys.rig import LEASE, QUIET, Rig

SHOP_FAULTS = ("F1", "F2", "F3", "F5", "F6", "F7", "F8", "F10", "F11")
QUIET_AND_LEASE = QUIET + LEASE + 1


def _shipped(world, *lines, **given) -> Rig:
    """Orders that the warehouse has shipped, and of which the shop knows nothing yet."""
    rig = world(kinds={"packages": 1}, **given)
    for line in lines:
        rig.orders(*line)
    rig.sends_orders()
    rig.passes(5)
    for _ in range(2):
        rig.warehouse_works()
        rig.passes(60)
    return rig


def _tells_until_done(rig: Rig) -> None:
    for _ in range(8):
        rig.tells_of_dispatches()
        rig.warehouse_works()
        rig.passes(QUIET_AND_LEASE)
        if rig.is_at_rest():
            break
    rig.tells_of_dispatches()
    rig.sends_orders()


def test_every_call_to_the_shop_struck_by_every_fault_ends_as_if_nothing_had_been(world):
    rig = _shipped(world, [("HEART", 2), ("POST", 1)], [("MUG", 1)])
    start = rig.image()
    _tells_until_done(rig)
    expected, calls = rig.outcome(), [call for call in dict.fromkeys(rig.watch.calls) if call.startswith(("GET /orders/100", "POST /orders/100", "PUT"))]
    assert expected["emails"] == 3 and len(calls) >= 4 and rig.violations() == []
    struck = set()
    for fault in SHOP_FAULTS:
        for call in calls:
            if fault == DELIVERED_TWICE and call.startswith("POST"):
                continue  # the documented residue: its own test below
            rig.goes_back_to(start)
            method, path = call.split()
            rig.shop.faults.add(fault, f"{method} */v2{path}", times=1)
            _tells_until_done(rig)
            struck.update((fault, call) for _ in range(rig.shop.faults.struck[fault]))
            rig.heals()
            _tells_until_done(rig)
            assert rig.outcome() == expected and rig.violations() == [], (fault, call)
    assert len(struck) >= len(SHOP_FAULTS) * len(calls) - 3


@pytest.mark.parametrize("fault", SHOP_FAULTS)
def test_a_list_of_orders_that_does_not_come_loses_no_order(world, fault):
    rig = world()
    for _ in range(6):
        rig.orders(("HEART", 1))
        rig.passes(1)
    rig.shop.faults.add(fault, "GET */orders", chance=0.7)
    for _ in range(3):
        rig.reads_orders()
        rig.passes(30)
    assert rig.shop.faults.struck[fault] > 1
    rig.drains()
    assert rig.violations() == [] and len(rig.site.books()["orders"]) == 6


def test_a_shipment_that_a_proxy_delivers_twice_is_noticed_where_the_shop_cannot_refuse_it(world):
    rig = _shipped(world, [("HEART", 4)])
    rig.shop.faults.add(DELIVERED_TWICE, "POST */shipments", times=1)
    for _ in range(12):
        rig.tells_of_dispatches()
        rig.passes(QUIET_AND_LEASE + 1800)
    assert len(rig.shipments(100)) == 2 and rig.violations()
    assert rig.desk() == [("rejected_by_storefront", "100")], "nobody was told"
    assert len(rig.shop.books()["emails"]) == 2


def test_a_shipment_that_a_proxy_delivers_twice_is_one_shipment_where_the_line_is_whole(world):
    rig = _shipped(world, [("HEART", 1)])
    rig.shop.faults.add(DELIVERED_TWICE, "POST */shipments", times=1)
    rig.drains()
    assert len(rig.shipments(100)) == 1 and rig.violations() == [] and rig.desk() == []


def test_a_shipment_that_lands_after_we_gave_up_is_waited_for_and_not_made_again(world):
    """On a line of which only a part has left: there the shop cannot refuse the second one."""
    rig = world(kinds={"partial": 1})
    order = rig.orders(("HEART", 4))
    rig.sends_orders()
    rig.passes(5)
    rig.warehouse_works()
    rig.shop.faults.late_seconds = QUIET - 10
    rig.shop.faults.add("F4", "POST */shipments", times=1)
    for _ in range(7):
        rig.tells_of_dispatches()
        rig.passes(25)
    rig.tells_of_dispatches()
    assert rig.shop.faults.struck["F4"] == 1 and len(rig.shipments(order)) == 1
    rig.drains()
    assert len(rig.shipments(order)) == 2 and len(rig.shop.books()["emails"]) == 2 and rig.violations() == []


FILE_FAULTS = {"refused": ("before", "write", NotNow), "cut off while writing": ("after", "write", NotNow), "no answer before the rename": ("before", "rename", InDoubt),
               "no answer after the rename": ("after", "rename", InDoubt), "refused at the rename": ("before", "rename", NotNow)}


@pytest.mark.parametrize("what", FILE_FAULTS)
def test_a_file_that_does_not_get_through_at_once_is_at_the_warehouse_once_in_the_end(world, what):
    when, call, error = FILE_FAULTS[what]
    rig = world()
    rig.orders(("HEART", 1))
    rig.orders(("MUG", 1))
    files = []

    def strikes(seen: str) -> None:
        if seen.startswith(f"{call} inbound") and len(files) < 4:
            files.append(seen)
            raise error("putting a file", "struck")

    getattr(rig.watch, when).append(strikes)
    for _ in range(8):
        rig.day()
        rig.passes(QUIET_AND_LEASE)
    rig.drains()
    assert len(files) >= 3 and rig.violations() == [] and len(rig.site.books()["orders"]) == 2
    assert all(len(copies) == 1 for copies in rig.site.books()["orders"].values())
    controls = [one["control"] for one in rig.site.books()["received"]]
    assert len(controls) == len(set(controls))


@pytest.mark.parametrize("call", ["list outbound", "fetch outbound", "rename outbound", "look archive", "fetch /items.csv"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_folder_that_is_away_for_a_while_costs_nothing(world, call, when):
    rig = world(kinds={"packages": 1})
    rig.orders(("HEART", 2))
    struck = []

    def strikes(seen: str) -> None:
        if seen.startswith(call) and len(struck) < 3:
            struck.append(seen)
            raise NotNow("looking at a folder", "it is away")

    getattr(rig.watch, when).append(strikes)
    for _ in range(4):
        rig.day()
        rig.passes(QUIET_AND_LEASE)
    rig.drains()
    assert rig.violations() == [] and rig.desk() == [] and len(rig.shipments(100)) == 2
    assert struck or call == "look archive"
