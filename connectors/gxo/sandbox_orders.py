"""The sandbox's orders: how it reads a 940, in its own way, and what stock it promises to them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.gxo.profile import Profile
from connectors.gxo.sandbox_files import first_element
from connectors.gxo.sandbox_stock import StockBook
from connectors.gxo.sandbox_writing import Parcel


@dataclass
class Order:
    """One order as this warehouse has it. lines: by our line number, {sku, quantity, unit, shipped, promised}."""

    reference: str
    storefront_order: str
    facility: str
    carrier: str
    service: str
    control: int
    received_at: datetime
    lines: dict[str, dict[str, Any]]
    has_address: bool
    state: str = "open"
    pick_at: datetime | None = None
    parcels: list[Parcel] = field(default_factory=list)
    street: str = ""


def order_of(segments: list[list[str]], control: int, at: datetime, profile: Profile) -> Order:
    """A 940, read without our mapping."""
    lines: dict[str, dict[str, Any]] = {}
    for segment in segments:
        if segment[0] == "W01":
            pairs = dict(zip(segment[4::2], segment[5::2], strict=False))
            sku = pairs.get(profile.order.sku_qualifier, "")
            lines[f"?{len(lines)}"] = {"sku": sku, "quantity": int(segment[1]), "unit": segment[2], "shipped": 0, "promised": 0}
        elif segment[:2] == ["N9", "LI"] and lines:
            last = list(lines)[-1]
            lines = {segment[2] if key == last else key: line for key, line in lines.items()}
    facility = next((s[4] for s in segments if s[:2] == ["N1", profile.order.warehouse]), "")
    return Order(first_element(segments, "W05", 2), next((s[2] for s in segments if s[:2] == ["N9", "SO"]), ""), facility, first_element(segments, "W66", 10),
                 first_element(segments, "W66", 5), control, at, lines, any(s[:2] == ["N1", "ST"] for s in segments) and any(s[0] == "N4" for s in segments),
                 street=first_element(segments, "N3", 1))


def promise(order: Order, book: StockBook | None) -> bool:
    """Allocate what is there and not yet promised to it; whether anything was. Without a stock book all is there."""
    if order.state == "refused":
        return False
    got = 0
    for line in order.lines.values():
        lacking = line["quantity"] - line["shipped"] - line["promised"]
        more = book.allocate(order.facility, line["sku"], lacking) if book else lacking
        line["promised"], got = line["promised"] + more, got + more
    return got > 0


def release(order: Order, book: StockBook | None) -> None:
    """Take every promise back."""
    for line in order.lines.values():
        if book:
            book.release(order.facility, line["sku"], line["promised"])
        line["promised"] = 0


def ship(order: Order, units: dict[str, int], book: StockBook | None) -> None:
    """Promised units leave, by line."""
    for key, count in units.items():
        line = order.lines[key]
        line["shipped"], line["promised"] = line["shipped"] + count, line["promised"] - count
        if book:
            book.ship(order.facility, line["sku"], count)
