"""A seller account's sandbox and connections to it, page size five; whatever passes between them is held against the official descriptions."""

from datetime import timedelta
from typing import Any

import httpx
from pydantic import SecretStr

from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, GB, REFRESH_TOKEN, SELLER, AmazonSandbox
from connectors.amazon.storefront import Amazon, Settings, connect
from connectors.kit.clock import ManualClock
from connectors.kit.rehearsal import Overheard
from connectors.kit.sandbox import Transport
from connectors.ports import Window
from tests.connectors import amazon_spec

US, DE, FR, JP, CA = "ATVPDKIKX0DER", "A1PA6795UKMFR9", "A13V1IB3VIYZZH", "A1VC38T7YXB528", "A2EUQ1WTGCTBG2"
ITEMS = [{"sku": "MUG-1", "quantity": 3, "price": "10.00", "tax": "6.00", "item_id": "1001"}, {"sku": "BÜRSTE 2", "quantity": 1, "price": "5.01", "item_id": "1002"}]


class Noted(Overheard):
    """Keeps the requests themselves too."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        super().__init__(inner)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return super().handle_request(request)


class Rig:
    """One account, and as many connections to it as wanted. Nothing is throttled unless `rates` says so."""

    def __init__(self, marketplaces: tuple[str, ...] = (GB,), **sandbox: Any) -> None:
        self.clock = ManualClock()
        self.began, self.marketplaces = self.clock.now(), marketplaces
        self.sandbox = AmazonSandbox(self.clock, marketplaces=marketplaces, **sandbox)
        inner: httpx.BaseTransport = Transport(self.sandbox, self.clock)
        self.checked = None if amazon_spec.MISSING else amazon_spec.Checked(inner)
        self.overheard = Noted(self.checked or inner)

    @property
    def calls(self) -> list[str]:
        """Every request so far: 'GET /orders/…'."""
        return self.overheard.calls

    def connect(self, name: str = "amz", **settings: Any) -> Amazon:
        """A connection; its settings beside the account's own."""
        given = {"seller_id": SELLER, "marketplace_ids": self.marketplaces, "client_id": CLIENT_ID, "client_secret": SecretStr(CLIENT_SECRET),
                 "refresh_token": SecretStr(REFRESH_TOKEN), "base_url": "http://amazon", "login_url": "http://amazon", "page_size": 5, **settings}
        return connect(name, Settings(**given), self.clock, self.overheard)

    def window(self) -> Window:
        """From the beginning to after now."""
        return Window(self.began, self.clock.now() + timedelta(hours=1))

    def sell(self, order_id: str = "", marketplace: str = "", items: list[dict[str, Any]] | None = None, **head: Any) -> str:
        """An order that is placed and ships, whole, a little later."""
        placed = self.sandbox.place_order(items or ITEMS, order_id=order_id, marketplace=marketplace or self.marketplaces[0], **head)
        self.clock.sleep(60)
        book = self.sandbox.orders.book.orders[placed]["items"]
        self.sandbox.orders.confirm_by_hand(placed, {item_id: item["quantity"] for item_id, item in book.items()}, f"T{placed[-4:]}")
        self.clock.sleep(60)
        return placed
