"""Stock from the warehouse's folder to the shop's shelves, through the real connectors and their stand-ins."""

import pytest

from connectors.kit.sandbox import DELIVERED_TWICE, FEED_SILENT, FIGURES_ABSURD, ROWS_LOST, SKU_STRANGE
from deployments.demo_world import EU_FACILITY, UK_FACILITY
from tasks import desk
from tests.journeys.rig import LEASE, QUIET, Crash, Rig

STOCK = {UK_FACILITY: {"HEART": 40, "LANTERN": 8, "MUG": 100, "TRAY": 5}}
MANY = {UK_FACILITY: {f"S{n:03}": 10 + n for n in range(40)}}
SHOP_FAULTS = ("F1", "F2", "F3", "F5", "F6", "F7", "F8", "F10", DELIVERED_TWICE)


def _stocked(world, stock=None, **more) -> Rig:
    """A shop that shows what the warehouse stated."""
    rig = world(stock=stock or STOCK, **more)
    _states(rig)
    return rig


def _states(rig: Rig, **how) -> None:
    """The warehouse states its stock, we tell the shop, and the shop has got round to it."""
    rig.site.state_stock(**how)
    rig.tells_of_stock()
    rig.passes(60)


def test_what_the_warehouse_states_is_shown_and_the_same_again_writes_nothing(world):
    rig = _stocked(world, {**STOCK, EU_FACILITY: {"HEART": 3}})
    assert rig.shown() == STOCK[UK_FACILITY] and rig.shown(2) == {"HEART": 3} and not rig.errors
    writes = len(rig.shop.books()["stock_writes"])
    rig.site.repeat_statement()
    _states(rig)
    rig.tells_of_stock(sweep=True)
    assert len(rig.shop.books()["stock_writes"]) == writes and rig.desk() == []


def test_receipts_and_counts_show_at_once_and_the_next_statement_does_not_count_them_twice(world):
    rig = _stocked(world)
    rig.site.receive(UK_FACILITY, [("TRAY", 20)])
    rig.passes(60)
    rig.site.adjust(UK_FACILITY, {"LANTERN": -3})
    rig.tells_of_stock()
    rig.passes(60)
    assert (rig.shown()["TRAY"], rig.shown()["LANTERN"]) == (25, 5)
    _states(rig)
    assert (rig.shown()["TRAY"], rig.shown()["LANTERN"]) == (25, 5)


def test_an_order_takes_its_units_from_its_placing_to_its_dispatch_and_never_twice(world):
    """Ordered, asked, seen by the warehouse, shipped; a statement at every stage. The units are gone from the first moment to the last."""
    rig = _stocked(world)
    rig.orders(("HEART", 4))
    for step in (lambda: None, rig.reads_orders, rig.sends_orders, rig.warehouse_works, rig.tells_of_dispatches, rig.warehouse_works, rig.tells_of_dispatches):
        step()
        rig.passes(90)
        rig.tells_of_stock()
        rig.passes(90)
        assert rig.shown()["HEART"] == 36, step
        _states(rig)
        assert rig.shown()["HEART"] == 36, step
    assert rig.shop.books()["oversold"] == []


def test_statements_that_come_late_and_in_another_order_change_nothing_that_is_newer(world):
    rig = _stocked(world)
    rig.site.state_stock(late_seconds=600)
    rig.passes(60)
    rig.site.adjust(UK_FACILITY, {"MUG": -30})
    rig.passes(60)
    _states(rig)
    assert rig.shown()["MUG"] == 70
    rig.passes(600)
    rig.warehouse_works()
    rig.tells_of_stock()
    rig.passes(60)
    assert rig.shown()["MUG"] == 70 and not rig.waiting_files()


@pytest.mark.parametrize(("fault", "kind", "how_many"), [(ROWS_LOST, "feed_shrank", 1), (FIGURES_ABSURD, "stock_absurd", 2), (SKU_STRANGE, "stock_sku_unknown", 1)])
def test_what_a_site_states_by_mistake_is_on_a_desk_and_never_shown(world, fault, kind, how_many):
    rig = _stocked(world, MANY)
    before = rig.shown()
    rig.passes(60)
    rig.site.faults.add(fault, "STATE *", times=1)
    _states(rig)
    assert rig.shown() == before and [row[0] for row in rig.desk()] == [kind] * how_many
    rig.passes(60)
    _states(rig)
    assert rig.shown() == before and ([] if fault != SKU_STRANGE else rig.desk()) == rig.desk()


def test_a_person_who_believes_a_shrunk_statement_has_it_entered(world):
    rig = _stocked(world, MANY)
    before = rig.shown()
    rig.passes(60)
    rig.site.faults.add(ROWS_LOST, "STATE *", times=1)
    _states(rig)
    (row,) = rig.on_desk("feed_shrank")
    answers = desk.resolve(rig.house, row.exception_id, "believe it", "ann", "half of it moved to the other hall").answers
    assert [answer.outcome for answer in answers] == ["resolved"]
    rig.tells_of_stock()
    rig.passes(60)
    assert sum(rig.shown().values()) < sum(before.values()) and rig.on_desk("feed_shrank") == []


def test_a_feed_that_falls_silent_is_an_exception_and_not_a_zero(world):
    rig = _stocked(world, partner={"silent_after_seconds": {"stock_levels": 3600}})
    rig.site.faults.add(FEED_SILENT, "STATE *", times=9)
    for _ in range(3):
        rig.passes(1800)
        _states(rig)
    assert rig.shown() == STOCK[UK_FACILITY] and [row[0] for row in rig.desk()] == ["feed_silent"]
    rig.site.faults.clear()
    _states(rig)
    assert rig.desk() == []


def test_every_call_to_the_shop_struck_by_every_fault_ends_with_the_figures_that_hold(world):
    rig = _stocked(world)
    rig.passes(60)
    rig.site.adjust(UK_FACILITY, {"MUG": -30, "TRAY": 7})
    start, write = rig.image(), "PUT */inventory/adjustments/absolute"
    for fault, call in [*((fault, write) for fault in SHOP_FAULTS), ("F6", "GET */orders"), ("F8", "GET */inventory/locations")]:
        rig.goes_back_to(start)
        rig.shop.faults.add(fault, call, times=1)
        for _ in range(2):
            rig.tells_of_stock()
            rig.passes(QUIET + LEASE + 1)
        assert rig.shop.faults.struck[fault] == 1, (fault, call)
        rig.tells_of_stock()
        rig.passes(60)
        assert (rig.shown()["MUG"], rig.shown()["TRAY"]) == (70, 12), (fault, call)
        assert rig.desk() == [], (fault, call)


def test_a_process_that_dies_between_any_two_steps_leaves_a_debt_and_never_another_figure(world):
    """After each commit and each call that leaves the house. (Before each is after the one before.)"""
    rig = _stocked(world)
    rig.passes(60)
    rig.orders(("HEART", 2))
    rig.site.adjust(UK_FACILITY, {"MUG": -30})
    rig.passes(60)
    rig.site.state_stock()
    start, steps = rig.image(), []
    rig.watch.after.append(steps.append)
    rig.tells_of_stock()
    changing = [at for at, what in enumerate(steps) if what.split()[0] not in ("GET", "list", "look", "fetch")]  # a reading call leaves what was before it
    assert len(changing) > 12
    for at in changing:
        rig.goes_back_to(start)
        left = iter(range(at))

        def die(what: str, left=left) -> None:
            if next(left, None) is None:
                raise Crash(what)

        rig.watch.after.append(die)
        with pytest.raises(Crash):
            rig.tells_of_stock()
        rig.dies()
        rig.passes(QUIET + LEASE + 1)
        rig.tells_of_stock()
        rig.passes(QUIET)
        assert (rig.shown()["MUG"], rig.shown()["HEART"]) == (70, 38) and rig.desk() == [], steps[at]


def test_two_shops_that_sell_from_one_shelf_both_learn_of_an_order_at_one_of_them(world):
    accounts = ("bigcommerce-uk", "bigcommerce-us")
    rig = world(stock=STOCK, accounts=accounts)
    rig.site.state_stock()
    for shop in accounts:
        rig.tells_of_stock(shop)
    rig.orders(("LANTERN", 3), shop=accounts[1])
    for shop in reversed(accounts):
        rig.passes(60)
        rig.tells_of_stock(shop)
    rig.passes(60)
    assert {shop: rig.shops[shop].books()["stock"][1]["LANTERN"]["on_hand"] for shop in accounts} == dict.fromkeys(accounts, 5)
