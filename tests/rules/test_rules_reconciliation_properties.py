"""Whatever happened to whichever orders: one verdict each, sums that close, and money that is never a float."""

import ast
import inspect
import random
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rules.books_cases import AFTERWARDS, FEBRUARY, JANUARY, Case, days, line

import contracts.money
import tasks.reconciliation
import tasks.rules.account
import tasks.rules.order_value
import tasks.rules.reconciliation
import tasks.statement.figures
import tasks.statement.plot
import tasks.statement.sheets
from contracts.reconciliation import VERDICTS
from tasks.rules.reconciliation import Patience, Reconciliation, reconcile

MONEY = st.integers(0, 5000)
MOMENTS = st.integers(-20, 50).map(days)
LINES = st.lists(st.tuples(st.integers(0, 5), st.integers(-300, 3000), st.booleans()), min_size=1, max_size=4)
HAPPENED = st.lists(st.one_of(
    st.tuples(st.just("paid"), MONEY, MOMENTS, st.sampled_from(("purchase", "capture", "authorisation", "refund")), st.booleans(), st.sampled_from(("GBP", "GBP", "GBP", "EUR"))),
    st.tuples(st.just("sent"), st.integers(0, 6), MOMENTS, st.integers(0, 3)),
    st.tuples(st.just("refunded"), MONEY, MOMENTS, st.sampled_from(("", "0", "1")), st.booleans()),
    st.tuples(st.just("returned"), st.integers(0, 6), MOMENTS, st.integers(0, 3), st.sampled_from((0, 33, 50, 100)), st.booleans()),
), max_size=8)
ORDERS = st.lists(st.tuples(LINES, st.integers(0, 500), st.integers(0, 300), st.integers(0, 400), st.integers(-1, 1), MOMENTS,
                            st.sampled_from(("shipped", "awaiting_fulfilment", "cancelled", "refunded")), st.sampled_from(("GBP", "EUR")), HAPPENED), max_size=12)


def _case(orders: list[Any]) -> Case:
    case = Case()
    for n, (lines, shipping, tax, discount, off, placed, status, currency, happened) in enumerate(orders):
        goods = [line(str(m), quantity, total, is_shippable=is_goods) for m, (quantity, total, is_goods) in enumerate(lines)]
        total = sum(one["total_minor"] for one in goods) + shipping - discount + off
        case.order(str(n), *goods, shipping=shipping, tax=tax, discount=discount, total=total, placed_at=placed, status=status, currency=currency)
        for what, *told in happened:
            _happens(case, str(n), what, told)
    return case


def _happens(case: Case, order_id: str, what: str, told: list[Any]) -> None:
    if what == "paid":
        case.paid(told[0], order_id, told[1], kind=told[2], is_settled=told[3], currency=told[4])
    elif what == "sent":
        case.sent(told[0], str(told[2]), order_id, told[1])
    elif what == "refunded":
        case.refunded(told[0], order_id, told[1], told[2], is_declined=told[3])
    else:
        case.returned(told[0], order_id, told[1], str(told[2]), told[3], is_decided=told[4])


@settings(max_examples=40, deadline=None)
@given(ORDERS, st.sampled_from((None, 0)), st.sampled_from((JANUARY, FEBRUARY)))
def test_every_order_has_one_verdict_and_the_sums_close(orders: list[Any], patience: int | None, period: Any) -> None:
    case = _case(orders)
    found = case.judged(period, patience=Patience.of(patience))
    placed = {order["order_id"]: order for order in case.rows["orders"] if period.since <= order["placed_at"] < period.until}
    rows = found.rows.to_dict("records")
    assert len({row["order_id"] for row in rows}) == len(rows)
    assert {row["order_id"] for row in rows if not row["is_carried_in"]} == placed.keys()
    for currency in ("GBP", "EUR"):
        ours = [row for row in rows if row["currency"] == currency]
        assert sum(sum(row["ordered_minor"] for row in ours if row["verdict"] == verdict and not row["is_carried_in"]) for verdict in VERDICTS) == \
            sum(order["total_minor"] for order in placed.values() if order["currency"] == currency)
        movement = next((one for one in found.movements if one["currency"] == currency), None)
        if movement:
            steps = (movement[f"{name}_minor"] * sign for name, sign in (("opening", 1), ("paid", 1), ("refunded", -1), ("dispatched", -1), ("returned", 1), ("deducted", -1)))
            assert sum(steps) - movement["decided_minor"] == movement["closing_minor"] == sum(row["balance_minor"] for row in ours if row["is_carried_out"])
            assert movement["decided_minor"] == 0  # nobody decided anything
    assert all(row["is_carried_out"] for row in rows if row["balance_minor"])
    _assert_whole_pennies(found)


def _assert_whole_pennies(found: Reconciliation) -> None:
    for frame in (found.rows, found.differences):
        for name in (name for name in frame.columns if name.endswith("_minor")):
            assert frame[name].dtype == "int64" and all(type(amount) is int for amount in frame[name].to_list())
    assert all(type(amount) is int for one in found.movements for name, amount in one.items() if name.endswith("_minor"))


@settings(max_examples=12, deadline=None)
@given(ORDERS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_is_irrelevant(orders: list[Any], dice: random.Random) -> None:
    case = _case(orders)
    before = reconcile(case.books, JANUARY, AFTERWARDS)
    for rows in case.rows.values():
        dice.shuffle(rows)
    after = reconcile(case.books, JANUARY, AFTERWARDS)
    pd.testing.assert_frame_equal(before.rows, after.rows)
    pd.testing.assert_frame_equal(before.differences, after.differences)
    assert before.movements == after.movements


@settings(max_examples=12, deadline=None)
@given(ORDERS)
def test_what_is_open_at_a_months_end_is_what_the_next_begins_with(orders: list[Any]) -> None:
    case = _case(orders)
    ends = {one["currency"]: one["closing_minor"] for one in case.judged(JANUARY).movements if one["closing_minor"]}
    begins = {one["currency"]: one["opening_minor"] for one in case.judged(FEBRUARY).movements if one["opening_minor"]}
    assert ends == begins


def test_no_line_on_the_way_of_the_money_divides_into_fractions_or_says_float() -> None:
    """A true division, round(), float() or a literal with a point would bring a float in. The picture's proportions are no money."""
    way = (contracts.money, tasks.rules.order_value, tasks.rules.account, tasks.rules.reconciliation, tasks.reconciliation, tasks.statement.figures, tasks.statement.sheets)
    for module in way:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            bad = (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div) and not _is_path(node)
                   or isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("float", "round")
                   or isinstance(node, ast.Constant) and isinstance(node.value, float))
            assert not bad, f"{module.__name__}:{node.lineno}"


def _is_path(node: Any) -> bool:
    return any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in ast.walk(node))


def test_a_million_pounds_an_order_for_a_month_is_exact() -> None:
    """Beyond what a float holds exactly: 90 orders of 10^14 pence and one penny."""
    case = Case()
    for n in range(90):
        case.order(str(n), line(total=10**14 + 1), shipping=0).paid(10**14 + 1, str(n)).sent(3, order_id=str(n))
    movement = case.judged().movements[0]
    assert movement["paid_minor"] == movement["dispatched_minor"] == 90 * (10**14 + 1) and movement["closing_minor"] == 0
