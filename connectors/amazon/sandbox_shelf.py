"""What the stand-in's seller has listed, and how much of it: patches that were accepted are carried out later, orders take at once."""

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.amazon.wire_listings import AVAILABILITY, DEFAULT_CHANNEL, QUANTITY_MAX
from connectors.kit.clock import Clock

OPERATIONS = ("add", "replace", "merge", "delete")
FIELDS = {"fulfillment_channel_code", "quantity", "lead_time_to_ship_max_days", "restock_date", "marketplace_id", "is_inventory_available"}
Figures = dict[str, dict[str, Any]]  # channel code -> what it has
Issue = dict[str, Any]


class Shelf:
    """Listings and their figures. `writes`, `changes` and `oversold` are its record.

    processing_seconds: how long after it was accepted a patch is carried out. refused: SKU -> (code, message, attributes) of submissions that are not taken.
    """

    def __init__(self, clock: Clock, marketplaces: Iterable[str], processing_seconds: float) -> None:
        self._clock, self._marketplaces, self._delay = clock, list(marketplaces), timedelta(seconds=processing_seconds)
        self.listed: dict[str, dict[str, Any]] = {}
        self.refused: dict[str, tuple[str, str, tuple[str, ...]]] = {}
        self.writes: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.oversold: list[dict[str, Any]] = []
        self._pending: list[tuple[datetime, int, Callable[[], None]]] = []
        self._taken: dict[str, list[tuple[str, int]]] = {}

    def add(self, products: Iterable[dict[str, Any]]) -> None:
        """Listings: sku, and maybe name, product_type, asin, marketplaces, quantity, channel, lead_time, restock_date, is_buyable, created_at."""
        for product in products:
            number, now = len(self.listed) + 1, self._clock.now()
            channel = product.get("channel", DEFAULT_CHANNEL)
            figure = {"quantity": product.get("quantity", 0)} if channel == DEFAULT_CHANNEL else {}
            figure |= {name: product[key] for name, key in (("lead_time_to_ship_max_days", "lead_time"), ("restock_date", "restock_date")) if key in product}
            self.listed[product["sku"]] = {
                "sku": product["sku"], "name": product.get("name") or product["sku"], "product_type": product.get("product_type", "HOME"),
                "asin": product.get("asin", f"B0{number:08}"), "marketplaces": list(product.get("marketplaces", self._marketplaces)),
                "created_at": product.get("created_at", now + timedelta(milliseconds=number)), "updated_at": now, "is_buyable": product.get("is_buyable", True),
                "channels": {channel: figure}, "before": {channel: dict(figure)}}

    def remove(self, sku: str) -> None:
        """Somebody deletes a listing."""
        del self.listed[sku]

    def touch(self, sku: str) -> None:
        """Somebody edits a listing: nothing of its stock."""
        self.listed[sku]["updated_at"] = self._clock.now()

    def move_to_amazon(self, sku: str, code: str = "AMAZON_EU") -> None:
        """Somebody has Amazon ship this listing from now on."""
        self.listed[sku]["channels"], self.listed[sku]["before"] = {code: {}}, {code: {}}

    def set_by_hand(self, sku: str, quantity: int) -> None:
        """A person types a figure into Seller Central."""
        self._set(sku, quantity, "by hand")

    def settle(self) -> None:
        """Carry out what is due, in the order in which it was accepted."""
        now = self._clock.now()
        due, self._pending = [one for one in self._pending if one[0] <= now], [one for one in self._pending if one[0] > now]
        for _, _, act in sorted(due, key=lambda one: one[:2]):
            act()

    def sell(self, order_id: str, lines: Iterable[tuple[str, int]]) -> None:
        """An order takes its goods from what the merchant ships; what was not there is noted as oversold. Twice is once."""
        if order_id in self._taken:
            return
        taken = self._taken.setdefault(order_id, [])
        for sku, quantity in lines:
            there = self._quantity(sku)
            if there is None:
                continue
            if there < quantity:
                self.oversold.append({"at": self._clock.now(), "order_id": order_id, "sku": sku, "quantity": quantity - there})
            given = min(quantity, there)
            self._set(sku, there - given, f"order {order_id}")
            taken.append((sku, given))

    def give_back(self, order_id: str) -> None:
        """The order was cancelled: its goods are for sale again."""
        for sku, quantity in self._taken.pop(order_id, []):
            if (there := self._quantity(sku)) is not None:
                self._set(sku, there + quantity, f"order {order_id} cancelled")

    def accept(self, submissions: list[tuple[str, list[dict[str, Any]]]], by: str, delay: timedelta | None = None) -> None:
        """Patches by SKU were taken: carried out after the delay (None: its own)."""
        write = {"at": self._clock.now(), "by": by, "items": json.loads(json.dumps(submissions)), "applied_at": None}
        self.writes.append(write)

        def apply() -> None:
            write["applied_at"] = self._clock.now()
            for sku, patches in write["items"]:
                for patch in patches if sku in self.listed else ():
                    self._carry_out(sku, patch, by)
        self._pending.append((self._clock.now() + (self._delay if delay is None else delay), len(self.writes), apply))

    def _carry_out(self, sku: str, patch: dict[str, Any], by: str) -> None:
        """The channel code is the selector: one entry a code, and another code is another entry."""
        if patch["path"] != AVAILABILITY:
            return
        one = self.listed[sku]
        before = {code: dict(figure) for code, figure in one["channels"].items()}
        for value in patch.get("value", []):
            code, given = value["fulfillment_channel_code"], {name: part for name, part in value.items() if name not in ("fulfillment_channel_code", "marketplace_id")}
            if patch["op"] == "delete":
                one["channels"].pop(code, None)
            else:
                one["channels"][code] = {**(one["channels"].get(code, {}) if patch["op"] == "merge" else {}), **given}
        self._changed(sku, before, by)

    def _set(self, sku: str, quantity: int, by: str) -> None:
        before = {code: dict(figure) for code, figure in self.listed[sku]["channels"].items()}
        self.listed[sku]["channels"].setdefault(DEFAULT_CHANNEL, {})["quantity"] = quantity
        self._changed(sku, before, by)

    def _changed(self, sku: str, before: Figures, by: str) -> None:
        one, now = self.listed[sku], self._clock.now()
        if before == one["channels"]:
            return
        one["before"], one["updated_at"] = before, now
        self.changes.append({"at": now, "sku": sku, "before": before, "after": {code: dict(figure) for code, figure in one["channels"].items()}, "by": by})

    def _quantity(self, sku: str) -> int | None:
        """What the merchant has of it; None where Amazon ships it, or nobody lists it."""
        one = self.listed.get(sku)
        return None if one is None or DEFAULT_CHANNEL not in one["channels"] else one["channels"][DEFAULT_CHANNEL].get("quantity", 0)


def problems(shelf: Shelf, sku: str, places: list[str], patches: list[Any]) -> list[Issue]:
    """Why these patches of a listing are not taken; [] when they are."""
    if sku in shelf.refused:
        return [_issue(*shelf.refused[sku])]
    if not set(places) & set(shelf.listed[sku]["marketplaces"]):
        return [_issue("13013", "This SKU does not exist in the marketplace.", ["fulfillment_availability"])]
    return [issue for patch in patches for issue in _wrong(patch)]


def iso(moment: datetime) -> str:
    """As Amazon writes a moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def statuses(one: dict[str, Any]) -> list[str]:
    """A listing's statuses in a marketplace."""
    return ["BUYABLE", "DISCOVERABLE"] if one["is_buyable"] else ["DISCOVERABLE"]


def _issue(code: str, message: str, attributes: Iterable[str] = ()) -> Issue:
    return {"code": code, "message": message, "severity": "ERROR", "attributeNames": list(attributes), "categories": ["INVALID_ATTRIBUTE"]}


def _wrong(patch: Any) -> list[Issue]:
    """Top-level attributes only, spelled with underscores; the selector must be there."""
    path = patch.get("path") if isinstance(patch, dict) else None
    if not isinstance(path, str) or patch.get("op") not in OPERATIONS:
        return [_issue("4000001", "The patch operation is invalid.")]
    name = path.removeprefix("/attributes/")
    if path != AVAILABILITY:
        return [] if re.fullmatch(r"[a-z][a-z0-9_]*", name) else [_issue("90000900", "The attributes are invalid.", [name])]
    found = []
    for value in patch.get("value") or [{}]:
        quantity = value.get("quantity", 0)
        if not value.get("fulfillment_channel_code"):
            found.append(_issue("99022", "The selector of this attribute is missing.", ["fulfillment_availability.fulfillment_channel_code"]))
        elif set(value) - FIELDS:
            found.append(_issue("90000900", "The attributes are invalid.", sorted(set(value) - FIELDS)))
        elif type(quantity) is not int or not 0 <= quantity <= QUANTITY_MAX:
            found.append(_issue("90117", "The quantity is not a whole number of a possible size.", ["fulfillment_availability.quantity"]))
    return found
