"""The demo's summary: what was carried, what is held, and what the judges found."""

from collections import Counter
from typing import Any

from connectors.house import House
from deployments import demo_checks, demo_checks_stock
from deployments.demo_checks import Books, Evidence, Found, asked
from deployments.demo_orders import Period

LISTED_MAX = 20
CHECKS = (*demo_checks.CHECKS, *demo_checks_stock.CHECKS)


def outcome(house: House, books: Books, period: Period, cancelled: set[int]) -> dict[str, Any]:
    """The demo's summary, as its JSON has it."""
    e = Evidence(house, books, period, cancelled)
    results = asked(CHECKS, e)
    eligible = [str(number) for number, order in e.orders.items() if e.goods(order)]
    sent = [order_id for order_id in eligible if e.references_of.get(order_id)]
    states = Counter(row.state for row in house.ledger.table("order_book").itertuples())
    opened = [row for row in e.exceptions if row.state == "open"]
    confirmations = [row for row in e.effects if row.kind == "dispatch_confirmation"]
    held_parcels = len(house.ledger.table("held_dispatch"))
    return {
        "file": period.counts,
        "orders": {"read": len(e.orders), "eligible": len(eligible), "sent": len(sent), "held": sum(1 for order_id in eligible if order_id not in sent and e.open_types(order_id)),
                   "cancelled_before_sending": sum(1 for order_id in eligible if order_id not in sent and not e.open_types(order_id)),
                   "nothing_to_ship": len(e.orders) - len(eligible), "non_stock_lines": sum(len(order["lines"]) - len(e.goods(order)) for order in e.orders.values()),
                   "by_state": dict(states)},
        "dispatches": {"advised": len(confirmations) + held_parcels, "confirmed": sum(row.state == "CONFIRMED" for row in confirmations), "held": held_parcels},
        "inventory": _inventory(e), "returns": _returns(e), "reconciliation": _reconciliation(e), "drift": {"found": 0, "by_cause": {}},
        "exceptions": {"open": len(opened), "by_type": dict(sorted(Counter(row.type for row in opened).items())),
                       "by_owner": dict(sorted(Counter(row.owner for row in opened).items())), "resolved": len(e.exceptions) - len(opened)},
        "checks": {name: _told(found) for name, found in results.items()},
    }


def add_drift(result: dict[str, Any], house: House, planted: dict[tuple[str, str], str]) -> None:
    """What drift_watch says after somebody meddled, and whether it found and named what was planted, with an exception for each."""
    rows = [row for row in house.ledger.table("drift").itertuples() if (row.ended_at != row.ended_at or row.ended_at is None) and row.cause != "late"]
    causes = {(row.about, row.record if row.about == "stock" else row.record.split(" ")[0]): row.cause for row in rows}
    opened = {row.record for row in house.ledger.exceptions.listed() if row.type in ("stock_drift", "status_drift", "tracking_drift")}
    found = Found()
    for (about, record), cause in planted.items():
        found.look(causes.get((about, record)) == cause and any(record.split(" ")[-1] in one for one in opened),
                   f"{about} {record}: planted {cause}, found {causes.get((about, record), 'nothing')}")
    result["drift"] = {"found": len(rows), "by_cause": dict(sorted(Counter(row.cause for row in rows).items()))}
    result["checks"]["planted_drift_is_found_and_named"] = _told(found)


def _told(found: Found) -> dict[str, Any]:
    return {"checked": found.checked, "violated": len(found.violated)} | ({"violations": found.violated[:LISTED_MAX]} if found.violated else {})


def _inventory(e: Evidence) -> dict[str, int]:
    """observed: SKU-locations that the storefront is told of; changed: figures that were decided anew after the first; sent: figures in confirmed updates."""
    desired = e.house.ledger.table("stock_desired")
    sent = [item["sku"] for row in e.effects if row.kind == "stock_update" and row.state == "CONFIRMED" for item in row.payload["items"]]
    return {"observed": len(desired), "changed": len(sent) - len(set(sent)), "sent": len(sent)}


def _returns(e: Evidence) -> dict[str, int]:
    """Lines that came back: refunded, held for a person (a refund that was refused or declined too), or closed without one (worth nothing by rule)."""
    lines = list(e.house.ledger.table("return_line").itertuples())
    refunds = {row.effect_id for row in e.effects if row.kind == "refund" and row.state == "CONFIRMED"}
    others = [row for row in lines if row.refund_effect not in refunds]
    held = sum(row.state in ("unmatched", "unexpected", "due") or bool(row.refund_effect) for row in others)
    closed = sum(bool(row.dues) and all(piece["closed"] for piece in row.dues) for row in others)
    return {"received": len(lines), "refunded": len(lines) - len(others), "held": held, "closed": closed}


def _reconciliation(e: Evidence) -> dict[str, Any]:
    """The statement of the demo's days: orders, those that agree, and differences that no open exception explains."""
    rows = e.house.ledger.table("reconciliation")
    open_minor = rows["difference_minor"] - rows["explained_minor"]
    return {"orders": len(rows), "matched": int((rows["verdict"] == "matched").sum()), "differences": int((open_minor != 0).sum()),
            "difference_minor": int(open_minor.abs().sum()), "by_verdict": {name: int(count) for name, count in sorted(Counter(rows["verdict"]).items())}}
