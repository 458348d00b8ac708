"""Money at BigCommerce: quoted, held against the cap, paid back once, and read back; declined and overlapping refunds."""

import json
from datetime import timedelta

import httpx
import pytest

from connectors.kit import sandbox as faults
from connectors.kit.errors import InDoubt, NotAllowed, NotNow, Refused, WharfingerError
from connectors.ports import REFUND, Effect, Window
from contracts.returns import Payments, Refunds
from tests.connectors.bigcommerce_rig import ADA, Rig

POST = "POST */refunds"
LINES = [{"sku": "A", "quantity": 3, "price": "12.00", "tax_rate": "0.2"}, {"sku": "B", "quantity": 1, "price": "4.99"}]


@pytest.fixture
def rig() -> Rig:
    return paid()


def paid(sandbox: dict | None = None, **order: object) -> Rig:
    rig = Rig(**sandbox or {})
    assert rig.place(1, lines=LINES, **order) == [100]
    rig.clock.sleep(3600)
    return rig


def refund(lines: dict[str, int] | None = None, document: str = "R1", rig: Rig | None = None, **payload: object) -> Effect:
    given = {"connection": "bc", "order_id": "100", "warehouse": "gxo", "document_id": document, "currency": "GBP", "cap_minor": 5000, "reason": "grade A",
             "lines": [{"line_id": line, "quantity": quantity} for line, quantity in (lines or {"1": 2}).items()], **payload}
    return Effect(f"refund:bc:100:{document}", REFUND, "bc", f"100:{document}", given, sent_at=rig.clock.now() if rig else None)


def made(rig: Rig) -> list[tuple[str, bool]]:
    return [(str(one["total_amount"]), any(p["is_declined"] for p in one["payments"])) for one in rig.sandbox.books()["refunds"]]


def test_what_came_back_is_quoted_and_paid_back_once_and_nothing_is_restocked(rig: Rig) -> None:
    port, effect = rig.connect(), refund(rig=rig)
    before = rig.sandbox.books()["stock_changes"]
    receipt = port.send(effect)
    assert receipt.evidence == {"order_id": "100", "amount_minor": 2400, "currency": "GBP", "is_declined": False}
    assert port.find(effect) == receipt == port.send(effect), "sent again, it is only looked at"
    assert made(rig) == [("24.00", False)] and rig.calls.count("POST /orders/100/payment_actions/refunds") == 1
    rig.clock.sleep(10)
    books = rig.sandbox.books()
    assert [(t["event"], str(t["amount"])) for t in books["transactions"]] == [("purchase", "40.99"), ("refund", "24.00")]
    assert books["orders"][100]["status_id"] == 14 and books["stock_changes"] == before


def test_the_bodies_are_exactly_what_the_api_takes(rig: Rig) -> None:
    bodies: dict[str, dict] = {}
    inner = rig.overheard._inner
    rig.overheard._inner = httpx.MockTransport(lambda request: bodies.update({request.url.path.rpartition("/")[2]: json.loads(request.content or b"{}")})
                                               or inner.handle_request(request))
    rig.connect().send(refund({"2": 1, "1": 1}))
    items = [{"item_type": "PRODUCT", "item_id": line, "quantity": 1, "reason": "ref:refund:bc:100:R1 grade A"} for line in (1, 2)]
    assert bodies["refund_quotes"] == {"items": items}
    assert bodies["refunds"] == {"items": items, "payments": [{"provider_id": "stripe", "amount": 16.99, "offline": False}]}
    rig.clock.sleep(120)
    rig.connect().send(refund({"1": 1}, "R2", amount_minor=333))
    assert bodies["refunds"]["payments"] == [{"provider_id": "stripe", "amount": 3.33, "offline": False}]
    assert bodies["refunds"]["merchant_calculated_override"] == {"total_amount": 3.33, "total_tax": 0.55}


@pytest.mark.parametrize(("effect", "said", "known_as"), [
    (refund(cap_minor=2399), "24.00 GBP is quoted, at most 23.99", "refund_over_cap"), (refund(amount_minor=2401), "24.01 is wanted", "refund_over_cap"),
    (refund(amount_minor=2400, cap_minor=2399), "at most 23.99", "refund_over_cap"), (refund(currency="EUR"), "paid in GBP", ""),
    (refund({"1": 4}), "HTTP 422", ""), (refund({"9": 1}), "HTTP 422", ""), (refund(order_id="999"), "404", ""), (refund({"x": 1}), "'x' is not", "")])
def test_what_does_not_fit_is_refused_and_no_money_moves(rig: Rig, effect: Effect, said: str, known_as: str) -> None:
    with pytest.raises(Refused, match=said) as raised:
        rig.connect().send(effect)
    assert raised.value.known_as == known_as and made(rig) == []
    assert "POST /orders/100/payment_actions/refunds" not in rig.calls


def test_a_discount_lowers_what_is_quoted() -> None:
    rig = paid(discount="4.099")
    assert rig.connect().send(refund({"1": 1})).evidence["amount_minor"] == 1080


@pytest.mark.parametrize(("fault", "error", "happened"), [
    (faults.CONNECT_REFUSED, NotNow, 0), (faults.TIMEOUT_BEFORE, InDoubt, 0), (faults.TIMEOUT_AFTER, InDoubt, 1), (faults.LATE_COMMIT, InDoubt, 0),
    (faults.THROTTLED, NotNow, 0), (faults.ERROR_BEFORE, InDoubt, 0), (faults.ERROR_AFTER, InDoubt, 1), (faults.GARBLED, InDoubt, 1),
    (faults.TOKEN_EXPIRED, NotAllowed, 0)])
def test_each_fault_of_a_refund_is_the_right_error_and_the_customer_is_paid_once(rig: Rig, fault: str, error: type[WharfingerError], happened: int) -> None:
    port, effect = rig.connect(), refund(rig=rig)
    rig.sandbox.faults.add(fault, on=POST, times=1)
    with pytest.raises(error) as raised:
        port.send(effect)
    assert type(raised.value) is error and len(made(rig)) == happened
    rig.clock.sleep(900)
    found = port.find(effect)
    assert bool(found) == bool(happened or fault == faults.LATE_COMMIT)
    if found is None:
        port.send(effect)
    assert made(rig) == [("24.00", False)]


@pytest.mark.parametrize("fault", [faults.TIMEOUT_BEFORE, faults.ERROR_BEFORE, faults.GARBLED, faults.TOKEN_EXPIRED, faults.CONNECT_REFUSED])
def test_a_quote_that_fails_moves_no_money(rig: Rig, fault: str) -> None:
    rig.sandbox.faults.add(fault, on="*refund_quotes")
    with pytest.raises(WharfingerError):
        rig.connect().send(refund())
    assert made(rig) == [] and "POST /orders/100/payment_actions/refunds" not in rig.calls


def test_a_refund_is_not_taken_for_absent_too_early_nor_from_an_old_list(rig: Rig) -> None:
    """Sent again on a stale list it would have been paid twice: the order had three of them."""
    port, effect = rig.connect(), refund(rig=rig)
    port.send(effect)
    rig.sandbox.faults.add(faults.STALE_READ, on="GET */refunds")
    with pytest.raises(InDoubt, match="less than 900 s ago"):
        port.find(effect)
    rig.clock.sleep(901)
    with pytest.raises(InDoubt, match="24.0 paid back, the list of refunds only 0"):
        port.find(effect)
    rig.sandbox.faults.clear()
    assert port.find(effect)


def test_a_proxy_that_delivers_twice_pays_once(rig: Rig) -> None:
    """The second delivery is refused, as the first is still being paid out; a refusal would have told finance that nothing was paid."""
    rig.sandbox.faults.add(faults.DELIVERED_TWICE, on=POST, times=1)
    assert rig.connect().send(refund(rig=rig)).remote_id == "1"
    assert made(rig) == [("24.00", False)]


def test_two_refunds_of_an_order_come_one_after_the_other(rig: Rig) -> None:
    """Both of the same line and amount, for two returns: the second is not taken for the first, and waits until that was paid out."""
    port, began = rig.connect(), rig.clock.now()
    port.send(refund({"1": 1}, rig=rig))
    port.send(refund({"1": 1}, "R2", rig=rig))
    assert made(rig) == [("12.00", False)] * 2 and rig.clock.now() - began == timedelta(seconds=10)
    body = {"items": [{"item_type": "PRODUCT", "item_id": 1, "quantity": 1}], "payments": [{"provider_id": "stripe", "amount": 12, "offline": False}]}
    answer = rig.sandbox.handle(httpx.Request("POST", "http://x/v3/orders/100/payment_actions/refunds", json=body,
                                              headers={"X-Auth-Token": "bigcommerce-sandbox"}))
    assert answer.status_code == 422 and "still being processed" in answer.json()["title"]


def test_a_refusal_soon_after_another_refund_is_tried_again_and_later_it_counts() -> None:
    """A provider took a minute to pay out; the second refund was refused for that alone, and finance was told that it never could be made."""
    rig = paid(sandbox={"payment_seconds": 60})
    port = rig.connect()
    port.send(refund({"1": 1}, rig=rig))
    with pytest.raises(NotNow) as raised:
        port.send(refund({"1": 1}, "R2", rig=rig))
    assert raised.value.wait_seconds == 60
    rig.clock.sleep(60)
    assert port.send(refund({"1": 1}, "R2", rig=rig)) and len(made(rig)) == 2
    rig.clock.sleep(900)
    with pytest.raises(Refused):
        port.send(refund({"1": 2}, "R3"))


def test_a_refund_that_is_declined_at_once_is_refused_and_not_made_again(rig: Rig) -> None:
    rig.sandbox.decline_next_refund(100)
    for _ in range(2):
        with pytest.raises(Refused, match="refund 1 was declined by stripe") as raised:
            rig.connect().send(refund(rig=rig))
    assert raised.value.records == ("1",) and made(rig) == [("24.00", True)]
    assert rig.sandbox.books()["orders"][100]["status_id"] == 11


def test_a_refund_that_is_declined_later_shows_so(rig: Rig) -> None:
    rig.sandbox.decline_next_refund(when="later")
    port, effect = rig.connect(), refund(rig=rig)
    port.send(effect)
    rig.clock.sleep(10)
    assert port.find(effect).evidence["is_declined"]
    frame = Refunds.sound(port.refunds(rig.window()))
    assert frame[["refund_id", "line_id", "quantity", "amount_minor", "is_declined", "reason"]].values.tolist() == [
        ["1", "1", 2, 2400, True, "ref:refund:bc:100:R1"]]
    assert port.payments("100")["is_settled"].tolist() == [True, False]


@pytest.mark.parametrize(("order", "settings", "provider"), [
    ({}, {}, "stripe"), ({"customer_id": 7}, {}, "stripe"), ({"gateway": "cheque"}, {"offline_refunds": True}, "custom"),
    ({"gateway": "cheque", "customer_id": 7}, {"store_credit_refunds": True}, "storecredit"), ({"gateway": "cheque"}, {}, ""),
    ({"gateway": "cheque", "customer_id": 7}, {}, "")])
def test_money_goes_back_the_way_it_came_unless_allowed_otherwise(order: dict, settings: dict, provider: str) -> None:
    rig = paid(**order)
    if not provider:
        with pytest.raises(Refused, match="cannot be paid back from here: only .*cheque"):
            rig.connect(**settings).send(refund())
        assert made(rig) == []
        return
    rig.connect(**settings).send(refund())
    assert [p["provider_id"] for p in rig.sandbox.books()["refunds"][0]["payments"]] == [provider]


def test_an_order_that_took_no_money_gives_none_back() -> None:
    rig = paid(payment_status="authorized")
    with pytest.raises(Refused):
        rig.connect().send(refund())
    assert rig.connect().payments("100")["kind"].tolist() == ["authorisation"]


def test_somebody_else_s_refund_counts_as_ours_only_when_it_fits(rig: Rig) -> None:
    """A person refunded by hand what our lost call should have: the same lines, later than we sent, without a reference."""
    port, effect = rig.connect(), refund(rig=rig)
    rig.sandbox.refund_by_hand(100, {1: 1})
    rig.clock.sleep(901)
    assert port.find(effect) is None
    rig.sandbox.refund_by_hand(100, {1: 2})
    assert port.find(effect).remote_id == "2"
    assert port.find(refund({"1": 2}, "R2", amount_minor=100)) is None, "another amount"
    late = Effect(effect.effect_id, effect.kind, "bc", "k", effect.payload, sent_at=rig.clock.now() + timedelta(hours=1))
    with pytest.raises(InDoubt):
        port.find(late)
    assert port.find(refund({"1": 2}, "R3")) is None, "never sent"


def test_refunds_and_payments_are_read_whole_with_each_total_counted_once(rig: Rig) -> None:
    rig.place(12, lines=LINES)
    for order, line in zip(range(101, 113), range(3, 27, 2), strict=True):
        rig.sandbox.refund_by_hand(order, {line: 1, line + 1: 1}, reason="Mrs Canary rang")
    rig.sandbox.refund_by_hand(100, amount="1.50")
    port = rig.connect()
    frame = Refunds.sound(port.refunds(rig.window()))
    assert len(frame) == 25 and frame["amount_minor"].sum() == 12 * 1699 + 150 and frame["refund_id"].nunique() == 13
    assert frame.iloc[-1][["line_id", "quantity"]].tolist() == ["", 0] and "Canary" not in frame.to_csv()
    assert port.refunds(Window(rig.clock.now() + timedelta(seconds=1), rig.clock.now() + timedelta(hours=1))).empty
    assert sum(call == "GET /orders/payment_actions/refunds" for call in rig.calls) >= 3
    payments = Payments.sound(port.payments("101"))
    assert payments[["kind", "amount_minor", "gateway", "is_settled"]].values.tolist() == [["purchase", 4099, "stripe", True]]
    rig.clock.sleep(10)
    assert port.payments("101")["kind"].tolist() == ["purchase", "refund"]


def test_an_order_without_transactions_is_an_empty_frame() -> None:
    rig = paid(payment_status="declined")
    assert Payments.sound(rig.connect().payments("100")).empty
    with pytest.raises(Refused):
        rig.connect().payments("999")


def test_yen_have_no_minor_unit() -> None:
    rig = Rig()
    rig.place(1, lines=[{"sku": "A", "quantity": 2, "price": "500"}], addresses=[ADA], currency="JPY")
    assert rig.connect().send(refund({"1": 1}, currency="JPY", cap_minor=500)).evidence["amount_minor"] == 500
