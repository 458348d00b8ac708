"""A quiet night is no silence; a Monday without its orders is."""

from datetime import UTC, datetime, timedelta

import pytest

from tasks.rules.silence import orders_silence, silent_kinds

NOW = datetime(2026, 3, 30, 14, 0, tzinfo=UTC)  # a Monday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def _trade(days: int, until: datetime = NOW, opens: int = 9, closes: int = 18, weekdays: range = range(5), every: timedelta = timedelta(minutes=20)) -> list[datetime]:
    """Orders every twenty minutes while the shop's customers are awake."""
    moments, at = [], NOW - days * DAY
    while at < until:
        if opens <= at.hour < closes and at.weekday() in weekdays:
            moments.append(at)
        at += every
    return moments


def test_a_quiet_night_and_a_quiet_weekend_are_no_silence_though_no_order_comes():
    placed = _trade(40)
    for now in (datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 29, 20, tzinfo=UTC), datetime(2026, 3, 30, 9, 30, tzinfo=UTC)):
        assert orders_silence([moment for moment in placed if moment < now], now, now) is None


def test_two_hours_of_a_monday_without_an_order_are_a_silence_and_it_says_what_was_usual():
    found = orders_silence(_trade(40, until=NOW - 2 * HOUR), NOW, NOW)
    assert found and found.feed == "orders" and found.why == "no order since 2026-03-30 11:40 UTC; the same hours of the 4 weeks before brought 7, 7, 7, 7"


def test_it_is_a_silence_by_days_while_there_are_not_yet_weeks_to_compare_and_none_with_less():
    everyday = range(7)
    assert "days before" in orders_silence(_trade(9, until=NOW - 2 * HOUR, weekdays=everyday), NOW, NOW).why
    assert orders_silence(_trade(2, until=NOW - 2 * HOUR, weekdays=everyday), NOW, NOW) is None
    assert orders_silence([], NOW, NOW) is None


def test_a_shop_that_sells_now_and_then_is_never_called_silent_by_its_rhythm():
    assert orders_silence(_trade(60, until=NOW - 5 * DAY, every=timedelta(hours=31)), NOW, NOW) is None


def test_a_silence_of_nine_days_is_held_against_fortnights_not_against_last_weeks_silence():
    found = orders_silence(_trade(70, until=NOW - 9 * DAY), NOW, NOW)
    assert found and "brought" in found.why


def test_a_feed_that_we_do_not_read_is_silent_whatever_its_rhythm_and_one_never_read_is_not_judged():
    assert "orders-to-warehouse" in orders_silence(_trade(40), NOW - 2 * HOUR, NOW).why
    assert orders_silence(_trade(40, until=NOW - 9 * DAY), None, NOW) is None


MAY = {"stock_levels": 3600.0, "dispatches": 7200.0}


@pytest.mark.parametrize(("heard", "awaited", "hours", "silent"), [
    ({"stock_levels": NOW}, {}, 0.9, []),
    ({"stock_levels": NOW}, {}, 1.1, ["stock_levels"]),
    ({}, {}, 1.1, ["stock_levels"]),
    ({"stock_levels": NOW}, {"dispatches": NOW}, 1.9, ["stock_levels"]),
    ({"stock_levels": NOW + 2 * HOUR}, {"dispatches": NOW}, 2.1, ["dispatches"]),
    ({"stock_levels": NOW + 2 * HOUR, "dispatches": NOW + HOUR}, {"dispatches": NOW}, 2.1, []),
    ({"stock_levels": NOW + 2 * HOUR, "dispatches": NOW - 50 * HOUR}, {"dispatches": NOW}, 1.9, []),
    ({"stock_levels": NOW + 2 * HOUR, "dispatches": NOW - 50 * HOUR}, {}, 2.9, []),
], ids=["in time", "too long", "never came, since watched", "asked, in time", "asked and never heard", "asked and heard since", "asked only now", "nothing asked"])
def test_a_warehouses_feed_is_silent_after_its_time_and_only_while_something_is_awaited(heard, awaited, hours, silent):
    assert [one.feed for one in silent_kinds(MAY, heard, awaited, NOW, NOW + hours * HOUR)] == silent
