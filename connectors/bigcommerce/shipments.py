"""Dispatch confirmations and completed orders (v2): sent once, read back, told apart from everybody else's."""

from typing import Any

from pydantic import ValidationError

from connectors.bigcommerce.checked import number, read
from connectors.bigcommerce.client import Client
from connectors.bigcommerce.mapping import Unmappable, matching, shipment_request, shown, why
from connectors.bigcommerce.wire import Order, Product, Shipment, ShipmentRequest
from connectors.kit.claims import doing, in_time
from connectors.kit.clock import Clock
from connectors.kit.errors import InDoubt, NotNow, Refused
from connectors.ports import Effect, Receipt
from contracts.effects import DispatchConfirmation

SHIPPED, COMPLETE, UNDER_WAY = 2, 10, (3, 9, 11)  # status ids; under way: Partially Shipped, Awaiting Shipment, Awaiting Fulfillment
CANCELLED, KNOWN_CANCELLED = (4, 5, 6), ("cancelled", "refunded")  # Refunded, Cancelled, Declined: nothing more was to leave; and as our book says it
COMPLETED = b'{"status_id":2}'
SHORT = "The order was made smaller after it had left, or somebody shipped it by hand. Correct it there and resend, or settle it with the customer and choose done."


class Shipments:
    """One parcel to one address is one shipment. Nothing there guards against a second one, and each sends the customer an e-mail."""

    def __init__(self, name: str, client: Client, clock: Clock) -> None:
        self._name, self._client, self._clock = name, client, clock

    def prepare(self, effect: Effect) -> bytes:
        """The JSON body of the shipment. Raises Refused when it breaks one of the vendor's limits, naming it."""
        return self._request(effect).model_dump_json(exclude_none=True).encode()

    def send(self, effect: Effect, body: bytes) -> Receipt:
        """Create the shipment, once. Not (NotNow) on an order that was cancelled since we last looked: the shipment would turn it into a shipped
        one, and nobody would ever learn that the customer had cancelled it. Once our book knows, the parcel that has left is shown like any other.

        Sent before and not there, of a line that has fewer left to ship by now, it is refused: no repetition can mend that.
        """
        order_id = number(effect.payload["order_id"], doing(self._name, effect))
        status = read(Order, self._client.order(order_id, False), "/orders/{id}").status_id
        if status in CANCELLED and effect.known_status not in KNOWN_CANCELLED:
            raise NotNow(doing(self._name, effect), f"the order's status is {status} (called off), which was not taken in yet", "It is sent after the next take-in.")
        short = self._short(effect, order_id) if effect.attempt > 1 else ""
        if short:
            there = self.find(effect)  # unless it is ours that took them, and came late
            if there is None:
                raise Refused(doing(self._name, effect), short, SHORT)
            return there
        answer = self._client.create_shipment(order_id, body, lambda: in_time(effect, self._clock, doing(self._name, effect)))
        try:
            shipment = Shipment.model_validate(answer)
        except ValidationError as error:
            raise InDoubt(doing(self._name, effect), f"the answer is no shipment ({why(error)})") from None
        return _receipt(shipment)

    def find(self, effect: Effect) -> Receipt | None:
        """The shipment that this effect made, or None when there surely is none.

        Absent from the list is not enough: the order's own count of shipped quantities must agree with the list, else the list is old.
        """
        payload, request = DispatchConfirmation.model_validate(effect.payload), self._request(effect)
        order_id = number(payload.order_id, doing(self._name, effect))
        shipments = self._listed(order_id)
        match = matching(shipments, request, effect.effect_id)
        if match:
            return _receipt(match)
        listed: dict[int, int] = {}
        for item in (item for shipment in shipments for item in shipment.items):
            listed[item.order_product_id] = listed.get(item.order_product_id, 0) + item.quantity
        ours = {item.order_product_id for item in request.items}
        for line in (read(Product, row, "/orders/{id}/products") for row in self._client.order_products(order_id)):
            if line.id in ours and line.quantity_shipped > listed.get(line.id, 0):
                raise InDoubt(f"{doing(self._name, effect)}: reading back", f"order product {line.id} counts {line.quantity_shipped} as shipped, "
                              f"the list of shipments only {listed.get(line.id, 0)}")
        return None

    def shown(self, order_id: str) -> list[dict[str, Any]]:
        """What the storefront now shows as shipped."""
        return [shown(shipment) for shipment in self._listed(number(order_id, f"{self._name}: reading shipments"))]

    def _short(self, effect: Effect, order_id: str) -> str:
        """Which line of the order has fewer left to ship than this parcel holds, in words; ''."""
        wanted: dict[int, int] = {}
        for item in self._request(effect).items:
            wanted[item.order_product_id] = wanted.get(item.order_product_id, 0) + item.quantity
        left = {line.id: line.quantity - line.quantity_shipped for line in (read(Product, row, "/orders/{id}/products") for row in self._client.order_products(order_id))}
        return next((f"order product {line} has only {left.get(line, 0)} of {units} left to ship" for line, units in wanted.items() if left.get(line, 0) < units), "")

    def _request(self, effect: Effect) -> ShipmentRequest:
        try:
            return shipment_request(DispatchConfirmation.model_validate(effect.payload), effect.effect_id)
        except (ValidationError, Unmappable) as error:
            raise Refused(doing(self._name, effect), f"BigCommerce would not take it: {why(error)}", "Correct the dispatch at its source.") from None

    def _listed(self, order_id: str) -> list[Shipment]:
        return [read(Shipment, row, "/orders/{id}/shipments") for row in self._client.shipments(order_id)]


class Completions:
    """Everything that is goods has left: the order is Shipped. A status never moves backwards."""

    def __init__(self, name: str, client: Client, clock: Clock) -> None:
        self._name, self._client, self._clock = name, client, clock

    def prepare(self, effect: Effect) -> bytes:
        """The order's new status."""
        return COMPLETED

    def send(self, effect: Effect, body: bytes) -> Receipt:
        """Set the status to Shipped, unless it is there already. A cancelled order is left alone (Refused)."""
        order_id, status = self._status(effect)
        if status in (SHIPPED, COMPLETE):
            return _completed(order_id, status)
        if status not in UNDER_WAY:
            raise Refused(doing(self._name, effect), f"the order's status is {status} by now", "Look at the order in the storefront.")
        answer = self._client.update_order(order_id, body, lambda: in_time(effect, self._clock, doing(self._name, effect)))
        try:
            status = Order.model_validate(answer).status_id
        except ValidationError as error:
            raise InDoubt(doing(self._name, effect), f"the answer is no order ({why(error)})") from None
        if status != SHIPPED:
            raise InDoubt(doing(self._name, effect), f"the answer says status {status}")
        return _completed(order_id, status)

    def find(self, effect: Effect) -> Receipt | None:
        """Is it Shipped or Completed? Whatever else it is, it is not that; whether it may become it, `send` says."""
        order_id, status = self._status(effect)
        return _completed(order_id, status) if status in (SHIPPED, COMPLETE) else None

    def _status(self, effect: Effect) -> tuple[str, int]:
        order_id = number(effect.payload["order_id"], doing(self._name, effect))
        return order_id, read(Order, self._client.order(order_id, False), "/orders/{id}").status_id


def _completed(order_id: str, status: int) -> Receipt:
    return Receipt(f"order {order_id}", {"status_id": status})


def _receipt(shipment: Shipment) -> Receipt:
    return Receipt(str(shipment.id), {"order_id": str(shipment.order_id), **shown(shipment)})
