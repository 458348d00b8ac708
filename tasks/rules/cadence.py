"""How often a SKU's figure must go out, and which of those that are owed go now.

    interval = clamp(beta * available / (sales rate at the peak) - lag, floor, 60 minutes)

so that within it at most `beta` of what is there is sold. While the quota holds everything owed goes with every run; when it does not, what is
due goes first, the most urgent at the head, and nothing is left out for ever: what waits grows more urgent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks.rules.safety_stock import DAY, PEAK

BETA = 0.05
LONGEST = 3600.0
FLOOR = 300.0  # what the vendors' seed asks of fast movers
FLOOR_FAST = 60.0  # where the quota allows
HYSTERESIS = 2.0


@dataclass(frozen=True)
class Owed:
    """One figure that a storefront is yet to be told. sent: what it was told last; None: nothing yet."""

    location: str
    sku: str
    quantity: int
    sent: int | None
    sent_at: datetime | None
    per_day: float = 0.0


def interval_seconds(available: int, per_day: float, lag: float, floor: float = FLOOR, before: float = 0.0, peak: float = PEAK) -> float:
    """How long the figure may stand. It shortens at once, but lengthens only when the new one is twice as long as `before` (0: none): no flutter."""
    rate = per_day * peak / DAY.total_seconds()
    wanted = LONGEST if rate <= 0 else min(LONGEST, max(floor, BETA * available / rate - lag))
    return before if before and before < wanted < before * HYSTERESIS else wanted


def floor_seconds(items: int, items_per_call: int, calls_per_hour: int) -> float:
    """One minute where telling so many items every minute leaves half of the quota to others, else five."""
    calls = -(-items // max(1, items_per_call))
    return FLOOR_FAST if calls * 60 <= calls_per_hour / 2 else FLOOR


def is_due(owed: Owed, now: datetime, lag: float, floor: float = FLOOR) -> bool:
    """Must it go now, however scarce the quota? Never told, sold out or back in stock, fallen by more than its share, or its interval is over."""
    if owed.sent is None or owed.sent_at is None or (owed.sent == 0) != (owed.quantity == 0):
        return True
    if owed.sent - owed.quantity > BETA * owed.sent:
        return True
    return now - owed.sent_at >= timedelta(seconds=interval_seconds(min(owed.sent, owed.quantity), owed.per_day, lag, floor))


def due_now(owed: Iterable[Owed], now: datetime, items_max: int, lag: float = 0.0, floor: float = FLOOR) -> list[Owed]:
    """Which of these go now, at most `items_max`, the most urgent first: all of them while they fit."""
    ranked = sorted(owed, key=lambda one: (not is_due(one, now, lag, floor), *_urgency(one, now, lag, floor), one.location, one.sku))
    return ranked[:max(0, items_max)]


def _urgency(owed: Owed, now: datetime, lag: float, floor: float) -> tuple[int, float]:
    """What would be sold though it is gone comes first, then what has stood for the longest part of its interval."""
    oversold = (owed.sent or 0) > owed.quantity
    waited = (now - owed.sent_at).total_seconds() if owed.sent_at else LONGEST
    return (0 if oversold and owed.quantity == 0 else 1 if oversold else 2), -waited / interval_seconds(owed.quantity, owed.per_day, lag, floor)
