"""Stock from the warehouse's folder to a marketplace's listings, by patches and by feeds, through the real connectors and their stand-ins."""

import pytest

from connectors.kit.sandbox import DELIVERED_TWICE
from deployments.demo_world import STOREFRONT, WAREHOUSE
from tests.journeys.amazon_shelf import MARKET, Marketplace
from tests.journeys.rig import LEASE, QUIET, Crash

STOCK = {"HEART": 40, "LANTERN": 8, "MUG": 100, "TRAY": 5}
PATCHES, FEED = 50, 1
by_either_way = pytest.mark.parametrize("patches", [PATCHES, FEED], ids=["patches", "feed"])


@pytest.fixture
def market(tmp_path):
    made = []

    def make(patches=PATCHES, stock=STOCK, **given) -> Marketplace:
        made.append(Marketplace(tmp_path / f"home{len(made)}", stock, patches, **given))
        return made[-1]

    yield make
    for rig in made:
        rig.house.close()


@by_either_way
def test_what_the_warehouse_states_is_listed_and_only_what_changes_is_told_again(market, patches):
    rig = market(patches)
    rig.states()
    assert rig.shelf() == STOCK and sorted(rig.told()) == sorted(STOCK) and rig.desk() == [] and not rig.errors
    rig.site.repeat_statement()
    rig.tells()
    rig.tells(sweep=True)
    assert sorted(rig.told()) == sorted(STOCK), "the same again is not told again"
    rig.site.adjust(rig.site_facility, {"MUG": -30})
    rig.tells()
    assert rig.told()[4:] == ["MUG"] and rig.shelf() == STOCK | {"MUG": 70} and rig.desk() == []
    assert bool(rig.market.books()["feeds"]) == (patches == FEED)


@by_either_way
def test_what_only_amazon_ships_is_never_told_and_what_is_refused_is_on_a_desk_by_name(market, patches):
    rig = market(patches, listings={"TRAY": {"channel": "AMAZON_EU"}, "MUG": {"lead_time": 4}})
    rig.market.shelf.refused["LANTERN"] = ("18748", "It needs approval.", ("fulfillment_availability",))
    rig.states()
    assert rig.shelf() == {"HEART": 40, "LANTERN": 0, "MUG": 100} and rig.desk() == [("rejected_by_storefront", "stock of LANTERN")]
    assert "18748" in rig.on_desk("rejected_by_storefront")[0].evidence["said"]
    assert rig.market.books()["stock"]["TRAY"] == {"AMAZON_EU": {}} and rig.market.books()["stock"]["MUG"]["DEFAULT"]["lead_time_to_ship_max_days"] == 4
    rig.market.shelf.refused.clear()
    rig.site.adjust(rig.site_facility, {"LANTERN": -1})
    rig.tells()
    assert rig.shelf()["LANTERN"] == 7 and rig.desk() == []


def test_a_listing_that_amazon_takes_over_between_two_runs_is_refused_and_never_doubled(market):
    rig = market(FEED)
    rig.states()
    rig.market.shelf.move_to_amazon("MUG")
    rig.site.adjust(rig.site_facility, {"MUG": -10, "HEART": -1, "TRAY": 1})
    rig.tells()
    assert rig.market.books()["stock"]["MUG"] == {"AMAZON_EU": {}} and rig.desk() == [("rejected_by_storefront", "stock of MUG")]
    assert (rig.shelf()["HEART"], rig.shelf()["TRAY"]) == (39, 6)


@by_either_way
def test_an_order_there_takes_its_units_at_once_and_none_is_sold_twice(market, patches):
    rig = market(patches)
    rig.states()
    rig.market.place_order([{"sku": "LANTERN", "quantity": 3, "price": "2.55"}])
    rig.passes(200)
    rig.site.adjust(rig.site_facility, {"LANTERN": -1, "HEART": -1})
    rig.tells()
    assert rig.shelf()["LANTERN"] == 4 and rig.market.books()["oversold"] == []


@pytest.mark.parametrize(("patches", "fault", "call"), [
    *((PATCHES, fault, "PATCH /listings/*") for fault in ("F3", "F4", "F5", DELIVERED_TWICE)),
    *((FEED, fault, "POST /feeds/*/feeds") for fault in ("F2", "F3", "F4", DELIVERED_TWICE)), (FEED, "F7", "PUT /documents/*"), (FEED, "F8", "GET /documents/*")])
def test_a_call_that_is_struck_ends_with_the_figures_that_hold(market, patches, fault, call):
    """A few of many: tests/connectors/test_amazon_feeds.py strikes every call with every fault."""
    rig = market(patches)
    rig.market.faults.add(fault, call, times=1)
    rig.states()
    for _ in range(2):
        rig.passes(QUIET + LEASE + 1)
        rig.tells()
    assert rig.market.faults.struck[fault] == 1 and rig.shelf() == STOCK and rig.desk() == [] and not rig.owed()


@by_either_way
def test_a_process_that_dies_after_a_call_or_a_commit_leaves_a_debt_and_never_another_figure(market, patches):
    """Once it knows what to tell: after every write that leaves the house, the making of a feed included, and after the first commit that follows it."""
    rig = market(patches, stock={"MUG": 100, "TRAY": 5})
    rig.site.state_stock()
    start, steps = rig.image(), []
    rig.goes_back_to(start)
    rig.watch.after.append(_counted(steps))
    rig.tells()
    assert sum(what.startswith("PATCH") for what in steps) == 2 if patches == PATCHES else "POST /feeds/2021-06-30/feeds" in steps
    near = [at for at in range(2, len(steps) + 1) if {steps[at - 2], steps[at - 1]} != {"commit"}]  # each call, and the first commit after it
    for at in near:
        rig.goes_back_to(start)
        rig.watch.after.append(_counted([], dies_at=at))
        with pytest.raises(Crash):
            rig.tells()
        rig.dies()
        for _ in range(2):
            rig.passes(QUIET + LEASE + 1)
            rig.tells()
        assert rig.shelf() == {"MUG": 100, "TRAY": 5} and rig.desk() == [] and not rig.owed(), steps[at - 1]
        assert len(rig.market.books()["feeds"]) == (patches == FEED) or steps[at - 1] in ("POST /feeds/2021-06-30/documents", "PUT"), "none is made twice"


def _counted(steps: list[str], dies_at: int = 0):
    """Notes the steps that change something, from the asking for the location to the end of what is told; dies after one of them."""
    began = []

    def note(what: str) -> None:
        if what.startswith("GET /sellers"):
            began.append(what)
        if began and what.split()[0] in ("PATCH", "POST", "PUT", "commit") and len(steps) < 14:
            steps.append(what)
            if len(steps) == dies_at:
                raise Crash(what)
    return note


def test_a_slow_feed_is_awaited_over_the_runs_and_what_changed_meanwhile_is_told_after_it(market):
    rig = market(FEED, feed_queue_seconds=600, feed_seconds=60)
    rig.states()
    assert rig.shelf() == dict.fromkeys(STOCK, 0) and len(rig.market.books()["feeds"]) == 1
    rig.site.adjust(rig.site_facility, {"MUG": -30, "HEART": -5})
    for _ in range(4):
        rig.passes(120)
        rig.tells()
    made = rig.market.books()["feeds"]
    assert len(made) == 2 and [feed["status"] for feed in made] == ["DONE", "IN_QUEUE"], "the first was waited for, and not made again"
    assert rig.shelf() == STOCK
    for _ in range(5):
        rig.passes(120)
        rig.tells()
    assert rig.shelf() == STOCK | {"MUG": 70, "HEART": 35} and len(rig.market.books()["feeds"]) == 2 and rig.desk() == []


def test_a_feed_whose_number_nobody_learned_is_waited_for_before_anything_newer_is_told(market):
    """F3 on createFeed: the older feed was processed after a newer figure had been told, and brought the older one back."""
    rig = market(FEED, feed_queue_seconds=600, feed_seconds=60)
    rig.market.faults.add("F3", "POST /feeds/*/feeds", times=1)
    rig.states()
    rig.site.adjust(rig.site_facility, {"MUG": -30})
    for _ in range(10):
        rig.passes(120)
        rig.tells()
    assert rig.shelf() == STOCK | {"MUG": 70} and rig.desk() == []
    assert [change["after"]["DEFAULT"]["quantity"] for change in rig.market.books()["stock_changes"] if change["sku"] == "MUG"] == [100, 70]


def test_a_write_that_was_lost_is_owed_again_and_what_a_person_typed_is_not(market):
    """An accepted patch that is never carried out is found by the sweep; a figure that a person typed is named and never overwritten in silence."""
    rig = market()
    rig.states()
    rig.site.adjust(rig.site_facility, {"MUG": -30})
    rig.market.shelf.to_lose = 1
    rig.tells()
    assert rig.shelf()["MUG"] == 100 and not rig.owed()
    rig.market.set_stock_by_hand("TRAY", 50)
    rig.passes(3600)
    rig.tells(sweep=True)
    assert rig.shelf() == STOCK | {"MUG": 70, "TRAY": 50} and "TRAY" not in rig.told()[5:]


def test_a_shop_and_a_marketplace_that_sell_from_one_shelf_both_learn_of_an_order_at_one_of_them(market):
    from tasks import mappings
    rig = market()
    rows = "".join(f"{name},{location},{WAREHOUSE},{rig.site_facility},100\n" for name, location in ((MARKET, "DEFAULT"), (STOREFRONT, "1")))
    mappings.change_mapping(rig.house, "stock_locations", f"connection,location,warehouse,facility,share_percent\n{rows}", "set-up")
    rig.states()
    rig.tells_of_stock(STOREFRONT)
    rig.orders(("LANTERN", 3))
    rig.passes(60)
    rig.tells_of_stock(STOREFRONT)
    rig.tells()
    assert rig.shelf()["LANTERN"] == 5 == rig.shown()["LANTERN"]
