"""Where storefront, warehouse and ledger disagree about an order or its parcels, and why.

The warehouse's word is what it advised; the ledger's is what we owe and what was accepted; the storefront's is what it shows when asked anew.
One difference an order: the first cause that explains it. A parcel that is missing altogether is the order's difference, not the tracking's.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from contracts.drift import Drifted
from tasks.rules.lookup import Mappings

GONE = ("withdrawn", "cancelled", "rejected")
CALLED_OFF = ("cancelled", "refunded")
SHIPPED = ("shipped", "completed")
UNSHIPPED = ("awaiting_fulfilment", "awaiting_payment", "awaiting_pickup")
CLOCKS = timedelta(minutes=5)  # the storefront's may be off from ours by so much
UNDER_WAY = ("PLANNED", "IN_FLIGHT", "UNKNOWN")
Units = dict[str, int]


@dataclass(frozen=True)
class Shown:
    """An order as the storefront shows it. lines: line id -> (ordered, shipped), goods only. shipments: as `shown_dispatches`; None: not asked."""

    status: str
    status_code: str
    modified_at: datetime
    lines: dict[str, tuple[int, int]]
    shipments: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Asked:
    """One fulfilment request, and what the warehouse advised of it, in whole storefront units by line. cancel_at: when its cancel was planned."""

    reference: str
    warehouse: str
    state: str
    ordered: Units
    shipped: Units
    cancel_at: datetime | None = None


@dataclass(frozen=True)
class Told:
    """One effect by which we told the storefront: a package (`kind` dispatch_confirmation), or that the order is complete (`order_completion`)."""

    effect_id: str
    kind: str
    state: str
    planned_at: datetime
    confirmed_at: datetime | None
    verify_by: datetime | None
    verified_at: datetime | None
    remote_id: str
    payload: dict[str, Any] = field(default_factory=dict)

    @property
    def lines(self) -> Units:
        """Storefront units by line."""
        return {line["line_id"]: line["quantity"] for line in self.payload.get("lines", [])}


@dataclass(frozen=True)
class Beliefs:
    """All that the three believe of one order. shown None: the storefront has no such order. known None: it is not in our book, else its state there.

    read_at: when we last read the feed of orders to its end; None: never. A change that is younger cannot have been missed.
    """

    order_id: str
    shown: Shown | None
    known: str | None
    known_as: Shown | None = None
    asked: tuple[Asked, ...] = ()
    told: tuple[Told, ...] = ()
    held_since: datetime | None = None
    read_at: datetime | None = None

    @property
    def live(self) -> list[Asked]:
        """Requests that the warehouse may still ship, or did."""
        return [one for one in self.asked if one.state not in GONE]

    @property
    def advised(self) -> Units:
        """What the warehouses say they shipped, by line."""
        return dict(sum((Counter(one.shipped) for one in self.asked), Counter()))

    @property
    def ordered(self) -> Units:
        """What the warehouses were asked for, by line."""
        return dict(sum((Counter(one.ordered) for one in self.live), Counter()))


def order_drift(b: Beliefs, now: datetime, patience: timedelta) -> Drifted | None:
    """The order's status and shipped quantities. `patience`: how long a change may be on its way before that is an alarm."""
    if b.shown is None:
        return _difference(b, "cancelled_there", now, "the storefront has no such order") if b.live else None
    for judge in (_called_off, _unknown, _shipped_more, _shipped_less, _status, _not_taken_in):
        found = judge(b, b.shown, now, patience)
        if found is not None:
            return found or None
    return None


def _called_off(b: Beliefs, shown: Shown, now: datetime, patience: timedelta) -> Drifted | None | bool:
    if shown.status not in CALLED_OFF:
        return None
    still = [one for one in b.live if shown.status == "cancelled" or not any(one.shipped.values())]
    if not still:
        return False
    asked_at = max((one.cancel_at for one in still if one.cancel_at), default=shown.modified_at)
    cause = "late" if now - asked_at <= patience and not any(any(one.shipped.values()) for one in still) else "cancelled_there"
    what = "the warehouse shipped it" if any(any(one.shipped.values()) for one in still) else "the warehouse still has it"
    return _difference(b, cause, shown.modified_at, f"cancelled at the storefront; {what}")


def _unknown(b: Beliefs, shown: Shown, now: datetime, patience: timedelta) -> Drifted | None | bool:
    if b.known is not None:
        return None
    if shown.status != "awaiting_fulfilment":
        return False
    return _difference(b, _late_or_missed(b, shown, now, patience), shown.modified_at, "the order is not in our book")


def _late_or_missed(b: Beliefs, shown: Shown, now: datetime, patience: timedelta) -> str:
    """A feed that is not read at all is silent (tasks/feeds.py); one that was read past the change and did not bring it has missed it."""
    was_read = b.read_at is not None and b.read_at > shown.modified_at + CLOCKS
    return "missed" if was_read and now - shown.modified_at > patience else "late"


def _shipped_more(b: Beliefs, shown: Shown, now: datetime, patience: timedelta) -> Drifted | None:
    accounted = _accounted(b, shown)
    more = {line: shipped - accounted[line] for line, (_, shipped) in shown.lines.items() if shipped > accounted[line]}
    if not more:
        return None
    references = Counter(one["reference"] for one in shown.shipments or () if one["reference"])
    twice = sorted(reference for reference, count in references.items() if count > 1)
    if twice:
        return _difference(b, "double_count", shown.modified_at, f"the same parcel is shown {max(references.values())} times", {"references": twice})
    return _difference(b, "shipped_outside", shown.modified_at, "shown as shipped, and not advised: " + _counted(more), {"lines": more})


def _accounted(b: Beliefs, shown: Shown) -> Units:
    """What may be shown as shipped: what was advised, and what was never asked of a warehouse (shipped before it came to us)."""
    advised, asked = b.advised, b.ordered
    return {line: advised.get(line, 0) + max(0, ordered - asked.get(line, 0)) for line, (ordered, _) in shown.lines.items()}


def _shipped_less(b: Beliefs, shown: Shown, now: datetime, patience: timedelta) -> Drifted | None:
    short = {line: units - shown.lines.get(line, (0, 0))[1] for line, units in b.advised.items() if units > shown.lines.get(line, (0, 0))[1]}
    if not short:
        return None
    packages = [one for one in b.told if one.kind == "dispatch_confirmation" and set(one.lines) & set(short)]
    said = "advised, and not shown as shipped: " + _counted(short)
    for one in sorted(packages, key=lambda one: one.state == "CONFIRMED"):  # what we have not brought there goes before what may have been lost there
        if one.state == "CONFIRMED" and _is_old(shown):
            return _difference(b, "late", one.confirmed_at or one.planned_at, f"{said}; the list of shipments is older than the order itself")
        cause = _why_missing(one, _found(one, shown), now, patience)
        if cause:
            return _difference(b, cause, one.confirmed_at or one.planned_at, said, {"effect": one.effect_id, "lines": short})
    if b.held_since:
        return _difference(b, "unmapped", b.held_since, "a package waits for a carrier mapping", {"lines": short})
    return _difference(b, "unexplained", now, said, {"lines": short})


def _why_missing(told: Told, shipment: dict[str, Any] | None, now: datetime, patience: timedelta) -> str:
    """Why a package of ours is not shown, or shown smaller; '' when it is shown as we told it."""
    if told.state in UNDER_WAY:
        overdue = "in_doubt" if told.state == "UNKNOWN" else "not_sent"
        return "late" if now - told.planned_at <= patience else overdue
    if told.state != "CONFIRMED":
        return {"BLOCKED": "in_doubt", "REJECTED": "refused"}.get(told.state, "unexplained")
    if shipment is not None:
        shown = {line["line_id"]: line["quantity"] for line in shipment["lines"]}
        return _since_written(told, now) if shown != told.lines else ""
    return _since_written(told, now)


def _since_written(told: Told, now: datetime) -> str:
    """It was accepted and is not as we wrote it: seen there before, somebody changed it; never seen, it may still come, or it was lost."""
    if told.verified_at:
        return "manual_edit"
    return "late" if told.verify_by is None or now < told.verify_by else "lost_write"


def _status(b: Beliefs, shown: Shown, now: datetime, patience: timedelta) -> Drifted | None | bool:
    advised, ordered = b.advised, b.ordered
    is_whole = bool(ordered) and all(advised.get(line, 0) >= units for line, units in ordered.items())
    if is_whole and shown.status in (*UNSHIPPED, "partially_shipped"):
        return _whole_but_open(b, shown, now, patience)
    if not is_whole and shown.status in SHIPPED and b.live:
        return _difference(b, "manual_edit", shown.modified_at, "its status says shipped, though the warehouse has not shipped all of it")
    if b.asked and not b.live and shown.status in UNSHIPPED and b.known != "cancelled" and any(one.state in ("rejected", "cancelled") for one in b.asked):
        return _difference(b, "closed_there", shown.modified_at, "no request for it is open at the warehouse")
    return None


def _whole_but_open(b: Beliefs, shown: Shown, now: datetime, patience: timedelta) -> Drifted | None:
    """Everything is shipped and shown, and the order's status does not say so."""
    completion = next((one for one in reversed(b.told) if one.kind == "order_completion"), None)
    last = max((one.confirmed_at or one.planned_at for one in b.told), default=shown.modified_at)
    if completion and completion.state in UNDER_WAY:
        return _difference(b, "late" if now - completion.planned_at <= patience else "not_sent", completion.planned_at, "that it is complete is on its way")
    if now - last <= patience:
        return _difference(b, "late", last, "the last parcel was confirmed just now")
    goods_left = any(ordered > shipped for ordered, shipped in shown.lines.values())
    if shown.status == "partially_shipped" and goods_left:
        return None  # lines that were never asked for: not the warehouse's to ship
    if completion is None and shown.status == "partially_shipped":
        return _difference(b, "not_sent", last, "everything is shipped, and nobody has told the storefront that the order is complete")
    return _difference(b, "manual_edit", shown.modified_at, "everything is shipped and shown, and the status was set back")


def _not_taken_in(b: Beliefs, shown: Shown, now: datetime, patience: timedelta) -> Drifted | None:
    """The three agree by quantities; but is our copy of the order the one that the storefront has?"""
    before = b.known_as
    if before is None or shown.modified_at <= before.modified_at or (before.status, before.lines) == (shown.status, shown.lines):
        return None
    return _difference(b, _late_or_missed(b, shown, now, patience), shown.modified_at, "the order changed, and the change is not taken in")


def tracking_drift(b: Beliefs, now: datetime, mappings: Mappings) -> Iterator[Drifted]:
    """Tracking number and carrier of every package that was accepted, against what is shown, what the warehouse said, and what the mapping says now."""
    if b.shown is None or b.shown.shipments is None or _is_old(b.shown):
        return
    short = any(units > b.shown.lines.get(line, (0, 0))[1] for line, units in b.advised.items())
    numbers = Counter(one["tracking_number"] for one in b.shown.shipments if not one["reference"])
    for told in b.told:
        if told.kind != "dispatch_confirmation" or told.state != "CONFIRMED":
            continue
        shipment = _found(told, b.shown)
        if shipment is None:
            if not short and not numbers[told.payload["tracking_number"]]:
                yield _parcel(b, told, "manual_edit" if told.verified_at else "unexplained", "no such parcel; its goods are shown in another", now)
            continue
        yield from _compared(b, told, shipment, mappings, now)


def _is_old(shown: Shown) -> bool:
    """The list of shipments is older than the order: it holds less than the order itself counts as shipped. Nothing can be told of parcels then."""
    listed = Counter({line["line_id"]: 0 for one in shown.shipments or () for line in one["lines"]})
    for line in (line for one in shown.shipments or () for line in one["lines"]):
        listed[line["line_id"]] += line["quantity"]
    return any(shipped > listed[line] for line, (_, shipped) in shown.lines.items())


def _compared(b: Beliefs, told: Told, shipment: dict[str, Any], mappings: Mappings, now: datetime) -> Iterator[Drifted]:
    payload, name = told.payload, _carrier_name(told.payload)
    if shipment["tracking_number"] != payload["tracking_number"]:
        yield _parcel(b, told, _since_written(told, now), f"tracking number {shipment['tracking_number'] or 'none'}", now)
        return
    shows = shipment.get(name[0], name[1])
    if name[1] and shows not in (name[1], payload["tracking_carrier"] or name[1]):  # "Other" is shown under the name that went with it
        yield _parcel(b, told, _since_written(told, now), f"carrier {shows or 'none'}", now)
        return
    row = mappings.carrier(payload["warehouse"], payload["carrier"], payload["service"], payload["connection"])
    if row is not None and _carrier_name(payload | row) != name:
        yield _parcel(b, told, "remapped", f"carrier {shows or 'none'}", now, f"the mapping says {_carrier_name(payload | row)[1] or 'none'} now")


def _carrier_name(payload: Mapping[str, Any]) -> tuple[str, str]:
    """The field by which the storefront was told the carrier, and what it was told."""
    return ("provider", payload["provider"]) if payload["provider"] else ("tracking_carrier", payload["tracking_carrier"])


def _parcel(b: Beliefs, told: Told, cause: str, shows: str, now: datetime, detail: str = "") -> Drifted:
    payload = told.payload
    began_at = b.shown.modified_at if cause == "manual_edit" and b.shown else told.confirmed_at or now
    name = _carrier_name(payload)[1]
    return Drifted("tracking", f"{b.order_id} {payload['package_id']}", cause, shows, f"{payload['carrier']} {payload['tracking_number'] or 'no number'}",
                   f"told {name or 'no carrier'} {payload['tracking_number'] or 'no number'}, {'seen there' if told.verified_at else 'not seen there'}",
                   began_at, detail, b.order_id, {"effect": told.effect_id, "shipment": told.remote_id, "reference": payload["reference"]})


def _found(told: Told, shown: Shown) -> dict[str, Any] | None:
    shipments = shown.shipments or []
    return next((one for one in shipments if told.remote_id and one["remote_id"] == told.remote_id), None) or next(
        (one for one in shipments if one["reference"] == told.effect_id), None)


def _difference(b: Beliefs, cause: str, began_at: datetime, detail: str, evidence: dict[str, Any] | None = None) -> Drifted:
    advised, told = b.advised, Counter(one.state.lower() for one in b.told)
    shown = f"{b.shown.status} ({b.shown.status_code}), shipped {_sum(s for _, s in b.shown.lines.values())} of {_sum(o for o, _ in b.shown.lines.values())}" if b.shown else "no such order"
    warehouse = "; ".join(f"{one.reference} {one.state.replace('_', ' ')}, shipped {_sum(one.shipped.values())} of {_sum(one.ordered.values())}" for one in b.asked)
    ledger = ", ".join(f"{count} {state}" for state, count in sorted(told.items()))
    return Drifted("order", b.order_id, cause, shown, warehouse or "not asked", f"{b.known or 'not in the book'}; told: {ledger or 'nothing'}", began_at, detail,
                   b.order_id, {"advised": advised, **(evidence or {})})


def _sum(units: Any) -> int:
    return sum(units)


def _counted(units: Units) -> str:
    return ", ".join(f"line {line}: {count}" for line, count in sorted(units.items()))
