"""A sandbox and a connection to it, page size five; whatever passes between them is held against the official models."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import httpx
import pandas as pd
from pydantic import SecretStr

from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, GB, REFRESH_TOKEN, AmazonSandbox
from connectors.amazon.storefront import Amazon, Settings, connect
from connectors.kit.clock import ManualClock
from connectors.kit.rehearsal import Overheard
from connectors.kit.sandbox import Transport
from connectors.ports import DISPATCH_CONFIRMATION, Effect, OrderPage, Window
from tests.connectors import amazon_spec

ITEMS = [{"sku": "85123A", "title": "Heart", "quantity": 6, "price": "2.55"}]
US, DE, JP = "ATVPDKIKX0DER", "A1PA6795UKMFR9", "A1VC38T7YXB528"


class Rig:
    """One seller account, and as many connections to it as wanted."""

    def __init__(self, **sandbox: Any) -> None:
        self.clock = ManualClock()
        self.began = self.clock.now()
        self.sandbox = AmazonSandbox(self.clock, **sandbox)
        inner: httpx.BaseTransport = Transport(self.sandbox, self.clock)
        self.checked = None if amazon_spec.MISSING else amazon_spec.Checked(inner)
        self.overheard = Overheard(self.checked or inner)

    @property
    def calls(self) -> list[str]:
        """Every request so far: 'GET /orders/2026-01-01/orders'."""
        return self.overheard.calls

    def connect(self, name: str = "amz", **settings: Any) -> Amazon:
        """A connection; its settings beside the account's own."""
        given = {"seller_id": self.sandbox.seller_id, "marketplace_ids": self.sandbox.marketplaces, "client_id": CLIENT_ID,
                 "client_secret": SecretStr(CLIENT_SECRET), "refresh_token": SecretStr(REFRESH_TOKEN), "base_url": "http://amazon",
                 "login_url": "http://amazon", "page_size": 5, **settings}
        return connect(name, Settings(**given), self.clock, self.overheard)

    def place(self, count: int = 1, apart_seconds: float = 1, **order: Any) -> list[str]:
        """Orders, one after the other; then time enough passes for the search to show them."""
        ids = []
        for _ in range(count):
            ids.append(self.sandbox.place_order(**{"items": ITEMS, **order}))
            self.clock.sleep(apart_seconds)
        self.clock.sleep(150)
        return ids

    def items(self, order_id: str) -> list[str]:
        """The ids of an order's lines."""
        return list(self.sandbox.orders.book.orders[order_id]["items"])

    def window(self, minutes: float = 60) -> Window:
        """From an hour before the beginning to after now."""
        return Window(self.began - timedelta(hours=1), self.clock.now() + timedelta(minutes=minutes))

    def ids(self, port: Amazon, window: Window | None = None) -> list[str]:
        """The orders that a run reads, as often as it gives them."""
        return [i for page in port.orders(window or self.window()) for i in page.orders["order_id"]]


def whole(pages: Iterable[OrderPage]) -> dict[str, pd.DataFrame]:
    """Everything of a run in one frame each."""
    pages = list(pages)
    return {name: pd.concat([getattr(page, name) for page in pages], ignore_index=True) for name in ("orders", "lines", "ship_groups", "recipients")}


def dispatch(order: str, items: dict[str, int], number: int = 1, tracking: str = "T1", **payload: Any) -> Effect:
    """A dispatch confirmation of one package."""
    given = {"connection": "amz", "order_id": order, "ship_group": "1", "warehouse": "gxo", "reference": "R1", "advice_id": "A1", "package_id": tracking,
             "carrier": "RMLL", "service": "48", "provider": "Royal Mail", "tracking_carrier": "", "tracking_link": "", "tracking_number": tracking,
             "shipped_at": "2026-01-15T09:00:00+00:00", "lines": [{"line_id": line, "quantity": quantity} for line, quantity in items.items()],
             "channel": GB, "package_number": number, **payload}
    return Effect(f"ship:amz:{order}:gxo:{tracking}", DISPATCH_CONFIRMATION, "amz", f"{order}:{tracking}", given)
