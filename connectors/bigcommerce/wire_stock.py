"""What travels of stock, in BigCommerce's own field names: inventory v3 and locations v3."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.bigcommerce.wire import Read, Text

REASON_MAX, QUANTITY_MAX = 255, 2_147_483_647


class Location(Read):
    """A place that stock is counted at (`LocationResponse`). The vendor's defaults stand for what is left out."""

    id: int = Field(gt=0)
    code: Text = ""
    label: Text = ""
    managed_by_external_source: bool = False
    enabled: bool = True


class Identity(Read):
    """How an inventory item can be addressed; `product_id` alone where the product has no variants."""

    sku: Text = ""
    variant_id: int | None = None
    product_id: int | None = None


class ItemSettings(Read):
    """What the account keeps back, and whether it sells the item whatever the figure is."""

    safety_stock: int = Field(0, ge=0)
    is_in_stock: bool = True


class StockItem(Read):
    """One item at one location (`LocationItemsResponse`)."""

    identity: Identity
    available_to_sell: int
    total_inventory_onhand: int
    settings: ItemSettings = ItemSettings()


class Adjusted(Read):
    """The answer to an adjustment: it was taken in, and will be applied in a moment."""

    transaction_id: str = Field(min_length=1)


class Adjustment(BaseModel):
    """The figure of one item: exactly one of sku, variant_id and product_id says which."""

    model_config = ConfigDict(extra="forbid", strict=True)

    location_id: int = Field(gt=0)
    sku: str | None = Field(None, min_length=1)
    variant_id: int | None = Field(None, gt=0)
    product_id: int | None = Field(None, gt=0)
    quantity: int = Field(ge=0, le=QUANTITY_MAX)


class AbsoluteAdjustment(BaseModel):
    """The body of PUT /inventory/adjustments/absolute: exactly what we send."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = Field(max_length=REASON_MAX)
    items: list[Adjustment] = Field(min_length=1, max_length=2000)

    def body(self) -> bytes:
        """As JSON; the identifiers that were not chosen are left out."""
        return self.model_dump_json(exclude_none=True).encode()


def texts(part: Any, deep: int = 6) -> list[str]:
    """Every key and text of an error body, flat; what it means is for the reader to find out."""
    if isinstance(part, dict) and deep:
        return [text for key, value in part.items() for text in (str(key), *texts(value, deep - 1))]
    if isinstance(part, list) and deep:
        return [text for value in part for text in texts(value, deep - 1)]
    return [part] if isinstance(part, str) else []
