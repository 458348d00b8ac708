"""Webhooks of BigCommerce: what is genuine, what is not, and that the hooks stay registered."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from connectors.bigcommerce.hooks import HEADER, PER_SCOPE_MAX
from connectors.bigcommerce.sandbox_hooks import CLIENT_SECRET, RETRY_SECONDS
from connectors.bigcommerce.storefront import BigCommerce
from connectors.kit import sandbox as faults
from connectors.kit.errors import BadConfiguration, BadDocument, NotAllowed, WharfingerError
from tests.connectors.bigcommerce_rig import ADA, LINES, Rig

OURS = "a-header-of-our-own"
HERE = "https://hooks.example.com/hooks/bc"
CREATED, UPDATED, REFUNDED = "store/order/created", "store/order/updated", "store/order/refund/created"
Delivery = tuple[dict[str, str], bytes]


def hooked(rig: Rig, **more: Any) -> BigCommerce:
    return rig.connect(**{"client_secret": SecretStr(CLIENT_SECRET), "webhook_secret": SecretStr(OURS), **more})


@pytest.fixture
def rig() -> Rig:
    return Rig()


def inbox(rig: Rig, status: int = 200) -> list[Delivery]:
    got: list[Delivery] = []
    rig.sandbox.send_webhooks_to(lambda address, headers, body: got.append((headers, body)) or status)
    return got


def one(rig: Rig, port: BigCommerce) -> Delivery:
    port.keep_webhooks(HERE)
    got = inbox(rig)
    rig.place(1)
    rig.sandbox.step()
    return got[0]


def refused(port: BigCommerce, headers: dict[str, str], body: bytes) -> bool:
    try:
        port.hint(headers, body)
    except NotAllowed:
        return True
    return False


def test_an_order_placed_is_told_and_names_the_order(rig: Rig) -> None:
    port = hooked(rig)
    headers, body = one(rig, port)
    said = port.hint(headers, body)
    assert (said.topic, said.record) == ("order", "100") and said == port.hint({name.upper(): value for name, value in headers.items()}, body)
    assert rig.calls == ["GET /hooks", *["POST /hooks"] * 3], "a hint is read without asking anybody"


def test_the_vendor_s_own_way_of_signing_is_what_is_checked(rig: Rig) -> None:
    """An independent calculation: HMAC-SHA256 of 'id.timestamp.body' under the client secret, in base64."""
    import base64
    import hashlib
    import hmac

    port = hooked(rig)
    headers, body = one(rig, port)
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.new(CLIENT_SECRET.encode(), text, hashlib.sha256).digest()).decode()


def test_every_byte_of_body_and_headers_changed_is_refused(rig: Rig) -> None:
    port = hooked(rig)
    headers, body = one(rig, port)
    tried = 0
    for place in range(len(body)):
        for flip in (1, 0x20, 0x80):
            assert refused(port, headers, body[:place] + bytes([body[place] ^ flip]) + body[place + 1:]), (place, flip)
            tried += 1
        assert refused(port, headers, body[:place]) and refused(port, headers, body[:place] + b" " + body[place:])
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature", HEADER):
        value = headers[name]
        for place in range(len(value)):
            for flip in (1, 2, 4, 8, 0x10):
                changed = value[:place] + chr(ord(value[place]) ^ flip) + value[place + 1:]
                assert refused(port, {**headers, name: changed}, body), (name, place, flip)
                tried += 1
            assert refused(port, {**headers, name: value[:place]}, body) and refused(port, {**headers, name: value[:place] + " " + value[place:]}, body)
        assert refused(port, {key: text for key, text in headers.items() if key != name}, body), name
    assert tried > 1000 and not refused(port, headers, body)


@given(mess=st.fixed_dictionaries({name: st.text(max_size=60) | st.just("é" * 9) for name in ("webhook-id", "webhook-timestamp", "webhook-signature", HEADER)}),
       body=st.binary(max_size=80))
@settings(max_examples=150, deadline=None)
def test_whatever_comes_is_refused_and_nothing_else_is_raised(mess: dict[str, str], body: bytes) -> None:
    assert refused(hooked(Rig()), mess, body)


@pytest.mark.parametrize("moment", ["1e9", "123.5", "-5", " 1768467600", "١٧٦٨٤٦٧٦٠٠", "99999999999999", "", "0x10"])
def test_a_timestamp_is_a_plain_whole_number(rig: Rig, moment: str) -> None:
    port = hooked(rig)
    headers, body = one(rig, port)
    assert refused(port, {**headers, "webhook-timestamp": moment}, body)


@pytest.mark.parametrize(("late", "is_fine"), [(0, True), (299, True), (302, False), (-299, True), (-302, False), (86_400, False)])
def test_five_minutes_either_way_are_forgiven(rig: Rig, late: float, is_fine: bool) -> None:
    port = hooked(rig)
    headers, body = one(rig, port)
    rig.clock.at += timedelta(seconds=late)
    assert refused(port, headers, body) != is_fine


def test_a_signature_among_several_is_enough_but_not_one_in_many(rig: Rig) -> None:
    port = hooked(rig)
    headers, body = one(rig, port)
    good = headers["webhook-signature"]
    assert not refused(port, {**headers, "webhook-signature": f"v1,AAAA {good}"}, body)
    assert refused(port, {**headers, "webhook-signature": " ".join(["v1,AAAA"] * 8 + [good])}, body)
    assert refused(port, {**headers, "webhook-signature": good.replace("v1", "v1a")}, body)


def test_another_account_of_the_same_app_is_not_ours(rig: Rig) -> None:
    """The client secret belongs to the app: another merchant's account signs with it too."""
    other = Rig()
    other.sandbox._hooks._account = "other"
    headers, body = one(other, hooked(other))
    assert json.loads(body)["producer"] == "stores/other" and refused(hooked(rig), headers, body)


def test_without_secrets_nothing_is_genuine_and_nothing_is_registered(rig: Rig) -> None:
    headers, body = one(rig, hooked(rig))
    for port in (rig.connect(), rig.connect(client_secret=SecretStr(CLIENT_SECRET)), rig.connect(webhook_secret=SecretStr(OURS))):
        assert refused(port, headers, body)
        with pytest.raises(BadConfiguration, match="client_secret and webhook_secret"):
            port.keep_webhooks(HERE)
    assert refused(hooked(rig, client_secret=SecretStr("another-client-secret")), headers, body)
    with pytest.raises(ValidationError):
        hooked(rig, webhook_secret=SecretStr("short"))


@pytest.mark.parametrize("data", [{}, {"id": "100"}, {"id": True}, {"id": 0}, {"id": -1}, {"id": 10**18}, {"id": None}, {"order_id": [1]}])
def test_a_genuine_delivery_that_names_nothing_is_a_bad_document(rig: Rig, data: dict[str, Any]) -> None:
    port = hooked(rig)
    port.keep_webhooks(HERE)
    got = inbox(rig)
    rig.sandbox._hooks.tell(CREATED, data)
    rig.sandbox.step()
    with pytest.raises(BadDocument):
        port.hint(*got[0])


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b"\xff", b'{"scope": 1}', b"[" * 5000, b'{"scope": "store/order/created", "producer": "stores/abc123"}', b"NaN"])
def test_a_genuine_delivery_that_cannot_be_read_is_a_bad_document(rig: Rig, body: bytes) -> None:
    port = hooked(rig)
    port.keep_webhooks(HERE)
    hook = next(iter(rig.sandbox.books()["hooks"].values()))
    try:
        headers = rig.sandbox._hooks.signed("msg_9", body, hook)
    except UnicodeDecodeError:
        headers = rig.sandbox._hooks.signed("msg_9", b"", hook)
        assert refused(port, headers, body)
        return
    with pytest.raises(BadDocument):
        port.hint(headers, body)


def test_a_body_beyond_all_bounds_is_refused_unread(rig: Rig) -> None:
    port = hooked(rig)
    port.keep_webhooks(HERE)
    hook = next(iter(rig.sandbox.books()["hooks"].values()))
    big = json.dumps({"scope": CREATED, "pad": "x" * 70_000}).encode()
    assert refused(port, rig.sandbox._hooks.signed("msg_9", big, hook), big)


def test_two_deliveries_of_one_event_are_one_hint_and_two_events_are_two(rig: Rig) -> None:
    port = hooked(rig)
    port.keep_webhooks(HERE)
    got = inbox(rig)
    rig.sandbox.faults.add(faults.DELIVERED_TWICE, on=f"HOOK {CREATED}", times=1)
    rig.sandbox.faults.strike("HOOK nothing")
    rig.place(1, apart_seconds=0)
    rig.sandbox.faults.add(faults.DELIVERED_TWICE, on=f"HOOK {CREATED}", times=1)
    rig.sandbox.step()
    rig.clock.sleep(2)
    rig.sandbox.edit_order(100, customer_message="x")
    rig.clock.sleep(2)
    rig.sandbox.edit_order(100, customer_message="y")
    rig.sandbox.step()
    keys = [port.hint(*delivery).key for delivery in got]
    assert len(keys) == 4 and keys[0] == keys[1] and len(set(keys)) == 3
    assert [port.hint(*delivery).record for delivery in got] == ["100"] * 4


def test_refunds_stock_and_a_channel_s_orders_are_understood(rig: Rig) -> None:
    port = hooked(rig, webhook_scopes=(REFUNDED, "store/sku/inventory/updated", "store/product/inventory/updated"))
    port.keep_webhooks(HERE)
    got = inbox(rig)
    rig.sandbox.add_products([{"sku": "MUG", "inventory_tracking": "product"}, {"sku": "S", "inventory_tracking": "variant", "variants": ["S-1"]}])
    rig.place(1)
    rig.sandbox.refund_by_hand(100, {1: 1})
    rig.sandbox.set_stock_by_hand("MUG", 4)
    rig.sandbox.set_stock_by_hand("S-1", 4)
    rig.sandbox.step()
    assert [(port.hint(*d).topic, port.hint(*d).record) for d in got] == [("refund", "100"), ("stock", "product 1"), ("stock", "sku 2")]
    hook = next(iter(rig.sandbox.books()["hooks"].values()))
    body = json.dumps({"scope": "store/channel/2/order/updated", "producer": "stores/abc123", "hash": "h", "created_at": 1, "data": {"order_id": 7}}).encode()
    assert (port.hint(rig.sandbox._hooks.signed("m", body, hook), body).topic, port.hint(rig.sandbox._hooks.signed("m", body, hook), body).record) == ("order", "7")
    body = body.replace(b"order/updated", b"cart/updated")
    with pytest.raises(BadDocument, match="scope"):
        port.hint(rig.sandbox._hooks.signed("m", body, hook), body)


def test_hooks_are_registered_once_and_put_right_when_they_went_wrong(rig: Rig) -> None:
    port = hooked(rig)
    assert port.keep_webhooks(HERE) == [{"topic": scope, "was": "missing"} for scope in (CREATED, UPDATED, REFUNDED)]
    assert [one["was"] for one in port.keep_webhooks(HERE)] == ["active"] * 3
    hooks = rig.sandbox.books()["hooks"]
    off, elsewhere, gone = hooks
    rig.sandbox.switch_off_webhook(off)
    rig.sandbox._hooks.hooks[elsewhere]["destination"] = "https://old.example.com/hooks/bc"
    del rig.sandbox._hooks.hooks[gone]
    assert [one["was"] for one in port.keep_webhooks(HERE)] == ["off", "elsewhere", "missing"]
    assert [one["was"] for one in port.keep_webhooks(HERE)] == ["active"] * 3
    after = rig.sandbox.books()["hooks"].values()
    assert len(after) == 3 and all(hook["is_active"] and hook["destination"] == HERE and hook["headers"] == {HEADER: OURS} for hook in after)


def test_other_people_s_hooks_are_left_alone_and_the_limit_is_told(rig: Rig) -> None:
    port = hooked(rig, webhook_scopes=(CREATED,))
    theirs = {"scope": CREATED, "destination": "https://somebody.example.com/x", "is_active": False}
    for _ in range(PER_SCOPE_MAX - 1):
        port._client.create_hook(json.dumps(theirs).encode())
    before = rig.sandbox.books()["hooks"]
    assert port.keep_webhooks(HERE)[0]["was"] == "missing"
    assert {number: hook for number, hook in rig.sandbox.books()["hooks"].items() if number in before} == before
    ours = max(rig.sandbox.books()["hooks"])
    rig.sandbox._hooks.hooks[ours].update(destination="https://another.example.com", headers=None)
    with pytest.raises(BadConfiguration, match="10 hooks"):
        port.keep_webhooks(HERE)


@pytest.mark.parametrize("address", ["http://hooks.example.com/x", "https://hooks.example.com:8443/x", "", "ftp://x"])
def test_an_address_that_storefronts_cannot_call_is_refused_at_once(rig: Rig, address: str) -> None:
    with pytest.raises(BadConfiguration, match="https"):
        hooked(rig).keep_webhooks(address)
    assert rig.calls == []


@pytest.mark.parametrize("fault", [faults.CONNECT_REFUSED, faults.TIMEOUT_BEFORE, faults.TIMEOUT_AFTER, faults.ERROR_BEFORE, faults.ERROR_AFTER, faults.GARBLED,
                                   faults.THROTTLED, faults.TOKEN_EXPIRED])
def test_a_registration_that_fails_is_told_and_the_next_one_ends_right(rig: Rig, fault: str) -> None:
    port = hooked(rig)
    rig.sandbox.faults.add(fault, on="POST *hooks", times=1)
    with pytest.raises(WharfingerError):
        port.keep_webhooks(HERE)
    rig.clock.sleep(60)
    port.keep_webhooks(HERE)
    assert sorted(hook["scope"] for hook in rig.sandbox.books()["hooks"].values()) == sorted((CREATED, UPDATED, REFUNDED)), "none twice"


def test_the_stand_in_tries_again_for_two_days_and_then_switches_off(rig: Rig) -> None:
    hooked(rig, webhook_scopes=(CREATED,)).keep_webhooks(HERE)
    got = inbox(rig, status=500)
    rig.place(1)
    rig.sandbox.step()
    for seconds in RETRY_SECONDS:
        rig.clock.sleep(seconds)
        rig.sandbox.step()
    books = rig.sandbox.books()
    assert len(got) == len(RETRY_SECONDS) + 1 and [d["attempt"] for d in books["deliveries"]] == list(range(12))
    assert [hook["is_active"] for hook in books["hooks"].values()] == [False]
    assert {json.loads(body)["hash"] for _, body in got} == {json.loads(got[0][1])["hash"]}


def test_the_stand_in_loses_some_and_forgets_the_idle(rig: Rig) -> None:
    hooked(rig, webhook_scopes=(CREATED,)).keep_webhooks(HERE)
    got = inbox(rig)
    rig.sandbox.faults.add(faults.CONNECT_REFUSED, on="EVENT *", times=1)
    rig.place(2)
    rig.sandbox.step()
    assert [json.loads(body)["data"]["id"] for _, body in got] == [101], "it may not fire at all"
    rig.clock.sleep(91 * 86_400)
    rig.sandbox.step()
    assert [hook["is_active"] for hook in rig.sandbox.books()["hooks"].values()] == [False]


@pytest.mark.parametrize(("body", "status"), [
    ({"scope": CREATED}, 422), ({"destination": HERE}, 422), ({"scope": CREATED, "destination": "http://x.example.com"}, 422), ({"scope": 1, "destination": HERE}, 422),
    ({"scope": CREATED, "destination": "https://x.example.com:444/"}, 422), ({"scope": CREATED, "destination": HERE, "colour": "red"}, 422),
    ({"scope": CREATED, "destination": HERE, "headers": {"a": "b"}}, 200)])
def test_what_a_hook_may_be(rig: Rig, body: dict[str, Any], status: int) -> None:
    answer = rig.sandbox.handle(httpx.Request("POST", "http://x/v3/hooks", json=body, headers={"X-Auth-Token": "bigcommerce-sandbox"}))
    assert answer.status_code == status and len(rig.sandbox.books()["hooks"]) == (status == 200)


def test_every_hook_endpoint_answers_as_described(rig: Rig) -> None:
    port = hooked(rig)
    port.keep_webhooks(HERE)
    number = min(rig.sandbox.books()["hooks"])
    client = httpx.Client(transport=rig.overheard, base_url="http://bigcommerce/stores/abc123/v3", headers={"X-Auth-Token": "bigcommerce-sandbox"})
    assert client.get("/hooks", params={"scope": CREATED, "is_active": "true"}).json()["meta"]["pagination"]["total"] == 1
    assert client.get(f"/hooks/{number}").json()["data"]["scope"] == CREATED
    assert client.delete(f"/hooks/{number}").status_code == 200 and client.get(f"/hooks/{number}").status_code == 404
    rig.sandbox.place_order(LINES, [ADA])
