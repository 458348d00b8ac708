"""Every cause of an order's difference that is hard to bring about in a whole world, and the order in which causes are looked for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.drift import CAUSES
from tasks.rules.drift import Asked, Beliefs, Shown, Told, order_drift, tracking_drift
from tasks.rules.lookup import Mappings

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR, PATIENCE = timedelta(hours=1), timedelta(minutes=30)
PAYLOAD = {"connection": "shop", "warehouse": "site", "reference": "UK1", "package_id": "P1", "carrier": "RMLL", "service": "48", "provider": "royalmail",
           "tracking_carrier": "", "tracking_link": "", "tracking_number": "T1", "lines": [{"line_id": "7", "quantity": 2}]}
CARRIERS = Mappings.of({})


def _shown(shipped: int = 2, status: str = "shipped", shipments: list[dict[str, Any]] | None = None, ordered: int = 2, age: timedelta = HOUR) -> Shown:
    return Shown(status, "2", NOW - age, {"7": (ordered, shipped)}, shipments)


def _parcel(**other: Any) -> dict[str, Any]:
    return {"remote_id": "9", "reference": "e1", "tracking_number": "T1", "provider": "royalmail", "tracking_carrier": "", "lines": [{"line_id": "7", "quantity": 2}]} | other


def _told(state: str = "CONFIRMED", age: timedelta = HOUR, verified: bool = False, kind: str = "dispatch_confirmation") -> Told:
    at = NOW - age
    is_there = state == "CONFIRMED"
    return Told("e1", kind, state, at, at if is_there else None, at + PATIENCE if is_there else None, at if verified else None, "9" if is_there else "", PAYLOAD)


def _beliefs(shown: Shown | None, *told: Told, state: str = "shipped", advised: int = 2, **other: Any) -> Beliefs:
    return Beliefs("1", shown, **{"known": "done", "known_as": shown, "asked": (Asked("UK1", "site", state, {"7": 2}, {"7": advised}),), "told": told, "read_at": NOW} | other)


def _cause(b: Beliefs) -> str:
    found = order_drift(b, NOW, PATIENCE)
    return found.cause if found else ""


@pytest.mark.parametrize(("beliefs", "cause"), [
    (_beliefs(_shown(0, "awaiting_fulfilment", []), _told("PLANNED")), "not_sent"),
    (_beliefs(_shown(0, "awaiting_fulfilment", []), _told("PLANNED", PATIENCE / 2)), "late"),
    (_beliefs(_shown(0, "awaiting_fulfilment", []), _told("UNKNOWN")), "in_doubt"),
    (_beliefs(_shown(0, "awaiting_fulfilment", []), _told("BLOCKED")), "in_doubt"),
    (_beliefs(_shown(0, "awaiting_fulfilment", []), _told("REJECTED")), "refused"),
    (_beliefs(_shown(0, "awaiting_fulfilment", []), _told()), "lost_write"),
    (_beliefs(_shown(0, "awaiting_fulfilment", []), _told(age=PATIENCE / 2)), "late"),
    (_beliefs(_shown(0, "awaiting_fulfilment", []), _told(verified=True)), "manual_edit"),
    (_beliefs(_shown(1, "partially_shipped", [_parcel(lines=[{"line_id": "7", "quantity": 1}])]), _told(verified=True)), "manual_edit"),
    (_beliefs(_shown(1, "partially_shipped", []), _told(verified=True)), "late"),
    (_beliefs(_shown(0, "awaiting_fulfilment", []), held_since=NOW - HOUR), "unmapped"),
    (_beliefs(_shown(0, "awaiting_fulfilment", [])), "unexplained"),
    (_beliefs(_shown(2, "shipped", [_parcel(), _parcel(remote_id="10")], ordered=2), _told(), advised=1, state="partly_shipped"), "double_count"),
    (_beliefs(_shown(2, "shipped", []), state="asked", advised=0), "shipped_outside"),
    (_beliefs(None, state="asked", advised=0), "cancelled_there"),
    (_beliefs(_shown(0, "cancelled"), state="asked", advised=0), "cancelled_there"),
    (_beliefs(_shown(0, "cancelled", age=PATIENCE / 2), state="asked", advised=0), "late"),
    (_beliefs(_shown(0, "cancelled"), state="cancelled", advised=0), ""),
    (_beliefs(_shown(2, "refunded", [_parcel()]), _told(verified=True)), ""),
    (_beliefs(_shown(0, "refunded"), state="asked", advised=0), "cancelled_there"),
    (_beliefs(_shown(0, "awaiting_fulfilment"), state="rejected", advised=0), "closed_there"),
    (_beliefs(_shown(2, "awaiting_fulfilment", [_parcel()]), _told(verified=True)), "manual_edit"),
    (_beliefs(_shown(2, "partially_shipped", [_parcel()]), _told(verified=True)), "not_sent"),
    (_beliefs(_shown(2, "partially_shipped", [_parcel()]), _told(verified=True), _told("PLANNED", PATIENCE / 2, kind="order_completion")), "late"),
    (_beliefs(_shown(2, "partially_shipped", [_parcel()]), _told(verified=True), _told("CONFIRMED", kind="order_completion")), "manual_edit"),
    (_beliefs(_shown(0, "awaiting_fulfilment"), known=None, known_as=None, asked=()), "missed"),
    (_beliefs(_shown(0, "awaiting_fulfilment"), known=None, known_as=None, asked=(), read_at=NOW - HOUR), "late"),
    (_beliefs(_shown(0, "awaiting_payment"), known=None, known_as=None, asked=()), ""),
    (_beliefs(_shown(3, "shipped", [_parcel()], ordered=3), _told(verified=True)), ""),
    (_beliefs(_shown(2, "shipped", [_parcel()]), _told(verified=True)), ""),
], ids=["owed too long", "owed", "unknown too long", "blocked", "rejected", "accepted and never shown", "accepted just now", "seen and gone", "seen and smaller",
        "the list is older than the order", "held", "nobody knows", "twice the same parcel", "shipped by hand", "no such order", "cancelled, still live",
        "cancelled just now", "both cancelled", "refunded after shipping", "refunded before", "refused by the warehouse", "set back", "nobody told that it is complete",
        "being told that it is complete", "completion undone", "read past and not brought", "not read since", "not for us", "some was shipped before it came to us", "they agree"])
def test_a_difference_has_the_first_cause_that_explains_it(beliefs, cause):
    assert _cause(beliefs) == cause and cause in {"", *CAUSES}


def test_what_each_side_says_is_told_in_words_and_holds_no_more_than_ids_and_counts():
    found = order_drift(_beliefs(_shown(0, "awaiting_fulfilment", []), _told()), NOW, PATIENCE)
    assert (found.storefront_says, found.warehouse_says, found.ledger_says) == (
        "awaiting_fulfilment (2), shipped 0 of 2", "UK1 shipped, shipped 2 of 2", "done; told: 1 confirmed")
    assert found.detail == "advised, and not shown as shipped: line 7: 2" and found.began_at == NOW - HOUR and found.order_id == "1"


@pytest.mark.parametrize(("shipment", "verified", "cause"), [
    (_parcel(), True, None), (_parcel(tracking_number="T2"), True, "manual_edit"), (_parcel(tracking_number="T2"), False, "lost_write"),
    (_parcel(provider="ups"), True, "manual_edit"), (_parcel(provider=""), False, "lost_write"), (_parcel(remote_id="10", reference=""), True, None),
    (_parcel(remote_id="10", reference="", tracking_number="T2"), True, "manual_edit"),
], ids=["as told", "another number", "another number, never seen", "another carrier", "no carrier, never seen", "entered anew by hand", "entered anew with another number"])
def test_a_parcel_is_compared_by_number_and_by_the_name_of_its_carrier(shipment, verified, cause):
    found = list(tracking_drift(_beliefs(_shown(2, "shipped", [shipment]), _told(verified=verified)), NOW, CARRIERS))
    assert [one.cause for one in found] == ([cause] if cause else [])


def test_a_parcel_that_is_missing_is_the_orders_difference_and_not_the_trackings_too():
    assert list(tracking_drift(_beliefs(_shown(0, "awaiting_fulfilment", []), _told(verified=True)), NOW, CARRIERS)) == []
