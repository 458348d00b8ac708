"""Bad answers, an hour away, a clock that jumps, a locked ledger, one bad order: nothing is lost."""

import sqlite3

import httpx
import pytest

from connectors.kit.errors import NotNow
from tasks import orders
from tasks.restore import take_up_again
from tests.journeys.rig import ADA, STOREFRONT, Rig


def _answers(rig: Rig, response) -> None:
    """From now on the shop's front door says this to whoever asks for orders."""
    inner = rig.transports[STOREFRONT]._inner

    class Door(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return response() if request.url.path.endswith("/orders") else inner.handle_request(request)

    rig.transports[STOREFRONT]._inner = Door()
    rig.reopens = lambda: setattr(rig.transports[STOREFRONT], "_inner", inner)


@pytest.mark.parametrize("response", [
    lambda: httpx.Response(200, headers={"content-type": "text/html"}, content=b"<html>Canaryton, please log in</html>"),
    lambda: httpx.Response(503, json=[]), lambda: httpx.Response(200, json={"orders": []}), lambda: httpx.Response(200, content=b""),
    lambda: httpx.Response(200, json=[None, 3])], ids=["HTML", "an empty page with 503", "an object", "nothing", "no orders in the list"])
def test_an_answer_that_is_no_list_of_orders_is_an_error_and_never_no_orders(world, response):
    rig = world()
    _answers(rig, response)
    rig.orders(("HEART", 1))
    rig.passes(7200)
    rig.reads_orders()
    with rig.ledger.transaction() as tx:
        assert rig.ledger.watermarks.read(tx, f"{STOREFRONT} orders") is None or rig.desk()
    assert rig.errors or rig.desk()
    rig.reopens()
    rig.drains()
    assert len(rig.at_warehouse(100)) == 1


def test_a_shop_that_is_away_for_an_hour_loses_nothing_and_what_is_owed_to_the_warehouse_still_goes(world):
    rig = world(kinds={"packages": 1})
    before = rig.orders(("HEART", 2))
    rig.reads_orders()
    rig.shop.faults.add("F1")
    for _ in range(6):
        rig.orders(("MUG", 1))
        rig.day()
        rig.passes(600)
    assert len(rig.at_warehouse(before)) == 1, "what was planned did not need the shop"
    assert rig.shop.books()["shipments"] == [] and rig.errors
    rig.drains()
    assert rig.violations() == [] and len(rig.site.books()["orders"]) == 7 and rig.desk() == []


def test_a_clock_that_jumps_back_an_hour_between_runs_loses_and_doubles_nothing(world):
    rig = world(kinds={"packages": 1})
    for number in range(4):
        rig.orders(("HEART", 2))
        rig.day()
        rig.passes(600)
        rig.our_clock.off_seconds = -3600 if number in (1, 2) else 0
    rig.orders(("MUG", 1))
    rig.passes(3600)
    rig.drains()
    assert rig.violations() == [] and len(rig.site.books()["orders"]) == 5


def test_a_locked_ledger_is_an_error_that_says_so_and_the_next_run_goes_on(world):
    rig = world()
    rig.orders(("HEART", 1))
    rig.reads_orders()
    rig.orders(("MUG", 1))
    other = sqlite3.connect(rig.home / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotNow, match="locked"):
        orders.take_in_orders(rig.house, STOREFRONT)
    rig.sends_orders()
    assert rig.errors and rig.writes()[1] == 0, "nothing leaves while intent cannot be written"
    other.execute("ROLLBACK")
    other.close()
    rig.drains()
    assert rig.violations() == [] and len(rig.site.books()["orders"]) == 2


def test_a_ledger_that_is_locked_right_after_the_call_makes_a_doubt_and_not_a_second_order(world):
    rig = world()
    rig.orders(("HEART", 1))
    other = sqlite3.connect(rig.home / "ledger.db", isolation_level=None)

    def lock(what: str) -> None:
        if what.startswith("rename inbound") and not other.in_transaction:
            other.execute("BEGIN IMMEDIATE")

    rig.watch.after.append(lock)
    rig.sends_orders()
    assert rig.errors
    rig.watch.stop()
    other.execute("ROLLBACK")
    other.close()
    rig.drains()
    assert rig.violations() == [] and len(rig.at_warehouse(100)) == 1
    assert len([one for one in rig.site.books()["received"] if "940" in one["file"]]) == 1


def test_one_unreadable_order_among_good_ones_is_on_the_desk_and_the_others_go(world):
    rig = world()
    good = [rig.orders(("HEART", 1)) for _ in range(3)]
    bad = rig.orders(("MUG", 1), currency="??")
    good += [rig.orders(("TRAY", 1)) for _ in range(3)]
    rig.drains()
    assert rig.desk() == [("record_unsound", str(bad))] and rig.at_warehouse(bad) == []
    assert [len(rig.at_warehouse(order)) for order in good] == [1] * 6
    rig.shop.edit_order(bad, currency="GBP")
    rig.passes(60)
    rig.drains()
    assert rig.desk() == [] and len(rig.at_warehouse(bad)) == 1 and rig.violations() == []


def test_an_order_that_cannot_be_planned_stays_on_the_desk_however_often_it_is_read(world):
    """By reading: the list shows an order again for as long as the overlap, and whatever was said of it as unsound was called corrected. It was held, and on no desk."""
    rig = world()
    order = rig.orders()
    for _ in range(3):
        rig.day()
        rig.passes(60)
    assert rig.desk() == [("record_unsound", str(order))] and rig.on_desk("record_unsound")[0].evidence["why"] == "the order has no lines"


def test_a_change_that_cannot_be_read_stays_on_the_desk_when_the_order_as_we_have_it_is_planned_anew(world):
    """By reading: the new plan closed it as 'no longer holds', and the change, which no list would show again, was forgotten."""
    rig = world()
    order = rig.orders(("GHOST", 1))
    rig.drains()
    rig.shop.edit_order(order, currency="??")
    rig.drains()
    rig.passes(3600)
    with rig.ledger.transaction() as tx:
        rig.ledger.books.plan_again(tx, [(STOREFRONT, str(order))])
    rig.drains()
    assert ("record_unsound", str(order)) in rig.desk()


def test_an_order_without_a_street_waits_until_it_has_one(world):
    rig = world()
    order = rig.orders(("HEART", 1), to=[{**ADA, "street_1": ""}])
    rig.drains()
    assert rig.desk() == [("address_missing", str(order))]
    rig.shop.edit_order(order, address={"street_1": "1 Canary Row"})
    rig.passes(60)
    rig.drains()
    assert rig.desk() == [] and len(rig.at_warehouse(order)) == 1 and rig.violations() == []


def test_what_a_restore_put_into_doubt_and_cannot_be_written_is_refused_and_holds_up_nobody(world):
    """One world had it (marketplace 820005): every run ended at it, and nothing else was read back or sent any more."""
    rig = world()
    far = rig.orders(("HEART", 1), to=[ADA | {"state": "The United Counties of the Far North and East"}])
    near = rig.orders(("MUG", 1))
    rig.reads_orders()
    take_up_again(rig.house, 1_000, 100)  # before either was sent
    rig.passes(3600)
    rig.drains()
    assert (len(rig.at_warehouse(far)), len(rig.at_warehouse(near))) == (0, 1)
    assert [row.record for row in rig.on_desk("rejected_by_warehouse")] == [str(far)]
