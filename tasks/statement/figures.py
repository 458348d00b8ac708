"""The figures of a statement, ready to be shown: sums by currency and verdict, differences by name with their orders. Integers in, text out."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from contracts.exceptions import TYPES
from contracts.money import to_major
from contracts.reconciliation import AGREEING, DIFFERENCES, VERDICTS
from tasks.rules.reconciliation import Period, Reconciliation
from tasks.statement.marketplace import MarketplaceMonth

AMOUNTS = ("ordered", "paid", "dispatched", "refunded", "returned", "deducted", "balance", "difference", "explained")
MEANS = DIFFERENCES | {
    "matched": "Paid for and sent, refunds and returns agree.", "in_progress": "On its way: too young to be a difference.",
    "unpaid": "Nothing paid and nothing sent.", "cancelled": "Cancelled; nothing was sent.",
}


@dataclass(frozen=True)
class Statement:
    """Everything that a statement says. open_exceptions: rows {type, owner, open, oldest}; sources: what it was made from, {what: how many or when}."""

    connection: str
    warehouse: str
    period: Period
    found: Reconciliation
    open_exceptions: list[dict[str, Any]]
    sources: dict[str, str]
    made_at: datetime
    made_by: str
    marketplace: MarketplaceMonth | None = None

    @property
    def is_over(self) -> bool:
        """Is the period over, so that its statement can be final?"""
        return self.made_at >= self.period.until


def money(minor: int, currency: str) -> str:
    """123450, 'GBP' -> '1,234.50'; negative amounts with a real minus."""
    return f"{Decimal(to_major(minor, currency)):,}".replace("-", "\u2212")


def summary(found: Reconciliation) -> dict[str, Any]:
    """The outcome for a program. A difference that is explained is not counted as one; amounts of several currencies are not added up."""
    rows = found.rows.to_dict("records")
    unexplained = Counter({row["currency"]: 0 for row in rows})
    for row in found.differences.to_dict("records"):
        if not row["explained_by"]:
            unexplained[row["currency"]] += row["amount_minor"]
    named = [row for row in found.differences.to_dict("records") if not row["explained_by"]]
    owed = {currency: amount for currency, amount in unexplained.items() if amount}
    return {
        "orders": len(rows), "matched": sum(row["verdict"] == "matched" for row in rows), "differences": len(named),
        "difference_minor": sum(owed.values()) if len(owed) < 2 else None, "difference_minor_by_currency": dict(sorted(unexplained.items())),
        "explained": len(found.differences) - len(named), "carried_in": sum(row["is_carried_in"] for row in rows), "carried_out": sum(row["is_carried_out"] for row in rows),
        "by_verdict": {verdict: count for verdict in VERDICTS if (count := sum(row["verdict"] == verdict for row in rows))},
    }


def by_verdict(found: Reconciliation) -> list[dict[str, Any]]:
    """One table a currency: {currency, rows: [{verdict, means, orders, ordered, paid …}], total}, in minor units. The total is that of the orders."""
    tables: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in found.rows.to_dict("records"):
        counted = {"orders": 1} | {name: row[f"{name}_minor"] for name in AMOUNTS}
        tables[row["currency"]][row["verdict"]].update(counted)
        tables[row["currency"]][""].update(counted)
    return [{"currency": currency, "rows": [_line(verdict, sums[verdict]) for verdict in (*AGREEING, *DIFFERENCES) if verdict in sums], "total": _line("", sums[""])}
            for currency, sums in sorted(tables.items())]


def _line(verdict: str, sums: Counter[str]) -> dict[str, Any]:
    return {"verdict": verdict, "means": MEANS.get(verdict, "")} | {name: sums[name] for name in ("orders", *AMOUNTS)}


def by_difference(found: Reconciliation) -> list[dict[str, Any]]:
    """Differences by name and currency, the gravest first: {name, means, currency, count, amount, rows}; unexplained rows stand before explained ones."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in found.differences.to_dict("records"):
        groups[row["name"], row["currency"]].append(row)
    return [{"name": name, "means": DIFFERENCES[name], "currency": currency, "count": len(rows), "owner": TYPES[_type(name)].owner,
             "amount": sum(row["amount_minor"] for row in rows), "unexplained": sum(not row["explained_by"] for row in rows),
             "rows": sorted(rows, key=lambda row: (bool(row["explained_by"]), -row["amount_minor"], row["order_id"]))}
            for (name, currency), rows in sorted(groups.items(), key=lambda item: (list(DIFFERENCES).index(item[0][0]), item[0][1]))]


def movements(found: Reconciliation) -> list[dict[str, Any]]:
    """How the open balance came about, a currency each: {currency, orders_out, steps: [{what, amount}]}, in the order in which they are added up."""
    return [{"currency": row["currency"], "orders_out": row["orders_out"], "steps": [
        {"what": what, "minor": sign * row[f"{name}_minor"], "is_sum": name in ("opening", "closing")}
        for what, name, sign in STEPS]} for row in found.movements]


STEPS = (("Open at the beginning", "opening", 1), ("Paid by customers", "paid", 1), ("Goods sent, at what the customer was charged", "dispatched", -1),
         ("Given back to customers", "refunded", -1), ("Goods that came back, at what the customer was charged", "returned", 1),
         ("Kept by return rules, less postage given back", "deducted", -1), ("Closed by a person's decision", "decided", -1), ("Open at the end", "closing", 1))


def _type(name: str) -> str:
    return name if name in TYPES else "reconciliation_difference"
