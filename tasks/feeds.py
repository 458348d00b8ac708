"""Feeds that stopped. The one place that decides it: every flow that depends on a feed asks here, and the same silence is the same exception."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from prefect import task

from connectors.house import House
from connectors.ledger.ledger import Tx
from contracts.exceptions import Finding
from tasks.opened import RETRY, house
from tasks.rules.silence import WEEKS, Silence, orders_silence, silent_kinds

ACTOR, SILENT = "watch_feeds", "feed_silent"
HISTORY = timedelta(weeks=2 * WEEKS + 1)


def watch_feeds(opened: House, warehouse: str, kinds: Iterable[str] | None = None) -> list[Silence]:
    """The message kinds of a warehouse (None: all that its profile limits) that are silent for too long, each an exception; settled when they speak.

    Only what could be used counts as speech: a file in quarantine, or the same file again, says nothing new. A kind that never came is
    counted from when it was first watched, or from when something was asked of the warehouse.
    """
    limits, now = opened.warehouse(warehouse).silent_after_seconds, opened.clock.now()
    limits = {kind: seconds for kind, seconds in limits.items() if kinds is None or kind in set(kinds)}
    with opened.ledger.transaction() as tx:
        heard = opened.ledger.drifts.last_heard(tx, warehouse)
        silent = silent_kinds(limits, heard, opened.ledger.drifts.waits_since(tx, warehouse), _watched_since(opened, tx, warehouse), now)
        _tell(opened, tx, warehouse, set(limits), silent)
    return silent


def watch_orders(opened: House, storefront: str) -> list[Silence]:
    """Has the storefront's feed of orders stopped: by its own rhythm, or because we do not read it? An exception, settled when it speaks."""
    now = opened.clock.now()
    with opened.ledger.transaction() as tx:
        placed = opened.ledger.drifts.placed_since(tx, storefront, now - HISTORY)
        silence = orders_silence(placed, opened.ledger.watermarks.read(tx, f"{storefront} orders read"), now)
        silent = [silence] if silence else []
        _tell(opened, tx, storefront, {"orders"}, silent)
    return silent


def _watched_since(opened: House, tx: Tx, warehouse: str) -> datetime:
    feed = f"{warehouse} watched"
    since = opened.ledger.watermarks.read(tx, feed)
    if since is None:
        since = opened.clock.now()
        opened.ledger.watermarks.reach(tx, feed, since)
    return since


def _tell(opened: House, tx: Tx, connection: str, feeds: set[str], silent: list[Silence]) -> None:
    opened.ledger.exceptions.open(tx, [Finding(SILENT, connection, one.feed, f"{SILENT}:{one.feed}", {
        "feed": one.feed, "silent_since": one.since.isoformat(), "may_be_silent_for_seconds": one.allowed_seconds, "why": one.why}) for one in silent])
    for feed in sorted(feeds - {one.feed for one in silent}):
        opened.ledger.exceptions.settle_cause(tx, SILENT, connection, feed, f"{SILENT}:{feed}", ACTOR, "The feed speaks again, or nothing is awaited from it.")


@task(name="watch feeds", task_run_name="listen to the feeds of {storefront} and {warehouse}", **RETRY)
def watch_feeds_of(storefront: str, warehouse: str) -> list[dict[str, str]]:
    """The feeds of both sides that stopped, as rows for people."""
    opened = house()
    return [{"from": name, "feed": one.feed, "silent since": f"{one.since:%Y-%m-%d %H:%M}", "why": one.why}
            for name, found in ((warehouse, watch_feeds(opened, warehouse)), (storefront, watch_orders(opened, storefront))) for one in found]
