"""Orders as every storefront must give them. Personal data is not here: it travels in `Recipients`, into the vault."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing.pandas import Series

from contracts.base import Contract

UTC = {"unit": "us", "tz": "UTC"}
STATUSES = ("awaiting_payment", "on_hold", "awaiting_fulfilment", "awaiting_pickup", "partially_shipped", "shipped", "completed",
            "cancelled", "refunded", "unknown")


class Orders(Contract):
    """One row an order: what it is, without who it is for."""

    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    order_id: Series[str] = pa.Field(str_matches=r"\A[A-Za-z0-9._/#-]{1,64}\Z", description="the storefront's own id, never ours")
    channel: Series[str] = pa.Field(description="the storefront's channel id; '1' where it has only one")
    status: Series[str] = pa.Field(isin=STATUSES, description="the order's state in our words")
    status_code: Series[str] = pa.Field(description="the same in the storefront's own code ('11')")
    fulfilled_by: Series[str] = pa.Field(isin=("merchant", "marketplace"))
    placed_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)
    modified_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC, description="the storefront's clock")
    ship_by: Series[pd.DatetimeTZDtype] = pa.Field(
        dtype_kwargs=UTC, nullable=True, description="the storefront's own latest moment for the parcel to leave and be confirmed; null: it does not say")
    currency: Series[str] = pa.Field(str_matches=r"\A[A-Z]{3}\Z")
    total_minor: Series[int]
    shipping_minor: Series[int] = pa.Field(description="postage, handling and gift wrapping, with their tax")
    tax_minor: Series[int]
    discount_minor: Series[int]
    po_number: Series[str]
    organisation: Series[str] = pa.Field(description="the customer's company id or name in B2B; '' for a consumer")
    customer_group: Series[str]


class OrderLines(Contract):
    """One row a line of an order. `ship_group` is the delivery address the line goes to."""

    connection: Series[str]
    order_id: Series[str]
    line_id: Series[str] = pa.Field(str_length={"min_value": 1, "max_value": 64})
    ship_group: Series[str] = pa.Field(description="the storefront's address id; '' for what is not shipped")
    sku: Series[str] = pa.Field(description="as the storefront spells it; '' is kept and held")
    name: Series[str]
    quantity: Series[int] = pa.Field(ge=0)
    quantity_shipped: Series[int] = pa.Field(ge=0)
    unit: Series[str] = pa.Field(description="the storefront's unit; '' says: each")
    unit_price_minor: Series[int]
    total_minor: Series[int]
    currency: Series[str] = pa.Field(str_matches=r"\A[A-Z]{3}\Z")
    is_shippable: Series[bool] = pa.Field(description="false for digital goods and gift certificates")
    is_gift: Series[bool]


class ShipGroups(Contract):
    """One row a delivery address of an order: what routing may know of it. The address itself is in `Recipients`."""

    connection: Series[str]
    order_id: Series[str]
    ship_group: Series[str] = pa.Field(str_length={"min_value": 1})
    country: Series[str] = pa.Field(description="ISO 3166 alpha-2; '' when the storefront does not say")
    region: Series[str]
    ship_method: Series[str] = pa.Field(description="the storefront's name of the chosen shipping method")


class Recipients(Contract):
    """Personal data of one delivery address. Goes straight into the vault; never logged, never in a snapshot."""

    connection: Series[str]
    order_id: Series[str]
    ship_group: Series[str]
    name: Series[str]
    company: Series[str]
    street_1: Series[str]
    street_2: Series[str]
    city: Series[str]
    region: Series[str]
    postcode: Series[str]
    country: Series[str]
    phone: Series[str]
    email: Series[str]
    gift_note: Series[str]
    order_note: Series[str]
