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


class SystemClock:
    """The machine's clock, which never runs backwards for us: a clock that jumps back stands still until it has caught up.

    A watermark or lease computed from an earlier reading stays true that way (fault F21).
    """

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        self._latest = max(self._latest, datetime.now(UTC))
        return self._latest

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


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
