"""BigCommerce's fields <-> our contracts, both ways. Pure: no I/O, nothing created. The DIRECT tables are the documentation."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from urllib.parse import quote, unquote

from pydantic import ValidationError

from connectors.bigcommerce.wire import Address, Consignments, Order, Product, Shipment, ShipmentItem, ShipmentRequest
from contracts.effects import DispatchConfirmation
from contracts.money import MINOR_DIGITS, to_minor

ORDER_DIRECT = (  # ours, theirs, how
    ("order_id", "id", str),
    ("channel", "channel_id", str),
    ("status_code", "status_id", str),
    ("placed_at", "date_created", None),
    ("modified_at", "date_modified", None),
)
LINE_DIRECT = (
    ("line_id", "id", str),
    ("sku", "sku", None),
    ("name", "name", None),
    ("quantity", "quantity", None),
    ("quantity_shipped", "quantity_shipped", None),
)
GROUP_DIRECT = (
    ("ship_group", "id", str),
    ("country", "country_iso2", str.upper),
    ("region", "state", None),
    ("ship_method", "shipping_method", None),
)
RECIPIENT_DIRECT = (
    ("ship_group", "id", str),
    ("company", "company", None),
    ("street_1", "street_1", None),
    ("street_2", "street_2", None),
    ("city", "city", None),
    ("region", "state", None),
    ("postcode", "zip", None),
    ("country", "country_iso2", str.upper),
    ("phone", "phone", None),
    ("email", "email", None),
)

# Key on the id: merchants rename the labels. 14 (Partially Refunded) says nothing about whether goods still have to leave,
# so it waits for a person unless the account releases it.
STATUSES = {0: "on_hold", 1: "on_hold", 2: "shipped", 3: "partially_shipped", 4: "refunded", 5: "cancelled", 6: "cancelled", 7: "awaiting_payment",
            8: "awaiting_pickup", 9: "on_hold", 10: "completed", 11: "on_hold", 12: "on_hold", 13: "on_hold", 14: "on_hold"}
RELEASABLE = frozenset({1, 7, 9, 11, 12, 14})
REFERENCE = "ref:"
PLAIN = "".join(chr(c) for c in range(33, 127) if chr(c) != "%")


@dataclass(frozen=True)
class Reading:
    """How this connection reads what the vendor leaves open."""

    connection: str
    release_status_ids: tuple[int, ...] = (11,)
    po_field: str = ""
    organisation_from_company: bool = True


@dataclass(frozen=True)
class WholeOrder:
    """An order with its lines and addresses, however they were fetched."""

    order: Order
    lines: list[Product]
    addresses: list[Address]


class Unmappable(ValueError):
    """A record that cannot become rows; the text is for an analyst and holds no personal data."""


def why(error: Exception) -> str:
    """Why a record could not be read: field names and kinds of fault, never values."""
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in found[:5])
    return str(error)


def embedded(order: Order, consignments: Any) -> WholeOrder | None:
    """The order with what came embedded, or None when it did not come whole and has to be fetched piece by piece.

    The list call may leave `line_items` empty though the order has lines (bigcommerce/dev-docs#2052), so the quantities must
    add up to the order's own count before they are believed.
    """
    try:
        found = Consignments.model_validate(consignments)
    except ValidationError:
        return None
    if isinstance(consignments, dict) and "shipping" not in consignments:
        return None
    addresses, lines = [], []
    for consignment in found.shipping:
        places = {line.order_address_id for line in consignment.line_items}
        if len(places) != 1:
            return None
        addresses.append(consignment.model_copy(update={"id": places.pop()}))
        lines += consignment.line_items
    for other in (*found.pickups, *found.downloads, *found.email.gift_certificates):
        lines += other.line_items
    if sum(line.quantity for line in lines) != order.items_total or not lines:
        return None
    return WholeOrder(order, lines, addresses)


def order_row(order: Order, reading: Reading) -> dict[str, Any]:
    """One row of Orders. What the customer pays must be exact; what the vendor derives by splitting tax out is rounded. Raises NotMoney."""
    currency = order.default_currency_code or order.currency_code
    return {
        "connection": reading.connection,
        **_direct(ORDER_DIRECT, order),
        "status": status(order, reading.release_status_ids),
        "fulfilled_by": "merchant",
        "ship_by": None,
        "currency": currency,
        "total_minor": to_minor(order.total_inc_tax, currency),
        "shipping_minor": nearest_minor(order.shipping_cost_inc_tax + order.handling_cost_inc_tax + order.wrapping_cost_inc_tax, currency),
        "tax_minor": nearest_minor(order.total_tax, currency),
        "discount_minor": nearest_minor(order.discount_amount + order.coupon_discount, currency),
        "po_number": po_number(order, reading.po_field),
        "organisation": order.billing_address.company.strip() if reading.organisation_from_company else "",
        "customer_group": str(order.customer_id) if order.customer_id > 0 else "",
    }


def line_rows(whole: WholeOrder, reading: Reading) -> list[dict[str, Any]]:
    """Rows of OrderLines, by line id. Prices follow the order's tax mode, as only those are exact (the vendor says)."""
    currency = whole.order.default_currency_code or whole.order.currency_code
    tax = "inc_tax" if whole.order.is_tax_inclusive_pricing else "ex_tax"
    return [{
        "connection": reading.connection,
        "order_id": str(whole.order.id),
        **_direct(LINE_DIRECT, line),
        "ship_group": str(line.order_address_id) if is_shippable(line) and line.order_address_id else "",
        "unit": "",
        "unit_price_minor": nearest_minor(getattr(line, f"price_{tax}"), currency),
        "total_minor": nearest_minor(getattr(line, f"total_{tax}"), currency),
        "currency": currency,
        "is_shippable": is_shippable(line),
        "is_gift": bool(line.wrapping_id or line.wrapping_name or line.wrapping_message),
    } for line in sorted(whole.lines, key=lambda line: line.id)]


def ship_group_rows(whole: WholeOrder, reading: Reading) -> list[dict[str, Any]]:
    """Rows of ShipGroups: the addresses that a line goes to. An address that is missing becomes an empty row, for a person to see."""
    return [{"connection": reading.connection, "order_id": str(whole.order.id), **_direct(GROUP_DIRECT, address)} for address in _places(whole)]


def recipient_rows(whole: WholeOrder, reading: Reading) -> list[dict[str, Any]]:
    """Rows of Recipients, for the vault only."""
    return [{
        "connection": reading.connection,
        "order_id": str(whole.order.id),
        **_direct(RECIPIENT_DIRECT, address),
        "name": f"{address.first_name} {address.last_name}".strip(),
        "gift_note": gift_note(line for line in whole.lines if line.order_address_id == address.id),
        "order_note": whole.order.customer_message,
    } for address in _places(whole)]


def status(order: Order, release_status_ids: Iterable[int]) -> str:
    """The order's state in our words; an archived order is never released."""
    if order.status_id in set(release_status_ids) & RELEASABLE:
        return "on_hold" if order.is_deleted else "awaiting_fulfilment"
    return STATUSES.get(order.status_id, "unknown")


def is_shippable(line: Product) -> bool:
    """Physical goods that the customer does not collect."""
    return line.type == "physical" and not line.order_pickup_method_id


def po_number(order: Order, po_field: str) -> str:
    """The purchase order number from where this account keeps it: BigCommerce has no field of its own for it."""
    if po_field.startswith("form_field:"):
        values = [f.value for f in order.billing_address.form_fields or [] if f.name == po_field.removeprefix("form_field:")]
        return ", ".join(_flat(value) for value in values if value not in (None, "", [])).strip()
    value = getattr(order, po_field) if po_field else ""
    return "" if value is None else str(value).strip()


def gift_note(lines: Iterable[Product]) -> str:
    """What the giver chose and wrote, line by line."""
    notes = [": ".join(part for part in (line.wrapping_name, line.wrapping_message) if part) for line in sorted(lines, key=lambda line: line.id)]
    return " / ".join(dict.fromkeys(note for note in notes if note))


def nearest_minor(amount: Decimal, currency: str) -> int:
    """An amount that may be finer than a minor unit (12.50 / 1.2 is sold as 10.4167): rounded half to even. Never used for an order's total."""
    return int(amount.scaleb(MINOR_DIGITS.get(currency, 2)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def shipment_request(confirmation: DispatchConfirmation, effect_id: str) -> ShipmentRequest:
    """The shipment to create. Raises ValueError (pydantic names the field and its limit) when it breaks a limit of the vendor's.

    A tracking link comes from provider + number, or from carrier + number, or is our own: the carrier only counts without a provider.
    """
    quantities: dict[str, int] = {}
    for line in confirmation.lines:
        quantities[line.line_id] = quantities.get(line.line_id, 0) + line.quantity
    return ShipmentRequest(
        order_address_id=_id(confirmation.ship_group, "ship_group"),
        tracking_number=confirmation.tracking_number,
        shipping_provider=confirmation.provider,  # '' on purpose: left out, it becomes 'custom' and the e-mail has no link
        tracking_carrier=confirmation.tracking_carrier if confirmation.tracking_carrier and not confirmation.provider else None,
        tracking_link=confirmation.tracking_link or None,
        comments=f"{REFERENCE}{quote(effect_id, safe=PLAIN)}",  # one word, so that people can write around it
        items=[ShipmentItem(order_product_id=_id(line_id, "line_id"), quantity=quantity) for line_id, quantity in quantities.items()],
    )


def reference(shipment: Shipment) -> str:
    """The effect id that a shipment of ours carries in its comments, whatever people wrote around it; '' for somebody else's."""
    return unquote(next((word.removeprefix(REFERENCE) for word in shipment.comments.split() if word.startswith(REFERENCE)), ""))


def matching(shipments: Iterable[Shipment], request: ShipmentRequest, effect_id: str) -> Shipment | None:
    """The shipment that this request made: by our reference, else by tracking number, address and lines.

    One that carries another reference is another parcel, however alike (two boxes under one tracking number).
    """
    shipments = list(shipments)
    for shipment in shipments:
        if reference(shipment) == effect_id:
            return shipment
    wanted = sorted((item.order_product_id, item.quantity) for item in request.items)
    for shipment in shipments:
        if reference(shipment) or not request.tracking_number or shipment.tracking_number != request.tracking_number:
            continue
        if shipment.order_address_id == request.order_address_id and sorted((i.order_product_id, i.quantity) for i in shipment.items) == wanted:
            return shipment
    return None


def shown(shipment: Shipment) -> dict[str, Any]:
    """A shipment as `shown_dispatches` gives it."""
    return {"remote_id": str(shipment.id), "reference": reference(shipment), "tracking_number": shipment.tracking_number,
            "provider": shipment.shipping_provider, "tracking_carrier": shipment.tracking_carrier,
            "lines": [{"line_id": str(item.order_product_id), "quantity": item.quantity} for item in shipment.items]}


def _direct(table: tuple, record: Any) -> dict[str, Any]:
    return {ours: convert(getattr(record, theirs)) if convert else getattr(record, theirs) for ours, theirs, convert in table}


def _places(whole: WholeOrder) -> list[Address]:
    used = {line.order_address_id for line in whole.lines if is_shippable(line) and line.order_address_id}
    known = {address.id: address for address in whole.addresses}
    return [known.get(place) or Address(id=place) for place in sorted(used)]


def _flat(value: Any) -> str:
    return ", ".join(str(v) for v in value) if isinstance(value, list) else str(value)


def _id(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Unmappable(f"{name} {text[:20]!r} is not a BigCommerce id")
    return int(text)
