"""Publish the analysts' catalogue from the ledger and the snapshots. No personal data is read for it."""

from typing import Any

import pandas as pd
from prefect import task

from connectors.house import House
from connectors.snapshots import explode
from connectors.snapshots.publish import publish as publish_catalogue
from connectors.snapshots.tables import LEDGER_TABLES
from tasks.opened import RETRY, house

# the ledger's table -> what the catalogue calls it, where its columns are published as they are
NAMES = {"request": "requests", "request_line": "request_lines", "effect": "effects", "dispatch_line": "dispatches", "exception": "exceptions",
         "mapping": "mappings", "timeline": "timeline", "watermark": "watermarks", "inbox": "inbox", "stock_feed": "stock_feeds", "stock_change": "stock_changes",
         "stock_desired": "stock_desired", "return_line": "return_lines", "refund_seen": "refunds", "payment_seen": "payments",
         "receipt_notice": "receipt_notices", "drift": "drift", "reconciliation": "reconciliation", "authorised_return": "authorised_returns", "settlement": "settlements",
         "settlement_sum": "settlement_sums", "settlement_item": "settlement_items", "hint": "hints", "alert": "alerts", "journal": "journal"}
# tables whose JSON is taken apart first (connectors/snapshots/explode.py)
BOOK = ("connection", "order_id", "order", "lines", "modified_at", "state", "taken_in_at")
RMA = ("connection", "rma", "order_id", "warehouse", "facility", "lines", "state", "asked_at", "asked_by", "decided_at", "decided_by")
UPDATE = ("effect_id", "payload", "state", "sent_at", "confirmed_at")


def publish(opened: House) -> str:
    """A fresh catalogue beside the old one, then renamed into its place. Returns its path."""
    return str(publish_catalogue(tables(opened), opened.profile.home / "analytics", opened.clock, opened.profile.retention.stock_days))


def tables(opened: House) -> dict[str, pd.DataFrame]:
    """Everything that is published of the ledger, as of one moment; whoever writes meanwhile does not wait."""
    columns = {table: tuple(LEDGER_TABLES[name]) for table, name in NAMES.items()}
    found = opened.ledger.extract.frames(columns | {"order_book": BOOK, "rma": RMA}, updates=UPDATE)
    made = {name: found[table] for table, name in NAMES.items()}
    return (made | explode.orders(found["order_book"], made["requests"], made["request_lines"])
            | {"rmas": explode.return_lines(found["rma"]), "stock_updates": explode.items(found["stock_update"])})


@task(name="publish analytics", **RETRY)
def publish_now() -> dict[str, Any]:
    """The catalogue that analysts read."""
    return {"path": publish(house())}
