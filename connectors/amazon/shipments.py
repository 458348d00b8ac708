"""Dispatch confirmations: confirmShipment v0, and the parcels that the order shows back.

The number of a parcel in its order is our key: the same number again edits the parcel, so a confirmation that is sent twice is one parcel.
"""

from typing import Any

from connectors.amazon.carriers import code_of, fault
from connectors.amazon.checked import order_id, read, why
from connectors.amazon.client import Client
from connectors.amazon.mapping import Unmappable
from connectors.amazon.mapping_shipment import agrees, confirm_request, numbered, shown
from connectors.amazon.orders import OrderDesk
from connectors.amazon.wire import in_path
from connectors.amazon.wire_orders import ConfirmRequest, Order
from connectors.kit.claims import doing, in_time
from connectors.kit.clock import Clock
from connectors.kit.errors import InDoubt, Refused
from connectors.ports import Effect, Receipt
from contracts.effects import DispatchConfirmation


class Shipments:
    """One parcel of one order is one confirmation. A 204 only says that it was taken in: what became of it is read back."""

    def __init__(self, name: str, client: Client, clock: Clock, orders: OrderDesk, marketplaces: tuple[str, ...], carriers: dict[str, tuple[str, ...]]) -> None:
        self._name, self._client, self._clock, self._orders, self._marketplaces, self._carriers = name, client, clock, orders, marketplaces, carriers

    def prepare(self, effect: Effect) -> bytes:
        """The JSON body of the confirmation. Raises Refused when Amazon would not take it, naming the field."""
        return self._request(effect).model_dump_json(exclude_none=True).encode()

    def send(self, effect: Effect, body: bytes) -> Receipt:
        """Confirm, once. A refusal is none when the parcel is there: an earlier call of ours had arrived."""
        order = order_id(effect.payload["order_id"], doing(self._name, effect))
        try:
            answer = self._client.write("confirmShipment", "POST", f"/orders/v0/orders/{in_path(order)}/shipmentConfirmation", body,
                                        last_look=lambda: in_time(effect, self._clock, doing(self._name, effect)))
        except Refused as refusal:
            return self._there_already(effect, refusal)
        if answer is not None:
            raise InDoubt(doing(self._name, effect), "a body came where 204 is promised")
        detail = self._request(effect).packageDetail
        return Receipt(detail.packageReferenceId, {"order_id": order, "tracking_number": detail.trackingNumber, "carrier": detail.carrierCode})

    def find(self, effect: Effect) -> Receipt | None:
        """The parcel of this number, as we told it; None when there surely is none, and nothing else is known of what the order counts as shipped."""
        wanted = self._request(effect).packageDetail
        order = read(Order, self._orders.row(effect.payload["order_id"]), "getOrder")
        package = numbered(order.packages, wanted.packageReferenceId)
        if package is not None and agrees(package, wanted):
            return Receipt(package.packageReferenceId, {"order_id": order.orderId, "tracking_number": package.trackingNumber, "carrier": package.carrier})
        self._must_add_up(effect, order, {item.orderItemId for item in wanted.orderItems})
        return None

    def shown(self, order: str) -> list[dict[str, Any]]:
        """What Amazon now shows as shipped."""
        found = read(Order, self._orders.row(order), "getOrder")
        return [code_of(shown(package), self._listed(found.salesChannel.marketplaceId)) for package in found.packages]

    def _there_already(self, effect: Effect, refusal: Refused) -> Receipt:
        try:
            there = self.find(effect)
        except Refused:
            raise refusal from None
        if there is None:
            raise refusal
        return there

    def _must_add_up(self, effect: Effect, order: Order, ours: set[str]) -> None:
        """A list of parcels that holds less than the order counts as shipped is an old list."""
        listed: dict[str, int] = {}
        for item in (item for package in order.packages for item in package.packageItems):
            listed[item.orderItemId] = listed.get(item.orderItemId, 0) + item.quantity
        for item in order.orderItems:
            counted = (item.fulfillment.quantityFulfilled or 0) if item.fulfillment else 0
            if item.orderItemId in ours and counted > listed.get(item.orderItemId, 0):
                raise InDoubt(f"{doing(self._name, effect)}: reading back", f"item {item.orderItemId} counts {counted} as shipped, "
                              f"the list of parcels only {listed.get(item.orderItemId, 0)}")

    def _listed(self, marketplace: str) -> tuple[str, ...]:
        return self._carriers.get(marketplace, ())

    def _request(self, effect: Effect) -> ConfirmRequest:
        try:
            confirmation = DispatchConfirmation.model_validate(effect.payload)
            marketplace = confirmation.channel or (self._marketplaces[0] if len(self._marketplaces) == 1 else "")
            request = confirm_request(confirmation, confirmation.package_number, marketplace)
            strange = fault(confirmation.provider, marketplace, self._listed(marketplace))
            if strange:
                raise Unmappable(strange)
        except ValueError as error:  # ValidationError and Unmappable are ValueErrors
            raise Refused(doing(self._name, effect), f"Amazon would not take it: {why(error)}", "Correct the carrier mapping, or the dispatch at its source.") from None
        return request
