"""The rows that the tests of snapshots and catalogue stand on: two orders, one dispatched, one held."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from connectors.kit.clock import ManualClock
from connectors.snapshots.snapshots import Snapshots
from connectors.snapshots.tables import LEDGER_TABLES
from contracts.items import Items
from contracts.stock import ShownStock, StockLevels

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
EMPTY = {"VARCHAR": "", "BIGINT": 0, "BOOLEAN": True, "TIMESTAMPTZ": None}


def items(*skus: str, unit: str = "EA") -> pd.DataFrame:
    """An item master with these SKUs."""
    return Items.frame({"warehouse": "gxo", "sku": sku, "description": f"about {sku}", "is_active": True, "unit": unit, "barcode": "", "hs_code": "",
                        "origin": "", "customs_value_minor": 0, "customs_currency": ""} for sku in skus)


def table(name: str, *rows: dict[str, Any]) -> pd.DataFrame:
    """A ledger table with these rows; what a row does not say is empty."""
    columns = LEDGER_TABLES[name]
    return pd.DataFrame([{column: EMPTY[kind] for column, kind in columns.items()} | row for row in rows], columns=list(columns))


def ledger() -> dict[str, pd.DataFrame]:
    """Order 100 was asked for and half of it has left; order 101 is held for an unknown SKU; order 102 waits for nobody."""
    order = {"connection": "bc-uk", "channel": "1", "status": "awaiting_fulfilment", "status_code": "11", "currency": "GBP", "placed_at": NOW}
    line = {"connection": "bc-uk", "currency": "GBP", "unit_price_minor": 250}
    asked = {"warehouse": "gxo", "reference": "bc-uk-100", "connection": "bc-uk", "order_id": "100"}
    return {
        "orders": table("orders", order | {"order_id": "100", "total_minor": 1000}, order | {"order_id": "101", "total_minor": 500},
                        order | {"order_id": "102", "total_minor": 9_007_199_254_740_993}),
        "order_lines": table("order_lines", line | {"order_id": "100", "line_id": "1", "sku": "85123A", "quantity": 4},
                             line | {"order_id": "100", "line_id": "2", "sku": "POST", "quantity": 1, "is_stock": False},
                             line | {"order_id": "101", "line_id": "1", "sku": "nowhere", "quantity": 2}),
        "requests": table("requests", asked | {"state": "sent", "effect_id": "e1", "revision": 1}),
        "request_lines": table("request_lines", asked_line("bc-uk-100", 1, 4, 3)),
        "effects": table("effects", {"effect_id": "e1", "kind": "fulfilment_request", "target": "gxo", "state": "CONFIRMED", "sent_at": NOW}),
        "dispatches": table("dispatches", {"warehouse": "gxo", "advice_id": "A1", "reference": "bc-uk-100", "package_id": "P1", "carrier": "UPSN",
                                           "tracking_number": "1Z1", "request_line": "1", "sku": "85123A", "quantity": 3, "shipped_at": NOW}),
        "exceptions": table(
            "exceptions",
            {"exception_id": "x1", "type": "sku_unknown", "owner": "ecommerce", "severity": "high", "connection": "bc-uk", "record": "101",
             "state": "open", "count": 2, "opened_at": NOW - timedelta(hours=2), "due_at": NOW - timedelta(hours=1)},
            {"exception_id": "x2", "type": "po_missing", "owner": "customer service", "severity": "high", "connection": "bc-uk", "record": "102",
             "state": "resolved", "count": 1, "opened_at": NOW, "due_at": NOW, "resolved_at": NOW, "resolved_by": "ann", "reason": "PO came"}),
        "mappings": table("mappings", {"table_name": "skus", "key": "bc-uk|a|gxo", "fields": "{}", "valid_to": NOW}, {"table_name": "skus"}),
        "timeline": table("timeline", {"at": NOW, "connection": "bc-uk", "order_id": "100", "what": "taken in", "actor": "orders_to_warehouse"}),
        "watermarks": table("watermarks", {"feed": "bc-uk orders", "reached_at": NOW - timedelta(minutes=7)}),
    }


def stock(folder: Path) -> dict[str, pd.DataFrame]:
    """The same with stock: at nine the warehouse states 12, at ten a receipt brings 30, at eleven it states 37; the shop was told 10 and then 35, and shows 10."""
    at = [NOW + timedelta(hours=hour) for hour in range(3)]
    level = {"warehouse": "gxo", "facility": "LON", "sku": "85123A", "unit": "EA", "on_hand": 40, "on_hold": 0, "sequence": 1}
    shown = {"connection": "bc-uk", "location": "1", "sku": "85123A", "on_hand": 10, "available": 10, "safety_stock": 0, "is_tracked": True}
    told = {"connection": "bc-uk", "location": "1", "sku": "85123A", "state": "CONFIRMED"}
    kept = Snapshots(folder, ManualClock(NOW))
    for moment, available in ((at[0], 12), (at[2], 37)):
        kept.keep("stock_positions", "gxo--LON", moment, StockLevels.frame([level | {"available": available, "as_of": moment}]), str(moment))
    kept.keep("shown_stock", "bc-uk", at[1], ShownStock.frame([shown | {"seen_at": at[1]}]), "sweep")
    return ledger() | {
        "stock_changes": table("stock_changes", {"warehouse": "gxo", "document_id": "R1", "line": 1, "kind": "receipt", "facility": "LON", "sku": "85123A", "unit": "EA",
                                                 "change": 30, "reason": "", "occurred_at": at[1], "sequence": 2, "entered_at": at[1]}),
        "stock_updates": table("stock_updates", told | {"effect_id": "s1", "quantity": 10, "confirmed_at": at[0] + timedelta(minutes=2)},
                               told | {"effect_id": "s2", "quantity": 35, "confirmed_at": at[2] + timedelta(minutes=2)})}


def asked_line(reference: str, number: int, quantity: int, advised: int) -> dict[str, Any]:
    """A row of request_lines."""
    return {"warehouse": "gxo", "reference": reference, "number": number, "line_id": str(number), "sku": "85123A", "warehouse_sku": "85123A",
            "quantity": quantity, "unit": "EA", "factor": 1, "advised": advised}
