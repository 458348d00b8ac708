"""The payloads of effects: what the rules plan and the connectors carry out. JSON, and no personal data in any of them.

Strict models: a field that is not here is a bug, and quantities and money are integers. `model_dump()` is what the ledger keeps.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Payload(BaseModel):
    """Base of every payload."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RequestLine(Payload):
    """One line of a fulfilment request, in the warehouse's SKU and unit."""

    number: int = Field(ge=1, description="our line number in this request, 1..n; the warehouse is asked to echo it")
    line_id: str = Field(description="the storefront's line id; a kit's components share their kit's")
    sku: str = Field(description="as the storefront spells it")
    warehouse_sku: str
    quantity: int = Field(gt=0, description="in `unit`, after the factor was applied once")
    unit: str
    factor: int = Field(ge=1, description="warehouse units in one storefront unit (for a component: in one kit)")
    component_of: str = Field("", description="the kit's SKU, for a component")
    name: str = ""
    barcode: str = ""
    is_gift: bool = False
    value_minor: int = Field(0, ge=0, description="declared value of one warehouse unit")
    currency: str
    hs_code: str = ""
    origin: str = ""


class FulfilmentRequest(Payload):
    """Our order as the warehouse gets it. Also the payload of a change (complete again) and of a cancel."""

    connection: str
    order_id: str
    ship_group: str
    reference: str = Field(max_length=22, description="what the warehouse echoes on dispatch and return (W05-02)")
    warehouse: str
    facility: str
    channel: str
    po_number: str = ""
    organisation: str = ""
    ship_method: str
    carrier: str
    service: str
    country: str
    is_international: bool = False
    currency: str
    placed_on: str = Field(description="CCYY-MM-DD")
    order_total_minor: int
    discount_minor: int = 0
    lines: list[RequestLine]
    revision: int = Field(1, ge=1, description="1 for the first request; a change or a resend counts on")


class ConfirmedLine(Payload):
    """One order line and how many of it, in storefront units, are in this package."""

    line_id: str
    quantity: int = Field(gt=0)


class DispatchConfirmation(Payload):
    """One package of one delivery address, as the storefront is told."""

    connection: str
    order_id: str
    ship_group: str
    warehouse: str
    reference: str
    advice_id: str
    package_id: str
    carrier: str = Field(description="the warehouse's code")
    service: str
    provider: str = Field(description="the storefront's provider code; '' for none")
    tracking_carrier: str
    tracking_link: str
    tracking_number: str
    shipped_at: str = Field(description="ISO 8601, UTC")
    lines: list[ConfirmedLine]


class OrderCompletion(Payload):
    """Everything that is goods has been shipped and shown; what is left of the order is postage and the like: the order is Shipped."""

    connection: str
    order_id: str


class SetAnswer(Payload):
    """What we say of one transaction set."""

    set_id: str
    set_number: str
    accepted: bool
    codes: list[str] = []


class Acknowledgement(Payload):
    """The functional acknowledgement we owe for one functional group that came in (X12 997)."""

    warehouse: str
    partner_control: str = Field(description="ISA13 of what we acknowledge")
    group_code: str
    group_number: str
    status: Literal["A", "E", "P", "R"]
    sets: list[SetAnswer]
