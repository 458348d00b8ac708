"""The orders of a period against what was paid, sent, given back and got back for them, to the cent. Frames in, frames out.

Every order placed in the period is in the statement once, under exactly one verdict (`contracts.reconciliation.VERDICTS`); the totals over
the verdicts are the totals of the orders, or the run stops. Orders of earlier periods are carried in when something was open at the beginning
or happened in the period, and whatever is open at the end is carried out. Where each amount goes: `order_value.py`; who owes whom: `account.py`.

A difference that is younger than `Patience` allows is no difference yet: the order is `in_progress`. A difference is explained when an
exception on somebody's desk accounts for it, or when a person has decided exactly this one; decided, it is closed and not carried out.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from contracts.exceptions import TYPES
from contracts.money import to_major
from contracts.orders import OrderLines, Orders
from contracts.reconciliation import DIFFERENCES, VERDICTS, AskedOf, Differences, DispatchedLines, OnDesk, Reconciled, ReturnedLines
from contracts.returns import Payments, Refunds
from tasks.rules.account import NOT_EXPECTED, Account, Events, account
from tasks.rules.order_value import OrderValue, order_value

Row = Mapping[str, Any]

HELD = ("sku_unknown", "sku_spelling", "unit_unmapped", "facility_unmapped", "ship_method_unmapped", "po_missing", "organisation_missing", "customs_missing",
        "address_missing", "record_unsound", "rejected_by_warehouse", "unacknowledged", "blocked_effect", "edited_after_export", "cancel_refused",
        "cutoff_at_risk", "line_unmatched", "advice_changed", "status_drift")
AFTER_A_RETURN = ("refund_declined", "return_rule_missing", "refund_over_cap", "return_unexpected", "rma_not_approved", "blocked_effect")
# which exceptions, open, account for a difference of this name: somebody is at it already
ACCOUNTED_FOR: dict[str, tuple[str, ...]] = {
    "over_shipped": ("over_shipped", "line_unmatched"), "shipped_not_paid": ("cancel_refused",), "paid_not_shipped": HELD,
    "refunded_not_returned": ("cancel_refused", "rma_not_approved", "refund_over_cap"), "returned_not_refunded": AFTER_A_RETURN, "refund_differs": AFTER_A_RETURN,
}
UNUSED = ("connection", "channel", "status_code", "fulfilled_by", "modified_at", "ship_by", "po_number", "organisation", "customer_group", "ship_group", "sku", "name", "unit",
          "unit_price_minor", "quantity_shipped", "is_gift", "gateway", "payment_id", "refund_id")
DECIDED = ("over_shipped",)  # closed by a person, these account for it too: that is where the decision was made


@dataclass(frozen=True)
class Period:
    """Half-open in UTC: since <= placed_at < until."""

    name: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Patience:
    """Days after which money without goods, or goods without money, is a difference and no longer on its way."""

    ship: int = 3
    pay: int = 2
    refund: int = 5
    come_back: int = 14

    @classmethod
    def of(cls, days: int | None) -> "Patience":
        """The same for everything; None: the usual ones."""
        return cls() if days is None else cls(days, days, days, days)


@dataclass(frozen=True)
class Books:
    """What is known of the orders of one storefront. `lines.is_shippable` must be false, too, for what non_stock.csv calls no goods."""

    orders: pd.DataFrame
    lines: pd.DataFrame
    payments: pd.DataFrame
    refunds: pd.DataFrame
    dispatched: pd.DataFrame
    returned: pd.DataFrame
    asked: pd.DataFrame
    on_desk: pd.DataFrame

    CONTRACTS = {"orders": Orders, "lines": OrderLines, "payments": Payments, "refunds": Refunds, "dispatched": DispatchedLines, "returned": ReturnedLines,
                 "asked": AskedOf, "on_desk": OnDesk}

    @classmethod
    def of(cls, **rows: Iterable[Row]) -> "Books":
        """From rows; what is left out is empty."""
        return cls(**{name: contract.frame(rows.get(name, ())) for name, contract in cls.CONTRACTS.items()})


@dataclass(frozen=True)
class Reconciliation:
    """The outcome. rows: Reconciled; differences: Differences; movements: how the open balance of each currency came about, one row a currency."""

    rows: pd.DataFrame
    differences: pd.DataFrame
    movements: list[dict[str, Any]]


def month(name: str) -> Period:
    """'2026-01' as a period. Raises ValueError."""
    if not re.fullmatch(r"[12][0-9]{3}-(0[1-9]|1[0-2])", name):
        raise ValueError(f"{name!r} is not a month as in '2026-01'")
    since = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
    return Period(name, since, (since + timedelta(days=31)).replace(day=1))


def between(first: datetime, until: datetime) -> Period:
    """Any other period of whole days, named after them ('20260105-20260112', the last day not in it). Raises ValueError."""
    if first >= until or any(moment != moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in (first, until)):
        raise ValueError("a period is from one midnight (UTC) to a later one")
    return Period(f"{first:%Y%m%d}-{until:%Y%m%d}", first, until)


def reconcile(books: Books, period: Period, as_of: datetime, patience: Patience | None = None) -> Reconciliation:
    """The period's orders, and those carried in, as they stood at its end (or as of now, when it is not over yet)."""
    world = _World(books, period, min(period.until, as_of), patience or Patience())
    judged = [judged for order in sorted(_rows(books.orders), key=lambda order: (order["placed_at"], order["order_id"])) if (judged := world.judge(order))]
    rows = Reconciled.sound(Reconciled.frame(row for row, _, _ in judged))
    differences = Differences.sound(Differences.frame(difference for _, differences, _ in judged for difference in differences))
    _assert_it_closes(books.orders, rows, period)
    return Reconciliation(rows, differences, _movements([moved for _, _, moved in judged]))


class _World:
    """The books indexed by order, at the end of a period."""

    def __init__(self, books: Books, period: Period, at: datetime, patience: Patience) -> None:
        self._period, self._at, self._patience = period, at, patience
        self._lines, self._asked, self._desk = _by_order(books.lines), _by_order(books.asked), _by_order(books.on_desk)
        self._events = {name: _by_order(getattr(books, name)) for name in (field.name for field in fields(Events))}

    def judge(self, order: Row) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]] | None:
        """(row, differences, movements); None when the order has no place in this period's statement."""
        if order["placed_at"] >= self._period.until:
            return None
        order_id, is_earlier = order["order_id"], order["placed_at"] < self._period.since
        value = order_value(order, self._lines.get(order_id, []))
        events = Events(**{name: found.get(order_id, []) for name, found in self._events.items()}).before(self._at)
        before = account(order, value, events.before(self._period.since) if is_earlier else Events())
        was_open = is_earlier and bool(before.named) and not self._closed(order, before, self._period.since)
        if is_earlier and not was_open and not events.any_since(self._period.since):
            return None
        now = account(order, value, events)
        young = self._young(order, now, events)
        differences = self._differences(order, value, now, young)
        is_out = bool(now.named) and not self._closed(order, now, self._at)
        row = self._row(order, now, differences, young, is_earlier, is_out)
        return row, differences, _moved(order, before, now, was_open, is_out)

    def _row(self, order: Row, now: Account, differences: list[dict[str, Any]], young: list[str], is_in: bool, is_out: bool) -> dict[str, Any]:
        named = [difference["name"] for difference in differences]
        return {
            **{name: order[name] for name in ("order_id", "placed_at", "status", "currency")}, "is_carried_in": is_in, "is_carried_out": is_out,
            "verdict": next((name for name in DIFFERENCES if name in named), "") or _agreeing(order, now, young), "ordered_minor": order["total_minor"],
            "paid_minor": now.paid, "dispatched_minor": now.dispatched, "refunded_minor": now.refunded, "returned_minor": now.returned,
            "deducted_minor": now.deducted, "balance_minor": now.balance,
            "difference_minor": sum(difference["amount_minor"] for difference in differences if not difference["explained_by"]),
            "explained_minor": sum(difference["amount_minor"] for difference in differences if difference["explained_by"]),
            "detail": "; ".join(f"{difference['name']} {to_major(difference['amount_minor'], order['currency'])}" for difference in differences)
                      or ", ".join(f"{name} {to_major(now.differences[name], order['currency'])}, not due yet" for name in young),
        }

    def _differences(self, order: Row, value: OrderValue, now: Account, young: list[str]) -> list[dict[str, Any]]:
        return [{"order_id": order["order_id"], "name": name, "amount_minor": now.differences[name], "currency": order["currency"],
                 "explained_by": self._explained(order, name, now.differences[name]), "detail": self._detail(order, value, now)}
                for name in DIFFERENCES if name in now.differences and name not in young]

    def _young(self, order: Row, now: Account, events: Events) -> list[str]:
        """Differences whose time has not come: what they wait for may still be on its way."""
        ages = {"paid_not_shipped": (self._patience.ship, max(order["placed_at"], events.latest("payments") or order["placed_at"])),
                "shipped_not_paid": (self._patience.pay, events.latest("dispatched")), "refunded_not_returned": (self._patience.come_back, events.latest("refunds")),
                "returned_not_refunded": (self._patience.refund, events.latest("returned")),
                "refund_differs": (self._patience.refund, events.latest("returned", "refunds"))}
        return [name for name in now.differences if name in ages and (since := ages[name][1]) and self._at - since < timedelta(days=ages[name][0])]

    def _explained(self, order: Row, name: str, amount: int) -> str:
        for row in self._desk.get(order["order_id"], []):
            if row["is_open"] and row["type"] in ACCOUNTED_FOR.get(name, ()):
                return f"{row['type']}, open with {row['owner']}"
            if not row["is_open"] and (row["cause"] == cause(name, amount, order["currency"]) or row["type"] == name and name in DECIDED):
                return f"{row['resolved_by']}: {row['reason']}"
        return ""

    def _closed(self, order: Row, found: Account, moment: datetime) -> bool:
        """Had a person decided every difference of this account by then?"""
        decided = {row["cause"] for row in self._desk.get(order["order_id"], []) if not row["is_open"] and row["resolved_at"] < moment}
        return bool(found.named) and all(cause(name, abs(amount), order["currency"]) in decided for name, amount in found.named.items())

    def _detail(self, order: Row, value: OrderValue, now: Account) -> str:
        amounts = {"ordered": value.total, "paid": now.paid, "sent": now.dispatched, "given back": now.refunded, "came back": now.returned}
        asked = [f"{row['reference']} at {row['warehouse']} ({row['state']})" for row in self._asked.get(order["order_id"], [])]
        told = ", ".join(f"{what} {to_major(amount, order['currency'])}" for what, amount in amounts.items() if amount or what in ("ordered", "paid"))
        missing = f"; its parts come to {to_major(value.total - value.missing, order['currency'])}" if value.missing else ""
        return f"{told}{missing}; {'asked as ' + ', '.join(asked) if asked else 'no warehouse was asked'}; the storefront says {order['status']}"


def cause(name: str, amount_minor: int, currency: str) -> str:
    """What makes a difference the same exception next time: another amount is another difference."""
    return f"{name if name in TYPES else 'reconciliation_difference'}:{name} {to_major(amount_minor, currency)} {currency}"


def _agreeing(order: Row, found: Account, young: list[str]) -> str:
    if young:
        return "in_progress"
    if order["status"] == "cancelled" and not found.dispatched:
        return "cancelled"
    if not found.is_moved and order["total_minor"] > 0:
        return "unpaid"
    is_part_sent = bool(found.dispatched) and not found.is_sent_whole and found.paid < order["total_minor"]
    return "in_progress" if is_part_sent and order["status"] not in NOT_EXPECTED else "matched"


def _moved(order: Row, before: Account, now: Account, was_open: bool, is_out: bool) -> dict[str, Any]:
    """The order's part in how the open balance came about. `decided`: what a person closed, so that nobody owes it any more."""
    opening = before.balance if was_open else 0
    moved = {name: getattr(now, name) - getattr(before, name) for name in ("paid", "refunded", "dispatched", "returned", "deducted")}
    came_to = opening + moved["paid"] - moved["refunded"] - moved["dispatched"] + moved["returned"] - moved["deducted"]
    closing = now.balance if is_out else 0
    return {"currency": order["currency"], "orders_out": int(is_out), "opening": opening, **moved, "decided": came_to - closing, "closing": closing}


def _movements(moved: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for one in moved:
        sums[one["currency"]].update({name: amount for name, amount in one.items() if name != "currency"})
    names = ("opening", "paid", "refunded", "dispatched", "returned", "deducted", "decided", "closing")
    return [{"currency": currency, "orders_out": sums[currency]["orders_out"], **{f"{name}_minor": sums[currency][name] for name in names}} for currency in sorted(sums)]


def _assert_it_closes(orders: pd.DataFrame, rows: pd.DataFrame, period: Period) -> None:
    """Every order placed in the period once, under one verdict, and its total counted once. Raises ArithmeticError."""
    placed = [row for row in _rows(orders) if period.since <= row["placed_at"] < period.until]
    told = [row for row in _rows(rows) if not row["is_carried_in"]]
    if sorted(row["order_id"] for row in placed) != sorted(row["order_id"] for row in told):
        raise ArithmeticError(f"{len(placed)} orders were placed in {period.name}, {len(told)} are in its statement")
    by_verdict: dict[str, Counter[str]] = {verdict: Counter() for verdict in VERDICTS}
    for row in told:
        by_verdict[row["verdict"]][row["currency"]] += row["ordered_minor"]
    ordered: Counter[str] = Counter()
    for row in placed:
        ordered[row["currency"]] += row["total_minor"]
    if any(sum(sums[currency] for sums in by_verdict.values()) != amount for currency, amount in ordered.items()):
        raise ArithmeticError(f"the verdicts of {period.name} do not add up to its orders")
    for row in _rows(rows):
        if row["paid_minor"] - row["refunded_minor"] - row["dispatched_minor"] + row["returned_minor"] - row["deducted_minor"] != row["balance_minor"]:
            raise ArithmeticError(f"order {row['order_id']}: its columns do not come to its balance")


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """As to_dict("records"), at a third of its cost; columns that are not looked at are left out."""
    names = [name for name in frame.columns if name not in UNUSED]
    return [dict(zip(names, values, strict=True)) for values in zip(*(frame[name].tolist() for name in names), strict=True)]


def _by_order(frame: pd.DataFrame) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(frame):
        found[row["order_id"]].append(row)
    return dict(found)
