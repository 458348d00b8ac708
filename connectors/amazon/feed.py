"""Reading the orders that changed, slice by slice.

searchOrders says nothing of an order of its answer, so that a window is only taken in with its last page; and a call is dear (20 an hour). So we
ask for the whole window, and when that is more than a page and long, for an eighth of it. A short slice is read to its last page under the same
parameters. A backlog thus goes on where the request budget ended, and never from the beginning.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.amazon.wire_orders import OrdersAnswer
from connectors.kit.errors import BadDocument
from connectors.ports import Window

SETTLED_AFTER = timedelta(seconds=130)  # the end of a window is at least two minutes old, says Amazon; our clocks may differ
LONG, SHORTEST = timedelta(hours=2), timedelta(seconds=60)
CUT = 8
PAGES_MAX, PAGES_MANY = 400, 4
DOING = "reading searchOrders"
ListPage = Callable[[datetime, datetime, str], OrdersAnswer]


@dataclass(frozen=True)
class Listed:
    """Rows not given before in this run, and how far the feed is safely taken in with them."""

    rows: list[dict[str, Any]]
    reached: datetime


def walk(list_page: ListPage, window: Window, now: datetime) -> Iterator[Listed]:
    """Every order modified in the window; one edited meanwhile may come again as it then is. What is younger than two minutes is the next run's."""
    cursor, until = _whole(window.since), _whole(min(window.until, now - SETTLED_AFTER))
    if cursor >= until:
        yield Listed([], window.since)
    seen: set[tuple[str, str]] = set()
    length = until - cursor
    while cursor < until:
        end = min(cursor + length, until)
        pages, is_whole = 0, True
        for answer in _pages(list_page, cursor, end):
            pages += 1
            is_whole = not _token(answer)
            yield Listed(_fresh(answer.orders, seen), end if is_whole else cursor)
            if not is_whole and end - cursor > LONG:
                break
        if not is_whole:
            length = _whole_seconds((end - cursor) / CUT)
            continue
        length = length * 2 if pages == 1 else _whole_seconds(length / 2) if pages > PAGES_MANY else length
        cursor = end


def _pages(list_page: ListPage, since: datetime, until: datetime) -> Iterator[OrdersAnswer]:
    """One slice to its last page: the same parameters each time, and a token never twice."""
    token, used = "", set()
    for _ in range(PAGES_MAX):
        answer = list_page(since, until, token)
        yield answer
        token = _token(answer)
        if not token:
            return
        if token in used:
            raise BadDocument(DOING, "the next page leads to one that was read already")
        used.add(token)
    raise BadDocument(DOING, f"more than {PAGES_MAX} pages between {since:%Y-%m-%d %H:%M:%S} and {until:%Y-%m-%d %H:%M:%S}")


def _token(answer: OrdersAnswer) -> str:
    return answer.pagination.nextToken if answer.pagination else ""


def _fresh(rows: list[dict[str, Any]], seen: set[tuple[str, str]]) -> list[dict[str, Any]]:
    fresh = []
    for row in rows:
        key = (str(row.get("orderId")), str(row.get("lastUpdatedTime")))
        if row.get("orderId") and key in seen:
            continue
        seen.add(key)
        fresh.append(row)
    return fresh


def _whole_seconds(length: timedelta) -> timedelta:
    return timedelta(seconds=max(SHORTEST.total_seconds(), length.total_seconds() // 1))


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
