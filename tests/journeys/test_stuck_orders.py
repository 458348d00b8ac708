"""Orders that will miss their collection are named before it leaves; feeds that stopped, too."""

from datetime import datetime, timedelta

from tasks import feeds, orders, stuck
from tests.journeys.rig import Rig

SHOP, SITE = "bigcommerce-uk", "gxo-uk"  # the rig's clock begins at 09:00 UTC, and parcels are collected at 15:00


def _watch(rig: Rig) -> dict[str, str]:
    return {row["order"]: row["stage"] for row in stuck.watch_stuck(rig.house, SHOP, SITE)}


def _until(rig: Rig, hour: float) -> None:
    at = rig.began.replace(hour=0) + timedelta(hours=hour)
    rig.passes((at - rig.clock.now()).total_seconds())


def test_every_way_to_be_stuck_is_named_near_the_cut_off_and_settled_when_it_ships(world):
    rig = world(acknowledge_seconds=12 * 3600)
    asked = str(rig.orders(("HEART", 1)))
    rig.sends_orders()
    rig.passes(5)
    rig.warehouse_works()  # has it, and answers in twelve hours
    rig.site.is_picking = False
    held = str(rig.orders(("NOSUCH", 1)))
    rig.reads_orders()
    unread = str(rig.orders(("MUG", 1)))
    assert _watch(rig) == {}, "six hours are left, and nobody has any experience"
    orders.take_in_orders(rig.house, SHOP)  # and the planning did not run
    _until(rig, 13.5)
    assert _watch(rig) == {asked: "unacknowledged", held: "not asked", unread: "not asked"}
    assert sorted(row.record for row in rig.on_desk("cutoff_at_risk")) == sorted([asked, unread]), "the held one is on a desk as sku_unknown"
    (one,) = [row for row in rig.on_desk("cutoff_at_risk") if row.record == asked]
    assert one.evidence["hours_left"] == 1.5 and one.evidence["collection"].endswith("15:00:00+00:00") and one.owner == "operations"
    assert _watch(rig) and len(rig.on_desk("cutoff_at_risk")) == 2, "the same risk opened twice"
    rig.site.is_picking = True
    rig.day()
    rig.passes(13 * 3600)
    rig.drains()
    assert _watch(rig) == {held: "not asked"}
    assert not rig.on_desk("cutoff_at_risk")
    settled = [row for row in rig.ledger.exceptions.listed(only_open=False) if row.type == "cutoff_at_risk"]
    assert {row.reason for row in settled} == {"It shipped, or need not ship any more."}


def test_a_warehouse_that_is_slow_these_days_is_told_hours_ahead_with_the_number_of_shipments_seen(world):
    rig = world()
    for _ in range(6):
        rig.orders(("MUG", 1))
    rig.sends_orders()
    rig.site.is_picking = False
    rig.passes(5)
    rig.warehouse_works()
    rig.passes(20 * 3600)
    rig.site.is_picking = True
    rig.drains()
    _until(rig, 24 * 2 + 9)
    order = str(rig.orders(("HEART", 1)))
    rig.sends_orders()
    (row,) = stuck.watch_stuck(rig.house, SHOP, SITE)
    assert (row["order"], row["shipments seen"]) == (order, 6) and 5.9 < row["hours left"] <= 6
    assert "expected ready at" in row["why"]


def test_a_request_that_never_left_us_is_not_sent(world):
    rig = world()
    order = str(rig.orders(("HEART", 1)))
    rig.reads_orders()
    _until(rig, 14)
    assert _watch(rig) == {order: "not sent"}


def test_a_feed_of_the_warehouse_that_stopped_is_an_exception_until_it_speaks(world):
    rig = world()
    rig.house.warehouse(SITE).silent_after_seconds = {"dispatches": 4 * 3600.0, "stock_levels": 3600.0}
    rig.orders(("HEART", 1))
    rig.sends_orders()
    rig.passes(5)
    rig.site.is_picking = False
    rig.warehouse_works()
    assert feeds.watch_feeds(rig.house, SITE) == []
    rig.passes(2 * 3600)
    assert [one.feed for one in feeds.watch_feeds(rig.house, SITE, ["dispatches"])] == []
    assert [one.feed for one in feeds.watch_feeds(rig.house, SITE)] == ["stock_levels"]
    rig.passes(3 * 3600)
    assert [one.feed for one in feeds.watch_feeds(rig.house, SITE)] == ["dispatches", "stock_levels"]
    assert sorted((row.record, row.owner) for row in rig.on_desk("feed_silent")) == [("dispatches", "data"), ("stock_levels", "data")]
    rig.site.is_picking = True
    rig.drains()
    feeds.watch_feeds(rig.house, SITE)
    assert [row.record for row in rig.on_desk("feed_silent")] == ["stock_levels"]


def test_orders_that_stop_are_told_by_their_own_rhythm_and_a_watermark_that_stands_still_tells_nothing(world):
    rig = world()
    for day in range(9):
        for minute in range(0, 480, 40):
            rig.shop.place_order([{"sku": "MUG", "name": "MUG", "quantity": 1, "price": "1", "product_id": 1}], [], status_id=7,
                                 placed_at=rig.began - timedelta(days=9 - day) + timedelta(minutes=minute))
    rig.reads_orders()
    assert feeds.watch_orders(rig.house, SHOP) == [], "sixteen hours without an order: the usual night"
    with rig.ledger.transaction() as tx:
        stands_at = rig.ledger.watermarks.read(tx, f"{SHOP} orders")
    rig.passes(5 * 3600)
    rig.reads_orders()
    with rig.ledger.transaction() as tx:
        assert rig.ledger.watermarks.read(tx, f"{SHOP} orders") == stands_at
    (silence,) = feeds.watch_orders(rig.house, SHOP)
    assert silence.why.endswith("brought 8, 8, 8, 8, 8, 8, 8") and rig.on_desk("feed_silent")[0].record == "orders"
    rig.orders(("MUG", 1))
    rig.reads_orders()
    assert feeds.watch_orders(rig.house, SHOP) == [] and not rig.on_desk("feed_silent")
    rig.passes(7200)
    (silence,) = feeds.watch_orders(rig.house, SHOP)
    assert "last read to its end" in silence.why and isinstance(silence.since, datetime)
