"""BigCommerce orders, channels and catalogue: everything is read, nothing is lost, whatever moves or fails meanwhile."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.bigcommerce.mapping import Reading, WholeOrder, embedded, line_rows, order_row, po_number, recipient_rows, ship_group_rows, status
from connectors.bigcommerce.sandbox_books import STATUS_NAMES
from connectors.bigcommerce.storefront import Settings
from connectors.bigcommerce.wire import Order, Product, read_date, write_date
from connectors.kit import sandbox as faults
from connectors.kit.errors import BadDocument, NotAllowed, NotNow, Refused, WharfingerError
from connectors.kit.http import ReadFailed
from connectors.ports import OrderPage, Storefront, Window
from contracts.items import CatalogueItems, Channels
from contracts.orders import OrderLines, Orders, Recipients, ShipGroups
from tests.connectors.bigcommerce_rig import ADA, BILLING, BOB, LINES, Rig, whole

MIXED = [*LINES, {"sku": "71053", "quantity": 2, "price": "3.39", "address": 1, "wrapping_name": "Gold", "wrapping_message": "Hello"},
         {"sku": "SONG", "quantity": 1, "price": "0.99", "type": "digital"}, {"sku": "GC", "quantity": 1, "price": "10", "type": "giftcertificate"},
         {"sku": "LAMP", "quantity": 1, "price": "9", "pickup_method_id": 3}]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_it_is_a_storefront(rig: Rig) -> None:
    port = rig.connect()
    assert isinstance(port, Storefront)
    assert (port.kinds, port.numbers("dispatch_confirmation"), port.account) == (("dispatch_confirmation", "order_completion", "stock_update", "refund"),
                                                                                            "", "abc123")


def test_every_order_comes_once_oldest_change_first_and_the_same_twice(rig: Rig) -> None:
    placed = rig.place(23)
    port = rig.connect()
    assert rig.ids(port) == placed
    first, second = whole(port.orders(rig.window())), whole(port.orders(rig.window()))
    assert all(first[name].equals(second[name]) for name in first)
    assert len(rig.calls) > 3 * 5


def test_what_was_read_keeps_the_contracts(rig: Rig) -> None:
    rig.place(6, lines=MIXED, addresses=[ADA, BOB], customer_message="Ring twice")
    read = whole(rig.connect().orders(rig.window()))
    for contract, name in ((Orders, "orders"), (OrderLines, "lines"), (ShipGroups, "ship_groups"), (Recipients, "recipients")):
        assert len(contract.sound(read[name]))


@pytest.mark.parametrize("embeds", ["refused", "plain", "empty", "links"])
def test_both_ways_of_fetching_give_the_same_rows(embeds: str) -> None:
    """'empty' is bigcommerce/dev-docs#2052: the list call gave no line items for orders that have some."""
    rigs = Rig(), Rig(embeds=embeds)
    for each in rigs:
        each.place(7, lines=MIXED, addresses=[ADA, BOB, ADA])
        each.place(2, lines=MIXED[2:3])
    one, other = (whole(each.connect().orders(each.window())) for each in rigs)
    singly = whole(rigs[0].connect(embed_consignments=False).orders(rigs[0].window()))
    for name, frame in one.items():
        assert frame.equals(other[name]) and frame.equals(singly[name]), name
    assert len(one["orders"]) == 9 and len(one["ship_groups"]) == 14
    assert "GET /orders/100/products" in rigs[1].calls


def test_embedded_orders_take_no_further_requests(rig: Rig) -> None:
    rig.place(4, lines=MIXED, addresses=[ADA, BOB])
    rig.ids(rig.connect())
    assert rig.calls == ["GET /orders"]


def test_an_account_that_refuses_embedding_is_asked_so_once() -> None:
    rig = Rig(embeds="refused")
    rig.place(12)
    port = rig.connect()
    assert len(rig.ids(port)) == len(rig.ids(port)) == 12
    assert rig.calls.count("GET /orders") == 1 + 2 * 3


def test_lines_come_page_by_page_when_there_are_many() -> None:
    rig = Rig(embeds="plain")
    rig.place(1, lines=[{"sku": f"S{n}", "quantity": 1, "price": "1"} for n in range(13)], addresses=[ADA] * 6)
    read = whole(rig.connect().orders(rig.window()))
    assert len(read["lines"]) == 13 and rig.calls.count("GET /orders/100/products") == 3


def test_what_a_customer_cannot_be_sent_is_not_shippable(rig: Rig) -> None:
    rig.place(1, lines=MIXED, addresses=[ADA, BOB])
    lines = whole(rig.connect().orders(rig.window()))["lines"].set_index("sku")
    assert lines["is_shippable"].to_dict() == {"85123A": True, "71053": True, "SONG": False, "GC": False, "LAMP": False}
    assert lines["ship_group"].to_dict() == {"85123A": "1", "71053": "2", "SONG": "", "GC": "", "LAMP": ""}
    assert lines["is_gift"].to_dict()["71053"]


def test_an_order_edited_between_two_pages_makes_no_other_one_be_skipped(rig: Rig) -> None:
    """With page numbers, the edit of an order on page one moved the first of page two onto page one, and it was never read."""
    placed = rig.place(14)
    rig.clock.sleep(60)
    seen = []
    for page in rig.connect().orders(rig.window()):
        seen += [int(i) for i in page.orders["order_id"]]
        if len(seen) == 5:
            rig.sandbox.edit_order(placed[0], customer_message="changed")
            rig.sandbox.edit_order(placed[6], customer_message="changed")
    assert set(seen) == set(placed)
    assert seen.count(placed[0]) == 2, "and what it became is read as well"


@pytest.mark.parametrize("apart_seconds", [0, 0.25, 1])
@pytest.mark.parametrize("seed", range(3))
def test_page_shift_loses_nothing(apart_seconds: float, seed: int) -> None:
    """F12: after each page is sent, one of its orders changes."""
    rig = Rig(faults=faults.Faults(seed=seed))
    placed = rig.place(33, apart_seconds)
    rig.clock.sleep(5)
    rig.sandbox.faults.add(faults.PAGE_SHIFT, on="GET */orders", chance=0.8, times=12)
    assert set(rig.ids(rig.connect())) == set(placed)
    assert rig.sandbox.faults.struck[faults.PAGE_SHIFT] >= 6


def test_a_second_that_fills_several_pages_is_read_whole(rig: Rig) -> None:
    before, at_once, after = rig.place(3), rig.place(23, apart_seconds=0), []
    rig.clock.sleep(1)
    after = rig.place(4)
    port = rig.connect()
    assert rig.ids(port) == [*before, *at_once, *after]
    reached = [page.reached for page in port.orders(rig.window())]
    assert reached == sorted(reached)


def test_an_edit_while_one_second_is_read_skips_nobody(rig: Rig) -> None:
    """Page numbers within the second would have had the same hole as page numbers over all."""
    placed = rig.place(17, apart_seconds=0)
    rig.clock.sleep(30)
    seen: list[int] = []
    for page in rig.connect().orders(rig.window()):
        fresh = [int(i) for i in page.orders["order_id"]]
        seen += fresh
        if fresh and len(set(seen)) < 16:
            rig.sandbox.edit_order(fresh[0], customer_message="changed")
    assert set(seen) == set(placed)


def test_the_watermark_never_passes_what_was_not_read(rig: Rig) -> None:
    """Stopped after any page, the next run from there misses nothing."""
    placed = rig.place(6) + rig.place(12, apart_seconds=0) + rig.place(6)
    port = rig.connect()
    pages = len(list(port.orders(rig.window())))
    for stop in range(1, pages + 1):
        seen, since = set(), rig.began
        for number, page in enumerate(port.orders(rig.window()), 1):
            seen |= {int(i) for i in page.orders["order_id"]}
            since = page.reached
            if number == stop:
                break
        seen |= set(rig.ids(port, Window(since, rig.window().until)))
        assert seen == set(placed), f"stopped after page {stop}"


def test_an_order_that_changes_in_the_second_that_was_just_read_is_read_next_time(rig: Rig) -> None:
    """More orders in one second than a page holds, and the second is not over: the watermark must stay at it."""
    placed = rig.place(11, apart_seconds=0)
    port = rig.connect()
    last = list(port.orders(rig.window()))[-1]
    late = rig.sandbox.place_order(LINES, [ADA], billing=BILLING, order_id=7)
    assert set(rig.ids(port, Window(last.reached, rig.window().until))) >= {late}
    assert placed


def test_the_window_is_half_open(rig: Rig) -> None:
    placed = rig.place(12)
    port = rig.connect()
    until = rig.began + timedelta(seconds=7)
    assert rig.ids(port, Window(rig.began, until)) == placed[:7]
    assert rig.ids(port, Window(until, rig.window().until)) == placed[7:]
    assert [page.reached for page in port.orders(Window(until, until))] == [until]


def test_an_old_window_is_taken_in_to_its_end_and_a_fresh_one_only_to_its_last_order(rig: Rig) -> None:
    rig.place(3)
    window = Window(rig.began, rig.clock.now() + timedelta(minutes=1))
    port = rig.connect()
    assert list(port.orders(window))[-1].reached == rig.began + timedelta(seconds=2)
    rig.clock.sleep(86_400)
    assert list(port.orders(window))[-1].reached == window.until
    assert list(port.orders(Window(rig.clock.now(), rig.clock.now() + timedelta(1))))[-1].reached == rig.clock.now()


def test_no_orders_is_an_empty_page_and_a_204(rig: Rig) -> None:
    pages = list(rig.connect().orders(rig.window()))
    assert len(pages) == 1 and pages[0].orders.empty and not pages[0].unreadable


class Broken(httpx.BaseTransport):
    """Passes requests on and spoils the list of orders: its rows, and then its text."""

    def __init__(self, inner: httpx.BaseTransport, spoil: Callable[[list], object], text: tuple[str, str] = ("<none>", "")) -> None:
        self._inner, self._spoil, self._text = inner, spoil, text

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if not request.url.path.endswith("/orders") or response.status_code != 200:
            return response
        return httpx.Response(200, content=json.dumps(self._spoil(response.json())).replace(*self._text))


def spoiled(rig: Rig, spoil: Callable[[list], object], *text: tuple[str, str]) -> list[OrderPage]:
    rig.overheard._inner = Broken(rig.overheard._inner, spoil, *text)
    return list(rig.connect().orders(rig.window()))


@pytest.mark.parametrize(("field", "value", "why"), [
    ("total_inc_tax", "12.345x", "not an amount"), ("total_inc_tax", "12.3456", "finer than"), ("total_inc_tax", None, "not an amount"),
    ("id", None, "id"), ("id", "100", "id"), ("date_created", "yesterday", "date_created"), ("date_modified", "", "date_modified"),
    ("status_id", "eleven", "status_id"), ("total_inc_tax", "1e400", "not a usable amount")])
def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_go_on(rig: Rig, field: str, value: object, why: str) -> None:
    rig.place(9)
    pages = spoiled(rig, lambda rows: [{**row, field: value} if row["id"] == 103 else row for row in rows])
    assert len({i for page in pages for i in page.orders["order_id"]}) == 8
    unreadable = [u for page in pages for u in page.unreadable]
    assert unreadable and all(why in u["why"] for u in unreadable)
    assert field == "id" or {u["record"] for u in unreadable} == {"103"}


def test_why_a_record_cannot_be_read_gives_nobody_away(rig: Rig) -> None:
    rig.place(1)
    pages = spoiled(rig, lambda rows: [{**row, "date_created": "Ada Lovelace", "total_inc_tax": "Exampleton", "customer_message": {"Ada": 1}}
                                       for row in rows])
    text = str(pages[0].unreadable)
    assert pages[0].unreadable and "Ada" not in text and "Exampleton" not in text


def test_broken_text_does_not_cost_the_order(rig: Rig) -> None:
    """Half a surrogate pair in a note made Arrow refuse the whole page."""
    rig.place(2)
    pages = spoiled(rig, lambda rows: [{**row, "customer_message": "A<half>\x00B"} for row in rows], ("<half>", "\\ud83d"))
    assert whole(pages)["recipients"]["order_note"].tolist() == ["A\ufffdB"] * 2


def test_answers_that_are_not_sorted_are_not_believed(rig: Rig) -> None:
    rig.place(4)
    with pytest.raises(BadDocument, match="not sorted"):
        spoiled(rig, lambda rows: rows[::-1])


def test_an_answer_that_never_moves_on_is_not_read_for_ever(rig: Rig) -> None:
    rig.place(5)
    first = rig.sandbox.handle(httpx.Request("GET", "http://x/v2/orders?limit=5", headers={"X-Auth-Token": "bigcommerce-sandbox"})).json()
    rig.place(20)
    with pytest.raises(BadDocument):
        spoiled(rig, lambda rows: first)
    assert len(rig.calls) < 20


@pytest.mark.parametrize("body", [{"orders": []}, "orders", [1, 2], 7])
def test_json_of_another_shape_is_no_list_of_orders(rig: Rig, body: object) -> None:
    rig.place(2)
    with pytest.raises(BadDocument):
        spoiled(rig, lambda rows: body)


@pytest.mark.parametrize(("fault", "error"), [
    (faults.CONNECT_REFUSED, NotNow), (faults.TIMEOUT_BEFORE, ReadFailed), (faults.TIMEOUT_AFTER, ReadFailed), (faults.LATE_COMMIT, ReadFailed),
    (faults.THROTTLED, NotNow), (faults.ERROR_BEFORE, ReadFailed), (faults.ERROR_AFTER, ReadFailed), (faults.GARBLED, ReadFailed),
    (faults.TOKEN_EXPIRED, NotAllowed)])
@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_fault_while_reading_is_an_error_and_the_next_run_loses_nothing(rig: Rig, fault: str, error: type[WharfingerError], page: int) -> None:
    placed = rig.place(17)
    port, seen, since = rig.connect(), set(), rig.began
    pages = port.orders(rig.window())
    for _ in range(page):
        read = next(pages)
        seen |= {int(i) for i in read.orders["order_id"]}
        since = read.reached
    rig.sandbox.faults.add(fault)
    with pytest.raises(error) as raised:
        next(pages)
    assert type(raised.value) is error
    rig.sandbox.faults.clear()
    assert seen | set(rig.ids(port, Window(since, rig.window().until))) == set(placed)


@pytest.mark.parametrize("fault", [faults.CONNECT_REFUSED, faults.TIMEOUT_AFTER, faults.THROTTLED, faults.ERROR_BEFORE, faults.GARBLED,
                                   faults.DELIVERED_TWICE])
def test_a_fault_that_passes_is_not_even_noticed(rig: Rig, fault: str) -> None:
    placed = rig.place(17)
    rig.sandbox.faults.add(fault, times=2)
    assert rig.ids(rig.connect()) == placed


@pytest.mark.parametrize("shape", ["empty page", "html"])
def test_an_empty_page_with_a_5xx_is_no_empty_shop(rig: Rig, shape: str) -> None:
    rig.place(3)
    rig.sandbox.handle = lambda request: httpx.Response(503, content=b"[]" if shape == "empty page" else b"<html></html>")
    with pytest.raises(ReadFailed, match="HTTP 503"):
        list(rig.connect().orders(rig.window()))


def test_alone_it_never_meets_a_429() -> None:
    rig = Rig(quota=20, embeds="plain")
    placed = rig.place(30)
    assert rig.ids(rig.connect(reserve=3)) == placed
    assert rig.sandbox.books()["refused_429"] == 0
    assert len(rig.calls) > 60


def test_two_connections_to_one_account_share_its_budget() -> None:
    rig = Rig(quota=12)
    placed = rig.place(60)
    one, other = rig.connect("bc-uk", reserve=2), rig.connect("bc-fr", reserve=2)
    pairs = [page for pages in zip(one.orders(rig.window()), other.orders(rig.window()), strict=True) for page in pages]
    assert {int(i) for page in pairs for i in page.orders["order_id"]} == set(placed)
    assert rig.sandbox.books()["refused_429"] == 0 and len(rig.calls) > 24


def test_what_one_connection_learned_holds_for_the_other() -> None:
    """Unshared, the second would have sent into the reserve that the first one knew of."""
    rig = Rig(quota=8)
    one, other = rig.connect("bc-uk", reserve=2), rig.connect("bc-fr", reserve=2)
    for _ in range(6):
        one.channels()
    assert rig.clock.now() == rig.began
    other.channels()
    assert rig.clock.now() >= rig.began + timedelta(seconds=30)


def test_when_others_use_the_account_up_it_waits_and_reads_on() -> None:
    rig = Rig(quota=10)
    placed = rig.place(9)
    for _ in range(10):
        rig.sandbox.handle(httpx.Request("GET", "http://x/v2/time", headers={"X-Auth-Token": "bigcommerce-sandbox"}))
    assert rig.ids(rig.connect()) == placed
    assert rig.sandbox.books()["refused_429"] == 1


def test_one_order_as_it_stands(rig: Rig) -> None:
    (order_id,) = rig.place(1, lines=MIXED, addresses=[ADA, BOB])
    rig.sandbox.cancel_order(order_id)
    page = rig.connect().order(str(order_id))
    assert page.orders["status"].tolist() == ["cancelled"] and len(page.lines) == 5
    assert page.reached == page.orders["modified_at"][0]


@pytest.mark.parametrize("order_id", ["999", "1/shipments", "../store", "", "１"])
def test_an_order_that_is_not_there_is_refused(rig: Rig, order_id: str) -> None:
    with pytest.raises(Refused):
        rig.connect().order(order_id)


def test_channels(rig: Rig) -> None:
    for number in range(2, 14):
        rig.sandbox.add_channel(number, f"Channel {number}", "inactive" if number % 2 else "connected")
    frame = Channels.sound(rig.connect().channels())
    assert len(frame) == 13 and frame["is_active"].sum() == 7


def test_the_catalogue_knows_products_and_variants_by_their_exact_sku(rig: Rig) -> None:
    rig.sandbox.add_products([{"sku": "A", "name": "Lamp", "inventory_tracking": "product"}, {"sku": "B,C"},
                              {"sku": "SHIRT", "inventory_tracking": "variant", "variants": ["SHIRT-S", "SHIRT-M"]}])
    frame = CatalogueItems.sound(rig.connect().catalogue(["A", "a", "B,C", "SHIRT-M", "SHIRT", "NONE", "", "A"]))
    assert frame[["sku", "product_id", "variant_id", "tracking"]].values.tolist() == [
        ["A", "1", "1", "product"], ["B,C", "2", "2", "none"], ["SHIRT", "3", "", "variant"], ["SHIRT-M", "3", "4", "variant"]]
    assert rig.connect().catalogue([]).empty


def test_many_variants_are_read_all_at_once_and_few_one_by_one(rig: Rig) -> None:
    rig.sandbox.add_products([{"sku": "", "variants": [f"V{n}" for n in range(12)]}])
    port = rig.connect()
    assert len(port.catalogue([f"V{n}" for n in range(12)])) == 12
    assert rig.calls.count("GET /catalog/variants") == 1 + 3
    before = len(rig.calls)
    assert len(port.catalogue(["V1", "V2"])) == 2
    assert rig.calls[before:].count("GET /catalog/variants") == 1 + 2


def head(**more: object) -> Order:
    return Order.model_validate({"id": 1, "status_id": 11, "date_created": "Thu, 15 Jan 2026 09:00:00 +0000", "total_inc_tax": "1.0000",
                                 "date_modified": "Thu, 15 Jan 2026 09:00:00 +0000", "currency_code": "GBP", **more})


@pytest.mark.parametrize(("status_id", "ours"), [
    (0, "on_hold"), (1, "on_hold"), (2, "shipped"), (3, "partially_shipped"), (4, "refunded"), (5, "cancelled"), (6, "cancelled"),
    (7, "awaiting_payment"), (8, "awaiting_pickup"), (9, "on_hold"), (10, "completed"), (11, "awaiting_fulfilment"), (12, "on_hold"), (13, "on_hold"),
    (14, "on_hold"), (15, "unknown"), (-1, "unknown")])
def test_each_status(status_id: int, ours: str) -> None:
    assert status(head(status_id=status_id), (11,)) == ours


def test_all_statuses_of_the_vendor_are_known() -> None:
    assert [status(head(status_id=i), (11,)) for i in range(len(STATUS_NAMES))].count("unknown") == 0 and len(STATUS_NAMES) == 15


def test_a_status_releases_only_when_it_is_listed() -> None:
    assert status(head(status_id=9), (9, 11)) == status(head(status_id=11), (9, 11)) == "awaiting_fulfilment"
    assert status(head(status_id=11), (9,)) == "on_hold"
    assert status(head(status_id=11, is_deleted=True), (11,)) == "on_hold", "an archived order is never released"
    for ids in ((), (5,), (11, 2), (0,)):
        with pytest.raises(ValidationError):
            Settings(store_hash="a", access_token="env:PATH", release_status_ids=ids)


@pytest.mark.parametrize(("po_field", "po"), [
    ("", ""), ("external_id", "X1"), ("external_order_id", "E2"), ("payment_provider_id", "77"), ("form_field:PO", "PO 9"),
    ("form_field:Both", "a, b"), ("form_field:Other", "")])
def test_the_po_number_is_where_the_account_keeps_it(po_field: str, po: str) -> None:
    fields = [{"name": "PO", "value": " PO 9 "}, {"name": "Both", "value": ["a", "b"]}, {"name": "Other", "value": None}]
    assert po_number(head(external_id="X1", external_order_id="E2", payment_provider_id=77, billing_address={"form_fields": fields}), po_field) == po


def test_the_organisation_is_the_payer_s_company_when_the_account_says_so() -> None:
    order = head(billing_address={"company": " Acme Ltd "}, customer_id=20)
    row = order_row(order, Reading("bc"))
    assert (row["organisation"], row["customer_group"]) == ("Acme Ltd", "20")
    assert order_row(order, Reading("bc", organisation_from_company=False))["organisation"] == ""
    assert order_row(head(), Reading("bc"))["customer_group"] == ""


def line(**more: object) -> Product:
    amounts = dict.fromkeys(("price_ex_tax", "price_inc_tax", "total_ex_tax", "total_inc_tax"), "10.4167")
    return Product.model_validate({"id": 1, "quantity": 1, "order_address_id": 5, **amounts, **more})


def test_a_line_whose_address_is_missing_gets_an_empty_one_for_a_person_to_see() -> None:
    order = WholeOrder(head(), [line()], [])
    assert [(row["ship_group"], row["country"]) for row in ship_group_rows(order, Reading("bc"))] == [("5", "")]
    assert [(row["ship_group"], row["name"]) for row in recipient_rows(order, Reading("bc"))] == [("5", "")]
    assert line_rows(order, Reading("bc"))[0]["unit_price_minor"] == 1042


@pytest.mark.parametrize("consignments", [
    None, [], {}, {"url": "x", "resource": "y"}, [{"shipping": []}], {"shipping": [{"id": 5, "line_items": []}]},
    {"shipping": [{"id": 5, "line_items": [{"id": "x"}]}]}, {"shipping": []},
    {"shipping": [{"id": 5, "line_items": [line().model_dump(), line(id=2, order_address_id=6).model_dump()]}]}])
def test_consignments_that_did_not_come_whole_are_not_believed(consignments: object) -> None:
    assert embedded(head(items_total=2), consignments) is None
    assert embedded(head(items_total=0), consignments) is None


def test_consignments_that_add_up_are_believed() -> None:
    consignments = {"shipping": [{"id": 99, "first_name": "Ada", "line_items": [line(quantity=3).model_dump()]}]}
    found = embedded(head(items_total=3), consignments)
    assert found and found.addresses[0].id == 5, "a shipment wants the lines' address id"
    assert embedded(head(items_total=4), consignments) is None


@given(st.decimals(min_value=Decimal("-999999"), max_value=Decimal("999999"), places=4), st.booleans())
@settings(max_examples=50, deadline=None)
def test_money_comes_as_text_or_number_and_is_the_same(amount: Decimal, as_text: bool) -> None:
    assert head(total_inc_tax=str(amount) if as_text else amount).total_inc_tax == amount


@given(st.datetimes(min_value=read_date("2000-01-01T00:00:00+00:00").replace(tzinfo=None)))
@settings(max_examples=50, deadline=None)
def test_a_date_that_we_write_is_the_date_that_is_read(moment: datetime) -> None:
    assert read_date(write_date(moment.replace(tzinfo=UTC))) == moment.replace(microsecond=0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "Thu, 15 Jan 2026 09:00:00", "2026-01-15", None, 5])
def test_a_date_without_a_zone_or_sense_is_no_date(text: object) -> None:
    with pytest.raises(ValueError):
        read_date(text)
