"""The v3 side of the stand-in: channels, products and variants, paged with `meta.pagination`."""

from collections.abc import Iterable
from typing import Any

import httpx

STAMP = "2026-01-01T00:00:00Z"
PAGE = 50


class Catalogue:
    """What is for sale, and through which channels."""

    def __init__(self, page_max: int) -> None:
        self._page_max = page_max
        self._channels: dict[int, dict[str, Any]] = {}
        self._products: dict[int, dict[str, Any]] = {}
        self._variants: dict[int, dict[str, Any]] = {}
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
            self._products[number] = {
                "id": number, "name": product.get("name") or product["sku"] or "Unnamed", "type": product.get("type", "physical"),
                "sku": product["sku"], "inventory_tracking": product.get("inventory_tracking", "none"),
                **({} if product.get("variants") else {"base_variant_id": first})}

    def list_channels(self, request: httpx.Request) -> httpx.Response:
        """GET /v3/channels."""
        wanted = request.url.params
        rows = [c for c in self._channels.values() if _among(c["status"], wanted, "status:in") and _among(c["type"], wanted, "type:in")]
        return self._paged(request, rows)

    def get_channel(self, request: httpx.Request, channel_id: int) -> httpx.Response:
        """GET /v3/channels/{id}."""
        if channel_id not in self._channels:
            return _problem(404, "There is no such channel")
        return httpx.Response(200, json={"data": self._channels[channel_id], "meta": {}})

    def list_products(self, request: httpx.Request) -> httpx.Response:
        """GET /v3/catalog/products, by sku, sku:in and id:in."""
        wanted = request.url.params
        rows = [p for p in self._products.values() if _among(p["sku"], wanted, "sku:in") and _among(str(p["id"]), wanted, "id:in")
                and wanted.get("sku", p["sku"]) == p["sku"] and wanted.get("id", str(p["id"])) == str(p["id"])]
        fields = wanted.get("include_fields")
        keep = {"id", *fields.split(",")} if fields else None
        return self._paged(request, [{k: v for k, v in row.items() if keep is None or k in keep} for row in rows])

    def list_variants(self, request: httpx.Request) -> httpx.Response:
        """GET /v3/catalog/variants, by sku (exactly one) and product_id:in."""
        wanted = request.url.params
        rows = [v for v in self._variants.values() if wanted.get("sku", v["sku"]) == v["sku"]
                and _among(str(v["product_id"]), wanted, "product_id:in")]
        return self._paged(request, rows)

    def _paged(self, request: httpx.Request, rows: list[dict[str, Any]]) -> httpx.Response:
        wanted = request.url.params
        page, limit = wanted.get("page", "1"), wanted.get("limit", str(min(PAGE, self._page_max)))
        if not (page.isdigit() and limit.isdigit() and int(page) >= 1 and 1 <= int(limit) <= self._page_max):
            return _problem(422, "page or limit is out of range")
        number, size = int(page), int(limit)
        found = rows[(number - 1) * size:number * size]
        pages = -(-len(rows) // size)
        return httpx.Response(200, json={"data": found, "meta": {"pagination": {
            "total": len(rows), "count": len(found), "per_page": size, "current_page": number, "total_pages": pages,
            "links": {"current": f"?page={number}&limit={size}"}}}})


def _among(value: str, wanted: httpx.QueryParams, name: str) -> bool:
    return name not in wanted or value in wanted[name].split(",")


def _problem(status: int, title: str) -> httpx.Response:
    return httpx.Response(status, json={"status": status, "title": title, "type": "about:blank", "errors": {}})
