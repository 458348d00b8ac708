"""Which orders will miss their collection, told before it leaves.

An order must leave with the first collection that it can be expected on: the first cut-off of its facility that is at least the agreed handling time
after it was placed, or earlier where the storefront's ship-by time falls before that. When it will be ready is predicted from what the facility
itself did lately: of the requests that took at least as long as this one already has, the time within which four of five were shipped.

Where the storefront says itself by when an order must have left (a marketplace does), that moment counts, and not the agreed collection. It counts to
the moment at which the storefront is told, so what is predicted is when the warehouse will tell of the parcel, by its manifests (`ship_by.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from tasks.rules.ship_by import Rhythm

NOT_ASKED, NOT_SENT, UNACKNOWLEDGED, ACKNOWLEDGED, PARTLY = "not asked", "not sent", "unacknowledged", "acknowledged", "partly shipped"
NOT_TOLD = "shipped, and the storefront is not told"
STAGES = (NOT_ASKED, NOT_SENT, UNACKNOWLEDGED, ACKNOWLEDGED, PARTLY, NOT_TOLD)
SHARE = 0.8  # four of five
OBSERVATIONS_MIN = 5
WARN = timedelta(hours=2)  # without a prediction: so long before the cut-off
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pending:
    """An order that has not left. asked_at: when the warehouse got it. reference: '' when it was not asked; desks: open exceptions that hold it up."""

    order_id: str
    stage: str
    placed_at: datetime
    since: datetime
    facility: str = ""
    reference: str = ""
    asked_at: datetime | None = None
    desks: tuple[str, ...] = ()
    ship_by: datetime | None = None


@dataclass(frozen=True)
class AtRisk:
    """An order that will miss its collection, or has. expected_at: when it should be ready; None: nothing says."""

    pending: Pending
    must_leave_at: datetime
    hours_left: float
    expected_at: datetime | None
    observations: int
    why: str


@dataclass(frozen=True)
class Collections:
    """When parcels are collected (UTC), on which weekdays (0 is Monday), and what was agreed. facilities: cut-offs that differ from the usual one.

    telling: how long it takes us, once the warehouse has told of a parcel, until the storefront knows.
    """

    cut_off: time
    weekdays: tuple[int, ...] = tuple(range(7))
    facilities: Mapping[str, time] | None = None
    handling: timedelta = timedelta(hours=2)
    ship_within: timedelta | None = None
    telling: timedelta = timedelta(minutes=15)

    def after(self, moment: datetime, facility: str) -> datetime:
        """The first cut-off at or after this moment."""
        at = (self.facilities or {}).get(facility, self.cut_off)
        day = moment.replace(hour=at.hour, minute=at.minute, second=at.second, microsecond=0)
        for days in range(9):
            candidate = day + days * DAY
            if candidate >= moment and candidate.weekday() in self.weekdays:
                return candidate
        raise ValueError("there is no weekday on which parcels are collected")

    def must_leave_at(self, placed_at: datetime, facility: str) -> datetime:
        """The collection that an order placed then must be on."""
        agreed = self.after(placed_at + self.handling, facility)
        if self.ship_within is None or agreed <= placed_at + self.ship_within:
            return agreed
        earlier = self.after(placed_at, facility)  # the agreed one is too late for the ship-by time: the last before that, if there is one
        return max((moment for moment in (earlier,) if moment <= placed_at + self.ship_within), default=placed_at + self.ship_within)


def at_risk(pending: Iterable[Pending], lead_times: Mapping[str, list[float]], collections: Collections, now: datetime,
            rhythm: Rhythm | None = None) -> list[AtRisk]:
    """Of the orders that have not left, those that will miss their collection or their ship-by, the most urgent first.

    lead_times: seconds from asked to shipped, by facility. rhythm: how this warehouse tells of what it ships.
    """
    everywhere = sorted(seconds for of_one in lead_times.values() for seconds in of_one)
    found = []
    for one in pending:
        if one.ship_by is not None:
            found += _misses_ship_by(one, one.ship_by, rhythm or Rhythm(()), collections.telling, now)
            continue
        must = collections.must_leave_at(one.placed_at, one.facility)
        own = sorted(lead_times.get(one.facility, []))
        known = own if len(own) >= OBSERVATIONS_MIN else everywhere if len(everywhere) >= OBSERVATIONS_MIN else []
        expected_at = _expected_at(one, known, now)
        why = _why(one, must, expected_at, len(known), now)
        if why:
            found.append(AtRisk(one, must, hours_between(now, must), expected_at, len(known), why))
    return sorted(found, key=lambda risk: (risk.must_leave_at, risk.pending.order_id))


def hours_between(now: datetime, then: datetime) -> float:
    """Hours left, to the hundredth; below zero when it has passed."""
    return round((then - now).total_seconds() / 3600, 2)


def _misses_ship_by(one: Pending, ship_by: datetime, rhythm: Rhythm, telling: timedelta, now: datetime) -> list[AtRisk]:
    state = f"{one.stage} since {one.since:%Y-%m-%d %H:%M} UTC"
    if one.stage == NOT_TOLD:
        at, seen = max(now, one.since) + telling, 0
    else:
        told_at, seen = rhythm.expected_at(one.facility, one.asked_at or now, now)
        at = told_at and told_at + telling
    if now > ship_by:
        why = f"its ship-by at {ship_by:%Y-%m-%d %H:%M} UTC has passed; {state}"
    elif at is not None and at > ship_by:
        experience = f"by {seen} shipments" if seen else "by our own rhythm"
        why = f"the storefront is expected to know at {at:%Y-%m-%d %H:%M} UTC {experience}, ship-by at {ship_by:%Y-%m-%d %H:%M} UTC; {state}"
    elif ship_by - now <= WARN and (at is None or one.stage == NOT_TOLD and now - one.since > telling):
        why = f"ship-by at {ship_by:%Y-%m-%d %H:%M} UTC; {state}; {'it should have been told by now' if at else 'no experience with this warehouse yet'}"
    else:
        return []
    return [AtRisk(one, ship_by, hours_between(now, ship_by), at, seen, why)]


def _expected_at(one: Pending, known: list[float], now: datetime) -> datetime | None:
    """None: no experience, or it has taken longer than anything that we saw."""
    asked_at = one.asked_at or now
    waited = (now - asked_at).total_seconds()
    longer = [seconds for seconds in known if seconds > waited]
    return asked_at + timedelta(seconds=longer[min(len(longer) - 1, int(SHARE * len(longer)))]) if longer else None


def _why(one: Pending, must: datetime, expected_at: datetime | None, observations: int, now: datetime) -> str:
    state = f"{one.stage} since {one.since:%Y-%m-%d %H:%M} UTC"
    if now > must:
        return f"its collection at {must:%Y-%m-%d %H:%M} UTC has left; {state}"
    if expected_at is not None and expected_at > must:
        return f"expected ready at {expected_at:%Y-%m-%d %H:%M} UTC by {observations} shipments, collection at {must:%Y-%m-%d %H:%M} UTC; {state}"
    if expected_at is None and must - now <= WARN:
        experience = f"longer than all of {observations} shipments" if observations else "no experience with this warehouse yet"
        return f"collection at {must:%Y-%m-%d %H:%M} UTC; {state}; {experience}"
    return ""
