"""The stand-in's own order book: what was ordered, what was confirmed, and either in Amazon's fields."""

from collections.abc import Iterable
from copy import deepcopy
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.amazon.wire import write_moment
from connectors.kit.clock import Clock

HEAD = {"status": "UNSHIPPED", "fulfilled_by": "MERCHANT", "service_level": "STANDARD", "marketplace": "", "buyer_name": "Ada Test",
        "buyer_company": "", "po_number": "", "programs": (), "ship_within_hours": 24.0, "shipping": "0", "note": "", "replaces": ""}
HOME = {"name": "Ada Test", "addressLine1": "1 Example Road", "city": "Exampleton", "stateOrRegion": "Kent", "postalCode": "ZZ99 9ZZ", "countryCode": "GB",
        "phone": "+44 20 7946 0000"}


class OrderBook:
    """Every order of the account, by its id. `before`: an order's JSON as it was before its last change."""

    def __init__(self, clock: Clock, marketplaces: tuple[str, ...]) -> None:
        self._clock, self._marketplaces = clock, marketplaces
        self.orders: dict[str, dict[str, Any]] = {}
        self.before: dict[str, dict[str, Any]] = {}
        self._items = 0

    def place(self, items: Iterable[dict[str, Any]], address: dict[str, str] | None, order_id: str, placed_at: datetime | None, head: dict[str, Any]) -> str:
        """A new order, and its id (3-7-7 digits)."""
        if unknown := set(head) - set(HEAD):
            raise ValueError(f"an order has no {sorted(unknown)}")
        order_id = order_id or f"026-{1000000 + len(self.orders) // 10_000_000:07d}-{len(self.orders) + 1:07d}"
        if order_id in self.orders:
            raise ValueError(f"there is an order {order_id} already")
        at = _whole(placed_at or self._clock.now())
        order = {**HEAD, "marketplace": self._marketplaces[0], **head, "created": at, "updated": at, "address": HOME if address is None else address, "items": {},
                 "packages": {}, "ship_by": at + timedelta(hours=float(head.get("ship_within_hours", HEAD["ship_within_hours"])))}
        for item in items:
            self._items += 1
            order["items"][str(item.get("item_id") or 10_000_000_000_000 + self._items)] = {
                "title": item.get("title") or item["sku"], "gift_message": "", "gift_wrap": "", "tax": "0", "discount": "0", "asked_to_cancel": False,
                "cancelled": 0, **item, "quantity": int(item["quantity"])}
        self.orders[order_id] = order
        return order_id

    def touch(self, order_id: str) -> None:
        """The order changed, now; a later change never bears an earlier date."""
        order = self.orders[order_id]
        order["updated"] = max(order["updated"], _whole(self._clock.now()))

    def remember(self, order_id: str) -> None:
        """Keep the order as it is now, for those who are shown an older state."""
        self.before[order_id] = self.shape(order_id)

    def fulfilled(self, order_id: str, item_id: str, but: str = "") -> int:
        """How many of an item are in confirmed parcels, other than parcel `but`."""
        return sum(line["quantity"] for number, package in self.orders[order_id]["packages"].items() if number != but
                   for line in package["items"] if line["orderItemId"] == item_id)

    def open_quantity(self, order_id: str, item_id: str, but: str = "") -> int:
        """How many of an item are still to leave."""
        item = self.orders[order_id]["items"][item_id]
        return item["quantity"] - item["cancelled"] - self.fulfilled(order_id, item_id, but)

    def settle_status(self, order_id: str) -> None:
        """The status that follows from what was confirmed."""
        order = self.orders[order_id]
        left = sum(self.open_quantity(order_id, item_id) for item_id in order["items"])
        gone = sum(self.fulfilled(order_id, item_id) for item_id in order["items"])
        if order["status"] in ("UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED"):
            order["status"] = "UNSHIPPED" if not gone else "SHIPPED" if left <= 0 else "PARTIALLY_SHIPPED"

    def shape(self, order_id: str) -> dict[str, Any]:
        """The whole order in Amazon's fields, every data set included."""
        order = self.orders[order_id]
        place, is_sold = MARKETPLACES[order["marketplace"]], not order["status"].startswith("PENDING")
        shaped = {
            "orderId": order_id, "createdTime": write_moment(order["created"]), "lastUpdatedTime": write_moment(order["updated"]),
            "programs": list(order["programs"]), "salesChannel": {"channelName": "AMAZON", "marketplaceId": order["marketplace"], "marketplaceName": place.name},
            "associatedOrders": [{"orderId": order["replaces"], "associationType": "REPLACEMENT_ORIGINAL_ID"}] if order["replaces"] else [],
            "buyer": {"buyerName": order["buyer_name"], "buyerEmail": f"{order_id[-7:]}@marketplace.{place.name.lower()}",
                      **({"buyerCompanyName": order["buyer_company"]} if order["buyer_company"] else {}),
                      **({"buyerPurchaseOrderNumber": order["po_number"]} if order["po_number"] else {})},
            "recipient": {"deliveryAddress": dict(order["address"]), **({"deliveryPreference": {"addressInstruction": order["note"]}} if order["note"] else {})},
            "fulfillment": {"fulfillmentStatus": order["status"], "fulfilledBy": order["fulfilled_by"], "fulfillmentServiceLevel": order["service_level"],
                            "shipByWindow": {"earliestDateTime": write_moment(order["created"]), "latestDateTime": write_moment(order["ship_by"])}},
            "orderItems": [self._item(order_id, item_id, place.currency, is_sold) for item_id in order["items"]],
            "packages": [package["shape"] for package in order["packages"].values()]}
        if is_sold:
            shaped["proceeds"] = self._proceeds(order_id, place.currency)
        return deepcopy(shaped)

    def _item(self, order_id: str, item_id: str, currency: str, is_sold: bool) -> dict[str, Any]:
        item = self.orders[order_id]["items"][item_id]
        gift = {key: item[ours] for key, ours in (("giftMessage", "gift_message"), ("giftWrapLevel", "gift_wrap")) if item[ours]}
        cancellation = {**({"cancellationRequest": {"requester": "BUYER"}} if item["asked_to_cancel"] else {}),
                        **({"cancellationExecution": {"cancelledBy": "MERCHANT"}} if item["cancelled"] else {})}
        goods, tax, discount = Decimal(str(item["price"])) * item["quantity"], Decimal(str(item["tax"])), Decimal(str(item["discount"]))
        parts = [("ITEM", goods), *([("TAX", tax)] if tax else []), *([("DISCOUNT", -discount)] if discount else [])]
        return {
            "orderItemId": item_id, "quantityOrdered": item["quantity"],
            "product": {"asin": f"B0{item_id[-8:]}", "title": item["title"], "sellerSku": item["sku"],
                        **({"price": {"unitPrice": _money(item["price"], currency)}} if is_sold else {})},
            **({"proceeds": {"proceedsTotal": _money(goods + tax - discount, currency), "breakdowns": [
                {"type": name, "subtotal": _money(amount, currency)} for name, amount in parts]}} if is_sold else {}),
            **({"cancellation": cancellation} if cancellation else {}),
            "fulfillment": {"quantityFulfilled": self.fulfilled(order_id, item_id), "quantityUnfulfilled": max(0, self.open_quantity(order_id, item_id)),
                            **({"packing": {"giftOption": gift}} if gift else {})}}

    def _proceeds(self, order_id: str, currency: str) -> dict[str, Any]:
        order = self.orders[order_id]
        items = order["items"].values()
        goods = sum((Decimal(str(item["price"])) * item["quantity"] for item in items), Decimal(0))
        tax, discount = (sum((Decimal(str(item[key])) for item in items), Decimal(0)) for key in ("tax", "discount"))
        shipping = Decimal(str(order["shipping"]))
        parts = [("ITEM", goods), *([("SHIPPING", shipping)] if shipping else []), *([("TAX", tax)] if tax else []), *([("DISCOUNT", -discount)] if discount else [])]
        return {"grandTotal": _money(goods + shipping + tax - discount, currency),
                "breakdowns": [{"type": name, "subtotal": _money(amount, currency)} for name, amount in parts]}


def _money(amount: Any, currency: str) -> dict[str, str]:
    digits = 0 if currency == "JPY" else 2
    return {"amount": f"{Decimal(str(amount)):.{digits}f}", "currencyCode": currency}


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
