"""A marketplace's month: what it earned us, what it paid out, and what it still holds, to the cent.

Every amount belongs to the day on which it was posted, so a settlement that straddles the month's end is divided there. Of each currency:

    held at the beginning + earned in the month - paid out in the month = held at the end
    held = kept back as reserve + posted and not paid out yet

A row posted before its settlement began stays where it was posted; one posted after its settlement was paid out belongs to the day of the payout.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.settled import HELD
from contracts.settlements import FINES, UNKNOWN
from tasks.rules.reconciliation import Period
from tasks.rules.reserve_chain import Link

Row = Mapping[str, Any]


@dataclass(frozen=True)
class CurrencyMonth:
    """One currency's month, amounts in minor units (`fine` is what is left below one; nearly always 0).

    brought: reserve that a settlement gave back and none before it had kept, or the other way round (a statement is missing). earned: {account: amount}; paid: rows {settlement_id, on, amount_minor, state}; parts: settlements divided by the month, rows {settlement_id, before, within, after}.
    differences: amounts of settlements whose rows are not their deposit, and of reserves that were not brought as they were held.
    """

    currency: str
    reserve_before: int
    unpaid_before: int
    earned: dict[str, int]
    paid: list[dict[str, Any]]
    reserve_after: int
    unpaid_after: int
    parts: list[dict[str, Any]]
    brought: int
    suspense: int
    unexplained: int
    fine: int
    differences: list[dict[str, Any]] = field(default_factory=list)

    @property
    def held_before(self) -> int:
        """What the marketplace held of ours when the month began."""
        return self.reserve_before + self.unpaid_before

    @property
    def held_after(self) -> int:
        """And when it ended."""
        return self.reserve_after + self.unpaid_after

    @property
    def total_earned(self) -> int:
        """All that was posted in the month, but what is only kept back or given back of it."""
        return sum(self.earned.values())

    @property
    def total_paid(self) -> int:
        """What was paid out; less what we had to pay."""
        return sum(row["amount_minor"] for row in self.paid)


def marketplace_month(heads: Iterable[Row], sums: Iterable[Row], links: Iterable[Link], period: Period) -> list[CurrencyMonth]:
    """One a currency in which anything was posted or paid by the period's end. Raises ArithmeticError when a month does not close: a bug of ours."""
    heads = list(heads)
    of_currency: dict[str, list[Row]] = defaultdict(list)
    for head in heads:
        of_currency[head["currency"]].append(head)
    by_settlement: dict[str, list[Row]] = defaultdict(list)
    for row in sums:
        by_settlement[row["settlement_id"]].append(row)
    links = list(links)
    months = [_month(currency, found, by_settlement, [link for link in links if link.currency == currency], period) for currency, found in sorted(of_currency.items())]
    return [month for month in months if month.paid or month.earned or month.held_before or month.held_after]


def _month(currency: str, heads: list[Row], sums: Mapping[str, list[Row]], links: list[Link], period: Period) -> CurrencyMonth:
    first, last = f"{period.since:%Y-%m-%d}", f"{period.until:%Y-%m-%d}"
    reserve, unpaid, earned, parts, paid = Counter(), Counter(), Counter(), [], []
    suspense = unexplained = fine = 0
    for head in heads:
        divided = Counter()
        paid_on = _day(head)
        for row in (row for row in sums[head["settlement_id"]] if row["currency"] == currency):  # what is in another one is no part of the sum, and is told as inconsistent
            day = min(row["posted_on"], paid_on)
            when = "before" if day < first else "within" if day < last else "after"
            divided[when] += row["amount_minor"]
            if row["category"] in HELD:
                reserve[when] -= row["amount_minor"]
            elif when == "within":
                earned[row["account"]] += row["amount_minor"]
                suspense += row["amount_minor"] if row["level"] == UNKNOWN else 0
                unexplained += row["amount_minor"] if not row["is_explained"] and row["level"] != UNKNOWN else 0
            fine += row["amount_fine"]
        when_paid = "before" if paid_on < first else "within" if paid_on < last else "after"
        total = sum(divided.values())
        for when in ("before", "within"):
            unpaid[when] += divided[when] - (total if when_paid == when else 0)
        if when_paid == "within":
            paid.append({"settlement_id": head["settlement_id"], "on": paid_on, "amount_minor": total, "stated_minor": head["deposit_minor"], "state": head["state"]})
        if sum(bool(divided[when]) for when in divided) > 1 or when_paid == "within" or divided["within"]:
            parts.append({"settlement_id": head["settlement_id"], "paid_on": paid_on, "total": total} | {when: divided[when] for when in ("before", "within", "after")})
    reserve = _with_what_was_brought(reserve, links, heads, first, last)
    found = CurrencyMonth(currency, reserve["before"], unpaid["before"], {account: earned[account] for account in sorted(earned)}, sorted(paid, key=lambda row: (row["on"], row["settlement_id"])),
                          reserve["before"] + reserve["within"], unpaid["before"] + unpaid["within"], sorted(parts, key=lambda row: (row["paid_on"], row["settlement_id"])),
                          reserve["brought"], suspense, unexplained, fine % FINES, _differences(heads, links))
    if found.held_before + found.total_earned + found.brought - found.total_paid != found.held_after:
        raise ArithmeticError(f"{currency} of {period.name}: held, earned and paid do not come to what is held at the end")
    return found


def _with_what_was_brought(reserve: Counter, links: list[Link], heads: list[Row], first: str, last: str) -> Counter:
    """A reserve that was held in a settlement we never saw was held all along: it is ours from the beginning, or, where a chain is broken, from that day on."""
    began = {head["settlement_id"]: f"{head['started_at']:%Y-%m-%d}" for head in heads if head["started_at"]}
    for link in links:
        if link.verdict == "first" or link.difference_minor:
            amount = link.brought_minor if link.verdict == "first" else link.difference_minor
            when = "before" if link.verdict == "first" or began[link.settlement_id] < first else "within" if began[link.settlement_id] < last else "after"
            reserve[when] += amount
            reserve["brought"] += amount if when == "within" else 0
    return reserve


def _differences(heads: list[Row], links: list[Link]) -> list[dict[str, Any]]:
    found = [{"settlement_id": head["settlement_id"], "what": "its rows are not its deposit", "amount_minor": head["sum_minor"] - head["deposit_minor"]}
             for head in heads if head["has_deposit"] and (head["sum_minor"], head["sum_fine"]) != (head["deposit_minor"], head["deposit_fine"])]
    return found + [{"settlement_id": link.settlement_id, "what": f"it brings another reserve than {link.previous} held" + (", and a settlement between them is missing" if link.verdict == "missing" else ""),
                     "amount_minor": link.difference_minor} for link in links if link.difference_minor]


def _day(head: Row) -> str:
    """When it was paid out: the deposit's date; where the file has none, its end."""
    at: datetime | None = head["deposit_at"] or head["ended_at"] or head["made_at"]
    return f"{at:%Y-%m-%d}"
