"""Which orders may go to a warehouse now."""

import pytest

from contracts.orders import STATUSES, OrderLines, Orders
from tasks.rules.eligibility import VERDICTS, sort_orders
from tests.rules.rule_cases import SHOP, line, order


def _sorted(orders, lines=(), **other):
    return sort_orders(Orders.frame(orders), OrderLines.frame(lines), **other)


@pytest.mark.parametrize(("status", "verdict"), [
    ("awaiting_fulfilment", "plan"), ("awaiting_payment", "not_yet"), ("on_hold", "not_yet"), ("awaiting_pickup", "not_yet"), ("unknown", "not_yet"),
    ("partially_shipped", "not_yet"), ("shipped", "done"), ("completed", "done"), ("cancelled", "cancelled"), ("refunded", "cancelled"),
])
def test_only_what_awaits_fulfilment_is_planned(status, verdict):
    assert _sorted([order(status=status)], [line()])["verdict"].tolist() == [verdict]


@pytest.mark.parametrize("status", STATUSES)
def test_an_order_that_the_marketplace_fulfils_is_never_ours_whatever_is_released(status):
    sorted_ = _sorted([order(status=status, fulfilled_by="marketplace")], [line()], releasable=(*STATUSES, "11"))
    assert sorted_["verdict"].tolist() == ["not_ours"]


@pytest.mark.parametrize(("releasable", "verdict"), [
    (("awaiting_fulfilment", "awaiting_pickup"), "plan"), (("8",), "plan"), (["9", "11"], "not_yet"), ((), "not_yet"),
    (("partially_shipped",), "not_yet"),
])
def test_any_states_can_be_released_in_our_words_or_in_the_storefronts_codes(releasable, verdict):
    assert _sorted([order(status="awaiting_pickup", status_code="8")], [line()], releasable=releasable)["verdict"].tolist() == [verdict]


def test_a_storefronts_code_that_reads_like_one_of_our_words_releases_nothing():
    """OroCommerce has a status code 'cancelled' of its own."""
    released = _sorted([order(status="on_hold", status_code="shipped")], [line()], releasable=("shipped",))
    assert released["verdict"].tolist() == ["not_yet"]


@pytest.mark.parametrize(("lines", "verdict"), [
    ([line(quantity=2, quantity_shipped=2)], "done"), ([line(quantity=2, quantity_shipped=1)], "plan"),
    ([line(quantity=2, quantity_shipped=3)], "done"),
    ([line("1", quantity=1, quantity_shipped=1), line("2")], "plan"), ([line("1", quantity=0), line("2", quantity=1, quantity_shipped=1)], "done"),
    ([line(quantity=0)], "plan"), ([], "plan"),
])
def test_an_order_whose_every_line_is_shipped_is_done(lines, verdict):
    assert _sorted([order()], lines)["verdict"].tolist() == [verdict]


def test_one_row_an_order_in_the_order_given_and_each_connection_for_itself():
    orders = [order("2"), order("1"), order("1", connection="bc-us", status="on_hold")]
    lines = [line(order_id="2"), line(order_id="1", quantity_shipped=1)]
    sorted_ = _sorted(orders, lines)
    assert list(sorted_.itertuples(index=False, name=None)) == [
        (SHOP, "2", "plan", "status awaiting_fulfilment (11)"),
        (SHOP, "1", "done", "status awaiting_fulfilment (11), and every line is shipped already"),
        ("bc-us", "1", "not_yet", "status on_hold (11) is not released"),
    ]


def test_no_orders_give_no_rows_with_all_columns():
    sorted_ = _sorted([])
    assert (len(sorted_), list(sorted_.columns)) == (0, ["connection", "order_id", "verdict", "why"])
    assert set(_sorted([order()])["verdict"]) <= set(VERDICTS)
