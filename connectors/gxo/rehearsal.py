"""GXO as the conformance suite plays with it: over a folder that fails on request, with one sample of each kind."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from connectors.gxo.mapping import acknowledgement_document
from connectors.gxo.mapping_csv import items_frame
from connectors.gxo.mapping_notice import receipt_document, return_document
from connectors.gxo.mapping_order import NEW, order_document
from connectors.gxo.profile import Profile
from connectors.gxo.profile_stock import ReturnAdvice
from connectors.gxo.sandbox import GxoSandbox
from connectors.gxo.warehouse import Settings, connect
from connectors.kit.clock import Clock, ManualClock
from connectors.kit.exchange import Exchange
from connectors.kit.files import FilesSettings
from connectors.kit.folder import LocalDisk
from connectors.kit.http import parse
from connectors.kit.rehearsal import FILE_FAULTS, FILE_WRITES, Golden, Rehearsal, UnsteadyDisk, canary_recipient
from connectors.kit.sandbox import CONNECT_REFUSED
from connectors.ports import (
    ACKNOWLEDGEMENT, FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, RECEIPT_NOTICE, RETURN_NOTICE, Effect, Inbound, Message, Warehouse,
)
from contracts.effects import Acknowledgement, FulfilmentRequest, NoticeLine, Payload, ReceiptNotice, RequestLine, ReturnNotice, SetAnswer

NAME, PASSWORD = "gxo-north", "gxo-password-4711"
PARTNER = {"our_id": "MERCHANT", "partner_id": "GXOWH01", "usage": "T"}
ITEMS = """sku,description,active,unit,barcode,hs_code,origin,customs_value,customs_currency
GX-001,Mooring line,yes,EA,5000000000011,560750,GB,12.50,GBP
GX-002,Fender,yes,CA,,,,,
GX-003,Sold out,no,EA,,,,,
"""
FRAMES = ("dispatches", "stock_levels", "stock_changes", "returns")
SHIPPED_BEFORE = 3
CSV: dict[str, Any] = {
    "csv_advice": {"columns": {
        "advice_id": "shipment", "reference": "order", "sku": "item", "quantity": "qty", "carrier": "scac", "tracking_number": "tracking",
        "shipped_at": "shipped", "request_line": "line"}},
    "csv_stock": {"columns": {"facility": "site", "sku": "item", "unit": "uom", "available": "free", "on_hand": "there", "on_hold": "held", "as_of": "counted"},
                  "date_format": "%Y-%m-%dT%H:%M", "trailer": "END", "is_whole": True},
    "csv_adjustments": {"columns": {"document_id": "document", "kind": "type", "facility": "site", "sku": "item", "change": "plus_minus", "reason": "why",
                                    "reference": "our_number", "occurred_at": "posted"},
                        "kinds": {"ADJ": "adjustment", "REC": "receipt"}, "date_format": "%Y-%m-%dT%H:%M"},
    "csv_returns": {"columns": {"document_id": "return", "reference": "order", "rma": "rma", "sku": "item", "quantity": "qty", "grade": "condition",
                                "tracking_number": "parcel", "received_at": "received"}, "facility": "NORTH", "sale_grades": ["A"]}}
WRITTEN_AT = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


def rehearse(clock: Clock, folder: Path) -> Rehearsal:
    """A fresh site, its exchange below `folder`. Two looks at a file need no wait here: the sandbox renames."""
    settings = Settings(partner=Profile(**PARTNER), files=FilesSettings(kind="folder", path=str(folder), settle_seconds=0))
    sandbox = GxoSandbox(folder, clock, settings.partner, {"GX-001", "GX-002"}, {"NORTH"}, kinds={"packages": 1})
    disk = UnsteadyDisk(LocalDisk(folder), sandbox.faults)
    port = connect(NAME, settings, clock, Exchange(disk, clock, settings.files.settle_seconds))
    answer = Acknowledgement(warehouse=NAME, partner_control="000000077", group_code="SW", group_number="77", status="A",
                             sets=[SetAnswer(set_id="945", set_number="0001", accepted=True)])
    effects = {FULFILMENT_REQUEST: _request(FULFILMENT_REQUEST, 1, 3), FULFILMENT_CHANGE: _request(FULFILMENT_CHANGE, 2, 4),
               FULFILMENT_CANCEL: _request(FULFILMENT_CANCEL, 2, 3),
               RETURN_NOTICE: _notice(RETURN_NOTICE, "RMA-2026-0007", ReturnNotice(
                   connection="bigcommerce-uk", order_id="700", rma="RMA-2026-0007", reference="BCUK-700-1", warehouse=NAME, facility="NORTH",
                   approved_on="2026-01-14", lines=[NoticeLine(number=1, sku="gx-001", warehouse_sku="GX-001", quantity=1, unit="EA", reason="Too short")])),
               RECEIPT_NOTICE: _notice(RECEIPT_NOTICE, "ASN-5544", ReceiptNotice(
                   warehouse=NAME, facility="NORTH", reference="ASN-5544", expected_on="2026-01-20", carrier="ODFL",
                   lines=[NoticeLine(number=1, sku="GX-001", warehouse_sku="GX-001", quantity=500, unit="EA")])),
               ACKNOWLEDGEMENT: Effect(f"{ACKNOWLEDGEMENT}:{NAME}:77", ACKNOWLEDGEMENT, NAME, f"{NAME}:77", answer.model_dump())}
    sftp = {"kind": "sftp", "host": "sftp.example.com", "username": "wharfinger", "password": "env:GXO_PASSWORD", "host_key": f"SHA256:{'A' * 43}"}
    rehearsal = Rehearsal(
        port=port, sandbox=sandbox, settings=Settings, settings_example={"partner": PARTNER, "files": sftp}, secrets={"GXO_PASSWORD": PASSWORD},
        effects=effects, seed=partial(_seed, sandbox, port, clock, folder), count=lambda kind: _count(rehearsal, kind), calls=disk.calls,
        faults=FILE_FAULTS, outages=(CONNECT_REFUSED,), writes=FILE_WRITES)
    return rehearsal


def read_example(path: Path) -> dict[str, Golden]:
    """The rows that a file of the partner becomes, and the 940 that a request becomes."""
    partner = Profile(**PARTNER, receipts={"sale_grades": ["A"]}, return_advice=ReturnAdvice(), **CSV)
    if path.match("items*.csv"):
        sound, unreadable = items_frame(NAME, path.read_bytes(), path.name)
        return {"items": sound, "unreadable": pd.DataFrame(unreadable, columns=["record", "why"])}
    if path.match("request*.json"):
        given = parse(path.read_bytes())
        order = order_document(NEW, FulfilmentRequest.model_validate(given["payload"]), given["recipient"], partner, 1, WRITTEN_AT)
        return {"940.edi": order.decode("ascii")}
    if path.match("*-notice.json"):
        payload, write = (ReturnNotice, return_document) if path.match("return*") else (ReceiptNotice, receipt_document)
        document = write(payload.model_validate(parse(path.read_bytes())), partner, 1, WRITTEN_AT)
        return {f"{'180' if payload is ReturnNotice else '943'}.edi": document.decode("ascii")}
    if path.suffix in (".csv", ".edi"):
        port = connect(NAME, Settings(partner=partner, files=FilesSettings(kind="folder", path=".")), ManualClock())
        return _messages(port.read(Inbound(NAME, path.name, path.read_bytes())), partner)
    return {}


def _messages(read: list[Message], partner: Profile) -> dict[str, Golden]:
    """The rows, what could not be read, and the 997 that we owe."""
    rows = {name: [frame for message in read if (frame := getattr(message, name)) is not None] for name in FRAMES}
    tables = {name.replace("_", "-"): pd.concat(frames, ignore_index=True) for name, frames in rows.items() if frames}
    tables |= {"acknowledgements": pd.DataFrame([{"key": message.key, **one} for message in read for one in message.acknowledgements]),
              "errors": pd.DataFrame([{"key": message.key, "why": why} for message in read for why in message.errors])}
    owed = [Acknowledgement.model_validate(message.answer) for message in read if message.answer]
    answers = {"997.edi": acknowledgement_document(owed[0], partner, 1, WRITTEN_AT).decode("ascii")} if owed else {}
    return {name: table for name, table in tables.items() if len(table)} | answers


def _request(kind: str, revision: int, quantity: int, order_id: str = "700") -> Effect:
    lines = [RequestLine(number=n, line_id=f"7{n}", sku=sku.lower(), warehouse_sku=sku, quantity=quantity, unit=unit, factor=1, currency="GBP")
             for n, (sku, unit) in enumerate((("GX-001", "EA"), ("GX-002", "CA")), 1)]
    request = FulfilmentRequest(
        connection="bigcommerce-uk", order_id=order_id, ship_group="1", reference=f"BCUK-{order_id}-1", warehouse=NAME, facility="NORTH", channel="1",
        ship_method="Next day", carrier="DPDL", service="ND", country="GB", currency="GBP", placed_on="2026-01-14", order_total_minor=4550,
        lines=lines, revision=revision)
    return Effect(effect_id=f"{kind}:bigcommerce-uk:{order_id}:1:{revision}", kind=kind, target=NAME,
                  business_key=f"bigcommerce-uk:{order_id}:1:{revision}", payload=request.model_dump(),
                  recipient=canary_recipient("bigcommerce-uk", order_id, "1"))


def _notice(kind: str, number: str, payload: Payload) -> Effect:
    return Effect(f"{kind}:{NAME}:{number}", kind, NAME, number, payload.model_dump())


def _seed(sandbox: GxoSandbox, port: Warehouse, clock: Clock, folder: Path) -> None:
    """An items file, and other people's orders that were acknowledged and shipped: what the reads read."""
    (folder / "items.csv").write_text(ITEMS)
    for n in range(1, SHIPPED_BEFORE + 1):
        effect = replace(_request(FULFILMENT_REQUEST, 1, n + 1, str(n)), number=900 + n, planned_at=clock.now(), sent_at=clock.now())
        port.send(replace(effect, document=port.prepare(effect)))
        sandbox.step()
        clock.sleep(60)
        sandbox.step()


def _count(rehearsal: Rehearsal, kind: str) -> int:
    """How many files of this control number the site took in and did; it takes in whatever lies there first."""
    rehearsal.sandbox.step()
    books, payload = rehearsal.sandbox.books(), rehearsal.effects[kind].payload
    taken = sum(file["control"] == rehearsal.number(kind) and not file["verdict"] for file in books["received"])
    if kind == ACKNOWLEDGEMENT:
        return min(taken, books["acknowledged"].count(payload["group_number"]))
    if kind in (RETURN_NOTICE, RECEIPT_NOTICE):
        return min(taken, books["notices"].get(payload["rma" if kind == RETURN_NOTICE else "reference"], {}).get("copies", 0))
    orders = books["orders"].get(payload["reference"], [])
    if kind == FULFILMENT_REQUEST:
        return sum(order["control"] == rehearsal.number(kind) and order["state"] != "refused" for order in orders)
    if kind == FULFILMENT_CANCEL:
        return taken if all(order["state"] in ("cancelling", "cancelled") for order in orders) else 0
    wanted = [line["quantity"] for line in payload["lines"]]
    return taken if all([line["quantity"] for line in order["lines"].values()] == wanted for order in orders) else 0
