"""Sweep what a storefront's locations show, compare it with what they were told, and owe lost writes again.

A page holds a thousand SKUs, so ten thousand are ten requests a location, and some for how their stock is tracked the first time.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pandas as pd
from prefect import task

from connectors.house import House
from connectors.ledger.desired import Key
from connectors.ledger.ledger import Row, Tx
from connectors.ports import STOCK_UPDATE, Storefront, Window
from contracts.base import rows_of
from contracts.drift import Drifted
from contracts.stock import ShownStock
from tasks.drift import keep, told
from tasks.opened import RETRY, house
from tasks.rules.drift_stock import REPAIRS, History, Moved, Patience, Seen, Wanted, stock_drift
from tasks.rules.lookup import Mappings
from tasks.rules.waits import ANY
from tasks.stock import decide

Repair = Literal["lost_writes", "all", "none"]
CADENCE_SECONDS = 3600.0  # how long a slow mover's figure may wait for its turn (tasks/rules/cadence.py)
SALES_BACK = timedelta(days=30)
SWEEPS_BACK = 12  # kept sweeps that are looked through for whether a figure was ever seen as we told it
EFFECTS_BACK = 20  # stock updates that are looked through for what a SKU was told before


def watch_stock_figures(opened: House, storefront: str, warehouse: str, repair: Repair = "lost_writes") -> dict[str, Any]:
    """Compare the figures of every location that shows this warehouse's stock; keep the differences, open and settle `stock_drift`.

    repair: what is owed to the storefront again, so that the next stock run sends the figure that is right by then. 'lost_writes' (the default):
    only where our own write was accepted and never showed. A figure that a person changed is never overwritten silently; 'all' does that too, and says
    so by being asked for. 'none': only told. {found, by_cause, new, repaired, read}.
    """
    port = opened.storefront(storefront)
    locations = _locations(opened, storefront, warehouse)
    frames = [page for location in locations for page in port.shown_stock(location)]
    shown = seen_of(frames)
    found = compare_shown(opened, port, locations, shown)
    found += _undecided(opened, storefront, {one.record for one in found}, locations)
    with opened.ledger.transaction() as tx:
        new = keep(opened, tx, storefront, warehouse, "stock", found)
        lost = [(one.evidence["location"], one.evidence["sku"]) for one in found if one.cause in REPAIRS[repair]]
        repaired = opened.ledger.desired.owe_again(tx, storefront, lost)
    keep_sweep(opened, storefront, frames, locations)
    return told(found, new, {"figures": len(shown)}) | {"repaired": repaired}


def seen_of(frames: Iterable[pd.DataFrame]) -> dict[Key, Seen]:
    """Frames of the contract ShownStock, by location and SKU."""
    return {(row["location"], row["sku"]): _seen(row) for frame in frames for row in rows_of(frame)}


def _seen(row: dict[str, Any]) -> Seen:
    return Seen(row["on_hand"], row["safety_stock"], row["is_tracked"], row["seen_at"].to_pydatetime())


def _locations(opened: House, storefront: str, warehouse: str) -> list[str]:
    """Those that show this warehouse's stock, first of all: a location of several warehouses is compared once."""
    with opened.ledger.transaction() as tx:
        rows = rows_of(opened.ledger.mappings.current(tx, "stock_locations"))
    first: dict[str, str] = {}
    for row in rows:
        if row["connection"] in (storefront, ANY):
            first[row["location"]] = min(first.get(row["location"], row["warehouse"]), row["warehouse"])
    there = opened.storefront(storefront).locations() if first else None
    active = set() if there is None else set(there.loc[there["is_active"], "location"])
    return sorted(location for location, at in first.items() if at == warehouse and location in active)


def compare_shown(opened: House, port: Storefront, locations: list[str], shown: dict[Key, Seen]) -> list[Drifted]:
    """Every difference at these locations, with its cause."""
    now, ledger = opened.clock.now(), opened.ledger
    owed = timedelta(seconds=port.quiet_seconds + port.verify_seconds + opened.profile.cycles_seconds + CADENCE_SECONDS)
    patience = Patience(owed, timedelta(seconds=port.verify_seconds))
    with ledger.transaction() as tx:
        rows = {key: row for key, row in ledger.desired.rows(tx, port.name).items() if key[0] in locations}
    suspects = {key for key in set(rows) | set(shown) if _judge(key, shown.get(key), _wanted(rows.get(key)), History(), {}, now, patience)}
    suspects |= {key for key, one in shown.items() if one.safety_stock and key in rows}
    if not suspects:
        return []
    with ledger.transaction() as tx:
        parts = ledger.desired.parts_of(tx, port.name, [key for key in suspects if key in rows])
        factors = _factors(ledger.mappings.all_current(tx), port.name)
        told_before = _told_before(opened, tx, port.name, suspects)
    history, trade = _history(opened, port.name, {key: rows[key] for key in suspects if key in rows}), _trade(opened, port)
    found = [_judge(key, shown.get(key), _wanted(rows.get(key), parts.get(key), factors, told_before.get(key, ())), history.get(key, History()), trade, now, patience)
             for key in sorted(suspects)]
    return [one for one in found if one]


def _history(opened: House, storefront: str, rows: dict[Key, Row]) -> dict[Key, History]:
    """What the kept sweeps say of these figures. One is kept whenever a figure changed, so the one that stood at a moment is what was shown then."""
    told_at = {key: row.sent_at for key, row in rows.items() if row.sent_at is not None}
    if not told_at:
        return {}
    before: dict[Key, Seen] = {}
    for moment in sorted(set(told_at.values())):
        stood = seen_of([opened.snapshots.as_of("shown_stock", storefront, moment)])
        before |= {key: stood[key] for key, at in told_at.items() if at == moment and key in stood}
    as_told: dict[Key, datetime] = {}
    for kept in [one for one in opened.snapshots.kept("shown_stock", storefront) if one.as_of > min(told_at.values())][-SWEEPS_BACK:]:
        sweep = seen_of([opened.snapshots.as_of("shown_stock", storefront, kept.as_of)])
        as_told |= {key: kept.as_of for key, at in told_at.items() if kept.as_of > at and key in sweep and sweep[key].on_hand == rows[key].sent_quantity}
    return {key: History(before.get(key), as_told.get(key)) for key in told_at}


def _judge(key: Key, shown: Seen | None, wanted: Wanted | None, history: History, trade: dict[str, list[tuple[datetime, datetime, bool, int]]], now: datetime,
           patience: Patience) -> Drifted | None:
    moves = trade.get(key[1], [])
    since_told = _moved(moves, wanted.told_at if wanted else None)
    earlier = tuple(_moved(moves, sent_at) for _, sent_at, _ in (wanted.told_before if wanted else ()))
    return stock_drift(*key, shown, wanted, history, since_told, _moved(moves, history.before.seen_at if history.before else None), now, patience, earlier)


def _wanted(row: Row | None, parts: dict[str, Any] | None = None, factors: dict[str, set[int]] | None = None, told_before: tuple[tuple[int, datetime, bool], ...] = ()) -> Wanted | None:
    if row is None:
        return None
    of_parts = {part["units_each"] for part in (parts or {}).get("at", ()) if "units_each" in part}
    return Wanted(row.quantity, row.decided_at, row.sent_quantity, row.sent_at, row.effect_id != "", row.withheld, parts or {},
                  tuple(sorted(of_parts | (factors or {}).get(row.sku, set()) | (factors or {}).get(ANY, set()))), told_before)


def _factors(tables: dict[str, pd.DataFrame], storefront: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for table, column in (("units", "factor"), ("kits", "quantity")):
        for row in rows_of(tables[table]):
            if row["connection"] in (storefront, ANY):
                found.setdefault(row["sku"], set()).add(int(row[column]))
    return found


def _told_before(opened: House, tx: Tx, storefront: str, keys: set[Key]) -> dict[Key, tuple[tuple[int, datetime, bool], ...]]:
    """What we sent of each of these before the last, as far as the latest updates say: figure, when, and whether it was taken in."""
    sent: dict[Key, list[tuple[int, datetime, bool]]] = {}
    for row in opened.ledger.drifts.latest_effects(tx, storefront, STOCK_UPDATE, EFFECTS_BACK):
        for item in row.payload["items"]:
            key = (row.payload["location"], item["sku"])
            if key in keys:
                sent.setdefault(key, []).append((item["quantity"], row.sent_at, row.state == "CONFIRMED"))
    return {key: tuple(figures[1:]) for key, figures in sent.items()}


def _trade(opened: House, port: Storefront) -> dict[str, list[tuple[datetime, datetime, bool, int]]]:
    """SKU -> (placed at, changed at, is called off, units) of every order of late, those too that our feed has not brought yet."""
    overlap = timedelta(seconds=opened.settings(port.name).overlap_seconds)
    with opened.ledger.transaction() as tx:
        mappings = Mappings.of({"non_stock": opened.ledger.mappings.current(tx, "non_stock")})
        reached = opened.ledger.watermarks.read(tx, f"{port.name} orders")
        book = list(opened.ledger.drifts.book_since(tx, port.name, opened.clock.now() - SALES_BACK))
        there_and_back = opened.ledger.drifts.shipped_after_all(tx, port.name, opened.clock.now() - SALES_BACK)
    orders = {row.order["order_id"]: (row.order, row.lines) for row in book}
    known = {(row.order["order_id"], _moment(row.order["modified_at"])): row.changed_at for row in book}
    since = (reached or opened.clock.now() - SALES_BACK) - overlap
    for page in port.orders(Window(since, opened.clock.now() + overlap)):
        lines: dict[str, list[dict[str, Any]]] = {}
        for line in rows_of(page.lines):
            lines.setdefault(line["order_id"], []).append(line)
        orders |= {order["order_id"]: (order, lines.get(order["order_id"], [])) for order in rows_of(page.orders)}
    found: dict[str, list[tuple[datetime, datetime, bool, int]]] = {}
    for sku, move in _moves(orders.values(), known, port.name, mappings, overlap, there_and_back):
        found.setdefault(sku, []).append(move)
    return found


def _moves(orders: Iterable[tuple[dict[str, Any], list[dict[str, Any]]]], known: dict[tuple[str, datetime], datetime], storefront: str, mappings: Mappings,
           overlap: timedelta, there_and_back: set[str]) -> Iterator[tuple[str, tuple[datetime, datetime, bool, int]]]:
    """The storefront's clock may be off from ours by the overlap: an order counts as placed that much later, so that it explains rather than alarms.
    But no later than our book had it as it is: a figure that was told after that counts it, and stood instead of what the storefront had made of its own.

    known: (order, its change) -> since when our book has it so, by our clock.
    there_and_back: called off, and shipped after all: put back on sale, and maybe taken off again.
    """
    for order, lines in orders:
        if order.get("fulfilled_by") == "marketplace":  # out of its own stock
            continue
        latest = known.get((order["order_id"], _moment(order["modified_at"])), datetime.max.replace(tzinfo=UTC))
        placed_at, changed_at = (min(_moment(order[name]) + overlap, latest) for name in ("placed_at", "modified_at"))
        for line in lines:
            if line["is_shippable"] and line["quantity"] and not mappings.is_non_stock(storefront, line["sku"]):
                is_back = order["order_id"] in there_and_back
                yield line["sku"], (placed_at, changed_at, is_back or order["status"] in ("cancelled", "refunded"), line["quantity"])
                if is_back:
                    yield line["sku"], (changed_at, changed_at, False, line["quantity"])


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value.to_pydatetime()


def _moved(moves: list[tuple[datetime, datetime, bool, int]], since: datetime | None) -> Moved:
    if since is None:
        return Moved()
    sold = sum(units for placed_at, _, _, units in moves if placed_at > since)
    returned = sum(units for _, changed_at, is_off, units in moves if is_off and changed_at > since)
    return Moved(sold, returned)


def _undecided(opened: House, storefront: str, known: set[str], locations: list[str]) -> list[Drifted]:
    """Figures that the warehouse's newest word would change, and that nobody has decided on: late at first, then an alarm."""
    now = opened.clock.now()
    with opened.ledger.transaction() as tx:
        mark = opened.ledger.desired.mark(tx, storefront)
        desired = opened.ledger.desired.rows(tx, storefront)
    if mark is None or not locations:
        return []
    cause = "late" if now - mark.decided_at <= timedelta(seconds=opened.profile.cycles_seconds) else "not_sent"
    found = []
    for row in decide(opened, storefront, dry_run=True).changed:
        key = (row["location"], row["sku"])
        record = f"{row['location']} {row['sku']}"
        decided = desired[key].quantity if key in desired else None
        if decided == row["should show"] or record in known or row["location"] not in locations:
            continue
        found.append(Drifted("stock", record, cause, "not looked at", f"{row['should show']} by its newest word", f"decided: {'nothing' if decided is None else decided}",
                             mark.decided_at, "the newest statement is not decided on yet", "", {"location": row["location"], "sku": row["sku"]}))
    return found


def keep_sweep(opened: House, storefront: str, frames: list[pd.DataFrame], locations: list[str]) -> None:
    """What it showed, where a figure is another than the last time: for the next sweep and for the analysts. Other locations as they were last seen."""
    last, now = opened.snapshots.latest("shown_stock", storefront), opened.clock.now()
    here = last["location"].isin(locations)
    if frames and {key: one.on_hand for key, one in seen_of(frames).items()} != {key: one.on_hand for key, one in seen_of([last[here]]).items()}:
        kept = pd.concat([*frames, last[~here]], ignore_index=True)[ShownStock.columns()]
        opened.snapshots.keep("shown_stock", storefront, now, kept, f"sweep {now.isoformat()}")


@task(name="watch stock figures", task_run_name="compare the stock that {storefront} shows with {warehouse}", **RETRY)
def watch_stock_figures_of(storefront: str, warehouse: str, repair: Repair) -> dict[str, Any]:
    """What the storefront shows of the warehouse's stock, compared; lost writes are owed again."""
    return watch_stock_figures(house(), storefront, warehouse, repair)
