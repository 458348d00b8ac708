"""Many workers at once, in threads and in processes: claims are exclusive, numbers are not used twice, and nobody deadlocks."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.kit.errors import NotNow
from connectors.ledger.books import OrderEntry
from connectors.ledger.effects import EffectChanged, Planned
from connectors.ledger.ledger import Ledger
from connectors.ledger.tables import effect
from connectors.ports import Receipt
from contracts.exceptions import Finding
from tests.ledger.rigs import KIND, KINDS, TARGET, Rig, in_processes, open_ledger

WORKERS = 3


def _in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    start, found = threading.Barrier(count), []

    def one(number: int) -> None:
        start.wait(30)
        found.append(work(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == count, "a thread failed"
    return found


def _claim_all(number: int, url: str, ids: list[str]) -> list[str]:
    ledger, mine = open_ledger(url), []
    random.Random(number).shuffle(ids)
    for effect_id in ids:
        with ledger.transaction() as tx:
            if ledger.effects.claim(tx, effect_id, f"worker {number}"):
                mine.append(effect_id)
    ledger.close()
    return mine


def test_processes_never_claim_the_same_effect(shared: Rig) -> None:
    ids = [shared.plan(str(n)) for n in range(24)]
    claimed = in_processes(WORKERS, _claim_all, shared.url, ids)
    assert sorted(e for mine in claimed for e in mine) == sorted(ids)
    assert {row.fence for row in shared.rows("effect")} == {1}


def test_threads_never_claim_the_same_effect(rig: Rig) -> None:
    """In memory all threads share one connection: one thread's BEGIN failed inside another's transaction and rolled that one back."""
    ids = [rig.plan(str(n)) for n in range(16)]
    claimed = _in_threads(6, lambda number: [e for e in ids if rig.claim(e, f"worker {number}")])
    assert sorted(e for mine in claimed for e in mine) == sorted(ids)


def test_threads_keep_everything_they_wrote(rig: Rig) -> None:
    _in_threads(4, lambda number: [rig.plan(f"{number}/{n}") for n in range(8)])
    assert len(rig.rows("effect")) == 32 and not rig.ledger.database.in_transaction


def _work(number: int, url: str) -> list[tuple[str, int]]:
    """Work through everything due; (ordering key, most effects seen in doubt for it at once) for each claim."""
    ledger, seen = open_ledger(url), []
    while ids := ledger.effects.due(TARGET, KINDS):
        for effect_id in ids:
            with ledger.transaction() as tx:
                claimed = ledger.effects.claim(tx, effect_id, f"worker {number}")
            if claimed is None:
                continue
            with ledger.transaction() as tx:
                key = ledger.effects.get(tx, effect_id).ordering_key
                flying = tx.execute(sa.select(sa.func.count()).where(effect.c.ordering_key == key, effect.c.state.in_(("IN_FLIGHT", "UNKNOWN")))).scalar()
            seen.append((key, flying))
            with ledger.transaction() as tx:
                ledger.effects.confirm(tx, claimed, Receipt(effect_id), 60)
    ledger.close()
    return seen


def test_one_effect_is_in_flight_for_an_ordering_key_however_many_workers_there_are(shared: Rig) -> None:
    for n in range(20):
        shared.plan(str(n), f"order {n % 4}")
    seen = [one for mine in in_processes(WORKERS, _work, shared.url) for one in mine]
    assert Counter(flying for _, flying in seen) == {1: 20}
    rows = sorted(shared.rows("effect"), key=lambda row: row.sequence)
    for order in range(4):
        sent = [row.sent_at for row in rows if row.ordering_key == f"order {order}"]
        assert sent == sorted(sent), "and they went out in the order in which they were planned"


def _draw(number: int, url: str, ids: list[str]) -> list[int]:
    ledger, drawn, dice = open_ledger(url), [], random.Random(number)
    for effect_id in ids[number::WORKERS]:
        while True:
            try:
                with ledger.transaction() as tx:
                    claimed = ledger.effects.claim(tx, effect_id, "w")
                    mine = ledger.effects.number(tx, claimed, "gxo")
                    if dice.random() < 0.3:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                continue
            drawn.append(mine)
            break
    ledger.close()
    return drawn


def test_control_numbers_rise_without_reuse_or_gap_under_concurrency_and_roll_backs(shared: Rig) -> None:
    ids = [shared.plan(str(n)) for n in range(24)]
    drawn = in_processes(WORKERS, _draw, shared.url, ids)
    assert sorted(n for mine in drawn for n in mine) == list(range(1, 25))
    assert all(mine == sorted(mine) for mine in drawn)
    assert sorted(row.number for row in shared.rows("effect")) == list(range(1, 25))


def _plan_same(number: int, url: str) -> list[str]:
    ledger, said = open_ledger(url), []
    for n in range(8):
        try:
            with ledger.transaction() as tx:
                said.append(str(ledger.effects.plan(tx, Planned(KIND, TARGET, str(n), "o", "c", str(n), {"by": number if n == 7 else 0}))))
        except EffectChanged:
            said.append("changed")
    ledger.close()
    return said


def test_processes_that_plan_the_same_effects_plan_each_once(shared: Rig) -> None:
    """Both looked, found none, and both inserted: on PostgreSQL the second run of a flow died of a unique violation."""
    said = in_processes(WORKERS, _plan_same, shared.url)
    for n in range(7):
        assert sorted(mine[n] for mine in said) == ["False"] * (WORKERS - 1) + ["True"]
    assert sorted(mine[7] for mine in said) == ["True"] + ["changed"] * (WORKERS - 1)


def _take_in(number: int, url: str) -> list[str]:
    ledger, said = open_ledger(url), []
    minutes = list(range(10))
    random.Random(number).shuffle(minutes)
    for minute in minutes:
        at = ledger.effects._clock.now().replace(year=2026, month=1, day=1, hour=1, minute=minute, second=0, microsecond=0)
        with ledger.transaction() as tx:
            said.append(ledger.books.take_in(tx, OrderEntry("bc", "1", {"v": minute, "modified_at": ""}, [], [], "", [], at)))
            ledger.watermarks.reach(tx, "bc orders", at)
            ledger.exceptions.open(tx, [Finding("sku_unknown", "bc", "1", "same cause", {})])
    ledger.close()
    return said


def test_processes_that_take_in_the_same_order_leave_the_newest_and_one_exception(shared: Rig) -> None:
    said = [one for mine in in_processes(WORKERS, _take_in, shared.url) for one in mine]
    assert said.count("new") == 1 and len(said) == 10 * WORKERS
    assert shared.rows("order_book")[0].order["v"] == 9 and shared.rows("order_book")[0].modified_at.minute == 9
    assert shared.rows("watermark")[0].reached_at.minute == 9
    assert [row.count for row in shared.rows("exception")] == [10 * WORKERS]


def _look(number: int, url: str) -> int:
    ledger = open_ledger(url)
    for n in range(10):
        with ledger.transaction() as tx:
            ledger.vault.open(tx, "bc/1", "recipient", f"worker {number}", str(n))
    ledger.close()
    return 10


def test_looks_of_many_processes_make_one_unbroken_access_log(shared: Rig) -> None:
    with shared.ledger.transaction() as tx:
        shared.ledger.vault.seal(tx, "bc/1", "recipient", b"x")
    in_processes(WORKERS, _look, shared.url)
    with shared.ledger.transaction() as tx:
        assert shared.ledger.vault.check_log(tx) == []
    assert len(shared.rows("access_log")) == 10 * WORKERS


@pytest.mark.postgres
def test_two_transactions_that_wait_for_each_other_end_in_not_now_and_not_in_a_traceback(on_postgres: Rig) -> None:
    first, second = on_postgres.plan("1", "a"), on_postgres.plan("2", "b")
    both, ended = threading.Barrier(2), []

    def cross(one: str, other: str) -> None:
        try:
            with on_postgres.ledger.transaction() as tx:
                on_postgres.ledger.effects.claim(tx, one, "w")
                both.wait(30)
                on_postgres.ledger.effects.claim(tx, other, "w")
            ended.append("done")
        except NotNow as error:
            ended.append("deadlock" if "deadlock" in str(error) and "nothing was changed" in str(error) else str(error))

    threads = [threading.Thread(target=cross, args=pair) for pair in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ended) == ["deadlock", "done"]


@pytest.mark.postgres
def test_an_older_order_that_looked_before_a_newer_one_was_written_does_not_win(on_postgres: Rig) -> None:
    """It had looked, saw the row of yesterday, and wrote itself over the newer one that came between its look and its write."""
    another, noon, newer = on_postgres.another(), on_postgres.clock.now(), []

    def take_in(ledger: Ledger, minutes: int) -> str:
        with ledger.transaction() as tx:
            return ledger.books.take_in(tx, OrderEntry("bc", "1", {"v": minutes, "modified_at": ""}, [], [], "", [], noon + timedelta(minutes=minutes)))

    def after_the_look(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith("SELECT order_book") and not newer:
            newer.append(threading.Thread(target=take_in, args=(another, 2)))
            newer[0].start()
            newer[0].join(0.5)

    take_in(on_postgres.ledger, 0)
    sa.event.listen(on_postgres.ledger.database.engine, "after_cursor_execute", after_the_look)
    take_in(on_postgres.ledger, 1)
    newer[0].join(30)
    another.close()
    assert on_postgres.rows("order_book")[0].order["v"] == 2
