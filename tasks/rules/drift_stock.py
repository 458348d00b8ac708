"""Where a location of a storefront shows another figure than it was told, and why, by what the figure is and by what was seen there before.

What customers bought or gave back since we told it is no difference. A figure that is what we told it the time before, or that was never seen as
we told it last and is still what it was (zero, where nothing was known), is a lost write; every other one that neither we nor customers made is somebody's edit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from contracts.drift import Drifted

REFUSED = "refused by the storefront"
UNKNOWN_THERE = ("the storefront does not know it", "its unit is not known")  # withheld for want of a mapping or an item
ZOMBIE = timedelta(hours=4)  # so long after it was sent, an update of ours may still arrive
REPAIRS = {"none": (), "lost_writes": ("lost_write",), "all": ("lost_write", "manual_edit", "unit", "double_count", "unexplained")}


@dataclass(frozen=True)
class Seen:
    """One figure as the storefront showed it."""

    on_hand: int
    safety_stock: int
    is_tracked: bool
    seen_at: datetime


@dataclass(frozen=True)
class Wanted:
    """What one location should show of one SKU. told: what it was last told; None: never. factors: units or kit parts that one sold piece is.

    told_before: (figure, when, was it taken in) of what we sent before that, the newest first.
    """

    quantity: int
    decided_at: datetime
    told: int | None = None
    told_at: datetime | None = None
    is_under_way: bool = False
    withheld: str = ""
    parts: Mapping[str, Any] = field(default_factory=dict)
    factors: tuple[int, ...] = ()
    told_before: tuple[tuple[int, datetime, bool], ...] = ()


@dataclass(frozen=True)
class Moved:
    """What customers did since a moment: units ordered, and units of orders cancelled since."""

    sold: int = 0
    returned: int = 0

    def explains(self, was: int, now: int) -> bool:
        """May a figure that was so be what it is now by sales and cancels alone?"""
        return was - self.sold <= now <= was + self.returned


@dataclass(frozen=True)
class History:
    """What earlier sweeps say of one figure. before: as it stood when we told it last; as_told_at: when it was last seen as we told it; None: never."""

    before: Seen | None = None
    as_told_at: datetime | None = None


@dataclass(frozen=True)
class Patience:
    """How long an update may be owed (the cadence of slow movers included), and how long the storefront may take to show one."""

    owed: timedelta
    shown: timedelta


def stock_drift(location: str, sku: str, shown: Seen | None, wanted: Wanted | None, history: History, since_told: Moved, since_before: Moved,
                now: datetime, patience: Patience, since_earlier: tuple[Moved, ...] = ()) -> Drifted | None:
    """The difference about one SKU at one location, or None. since_before: since the sweep that `history.before` is from; since_earlier: since each of `told_before`."""
    if wanted is None:
        is_sold = shown is not None and shown.is_tracked and shown.on_hand > 0
        return _difference(location, sku, "unmapped", shown, None, shown.seen_at, "no warehouse has ever named it") if is_sold else None
    if wanted.withheld:
        return _withheld(location, sku, shown, wanted, now)
    if shown is None:
        return _difference(location, sku, "unmapped", None, wanted, wanted.decided_at, "the storefront does not list it there")
    if not shown.is_tracked:
        return None
    if shown.on_hand == wanted.quantity or wanted.told is not None and since_told.explains(wanted.told, shown.on_hand):
        return _agrees_with_what_was_told(location, sku, shown, wanted, now, patience)
    if wanted.is_under_way or wanted.told is None or wanted.told_at is None:
        return _owed(location, sku, shown, wanted, now, patience)
    if now - wanted.told_at <= patience.shown:
        return _difference(location, sku, "late", shown, wanted, wanted.told_at, "told just now")
    cause, detail = _why(shown, wanted, history, since_before, since_earlier, now)
    began_at = max(wanted.told_at, history.as_told_at or wanted.told_at) if cause == "manual_edit" else wanted.told_at
    return _difference(location, sku, cause, shown, wanted, began_at, detail)


def _withheld(location: str, sku: str, shown: Seen | None, wanted: Wanted, now: datetime) -> Drifted | None:
    if wanted.withheld == REFUSED:
        return _difference(location, sku, "refused", shown, wanted, wanted.decided_at, "it will not take the figure")
    if wanted.withheld in UNKNOWN_THERE:
        return _difference(location, sku, "unmapped", shown, wanted, wanted.decided_at, wanted.withheld)
    return None


def _agrees_with_what_was_told(location: str, sku: str, shown: Seen, wanted: Wanted, now: datetime, patience: Patience) -> Drifted | None:
    if shown.on_hand != wanted.quantity and wanted.told != wanted.quantity:
        return _owed(location, sku, shown, wanted, now, patience)
    if shown.safety_stock and wanted.parts.get("safety"):
        return _difference(location, sku, "double_count", shown, wanted, wanted.told_at or wanted.decided_at,
                           f"safety stock is kept back twice: {shown.safety_stock} there, {wanted.parts['safety']} by us")
    return None


def _owed(location: str, sku: str, shown: Seen, wanted: Wanted, now: datetime, patience: Patience) -> Drifted:
    is_late = now - wanted.decided_at <= patience.owed
    cause = "late" if is_late else "in_doubt" if wanted.is_under_way else "not_sent"
    return _difference(location, sku, cause, shown, wanted, wanted.decided_at, "an update is on its way" if wanted.is_under_way else "an update is owed")


def _why(shown: Seen, wanted: Wanted, history: History, since_before: Moved, since_earlier: tuple[Moved, ...], now: datetime) -> tuple[str, str]:
    """It was told, had time to show it, and shows something that sales do not explain."""
    told, has, before = wanted.told or 0, shown.on_hand, history.before
    was_seen = history.as_told_at is not None or before is not None and before.on_hand == told
    for place, (figure, sent_at, _) in enumerate(wanted.told_before):
        if figure == has and (now - sent_at <= ZOMBIE or place == 0 and not was_seen):
            return "lost_write", f"it shows what we sent at {sent_at:%Y-%m-%d %H:%M} UTC: the last update was lost, or an older one came after it"
    if not was_seen:
        for (figure, sent_at, _), moved in zip(wanted.told_before, since_earlier, strict=False):
            if now - sent_at <= ZOMBIE and moved.explains(figure, has):
                return "lost_write", f"it shows what we sent at {sent_at:%Y-%m-%d %H:%M} UTC, and what customers bought or called off since: the last update was lost"
        if before is None and has == 0 and not any(was_taken and figure != told for figure, _, was_taken in wanted.told_before):
            return "lost_write", "it has never shown anything, however often it was told"
    is_left = history.as_told_at is None and before is not None and (
        since_before.explains(before.on_hand, has) if before.on_hand != told else has == before.on_hand - since_before.sold + since_before.returned)
    if is_left:  # where it showed before what it was told then, an edit looks the same but for the exact number
        return "lost_write", f"it still shows what it did at {before.seen_at:%Y-%m-%d %H:%M} UTC, before we told it, but for what customers bought or called off"
    factor = next((one for one in wanted.factors if one > 1 and has and told and (has == told * one or has == told // one)), 0)
    if factor:
        return "unit", f"{max(has, told)} is {factor} times {min(has, told)}"
    twice = next((f"{name}: {count}" for name, count in _counted(wanted.parts) if count and has in (max(0, told - count), told + count)), "")
    if twice:
        return "double_count", f"the difference is what is counted as {twice}"
    return "manual_edit", "it was seen as we told it, and was changed since" if was_seen else "neither what we told it, nor what it was before, nor a sale"


def _counted(parts: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """What of the figure could be counted a second time."""
    sums = {name: sum(part.get(name, 0) // part.get("units_each", 1) for part in parts.get("at", ())) for name in ("asked", "unasked", "changed")}
    sums["reserved"] = sums["asked"] + sums["unasked"] + parts.get("unrouted", 0)
    sums["safety stock"] = parts.get("safety", 0)
    return [("reserved", abs(sums["reserved"])), *((name, abs(count)) for name, count in sums.items() if name != "reserved")]


def _difference(location: str, sku: str, cause: str, shown: Seen | None, wanted: Wanted | None, began_at: datetime, detail: str) -> Drifted:
    stated = sum(part.get("stated", 0) for part in wanted.parts.get("at", ())) if wanted else 0
    warehouse = f"{stated} stated" if wanted and wanted.parts else "nothing" if wanted is None else "not told here"
    ledger = "no figure" if wanted is None else f"should show {wanted.quantity}, told {'nothing' if wanted.told is None else wanted.told}" + (
        f" at {wanted.told_at:%Y-%m-%d %H:%M} UTC" if wanted.told_at else "") + (f"; withheld: {wanted.withheld}" if wanted.withheld else "")
    return Drifted("stock", f"{location} {sku}", cause, f"{shown.on_hand}" if shown else "not listed", warehouse, ledger, began_at, detail, "",
                   {"location": location, "sku": sku, "parts": dict(wanted.parts) if wanted else {}})
