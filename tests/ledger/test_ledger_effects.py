"""One effect, once: what each step on the effect table does, and what it refuses."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.kit.errors import BadConfiguration
from connectors.ledger.effects import EffectChanged, FenceLost, Planned, payload_hash
from connectors.ports import Receipt
from tests.ledger.rigs import KIND, KINDS, LEASE, QUIET, RECEIPT, TARGET, Rig

OUTCOMES = [("confirm", (RECEIPT, 60.0)), ("doubt", ("?", QUIET)), ("not_now", ("429", 1.0)), ("reject", ("no",)), ("block", ("?",)), ("absent", ())]


def _due(rig: Rig) -> list[str]:
    return rig.ledger.effects.due(TARGET, KINDS)


def _in_doubt(rig: Rig, key: str = "1") -> str:
    effect_id = rig.plan(key)
    rig.do("doubt", rig.claim(effect_id), "timeout", QUIET)
    return effect_id


def _blocked(rig: Rig, key: str = "1") -> str:
    effect_id = rig.plan(key)
    rig.do("block", rig.claim(effect_id), "who knows")
    return effect_id


def test_an_effect_is_planned_once(rig: Rig) -> None:
    planned = Planned(KIND, TARGET, "1", "o", "bc-uk", "1", {"b": 1, "a": [2]})
    with rig.ledger.transaction() as tx:
        assert rig.ledger.effects.plan(tx, planned) is True
        assert rig.ledger.effects.plan(tx, planned) is False
    with rig.ledger.transaction() as tx:
        assert rig.ledger.effects.plan(tx, replace(planned, payload={"a": [2], "b": 1})) is False
    row = rig.row(planned.effect_id)
    assert (row.state, row.attempt, row.fence, row.number, row.payload_hash) == ("PLANNED", 0, 0, 0, payload_hash({"a": [2], "b": 1}))
    assert len(rig.rows("effect")) == 1


def test_the_same_effect_with_another_payload_is_a_bug_with_a_name(rig: Rig) -> None:
    effect_id = rig.plan("1", payload={"quantity": 1})
    with pytest.raises(EffectChanged, match="with another payload"):
        rig.plan("1", payload={"quantity": 2})
    assert rig.row(effect_id).payload == {"quantity": 1}


def test_what_is_planned_in_a_transaction_that_fails_was_never_planned(rig: Rig) -> None:
    with pytest.raises(ZeroDivisionError), rig.ledger.transaction() as tx:
        rig.ledger.effects.plan(tx, Planned(KIND, TARGET, "1", "o", "bc-uk", "1"))
        1 / 0  # noqa: B018
    assert rig.rows("effect") == []


def test_due_effects_come_oldest_first_and_one_for_each_ordering_key(rig: Rig) -> None:
    ids = [rig.plan(key, ordering) for key, ordering in (("1", "a"), ("2", "b"), ("3", "a"), ("4", "c"))]
    rig.plan("5", "d", target="another")
    assert _due(rig) == [ids[0], ids[1], ids[3]]
    assert rig.ledger.effects.due(TARGET, KINDS, 2) == ids[:2]
    assert rig.ledger.effects.due(TARGET, ("dispatch_confirmation",)) == []


def test_the_next_of_an_ordering_key_is_due_only_when_the_one_before_is_over(rig: Rig) -> None:
    first, second = rig.plan("1", "a"), rig.plan("2", "a")
    claimed = rig.claim(first)
    assert _due(rig) == []
    rig.do("doubt", claimed, "?", QUIET)
    assert _due(rig) == []
    rig.clock.sleep(QUIET)
    rig.do("absent", rig.settle(first))
    assert _due(rig) == [first]
    rig.do("confirm", rig.claim(first), RECEIPT, 60)
    assert _due(rig) == [second]


def test_one_that_must_wait_holds_back_those_after_it(rig: Rig) -> None:
    first, second = rig.plan("1", "a"), rig.plan("2", "a")
    rig.do("not_now", rig.claim(first), "429", 30)
    assert _due(rig) == [] and rig.claim(first) is None and rig.claim(second) is None
    rig.clock.sleep(30)
    assert _due(rig) == [first]


def test_the_same_ordering_key_at_another_target_is_free(rig: Rig) -> None:
    rig.claim(rig.plan("1", "a"))
    elsewhere = rig.plan("1", "a", target="another")
    assert rig.claim(elsewhere) is not None


def test_a_younger_effect_cannot_be_claimed_past_an_older_one_whatever_a_stale_list_says(rig: Rig) -> None:
    """Between `due` and `claim` the older one may come back (a person unblocks it): the claim asked only whether one was in flight."""
    older, younger = rig.plan("1", "a"), rig.plan("2", "a")
    rig.do("block", rig.claim(older), "?")
    assert _due(rig) == [younger]
    rig.do("decide", older, False, "ada")
    assert rig.claim(younger) is None and rig.claim(older) is not None


def test_a_claim_takes_one_effect_into_flight(rig: Rig) -> None:
    effect_id = rig.plan("1", payload={"order": "1"})
    rig.clock.sleep(5)
    claimed = rig.claim(effect_id, "run-7")
    row = rig.row(effect_id)
    assert (row.state, row.attempt, row.fence, row.holder, row.sent_at) == ("IN_FLIGHT", 1, 1, "run-7", rig.clock.now())
    assert row.lease_until == rig.clock.now() + timedelta(seconds=LEASE)
    assert (claimed.effect_id, claimed.payload, claimed.attempt, claimed.fence, claimed.sent_at) == (effect_id, {"order": "1"}, 1, 1, rig.clock.now())
    assert claimed.planned_at == rig.clock.now() - timedelta(seconds=5)
    assert rig.claim(effect_id) is None and rig.claim("no such effect") is None


def test_a_claim_may_send_only_while_its_lease_runs(rig: Rig) -> None:
    """A laptop's lid was closed between claim and send: the effect had been read back as absent and sent by another worker meanwhile."""
    claimed = rig.claim(rig.plan("1"))
    rig.clock.sleep(LEASE - 1)
    assert rig.ledger.effects.may_send(claimed)
    rig.clock.sleep(1)
    assert not rig.ledger.effects.may_send(claimed)


@pytest.mark.parametrize(("step", "arguments"), OUTCOMES, ids=[step for step, _ in OUTCOMES])
def test_a_stale_fence_changes_nothing(rig: Rig, step: str, arguments: tuple) -> None:
    effect_id = rig.plan("1")
    stale = rig.claim(effect_id)
    rig.clock.sleep(LEASE)
    assert rig.do("expire", {TARGET: QUIET}) == 1
    before = rig.row(effect_id)
    with pytest.raises(FenceLost, match="fence 1 is no longer the current one"):
        rig.do(step, stale, *arguments)
    with pytest.raises(FenceLost):
        rig.do("number", stale, "stream")
    assert rig.row(effect_id) == before and rig.rows("control_number") == []


@pytest.mark.parametrize(("step", "arguments"), OUTCOMES, ids=[step for step, _ in OUTCOMES])
def test_no_outcome_is_written_twice(rig: Rig, step: str, arguments: tuple) -> None:
    effect_id = rig.plan("1")
    claimed = rig.claim(effect_id)
    rig.do("confirm", claimed, RECEIPT, 60)
    before = rig.row(effect_id)
    with pytest.raises(FenceLost):
        rig.do(step, claimed, *arguments)
    assert rig.row(effect_id) == before


def test_a_confirmation_keeps_the_receipt(rig: Rig) -> None:
    effect_id = rig.plan("1")
    rig.do("confirm", rig.claim(effect_id), Receipt("W-77", {"status": "open", "lines": [1, 2]}), 3600)
    row = rig.row(effect_id)
    assert (row.state, row.remote_id, row.evidence, row.error, row.lease_until) == ("CONFIRMED", "W-77", {"status": "open", "lines": [1, 2]}, "", None)
    assert row.confirmed_at == rig.clock.now() and row.verify_by == rig.clock.now() + timedelta(hours=1) and row.verified_at is None


def test_an_expired_lease_is_a_doubt_and_never_a_licence_to_send_again(rig: Rig) -> None:
    effect_id = rig.plan("1")
    rig.claim(effect_id)
    rig.clock.sleep(LEASE - 1)
    assert rig.do("expire", {TARGET: QUIET}) == 0
    rig.clock.sleep(1)
    assert rig.do("expire", {TARGET: QUIET}) == 1
    assert rig.do("expire", {TARGET: QUIET}) == 0
    assert rig.state(effect_id) == "UNKNOWN" and rig.claim(effect_id) is None and _due(rig) == []


def test_the_quiet_period_of_a_lost_worker_counts_from_the_end_of_its_lease(rig: Rig) -> None:
    """It counted from the claim. With a quiet period no longer than the lease the read-back came at once, while the worker's last
    possible send was a moment ago and the far side had not shown it yet: 'absent', and it was sent twice."""
    effect_id = rig.plan("1")
    rig.claim(effect_id)
    rig.clock.sleep(LEASE)
    rig.do("expire", {TARGET: QUIET})
    rig.clock.sleep(QUIET - 1)
    assert rig.settle(effect_id) is None
    rig.clock.sleep(1)
    assert rig.ledger.effects.doubtful(TARGET, KINDS) == [effect_id] and rig.settle(effect_id) is not None


def test_what_a_doubt_leaves_behind_is_there_for_the_read_back_and_for_the_next_attempt(rig: Rig) -> None:
    """A feed takes minutes: whoever looks next must ask about that feed, and not make another."""
    effect_id = rig.plan("1")
    rig.do("doubt", rig.claim(effect_id), "it is IN_QUEUE", 15.0, evidence={"feeds": {"501": 9}})
    rig.clock.sleep(15)
    found = rig.settle(effect_id)
    assert found is not None and found.evidence == {"feeds": {"501": 9}}
    rig.do("doubt", found, "no answer", QUIET)
    rig.clock.sleep(QUIET)
    found = rig.settle(effect_id)
    assert found is not None and found.evidence == {"feeds": {"501": 9}}, "a later doubt that knows nothing more takes nothing away"
    rig.do("absent", found)
    again = rig.claim(effect_id)
    assert again is not None and again.attempt == 2 and again.evidence == {"feeds": {"501": 9}, "was_in_doubt": True}


def test_what_a_dead_worker_held_is_in_doubt_at_once_and_quiet_since_its_claim(rig: Rig) -> None:
    mine, theirs = rig.plan("1"), rig.plan("2")
    rig.claim(mine, "dead"), rig.claim(theirs, "alive")
    rig.clock.sleep(10)
    assert rig.do("expire", {TARGET: QUIET}, ("dead",)) == 1
    assert (rig.state(mine), rig.state(theirs)) == ("UNKNOWN", "IN_FLIGHT")
    rig.clock.sleep(QUIET - 10)
    assert rig.ledger.effects.doubtful(TARGET, KINDS) == [mine]


def test_a_read_back_that_a_dead_worker_began_is_free_again(rig: Rig) -> None:
    effect_id = _in_doubt(rig)
    rig.clock.sleep(QUIET)
    assert rig.settle(effect_id, "dead") is not None
    assert rig.settle(effect_id, "other") is None and rig.ledger.effects.doubtful(TARGET, KINDS) == []
    rig.do("expire", {TARGET: QUIET}, ("dead",))
    assert rig.settle(effect_id, "other") is not None
    rig.clock.sleep(LEASE)
    assert rig.settle(effect_id, "third") is not None, "and so is one whose lease ran out"


def test_a_target_without_a_known_quiet_period_waits_the_cautious_default(rig: Rig) -> None:
    rig.claim(rig.plan("1"), "dead")
    rig.do("expire", {}, ("dead",))
    assert rig.ledger.effects.next_due_at(TARGET, KINDS) == rig.clock.now() + timedelta(seconds=900)


def test_a_doubt_is_read_back_only_after_the_quiet_period(rig: Rig) -> None:
    effect_id = _in_doubt(rig)
    rig.clock.sleep(QUIET - 1)
    assert rig.ledger.effects.doubtful(TARGET, KINDS) == [] and rig.settle(effect_id) is None
    rig.clock.sleep(1)
    assert rig.ledger.effects.doubtful(TARGET, KINDS) == [effect_id]
    claimed = rig.settle(effect_id)
    assert claimed.fence == 2 and claimed.attempt == 1 and rig.state(effect_id) == "UNKNOWN" and rig.settle(effect_id) is None


def test_a_read_back_that_cannot_tell_waits_again_and_remembers_since_when(rig: Rig) -> None:
    effect_id = _in_doubt(rig)
    since = rig.clock.now()
    rig.clock.sleep(QUIET)
    rig.do("doubt", rig.settle(effect_id), "still away", QUIET)
    assert rig.row(effect_id).doubted_at == since and rig.settle(effect_id) is None
    rig.clock.sleep(QUIET)
    rig.do("confirm", rig.settle(effect_id), RECEIPT, 60)
    assert rig.row(effect_id).doubted_at is None and rig.state(effect_id) == "CONFIRMED"


def test_what_is_proved_absent_is_sent_again_under_the_same_number(rig: Rig) -> None:
    effect_id = rig.plan("1")
    with rig.ledger.transaction() as tx:
        claimed = rig.ledger.effects.claim(tx, effect_id, "run")
        assert rig.ledger.effects.number(tx, claimed, "gxo") == 1
    rig.do("doubt", claimed, "timeout", QUIET)
    rig.clock.sleep(QUIET)
    back = rig.settle(effect_id)
    assert back.number == 1
    rig.do("absent", back)
    again = rig.claim(effect_id)
    assert (again.number, again.attempt, again.fence) == (1, 2, 3)
    assert rig.do("number", again, "gxo") == 1 and rig.rows("control_number")[0].last == 1


def test_a_number_is_drawn_once_even_when_it_is_asked_for_with_an_old_copy_of_the_claim(rig: Rig) -> None:
    """`number` trusted the copy it was handed (number=0) and drew a second one over the first."""
    claimed = rig.claim(rig.plan("1"))
    assert [rig.do("number", claimed, "gxo") for _ in range(3)] == [1, 1, 1]
    assert rig.row(claimed.effect_id).number == 1


def test_each_stream_counts_for_itself_and_a_rolled_back_number_was_never_drawn(rig: Rig) -> None:
    first, second, third = (rig.claim(rig.plan(key)) for key in "123")
    assert rig.do("number", first, "gxo/1") == 1
    with pytest.raises(ZeroDivisionError), rig.ledger.transaction() as tx:
        assert rig.ledger.effects.number(tx, second, "gxo/1") == 2
        1 / 0  # noqa: B018
    assert rig.do("number", third, "gxo/1") == 2
    assert rig.do("number", second, "gxo/2") == 1


def test_effects_are_found_by_their_control_number(rig: Rig) -> None:
    first, _ = rig.claim(rig.plan("1")), rig.claim(rig.plan("2"))
    rig.do("number", first, "gxo")
    assert [row.effect_id for row in rig.do("by_number", TARGET, 1)] == [first.effect_id]
    assert rig.do("by_number", "another", 1) == [] and rig.do("by_number", TARGET, 2) == []


def test_number_zero_or_one_too_large_for_any_stream_finds_nothing(rig: Rig) -> None:
    """An acknowledgement for control number 000000000 would have proved every effect that never had a number."""
    rig.plan("1")
    assert [rig.do("by_number", TARGET, number) for number in (0, -1, 2**31, 10**12)] == [[], [], [], []]


def test_certainly_nothing_happened_so_it_is_planned_again_for_later(rig: Rig) -> None:
    effect_id = rig.plan("1")
    rig.do("not_now", rig.claim(effect_id), "429", 30)
    assert rig.state(effect_id) == "PLANNED" and _due(rig) == []
    assert rig.ledger.effects.next_due_at(TARGET, KINDS) == rig.clock.now() + timedelta(seconds=30)
    rig.clock.sleep(30)
    assert _due(rig) == [effect_id] and rig.claim(effect_id).attempt == 2


def test_what_is_in_doubt_is_never_called_rejected_nor_put_off(rig: Rig) -> None:
    effect_id = _in_doubt(rig)
    rig.clock.sleep(QUIET)
    claimed = rig.settle(effect_id)
    for step, arguments in (("reject", ("no",)), ("not_now", ("429", 1.0))):
        with pytest.raises(FenceLost):
            rig.do(step, claimed, *arguments)
    assert rig.state(effect_id) == "UNKNOWN"


def test_an_effect_in_flight_is_never_called_absent(rig: Rig) -> None:
    claimed = rig.claim(rig.plan("1"))
    with pytest.raises(FenceLost):
        rig.do("absent", claimed)
    assert rig.state(claimed.effect_id) == "IN_FLIGHT"


def test_a_rejected_effect_stays_so(rig: Rig) -> None:
    effect_id = rig.plan("1")
    rig.do("reject", rig.claim(effect_id), "unknown carrier")
    assert rig.row(effect_id).error == "unknown carrier" and rig.claim(effect_id) is None
    assert not rig.do("withdraw", effect_id, "?") and not rig.do("decide", effect_id, True, "ada")


def test_an_effect_is_withdrawn_only_if_it_was_never_sent(rig: Rig) -> None:
    planned, refused, flying, doubtful, confirmed = (rig.plan(key) for key in "12345")
    rig.do("not_now", rig.claim(refused), "429", 1)
    rig.claim(flying), rig.do("doubt", rig.claim(doubtful), "?", QUIET), rig.do("confirm", rig.claim(confirmed), RECEIPT, 60)
    assert [rig.do("withdraw", e, "cancelled") for e in (planned, refused, flying, doubtful, confirmed, "?")] == [True, True, False, False, False, False]
    assert rig.row(planned).error == "cancelled" and rig.claim(planned) is None and not rig.do("withdraw", planned, "again")


@pytest.mark.parametrize("was_in_doubt", [False, True])
def test_a_file_that_certainly_did_not_leave_is_withdrawn_and_one_that_was_in_doubt_is_not(rig: Rig, was_in_doubt: bool) -> None:
    """World 900318: a disk was full when a request was written, and the marketplace took the order over. 'Too late', it was said, and the request left after that."""
    effect_id = rig.plan("1")
    claimed = rig.claim(effect_id)
    rig.do("number", claimed, "gxo")
    if was_in_doubt:
        rig.do("doubt", claimed, "?", QUIET)
        rig.clock.sleep(QUIET + 1)
        rig.do("absent", rig.do("claim_doubtful", effect_id, "w1"))
        claimed = rig.claim(effect_id)
    rig.do("not_now", claimed, "disk full over there", 1)
    assert rig.do("withdraw", effect_id, "cancelled") is not was_in_doubt and rig.state(effect_id) == ("PLANNED" if was_in_doubt else "WITHDRAWN")


def test_an_effect_that_may_have_arrived_is_not_withdrawn_by_a_machine(rig: Rig) -> None:
    """A blocked request was withdrawn as 'not sent' when its order was cancelled: no cancel went out, and the warehouse, which had it, shipped."""
    effect_id = _blocked(rig)
    assert rig.do("withdraw", effect_id, "the order was cancelled") is False and rig.state(effect_id) == "BLOCKED"


@pytest.mark.parametrize(("is_there", "send_again", "state"), [(True, True, "CONFIRMED"), (False, True, "PLANNED"), (False, False, "WITHDRAWN")])
def test_a_person_decides_about_a_blocked_effect_once(rig: Rig, is_there: bool, send_again: bool, state: str) -> None:
    effect_id = _blocked(rig)
    assert rig.do("decide", effect_id, is_there, "ada", send_again=send_again) is True
    row = rig.row(effect_id)
    assert (row.state, row.error, row.fence) == (state, "decided by ada", 2)
    assert rig.do("decide", effect_id, is_there, "bob") is False
    assert (row.verified_at is not None) is is_there and (_due(rig) == [effect_id]) is (state == "PLANNED")


def test_nobody_decides_without_a_name_nor_about_what_is_not_blocked(rig: Rig) -> None:
    effect_id = _blocked(rig)
    with pytest.raises(BadConfiguration, match="no name"):
        rig.do("decide", effect_id, True, " ")
    assert rig.do("decide", rig.plan("2"), True, "ada") is False and rig.state(effect_id) == "BLOCKED"


def test_a_confirmation_is_proved_once(rig: Rig) -> None:
    effect_id = rig.plan("1")
    assert rig.do("prove", effect_id) is False
    rig.do("confirm", rig.claim(effect_id), RECEIPT, 60)
    assert [row.effect_id for row in rig.ledger.effects.unproven(TARGET, KINDS)] == [effect_id]
    assert (rig.do("prove", effect_id), rig.do("prove", effect_id)) == (True, False)
    assert rig.ledger.effects.unproven(TARGET, KINDS) == []


def test_the_ledger_counts_its_effects_and_knows_those_of_a_record(rig: Rig) -> None:
    first, second = rig.plan("1"), rig.plan("2")
    rig.claim(first)
    assert rig.ledger.effects.counts(TARGET, KINDS) == {"IN_FLIGHT": 1, "PLANNED": 1}
    assert [row.effect_id for row in rig.do("of_record", "bc-uk", "2")] == [second]
    assert rig.ledger.effects.next_due_at("another", KINDS) is None


def test_a_key_of_any_length_is_kept_and_long_ones_stay_different(rig: Rig) -> None:
    """SQLite took keys of 300 characters, PostgreSQL refused them: one package with a long id would have stopped the whole feed."""
    long = "x" * 3000
    first, second = rig.plan(long + "1", long), rig.plan(long + "2", long)
    assert first != second and len(first) <= 400 and rig.plan(long + "1", long) == first
    assert len(rig.rows("effect")) == 2 and rig.claim(first) and not rig.claim(second)


@pytest.mark.parametrize("odd", ["a\x00b", "half \ud83d an emoji", "naïve ☃ 📦", "'; DROP TABLE effect; --"])
def test_odd_text_is_kept_and_found_again(rig: Rig, odd: str) -> None:
    """PostgreSQL refuses a NUL and half of a surrogate pair; both are legal in a vendor's JSON."""
    effect_id = rig.plan("1", odd, payload={"name": odd})
    claimed = rig.claim(effect_id)
    assert claimed.payload == {"name": odd}
    rig.do("confirm", claimed, Receipt(odd, {"said": odd}), 60)
    assert rig.row(effect_id).evidence == {"said": odd} and len(rig.row(effect_id).remote_id) == len(odd)


def test_after_an_older_backup_numbers_and_fences_jump_ahead_and_everything_owed_is_read_back_first(rig: Rig) -> None:
    """F20: the backup did not know what was sent after it. Without the jump, numbers were used again and owed effects were sent twice."""
    done, flying, owed, doubtful, blocked = (rig.plan(key) for key in "12345")
    claims = {e: rig.claim(e) for e in (done, flying, doubtful, blocked)}
    rig.do("number", claims[done], "gxo"), rig.do("number", claims[flying], "gxo"), rig.do("number", claims[doubtful], "another")
    rig.do("confirm", claims[done], RECEIPT, 60), rig.do("doubt", claims[doubtful], "?", QUIET), rig.do("block", claims[blocked], "?")
    assert rig.ledger.jump_ahead(numbers=1000, fences=100) == 2
    assert {row.stream: row.last for row in rig.rows("control_number")} == {"gxo": 1002, "another": 1001, "package numbers": 1000}
    assert [rig.state(e) for e in (done, flying, owed, doubtful, blocked)] == ["CONFIRMED", "UNKNOWN", "UNKNOWN", "UNKNOWN", "BLOCKED"]
    assert {rig.row(e).fence for e in (done, flying, doubtful, blocked)} == {101} and rig.row(owed).fence == 100
    with pytest.raises(FenceLost):
        rig.do("confirm", claims[flying], RECEIPT, 60)
    assert _due(rig) == [] and rig.ledger.effects.doubtful(TARGET, KINDS) == [flying, owed]
    back = rig.settle(owed)
    assert rig.do("number", back, "gxo") == 1003, "one that never had a number gets its own for the read-back"
    rig.do("absent", back)
    assert rig.claim(owed).number == 1003
    assert rig.do("number", rig.claim(rig.plan("6")), "gxo") == 1004


@pytest.mark.parametrize(("numbers", "fences"), [(0, 1), (1, 0), (-5, 10)])
def test_a_jump_goes_forward_or_not_at_all(rig: Rig, numbers: int, fences: int) -> None:
    effect_id = rig.plan("1")
    with pytest.raises(BadConfiguration, match="at least 1"):
        rig.ledger.jump_ahead(numbers, fences)
    assert rig.row(effect_id).fence == 0
