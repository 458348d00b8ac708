"""The stand-in's stock (inventory v3, locations v3): asynchronous, whole or not at all, and moved by every order and cancel.

What the vendor documents word for word is the 422 for the wrong tracking mode and the settings' one; the others follow their form.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import httpx

from connectors.bigcommerce.sandbox_catalogue import STAMP, Catalogue, Problem, Told, paged, sent
from connectors.bigcommerce.wire_stock import QUANTITY_MAX
from connectors.kit.clock import Clock

ITEMS_MAX, PAGE_MAX = 2000, 1000
DEFAULT = 1  # the location that every account begins with, and that sells first
SETTINGS = {"safety_stock": int, "is_in_stock": bool, "warning_level": int, "bin_picking_number": str}
Key = tuple[str, int]  # ('variant' | 'product', its id): what a figure belongs to


class Stock:
    """Figures a location and item. `stale` says whether F13 strikes the request at hand, `is_losing` whether the next write is lost; `writes`, `changes` and `oversold` are its record."""

    def __init__(self, clock: Clock, catalogue: Catalogue, tell: Told, delay_seconds: float, is_strict: bool) -> None:
        self._clock, self._catalogue, self._tell, self._delay, self._strict = clock, catalogue, tell, timedelta(seconds=delay_seconds), is_strict
        self.stale = self.is_losing = False
        self.locations: dict[int, dict[str, Any]] = {}
        self.writes: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.oversold: list[dict[str, Any]] = []
        self._figures: dict[tuple[int, Key], dict[str, Any]] = {}
        self._pending: list[tuple[datetime, dict[str, Any], list[tuple[int, Key, int]]]] = []
        self._taken: dict[int, list[tuple[int, Key, int]]] = {}
        self.add_location(DEFAULT, "Default location", False, True)

    def add_location(self, location: int, label: str, is_external: bool, is_enabled: bool) -> None:
        """A place that stock is counted at."""
        self.locations[location] = {
            "id": location, "code": f"BC-LOCATION-{location}", "label": label, "description": "", "managed_by_external_source": is_external,
            "type_id": "PHYSICAL", "enabled": is_enabled, "time_zone": "Etc/UTC", "created_at": STAMP, "updated_at": STAMP, "storefront_visibility": True,
            "address": {"address1": "", "address2": "", "city": "", "state": "", "zip": "", "email": "stock@example.invalid", "phone": "", "country_code": "GB",
                        "geo_coordinates": {"latitude": 0, "longitude": 0}}, "special_hours": []}

    def settle(self) -> None:
        """Apply what is due: an adjustment is taken in first and carried out later."""
        due = [one for one in self._pending if one[0] <= self._clock.now()]
        self._pending = [one for one in self._pending if one[0] > self._clock.now()]
        for _, write, figures in due:
            write["applied_at"] = self._clock.now()
            for location, key, quantity in figures:
                self._set(location, key, quantity, write["transaction_id"])

    def set_by_hand(self, sku: str, quantity: int, location: int) -> None:
        """A person types a figure in. Where an outside system is the location's source, the field is locked."""
        if self.locations[location]["managed_by_external_source"]:
            raise ValueError(f"location {location} is managed by an outside system")
        self._set(location, self._key_of(sku), quantity, "by hand")

    def sell(self, order_id: int, lines: Iterable[tuple[str, int]]) -> None:
        """An order takes its goods, from the first active location that has enough of each. Whatever was not there is noted as oversold."""
        if order_id in self._taken:
            return
        taken = self._taken.setdefault(order_id, [])
        for sku, quantity in lines:
            item = self._catalogue.item(sku)
            if item is None or item["tracking"] == "none":
                continue
            places = [place for place, one in self.locations.items() if one["enabled"]]
            location = next((p for p in places if self._available(p, item["key"]) >= quantity), DEFAULT)
            there = self._figure(location, item["key"])["on_hand"]
            if self._figure(location, item["key"])["was_set"] and there < quantity:
                self.oversold.append({"at": self._clock.now(), "order_id": order_id, "sku": sku, "quantity": quantity - max(there, 0)})
            given = min(quantity, max(there, 0))
            self._set(location, item["key"], there - given, f"order {order_id}")
            taken.append((location, item["key"], given))

    def give_back(self, order_id: int) -> None:
        """The order was cancelled: its goods are for sale again."""
        for location, key, quantity in self._taken.pop(order_id, []):
            self._set(location, key, self._figure(location, key)["on_hand"] + quantity, f"order {order_id} cancelled")

    def shown(self) -> dict[int, dict[str, dict[str, int]]]:
        """Its books: {location: {SKU: {on_hand, available, safety_stock}}} of every figure that anybody ever touched, by how its stock is tracked now."""
        found: dict[int, dict[str, dict[str, int]]] = {location: {} for location in self.locations}
        counted = set(self._catalogue.keys())
        for (location, key), figure in sorted(self._figures.items(), key=lambda one: one[0][1] in counted):
            identity = self._catalogue.identity(key)
            found[location][identity["sku"]] = {"on_hand": figure["on_hand"], "available": self._available(location, key), "safety_stock": figure["safety_stock"]}
        return found

    def sku_of(self, item: dict[str, Any]) -> str:
        """The SKU that an item of an adjustment means."""
        return self._catalogue.identity(self._addressed(item, []))["sku"]

    def list_locations(self, request: httpx.Request) -> httpx.Response:
        """GET /v3/inventory/locations."""
        return paged(request, list(self.locations.values()), PAGE_MAX)

    def list_items(self, request: httpx.Request, location: int) -> httpx.Response:
        """GET /v3/inventory/locations/{id}/items."""
        if location not in self.locations:
            raise Problem(404, f"Location with id {location} was not found")
        rows = [{**self._shape(location, key), "identity": self._identity(key, with_sku_id=False)} for key in self._matching(request, PAGE_MAX)]
        return self._page(request, rows)

    def list_everywhere(self, request: httpx.Request) -> httpx.Response:
        """GET /v3/inventory/items: every item with all its locations."""
        places = [place for place in self.locations if str(place) in request.url.params.get("location_id:in", str(place)).split(",")]
        rows = [{"identity": self._identity(key), "locations": [{
            "location_id": place, "location_code": self.locations[place]["code"], "location_name": self.locations[place]["label"],
            "location_enabled": self.locations[place]["enabled"], **self._shape(place, key)} for place in places]} for key in self._matching(request, PAGE_MAX)]
        return self._page(request, rows)

    def put_settings(self, request: httpx.Request, location: int) -> httpx.Response:
        """PUT /v3/inventory/locations/{id}/items: settings; what is left out stays."""
        if location not in self.locations:
            raise Problem(404, f"Location with id {location} was not found")
        given = sent(request).get("settings")
        if not isinstance(given, list) or not 1 <= len(given) <= ITEMS_MAX:
            raise Problem(422, "Payload contains invalid fields", {"settings": "must hold 1 to 2000 items"})
        found = []
        for place, one in enumerate(given):
            values = {name: value for name, value in one.items() if name != "identity"}
            if not values or any(name not in SETTINGS or type(value) is not SETTINGS[name] for name, value in values.items()):
                raise Problem(422, "Payload contains invalid fields", {
                    f"setting.{place}.settings": "At least one setting must be specified: warning_level, is_in_stock or safety_stock"})
            found.append((self._addressed(one.get("identity", {}), []), values))
        for key, values in found:
            self._kept(location, key).update(values)
        return httpx.Response(200, json={"transaction_id": self._transaction()})

    def put_absolute(self, request: httpx.Request) -> httpx.Response:
        """PUT /v3/inventory/adjustments/absolute: whole or not at all; carried out later."""
        body = sent(request)
        items = body.get("items")
        if not isinstance(items, list) or not 1 <= len(items) <= ITEMS_MAX:
            raise Problem(422, "Payload contains invalid fields", {"items": f"must hold 1 to {ITEMS_MAX} items"})
        complaints: list[str] = []
        figures = [(item.get("location_id"), self._addressed(item, complaints), self._quantity(place, item)) for place, item in enumerate(items)]
        if complaints:
            listed = ", ".join(complaints)
            raise Problem(422, f"[{listed}]" if "please update" in listed else listed)
        write = {"at": self._clock.now(), "transaction_id": self._transaction(), "reason": body.get("reason", ""), "items": items, "applied_at": None}
        self.writes.append(write)
        if not self.is_losing:
            self._pending.append((self._clock.now() + self._delay, write, figures))
        self.is_losing = False
        return httpx.Response(200, json={"transaction_id": write["transaction_id"]})

    def _quantity(self, place: int, item: dict[str, Any]) -> int:
        quantity, location = item.get("quantity"), item.get("location_id")
        if type(quantity) is not int or not 0 <= quantity <= QUANTITY_MAX:
            raise Problem(422, "Payload contains invalid fields", {f"items.{place}.quantity": "must be a whole number from 0 to 2147483647"})
        if location not in self.locations:
            raise Problem(422, f"Location with id {location} was not found")
        return quantity

    def _addressed(self, item: dict[str, Any], complaints: list[str]) -> Key:
        """What an item of a request means; what is wrong with it is added to `complaints`, as the whole request is answered at once."""
        how = [name for name in ("sku", "variant_id", "product_id") if name in item]
        named = f"{how[0]} {item[how[0]]}" if how else "nothing"
        found = self._catalogue.addressed(how[0], item[how[0]]) if len(how) == 1 else None
        if found is None:
            complaints.append(f"Items with identity: [{named}] were not found")
            return ("variant", 0)
        if found["tracking"] == "none":
            complaints.append(f"Items with identity: [{named}] are not tracked")
        elif found["tracking"] == "product" and how[0] != "product_id" and (self._strict or not found["is_whole"] or how[0] == "variant_id"):
            complaints.append(f"Item with variant_id {found['variant_id']} is tracked by product, please update stock by product id")
        elif found["tracking"] == "variant" and how[0] == "product_id" and not found["is_whole"]:
            complaints.append(f"Item with product_id {found['product_id']} is tracked by variant, please update stock by variant id")
        return found["key"]

    def _matching(self, request: httpx.Request, page_max: int) -> list[Key]:
        wanted, keys = request.url.params, self._catalogue.keys()
        if "sku:in" in wanted:
            items = [self._catalogue.item(sku) for sku in dict.fromkeys(wanted["sku:in"].split(","))]
            keys = list(dict.fromkeys(item["key"] for item in items if item is not None and not item["is_hidden"]))
        for name in ("variant_id", "product_id"):
            if f"{name}:in" in wanted:
                among = set(wanted[f"{name}:in"].split(","))
                keys = [key for key in keys if str(self._catalogue.identity(key).get(name)) in among]
        page, limit = wanted.get("page", "1"), wanted.get("limit", "50")
        if not (page.isdigit() and limit.isdigit() and int(page) >= 1 and 1 <= int(limit) <= page_max):
            raise Problem(422, "page or limit is out of range")
        self._found = len(keys)
        return keys[(int(page) - 1) * int(limit):int(page) * int(limit)]

    def _page(self, request: httpx.Request, rows: list[dict[str, Any]]) -> httpx.Response:
        return paged(request, rows, PAGE_MAX, total=self._found)

    def _shape(self, location: int, key: Key) -> dict[str, Any]:
        figure = self._figure(location, key)
        on_hand = figure["before"] if self.stale else figure["on_hand"]
        return {"available_to_sell": max(0, on_hand - figure["safety_stock"]), "total_inventory_onhand": on_hand,
                "settings": {name: figure[name] for name in SETTINGS}}

    def _identity(self, key: Key, with_sku_id: bool = True) -> dict[str, Any]:
        return {**self._catalogue.identity(key), **({"sku_id": None} if with_sku_id else {})}

    def _key_of(self, sku: str) -> Key:
        item = self._catalogue.item(sku)
        if item is None:
            raise ValueError(f"there is no SKU {sku}")
        return item["key"]

    def _figure(self, location: int, key: Key) -> dict[str, Any]:
        fresh = {"on_hand": 0, "before": 0, "was_set": False, "safety_stock": 0, "is_in_stock": True, "warning_level": 0, "bin_picking_number": ""}
        return self._figures.get((location, key)) or fresh

    def _kept(self, location: int, key: Key) -> dict[str, Any]:
        return self._figures.setdefault((location, key), self._figure(location, key))

    def _available(self, location: int, key: Key) -> int:
        figure = self._figure(location, key)
        return max(0, figure["on_hand"] - figure["safety_stock"])

    def _set(self, location: int, key: Key, quantity: int, by: str) -> None:
        figure, identity = self._kept(location, key), self._catalogue.identity(key)
        before = figure["on_hand"]
        figure.update(before=before, on_hand=quantity, was_set=figure["was_set"] or not by.startswith("order"))
        if before == quantity:
            return
        self.changes.append({"at": self._clock.now(), "location": location, "sku": identity["sku"], "before": before, "after": quantity, "by": by})
        value = {"product_id": identity["product_id"], "method": "absolute", "value": quantity}
        if key[0] == "variant":
            self._tell("store/sku/inventory/updated", {"type": "sku", "id": key[1], "inventory": value | {"variant_id": key[1]}})
        else:
            self._tell("store/product/inventory/updated", {"type": "product", "id": key[1], "inventory": value})

    def _transaction(self) -> str:
        return f"{len(self.writes) + 1:08x}-{int(self._clock.now().timestamp()):x}"
