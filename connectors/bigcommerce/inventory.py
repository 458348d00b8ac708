"""Stock at the account's locations (inventory v3): absolute figures only, one location a request, never two requests at once.

The API is asynchronous: a 200 means "taken in". A request is taken whole or refused whole, and twice is once, so a doubt costs nothing but
a second request: what is not shown after the quiet period is sent again.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import pandas as pd
from pydantic import ValidationError

from connectors.bigcommerce.catalogue import Catalogue, Found
from connectors.bigcommerce.checked import number, read
from connectors.bigcommerce.client import Client, error_body
from connectors.bigcommerce.mapping import REFERENCE, why
from connectors.bigcommerce.wire_stock import REASON_MAX, AbsoluteAdjustment, Adjusted, Adjustment, Location, StockItem, texts
from connectors.kit.claims import doing, in_time
from connectors.kit.clock import Clock
from connectors.kit.errors import InDoubt, Refused, WharfingerError
from connectors.ports import Effect, Receipt
from contracts.effects import StockUpdate
from contracts.stock import Locations, ShownStock

ITEMS_MAX = 2000
ERROR_BYTES_MAX = 2_000_000  # two thousand items can be wrong in one request, each with a sentence
FILTER_LETTERS = 4000  # of one `sku:in`: longer addresses are cut off by servers and proxies
ELSEWHERE = re.compile(r"tracked by \w+.{0,40}update stock by", re.IGNORECASE)
POSITION = re.compile(r"^(?:items|settings?|adjustments)\.(\d{1,4})(?:\.|$)")  # 'items.3.sku': the form of the vendor's own example
NAMED_ID = re.compile(r"\b(variant_id|product_id)\W{1,3}(\d{1,18})\b")
Address = dict[str, Any]


class _Unapplied(Refused):
    """A 422, with what it named: positions and SKUs are `records` already, ids may still have to be looked up."""

    is_elsewhere = False  # the item's stock is tracked in another way than we addressed it
    ids: tuple[tuple[str, int], ...] = ()


class Inventory:
    """What the storefront shows, and what we tell it to show."""

    def __init__(self, name: str, client: Client, clock: Clock, catalogue: Catalogue, page_size: int, items_max: int) -> None:
        self._name, self._client, self._clock, self._catalogue = name, client, clock, catalogue
        self._page_size, self._items_max = page_size, items_max
        self._addressed: dict[str, Address] = {}  # SKUs that the SKU itself does not address
        self._named: dict[tuple[str, int], str] = {}  # (variant_id | product_id, its value) -> SKU, as far as we have seen them

    def prepare(self, effect: Effect) -> bytes:
        """The JSON body, every item by its SKU. Raises Refused when it breaks one of the vendor's limits, naming it."""
        return self._body(effect, {})

    def send(self, effect: Effect, body: bytes) -> Receipt:
        """Set the figures, once. A 422 that names SKUs is Refused with these as `records`.

        Where an item's stock is tracked by its product, the whole request was refused and is made anew with the product's id, once.
        """
        skus = [item["sku"] for item in effect.payload["items"]]
        known = self._addresses(skus)
        try:
            return self._put(effect, self._body(effect, known) if known else body)
        except _Unapplied as error:
            if not error.is_elsewhere:
                raise self._plain(effect, skus, error) from None
            self._learn(effect, skus)
            if self._addresses(skus) == known:
                raise self._plain(effect, skus, error) from None
        try:
            return self._put(effect, self._body(effect, self._addressed))
        except _Unapplied as error:
            raise self._plain(effect, skus, error) from None

    def find(self, effect: Effect) -> Receipt | None:
        """Does the location show exactly these figures? None: surely not, or no longer; sending again is harmless.

        Nearly all of them is not enough: zeros agree by chance, and what looks sold since may be what it was before.
        """
        update = StockUpdate.model_validate(effect.payload)
        location = number(update.location, doing(self._name, effect))
        wanted = {item.sku: item.quantity for item in update.items}
        shown = {sku: item.total_inventory_onhand for page in self._items(location, list(wanted)) for sku, item in page.items()}
        return Receipt(_remote_id(update), {"shown": len(shown)}) if shown == wanted else None

    def locations(self) -> pd.DataFrame:
        """Frame of contract Locations."""
        found = [read(Location, row, "/inventory/locations") for row in self._client.locations()]
        return Locations.frame({"connection": self._name, "location": str(one.id), "name": one.label or one.code, "is_active": one.enabled,
                                "is_external": one.managed_by_external_source} for one in found)

    def shown(self, location: str, skus: list[str] | None) -> Iterator[pd.DataFrame]:
        """Frames of contract ShownStock, a page each. `skus` None: all that the location has."""
        place, tracking = number(location, f"{self._name}: reading stock"), {}  # how stock is tracked may change between two looks
        for page in self._items(place, skus):
            seen_at = self._clock.now()
            tracking |= self._tracking_of(page.values(), tracking)
            yield ShownStock.frame({
                "connection": self._name, "location": location, "sku": sku, "on_hand": item.total_inventory_onhand, "available": item.available_to_sell,
                "safety_stock": item.settings.safety_stock, "is_tracked": tracking.get(item.identity.product_id or 0, "product") != "none",
                "seen_at": seen_at} for sku, item in page.items())

    def set_safety_stock(self, location: str, kept_back: dict[str, int]) -> None:
        """How many of each SKU the storefront itself keeps back there. Absolute; other settings stay."""
        at = f"{self._name}: setting safety stock"
        body = {"settings": [{"identity": self._addressed.get(sku, {"sku": sku}), "safety_stock": count} for sku, count in kept_back.items()]}
        if not 0 < len(kept_back) <= ITEMS_MAX or any(count < 0 for count in kept_back.values()):
            raise Refused(at, f"it needs 1 to {ITEMS_MAX} SKUs, and none below zero")
        self._client.set_items(number(location, at), json.dumps(body).encode())

    def _put(self, effect: Effect, body: bytes) -> Receipt:
        update = StockUpdate.model_validate(effect.payload)
        answer = self._client.adjust_stock(body, self._judge(update), lambda: in_time(effect, self._clock, doing(self._name, effect)))
        try:
            taken = Adjusted.model_validate(answer)
        except ValidationError as error:
            raise InDoubt(doing(self._name, effect), f"the answer names no transaction ({why(error)})") from None
        return Receipt(_remote_id(update), {"transaction_id": taken.transaction_id})

    def _body(self, effect: Effect, addressed: dict[str, Address]) -> bytes:
        at = doing(self._name, effect)
        try:
            update = StockUpdate.model_validate(effect.payload)
            place = int(number(update.location, at))
            if len({item.sku for item in update.items}) < len(update.items) or len(update.items) > self._items_max:
                raise Refused(at, f"it holds more than {self._items_max} SKUs, or one of them twice", "Make smaller groups.")
            items = [Adjustment(location_id=place, quantity=item.quantity, **addressed.get(item.sku, {"sku": item.sku})) for item in update.items]
            return AbsoluteAdjustment(reason=f"{REFERENCE}{effect.effect_id}"[:REASON_MAX], items=items).body()
        except ValidationError as error:
            raise Refused(at, f"BigCommerce would not take it: {why(error)}") from None

    def _addresses(self, skus: list[str]) -> dict[str, Address]:
        return {sku: self._addressed[sku] for sku in skus if sku in self._addressed}

    def _learn(self, effect: Effect, skus: list[str]) -> None:
        """Which of these SKUs stand for a product whose stock is tracked as a whole. Raises Refused for those that are one variant of several."""
        location = number(effect.payload["location"], doing(self._name, effect))
        identities = {sku: item.identity for page in self._items(location, skus) for sku, item in page.items() if item.identity.product_id}
        products = self._catalogue.products(sorted({identity.product_id for identity in identities.values()}))
        found = {sku: Found(products[one.product_id], one.variant_id) for sku, one in identities.items() if one.product_id in products}
        one_of_many = []
        for sku, one in (found | self._catalogue.find(set(skus) - found.keys())).items():
            self._addressed.pop(sku, None)
            if one.product.inventory_tracking == "product" and one.is_whole:
                self._addressed[sku] = {"product_id": one.product.id}
            elif one.product.inventory_tracking == "product":
                one_of_many.append(sku)
        if one_of_many:
            raise Refused(doing(self._name, effect), f"{_spelled(one_of_many)}: one variant among several, and stock is tracked for the product as a whole",
                          "Have the storefront track this product's stock by variant.", records=tuple(one_of_many))

    def _judge(self, update: StockUpdate) -> Callable[[str, httpx.Response], WharfingerError | None]:
        skus = [item.sku for item in update.items]

        def judge(at: str, response: httpx.Response) -> WharfingerError | None:
            if response.status_code != 422:
                return None
            told = texts(error_body(response, ERROR_BYTES_MAX))
            error = _Unapplied(at, "HTTP 422", records=_blamed(told, skus))
            error.is_elsewhere = any(map(ELSEWHERE.search, told))
            error.ids = tuple((kind, int(one)) for text in told for kind, one in NAMED_ID.findall(text))
            return error
        return judge

    def _plain(self, effect: Effect, skus: list[str], error: _Unapplied) -> Refused:
        """The refusal with the SKUs that it is about; ids are looked up among ours. Nothing else of the vendor's text is shown."""
        if error.ids:
            try:
                for _ in self._items(number(effect.payload["location"], error.doing), skus):
                    pass  # each page is noted in `_named`
            except WharfingerError as away:
                return Refused(error.doing, error.got, f"Which items it names could not be looked up ({type(away).__name__}).", records=error.records)
        by_id = self._named | {(key, value): sku for sku, address in self._addressed.items() for key, value in address.items()}
        among = {*error.records, *(by_id.get(one, "") for one in error.ids)}
        blamed = tuple(sku for sku in skus if sku in among)
        if not blamed:
            return Refused(error.doing, error.got)
        return Refused(error.doing, f"{error.got}: it names {_spelled(blamed)}", "Nothing of this request was applied. Look at these SKUs in the storefront.",
                       records=blamed)

    def _items(self, location: str, skus: list[str] | None) -> Iterator[dict[str, StockItem]]:
        """What the location has, a page each, by SKU."""
        wanted = None if skus is None else set(skus)
        for filters in [{}] if skus is None else self._filters(skus):
            for rows in self._client.stock(location, self._page_size, **filters):
                page = {item.identity.sku: item for item in (read(StockItem, row, "/inventory/locations/{id}/items") for row in rows) if item.identity.sku}
                for sku, item in page.items():
                    self._named.update({(key, value): sku for key in ("variant_id", "product_id") if (value := getattr(item.identity, key))})
                yield page if wanted is None else {sku: item for sku, item in page.items() if sku in wanted}

    def _filters(self, skus: list[str]) -> Iterator[dict[str, str]]:
        """`sku:in` in pieces that an address can hold; a SKU with a comma in it is asked for by its variant's id."""
        piece: list[str] = []
        letters = 0
        for sku in (sku for sku in skus if "," not in sku):
            if piece and letters + len(sku) > FILTER_LETTERS:
                yield {"sku:in": ",".join(piece)}
                piece, letters = [], 0
            piece.append(sku)
            letters += len(quote(sku)) + 3
        if piece:
            yield {"sku:in": ",".join(piece)}
        awkward = self._catalogue.find([sku for sku in skus if "," in sku]) if any("," in sku for sku in skus) else {}
        if ids := sorted({found.variant_id for found in awkward.values() if found.variant_id}):
            yield {"variant_id:in": ",".join(map(str, ids))}

    def _tracking_of(self, items: Iterable[StockItem], known: Mapping[int, str]) -> dict[int, str]:
        ids = {item.identity.product_id for item in items if item.identity.product_id} - known.keys()
        return {product.id: product.inventory_tracking for product in self._catalogue.products(sorted(ids)).values()}


def _remote_id(update: StockUpdate) -> str:
    return f"location {update.location}: {len(update.items)} SKUs"


def _blamed(told: list[str], skus: list[str]) -> tuple[str, ...]:
    """Those of our SKUs that the vendor's text names, by their position or as they are spelled."""
    found = {skus[int(at)] for text in told for at in POSITION.findall(text) if int(at) < len(skus)}
    whole = "\n".join(told)
    found |= {sku for sku in skus if sku in whole and re.search(rf"\bsku\W{{1,3}}{re.escape(sku)}(?![\w-])", whole, re.IGNORECASE)}
    if not found:
        found = {sku for sku in skus if len(sku) > 2 and sku in whole and re.search(rf"(?<![\w-]){re.escape(sku)}(?![\w-])", whole)}
    return tuple(sku for sku in skus if sku in found)


def _spelled(skus: Sequence[str]) -> str:
    """For a sentence: the first few, and how many more."""
    return ", ".join(f"SKU {sku!r}" for sku in skus[:10]) + (f" and {len(skus) - 10} more" if len(skus) > 10 else "")
