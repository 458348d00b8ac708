"""One order's account as it stood at a moment: what was charged, paid, sent, given back and got back, and what does not agree.

Everything counts by the date on which it happened, whichever period the order is of: a refund in March for an order of February is in
February's statement nowhere, and in March's as a movement of an order that was carried in.

    claim   = dispatched - (returned - deducted)        what the customer has to pay for
    kept    = paid - refunded                           what the customer has paid
    balance = kept - claim                              > 0: we owe goods or money; < 0: the customer does

A refund is laid against what came back first, then against what was paid for and never sent; what is left of it went out for goods that the
customer still has. An order without goods (digital) is delivered by the storefront itself, as far as it is paid.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tasks.rules.order_value import OrderValue, first_units

Row = Mapping[str, Any]
TAKEN = ("capture", "purchase")
NOT_EXPECTED = ("cancelled", "refunded")  # statuses after which nobody waits for goods


@dataclass
class Events:
    """What happened to one order, in any order: rows of the contracts Payments, Refunds, DispatchedLines and ReturnedLines."""

    payments: list[Row] = field(default_factory=list)
    refunds: list[Row] = field(default_factory=list)
    dispatched: list[Row] = field(default_factory=list)
    returned: list[Row] = field(default_factory=list)

    def before(self, moment: datetime) -> "Events":
        """Those that had happened by then."""
        return Events(_before(self.payments, "occurred_at", moment), _before(self.refunds, "created_at", moment),
                      _before(self.dispatched, "shipped_at", moment), _before(self.returned, "received_at", moment))

    def split(self, currency: str) -> tuple[bool, "Events"]:
        """(is any money in another currency?, the events without it): currencies are never added."""
        own = [[row for row in rows if row["currency"] == currency] for rows in (self.payments, self.refunds)]
        return len(own[0]) < len(self.payments) or len(own[1]) < len(self.refunds), Events(*own, self.dispatched, self.returned)

    def any_since(self, moment: datetime) -> bool:
        """Did anything happen from then on?"""
        return any(row[name] >= moment for _, rows, name in _dated(self) for row in rows)

    def latest(self, *kinds: str) -> datetime | None:
        """When the last of these kinds ('payments', 'refunds' …) happened."""
        return max((row[name] for kind, rows, name in _dated(self) if kind in kinds for row in rows), default=None)


@dataclass(frozen=True)
class Account:
    """The sums, and what they come to. `named`: the differences; > 0: we owe the customer, < 0: the customer us. `apart`: what is wrong besides."""

    paid: int
    refunded: int
    dispatched: int
    returned: int
    deducted: int
    named: dict[str, int]
    apart: dict[str, int]
    is_moved: bool
    is_sent_whole: bool

    @property
    def balance(self) -> int:
        """> 0: we owe the customer; < 0: the customer owes us."""
        return self.paid - self.refunded - self.dispatched + self.returned - self.deducted

    @property
    def differences(self) -> dict[str, int]:
        """All of them, without sign."""
        return {name: abs(amount) for name, amount in (self.apart | self.named).items()}


def account(order: Row, value: OrderValue, events: Events) -> Account:
    """The order's account of these events. Raises ArithmeticError when the differences named do not come to the balance: a bug of ours."""
    foreign, events = events.split(order["currency"])
    paid = sum(row["amount_minor"] for row in events.payments if row["is_settled"] and row["kind"] in TAKEN)
    refunded = _refunded(events)
    sent, too_many = _units(value, events.dispatched)
    dispatched = _dispatched(value, events, sent, paid - refunded)
    returned, due = _returned(value, events.returned, sent, refunded, max(paid - dispatched, 0))
    named = _owed(value.total - dispatched, paid, refunded, dispatched, due)
    if _free_units_wait(order, value, sent, paid, refunded):
        named.setdefault("paid_not_shipped", 0)
    found = Account(paid, refunded, dispatched, returned, returned - due, named, _apart(value, foreign or value.is_mixed, too_many),
                    bool(paid or refunded or dispatched or returned or any(sent.values())), all(sent[line_id] == line.quantity for line_id, line in value.goods.items()))
    if sum(named.values()) != found.balance:
        raise ArithmeticError(f"order {order['order_id']}: {named} does not come to the balance {found.balance}")
    return found


def _refunded(events: Events) -> int:
    """The storefront tells of a refund twice, as a refund and as a movement of money; some are only in one of the two. The greater sum holds both."""
    refunds = sum(row["amount_minor"] for row in events.refunds if not row["is_declined"])
    moved = sum(row["amount_minor"] for row in events.payments if row["is_settled"] and row["kind"] == "refund")
    return max(refunds, moved)


def _units(value: OrderValue, rows: Iterable[Row]) -> tuple[dict[str, int], dict[str, int]]:
    """({line: units that left, as many as were ordered}, {line: units beyond})."""
    left = dict.fromkeys(value.goods, 0)
    for row in rows:
        if row["line_id"] in left:
            left[row["line_id"]] += row["quantity"]
    sent = {line_id: min(units, value.goods[line_id].quantity) for line_id, units in left.items()}
    return sent, {line_id: units - sent[line_id] for line_id, units in left.items() if units > sent[line_id]}


def _dispatched(value: OrderValue, events: Events, sent: Mapping[str, int], kept: int) -> int:
    if not value.goods:
        return min(max(kept, 0), max(value.total, 0))
    if not any(sent.values()):
        return 0
    services_back = sum(row["amount_minor"] for row in events.refunds if row["line_id"] and row["line_id"] not in value.goods and not row["is_declined"])
    rest = value.rest - min(services_back, max(value.rest, 0))
    return rest + sum(first_units(line.value, sent[line_id], line.quantity) for line_id, line in value.goods.items())


def _returned(value: OrderValue, rows: Iterable[Row], sent: Mapping[str, int], refunded: int, unsent: int) -> tuple[int, int]:
    """(what was charged for the goods that came back, how much of it is to be given back).

    A part of a line has a fair value only to the cent, and a share of a tax on top only between none and all of it; and whoever sends everything
    back may get the postage too; what a person has decided is right. Where the refund lies within what is fair, it is right; else our own share of it is what is due.
    """
    worth = least = most = nominal = 0
    units = dict.fromkeys(value.goods, 0)
    is_exact = True
    for row in sorted(rows, key=lambda row: (row["received_at"], row["document_id"], row["line_id"], row["quantity"], row["refund_percent"], row["is_decided"])):
        line, before = value.goods.get(row["line_id"]), units.get(row["line_id"], 0)
        if line is None or before == sent[row["line_id"]]:
            continue
        after = units[row["line_id"]] = min(before + row["quantity"], sent[row["line_id"]])
        percent, count = row["refund_percent"], after - before
        part = first_units(line.value, after, line.quantity) - first_units(line.value, before, line.quantity)
        is_exact = is_exact and percent == 100 and not row["is_decided"]
        worth += part
        nominal += (part * percent + 50) // 100
        if row["is_decided"]:
            most += part
            continue
        net = line.value - line.tax
        least += net * count // line.quantity * percent // 100
        most += -(-(-(-net * count // line.quantity)) * percent // 100)
    most += value.tax if worth else 0
    if is_exact and units and all(units[line_id] == line.quantity for line_id, line in value.goods.items()):
        least, most = worth, worth + max(value.rest, 0)
    return worth, next((amount for amount in (refunded, refunded - unsent) if least <= amount <= most), nominal)


def _owed(unsent_value: int, paid: int, refunded: int, dispatched: int, due: int) -> dict[str, int]:
    """Who owes whom, by name: what came back was perhaps never paid for; a refund is for what came back, then for what was never sent, then for nothing."""
    unpaid, early = max(dispatched - paid, 0), max(paid - dispatched, 0)
    of_unpaid = min(due, unpaid)
    unpaid, due = unpaid - of_unpaid, due - of_unpaid
    for_returned = min(refunded, due)
    for_unsent = min(refunded - for_returned, early)
    too_much, too_little, early = refunded - for_returned - for_unsent, due - for_returned, early - for_unsent
    unshipped = min(early, max(unsent_value, 0))
    found = {"shipped_not_paid": -unpaid, "paid_not_shipped": unshipped, "overpaid": early - unshipped,
             "refunded_not_returned": 0 if due else -too_much, "returned_not_refunded": 0 if for_returned else too_little,
             "refund_differs": (too_little if for_returned else 0) - (too_much if due else 0)}
    return {name: amount for name, amount in found.items() if amount}


def _free_units_wait(order: Row, value: OrderValue, sent: Mapping[str, int], paid: int, refunded: int) -> bool:
    """Do goods that cost nothing (a gift, a sample) still have to leave? No money would tell."""
    is_expected = order["status"] not in NOT_EXPECTED and paid >= value.total and (paid > refunded or value.total <= 0)
    return is_expected and any(not line.value and sent[line_id] < line.quantity for line_id, line in value.goods.items())


def _apart(value: OrderValue, is_mixed: bool, too_many: Mapping[str, int]) -> dict[str, int]:
    """What is wrong whoever owes whom; amounts without sign. Another currency has none: it cannot be counted in the order's."""
    found = {"currency_mixed": 0} if is_mixed else {}
    if value.missing:
        found["totals_do_not_add"] = abs(value.missing)
    if too_many:
        found["over_shipped"] = sum(value.goods[line_id].value * units // value.goods[line_id].quantity for line_id, units in too_many.items())
    return found


def _before(rows: list[Row], name: str, moment: datetime) -> list[Row]:
    return [row for row in rows if row[name] < moment]


def _dated(events: Events) -> tuple[tuple[str, list[Row], str], ...]:
    return (("payments", events.payments, "occurred_at"), ("refunds", events.refunds, "created_at"),
            ("dispatched", events.dispatched, "shipped_at"), ("returned", events.returned, "received_at"))
