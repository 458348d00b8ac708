"""The warehouse's item master, and what a storefront's catalogue says of the same SKUs."""

import pandera.pandas as pa
from pandera.typing.pandas import Series

from contracts.base import Contract


class Items(Contract):
    """One row a SKU that the warehouse knows. Key: (warehouse, sku). Read from the partner's items file or API."""

    warehouse: Series[str]
    sku: Series[str] = pa.Field(str_matches=r"\A\S(.{0,46}\S)?\Z", description="the warehouse's spelling is the right one")
    description: Series[str]
    is_active: Series[bool]
    unit: Series[str] = pa.Field(str_matches=r"\A[A-Z0-9]{2}\Z", description="X12 element 355: EA, CA, BX …")
    barcode: Series[str]
    hs_code: Series[str] = pa.Field(str_matches=r"\A([0-9]{6,10})?\Z")
    origin: Series[str] = pa.Field(str_matches=r"\A([A-Z]{2})?\Z")
    customs_value_minor: Series[int] = pa.Field(ge=0, description="0: take the selling price")
    customs_currency: Series[str] = pa.Field(str_matches=r"\A([A-Z]{3})?\Z")

    class Config:
        unique = ["warehouse", "sku"]


class CatalogueItems(Contract):
    """One row a SKU as the storefront lists it."""

    connection: Series[str]
    sku: Series[str]
    product_id: Series[str]
    variant_id: Series[str]
    name: Series[str]
    tracking: Series[str] = pa.Field(isin=("none", "product", "variant"), description="how the storefront counts its stock")


class Channels(Contract):
    """One row a channel of a storefront connection."""

    connection: Series[str]
    channel: Series[str]
    name: Series[str]
    is_active: Series[bool]


class ShipOptions(Contract):
    """One row a shipping method and a country that it is offered in; country '' is the rest of the world."""

    connection: Series[str]
    ship_method: Series[str] = pa.Field(str_length={"min_value": 1}, description="by the name that an order bears when it is chosen")
    country: Series[str] = pa.Field(str_matches=r"\A([A-Z]{2})?\Z")
    is_enabled: Series[bool]
