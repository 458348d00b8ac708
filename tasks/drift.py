"""Compare what storefront, warehouse and ledger each believe, keep every difference with its cause and age, and open an exception for what is not merely late."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import Refused
from connectors.ledger.ledger import Row, Tx
from connectors.ports import DISPATCH_CONFIRMATION, FULFILMENT_CANCEL, ORDER_COMPLETION, OrderPage, Storefront, Window
from contracts.base import rows_of
from contracts.drift import CAUSES, Drifted
from contracts.exceptions import Finding
from tasks.dispatches import PACKAGE
from tasks.opened import RETRY, house
from tasks.rules.drift import Asked, Beliefs, Shown, Told, order_drift, tracking_drift
from tasks.rules.lookup import Mappings
from tasks.rules.shipped_units import ShippedUnits

ACTOR = "drift_watch"
LOOK_BACK = timedelta(days=14)  # an order that nothing has happened to for longer, and that is not open, is not compared
EVERY_SECONDS = 900  # this flow's own rhythm
TURNS = 96  # every order in play is read anew once in so many runs, whether it changed or not
READS_MAX = 400  # single orders read in one run
TOGETHER_MAX = 100  # so many records of one cause get an exception each; more get one together
TYPE_OF = {"order": "status_drift", "tracking": "tracking_drift", "stock": "stock_drift"}
# the exception that another flow has opened for the same cause: one is enough
ON_A_DESK = {"unmapped": ("carrier_unmapped", "stock_sku_unknown", "unit_unmapped"), "in_doubt": ("blocked_effect",), "refused": ("rejected_by_storefront",), "lost_write": ("tracking_not_taken",),
             "closed_there": ("rejected_by_warehouse",), "cancelled_there": ("cancel_refused", "blocked_effect"), "missed": ("record_unsound",)}
WRITES = (DISPATCH_CONFIRMATION, ORDER_COMPLETION, FULFILMENT_CANCEL)


@dataclass
class Looked:
    """What one comparison saw: the records that were compared, the differences, and how much was read for it."""

    records: set[str] = field(default_factory=set)
    orders: list[Drifted] = field(default_factory=list)
    tracking: list[Drifted] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)


def watch_orders_and_tracking(opened: House, storefront: str, warehouse: str) -> dict[str, Any]:
    """Compare the orders in play, keep the differences, open and settle `status_drift` and `tracking_drift`. {found, by_cause, new, read}.

    Read anew are: every order that changed at the storefront since the last run, every one whose books disagree, and of the others so many
    in turn that each comes once a day. An alarm is only raised on what was read anew in this run.
    """
    started_at = opened.clock.now()
    looked = look(opened, storefront, warehouse)
    with opened.ledger.transaction() as tx:
        new = keep(opened, tx, storefront, warehouse, "order", looked.orders, looked.records)
        of_parcels = {row.record for row in opened.ledger.drifts.open_of(tx, storefront, warehouse, "tracking") if row.record.split(" ")[0] in looked.records}
        new += keep(opened, tx, storefront, warehouse, "tracking", looked.tracking, of_parcels, looked.records)
        opened.ledger.watermarks.reach(tx, f"{storefront} {warehouse} drift", started_at)
    return told(looked.orders + looked.tracking, new, looked.counts)


def look(opened: House, storefront: str, warehouse: str) -> Looked:
    """Read and compare; writes nothing."""
    port, now, looked = opened.storefront(storefront), opened.clock.now(), Looked()
    patience = patience_of(opened, port)
    with opened.ledger.transaction() as tx:
        mappings = Mappings.of({table: opened.ledger.mappings.current(tx, table) for table in ("carriers", "non_stock")})
        reached = opened.ledger.watermarks.read(tx, f"{storefront} {warehouse} drift")
        open_already = {row.record.split(" ")[0] for row in opened.ledger.drifts.open_of(tx, storefront, warehouse) if row.about in ("order", "tracking")}
    overlap = timedelta(seconds=opened.settings(storefront).overlap_seconds)
    fresh = _changed(port, Window(min((reached or now - LOOK_BACK) - overlap, now), now + overlap), mappings)
    looked.counts["changed orders"] = len(fresh)
    with opened.ledger.transaction() as tx:
        beliefs = _beliefs(opened, tx, storefront, warehouse, fresh, open_already, mappings)
    for order_id in _worth_reading(beliefs, set(fresh), open_already, now, patience)[:READS_MAX]:
        beliefs[order_id] = _read_anew(port, beliefs[order_id], order_id in fresh, mappings, looked.counts)
        looked.records.add(order_id)
    looked.records |= {order_id for order_id, one in beliefs.items() if order_id not in looked.records and order_drift(one, now, patience) is None}
    for order_id in sorted(looked.records & set(beliefs)):
        found = order_drift(beliefs[order_id], now, patience)
        looked.orders += [found] if found else []
        looked.tracking += tracking_drift(beliefs[order_id], now, mappings)
    looked.counts["orders"] = len(looked.records)
    return looked


def patience_of(opened: House, port: Storefront) -> timedelta:
    """How long a change may be on its way: sent, in doubt once, read back, and a few runs of the flows that do it."""
    return timedelta(seconds=port.quiet_seconds + port.verify_seconds + opened.profile.cycles_seconds)


def _changed(port: Storefront, window: Window, mappings: Mappings) -> dict[str, Shown]:
    """Every order that changed at the storefront since the last run, as it stands."""
    found: dict[str, Shown] = {}
    for page in port.orders(window):
        found |= _page(page, port.name, mappings)
    return found


def _page(page: OrderPage, storefront: str, mappings: Mappings) -> dict[str, Shown]:
    lines: dict[str, list[dict[str, Any]]] = {}
    for line in rows_of(page.lines):
        lines.setdefault(line["order_id"], []).append(line)
    return {order["order_id"]: _shown(order, order["modified_at"].to_pydatetime(), lines.get(order["order_id"], []), storefront, mappings)
            for order in rows_of(page.orders) if order["fulfilled_by"] == "merchant"}


def _shown(order: dict[str, Any], modified_at: datetime, lines: Iterable[dict[str, Any]], storefront: str, mappings: Mappings) -> Shown:
    """Goods only: postage and the like are never shipped, so they cannot be behind."""
    goods = [line for line in lines if line["is_shippable"] and line["quantity"] and not mappings.is_non_stock(storefront, line["sku"])]
    return Shown(order["status"], order["status_code"], modified_at, {line["line_id"]: (line["quantity"], line["quantity_shipped"]) for line in goods})


def _beliefs(opened: House, tx: Tx, storefront: str, warehouse: str, fresh: dict[str, Shown], open_already: set[str], mappings: Mappings) -> dict[str, Beliefs]:
    """What the ledger and the warehouse believe of every order in play, with the storefront's word: fresh where it changed, else as last taken in."""
    drifts = opened.ledger.drifts
    book = {row.order_id: row for row in drifts.orders_in_play(tx, storefront, warehouse, opened.clock.now() - LOOK_BACK)}
    book |= drifts.book_of(tx, storefront, (set(fresh) | open_already) - set(book))
    order_ids = set(book) | set(fresh) | open_already
    requests = drifts.requests_of(tx, storefront, order_ids)
    advised = {at: drifts.advised_of(tx, at, [row.reference for row in requests if row.warehouse == at]) for at in {row.warehouse for row in requests}}
    effects: dict[str, list[Row]] = {}
    for row in drifts.effects_of(tx, storefront, order_ids, WRITES):
        effects.setdefault(row.record, []).append(row)
    held = {row.order_id: row.held_at for row in drifts.held_of(tx, storefront, order_ids)}
    asked: dict[str, list[Asked]] = {}
    for row in requests:
        asked.setdefault(row.order_id, []).append(_asked(row, advised[row.warehouse], effects.get(row.order_id, [])))
    read_at, found = opened.ledger.watermarks.read(tx, f"{storefront} orders read"), {}
    for order_id in sorted(order_ids):
        entry, asked_of = book.get(order_id), tuple(asked.get(order_id, ()))
        if entry and not asked_of and entry.order.get("fulfilled_by") == "marketplace":
            continue
        if asked_of and asked_of[0].warehouse != warehouse:
            continue  # compared by the pair that its first request belongs to
        known_as = _shown(entry.order, entry.modified_at, entry.lines, storefront, mappings) if entry else None
        told = tuple(_told_row(row) for row in _newest(effects.get(order_id, [])) if row.kind != FULFILMENT_CANCEL)
        found[order_id] = Beliefs(order_id, fresh.get(order_id, known_as), entry.state if entry else None, known_as, asked_of, told,
                                  held.get(order_id), read_at)
    return found


def _asked(row: Row, advised: dict[tuple[str, int], int], effects: list[Row]) -> Asked:
    everything = {(row.reference, line["number"]): line["quantity"] for line in row.payload["lines"]}
    cancel_at = max((one.planned_at for one in effects if one.kind == FULFILMENT_CANCEL and one.payload["reference"] == row.reference), default=None)
    return Asked(row.reference, row.warehouse, row.state, ShippedUnits(row.payload, everything).whole(), ShippedUnits(row.payload, advised).whole(), cancel_at)


def _newest(effects: list[Row]) -> list[Row]:
    """Of a package that was told again under a new effect, the last word counts: the one before was refused, or dropped in silence."""
    last = {tuple(row.payload[name] for name in PACKAGE): row.effect_id for row in effects if row.kind == DISPATCH_CONFIRMATION}
    return [row for row in effects if row.kind != DISPATCH_CONFIRMATION or row.effect_id in set(last.values())]


def _told_row(row: Row) -> Told:
    return Told(row.effect_id, row.kind, row.state, row.planned_at, row.confirmed_at, row.verify_by, row.verified_at, row.remote_id, row.payload)


def _worth_reading(beliefs: dict[str, Beliefs], fresh: set[str], open_already: set[str], now: datetime, patience: timedelta) -> list[str]:
    """Whose storefront side must be read anew: first those that disagree, then those that changed and have parcels, then whoever's turn it is."""
    turn = int(now.timestamp()) // EVERY_SECONDS % TURNS
    suspects = [order_id for order_id, one in beliefs.items() if order_id in open_already or order_drift(one, now, patience)]
    changed = [order_id for order_id in beliefs if order_id in fresh and beliefs[order_id].told]
    others = [order_id for order_id in beliefs if int(hashlib.sha256(order_id.encode()).hexdigest(), 16) % TURNS == turn]
    return list(dict.fromkeys([*suspects, *changed, *others]))


def _read_anew(port: Storefront, b: Beliefs, is_fresh: bool, mappings: Mappings, counts: Counter) -> Beliefs:
    shown = b.shown
    if not is_fresh:
        counts["orders read singly"] += 1
        try:
            shown = _page(port.order(b.order_id), port.name, mappings).get(b.order_id, shown)  # one that cannot be read is on a desk already
        except Refused:
            return replace(b, shown=None)
    if shown and b.told:
        counts["shipments read"] += 1
        shown = replace(shown, shipments=port.shown_dispatches(b.order_id))
    return replace(b, shown=shown)


def keep(opened: House, tx: Tx, storefront: str, warehouse: str, about: str, found: list[Drifted], looked_at: set[str] | None = None,
         orders: set[str] | None = None) -> int:
    """The rows, the exceptions of what is an alarm, and the end of those that hold no more. How many rows are new. orders: the exceptions' records."""
    ledger, type_name = opened.ledger, TYPE_OF[about]
    kept = ledger.drifts.keep(tx, storefront, warehouse, about, found, looked_at)
    desks = ledger.drifts.on_desks(tx, storefront, {name for names in ON_A_DESK.values() for name in names})
    findings = _findings(storefront, warehouse, type_name, [one for one in found if one.is_alarm and not _is_on_a_desk(one, desks)])
    ledger.exceptions.open(tx, findings)
    still, there = {finding.cause for finding in findings}, {one.record for one in found}
    compared = orders if orders is not None else looked_at
    for row in ledger.exceptions.open_of(tx, type_name, storefront):
        if row.evidence.get("warehouse") == warehouse and row.cause not in still and (compared is None or row.record in compared):
            why = "They disagree for another cause now, or it is on a desk for that." if row.evidence.get("about") in there else "They agree again."
            ledger.exceptions.resolve(tx, row.exception_id, ACTOR, why)
    return kept.new


def _is_on_a_desk(one: Drifted, desks: dict[str, set[str]]) -> bool:
    """Has another flow opened an exception for the same cause of the same record?"""
    record = f"stock of {one.evidence['sku']}" if one.about == "stock" else one.order_id
    return one.about != "tracking" and bool(desks.get(record, set()) & set(ON_A_DESK.get(one.cause, ())))


def _findings(storefront: str, warehouse: str, type_name: str, alarms: list[Drifted]) -> list[Finding]:
    """One a record; a cause that very many records have is one together."""
    by_cause: dict[str, list[Drifted]] = {}
    for one in alarms:
        by_cause.setdefault(one.cause, []).append(one)
    found = []
    for cause, ones in by_cause.items():
        if len(ones) <= TOGETHER_MAX:
            found += [_finding(storefront, warehouse, type_name, one) for one in ones]
            continue
        found.append(Finding(type_name, storefront, f"many records: {cause}", f"{type_name}:many:{warehouse}:{cause}", {
            "cause": cause, "means": CAUSES[cause].says, "warehouse": warehouse, "count": len(ones), "records": [one.record for one in ones[:TOGETHER_MAX]],
            "since": min(one.began_at for one in ones).isoformat()}))
    return found


def _finding(storefront: str, warehouse: str, type_name: str, one: Drifted) -> Finding:
    return Finding(type_name, storefront, one.order_id or one.record, f"{type_name}:{one.record}:{one.cause}", {
        "about": one.record, "cause": one.cause, "means": CAUSES[one.cause].says, "warehouse": warehouse, "storefront_says": one.storefront_says,
        "warehouse_says": one.warehouse_says, "ledger_says": one.ledger_says, "detail": one.detail, "since": one.began_at.isoformat()} | one.evidence)


def told(found: list[Drifted], new: int, read: Mapping[str, int]) -> dict[str, Any]:
    """What one comparison found, in figures."""
    return {"found": len(found), "by_cause": dict(sorted(Counter(one.cause for one in found).items())), "new": new, "read": dict(read)}


def in_all(*told_of: dict[str, Any]) -> dict[str, Any]:
    """Several comparisons' figures together: {found, by_cause}."""
    return {"found": sum(one["found"] for one in told_of), "by_cause": dict(sorted(sum((Counter(one["by_cause"]) for one in told_of), Counter()).items()))}


def ever_found(opened: House) -> dict[str, Any]:
    """Every difference that was ever found, by cause, and how many are open: {found, by_cause, open}. For a summary of a period."""
    rows = opened.ledger.table("drift")
    return {"found": len(rows), "by_cause": dict(sorted(Counter(rows["cause"]).items())), "open": int(rows["ended_at"].isna().sum())}


def rows_now(opened: House, storefront: str, warehouse: str) -> list[dict[str, Any]]:
    """The open differences as people want them: alarms first, oldest first. No personal data."""
    now = opened.clock.now()
    with opened.ledger.transaction() as tx:
        rows = opened.ledger.drifts.open_of(tx, storefront, warehouse)
    return [{"about": row.about, "record": row.record, "cause": row.cause, "means": CAUSES[row.cause].says, "storefront": row.storefront_says,
             "warehouse": row.warehouse_says, "ledger": row.ledger_says, "detail": row.detail, "since": f"{row.began_at:%Y-%m-%d %H:%M}",
             "age hours": round((now - row.began_at).total_seconds() / 3600, 1)}
            for row in sorted(rows, key=lambda row: (not CAUSES[row.cause].is_alarm, row.began_at, row.drift_id))]


@task(name="watch orders and tracking", task_run_name="compare orders and parcels of {storefront} and {warehouse}", **RETRY)
def watch_orders_and_tracking_of(storefront: str, warehouse: str) -> dict[str, Any]:
    """What the three believe of orders and parcels, compared."""
    return watch_orders_and_tracking(house(), storefront, warehouse)


@task(name="list drift", task_run_name="list the drift between {storefront} and {warehouse}", **RETRY)
def drift_rows_of(storefront: str, warehouse: str) -> list[dict[str, Any]]:
    """Every open difference, for the table."""
    return rows_now(house(), storefront, warehouse)
