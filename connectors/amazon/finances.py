"""Money (finances 2024-06-19): what buyers paid and what was given back to them, as Amazon's own transactions tell it. Observed, never written.

A transaction is net of Amazon's fees; what the buyer paid or got is added up from its parts. Orders of the last 48 hours may not be there yet:
whoever reads a window reads the last three days again. A deferred transaction and the one that releases it are one movement under one id.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from connectors.amazon.checked import read
from connectors.amazon.client import Client
from connectors.amazon.wire import write_moment
from connectors.amazon.wire_finances import DEFERRED, DEFERRED_RELEASED, ORDER_ID, RELEASED, Breakdown, Item, Transaction, TransactionsPage
from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, Refused
from connectors.ports import Window
from contracts.money import MINOR_DIGITS
from contracts.returns import Payments, Refunds

PATH = "/finances/2024-06-19/transactions"
SPAN = timedelta(days=179)  # 180 days and more are answered with nothing at all
LAG = timedelta(minutes=3)  # the latest moment that may be asked for is two minutes ago
PAGES_MAX = 5000
ORDERS_KEPT = 20_000
SHIPMENT = "shipment"
GIVEN_BACK = re.compile(r"refund|chargeback|guarantee|a-to-z", re.IGNORECASE)  # types of transactions (third-party captures: Refund, ChargeRefund, Chargeback)
# parts that the buyer pays or is given; every other part is between Amazon and the seller, the tax that Amazon withholds included
BUYERS = re.compile(r"(OurPrice|Shipping|Giftwrap|Goodwill|RestockingDeduction|ReturnShipping|ExportCharge|Promo)(Principal|Tax|Discount|TaxDiscount)?"
                    r"|ProductCharges|Tax|PromoRebates|Promotion|Principal|Principle")
GOODS = re.compile(r"OurPricePrincipal|ProductCharges|Principal|Principle")
SALES = ("Sales", "RefundedSales")
RANK = {RELEASED: 2, DEFERRED_RELEASED: 1, DEFERRED: 0}


class Finances:
    """Refunds and payments of one account.

    marketplaces: what is shown of others is left out (the filter of the API itself hides merchant-fulfilled orders of the US). lines_of: SKU -> order
    item ids of an order: a transaction names no lines. Raises Refused when there is no such order.
    """

    def __init__(self, name: str, client: Client, clock: Clock, marketplaces: tuple[str, ...], lines_of: Callable[[str], Mapping[str, list[str]]]) -> None:
        self._name, self._client, self._clock, self._marketplaces, self._lines_of = name, client, clock, frozenset(marketplaces), lines_of
        self._lines: dict[str, Mapping[str, list[str]]] = {}

    def refunds(self, window: Window) -> pd.DataFrame:
        """Frame of contract Refunds: refunds, chargebacks and guarantee claims posted in the window. Never declined: Amazon pays them itself."""
        latest = self._clock.now() - LAG
        found: list[Transaction] = []
        since, until = window.since, min(window.until, latest)
        while since < until:
            before = min(since + SPAN, until)
            found += self._listed({"postedAfter": write_moment(since), "postedBefore": write_moment(before + timedelta(seconds=1))})
            since = before
        posted = (one for one in once(found) if window.since <= one.postedDate < window.until)
        return Refunds.frame(row for one in posted if is_refund(one) for row in refund_rows(self._name, one, self._line_ids(one)))

    def payments(self, order_id: str) -> pd.DataFrame:
        """Frame of contract Payments: what the buyer paid for an order (settled once Amazon has released it to the seller) and was given back."""
        found = once(self._listed({"relatedIdentifierName": ORDER_ID, "relatedIdentifierValue": order_id}))
        return Payments.frame(payment_row(self._name, order_id, one) for one in found if one.related(ORDER_ID) in ("", order_id))

    def _listed(self, params: dict[str, Any]) -> list[Transaction]:
        """All pages, the empty ones in between too. The token goes with the arguments that produced it."""
        tokens: set[str] = set()
        found: list[Transaction] = []
        asked = params
        for _ in range(PAGES_MAX):
            page = read(TransactionsPage, self._client.read("listTransactions", PATH, asked), "/transactions").payload
            found += [one for one in page.transactions if not one.marketplaceDetails or not one.marketplaceDetails.marketplaceId
                      or one.marketplaceDetails.marketplaceId in self._marketplaces]
            if not page.nextToken:
                return found
            if page.nextToken in tokens:
                raise BadDocument("reading /transactions", "the token of the next page came before: it goes round in circles")
            tokens.add(page.nextToken)
            asked = {**params, "nextToken": page.nextToken}
        raise BadDocument("reading /transactions", f"more than {PAGES_MAX} pages")

    def _line_ids(self, transaction: Transaction) -> Mapping[str, list[str]]:
        """SKU -> order item ids of the transaction's order; nothing when the order is not to be had any more."""
        order_id = transaction.related(ORDER_ID)
        if order_id and order_id not in self._lines:
            self._lines = self._lines if len(self._lines) < ORDERS_KEPT else {}
            try:
                self._lines[order_id] = self._lines_of(order_id)
            except Refused:
                self._lines[order_id] = {}
        return self._lines.get(order_id, {})


def is_refund(transaction: Transaction) -> bool:
    """Was the buyer given something back?"""
    return bool(GIVEN_BACK.search(transaction.transactionType))


def once(transactions: Iterable[Transaction]) -> list[Transaction]:
    """Each movement once, in the order that they were posted: of one that was deferred and then released, the release."""
    kept: dict[str, Transaction] = {}
    for place, one in enumerate(transactions):
        key = one.identity or f"? {place}"
        if key not in kept or _rank(one) > _rank(kept[key]):
            kept[key] = one
    return sorted(kept.values(), key=lambda one: (one.postedDate, one.identity))


def refund_rows(connection: str, transaction: Transaction, lines: Mapping[str, list[str]]) -> Iterator[dict[str, Any]]:
    """Rows of Refunds: a line each, '' for what cannot be put to one. A SKU of several lines is put to none.

    Units count only where goods were paid back: a correction of fees repeats the quantity of the order. What Amazon takes back from the buyer
    (a refund reversed) is no refund and comes as 0.
    """
    currency = transaction.totalAmount.currencyCode
    amounts: dict[str, int] = {}
    units: dict[str, int] = {}
    for item in transaction.items:
        product = item.product
        ids = lines.get(product.sku, []) if product.sku else []
        line_id = ids[0] if len(ids) == 1 else ""
        amounts[line_id] = amounts.get(line_id, 0) - _minor(buyers(item.breakdowns, item), currency)
        has_goods = _added(item.breakdowns, GOODS) < 0
        units[line_id] = units.get(line_id, 0) + (abs(product.quantityShipped or 0) if has_goods else 0)
    if not amounts:
        amounts[""] = -_minor(buyers(transaction.breakdowns, transaction), currency)
    for line_id, minor in sorted(amounts.items()):
        yield {"connection": connection, "order_id": transaction.related(ORDER_ID), "refund_id": transaction.identity, "line_id": line_id,
               "quantity": units.get(line_id, 0), "amount_minor": max(0, minor), "currency": currency, "is_declined": False,
               "reason": transaction.transactionType[:80], "created_at": transaction.postedDate}


def payment_row(connection: str, order_id: str, transaction: Transaction) -> dict[str, Any]:
    """A row of Payments. Other transactions of an order (adjustments, retrocharges) are `other`, with their own total."""
    currency = transaction.totalAmount.currencyCode
    is_sale, is_back = transaction.transactionType.lower() == SHIPMENT, is_refund(transaction)
    amount = _buyers_of(transaction) if is_sale or is_back else transaction.totalAmount.currencyAmount
    return {"connection": connection, "order_id": order_id, "payment_id": transaction.identity, "kind": "purchase" if is_sale else "refund" if is_back else "other",
            "amount_minor": abs(_minor(amount, currency)), "currency": currency, "is_settled": transaction.transactionStatus.upper() != DEFERRED,
            "gateway": "amazon", "occurred_at": transaction.postedDate}


def buyers(breakdowns: list[Breakdown], whole: Item | Transaction) -> Decimal:
    """What the buyer paid (negative: was given back) of these parts; without parts the total, which is net of fees."""
    if not breakdowns:
        return whole.totalAmount.currencyAmount if whole.totalAmount else Decimal(0)
    sales = [one for one in breakdowns if one.breakdownType.replace(" ", "") in SALES]
    return sum((_amount(one) for one in sales), Decimal(0)) if sales else _added(breakdowns, BUYERS)


def _buyers_of(transaction: Transaction) -> Decimal:
    if not transaction.items:
        return buyers(transaction.breakdowns, transaction)
    return sum((buyers(item.breakdowns, item) for item in transaction.items), Decimal(0))


def _added(breakdowns: list[Breakdown], which: re.Pattern[str]) -> Decimal:
    """The parts of these names, at the finest level that is told; nothing of what is inside a fee (it has a `Tax` of its own)."""
    total = Decimal(0)
    for one in breakdowns:
        kind = one.breakdownType.replace(" ", "")
        if one.breakdowns:
            total += _added(one.breakdowns, which) if kind in SALES or BUYERS.fullmatch(kind) else 0
        elif which.fullmatch(kind):
            total += _amount(one)
    return total


def _amount(part: Breakdown) -> Decimal:
    return part.breakdownAmount.currencyAmount if part.breakdownAmount else Decimal(0)


def _rank(transaction: Transaction) -> int:
    return RANK.get(transaction.transactionStatus.upper(), 2)


def _minor(amount: Decimal, currency: str) -> int:
    """Minor units, to the nearest: these are JSON numbers, and sums of several parts."""
    return int(amount.scaleb(MINOR_DIGITS.get(currency, 2)).quantize(Decimal(1)))
