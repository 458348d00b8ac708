"""Quayside ↔ contract rows. Pure: no I/O, no clock, nothing created. The tables of direct pairs come first: they are the documentation."""

import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pandas as pd
from pydantic import ValidationError

from connectors._template import wire
from connectors.kit.errors import BadDocument
from connectors.kit.http import parse
from connectors.ports import Effect, Inbound, Message
from contracts.dispatches import Dispatches
from contracts.effects import FulfilmentRequest, RequestLine
from contracts.items import Items
from contracts.money import NotMoney, to_minor

ITEM = {"sku": "code", "description": "text", "is_active": "active", "unit": "uom", "barcode": "ean", "hs_code": "hs_code", "origin": "made_in",
        "customs_currency": "value_currency"}
SHIP_TO = {"name": "name", "company": "company", "town": "city", "county": "region", "postcode": "postcode", "country": "country", "phone": "phone",
           "email": "email"}
OUTCOME = {"full": "CC", "short": "CP"}  # X12 element 368, which the contract's line_status speaks


def order_body(effect: Effect) -> bytes:
    """The body of a create or a change: the request's payload and, from the vault, who gets it."""
    request, recipient = FulfilmentRequest.model_validate(effect.payload), effect.recipient or {}
    ship_to = {theirs: recipient.get(ours, "") for theirs, ours in SHIP_TO.items()}
    street = [line for line in (recipient.get("street_1", ""), recipient.get("street_2", "")) if line]
    order = wire.Order(
        reference=request.reference, revision=request.revision, site=request.facility, carrier=request.carrier, service=request.service,
        ship_to=wire.ShipTo(street=street, **ship_to), lines=[_order_line(line) for line in request.lines], note=recipient.get("order_note", ""))
    return json.dumps(order.model_dump(), ensure_ascii=False, sort_keys=True).encode()


def items_frame(warehouse: str, rows: list[dict]) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """The item master: sound rows of contract Items, and {record, why} of those that cannot be read."""
    read, unreadable = [], []
    for row in rows:
        try:
            read.append(_item_row(warehouse, wire.Item.model_validate(row)))
        except (ValidationError, NotMoney) as error:
            unreadable.append({"record": str(row.get("code", "")), "why": why(error)})
    sound, unsound = Items.split(Items.frame(read))
    return sound, unreadable + [{"record": row.sku, "why": row.why} for row in unsound.itertuples()]


def messages(warehouse: str, inbound: Inbound) -> list[Message]:
    """One message a shipment in the page. A shipment that cannot be read is a message with errors; a broken page is a BadDocument."""
    try:
        page = wire.ShipmentPage.model_validate(parse(inbound.body))
    except ValueError as error:  # pydantic's errors are ValueErrors too
        raise BadDocument(f"{warehouse}: reading {inbound.name}", why(error), "Ask Quayside what changed.") from None
    return [_message(warehouse, row) for row in page.shipments]


def why(error: Exception) -> str:
    """What is wrong with a payload, without its values: they may be somebody's name."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['type']}" for e in error.errors(include_input=False)[:5])
    return str(error) if isinstance(error, NotMoney) else "not JSON"


def _order_line(line: RequestLine) -> wire.OrderLine:
    return wire.OrderLine(line=line.number, code=line.warehouse_sku, quantity=line.quantity, uom=line.unit)


def _item_row(warehouse: str, item: wire.Item) -> dict[str, Any]:
    direct = {ours: getattr(item, theirs) for ours, theirs in ITEM.items()}
    return direct | {"warehouse": warehouse, "customs_value_minor": to_minor(item.value, item.value_currency)}


def _message(warehouse: str, row: dict) -> Message:
    try:
        shipment = wire.Shipment.model_validate(row)
    except ValidationError as error:
        return Message(key=f"shipment:{row.get('id', '')}", kind="dispatches", errors=[why(error)])
    frame = Dispatches.frame(_dispatch_rows(warehouse, shipment))
    return Message(key=f"shipment:{shipment.id}", kind="dispatches", sent_at=shipment.shipped_at.astimezone(UTC), dispatches=frame)


def _dispatch_rows(warehouse: str, shipment: wire.Shipment) -> Iterator[dict[str, Any]]:
    of_shipment = {"warehouse": warehouse, "advice_id": shipment.id, "reference": shipment.reference, "facility": shipment.site,
                   "shipped_at": shipment.shipped_at.astimezone(UTC)}
    for place, parcel in enumerate(shipment.parcels, 1):
        of_parcel = {"package_id": parcel.sscc or parcel.tracking or str(place), "carrier": parcel.carrier, "service": parcel.service,
                     "tracking_number": parcel.tracking}
        for line in parcel.lines:
            yield of_shipment | of_parcel | {
                "request_line": "" if line.line is None else str(line.line), "sku": line.code, "quantity": line.quantity, "unit": line.uom,
                "line_status": OUTCOME[line.outcome]}
