"""When a warehouse will tell of a parcel, by its own rhythm: the manifests it sent lately.

A warehouse works in batches: what it gets before its cut-off is in that day's manifest, what comes later in the next, and on some days there is none.
So a request is held against those that were asked at about the same time of day, on days like this one (does it work today, and tomorrow?), one
for each such day, since all that share a manifest say the same: four of five of them were told of by a certain hour, that day or some days later. One of which nearly all of those would have been told by now has
missed its manifest: from then on it is held against those that were asked at this time of day, as if it were asked now.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import inf
from typing import NamedTuple

ALIKE, NEAR_SECONDS = 15, 3600.0  # so many days, of each the request that was asked nearest to the same time, and within an hour of it
STEPS_MAX = 2000
SHARE = 0.8  # four of five
OBSERVATIONS_MIN = 5  # however far away
DAYS_MIN = 3
PATIENCE_SECONDS = 3600.0  # a manifest may be so much later than usual before its orders count as left out of it
DAY = timedelta(days=1)
LEARNED_AFTER = timedelta(days=14)  # so long a history shows on which weekdays the warehouse tells of anything

Kind = tuple[bool, bool]


class Expected(NamedTuple):
    """When the warehouse should have told of it, and by how many requests that is said. at None: nothing says."""

    at: datetime | None
    observations: int


class _Day(NamedTuple):
    """Requests of one kind of day by the time at which they were asked, and when the warehouse told of them: seconds, both since the midnight before."""

    asked: list[float]
    told: list[float]
    dates: list[datetime]


class Rhythm:
    """What a warehouse did lately. history: (facility, when it was asked, when it told of the first parcel)."""

    def __init__(self, history: Iterable[tuple[str, datetime, datetime]], weekdays: Sequence[int] = range(7)) -> None:
        told = [(facility, asked_at, told_at) for facility, asked_at, told_at in history if told_at >= asked_at]
        self._weekdays = _working(told) or frozenset(weekdays)
        self._days: dict[tuple[str, Kind], _Day] = {}
        for facility, asked_at, told_at in sorted(told, key=lambda one: (_of_day(one[1]), one)):
            for name in (facility, ""):  # '': every facility together, for one with little experience
                day = self._days.setdefault((name, self._kind(asked_at)), _Day([], [], []))
                day.dates.append(_midnight(asked_at))
                day.asked.append(_of_day(asked_at))
                day.told.append((told_at - _midnight(asked_at)).total_seconds())

    def expected_at(self, facility: str, asked_at: datetime, now: datetime) -> Expected:
        """When it will tell of a request that was asked then and is not told of yet."""
        alike, midnight = self._alike(facility, asked_at), _midnight(asked_at)
        if not alike:
            return Expected(None, 0)
        usual = midnight + timedelta(seconds=alike[len(alike) // 2] + PATIENCE_SECONDS)
        if now <= usual:
            later = [seconds for seconds in alike if seconds > (now - midnight).total_seconds()]
            return Expected(midnight + timedelta(seconds=_most(later)) if later else usual, len(alike))
        again = self._alike(facility, now)  # it was left out of the manifest that had the others
        return Expected(_midnight(now) + timedelta(seconds=_most(again)) if again else None, len(alike))

    def _alike(self, facility: str, asked_at: datetime) -> list[float]:
        """When those were told of that were asked at about this time on such a day, earliest first; [] when too few were."""
        kind = self._kind(asked_at)
        for name in (facility, ""):
            day = self._days.get((name, kind))
            if day and len(found := _nearest(day, _of_day(asked_at))) >= DAYS_MIN and len(day.asked) >= OBSERVATIONS_MIN:
                return sorted(found)
        return []

    def _kind(self, moment: datetime) -> Kind:
        return moment.weekday() in self._weekdays, (moment + DAY).weekday() in self._weekdays


def _nearest(day: _Day, seconds: float) -> list[float]:
    """When those were told of that were asked nearest to this time of day, one for each date."""
    first = last = bisect_left(day.asked, seconds)
    found: dict[datetime, float] = {}
    for _ in range(min(STEPS_MAX, len(day.asked))):
        before = seconds - day.asked[first - 1] if first > 0 else inf
        after = day.asked[last] - seconds if last < len(day.asked) else inf
        if len(found) >= ALIKE or len(found) >= OBSERVATIONS_MIN and min(before, after) > NEAR_SECONDS:
            break
        if before <= after:
            first -= 1
        place = first if before <= after else last
        last += before > after
        found.setdefault(day.dates[place], day.told[place])
    return list(found.values())


def _most(told: list[float]) -> float:
    """When four of five were told of; of a few, one is not believed."""
    return told[max(0, min(len(told) - 2, int(SHARE * len(told))))]


def _of_day(moment: datetime) -> float:
    return (moment - _midnight(moment)).total_seconds()


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _working(told: list[tuple[str, datetime, datetime]]) -> frozenset[int]:
    """The weekdays on which it told of anything; none while the history is short."""
    moments = [told_at for _, _, told_at in told]
    return frozenset(moment.weekday() for moment in moments) if moments and max(moments) - min(moments) >= LEARNED_AFTER else frozenset()
