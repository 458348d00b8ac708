"""Publish the analysts' catalogue from the ledger and the snapshots. No personal data is read for it."""

from typing import Any

import pandas as pd
from prefect import task

from connectors.house import House
from connectors.ledger.database import dumps
from connectors.snapshots.publish import publish as publish_catalogue

from tasks.opened import RETRY, house

ORDER = ("connection", "order_id", "channel", "status", "status_code", "currency", "total_minor", "shipping_minor", "tax_minor", "discount_minor", "po_number",
         "organisation", "customer_group")
LINE = ("connection", "order_id", "line_id", "ship_group", "sku", "name", "quantity", "unit", "unit_price_minor", "total_minor", "currency", "is_shippable")
COLUMNS = {
    "request": ("warehouse", "reference", "connection", "order_id", "ship_group", "facility", "carrier", "service", "state", "effect_id", "revision", "created_at"),
    "request_line": ("warehouse", "reference", "number", "line_id", "sku", "warehouse_sku", "quantity", "unit", "factor", "advised"),
    "effect": ("effect_id", "kind", "target", "business_key", "state", "attempt", "number", "remote_id", "error", "planned_at", "sent_at", "confirmed_at", "verified_at"),
    "dispatch_line": ("warehouse", "advice_id", "reference", "package_id", "carrier", "service", "tracking_number", "request_line", "sku", "quantity", "unit",
                      "line_status", "facility", "shipped_at", "inbox_key"),
    "exception": ("exception_id", "type", "owner", "severity", "connection", "record", "cause", "state", "count", "opened_at", "last_seen_at", "due_at",
                  "resolved_at", "resolved_by", "reason", "waits_on"),
    "timeline": ("at", "connection", "order_id", "what", "actor", "detail"),
    "watermark": ("feed", "reached_at", "updated_at"),
    "inbox": ("key", "source", "name", "kind", "state", "sha256", "received_at", "detail"),
}
NAMES = {"request": "requests", "request_line": "request_lines", "effect": "effects", "dispatch_line": "dispatches", "exception": "exceptions",
         "timeline": "timeline", "watermark": "watermarks", "inbox": "inbox"}


def publish(opened: House) -> str:
    """A fresh catalogue beside the old one, then renamed into its place. Returns its path."""
    tables = {NAMES[table]: opened.ledger.table(table)[list(columns)] for table, columns in COLUMNS.items()}
    frames = tables | _orders(opened) | {"mappings": _mappings(opened)}
    return str(publish_catalogue(frames, opened.profile.home / "analytics", opened.clock))


def _orders(opened: House) -> dict[str, pd.DataFrame]:
    book = opened.ledger.table("order_book")
    orders = [{name: row.order[name] for name in ORDER}
              | {"placed_at": pd.Timestamp(row.order["placed_at"]), "modified_at": row.modified_at, "state": row.state, "taken_in_at": row.taken_in_at}
              for row in book.itertuples()]
    asked = set(opened.ledger.table("request").pipe(lambda frame: zip(frame["connection"], frame["order_id"], strict=True)))
    on_requests = {(row.warehouse, row.reference): row for row in opened.ledger.table("request").itertuples()}
    stock = {(on_requests[line.warehouse, line.reference].connection, on_requests[line.warehouse, line.reference].order_id, line.line_id)
             for line in opened.ledger.table("request_line").itertuples()}
    lines = [{name: line[name] for name in LINE} | {"is_stock": (line["connection"], line["order_id"], line["line_id"]) in stock
                                                    if (line["connection"], line["order_id"]) in asked else None}
             for row in book.itertuples() for line in row.lines]
    return {"orders": pd.DataFrame(orders), "order_lines": pd.DataFrame(lines)}


def _mappings(opened: House) -> pd.DataFrame:
    frame = opened.ledger.table("mapping")
    return frame.assign(fields=[dumps(fields) for fields in frame["fields"]])[["table_name", "key", "fields", "valid_from", "valid_to", "actor"]]



@task(name="publish analytics", **RETRY)
def publish_now() -> dict[str, Any]:
    """The catalogue that analysts read."""
    return {"path": publish(house())}
