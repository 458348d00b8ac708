"""Marketplace and warehouse in bad weather: every call may fail in every way, a process may die anywhere, pages shift; a parcel is told once."""

import pytest

from connectors.kit.sandbox import (
    CONNECT_REFUSED, DELIVERED_TWICE, ERROR_AFTER, ERROR_BEFORE, GARBLED, LATE_COMMIT, PAGE_SHIFT, STALE_READ, THROTTLED, TIMEOUT_AFTER, TIMEOUT_BEFORE, TOKEN_EXPIRED,
)
from tests.journeys.rig import LEASE, MARKET, QUIET, Crash, Rig
from tests.journeys.test_crash_anywhere import Photographs

OF_READS = (CONNECT_REFUSED, TIMEOUT_BEFORE, THROTTLED, GARBLED, TOKEN_EXPIRED)
STRIKES = {"POST */shipmentConfirmation": (*OF_READS, TIMEOUT_AFTER, LATE_COMMIT, ERROR_BEFORE, ERROR_AFTER, DELIVERED_TWICE),
           "GET */orders/2026-01-01/orders": OF_READS[1:4], "GET */orders/2026-01-01/orders/*": OF_READS[2:], "POST /auth/o2/token": (TIMEOUT_AFTER, GARBLED)}


def _three(world, **given) -> tuple[Rig, list[str]]:
    """Two of ours with three parcels between them, and one of the marketplace's."""
    rig = world(markets={MARKET: {}}, **{"kinds": {"complete": 2, "packages": 1}, "seed": 7} | given)
    ours = [rig.market_orders(("HEART", 2), ("MUG", 1)), rig.market_orders(("LANTERN", 3))]
    rig.market_orders(("TRAY", 1), fulfilled_by="AMAZON")
    return rig, ours


def _wrong(rig: Rig, ours: list[str]) -> list[str]:
    """What the two sides' own books have against us."""
    found = []
    books = rig.markets[MARKET].books()
    for order, kept in books["orders"].items():
        copies = rig.at_warehouse(order)
        if order not in ours:
            found += [f"{order} is the marketplace's, and the warehouse has it"] if copies else []
            continue
        parcels = sorted(parcel["tracking"] for copy in copies for parcel in copy["parcels"])
        shown = rig.packages(order)
        if len(copies) != 1 or parcels != sorted(one["tracking_number"] for one in shown):
            found.append(f"{order}: {len(copies)} copies, parcels {parcels}, shown {shown}")
        if [int(one["number"]) for one in shown] != list(range(1, len(shown) + 1)) or kept["status"] != "SHIPPED":
            found.append(f"{order}: numbered {[one['number'] for one in shown]}, {kept['status']}")
    numbers: dict[tuple[str, str], set[str]] = {}
    for told in books["confirmations"]:
        numbers.setdefault((told["order_id"], told["number"]), set()).add(told["tracking_number"])
    return found + [f"{of} was told as {tracking}" for of, tracking in numbers.items() if len(tracking) > 1] + [f"on a desk: {one}" for one in rig.desk()]


def test_every_fault_on_every_call_ends_with_each_parcel_told_once(world):
    rig, ours = _three(world)
    start, wrong, missed = rig.image(), {}, []
    for call, fault in ((call, fault) for call, faults in STRIKES.items() for fault in faults):
        rig.goes_back_to(start)
        rig.markets[MARKET].faults.add(fault, on=call, times=1)
        rig.day()
        missed += [] if rig.markets[MARKET].faults.struck[fault] else [(call, fault)]
        rig.drains()
        found = _wrong(rig, ours)
        if found:
            wrong[call, fault] = found
    assert wrong == {} and missed == []


def test_a_process_that_dies_at_any_point_leaves_numbers_that_are_never_used_twice(world):
    rig, ours = _three(world)
    rig.sends_orders(MARKET)
    rig.warehouse_works()
    rig.passes(2)
    rig.warehouse_works()
    photographs = Photographs(rig)
    rig.tells_of_dispatches(MARKET)
    rig.watch.stop()
    assert len(photographs.different) > 12, len(photographs.different)
    wrong = {}
    for where, image in list(photographs.different.values())[::2]:
        rig.goes_back_to(image)
        rig.passes(QUIET + LEASE)
        rig.drains(rounds=6)
        found = _wrong(rig, ours)
        if found:
            wrong[where] = found
    assert wrong == {}


def test_pages_that_shift_and_old_states_that_are_shown_lose_no_order_and_double_none(world):
    rig = world(markets={MARKET: {}})
    ours = [rig.market_orders(("HEART", 1)) for _ in range(12)]
    rig.markets[MARKET].faults.add(PAGE_SHIFT, on="GET */orders", times=2)
    rig.markets[MARKET].faults.add(STALE_READ, on="GET */orders/0*", chance=0.3, times=10)
    for _ in range(4):
        rig.day()
        rig.passes(QUIET + LEASE + 1)
    rig.drains()
    assert _wrong(rig, ours) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_around_the_confirmation_tells_it_again_under_its_number(world, when):
    rig, ours = _three(world)
    deaths = []

    def die(what: str) -> None:
        if what.endswith("shipmentConfirmation") and len(deaths) < 2:
            deaths.append(what)
            raise Crash(what)

    for _ in range(4):
        getattr(rig.watch, when).append(die)
        try:
            rig.day()
        except Crash:
            rig.dies()
        rig.passes(QUIET + LEASE + 1)
    rig.drains()
    assert len(deaths) == 2 and _wrong(rig, ours) == []
