"""A stand-in for Quayside: a function `httpx.Request -> httpx.Response` with a memory, as its (imaginary) description says.

What Quayside does *not* check, this does not check either: two orders may bear the same reference.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from connectors._template import wire
from connectors.kit.clock import Clock
from connectors.kit.sandbox import Faults

ITEMS = [{"code": f"QS-{n:03}", "text": f"Boathook no. {n}", "active": n != 12, "uom": "EA", "ean": f"50000000{n:05}", "hs_code": "732690",
          "made_in": "GB", "value": f"{n}.50", "value_currency": "GBP"} for n in range(1, 13)]


class No(Exception):
    """Quayside says no: a status and a code."""


class Sandbox:
    """Keeps items, orders and shipments. `orders` and `shipments` are its own books, for tests and the demo to look into."""

    name = "quayside"

    def __init__(self, clock: Clock, token: str = "quayside-sandbox", pick_seconds: float = 3600.0) -> None:
        self.faults = Faults()
        self.items = [dict(item) for item in ITEMS]
        self.orders: list[dict[str, Any]] = []
        self.shipments: list[dict[str, Any]] = []
        self.acknowledged = 0
        self._clock, self._token, self._pick_seconds = clock, token, pick_seconds
        self._routes: dict[tuple[str, str], Callable[..., httpx.Response]] = {
            ("GET", "items"): self._list_items, ("GET", "orders"): self._find_orders, ("POST", "orders"): self._create_order,
            ("PUT", "orders"): self._change_order, ("DELETE", "orders"): self._cancel_order, ("GET", "shipments"): self._list_shipments,
            ("POST", "shipments"): self._acknowledge_shipments}

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return httpx.Response(401, json={"code": "unauthorised"})
        _, version, resource, *rest = [*request.url.path.split("/"), ""]
        route = self._routes.get((request.method, resource)) if version == "v1" else None
        if route is None:
            return httpx.Response(404, json={"code": "no_such_resource"})
        try:
            return route(request, rest[0])
        except No as no:
            status, code = no.args
            return httpx.Response(status, json={"code": code})

    def step(self) -> None:
        """Ship every open order whose time has come, one parcel a line."""
        due = self._clock.now() - timedelta(seconds=self._pick_seconds)
        for order in self.orders:
            if order["state"] == "open" and order["received_at"] <= due:
                self.ship(order)

    def ship(self, order: dict[str, Any]) -> None:
        """Ship this order now, one parcel a line: what a person in the house would do."""
        order["state"], seq = "shipped", len(self.shipments) + 1
        parcels = [{"sscc": f"{seq:016}{place:02}", "carrier": order["carrier"], "service": order["service"], "tracking": f"QT{seq:06}{place:02}",
                    "lines": [line | {"outcome": "full"}]} for place, line in enumerate(order["lines"], 1)]
        self.shipments.append({"seq": seq, "id": f"S{seq:06}", "reference": order["reference"], "site": order["site"],
                               "shipped_at": self._clock.now().isoformat(), "parcels": parcels})

    def _list_items(self, request: httpx.Request, _: str) -> httpx.Response:
        after, limit = self._page(request)
        rows = self.items[after:after + limit]
        following = str(after + limit) if after + limit < len(self.items) else None
        return httpx.Response(200, json={"items": rows, "next": following})

    def _list_shipments(self, request: httpx.Request, _: str) -> httpx.Response:
        after, limit = self._page(request, self.acknowledged)
        waiting = [shipment for shipment in self.shipments if shipment["seq"] > after]
        page = waiting[:limit]
        return httpx.Response(200, json={"first": page[0]["seq"] if page else 0, "last": page[-1]["seq"] if page else 0,
                                         "more": len(waiting) > limit, "shipments": page})

    def _acknowledge_shipments(self, request: httpx.Request, _: str) -> httpx.Response:
        self.acknowledged = max(self.acknowledged, int(json.loads(request.content)["up_to"]))
        return httpx.Response(204)

    def _find_orders(self, request: httpx.Request, _: str) -> httpx.Response:
        wanted = request.url.params.get("reference")
        return httpx.Response(200, json={"orders": [_seen(order) for order in self.orders if order["reference"] == wanted]})

    def _create_order(self, request: httpx.Request, _: str) -> httpx.Response:
        body = self._checked(request)
        order = body | {"id": f"Q{len(self.orders) + 1:06}", "state": "open", "received_at": self._clock.now()}
        self.orders.append(order)
        return httpx.Response(201, json=_seen(order))

    def _change_order(self, request: httpx.Request, reference: str) -> httpx.Response:
        body, order = self._checked(request), self._open_order(reference)
        order.update(body)
        return httpx.Response(200, json=_seen(order))

    def _cancel_order(self, _: httpx.Request, reference: str) -> httpx.Response:
        order = self._open_order(reference, also="cancelled")
        order["state"] = "cancelled"
        return httpx.Response(200, json=_seen(order))

    def _open_order(self, reference: str, also: str = "open") -> dict[str, Any]:
        newest = next((order for order in reversed(self.orders) if order["reference"] == reference), None)
        if newest is None:
            raise No(404, "no_such_order")
        if newest["state"] not in ("open", also):
            raise No(409, f"order_is_{newest['state']}")
        return newest

    def _checked(self, request: httpx.Request) -> dict[str, Any]:
        body = _body(wire.Order, request)
        known = {item["code"] for item in self.items if item["active"]}
        unknown = [line["code"] for line in body["lines"] if line["code"] not in known]
        if unknown:
            raise No(422, f"unknown_item:{unknown[0]}")
        return body

    def _page(self, request: httpx.Request, after: int = 0) -> tuple[int, int]:
        try:
            return int(request.url.params.get("after", after)), min(100, max(1, int(request.url.params.get("limit", 100))))
        except ValueError:
            raise No(400, "after_or_limit_is_not_a_number") from None


def _seen(order: dict[str, Any]) -> dict[str, Any]:
    return {key: order[key] for key in ("id", "reference", "revision", "state")}


def _body(model: type[BaseModel], request: httpx.Request) -> dict[str, Any]:
    try:
        return model.model_validate_json(request.content).model_dump()
    except ValidationError as error:
        where = error.errors(include_input=False)[0]
        raise No(400, f"{'.'.join(map(str, where['loc'])) or 'body'}:{where['type']}") from None
