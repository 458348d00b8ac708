"""Will it be on its collection? Told ahead, from the warehouse's own experience."""

from datetime import UTC, datetime, time, timedelta

import pytest

from tasks.rules.stuck import ACKNOWLEDGED, NOT_ASKED, UNACKNOWLEDGED, Collections, Pending, at_risk

MONDAY = datetime(2026, 3, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
USUAL = Collections(time(15, 0))
QUICK = {"DAVENTRY": [1800.0] * 6 + [3600.0] * 4}


def _at(hour: float, days: int = 0) -> datetime:
    return MONDAY + timedelta(days=days, hours=hour)


def _order(placed: float = 9, asked: float | None = 9.1, stage: str = ACKNOWLEDGED, facility: str = "DAVENTRY") -> Pending:
    return Pending("1001", stage, _at(placed), _at(asked if asked is not None else placed), facility, "UK1001" if asked else "", None if asked is None else _at(asked))


@pytest.mark.parametrize(("placed", "must"), [(9, _at(15)), (12.9, _at(15)), (13.1, _at(15, 1)), (15.5, _at(15, 1))],
                         ids=["morning", "just in time", "less than the handling time before", "after the cut-off"])
def test_an_order_must_leave_with_the_first_collection_that_leaves_the_agreed_handling_time(placed, must):
    assert USUAL.must_leave_at(_at(placed), "DAVENTRY") == must


def test_a_facility_may_have_a_cut_off_of_its_own_and_collections_may_leave_out_the_weekend():
    five_days = Collections(time(15, 0), weekdays=tuple(range(5)), facilities={"VENRAY": time(11, 30)})
    assert five_days.must_leave_at(_at(9), "VENRAY") == _at(11.5)
    assert five_days.must_leave_at(_at(16, 4), "DAVENTRY") == _at(15, 7), "Friday afternoon leaves on Monday"


def test_a_ship_by_time_comes_before_the_agreed_collection_where_it_is_earlier():
    strict = Collections(time(15, 0), ship_within=24 * HOUR)
    assert strict.must_leave_at(_at(9), "DAVENTRY") == _at(15)
    assert strict.must_leave_at(_at(14), "DAVENTRY") == _at(15), "tomorrow's collection is 25 hours away"
    assert Collections(time(15, 0), weekdays=(0,), ship_within=24 * HOUR).must_leave_at(_at(16), "DAVENTRY") == _at(16, 1), "no collection in time: the ship-by itself"


def test_what_the_warehouse_ships_in_time_by_its_own_experience_is_no_risk():
    assert at_risk([_order()], QUICK, USUAL, _at(9.5)) == []


def test_a_slow_warehouse_is_known_hours_ahead_and_the_observations_are_counted():
    (risk,) = at_risk([_order()], {"DAVENTRY": [3600.0 * n for n in range(1, 11)]}, USUAL, _at(9.5))
    assert (risk.hours_left, risk.observations, risk.expected_at) == (5.5, 10, _at(18.1))
    assert risk.why == "expected ready at 2026-03-30 18:06 UTC by 10 shipments, collection at 2026-03-30 15:00 UTC; acknowledged since 2026-03-30 09:06 UTC"


def test_what_has_taken_longer_already_is_held_against_those_that_took_longer_still():
    """Nine of ten ship within the hour; one that has not shipped after two is the tenth, and that one took ten hours."""
    lead = {"DAVENTRY": [3000.0] * 9 + [36_000.0]}
    assert at_risk([_order()], lead, USUAL, _at(9.5)) == []
    (risk,) = at_risk([_order()], lead, USUAL, _at(11.1))
    assert risk.expected_at == _at(19.1) and risk.hours_left == 3.9


def test_without_experience_it_is_told_two_hours_ahead_and_says_so():
    assert at_risk([_order()], {}, USUAL, _at(12.9)) == []
    (risk,) = at_risk([_order(stage=UNACKNOWLEDGED)], {"DAVENTRY": [60.0] * 4}, USUAL, _at(13.1))
    assert risk.expected_at is None and "unacknowledged" in risk.why and "no experience with this warehouse yet" in risk.why


def test_a_facility_with_little_experience_borrows_the_warehouses():
    (risk,) = at_risk([_order(facility="VENRAY")], {"VENRAY": [60.0], "DAVENTRY": [36_000.0] * 9}, USUAL, _at(9.5))
    assert risk.observations == 10


def test_an_order_that_was_never_asked_counts_from_now_and_one_whose_collection_has_left_stays_at_risk():
    not_asked = _order(asked=None, stage=NOT_ASKED, facility="")
    assert at_risk([not_asked], QUICK, USUAL, _at(13)) == []
    (risk,) = at_risk([not_asked], QUICK, USUAL, _at(14.5))
    assert "not asked" in risk.why and risk.hours_left == 0.5
    (missed,) = at_risk([_order()], QUICK, USUAL, _at(16))
    assert missed.hours_left == -1 and "has left" in missed.why


def test_the_most_urgent_is_first():
    late, later = _order(placed=9), _order(placed=16, asked=16.1)
    assert [risk.pending.placed_at for risk in at_risk([later, late], {}, USUAL, _at(14, 1))] == [_at(9), _at(16)]
