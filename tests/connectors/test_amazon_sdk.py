"""Amazon's own Python SDK, unmodified, tells the story from order to confirmation against the stand-in on a port."""

from datetime import timedelta

import pytest

from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, AmazonSandbox
from connectors.kit.clock import ManualClock
from connectors.kit.sandbox import serve

spapi = pytest.importorskip("spapi", reason="amzn-sp-api, Amazon's SDK, is not installed")
from spapi.api.orders_v0.orders_v0_api import OrdersV0Api  # noqa: E402
from spapi.api.orders_v2026_01_01.get_order_api import GetOrderApi  # noqa: E402
from spapi.api.orders_v2026_01_01.search_orders_api import SearchOrdersApi  # noqa: E402
from spapi.client import SPAPIClient  # noqa: E402
from spapi.models.orders_v0.confirm_shipment_order_item import ConfirmShipmentOrderItem  # noqa: E402
from spapi.models.orders_v0.confirm_shipment_request import ConfirmShipmentRequest  # noqa: E402
from spapi.models.orders_v0.package_detail import PackageDetail  # noqa: E402
from spapi.rest import ApiException  # noqa: E402

DATA = ["BUYER", "RECIPIENT", "PROCEEDS", "FULFILLMENT", "PACKAGES"]


@pytest.fixture
def world():
    """The stand-in on a port, a clock that we move, and the SDK's client."""
    clock = ManualClock()
    sandbox = AmazonSandbox(clock)
    with serve(sandbox, clock) as url:
        config = spapi.SPAPIConfig(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN)
        yield sandbox, clock, SPAPIClient(config, oauth_endpoint=f"{url}/auth/o2/token", endpoint=url).api_client


def _confirmation(sandbox, order, quantity, number="1", carrier="Royal Mail"):
    item = next(iter(sandbox.orders.book.orders[order]["items"]))
    return ConfirmShipmentRequest(marketplace_id=sandbox.marketplaces[0], package_detail=PackageDetail(
        package_reference_id=number, carrier_code=carrier, tracking_number=f"RM{number}", ship_date="2026-01-15T09:00:00Z",
        order_items=[ConfirmShipmentOrderItem(order_item_id=item, quantity=quantity)]))


def _placed(sandbox, clock, count):
    for n in range(count):
        sandbox.place_order([{"sku": f"SKU-{n}", "title": f"Thing {n}", "quantity": 5, "price": "12.50"}])
        clock.sleep(1)
    clock.sleep(300)
    return list(sandbox.orders.book.orders)


def test_the_official_sdk_pages_through_the_orders_confirms_one_and_reads_it_back(world):
    sandbox, clock, client = world
    placed = _placed(sandbox, clock, 7)
    found, token = [], None
    while True:
        more = {"pagination_token": token} if token else {}
        page = SearchOrdersApi(client).search_orders(last_updated_after=(clock.now() - timedelta(hours=1)).isoformat(), fulfilled_by=["MERCHANT"],
                                                     marketplace_ids=list(sandbox.marketplaces), max_results_per_page=3, included_data=DATA, **more)
        found += page.orders
        token = page.pagination.next_token if page.pagination else None
        if not token:
            break
    assert [order.order_id for order in found] == placed
    assert found[0].recipient.delivery_address.city == "Exampleton" and found[0].proceeds.grand_total.amount == "62.50"
    assert found[0].fulfillment.fulfillment_status == "UNSHIPPED"

    OrdersV0Api(client).confirm_shipment(placed[0], _confirmation(sandbox, placed[0], 2))
    order = GetOrderApi(client).get_order(placed[0], included_data=DATA).order
    assert order.fulfillment.fulfillment_status == "PARTIALLY_SHIPPED"
    assert [(p.package_reference_id, p.carrier, p.tracking_number, p.package_items[0].quantity) for p in order.packages] == [("1", "Royal Mail", "RM1", 2)]
    OrdersV0Api(client).confirm_shipment(placed[0], _confirmation(sandbox, placed[0], 5))  # the same number: an edit
    OrdersV0Api(client).confirm_shipment(placed[1], _confirmation(sandbox, placed[1], 5, carrier="Pony Express"))  # dropped in silence
    first, second = (GetOrderApi(client).get_order(one, included_data=DATA).order for one in placed[:2])
    assert (first.fulfillment.fulfillment_status, len(first.packages)) == ("SHIPPED", 1)
    assert (second.fulfillment.fulfillment_status, second.packages) == ("UNSHIPPED", [])


def test_the_official_sdk_is_told_no_as_amazon_tells_it(world):
    sandbox, clock, client = world
    order, ship_plus = _placed(sandbox, clock, 1)[0], sandbox.place_order([{"sku": "A", "quantity": 1, "price": "1"}], programs=("FBM_SHIP_PLUS",))
    number = _confirmation(sandbox, order, 1)
    number.package_detail.package_reference_id = 1
    for act, status in (
            (lambda: OrdersV0Api(client).confirm_shipment(order, number), 400),
            (lambda: OrdersV0Api(client).confirm_shipment(ship_plus, _confirmation(sandbox, ship_plus, 1)), 400),
            (lambda: OrdersV0Api(client).confirm_shipment(order, _confirmation(sandbox, order, 6)), 400),
            (lambda: GetOrderApi(client).get_order("026-0000000-0000000"), 404),
            (lambda: OrdersV0Api(client).get_order(order), 404),  # the v0 reads are gone
            (lambda: SearchOrdersApi(client).search_orders(last_updated_after="2026-01-15T08:00:00Z", created_after="2026-01-15T08:00:00Z"), 400),
            (lambda: SearchOrdersApi(client).search_orders(last_updated_after="2026-01-15T08:00:00Z", last_updated_before=clock.now().isoformat()), 400)):
        with pytest.raises(ApiException) as raised:
            act()
        assert raised.value.status == status
    sandbox.end_tokens()
    with pytest.raises(ApiException) as raised:
        GetOrderApi(client).get_order(order)
    assert raised.value.status == 403


def test_the_official_sdk_meets_the_token_bucket(world):
    sandbox, clock, client = world
    _placed(sandbox, clock, 1)

    def search():
        return SearchOrdersApi(client).search_orders_with_http_info(last_updated_after="2026-01-15T08:00:00Z")

    assert search()[2]["x-amzn-RateLimit-Limit"] == "0.0056"
    for _ in range(19):
        search()
    with pytest.raises(ApiException) as raised:
        search()
    assert raised.value.status == 429 and b"QuotaExceeded" in (raised.value.body if isinstance(raised.value.body, bytes) else raised.value.body.encode())
    clock.sleep(179)
    assert len(search()[0].orders) == 1
