"""What a return is worth: parts sum to the line to the minor unit, nothing above what was paid, and people decide where we would guess."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.rules.refunds import Held, Money, Piece, Refund, decide, line_money, money_of, without_refunded, worth

ORDER = {"currency": "GBP", "total_minor": 1300, "shipping_minor": 300, "tax_minor": 217}


def line(line_id="L1", quantity=4, total_minor=1000):
    return {"line_id": line_id, "quantity": quantity, "total_minor": total_minor}


def payment(amount=1300, kind="capture", settled=True, currency="GBP"):
    return {"payment_id": "p", "kind": kind, "amount_minor": amount, "currency": currency, "is_settled": settled}


def refund(refund_id="r1", line_id="L1", quantity=1, amount=250, declined=False, currency="GBP"):
    return {"refund_id": refund_id, "line_id": line_id, "quantity": quantity, "amount_minor": amount, "currency": currency, "is_declined": declined}


def _money(paid=1300, refunded=0, **more):
    return Money("GBP", paid, refunded, **more)


def test_all_at_full_price_is_what_the_storefront_quotes():
    verdict = decide(ORDER, [line()], [Piece("L1", 0, 2, 100)], _money())
    assert verdict == Refund([("L1", 2)], None, 500, 717)


def test_a_part_by_grade_is_exactly_that_much_of_the_line():
    verdict = decide(ORDER, [line()], [Piece("L1", 0, 1, 100), Piece("L1", 1, 1, 50)], _money())
    assert verdict.lines == [("L1", 2)] and verdict.amount_minor == verdict.expected_minor == 375


def test_nothing_is_due_at_nought_percent_or_for_a_gift():
    assert decide(ORDER, [line()], [Piece("L1", 0, 1, 0)], _money()) is None
    assert decide(ORDER, [line(), line("G", 1, 0)], [Piece("G", 0, 1, 100)], _money()) is None


@pytest.mark.parametrize(("money", "why"), [
    (_money(paid=0), "no payment"), (_money(refunded=801), "over cap"), (_money(paid=499), "over cap"), (_money(is_mixed=True), "currency"),
    (_money(refunded=100, whole_minor=100), "refunded as a whole"),
])
def test_a_person_looks_where_the_money_does_not_bear_it(money, why):
    verdict = decide(ORDER, [line()], [Piece("L1", 0, 2, 100)], money)
    assert isinstance(verdict, Held) and verdict.why == why and verdict.evidence["due_minor"] == 500


def test_a_refund_to_the_last_penny_of_what_was_paid_is_made():
    verdict = decide(ORDER, [line()], [Piece("L1", 0, 2, 100)], _money(refunded=800))
    assert isinstance(verdict, Refund) and verdict.cap_minor == 500


def test_above_the_limit_a_person_approves_and_what_we_refunded_before_counts():
    pieces = [Piece("L1", 0, 2, 100)]
    assert decide(ORDER, [line()], pieces, _money(), 500).cap_minor == 500
    assert decide(ORDER, [line()], pieces, _money(), 499).why == "over limit"
    assert decide(ORDER, [line()], pieces, _money(refunded=250, ours_minor=250), 700).why == "over limit"
    assert isinstance(decide(ORDER, [line()], pieces, _money(), 0, is_approved=True), Refund)
    assert decide(ORDER, [line()], pieces, _money(refunded=801), 0, is_approved=True).why == "over cap"


@pytest.mark.parametrize(("order", "lines", "expected"), [
    (ORDER, [line()], {"L1": 1000}),
    ({**ORDER, "total_minor": 1100}, [line(), line("L2", 1, 0)], {"L1": 800, "L2": 0}),
    ({**ORDER, "total_minor": 1500, "tax_minor": 200}, [line("L1", 1, 400), line("L2", 1, 600)], {"L1": 480, "L2": 720}),
    ({**ORDER, "total_minor": 400}, [line("a", 1, 1), line("b", 1, 1), line("c", 1, 1)], {"a": 34, "b": 33, "c": 33}),
    ({**ORDER, "total_minor": 1400, "tax_minor": 0}, [line()], {"L1": 1000}),
    (ORDER, [], {}), (ORDER, [line(total_minor=0)], {"L1": 0}),
])
def test_the_orders_money_is_spread_over_its_lines_to_the_minor_unit(order, lines, expected):
    assert line_money(order, lines) == expected


def test_declined_and_unsettled_money_counts_for_nothing():
    money = money_of(ORDER, [payment(), payment(500, "authorisation"), payment(700, "capture", False)], [refund(declined=True)], [])
    assert (money.paid_minor, money.refunded_minor, money.whole_minor) == (1300, 0, 0)


def test_the_larger_of_what_refunds_and_payments_say_was_given_back_counts():
    money = money_of(ORDER, [payment(), payment(400, "refund")], [refund(amount=250)], ["r1"])
    assert (money.refunded_minor, money.ours_minor, money.whole_minor) == (400, 250, 150)


def test_refunds_of_others_count_by_line_or_as_a_whole_and_ours_do_not():
    money = money_of(ORDER, [payment()], [refund("r1"), refund("r2", quantity=2, amount=500), refund("r2", "", 0, 300), refund("r3", "", 0, 70)], ["r1"])
    assert money.by_others == {"L1": 2} and money.whole_minor == 70 and money.refunded_minor == 1120


def test_another_currency_is_never_mixed_in():
    assert money_of(ORDER, [payment(currency="EUR")], [], []).is_mixed
    assert money_of(ORDER, [payment()], [refund(currency="USD")], []).is_mixed


def test_what_somebody_refunded_before_is_not_refunded_again_and_counts_once():
    left, done = without_refunded([Piece("L1", 0, 3, 100), Piece("L2", 0, 1, 100)], {"L1": 2}, {"L1": 1})
    assert done == [Piece("L1", 0, 1, 100)] and left == [Piece("L1", 1, 2, 100), Piece("L2", 0, 1, 100)]


PARTS = st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0, 1, 33, 50, 99, 100])), min_size=1, max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 40), st.sampled_from([1, 7, 33, 50, 90, 99, 100]), st.data())
def test_parts_of_one_line_sum_to_the_line_at_their_percent(money, ordered, percent, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, ordered))) | {0, ordered})
    assert sum(worth(money, ordered, a, b - a, percent) for a, b in zip(cuts, cuts[1:], strict=False)) == money * percent // 100


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 100_000), PARTS)
def test_of_mixed_grades_a_line_never_gives_back_more_than_it_holds(money, pieces):
    ordered, first, given_back = sum(quantity for quantity, _ in pieces), 0, 0
    for quantity, percent in pieces:
        part = worth(money, ordered, first, quantity, percent)
        assert 0 <= part <= worth(money, ordered, first, quantity, 100)
        first, given_back = first + quantity, given_back + part
    assert given_back <= money


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 5000), st.integers(0, 5000), st.lists(st.integers(0, 3000), min_size=1, max_size=5))
def test_the_lines_never_hold_more_than_the_order_without_its_postage(total, shipping, totals):
    order = {"currency": "GBP", "total_minor": total, "shipping_minor": shipping, "tax_minor": total}
    shares = line_money(order, [line(f"L{at}", 1, of) for at, of in enumerate(totals)])
    assert sum(shares.values()) == (max(0, min(total - shipping, sum(totals) + total)) if sum(totals) else 0)
    assert all(share >= 0 for share in shares.values())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 2000), st.integers(0, 800) | st.none(), st.sampled_from([50, 100]))
def test_however_it_is_divided_the_refunds_of_an_order_stay_within_what_was_paid_and_the_limit(quantities, paid, limit, percent):
    ordered = sum(quantities)
    order = {"currency": "GBP", "total_minor": 997, "shipping_minor": 0, "tax_minor": 0}
    first, refunded = 0, 0
    for quantity in quantities:
        verdict = decide(order, [line(quantity=ordered, total_minor=997)], [Piece("L1", first, quantity, percent)], _money(paid, refunded, ours_minor=refunded), limit)
        if isinstance(verdict, Refund):
            assert verdict.expected_minor <= verdict.cap_minor <= paid - refunded
            refunded += verdict.expected_minor
        first += quantity
    assert refunded <= paid and refunded <= 997 * percent // 100 and (limit is None or refunded <= limit)
