"""How often a figure goes out, and which go first when the quota is short."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tasks.rules.cadence import BETA, FLOOR, FLOOR_FAST, LONGEST, Owed, due_now, floor_seconds, interval_seconds, is_due
from tests.rules.rule_cases import AT


def owed(sku="A", quantity=50, sent=50, minutes_ago=10, per_day=0.0):
    return Owed("1", sku, quantity, sent, AT - timedelta(minutes=minutes_ago) if sent is not None else None, per_day)


@given(st.integers(0, 100_000), st.floats(0, 100_000), st.sampled_from([FLOOR, FLOOR_FAST]))
def test_an_interval_is_between_its_floor_and_an_hour_and_faster_sales_never_lengthen_it(available, per_day, floor):
    one = interval_seconds(available, per_day, 60, floor)
    assert floor <= one <= LONGEST and interval_seconds(available, per_day * 2 + 1, 60, floor) <= one


def test_within_an_interval_no_more_than_its_share_is_sold_unless_the_floor_forbids():
    for per_day, available in ((50, 1000), (500, 4000), (20, 100)):
        seconds = interval_seconds(available, per_day, 0)
        assert seconds == FLOOR or per_day * 4 * seconds / 86_400 <= BETA * available + 1e-6


def test_an_interval_lengthens_only_when_it_doubles_and_shortens_at_once():
    assert interval_seconds(1000, 1000, 0, before=900) == 1080 - 180, "1080 is no twice 900: it stays"
    assert interval_seconds(1000, 1000, 0, before=500) == 1080 and interval_seconds(1000, 1000, 0, before=3000) == 1080


def test_a_minute_is_the_floor_only_where_it_leaves_others_half_of_the_quota():
    assert floor_seconds(2000, 2000, 18_000) == FLOOR_FAST and floor_seconds(400_000, 2000, 18_000) == FLOOR


def test_a_figure_is_due_when_its_interval_is_over_it_fell_far_or_something_sold_out_or_came_back():
    lag = 60
    assert not is_due(owed(quantity=49), AT, lag) and is_due(owed(quantity=49, minutes_ago=60), AT, lag)
    assert is_due(owed(quantity=46), AT, lag) and is_due(owed(quantity=0, sent=1), AT, lag) and is_due(owed(quantity=9, sent=0), AT, lag)
    assert is_due(owed(sent=None), AT, lag) and is_due(owed(quantity=49, per_day=200, minutes_ago=6), AT, lag)


def test_everything_goes_while_it_fits_and_the_most_urgent_first_when_it_does_not():
    rows = [owed("more", quantity=60), owed("sold out", quantity=0), owed("slow", quantity=49), owed("fast", quantity=49, per_day=200)]
    assert [one.sku for one in due_now(rows, AT, 10)] == ["sold out", "fast", "slow", "more"]
    assert [one.sku for one in due_now(rows, AT, 2)] == ["sold out", "fast"] and due_now(rows, AT, 0) == []


def test_what_waits_grows_more_urgent_until_it_goes():
    waiting = owed("slow", quantity=49, minutes_ago=600)
    assert due_now([owed("fast", quantity=49, per_day=50, minutes_ago=6), waiting], AT, 1) == [waiting]
