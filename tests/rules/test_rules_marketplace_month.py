"""A marketplace's month closes to the cent, however settlements straddle it; and a reserve that is kept back must come back."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from contracts.settled import HELD
from tasks.rules.marketplace_month import CurrencyMonth, marketplace_month
from tasks.rules.reconciliation import month
from tasks.rules.reserve_chain import reserve_chain
from tasks.rules.settlements import Types, attributed, sums
from tests.settlements.amounts import BEGAN, SHOP, Statement, row, sale

JANUARY, FEBRUARY = month("2026-01"), month("2026-02")


def _heads(statements: list[Statement]) -> list[dict[str, Any]]:
    heads = [one.heads().to_dict("records")[0] for one in statements]
    return [head | {"state": "consistent" if head["is_consistent"] else "inconsistent", "made_at": head["ended_at"]} for head in heads]


def _links(statements: list[Statement]) -> list[Any]:
    reserves = {one.settlement_id: [r["amount_minor"] for r in one._rows if r["category"] in HELD] for one in statements}
    return reserve_chain(_heads(statements), reserves)


def _months(statements: list[Statement], period: Any = JANUARY) -> dict[str, CurrencyMonth]:
    made = [one for statement in statements for one in sums(attributed(statement.rows(), SHOP, Types([])), SHOP, statement.ended_at)]
    return {one.currency: one for one in marketplace_month(_heads(statements), made, _links(statements), period)}


def _chained(dice: random.Random, count: int = 6, currency: str = "GBP", begins: float = -20) -> list[Statement]:
    """Settlements of a fortnight, end to end, each holding some of it back for the next."""
    statements, held = [], dice.randint(0, 5000)
    for n in range(count):
        start = begins + 14 * n
        rows = [one for k in range(dice.randint(0, 6)) for one in sale(f"{currency}{n}-{k}", "1", dice.randint(1, 9999), tax=dice.randint(0, 99), fee=dice.randint(0, 500),
                                                                    day=start + dice.uniform(-3, 13.9))]
        rows += [row("subscription", -3000, day=start + 3)] + ([row("brought", held, day=start)] if held else [])
        held = dice.choice((0, dice.randint(1, 5000)))
        rows += [row("held", -held, day=start + 13.99)] if held else []
        statements.append(Statement(f"{currency}-{n}", rows, begins=start, currency=currency))
    return statements


def test_any_month_of_any_chain_closes_and_agrees_with_a_straight_count_of_the_rows():
    dice = random.Random(5)
    for _ in range(4):
        statements = _chained(dice) + _chained(dice, currency="EUR", begins=-31)
        for period in (month("2025-12"), JANUARY, FEBRUARY):
            for currency, found in _months(statements, period).items():
                own = [one for one in statements if one.currency == currency]
                in_month = sum(r["amount_minor"] for one in own for r in one._rows if period.since <= r["posted_at"] < period.until and r["category"] not in HELD)
                paid = sum(one.sum for one in own if period.since <= one.ended_at + timedelta(days=2) < period.until)
                assert (found.total_earned, found.total_paid, found.brought) == (in_month, paid, 0)
                assert found.held_before + found.total_earned - found.total_paid == found.held_after
                assert all(one["before"] + one["within"] + one["after"] == one["total"] for one in found.parts)


def test_what_is_held_at_one_months_end_is_held_at_the_nexts_beginning():
    statements = _chained(random.Random(8))
    january, february = _months(statements)["GBP"], _months(statements, FEBRUARY)["GBP"]
    assert (january.reserve_after, january.unpaid_after) == (february.reserve_before, february.unpaid_before)


def test_a_settlement_that_straddles_the_months_end_is_divided_by_the_day_of_each_row():
    found = _months([Statement("s1", [*sale("A", "1", 1000, day=29), *sale("B", "1", 500, day=31.5)], begins=20)])["GBP"]
    assert found.parts == [{"settlement_id": "s1", "paid_on": "2026-02-06", "total": 1500, "before": 0, "within": 1000, "after": 500}]
    assert (found.total_earned, found.total_paid, found.unpaid_after) == (1000, 0, 1000)


def test_the_first_settlements_reserve_was_ours_before_anybody_looked():
    found = _months([Statement("s1", [row("brought", 700, day=0), *sale("A", "1", 1000), row("held", -200, day=13)])])["GBP"]
    assert (found.reserve_before, found.total_earned, found.total_paid, found.reserve_after, found.brought) == (700, 1000, 1500, 200, 0)


def test_a_reserve_that_does_not_come_back_is_a_difference_and_the_month_still_closes():
    statements = [Statement("s1", [*sale("A", "1", 1000), row("held", -200, day=13)]), Statement("s2", [row("brought", 150, day=14), *sale("B", "1", 10, day=15)], begins=14)]
    (first, second), found = _links(statements), _months(statements, month("2026-01"))["GBP"]
    assert (first.verdict, second.verdict, second.difference_minor) == ("first", "broken", -50)
    assert found.brought == -50 and found.reserve_after == 0
    assert [(one["settlement_id"], one["amount_minor"]) for one in found.differences] == [("s2", -50)]


def test_a_statement_that_is_missing_between_two_is_named_and_gone_when_it_comes():
    first, third = Statement("s1", [row("held", -200, day=13)]), Statement("s3", [row("brought", 90, day=28)], begins=28)
    between = Statement("s2", [row("brought", 200, day=14), row("held", -90, day=27)], begins=14)
    assert [(link.settlement_id, link.verdict, link.difference_minor) for link in _links([first, third])] == [("s1", "first", 0), ("s3", "missing", -110)]
    assert [link.verdict for link in _links([third, between, first])] == ["first", "whole", "whole"]


def test_two_accounts_side_by_side_keep_their_own_chains():
    a = [Statement("a1", [row("held", -200, day=13)]), Statement("a2", [row("brought", 200, day=14)], begins=14)]
    b = [Statement("b1", [row("held", -70, day=19)], begins=6), Statement("b2", [row("brought", 70, day=20)], begins=20)]
    assert {link.settlement_id: (link.verdict, link.previous) for link in _links([*a, *b])} == {
        "a1": ("first", ""), "a2": ("whole", "a1"), "b1": ("first", ""), "b2": ("whole", "b1")}


@pytest.mark.parametrize("seconds", [0, 1, -1])
def test_an_end_that_drifts_by_a_second_breaks_no_chain(seconds):
    first, second = Statement("s1", [row("held", -5, day=13)]), Statement("s2", [row("brought", 5, day=14)], begins=14)
    second.started_at += timedelta(seconds=seconds)
    assert _links([first, second])[1].verdict == "whole"


def test_a_settlement_that_is_not_its_deposit_is_named_with_the_difference():
    found = _months([Statement("s1", sale("A", "1", 1000), deposit=900)])["GBP"]
    assert [(one["settlement_id"], one["amount_minor"]) for one in found.differences] == [("s1", 100)]
    assert Counter(one["state"] for one in found.paid) == {"inconsistent": 1}


def test_a_row_that_was_posted_after_its_payout_belongs_to_the_payout():
    statement = Statement("s1", sale("A", "1", 1000, day=40))
    assert BEGAN.month == 1 and _months([statement])["GBP"].total_earned == 1000
