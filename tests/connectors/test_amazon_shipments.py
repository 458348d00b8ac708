"""Dispatch confirmations to Amazon: told once, edited under the same number, and read back, since a 204 promises nothing."""

import json

import httpx
import pytest

from connectors.amazon import mapping_shipment
from connectors.amazon.sandbox import GB
from connectors.amazon.sandbox_answers import No
from connectors.amazon.wire_orders import Package
from connectors.kit.errors import InDoubt, NotNow, Refused
from connectors.kit.sandbox import DELIVERED_TWICE, ERROR_AFTER, LATE_COMMIT, STALE_READ, TIMEOUT_AFTER
from tests.connectors.amazon_rig import Rig, dispatch

CONFIRM = "POST */shipmentConfirmation"


def _sent(rig, **order):
    [order_id] = rig.place(**order)
    return order_id, rig.items(order_id)[0], rig.connect()


def _packages(rig, order):
    return {number: package["shape"] for number, package in rig.sandbox.books()["orders"][order]["packages"].items()}


def test_a_parcel_is_confirmed_and_shown():
    rig = Rig()
    order, item, port = _sent(rig)
    receipt = port.send(dispatch(order, {item: 2}, tracking="RM1"))
    assert receipt.remote_id == "1"
    assert port.shown_dispatches(order) == [{"remote_id": "1", "reference": "", "tracking_number": "RM1", "provider": "Royal Mail", "tracking_carrier": "Royal Mail",
                                             "lines": [{"line_id": item, "quantity": 2}]}]
    page = port.order(order)
    assert page.orders["status"].tolist() == ["partially_shipped"] and page.lines["quantity_shipped"].tolist() == [2]
    port.send(dispatch(order, {item: 4}, 2, tracking="RM2"))
    assert port.order(order).orders["status"].tolist() == ["shipped"]


def test_the_number_of_the_parcel_travels_as_text_and_a_number_is_refused():
    """A JSON number is a 400 since January 2026 (amzn/selling-partner-api-models#5094)."""
    rig = Rig()
    order, item, port = _sent(rig)
    body = json.loads(port.prepare(dispatch(order, {item: 2}, 7)))
    assert body["packageDetail"]["packageReferenceId"] == "7"
    for number in (7, "0", "-1", "P1", "", None):
        body["packageDetail"]["packageReferenceId"] = number
        with pytest.raises(No):
            rig.sandbox.orders.confirm(httpx.Request("POST", "http://amazon", json=body), order)


def test_the_same_number_again_edits_the_parcel_and_another_number_is_another_parcel():
    rig = Rig()
    order, item, port = _sent(rig)
    port.send(dispatch(order, {item: 2}, 1, tracking="WRONG"))
    port.send(dispatch(order, {item: 3}, 1, tracking="RIGHT"))
    assert {number: one["trackingNumber"] for number, one in _packages(rig, order).items()} == {"1": "RIGHT"}
    port.send(dispatch(order, {item: 3}, 2, tracking="SECOND"))
    assert len(_packages(rig, order)) == 2 and port.order(order).lines["quantity_shipped"].tolist() == [6]


@pytest.mark.parametrize("fault", [TIMEOUT_AFTER, ERROR_AFTER, DELIVERED_TWICE, LATE_COMMIT])
def test_whatever_happens_on_the_way_it_is_one_parcel(fault):
    rig = Rig()
    order, item, port = _sent(rig)
    effect = dispatch(order, {item: 2})
    rig.sandbox.faults.add(fault, on=CONFIRM, times=1)
    try:
        port.send(effect)
    except InDoubt:
        rig.clock.sleep(port.quiet_seconds)
        assert port.find(effect) is not None
    port.send(effect)
    assert list(_packages(rig, order)) == ["1"]
    assert port.order(order).lines["quantity_shipped"].tolist() == [2]


def test_a_confirmation_that_was_dropped_in_silence_is_absent_when_it_is_read_back():
    """A 204 for a carrier that Amazon does not recognise changes nothing (amzn/selling-partner-api-models#5232)."""
    rig = Rig()
    order, item, port = _sent(rig)
    effect = dispatch(order, {item: 2}, provider="Pony Express")
    assert port.send(effect).remote_id == "1"
    rig.clock.sleep(port.quiet_seconds)
    assert port.find(effect) is None and port.shown_dispatches(order) == []
    assert rig.sandbox.books()["confirmations"][0]["is_forgotten"] is True


@pytest.mark.parametrize(("provider", "words"), [
    ("royal mail", "did you mean 'Royal Mail'"), ("RoyalMail", "did you mean 'Royal Mail'"), ("FEDEX", "did you mean 'FedEx'"), ("other", "did you mean 'Other'"),
    ("", "names no carrier code"), ("Other", "needs the name")])
def test_a_carrier_that_amazon_would_misread_is_refused_before_it_is_sent(provider, words):
    """"PUROLATOR" for "Purolator" became "Other", and cost the valid tracking rate (amzn/selling-partner-api-docs#2530)."""
    rig = Rig()
    order, item, port = _sent(rig)
    with pytest.raises(Refused, match=words):
        port.prepare(dispatch(order, {item: 2}, provider=provider))
    assert not rig.sandbox.books()["confirmations"]


def test_other_goes_with_its_name_and_not_at_all_in_india():
    rig = Rig()
    order, item, port = _sent(rig)
    port.send(dispatch(order, {item: 2}, provider="Other", tracking_carrier="Arrow XL"))
    assert _packages(rig, order)["1"]["carrier"] == "Arrow XL"
    with pytest.raises(Refused, match="not taken"):
        port.prepare(dispatch(order, {item: 2}, provider="Other", tracking_carrier="Arrow XL", channel="A21TJRUUN4KGV"))


def test_the_accounts_own_list_of_carriers_decides_and_tells_other_apart_when_shown():
    rig = Rig()
    order, item, _ = _sent(rig)
    port = rig.connect(carriers={GB: ("Royal Mail", "Other")})
    with pytest.raises(Refused, match="not among the carriers"):
        port.prepare(dispatch(order, {item: 2}, provider="Evri"))
    port.send(dispatch(order, {item: 2}, provider="Other", tracking_carrier="Arrow XL"))
    assert port.shown_dispatches(order)[0] | {"lines": 0} == {"remote_id": "1", "reference": "", "tracking_number": "T1", "provider": "Other",
                                                              "tracking_carrier": "Arrow XL", "lines": 0}


@pytest.mark.parametrize(("payload", "words"), [
    ({"package_number": 0}, "no number"), ({"tracking_number": ""}, "trackingNumber"), ({"tracking_number": "9" * 101}, "trackingNumber"),
    ({"shipped_at": "yesterday"}, "isoformat"), ({"shipped_at": "2026-01-15T09:00:00"}, "zone"), ({"lines": []}, "orderItems")])
def test_what_amazon_would_not_take_is_refused_and_the_field_is_named(payload, words):
    rig = Rig()
    order, item, port = _sent(rig)
    with pytest.raises(Refused, match=words):
        port.prepare(dispatch(order, {item: 1}, **payload))


def test_the_marketplace_is_the_orders_own_and_must_be_known():
    rig = Rig(marketplaces=(GB, "A1PA6795UKMFR9"))
    order, item, port = _sent(rig, marketplace="A1PA6795UKMFR9")
    with pytest.raises(Refused, match="channel"):
        port.prepare(dispatch(order, {item: 1}, provider="DHL", channel=""))
    port.send(dispatch(order, {item: 1}, provider="DHL", channel="A1PA6795UKMFR9"))
    assert list(_packages(rig, order)) == ["1"]
    assert json.loads(rig.connect(marketplace_ids=(GB,)).prepare(dispatch(order, {item: 1}, channel="")))["marketplaceId"] == GB


def test_lines_of_one_item_are_added_up_and_the_date_has_its_time():
    rig = Rig()
    order, item, port = _sent(rig)
    effect = dispatch(order, {}, lines=[{"line_id": item, "quantity": 1}, {"line_id": item, "quantity": 2}], shipped_at="2026-01-15T10:00:00.5+01:00")
    detail = json.loads(port.prepare(effect))["packageDetail"]
    assert detail["orderItems"] == [{"orderItemId": item, "quantity": 3}] and detail["shipDate"] == "2026-01-15T09:00:00Z"


@pytest.mark.parametrize("head", [{"status": "CANCELLED"}, {"status": "PENDING"}, {"fulfilled_by": "AMAZON"}, {"programs": ("FBM_SHIP_PLUS",)}])
def test_an_order_that_cannot_be_confirmed_is_refused(head):
    rig = Rig()
    order, item, port = _sent(rig, **head)
    with pytest.raises(Refused, match="InvalidInput"):
        port.send(dispatch(order, {item: 1}))
    assert _packages(rig, order) == {}


def test_more_than_is_left_is_refused_and_a_refusal_of_what_is_there_already_is_none():
    rig = Rig()
    order, item, port = _sent(rig)
    port.send(dispatch(order, {item: 6}))
    with pytest.raises(Refused, match="PackageToUpdateNotFound"):
        port.send(dispatch(order, {item: 1}, 2, tracking="T2"))
    rig.sandbox.orders.edit(order, programs=("FBM_SHIP_PLUS",))  # from now on every confirmation is refused
    assert port.send(dispatch(order, {item: 6})).remote_id == "1"


def test_an_old_list_of_parcels_is_no_proof_that_a_parcel_is_absent():
    rig = Rig()
    order, item, port = _sent(rig)
    effect = dispatch(order, {item: 2})
    port.send(effect)
    rig.sandbox.faults.add(STALE_READ, on="GET */orders/*", times=1)
    assert port.find(effect) is None, "an answer that is old as a whole cannot be told from the truth: the number makes sending again harmless"
    shape = rig.sandbox.orders.book.shape
    rig.sandbox.orders.book.shape = lambda order_id: shape(order_id) | {"packages": []}
    with pytest.raises(InDoubt, match="counts 2 as shipped"):
        port.find(effect)


def test_a_parcel_confirmed_by_hand_is_shown_and_is_none_of_ours():
    rig = Rig()
    order, item, port = _sent(rig)
    rig.sandbox.orders.confirm_by_hand(order, {item: 2}, "BYHAND")
    assert port.shown_dispatches(order)[0]["remote_id"] == "SC1"
    assert port.find(dispatch(order, {item: 2})) is None


def test_a_backlog_of_confirmations_uses_the_rate_and_none_is_refused_for_it():
    rig = Rig()
    orders = rig.place(60, apart_seconds=0)
    port, began = rig.connect(), rig.clock.now()
    for order in orders:
        port.send(dispatch(order, {rig.items(order)[0]: 6}))
    seconds = (rig.clock.now() - began).total_seconds()
    assert rig.sandbox.books()["refused_429"] == 0
    assert 60 >= 0.95 * (10 + 2 * seconds)


def test_a_throttled_confirmation_says_when_it_may_come_again():
    rig = Rig()
    order, item, port = _sent(rig)
    for _ in range(10):
        port.send(dispatch(order, {item: 2}))
    rig.sandbox._meters["confirmShipment"].takes(rig.clock.now())
    with pytest.raises(NotNow, match="QuotaExceeded") as raised:
        _elsewhere(rig).send(dispatch(order, {item: 2}))
    assert 0 < raised.value.wait_seconds <= 1


def _elsewhere(rig):
    """The same account from another process, which knows nothing of our calls."""
    class Away:
        """A clock that goes with ours."""

        def now(self):
            return rig.clock.now()

        def sleep(self, seconds):
            rig.clock.sleep(seconds)

    here, rig.clock = rig.clock, Away()
    try:
        return rig.connect()
    finally:
        rig.clock = here


def test_a_parcel_shown_without_tracking_or_lines_is_still_a_row():
    assert mapping_shipment.shown(Package.model_validate({"packageReferenceId": "9"}))["lines"] == []
