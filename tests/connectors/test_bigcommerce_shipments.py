"""Dispatch confirmations at BigCommerce: sent once, read back, and told apart from every other shipment."""

import json
from dataclasses import replace

import pytest

from connectors.kit import sandbox as faults
from connectors.kit.errors import InDoubt, NotAllowed, NotNow, Refused, WharfingerError
from connectors.ports import ORDER_COMPLETION, Effect
from tests.connectors.bigcommerce_rig import ADA, BOB, Rig, dispatch

POST = "POST *"
TWO_PLACES = [{"sku": "A", "quantity": 3, "price": "2.50"}, {"sku": "B", "quantity": 1, "price": "1.00"},
              {"sku": "C", "quantity": 2, "price": "4", "address": 1}, {"sku": "D", "quantity": 1, "price": "1", "type": "digital"}]


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    assert rig.place(1, lines=TWO_PLACES, addresses=[ADA, BOB]) == [100]
    return rig


def outcome(rig: Rig) -> tuple[int, int, int]:
    """(status, shipments, e-mails) in the sandbox's own books."""
    books = rig.sandbox.books()
    return books["orders"][100]["status_id"], len(books["shipments"]), len(books["emails"])


def test_parcels_to_two_addresses_are_sent_and_the_order_follows(rig: Rig) -> None:
    port = rig.connect()
    parcels = [dispatch(100, 1, {1: 2}, "T1"), dispatch(100, 1, {1: 1, 2: 1}, "T2"), dispatch(100, 2, {3: 2}, "T3")]
    states = []
    for parcel in parcels:
        assert port.find(parcel) is None
        receipt = port.send(parcel)
        assert port.find(parcel) == receipt and receipt.evidence["tracking_number"] == parcel.payload["tracking_number"]
        states.append(outcome(rig))
    assert states == [(3, 1, 1), (3, 2, 2), (2, 3, 3)]
    shown = port.shown_dispatches("100")
    assert [s["reference"] for s in shown] == [parcel.effect_id for parcel in parcels]
    assert shown[1]["lines"] == [{"line_id": "1", "quantity": 1}, {"line_id": "2", "quantity": 1}]
    assert port.order("100").lines["quantity_shipped"].tolist() == [3, 1, 2, 0]


def test_the_body_is_exactly_what_the_api_takes(rig: Rig) -> None:
    body = json.loads(rig.connect().prepare(dispatch(100, 1, {1: 2}, "T1", "ship:1")))
    assert body == {"order_address_id": 1, "tracking_number": "T1", "shipping_provider": "royalmail", "comments": "ref:ship:1",
                    "items": [{"order_product_id": 1, "quantity": 2}]}


def test_the_frozen_document_is_what_is_sent(rig: Rig) -> None:
    effect = dispatch(100, 1, {1: 2}, "T1")
    frozen = rig.connect().prepare(effect).replace(b'"T1"', b'"FROZEN"')
    rig.connect().send(Effect(effect.effect_id, effect.kind, effect.target, effect.business_key, effect.payload, document=frozen))
    assert rig.sandbox.books()["shipments"][0]["tracking_number"] == "FROZEN"


@pytest.mark.parametrize(("given", "sent"), [
    ({"provider": "ups", "tracking_carrier": "ups"}, {"shipping_provider": "ups"}),
    ({"provider": "", "tracking_carrier": "dpd-uk"}, {"shipping_provider": "", "tracking_carrier": "dpd-uk"}),
    ({"provider": "", "tracking_link": "https://t.example/1"}, {"shipping_provider": "", "tracking_link": "https://t.example/1"}),
    ({"provider": "", "tracking_carrier": ""}, {"shipping_provider": ""})])
def test_the_tracking_link_comes_from_provider_or_carrier_or_is_our_own(rig: Rig, given: dict, sent: dict) -> None:
    body = json.loads(rig.connect().prepare(dispatch(100, 1, {1: 2}, "T1", **given)))
    assert {key: body[key] for key in ("shipping_provider", "tracking_carrier", "tracking_link") if key in body} == sent


@pytest.mark.parametrize(("effect", "said"), [
    (dispatch(100, 1, {1: 1}, "9" * 51), "tracking_number.*at most 50"),
    (dispatch(100, 1, {1: 1}, "T", tracking_link="h" * 501), "tracking_link.*at most 500"),
    (dispatch(100, 0, {1: 1}), "order_address_id"), (dispatch(100, 1, {}), "items"), (dispatch(100, 1, {1: 1}, ship_group="home"), "'home' is not"),
    (dispatch(100, 1, {1: 1}, lines=[{"line_id": "x1", "quantity": 1}]), "'x1' is not"),
    (dispatch(100, 1, {1: 1}, order_id="100/.."), "is not a BigCommerce id")])
def test_what_breaks_a_limit_is_refused_before_anything_is_sent(rig: Rig, effect: Effect, said: str) -> None:
    for act in (rig.connect().send, rig.connect().find):
        with pytest.raises(Refused, match=said):
            act(effect)
    assert rig.calls == []


def test_fifty_characters_of_tracking_are_taken(rig: Rig) -> None:
    assert rig.connect().send(dispatch(100, 1, {1: 1}, "9" * 50)).remote_id


def test_more_than_is_left_is_a_doubt_and_the_read_back_finds_the_first_call(rig: Rig) -> None:
    """The first call had worked and its answer was lost; the second gets a 400 that looks like a refusal."""
    port, effect = rig.connect(), dispatch(100, 2, {3: 2}, "T1")
    rig.sandbox.faults.add(faults.TIMEOUT_AFTER, on=POST, times=1)
    with pytest.raises(InDoubt):
        port.send(effect)
    with pytest.raises(InDoubt, match="order product 3 has only 0 left"):
        port.send(effect)
    assert port.find(effect).remote_id == "1" and outcome(rig) == (3, 1, 1)


def test_what_was_absent_and_finds_fewer_left_is_refused_unless_it_came_late(rig: Rig) -> None:
    """The order was made smaller after the parcel had left: no repetition could mend that, and it was repeated for hours."""
    port, effect = rig.connect(), dispatch(100, 2, {3: 2}, "T1")
    rig.sandbox.edit_order(100, quantities={3: 1})
    with pytest.raises(InDoubt, match="order product 3 has only 1 left"):
        port.send(effect)
    assert port.find(effect) is None
    with pytest.raises(Refused, match="order product 3 has only 1 of 2 left.*choose done"):
        port.send(replace(effect, attempt=2))
    assert rig.calls.count("POST /orders/100/shipments") == 1
    rig.sandbox.edit_order(100, quantities={3: 2})
    first = port.send(effect)
    assert port.send(replace(effect, attempt=2)) == first and rig.calls.count("POST /orders/100/shipments") == 2


@pytest.mark.parametrize(("fault", "error", "happened"), [
    (faults.CONNECT_REFUSED, NotNow, 0), (faults.TIMEOUT_BEFORE, InDoubt, 0), (faults.TIMEOUT_AFTER, InDoubt, 1), (faults.LATE_COMMIT, InDoubt, 0),
    (faults.THROTTLED, NotNow, 0), (faults.ERROR_BEFORE, InDoubt, 0), (faults.ERROR_AFTER, InDoubt, 1), (faults.GARBLED, InDoubt, 1),
    (faults.TOKEN_EXPIRED, NotAllowed, 0)])
def test_each_fault_of_a_write_is_the_right_error_and_the_read_back_tells(rig: Rig, fault: str, error: type[WharfingerError], happened: int) -> None:
    port, effect = rig.connect(), dispatch(100, 1, {1: 2}, "T1")
    rig.sandbox.faults.add(fault, on=POST, times=1)
    with pytest.raises(error) as raised:
        port.send(effect)
    assert type(raised.value) is error and rig.calls.count("POST /orders/100/shipments") == 1
    assert len(rig.sandbox.books()["shipments"]) == happened
    rig.clock.sleep(port.quiet_seconds)
    assert bool(port.find(effect)) == bool(happened or fault == faults.LATE_COMMIT)


def test_a_proxy_that_delivers_twice_ships_a_part_twice_and_the_whole_once(rig: Rig) -> None:
    """What remains, said openly: nothing at BigCommerce guards a line that is shipped in part."""
    port = rig.connect()
    rig.sandbox.faults.add(faults.DELIVERED_TWICE, on=POST, times=1)
    port.send(dispatch(100, 1, {1: 1}, "T1"))
    assert [s["tracking_number"] for s in port.shown_dispatches("100")] == ["T1", "T1"]
    rig.sandbox.faults.add(faults.DELIVERED_TWICE, on=POST, times=1)
    whole = dispatch(100, 2, {3: 2}, "T2")
    with pytest.raises(InDoubt, match="only 0 left"):
        port.send(whole)
    assert port.find(whole) and [s["tracking_number"] for s in port.shown_dispatches("100")] == ["T1", "T1", "T2"]


def test_a_stale_list_of_shipments_is_not_taken_for_absence(rig: Rig) -> None:
    """F13: the list did not show the new shipment yet; sending again would have mailed the customer twice."""
    port, effect = rig.connect(), dispatch(100, 1, {1: 1}, "T1")
    port.send(effect)
    rig.sandbox.faults.add(faults.STALE_READ, on="GET */shipments", times=1)
    with pytest.raises(InDoubt, match="counts 1 as shipped"):
        port.find(effect)
    assert port.find(effect)


@pytest.mark.parametrize("fault", [faults.TIMEOUT_BEFORE, faults.ERROR_BEFORE, faults.GARBLED, faults.CONNECT_REFUSED, faults.TOKEN_EXPIRED])
def test_a_read_back_that_fails_says_nothing(rig: Rig, fault: str) -> None:
    rig.sandbox.faults.add(fault, on="GET *")
    with pytest.raises(WharfingerError):
        rig.connect().find(dispatch(100, 1, {1: 1}))


def test_two_boxes_under_one_number_are_two_shipments(rig: Rig) -> None:
    """Same tracking number, same content: the second must not be taken for the first."""
    port = rig.connect()
    first, second = (dispatch(100, 1, {1: 1}, "MASTER", f"ship:{n}") for n in (1, 11))
    port.send(first)
    assert port.find(second) is None
    port.send(second)
    assert [port.find(e).remote_id for e in (first, second)] == ["1", "2"]
    assert port.find(dispatch(100, 1, {1: 1}, "MASTER", "ship:111")) is None


def test_a_reference_is_found_whatever_people_write_around_it(rig: Rig) -> None:
    port, effect = rig.connect(), dispatch(100, 1, {1: 1}, "T1", "ship:bc:100:gxo:BOX 1/2 é%")
    port.send(effect)
    comments = rig.sandbox.books()["shipments"][0]["comments"]
    rig.sandbox._books.shipments[100][0].update(comments=f"called the customer\n{comments} left at the door", tracking_number="OTHER")
    assert port.find(effect).remote_id == "1"
    assert port.shown_dispatches("100")[0]["reference"] == effect.effect_id


def test_without_a_reference_number_lines_and_address_must_all_agree(rig: Rig) -> None:
    port = rig.connect()
    port.send(dispatch(100, 1, {1: 2, 2: 1}, "T1"))
    rig.sandbox._books.shipments[100][0]["comments"] = "edited"
    assert port.find(dispatch(100, 1, {2: 1, 1: 2}, "T1")).remote_id == "1"
    for group, items, number in ((1, {1: 2, 2: 1}, "T2"), (2, {1: 2, 2: 1}, "T1"), (1, {1: 1, 2: 1}, "T1"), (1, {1: 2, 2: 1}, "")):
        assert port.find(dispatch(100, group, items, number)) is None


def test_shipments_are_read_to_the_last_page() -> None:
    rig = Rig()
    rig.place(1, lines=[{"sku": "A", "quantity": 12, "price": "1"}])
    port = rig.connect()
    for number in range(12):
        port.send(dispatch(100, 1, {1: 1}, f"T{number}"))
    assert len(port.shown_dispatches("100")) == 12
    assert port.find(dispatch(100, 1, {1: 1}, "T11")).remote_id == "12"


def test_a_shipment_that_somebody_deleted_is_surely_absent(rig: Rig) -> None:
    port, effect = rig.connect(), dispatch(100, 2, {3: 2}, "T1")
    port.send(effect)
    rig.sandbox._books.unship(100, [1])
    assert port.find(effect) is None and outcome(rig) == (3, 0, 1)


def test_a_shipment_for_an_order_that_is_gone_is_refused(rig: Rig) -> None:
    with pytest.raises(Refused, match="HTTP 404"):
        rig.connect().send(dispatch(999, 1, {1: 1}))


def test_a_refusal_names_the_field_and_nothing_else(rig: Rig) -> None:
    with pytest.raises(Refused, match="it names 'order_address_id'$|it names 'order_address_id'\\."):
        rig.connect().send(dispatch(100, 77, {1: 1}))


def completion() -> Effect:
    return Effect(effect_id="order_completion:bc:100", kind=ORDER_COMPLETION, target="bc", business_key="100", payload={"connection": "bc", "order_id": "100"})


def test_an_order_whose_goods_have_all_left_is_set_to_shipped_once_and_read_back(rig: Rig) -> None:
    """Postage that is a product of its own is never shipped: the order stood at Partially Shipped for ever."""
    port = rig.connect()
    port.send(dispatch(100, 1, {1: 3}, "T1"))
    assert outcome(rig)[0] == 3 and port.find(completion()) is None
    receipt = port.send(completion())
    assert outcome(rig)[0] == 2 and port.find(completion()) == receipt == port.send(completion())
    assert rig.calls.count("PUT /orders/100") == 1


def test_a_cancelled_order_is_not_moved_back_to_shipped(rig: Rig) -> None:
    rig.sandbox.cancel_order(100)
    with pytest.raises(Refused, match="status is 5"):
        rig.connect().send(completion())
    assert outcome(rig)[0] == 5 and rig.connect().find(completion()) is None  # no doubt that would be looked into for hours: it is refused with the next try


@pytest.mark.parametrize(("status", "known"), [(5, "cancelled"), (6, "cancelled"), (4, "refunded")])
def test_a_parcel_waits_until_our_book_knows_that_its_order_was_called_off(rig: Rig, status: int, known: str) -> None:
    """It would make a shipped order of it, and nobody would ever learn that the customer has his money back."""
    rig.sandbox.edit_order(100, status_id=status)
    port, parcel = rig.connect(), dispatch(100, 1, {1: 1}, "T1")
    with pytest.raises(NotNow, match="called off"):
        port.send(parcel)
    assert outcome(rig)[0] == status
    assert port.send(replace(parcel, known_status=known))


def test_a_status_change_without_an_answer_is_in_doubt(rig: Rig) -> None:
    port = rig.connect()
    rig.sandbox.faults.add(faults.TIMEOUT_AFTER, "PUT *", times=1)
    with pytest.raises(InDoubt):
        port.send(completion())
    assert port.find(completion()) is not None
