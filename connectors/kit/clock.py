"""The only place that looks at a clock or rolls a die. Everything else is handed a `Clock`."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time as the project sees it: UTC, and passed in."""

    def now(self) -> datetime:
        """The present moment, timezone-aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Onward:
    """Time that never runs backwards, nor slower than it passes: a clock that was put back does not make a claim last longer (fault F21)."""

    def __init__(self) -> None:
        self._latest, self._passed = datetime.min.replace(tzinfo=UTC), 0.0

    def __call__(self, shown: datetime, passed: float) -> datetime:
        """shown: by the clock on the wall; passed: seconds by one that nobody sets."""
        onward = self._latest + timedelta(seconds=max(0.0, passed - self._passed)) if self._passed else self._latest
        self._latest, self._passed = max(shown, onward), passed
        return self._latest


class SystemClock:
    """The machine's clock. One that is put back goes on from where it was until the process ends, so that a watermark or a lease computed from an
    earlier reading stays true."""

    def __init__(self) -> None:
        self._onward = Onward()

    def now(self) -> datetime:
        return self._onward(datetime.now(UTC), _passed())

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


def _passed() -> float:
    """Seconds since the machine started, those that it slept through too where it counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class ManualClock:
    """A clock that stands still until somebody moves it; sleeping moves it. For tests and the simulator."""

    def __init__(self, at: datetime = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


def new_id() -> str:
    """A random id, for runs and people's actions only: an effect's id comes from its business identity."""
    return uuid.uuid4().hex
