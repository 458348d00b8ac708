"""The part of a statement that is about a marketplace: what it held, earned and paid out, its settlements, and what of them nobody can explain."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from contracts.money import to_major
from tasks.rules.marketplace_month import CurrencyMonth

JOURNAL_COLUMNS = ("settlement_id", "account", "category", "level", "currency", "amount")
PART_COLUMNS = ("settlement_id", "paid_on", "currency", "total", "before", "within", "after")
SUSPENSE_COLUMNS = ("kind", "settlement_id", "why", "currency", "rows", "amount")
OPEN_COLUMNS = ("order_id", "placed_at", "verdict", "currency", "amount")
HELD_COLUMNS = ("currency", "step", "amount")


@dataclass(frozen=True)
class MarketplaceMonth:
    """What a statement says of a marketplace. journal: rows {settlement_id, account, category, level, currency, amount_minor}, the deposit against them included.

    suspense: rows {kind, settlement_id, why, currency, rows, amount_minor}; open: orders shipped and not settled, {order_id, placed_at, verdict, currency,
    amount_minor}; elsewhere: {currency, orders, charged_minor, net_minor} of orders that the marketplace shipped itself. settled_until: the last settlement's end.
    """

    months: list[CurrencyMonth]
    journal: list[dict[str, Any]]
    suspense: list[dict[str, Any]]
    open: list[dict[str, Any]]
    elsewhere: list[dict[str, Any]]
    settled_until: datetime | None

    @property
    def is_explained(self) -> bool:
        """Is every amount posted in the month known, and does every settlement add up?"""
        return not self.suspense and not any(month.differences for month in self.months)


def held_steps(month: CurrencyMonth) -> list[dict[str, Any]]:
    """How what the marketplace holds came about, in the order in which it is added up: {what, minor, is_sum}. The sums are part of no addition."""
    steps = [("Held at the beginning", month.held_before, True), *((account, amount, False) for account, amount in month.earned.items())]
    steps += [("Reserve given back that no settlement had kept", month.brought, False)] if month.brought else []
    steps += [("Paid out", -month.total_paid, False), ("Held at the end", month.held_after, True)]
    return [{"what": what, "minor": minor, "is_sum": is_sum} for what, minor, is_sum in steps]


def held_rows(market: MarketplaceMonth) -> list[dict[str, Any]]:
    """The same for a sheet, with what is kept back as reserve told apart."""
    return [{"currency": month.currency, "step": what, "amount": _major(minor, month.currency)} for month in market.months
            for what, minor in (*((step["what"], step["minor"]) for step in held_steps(month)), ("of it reserve at the beginning", month.reserve_before),
                                ("of it not paid out at the beginning", month.unpaid_before), ("of it reserve at the end", month.reserve_after),
                                ("of it not paid out at the end", month.unpaid_after))]


def part_rows(market: MarketplaceMonth) -> list[dict[str, Any]]:
    """One row a settlement that has to do with the month, divided by it."""
    return [{"settlement_id": row["settlement_id"], "paid_on": row["paid_on"], "currency": month.currency,
             **{name: _major(row[name], month.currency) for name in ("total", "before", "within", "after")}} for month in market.months for row in month.parts]


def journal_rows(market: MarketplaceMonth) -> list[dict[str, Any]]:
    """One row an account of a settlement that was paid out in the month; a settlement's rows sum to nothing."""
    return [_with_amount(row) for row in market.journal]


def suspense_rows(market: MarketplaceMonth) -> list[dict[str, Any]]:
    """One row a kind of amount that nobody knows, or that names no order."""
    return [_with_amount(row) for row in market.suspense]


def open_rows(market: MarketplaceMonth) -> list[dict[str, Any]]:
    """One row an order that was shipped and is not settled."""
    return [_with_amount(row) | {"placed_at": f"{row['placed_at']:%Y-%m-%dT%H:%M:%SZ}"} for row in market.open]


def _with_amount(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "amount_minor"} | {"amount": _major(row["amount_minor"], row["currency"])}


def _major(minor: int, currency: str) -> Decimal:
    return Decimal(to_major(minor, currency))
