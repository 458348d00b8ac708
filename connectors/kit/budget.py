"""How many requests an account may still make, learned from its answers and shared by everything in this process that uses it.

The headers are those that BigCommerce sends with every answer (official docs, rate limits): requests left and quota of the
present window, and the milliseconds until it ends. A 429 without them means load on their side: then we back off, doubling.
"""

import threading
import weakref
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from connectors.kit.clock import Clock, SystemClock
from connectors.kit.errors import NotNow

LEFT, QUOTA = "x-rate-limit-requests-left", "x-rate-limit-requests-quota"
RESET_MS, WINDOW_MS = "x-rate-limit-time-reset-ms", "x-rate-limit-time-window-ms"
BACK_OFF_SECONDS, BACK_OFF_SECONDS_MAX, WINDOW_SECONDS = 1.0, 32.0, 30.0


class Budget:
    """The budget of one account. Thread-safe; waits through the clock it is handed, never for longer than `wait_seconds_max`."""

    def __init__(self, account: str, reserve: int = 5, wait_seconds_max: float = 60.0) -> None:
        self.account, self._reserve, self._wait_max = account, reserve, wait_seconds_max
        self._lock = threading.Lock()
        self._left: int | None = None
        self._quota: int | None = None
        self._ends: datetime | None = None
        self._not_before: datetime | None = None
        self._in_flight = 0
        self._refused_in_a_row = 0

    def take(self, clock: Clock) -> None:
        """One request is about to be sent: wait until there is room. Raises NotNow when that would take too long.

        Every `take` is followed by one `settle`.
        """
        waited = 0.0
        while True:
            with self._lock:
                wait = self._seconds_to_wait(clock.now())
                if wait <= 0:
                    self._left = None if self._left is None else self._left - 1
                    self._in_flight += 1
                    return
            if waited + wait > self._wait_max:
                raise NotNow(f"sending to {self.account}", f"its request budget is used up for another {wait:.0f} s", wait_seconds=wait)
            clock.sleep(wait)
            waited += wait

    def settle(self, clock: Clock, status: int | None, headers: Mapping[str, str]) -> None:
        """The request came back (`status` None: nothing came). Learn what its headers say."""
        with self._lock:
            self._in_flight = max(0, self._in_flight - 1)
            if status is None:
                return
            self._learn(clock.now(), headers)
            if status != 429:
                self._refused_in_a_row, self._not_before = 0, None
                return
            self._refused_in_a_row += 1
            back_off = min(BACK_OFF_SECONDS_MAX, BACK_OFF_SECONDS * 2 ** (self._refused_in_a_row - 1))
            wait = retry_after_seconds(headers, clock.now())
            self._not_before = clock.now() + timedelta(seconds=back_off if wait is None else wait)

    def _seconds_to_wait(self, now: datetime) -> float:
        if self._ends is not None and now >= self._ends:
            self._left, self._ends = self._quota, None
        held_back = self._reserve if self._quota is None else min(self._reserve, self._quota // 4)
        empty = self._left is not None and self._left <= held_back
        until = [moment for moment in (self._ends if empty else None, self._not_before) if moment is not None]
        return max([(moment - now).total_seconds() for moment in until], default=0.0)

    def _learn(self, now: datetime, headers: Mapping[str, str]) -> None:
        left, reset = _number(headers.get(LEFT)), _number(headers.get(RESET_MS))
        if left is None or reset is None:
            return
        window = _number(headers.get(WINDOW_MS)) or int(WINDOW_SECONDS * 1000)
        ends = now + timedelta(milliseconds=min(reset, window))
        free = left - self._in_flight  # those under way are not counted in `left` yet
        same_window = self._ends is not None and abs((ends - self._ends).total_seconds()) < window / 2000
        self._left = min(free, self._left) if same_window and self._left is not None else free
        self._ends = ends if not same_window else max(ends, self._ends)
        self._quota = _number(headers.get(QUOTA)) or self._quota


_LOCK = threading.Lock()
_OF_THE_MACHINE: dict[str, Budget] = {}
_OF_OTHER_CLOCKS: "weakref.WeakKeyDictionary[Clock, dict[str, Budget]]" = weakref.WeakKeyDictionary()


def shared_budget(account: str, clock: Clock, reserve: int = 5, wait_seconds_max: float = 60.0) -> Budget:
    """The one budget of this account in this process; the first caller's limits hold.

    A clock other than the machine's is a world of its own (a test, a simulation), with budgets of its own.
    """
    with _LOCK:
        known = _OF_THE_MACHINE if isinstance(clock, SystemClock) else _OF_OTHER_CLOCKS.setdefault(clock, {})
        return known.setdefault(account, Budget(account, reserve, wait_seconds_max))


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long the far side asks us to wait: X-Retry-After or Retry-After (seconds or a date), else the window's end. None: it does not say."""
    for name in ("x-retry-after", "retry-after"):
        text = headers.get(name, "").strip()
        seconds = _number(text)
        if seconds is not None:
            return float(seconds)
        if text:
            try:
                return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
            except (TypeError, ValueError):
                continue  # neither seconds nor a dated moment: as good as not said
    reset = _number(headers.get(RESET_MS))
    return None if reset is None else reset / 1000


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
