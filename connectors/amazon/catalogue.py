"""Listings: what the seller offers in the connection's marketplaces, and which fulfilment channel counts the stock of each.

A listing whose stock Amazon's own warehouses count (a channel code AMAZON_…) is not ours to count: it is listed as untracked, and never written to.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from connectors.amazon.checked import read
from connectors.amazon.client import Client
from connectors.amazon.wire import in_path, write_moment
from connectors.amazon.wire_listings import ANY_PRODUCT, DEFAULT_CHANNEL, Item, ItemPage
from connectors.kit.errors import BadDocument, Refused
from contracts.items import CatalogueItems

ITEMS = "/listings/2021-08-01/items"
SKUS_PER_REQUEST, FOUND_MAX = 20, 1000
WALKS_MAX = 5000  # of a thousand listings each
PARTS = "summaries,fulfillmentAvailability,productTypes"


@dataclass(frozen=True)
class Listing:
    """One SKU, as far as it is listed in our marketplaces. quantity: what the merchant offers; None: never said."""

    sku: str
    asin: str
    name: str
    product_type: str
    marketplaces: tuple[str, ...]
    quantity: int | None
    amazon_channels: tuple[str, ...]
    has_own_channel: bool

    @property
    def is_ours(self) -> bool:
        """Do we say how many there are? Not where Amazon ships any of it."""
        return not self.amazon_channels


class Catalogue:
    """The seller's listings."""

    def __init__(self, name: str, client: Client, seller_id: str, marketplaces: tuple[str, ...], page_size: int) -> None:
        self._name, self._client, self._marketplaces, self._page_size = name, client, marketplaces, page_size
        self._path = f"{ITEMS}/{in_path(seller_id)}"

    def path(self, sku: str) -> str:
        """Where a listing is, whatever letters its SKU has."""
        return f"{self._path}/{in_path(sku)}"

    def items(self, skus: list[str]) -> pd.DataFrame:
        """Frame of contract CatalogueItems for those of the SKUs that exist, spelled exactly so."""
        return self._frame(self.find(skus).values())

    def whole(self) -> pd.DataFrame:
        """Frame of contract CatalogueItems: every SKU but those that only Amazon ships: no warehouse of ours can have them, so they are no gap."""
        return self._frame(one for one in self.walk() if one.is_ours or one.has_own_channel)

    def find(self, skus: Iterable[str]) -> dict[str, Listing]:
        """Those of the SKUs that are listed in one of our marketplaces at least."""
        wanted = sorted({sku for sku in skus if sku})
        plain = [sku for sku in wanted if "," not in sku]  # `identifiers` is separated by commas
        found: dict[str, Listing] = {}
        for start in range(0, len(plain), SKUS_PER_REQUEST):
            asked = {"identifiersType": "SKU", "identifiers": ",".join(plain[start:start + SKUS_PER_REQUEST])}
            for page, _ in self._pages(self._marketplaces, asked):
                found |= {one.sku: one for one in map(self._listing, page)}
        found |= {one.sku: one for one in (self._one(sku) for sku in wanted if "," in sku) if one}
        return {sku: found[sku] for sku in wanted if sku in found and found[sku].marketplaces}

    def walk(self) -> Iterator[Listing]:
        """Every listing of our marketplaces, once each. A SKU that is listed in several comes with the first."""
        seen: set[str] = set()
        for marketplace in self._marketplaces:
            for item in self._walk(marketplace):
                if item.sku not in seen:
                    seen.add(item.sku)
                    yield self._listing(item)

    def _walk(self, marketplace: str) -> Iterator[Item]:
        """By when they were created: a search ends after a thousand, so the next begins where that one ended."""
        since: datetime | None = None
        for _ in range(WALKS_MAX):
            asked = {"sortBy": "createdDate", "sortOrder": "ASC"} | ({"createdAfter": write_moment(since)} if since else {})
            count, found, last = 0, 0, since
            for page, found in self._pages((marketplace,), asked):
                yield from page
                count += len(page)
                last = max([one.createdDate for item in page for one in item.summaries], default=last)
            if count >= found:
                return
            if last is None or since is not None and write_moment(last) == write_moment(since):
                raise BadDocument(f"{self._name}: listing every SKU", f"{found} listings, of which {count} can be read, were created within one second",
                                  "Amazon pages through a thousand listings and no more.")
            since = last
        raise BadDocument(f"{self._name}: listing every SKU", f"there is no end to them after {WALKS_MAX} searches")

    def _pages(self, marketplaces: tuple[str, ...], asked: dict[str, str]) -> Iterator[tuple[list[Item], int]]:
        """Page after page of one search, and how many it says there are in all."""
        given: dict[str, Any] = {"marketplaceIds": ",".join(marketplaces), "includedData": PARTS, "pageSize": min(self._page_size, SKUS_PER_REQUEST), **asked}
        token = ""
        for _ in range(FOUND_MAX):
            page = read(ItemPage, self._client.read("searchListingsItems", self._path, given | ({"pageToken": token} if token else {})), "listings")
            yield [read(Item, row, "a listing") for row in page.items], page.numberOfResults
            if not page.pagination.nextToken:
                return
            if page.pagination.nextToken == token:
                break
            token = page.pagination.nextToken
        raise BadDocument(f"{self._name}: searching listings", "its pages lead in a circle")

    def _one(self, sku: str) -> Listing | None:
        try:
            row = self._client.read("getListingsItem", self.path(sku), {"marketplaceIds": ",".join(self._marketplaces), "includedData": PARTS})
        except Refused as error:
            if error.got.startswith("HTTP 404"):
                return None
            raise
        return self._listing(read(Item, row, "a listing"))

    def _listing(self, item: Item) -> Listing:
        here = [one for one in item.summaries if one.marketplaceId in self._marketplaces]
        kinds = [one.productType for one in (*item.productTypes, *here) if one.productType and one.marketplaceId in self._marketplaces]
        own = [one for one in item.fulfillmentAvailability if one.fulfillmentChannelCode == DEFAULT_CHANNEL]
        others = sorted({one.fulfillmentChannelCode for one in item.fulfillmentAvailability} - {DEFAULT_CHANNEL})
        return Listing(item.sku, next((one.asin for one in here if one.asin), ""), next((one.itemName for one in here if one.itemName), ""), (*kinds, ANY_PRODUCT)[0],
                       tuple(one.marketplaceId for one in here), own[0].quantity if own else None, tuple(others), bool(own))

    def _frame(self, listings: Iterable[Listing]) -> pd.DataFrame:
        return CatalogueItems.frame({"connection": self._name, "sku": one.sku, "product_id": one.asin, "variant_id": "", "name": one.name,
                                     "tracking": "variant" if one.is_ours else "none"} for one in listings)
