"""Reading the list of orders while it moves.

GET /v2/orders has page numbers only, and an order that is edited while we page moves to the end: everything behind it slides
one place forward, and the first of the next page is never seen. So we never turn a page. We ask again from the last second
seen (`min_date_modified`, oldest first), and where one second fills a whole page, through that second by `min_id`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.bigcommerce.wire import read_date, write_date
from connectors.kit.errors import BadDocument
from connectors.ports import Window

PAGES_MAX = 4000
SECOND = timedelta(seconds=1)
# Seconds younger than this may still be filling, whoever's clock is wrong: they are read, but the watermark does not pass them.
SETTLED_AFTER = timedelta(hours=1)
ListPage = Callable[..., list[dict]]


@dataclass(frozen=True)
class Listed:
    """Rows not given before in this run, and how far the feed is safely taken in with them."""

    rows: list[dict]
    reached: datetime


def walk(list_page: ListPage, window: Window, page_size: int, now: datetime) -> Iterator[Listed]:
    """Every order modified in the window, oldest change first; one edited meanwhile may come again as it then is.

    Stops quietly after PAGES_MAX requests: `reached` says how far it came. Raises BadDocument when the answers show that
    the filter or the sorting is not applied, as then nothing could be said to be complete.
    """
    return _Walk(list_page, window, page_size, now).pages()


class _Walk:
    def __init__(self, list_page: ListPage, window: Window, page_size: int, now: datetime) -> None:
        self._list_page, self._window, self._page_size, self._settled = list_page, window, page_size, now - SETTLED_AFTER
        self._seen: set[tuple[int, str]] = set()
        self._cap: datetime | None = None

    def pages(self) -> Iterator[Listed]:
        cursor = self._window.since.replace(microsecond=0)
        for _ in range(PAGES_MAX if self._window.since < self._window.until else 0):
            rows = self._list(cursor, self._window.until + SECOND, sort="date_modified:asc")
            moments = self._sorted(rows)
            last = moments[-1] if moments else cursor
            if len(rows) < self._page_size or last >= self._window.until:
                yield self._listed(rows, max([m for m in moments if m < self._window.until] + [cursor, min(self._window.until, self._settled)]))
                return
            if not moments or last < cursor:
                raise BadDocument("reading /orders", "a full page without one usable date in the window asked for")
            yield self._listed(rows, last)
            if cursor < last and moments[0] < last:
                cursor = last
                continue
            yield from self._through(last)
            self._cap = last if last >= self._settled and self._cap is None else self._cap
            cursor = last + SECOND
        else:
            if self._window.since >= self._window.until:
                yield Listed([], self._window.since)

    def _through(self, second: datetime) -> Iterator[Listed]:
        """One second that fills more than a page, by id. Whether the bounds are inclusive does not matter: they overlap."""
        last_id = 0
        for _ in range(PAGES_MAX):
            rows = self._list(second, second + SECOND, sort="id:asc", min_id=last_id)
            ids = [row["id"] for row in rows if isinstance(row.get("id"), int)]
            if ids != sorted(ids):
                raise BadDocument("reading /orders", "the answer is not sorted by id as asked")
            yield self._listed(rows, second)
            if len(rows) < self._page_size:
                return
            if not ids or ids[-1] <= last_id:
                raise BadDocument("reading /orders", "min_id is not applied")
            last_id = ids[-1]
        raise BadDocument("reading /orders", f"more than {PAGES_MAX} pages within one second")

    def _list(self, since: datetime, until: datetime, **filters: Any) -> list[dict]:
        return self._list_page(min_date_modified=write_date(since), max_date_modified=write_date(until), page=1, **filters)

    def _sorted(self, rows: list[dict]) -> list[datetime]:
        moments = [moment for moment in map(_modified, rows) if moment]
        if moments != sorted(moments):
            raise BadDocument("reading /orders", "the answer is not sorted by date_modified as asked")
        return moments

    def _listed(self, rows: list[dict], reached: datetime) -> Listed:
        fresh = []
        for row in rows:
            moment, order_id = _modified(row), row.get("id")
            if moment is not None and moment >= self._window.until:
                continue
            if isinstance(order_id, int) and moment is not None:
                if (order_id, row["date_modified"]) in self._seen:
                    continue
                self._seen.add((order_id, row["date_modified"]))
            fresh.append(row)
        reached = max(self._window.since, reached)
        return Listed(fresh, reached if self._cap is None else min(reached, max(self._cap, self._window.since)))


def _modified(row: dict) -> datetime | None:
    try:
        return read_date(row.get("date_modified"))
    except ValueError:
        return None  # the row is set aside by the mapping, with its reason
