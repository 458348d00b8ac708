"""Token buckets: one for each operation of one account, at the rate and burst that the vendor publishes for it.

A full bucket holds `burst` requests and fills again at `per_second`. We fill ours a little slower than the far side fills its own, so
that a request that waited for its token is never refused for the sake of a millisecond. A 429 says that somebody else draws from the same
bucket: then it is empty, and the next request waits for one to drip in. The rate in force is learned from the answers' header.
"""

import math
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.kit.budget import retry_after_seconds
from connectors.kit.clock import Clock, SystemClock
from connectors.kit.errors import NotNow

RATE = "x-amzn-ratelimit-limit"
USED = 0.98  # of the permitted rate
REFUSED_IN_A_ROW_MAX = 3  # a wait is at most 2 ** this token intervals


@dataclass(frozen=True)
class Rate:
    """What is published for one operation: requests a second in the long run, and how many at once."""

    per_second: float
    burst: int


class Bucket:
    """One operation of one account. Thread-safe; waits through the clock it is handed, never for longer than `wait_seconds_max`."""

    def __init__(self, what: str, rate: Rate, wait_seconds_max: float = 60.0) -> None:
        self._what, self._burst, self._wait_max = what, rate.burst, wait_seconds_max
        self._per_second = rate.per_second * USED
        self._tokens, self._filled_at = float(rate.burst), None
        self._refused_in_a_row = 0
        self._lock = threading.Lock()

    def take(self, clock: Clock) -> None:
        """One request is about to be sent: wait for a token. Raises NotNow when that would take too long."""
        waited = 0.0
        while True:
            with self._lock:
                wait = self._seconds_to_wait(clock.now())
                if wait <= 0:
                    self._tokens -= 1
                    return
            if waited + wait > self._wait_max:
                raise NotNow(f"sending {self._what}", f"its request budget is used up for another {math.ceil(wait)} s", wait_seconds=wait)
            clock.sleep(wait)
            waited += wait

    def settle(self, clock: Clock, status: int | None, headers: Mapping[str, str]) -> None:
        """The request came back (`status` None: nothing came). Learn the rate in force; after a 429 the bucket is empty."""
        with self._lock:
            self._fill(clock.now())
            learned = _rate(headers.get(RATE, ""))
            if learned:
                self._per_second = learned * USED
            if status != 429:
                self._refused_in_a_row = 0 if status else self._refused_in_a_row
                return
            asked = retry_after_seconds(headers, clock.now())
            wait = 2 ** self._refused_in_a_row / self._per_second if asked is None else asked
            self._refused_in_a_row = min(self._refused_in_a_row + 1, REFUSED_IN_A_ROW_MAX)
            self._tokens = 1 - wait * self._per_second

    def seconds_to_wait(self, now: datetime) -> float:
        """Until the next request may be sent."""
        with self._lock:
            return self._seconds_to_wait(now)

    def _seconds_to_wait(self, now: datetime) -> float:
        self._fill(now)
        missing = 1 - self._tokens
        return math.ceil(missing / self._per_second * 1000) / 1000 if missing > 1e-9 else 0.0

    def _fill(self, now: datetime) -> None:
        if self._filled_at is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, (now - self._filled_at).total_seconds()) * self._per_second)
        self._filled_at = now if self._filled_at is None else max(now, self._filled_at)


class Buckets:
    """Every bucket of one account."""

    def __init__(self, account: str, rates: Mapping[str, Rate], wait_seconds_max: float = 60.0) -> None:
        self._of = {operation: Bucket(f"{operation} to {account}", rate, wait_seconds_max) for operation, rate in rates.items()}

    def of(self, operation: str) -> Bucket:
        """The bucket of this operation. Raises KeyError: every operation that is called has a published rate."""
        return self._of[operation]


_LOCK = threading.Lock()
_OF_THE_MACHINE: dict[str, Buckets] = {}
_OF_OTHER_CLOCKS: "weakref.WeakKeyDictionary[Clock, dict[str, Buckets]]" = weakref.WeakKeyDictionary()


def shared_buckets(account: str, clock: Clock, rates: Mapping[str, Rate], wait_seconds_max: float = 60.0) -> Buckets:
    """The buckets of this account in this process; the first caller's limits hold. A clock other than the machine's is a world of its own."""
    with _LOCK:
        known = _OF_THE_MACHINE if isinstance(clock, SystemClock) else _OF_OTHER_CLOCKS.setdefault(clock, {})
        return known.setdefault(account, Buckets(account, rates, wait_seconds_max))


def _rate(text: str) -> float | None:
    try:
        rate = float(text)
    except ValueError:
        return None  # not said, or not a number: what is known stays
    return rate if 0 < rate <= 10_000 else None
