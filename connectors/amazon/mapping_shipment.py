"""Our dispatch confirmations -> Amazon's confirmShipment, and the parcels that it shows back. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from connectors.amazon.mapping import Unmappable
from connectors.amazon.wire import write_moment
from connectors.amazon.wire_orders import ConfirmedItem, ConfirmRequest, Package, PackageDetail
from contracts.effects import DispatchConfirmation

OTHER = "Other"
GONE = ("CANCELLED",)


def confirm_request(confirmation: DispatchConfirmation, number: int, marketplace: str) -> ConfirmRequest:
    """The parcel to confirm. Raises ValueError (pydantic names the field), Unmappable for what only we can know.

    provider is Amazon's carrier code, exactly as the marketplace lists it; tracking_carrier is the carrier's name, which "Other" needs.
    """
    if number < 1:
        raise Unmappable("package_number: the parcel has no number in its order yet")
    if not marketplace:
        raise Unmappable("channel: it is not said in which marketplace the order was placed")
    if not confirmation.provider:
        raise Unmappable("provider: the mapping names no carrier code of the marketplace")
    name = confirmation.tracking_carrier.strip()
    if confirmation.provider == OTHER and (not name or name.lower() == OTHER.lower()):
        raise Unmappable('tracking_carrier: "Other" needs the name of the carrier')
    quantities: dict[str, int] = {}
    for line in confirmation.lines:
        quantities[line.line_id] = quantities.get(line.line_id, 0) + line.quantity
    return ConfirmRequest(marketplaceId=marketplace, packageDetail=PackageDetail(
        packageReferenceId=str(number), carrierCode=confirmation.provider, carrierName=name or None, shippingMethod=confirmation.service or None,
        trackingNumber=confirmation.tracking_number, shipDate=write_moment(shipped_at(confirmation.shipped_at)),
        orderItems=[ConfirmedItem(orderItemId=line_id, quantity=count) for line_id, count in quantities.items()]))


def shipped_at(text: str) -> datetime:
    """The moment of a payload. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("shipped_at: a moment without a zone")
    return moment.astimezone(UTC)


def numbered(packages: Iterable[Package], number: str) -> Package | None:
    """The parcel of this number, if it stands."""
    return next((p for p in packages if p.packageReferenceId == number and not (p.packageStatus and p.packageStatus.status in GONE)), None)


def agrees(package: Package, request: PackageDetail) -> bool:
    """Is the parcel that is shown the one that we told: tracking number and lines? (A carrier may come back under another spelling.)"""
    wanted = sorted((item.orderItemId, item.quantity) for item in request.orderItems)
    return package.trackingNumber == request.trackingNumber and sorted((i.orderItemId, i.quantity) for i in package.packageItems) == wanted


def shown(package: Package) -> dict[str, Any]:
    """A parcel as `shown_dispatches` gives it. Amazon keeps no reference of ours but the number, which is its id within the order."""
    return {"remote_id": package.packageReferenceId, "reference": "", "tracking_number": package.trackingNumber,
            "provider": package.carrier, "tracking_carrier": package.carrier,
            "lines": [{"line_id": item.orderItemId, "quantity": item.quantity} for item in package.packageItems]}
