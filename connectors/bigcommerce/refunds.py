"""Money back (orders v3): quoted first, held against our cap, made once, read back. A refund never restocks anything.

Refunds of one order are made one after the other: the ordering key of the effect sees to that.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote

import pandas as pd
from pydantic import ValidationError

from connectors.bigcommerce.checked import number, read
from connectors.bigcommerce.client import Client
from connectors.bigcommerce.mapping import PLAIN, REFERENCE, nearest_minor, why
from connectors.bigcommerce.wire import Order
from connectors.bigcommerce.wire_money import REFUND_REASON_MAX, PaymentOption, Refund, RefundItem, RefundQuote, Transaction, amount
from connectors.kit.claims import doing, in_time
from connectors.kit.clock import Clock
from connectors.kit.errors import InDoubt, NotNow, Refused
from connectors.ports import Effect, Receipt, Window
from contracts.effects import RefundRequest
from contracts.money import to_major
from contracts.returns import Payments, Refunds

KINDS = {"purchase": "purchase", "authorization": "authorisation", "capture": "capture", "refund": "refund", "void": "void"}
MOVES_MONEY = ("purchase", "capture", "refund")
CLOCKS_APART = timedelta(seconds=60)  # a refund without our reference counts as ours when it was made after we sent, by clocks so far apart
RECENT = timedelta(minutes=15)
STORE_CREDIT = "storecredit"
CURRENCIES_KEPT = 50_000


class RefundDesk:
    """Refunds and payments of the account.

    quiet_seconds: how long after a doubtful refund the list is trusted to show it. gap_seconds: between two refunds of one order.
    """

    def __init__(self, name: str, client: Client, clock: Clock, quiet_seconds: float, gap_seconds: float, offline: bool,
                 store_credit: bool) -> None:
        self._name, self._client, self._clock = name, client, clock
        self._gap = timedelta(seconds=gap_seconds)
        self._quiet, self._offline, self._store_credit = timedelta(seconds=quiet_seconds), offline, store_credit
        self._currencies: dict[int, str] = {}

    def prepare(self, effect: Effect) -> bytes:
        """The items of the refund as JSON, the same for the quote and the refund; how it is paid out is known only after the quote."""
        return json.dumps({"items": [item.model_dump() for item in self._items(effect)]}).encode()

    def send(self, effect: Effect, body: bytes) -> Receipt:
        """Look first, quote, compare with the cap and the currency, refund once. Refused when it does not fit, or the provider declined.

        An earlier refund of the order is given `gap_seconds` to be paid out: several at once are not supported there. A 422 soon after one may
        mean just that, so it is NotNow.
        """
        payload, at = RefundRequest.model_validate(effect.payload), doing(self._name, effect)
        order_id = number(payload.order_id, at)
        listed = self._listed(order_id)
        there, earlier = self._match(effect, payload, listed), max((refund.created for refund in listed), default=None)
        if there is not None:
            return self._outcome(there, payload.currency, at)
        if earlier is not None:
            self._clock.sleep((earlier + self._gap - self._clock.now()).total_seconds())
        currency = self._currency(int(order_id))
        if currency != payload.currency:
            raise Refused(at, f"the order was paid in {currency}, the refund is reckoned in {payload.currency}")
        quoted = read(RefundQuote, self._client.quote_refund(order_id, body), "/refund_quotes")
        request = json.loads(body) | self._paid_out(payload, quoted, at)
        try:
            answer = self._client.refund(order_id, json.dumps(request).encode(), lambda: in_time(effect, self._clock, at))
        except Refused:  # a proxy may have delivered it twice: then the first one worked
            there = self._match(effect, payload, self._listed(order_id))
            if there is not None:
                return self._outcome(there, payload.currency, at)
            if earlier is not None and self._clock.now() - earlier < RECENT:
                raise NotNow(at, "it is refused, and an earlier refund of this order may still be being paid out", wait_seconds=60) from None
            raise
        try:
            made = Refund.model_validate(answer["data"])
        except (ValidationError, KeyError, TypeError):
            raise InDoubt(at, "the answer is no refund") from None
        return self._outcome(made, payload.currency, at)

    def find(self, effect: Effect) -> Receipt | None:
        """The refund that this effect made, declined or not (`evidence` says); None when there surely is none.

        Raises InDoubt when the order's transactions know of more money paid back than the list of refunds, or it is too early to tell.
        """
        payload, at = RefundRequest.model_validate(effect.payload), f"{doing(self._name, effect)}: reading back"
        order_id = number(payload.order_id, at)
        refunds = self._listed(order_id)
        match = self._match(effect, payload, refunds)
        if match is not None:
            return self._receipt(match, payload.currency)
        if effect.sent_at is not None and self._clock.now() - effect.sent_at < self._quiet:
            raise InDoubt(at, f"it is not in the list, but was sent less than {self._quiet.total_seconds():.0f} s ago")
        listed = sum((p.amount for refund in refunds for p in refund.payments if not p.is_declined), Decimal(0))
        moved = sum((t.amount for t in self._transactions(order_id) if t.event == "refund" and t.status == "ok"), Decimal(0))
        if moved > listed:
            raise InDoubt(at, f"the order's transactions have {moved} paid back, the list of refunds only {listed}")
        return None

    def refunds(self, window: Window) -> pd.DataFrame:
        """Frame of contract Refunds. A refund has one total: all of it is on its first row."""
        found = [read(Refund, row, "/orders/payment_actions/refunds")
                 for row in self._client.refunds(**{"created:min": _rfc3339(window.since), "created:max": _rfc3339(window.until)})]
        return Refunds.frame(row for refund in found if window.since <= refund.created < window.until
                             for row in refund_rows(self._name, refund, self._currency(refund.order_id)))

    def payments(self, order_id: str) -> pd.DataFrame:
        """Frame of contract Payments."""
        found = self._transactions(number(order_id, f"{self._name}: reading payments"))
        return Payments.frame(payment_row(self._name, order_id, one) for one in found)

    def _items(self, effect: Effect) -> list[RefundItem]:
        try:
            payload = RefundRequest.model_validate(effect.payload)
            reason = f"{REFERENCE}{quote(effect.effect_id, safe=PLAIN)} {payload.reason}".strip()[:REFUND_REASON_MAX]
            quantities: dict[str, int] = {}
            for line in payload.lines:
                quantities[line.line_id] = quantities.get(line.line_id, 0) + line.quantity
            return [RefundItem(item_id=int(number(line_id, doing(self._name, effect))), quantity=quantity, reason=reason)
                    for line_id, quantity in sorted(quantities.items())]
        except ValidationError as error:
            raise Refused(doing(self._name, effect), f"BigCommerce would not take it: {why(error)}") from None

    def _paid_out(self, payload: RefundRequest, quoted: RefundQuote, at: str) -> dict[str, Any]:
        """`payments`, and the override where less than the quote is paid back. Raises Refused when it does not fit."""
        total = nearest_minor(quoted.total_refund_amount, payload.currency)
        wanted = total if payload.amount_minor is None else payload.amount_minor
        told = f"{to_major(total, payload.currency)} {payload.currency} is quoted"
        if wanted > payload.cap_minor:
            raise Refused(at, f"{told}, at most {to_major(payload.cap_minor, payload.currency)} may be paid back", known_as="refund_over_cap")
        if wanted > total or wanted <= 0:
            raise Refused(at, f"{told}, and {to_major(wanted, payload.currency)} is wanted", "Look at the order's refunds.", known_as="refund_over_cap")
        payments = []
        left = wanted
        for option in self._method(quoted, at):
            part = min(left, nearest_minor(option.amount, payload.currency))
            payments += [{"provider_id": option.provider_id, "amount": amount(to_major(part, payload.currency)), "offline": option.offline}] if part else []
            left -= part
        if left:
            raise Refused(at, f"{told}, but the way of payment covers only {to_major(wanted - left, payload.currency)}")
        if wanted == total:
            return {"payments": payments}
        tax = nearest_minor(quoted.total_refund_tax_amount, payload.currency) * wanted // total
        return {"payments": payments, "merchant_calculated_override": {"total_amount": amount(to_major(wanted, payload.currency)),
                                                                      "total_tax": amount(to_major(tax, payload.currency))}}

    def _method(self, quoted: RefundQuote, at: str) -> list[PaymentOption]:
        """The way the money came in, when that can be done from here; store credit or a note that somebody pays by hand only where that is allowed."""
        def rank(method: list[PaymentOption]) -> int:
            offline = any(option.offline for option in method)
            credit = [option.provider_id == STORE_CREDIT for option in method]
            if offline:
                return 3 if self._offline else 9
            return 0 if not any(credit) else 1 if not all(credit) else 2 if self._store_credit else 9

        usable = sorted((rank(method), place) for place, method in enumerate(quoted.refund_methods) if method and rank(method) < 9)
        if not usable:
            offered = sorted({option.provider_id for method in quoted.refund_methods for option in method})
            raise Refused(at, f"it cannot be paid back from here: only {', '.join(offered) or 'nothing'} is offered", "Refund it in the storefront, by hand.")
        return quoted.refund_methods[usable[0][1]]

    def _match(self, effect: Effect, payload: RefundRequest, listed: list[Refund]) -> Refund | None:
        """By our reference in the reason; else one that names nobody's effect, of the same lines and an amount that fits, made after we sent."""
        for refund in listed:
            if reference(refund) == effect.effect_id:
                return refund
        wanted = sorted((item.item_id, item.quantity) for item in self._items(effect))
        for refund in listed:
            same = sorted((item.item_id, item.quantity or 0) for item in refund.items if item.item_type == "PRODUCT") == wanted
            total = nearest_minor(refund.total_amount, payload.currency)
            fits = total == payload.amount_minor if payload.amount_minor is not None else 0 < total <= payload.cap_minor
            if same and fits and not reference(refund) and effect.sent_at is not None and refund.created >= effect.sent_at - CLOCKS_APART:
                return refund
        return None

    def _outcome(self, refund: Refund, currency: str, at: str) -> Receipt:
        if refund.is_declined:
            raise Refused(at, f"refund {refund.id} was declined by {', '.join(p.provider_id for p in refund.payments if p.is_declined)}",
                          "Refund by another way.", records=(str(refund.id),))
        return self._receipt(refund, currency)

    def _receipt(self, refund: Refund, currency: str) -> Receipt:
        return Receipt(str(refund.id), {"order_id": str(refund.order_id), "amount_minor": nearest_minor(refund.total_amount, currency), "currency": currency,
                                        "is_declined": refund.is_declined})

    def _listed(self, order_id: str) -> list[Refund]:
        return [read(Refund, row, "/orders/{id}/payment_actions/refunds") for row in self._client.order_refunds(order_id)]

    def _transactions(self, order_id: str) -> list[Transaction]:
        return [read(Transaction, row, "/orders/{id}/transactions") for row in self._client.transactions(order_id)]

    def _currency(self, order_id: int) -> str:
        """What the order was paid in: refunds and quotes do not say, and an order's currency never changes."""
        if order_id not in self._currencies:
            order = read(Order, self._client.order(str(order_id), False), "/orders/{id}")
            self._currencies = self._currencies if len(self._currencies) < CURRENCIES_KEPT else {}
            self._currencies[order_id] = order.default_currency_code or order.currency_code
        return self._currencies[order_id]


def refund_rows(connection: str, refund: Refund, currency: str) -> Iterator[dict[str, Any]]:
    """Rows of Refunds: a line each, and '' for what belongs to no line. The total is on the first; of free text only our reference is kept."""
    total = nearest_minor(refund.total_amount, currency)
    quantities: dict[str, int] = {}
    for item in refund.items:
        line_id = str(item.item_id) if item.item_type in ("PRODUCT", "GIFT_WRAPPING") else ""
        quantities[line_id] = quantities.get(line_id, 0) + (item.quantity or 0 if item.item_type == "PRODUCT" else 0)
    for place, (line_id, quantity) in enumerate(sorted(quantities.items() or [("", 0)])):
        yield {"connection": connection, "order_id": str(refund.order_id), "refund_id": str(refund.id), "line_id": line_id, "quantity": quantity,
               "amount_minor": 0 if place else total, "currency": currency, "is_declined": refund.is_declined,
               "reason": f"{REFERENCE}{reference(refund)}" if reference(refund) else "", "created_at": refund.created}


def payment_row(connection: str, order_id: str, found: Transaction) -> dict[str, Any]:
    """A row of Payments."""
    return {"connection": connection, "order_id": order_id, "payment_id": str(found.id), "kind": KINDS.get(found.event, "other"),
            "amount_minor": abs(nearest_minor(found.amount, found.currency)), "currency": found.currency,
            "is_settled": found.status == "ok" and found.event in MOVES_MONEY, "gateway": found.gateway, "occurred_at": found.date_created}


def reference(refund: Refund) -> str:
    """The effect id that a refund of ours carries in its reason; '' for somebody else's."""
    words = " ".join([refund.reason, *(item.reason for item in refund.items)]).split()
    return unquote(next((word.removeprefix(REFERENCE) for word in words if word.startswith(REFERENCE)), ""))


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
