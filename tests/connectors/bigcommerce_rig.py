"""A sandbox and a connection to it, page size five; whatever passes between them is held against the official descriptions."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import httpx
import pandas as pd
from pydantic import SecretStr

from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.bigcommerce.storefront import BigCommerce, Settings, connect
from connectors.kit.clock import ManualClock
from connectors.kit.rehearsal import Overheard
from connectors.kit.sandbox import Transport
from connectors.ports import DISPATCH_CONFIRMATION, Effect, OrderPage, Window
from tests.connectors import bigcommerce_spec

HASH, TOKEN = "abc123", "bigcommerce-sandbox"
ADA = {"first_name": "Ada", "last_name": "Test", "street_1": "1 Example Road", "city": "Exampleton", "state": "Kent", "zip": "ZZ99 9ZZ",
       "country": "United Kingdom", "country_iso2": "GB", "email": "ada@example.invalid", "shipping_method": "Royal Mail 48"}
BOB = {**ADA, "first_name": "Bob", "country": "France", "country_iso2": "FR", "state": "", "shipping_method": "International"}
BILLING = {name: value for name, value in ADA.items() if name != "shipping_method"}
LINES = [{"sku": "85123A", "name": "Heart", "quantity": 6, "price": "2.55", "tax_rate": "0.2"}]


class Rig:
    """One account, and as many connections to it as wanted."""

    def __init__(self, **sandbox: Any) -> None:
        self.clock = ManualClock()
        self.began = self.clock.now()
        self.sandbox = BigCommerceSandbox(self.clock, store_hash=HASH, **{"quota": 100_000, **sandbox})
        inner: httpx.BaseTransport = Transport(self.sandbox, self.clock)
        self.checked = None if bigcommerce_spec.MISSING else bigcommerce_spec.Checked(inner, bigcommerce_spec.bigcommerce())
        self.overheard = Overheard(self.checked or inner)

    @property
    def calls(self) -> list[str]:
        """Every request so far: 'GET /orders'."""
        return [call.replace(f"/stores/{HASH}/v2", "").replace(f"/stores/{HASH}/v3", "") for call in self.overheard.calls]

    def connect(self, name: str = "bc", **settings: Any) -> BigCommerce:
        """A connection; its settings beside the account's own."""
        given = {"store_hash": HASH, "access_token": SecretStr(TOKEN), "base_url": "http://bigcommerce", "page_size": 5, **settings}
        return connect(name, Settings(**given), self.clock, self.overheard)

    def place(self, count: int = 1, apart_seconds: float = 1, **order: Any) -> list[int]:
        """Orders, one after the other."""
        ids = []
        for _ in range(count):
            ids.append(self.sandbox.place_order(**{"lines": LINES, "addresses": [ADA], "billing": BILLING, **order}))
            self.clock.sleep(apart_seconds)
        return ids

    def window(self, minutes: float = 60) -> Window:
        """From the beginning to after now."""
        return Window(self.began, self.clock.now() + timedelta(minutes=minutes))

    def ids(self, port: BigCommerce, window: Window | None = None) -> list[int]:
        """The orders that a run reads, as often as it gives them."""
        return [int(i) for page in port.orders(window or self.window()) for i in page.orders["order_id"]]


def whole(pages: Iterable[OrderPage]) -> dict[str, pd.DataFrame]:
    """Everything of a run in one frame each."""
    pages = list(pages)
    return {name: pd.concat([getattr(page, name) for page in pages], ignore_index=True) for name in ("orders", "lines", "ship_groups", "recipients")}


def dispatch(order: int, group: int, items: dict[int, int], number: str = "T1", effect_id: str = "", **payload: Any) -> Effect:
    """A dispatch confirmation of one package."""
    given = {"connection": "bc", "order_id": str(order), "ship_group": str(group), "warehouse": "gxo", "reference": "R1", "advice_id": "A1",
             "package_id": number or "P1", "carrier": "RMLL", "service": "48", "provider": "royalmail", "tracking_carrier": "", "tracking_link": "",
             "tracking_number": number, "shipped_at": "2026-01-15T09:00:00+00:00",
             "lines": [{"line_id": str(line), "quantity": quantity} for line, quantity in items.items()], **payload}
    return Effect(effect_id or f"ship:bc:{order}:gxo:{number}", DISPATCH_CONFIRMATION, "bc", f"{order}:{number}", given)
