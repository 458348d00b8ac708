"""What Amazon is told of the merchant's stock: absolute figures of the channel DEFAULT, by patches for a few SKUs and by a feed for many.

SKU by SKU: what is not taken is named in the receipt, and the others stand. A listing that Amazon ships is never written to: a second channel
would be made of it. A 200 is not a yes (`status` is), and a feed that is DONE is not one either (its report is).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pandas as pd
from pydantic import ValidationError

from connectors.amazon.catalogue import Catalogue
from connectors.amazon.checked import read, why
from connectors.amazon.client import Client
from connectors.amazon.feeds import Feeds
from connectors.amazon.mapping_stock import Listing, by_sku, feed_document, shown_row, untouchable
from connectors.amazon.wire_listings import ANY_PRODUCT, DEFAULT_CHANNEL, Patch, PatchRequest, Submission
from connectors.kit.claims import doing, in_time
from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, DefiniteNo, InDoubt, NotNow, Refused
from connectors.ports import Effect, Receipt
from contracts.effects import StockItem, StockUpdate
from contracts.stock import Locations, ShownStock

SHOWN_ROWS = 500
BROKEN_MAX = 3  # feeds; then smaller groups, until they are few enough for patches
LEASE_MARGIN = timedelta(seconds=20)  # what is left of a claim for writing down how it went


class Stock:
    """A carrier of stock updates (prepare, send, find), and what is shown.

    patches_max: so many SKUs are patched one by one, more go as a feed. quiet_seconds: how long after a doubtful patch the listings are trusted.
    """

    def __init__(self, name: str, client: Client, clock: Clock, catalogue: Catalogue, feeds: Feeds, seller_id: str, items_max: int, patches_max: int,
                 quiet_seconds: float, product_type: str) -> None:
        self._name, self._client, self._clock, self._catalogue, self._feeds = name, client, clock, catalogue, feeds
        self._seller, self._items_max, self._patches_max, self._quiet, self._product_type = seller_id, items_max, patches_max, quiet_seconds, product_type

    def prepare(self, effect: Effect) -> bytes:
        """The figures as a feed's document; the listings' own product types are put in when it is sent. Raises Refused when it breaks a limit."""
        return self._document([(number, item, self._product_type or ANY_PRODUCT) for number, item in enumerate(self._update(effect).items, 1)])

    def send(self, effect: Effect, body: bytes) -> Receipt:
        """Tell them, once each. A single SKU that is not taken is Refused; of several the receipt names them.

        Raises NotNow also where some were told already: the figures are absolute, and the same again is harmless.
        """
        update = self._update(effect)
        try:
            listed = self._catalogue.find(item.sku for item in update.items)
        except (InDoubt, BadDocument) as error:  # nothing was sent yet
            raise NotNow(error.doing, error.got) from None
        refused = {item.sku: said for item in update.items if (said := untouchable(listed.get(item.sku)))}
        items = [(number, item) for number, item in enumerate(update.items, 1) if item.sku not in refused]
        if len(items) <= self._patches_max:
            return self._receipt(effect, update, refused | self._patch(effect, [item for _, item in items], listed), {})
        broken = effect.evidence.get("broken", 0) + bool(effect.evidence)  # sent again although its feeds are known: they were broken off
        if broken >= BROKEN_MAX:
            raise Refused(doing(self._name, effect), f"it was sent as a feed {broken} times and broken off each time", "It is sent in smaller groups.")
        known = {"feeds": self._submit(effect, items, listed), "untouched": refused, "broken": broken}
        outcome = self._feeds.outcome(known, effect.sent_at or self._clock.now(), effect.lease_until - LEASE_MARGIN if effect.lease_until else None)
        if outcome.broken:
            raise InDoubt(doing(self._name, effect), outcome.broken, wait_seconds=self._quiet, evidence=known)
        return self._receipt(effect, update, refused | by_sku(update, outcome.refused), known["feeds"])

    def find(self, effect: Effect) -> Receipt | None:
        """What became of its feeds, where their numbers are known; else: do the listings show exactly these figures?"""
        update, feeds = self._update(effect), effect.evidence.get("feeds", {})
        since = effect.sent_at or self._clock.now()
        if feeds:
            outcome = self._feeds.outcome(effect.evidence, since, self._clock.now())
            if not outcome.broken:
                return self._receipt(effect, update, effect.evidence.get("untouched", {}) | by_sku(update, outcome.refused), feeds)
        elif len(update.items) > self._patches_max:
            self._feeds.none_pending(since)
        listed = self._catalogue.find(item.sku for item in update.items)
        is_shown = all(item.sku in listed and listed[item.sku].is_ours and listed[item.sku].quantity == item.quantity for item in update.items)
        return self._receipt(effect, update, {}, feeds) if is_shown else None

    def locations(self, is_active: bool) -> pd.DataFrame:
        """Frame of contract Locations: one, the channel that the merchant ships from; Amazon counts its own by itself."""
        return Locations.frame([{"connection": self._name, "location": DEFAULT_CHANNEL, "name": "Shipped by the merchant", "is_active": is_active, "is_external": False}])

    def shown(self, location: str, skus: list[str] | None) -> Iterator[pd.DataFrame]:
        """Frames of contract ShownStock. `skus` None: every listing."""
        if location != DEFAULT_CHANNEL:
            raise Refused(f"{self._name}: reading stock", f"there is no location {location[:20]!r} here", f"The only one is {DEFAULT_CHANNEL}.")
        rows: list[dict[str, Any]] = []
        for one in self._catalogue.walk() if skus is None else self._catalogue.find(skus).values():
            rows.append(shown_row(self._name, one, self._clock.now()))
            if len(rows) >= SHOWN_ROWS:
                yield ShownStock.frame(rows)
                rows = []
        yield ShownStock.frame(rows)

    def _update(self, effect: Effect) -> StockUpdate:
        at = doing(self._name, effect)
        try:
            update = StockUpdate.model_validate(effect.payload)
        except ValidationError as error:
            raise Refused(at, f"Amazon would not take it: {why(error)}") from None
        if update.location != DEFAULT_CHANNEL:
            raise Refused(at, f"{update.location[:20]!r} is not the merchant's own channel", f"Only {DEFAULT_CHANNEL} is ever written to: correct stock_locations.")
        if len({item.sku for item in update.items}) < len(update.items) or len(update.items) > self._items_max:
            raise Refused(at, f"it holds more than {self._items_max} SKUs, or one of them twice", "Make smaller groups.")
        return update

    def _document(self, messages: list[tuple[int, StockItem, str]]) -> bytes:
        try:
            return feed_document(self._seller, messages).body()
        except ValidationError as error:
            raise Refused(f"{self._name}: writing a listings feed", f"Amazon would not take it: {why(error)}") from None

    def _patch(self, effect: Effect, items: list[StockItem], listed: dict[str, Listing]) -> dict[str, str]:
        """One after the other, as long as the claim holds. SKU -> why it was not taken."""
        refused: dict[str, str] = {}
        for item in items:
            one = listed[item.sku]
            body = PatchRequest(productType=self._product_type or one.product_type, patches=[Patch.of(item.quantity)]).body()
            try:
                answer = self._client.write("patchListingsItem", "PATCH", self._catalogue.path(item.sku), body, {"marketplaceIds": ",".join(one.marketplaces)},
                                            lambda: self._still_ours(effect))
                said = read(Submission, answer, "the answer to a patch").refusal()
            except Refused as error:
                said = error.got
            except (InDoubt, BadDocument) as error:
                raise InDoubt(error.doing, error.got, wait_seconds=self._quiet) from None
            if said:
                refused[item.sku] = said
        return refused

    def _submit(self, effect: Effect, items: list[tuple[int, StockItem]], listed: dict[str, Listing]) -> dict[str, int]:
        """A feed for each set of marketplaces: its number, and how many messages it has."""
        groups: dict[tuple[str, ...], list[tuple[int, StockItem]]] = {}
        for number, item in items:
            groups.setdefault(listed[item.sku].marketplaces, []).append((number, item))
        feeds: dict[str, int] = {}
        for marketplaces, group in groups.items():
            try:
                document = self._feeds.upload(self._document([(number, item, self._product_type or listed[item.sku].product_type) for number, item in group]))
                feeds[self._feeds.create(marketplaces, document, lambda: self._still_ours(effect))] = len(group)
            except DefiniteNo as error:
                if not feeds:
                    raise
                raise InDoubt(error.doing, error.got, wait_seconds=self._quiet) from None
            except InDoubt as error:  # a number is missing: whatever feed is under way is waited for
                raise InDoubt(error.doing, error.got, wait_seconds=self._quiet) from None
        return feeds

    def _still_ours(self, effect: Effect) -> None:
        in_time(effect, self._clock, doing(self._name, effect))

    def _receipt(self, effect: Effect, update: StockUpdate, refused: dict[str, str], feeds: dict[str, int]) -> Receipt:
        if refused and len(update.items) == 1:
            (sku, said), = refused.items()
            raise Refused(doing(self._name, effect), f"SKU {sku!r}: {said}", "Look at the listing in Seller Central.", records=(sku,))
        evidence: dict[str, Any] = {"told": len(update.items) - len(refused)} | ({"feeds": feeds} if feeds else {}) | ({"refused": refused} if refused else {})
        return Receipt(f"{len(update.items)} SKUs" + (f" by feed {', '.join(feeds)}" if feeds else ""), evidence)
