"""Every order of a period is under exactly one verdict, and who owes whom is known to the cent."""

import pandas as pd
import pytest
from tests.rules.books_cases import AFTERWARDS, FEBRUARY, JANUARY, PLACED, Case, days, line

from tasks.rules.reconciliation import Patience, between, cause, month

CAUSE = cause("refunded_not_returned", 500, "GBP")


def test_paid_and_sent_is_matched() -> None:
    case = Case().order().paid().sent()
    assert case.verdict() == ("matched", {})
    row = case.row()
    assert [row[f"{name}_minor"] for name in ("ordered", "paid", "dispatched", "refunded", "returned", "balance")] == [1000, 1000, 1000, 0, 0, 0]


def test_paid_and_not_sent() -> None:
    assert Case().order().paid().verdict() == ("paid_not_shipped", {"paid_not_shipped": 1000})


def test_two_of_three_sent_leaves_the_third_and_postage_is_owed_with_the_first() -> None:
    """3 units are 9.00, 2 of them 6.00; with 1.00 of postage 7.00 was sent."""
    case = Case().order().paid().sent(2)
    assert case.verdict() == ("paid_not_shipped", {"paid_not_shipped": 300}) and case.row()["dispatched_minor"] == 700


def test_units_that_do_not_divide_sum_to_their_line() -> None:
    case = Case().order("1", line(total=1000), shipping=0).paid(1000).sent(1).sent(1, at=days(2))
    assert case.verdict() == ("paid_not_shipped", {"paid_not_shipped": 333})
    assert case.sent(1, at=days(3)).verdict() == ("matched", {})


def test_sent_and_not_paid() -> None:
    assert Case().order().sent().verdict() == ("shipped_not_paid", {"shipped_not_paid": 1000})


@pytest.mark.parametrize("payment", [{"is_settled": False}, {"kind": "authorisation"}, {"kind": "void"}, {"kind": "other"}], ids=str)
def test_only_money_that_moved_is_paid(payment: dict) -> None:
    assert Case().order().paid(**payment).sent().verdict()[0] == "shipped_not_paid"


def test_more_taken_than_the_total() -> None:
    assert Case().order().paid().paid(25).sent().verdict() == ("overpaid", {"overpaid": 25})


def test_given_back_and_nothing_came_back() -> None:
    assert Case().order().paid().sent().refunded(300).verdict() == ("refunded_not_returned", {"refunded_not_returned": 300})


def test_came_back_and_nothing_given_back() -> None:
    assert Case().order().paid().sent().returned(2).verdict() == ("returned_not_refunded", {"returned_not_refunded": 600})


@pytest.mark.parametrize(("amount", "differs"), [(599, 1), (601, 1), (500, 100), (900, 300)])
def test_the_refund_is_compared_with_what_came_back_to_the_penny(amount: int, differs: int) -> None:
    assert Case().order().paid().sent().returned(2).refunded(amount).verdict() == ("refund_differs", {"refund_differs": differs})


def test_a_refund_of_what_came_back_is_matched() -> None:
    case = Case().order().paid().sent().returned(2).refunded(600)
    assert case.verdict() == ("matched", {}) and case.row()["returned_minor"] == 600


@pytest.mark.parametrize("amount", [333, 334])
def test_a_part_of_a_line_has_a_fair_value_only_to_the_penny(amount: int) -> None:
    """A third of 10.00 is 3.33 or 3.34: the storefront's rounding is as good as ours. All three come to 10.00 exactly."""
    assert Case().order("1", line(total=1000)).paid(1100).sent().returned(1).refunded(amount).verdict() == ("matched", {})
    assert Case().order("1", line(total=1000)).paid(1100).sent().returned(1).refunded(332).verdict() == ("refund_differs", {"refund_differs": 2})
    whole = Case().order("1", line(total=1000), shipping=0).paid(1000).sent().returned(3)
    assert whole.refunded(999).verdict() == ("refund_differs", {"refund_differs": 1})


def test_whoever_sends_everything_back_may_get_the_postage_too() -> None:
    for amount in (900, 950, 1000):
        assert Case().order().paid().sent().returned(3).refunded(amount).verdict() == ("matched", {})
    assert Case().order().paid().sent().returned(3).refunded(1000).row()["deducted_minor"] == -100
    assert Case().order().paid().sent().returned(3).refunded(1001).verdict() == ("refund_differs", {"refund_differs": 101})


def test_a_return_rule_keeps_its_share() -> None:
    case = Case().order().paid().sent().returned(1, percent=50).refunded(150)
    assert case.verdict() == ("matched", {}) and (case.row()["returned_minor"], case.row()["deducted_minor"]) == (300, 150)
    assert Case().order().paid().sent().returned(1, percent=0).verdict() == ("matched", {})


def test_what_a_person_decided_about_a_return_is_right() -> None:
    assert Case().order().paid().sent().returned(1, is_decided=True).verdict() == ("matched", {})
    assert Case().order().paid().sent().returned(1, is_decided=True).refunded(120).verdict() == ("matched", {})
    assert Case().order().paid().sent().returned(1, is_decided=True).refunded(310).verdict()[0] == "refund_differs"


def test_a_share_of_tax_on_top_is_between_none_and_all_of_it() -> None:
    """Two lines of 10.00, one taxed at 2.00: only the storefront knows which."""
    def back(amount: int) -> str:
        return Case().order("1", line("1", 1, 1000), line("2", 1, 1000), shipping=0, tax=200, total=2200).paid(2200).sent(1).sent(1, "2").returned(1).refunded(amount).verdict()[0]

    assert [back(amount) for amount in (999, 1000, 1200, 1201)] == ["refund_differs", "matched", "matched", "refund_differs"]


def test_money_back_for_what_was_never_sent_is_no_difference() -> None:
    assert Case().order().paid().sent(2).refunded(300, at=days(2)).verdict() == ("matched", {})


def test_cancelled_before_anything_moved() -> None:
    assert Case().order(status="cancelled").verdict() == ("cancelled", {})
    assert Case().order(status="cancelled").paid().refunded(1000).verdict() == ("cancelled", {})
    assert Case().order(status="cancelled").paid().verdict() == ("paid_not_shipped", {"paid_not_shipped": 1000})


def test_goods_that_were_never_paid_for_and_came_back_owe_nobody() -> None:
    assert Case().order().sent().returned(3).verdict()[0] == "shipped_not_paid"  # the postage
    assert Case().order(shipping=0).sent().returned(3).verdict() == ("matched", {})


def test_nothing_paid_and_nothing_sent() -> None:
    assert Case().order(status="awaiting_payment").verdict() == ("unpaid", {})


def test_part_sent_and_only_that_part_paid_is_in_progress() -> None:
    assert Case().order().paid(700).sent(2).verdict() == ("in_progress", {})


def test_a_digital_order_is_delivered_as_it_is_paid() -> None:
    digital = line(is_shippable=False)
    assert Case().order("1", digital).paid().verdict() == ("matched", {})
    assert Case().order("1", digital).paid().refunded(1000).verdict() == ("matched", {})
    assert Case().order("1", digital).verdict() == ("unpaid", {})


def test_a_refund_of_a_service_is_no_refund_of_goods() -> None:
    case = Case().order("1", line("1"), line("2", 1, 250, is_shippable=False)).paid(1250).sent()
    assert case.refunded(250, line_id="2").verdict() == ("matched", {})


def test_a_free_gift_that_never_left_is_seen_although_no_money_tells() -> None:
    assert Case().order("1", line("1"), line("2", 1, 0)).paid().sent().verdict() == ("paid_not_shipped", {"paid_not_shipped": 0})
    assert Case().order("1", line("1"), line("2", 1, 0)).paid().sent().sent(1, "2").verdict() == ("matched", {})


def test_more_left_than_was_ordered() -> None:
    assert Case().order().paid().sent(5).verdict() == ("over_shipped", {"over_shipped": 600})


def test_totals_that_do_not_add() -> None:
    assert Case().order(total=1001).paid(1001).sent().verdict() == ("totals_do_not_add", {"totals_do_not_add": 1})


def test_currencies_are_never_added() -> None:
    case = Case().order().paid(1000, currency="EUR").sent()
    verdict, differences = case.verdict()
    assert verdict == "currency_mixed" and differences == {"currency_mixed": 0, "shipped_not_paid": 1000} and case.row()["paid_minor"] == 0


def test_a_declined_refund_did_not_happen() -> None:
    assert Case().order().paid().sent().returned(1).refunded(300, is_declined=True).verdict()[0] == "returned_not_refunded"


def test_a_refund_told_twice_counts_once_and_one_told_either_way_counts() -> None:
    back = Case().order().paid().sent().returned(1)
    assert back.refunded(300).paid(300, kind="refund", at=days(10)).verdict() == ("matched", {})
    assert Case().order().paid().sent().returned(1).paid(300, kind="refund", at=days(10)).verdict() == ("matched", {})


def test_what_is_young_is_in_progress_and_a_difference_when_its_time_is_over() -> None:
    for case, kind, due in ((Case().order().paid(), "paid_not_shipped", days(3)), (Case().order().sent(), "shipped_not_paid", days(3)),
                            (Case().order().paid().sent().returned(1), "returned_not_refunded", days(13)),
                            (Case().order().paid().sent().refunded(300), "refunded_not_returned", days(24))):
        assert case.verdict(as_of=due - pd.Timedelta(seconds=1)) == ("in_progress", {}), kind
        assert case.verdict(as_of=due)[0] == kind


def test_patience_can_be_none_at_all() -> None:
    assert Case().order().paid().verdict(as_of=days(0.1), patience=Patience.of(0))[0] == "paid_not_shipped"


def test_an_exception_on_somebodys_desk_accounts_for_it() -> None:
    found = Case().order().paid().on_desk("sku_unknown").judged()
    assert found.differences["explained_by"].tolist() == ["sku_unknown, open with ecommerce"]
    row = found.rows.to_dict("records")[0]
    assert (row["verdict"], row["difference_minor"], row["explained_minor"]) == ("paid_not_shipped", 0, 1000)
    assert Case().order().sent().on_desk("sku_unknown").judged().differences["explained_by"].tolist() == [""]  # another matter


def test_a_persons_decision_accounts_for_exactly_that_amount() -> None:
    def case(amount: int) -> Case:
        return Case().order().paid().sent().refunded(amount).on_desk("refunded_not_returned", cause=CAUSE, decided_by="A. Reader")

    assert case(500).judged().differences["explained_by"].tolist() == ["A. Reader: goodwill"]
    assert case(501).judged().differences["explained_by"].tolist() == [""]


def test_an_order_of_another_period_is_left_out_unless_it_is_open_or_moved() -> None:
    assert Case().order().paid().sent().judged(FEBRUARY).rows.empty
    assert Case().order(placed_at=days(40)).judged(JANUARY).rows.empty
    assert Case().order().paid().judged(FEBRUARY).rows["is_carried_in"].tolist() == [True]
    moved = Case().order().paid().sent().returned(1, at=days(40)).refunded(300, at=days(41)).judged(FEBRUARY)
    assert moved.rows["verdict"].tolist() == ["matched"] and moved.rows["is_carried_out"].tolist() == [False]


def test_what_happens_after_the_period_is_not_in_its_statement() -> None:
    case = Case().order().paid().sent(at=days(35))
    assert case.verdict() == ("paid_not_shipped", {"paid_not_shipped": 1000}) and case.row()["is_carried_out"]
    assert case.verdict(period=FEBRUARY) == ("matched", {})


def test_the_end_of_a_period_belongs_to_the_next() -> None:
    assert Case().order(placed_at=JANUARY.until).judged(JANUARY).rows.empty
    assert len(Case().order(placed_at=JANUARY.until).judged(FEBRUARY).rows) == 1
    assert len(Case().order(placed_at=JANUARY.since).judged(JANUARY).rows) == 1


def test_what_happens_at_the_very_end_happens_in_the_next_period() -> None:
    case = Case().order().paid().sent(at=FEBRUARY.since)
    assert case.verdict()[0] == "paid_not_shipped" and case.judged(FEBRUARY).movements[0]["dispatched_minor"] == 1000


def test_more_came_back_than_was_sent_is_not_worth_more() -> None:
    case = Case().order().paid().sent().returned(3).returned(2, percent=50, at=days(9)).refunded(1000)
    assert case.verdict() == ("matched", {}) and case.row()["returned_minor"] == 900


def test_the_open_balance_is_carried_from_month_to_month() -> None:
    """Paid 10.00 in January, 7.00 sent in January, the rest in February."""
    case = Case().order().paid().sent(2).sent(1, at=days(30))
    january, february = case.judged(JANUARY).movements[0], case.judged(FEBRUARY).movements[0]
    assert (january["opening_minor"], january["paid_minor"], january["dispatched_minor"], january["closing_minor"]) == (0, 1000, 700, 300)
    assert (february["opening_minor"], february["paid_minor"], february["dispatched_minor"], february["closing_minor"]) == (300, 0, 300, 0)


def test_what_a_person_has_closed_is_not_carried_on() -> None:
    case = Case().order().paid().sent().refunded(500).on_desk("refunded_not_returned", cause=CAUSE, decided_by="A. Reader", at=days(20))
    movement = case.judged(JANUARY).movements[0]
    assert (movement["decided_minor"], movement["closing_minor"], movement["orders_out"]) == (-500, 0, 0)
    assert case.judged(FEBRUARY).rows.empty
    later = Case().order().paid().sent().refunded(500).on_desk("refunded_not_returned", cause=CAUSE, decided_by="A. Reader", at=days(30))
    assert later.judged(JANUARY).movements[0]["closing_minor"] == -500  # it was open at January's end
    assert later.judged(JANUARY).differences["explained_by"].tolist() == ["A. Reader: goodwill"]  # and is explained by now
    assert [later.judged(FEBRUARY).movements[0][name] for name in ("opening_minor", "decided_minor", "closing_minor")] == [-500, -500, 0]


@pytest.mark.parametrize(("percent", "moved"), [(0, [0, 900, 900, 0, 0]), (100, [0, 900, 0, 500, 400])])
def test_what_was_closed_and_then_moves_again_begins_with_nothing_open(percent: int, moved: list[int]) -> None:
    """5.00 of goodwill was decided in January; in February the goods come back after all. By rule nothing is due for them, or 9.00 less the 5.00."""
    case = Case().order().paid().sent().refunded(500).on_desk("refunded_not_returned", cause=CAUSE, decided_by="A. Reader", at=days(20))
    (found,) = case.returned(3, at=days(35), percent=percent).judged(FEBRUARY).movements
    assert [found[f"{name}_minor"] for name in ("opening", "returned", "deducted", "decided", "closing")] == moved


def test_currencies_have_movements_of_their_own() -> None:
    case = Case().order("1").paid().sent().order("2", currency="EUR").paid(1000, "2", currency="EUR")
    assert [(one["currency"], one["closing_minor"]) for one in case.judged().movements] == [("EUR", 1000), ("GBP", 0)]


def test_no_order_is_an_empty_statement() -> None:
    found = Case().judged()
    assert found.rows.empty and found.differences.empty and found.movements == []


def test_periods_are_named_and_nothing_else_is_one() -> None:
    assert (month("2026-12").since.isoformat(), month("2026-12").until.isoformat()) == ("2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
    assert between(JANUARY.since, FEBRUARY.since).name == "20260101-20260201"
    for wrong in ("2026-13", "2026-00", "2026-1", "26-01", "2026-01-01", "../../x", ""):
        with pytest.raises(ValueError, match="is not a month as in '2026-01'"):
            month(wrong)
    for first, until in ((FEBRUARY.since, JANUARY.since), (JANUARY.since, JANUARY.since), (PLACED, AFTERWARDS)):
        with pytest.raises(ValueError):
            between(first, until)
