"""Money that a marketplace keeps back is given back in the next settlement: what one holds, the next must bring.

Settlements of one connection and currency follow one another by their dates; where several accounts run side by side, each settlement goes with the one that
ends where it begins, and of two such with the one whose reserve it brings.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Row = Mapping[str, Any]
ADJOINS = timedelta(hours=1)  # ends and beginnings drift by seconds over the months


@dataclass(frozen=True)
class Link:
    """A settlement and the one before it. verdict: first (nothing before it is known), whole, broken, or missing (one in between was never taken in)."""

    settlement_id: str
    previous: str
    currency: str
    brought_minor: int
    held_before_minor: int
    held_minor: int
    verdict: str

    @property
    def difference_minor(self) -> int:
        """What was brought beyond what the one before it held."""
        return 0 if self.verdict == "first" else self.brought_minor - self.held_before_minor


def reserve_chain(heads: Iterable[Row], reserves: Mapping[str, Sequence[int]]) -> list[Link]:
    """One link a settlement, oldest first. heads: settlement_id, currency, started_at, ended_at; reserves: settlement -> its amounts of category reserve."""
    dated = sorted((head for head in heads if head["started_at"] and head["ended_at"]), key=lambda head: (head["started_at"], head["settlement_id"]))
    brought = {head["settlement_id"]: sum(amount for amount in reserves.get(head["settlement_id"], ()) if amount > 0) for head in dated}
    before: dict[str, Row] = {}
    for is_next in (_adjoins, _follows):  # what lies end to end belongs together; only what is left then has a gap before it
        for place, head in enumerate(dated):
            followed = {one["settlement_id"] for one in before.values()}
            free = [one for one in dated[:place] if one["currency"] == head["currency"] and one["settlement_id"] not in followed and is_next(one, head)]
            if free and head["settlement_id"] not in before and (is_next is _adjoins or brought[head["settlement_id"]]):
                fitting = [one for one in free if held_by(one["settlement_id"], reserves) == brought[head["settlement_id"]]]
                before[head["settlement_id"]] = (fitting or free)[-1]
    return [_link(head, before.get(head["settlement_id"]), brought[head["settlement_id"]], reserves) for head in dated]


def held_by(settlement_id: str, reserves: Mapping[str, Sequence[int]]) -> int:
    """What a settlement keeps back."""
    return -sum(amount for amount in reserves.get(settlement_id, ()) if amount < 0)


def _adjoins(one: Row, head: Row) -> bool:
    return abs(head["started_at"] - one["ended_at"]) <= ADJOINS


def _follows(one: Row, head: Row) -> bool:
    return one["ended_at"] <= head["started_at"]


def _link(head: Row, before: Row | None, brought: int, reserves: Mapping[str, Sequence[int]]) -> Link:
    held_before = held_by(before["settlement_id"], reserves) if before else 0
    verdict = "first" if before is None else "missing" if not _adjoins(before, head) else "whole" if held_before == brought else "broken"
    return Link(head["settlement_id"], before["settlement_id"] if before else "", head["currency"], brought, held_before, held_by(head["settlement_id"], reserves), verdict)


def latest_end(heads: Iterable[Row]) -> datetime | None:
    """Until when the settlements reach."""
    return max((head["ended_at"] for head in heads if head["ended_at"]), default=None)
