"""Amazon's orders -> our contracts. Pure: no I/O, nothing created. The tables are the documentation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.amazon.wire import Money
from connectors.amazon.wire_orders import Address, Breakdown, Item, Order
from contracts.money import to_minor

STATUSES = {"PENDING_AVAILABILITY": "awaiting_payment", "PENDING": "awaiting_payment", "UNSHIPPED": "awaiting_fulfilment",
            "PARTIALLY_SHIPPED": "partially_shipped", "SHIPPED": "shipped", "CANCELLED": "cancelled", "UNFULFILLABLE": "on_hold"}
FULFILLED_BY = {"MERCHANT": "merchant", "AMAZON": "marketplace"}
# Whose label is Amazon's to sell, or which the customer collects: shipped by our warehouse, they could not be confirmed (Ship+ answers 400)
PROGRAMS = {"IN_STORE_PICK_UP": "awaiting_pickup", "FBM_SHIP_PLUS": "on_hold", "AMAZON_EASY_SHIP": "on_hold", "DELIVERY_BY_AMAZON": "on_hold"}
RECIPIENT_DIRECT = (  # ours, theirs
    ("name", "name"), ("company", "companyName"), ("street_1", "addressLine1"), ("region", "stateOrRegion"), ("postcode", "postalCode"),
    ("country", "countryCode"), ("phone", "phone"),
)
SHIP_GROUP = "1"  # an order goes to one address, which has no id
POSTAGE = ("SHIPPING", "GIFT_WRAP", "COD_FEE")
UNSOLD = ("PENDING", "PENDING_AVAILABILITY", "CANCELLED")
FREE = ("REPLACEMENT_ORIGINAL_ID", "EXCHANGE_ORIGINAL_ID")
BUSINESS = "AMAZON_BUSINESS"


@dataclass(frozen=True)
class Reading:
    """How this connection reads what Amazon leaves open."""

    connection: str
    organisation_from_company: bool = True
    programs_shipped: tuple[str, ...] = ()  # of PROGRAMS: those that this account ships all the same


class Unmappable(ValueError):
    """A record that cannot become rows; the text is for an analyst and holds no personal data."""


def order_row(order: Order, reading: Reading) -> dict[str, Any]:
    """One row of Orders. Raises NotMoney or Unmappable. An order of which it is not said who fulfils it is never ours to send."""
    currency = currency_of(order)
    buyer = order.buyer
    return {
        "connection": reading.connection,
        "order_id": order.orderId,
        "channel": order.salesChannel.marketplaceId or order.salesChannel.channelName,
        "status": status(order, reading),
        "status_code": order.fulfillment.fulfillmentStatus if order.fulfillment else "",
        "fulfilled_by": fulfilled_by(order),
        "placed_at": order.createdTime,
        "modified_at": order.lastUpdatedTime,
        "ship_by": ship_by(order),
        "currency": currency,
        "total_minor": total_minor(order, currency),
        "shipping_minor": sum(of_type(order, name, currency) + taxed(order, name, currency) for name in POSTAGE),
        "tax_minor": of_type(order, "TAX", currency),
        "discount_minor": abs(of_type(order, "DISCOUNT", currency)),
        "po_number": buyer.buyerPurchaseOrderNumber.strip() if buyer else "",
        "organisation": buyer.buyerCompanyName.strip() if buyer and reading.organisation_from_company else "",
        "customer_group": BUSINESS if BUSINESS in order.programs else "",
    }


def line_rows(order: Order, reading: Reading) -> list[dict[str, Any]]:
    """Rows of OrderLines, in Amazon's order of items."""
    currency = currency_of(order)
    return [{
        "connection": reading.connection,
        "order_id": order.orderId,
        "line_id": item.orderItemId,
        "ship_group": SHIP_GROUP,
        "sku": item.product.sellerSku,
        "name": item.product.title,
        "quantity": quantity(item),
        "quantity_shipped": (item.fulfillment.quantityFulfilled or 0) if item.fulfillment else 0,
        "unit": item.measurement.unit if item.measurement and item.measurement.unit != "COUNT" else "",
        "unit_price_minor": minor(item.product.price.unitPrice if item.product.price else None, currency),
        "total_minor": line_total(item, currency),
        "currency": currency,
        "is_shippable": True,
        "is_gift": gift_note([item]) != "",
    } for item in order.orderItems]


def ship_group_rows(order: Order, reading: Reading) -> list[dict[str, Any]]:
    """The one row of ShipGroups. Without the role for addresses its country is '', for a person to see."""
    address = delivery_address(order)
    return [{"connection": reading.connection, "order_id": order.orderId, "ship_group": SHIP_GROUP, "country": address.countryCode.upper(),
             "region": address.stateOrRegion, "ship_method": order.fulfillment.fulfillmentServiceLevel if order.fulfillment else ""}]


def recipient_rows(order: Order, reading: Reading) -> list[dict[str, Any]]:
    """The one row of Recipients, for the vault only. The e-mail is Amazon's proxy: it may be written to, and tells nobody who it is."""
    address, preference = delivery_address(order), order.recipient.deliveryPreference if order.recipient else None
    notes = (preference.dropOffLocation, preference.addressInstruction) if preference else ()
    return [{
        "connection": reading.connection,
        "order_id": order.orderId,
        "ship_group": SHIP_GROUP,
        **{ours: getattr(address, theirs) for ours, theirs in RECIPIENT_DIRECT},
        "street_2": ", ".join(filter(None, (address.addressLine2, address.addressLine3))),
        "city": address.city or address.municipality or address.districtOrCounty,
        "country": address.countryCode.upper(),
        "email": order.buyer.buyerEmail if order.buyer else "",
        "gift_note": gift_note(order.orderItems),
        "order_note": " / ".join(note.strip() for note in notes if note.strip()),
    }]


def status(order: Order, reading: Reading) -> str:
    """The order's state in our words. What is to be shipped waits for a person when the buyer asks to cancel it, or when the label is Amazon's."""
    found = STATUSES.get(order.fulfillment.fulfillmentStatus, "unknown") if order.fulfillment else "unknown"
    if found != "awaiting_fulfilment":
        return found
    held = [PROGRAMS[name] for name in order.programs if name in PROGRAMS and name not in reading.programs_shipped]
    if held:
        return held[0]
    return "on_hold" if any(asks_to_cancel(item) for item in order.orderItems) else found


def fulfilled_by(order: Order) -> str:
    """merchant or marketplace. Raises Unmappable when it is not said in words that we know: an order of Amazon's must never leave."""
    said = order.fulfillment.fulfilledBy if order.fulfillment else ""
    if said not in FULFILLED_BY:
        raise Unmappable("fulfillment.fulfilledBy: it is not said who fulfils this order")
    return FULFILLED_BY[said]


def ship_by(order: Order) -> datetime | None:
    """Until when the parcel must have left and be confirmed: a later confirmation is a late shipment, whatever ship date it bears."""
    return order.fulfillment.shipByWindow.latestDateTime if order.fulfillment and order.fulfillment.shipByWindow else None


def asks_to_cancel(item: Item) -> bool:
    """Did the buyer ask for this line to be cancelled, and has nobody done it yet?"""
    return item.cancellation is not None and item.cancellation.cancellationRequest is not None and item.cancellation.cancellationExecution is None


def quantity(item: Item) -> int:
    """How many are wanted: of a line that was cancelled, those that left before and those that are still to leave."""
    if item.cancellation is None or item.cancellation.cancellationExecution is None:
        return item.quantityOrdered
    left = item.fulfillment
    return min(item.quantityOrdered, ((left.quantityFulfilled or 0) + (left.quantityUnfulfilled or 0)) if left else 0)


def currency_of(order: Order) -> str:
    """The currency of the total, else of a price, else of the marketplace. Raises Unmappable."""
    total = order.proceeds.grandTotal if order.proceeds else None
    prices = [item.product.price.unitPrice for item in order.orderItems if item.product.price and item.product.price.unitPrice]
    for money in filter(None, (total, *prices)):
        return money.currencyCode
    if order.salesChannel.marketplaceId in MARKETPLACES:
        return MARKETPLACES[order.salesChannel.marketplaceId].currency
    raise Unmappable("salesChannel.marketplaceId: no price tells a currency, and the marketplace is unknown")


def total_minor(order: Order, currency: str) -> int:
    """What the customer pays. Nothing for what is not sold yet or no more, and for a replacement; else it must be said. Raises Unmappable."""
    if order.proceeds and order.proceeds.grandTotal:
        return minor(order.proceeds.grandTotal, currency)
    totals = [item.proceeds.proceedsTotal for item in order.orderItems if item.proceeds and item.proceeds.proceedsTotal]
    if totals and len(totals) == len(order.orderItems):
        return sum(minor(total, currency) for total in totals)
    is_free = any(other.associationType in FREE for other in order.associatedOrders)
    if is_free or order.fulfillment is None or order.fulfillment.fulfillmentStatus in UNSOLD:
        return 0
    raise Unmappable("proceeds: it is not said what the order comes to")


def line_total(item: Item, currency: str) -> int:
    """The line's goods, without postage: ITEM where Amazon breaks it down, else price by quantity."""
    goods = [part.subtotal for part in _parts(item) if part.type == "ITEM"]
    if goods:
        return sum(minor(money, currency) for money in goods)
    return minor(item.product.price.unitPrice if item.product.price else None, currency) * item.quantityOrdered


def of_type(order: Order, name: str, currency: str) -> int:
    """One category of the order's proceeds: as said for the order, else the sum of its items."""
    whole = order.proceeds.breakdowns if order.proceeds else []
    parts = whole or [part for item in order.orderItems for part in _parts(item)]
    return sum(minor(part.subtotal, currency) for part in parts if part.type == name)


def taxed(order: Order, name: str, currency: str) -> int:
    """The tax on one category, which only the items tell."""
    details = [detail for item in order.orderItems for part in _parts(item) if part.type == "TAX" for detail in part.detailedBreakdowns]
    return sum(minor(detail.value, currency) for detail in details if detail.subtype == name)


def gift_note(items: Iterable[Item]) -> str:
    """What the giver chose and wrote, line by line."""
    options = [item.fulfillment.packing.giftOption for item in items if item.fulfillment and item.fulfillment.packing and item.fulfillment.packing.giftOption]
    notes = [": ".join(part for part in (option.giftWrapLevel, option.giftMessage) if part) for option in options]
    return " / ".join(dict.fromkeys(note for note in notes if note))


def delivery_address(order: Order) -> Address:
    """The address, or an empty one."""
    return (order.recipient.deliveryAddress if order.recipient else None) or Address()


def minor(money: Money | None, currency: str) -> int:
    """Minor units, exactly. Raises NotMoney, and Unmappable for a second currency in one order."""
    if money is None:
        return 0
    if money.currencyCode != currency:
        raise Unmappable(f"proceeds: {money.currencyCode} in an order in {currency}")
    return to_minor(money.amount, currency)


def _parts(item: Item) -> list[Breakdown]:
    return item.proceeds.breakdowns if item.proceeds else []
