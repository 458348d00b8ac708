"""What the X12 and GXO tests share: our authored documents, an interchange maker, and a sample request."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.gxo.profile import Profile
from connectors.gxo.x12_write import Envelope, Row, write
from connectors.kit.errors import BadDocument
from connectors.kit.rehearsal import canary_recipient
from connectors.ports import Message, Warehouse
from contracts.effects import FulfilmentRequest, RequestLine

EXAMPLES = Path(__file__).resolve().parents[2] / "connectors" / "gxo" / "examples"
AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
PARTNER: dict[str, Any] = {"our_id": "MERCHANT", "partner_id": "GXOWH01", "usage": "T"}
W06: Row = ("W06", "F", "SO-1", "20260116", "SHP-1")
WAREHOUSE: Row = ("N1", "WH", "GXO RENO", "92", "WH01")
W27: Row = ("W27", "M", "UPSN", "UPS GROUND")


def samples() -> list[Path]:
    """Every X12 document among our examples, what they become (request.940.edi) included."""
    return sorted(EXAMPLES.glob("*.edi"))


def profile(**changes: Any) -> Profile:
    return Profile(**PARTNER | changes)


def from_partner(*sets: tuple[str, list[Row]], group: str = "SW", control: int = 201, **changes: Any) -> bytes:
    """An interchange from the partner to us."""
    head = {"sender_qualifier": "ZZ", "sender": "GXOWH01", "receiver_qualifier": "ZZ", "receiver": "MERCHANT", "group_sender": "GXOWH01",
            "group_receiver": "MERCHANT", "usage": "T", "control": control, "at": AT} | changes
    return write(Envelope(**head), group, sets)


def advice(*rows: Row, head: tuple[Row, ...] = (W06, WAREHOUSE, W27), total: int | None = None) -> tuple[str, list[Row]]:
    """A 945 with these rows after its header."""
    return "945", [*head, *rows, *([("W03", str(total))] if total is not None else [])]


def w12(sku: str, shipped: int | str, ordered: int | str = "", status: str = "CC") -> Row:
    return ("W12", status, str(ordered or shipped), str(shipped), "", "EA", "", "SK", sku)


def request(**changes: Any) -> FulfilmentRequest:
    """A request of two lines."""
    lines = [RequestLine(number=n, line_id=f"7{n}", sku=sku.lower(), warehouse_sku=sku, quantity=quantity, unit="EA", factor=1, currency="GBP",
                         name=f"Item {sku}", barcode=barcode)
             for n, (sku, quantity, barcode) in enumerate((("SKU-A", 12, "012345678905"), ("SKU-B", 3, "")), start=1)]
    return FulfilmentRequest(**{"connection": "bc-uk", "order_id": "100", "ship_group": "1", "reference": "UK-100-1", "warehouse": "gxo", "facility": "WH01",
                                "channel": "1", "ship_method": "Next day", "carrier": "UPSN", "service": "GROUND", "country": "GB", "currency": "GBP",
                                "placed_on": "2026-01-14", "order_total_minor": 4550, "lines": lines} | changes)


def recipient(**changes: str) -> dict[str, str]:
    return canary_recipient("bc-uk", "100", "1") | changes


def take_in(port: Warehouse) -> list[Message]:
    """Everything that lies ready, filed away; a file that cannot be read is a message that says so."""
    messages: list[Message] = []
    for inbound in port.inbound():
        try:
            messages += port.read(inbound)
        except BadDocument as error:
            messages.append(Message(inbound.name, "unreadable", errors=[error.got]))
        port.file_away(inbound)
    return messages
