"""Tell a storefront what its locations should show: groups of desired figures, one effect a group, one group in flight at a time.

A figure is absolute, so the newest is always the right one to send: what waits unsent and has moved on is taken back and grouped anew. A refused
group is sent again without the SKUs that the refusal names, or in halves, until the one SKU that the storefront will not have is alone; it then
waits for another figure, on somebody's desk.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import WharfingerError
from connectors.ledger.database import dumps
from connectors.ledger.desired import Key
from connectors.ledger.effects import Planned
from connectors.ledger.ledger import Row, Tx
from connectors.ports import STOCK_UPDATE, Storefront
from contracts.effects import StockUpdate
from contracts.exceptions import Finding
from tasks.deliver import deliver
from tasks.opened import RETRY, house
from tasks.rules.cadence import Owed, due_now
from tasks.rules.safety_stock import Sales
from tasks.stock import UNKNOWN, sales_of
from tasks.stock_feed import ACTOR

ROUNDS_MAX = 15  # a group of 2,000 is halved eleven times until one SKU is alone
REFUSED = "rejected_by_storefront"
BLAMED_MAX = 20  # so many SKUs that a refusal names are sent one by one; more are halved
LAG = 60.0  # how long our own steps take, against the interval of a figure


@dataclass
class Told:
    """What one run told a storefront: counts, the figures as a table for people, and the error that made it stop early."""

    counts: Counter = field(default_factory=Counter)
    figures: list[dict[str, Any]] = field(default_factory=list)
    away: WharfingerError | None = None


def send_stock(opened: House, storefront: str, holder: str) -> Told:
    """Tell the storefront what it is owed, as far as the run's share of its quota goes; the rest goes with the next run."""
    port, told = opened.storefront(storefront), Told()
    locations = _open_locations(opened, port)
    calls = opened.settings(storefront).stock_calls_max
    for _ in range(ROUNDS_MAX):
        with opened.ledger.transaction() as tx:
            settle(opened, tx, storefront, told)
            planned = _group(opened, tx, port, locations, calls)
        calls -= planned
        worked = _deliver(opened, port, holder, told)
        if told.away or not (planned or worked):
            break
    with opened.ledger.transaction() as tx:
        settle(opened, tx, storefront, told)
        told.counts["left"] = opened.ledger.desired.owed_count(tx, storefront)
    return told


def _deliver(opened: House, port: Storefront, holder: str, told: Told) -> int:
    """Group after group, until none may be sent now, or one is proved absent: its figures may have moved on, so it is grouped anew first."""
    worked = 0
    while True:
        done = deliver(opened, port, (STOCK_UPDATE,), holder)
        told.counts += Counter({f"groups {what}": count for what, count in done.counts.items()})
        worked += done.worked
        if done.away or not done.worked or done.counts["absent"]:
            told.away = done.away
            return worked


def settle(opened: House, tx: Tx, storefront: str, told: Told) -> None:
    """What became of the groups under way: told, refused, or to be told otherwise."""
    for effect_id, rows in opened.ledger.desired.under_way(tx, storefront).items():
        effect = opened.ledger.effects.get(tx, effect_id)
        if effect is None or effect.state == "WITHDRAWN":
            opened.ledger.desired.put_back(tx, storefront, effect_id)
        elif effect.state == "CONFIRMED":
            _confirmed(opened, tx, storefront, effect, rows, told)
        elif effect.state == "REJECTED":
            _refused(opened, tx, storefront, effect, rows, told)
        elif effect.state == "BLOCKED":
            _unblock(opened, tx, storefront, effect)
        elif effect.state == "PLANNED" and _moved_on(effect, rows) and opened.ledger.effects.withdraw(tx, effect_id, "its figures have moved on"):
            opened.ledger.desired.put_back(tx, storefront, effect_id)
            told.counts["groups made anew"] += 1


def _confirmed(opened: House, tx: Tx, storefront: str, effect: Row, rows: list[Row], told: Told) -> None:
    location, refused = effect.payload["location"], effect.evidence.get("refused", {})
    items = [item | {"as_of": datetime.fromisoformat(item["as_of"])} for item in effect.payload["items"] if item["sku"] not in refused]
    opened.ledger.desired.told(tx, storefront, location, items, effect.effect_id)
    if refused:
        _will_not_have(opened, tx, storefront, effect, [row for row in rows if row.sku in refused], refused, told)
    for row in rows:
        if row.halved and row.sku not in refused:
            opened.ledger.exceptions.settle_cause(tx, REFUSED, storefront, f"stock of {row.sku}", _cause(location, row.sku), ACTOR, "It took another figure.")
    told.counts["figures told"] += len(items)
    told.figures += [{"location": location, "sku": item["sku"], "quantity": item["quantity"], "as of": item["as_of"].strftime("%Y-%m-%d %H:%M:%S")}
                     for item in items[:max(0, 500 - len(told.figures))]]


def _refused(opened: House, tx: Tx, storefront: str, effect: Row, rows: list[Row], told: Told) -> None:
    skus = [item["sku"] for item in effect.payload["items"]]
    blamed = set(effect.evidence.get("records", ())) & set(skus)
    if len(skus) > 1 and blamed and len(blamed) <= BLAMED_MAX and len(blamed) < len(skus):
        opened.ledger.desired.put_back(tx, storefront, effect.effect_id, alone=sorted(blamed))
        return
    if len(skus) > 1:
        opened.ledger.desired.put_back(tx, storefront, effect.effect_id, size=-(-len(skus) // 2))
        return
    _will_not_have(opened, tx, storefront, effect, rows, {sku: effect.error for sku in skus}, told)


def _will_not_have(opened: House, tx: Tx, storefront: str, effect: Row, rows: list[Row], said: dict[str, str], told: Told) -> None:
    """These figures are refused, each for itself: onto somebody's desk, and not again before they change."""
    opened.ledger.desired.refuse(tx, storefront, effect.effect_id)
    told.counts["figures refused"] += len(rows)
    opened.ledger.exceptions.open(tx, [Finding(REFUSED, storefront, f"stock of {row.sku}", _cause(row.location, row.sku), {
        "effect": effect.effect_id, "location": row.location, "sku": row.sku, "quantity": row.quantity, "said": said[row.sku]}) for row in rows])


def _unblock(opened: House, tx: Tx, storefront: str, effect: Row) -> None:
    """Nobody can tell whether it got there. It need not be known: the newest figures go out in a new group."""
    opened.ledger.effects.decide(tx, effect.effect_id, False, ACTOR, send_again=False)
    opened.ledger.desired.put_back(tx, storefront, effect.effect_id)
    opened.ledger.exceptions.settle_cause(tx, "blocked_effect", storefront, effect.business_key, f"blocked_effect:{effect.effect_id}", ACTOR,
                                          "Absolute figures: the newest are sent anew.")


def _cause(location: str, sku: str) -> str:
    return f"{REFUSED}:stock:{location}:{sku}"


def _moved_on(effect: Row, rows: list[Row]) -> bool:
    asked = {item["sku"]: item["quantity"] for item in effect.payload["items"]}
    return any(row.withheld or row.quantity != asked[row.sku] for row in rows)


def _group(opened: House, tx: Tx, port: Storefront, locations: set[str], calls: int) -> int:
    """Owe what goes now as effects, at most `calls` of them; each row points at the one that carries it. How many groups."""
    desired, sales = opened.ledger.desired, sales_of(opened, tx)
    rows = {(row.location, row.sku): row for row in desired.owed(tx, port.name) if row.location in locations}
    due = due_now((_owed(row, sales) for row in rows.values()), opened.clock.now(), calls * port.update_items_max, LAG)
    groups: dict[tuple[str, int], list[Row]] = {}
    for one in due:
        row = rows[one.location, one.sku]
        groups.setdefault((row.location, row.halved or port.update_items_max), []).append(row)
    planned = 0
    for (location, size), members in groups.items():
        for start in range(0, len(members), size):
            if planned >= calls:
                return planned
            _owe(opened, tx, port.name, location, members[start:start + size])
            planned += 1
    return planned


def _owed(row: Row, sales: dict[str, Sales]) -> Owed:
    rate = sales.get(row.sku)
    return Owed(row.location, row.sku, row.quantity, row.sent_quantity, row.sent_at, rate.per_day if rate else 0.0)


def _owe(opened: House, tx: Tx, storefront: str, location: str, rows: list[Row]) -> None:
    items = [{"sku": row.sku, "quantity": row.quantity, "as_of": row.as_of.isoformat(), "sequence": row.sequence} for row in rows]
    turns = [(row.sku, row.quantity, row.turn) for row in rows]  # the same figures a second time are another effect
    key = f"{location}/{rows[0].sku}/{len(rows)}/{hashlib.sha256(dumps([items, turns]).encode()).hexdigest()[:32]}"
    planned = Planned(STOCK_UPDATE, storefront, key, f"{storefront} stock", storefront, f"stock at {location}",
                      StockUpdate(connection=storefront, location=location, items=items).model_dump())
    opened.ledger.effects.plan(tx, planned)
    keys: list[Key] = [(row.location, row.sku) for row in rows]
    opened.ledger.desired.carry(tx, storefront, keys, planned.effect_id)


def _open_locations(opened: House, port: Storefront) -> set[str]:
    """The locations that are mapped and that the storefront has; a mapped one that it has not is somebody's to mend. Keeps what it says of them."""
    frame = port.locations()
    there = set(frame.loc[frame["is_active"], "location"])
    if not frame.equals(opened.snapshots.latest("locations", port.name)):
        opened.snapshots.keep("locations", port.name, opened.clock.now(), frame, opened.clock.now().isoformat())
    with opened.ledger.transaction() as tx:
        table = opened.ledger.mappings.current(tx, "stock_locations")
        mapped = set(table.loc[table["connection"].isin([port.name, "*"]), "location"])
        missing = sorted(mapped - there)
        opened.ledger.exceptions.open(tx, [Finding(UNKNOWN, port.name, f"location {location}", _no_location(location), {
            "location": location, "why": "stock_locations names a location that the storefront does not have, or that is switched off"}) for location in missing])
        for location in mapped & there:
            opened.ledger.exceptions.settle_cause(tx, UNKNOWN, port.name, f"location {location}", _no_location(location), ACTOR, "The location is there now.")
    return mapped & there


def _no_location(location: str) -> str:
    return f"{UNKNOWN}:location:{location}"


@task(name="send stock", task_run_name="tell {storefront} its stock", **RETRY)
def send_stock_to(storefront: str, holder: str) -> dict[str, Any]:
    """What the storefront is owed, in groups. `away`: why it stopped early, or ''."""
    told = send_stock(house(), storefront, holder)
    return {"counts": dict(told.counts), "figures": told.figures, "away": str(told.away or "")}
