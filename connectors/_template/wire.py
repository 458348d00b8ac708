"""What goes over Quayside's wire, in Quayside's own field names. Strict: a number in quotes is a bug, not a number.

What we send forbids extra fields (a typo must not be dropped silently); what we receive ignores them (vendors add fields).
"""

from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

_SENT = ConfigDict(strict=True, extra="forbid")
_RECEIVED = ConfigDict(strict=True, extra="ignore")


class ShipTo(BaseModel):
    """Who gets the parcel."""

    model_config = _SENT
    name: str
    company: str
    street: list[str]
    town: str
    county: str
    postcode: str
    country: str
    phone: str
    email: str


class OrderLine(BaseModel):
    """One line of an order at Quayside. `line` is ours and comes back on the shipment."""

    model_config = _SENT
    line: int = Field(ge=1)
    code: str
    quantity: int = Field(gt=0)
    uom: str


class Order(BaseModel):
    """Body of `POST /v1/orders` and `PUT /v1/orders/{reference}`."""

    model_config = _SENT
    reference: str = Field(min_length=1, max_length=30)
    revision: int = Field(ge=1)
    site: str
    carrier: str
    service: str
    ship_to: ShipTo
    lines: list[OrderLine] = Field(min_length=1)
    note: str = ""


class OrderSeen(BaseModel):
    """What Quayside says of an order."""

    model_config = _RECEIVED
    id: str = Field(min_length=1)
    reference: str
    revision: int
    state: Literal["open", "shipped", "cancelled"]


class OrdersSeen(BaseModel):
    """Answer of `GET /v1/orders?reference=`."""

    model_config = _RECEIVED
    orders: list[OrderSeen]


class Item(BaseModel):
    """One item of the master. `value` is text, so that money never becomes a float on the way."""

    model_config = _RECEIVED
    code: str
    text: str
    active: bool
    uom: str
    ean: str = ""
    hs_code: str = ""
    made_in: str = ""
    value: Decimal = Field(Decimal(0), strict=False)
    value_currency: str = ""


class ItemPage(BaseModel):
    """Answer of `GET /v1/items`. Rows are read one by one, so that a broken one costs only itself."""

    model_config = _RECEIVED
    items: list[dict]
    next: str | None


class ParcelLine(BaseModel):
    """What of one order line is in a parcel. `line` is null when the goods were packed without a paper."""

    model_config = _RECEIVED
    line: int | None
    code: str
    quantity: int = Field(ge=0)
    uom: str
    outcome: Literal["full", "short"]


class Parcel(BaseModel):
    """One parcel of a shipment."""

    model_config = _RECEIVED
    sscc: str
    carrier: str
    service: str
    tracking: str
    lines: list[ParcelLine]


class Shipment(BaseModel):
    """What left the house, in one go, for one order."""

    model_config = _RECEIVED
    seq: int
    id: str
    reference: str
    site: str
    shipped_at: AwareDatetime = Field(strict=False)
    parcels: list[Parcel]


class ShipmentPage(BaseModel):
    """Answer of `GET /v1/shipments`: oldest first, each read one by one. `first` and `last` are the `seq` of its ends."""

    model_config = _RECEIVED
    first: int
    last: int
    more: bool
    shipments: list[dict]
