"""Orders that claim stock which no warehouse has been asked for yet: new, held, rejected, or asked in part."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tasks.rules.lookup import Mappings

CLAIMING = ("awaiting_payment", "on_hold", "awaiting_fulfilment", "awaiting_pickup", "partially_shipped", "unknown")
UNPAID_DAYS = 7  # an order nobody has paid for so long claims nothing any more
EACH = ("", "EA")


@dataclass
class Claims:
    """Units wanted and not asked for. at: (warehouse, facility) -> warehouse SKU -> its units; unrouted: (connection, SKU) -> storefront units."""

    at: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    unrouted: Counter[tuple[str, str]] = field(default_factory=Counter)


def claims(entries: Iterable[tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]], asked: Mapping[tuple[str, str, str], int],
           mappings: Mappings, now: datetime) -> Claims:
    """What these orders (order, lines, ship groups: as the order book keeps them) still want beyond what was `asked` of warehouses."""
    found = Claims()
    for order, lines, groups in entries:
        if order["fulfilled_by"] != "merchant" or not _claims(order, now):
            continue
        countries = {group["ship_group"]: group["country"] for group in groups}
        for line in lines:
            key = (line["connection"], line["order_id"], line["line_id"])
            wanted = line["quantity"] - max(line["quantity_shipped"], asked.get(key, 0))
            if wanted > 0 and line["is_shippable"] and line["sku"].strip() and not mappings.is_non_stock(line["connection"], line["sku"]):
                _claim(order, line, countries.get(line["ship_group"], ""), wanted, mappings, found)
    return found


def _claims(order: dict[str, Any], now: datetime) -> bool:
    if order["status"] == "awaiting_payment":
        return datetime.fromisoformat(order["placed_at"]) > now - timedelta(days=UNPAID_DAYS)
    return order["status"] in CLAIMING


def _claim(order: dict[str, Any], line: dict[str, Any], country: str, wanted: int, mappings: Mappings, found: Claims) -> None:
    connection, sku = line["connection"], line["sku"].strip()
    route = mappings.route(connection, order["channel"], country, sku)
    if route is None:
        found.unrouted[connection, sku] += wanted
        return
    at = found.at.setdefault(route, Counter())
    unit = line["unit"].strip()
    mapped = None if unit in EACH else mappings.unit(connection, sku, unit, route[0])
    units = wanted * (mapped[1] if mapped else 1)
    for part, count in mappings.kit(connection, sku) or [(sku, 1)]:
        if not mappings.is_non_stock(connection, part):
            at[mappings.sku(connection, route[0], part) or part] += units * count
