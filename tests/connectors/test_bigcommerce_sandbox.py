"""The stand-in for BigCommerce: as documented, strict where the API is, and unchecked where the API does not check."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.kit.clock import ManualClock, SystemClock
from connectors.kit.sandbox import serve
from tests.connectors import bigcommerce_spec as spec
from tests.connectors.bigcommerce_rig import ADA, BILLING, BOB, HASH, LINES, TOKEN, Rig, dispatch

needs_the_specs = pytest.mark.skipif(bool(spec.MISSING), reason=spec.MISSING or "present")
ASKED = {"X-Auth-Token": TOKEN, "Accept": "application/json"}
TWO = [{"sku": "A", "quantity": 2, "price": "2.50"}, {"sku": "B", "quantity": 1, "price": "1", "address": 1}]


@pytest.fixture
def rig() -> Rig:
    rig = Rig(page_max=50)
    rig.place(7, lines=TWO, addresses=[ADA, BOB])
    return rig


def ask(rig: Rig, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    client = httpx.Client(transport=rig.checked or rig.overheard, base_url=f"http://bigcommerce/stores/{HASH}/v{3 if '/c' in path[:3] else 2}")
    return client.request(method, path, params=params, json=body, headers=ASKED if headers is None else headers)


def shipment(**more: Any) -> dict[str, Any]:
    return {"order_address_id": 1, "items": [{"order_product_id": 1, "quantity": 1}], **more}


def test_without_the_token_nothing_is_answered(rig: Rig) -> None:
    for token in ("", "wrong"):
        assert rig.sandbox.handle(httpx.Request("GET", "http://x/v2/orders", headers={"X-Auth-Token": token})).status_code == 401
    assert rig.sandbox.handle(httpx.Request("GET", "http://x/v2/orders")).status_code == 401


@pytest.mark.parametrize("root", [f"/stores/{HASH}/v2", "/v2", ""])
def test_it_answers_with_and_without_the_prefix(rig: Rig, root: str) -> None:
    assert len(rig.sandbox.handle(httpx.Request("GET", f"http://x{root}/orders", headers=ASKED)).json()) == 7
    assert rig.sandbox.handle(httpx.Request("GET", "http://x/stores/other/v2/orders", headers=ASKED)).status_code == 404


def test_a_list_is_a_bare_array_and_nothing_is_a_204(rig: Rig) -> None:
    assert [row["id"] for row in ask(rig, "GET", "/orders").json()] == list(range(100, 107))
    empty = ask(rig, "GET", "/orders", min_id=500)
    assert (empty.status_code, empty.content) == (204, b"")
    assert ask(rig, "GET", "/orders/100/shipments").status_code == 204


@pytest.mark.parametrize(("params", "ids"), [
    ({"min_id": 105}, [105, 106]), ({"max_id": 101}, [100, 101]), ({"limit": 2, "page": 2}, [102, 103]), ({"status_id": 5}, [103]),
    ({"channel_id": 2}, [104]), ({"external_order_id": "536365"}, [104]), ({"sort": "id:desc", "limit": 2}, [106, 105]),
    ({"sort": "date_modified:asc", "limit": 1}, [100]), ({"sort": "date_modified:desc", "limit": 3}, [104, 103, 106]),
    ({"min_date_modified": "Thu, 15 Jan 2026 09:00:06 +0000"}, [103, 104, 106]), ({"min_date_modified": "2026-01-15T09:00:05.500-00:00"}, [103, 104,
    106]),
    ({"max_date_modified": "Thu, 15 Jan 2026 09:00:01 +0000"}, [100, 101]), ({"max_date_modified": "2026-01-15T10:00:01+01:00"}, [100, 101]),
    ({"min_date_created": "Thu, 15 Jan 2026 09:00:06 +0000"}, [106]), ({"customer_id": 9}, [104]), ({"sort": "status_id:asc", "limit": 1}, [103])])
def test_each_filter_and_sorting(rig: Rig, params: dict[str, Any], ids: list[int]) -> None:
    rig.sandbox.cancel_order(103)
    rig.clock.sleep(1)
    rig.sandbox.edit_order(104, channel_id=2, external_order_id="536365", customer_id=9)
    assert [row["id"] for row in ask(rig, "GET", "/orders", **params).json()] == ids


@pytest.mark.parametrize("params", [{"limit": 51}, {"limit": 0}, {"page": 0}, {"page": "x"}, {"min_date_modified": "yesterday"}, {"sort": "colour"},
                                    {"include": "consignments"}])
def test_a_parameter_without_sense_is_a_400(rig: Rig, params: dict[str, Any]) -> None:
    answer = rig.sandbox.handle(httpx.Request("GET", "http://x/v2/orders", params=params, headers=ASKED))
    assert answer.status_code == 400 and answer.json()[0]["status"] == 400


@pytest.mark.parametrize(("body", "status"), [
    (shipment(), 201), (shipment(product_id=1), 400), (shipment(items=[{"order_product_id": 1, "quantity": 1, "product_id": 5}]), 400),
    (shipment(items=[]), 400), (shipment(items="1"), 400), ({"items": shipment()["items"]}, 400), ({"order_address_id": 1}, 400), ({}, 400), ([],
    400),
    (shipment(order_address_id="1"), 400), (shipment(order_address_id=99), 400), (shipment(items=[{"order_product_id": 2, "quantity": 1}]), 400),
    (shipment(items=[{"order_product_id": 1, "quantity": 0}]), 400), (shipment(items=[{"order_product_id": 1, "quantity": 1}] * 3), 400),
    (shipment(tracking_number="9" * 50), 201), (shipment(tracking_number="9" * 51), 400), (shipment(tracking_link="h" * 501), 400),
    (shipment(comments="c" * 65_536), 400), (shipment(comments=None), 400)])
def test_what_a_shipment_may_be(rig: Rig, body: Any, status: int) -> None:
    request = httpx.Request("POST", "http://x/v2/orders/100/shipments", json=body, headers=ASKED)
    answer = rig.sandbox.handle(request)
    assert answer.status_code == status
    assert len(rig.sandbox.books()["shipments"]) == len(rig.sandbox.books()["writes"]) == (status == 201)


def test_more_than_is_left_says_how_many_are(rig: Rig) -> None:
    answer = rig.sandbox.handle(httpx.Request("POST", "http://x/v2/orders/100/shipments", headers=ASKED,
                                              json=shipment(items=[{"order_product_id": 1, "quantity": 3}])))
    assert answer.status_code == 400
    assert answer.json()[0]["details"] | {"invalid_reason": ""} == {"available_quantity": 2, "order_product_id": 1, "invalid_reason": ""}


def test_the_same_tracking_number_twice_is_two_shipments_and_two_mails(rig: Rig) -> None:
    for _ in range(2):
        assert ask(rig, "POST", "/orders/100/shipments", shipment(tracking_number="T1")).status_code == 201
    assert len(rig.sandbox.books()["shipments"]) == len(rig.sandbox.books()["emails"]) == 2


def test_a_deleted_shipment_leaves_the_order_shipped_and_its_goods_free(rig: Rig) -> None:
    ask(rig, "POST", "/orders/100/shipments", shipment(items=[{"order_product_id": 1, "quantity": 2}]))
    ask(rig, "POST", "/orders/100/shipments", {"order_address_id": 2, "items": [{"order_product_id": 2, "quantity": 1}]})
    assert ask(rig, "DELETE", "/orders/100/shipments/1").status_code == 204
    order = ask(rig, "GET", "/orders/100").json()
    assert (order["status_id"], order["items_shipped"]) == (2, 1)
    assert ask(rig, "DELETE", "/orders/100/shipments").status_code == 204
    assert ask(rig, "GET", "/orders/100/shipments/count").json() == {"count": 0}


def test_a_shipment_is_changed_in_place_but_not_its_items(rig: Rig) -> None:
    ask(rig, "POST", "/orders/100/shipments", shipment(tracking_number="WRONG"))
    assert ask(rig, "PUT", "/orders/100/shipments/1", {"tracking_number": "RIGHT"}).json()["tracking_number"] == "RIGHT"
    put = httpx.Request("PUT", "http://x/v2/orders/100/shipments/1", json={"items": []}, headers=ASKED)
    assert rig.sandbox.handle(put).status_code == 400
    assert [s["tracking_number"] for s in ask(rig, "GET", "/orders/100/shipments").json()] == ["RIGHT"]
    assert len(rig.sandbox.books()["emails"]) == 1


def test_a_status_can_be_set_and_only_to_one_there_is(rig: Rig) -> None:
    assert ask(rig, "PUT", "/orders/100", {"status_id": 10}).json()["status"] == "Completed"
    for body in ({"status_id": 15}, {"status_id": "10"}, {"id": 5}, {"total_inc_tax": "0"}):
        assert rig.sandbox.handle(httpx.Request("PUT", "http://x/v2/orders/100", json=body, headers=ASKED)).status_code == 400


def test_every_answer_says_what_is_left_and_the_one_too_many_is_a_429() -> None:
    clock = ManualClock()
    sandbox = BigCommerceSandbox(clock, quota=3)
    request = httpx.Request("GET", "http://x/v2/time", headers={"X-Auth-Token": TOKEN})
    left = []
    for _ in range(4):
        answer = sandbox.handle(request)
        left.append((answer.status_code, answer.headers["X-Rate-Limit-Requests-Left"], answer.headers["X-Rate-Limit-Time-Reset-Ms"]))
        clock.sleep(1)
    assert left == [(200, "2", "30000"), (200, "1", "29000"), (200, "0", "28000"), (429, "0", "27000")]
    assert answer.headers["X-Retry-After"] == "27" and answer.headers["X-Rate-Limit-Requests-Quota"] == "3"
    clock.sleep(26)
    assert sandbox.handle(request).status_code == 200


def test_the_side_door_plays_the_customers(rig: Rig) -> None:
    order_id = rig.sandbox.place_order(LINES, [ADA], billing=BILLING, order_id=536365, placed_at=rig.began - timedelta(days=1), channel_id=1)
    line = next(iter(rig.sandbox.books()["orders"][order_id]["lines"]))
    rig.sandbox.edit_order(order_id, quantities={line: 4}, add=[{"sku": "NEW", "quantity": 1, "price": "1"}], address={"city": "Elsewhere"})
    books = rig.sandbox.books()["orders"][order_id]
    assert [(entry["sku"], entry["quantity"]) for entry in books["lines"].values()] == [("85123A", 4), ("NEW", 1)]
    assert next(iter(books["addresses"].values()))["city"] == "Elsewhere"
    rig.sandbox.edit_order(order_id, quantities={line: 0})
    rig.sandbox.cancel_order(order_id)
    books = rig.sandbox.books()["orders"][order_id]
    assert (books["status_id"], [entry["sku"] for entry in books["lines"].values()]) == (5, ["NEW"])
    for wrong in ({"order_id": 536365}, {"colour": "red"}):
        with pytest.raises(ValueError):
            rig.sandbox.place_order(LINES, [ADA], **wrong)


def test_the_books_are_a_copy(rig: Rig) -> None:
    rig.sandbox.books()["orders"].clear()
    assert len(rig.sandbox.books()["orders"]) == 7


def test_a_change_never_bears_an_earlier_date_than_the_one_before(rig: Rig) -> None:
    before = rig.sandbox.books()["orders"][106]["modified"]
    rig.clock.at -= timedelta(hours=1)
    rig.sandbox.edit_order(106, customer_message="x")
    assert rig.sandbox.books()["orders"][106]["modified"] == before


@needs_the_specs
def test_every_endpoint_answers_as_described(rig: Rig) -> None:
    """The whole surface once, through the checking transport (which raises on any violation)."""
    rig.sandbox.add_products([{"sku": "A"}, {"sku": "SHIRT", "variants": ["S", "M"]}])
    ask(rig, "POST", "/orders/100/shipments", shipment(tracking_number="T1", tracking_carrier="dpd-uk", comments="x", shipping_provider=""))
    ask(rig, "PUT", "/orders/100/shipments/1", {"comments": "y"})
    ask(rig, "PUT", "/orders/101", {"status_id": 9, "staff_notes": "n"})
    for path in ("/orders/100", "/orders/count", "/orders/100/products", "/orders/100/products/1", "/orders/100/shipping_addresses",
                 "/orders/100/shipping_addresses/1", "/orders/100/shipments", "/orders/100/shipments/1", "/orders/100/shipments/count",
                 "/orders/100/consignments", "/order_statuses", "/order_statuses/11", "/store", "/time", "/channels", "/channels/1",
                 "/catalog/products",
                 "/catalog/variants"):
        assert ask(rig, "GET", path).status_code == 200, path
    for path in ("/orders/999", "/orders/100/products/99", "/orders/100/shipping_addresses/99", "/orders/100/shipments/99", "/order_statuses/99",
                 "/channels/9"):
        assert ask(rig, "GET", path).status_code == 404, path
    for include in ("consignments", "consignments.line_items"):
        assert len(ask(rig, "GET", "/orders", include=include, consignment_structure="object").json()) == 7
    assert len(rig.checked.seen) > 25


@needs_the_specs
@pytest.mark.parametrize(("spoil", "found"), [
    (lambda row: {**row, "id": "100"}, "0.id"), (lambda row: {**row, "payment_status": "perhaps"}, "payment_status"),
    (lambda row: {**row, "total_inc_tax": 12.5}, "total_inc_tax"), (lambda row: {**row, "products": "none"}, "products"),
    (lambda row: {**row, "consignments": {"shipping": []}}, "consignments")])
def test_an_answer_that_breaks_the_description_is_found(rig: Rig, spoil: Any, found: str) -> None:
    handle = rig.sandbox.handle
    rig.sandbox.handle = lambda request: httpx.Response(200, json=[spoil(row) for row in handle(request).json()])
    with pytest.raises(spec.Violation, match=found):
        ask(rig, "GET", "/orders")


@needs_the_specs
@pytest.mark.parametrize(("method", "path", "body", "params", "headers"), [
    ("POST", "/orders/100/shipments", {"tracking_number": "x"}, {}, ASKED), ("POST", "/orders/100/shipments", shipment(order_address_id="1"), {},
    ASKED),
    ("POST", "/orders/100/shipments", shipment(tracking_number="9" * 51), {}, ASKED), ("GET", "/orders", None, {"channel_id": "abc"}, ASKED),
    ("GET", "/orders", None, {"sort": "colour"}, ASKED), ("GET", "/orders", None, {"colour": "red"}, ASKED), ("GET", "/nothing", None, {}, ASKED),
    ("PATCH", "/orders", None, {}, ASKED), ("GET", "/orders", None, {}, {"Accept": "application/json"})])
def test_a_request_that_breaks_the_description_is_found(rig: Rig, method: str, path: str, body: Any, params: dict, headers: dict) -> None:
    with pytest.raises(spec.Violation):
        ask(rig, method, path, body, headers, **params)


@needs_the_specs
@pytest.mark.parametrize("mended", [True, False], ids=["as it is meant", "as published"])
def test_a_whole_run_of_ours_breaks_neither_form_of_the_description(mended: bool) -> None:
    rig = Rig()
    rig.overheard._inner = rig.checked = spec.Checked(rig.checked._inner, spec.bigcommerce(mended))
    rig.place(7, lines=TWO, addresses=[ADA, BOB])
    port = rig.connect()
    assert rig.ids(port) == rig.ids(rig.connect(embed_consignments=False))
    port.send(dispatch(100, 1, {1: 1}, "T1"))
    assert port.find(dispatch(100, 1, {1: 1}, "T1")) and port.find(dispatch(100, 1, {1: 1}, "T2", "other")) is None
    assert set(rig.checked.seen) == {"GET /orders 200", "GET /orders/{} 200", "GET /orders/{}/products 200", "GET /orders/{}/shipping_addresses 200",
                                     "POST /orders/{}/shipments 201", "GET /orders/{}/shipments 200"}


def test_it_answers_on_a_port(rig: Rig) -> None:
    with serve(rig.sandbox, rig.clock) as url:
        answer = httpx.get(f"{url}/stores/{HASH}/v2/orders", headers=ASKED)
        assert len(answer.json()) == 7 and answer.headers["x-rate-limit-requests-quota"] == "100000"
        assert httpx.get(f"{url}/v2/orders", params={"min_id": 900}, headers=ASKED).status_code == 204


def test_a_page_of_250_out_of_ten_thousand_is_answered_at_once() -> None:
    clock = ManualClock()
    sandbox = BigCommerceSandbox(clock, quota=10**6)
    for _ in range(10_000):
        sandbox.place_order(TWO, [ADA, BOB])
        clock.sleep(0.1)
    request = httpx.Request("GET", "http://x/v2/orders", headers={"X-Auth-Token": TOKEN}, params={
        "min_date_modified": "Thu, 15 Jan 2026 09:08:00 +0000", "sort": "date_modified:asc", "limit": 250, "include": "consignments.line_items",
        "consignment_structure": "object"})
    assert len(sandbox.handle(request).json()) == 250
    began = SystemClock().now()
    for _ in range(10):
        sandbox.handle(request)
    assert (SystemClock().now() - began).total_seconds() / 10 < 0.02
