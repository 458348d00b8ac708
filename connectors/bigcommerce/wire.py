"""What travels, in BigCommerce's own field names: orders v2, shipments v2, channels and catalogue v3.

Read models take what we use and let unknown fields pass (the vendor adds some every month); what we send is exact. Money comes
as strings with four decimals ('19.9900'), sometimes as numbers: Decimal either way. v2 dates are RFC 2822, in UTC.
"""

from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from connectors.kit.wire import Amount, Read, Text, exact

TRACKING_NUMBER_MAX, TRACKING_LINK_MAX, COMMENTS_MAX = 50, 500, 65_535


def _whole(value: Any) -> int:
    """Counts are declared `number` by the vendor: 2, 2.0 and '2' are two."""
    amount = exact(value)
    if amount != amount.to_integral_value():
        raise ValueError("not a whole number")
    return int(amount)


def read_date(value: Any) -> datetime:
    """'Thu, 20 Apr 2017 11:32:00 +0000' (or ISO 8601) -> aware, UTC. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("not a date")
    try:
        moment = datetime.fromisoformat(value) if value[:4].isdigit() else parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        raise ValueError("not a date") from None
    if moment.tzinfo is None:
        raise ValueError("a date without a zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the first and the last day that a calendar has, in a zone
        raise ValueError("not a usable date") from None


def write_date(moment: datetime) -> str:
    """The form every v2 date filter accepts; seconds are the finest there is."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0))


Count = Annotated[int, BeforeValidator(_whole)]
Moment = Annotated[datetime, BeforeValidator(read_date)]


class FormField(Read):
    """A custom field of a checkout form; the value may be text, a number or a list."""

    name: Text = ""
    value: Any = None


class Address(Read):
    """A delivery address of an order: `orderShippingAddress`, and the address part of a shipping consignment."""

    id: int = Field(gt=0)
    first_name: Text = ""
    last_name: Text = ""
    company: Text = ""
    street_1: Text = ""
    street_2: Text = ""
    city: Text = ""
    state: Text = ""
    zip: Text = ""
    country_iso2: Text = ""
    phone: Text = ""
    email: Text = ""
    shipping_method: Text = ""


class Billing(Read):
    """The payer. We use the company, and form fields that may hold a purchase order number."""

    company: Text = ""
    form_fields: list[FormField] | None = None


class Product(Read):
    """One line of an order (`orderProducts`). `id` is what a shipment calls `order_product_id`."""

    id: int = Field(gt=0)
    order_address_id: int = 0
    order_pickup_method_id: int | None = 0
    name: Text = ""
    sku: Text = ""
    type: Text = "physical"
    price_ex_tax: Amount
    price_inc_tax: Amount
    total_ex_tax: Amount
    total_inc_tax: Amount
    quantity: Count
    quantity_shipped: Count = 0
    wrapping_id: int | None = 0
    wrapping_name: Text = ""
    wrapping_message: Text = ""


class Order(Read):
    """An order without its lines and addresses (`order_Resp`)."""

    id: int = Field(gt=0)
    status_id: int
    channel_id: int = 1
    customer_id: Count = 0
    date_created: Moment
    date_modified: Moment
    is_deleted: bool = False
    is_tax_inclusive_pricing: bool = False
    currency_code: Text = ""
    default_currency_code: Text = ""
    total_inc_tax: Amount
    total_tax: Amount = Decimal(0)
    shipping_cost_inc_tax: Amount = Decimal(0)
    handling_cost_inc_tax: Amount = Decimal(0)
    wrapping_cost_inc_tax: Amount = Decimal(0)
    discount_amount: Amount = Decimal(0)
    coupon_discount: Amount = Decimal(0)
    items_total: Count = 0
    customer_message: Text = ""
    payment_provider_id: str | Count | None = ""
    external_id: Text = ""
    external_order_id: Text = ""
    billing_address: Billing = Billing()


class ShippingConsignment(Address):
    """A delivery address with what goes there."""

    line_items: list[Product]


class OtherConsignment(Read):
    """A pickup, a download or a gift certificate: lines that nobody ships."""

    line_items: list[Product] = []


class EmailConsignments(Read):
    """Gift certificates."""

    gift_certificates: list[OtherConsignment] = []


class Consignments(Read):
    """What `include=consignments.line_items&consignment_structure=object` embeds (`orderConsignment_Get`)."""

    pickups: list[OtherConsignment] = []
    shipping: list[ShippingConsignment] = []
    downloads: list[OtherConsignment] = []
    email: EmailConsignments = EmailConsignments()


class ShipmentItem(BaseModel):
    """One line of a shipment. The API refuses `product_id` here, so we have no such field."""

    model_config = ConfigDict(extra="forbid", strict=True)
    order_product_id: int = Field(gt=0)
    quantity: int = Field(gt=0)


class ShipmentRequest(BaseModel):
    """The body of POST /orders/{id}/shipments: exactly what we send."""

    model_config = ConfigDict(extra="forbid", strict=True)
    order_address_id: int = Field(gt=0)
    tracking_number: str = Field(max_length=TRACKING_NUMBER_MAX)
    shipping_provider: str
    tracking_carrier: str | None = None
    tracking_link: str | None = Field(None, max_length=TRACKING_LINK_MAX)
    comments: str = Field(max_length=COMMENTS_MAX)
    items: list[ShipmentItem] = Field(min_length=1)


class ShippedItem(Read):
    """A line of a shipment as it is shown."""

    order_product_id: int
    quantity: Count


class Shipment(Read):
    """A shipment as it is shown (`orderShipment`)."""

    id: int = Field(gt=0)
    order_id: int
    order_address_id: int = 0
    tracking_number: Text = ""
    shipping_provider: Text = ""
    tracking_carrier: Text = ""
    comments: Text = ""
    items: list[ShippedItem] = []


class Channel(Read):
    """A sales channel."""

    id: int
    name: str
    status: Text = ""


class CatalogueProduct(Read):
    """A product of the catalogue; a product without options is its own base variant."""

    id: int
    name: Text = ""
    sku: Text = ""
    base_variant_id: int | None = None
    inventory_tracking: Literal["none", "product", "variant"]


class CatalogueVariant(Read):
    """A variant of the catalogue."""

    id: int
    product_id: int
    sku: Text = ""
