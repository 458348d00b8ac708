"""The v3 side of the stand-in: channels, products and variants, paged with `meta.pagination`; and what a SKU stands for."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import httpx

STAMP = "2026-01-01T00:00:00Z"
PAGE = 50
Told = Callable[[str, dict[str, Any]], None]  # what happened (the webhooks' scope), and their `data`


class Problem(Exception):
    """v3 says no: `application/problem+json` in most places."""

    def __init__(self, status: int, title: str, errors: dict[str, str] | None = None, kind: str = "application/problem+json") -> None:
        super().__init__(title)
        self.kind = kind
        self.status, self.body = status, {"status": status, "title": title, "errors": errors or {},
                                          "type": "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"}

    def response(self) -> httpx.Response:
        """As it is answered."""
        return httpx.Response(self.status, headers={"content-type": self.kind}, content=json.dumps(self.body).encode())


class Catalogue:
    """What is for sale, and through which channels."""

    def __init__(self, page_max: int) -> None:
        self._page_max = page_max
        self._channels: dict[int, dict[str, Any]] = {}
        self._products: dict[int, dict[str, Any]] = {}
        self._variants: dict[int, dict[str, Any]] = {}
        self._by_sku: dict[str, tuple[int, int | None]] = {}  # -> product and variant, None for the product itself
        self._keys: list[tuple[str, int]] | None = None
        self.add_channel(1, "Web shop", "active", "storefront")

    def add_channel(self, channel_id: int, name: str, status: str, kind: str) -> None:
        """A channel (`/v3/channels`)."""
        self._channels[channel_id] = {
            "id": channel_id, "name": name, "type": kind, "platform": "bigcommerce", "status": status, "external_id": "", "is_enabled": True,
            "is_listable_from_ui": True, "is_visible": True, "date_created": STAMP, "date_modified": STAMP,
            "icon_url": "https://example.com/icon.svg"}

    def add_products(self, products: Iterable[dict[str, Any]]) -> None:
        """Products; one without `variants` gets its base variant, under its own SKU."""
        for product in products:
            number = len(self._products) + 1
            first = len(self._variants) + 1
            own = product.get("variants") or [product["sku"]]
            for variant_id, sku in enumerate(own, first):
                self._variants[variant_id] = {"id": variant_id, "product_id": number, "sku": sku, "option_values": []}
                self._by_sku.setdefault(sku, (number, variant_id))
            self._by_sku.setdefault(product["sku"], (number, None))
            self._products[number] = {
                "id": number, "name": product.get("name") or product["sku"] or "Unnamed", "type": product.get("type", "physical"),
                "sku": product["sku"], "inventory_tracking": product.get("inventory_tracking", "none"),
                **({} if product.get("variants") else {"base_variant_id": first})}
        self._keys = None

    def track(self, sku: str, how: str) -> None:
        """Somebody changes how the stock of this SKU's product is tracked: none, product, variant."""
        self._products[self._by_sku[sku][0]]["inventory_tracking"] = how
        self._keys = None

    def keys(self) -> list[tuple[str, int]]:
        """Every inventory item: a product whose stock is tracked as a whole, else each of its variants."""
        if self._keys is None:
            by_product = [p["id"] for p in self._products.values() if p["inventory_tracking"] == "product"]
            whole = set(by_product)
            self._keys = [("product", number) for number in by_product] + [("variant", v["id"]) for v in self._variants.values() if v["product_id"] not in whole]
        return self._keys

    def identity(self, key: tuple[str, int]) -> dict[str, Any]:
        """How an inventory item is named: sku, variant_id, product_id."""
        if key[0] == "variant":
            variant = self._variants[key[1]]
            return {"sku": variant["sku"], "variant_id": variant["id"], "product_id": variant["product_id"]}
        product = self._products[key[1]]
        base = {"variant_id": product["base_variant_id"]} if "base_variant_id" in product else {}
        return {"sku": product["sku"], **base, "product_id": product["id"]}

    def item(self, sku: str) -> dict[str, Any] | None:
        """What a SKU stands for, or None. is_hidden: the list of items does not have it under this SKU."""
        return self.addressed("sku", sku)

    def addressed(self, how: str, value: Any) -> dict[str, Any] | None:
        """What `sku`, `variant_id` or `product_id` stands for: its inventory item's key, how it is tracked, and whether it is the whole product."""
        number, variant_id = self._place(how, value)
        if number not in self._products:
            return None
        product = self._products[number]
        simple, tracking = "base_variant_id" in product, product["inventory_tracking"]
        variant_id = product.get("base_variant_id") if simple else variant_id
        if variant_id is None and tracking != "product" and how != "product_id":
            return None  # the SKU of a product with variants is nothing that could be counted
        is_whole = simple or variant_id is None or (how == "sku" and value == product["sku"])
        first = next(v["id"] for v in self._variants.values() if v["product_id"] == number) if variant_id is None else variant_id
        return {"key": ("product", number) if tracking == "product" else ("variant", first), "tracking": tracking, "product_id": number,
                "variant_id": first, "is_whole": simple if tracking == "variant" else is_whole, "is_hidden": tracking == "product" and not is_whole}

    def _place(self, how: str, value: Any) -> tuple[int, int | None]:
        if how == "sku":
            return self._by_sku.get(value, (0, None)) if isinstance(value, str) else (0, None)
        if how == "variant_id":
            return (self._variants[value]["product_id"], value) if value in self._variants else (0, None)
        return (value, None) if isinstance(value, int) else (0, None)

    def list_channels(self, request: httpx.Request) -> httpx.Response:
        """GET /v3/channels."""
        wanted = request.url.params
        rows = [c for c in self._channels.values() if _among(c["status"], wanted, "status:in") and _among(c["type"], wanted, "type:in")]
        return paged(request, rows, self._page_max)

    def get_channel(self, request: httpx.Request, channel_id: int) -> httpx.Response:
        """GET /v3/channels/{id}."""
        if channel_id not in self._channels:
            raise Problem(404, "There is no such channel", kind="application/json")
        return httpx.Response(200, json={"data": self._channels[channel_id], "meta": {}})

    def list_products(self, request: httpx.Request) -> httpx.Response:
        """GET /v3/catalog/products, by sku, sku:in and id:in."""
        wanted = request.url.params
        ids = [self._by_sku.get(sku, (0, 0))[0] for sku in wanted["sku:in"].split(",")] if "sku:in" in wanted else list(self._products)
        ids = [int(one) for one in wanted["id:in"].split(",") if one.isdigit() and (int(one) in ids or "sku:in" not in wanted)] if "id:in" in wanted else ids
        rows = [p for p in (self._products[one] for one in dict.fromkeys(ids) if one in self._products) if _among(p["sku"], wanted, "sku:in")
                and wanted.get("sku", p["sku"]) == p["sku"] and wanted.get("id", str(p["id"])) == str(p["id"])]
        fields = wanted.get("include_fields")
        keep = {"id", *fields.split(",")} if fields else None
        return paged(request, [{k: v for k, v in row.items() if keep is None or k in keep} for row in rows], self._page_max)

    def list_variants(self, request: httpx.Request) -> httpx.Response:
        """GET /v3/catalog/variants, by sku (exactly one) and product_id:in."""
        wanted = request.url.params
        rows = [v for v in self._variants.values() if wanted.get("sku", v["sku"]) == v["sku"]
                and _among(str(v["product_id"]), wanted, "product_id:in")]
        return paged(request, rows, self._page_max)


def paged(request: httpx.Request, rows: list[dict[str, Any]], page_max: int, total: int | None = None) -> httpx.Response:
    """One page with `meta.pagination`. `total`: how many there are in all, where `rows` is the page already."""
    wanted = request.url.params
    page, limit = wanted.get("page", "1"), wanted.get("limit", str(min(PAGE, page_max)))
    if not (page.isdigit() and limit.isdigit() and int(page) >= 1 and 1 <= int(limit) <= page_max):
        raise Problem(422, "page or limit is out of range")
    number, size = int(page), int(limit)
    found = rows if total is not None else rows[(number - 1) * size:number * size]
    count = len(rows) if total is None else total
    return httpx.Response(200, json={"data": found, "meta": {"pagination": {
        "total": count, "count": len(found), "per_page": size, "current_page": number, "total_pages": -(-count // size),
        "links": {"current": f"?page={number}&limit={size}"}}}})


def sent(request: httpx.Request) -> dict[str, Any]:
    """The JSON object of a request to v3."""
    try:
        body = json.loads(request.content)
    except ValueError:
        body = None
    if not isinstance(body, dict) or not request.headers.get("content-type", "").startswith("application/json"):
        raise Problem(422, "JSON data is missing or invalid")
    return body


def _among(value: str, wanted: httpx.QueryParams, name: str) -> bool:
    return name not in wanted or value in wanted[name].split(",")
