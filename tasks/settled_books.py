"""A marketplace's settlements as the money in a storefront's books, and its month for the statement."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.house import House
from connectors.ledger.ledger import Row, Tx
from contracts.exceptions import Finding
from contracts.money import to_major
from contracts.settled import MARKETPLACE
from contracts.settlements import UNKNOWN
from tasks.rules.marketplace_books import CHARGED, payments, refunds, strangers
from tasks.rules.marketplace_month import CurrencyMonth, marketplace_month
from tasks.rules.reconciliation import Patience, Period, cause
from tasks.rules.settlements import TEXTS
from tasks.settlement_watch import chain
from tasks.settlements import settles

PATIENT = Patience(ship=3, pay=35, refund=14, come_back=45)  # a marketplace settles a fortnight's orders, some only after their delivery


@dataclass(frozen=True)
class MarketplaceMonth:
    """What a statement says of a marketplace. journal: rows {settlement_id, account, category, level, currency, amount_minor}, the deposit against them included.

    suspense: rows {kind, settlement_id, currency, rows, amount_minor}; open: orders shipped and not settled, {order_id, currency, amount_minor, shipped_at};
    elsewhere: {currency, orders, charged_minor, net_minor} of orders that the marketplace shipped itself.
    """

    months: list[CurrencyMonth]
    journal: list[dict[str, Any]]
    suspense: list[dict[str, Any]]
    open: list[dict[str, Any]]
    elsewhere: list[dict[str, Any]]
    settled_until: datetime | None


def patience_of(opened: House, storefront: str, days: int | None) -> Patience:
    """The days that a person asked for; else those of the connection's settings, over what is usual for a storefront of its kind."""
    if days is not None:
        return Patience.of(days)
    usual = PATIENT if settles(opened, storefront) else Patience()
    return Patience(**vars(usual) | opened.settings(storefront).patience_days)


def money(opened: House, tx: Tx, storefront: str, concerned: Any, shown: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]] | None:
    """(payments, refunds) of these orders by the settlements; None for a storefront that is no marketplace."""
    if settles(opened, storefront) is None:
        return None
    items = [dict(row._mapping) for row in opened.ledger.settlements.items(tx, storefront, concerned)]
    return list(payments(storefront, items)), list(refunds(storefront, items, shown))


def unknown_orders(opened: House, tx: Tx, storefront: str, as_of: datetime, patience: Patience) -> Iterator[Finding]:
    """Orders that a settlement paid us for and that the storefront never told us of: paid, and not shipped by us."""
    known = opened.ledger.reconciliations.known_orders(storefront)
    since = opened.ledger.reconciliations.first_placed(tx, storefront)
    items = [dict(row._mapping) for row in opened.ledger.settlements.orders_outside(tx, storefront, known)]
    for one in strangers(items, since, as_of):
        if (as_of - one["posted_at"]).days >= patience.ship:
            detail = f"settled in {', '.join(one['settlements'])}, and {storefront} never told us of this order"
            yield Finding("paid_not_shipped", storefront, one["order_id"], cause("paid_not_shipped", one["amount_minor"], one["currency"]), {
                "difference": "paid_not_shipped", "amount_minor": one["amount_minor"], "currency": one["currency"], "detail": detail})


def marketplace_statement(opened: House, storefront: str, period: Period, orders: list[dict[str, Any]]) -> MarketplaceMonth | None:
    """The marketplace's month; None for a storefront that is none. orders: rows of the contract Reconciled, for what is shipped and not settled."""
    if settles(opened, storefront) is None:
        return None
    with opened.ledger.transaction() as tx:
        heads, sums = opened.ledger.settlements.heads(tx, storefront), opened.ledger.settlements.sums(tx, storefront)
        items = opened.ledger.settlements.items(tx, storefront)
    known = [head._mapping for head in heads]
    months = marketplace_month(known, (row._mapping for row in sums), chain(heads, sums), period)
    paid = {row["settlement_id"] for month in months for row in month.paid}
    return MarketplaceMonth(months, _journal([head for head in heads if head.settlement_id in paid], sums), list(_suspense(sums, period)), list(_open(orders)),
                            _elsewhere(items, period), max((head.ended_at for head in heads if head.ended_at), default=None))


def _journal(heads: list[Row], sums: list[Row]) -> list[dict[str, Any]]:
    """Each settlement's amounts by account, the payout against them, and what is missing at the source: every settlement's lines sum to nothing."""
    amounts: dict[tuple[str, ...], int] = {}
    currencies = {head.settlement_id: head.currency for head in heads}
    for row in sums:
        if row.settlement_id in currencies:
            key = row.settlement_id, row.account, row.category, row.level
            amounts[key] = amounts.get(key, 0) + row.amount_minor
    for head in heads:
        amounts[head.settlement_id, "Deposit", "deposit", "balance"] = -head.deposit_minor
        if head.sum_minor != head.deposit_minor:
            amounts[head.settlement_id, "Difference at the source", "difference", "balance"] = head.deposit_minor - head.sum_minor
    return [{"settlement_id": key[0], "account": key[1], "category": key[2], "level": key[3], "currency": currencies[key[0]], "amount_minor": amount}
            for key, amount in sorted(amounts.items())]


def _suspense(sums: list[Row], period: Period) -> Iterator[dict[str, Any]]:
    found: dict[tuple[str, ...], list[int]] = {}
    for row in sums:
        if (row.level == UNKNOWN or not row.is_explained) and f"{period.since:%Y-%m-%d}" <= row.posted_on < f"{period.until:%Y-%m-%d}":
            one = found.setdefault((" / ".join(getattr(row, name) for name in TEXTS), row.settlement_id, row.currency, "not known" if row.level == UNKNOWN else "names no order"), [0, 0])
            one[0] += row.rows
            one[1] += row.amount_minor
    for (kind, settlement_id, currency, why), (rows, amount) in sorted(found.items()):
        yield {"kind": kind, "settlement_id": settlement_id, "currency": currency, "why": why, "rows": rows, "amount_minor": amount}


def _open(orders: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Shipped, and not (or not all) settled by the period's end."""
    for row in orders:
        missing = row["dispatched_minor"] - row["returned_minor"] + row["deducted_minor"] - (row["paid_minor"] - row["refunded_minor"])
        if row["dispatched_minor"] > row["paid_minor"] and missing > 0:
            yield {"order_id": row["order_id"], "placed_at": row["placed_at"], "currency": row["currency"], "verdict": row["verdict"], "amount_minor": missing}


def _elsewhere(items: list[Row], period: Period) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in items:
        if row.fulfilment == MARKETPLACE and period.since <= row.first_posted_at < period.until:
            one = found.setdefault(row.currency, {"currency": row.currency, "orders": set(), "charged_minor": 0, "net_minor": 0})
            one["orders"].add(row.order_id)
            one["charged_minor"] += sum(getattr(row, name) for name in CHARGED)
            one["net_minor"] += row.net_minor
    return [one | {"orders": len(one["orders"])} for _, one in sorted(found.items())]


def told(month: MarketplaceMonth) -> dict[str, Any]:
    """For a program: amounts in major units, a currency each."""
    return {one.currency: {"held_before": to_major(one.held_before, one.currency), "earned": to_major(one.total_earned, one.currency),
                           "paid_out": to_major(one.total_paid, one.currency), "held_after": to_major(one.held_after, one.currency),
                           "suspense": to_major(one.suspense, one.currency), "unexplained": to_major(one.unexplained, one.currency)} for one in month.months}
