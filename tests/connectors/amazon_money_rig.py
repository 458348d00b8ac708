"""The rig for money and reports: orders that ship, and the requests themselves to look at."""

from datetime import timedelta
from typing import Any

import httpx

from connectors.amazon.sandbox import GB
from connectors.kit.rehearsal import Overheard
from connectors.ports import Window
from tests.connectors import amazon_rig

CA, DE, FR, JP, US = "A2EUQ1WTGCTBG2", "A1PA6795UKMFR9", "A13V1IB3VIYZZH", "A1VC38T7YXB528", "ATVPDKIKX0DER"
ITEMS = [{"sku": "MUG-1", "quantity": 3, "price": "10.00", "tax": "6.00", "item_id": "1001"}, {"sku": "BÜRSTE 2", "quantity": 1, "price": "5.01", "item_id": "1002"}]


class Noted(Overheard):
    """Keeps the requests themselves too."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        super().__init__(inner)
        self.inner = inner
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.calls.append(f"{request.method} {request.url.path}")
        return self.inner.handle_request(request)


class Rig(amazon_rig.Rig):
    """One seller account of these marketplaces."""

    def __init__(self, marketplaces: tuple[str, ...] = (GB,), **sandbox: Any) -> None:
        super().__init__(marketplaces=marketplaces, **sandbox)
        self.marketplaces, self.overheard = marketplaces, Noted(self.overheard)

    def window(self, minutes: float = 60) -> Window:
        """From the beginning to after now."""
        return Window(self.began, self.clock.now() + timedelta(minutes=minutes))

    def sell(self, order_id: str = "", marketplace: str = "", items: list[dict[str, Any]] | None = None, **head: Any) -> str:
        """An order that is placed and ships, whole, a little later."""
        placed = self.sandbox.place_order(items or ITEMS, order_id=order_id, marketplace=marketplace or self.marketplaces[0], **head)
        self.clock.sleep(60)
        book = self.sandbox.orders.book.orders[placed]["items"]
        self.sandbox.orders.confirm_by_hand(placed, {item_id: item["quantity"] for item_id, item in book.items()}, f"T{placed[-4:]}")
        self.clock.sleep(60)
        return placed
