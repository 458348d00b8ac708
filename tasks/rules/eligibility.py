"""Which orders may go to a warehouse now."""

from collections.abc import Iterable

import pandas as pd

from contracts.base import rows_of
from contracts.orders import STATUSES

VERDICTS = ("plan", "not_yet", "cancelled", "done", "not_ours")
COLUMNS = ("connection", "order_id", "verdict", "why")


def sort_orders(orders: pd.DataFrame, lines: pd.DataFrame, releasable: Iterable[str] = ("awaiting_fulfilment",)) -> pd.DataFrame:
    """One row an order, in the order given: connection, order_id, verdict (one of VERDICTS) and an analyst's why.

    `releasable` names states in our words, or the storefront's own status codes ('9', '11'). Nothing makes an order that the
    marketplace fulfils ours. An order whose every line the storefront already shows as shipped is done, whatever its state.
    """
    released = frozenset(releasable)
    still_open = _still_open(lines)
    rows = [(o["connection"], o["order_id"], *_verdict(o, released, still_open.get((o["connection"], o["order_id"]))))
            for o in rows_of(orders)]
    return pd.DataFrame({name: pd.array([row[i] for row in rows], dtype="str") for i, name in enumerate(COLUMNS)})


def _still_open(lines: pd.DataFrame) -> dict[tuple[str, str], bool]:
    """Has the order a line that is not shipped in full? Only orders that asked for something are in it."""
    found: dict[tuple[str, str], bool] = {}
    columns = ["connection", "order_id", "quantity", "quantity_shipped"]
    for connection, order_id, quantity, shipped in lines[columns].itertuples(index=False, name=None):
        if quantity > 0:
            found[connection, order_id] = found.get((connection, order_id), False) or shipped < quantity
    return found


def _verdict(order: dict, released: frozenset[str], is_open: bool | None) -> tuple[str, str]:
    status = order["status"]
    said = f"status {status} ({order['status_code']})"
    if order["fulfilled_by"] != "merchant":
        return "not_ours", "the marketplace fulfils this order itself"
    if status in released or (order["status_code"] in released - frozenset(STATUSES)):
        return ("plan", said) if is_open is not False else ("done", f"{said}, and every line is shipped already")
    if status in ("cancelled", "refunded"):
        return "cancelled", said
    if status in ("shipped", "completed"):
        return "done", said
    return "not_yet", f"{said} is not released"
