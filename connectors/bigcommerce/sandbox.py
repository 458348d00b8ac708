"""A stand-in for one BigCommerce account: `httpx.Request -> httpx.Response`, with a memory and a side door for its customers.

It behaves as documented, the uniqueness that BigCommerce does *not* check included: the same tracking number twice is two
shipments and two e-mails. Faults F1-F8, F10 and F11 strike in kit.sandbox; F12 (an order changes after its page was sent) and
F13 (shipments, stock and refunds are shown as they were before the last change) are carried out here.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx

from connectors.bigcommerce.sandbox_books import Books
from connectors.bigcommerce.sandbox_catalogue import Catalogue, Problem
from connectors.bigcommerce.sandbox_hooks import CLIENT_SECRET, Hooks, Receiver
from connectors.bigcommerce.sandbox_money import Money
from connectors.bigcommerce.sandbox_orders import No, OrdersApi
from connectors.bigcommerce.sandbox_shipping import Shipping
from connectors.bigcommerce.sandbox_stock import DEFAULT, Stock
from connectors.kit.clock import Clock
from connectors.kit.sandbox import PAGE_SHIFT, STALE_READ, Faults

PAGE_MAX, WINDOW_MS = 250, 30_000
HEAD = {"customer_id": 0, "channel_id": 1, "status_id": 11, "currency": "GBP", "customer_message": "", "shipping_cost": "0", "discount": "0",
        "external_id": None, "external_order_id": "", "payment_provider_id": "", "payment_status": "captured", "staff_notes": "", "is_deleted": False,
        "gateway": "stripe"}
CANCELLED = 5


class BigCommerceSandbox:
    """One account. Requests come under /stores/{hash}/v2|v3, or without that prefix.

    stock_delay_seconds: how long after its 200 an adjustment is carried out. payment_seconds: how long after its 201 a refund is paid out (or
    declined). list_delay_seconds: within which a change shows in the list of orders, each after a time of its own. is_strict: a product whose stock is tracked as a whole is not found under its SKU either.
    """

    def __init__(self, clock: Clock, store_hash: str = "sandbox", token: str = "bigcommerce-sandbox", quota: int = 150, page_max: int = PAGE_MAX,
                 faults: Faults | None = None, embeds: str = "lines", stock_delay_seconds: float = 2, payment_seconds: float = 5,
                 is_strict: bool = False, client_secret: str = CLIENT_SECRET, list_delay_seconds: int = 0) -> None:
        self.name, self.faults = f"bigcommerce {store_hash}", faults or Faults()
        self._clock, self._hash, self._token, self._quota = clock, store_hash, token, quota
        self._hooks = Hooks(clock, store_hash, client_secret, self.faults)
        self._books = Books(clock, f"https://api.bigcommerce.com/stores/{store_hash}/v2")
        self._orders, self._catalogue = OrdersApi(self._books, page_max, embeds, self._status_set, list_delay_seconds), Catalogue(page_max)
        self._stock = Stock(clock, self._catalogue, self._hooks.tell, stock_delay_seconds, is_strict)
        self._money = Money(clock, self._books, self._hooks.tell, payment_seconds, page_max)
        self._books.refunded = self._money.quantity_refunded
        self._shipping = Shipping()
        self._window: tuple[int, int] = (0, 0)  # when it ends in ms, and how many requests came in it
        self._refused = 0
        self._struck: Counter[str] = Counter()
        self._routes = [(method, re.compile(rf"(?:/stores/{re.escape(store_hash)})?(?:/v[23])?{path}"), act) for method, path, act in self._table()]

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request. Every answer says how much of the quota is left."""
        self._stock.settle()
        self._money.settle()
        self._started(request)
        left, reset_ms = self._spend()
        headers = {"X-Rate-Limit-Time-Window-Ms": str(WINDOW_MS), "X-Rate-Limit-Time-Reset-Ms": str(reset_ms),
                   "X-Rate-Limit-Requests-Quota": str(self._quota), "X-Rate-Limit-Requests-Left": str(max(0, left))}
        if left < 0:
            self._refused += 1
            response = httpx.Response(429, json={"status": 429, "title": "Too many requests", "type": "about:blank"})
            headers["X-Retry-After"] = str(-(-reset_ms // 1000))
        elif request.headers.get("x-auth-token") != self._token:
            response = httpx.Response(401, json={"status": 401, "title": "A valid X-Auth-Token is required", "type": "about:blank"})
        else:
            response = self._route(request)
        response.headers.update(headers)
        return response

    def step(self) -> None:
        """What is due by its clock: adjustments are carried out, refunds paid out, webhooks delivered. Orders are whole when the answer leaves."""
        self._stock.settle()
        self._money.settle()
        self._hooks.settle()

    def send_webhooks_to(self, receiver: Receiver | None) -> None:
        """Who takes the deliveries: `(address, headers, body) -> status`, or sandbox_hooks.post(client, root); None: they wait."""
        self._hooks.receiver = receiver

    def switch_off_webhook(self, hook_id: int) -> None:
        """As the vendor does after 48 hours of failures."""
        self._hooks.switch_off(hook_id)

    def books(self) -> dict[str, Any]:
        """Its own record, copied: orders with lines and addresses, shipments, e-mails, every write that was accepted, and how often it said 429.

        stock: {location: {SKU: {on_hand, available, safety_stock}}}; stock_writes: every adjustment that was taken in, with when it was carried out;
        stock_changes: every figure that changed, from what to what and by whom; oversold: what was sold and was not there; refunds, refund_quotes, transactions; hooks, and the deliveries that were tried.
        """
        self._stock.settle()
        self._money.settle()
        orders = {order_id: {"status_id": o["head"]["status_id"], "channel_id": o["head"]["channel_id"], "currency": o["head"]["currency"],
                             "external_order_id": o["head"]["external_order_id"], "modified": o["modified"], "lines": o["lines"],
                             "addresses": o["addresses"]} for order_id, o in self._books.orders.items()}
        shipments = [shipment for listed in self._books.shipments.values() for shipment in listed]
        stock = {"stock": self._stock.shown(), "stock_writes": self._stock.writes, "stock_changes": self._stock.changes, "oversold": self._stock.oversold}
        return self._money.books() | self._hooks.books() | deepcopy({**stock, "orders": orders, "shipments": shipments, "emails": self._books.emails,
                         "writes": self._orders.writes, "refused_429": self._refused})

    def notes_of(self, order_id: int) -> list[str]:
        """The comments of the shipments that an order has at this moment."""
        return [shipment["comments"] for shipment in self._books.shipments[order_id]]

    def changed_at(self, order_id: int) -> int:
        """When the order changed last, in whole seconds."""
        return self._books.orders[order_id]["modified"]

    @property
    def lines_now(self) -> dict[int, dict[int, dict[str, Any]]]:
        """Its order lines as they stand, order by order, not copied: to look at after every step, never to change."""
        return {order_id: order["lines"] for order_id, order in self._books.orders.items()}

    def place_order(self, lines: Iterable[dict[str, Any]], addresses: Iterable[dict[str, Any]], *, billing: dict[str, Any] | None = None,
                    order_id: int = 0, placed_at: datetime | None = None, **head: Any) -> int:
        """A customer orders. A line: sku, quantity, price (tax included, as text), and maybe name, type, address (which one, from 0), tax_rate,
        wrapping_name, wrapping_message, pickup_method_id. An address: the vendor's fields, and shipping_method. `head`: see HEAD. Returns the id.
        """
        if unknown := set(head) - set(HEAD):
            raise ValueError(f"an order has no {sorted(unknown)}")
        placed = self._books.place({**HEAD, "billing": billing or {}, **head, "id": order_id}, lines, addresses, placed_at)
        self._sell(placed)
        event = {"captured": "purchase", "authorized": "authorization"}.get(self._books.orders[placed]["head"]["payment_status"])
        if event:
            self._money.pay(placed, self._books.total(placed), event)
        self._hooks.tell("store/order/created", {"type": "order", "id": placed})
        return placed

    def edit_order(self, order_id: int, *, quantities: dict[int, int] | None = None, add: Iterable[dict[str, Any]] = (),
                   address: dict[str, Any] | None = None, **head: Any) -> None:
        """Somebody edits an order in the control panel: quantities by line id (0 removes the line), lines more, the first address, or its head."""
        order = self._books.orders[order_id]
        if unknown := set(head) - set(HEAD):
            raise ValueError(f"an order has no {sorted(unknown)}")
        before = order["head"]["status_id"]
        order["head"].update(head)
        for line_id, quantity in (quantities or {}).items():
            order["lines"][line_id]["quantity"] = quantity
            if not quantity:
                del order["lines"][line_id]
        for line in add:
            self._books.add_line(order_id, line, list(order["addresses"]))
        if address:
            next(iter(order["addresses"].values())).update(address)
        self._books.touch(order_id)
        if quantities or add:
            self._stock.give_back(order_id)
            self._sell(order_id)
        self._status_set(order_id, before)

    def when_listed(self, act: Callable[[], None] | None, at_once: int = 0) -> None:
        """What happens right before each list of orders is made; None: nothing any more. at_once: the order whose changes are listed without delay."""
        self._orders.listens, self._orders.prompt = act, at_once or self._orders.prompt

    def cancel_order(self, order_id: int) -> None:
        """A customer or the merchant cancels."""
        self.edit_order(order_id, status_id=5)

    def ship(self, order_id: int, body: dict[str, Any]) -> int:
        """Somebody ships in the control panel; the body as POST shipments takes it. Returns the shipment's id."""
        before = self._books.orders[order_id]["head"]["status_id"]
        shipment = self._books.ship(order_id, body)["id"]
        self._status_set(order_id, before)
        return shipment

    def edit_shipment(self, shipment_id: int, **fields: str) -> None:
        """Somebody edits a shipment in the control panel: its tracking number, its carrier."""
        shipment = next(one for listed in self._books.shipments.values() for one in listed if one["id"] == shipment_id)
        shipment.update(fields)
        self._books.touch(shipment["order_id"])

    def set_stock_by_hand(self, sku: str, quantity: int, location: int = DEFAULT) -> None:
        """A person types a figure into the control panel. Raises ValueError where the location is managed by an outside system."""
        self._stock.set_by_hand(sku, quantity, location)

    def add_location(self, location: int, label: str, is_external: bool = False, is_enabled: bool = True) -> None:
        """A place more that stock is counted at; number 1 is there from the start."""
        self._stock.add_location(location, label, is_external, is_enabled)

    def track(self, sku: str, how: str) -> None:
        """Somebody changes how the stock of this SKU's product is tracked: none, product or variant."""
        self._catalogue.track(sku, how)

    def pay(self, order_id: int, amount: str) -> None:
        """Money comes in for an order beyond what it took when it was placed."""
        self._money.pay(order_id, Decimal(amount))

    def refund_by_hand(self, order_id: int, quantities: dict[int, int] | None = None, amount: str = "", reason: str = "") -> int:
        """A person refunds in the control panel: lines by their quantities, or an amount of the order as a whole. Returns the refund's id."""
        return self._money.refund_by_hand(order_id, quantities, amount, reason)

    def decline_next_refund(self, order_id: int = 0, when: str = "at once") -> None:
        """The payment provider will not pay the next refund of this order out (0: of any): said 'at once', or 'later' than the answer."""
        self._money.decline[order_id] = when

    def quote_more(self, amount: str, until: datetime) -> None:
        """Until then it quotes, and would give back, so much more than the goods cost."""
        self._money.more = (Decimal(amount), until)

    def sku_of(self, item: dict[str, Any]) -> str:
        """The SKU that an item of a stock adjustment means, however it names it."""
        return self._stock.sku_of(item)

    def lose_next_stock_write(self, is_losing: bool = True) -> None:
        """The next adjustment of stock is taken in, and never carried out."""
        self._stock.is_losing = is_losing

    def add_products(self, products: Iterable[dict[str, Any]]) -> None:
        """Products for the catalogue: sku, and maybe name, type, inventory_tracking, variants (a list of SKUs)."""
        self._catalogue.add_products(products)

    def add_channel(self, channel_id: int, name: str, status: str = "active", kind: str = "storefront") -> None:
        """A sales channel more; number 1 is there from the start."""
        self._catalogue.add_channel(channel_id, name, status, kind)

    def add_zone(self, name: str, countries: Iterable[str], methods: Iterable[str], switched_off: Iterable[str] = (), free: bool = False) -> None:
        """A shipping zone (`/v2/shipping/zones`); no countries: the rest of the world."""
        self._shipping.add_zone(name, countries, methods, switched_off, free)

    def _table(self) -> list[tuple[str, str, Callable[..., httpx.Response]]]:
        orders, catalogue, stock, money, hooks = self._orders, self._catalogue, self._stock, self._money, self._hooks
        here = r"/orders/(\d+)"
        return [
            ("GET", "/orders", orders.list_orders), ("GET", "/orders/count", orders.count_orders), ("GET", here, orders.get_order),
            ("PUT", here, orders.put_order),
            ("GET", f"{here}/products", orders.list_products), ("GET", rf"{here}/products/(\d+)", orders.get_product),
            ("GET", f"{here}/shipping_addresses", orders.list_addresses), ("GET", rf"{here}/shipping_addresses/(\d+)", orders.get_address),
            ("GET", f"{here}/consignments", orders.get_consignments), ("GET", f"{here}/shipments", orders.list_shipments),
            ("POST", f"{here}/shipments", orders.post_shipment), ("DELETE", f"{here}/shipments", orders.delete_shipments),
            ("GET", f"{here}/shipments/count", orders.count_shipments), ("GET", rf"{here}/shipments/(\d+)", orders.get_shipment),
            ("PUT", rf"{here}/shipments/(\d+)", orders.put_shipment), ("DELETE", rf"{here}/shipments/(\d+)", orders.delete_shipments),
            ("GET", "/order_statuses", orders.list_statuses), ("GET", r"/order_statuses/(\d+)", orders.get_status),
            ("GET", "/store", self._get_store), ("GET", "/time", self._get_time), ("GET", "/channels", catalogue.list_channels), ("GET",
            r"/channels/(\d+)", catalogue.get_channel),
            ("GET", "/shipping/zones", self._shipping.list_zones), ("GET", r"/shipping/zones/(\d+)/methods", self._shipping.list_methods),
            ("GET", "/catalog/products", catalogue.list_products), ("GET", "/catalog/variants", catalogue.list_variants),
            ("GET", "/inventory/locations", stock.list_locations), ("GET", "/inventory/items", stock.list_everywhere),
            ("GET", r"/inventory/locations/(\d+)/items", stock.list_items), ("PUT", r"/inventory/locations/(\d+)/items", stock.put_settings),
            ("PUT", "/inventory/adjustments/absolute", stock.put_absolute),
            ("GET", f"{here}/transactions", money.list_transactions), ("POST", f"{here}/payment_actions/refund_quotes", money.post_quote),
            ("POST", f"{here}/payment_actions/refunds", money.post_refund), ("GET", f"{here}/payment_actions/refunds", money.list_refunds),
            ("GET", "/hooks", hooks.list_hooks), ("POST", "/hooks", hooks.post_hook), ("GET", r"/hooks/(\d+)", hooks.get_hook),
            ("PUT", r"/hooks/(\d+)", hooks.put_hook), ("DELETE", r"/hooks/(\d+)", hooks.delete_hook),
            ("GET", "/orders/payment_actions/refunds", money.list_refunds), ("GET", r"/orders/payment_actions/refunds/(\d+)", money.get_refund)]

    def _sell(self, order_id: int) -> None:
        order = self._books.orders[order_id]
        if order["head"]["status_id"] != CANCELLED:
            self._stock.sell(order_id, [(line["sku"], line["quantity"]) for line in order["lines"].values() if line["type"] == "physical"])

    def _status_set(self, order_id: int, before: int) -> None:
        """What follows when an order changed, and when its status did: a cancelled order's goods are for sale again."""
        after = self._books.orders[order_id]["head"]["status_id"]
        if after == CANCELLED != before:
            self._stock.give_back(order_id)
        elif before == CANCELLED != after:
            self._sell(order_id)
        self._hooks.tell("store/order/updated", {"type": "order", "id": order_id})
        if before != after:
            self._hooks.tell("store/order/statusUpdated", {"type": "order", "id": order_id, "status": {"previous_status_id": before, "new_status_id": after}})

    def _started(self, request: httpx.Request) -> None:
        """Which faults of ours struck this request: kit.sandbox has counted them, and left the doing to us."""
        struck = {fault: self.faults.struck[fault] for fault in (PAGE_SHIFT, STALE_READ)}
        self._orders.shifts, self._orders.stale = (struck[fault] > self._struck[fault] for fault in (PAGE_SHIFT, STALE_READ))
        self._stock.stale = self._money.stale = self._orders.stale
        self._struck.update({fault: count - self._struck[fault] for fault, count in struck.items()})

    def _spend(self) -> tuple[int, int]:
        now = int(self._clock.now().timestamp() * 1000)
        ends, spent = self._window if now < self._window[0] else (now + WINDOW_MS, 0)
        self._window = (ends, spent + 1)
        return self._quota - spent - 1, ends - now

    def _route(self, request: httpx.Request) -> httpx.Response:
        known = False
        for method, path, act in self._routes:
            if found := path.fullmatch(request.url.path):
                known = True
                if method == request.method:
                    try:
                        return act(request, *map(int, found.groups()))
                    except No as no:
                        return httpx.Response(no.status, json=no.body)
                    except Problem as problem:
                        return problem.response()
        status = 405 if known else 404
        return httpx.Response(status, json=[{"status": status, "message": "No such method here" if known else "No such resource"}])

    def _get_store(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"id": self._hash, "name": "Sandbox", "status": "live", "timezone": {"name": "UTC", "raw_offset": 0},
                                         "language": "en", "currency": "GBP", "default_channel_id": 1, "plan_name": "Sandbox"})

    def _get_time(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"time": int(self._clock.now().timestamp())})
