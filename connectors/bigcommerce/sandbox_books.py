"""What the stand-in remembers: orders, lines, addresses and shipments in the vendor's shapes, kept sorted by change.

Nothing is parsed or rendered twice: each order's JSON is kept until the order changes, so a page of 250 costs a millisecond.
"""

import bisect
import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.bigcommerce.wire import write_date
from connectors.kit.clock import Clock

STATUS_NAMES = ("Incomplete", "Pending", "Shipped", "Partially Shipped", "Refunded", "Cancelled", "Declined", "Awaiting Payment", "Awaiting Pickup",
                "Awaiting Shipment", "Completed", "Awaiting Fulfillment", "Manual Verification Required", "Disputed", "Partially Refunded")
ADDRESS_FIELDS = ("first_name", "last_name", "company", "street_1", "street_2", "city", "state", "zip", "country", "country_iso2", "phone", "email")
ADDRESS_COSTS = ("base_cost", "cost_ex_tax", "cost_inc_tax", "cost_tax", "base_handling_cost", "handling_cost_ex_tax", "handling_cost_inc_tax",
                 "handling_cost_tax")
LINE_ZEROS = ("base_cost_price", "cost_price_inc_tax", "cost_price_ex_tax", "cost_price_tax", "refund_amount", "base_wrapping_cost",
              "wrapping_cost_ex_tax", "wrapping_cost_inc_tax", "wrapping_cost_tax", "fixed_shipping_cost")
ORDER_ZEROS = ("base_handling_cost", "handling_cost_ex_tax", "handling_cost_inc_tax", "handling_cost_tax", "base_wrapping_cost",
               "wrapping_cost_ex_tax", "wrapping_cost_inc_tax", "wrapping_cost_tax", "refunded_amount", "store_credit_amount",
               "gift_certificate_amount", "shipping_cost_tax",
               "coupon_discount")
DIGITAL, GIFT_CERTIFICATE, PHYSICAL = "digital", "giftcertificate", "physical"


def money(amount: Any) -> str:
    """'19.9' -> '19.9000', as v2 writes money."""
    return f"{Decimal(str(amount)):.4f}"


class Books:
    """The memory. `root` is what the links in its answers begin with."""

    def __init__(self, clock: Clock, root: str) -> None:
        self._clock, self._root = clock, root
        self.orders: dict[int, dict[str, Any]] = {}
        self.shipments: dict[int, list[dict[str, Any]]] = {}
        self.stale_shipments: dict[int, list[dict[str, Any]]] = {}
        self.emails: list[dict[str, Any]] = []
        self.by_modified: list[tuple[int, int]] = []
        self._json: dict[tuple[int, str], bytes] = {}
        self._last = {"line": 0, "address": 0, "shipment": 0}
        self.refunded: Callable[[int, int], int] = lambda order_id, line_id: 0

    def now(self) -> datetime:
        """The account's own time."""
        return self._clock.now()

    def place(self, head: dict[str, Any], lines: Iterable[dict[str, Any]], addresses: Iterable[dict[str, Any]], placed_at: datetime | None) -> int:
        """A new order; `address` in a line is the place of its address in `addresses`."""
        order_id = head.pop("id") or max(self.orders, default=99) + 1
        if order_id in self.orders:
            raise ValueError(f"there is an order {order_id} already")
        order = {"head": head, "lines": {}, "addresses": {}, "created": _second(placed_at or self._clock.now()), "modified": 0, "shipped": 0}
        places = []
        for address in addresses:
            places.append(self._next("address"))
            order["addresses"][places[-1]] = {"shipping_method": "Standard", **{f: "" for f in ADDRESS_FIELDS}, **address}
        self.orders[order_id] = order
        self.shipments[order_id] = []
        for line in lines:
            self.add_line(order_id, line, places)
        self.touch(order_id, placed_at)
        return order_id

    def add_line(self, order_id: int, line: dict[str, Any], places: list[int]) -> int:
        """A line more: sku, name, quantity, price (tax included), and what else a line may say."""
        line_id = self._next("line")
        kind = line.get("type", PHYSICAL)
        pickup = int(line.get("pickup_method_id", 0))
        price, rate = Decimal(str(line["price"])), Decimal(str(line.get("tax_rate", 0)))
        self.orders[order_id]["lines"][line_id] = {
            "sku": line["sku"], "name": line.get("name") or line["sku"], "type": kind, "quantity": int(line["quantity"]), "price": price,
            "net": (price / (1 + rate)).quantize(Decimal("0.0001")), "quantity_shipped": 0, "product_id": int(line.get("product_id", 0)),
            "variant_id": int(line.get("variant_id", 0)), "order_pickup_method_id": pickup, "wrapping_name": line.get("wrapping_name", ""),
            "wrapping_message": line.get("wrapping_message", ""),
            "order_address_id": places[line.get("address", 0)] if kind == PHYSICAL and not pickup and places else 0}
        return line_id

    def touch(self, order_id: int, at: datetime | None = None) -> None:
        """The order changed, now; a later change never bears an earlier date."""
        order = self.orders[order_id]
        if order["modified"]:
            del self.by_modified[bisect.bisect_left(self.by_modified, (order["modified"], order_id))]
        order["modified"] = max(order["modified"], _second(at or self._clock.now()))
        bisect.insort(self.by_modified, (order["modified"], order_id))
        for form in ("plain", "lines", "links", "empty"):
            self._json.pop((order_id, form), None)

    def ship(self, order_id: int, body: dict[str, Any]) -> dict[str, Any]:
        """A shipment as asked for, the order's status as it follows, and the e-mail to the customer."""
        order = self.orders[order_id]
        self.stale_shipments[order_id] = deepcopy(self.shipments[order_id])
        shipment = {"id": self._next("shipment"), "order_id": order_id, "customer_id": order["head"]["customer_id"],
                    "date_created": write_date(self._clock.now()), "shipping_method": order["addresses"][body["order_address_id"]]["shipping_method"],
                    "merchant_shipping_cost": "0.0000", "tracking_number": "", "shipping_provider": "custom", "tracking_carrier": "",
                    "tracking_link": "", "comments": "", **body, "items": [{**item, "product_id": 0} for item in body["items"]]}
        for item in body["items"]:
            order["lines"][item["order_product_id"]]["quantity_shipped"] += item["quantity"]
        self.shipments[order_id].append(shipment)
        self.emails.append({"order_id": order_id, "shipment_id": shipment["id"], "at": self._clock.now()})
        goods = [line for line in order["lines"].values() if line["order_address_id"]]
        whole = all(line["quantity_shipped"] >= line["quantity"] for line in goods)
        order["head"]["status_id"] = 2 if whole else 3
        order["shipped"] = _second(self._clock.now()) if whole else 0
        self.touch(order_id)
        return shipment

    def unship(self, order_id: int, shipment_ids: Iterable[int]) -> None:
        """Shipments deleted: the quantities come back, the status does not (official prose)."""
        gone = set(shipment_ids)
        self.stale_shipments[order_id] = deepcopy(self.shipments[order_id])
        for shipment in [s for s in self.shipments[order_id] if s["id"] in gone]:
            for item in shipment["items"]:
                self.orders[order_id]["lines"][item["order_product_id"]]["quantity_shipped"] -= item["quantity"]
        self.shipments[order_id] = [s for s in self.shipments[order_id] if s["id"] not in gone]
        self.touch(order_id)

    def total(self, order_id: int) -> Decimal:
        """What the customer pays."""
        order = self.orders[order_id]
        gross = sum((line["price"] * line["quantity"] for line in order["lines"].values()), Decimal(0))
        return gross + Decimal(order["head"]["shipping_cost"]) - Decimal(order["head"]["discount"])

    def order_json(self, order_id: int, form: str) -> bytes:
        """The order as JSON. form: 'plain' (links), 'lines' (consignments with lines), 'links' (with links to lines), 'empty' (with none)."""
        if (order_id, form) not in self._json:
            shape = self.order_shape(order_id)
            if form != "plain":
                shape["consignments"] = self.consignments(order_id, form)
            self._json[order_id, form] = json.dumps(shape).encode()
        return self._json[order_id, form]

    def order_shape(self, order_id: int) -> dict[str, Any]:
        """The order in the vendor's fields (`order_Resp`)."""
        order, here = self.orders[order_id], f"/orders/{order_id}"
        head, lines = order["head"], order["lines"].values()
        gross, net = (sum((line[key] * line["quantity"] for line in lines), Decimal(0)) for key in ("price", "net"))
        shipping, discount = Decimal(head["shipping_cost"]), Decimal(head["discount"])
        total = gross + shipping - discount
        return {
            "id": order_id, "customer_id": head["customer_id"], "date_created": _date(order["created"]), "date_modified": _date(order["modified"]),
            "date_shipped": _date(order["shipped"]) if order["shipped"] else "", "status_id": head["status_id"],
            "status": STATUS_NAMES[head["status_id"]], "custom_status": STATUS_NAMES[head["status_id"]], "is_deleted": head["is_deleted"],
            "channel_id": head["channel_id"],
            **{name: "0.0000" for name in ORDER_ZEROS},
            "subtotal_ex_tax": money(net), "subtotal_inc_tax": money(gross), "subtotal_tax": money(gross - net),
            "base_shipping_cost": money(shipping), "shipping_cost_ex_tax": money(shipping), "shipping_cost_inc_tax": money(shipping),
            "discount_amount": money(discount),
            "total_ex_tax": money(total - (gross - net)), "total_inc_tax": money(total), "total_tax": money(gross - net),
            "is_tax_inclusive_pricing": True, "items_total": sum(line["quantity"] for line in lines),
            "items_shipped": sum(line["quantity_shipped"] for line in lines), "payment_method": "Manual",
            "payment_provider_id": head["payment_provider_id"], "payment_status": head["payment_status"],
            "order_is_digital": bool(lines) and all(line["type"] == DIGITAL for line in lines), "ip_address": "", "geoip_country": "",
            "geoip_country_iso2": "", "currency_id": 1, "currency_code": head["currency"], "currency_exchange_rate": "1.0000000000",
            "default_currency_id": 1, "default_currency_code": head["currency"], "staff_notes": head["staff_notes"],
            "customer_message": head["customer_message"], "shipping_address_count": len(order["addresses"]), "ebay_order_id": "0",
            "billing_address": {**{f: "" for f in ADDRESS_FIELDS}, "zip": "", **head["billing"]}, "is_email_opt_in": False, "order_source": "www",
            "external_source": None, "external_id": head["external_id"], "external_merchant_id": None, "external_order_id": head["external_order_id"],
            "tax_provider_id": "BasicTaxProvider", "customer_locale": "en", "products": self._link(f"{here}/products"),
            "shipping_addresses": self._link(f"{here}/shipping_addresses"), "coupons": self._link(f"{here}/coupons"),
            "fees": self._link(f"{here}/fees")}

    def product_shape(self, order_id: int, line_id: int) -> dict[str, Any]:
        """A line in the vendor's fields (`orderProducts`)."""
        line = self.orders[order_id]["lines"][line_id]
        price, net, quantity = line["price"], line["net"], line["quantity"]
        return {
            "id": line_id, "order_id": order_id, "product_id": line["product_id"], "variant_id": line["variant_id"],
            "order_pickup_method_id": line["order_pickup_method_id"], "order_address_id": line["order_address_id"], "name": line["name"],
            "name_customer": line["name"], "name_merchant": line["name"], "sku": line["sku"], "upc": "", "type": line["type"],
            **{name: "0.0000" for name in LINE_ZEROS},
            "base_price": money(price), "price_ex_tax": money(net), "price_inc_tax": money(price), "price_tax": money(price - net),
            "base_total": money(price * quantity), "total_ex_tax": money(net * quantity), "total_inc_tax": money(price * quantity),
            "total_tax": money((price - net) * quantity), "discounted_total_inc_tax": money(price * quantity), "quantity": quantity,
            "quantity_shipped": line["quantity_shipped"], "weight": "0.0000", "width": "0.0000", "height": "0.0000", "depth": "0.0000",
            "is_refunded": False, "quantity_refunded": self.refunded(order_id, line_id), "return_id": 0, "wrapping_id": 1 if line["wrapping_name"] else 0,
            "wrapping_name": line["wrapping_name"], "wrapping_message": line["wrapping_message"], "event_name": None, "event_date": None,
            "ebay_item_id": "", "ebay_transaction_id": "", "option_set_id": None, "parent_order_product_id": None, "is_bundled_product": False,
            "bin_picking_number": "", "external_id": None, "brand": "", "applied_discounts": [], "product_options": [], "configurable_fields": [],
            "gift_certificate_id": None}

    def address_shape(self, order_id: int, address_id: int) -> dict[str, Any]:
        """A delivery address in the vendor's fields (`orderShippingAddress`)."""
        address, here = self.orders[order_id]["addresses"][address_id], f"/orders/{order_id}/shipping_addresses/{address_id}/shipping_quotes"
        return {"id": address_id, "order_id": order_id, **address, **self._counts(order_id, address_id), **{name: "0.0000" for name in ADDRESS_COSTS},
                "cost_tax_class_id": 0, "handling_cost_tax_class_id": 0, "shipping_zone_id": 1, "shipping_zone_name": "", "form_fields": [],
                "shipping_quotes": self._link(here)}

    def shipment_shape(self, shipment: dict[str, Any]) -> dict[str, Any]:
        """A shipment in the vendor's fields (`orderShipment`)."""
        order = self.orders[shipment["order_id"]]
        place = order["addresses"][shipment["order_address_id"]]
        return {**shipment, "billing_address": {**{f: "" for f in ADDRESS_FIELDS}, "zip": "",
                                                **{k: v for k, v in order["head"]["billing"].items() if k != "form_fields"}},
                "shipping_address": {f: place[f] for f in ADDRESS_FIELDS}, "shipping_provider_display_name": shipment["shipping_provider"].upper(),
                "generated_tracking_link": ""}

    def consignments(self, order_id: int, form: str) -> dict[str, Any]:
        """The same order as consignments (`orderConsignment_Get`), where costs are numbers and not strings."""
        lines = self.orders[order_id]["lines"]

        def items(ids: list[int]) -> list[dict[str, Any]]:
            if form == "links":
                return [self._link(f"/orders/{order_id}/products/{line_id}") for line_id in ids]
            return [self.product_shape(order_id, line_id) for line_id in ids] if form == "lines" else []

        def among(**wanted: Any) -> list[int]:
            return [line_id for line_id, line in lines.items() if all(line[k] == v for k, v in wanted.items())]

        shipping = [{"id": place, **address, **self._counts(order_id, place), **dict.fromkeys(ADDRESS_COSTS, 0), "cost_tax_class_id": 0,
                     "handling_cost_tax_class_id": 0, "shipping_zone_id": 1, "shipping_zone_name": "", "form_fields": [],
                     "line_items": items(among(order_address_id=place)),
                     "shipping_quotes": self._link(f"/orders/{order_id}/consignments/shipping/{place}/shipping_quotes")}
                    for place, address in self.orders[order_id]["addresses"].items()]
        methods = sorted({line["order_pickup_method_id"] for line in lines.values()} - {0})
        pickups = [{"id": method, "pickup_method_id": method, "pickup_method_display_name": "Collect", "collection_instructions": "",
                    "collection_time_description": "", "location": {"id": 1, "name": "Shop"},
                    "line_items": items(among(order_pickup_method_id=method))} for method in methods]
        email = self.orders[order_id]["head"]["billing"].get("email", "")
        downloads, certificates = ([{"recipient_email": email, "line_items": items(among(type=kind))}] if among(type=kind) else []
                                   for kind in (DIGITAL, GIFT_CERTIFICATE))
        return {"pickups": pickups, "shipping": shipping, "downloads": downloads, "email": {"gift_certificates": certificates}}

    def _counts(self, order_id: int, address_id: int) -> dict[str, int]:
        here = [line for line in self.orders[order_id]["lines"].values() if line["order_address_id"] == address_id]
        return {"items_total": sum(line["quantity"] for line in here), "items_shipped": sum(line["quantity_shipped"] for line in here)}

    def _link(self, resource: str) -> dict[str, str]:
        return {"url": f"{self._root}{resource}", "resource": resource}

    def _next(self, what: str) -> int:
        self._last[what] += 1
        return self._last[what]


def _second(moment: datetime) -> int:
    return int(moment.timestamp())


def _date(second: int) -> str:
    return write_date(datetime.fromtimestamp(second, UTC))
