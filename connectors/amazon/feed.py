"""Reading the orders that changed, slice by slice.

searchOrders says nothing of the order of its answer, so that a window is only taken in with its last page; and a call is dear (20 an hour). So we
ask for the whole window, and when that is too many pages, for the beginning of it. How many there will be and where to cut is guessed from the first
page; a wrong guess costs calls, and no order. A slice is read to its last page under the same parameters. When the request budget ends, the run
ends too, and the next goes on after the last whole slice; only the first slice of a run is waited for, as a run that brings none whole would
begin anew for ever.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.amazon.wire import read_moment
from connectors.amazon.wire_orders import OrdersAnswer
from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, NotNow
from connectors.ports import Window

SETTLED_AFTER = timedelta(seconds=130)  # the end of a window is at least two minutes old, says Amazon; our clocks may differ
LONG, SHORTEST = timedelta(hours=2), timedelta(seconds=60)
CUT = 8  # a slice of which nothing better can be guessed is asked for again as an eighth of it
PAGES_MAX, PAGES_GOOD, PAGES_TOO_MANY = 400, 4, 10
PATIENCE_SECONDS, WAIT_SECONDS_MIN = 3600.0, 10.0
DOING = "reading searchOrders"
ListPage = Callable[[datetime, datetime, str], OrdersAnswer]


@dataclass(frozen=True)
class Listed:
    """Rows not given before in this run, and how far the feed is safely taken in with them."""

    rows: list[dict[str, Any]]
    reached: datetime


def walk(list_page: ListPage, window: Window, clock: Clock) -> Iterator[Listed]:
    """Every order modified in the window; one edited meanwhile may come again as it then is. What is younger than two minutes is the next run's.

    Stops quietly when the request budget ends after a whole slice: `reached` says how far it came.
    """
    return _Walk(list_page, window, clock).slices()


class _BudgetEnded(Exception):
    """No more calls for now, and something whole was read."""


class _Walk:
    def __init__(self, list_page: ListPage, window: Window, clock: Clock) -> None:
        self._list_page, self._window, self._clock = list_page, window, clock
        self._calls, self._whole, self._waited = 0, 0, 0.0

    def slices(self) -> Iterator[Listed]:
        cursor, until = _second(self._window.since), _second(min(self._window.until, self._clock.now() - SETTLED_AFTER))
        if cursor >= until:
            yield Listed([], self._window.since)
        length, seen = until - cursor, set()
        while cursor < until:
            end, pages, shorter = min(cursor + length, until), 0, None
            try:
                for answer in self._pages(cursor, end):
                    pages += 1
                    is_last = not _token(answer)
                    yield Listed(_fresh(answer.orders, seen, is_last), end if is_last else cursor)
                    shorter = None if is_last else _shorter(cursor, end, answer.orders, pages)
                    if shorter:
                        break
            except _BudgetEnded:
                return
            if shorter:
                length = shorter
                continue
            self._whole += 1
            length, cursor = length * 2 if pages == 1 else length, end

    def _pages(self, since: datetime, until: datetime) -> Iterator[OrdersAnswer]:
        """One slice to its last page: the same parameters each time, and a token never twice."""
        token, used = "", set()
        for _ in range(PAGES_MAX):
            answer = self._ask(since, until, token)
            yield answer
            token = _token(answer)
            if not token:
                return
            if token in used:
                raise BadDocument(DOING, "the next page leads to one that was read already")
            used.add(token)
        raise BadDocument(DOING, f"more than {PAGES_MAX} pages between {since:%Y-%m-%d %H:%M:%S} and {until:%Y-%m-%d %H:%M:%S}")

    def _ask(self, since: datetime, until: datetime, token: str) -> OrdersAnswer:
        while True:
            try:
                answer = self._list_page(since, until, token)
            except NotNow as error:
                if self._whole:
                    raise _BudgetEnded from None
                wait = max(error.wait_seconds or 0, WAIT_SECONDS_MIN)
                if not self._calls or error.wait_seconds is None or self._waited + wait > PATIENCE_SECONDS:
                    raise
            else:
                self._calls += 1
                return answer
            self._clock.sleep(wait)
            self._waited += wait


def _fresh(rows: list[dict[str, Any]], seen: set[tuple[str, str]], is_last: bool) -> list[dict[str, Any]]:
    """What was not given before. The last page of a slice is never left empty so: its orders tell the house how far the feed came."""
    fresh = []
    for row in rows:
        key = (str(row.get("orderId")), str(row.get("lastUpdatedTime")))
        if row.get("orderId") and key in seen:
            continue
        seen.add(key)
        fresh.append(row)
    return fresh or (rows if is_last else [])


def _shorter(since: datetime, until: datetime, rows: list[dict[str, Any]], pages: int) -> timedelta | None:
    """With more pages to come: the length of a better slice, or None to read on. If the answer happens to be sorted, its first page tells enough."""
    length = until - since
    if length <= SHORTEST or 1 < pages < PAGES_TOO_MANY:
        return None
    moments = [moment for moment in map(_modified, rows) if moment]
    if pages >= PAGES_TOO_MANY or not moments:
        return max(SHORTEST, _second_length(length / CUT))
    page = max(max(moments) - min(moments), timedelta(seconds=1))
    left = (until - max(moments)) / page
    if left + 1 > PAGES_TOO_MANY:
        return max(SHORTEST, _second_length(max(moments) - since + (PAGES_GOOD - 1) * page))
    return max(SHORTEST, _second_length(length / CUT)) if left < 1 and length > LONG else None


def _modified(row: dict[str, Any]) -> datetime | None:
    try:
        return read_moment(row.get("lastUpdatedTime"))
    except ValueError:
        return None  # the row is set aside by the mapping, with its reason


def _token(answer: OrdersAnswer) -> str:
    return answer.pagination.nextToken if answer.pagination else ""


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _second_length(length: timedelta) -> timedelta:
    return timedelta(seconds=length.total_seconds() // 1)
