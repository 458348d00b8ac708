"""Is the warehouse's word on its stock still worth anything, and does the storefront show what it was told?"""

from collections import Counter
from datetime import timedelta
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration
from contracts.base import rows_of
from contracts.exceptions import Finding
from tasks.drift_stock import compare_shown, keep_sweep, seen_of
from tasks.feeds import watch_feeds
from tasks.inbound import read_again
from tasks.opened import RETRY, house
from tasks.rules.drift_stock import REPAIRS
from tasks.stock import UNKNOWN
from tasks.stock_feed import ACTOR, CHANGES, LEVELS, SHRANK, ready_levels

STALE = "stale_stock"


def watch_stock(opened: House, warehouse: str) -> dict[str, int]:
    """Feeds that are silent, and facilities whose newest statement is too old although the feed speaks. Nothing is set to zero for it."""
    silent = watch_feeds(opened, warehouse, (LEVELS, CHANGES))
    limit = opened.warehouse(warehouse).silent_after_seconds.get(LEVELS)
    stale = []
    with opened.ledger.transaction() as tx:
        for facility, feed in opened.ledger.stock.feeds(tx, warehouse).items():
            cause = f"{STALE}:{facility}"
            if limit and opened.clock.now() - feed.as_of > timedelta(seconds=limit) and not any(one.feed == LEVELS for one in silent):
                stale.append(facility)
                opened.ledger.exceptions.open(tx, [Finding(STALE, warehouse, f"stock of {facility}", cause, {
                    "facility": facility, "as_of": feed.as_of.isoformat(), "may_be_old_for_seconds": limit})])
            else:
                opened.ledger.exceptions.settle_cause(tx, STALE, warehouse, f"stock of {facility}", cause, ACTOR, "A newer statement arrived, or the feed is silent as a whole.")
    return {"silent": len(silent), "stale": len(stale)}


def look_at_shown(opened: House, storefront: str) -> Counter:
    """Every figure that the storefront shows, against the one it was told: a lost write is owed again, what only the storefront knows is on a desk.

    What a person changed there is not overwritten: drift_watch names it.
    """
    counts: Counter = Counter()
    port, frames = opened.storefront(storefront), []
    with opened.ledger.transaction() as tx:
        table = opened.ledger.mappings.current(tx, "stock_locations")
        desired = opened.ledger.desired.rows(tx, storefront)
    locations = sorted(set(table.loc[table["connection"].isin([storefront, "*"]), "location"]))
    ours: dict[str, list[str]] = {}
    for location in locations:
        for page in port.shown_stock(location):
            rows = rows_of(page[page["is_tracked"]])
            for row in rows:
                if (location, row["sku"]) not in desired and row["on_hand"] > 0:
                    ours.setdefault(row["sku"], []).append(location)
            frames.append(page)
            counts["seen"] += len(rows)
    found = compare_shown(opened, port, locations, seen_of(frames))
    keep_sweep(opened, storefront, frames, locations)  # what stood before a figure was told says later whether that was lost
    lost = [(one.evidence["location"], one.evidence["sku"]) for one in found if one.cause in REPAIRS["lost_writes"]]
    with opened.ledger.transaction() as tx:
        counts["told again"] = opened.ledger.desired.owe_again(tx, storefront, lost)
    counts["shown otherwise"] = sum(one.is_alarm and one.cause != "unmapped" for one in found)
    _tell_unbacked(opened, storefront, ours)
    counts["unbacked"] = len(ours)
    return counts


def _tell_unbacked(opened: House, storefront: str, unbacked: dict[str, list[str]]) -> None:
    """SKUs that the storefront sells from a location and that no statement of its warehouses names."""
    findings = [Finding(UNKNOWN, storefront, f"stock of {sku}", f"{UNKNOWN}:unbacked:{sku}", {
        "sku": sku, "locations": at, "why": "the storefront shows stock of it, and no warehouse has ever named it"}) for sku, at in sorted(unbacked.items())]
    if len(findings) > 100:
        findings = [Finding(UNKNOWN, storefront, f"{len(unbacked)} SKUs", f"{UNKNOWN}:unbacked:many", {"count": len(unbacked), "skus": sorted(unbacked)[:100]})]
    causes = {finding.cause for finding in findings}
    with opened.ledger.transaction() as tx:
        opened.ledger.exceptions.open(tx, findings)
        for row in opened.ledger.exceptions.open_of(tx, UNKNOWN, storefront):
            if row.cause.startswith(f"{UNKNOWN}:unbacked:") and row.cause not in causes:
                opened.ledger.exceptions.resolve(tx, row.exception_id, ACTOR, "A warehouse names it now, or the storefront shows none of it.")


def believe(opened: House, exception_id: str, actor: str, reason: str) -> Counter:
    """A person's word on a statement that was not believed (`feed_shrank`): the stock really is so much less. Enters it. Raises BadConfiguration."""
    doing = f"believing the statement of exception {exception_id}"
    with opened.ledger.transaction() as tx:
        row = opened.ledger.exceptions.get(tx, exception_id)
    if row is None or row.state != "open" or row.type != SHRANK:
        raise BadConfiguration(doing, "there is no open exception of this id and type", "See `wharfinger exceptions list`.")
    return read_again(opened, row.connection, row.evidence, ready_levels, exception_id, actor, reason)


@task(name="watch stock feeds", task_run_name="watch stock feeds of {warehouse}", **RETRY)
def watch_stock_of(warehouse: str) -> dict[str, int]:
    """Silent feeds and stale statements, each with an exception."""
    return watch_stock(house(), warehouse)


@task(name="look at shown stock", task_run_name="look at what {storefront} shows", **RETRY)
def look_at_shown_of(storefront: str) -> dict[str, Any]:
    """What the storefront shows against what it should; differences are owed again."""
    return dict(look_at_shown(house(), storefront))

