"""Rows for tests of the rules: a small merchant with one warehouse, written so that a test names only what it is about."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd

from contracts.dispatches import Dispatches
from contracts.items import Items
from contracts.mappings import TABLES
from contracts.orders import OrderLines, Orders, ShipGroups
from tasks.rules.fulfilment import Plan, plan_orders
from tasks.rules.lookup import ItemMaster, Mappings

SHOP, WAREHOUSE, FACILITY = "bc-uk", "gxo-uk", "GXO1"
AT = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)

TYPICAL = {
    "non_stock": [{"connection": "*", "pattern": pattern, "what": "no goods"} for pattern in ("POST", "DOT", "M", "gift_*", "BANK CHARGES")],
    "routes": [{"connection": SHOP, "channel": "*", "country": "*", "sku": "*", "warehouse": WAREHOUSE, "facility": FACILITY}],
    "ship_methods": [{"connection": SHOP, "ship_method": "Standard", "warehouse": WAREHOUSE, "carrier": "UPSN", "service": "GND"}],
    "carriers": [{"warehouse": WAREHOUSE, "carrier": "UPSN", "service": "*", "connection": SHOP, "provider": "ups", "tracking_carrier": "ups",
                  "tracking_link": "https://ups.example/track?n={tracking_number}"}],
    "home_countries": [{"warehouse": WAREHOUSE, "facility": FACILITY, "country": "GB"}],
}


def mappings(**tables: list[dict]) -> Mappings:
    """The typical tables, with those named replaced."""
    return Mappings.of({name: TABLES[name].frame(rows) for name, rows in (TYPICAL | tables).items()})


def order(order_id: str = "100", **other: Any) -> dict:
    return {"connection": SHOP, "order_id": order_id, "channel": "1", "status": "awaiting_fulfilment", "status_code": "11",
            "fulfilled_by": "merchant", "placed_at": AT, "modified_at": AT, "ship_by": None, "currency": "GBP", "total_minor": 1000, "shipping_minor": 0,
            "tax_minor": 0, "discount_minor": 0, "po_number": "", "organisation": "", "customer_group": ""} | other


def line(line_id: str = "1", sku: str = "85123A", quantity: int = 1, order_id: str = "100", **other: Any) -> dict:
    return {"connection": SHOP, "order_id": order_id, "line_id": line_id, "ship_group": "a", "sku": sku, "name": "T-LIGHT HOLDER",
            "quantity": quantity, "quantity_shipped": 0, "unit": "", "unit_price_minor": 255, "total_minor": 255 * quantity, "currency": "GBP",
            "is_shippable": True, "is_gift": False} | other


def group(ship_group: str = "a", order_id: str = "100", **other: Any) -> dict:
    return {"connection": SHOP, "order_id": order_id, "ship_group": ship_group, "country": "GB", "region": "", "ship_method": "Standard"} | other


def item(sku: str = "85123A", **other: Any) -> dict:
    return {"warehouse": WAREHOUSE, "sku": sku, "description": f"item {sku}", "is_active": True, "unit": "EA", "barcode": "", "hs_code": "392690",
            "origin": "CN", "customs_value_minor": 0, "customs_currency": ""} | other


def items(*rows: dict) -> ItemMaster:
    return ItemMaster.of(Items.frame(rows or [item()]))


def plan(orders: list[dict] | None = None, lines: list[dict] | None = None, groups: list[dict] | None = None, *, tables: dict | None = None,
         master: ItemMaster | None = None, addressed: set | None = None, prefixes: dict | None = None, revision: int = 1) -> Plan:
    """plan_orders with a typical world around what the test is about."""
    orders, lines = orders or [order()], [line()] if lines is None else lines
    groups = [group(order_id=o["order_id"], connection=o["connection"]) for o in orders] if groups is None else groups
    known = {(g["connection"], g["order_id"], g["ship_group"]) for g in groups} if addressed is None else addressed
    return plan_orders(Orders.frame(orders), OrderLines.frame(lines), ShipGroups.frame(groups), known, mappings(**(tables or {})),
                       master or items(), {SHOP: "BC"} if prefixes is None else prefixes, revision)


def advice(sku: str = "85123A", quantity: int = 1, request_line: str = "", **other: Any) -> dict:
    return {"warehouse": WAREHOUSE, "advice_id": "SHP-1", "reference": "BC100", "package_id": "P1", "carrier": "UPSN", "service": "GND",
            "tracking_number": "1Z1", "request_line": request_line, "sku": sku, "quantity": quantity, "unit": "EA", "line_status": "CC",
            "facility": FACILITY, "shipped_at": AT} | other


def advices(*rows: dict) -> pd.DataFrame:
    return Dispatches.frame(rows)


def request_line(number: int, sku: str = "85123A", quantity: int = 1, factor: int = 1, line_id: str = "", component_of: str = "") -> dict:
    return {"number": number, "line_id": line_id or f"L{number}", "sku": sku, "warehouse_sku": sku, "quantity": quantity, "unit": "EA",
            "factor": factor, "component_of": component_of, "name": "", "barcode": "", "is_gift": False, "value_minor": 0, "currency": "GBP",
            "hs_code": "", "origin": ""}


def request(*lines: dict, reference: str = "BC100", **other: Any) -> dict:
    return {"connection": SHOP, "order_id": reference.removeprefix("BC"), "ship_group": "a", "reference": reference, "warehouse": WAREHOUSE,
            "facility": FACILITY, "channel": "1", "po_number": "", "organisation": "", "ship_method": "Standard", "carrier": "UPSN", "service": "GND",
            "country": "GB", "is_international": False, "currency": "GBP", "placed_on": "2026-01-15", "order_total_minor": 1000,
            "discount_minor": 0, "lines": list(lines), "revision": 1} | other


def types(findings: list) -> list[str]:
    return sorted(finding.type for finding in findings)
