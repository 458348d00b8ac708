"""A seller with listings, and stock updates for them."""

import json
from typing import Any

from connectors.ports import STOCK_UPDATE, Effect
from tests.connectors.amazon_rig import Rig
from tests.connectors.amazon_spec import SPECS

PRODUCTS = [{"sku": "MUG", "quantity": 9, "lead_time": 3, "restock_date": "2026-02-01", "product_type": "DRINKWARE"}, {"sku": "A/B c%20", "quantity": 1},
            {"sku": "Teetasse, groß", "quantity": 1}, {"sku": "..", "quantity": 1}, {"sku": "E@?#&+", "quantity": 1}, {"sku": "FBA-1", "channel": "AMAZON_EU"}]
SCHEMAS = SPECS / "amazon/schemas/feeds"


def stocked(**sandbox: Any) -> Rig:
    """An account with these listings."""
    rig = Rig(**sandbox)
    rig.sandbox.add_products(PRODUCTS)
    return rig


def many(rig: Rig, count: int, **more: Any) -> dict[str, int]:
    """So many listings more, and a figure for each."""
    rig.sandbox.add_products({"sku": f"S{n:04}", "quantity": 0, **more} for n in range(count))
    return {f"S{n:04}": n + 1 for n in range(count)}


def update(figures: dict[str, int], **effect: Any) -> Effect:
    """A stock update of the merchant's own channel."""
    location = effect.pop("location", "DEFAULT")
    items = [{"sku": sku, "quantity": quantity, "as_of": "2026-01-15T08:00:00+00:00", "sequence": 1} for sku, quantity in figures.items()]
    return Effect("stock:amz:DEFAULT:1", STOCK_UPDATE, "amz", "DEFAULT:1", {"connection": "amz", "location": location, "items": items}, **effect)


def quantities(rig: Rig) -> dict[str, int]:
    """What the account shows of the merchant's own stock."""
    return {sku: channels["DEFAULT"]["quantity"] for sku, channels in rig.sandbox.books()["stock"].items() if "DEFAULT" in channels}


def sent_bodies(rig: Rig) -> list[dict[str, Any]]:
    """Every patch operation that was accepted, or came in a feed that was processed."""
    return [patch for write in rig.sandbox.books()["stock_writes"] for _, patches in write["items"] for patch in patches]


def schema(name: str) -> dict[str, Any]:
    """One of the official feed schemas."""
    return json.loads((SCHEMAS / f"{name}.json").read_text())
