"""Listings as rows, figures as patches and feeds, and what a report says of them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.amazon.wire_feeds import FeedHeader, ListingsFeed, Message, Report
from connectors.amazon.wire_listings import ANY_PRODUCT, DEFAULT_CHANNEL, Item, Patch
from contracts.effects import StockItem, StockUpdate


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


def listing(item: Item, marketplaces: tuple[str, ...]) -> Listing:
    """What an item says of these marketplaces."""
    here = [one for one in item.summaries if one.marketplaceId in marketplaces]
    kinds = [one.productType for one in (*item.productTypes, *here) if one.productType and one.marketplaceId in marketplaces]
    own = [one for one in item.fulfillmentAvailability if one.fulfillmentChannelCode == DEFAULT_CHANNEL]
    others = sorted({one.fulfillmentChannelCode for one in item.fulfillmentAvailability} - {DEFAULT_CHANNEL})
    return Listing(item.sku, next((one.asin for one in here if one.asin), ""), next((one.itemName for one in here if one.itemName), ""), (*kinds, ANY_PRODUCT)[0],
                   tuple(one.marketplaceId for one in here), own[0].quantity if own else None, tuple(others), bool(own))


def catalogue_row(name: str, one: Listing) -> dict[str, Any]:
    """A row of the contract CatalogueItems. What Amazon counts is untracked, as far as we are concerned."""
    return {"connection": name, "sku": one.sku, "product_id": one.asin, "variant_id": "", "name": one.name, "tracking": "variant" if one.is_ours else "none"}


def shown_row(name: str, one: Listing, seen_at: datetime) -> dict[str, Any]:
    """A row of the contract ShownStock."""
    quantity = one.quantity or 0
    return {"connection": name, "location": DEFAULT_CHANNEL, "sku": one.sku, "on_hand": quantity, "available": quantity, "safety_stock": 0, "is_tracked": one.is_ours,
            "seen_at": seen_at}


def untouchable(one: Listing | None) -> str:
    """Why nothing may be sent for it; '' when it may."""
    if one is None:
        return "it is not listed in any marketplace of this connection"
    return "" if one.is_ours else f"Amazon ships it (channel {', '.join(one.amazon_channels)}): a figure of ours would make a second channel of it"


def feed_document(seller_id: str, messages: Iterable[tuple[int, StockItem, str]]) -> ListingsFeed:
    """A feed's document out of (number, figure, product type)."""
    return ListingsFeed(header=FeedHeader(sellerId=seller_id), messages=[
        Message(messageId=number, sku=item.sku, productType=product_type, patches=[Patch.of(item.quantity)]) for number, item, product_type in messages])


def refusals(report: Report) -> dict[int, str]:
    """What a report says was not taken: the message's number -> why, in Amazon's codes."""
    found: dict[int, str] = {}
    for issue in report.issues:
        if issue.is_error and issue.messageId:
            about = f" about {issue.attributeName}" if issue.attributeName else ""
            found.setdefault(issue.messageId, f"feed {report.header.feedId}: issue {issue.code or 'without a code'}{about}")
    return found


def by_sku(update: StockUpdate, refused: dict[int, str]) -> dict[str, str]:
    """A message's number is the place of its SKU in the update."""
    return {update.items[number - 1].sku: said for number, said in refused.items() if 1 <= number <= len(update.items)}
