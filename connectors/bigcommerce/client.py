"""BigCommerce's endpoints, one method each. Status, retries and budget are the kit's (`Http`); what the answers mean is `wire`'s.

A list without entries comes as 204 without a body, or as []: both are an empty list here, and nothing else is.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx

from connectors.kit.errors import BadDocument, InDoubt, WharfingerError
from connectors.kit.http import Http, Judge, parse

LastLook = Callable[[], None] | None
PAGES_MAX = 400
ERROR_BYTES_MAX = 65_536
FIELDS = ("include", "sort", "page", "limit", "min_date_modified", "max_date_modified", "order_address_id", "items", "order_product_id", "quantity",
          "product_id", "tracking_number", "tracking_link", "tracking_carrier", "shipping_provider", "comments", "location_id", "variant_id", "reason",
          "safety_stock", "payments", "provider_id", "amount", "merchant_calculated_override", "scope", "destination", "headers")
EMBED = {"include": "consignments.line_items", "consignment_structure": "object"}


class Client:
    """The account's API: v2 for orders and shipments, v3 for all else."""

    def __init__(self, v2: Http, v3: Http, page_size: int) -> None:
        self._v2, self._v3, self._page_size = v2, v3, page_size

    def orders(self, embed: bool, **filters: Any) -> list[dict]:
        """One page of GET /v2/orders."""
        params = {**filters, "limit": self._page_size, **(EMBED if embed else {})}
        return _listed(self._v2.read("/orders", params), "/orders")

    def order(self, order_id: str, embed: bool) -> dict:
        """GET /v2/orders/{id}."""
        return _object(self._v2.read(f"/orders/{order_id}", EMBED if embed else None), "/orders/{id}")

    def order_products(self, order_id: str) -> list[dict]:
        """All of GET /v2/orders/{id}/products."""
        return self._all_v2(f"/orders/{order_id}/products")

    def shipping_addresses(self, order_id: str) -> list[dict]:
        """All of GET /v2/orders/{id}/shipping_addresses."""
        return self._all_v2(f"/orders/{order_id}/shipping_addresses")

    def shipments(self, order_id: str) -> list[dict]:
        """All of GET /v2/orders/{id}/shipments; none is a 204."""
        return self._all_v2(f"/orders/{order_id}/shipments")

    def create_shipment(self, order_id: str, body: bytes, last_look: LastLook = None) -> Any:
        """POST /v2/orders/{id}/shipments, once. There is no key against repetition, and it sends the customer an e-mail. last_look: see `Http.write`."""
        return self._v2.write("POST", f"/orders/{order_id}/shipments", body, last_look=last_look)

    def update_order(self, order_id: str, body: bytes, last_look: LastLook = None) -> Any:
        """PUT /orders/{id}: absolute, so twice is once."""
        return self._v2.write("PUT", f"/orders/{order_id}", body, last_look=last_look)

    def channels(self) -> Iterator[dict]:
        """All of GET /v3/channels."""
        return self._all_v3("/channels", {})

    def products(self, **filters: Any) -> Iterator[dict]:
        """All of GET /v3/catalog/products that match (`sku`, `sku:in`, `id:in`)."""
        return self._all_v3("/catalog/products", {**filters, "include_fields": "name,sku,inventory_tracking,base_variant_id"})

    def variants(self, **filters: Any) -> Iterator[dict]:
        """All of GET /v3/catalog/variants that match (`sku`: exactly one), or all variants."""
        return self._all_v3("/catalog/variants", {**filters, "include_fields": "id,product_id,sku"})

    def shipping_zones(self) -> list[dict]:
        """GET /v2/shipping/zones, which has no pages."""
        return _listed(self._v2.read("/shipping/zones"), "/shipping/zones")

    def shipping_methods(self, zone: int) -> list[dict]:
        """GET /v2/shipping/zones/{id}/methods, which has no pages."""
        return _listed(self._v2.read(f"/shipping/zones/{zone}/methods"), "/shipping/zones/{id}/methods")

    def variant_pages(self) -> int:
        """How many requests reading every variant would take."""
        meta = self._page_v3("/catalog/variants", {"include_fields": "id"}, 1, self._page_size)["meta"]
        return int(meta["pagination"]["total_pages"])

    def locations(self) -> Iterator[dict]:
        """All of GET /v3/inventory/locations."""
        return self._all_v3("/inventory/locations", {})

    def stock(self, location: str, limit: int, **filters: Any) -> Iterator[list[dict]]:
        """GET /v3/inventory/locations/{id}/items, page by page (`sku:in`, `variant_id:in`)."""
        return self._pages_v3(f"/inventory/locations/{location}/items", filters, limit)

    def adjust_stock(self, body: bytes, judge: Judge, last_look: LastLook = None) -> Any:
        """PUT /v3/inventory/adjustments/absolute: whole or not at all, so twice is once; applied a moment after the answer. Never two at once."""
        return self._v3.write("PUT", "/inventory/adjustments/absolute", body, judge, last_look=last_look)

    def set_items(self, location: str, body: bytes) -> Any:
        """PUT /v3/inventory/locations/{id}/items: settings (safety stock, warning level), absolute; what is left out stays."""
        return self._v3.write("PUT", f"/inventory/locations/{location}/items", body)

    def quote_refund(self, order_id: str, body: bytes) -> dict:
        """POST …/refund_quotes: what a refund would come to, and how it can be paid out. It changes nothing, so it is a read."""
        return _inside(self._v3.read(f"/orders/{order_id}/payment_actions/refund_quotes", method="POST", body=body), "/refund_quotes")

    def refund(self, order_id: str, body: bytes, last_look: LastLook = None) -> Any:
        """POST …/refunds, once. There is no key against repetition, and it pays money out."""
        return self._v3.write("POST", f"/orders/{order_id}/payment_actions/refunds", body, last_look=last_look)

    def order_refunds(self, order_id: str) -> list[dict]:
        """GET …/refunds of one order, which has no pages."""
        answer = self._v3.read(f"/orders/{order_id}/payment_actions/refunds")
        return _listed(None if answer is None else _object(answer, "/refunds").get("data"), "/refunds")

    def refunds(self, **filters: Any) -> Iterator[dict]:
        """All of GET /v3/orders/payment_actions/refunds that match (`created:min`, `created:max`), by id: the list only grows at its end."""
        return self._all_v3("/orders/payment_actions/refunds", filters)

    def transactions(self, order_id: str) -> list[dict]:
        """GET /v3/orders/{id}/transactions; none is a 204. The description knows no pages of it."""
        answer = self._v3.read(f"/orders/{order_id}/transactions")
        found = _object({"data": []} if answer is None else answer, "/transactions")
        pages = _object(_object(found.get("meta") or {}, "/transactions").get("pagination") or {}, "/transactions").get("total_pages") or 0
        if not isinstance(pages, int) or pages > 1:
            raise BadDocument("reading /transactions", "there are more than one page of them, or nobody knows how many")
        return _listed(found.get("data"), "/transactions")

    def hooks(self) -> Iterator[dict]:
        """All of GET /v3/hooks that this token may see."""
        return self._all_v3("/hooks", {})

    def create_hook(self, body: bytes) -> dict:
        """POST /v3/hooks."""
        return _inside(self._v3.write("POST", "/hooks", body), "/hooks")

    def update_hook(self, hook_id: int, body: bytes) -> dict:
        """PUT /v3/hooks/{id}: absolute, so twice is once."""
        return _inside(self._v3.write("PUT", f"/hooks/{hook_id}", body), "/hooks/{id}")

    def _all_v2(self, path: str) -> list[dict]:
        rows: list[dict] = []
        for page in range(1, PAGES_MAX + 1):
            more = _listed(self._v2.read(path, {"page": page, "limit": self._page_size}), path)
            known = {str(row.get("id")) for row in rows}  # as text: whether it is a number is the mapping's to say
            rows += [row for row in more if str(row.get("id")) not in known]
            if len(more) < self._page_size:
                return rows
        raise BadDocument(f"reading {path}", f"more than {PAGES_MAX} pages")

    def _all_v3(self, path: str, filters: dict) -> Iterator[dict]:
        for page in self._pages_v3(path, filters, self._page_size):
            yield from page

    def _pages_v3(self, path: str, filters: dict, limit: int) -> Iterator[list[dict]]:
        for page in range(1, PAGES_MAX + 1):
            answer = self._page_v3(path, filters, page, limit)
            yield answer["data"]
            if page >= int(answer["meta"]["pagination"]["total_pages"]):
                return
        raise BadDocument(f"reading {path}", f"more than {PAGES_MAX} pages")

    def _page_v3(self, path: str, filters: dict, page: int, limit: int) -> dict:
        answer = _object(self._v3.read(path, {**filters, "page": page, "limit": limit}), path)
        try:
            whole = isinstance(answer["data"], list) and int(answer["meta"]["pagination"]["total_pages"]) >= 0
        except (KeyError, TypeError, ValueError):
            whole = False
        if not whole:
            raise BadDocument(f"reading {path}", "the answer has no `data` with `meta.pagination`")
        return answer


def said(response: httpx.Response) -> str:
    """Which of the fields that we know the vendor's message names. Nothing else of it is shown: an error body may echo all that was sent."""
    message = str(_first_error(response).get("message", ""))
    return ", ".join(f"it names {name!r}" for name in FIELDS if f"'{name}'" in message)


def over_quantity(doing: str, response: httpx.Response) -> WharfingerError | None:
    """The 400 that says: more than is left to ship. It may mean that our first call worked, so it is a doubt, never a refusal.

    Seen as status 400 with `details.available_quantity` and `details.order_product_id` (third-party captures, not official).
    """
    if response.status_code != 400 or "/shipments" not in doing:
        return None
    first = _first_error(response)
    details = first.get("details") if isinstance(first.get("details"), dict) else {}
    told = f"{first.get('message', '')} {details.get('invalid_reason', '')}".lower()
    if "available_quantity" not in details and not ("quantity" in told and ("greater than" in told or "invalid" in told)):
        return None
    line, left = (details[name] if isinstance(details.get(name), int) else "?" for name in ("order_product_id", "available_quantity"))
    return InDoubt(doing, f"HTTP 400: order product {line} has only {left} left to ship", "An earlier call may have shipped it.")


def error_body(response: httpx.Response, bytes_max: int = ERROR_BYTES_MAX) -> Any:
    """What came with a 4xx, as far as it is JSON of a bearable size; else None. For looking names up in, never for showing."""
    try:
        return parse(response.content[:bytes_max])
    except ValueError:
        return None


def _first_error(response: httpx.Response) -> dict:
    body = error_body(response)
    first = body[0] if isinstance(body, list) and body else body
    return first if isinstance(first, dict) else {}


def _listed(answer: Any, path: str) -> list[dict]:
    rows = [] if answer is None else answer
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadDocument(f"reading {path}", f"expected a list of objects, got {type(answer).__name__}")
    return rows


def _object(answer: Any, path: str) -> dict:
    if not isinstance(answer, dict):
        raise BadDocument(f"reading {path}", f"expected an object, got {type(answer).__name__}")
    return answer


def _inside(answer: Any, path: str) -> dict:
    return _object(_object(answer, path).get("data"), path)
