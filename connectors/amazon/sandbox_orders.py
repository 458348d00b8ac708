"""The stand-in's orders 2026-01-01 and shipment confirmation v0. The v0 reads, which Amazon is taking away, are not there."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import httpx

from connectors.amazon.carriers import OTHER, known
from connectors.amazon.sandbox_answers import No, Route, Struck, body_of, invalid, listed, moment, moment_of, whole_number
from connectors.amazon.sandbox_book import OrderBook
from connectors.amazon.wire import write_moment
from connectors.kit.clock import Clock

YOUNGEST, TOKEN_LIFE, BEHIND = timedelta(minutes=2), timedelta(hours=24), timedelta(minutes=4)
STATUSES = ("PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE")
OF_ORDER = {"BUYER": ("buyer",), "RECIPIENT": ("recipient",), "PROCEEDS": ("proceeds",), "FULFILLMENT": ("fulfillment",), "PACKAGES": ("packages",)}
OF_ITEM = {"PROCEEDS": ("proceeds",), "CANCELLATION": ("cancellation",), "FULFILLMENT": ("fulfillment",)}
DATA_SETS = {*OF_ORDER, *OF_ITEM, "EXPENSE", "PROMOTION", "TAX", "PAYMENT", "FULFILLMENT_ORDERS"}
SHIP_PLUS = "FBM_SHIP_PLUS"


class OrdersApi:
    """A part (sandbox_answers.Part). `confirmations`: every call that was answered 204, and whether it was forgotten for its carrier."""

    def __init__(self, clock: Clock, marketplaces: tuple[str, ...], struck: Struck, has_address_role: bool) -> None:
        self._clock, self._struck, self._has_address_role = clock, struck, has_address_role
        self.book = OrderBook(clock, marketplaces)
        self.confirmations: list[dict[str, Any]] = []
        self.refuses: set[str] = set()  # data sets that it answers 400 to for the time being (selling-partner-api-models#5365)
        self.shipped: Callable[[str], None] = lambda order_id: None  # told of every order of which a parcel was taken in

    def routes(self) -> list[Route]:
        """The three operations."""
        search = "/orders/2026-01-01/orders"
        return [Route("GET", search, "searchOrders", self.search), Route("GET", f"{search}/([^/]+)", "getOrder", self.get_order),
                Route("POST", "/orders/v0/orders/([^/]+)/shipmentConfirmation", "confirmShipment", self.confirm)]

    def step(self) -> None:
        """Nothing is due: a confirmation is carried out when it is taken in."""

    def books(self) -> dict[str, Any]:
        """orders: {id: {status, fulfilled_by, marketplace, items, packages, …}}; confirmations."""
        return {"orders": self.book.orders, "confirmations": self.confirmations}

    def place(self, items: Iterable[dict[str, Any]], address: dict[str, str] | None, order_id: str, placed_at: datetime | None, **head: Any) -> str:
        """A customer orders. An item: sku, quantity, price (text), and maybe title, tax, discount, gift_message, gift_wrap, item_id. An address: Amazon's
        fields. head: see sandbox_book.HEAD.
        """
        return self.book.place(items, address, order_id, placed_at, head)

    def edit(self, order_id: str, **head: Any) -> None:
        """Something of the order's head changes: status, address, programs."""
        self.book.remember(order_id)
        self.book.orders[order_id].update(head)
        self.book.touch(order_id)

    def cancel(self, order_id: str) -> None:
        """The order is cancelled as a whole."""
        self.edit(order_id, status="CANCELLED")

    def ask_to_cancel(self, order_id: str) -> None:
        """The buyer asks for it; nothing is cancelled yet."""
        self.book.remember(order_id)
        for item in self.book.orders[order_id]["items"].values():
            item["asked_to_cancel"] = True
        self.book.touch(order_id)

    def cancel_item(self, order_id: str, item_id: str, quantity: int = 0) -> None:
        """A line is cancelled, or some of it; the rest goes on."""
        self.book.remember(order_id)
        self.book.orders[order_id]["items"][item_id]["cancelled"] = quantity or self.book.open_quantity(order_id, item_id)
        self.book.settle_status(order_id)
        self.book.touch(order_id)

    def confirm_by_hand(self, order_id: str, items: dict[str, int], tracking_number: str, carrier: str = "Royal Mail", number: str = "") -> str:
        """Somebody confirms a parcel in Seller Central. Returns its number, which is Seller Central's own."""
        number = number or f"SC{len(self.book.orders[order_id]['packages']) + 1}"
        self._pack(order_id, {"packageReferenceId": number, "carrierCode": carrier, "trackingNumber": tracking_number, "shipDate": write_moment(self._clock.now()),
                              "orderItems": [{"orderItemId": item, "quantity": quantity} for item, quantity in items.items()]})
        return number

    def search(self, request: httpx.Request) -> httpx.Response:
        """searchOrders: by time of change, then by id; the token says where the page ended and what was asked."""
        params = request.url.params
        field, since, until = self._span(params)
        size = whole_number(params, "maxResultsPerPage", 100, 1, 100)
        asked = hashlib.sha256(str(sorted((k, v) for k, v in params.multi_items() if k != "paginationToken")).encode()).hexdigest()[:16]
        after = self._after(params.get("paginationToken", ""), asked)
        found = sorted((order[field], order_id) for order_id, order in self.book.orders.items() if since <= order[field] <= until and self._passes(order, params))
        rest = [key for key in found if (int(key[0].timestamp()), key[1]) > after]
        page = rest[:size]
        answer: dict[str, Any] = {"orders": [self._shown(order_id, listed(params, "includedData"), BEHIND) for _, order_id in page]}
        if len(rest) > size:
            answer["pagination"] = {"nextToken": _token(page[-1], asked, self._clock.now())}
        answer["lastUpdatedBefore" if field == "updated" else "createdBefore"] = write_moment(until)
        if self._struck.shifts and page:
            self.book.touch(page[0][1])
        return httpx.Response(200, json=answer)

    def get_order(self, request: httpx.Request, order_id: str) -> httpx.Response:
        """getOrder."""
        self._order(order_id)
        return httpx.Response(200, json={"order": self._shown(order_id, listed(request.url.params, "includedData"))})

    def confirm(self, request: httpx.Request, order_id: str) -> httpx.Response:
        """confirmShipment: 204 also for a carrier that nobody knows, and then nothing happens."""
        body, order = body_of(request), self._order(order_id)
        detail = body.get("packageDetail")
        if not isinstance(detail, dict) or body.get("marketplaceId") != order["marketplace"]:
            raise invalid("marketplaceId or packageDetail is missing, or is not that of the order.")
        _check(detail)
        if order["fulfilled_by"] != "MERCHANT" or SHIP_PLUS in order["programs"] or order["status"] not in ("UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED"):
            raise invalid("The order cannot be confirmed by the merchant in its present state.")
        number = detail["packageReferenceId"]
        for item in detail["orderItems"]:
            if item["orderItemId"] not in order["items"]:
                raise invalid("orderItemId is not an item of the order.")
            if item["quantity"] > self.book.open_quantity(order_id, item["orderItemId"], but=number):
                raise invalid("PackageToUpdateNotFound", "The order is fulfilled already, or less of it is left than the quantity.")
        is_known = detail["carrierCode"] in known(order["marketplace"])
        self.confirmations.append({"at": self._clock.now(), "order_id": order_id, "number": number, "carrier": detail["carrierCode"],
                                   "tracking_number": detail["trackingNumber"], "is_edit": number in order["packages"], "is_forgotten": not is_known})
        if is_known:
            self._pack(order_id, detail)
        return httpx.Response(204)

    def _pack(self, order_id: str, detail: dict[str, Any]) -> None:
        order, number, now = self.book.orders[order_id], detail["packageReferenceId"], self._clock.now()
        self.book.remember(order_id)
        carrier = detail["carrierName"] if detail["carrierCode"] == OTHER else detail["carrierCode"]
        items = [{"orderItemId": item["orderItemId"], "quantity": item["quantity"]} for item in detail["orderItems"]]
        was = order["packages"].get(number, {}).get("shape", {})
        order["packages"][number] = {"items": items, "at": now, "shape": {
            "packageReferenceId": number, "createdTime": was.get("createdTime", write_moment(now)), "packageStatus": {"status": "SHIPPED"}, "carrier": carrier,
            "shipTime": write_moment(moment(detail["shipDate"])), "shippingService": detail.get("shippingMethod", ""),
            "trackingNumber": detail["trackingNumber"], "packageItems": items}}
        self.book.settle_status(order_id)
        self.book.touch(order_id)
        self.shipped(order_id)

    def _order(self, order_id: str) -> dict[str, Any]:
        if order_id not in self.book.orders:
            raise No(404, "NotFound", "The resource specified does not exist.")
        return self.book.orders[order_id]

    def _span(self, params: httpx.QueryParams) -> tuple[str, datetime, datetime]:
        """Which time is asked for, from when, and until when: exactly one of the two, and its end two minutes old."""
        created, updated = moment_of(params, "createdAfter"), moment_of(params, "lastUpdatedAfter")
        if (created is None) == (updated is None):
            raise invalid("Exactly one of createdAfter and lastUpdatedAfter must be provided.")
        field, other, since = ("created", "lastUpdatedBefore", created) if created else ("updated", "createdBefore", updated)
        if other in params:
            raise invalid(f"{other} does not go with the other time.")
        newest = self._clock.now() - YOUNGEST
        until = moment_of(params, "createdBefore" if created else "lastUpdatedBefore") or newest
        if until > newest or until < since:
            raise invalid("The end must be after the beginning, and at least two minutes before the time of the request.")
        return field, since, until

    def _after(self, token: str, asked: str) -> tuple[int, str]:
        if not token:
            return 0, ""
        try:
            second, order_id, same, issued = json.loads(base64.urlsafe_b64decode(token))
        except ValueError:
            raise invalid("paginationToken is invalid.") from None
        if same != asked or self._clock.now().timestamp() - issued > TOKEN_LIFE.total_seconds():
            raise invalid("paginationToken has expired, or the other parameters are not those of the first page.")
        return second, order_id

    def _passes(self, order: dict[str, Any], params: httpx.QueryParams) -> bool:
        wanted = {name: listed(params, name) for name in ("marketplaceIds", "fulfilledBy", "fulfillmentStatuses")}
        if not set(wanted["fulfilledBy"]) <= {"MERCHANT", "AMAZON"} or not set(wanted["fulfillmentStatuses"]) <= set(STATUSES):
            raise invalid("fulfilledBy or fulfillmentStatuses has a value that does not exist.")
        return all(not values or order[key] in values for key, values in
                   (("marketplace", wanted["marketplaceIds"]), ("fulfilled_by", wanted["fulfilledBy"]), ("status", wanted["fulfillmentStatuses"])))

    def _shown(self, order_id: str, included: list[str], behind: timedelta | None = None) -> dict[str, Any]:
        """The order as this application may see it: the data sets that it asks for, without what it has no role for. behind: how old a change is that a stale answer knows."""
        if not set(included) <= DATA_SETS - self.refuses:
            raise invalid("includedData has a value that does not exist.")
        is_behind = self._struck.stale and (behind is None or self.book.orders[order_id]["updated"] > self._clock.now() - behind)
        shaped = self.book.before.get(order_id) if is_behind else None
        shaped = shaped or self.book.shape(order_id)
        hidden = {key for name, keys in OF_ORDER.items() if name not in included for key in keys}
        of_items = {key for name, keys in OF_ITEM.items() if name not in included for key in keys}
        shown = {key: value for key, value in shaped.items() if key not in hidden}
        shown["orderItems"] = [{key: value for key, value in item.items() if key not in of_items} for item in shaped["orderItems"]]
        if not self._has_address_role:
            shown.pop("recipient", None)
            shown["buyer"] = {}
        return shown


def _check(detail: dict[str, Any]) -> None:
    """The parcel as the model demands it. Raises No."""
    number, items = detail.get("packageReferenceId"), detail.get("orderItems")
    if not isinstance(number, str) or not number.isdigit() or int(number) < 1:
        raise invalid("packageReferenceId must be a positive number as a string.")
    for name in ("carrierCode", "trackingNumber", "shipDate"):
        if not isinstance(detail.get(name), str) or not detail[name]:
            raise invalid(f"{name} is missing or is no string.")
    try:
        moment(detail["shipDate"])
    except ValueError:
        raise No(400, "Invalid Input", "Invalid Input", "shipDate") from None
    if detail["carrierCode"] == OTHER and not detail.get("carrierName"):
        raise invalid("carrierName is required when carrierCode is Other.")
    if not isinstance(items, list) or not items or not all(_is_item(item) for item in items):
        raise invalid("orderItems must name items and whole quantities.")


def _is_item(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("orderItemId"), str) and type(item.get("quantity")) is int and item["quantity"] > 0


def _token(last: tuple[datetime, str], asked: str, now: datetime) -> str:
    return base64.urlsafe_b64encode(json.dumps([int(last[0].timestamp()), last[1], asked, now.timestamp()]).encode()).decode()
