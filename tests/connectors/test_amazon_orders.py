"""Orders from Amazon: what a run reads, what becomes of each, and what is never taken for an order of ours."""

from datetime import timedelta

import pytest

from connectors.amazon.storefront import Settings
from connectors.kit.buckets import Rate
from connectors.kit.errors import BadDocument, NotAllowed, NotNow, Refused
from connectors.kit.http import ReadFailed
from connectors.kit.sandbox import ERROR_BEFORE, PAGE_SHIFT
from connectors.ports import Window
from contracts.orders import OrderLines, Orders, Recipients, ShipGroups
from tasks.rules.eligibility import sort_orders
from tests.connectors.amazon_rig import DE, ITEMS, JP, US, Rig, whole


def _only(rig: Rig, **settings):
    return {name: frame.to_dict("records")[0] for name, frame in whole(rig.connect(**settings).orders(rig.window())).items()}


def test_an_order_becomes_rows_that_keep_their_contracts():
    rig = Rig()
    [order] = rig.place(items=[{"sku": "0085123A", "title": "Heart", "quantity": 6, "price": "2.55", "tax": "1.10", "discount": "0.50"}], shipping="3.99",
                        po_number="PO-7", buyer_company="Ada Ltd", programs=("AMAZON_BUSINESS",), service_level="NEXT_DAY", note="Ring twice")
    rows = _only(rig)
    assert rows["orders"] | {"placed_at": 0, "modified_at": 0, "ship_by": 0} == {
        "connection": "amz", "order_id": order, "channel": "A1F83G8C2ARO7P", "status": "awaiting_fulfilment", "status_code": "UNSHIPPED", "fulfilled_by": "merchant",
        "placed_at": 0, "modified_at": 0, "ship_by": 0, "currency": "GBP", "total_minor": 1530 + 399 + 110 - 50, "shipping_minor": 399, "tax_minor": 110,
        "discount_minor": 50, "po_number": "PO-7", "organisation": "Ada Ltd", "customer_group": "AMAZON_BUSINESS"}
    line = rows["lines"]
    assert (line["sku"], line["quantity"], line["quantity_shipped"], line["unit_price_minor"], line["total_minor"]) == ("0085123A", 6, 0, 255, 1530)
    assert rows["ship_groups"]["ship_method"] == "NEXT_DAY" and rows["ship_groups"]["country"] == "GB"
    assert rows["recipients"]["order_note"] == "Ring twice"
    for contract, name in ((Orders, "orders"), (OrderLines, "lines"), (ShipGroups, "ship_groups"), (Recipients, "recipients")):
        assert contract.split(whole(rig.connect().orders(rig.window()))[name])[1].empty


def test_a_run_over_many_pages_gives_every_order_once_under_the_same_parameters():
    rig = Rig()
    placed = rig.place(23)
    assert sorted(rig.ids(rig.connect())) == sorted(placed)
    assert rig.sandbox.books()["served"]["searchOrders"] == 5


def test_a_page_that_is_not_the_last_takes_nothing_in():
    """searchOrders promises no order of its answer: until the last page anything of the window may still come."""
    rig = Rig()
    rig.place(12)
    window = rig.window()
    reached = [page.reached for page in rig.connect().orders(window)]
    assert reached[:-1] == [window.since] * (len(reached) - 1)
    assert reached[-1] > rig.began and reached[-1] <= rig.clock.now() - timedelta(minutes=2)


def test_the_youngest_two_minutes_are_left_to_the_next_run():
    rig = Rig()
    rig.place(1)
    rig.sandbox.place_order(ITEMS)
    port = rig.connect()
    assert len(rig.ids(port)) == 1
    rig.clock.sleep(300)
    assert len(rig.ids(port)) == 2
    assert [page.orders.empty for page in port.orders(Window(rig.clock.now(), rig.clock.now() + timedelta(hours=1)))] == [True]


def test_an_order_that_changes_while_we_page_comes_again_in_the_next_run_and_pushes_none_out_of_sight():
    rig = Rig()
    placed = rig.place(12)
    rig.sandbox.faults.add(PAGE_SHIFT, on="GET */orders", times=2)
    port = rig.connect()
    first = rig.ids(port)
    assert rig.sandbox.faults.struck[PAGE_SHIFT] == 2
    assert sorted(set(first)) == sorted(placed)
    rig.clock.sleep(600)
    assert set(rig.ids(port, Window(rig.clock.now() - timedelta(seconds=1200), rig.clock.now()))) >= {placed[0], placed[5]}


def test_a_backlog_beyond_the_burst_goes_on_where_the_budget_ended():
    """A window is only taken in whole: without slices, thirty pages on a budget of twenty would begin anew for ever."""
    rig = Rig()
    placed = rig.place(150, apart_seconds=1200)
    port = rig.connect(wait_seconds_max=0)
    since, got, runs = rig.began - timedelta(hours=1), set(), 0
    while runs < 40:
        runs += 1
        try:
            for page in port.orders(Window(since, rig.clock.now())):
                got |= set(page.orders["order_id"])
                since = max(since, page.reached)
            break
        except NotNow as error:
            assert error.wait_seconds and error.wait_seconds > 60
            rig.clock.sleep(1800)
    assert got == set(placed)
    assert rig.sandbox.books()["refused_429"] == 0


def test_a_quiet_week_is_one_call():
    rig = Rig()
    rig.clock.sleep(7 * 86_400)
    assert rig.ids(rig.connect(), Window(rig.began, rig.clock.now())) == []
    assert rig.sandbox.books()["served"]["searchOrders"] == 1


def test_what_amazon_fulfils_is_not_asked_for_and_never_leaves_when_it_comes_all_the_same():
    rig = Rig()
    [order] = rig.place(fulfilled_by="AMAZON")
    port = rig.connect()
    assert rig.ids(port) == []
    page = port.order(order)
    assert page.orders["fulfilled_by"].tolist() == ["marketplace"]
    assert sort_orders(page.orders, page.lines, ("awaiting_fulfilment", "UNSHIPPED"))["verdict"].tolist() == ["not_ours"]


@pytest.mark.parametrize("said", ["", "SELLER", "merchant"])
def test_an_order_of_which_it_is_not_said_who_fulfils_it_is_set_aside(said):
    rig = Rig()
    rig.place(fulfilled_by="MERCHANT")
    order = next(iter(rig.sandbox.orders.book.orders))
    rig.sandbox.orders.book.orders[order]["fulfilled_by"] = said
    page = rig.connect().order(order)
    assert page.orders.empty and page.unreadable == [{"record": order, "why": "fulfillment.fulfilledBy: it is not said who fulfils this order"}]


@pytest.mark.parametrize(("theirs", "ours"), [
    ("PENDING_AVAILABILITY", "awaiting_payment"), ("PENDING", "awaiting_payment"), ("UNSHIPPED", "awaiting_fulfilment"),
    ("PARTIALLY_SHIPPED", "partially_shipped"), ("SHIPPED", "shipped"), ("CANCELLED", "cancelled"), ("UNFULFILLABLE", "on_hold")])
def test_each_status_has_its_word(theirs, ours):
    rig = Rig()
    rig.place(status=theirs)
    row = _only(rig)["orders"]
    assert (row["status"], row["status_code"]) == (ours, theirs)
    assert row["total_minor"] == (0 if theirs.startswith("PENDING") else 1530)


@pytest.mark.parametrize(("program", "status"), [("IN_STORE_PICK_UP", "awaiting_pickup"), ("FBM_SHIP_PLUS", "on_hold"), ("AMAZON_EASY_SHIP", "on_hold"),
                                                 ("DELIVERY_BY_AMAZON", "on_hold"), ("PRIME", "awaiting_fulfilment")])
def test_an_order_whose_label_amazon_sells_waits_unless_the_account_ships_it_all_the_same(program, status):
    rig = Rig()
    rig.place(programs=("PREMIUM", program))
    assert _only(rig)["orders"]["status"] == status
    if status != "awaiting_fulfilment":
        assert _only(rig, programs_shipped=(program,))["orders"]["status"] == "awaiting_fulfilment"


def test_an_order_that_the_buyer_asks_to_cancel_waits_and_a_cancelled_line_is_not_asked_for():
    rig = Rig()
    asked, partly = rig.place(), rig.place(items=[*ITEMS, {"sku": "B", "quantity": 2, "price": "1.00"}])
    rig.sandbox.orders.ask_to_cancel(asked[0])
    rig.sandbox.orders.cancel_item(partly[0], rig.items(partly[0])[0])
    port = rig.connect()
    assert port.order(asked[0]).orders["status"].tolist() == ["on_hold"]
    page = port.order(partly[0])
    assert page.orders["status"].tolist() == ["awaiting_fulfilment"] and page.lines["quantity"].tolist() == [0, 2]


def test_without_the_role_for_addresses_an_order_comes_without_one_and_nothing_is_made_up():
    rig = Rig(has_address_role=False)
    rig.place()
    rows = _only(rig)
    assert rows["ship_groups"]["country"] == ""
    assert {value for key, value in rows["recipients"].items() if key not in ("connection", "order_id", "ship_group")} == {""}


def test_the_proxy_address_of_the_buyer_is_in_the_vaults_frame_and_in_no_other():
    rig = Rig()
    rig.place(2)
    frames = whole(rig.connect().orders(rig.window()))
    assert frames["recipients"]["email"].str.endswith("@marketplace.amazon.co.uk").all()
    assert not [name for name in ("orders", "lines", "ship_groups") if "@" in frames[name].to_csv()]


def test_gift_notes_are_kept_line_by_line():
    rig = Rig()
    rig.place(items=[{"sku": "A", "quantity": 1, "price": "1", "gift_message": "Love", "gift_wrap": "PAPER"}, {"sku": "B", "quantity": 1, "price": "1"}])
    frames = whole(rig.connect().orders(rig.window()))
    assert frames["recipients"]["gift_note"].tolist() == ["PAPER: Love"] and frames["lines"]["is_gift"].tolist() == [True, False]


def test_yen_have_no_minor_unit_and_a_fraction_of_a_penny_sets_the_order_aside():
    rig = Rig(marketplaces=(JP,))
    rig.place(items=[{"sku": "A", "quantity": 2, "price": "5980"}])
    row = _only(rig)["orders"]
    assert (row["currency"], row["total_minor"]) == ("JPY", 11960)
    odd = Rig()
    [order] = odd.place()
    shape = odd.sandbox.orders.book.shape
    odd.sandbox.orders.book.shape = lambda order_id: shape(order_id) | {"proceeds": {"grandTotal": {"amount": "15.305", "currencyCode": "GBP"}}}
    [page] = odd.connect().orders(odd.window())
    assert page.orders.empty and page.unreadable[0]["record"] == order and "finer than" in page.unreadable[0]["why"]


def test_a_replacement_costs_nothing_and_a_sold_order_without_a_total_is_set_aside():
    rig = Rig()
    free, lost = rig.place(replaces="026-0000000-0000000")[0], rig.place()[0]
    book = rig.sandbox.orders.book
    shape = book.shape

    def without_proceeds(order_id):
        shaped = shape(order_id)
        shaped.pop("proceeds")
        for item in shaped["orderItems"]:
            item.pop("proceeds")
        return shaped

    book.shape = without_proceeds
    port = rig.connect()
    assert port.order(free).orders["total_minor"].tolist() == [0]
    assert port.order(lost).unreadable == [{"record": lost, "why": "proceeds: it is not said what the order comes to"}]


def test_one_order_that_cannot_be_read_costs_no_other():
    rig = Rig()
    placed = rig.place(3)
    rig.sandbox.orders.book.orders[placed[1]]["items"].update({"": {**next(iter(rig.sandbox.orders.book.orders[placed[1]]["items"].values()))}})
    [page] = rig.connect().orders(rig.window())
    assert page.orders["order_id"].tolist() == [placed[0], placed[2]]
    assert page.unreadable[0]["record"] == placed[1] and "orderItemId" in page.unreadable[0]["why"]


def test_the_moment_until_when_it_must_have_left_is_amazons_own():
    rig = Rig()
    rig.place(ship_within_hours=30)
    row = _only(rig)["orders"]
    assert row["ship_by"] - row["placed_at"] == timedelta(hours=30)


def test_each_marketplace_of_the_account_is_a_channel_and_other_marketplaces_are_not_read():
    rig = Rig(marketplaces=("A1F83G8C2ARO7P", DE))
    rig.place(2)
    rig.place(1, marketplace=DE)
    both, one = rig.connect(), rig.connect("amz-de", marketplace_ids=(DE,))
    assert whole(both.orders(rig.window()))["orders"]["channel"].value_counts().to_dict() == {"A1F83G8C2ARO7P": 2, DE: 1}
    assert len(rig.ids(one)) == 1
    assert both.channels()[["channel", "name", "is_active"]].values.tolist() == [["A1F83G8C2ARO7P", "Amazon.co.uk", True], [DE, "Amazon.de", True]]
    assert set(both.ship_options()["country"]) == {"GB", "DE"}


def test_a_400_to_a_query_that_is_always_made_like_this_is_an_error_and_no_empty_shop():
    """For a day the Far East answered 400 to includedData=FULFILLMENT (amzn/selling-partner-api-models#5365)."""
    rig = Rig()
    rig.place(12)
    pages = rig.connect().orders(rig.window())
    assert len(next(pages).orders) == 5
    rig.sandbox.orders.refuses = {"FULFILLMENT"}
    with pytest.raises(ReadFailed, match="query that is good"):
        next(pages)


def test_a_token_that_leads_to_itself_and_a_token_older_than_a_day_are_errors():
    rig = Rig()
    rig.place(12)
    pages = rig.connect().orders(rig.window())
    next(pages)
    rig.clock.sleep(90_000)
    with pytest.raises(ReadFailed):
        next(pages)
    token = rig.sandbox.orders._after
    rig.sandbox.orders._after = lambda given, asked: token("", asked)
    with pytest.raises(BadDocument, match="read already"):
        list(rig.connect().orders(rig.window()))


def test_no_such_order_is_refused_and_an_outage_is_not():
    rig = Rig()
    port = rig.connect()
    for order in ("026-0000000-9999999", "no/such", ""):
        with pytest.raises(Refused):
            port.order(order)
    rig.sandbox.faults.add(ERROR_BEFORE)
    with pytest.raises((ReadFailed, NotNow)):
        port.order("026-0000000-9999999")


def test_no_webhook_is_genuine_and_there_is_none_to_keep():
    port = Rig().connect()
    assert port.keep_webhooks("https://wharfinger.example/hooks") == []
    with pytest.raises(NotAllowed):
        port.hint({}, b"{}")


@pytest.mark.parametrize(("given", "words"), [
    ({"marketplace_ids": [US, DE]}, "one region"), ({"marketplace_ids": ["NOWHERE"]}, "no marketplace"), ({"region": "na"}, "one region"),
    ({"rates": {"searchOrders": [0, 1]}}, "searchOrders"), ({"rates": {"noSuch": [1, 1]}}, "noSuch"), ({"programs_shipped": ["PRIME"]}, "wait")])
def test_settings_that_cannot_work_are_refused_by_name(given, words, monkeypatch):
    monkeypatch.setenv("A_SECRET", "x" * 20)
    base = {"seller_id": "A1SELLER", "marketplace_ids": [DE], "client_id": "c", "client_secret": "env:A_SECRET", "refresh_token": "env:A_SECRET"}
    assert Settings(**base).endpoint == "https://sellingpartnerapi-eu.amazon.com"
    with pytest.raises(ValueError, match=words):
        Settings(**base | given)


def test_rates_that_amazon_granted_are_used():
    rig = Rig(rates={"searchOrders": Rate(1, 100)})
    rig.place(200, apart_seconds=0)
    port = rig.connect(rates={"searchOrders": (1, 100)}, wait_seconds_max=0)
    assert len(rig.ids(port)) == 200
