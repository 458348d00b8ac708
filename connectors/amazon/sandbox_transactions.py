"""The stand-in's finances API (2024-06-19): the books' events as transactions. The names of parts are as third parties have captured them.

As documented: a start or an order must be named, more than 180 days are answered with nothing, the last two minutes are refused, a page may be empty
and not the last, a token goes with the arguments that produced it. A deferred transaction is shown twice once it is released.
"""

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.amazon.sandbox_answers import Route, invalid, moment_of
from connectors.amazon.sandbox_finances import Event, Money
from connectors.amazon.sandbox_settlement import Row
from connectors.amazon.wire import write_moment
from connectors.kit.clock import Clock
from contracts.money import MINOR_DIGITS

FILTERS = ("postedAfter", "postedBefore", "marketplaceId", "transactionStatus", "relatedIdentifierName", "relatedIdentifierValue")
NARROWED_BY = ("ORDER_ID", "FINANCIAL_EVENT_GROUP_ID")
# a row of a statement -> (group, part)
PARTS = {("ItemPrice", "Principal"): ("ProductCharges", "OurPricePrincipal"), ("ItemPrice", "Tax"): ("Tax", "OurPriceTax"),
         ("ItemPrice", "Shipping"): ("Shipping", "ShippingPrincipal"), ("ItemPrice", "ShippingTax"): ("Tax", "ShippingTax"),
         ("ItemPrice", "Goodwill"): ("ProductCharges", "GoodwillPrincipal"), ("Promotion", "Principal"): ("Promo", "OurPriceDiscount")}
SALES = ("ProductCharges", "Tax", "Shipping", "Promo")
DESCRIPTIONS = {"Shipment": "Order Payment", "Refund": "Refund Order"}


class TransactionsApi:
    """listTransactions. lag_seconds: how long after it happened a transaction is shown. has_empty_pages: an empty page goes before every other."""

    def __init__(self, clock: Clock, money: Money, seller_id: str, page_max: int = 100, lag_seconds: float = 120, has_empty_pages: bool = True) -> None:
        self._clock, self._money, self._seller_id = clock, money, seller_id
        self.page_max, self._lag, self._has_empty_pages = page_max, timedelta(seconds=lag_seconds), has_empty_pages

    def routes(self) -> list[Route]:
        """Its operations."""
        return [Route("GET", "/finances/2024-06-19/transactions", "listTransactions", self.list_transactions)]

    def step(self) -> None:
        """What is due: statements."""
        self._money.settle()

    def books(self) -> dict[str, Any]:
        """The record of the money."""
        return self._money.books()

    def list_transactions(self, request: httpx.Request) -> httpx.Response:
        """GET /finances/2024-06-19/transactions: the newest first."""
        asked = dict(request.url.params)
        token = asked.pop("nextToken", "")
        found = self._found(request.url.params)
        start = _offset(token, asked) if token else 0
        pages = [found[place:place + self.page_max] for place in range(0, len(found), self.page_max)]
        if self._has_empty_pages:
            pages = [page for full in pages for page in ([], full)]
        payload: dict[str, Any] = {"transactions": pages[start] if start < len(pages) else []}
        if start + 1 < len(pages):
            payload["nextToken"] = _token(start + 1, asked)
        return httpx.Response(200, json={"payload": payload})

    def _found(self, asked: httpx.QueryParams) -> list[dict[str, Any]]:
        if unknown := set(asked) - {*FILTERS, "nextToken"}:
            raise invalid(f"Unknown parameter {sorted(unknown)[0]}")
        now, name = self._clock.now(), asked.get("relatedIdentifierName", "")
        since, until, latest = moment_of(asked, "postedAfter"), moment_of(asked, "postedBefore"), now - timedelta(minutes=2)
        if name and (name not in NARROWED_BY or not asked.get("relatedIdentifierValue")):
            raise invalid("Invalid related identifier")
        if not name and since is None:
            raise invalid("Start date cannot be null", "Start date cannot be null")
        until = until or latest
        if until > latest or (since and since >= until):
            raise invalid("A date must be two minutes ago at least, and the later one after the earlier")
        if since and until - since > timedelta(days=180):
            return []
        shown = [(at, one) for event in self._money.events for at, one in self._shown(event, now)
                 if (since is None or since <= at) and at < until and at + self._lag <= now]
        return [one for _, one in sorted(shown, key=lambda pair: pair[0], reverse=True) if self._fits(one, asked)]

    def _fits(self, one: dict[str, Any], asked: httpx.QueryParams) -> bool:
        name, value = asked.get("relatedIdentifierName"), asked.get("relatedIdentifierValue")
        related = any(r["relatedIdentifierName"] == name and r["relatedIdentifierValue"] == value for r in one["relatedIdentifiers"])
        return (not name or related) and asked.get("transactionStatus", one["transactionStatus"]) == one["transactionStatus"] \
            and asked.get("marketplaceId", one["marketplaceDetails"]["marketplaceId"]) == one["marketplaceDetails"]["marketplaceId"]

    def _shown(self, event: Event, now: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
        first = _transaction_id(f"{event.number}")
        is_held = event.matures_at is not None and event.matures_at > now
        status = "RELEASED" if event.matures_at is None else "DEFERRED" if is_held else "DEFERRED_RELEASED"
        yield event.posted_at, self._transaction(event, first, event.posted_at, status, {})
        if event.matures_at is not None and not is_held:
            release = _transaction_id(f"{event.number} released")
            yield event.matures_at, self._transaction(event, release, event.matures_at, "RELEASED", {"DEFERRED_TRANSACTION_ID": first})

    def _transaction(self, event: Event, number: str, at: datetime, status: str, related: dict[str, str]) -> dict[str, Any]:
        shop = MARKETPLACES[event.marketplace_id]
        groups = _groups(event.rows, shop.currency)
        named = {"ORDER_ID": event.order_id, "SETTLEMENT_ID": event.settlement_id, "REFUND_ID": next((row.adjustment_id for row in event.rows), ""), **related}
        sales, expenses = ([group for group in groups if (group["breakdownType"] in SALES) == is_sales] for is_sales in (True, False))
        return {"sellingPartnerMetadata": {"sellingPartnerId": self._seller_id, "accountType": "Standard Orders", "marketplaceId": event.marketplace_id},
                "transactionType": event.kind, "transactionId": number, "transactionStatus": status, "postedDate": write_moment(at),
                "description": DESCRIPTIONS.get(event.kind, event.kind), "totalAmount": _money(sum(row.minor for row in event.rows), shop.currency),
                "relatedIdentifiers": [{"relatedIdentifierName": key, "relatedIdentifierValue": value} for key, value in named.items() if value],
                "marketplaceDetails": {"marketplaceId": event.marketplace_id, "marketplaceName": shop.name}, "items": self._items(event, shop.currency),
                "breakdowns": [_group(name, parts, shop.currency) for name, parts in (("Sales", sales), ("Expenses", expenses)) if parts]}

    def _items(self, event: Event, currency: str) -> list[dict[str, Any]]:
        codes = dict.fromkeys(row.item_code for row in event.rows if row.item_code)
        return [self._item(event, [row for row in event.rows if row.item_code == code], currency) for code in codes]

    def _item(self, event: Event, rows: list[Row], currency: str) -> dict[str, Any]:
        first = rows[0]
        units = int(first.quantity) if first.quantity else event.units.get(first.item_code, 0)
        return {"description": "An article", "totalAmount": _money(sum(row.minor for row in rows), currency), "breakdowns": _groups(rows, currency),
                "relatedIdentifiers": [{"itemRelatedIdentifierName": "ORDER_ADJUSTMENT_ITEM_ID", "itemRelatedIdentifierValue": first.adjustment_item or first.item_code}],
                "contexts": [{"contextType": "ProductContext", "asin": f"B0{abs(hash_of(first.sku)) % 10**8:08d}", "sku": first.sku,
                              "quantityShipped": units, "fulfillmentNetwork": first.fulfilment or "MFN"}]}


def hash_of(text: str) -> int:
    """The same number for the same text in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def _groups(rows: list[Row], currency: str) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        group, part = PARTS.get((row.amount_type, row.amount_description), ("AmazonFees" if row.amount_type != "ItemWithheldTax" else "TaxWithheld", row.amount_description))
        # a fee is told with what it is made of; its `Tax` is none of the buyer's
        inside = [{"breakdownType": name, "breakdownAmount": _money(minor, currency)} for name, minor in (("Base", row.minor), ("Tax", 0))]
        groups.setdefault(group, []).append({"breakdownType": part, "breakdownAmount": _money(row.minor, currency),
                                             "breakdowns": inside if group == "AmazonFees" else []})
    return [_group(name, parts, currency) for name, parts in groups.items()]


def _group(name: str, parts: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    total = sum(Decimal(str(part["breakdownAmount"]["currencyAmount"])) for part in parts)
    return {"breakdownType": name, "breakdownAmount": {"currencyCode": currency, "currencyAmount": float(total)}, "breakdowns": parts}


def _money(minor: int, currency: str) -> dict[str, Any]:
    """A JSON number, as there: at most fifteen digits, so its shortest form is the amount itself."""
    return {"currencyCode": currency, "currencyAmount": float(Decimal(minor).scaleb(-MINOR_DIGITS.get(currency, 2)))}


def _transaction_id(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def _token(start: int, asked: dict[str, str]) -> str:
    return f"{start}.{_transaction_id(repr(sorted(asked.items())))[:16]}"


def _offset(token: str, asked: dict[str, str]) -> int:
    start, _, _ = token.partition(".")
    if not start.isdigit() or token != _token(int(start), asked):
        raise invalid("Invalid next token: call with the arguments that produced it")
    return int(start)
