"""A marketplace's settlements as the money of orders: what each customer paid and got back, in rows that the reconciliation of any storefront takes.

What a customer paid for an order is its price, postage and taxes less promotions, whatever the marketplace keeps of it. A refund that the storefront shows and no
settlement has yet counts as well; a payment counts only when a settlement has it: shipped and not yet settled is what a month-end must show as open.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contracts.settled import MARKETPLACE

Row = Mapping[str, Any]
CHARGED = ("principal_minor", "shipping_minor", "tax_minor", "promotion_minor")


def payments(connection: str, items: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Rows of the contract Payments: one a settlement and order that it charged for; what a chargeback that was won brought back counts as a payment."""
    charged: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in items:
        charged[row["settlement_id"], row["order_id"], row["currency"]].append(row)
    for (settlement_id, order_id, currency), rows in charged.items():
        amount = sum(row[name] for row in rows for name in CHARGED) + max(sum(row["refunded_minor"] for row in rows), 0)
        if amount > 0:
            yield {"connection": connection, "order_id": order_id, "payment_id": f"{settlement_id}/{order_id}", "kind": "capture", "amount_minor": amount, "currency": currency,
                   "is_settled": True, "gateway": "settlement", "occurred_at": min(row["first_posted_at"] for row in rows)}


def refunds(connection: str, items: Iterable[Row], shown: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Rows of the contract Refunds: what settlements gave back, and of what the storefront shows (`shown`) that which is more."""
    settled: Counter[tuple[str, str, str]] = Counter()
    for row in items:
        back = -row["refunded_minor"] - min(sum(row[name] for name in CHARGED), 0)
        if back > 0:
            settled[row["order_id"], row["line_id"], row["currency"]] += back
            settled[row["order_id"], "", row["currency"]] += back if row["line_id"] else 0
            yield _refund(connection, row["order_id"], row["line_id"], f"settlement {row['settlement_id']}", back, row["currency"], row["refunded_at"] or row["last_posted_at"])
    for row in sorted((row for row in shown if not row["is_declined"]), key=lambda row: (row["created_at"], row["refund_id"], row["line_id"])):
        key = row["order_id"], row["line_id"], row["currency"]
        known = min(settled[key], row["amount_minor"])
        settled[key] -= known
        if row["amount_minor"] > known:
            yield _refund(connection, row["order_id"], row["line_id"], row["refund_id"], row["amount_minor"] - known, row["currency"], row["created_at"])


def _refund(connection: str, order_id: str, line_id: str, refund_id: str, amount: int, currency: str, at: Any) -> dict[str, Any]:
    return {"connection": connection, "order_id": order_id, "refund_id": refund_id, "line_id": line_id, "quantity": 0, "amount_minor": amount, "currency": currency,
            "is_declined": False, "reason": "", "created_at": at}


def strangers(items: Iterable[Row], since: Any, as_of: Any) -> list[dict[str, Any]]:
    """Orders that a settlement charged for, that we were to ship by its own word or do not know who was, and that the order book does not have.

    Only those posted from `since` on: before, there was no order book. What the marketplace ships itself it explains itself.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in items:
        amount = sum(row[name] for name in CHARGED)
        if row["fulfilment"] == MARKETPLACE or amount <= 0 or not since or not since <= row["first_posted_at"] < as_of:
            continue
        one = found.setdefault((row["order_id"], row["currency"]), {"order_id": row["order_id"], "currency": row["currency"], "amount_minor": 0, "settlements": set(),
                                                                   "posted_at": row["first_posted_at"]})
        one["amount_minor"] += amount
        one["settlements"].add(row["settlement_id"])
        one["posted_at"] = max(one["posted_at"], row["first_posted_at"])
    return [one | {"settlements": sorted(one["settlements"])} for _, one in sorted(found.items())]
