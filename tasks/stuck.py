"""Orders that will miss their collection, or the storefront's own ship-by: found ahead, an exception each, settled when they ship."""

from datetime import datetime, timedelta
from typing import Any

from prefect import task

from connectors.house import House
from connectors.ledger.ledger import Row, Tx
from contracts.exceptions import TYPES, Finding
from tasks.opened import RETRY, house
from tasks.orders import order_row
from tasks.rules.ship_by import Rhythm
from tasks.rules.stuck import ACKNOWLEDGED, NOT_ASKED, NOT_SENT, NOT_TOLD, PARTLY, UNACKNOWLEDGED, AtRisk, Collections, Pending, at_risk

ACTOR, AT_RISK = "drift_watch", "cutoff_at_risk"
EXPERIENCE, MANIFESTS = timedelta(days=14), timedelta(days=28)
HOLDING = tuple(name for name, kind in TYPES.items() if kind.due in ("cut-off", "ship-by") and name not in (AT_RISK, "feed_silent"))


def watch_stuck(opened: House, storefront: str, warehouse: str) -> list[dict[str, Any]]:
    """Orders that will miss their collection, most urgent first, as rows for people. One that is on a desk for what holds it up is told, not opened twice.

    An order that no warehouse was asked for counts for every warehouse of its storefront: it is the same exception.
    """
    acknowledges, now = opened.warehouse(warehouse).acknowledges, opened.clock.now()
    with opened.ledger.transaction() as tx:
        desks = opened.ledger.drifts.on_desks(tx, storefront, HOLDING)
        pending = _pending(opened, tx, storefront, warehouse, acknowledges, desks)
        lead: dict[str, list[float]] = {}
        for facility, asked_at, left_at in opened.ledger.drifts.lead_times(tx, warehouse, now - EXPERIENCE):
            lead.setdefault(facility, []).append(max(0.0, (left_at - asked_at).total_seconds()))
        collections = collections_of(opened, storefront, warehouse)
        # a storefront that never names a ship-by has no use for the rhythm
        rhythm = Rhythm(opened.ledger.drifts.told_times(tx, warehouse, now - MANIFESTS), collections.weekdays) if any(one.ship_by for one in pending) else None
        risks = at_risk(pending, lead, collections, now, rhythm)
        _tell(opened, tx, storefront, risks, {one.order_id for one in pending})
    return [_row(risk) for risk in risks]


def collections_of(opened: House, storefront: str, warehouse: str) -> Collections:
    """What the profile says of collections from this warehouse, and of the storefront's ship-by time."""
    profile, within = opened.profile, opened.settings(storefront).ship_within_hours
    own = {place.partition("/")[2]: at for place, at in profile.cut_offs.items() if place.partition("/")[0] == warehouse}
    return Collections(profile.cut_off, profile.collection_weekdays, own, timedelta(hours=profile.handling_hours), timedelta(hours=within) if within else None,
                       timedelta(seconds=profile.cycles_seconds))


def _pending(opened: House, tx: Tx, storefront: str, warehouse: str, acknowledges: bool, desks: dict[str, set[str]]) -> list[Pending]:
    """One row an order: of several requests, the one that is furthest behind."""
    found: dict[str, Pending] = {}
    for row in opened.ledger.drifts.waiting_at(tx, storefront, warehouse):
        stage = _stage(row, acknowledges)
        one = Pending(row.order_id, stage, _placed(row), row.confirmed_at or row.created_at, row.facility, row.reference, row.confirmed_at,
                      tuple(sorted(desks.get(row.order_id, ()))), _ship_by(row))
        before = found.get(row.order_id)
        if before is None or (one.asked_at is None, one.asked_at or one.since) > (before.asked_at is None, before.asked_at or before.since):
            found[row.order_id] = one
    for row in opened.ledger.drifts.not_asked(tx, storefront):
        if row.order["status"] == "awaiting_fulfilment":
            found.setdefault(row.order_id, Pending(row.order_id, NOT_ASKED, _placed(row), row.taken_in_at, desks=tuple(sorted(desks.get(row.order_id, ()))),
                                                      ship_by=_ship_by(row)))
    for row in opened.ledger.drifts.not_told(tx, storefront, warehouse):
        if row.order_id not in found and _ship_by(row):
            found[row.order_id] = Pending(row.order_id, NOT_TOLD, _placed(row), row.planned_at, desks=tuple(sorted(desks.get(row.order_id, ()))), ship_by=_ship_by(row))
    return list(found.values())


def _stage(row: Row, acknowledges: bool) -> str:
    if row.state == "partly_shipped":
        return PARTLY
    if row.effect_state != "CONFIRMED":
        return NOT_SENT
    return UNACKNOWLEDGED if acknowledges and row.verified_at is None else ACKNOWLEDGED


def _placed(row: Row) -> datetime:
    return datetime.fromisoformat(row.order["placed_at"])


def _ship_by(row: Row) -> datetime | None:
    return order_row(row)["ship_by"]


def _tell(opened: House, tx: Tx, storefront: str, risks: list[AtRisk], pending: set[str]) -> None:
    told = {risk.pending.order_id for risk in risks if not risk.pending.desks}
    opened.ledger.exceptions.open(tx, [_finding(storefront, risk) for risk in risks if risk.pending.order_id in told])
    for row in opened.ledger.exceptions.open_of(tx, AT_RISK, storefront):
        if row.record in told or row.record not in pending and _waits_elsewhere(opened, tx, storefront, row.record):
            continue
        why = "It is expected in time now, or is on a desk for what holds it up." if row.record in pending else "It shipped, or need not ship any more."
        opened.ledger.exceptions.resolve(tx, row.exception_id, ACTOR, why)


def _waits_elsewhere(opened: House, tx: Tx, storefront: str, order_id: str) -> bool:
    """Is it another warehouse's to ship? Then that pair's run settles it."""
    return any(row.state in ("asked", "changed", "partly_shipped") for row in opened.ledger.books.requests_of(tx, storefront, order_id))


def _finding(storefront: str, risk: AtRisk) -> Finding:
    one = risk.pending
    return Finding(AT_RISK, storefront, one.order_id, f"{AT_RISK}:{one.order_id}", {
        "stage": one.stage, "reference": one.reference, "facility": one.facility, "collection": risk.must_leave_at.isoformat(), "hours_left": risk.hours_left,
        "ship_by": one.ship_by.isoformat() if one.ship_by else "",
        "expected": risk.expected_at.isoformat() if risk.expected_at else "", "observations": risk.observations, "why": risk.why})


def _row(risk: AtRisk) -> dict[str, Any]:
    one = risk.pending
    return {"must leave by": f"{risk.must_leave_at:%Y-%m-%d %H:%M}", "is ship-by": one.ship_by is not None, "hours left": risk.hours_left, "order": one.order_id, "stage": one.stage,
            "facility": one.facility, "expected": f"{risk.expected_at:%Y-%m-%d %H:%M}" if risk.expected_at else "", "shipments seen": risk.observations,
            "on a desk as": ", ".join(one.desks), "why": risk.why}


@task(name="watch stuck orders", task_run_name="orders of {storefront} that will miss the collection from {warehouse}", **RETRY)
def watch_stuck_of(storefront: str, warehouse: str) -> list[dict[str, Any]]:
    """Orders that will miss their collection, most urgent first."""
    return watch_stuck(house(), storefront, warehouse)
