"""What each claim has heard of the far side, and whether the ledger says the same.

The wire tells what was answered; the ledger's triggers tell what was written. A process that calls a time-out a refusal, or a refusal a success, is
seen at the commit that says so, whatever comes of it later. And a far side that asked to be left alone for a while is left alone.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from deployments.demo_world import STOREFRONT
from deployments.simulation import oracle_wire

NO = (401, 403, 429)
NOTHING, NEVER_LEFT, REFUSED, YES, DOUBT = "nothing", "a definite no", "a refusal", "a success", "a doubt"
NOT_ALL = "a success that takes no figure"  # a marketplace's 200 to a patch: of several SKUs the others stand
INVALID = b'"INVALID"'
AMBIGUOUS = b"available_quantity"  # the 400 that may mean: your first call worked
ONE_CALL = ("dispatch_confirmation", "order_completion", "refund", "stock_update", "fulfilment_request", "fulfilment_change", "fulfilment_cancel", "acknowledgement",
            "return_notice", "receipt_notice")
MAY_FOLLOW = {"PLANNED": (NOTHING, NEVER_LEFT, REFUSED), "REJECTED": (NOTHING, REFUSED, NOT_ALL), "CONFIRMED": (NOTHING, YES, NOT_ALL), "UNKNOWN": (NOTHING, YES, NOT_ALL, REFUSED, DOUBT)}
LEFT, RESET_MS = "x-rate-limit-requests-left", "x-rate-limit-time-reset-ms"
Found = list[tuple[str, str]]


def meaning(came: Any) -> str:
    """What an answer (of httpx) says of a change; None: the connection was refused."""
    if came is None or came.status_code in NO:
        return NEVER_LEFT
    if 200 <= came.status_code < 300:
        return NOT_ALL if INVALID in came.content else YES if came.status_code == 204 or "json" in came.headers.get("content-type", "") else DOUBT
    if 400 <= came.status_code < 500 and came.status_code != 408:
        return DOUBT if AMBIGUOUS in came.content else REFUSED
    return DOUBT


@dataclass
class Outcomes:
    """What every claim has heard since it was made."""

    claims: dict[tuple[str, str], int] = field(default_factory=dict)  # (holder, effect) -> the fence of its last claim
    _written: dict[tuple[str, int], tuple[str, datetime]] = field(default_factory=dict)  # (effect, fence) -> what its call heard last, and when
    _read: dict[str, str] = field(default_factory=dict)  # holder -> what its last read since its claim heard
    _not_before: dict[str, tuple[datetime, float]] = field(default_factory=dict)  # holder -> when it may ask again, and how far off its clock was

    about: dict[str, str] = field(default_factory=dict)  # holder -> the kind of effect that it has claimed and not yet sent

    def claims_now(self, holder: str, effect_id: str, fence: int, kind: str = "") -> None:
        """A claim is committed: from now on it is heard what it hears. kind: what it will send; '' for a read-back."""
        self.claims[holder, effect_id] = fence
        self.about[holder] = kind
        self._read.pop(holder, None)

    def forget(self) -> None:
        """A backup is restored: its fences are used again by effects that are planned anew."""
        self._written.clear()

    def hears(self, effect_id: str, fence: int, what: str, at: datetime) -> None:
        """Its call was answered, or was not (a doubt, as soon as it has left)."""
        self._written[effect_id, fence] = (what, at)

    def reads(self, holder: str, came: Any) -> None:
        """A read of this process was answered; None: it came to nothing."""
        self._read[holder] = NEVER_LEFT if came is None else meaning(came)

    def is_stale(self, holder: str, effect_id: str, fence: int) -> bool:
        """Does this process write what it learned under another claim than its last?"""
        return self.claims.get((holder, effect_id)) != fence

    def judge(self, world: Any, holder: str, effect_id: str, kind: str, fence: int, new: str) -> Found:
        """17, 28: is the outcome that a claim writes the one that it heard?"""
        self.about.pop(holder, None)
        if kind not in ONE_CALL or new not in MAY_FOLLOW:
            return []
        if kind == "refund" and new == "REJECTED":
            return []  # the provider's no comes with a 201
        heard, at = self._written.get((effect_id, fence), (NOTHING, None))
        if kind == "dispatch_confirmation" and (new, heard) == ("REJECTED", NOTHING) and world.storefront == STOREFRONT and (
                found := list(oracle_wire.refuses_without_reason(world, effect_id))):
            return found
        if heard in MAY_FOLLOW[new] and not (heard == NOTHING and new == "REJECTED" and self._read.get(holder) in (NEVER_LEFT, DOUBT)):
            return []
        if new == "CONFIRMED" and at is not None and world.wire.looked_since(kind, effect_id, at):
            return []  # it looked again before it believed
        return [("what the ledger says is what was heard", f"{effect_id}: {new} after {heard if heard != NOTHING else self._read.get(holder)}")]

    # 29

    def is_asked_to_wait(self, worker: Any, holder: str, came: Any, at: datetime) -> None:
        """A 429 says until when, and so does an answer that says that nothing is left."""
        seconds = came.headers.get("x-retry-after", "") if came.status_code == 429 else ""
        if not seconds and came.headers.get(LEFT) == "0":
            seconds = str(int(came.headers[RESET_MS]) / 1000)
        if seconds:
            self._not_before[holder] = (at + timedelta(seconds=float(seconds)), worker.off_seconds)

    def asks(self, worker: Any, holder: str, what: str, at: datetime) -> Found:
        """A request is about to leave."""
        until, off = self._not_before.pop(holder, (at, worker.off_seconds))
        if off == worker.off_seconds and (until - at).total_seconds() > 0.01:
            return [("who is asked to wait waits", f"{worker.name} {what}: {(until - at).total_seconds():.1f} s too early")]
        return []
