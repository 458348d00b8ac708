"""When a feed that says nothing is a feed that stopped.

A warehouse's feed may be silent for as long as its profile agrees, and only counts as silent while something is awaited from it: nobody advises a
dispatch where nothing was asked. A storefront's orders have a rhythm of their own: a quiet night is no silence, however long the watermark
stands still. They are silent when the same hours of each of the last weeks (days, while the history is short) brought orders, and these none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

AWAITED = ("dispatches", "acknowledgement")  # kinds that only come when something was asked
ORDERS_EXPECTED_MIN = 5  # so many orders in the same hours of every week before, and now none: by chance once in hundreds of times
WEEKS, DAYS = 4, 7
PERIODS_MIN = {"week": 2, "day": 3}  # fewer periods before say nothing about what is usual
READ_WITHIN_SECONDS = 3600.0  # twelve runs at five minutes


@dataclass(frozen=True)
class Silence:
    """A feed that stopped. allowed_seconds: 0 where it was judged by its own rhythm."""

    feed: str
    since: datetime
    allowed_seconds: float
    why: str


def silent_kinds(may_be_silent: Mapping[str, float], heard: Mapping[str, datetime], awaited: Mapping[str, datetime], watched_since: datetime,
                 now: datetime) -> list[Silence]:
    """The message kinds of a warehouse that have been silent for too long. heard: the last usable one; awaited: since when something is owed to us."""
    found = []
    for kind, seconds in sorted(may_be_silent.items()):
        if kind in AWAITED and kind not in awaited:
            continue
        since = max(heard.get(kind, watched_since), awaited.get(kind, watched_since))
        if kind not in heard and kind in awaited:
            since = awaited[kind]
        if now - since > timedelta(seconds=seconds):
            what = f"since {since:%Y-%m-%d %H:%M} UTC" if kind in heard else f"never yet, and it is awaited since {since:%Y-%m-%d %H:%M} UTC"
            found.append(Silence(kind, since, seconds, f"nothing usable has come {what}; it may be silent for {_hours(seconds)}"))
    return found


def orders_silence(placed: Iterable[datetime], read_at: datetime | None, now: datetime, read_within: float = READ_WITHIN_SECONDS) -> Silence | None:
    """Is the feed of orders silent: not read by us, or read and without an order where the same hours always brought some? None: it is not.

    placed: when orders were placed, some weeks back. read_at: when we last read the feed to its end; None: never, so nothing can be said of it.
    """
    if read_at is None:
        return None
    if now - read_at > timedelta(seconds=read_within):
        return Silence("orders", read_at, read_within, f"it was last read to its end at {read_at:%Y-%m-%d %H:%M} UTC: look at the runs of orders-to-warehouse")
    moments = sorted(moment for moment in placed if moment <= now)
    if not moments:
        return None
    usual = _usual(moments, moments[-1], now)
    if not usual or min(usual[1]) < ORDERS_EXPECTED_MIN:
        return None
    period, counts = usual
    return Silence("orders", moments[-1], 0, f"no order since {moments[-1]:%Y-%m-%d %H:%M} UTC; the same hours of the {len(counts)} {period}s before "
                                             f"brought {', '.join(map(str, counts))}")


def _usual(moments: list[datetime], last: datetime, now: datetime) -> tuple[str, list[int]] | None:
    """How many orders the same hours of each period before brought, the newest period first; None while the history is too short to say."""
    for period, unit, most in (("week", timedelta(weeks=1), WEEKS), ("day", timedelta(days=1), DAYS)):
        step = unit * -((last - now) // unit)  # a silence of nine days is held against fortnights
        whole = [n for n in range(1, most + 1) if last - n * step >= moments[0]]
        if len(whole) >= PERIODS_MIN[period]:
            return period, [_between(moments, last - n * step, now - n * step) for n in whole]
    return None


def _between(moments: list[datetime], since: datetime, until: datetime) -> int:
    return sum(since < moment <= until for moment in moments)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:g} h"
