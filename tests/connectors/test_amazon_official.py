"""Amazon's own example cases for the operations that orders and confirmations use: every answer decodes, every refusal has its error."""

import json

import httpx
import pytest

from connectors.amazon import mapping
from connectors.amazon.wire_orders import ConfirmRequest
from connectors.kit.clock import ManualClock
from connectors.kit.errors import Refused
from connectors.kit.http import ReadFailed
from contracts.money import to_minor
from contracts.orders import OrderLines, Orders, Recipients, ShipGroups
from tests.connectors import amazon_spec
from tests.connectors.amazon_rig import Rig, dispatch

pytestmark = pytest.mark.skipif(bool(amazon_spec.MISSING), reason=amazon_spec.MISSING)
READ = amazon_spec.cases("searchOrders", "getOrder")
CONFIRM = amazon_spec.cases("confirmShipment")
STATUSES = {"SHIPPED": "shipped", "UNSHIPPED": "awaiting_fulfilment"}


def _name(case):
    return f"{case['operationId']}-{case['status']}-{case['case']}"


def _answering(case):
    """A connection to an Amazon that gives this one answer to everything but the token."""
    rig = Rig()

    class Canned(httpx.BaseTransport):
        def handle_request(self, request):
            if request.url.path.startswith("/auth/"):
                return httpx.Response(200, json={"access_token": "Atza|x", "token_type": "bearer", "expires_in": 3600})
            return httpx.Response(case["status"], json=case["response"]) if case["status"] != 204 else httpx.Response(204)

    rig.overheard, rig.clock = Canned(), ManualClock(rig.clock.now())
    return rig


def test_there_are_cases_of_each():
    assert len(READ) == 8 and len(CONFIRM) == 2


@pytest.mark.parametrize("case", [case for case in READ if case["status"] == 200], ids=_name)
def test_every_official_order_becomes_rows(case):
    rig = _answering(case)
    given = case["response"].get("orders") or [case["response"]["order"]]
    if case["operationId"] == "getOrder":
        page = rig.connect().order(given[0]["orderId"])
    else:
        page = next(iter(rig.connect().orders(rig.window())))
    assert page is not None and page.unreadable == []
    for frame, contract in ((page.orders, Orders), (page.lines, OrderLines), (page.ship_groups, ShipGroups), (page.recipients, Recipients)):
        assert contract.split(frame)[1].empty
    for order, row in zip(given, page.orders.to_dict("records"), strict=True):
        total, fulfillment = order["proceeds"]["grandTotal"], order["fulfillment"]
        assert (row["order_id"], row["channel"]) == (order["orderId"], order["salesChannel"]["marketplaceId"])
        assert (row["total_minor"], row["currency"]) == (to_minor(total["amount"], total["currencyCode"]), total["currencyCode"])
        assert row["fulfilled_by"] == {"AMAZON": "marketplace", "MERCHANT": "merchant"}[fulfillment["fulfilledBy"]]
        held = next((mapping.PROGRAMS[name] for name in order.get("programs", []) if name in mapping.PROGRAMS), "")
        expected = STATUSES[fulfillment["fulfillmentStatus"]]
        assert row["status"] == (held if held and expected == "awaiting_fulfilment" else expected)
    lines = [item for order in given for item in order["orderItems"]]
    assert page.lines["sku"].tolist() == [item["product"]["sellerSku"] for item in lines]
    assert page.lines["quantity_shipped"].tolist() == [item["fulfillment"]["quantityFulfilled"] for item in lines]


@pytest.mark.parametrize("case", [case for case in READ if case["operationId"] == "getOrder" and case["status"] == 200], ids=_name)
def test_the_parcels_of_an_official_order_are_shown(case):
    order = case["response"]["order"]
    shown = _answering(case).connect().shown_dispatches(order["orderId"])
    assert [(one["tracking_number"], one["provider"]) for one in shown] == [(p["trackingNumber"], p["carrier"]) for p in order.get("packages", [])]


@pytest.mark.parametrize("case", [case for case in READ if case["status"] == 400], ids=_name)
def test_an_official_refusal_of_a_read_is_an_error_and_never_an_empty_answer(case):
    rig = _answering(case)
    port = rig.connect()
    if case["operationId"] == "getOrder":
        with pytest.raises(Refused, match="InvalidInput"):
            port.order("026-0000000-0000001")
    else:
        with pytest.raises(ReadFailed, match="InvalidInput"):
            list(port.orders(rig.window()))


@pytest.mark.parametrize("case", CONFIRM, ids=_name)
def test_our_confirmation_is_the_official_one_and_its_answers_are_understood(case):
    """What we leave out is optional: the supply source, transparency codes. The 400 differs from the 204 in its date alone."""
    body = case["request"]["body"]
    detail = body["packageDetail"]
    effect = dispatch(case["request"]["orderId"], {detail["orderItems"][0]["orderItemId"]: 1}, tracking=detail["trackingNumber"], provider="FedEx",
                      tracking_carrier="FedEx", service="FedEx Ground", shipped_at="2022-02-11T01:00:00+00:00", channel=body["marketplaceId"])
    port = _answering(case).connect()
    ours = json.loads(port.prepare(effect))
    theirs = {key: value for key, value in detail.items() if key != "shipFromSupplySourceId"}
    theirs |= {"shipDate": "2022-02-11T01:00:00Z", "orderItems": [{"orderItemId": "79039765272157", "quantity": 1}]}
    assert ours == {"marketplaceId": body["marketplaceId"], "packageDetail": theirs}
    ConfirmRequest.model_validate(ours)
    if case["status"] == 204:
        assert port.send(effect).remote_id == "1"
    else:
        with pytest.raises(Refused, match="Invalid Input"):
            port.send(effect)


@pytest.mark.parametrize("case", CONFIRM, ids=_name)
def test_the_stand_in_answers_the_official_confirmations_as_amazon_does(case):
    rig = Rig(marketplaces=("ATVPDKIKX0DER",))
    body = case["request"]["body"]
    rig.sandbox.place_order([{"sku": "A", "quantity": 1, "price": "1", "item_id": "79039765272157"}], order_id=case["request"]["orderId"])
    sold = rig.sandbox.handle(httpx.Request("POST", "http://a/auth/o2/token", data={
        "grant_type": "refresh_token", "refresh_token": "Atzr|amazon-sandbox", "client_id": "amzn1.application-oa2-client.sandbox",
        "client_secret": "amazon-sandbox-secret"})).json()
    answer = rig.sandbox.handle(httpx.Request("POST", f"http://a/orders/v0/orders/{case['request']['orderId']}/shipmentConfirmation", json=body,
                                              headers={"x-amz-access-token": sold["access_token"]}))
    assert answer.status_code == case["status"]
    if case["status"] == 400:
        assert answer.json()["errors"][0]["code"] == case["response"]["errors"][0]["code"]
