"""The stand-in's money (orders v3): what each order took, quotes, refunds that are paid out a moment later, and transactions.

As documented: quote and refund must agree, an override's payments must equal it, refunds of one order come one after the other, only what
was captured can be paid back, and no refund moves any stock. What the vendor leaves open (the refusal's words) is in the README.
"""

from collections.abc import Iterable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import httpx

from connectors.bigcommerce.sandbox_books import Books
from connectors.bigcommerce.sandbox_catalogue import Problem, Told, paged, sent
from connectors.bigcommerce.wire import read_date
from connectors.kit.clock import Clock

CENT = Decimal("0.01")
OFFLINE = ("bankdeposit", "cheque", "cod", "moneyorder", "instore", "custom")
REFUNDED, PARTIALLY_REFUNDED = 4, 14


class Money:
    """Transactions and refunds. `stale` says whether F13 strikes the request at hand; `decline` lists orders whose next refund is declined."""

    def __init__(self, clock: Clock, books: Books, tell: Told, payment_seconds: float, page_max: int) -> None:
        self._clock, self._books, self._tell, self._page_max = clock, books, tell, page_max
        self._payment = timedelta(seconds=payment_seconds)
        self.stale = False
        self.refunds: list[dict[str, Any]] = []
        self.transactions: list[dict[str, Any]] = []
        self.quotes = 0
        self.decline: dict[int, str] = {}
        self.more: tuple[Decimal, datetime] | None = None  # how much too much it gives back, and until when
        self._before: dict[int, list[dict[str, Any]]] = {}
        self._of_order: dict[int, list[dict[str, Any]]] = {}
        self._moves: dict[int, list[dict[str, Any]]] = {}
        self._due: list[tuple[datetime, dict[str, Any], dict[str, Any]]] = []

    def pay(self, order_id: int, amount: Decimal, event: str = "purchase") -> None:
        """Money comes in for an order (or is only authorised)."""
        self._move(order_id, event, amount, self._books.orders[order_id]["head"]["gateway"])

    def settle(self) -> None:
        """Pay out what is due; a payment that is to be declined is."""
        now = self._clock.now()
        due, self._due = [one for one in self._due if one[0] <= now], [one for one in self._due if one[0] > now]
        for at, refund, payment in due:
            if refund["decline"]:
                self._declined(payment)
            payment["transaction_id"] = str(len(self.transactions) + 1)
            self._move(refund["order_id"], "refund", payment["amount"], payment["provider_id"], "error" if payment["is_declined"] else "ok", at)

    def refund_by_hand(self, order_id: int, quantities: dict[int, int] | None = None, amount: str = "", reason: str = "") -> int:
        """A person refunds in the control panel: lines by their quantities, or an amount of the order as a whole. Returns the refund's id."""
        items = [{"item_type": "PRODUCT", "item_id": line, "quantity": quantity, "reason": reason} for line, quantity in (quantities or {}).items()]
        items += [{"item_type": "ORDER", "item_id": order_id, "amount": Decimal(amount), "reason": reason}] if amount else []
        total, tax = self._reckon(order_id, items)
        return self._make(order_id, items, [{"provider_id": "custom", "amount": total, "offline": True}], total, tax, False)["id"]

    def quantity_refunded(self, order_id: int, line_id: int) -> int:
        """How many of a line were paid back."""
        return sum(item.get("quantity") or 0 for refund in self._of_order.get(order_id, []) if not _is_declined(refund)
                   for item in refund["items"] if item["item_type"] == "PRODUCT" and item["item_id"] == line_id)

    def books(self) -> dict[str, Any]:
        """Its record of refunds and transactions."""
        return deepcopy({"refunds": [{**self._shape(r), "total_amount": r["total_amount"], "at": r["at"]} for r in self.refunds],
                         "transactions": self.transactions, "refund_quotes": self.quotes})

    def post_quote(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """POST …/refund_quotes: changes nothing."""
        self._known(order_id)
        total, tax = self._quoted(order_id, self._items(request))
        self.quotes += 1
        return httpx.Response(201, json={"data": {
            "order_id": order_id, "total_refund_amount": float(total), "total_refund_tax_amount": float(tax), "order_level_refund_amount": 0, "rounding": 0,
            "adjustment": 0, "tax_inclusive": True, "refund_methods": [[{**option, "amount": float(option["amount"])} for option in method]
                                                                       for method in self._methods(order_id, total)]}, "meta": {}})

    def post_refund(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """POST …/refunds: made at once, paid out later."""
        self._known(order_id)
        body, items = sent(request), self._items(request)
        payments = body.get("payments")
        if not isinstance(payments, list) or not payments or any(set(p) != {"provider_id", "amount", "offline"} for p in payments):
            raise _no("JSON data is missing or invalid", {"payments": "error.path.missing"})
        if any(refund["order_id"] == order_id for _, refund, _ in self._due):
            raise _no("Another refund of this order is still being processed.")
        quoted, tax = self._quoted(order_id, items)
        override = body.get("merchant_calculated_override")
        total = quoted if override is None else _decimal(override.get("total_amount"))
        tax = tax if override is None else _decimal(override.get("total_tax"))
        options = [{"provider_id": p["provider_id"], "amount": _decimal(p["amount"]), "offline": p["offline"]} for p in payments]
        offered = [[(o["provider_id"], o["offline"]) for o in method] for method in self._methods(order_id, quoted)]
        if [(o["provider_id"], o["offline"]) for o in options] not in offered or sum(o["amount"] for o in options) != total:
            raise _no("The payments do not match a refund method of the quote.")
        if total > self._left(order_id) or total <= 0:
            raise _no("The amount is more than what is left to refund.")
        return httpx.Response(201, json={"data": self._shape(self._make(order_id, items, options, total, tax, override is not None)), "meta": {}})

    def list_refunds(self, request: httpx.Request, order_id: int = 0) -> httpx.Response:
        """GET refunds of one order (without pages), or of all, by id."""
        wanted = request.url.params
        if order_id:
            self._known(order_id)
            rows = self._before.get(order_id, []) if self.stale else self._of_order.get(order_id, [])
            return httpx.Response(200, json={"data": [self._shape(r) for r in rows], "meta": {}})
        low, high = (None if wanted.get(f"created:{end}") is None else read_date(wanted[f"created:{end}"]) for end in ("min", "max"))
        rows = [r for r in self.refunds if (low is None or r["at"] >= low) and (high is None or r["at"] <= high)
                and str(r["order_id"]) in wanted.get("order_id:in", str(r["order_id"])).split(",")]
        return paged(request, [self._shape(r) for r in rows], self._page_max)

    def get_refund(self, request: httpx.Request, refund_id: int) -> httpx.Response:
        """GET one refund."""
        found = [r for r in self.refunds if r["id"] == refund_id]
        if not found:
            raise Problem(404, "Refund not found")
        return httpx.Response(200, json={"data": self._shape(found[0]), "meta": {}})

    def list_transactions(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """GET /v3/orders/{id}/transactions: 204 when there is none."""
        if order_id not in self._books.orders:
            return httpx.Response(404, json={"status": 404, "title": "The order was not found", "type": "about:blank"})
        rows = [{"id": t["id"], "order_id": str(order_id), "event": t["event"], "method": "offline" if t["gateway"] in OFFLINE else "credit_card",
                 "amount": float(t["amount"]), "currency": t["currency"], "gateway": t["gateway"], "gateway_transaction_id": f"gw{t['id']}", "test": False,
                 "status": t["status"], "fraud_review": False, "date_created": t["at"].isoformat(timespec="seconds")}
                for t in self._moves.get(order_id, [])]
        return httpx.Response(200, json={"data": rows, "meta": {}}) if rows else httpx.Response(204)

    def _known(self, order_id: int) -> None:
        if order_id not in self._books.orders:
            raise Problem(404, "The order was not found")

    def _items(self, request: httpx.Request) -> list[dict[str, Any]]:
        items = sent(request).get("items")
        if not isinstance(items, list) or not items:
            raise _no("JSON data is missing or invalid", {"items": "error.path.missing"})
        for place, item in enumerate(items):
            amount_bound = item.get("item_type") in ("ORDER", "SHIPPING")
            needed = {"item_type", "item_id", "amount" if amount_bound else "quantity"}
            if item.get("item_type") not in ("ORDER", "SHIPPING", "PRODUCT") or not needed <= set(item) <= needed | {"reason"}:
                raise _no("JSON data is missing or invalid", {f"items.{place}": "error.invalid"})
            if len(item.get("reason", "")) > 1000:
                raise _no("JSON data is missing or invalid", {f"items.{place}.reason": "error.maxLength"})
        return items

    def _quoted(self, order_id: int, items: list[dict[str, Any]]) -> tuple[Decimal, Decimal]:
        total, tax = self._reckon(order_id, items)
        more = self.more[0] if self.more is not None and self._clock.now() < self.more[1] else Decimal(0)
        return min(total + more, self._left(order_id)), tax

    def _reckon(self, order_id: int, items: Iterable[dict[str, Any]]) -> tuple[Decimal, Decimal]:
        """What these items come to, less their part of the order's discount, and the tax in it."""
        order = self._books.orders[order_id]
        gross = sum((line["price"] * line["quantity"] for line in order["lines"].values()), Decimal(0))
        total = tax = Decimal(0)
        for item in items:
            if item["item_type"] != "PRODUCT":
                total += _decimal(item["amount"])
                continue
            line = order["lines"].get(item["item_id"])
            left = line["quantity"] - self.quantity_refunded(order_id, item["item_id"]) if line else 0
            if type(item["quantity"]) is not int or not 0 < item["quantity"] <= left:
                raise _no(f"Quantity to be refunded exceeds what is refundable of order product {item['item_id']}")
            part = line["price"] * item["quantity"]
            total += part - Decimal(order["head"]["discount"]) * part / gross
            tax += (line["price"] - line["net"]) * item["quantity"]
        return min(total.quantize(CENT, ROUND_HALF_EVEN), self._left(order_id)), tax.quantize(CENT, ROUND_HALF_EVEN)

    def _left(self, order_id: int) -> Decimal:
        took = sum((t["amount"] for t in self._moves.get(order_id, []) if t["event"] in ("purchase", "capture") and t["status"] == "ok"), Decimal(0))
        return took - sum((r["total_amount"] for r in self._of_order.get(order_id, []) if not _is_declined(r)), Decimal(0))

    def _methods(self, order_id: int, total: Decimal) -> list[list[dict[str, Any]]]:
        head = self._books.orders[order_id]["head"]
        if not self._left(order_id):
            raise _no("There is no settled payment to refund.")

        def option(provider: str, why: str = "") -> list[dict[str, Any]]:
            return [{"provider_id": provider, "provider_description": provider, "amount": total, "offline": bool(why), "offline_provider": bool(why),
                     "offline_reason": why}]

        gateway = head["gateway"]
        own = [option(gateway, "This is an offline payment provider." if gateway in OFFLINE else "")] if gateway != "custom" else []
        credit = [option("storecredit")] if head["customer_id"] else []  # a guest has none
        return [*credit, option("custom", "This is an offline payment provider."), *own]

    def _make(self, order_id: int, items: list[dict[str, Any]], options: list[dict[str, Any]], total: Decimal, tax: Decimal, is_override: bool) -> dict[str, Any]:
        decline = self.decline.pop(order_id, "") or self.decline.pop(0, "")
        payments = [{"id": len(self.refunds) * 10 + n, **option, "is_declined": False, "declined_message": ""} for n, option in enumerate(options, 1)]
        refund = {"id": len(self.refunds) + 1, "order_id": order_id, "at": self._clock.now().replace(microsecond=0), "items": deepcopy(items), "payments": payments,
                  "total_amount": total, "total_tax": tax, "is_override": is_override, "decline": decline == "later"}
        self._before[order_id] = list(self._of_order.get(order_id, []))
        self._of_order.setdefault(order_id, []).append(refund)
        self.refunds.append(refund)
        for payment in payments:
            if decline == "at once":
                self._declined(payment)
            else:
                self._due.append((self._clock.now() + self._payment, refund, payment))
        if not _is_declined(refund):
            self._books.orders[order_id]["head"]["status_id"] = PARTIALLY_REFUNDED if self._left(order_id) else REFUNDED
        self._books.touch(order_id)
        self._tell("store/order/refund/created", {"type": "order", "id": order_id, "refund": {"refund_id": refund["id"]}})
        self._tell("store/order/updated", {"type": "order", "id": order_id})
        return refund

    def _declined(self, payment: dict[str, Any]) -> None:
        payment.update(is_declined=True, declined_message="The card issuer did not take it.")

    def _move(self, order_id: int, event: str, amount: Decimal, gateway: str, status: str = "ok", at: datetime | None = None) -> None:
        move = {"id": len(self.transactions) + 1, "order_id": order_id, "event": event, "amount": amount, "gateway": gateway, "status": status,
                "currency": self._books.orders[order_id]["head"]["currency"], "at": at or self._clock.now()}
        self.transactions.append(move)
        self._moves.setdefault(order_id, []).append(move)

    def _shape(self, refund: dict[str, Any]) -> dict[str, Any]:
        """A refund in the vendor's fields."""
        items = [{"item_type": item["item_type"], "item_id": item["item_id"], "reason": item.get("reason", ""), "quantity": item.get("quantity") or 0,
                  "adjustments": [], "requested_amount": float(item.get("amount") or 0)} for item in refund["items"]]
        return {"id": refund["id"], "order_id": refund["order_id"], "user_id": 1, "created": refund["at"].astimezone(UTC).isoformat(timespec="seconds"),
                "reason": "", "total_amount": float(refund["total_amount"]), "total_tax": float(refund["total_tax"]),
                "uses_merchant_override_values": refund["is_override"], "items": items,
                "payments": [{**payment, "amount": float(payment["amount"])} for payment in refund["payments"]]}


def _is_declined(refund: dict[str, Any]) -> bool:
    return all(payment["is_declined"] for payment in refund["payments"])


def _no(title: str, errors: dict[str, str] | None = None) -> Problem:
    return Problem(422, title, errors, "application/json")


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or value < 0:
        raise _no("JSON data is missing or invalid", {"amount": "error.expected.number"})
    given = Decimal(str(value))
    return given.quantize(CENT) if given == given.quantize(CENT) else given
