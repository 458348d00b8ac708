"""Several workers, a clock, crashes and a far side, in any order that hypothesis can think of, against a model held beside the ledger.

The far side shows what it was sent only after up to `LAG` seconds (no longer than the quiet period). A worker sends only what it
has claimed and while its lease runs, and forgets everything when it crashes. So an effect must never reach the far side twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from connectors.kit.clock import ManualClock
from connectors.ledger.effects import EffectChanged, Effects, FenceLost, Planned
from connectors.ledger.ledger import Ledger
from connectors.ledger.tables import BLOCKED, CONFIRMED, EDGES, IN_FLIGHT, PLANNED, REJECTED, UNKNOWN, WITHDRAWN, effect, metadata
from connectors.ports import Effect, Receipt
from tests.ledger.rigs import KEY, KIND, KINDS, LEASE, TARGET, empty

QUIET, LAG = 100.0, 90.0  # the quiet period is shorter than the lease: then it matters from when it counts
OVER, IN_DOUBT = (CONFIRMED, REJECTED, WITHDRAWN), (IN_FLIGHT, UNKNOWN)
WORKERS = st.integers(0, 1)
PICK = st.integers(0, 7)
LAGS = st.sampled_from([0.0, LAG])


@dataclass
class Known:
    """What the model believes of one effect. `lands`: when the far side shows each copy that it was sent."""

    key: str
    place: int
    state: str = PLANNED
    fence: int = 0
    number: int = 0
    attempt: int = 0
    lands: tuple = ()
    was_in_doubt: bool = False


@dataclass
class Worker:
    """What a worker holds in its head, and which life of it this is."""

    claim: Effect | None = None
    sent: bool = False
    life: int = 0


class Machine(RuleBasedStateMachine):
    """The rules. `url` is set by the test."""

    url = ""
    ledger: Ledger
    clock: ManualClock

    @initialize()
    def begin(self) -> None:
        empty(self.url) if self.ledger.database.is_postgres else self._empty_memory()
        self.clock.at = ManualClock().at
        self.known: dict[str, Known] = {}
        self.workers = [Worker() for _ in range(2)]
        self.dead: list[str] = []
        for key, name in (("a", 0), ("a", 1), ("b", 0), ("a", 2)):  # hypothesis often leaves a rule out altogether: there must be work without `plan`
            self.plan(key, name)

    def _empty_memory(self) -> None:
        with self.ledger.transaction() as tx:
            for table in metadata.tables.values():
                tx.execute(sa.delete(table))

    def _do(self, step: str, *arguments, **named):
        with self.ledger.transaction() as tx:
            return getattr(self.ledger.effects, step)(tx, *arguments, **named)

    def _is_free(self, known: Known) -> bool:
        return not any(other.key == known.key and (other.state in IN_DOUBT or (other.state == PLANNED and other.place < known.place))
                       for other in self.known.values() if other is not known)

    def _ids(self, *states: str) -> list[str]:
        return [effect_id for effect_id, known in self.known.items() if known.state in states]

    def _move(self, effect_id: str, state: str, fence: int = 0) -> None:
        known = self.known[effect_id]
        assert (known.state, state) in EDGES or known.state == state
        self.known[effect_id] = replace(known, state=state, fence=known.fence + fence)

    @rule(key=st.sampled_from("ab"), name=st.integers(0, 3))
    def plan(self, key: str, name: int) -> None:
        planned = Planned(KIND, TARGET, f"{key}{name}", key, "bc", key, {"name": name})
        assert self._do("plan", planned) is (planned.effect_id not in self.known)
        self.known.setdefault(planned.effect_id, Known(key, len(self.known)))
        with pytest.raises(EffectChanged):
            self._do("plan", replace(planned, payload={"name": -1}))

    @rule(worker=WORKERS, pick=PICK, stale_list=st.booleans())
    def claim(self, worker: int, pick: int, stale_list: bool) -> None:
        me = self.workers[worker]
        ids = list(self.known) if stale_list else self.ledger.effects.due(TARGET, KINDS)
        if me.claim or not ids:
            return
        known, effect_id = self.known[ids[pick % len(ids)]], ids[pick % len(ids)]
        with self.ledger.transaction() as tx:
            claimed = self.ledger.effects.claim(tx, effect_id, f"{worker}/{me.life}")
            number = claimed and self.ledger.effects.number(tx, claimed, "stream")
        if not stale_list:
            waiting = self.ledger.effects.next_due_at(TARGET, KINDS)
            assert claimed is not None, f"due, but not to be had: {effect_id} {known} {waiting}"
        if claimed is None:
            return
        assert known.state == PLANNED and self._is_free(known) and known.number in (0, number)
        assert number == known.number or number == max(k.number for k in self.known.values()) + 1
        me.claim, me.sent = claimed, False
        self._move(effect_id, IN_FLIGHT, fence=1)
        self.known[effect_id] = replace(self.known[effect_id], number=number, attempt=known.attempt + 1)

    @precondition(lambda self: any(worker.claim and not worker.sent for worker in self.workers))
    @rule(worker=WORKERS, lag=LAGS)
    def send(self, worker: int, lag: float) -> None:
        me = self.workers[worker]
        if me.claim is None or me.sent or me.claim.sent_at is None or not self.ledger.effects.may_send(me.claim):
            return
        me.sent = True
        known = self.known[me.claim.effect_id]
        assert known.state == IN_FLIGHT and known.fence == me.claim.fence, "a worker whose lease runs was overtaken"
        self.known[me.claim.effect_id] = replace(known, lands=(*known.lands, self.clock.now() + timedelta(seconds=lag)))

    @rule(worker=WORKERS, pick=PICK, lag=LAGS)
    def claim_and_send(self, worker: int, pick: int, lag: float) -> None:
        if self.workers[worker].claim is None:
            self.claim(worker, pick, False)
            self.send(worker, lag)

    @rule(worker=WORKERS, seconds=st.sampled_from([1.0, 10.0, QUIET, 1000.0]), lag=LAGS, outcome=st.sampled_from(["doubt", "doubt", "confirm"]))
    def sweep(self, worker: int, seconds: float, lag: float, outcome: str) -> None:
        """What a run does: doubts first, then whatever is due; all of it times out, or all of it goes well."""
        self.clock.sleep(seconds)
        self.expire(False)
        if self.workers[worker].claim is None:
            for _ in self.ledger.effects.doubtful(TARGET, KINDS):
                self.read_back(worker, 0, True, False)
            for _ in self.ledger.effects.due(TARGET, KINDS):
                self.claim_and_send(worker, 0, lag)
                self.write_outcome(worker, outcome)

    @rule(lag=LAGS, too_long=st.booleans())
    def a_worker_is_paused(self, lag: float, too_long: bool) -> None:
        """F16: stopped between claim and send, then it goes on as if nothing had been; another sweeps meanwhile, or soon after."""
        if self.workers[0].claim or not self.ledger.effects.due(TARGET, KINDS):
            return
        self.claim(0, 0, False)
        self.clock.sleep(LEASE if too_long else LEASE - 5)
        if too_long:
            self.sweep(1, QUIET, 0.0, "doubt")
        self.send(0, lag)
        self.sweep(1, 5.0, 0.0, "doubt")
        self.write_outcome(0, "confirm")

    @precondition(lambda self: any(worker.claim for worker in self.workers))
    @rule(worker=WORKERS, outcome=st.sampled_from(["confirm", "doubt", "not_now", "reject", "block"]))
    def write_outcome(self, worker: int, outcome: str) -> None:
        me = self.workers[worker]
        if me.claim is None or (outcome in ("not_now", "reject") and me.sent) or (outcome == "confirm" and not me.sent):
            return
        known, after = self.known[me.claim.effect_id], {"confirm": CONFIRMED, "doubt": UNKNOWN, "not_now": PLANNED, "reject": REJECTED, "block": BLOCKED}
        more = {"confirm": (Receipt("r"), 60.0), "doubt": ("?", QUIET), "not_now": ("429", 5.0), "reject": ("no",), "block": ("?",)}
        holds = known.fence == me.claim.fence and known.state == IN_FLIGHT
        try:
            self._do(outcome, me.claim, *more[outcome])
            assert holds
            self._move(me.claim.effect_id, after[outcome])
        except FenceLost:
            assert not holds
        me.claim = None

    @rule(worker=WORKERS)
    def crash(self, worker: int) -> None:
        me = self.workers[worker]
        self.dead.append(f"{worker}/{me.life}")
        self.workers[worker] = Worker(life=me.life + 1)

    @rule(seconds=st.sampled_from([1.0, LEASE - 5, QUIET, LEASE, 1000.0]))
    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    @rule(reaped=st.booleans())
    def expire(self, reaped: bool) -> None:
        before = {effect_id: self._do("get", effect_id) for effect_id in self._ids(IN_FLIGHT)}
        dead = tuple(self.dead) if reaped else ()
        lost = [e for e, row in before.items() if row.lease_until <= self.clock.now() or row.holder in dead]
        assert self._do("expire", {TARGET: QUIET}, dead) == len(lost)
        for effect_id in lost:
            self._move(effect_id, UNKNOWN, fence=1)

    @precondition(lambda self: self._ids(UNKNOWN))
    @rule(worker=WORKERS, pick=PICK, tells=st.booleans(), crashes=st.booleans())
    def read_back(self, worker: int, pick: int, tells: bool, crashes: bool) -> None:
        ids = self.ledger.effects.doubtful(TARGET, KINDS)
        if not ids or self.workers[worker].claim:
            return
        effect_id = ids[pick % len(ids)]
        claimed = self._do("claim_doubtful", effect_id, f"{worker}/{self.workers[worker].life}")
        assert claimed is not None and self.known[effect_id].state == UNKNOWN
        self._move(effect_id, UNKNOWN, fence=1)
        if crashes:
            return self.crash(worker)
        self._settle(claimed, tells)
        return None

    def _settle(self, claimed: Effect, tells: bool) -> None:
        if not tells:
            self._do("doubt", claimed, "away", QUIET)
        elif any(moment <= self.clock.now() for moment in self.known[claimed.effect_id].lands):
            self._do("confirm", claimed, Receipt("r"), 60.0)
            self._move(claimed.effect_id, CONFIRMED)
        else:
            self._do("absent", claimed)
            self._move(claimed.effect_id, PLANNED)
            self.known[claimed.effect_id] = replace(self.known[claimed.effect_id], was_in_doubt=True)

    @precondition(lambda self: self.known)
    @rule(pick=PICK)
    def withdraw(self, pick: int) -> None:
        effect_id = list(self.known)[pick % len(self.known)]
        known = self.known[effect_id]
        may = known.state == PLANNED and not (known.number and known.was_in_doubt)
        assert self._do("withdraw", effect_id, "cancelled") is may
        if may:
            self._move(effect_id, WITHDRAWN, fence=1)

    @precondition(lambda self: self._ids(BLOCKED))
    @rule(pick=PICK, send_again=st.booleans())
    def decide(self, pick: int, send_again: bool) -> None:
        ids = self._ids(BLOCKED)
        effect_id = ids[pick % len(ids)]
        is_there = bool(self.known[effect_id].lands)
        assert self._do("decide", effect_id, is_there, "ada", send_again=send_again)
        self._move(effect_id, CONFIRMED if is_there else PLANNED if send_again else WITHDRAWN, fence=1)

    @precondition(lambda self: self.known)
    @rule(pick=PICK)
    def prove(self, pick: int) -> None:
        effect_id = list(self.known)[pick % len(self.known)]
        fresh = self.known[effect_id].state == CONFIRMED and self._do("get", effect_id).verified_at is None
        assert self._do("prove", effect_id) is fresh

    @invariant()
    def the_ledger_is_what_the_model_says(self) -> None:
        with self.ledger.transaction() as tx:
            rows = {row.effect_id: row for row in tx.execute(sa.select(metadata.tables["effect"]))}
        assert {e: (row.state, row.fence, row.number, row.attempt) for e, row in rows.items()} == {
            e: (known.state, known.fence, known.number, known.attempt) for e, known in getattr(self, "known", {}).items()}

    @invariant()
    def at_most_one_is_in_doubt_for_a_key(self) -> None:
        flying = [known.key for known in getattr(self, "known", {}).values() if known.state in IN_DOUBT]
        assert len(flying) == len(set(flying))

    @invariant()
    def nothing_reaches_the_far_side_twice_and_no_number_is_used_twice(self) -> None:
        known = getattr(self, "known", {}).values()
        assert all(len(one.lands) <= 1 for one in known)
        numbers = [one.number for one in known if one.number]
        assert len(numbers) == len(set(numbers))

    def teardown(self) -> None:
        """Heal and drain: from wherever we are, every effect comes to an end, and what is confirmed is there exactly once."""
        for worker in range(2) if hasattr(self, "known") else ():
            self.crash(worker)
        for _ in range(60):
            if not self._ids(PLANNED, IN_FLIGHT, UNKNOWN, BLOCKED):
                break
            self.clock.sleep(1000)
            self.expire(True)
            for _ in self._ids(UNKNOWN):
                self.read_back(0, 0, True, False)
            for _ in self._ids(BLOCKED):
                self.decide(0, True)
            for _ in self.ledger.effects.due(TARGET, KINDS):
                self.claim(0, 0, False), self.send(0, 0.0), self.write_outcome(0, "confirm")
        if hasattr(self, "known"):
            self.the_ledger_is_what_the_model_says()
            assert all(known.state in OVER and len(known.lands) == (known.state == CONFIRMED) for known in self.known.values()), self.known


@pytest.fixture(params=["sqlite memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def machine(request: pytest.FixtureRequest) -> Iterator[type[Machine]]:
    url = request.getfixturevalue("server").url_of("ledger") if request.param == "postgres" else "sqlite://"
    clock = ManualClock()
    opened = Ledger(url, clock, KEY, LEASE)
    yield type("Machine", (Machine,), {"url": url, "ledger": opened, "clock": clock})
    opened.close()


def test_whatever_workers_clocks_and_crashes_do_nothing_is_sent_twice_and_everything_ends(machine: type[Machine]) -> None:
    examples = 8 if machine.url.startswith("postgresql") else 30
    run_state_machine_as_test(machine, settings=settings(
        max_examples=examples, stateful_step_count=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)))


class _QuietSinceTheClaim(Effects):
    def expire(self, tx, quiet, dead_holders=()):
        doubted = super().expire(tx, quiet, dead_holders)
        for row in tx.execute(sa.select(effect).where(effect.c.state == UNKNOWN, effect.c.doubted_at == self._clock.now())).all():
            tx.execute(sa.update(effect).where(effect.c.effect_id == row.effect_id).values(not_before=row.sent_at + timedelta(seconds=QUIET)))
        return doubted


class _AnExpiredLeaseIsALicence(Effects):
    def expire(self, tx, quiet, dead_holders=()):
        return tx.execute(sa.update(effect).where(effect.c.state == IN_FLIGHT, effect.c.lease_until <= self._clock.now()).values(
            state=PLANNED, fence=effect.c.fence + 1)).rowcount


class _NoQuietPeriod(Effects):
    def doubt(self, tx, claimed, error, quiet_seconds):
        super().doubt(tx, claimed, error, 0.0)


class _SendsAfterItsLease(Effects):
    def may_send(self, claimed):
        return True


class _ANewNumberEachTime(Effects):
    def absent(self, tx, claimed):
        self._change(tx, claimed, UNKNOWN, number=0)
        super().absent(tx, claimed)


class _NoFence(Effects):
    def confirm(self, tx, claimed, receipt, verify_seconds):
        tx.execute(sa.update(effect).where(effect.c.effect_id == claimed.effect_id, effect.c.state.in_(IN_DOUBT)).values(state=CONFIRMED))


class _KeysDoNotHoldEachOtherBack(Effects):
    def due(self, target, kinds, limit=200):
        with self._database.transaction() as tx:
            return list(tx.execute(sa.select(effect.c.effect_id).where(effect.c.state == PLANNED, effect.c.not_before <= self._clock.now()).limit(limit)).scalars())


BUGS = [_QuietSinceTheClaim, _AnExpiredLeaseIsALicence, _NoQuietPeriod, _SendsAfterItsLease, _ANewNumberEachTime, _NoFence, _KeysDoNotHoldEachOtherBack]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__.strip("_"))
def test_the_machine_finds_a_planted_bug(bug: type[Effects]) -> None:
    clock = ManualClock()
    opened = Ledger("sqlite://", clock, KEY, LEASE)
    opened.effects = bug(opened.database, clock, LEASE)
    with pytest.raises((AssertionError, FenceLost)):
        run_state_machine_as_test(seed(3)(type("Planted", (Machine,), {"url": "sqlite://", "ledger": opened, "clock": clock})), settings=settings(
            max_examples=200, stateful_step_count=40, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck), print_blob=False))
    opened.close()
