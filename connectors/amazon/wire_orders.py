"""What travels of orders (2026-01-01) and shipment confirmations (v0), in Amazon's own field names.

Whole groups of fields may be absent: they were not asked for, or the application has no role for them.
"""

from typing import Any

from pydantic import Field

from connectors.amazon.wire import Moment, Money, Read, Sent, Text

PACKAGE_NUMBER = r"^[1-9][0-9]{0,8}$"


class Between(Read):
    """A `DateTimeRange`."""

    earliestDateTime: Moment | None = None
    latestDateTime: Moment | None = None


class SalesChannel(Read):
    """Where the order was placed."""

    channelName: Text = ""
    marketplaceId: Text = ""


class Association(Read):
    """Another order that this one replaces or exchanges."""

    associationType: Text = ""


class Buyer(Read):
    """Who bought. `buyerEmail` is a proxy address of Amazon's: never an identity."""

    buyerName: Text = ""
    buyerEmail: Text = ""
    buyerCompanyName: Text = ""
    buyerPurchaseOrderNumber: Text = ""


class Address(Read):
    """Where it goes."""

    name: Text = ""
    companyName: Text = ""
    addressLine1: Text = ""
    addressLine2: Text = ""
    addressLine3: Text = ""
    city: Text = ""
    districtOrCounty: Text = ""
    stateOrRegion: Text = ""
    municipality: Text = ""
    postalCode: Text = ""
    countryCode: Text = ""
    phone: Text = ""


class Preference(Read):
    """What the customer wrote for the driver."""

    dropOffLocation: Text = ""
    addressInstruction: Text = ""


class Recipient(Read):
    """Role-gated: absent without the role for it."""

    deliveryAddress: Address | None = None
    deliveryPreference: Preference | None = None


class DetailedBreakdown(Read):
    """A part of TAX or DISCOUNT: of what."""

    subtype: Text = ""
    value: Money | None = None


class Breakdown(Read):
    """One category of proceeds: ITEM, SHIPPING, GIFT_WRAP, COD_FEE, TAX, DISCOUNT, DELIVERY_TIP, OTHER."""

    type: str
    subtotal: Money
    detailedBreakdowns: list[DetailedBreakdown] = []


class OrderProceeds(Read):
    """What the sale brings, as a whole."""

    grandTotal: Money | None = None
    breakdowns: list[Breakdown] = []


class ItemProceeds(Read):
    """What one item brings."""

    proceedsTotal: Money | None = None
    breakdowns: list[Breakdown] = []


class ItemPrice(Read):
    """The price of one unit."""

    unitPrice: Money | None = None


class Product(Read):
    """What was ordered, as the seller lists it."""

    sellerSku: Text = ""
    title: Text = ""
    price: ItemPrice | None = None


class GiftOption(Read):
    """How the giver wants it wrapped, and what he writes."""

    giftMessage: Text = ""
    giftWrapLevel: Text = ""


class Packing(Read):
    """How the item is packed."""

    giftOption: GiftOption | None = None


class ItemFulfillment(Read):
    """How much of the item has left."""

    quantityFulfilled: int | None = Field(None, ge=0)
    quantityUnfulfilled: int | None = Field(None, ge=0)
    packing: Packing | None = None


class ItemCancellation(Read):
    """A buyer's wish to cancel, and a cancellation carried out. What is in them does not matter here, only that they are there."""

    cancellationRequest: dict[str, Any] | None = None
    cancellationExecution: dict[str, Any] | None = None


class Measurement(Read):
    """Sold by weight or length; COUNT for everything else."""

    unit: Text = ""


class Item(Read):
    """One line. `orderItemId` is what a shipment confirmation calls it."""

    orderItemId: str = Field(min_length=1, max_length=64)
    quantityOrdered: int = Field(ge=0)
    product: Product
    measurement: Measurement | None = None
    proceeds: ItemProceeds | None = None
    fulfillment: ItemFulfillment | None = None
    cancellation: ItemCancellation | None = None


class Fulfillment(Read):
    """Where the order stands, who fulfils it, and until when it must have left."""

    fulfillmentStatus: str
    fulfilledBy: Text = ""
    fulfillmentServiceLevel: Text = ""
    shipByWindow: Between | None = None


class PackageStatus(Read):
    """Where a parcel is."""

    status: Text = ""


class PackageItem(Read):
    """One line of a parcel."""

    orderItemId: str
    quantity: int = Field(ge=0)


class Package(Read):
    """A parcel as it is shown: the read-back of a confirmation."""

    packageReferenceId: str
    carrier: Text = ""
    shippingService: Text = ""
    trackingNumber: Text = ""
    shipTime: Moment | None = None
    packageStatus: PackageStatus | None = None
    packageItems: list[PackageItem] = []


class Order(Read):
    """An order of 2026-01-01."""

    orderId: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")
    createdTime: Moment
    lastUpdatedTime: Moment
    programs: list[Text] = []
    associatedOrders: list[Association] = []
    salesChannel: SalesChannel
    buyer: Buyer | None = None
    recipient: Recipient | None = None
    proceeds: OrderProceeds | None = None
    fulfillment: Fulfillment | None = None
    orderItems: list[Item]
    packages: list[Package] = []


class Pagination(Read):
    """Absent, or without a token, on the last page."""

    nextToken: Text = ""


class OrdersAnswer(Read):
    """One page of searchOrders; the orders are read one by one, so that one of them cannot cost us the others."""

    orders: list[dict[str, Any]]
    pagination: Pagination | None = None


class OrderAnswer(Read):
    """getOrder."""

    order: dict[str, Any]


class ConfirmedItem(Sent):
    """How many of a line are in the parcel: whole units."""

    orderItemId: str = Field(min_length=1, max_length=64)
    quantity: int = Field(gt=0)


class PackageDetail(Sent):
    """The parcel. The same `packageReferenceId` again edits it, another one makes another parcel; it is text, a JSON number is refused."""

    packageReferenceId: str = Field(pattern=PACKAGE_NUMBER)
    carrierCode: str = Field(min_length=1, max_length=100)
    carrierName: str | None = Field(None, min_length=1, max_length=100)
    shippingMethod: str | None = Field(None, min_length=1, max_length=100)
    trackingNumber: str = Field(min_length=1, max_length=100)
    shipDate: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")
    orderItems: list[ConfirmedItem] = Field(min_length=1)


class ConfirmRequest(Sent):
    """The body of confirmShipment: exactly what we send."""

    marketplaceId: str = Field(min_length=1)
    packageDetail: PackageDetail
