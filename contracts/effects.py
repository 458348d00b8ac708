"""The payloads of effects: what the rules plan and the connectors carry out. JSON, and no personal data in any of them.

Strict models: a field that is not here is a bug, and quantities and money are integers. `model_dump()` is what the ledger keeps.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MINOR_MAX = 10**18  # what the books hold, and what a decimal is written from


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
    value_minor: int = Field(0, ge=0, lt=MINOR_MAX, description="declared value of one warehouse unit")
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
    order_total_minor: int = Field(lt=MINOR_MAX)
    discount_minor: int = Field(0, lt=MINOR_MAX)
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
    package_number: int = Field(0, ge=0, description="of this package within its order, given by the ledger before the first send and kept for ever; 0: not yet owed")
    carrier: str = Field(description="the warehouse's code")
    service: str
    provider: str = Field(description="the storefront's provider code; '' for none")
    tracking_carrier: str
    tracking_link: str
    tracking_number: str
    shipped_at: str = Field(description="ISO 8601, UTC")
    lines: list[ConfirmedLine]
    channel: str = Field("", description="the order's channel, where the storefront must be told it")


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


class StockItem(Payload):
    """One SKU at the location, and the version of the figure."""

    sku: str = Field(min_length=1)
    quantity: int = Field(ge=0)
    as_of: str = Field(description="ISO 8601, UTC: the source's clock")
    sequence: int = Field(ge=0)


class StockUpdate(Payload):
    """What a location of a storefront should show, in absolute figures; at most as many items as the storefront takes in one call."""

    connection: str
    location: str
    items: list[StockItem] = Field(min_length=1)


class RefundLine(Payload):
    """An order line and how many of it are paid back, in storefront units."""

    line_id: str
    quantity: int = Field(gt=0)


class RefundRequest(Payload):
    """Money back for goods that came back. Sent once: quote first, then refund; never more than `cap_minor`."""

    connection: str
    order_id: str
    warehouse: str
    document_id: str = Field(description="the return it answers")
    rma: str = ""
    currency: str
    lines: list[RefundLine] = Field(min_length=1)
    amount_minor: int | None = Field(None, gt=0, description="None: what the storefront quotes for these lines; else exactly this much of it (a part refund by grade)")
    cap_minor: int = Field(gt=0, description="what was paid for these goods and is not yet refunded: a quote above it is refused")
    reason: str = ""


class NoticeLine(Payload):
    """One line of what will arrive at the warehouse."""

    number: int = Field(ge=1)
    sku: str
    warehouse_sku: str
    quantity: int = Field(gt=0, description="in `unit`")
    unit: str
    reason: str = ""


class ReturnNotice(Payload):
    """An approved return, announced to the warehouse (X12 180). The RMA number is its primary reference."""

    connection: str
    order_id: str
    rma: str = Field(min_length=1, max_length=22)
    reference: str = Field(description="the fulfilment request's, as the warehouse knows the order")
    warehouse: str
    facility: str
    approved_on: str = Field(description="CCYY-MM-DD")
    lines: list[NoticeLine] = Field(min_length=1)


class ReceiptNotice(Payload):
    """Stock on its way to the warehouse (X12 943)."""

    warehouse: str
    facility: str
    reference: str = Field(min_length=1, max_length=22, description="echoed on the receipt (W17-04)")
    expected_on: str = Field(description="CCYY-MM-DD")
    carrier: str = ""
    lines: list[NoticeLine] = Field(min_length=1)
