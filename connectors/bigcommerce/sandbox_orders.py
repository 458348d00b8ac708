"""The v2 side of the stand-in: orders, their lines, addresses, consignments and shipments, and the order statuses."""

import bisect
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
from pydantic import ValidationError

from connectors.bigcommerce.sandbox_books import STATUS_NAMES, Books
from connectors.bigcommerce.wire import COMMENTS_MAX, TRACKING_LINK_MAX, TRACKING_NUMBER_MAX, ShipmentItem, read_date

PAGE = 50
SHIPMENT_TEXT = {"tracking_number": TRACKING_NUMBER_MAX, "tracking_link": TRACKING_LINK_MAX, "comments": COMMENTS_MAX, "shipping_provider": 255,
                 "tracking_carrier": 255, "shipping_method": 255, "merchant_shipping_cost": 32}
ORDER_WRITABLE = ("status_id", "staff_notes", "external_order_id", "customer_message")
# how the list call treats include=consignments: whole; refused; ignored; without lines (bigcommerce/dev-docs#2052); links to lines
EMBEDS = ("lines", "refused", "plain", "empty", "links")
SORTS: dict[str, Callable[[dict], Any]] = {
    "id": lambda o: 0, "date_modified": lambda o: o["modified"], "date_created": lambda o: o["created"],
    "customer_id": lambda o: o["head"]["customer_id"], "status_id": lambda o: o["head"]["status_id"],
    "channel_id": lambda o: o["head"]["channel_id"], "external_id": lambda o: o["head"]["external_id"] or ""}
FILTERS = {"status_id", "channel_id", "customer_id", "external_order_id", "email", "min_id", "max_id", "min_date_created", "max_date_created"}


class No(Exception):
    """The API says no: a status and what a v2 error body holds."""

    def __init__(self, status: int, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status, self.body = status, [{"status": status, "message": message, **({"details": details} if details else {})}]


class OrdersApi:
    """The endpoints under /v2/orders. `shifts` and `stale` say whether F12 or F13 strikes the request at hand; `writes` is its record."""

    def __init__(self, books: Books, page_max: int, embeds: str, status_set: Callable[[int, int], None] = lambda order_id, before: None,
                 list_delay_seconds: int = 0) -> None:
        if embeds not in EMBEDS:
            raise ValueError(f"embeds is one of {EMBEDS}")
        self.embeds, self.shifts, self.stale = embeds, False, False
        self.writes: list[dict[str, Any]] = []
        self.listens: Callable[[], None] | None = None  # called right before a list of orders is made
        self.prompt = 0  # the order of which each change is listed at once
        self._books, self._page_max, self._status_set, self._list_delay = books, page_max, status_set, list_delay_seconds

    def list_orders(self, request: httpx.Request) -> httpx.Response:
        """GET /orders: 204 when there is none."""
        if self.listens is not None:
            self.listens()
        wanted = request.url.params
        page, limit = self._paging(wanted)
        form = self._form(wanted)
        ids = self._matching(wanted)[(page - 1) * limit:page * limit]
        answer = httpx.Response(204) if not ids else _json(b"[" + b",".join(self._books.order_json(i, form) for i in ids) + b"]")
        if self.shifts and ids:
            self._books.touch(ids[0])
        return answer

    def count_orders(self, request: httpx.Request) -> httpx.Response:
        """GET /orders/count."""
        counts = Counter(order["head"]["status_id"] for order in self._books.orders.values())
        statuses = [{"id": i, "name": name, "system_label": name, "custom_label": name, "system_description": "", "count": counts[i], "sort_order": i}
                    for i, name in enumerate(STATUS_NAMES)]
        return httpx.Response(200, json={"statuses": statuses, "count": len(self._books.orders)})

    def _matching(self, wanted: httpx.QueryParams) -> list[int]:
        """Ids that the filters let through, sorted. By change, the usual question, nothing is looked at twice."""
        books = self._books
        low, high = (_second(wanted.get(f"{end}_date_modified"), end == "max") for end in ("min", "max"))
        first = 0 if low is None else bisect.bisect_left(books.by_modified, (low, 0))
        last = len(books.by_modified) if high is None else bisect.bisect_left(books.by_modified, (high + 1, 0))
        ids = [order_id for modified, order_id in books.by_modified[first:last] if not self._is_not_listed_yet(order_id, modified)]
        ids = [i for i in ids if self._passes(i, wanted)] if set(wanted) & FILTERS else ids
        field, _, direction = wanted.get("sort", "id:asc").partition(":")
        if field not in SORTS or direction not in ("", "asc", "desc"):
            raise No(400, "The field 'sort' is invalid")
        ids = ids if field == "date_modified" else sorted(ids, key=lambda i: (SORTS[field](books.orders[i]), i) if field != "id" else i)
        return ids[::-1] if direction == "desc" else ids

    def _is_not_listed_yet(self, order_id: int, modified: int) -> bool:
        """The list comes from a copy, which each change reaches in a time of its own: a later one may be there first."""
        return bool(self._list_delay) and order_id != self.prompt and int(self._books.now().timestamp()) < modified + (order_id * 7919 + modified * 31) % (self._list_delay + 1)

    def _passes(self, order_id: int, wanted: httpx.QueryParams) -> bool:
        order = self._books.orders[order_id]
        head = order["head"]
        equal = all(head[name] == _integer(wanted, name) for name in ("status_id", "channel_id", "customer_id") if name in wanted)
        same = "external_order_id" not in wanted or head["external_order_id"] == wanted["external_order_id"]
        mail = "email" not in wanted or head["billing"].get("email", "") == wanted["email"]
        low, high = _integer(wanted, "min_id"), _integer(wanted, "max_id")
        born = [_second(wanted.get(f"{end}_date_created"), end == "max") for end in ("min", "max")]
        return (equal and same and mail and (low is None or order_id >= low) and (high is None or order_id <= high)
                and (born[0] is None or order["created"] >= born[0]) and (born[1] is None or order["created"] <= born[1]))

    def _paging(self, wanted: httpx.QueryParams) -> tuple[int, int]:
        page, limit = _integer(wanted, "page", 1), _integer(wanted, "limit", min(PAGE, self._page_max))
        if page < 1 or not 1 <= limit <= self._page_max:
            raise No(400, f"The field '{'page' if page < 1 else 'limit'}' is invalid")
        return page, limit

    def _form(self, wanted: httpx.QueryParams) -> str:
        include = set(filter(None, wanted.get("include", "").split(",")))
        if not include & {"consignments", "consignments.line_items"}:
            return "plain"
        if self.embeds == "refused" or wanted.get("consignment_structure") != "object":
            raise No(400, "The field 'include' is invalid")
        return self.embeds if "consignments.line_items" in include or self.embeds == "plain" else "links"

    def _order(self, order_id: int) -> dict[str, Any]:
        if order_id not in self._books.orders:
            raise No(404, "The requested resource was not found")
        return self._books.orders[order_id]

    def get_order(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """GET /orders/{id}."""
        self._order(order_id)
        return _json(self._books.order_json(order_id, self._form(request.url.params)))

    def put_order(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """PUT /orders/{id}: absolute, so twice is once."""
        body = _body(request)
        for name in body:
            if name not in ORDER_WRITABLE:
                raise No(400, f"The field '{name}' cannot be written to")
            if not isinstance(body[name], int if name == "status_id" else str):
                raise No(400, f"The field '{name}' is invalid")
        if body.get("status_id", 0) not in range(len(STATUS_NAMES)):
            raise No(400, "The field 'status_id' is invalid")
        before = self._order(order_id)["head"]["status_id"]
        self._order(order_id)["head"].update(body)
        self._books.touch(order_id)
        self._status_set(order_id, before)
        self._wrote(request)
        return _json(self._books.order_json(order_id, "plain"))

    def list_products(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """GET /orders/{id}/products."""
        return self._listed(request, [self._books.product_shape(order_id, i) for i in self._order(order_id)["lines"]])

    def get_product(self, request: httpx.Request, order_id: int, line_id: int) -> httpx.Response:
        """GET /orders/{id}/products/{id}."""
        return httpx.Response(200, json=self._books.product_shape(order_id, _known(line_id, self._order(order_id)["lines"])))

    def list_addresses(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """GET /orders/{id}/shipping_addresses."""
        return self._listed(request, [self._books.address_shape(order_id, i) for i in self._order(order_id)["addresses"]])

    def get_address(self, request: httpx.Request, order_id: int, address_id: int) -> httpx.Response:
        """GET /orders/{id}/shipping_addresses/{id}."""
        return httpx.Response(200, json=self._books.address_shape(order_id, _known(address_id, self._order(order_id)["addresses"])))

    def get_consignments(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """GET /orders/{id}/consignments."""
        self._order(order_id)
        form = "lines" if "consignments.line_items" in request.url.params.get("include", "") else "links"
        return httpx.Response(200, json=self._books.consignments(order_id, form))

    def _shipments(self, order_id: int) -> list[dict[str, Any]]:
        self._order(order_id)
        return self._books.stale_shipments.get(order_id, []) if self.stale else self._books.shipments[order_id]

    def list_shipments(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """GET /orders/{id}/shipments: 204 when there is none."""
        return self._listed(request, [self._books.shipment_shape(s) for s in self._shipments(order_id)], empty=204)

    def count_shipments(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """GET /orders/{id}/shipments/count."""
        return httpx.Response(200, json={"count": len(self._shipments(order_id))})

    def get_shipment(self, request: httpx.Request, order_id: int, shipment_id: int) -> httpx.Response:
        """GET /orders/{id}/shipments/{id}."""
        found = {s["id"]: s for s in self._shipments(order_id)}
        return httpx.Response(200, json=self._books.shipment_shape(found[_known(shipment_id, found)]))

    def post_shipment(self, request: httpx.Request, order_id: int) -> httpx.Response:
        """POST /orders/{id}/shipments: no key, no look at tracking numbers, and an e-mail each time."""
        order, body = self._order(order_id), _body(request)
        for name in ("order_address_id", "items"):
            if name not in body:
                raise No(400, f"The field '{name}' is required")
        _check_text(body, ("order_address_id", "items"))
        if not isinstance(body["order_address_id"], int) or body["order_address_id"] not in order["addresses"]:
            raise No(400, "The field 'order_address_id' is invalid")
        self._check_items(order, body)
        before = order["head"]["status_id"]
        shipment = self._books.ship(order_id, body)
        self._status_set(order_id, before)
        self._wrote(request)
        return httpx.Response(201, json=self._books.shipment_shape(shipment))

    def _check_items(self, order: dict[str, Any], body: dict[str, Any]) -> None:
        asked: Counter[int] = Counter()
        for item in body["items"] if isinstance(body["items"], list) and body["items"] else [None]:
            try:
                checked = ShipmentItem.model_validate(item)
            except ValidationError:
                extra = sorted(set(item) - {"order_product_id", "quantity"}) if isinstance(item, dict) else []
                raise No(400, f"The field '{extra[0]}' cannot be written to" if extra else "The field 'items' is invalid") from None
            line = order["lines"].get(checked.order_product_id)
            if line is None or line["order_address_id"] != body["order_address_id"]:
                raise No(400, "The field 'order_product_id' is invalid", order_product_id=checked.order_product_id)
            asked[checked.order_product_id] += checked.quantity
            left = line["quantity"] - line["quantity_shipped"]
            if asked[checked.order_product_id] > left:
                raise No(400, "The field 'quantity' is invalid", invalid_reason="quantity is greater than what is available to ship",
                         available_quantity=left, order_product_id=checked.order_product_id)

    def put_shipment(self, request: httpx.Request, order_id: int, shipment_id: int) -> httpx.Response:
        """PUT /orders/{id}/shipments/{id}: everything but its items."""
        body = _body(request)
        found = {s["id"]: s for s in self._books.shipments[order_id]} if self._order(order_id) else {}
        _known(shipment_id, found)
        _check_text(body, ("order_address_id",))  # the items of a shipment cannot be changed
        if str(body.get("order_address_id", "")) not in ("", *map(str, self._order(order_id)["addresses"])):
            raise No(400, "The field 'order_address_id' is invalid")
        found[shipment_id].update(body)
        self._books.touch(order_id)
        self._wrote(request)
        return httpx.Response(200, json=self._books.shipment_shape(found[shipment_id]))

    def delete_shipments(self, request: httpx.Request, order_id: int, shipment_id: int = 0) -> httpx.Response:
        """DELETE one shipment, or all of an order."""
        self._order(order_id)
        found = [s["id"] for s in self._books.shipments[order_id]]
        self._books.unship(order_id, [_known(shipment_id, found)] if shipment_id else found)
        self._wrote(request)
        return httpx.Response(204)

    def list_statuses(self, request: httpx.Request) -> httpx.Response:
        """GET /order_statuses."""
        return httpx.Response(200, json=[_status(i) for i in range(len(STATUS_NAMES))])

    def get_status(self, request: httpx.Request, status_id: int) -> httpx.Response:
        """GET /order_statuses/{id}."""
        return httpx.Response(200, json=_status(_known(status_id, range(len(STATUS_NAMES)))))

    def _listed(self, request: httpx.Request, rows: list[dict[str, Any]], empty: int = 200) -> httpx.Response:
        page, limit = self._paging(request.url.params)
        rows = rows[(page - 1) * limit:page * limit]
        return httpx.Response(200, json=rows) if rows or empty == 200 else httpx.Response(empty)

    def _wrote(self, request: httpx.Request) -> None:
        self._writes.append({"at": self._clock.now(), "method": request.method, "path": request.url.path})


    def _wrote(self, request: httpx.Request) -> None:
        self.writes.append({"at": self._books.now(), "method": request.method, "path": request.url.path})


def _json(body: bytes) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "application/json"}, content=body)


def _status(status_id: int) -> dict[str, Any]:
    name = STATUS_NAMES[status_id]
    return {"id": status_id, "name": name, "system_label": name, "custom_label": name, "system_description": "", "order": status_id}


def _integer(wanted: httpx.QueryParams, name: str, default: int | None = None) -> int | None:
    text = wanted.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise No(400, f"The field '{name}' is invalid")
    return int(text)


def _second(text: str | None, up: bool) -> int | None:
    """A filter's bound in whole seconds; a fraction is cut off below and counts as the whole second above."""
    if text is None:
        return None
    try:
        moment = read_date(text)
    except ValueError:
        raise No(400, "A date is neither RFC 2822 nor ISO 8601") from None
    return int(moment.timestamp()) if up or not moment.microsecond else int(moment.timestamp()) + 1


def _known(key: int, keys: Any) -> int:
    if key not in keys:
        raise No(404, "The requested resource was not found")
    return key


def _body(request: httpx.Request) -> dict[str, Any]:
    try:
        body = json.loads(request.content)
    except ValueError:
        body = None
    if not isinstance(body, dict) or not request.headers.get("content-type", "").startswith("application/json"):
        raise No(400, "The body is not a JSON object")
    return body


def _check_text(body: dict[str, Any], others: tuple[str, ...]) -> None:
    for name, value in body.items():
        if name not in SHIPMENT_TEXT and name not in others:
            raise No(400, f"The field '{name}' cannot be written to")
        if name in SHIPMENT_TEXT and (not isinstance(value, str) or len(value) > SHIPMENT_TEXT[name]):
            raise No(400, f"The field '{name}' is invalid")
