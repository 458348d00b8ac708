"""Decide what a storefront's locations should show. (`stock_feed.py` takes the warehouses' word in, `stock_send.py` tells the storefront.)

Which figures are made anew: a figure can differ from the last time only if its position did (the two snapshots are compared), if more than the
statement is known of it now (documents, unseen and unasked orders, an absurd figure), if that was so the last time (`is_corrected`), or if a rule
did (mapping tables, sales rates: then all of them). A sweep makes all of them and looks at what the storefront shows.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from prefect import task

from connectors.house import House
from connectors.ledger.database import dumps
from connectors.ledger.ledger import Row, Tx
from connectors.snapshots.positions import changed_skus, positions_of
from contracts.base import rows_of
from contracts.exceptions import Finding
from contracts.stock import StockDecisions
from tasks.opened import RETRY, house
from tasks.rules.claims import claims
from tasks.rules.lookup import Mappings
from tasks.rules.safety_stock import SALES_DAYS, Safety, Sales, count_sales, total_sales, window_seconds
from tasks.rules.stock import UNIT, Change, Figure, Place, Selling, World, figures
from tasks.stock_feed import ABSURD, ACTOR

UNKNOWN_THERE, UNTRACKED = "the storefront does not know it", "the storefront does not count it"
UNKNOWN, NO_UNIT = "stock_sku_unknown", "unit_unmapped"
RULES = ("skus", "units", "kits", "stock_locations", "safety_stock", "non_stock")
CHUNK = 50_000
ASK_CHUNK = 2_000
SHOWN_MAX = 100  # so many unknown SKUs get an exception each; more get one together
SEEN_WITHIN = timedelta(days=7)  # a request that a warehouse has had for so long is in its figures
POLL, PROCESSING, APPLY_LAG = 300.0, 30.0, 60.0


@dataclass
class Reading:
    """What the ledger knows, read in one transaction."""

    selling: Selling
    world: World
    feeds: dict[Place, Row]
    mark: Row | None
    rules_hash: str
    corrected: set[str]  # SKUs
    safety: Safety
    findings: list[Finding] = field(default_factory=list)

    @property
    def positions(self) -> dict[str, str]:
        """What the mark will say: '{warehouse}/{facility}' -> the positions decided from."""
        return {f"{warehouse}/{facility}": feed.positions for (warehouse, facility), feed in self.feeds.items()}


@dataclass
class Decided:
    """What was decided: counts, and the figures that are new, as a table for people (dry run: what would be sent)."""

    counts: Counter = field(default_factory=Counter)
    changed: list[dict[str, Any]] = field(default_factory=list)


def decide(opened: House, storefront: str, sweep: bool = False, dry_run: bool = False) -> Decided:
    """Make the figures of this storefront anew that may have changed (sweep: all), and enter what it is owed. dry_run: only say it."""
    if not dry_run:
        _count_sales(opened, storefront, sweep)
    with opened.ledger.transaction() as tx:
        reading = _read(opened, tx, storefront)
    decided, is_full = Decided(), sweep or _is_full(reading)
    for skus in _chunks(sorted(_affected(opened, reading, is_full))):
        _decide_chunk(opened, storefront, reading, skus, is_full, dry_run, decided)
    if not dry_run:
        with opened.ledger.transaction() as tx:
            _conclude(opened, tx, storefront, reading)
    return decided


def _read(opened: House, tx: Tx, storefront: str) -> Reading:
    ledger, now = opened.ledger, opened.clock.now()
    tables = ledger.mappings.all_current(tx)
    mappings = Mappings.of(tables)
    selling = Selling(storefront, mappings, tables)
    sales = ledger.stock.sales(tx)
    known = set(opened.names("warehouse"))
    feeds: dict[Place, Row] = {}
    world = World({})
    for warehouse in sorted({warehouse for warehouse, _ in selling.places} & known):
        here = ledger.stock.feeds(tx, warehouse)
        feeds |= {place: here[place[1]] for place in selling.places if place[0] == warehouse and place[1] in here}
        _read_warehouse(opened, tx, warehouse, world, now)
    world.floors = {place: (feed.as_of, feed.sequence) for place, feed in feeds.items()}
    world.wholes = {place: (feed.whole_as_of, feed.whole_sequence) for place, feed in feeds.items() if feed.whole_as_of is not None}
    claimed = claims(((row.order, row.lines, row.ship_groups) for row in ledger.stock.claiming_orders(tx)), ledger.stock.asked_of_orders(tx), mappings, now)
    world.unasked = {place: dict(skus) for place, skus in claimed.at.items()}
    world.unrouted = {sku: units for (connection, sku), units in claimed.unrouted.items() if connection == storefront}
    said = dumps([rows_of(tables[name]) for name in RULES] + [max((row.counted_at for row in sales), default=now.min).isoformat()])
    safety = Safety(storefront, rows_of(tables["safety_stock"]), total_sales(sales), _window(opened, storefront, feeds))
    findings = [_nowhere(storefront, f"warehouse {warehouse}", "the profile has no such warehouse") for warehouse, _ in selling.places if warehouse not in known]
    return Reading(selling, world, feeds, ledger.desired.mark(tx, storefront), hashlib.sha256(said.encode()).hexdigest(),
                   {sku for _, sku in ledger.desired.corrected(tx, storefront)}, safety, findings)


def _read_warehouse(opened: House, tx: Tx, warehouse: str, world: World, now: datetime) -> None:
    port, stock = opened.warehouse(warehouse), opened.ledger.stock
    if port.stock_basis == "on_hand":
        world.on_hand_basis.add(warehouse)
    for row in stock.open_changes(tx, warehouse):
        world.changes.setdefault((warehouse, row.facility), {}).setdefault(row.sku, []).append(Change((row.occurred_at, row.sequence), row.change, row.unit))
    for line in stock.asked(tx, warehouse, now - SEEN_WITHIN, port.acknowledges):
        world.asked.setdefault((warehouse, line.facility), {}).setdefault(line.sku, []).append(line)
    for row in opened.ledger.exceptions.open_of(tx, ABSURD, warehouse):
        version = (datetime.fromisoformat(row.evidence["as_of"]), row.evidence["sequence"])
        world.absurd.setdefault((warehouse, row.evidence["facility"]), {})[row.evidence["sku"]] = version


def _window(opened: House, storefront: str, feeds: dict[Place, Row]) -> float:
    """W: the profile's, or as old as the statements were when they came, and our own steps."""
    given = opened.settings(storefront).stock_window_seconds
    batch_age = max((min(86_400.0, max(0.0, (feed.received_at - feed.as_of).total_seconds())) for feed in feeds.values()), default=0.0)
    return given or window_seconds(batch_age, POLL, PROCESSING, APPLY_LAG, opened.storefront(storefront).quiet_seconds)


def _is_full(reading: Reading) -> bool:
    mark = reading.mark
    return mark is None or mark.rules_hash != reading.rules_hash or not set(mark.positions) <= set(reading.positions)


def _affected(opened: House, reading: Reading, is_full: bool) -> set[str]:
    """The storefront's SKUs whose figure may differ from the last time."""
    selling, found = reading.selling, set(reading.corrected) | set(reading.world.unrouted)
    before = {} if is_full or reading.mark is None else reading.mark.positions
    for place, feed in reading.feeds.items():
        was = before.get("/".join(place), "")
        for sku in changed_skus(opened.snapshots, was, feed.positions):
            found.update(selling.skus_of(place[0], sku))
    for place, sku in reading.world.corrected():
        found.update(selling.skus_of(place[0], sku))
    return found


def _chunks(skus: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(skus), CHUNK):
        yield skus[start:start + CHUNK]


def _decide_chunk(opened: House, storefront: str, reading: Reading, skus: list[str], is_full: bool, dry_run: bool, decided: Decided) -> None:
    selling, world = reading.selling, reading.world
    needed: dict[Place, set[str]] = {place: {part for sku in skus for part, _ in selling.components(place[0], sku)} for place in reading.feeds}
    world.positions = {place: {row["sku"]: row for row in positions_of(opened.snapshots, reading.feeds[place].positions, sorted(parts))}
                       for place, parts in needed.items()}
    with opened.ledger.transaction() as tx:
        before = opened.ledger.desired.rows(tx, storefront, skus, selling.locations)
        for warehouse in {place[0] for place in needed}:
            world.item_units |= opened.ledger.stock.item_units(tx, warehouse, sorted(set().union(*(parts for at, parts in needed.items() if at[0] == warehouse))))
    made = figures(selling, skus, world, reading.safety)
    catalogue = _asked_about(opened, storefront, [one.sku for one in made if _is_strange(before.get((one.location, one.sku)), is_full)])
    rows = [row for row in (_row(storefront, one, before.get((one.location, one.sku)), catalogue) for one in made) if row]
    decided.counts["looked at"] += len(made)
    decided.counts["withheld"] += sum(bool(row["withheld"]) for row in rows)
    owed = [row for row in rows if not row["withheld"] and _was(before, row, "sent_quantity") != row["quantity"]]
    decided.counts["changed"] += len(owed)
    decided.changed += [{"location": row["location"], "sku": row["sku"], "shows": _was(before, row, "sent_quantity"), "should show": row["quantity"]}
                        for row in owed[:max(0, 500 - len(decided.changed))]]
    if not dry_run:
        with opened.ledger.transaction() as tx:
            opened.ledger.desired.decide(tx, rows)
        _keep(opened, storefront, [row for row in rows if (_was(before, row, "quantity"), _was(before, row, "withheld")) != (row["quantity"], row["withheld"])])


def _was(before: dict[tuple[str, str], Row], row: dict[str, Any], name: str) -> Any:
    was = before.get((row["location"], row["sku"]))
    return getattr(was, name) if was is not None else None


def _is_strange(before: Row | None, is_full: bool) -> bool:
    """Is it yet to be learned whether the storefront has this SKU?"""
    return before is None or is_full and before.withheld in (UNKNOWN_THERE, UNTRACKED)


def _asked_about(opened: House, storefront: str, skus: list[str]) -> dict[str, str]:
    """SKU -> '' or why nothing can be told of it, for SKUs that the storefront was never told of."""
    found, port, wanted = {}, opened.storefront(storefront), sorted(set(skus))
    for start in range(0, len(wanted), ASK_CHUNK):
        some = wanted[start:start + ASK_CHUNK]
        there = {row["sku"]: row["tracking"] for row in rows_of(port.catalogue(some))}
        found |= {sku: UNKNOWN_THERE if sku not in there else UNTRACKED if there[sku] == "none" else "" for sku in some}
    return found


def _row(storefront: str, one: Figure, before: Row | None, catalogue: dict[str, str]) -> dict[str, Any] | None:
    """The figure as the ledger takes it; None when it is as before."""
    there = catalogue[one.sku] if one.sku in catalogue else before.withheld if before is not None and before.withheld in (UNKNOWN_THERE, UNTRACKED) else ""
    withheld = there or one.withheld
    if before is not None and (one.quantity == before.quantity or withheld) and withheld == before.withheld and (
            one.is_corrected == before.is_corrected and (not one.is_corrected or one.version == (before.as_of, before.sequence))):
        return None
    return {"connection": storefront, "location": one.location, "sku": one.sku, "quantity": one.quantity, "as_of": one.version[0], "sequence": one.version[1],
            "parts": one.parts, "withheld": withheld, "is_corrected": one.is_corrected}


def _keep(opened: House, storefront: str, rows: list[dict[str, Any]]) -> None:
    """The history of what we decided, and from which parts."""
    if not rows:
        return
    now = opened.clock.now()
    sums = {name: [sum(part.get(name, 0) for part in row["parts"]["at"]) for row in rows] for name in ("stated", "changed", "asked", "unasked")}
    columns = {name: [row[name] for row in rows] for name in ("connection", "location", "sku", "quantity", "as_of", "sequence", "withheld")}
    frame = pd.DataFrame(columns | sums | {"kept_back": [row["parts"].get("safety", 0) for row in rows], "decided_at": now})
    frame = frame.astype({name: str(column.dtype) for name, column in StockDecisions.to_schema().columns.items()})
    key = hashlib.sha256(dumps([[row["location"], row["sku"], row["quantity"], row["withheld"]] for row in rows]).encode()).hexdigest()
    opened.snapshots.keep("stock_decisions", storefront, now, frame, f"{now.isoformat()} {key}")


def _conclude(opened: House, tx: Tx, storefront: str, reading: Reading) -> None:
    """The mark last, and whatever cannot be sent onto a desk."""
    desired, findings = opened.ledger.desired, list(reading.findings)
    if reading.mark is not None:  # told again although our own figure is the same: a sale, say, has taken one off there, and as many came in
        moved = sorted(opened.ledger.stock.moved_there(tx, storefront, reading.mark.decided_at))
        desired.owe_again(tx, storefront, [key for key, row in desired.rows(tx, storefront, moved, reading.selling.locations).items() if row.sent_quantity is not None] if moved else [])
    desired.set_mark(tx, storefront, reading.positions, reading.rules_hash)
    for why, type_name, said in ((UNKNOWN_THERE, UNKNOWN, "is not in its catalogue"), (UNIT, NO_UNIT, "is stated in a unit that cannot be told in its own")):
        count, skus = desired.withheld(tx, storefront, why, SHOWN_MAX)
        if count > SHOWN_MAX:
            findings.append(Finding(type_name, storefront, f"{count} SKUs", f"{type_name}:stock:many", {"count": count, "skus": skus, "why": f"stock that {said}"}))
        else:
            findings += [Finding(type_name, storefront, f"stock of {sku}", f"{type_name}:stock:{sku}", {"sku": sku, "why": f"stock that {said}"}) for sku in skus]
    opened.ledger.exceptions.open(tx, findings)
    causes = {finding.cause for finding in findings}
    for type_name in (UNKNOWN, NO_UNIT):
        for row in opened.ledger.exceptions.open_of(tx, type_name, storefront):
            if row.cause.startswith(f"{type_name}:stock:") and row.cause not in causes:
                opened.ledger.exceptions.resolve(tx, row.exception_id, ACTOR, "It is known now, or there is no stock of it any more.")


def _nowhere(storefront: str, record: str, why: str) -> Finding:
    return Finding(UNKNOWN, storefront, record, f"{UNKNOWN}:stock:{record}", {"why": why})


def _count_sales(opened: House, storefront: str, sweep: bool) -> None:
    """Sales rates, counted once a night (and the first time): they set safety stock and cadence."""
    now = opened.clock.now()
    with opened.ledger.transaction() as tx:
        if sweep or not any(row.connection == storefront for row in opened.ledger.stock.sales(tx)):
            sold = opened.ledger.stock.sold(tx, storefront, now - timedelta(days=SALES_DAYS))
            opened.ledger.stock.keep_sales(tx, storefront, count_sales(sold, now))


def sales_of(opened: House, tx: Tx) -> dict[str, Sales]:
    """Sales a day by SKU, over every storefront."""
    return total_sales(opened.ledger.stock.sales(tx))


@task(name="decide stock", task_run_name="decide stock of {storefront}", **RETRY)
def decide_stock_of(storefront: str, sweep: bool, dry_run: bool) -> dict[str, Any]:
    """What the storefront's locations should show, and which of it is new."""
    decided = decide(house(), storefront, sweep, dry_run)
    return {"counts": dict(decided.counts), "changed": decided.changed}
