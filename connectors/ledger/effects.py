"""Effects: what we intend to change in other systems, one row each, and the only edges their states may take.

    PLANNED ──► IN_FLIGHT ──► CONFIRMED        it is there: we hold the far side's own id
       ▲  │         │ ├─────► UNKNOWN          any doubt; waits the target's quiet period, then is read back
       │  │         │ ├─────► REJECTED         the far side said no to this record
       │  │         │ └─────► PLANNED          certainly nothing happened (refused connection, 429): later again
       │  └► WITHDRAWN        │
       └──────────────────────┴── UNKNOWN ──► CONFIRMED | PLANNED (proved absent) | BLOCKED
                                  BLOCKED ──► CONFIRMED | PLANNED | WITHDRAWN: only by a person's word

Every change carries the fence of the claim and the state it expects, and must hit exactly one row.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration, WharfingerError
from connectors.ledger.database import Database, dumps, shortened
from connectors.ledger.tables import BLOCKED, CONFIRMED, IN_FLIGHT, PACKAGE_NUMBERS, PLANNED, REJECTED, UNKNOWN, WHENEVER, WITHDRAWN, control_number, effect
from connectors.ports import Effect, Receipt

IN_DOUBT = (IN_FLIGHT, UNKNOWN)
WAS_IN_DOUBT = "was_in_doubt"  # in the evidence of what was read back as absent
KEY_LONGEST = 400  # what PostgreSQL can still index
QUIET_SECONDS = 900.0  # for a target whose quiet period nobody gave
LARGEST = 2**31 - 1


class FenceLost(WharfingerError):
    """Somebody else has taken this effect over; what we learned about it must not be written."""

    helps = "Whoever holds it now reads back and decides."


class EffectChanged(WharfingerError):
    """The same effect was planned again with another payload: a bug in how its business key is made."""

    helps = "Trying again cannot help."


@dataclass(frozen=True)
class Planned:
    """An effect about to be planned. business_key comes from business identity, never from a run or a time."""

    kind: str
    target: str
    business_key: str
    ordering_key: str
    connection: str
    record: str
    payload: dict[str, Any] = field(default_factory=dict)
    due_by: datetime | None = None  # when the far side must have it at the latest; the most urgent are sent first

    @property
    def effect_id(self) -> str:
        """The same for ever, on every machine."""
        return shortened(f"{self.kind}:{self.target}:{self.business_key}", KEY_LONGEST)


def payload_hash(payload: dict[str, Any]) -> str:
    """SHA-256 over the payload as the ledger keeps it."""
    return hashlib.sha256(dumps(payload).encode()).hexdigest()


class Effects:
    """The effect table. Methods that take a transaction take part in the caller's; the others open their own."""

    def __init__(self, database: Database, clock: Clock, lease_seconds: float = 120) -> None:
        self._database, self._clock, self._lease_seconds = database, clock, lease_seconds
        self._plan = database.kept(database.insert(effect).on_conflict_do_nothing())  # of either key: with one named, PostgreSQL may meet the other first, and raises
        self._draw = database.kept(database.insert(control_number).on_conflict_do_update(index_elements=[control_number.c.stream],
                                                                                         set_={"last": control_number.c.last + 1}))
        self._read_and_lock = sa.select(effect, *database.locks(effect.c.ordering_key)).where(effect.c.effect_id == sa.bindparam("id"))

    def plan(self, tx: Connection, planned: Planned) -> bool:
        """Intend this, once. False when it was intended before. Raises EffectChanged when before it was something else."""
        now, digest = self._clock.now(), payload_hash(planned.payload)
        if self._plan(tx, {
            "effect_id": planned.effect_id, "kind": planned.kind, "target": planned.target, "business_key": shortened(planned.business_key, KEY_LONGEST),
            "ordering_key": shortened(planned.ordering_key, KEY_LONGEST), "connection": planned.connection, "record": planned.record, "payload": planned.payload,
            "payload_hash": digest, "state": PLANNED, "attempt": 0, "fence": 0, "number": 0, "holder": "", "planned_at": now, "not_before": now,
            "due_by": planned.due_by or WHENEVER, "remote_id": "", "evidence": {}, "error": "",
        }).rowcount:
            return True
        if tx.execute(_HASH, {"id": planned.effect_id}).scalar() != digest:
            raise EffectChanged(f"planning {planned.effect_id}", "it was planned before with another payload", "Report this as a bug.")
        return False

    def owed(self, tx: Connection, target: str, kinds: tuple[str, ...], limit: int = 200) -> tuple[list[str], list[str]]:
        """Ids of effects to work on, up to `limit` each: doubts whose quiet period is over, so that a read-back can be trusted, and what may be sent now.

        At most one for each ordering key is to be sent: those that are due by a time first, then the oldest.
        """
        about = {"target": target, "kinds": kinds, "at": self._clock.now(), "most": limit}
        return list(tx.execute(_DOUBTFUL, about).scalars()), list(tx.execute(_DUE, about).scalars())

    def due(self, target: str, kinds: tuple[str, ...], limit: int = 200) -> list[str]:
        """What may be sent now: see `owed`."""
        with self._database.transaction() as tx:
            return self.owed(tx, target, kinds, limit)[1]

    def doubtful(self, target: str, kinds: tuple[str, ...], limit: int = 200) -> list[str]:
        """What may be read back now: see `owed`."""
        with self._database.transaction() as tx:
            return self.owed(tx, target, kinds, limit)[0]

    def unproven(self, target: str, kinds: tuple[str, ...], limit: int = 10_000) -> list[Row[Any]]:
        """Confirmed effects that nobody has read back or acknowledged yet, oldest first."""
        with self._database.transaction() as tx:
            return list(tx.execute(_UNPROVEN, {"target": target, "kinds": kinds, "most": limit}))

    def next_due_at(self, target: str, kinds: tuple[str, ...]) -> datetime | None:
        """When the next planned or doubtful effect of this target may be worked on."""
        with self._database.transaction() as tx:
            return tx.execute(sa.select(sa.func.min(effect.c.not_before, type_=effect.c.not_before.type)).where(
                effect.c.target == target, effect.c.kind.in_(kinds), effect.c.state.in_((PLANNED, UNKNOWN)))).scalar()

    def claim(self, tx: Connection, effect_id: str, holder: str) -> Effect | None:
        """Take one planned effect: PLANNED -> IN_FLIGHT, committed before the call. None when somebody else was quicker."""
        now = self._clock.now()
        row = tx.execute(self._read_and_lock, {"id": effect_id}).one_or_none()
        # asked again under the lock: what `due` listed may have been overtaken since
        taken = row is not None and row.state == PLANNED and tx.execute(_CLAIM, {
            "id": effect_id, "known_fence": row.fence, "at": now, "by": holder, "until": now + timedelta(seconds=self._lease_seconds)}).rowcount
        if not taken:
            return None
        return replace(_effect(row, row.fence + 1, row.attempt + 1, now), lease_until=now + timedelta(seconds=self._lease_seconds))

    def may_send(self, claimed: Effect) -> bool:
        """Is the lease of this claim still running? A process that was stopped (a laptop's lid, a paused machine) must ask before it sends."""
        return self.lease_left(claimed) > timedelta(0)

    def lease_left(self, claimed: Effect) -> timedelta:
        """How long this claim may still send, by the ledger's clock: another clock, of another machine perhaps, must not judge its end."""
        return timedelta(0) if claimed.lease_until is None else claimed.lease_until - self._clock.now()

    def claim_doubtful(self, tx: Connection, effect_id: str, holder: str) -> Effect | None:
        """Take one UNKNOWN effect for a read-back; it stays UNKNOWN. None when somebody else was quicker."""
        now, row = self._clock.now(), self._row(tx, effect_id)
        taken = row is not None and tx.execute(_CLAIM_DOUBTFUL, {
            "id": effect_id, "known_fence": row.fence, "at": now, "by": holder, "until": now + timedelta(seconds=self._lease_seconds)}).rowcount
        return _effect(row, fence=row.fence + 1, attempt=row.attempt, sent_at=row.sent_at) if taken else None

    def number(self, tx: Connection, claimed: Effect, stream: str) -> int:
        """The effect's control number: drawn once from its stream, kept for ever. Raises FenceLost."""
        if claimed.number:
            return claimed.number
        drawn = tx.execute(_NUMBER, {"id": claimed.effect_id, "known_fence": claimed.fence}).scalar()
        if drawn:  # by this same claim: `claimed` is a copy from before
            return drawn
        # the row stays locked until we commit, so numbers are used in the order they are drawn, and a roll-back gives its number back
        self._draw(tx, {"stream": stream, "last": 1})
        number = tx.execute(_LAST, {"of": stream}).scalar_one()
        self._change(tx, claimed, *IN_DOUBT, number=number)
        return number

    def confirm(self, tx: Connection, claimed: Effect, receipt: Receipt, verify_seconds: float) -> None:
        """It is there."""
        now = self._clock.now()
        _hit(claimed, tx.execute(_CONFIRM, {"id": claimed.effect_id, "known_fence": claimed.fence, "at": now, "their_id": receipt.remote_id,
                                            "seen": receipt.evidence, "by": now + timedelta(seconds=verify_seconds)}).rowcount)

    def doubt(self, tx: Connection, claimed: Effect, error: str, quiet_seconds: float, evidence: dict[str, Any] | None = None) -> None:
        """Nobody knows. Nothing is sent again before a read-back, and none is made before the quiet period is over. evidence: for that read-back."""
        now = self._clock.now()
        since = sa.func.coalesce(effect.c.doubted_at, sa.literal(now, effect.c.doubted_at.type))
        known = {"evidence": evidence} if evidence else {}
        self._change(tx, claimed, *IN_DOUBT, state=UNKNOWN, error=error, lease_until=None, doubted_at=since, not_before=now + timedelta(seconds=quiet_seconds),
                     **known)

    def absent(self, tx: Connection, claimed: Effect) -> None:
        """Read back and surely not there: it may be sent again."""
        self._change(tx, claimed, UNKNOWN, state=PLANNED, lease_until=None, doubted_at=None, not_before=self._clock.now(),
                     evidence=claimed.evidence | {WAS_IN_DOUBT: True})  # it may still land: see RELIABILITY.md, the late commit

    def not_now(self, tx: Connection, claimed: Effect, error: str, wait_seconds: float) -> None:
        """Certainly nothing happened: later again."""
        self._change(tx, claimed, IN_FLIGHT, state=PLANNED, error=error, lease_until=None, not_before=self._clock.now() + timedelta(seconds=wait_seconds))

    def reject(self, tx: Connection, claimed: Effect, error: str, records: tuple[str, ...] = ()) -> None:
        """The far side said no to this record. records: which parts of it are at fault, where the far side named them."""
        blamed = {"evidence": {"records": list(records)}} if records else {}
        self._change(tx, claimed, IN_FLIGHT, state=REJECTED, error=error, lease_until=None, **blamed)

    def block(self, tx: Connection, claimed: Effect, error: str) -> None:
        """Only a person can tell."""
        self._change(tx, claimed, *IN_DOUBT, state=BLOCKED, error=error, lease_until=None)

    def withdraw(self, tx: Connection, effect_id: str, why: str) -> bool:
        """Never send it. True when it had not been sent; False when it is too late for that, or nobody knows (BLOCKED: see `decide`).

        A file that was in doubt once is too late, though it was read back as absent: a person may have moved it, and it is sent again in any case.
        One that certainly did not leave is not: its control number is left out of the stream.
        """
        row = self._row(tx, effect_id)
        if row is None or row.state != PLANNED or (row.number and row.evidence.get(WAS_IN_DOUBT)):
            return False
        return bool(tx.execute(sa.update(effect).where(effect.c.effect_id == effect_id, effect.c.state == PLANNED, effect.c.fence == row.fence)
                               .values(state=WITHDRAWN, fence=row.fence + 1, error=why)).rowcount)

    def decide(self, tx: Connection, effect_id: str, is_there: bool, actor: str, send_again: bool = True) -> bool:
        """A person's word on a blocked effect: it is there; or it is not, and is sent again, or never. False when it is not blocked (any more)."""
        if not actor.strip():
            raise BadConfiguration(f"deciding about {effect_id}", "there is no name", "Say who decided.")
        now = self._clock.now()
        if is_there:
            values = {"state": CONFIRMED, "confirmed_at": now, "verified_at": now}
        else:
            values = {"state": PLANNED, "not_before": now, "doubted_at": None} if send_again else {"state": WITHDRAWN}
        return bool(tx.execute(sa.update(effect).where(effect.c.effect_id == effect_id, effect.c.state == BLOCKED)
                               .values(fence=effect.c.fence + 1, error=f"decided by {actor}", **values)).rowcount)

    def prove(self, tx: Connection, effect_id: str) -> bool:
        """Read back or acknowledged: the confirmation is proven. True the first time."""
        return bool(tx.execute(sa.update(effect).where(effect.c.effect_id == effect_id, effect.c.state == CONFIRMED, effect.c.verified_at.is_(None))
                               .values(verified_at=self._clock.now())).rowcount)

    def expire(self, tx: Connection, quiet: dict[str, float], dead_holders: tuple[str, ...] = ()) -> int:
        """Turn what was in flight with a dead worker into a doubt: an expired lease is never a licence to send again.

        quiet: seconds for each target, from when it may last have been sent: by a dead run when it claimed, by one of which
        nobody knows until its lease ended. dead_holders: runs known to be dead, whose leases need not run out.
        """
        now, doubted = self._clock.now(), 0
        for row in tx.execute(_LOST, {"at": now, "dead": dead_holders}).all():
            last_sent = row.sent_at if row.holder in dead_holders else row.lease_until
            until = last_sent + timedelta(seconds=quiet.get(row.target, QUIET_SECONDS))
            doubted += tx.execute(sa.update(effect).where(effect.c.effect_id == row.effect_id, effect.c.state == IN_FLIGHT, effect.c.fence == row.fence)
                                  .values(state=UNKNOWN, fence=row.fence + 1, doubted_at=now, not_before=until, lease_until=None,
                                          error="the worker that sent it did not come back")).rowcount
        if dead_holders:
            tx.execute(sa.update(effect).where(effect.c.state == UNKNOWN, effect.c.holder.in_(dead_holders)).values(lease_until=None))
        return doubted

    def jump_ahead(self, tx: Connection, numbers: int, fences: int, quiet_seconds: float = 0, streams: Iterable[str] = ()) -> int:
        """After an older backup was restored: see `Ledger.jump_ahead`. How many effects are in doubt because of it."""
        if numbers < 1 or fences < 1:
            raise BadConfiguration("jumping ahead after a restore", "numbers and fences must be at least 1", "Give more than were used since the backup.")
        now = self._clock.now()
        for stream in (PACKAGE_NUMBERS, *streams):  # one that was not in use yet when the backup was taken would begin at 1 again
            tx.execute(self._database.insert(control_number).values(stream=stream, last=0).on_conflict_do_nothing())
        tx.execute(sa.update(control_number).values(last=control_number.c.last + numbers))
        tx.execute(sa.update(effect).values(fence=effect.c.fence + fences, lease_until=None))
        tx.execute(sa.update(effect).where(effect.c.state == PLANNED).values(
            state=IN_FLIGHT, sent_at=sa.func.coalesce(effect.c.sent_at, sa.literal(now, effect.c.sent_at.type))))
        return tx.execute(sa.update(effect).where(effect.c.state == IN_FLIGHT).values(
            state=UNKNOWN, doubted_at=now, not_before=now + timedelta(seconds=quiet_seconds), error="it was owed when the backup was taken that was restored: it may have been sent since")).rowcount

    def get(self, tx: Connection, effect_id: str) -> Row[Any] | None:
        """The whole row."""
        return self._row(tx, effect_id)

    def by_number(self, tx: Connection, target: str, number: int) -> list[Row[Any]]:
        """The effects that carried this control number to this target. None for 0, which says: no number."""
        return [] if not 0 < number <= LARGEST else list(tx.execute(sa.select(effect).where(effect.c.target == target, effect.c.number == number)))

    def of_record(self, tx: Connection, connection: str, record: str) -> list[Row[Any]]:
        """Every effect about one record, oldest first."""
        return list(tx.execute(sa.select(effect).where(effect.c.connection == connection, effect.c.record == record).order_by(effect.c.sequence)))

    def counts(self, target: str, kinds: tuple[str, ...]) -> dict[str, int]:
        """How many effects are in each state."""
        with self._database.transaction() as tx:
            found = tx.execute(sa.select(effect.c.state, sa.func.count()).where(effect.c.target == target, effect.c.kind.in_(kinds)).group_by(effect.c.state))
            return {state: count for state, count in found}

    def _row(self, tx: Connection, effect_id: str) -> Row[Any] | None:
        return tx.execute(_ROW, {"id": effect_id}).one_or_none()

    def _change(self, tx: Connection, claimed: Effect, *expected: str, **values: Any) -> None:
        _hit(claimed, tx.execute(sa.update(effect).where(
            effect.c.effect_id == claimed.effect_id, effect.c.fence == claimed.fence, effect.c.state.in_(expected)).values(**values)).rowcount)


_older = effect.alias("older")
# nothing of the same ordering key is in doubt or waits before it
_FREE = ~sa.exists().where(_older.c.ordering_key == effect.c.ordering_key, _older.c.target == effect.c.target,
                           sa.or_(_older.c.state.in_(IN_DOUBT), sa.and_(_older.c.state == PLANNED, _older.c.sequence < effect.c.sequence))).correlate(effect)

# what is asked often is built once: SQLAlchemy takes longer to put a statement together than SQLite to carry it out
_UNLEASED = sa.or_(effect.c.lease_until.is_(None), effect.c.lease_until <= sa.bindparam("at"))
_OF_TARGET = (effect.c.target == sa.bindparam("target"), effect.c.kind.in_(sa.bindparam("kinds", expanding=True)))
_URGENT_FIRST = sa.select(effect.c.effect_id).where(*_OF_TARGET, effect.c.not_before <= sa.bindparam("at")).order_by(
    effect.c.due_by, effect.c.sequence).limit(sa.bindparam("most"))
_DUE = _URGENT_FIRST.where(effect.c.state == PLANNED, _FREE)
_DOUBTFUL = _URGENT_FIRST.where(effect.c.state == UNKNOWN, _UNLEASED)
_UNPROVEN = sa.select(effect).where(*_OF_TARGET, effect.c.state == CONFIRMED, effect.c.verified_at.is_(None)).order_by(effect.c.sequence).limit(sa.bindparam("most"))
_LOST = sa.select(effect).where(effect.c.state == IN_FLIGHT, sa.or_(effect.c.lease_until <= sa.bindparam("at"), effect.c.holder.in_(sa.bindparam("dead", expanding=True))))
_ROW = sa.select(effect).where(effect.c.effect_id == sa.bindparam("id"))
_HASH = sa.select(effect.c.payload_hash).where(effect.c.effect_id == sa.bindparam("id"))
_LAST = sa.select(control_number.c.last).where(control_number.c.stream == sa.bindparam("of"))
_NUMBER = sa.select(effect.c.number).where(effect.c.effect_id == sa.bindparam("id"), effect.c.fence == sa.bindparam("known_fence"))
_CLAIM_DOUBTFUL = sa.update(effect).where(
    effect.c.effect_id == sa.bindparam("id"), effect.c.state == UNKNOWN, effect.c.fence == sa.bindparam("known_fence"), effect.c.not_before <= sa.bindparam("at"), _UNLEASED,
).values(fence=effect.c.fence + 1, holder=sa.bindparam("by"), lease_until=sa.bindparam("until"))
_CLAIM = sa.update(effect).where(
    effect.c.effect_id == sa.bindparam("id"), effect.c.state == PLANNED, effect.c.fence == sa.bindparam("known_fence"),
    effect.c.not_before <= sa.bindparam("at"), _FREE,
).values(state=IN_FLIGHT, fence=effect.c.fence + 1, attempt=effect.c.attempt + 1, holder=sa.bindparam("by"), sent_at=sa.bindparam("at"),
         lease_until=sa.bindparam("until"))
_CONFIRM = sa.update(effect).where(
    effect.c.effect_id == sa.bindparam("id"), effect.c.fence == sa.bindparam("known_fence"), effect.c.state.in_(IN_DOUBT),
).values(state=CONFIRMED, remote_id=sa.bindparam("their_id"), evidence=sa.bindparam("seen"), error="", lease_until=None, doubted_at=None,
         confirmed_at=sa.bindparam("at"), verify_by=sa.bindparam("by"))


def _hit(claimed: Effect, rows: int) -> None:
    if rows != 1:
        raise FenceLost(f"writing the outcome of {claimed.effect_id}", f"fence {claimed.fence} is no longer the current one")


def _effect(row: Row[Any], fence: int, attempt: int, sent_at: datetime) -> Effect:
    return Effect(effect_id=row.effect_id, kind=row.kind, target=row.target, business_key=row.business_key, payload=row.payload, attempt=attempt,
                  fence=fence, number=row.number, planned_at=row.planned_at, sent_at=sent_at, evidence=row.evidence)
