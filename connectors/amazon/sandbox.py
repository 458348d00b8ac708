"""A stand-in for one seller account in one region: `httpx.Request -> httpx.Response`, with a memory and a side door for its customers.

It behaves as documented, silence included: a confirmation with a carrier that it does not recognise is answered 204 and forgotten. Each
operation has its token bucket. Faults F1-F8, F10 and F11 strike in kit.sandbox; F12 (an order changes after its page was sent) and F13 (an older
state is shown) are carried out by the parts. A part (sandbox_answers.Part) brings its routes; hang a new one into `parts`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import httpx

from connectors.amazon.limits import RATES
from connectors.amazon.marketplaces import MARKETPLACES
from connectors.amazon.sandbox_answers import No, Part, Struck
from connectors.amazon.sandbox_feeds import FeedsApi
from connectors.amazon.sandbox_finances import Event, Money
from connectors.amazon.sandbox_listings import ListingsApi
from connectors.amazon.sandbox_login import LoginDoor
from connectors.amazon.sandbox_orders import OrdersApi
from connectors.amazon.sandbox_reports import ReportsApi
from connectors.amazon.sandbox_sellers import SellersApi
from connectors.amazon.sandbox_settlement import Statement
from connectors.amazon.sandbox_till import Till
from connectors.amazon.sandbox_transactions import TransactionsApi
from connectors.amazon.wire_reports import V2_SETTLEMENT
from connectors.amazon.sandbox_shelf import Shelf
from connectors.kit.buckets import Rate
from connectors.kit.clock import Clock
from connectors.kit.sandbox import PAGE_SHIFT, STALE_READ, Faults

SELLER, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "A1SANDBOX", "amzn1.application-oa2-client.sandbox", "amazon-sandbox-secret", "Atzr|amazon-sandbox"
GB = "A1F83G8C2ARO7P"


class AmazonSandbox:
    """One seller account. rates: other rates than the published ones, by operation; None for an operation: unlimited. prefix: what stands before
    every path. has_address_role: False shows no delivery address and no buyer's e-mail, as to an application without the role. stock_seconds: how long
    after it was accepted a patch is carried out; feed_queue_seconds, feed_seconds: how long a feed waits, and is worked on.
    """

    def __init__(self, clock: Clock, seller_id: str = SELLER, marketplaces: Iterable[str] = (GB,), client_id: str = CLIENT_ID,
                 client_secret: str = CLIENT_SECRET, refresh_token: str = REFRESH_TOKEN, faults: Faults | None = None,
                 rates: Mapping[str, Rate | None] | None = None, prefix: str = "", has_address_role: bool = True, stock_seconds: float = 15,
                 feed_queue_seconds: float = 10, feed_seconds: float = 20) -> None:
        self.name, self.faults, self.seller_id, self.marketplaces = f"amazon {seller_id}", faults or Faults(), seller_id, tuple(marketplaces)
        if strange := set(self.marketplaces) - set(MARKETPLACES):
            raise ValueError(f"no such marketplace: {sorted(strange)}")
        self._clock, self._prefix, self._struck_before, self.struck = clock, prefix.rstrip("/"), Counter(), Struck()
        self._meters = {operation: Meter(rate) for operation, rate in {**RATES, **(rates or {})}.items() if rate}
        self._served, self._refused = Counter(), Counter()
        self.login = LoginDoor(clock, client_id, client_secret, refresh_token)
        self.orders = OrdersApi(clock, self.marketplaces, self.struck, has_address_role)
        self.reports = ReportsApi(clock)
        self.money = Money(clock, self._publish)
        self.till = Till(self.orders.book, self.money)
        self.orders.shipped = self.till.charge_shipped
        self.transactions = TransactionsApi(clock, self.money, seller_id)
        self.shelf = Shelf(clock, self.marketplaces, stock_seconds)
        self.feeds = FeedsApi(clock, self.shelf, seller_id, self.marketplaces, feed_queue_seconds, feed_seconds)
        self.listings = ListingsApi(self.shelf, seller_id, self.marketplaces, self.struck)
        self.parts: list[Part] = [self.listings, self.feeds,
                                  self.login, self.orders, SellersApi(self.marketplaces), self.reports, self.transactions]
        self._routes = [(route, re.compile(route.path)) for part in self.parts for route in part.routes()]

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request. An operation's answer says its rate, unless it is refused for it."""
        self.step()
        self._started()
        number = sum(self._served.values()) + sum(self._refused.values())
        response, operation = self._answered(request)
        response.headers["x-amzn-RequestId"] = f"00000000-0000-0000-0000-{number:012d}"
        if operation in self._meters and response.status_code not in (403, 429):
            response.headers["x-amzn-RateLimit-Limit"] = f"{self._meters[operation].rate.per_second:g}"
        return response

    def step(self) -> None:
        """Do what is due by its clock."""
        for part in self.parts:
            part.step()

    def books(self) -> dict[str, Any]:
        """Its own record, copied: what each part keeps, and how many calls of each operation were served or refused for their number (429)."""
        kept = {"served": dict(self._served), "refused_429": sum(self._refused.values())}
        for part in self.parts:
            kept |= part.books()
        return deepcopy(kept)

    def place_order(self, items: Iterable[dict[str, Any]], address: dict[str, str] | None = None, *, order_id: str = "", placed_at: datetime | None = None,
                    **head: Any) -> str:
        """A customer orders; see sandbox_orders.OrdersApi.place. What the merchant ships is no longer for sale. Returns the order's id."""
        ordered = list(items)
        placed = self.orders.place(ordered, address, order_id, placed_at, **head)
        if head.get("fulfilled_by", "MERCHANT") == "MERCHANT":
            self.shelf.sell(placed, [(item["sku"], int(item["quantity"])) for item in ordered])
        return placed

    def add_products(self, products: Iterable[dict[str, Any]]) -> None:
        """Listings; see sandbox_shelf.Shelf.add. More that may happen to one (Amazon ships it from now on, a submission is refused) is the shelf's."""
        self.shelf.add(products)

    def set_stock_by_hand(self, sku: str, quantity: int) -> None:
        """A person types a figure into Seller Central."""
        self.shelf.set_by_hand(sku, quantity)

    def cancel_order(self, order_id: str) -> None:
        """The order is cancelled, whoever does it."""
        self.orders.cancel(order_id)
        self.shelf.give_back(order_id)

    def ship_by_amazon(self, order_id: str) -> None:
        """Amazon's own warehouse ships the order, whole."""
        self.till.charge_whole(order_id)

    def refund(self, order_id: str, quantities: dict[str, int] | None = None, **how: Any) -> Event:
        """Amazon gives the buyer his money back, by order item id; none named: all that was charged. how: see sandbox_finances.Money.refund."""
        return self.till.give_back(order_id, quantities, **how)

    def close_settlement(self, marketplace: str = "", faulty: str = "") -> Statement:
        """End a settlement period now; its statement is listed from now on. faulty: see sandbox_finances.Money.close_settlement."""
        return self.money.close_settlement(marketplace or self.marketplaces[0], faulty)

    def end_tokens(self) -> None:
        """Every access token ends before its hour."""
        self.login.end_tokens()

    def _publish(self, statement: Statement, body: bytes) -> None:
        self.reports.publish(V2_SETTLEMENT, body, statement.since, statement.until, [statement.marketplace_id])

    def _started(self) -> None:
        """Which faults of ours struck this request: kit.sandbox has counted them, and left the doing to us."""
        now = {fault: self.faults.struck[fault] for fault in (PAGE_SHIFT, STALE_READ)}
        self.struck.shifts, self.struck.stale = (now[fault] > self._struck_before[fault] for fault in (PAGE_SHIFT, STALE_READ))
        self._struck_before.update({fault: count - self._struck_before[fault] for fault, count in now.items()})

    def _answered(self, request: httpx.Request) -> tuple[httpx.Response, str]:
        path = request.url.raw_path.split(b"?")[0].decode("ascii").removeprefix(self._prefix)
        matching = [(route, found) for route, pattern in self._routes if (found := pattern.fullmatch(path))]
        route, found = next(((route, found) for route, found in matching if route.method == request.method), (None, None))
        if route is None:
            status = 405 if matching else 404
            return No(status, "MethodNotAllowed" if matching else "NotFound", "There is no such resource.").response(), ""
        try:
            if route.operation:
                self.login.check(request)
                self._metered(route.operation)
            return route.act(request, *(unquote(group) for group in found.groups())), route.operation
        except No as no:
            return no.response(), route.operation

    def _metered(self, operation: str) -> None:
        if operation in self._meters and not self._meters[operation].takes(self._clock.now()):
            self._refused[operation] += 1
            raise No(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")
        self._served[operation] += 1


class Meter:
    """A token bucket on their side."""

    def __init__(self, rate: Rate) -> None:
        self.rate, self._tokens, self._at = rate, float(rate.burst), None

    def takes(self, now: datetime) -> bool:
        """Is there a token for one more?"""
        if self._at is not None:
            self._tokens = min(self.rate.burst, self._tokens + (now - self._at).total_seconds() * self.rate.per_second)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
