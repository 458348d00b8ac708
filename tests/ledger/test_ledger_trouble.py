"""A locked database, a full disk, a killed process, a server that goes away: nothing half done, and an error that says what it is."""

import ctypes
import os
import random
import resource
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from connectors.kit.clock import SystemClock
from connectors.kit.errors import BadConfiguration, NotNow
from connectors.ledger.database import Database
from connectors.ledger.effects import FenceLost, Planned
from connectors.ledger.ledger import Ledger
from connectors.ledger.tables import effect
from connectors.ports import Receipt
from tests.ledger.rigs import KEY, KIND, KINDS, TARGET, Rig, in_processes, open_ledger
from tests.postgres import Postgres

CLOCK = SystemClock()
KILLS = 40
MS_REC_PRIVATE, CLONE_NEWNS = 0x4000 | 0x40000, 0x00020000


def _planned(key: str, **payload: object) -> Planned:
    return Planned(KIND, TARGET, key, f"order {key}", "bc-uk", key, payload)


@contextmanager
def _locked(rig: Rig) -> Iterator[None]:
    """Somebody else holds the ledger: SQLite's write lock, PostgreSQL's effect table."""
    if rig.ledger.database.is_postgres:
        url = sa.make_url(rig.url)
        with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database) as other:
            other.execute("LOCK TABLE effect IN ACCESS EXCLUSIVE MODE")
            yield
            other.rollback()
    else:
        other = sqlite3.connect(rig.file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()


def test_a_locked_database_is_not_now_and_nothing_was_changed(shared: Rig) -> None:
    kept = shared.plan("before")
    hurried = shared.another(busy_seconds=0.2)
    with _locked(shared):
        for step in (lambda tx: hurried.effects.plan(tx, _planned("1")), lambda tx: hurried.effects.claim(tx, kept, "w")):
            with pytest.raises(NotNow, match="Trying again will help.*process that holds the ledger") as away, hurried.transaction() as tx:
                hurried.watermarks.reach(tx, "feed", shared.clock.now())
                step(tx)
            assert "lock" in away.value.got and "nothing was changed" in away.value.got and not hurried.database.in_transaction
    assert [row.state for row in shared.rows("effect")] == ["PLANNED"] and shared.rows("watermark") == []
    with hurried.transaction() as tx:
        assert hurried.effects.claim(tx, kept, "w") is not None
    hurried.close()


def test_a_new_file_that_another_process_opens_too_is_waited_for(tmp_path: Path) -> None:
    """CI, 28 November: of four processes that migrated one new file, one failed at once. SQLite does not wait when it turns a file to WAL."""
    file = tmp_path / "new.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotNow, match="Trying again will help"), Database(f"sqlite:///{file}", busy_seconds=0.1).transaction():
        pass
    leaves = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    leaves.start()
    patient = Database(f"sqlite:///{file}")
    with patient.transaction() as tx:
        assert tx.execute(sa.text("PRAGMA journal_mode")).scalar() == "wal"
    leaves.join()
    patient.close()
    other.close()


def test_a_thread_that_holds_the_ledger_too_long_makes_the_others_not_now(in_file: Rig) -> None:
    hurried, inside, over = in_file.another(busy_seconds=0.2), threading.Event(), threading.Event()

    def hold() -> None:
        with hurried.transaction():
            inside.set()
            over.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(30)
    with pytest.raises(NotNow, match="database is locked"), hurried.transaction():
        pass
    over.set()
    holder.join()
    assert not hurried.database.in_transaction
    with hurried.transaction() as tx:
        assert hurried.effects.plan(tx, _planned("1"))
    hurried.close()


def test_a_transaction_inside_a_transaction_is_refused_and_the_outer_one_goes_on(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        assert rig.ledger.database.in_transaction
        with pytest.raises(AssertionError, match="inside a transaction"), rig.ledger.transaction():
            pass
        with pytest.raises(AssertionError):
            rig.ledger.effects.due(TARGET, KINDS)
        assert rig.ledger.database.in_transaction
        rig.ledger.effects.plan(tx, _planned("1"))
    assert not rig.ledger.database.in_transaction and len(rig.rows("effect")) == 1


def test_in_transaction_is_each_threads_own_and_ends_with_an_error_too(rig: Rig) -> None:
    seen = []
    with pytest.raises(ZeroDivisionError), rig.ledger.transaction():
        thread = threading.Thread(target=lambda: seen.append(rig.ledger.database.in_transaction))
        thread.start()
        thread.join()
        1 / 0  # noqa: B018
    assert seen == [False] and not rig.ledger.database.in_transaction


def test_an_error_of_the_database_quotes_no_row(rig: Rig) -> None:
    """SQLAlchemy puts a failed statement's parameters into its error's text, and from there they go into logs."""
    with pytest.raises(sa.exc.IntegrityError) as refused, rig.ledger.transaction() as tx:
        tx.execute(sa.insert(effect).values(effect_id="e", error="Zzyzx Quillfeather"))
    assert "Quillfeather" not in str(refused.value)


# a full disk


def _fill(ledger: Ledger) -> tuple[int, str, list[str]]:
    """Plan until it fails; how many were kept, the error, and every kept key."""
    keys: list[str] = []
    try:
        for n in range(10_000):
            with ledger.transaction() as tx:
                for part in "ab":
                    ledger.effects.plan(tx, _planned(f"{n}{part}", ballast="x" * 4000))
            keys += [f"{n}a", f"{n}b"]
    except NotNow as error:
        return len(keys), str(error), keys
    return len(keys), "", keys


def _sound(ledger: Ledger, file: Path) -> tuple[str, list[str]]:
    """What SQLite's own check says, and the keys that are there."""
    with ledger.transaction() as tx:
        found = sorted(tx.execute(sa.select(effect.c.business_key)).scalars())
    with sqlite3.connect(file) as raw:
        return raw.execute("PRAGMA integrity_check").fetchone()[0], found


def _on_a_disk_that_ends(_: int, url: str, file: str) -> tuple:
    ledger = open_ledger(url)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(file).stat().st_size + 300_000, limit[1]))
    kept, error, keys = _fill(ledger)
    in_between = _sound(ledger, Path(file))
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    with ledger.transaction() as tx:
        again = ledger.effects.plan(tx, _planned("after"))
    return kept, error, in_between, again, _sound(ledger, Path(file)), keys


def test_a_disk_that_takes_no_more_is_not_now_by_name_and_the_ledger_is_sound_afterwards(in_file: Rig) -> None:
    ((kept, error, in_between, again, after, keys),) = in_processes(1, _on_a_disk_that_ends, in_file.url, str(in_file.file))
    assert kept > 10 and ("disk" in error or "full" in error) and "nothing was changed" in error
    assert in_between == ("ok", sorted(keys)), "each pair whole, and only those that were committed"
    assert again is True and after == ("ok", sorted([*keys, "after"]))


def _on_a_small_tmpfs(_: int, folder: str) -> tuple | None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None):
        return None
    if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, b"size=1m"):
        return None
    file = Path(folder) / "ledger.db"
    ledger = open_ledger(f"sqlite:///{file}")
    kept, error, keys = _fill(ledger)
    in_between = _sound(ledger, file)
    libc.mount(b"none", folder.encode(), None, 0x20, b"size=8m")
    with ledger.transaction() as tx:
        again = ledger.effects.plan(tx, _planned("after"))
    return kept, error, in_between, again, _sound(ledger, file), keys


def test_a_full_disk_is_not_now_by_name_and_the_ledger_is_sound_afterwards(tmp_path: Path) -> None:
    (found,) = in_processes(1, _on_a_small_tmpfs, str(tmp_path))
    if found is None:
        pytest.skip("only root may mount a small tmpfs here; the limit on file sizes stands in for it above")
    kept, error, in_between, again, after, keys = found
    assert kept > 10 and "database or disk is full (nothing was changed)" in error and "Free some disk space" in error
    assert in_between == ("ok", sorted(keys)) and again is True and after == ("ok", sorted([*keys, "after"]))


# what cannot be opened


@pytest.mark.parametrize(("url", "said"), [
    ("nonsense", "its URL cannot be read"), ("mysql://localhost/x", "mysql is not supported"), ("postgres://localhost/x", "not supported"),
    ("sqlite:////nowhere/at/all/ledger.db", "unable to open database file.*folder exists")])
def test_a_ledger_that_can_never_be_opened_is_bad_configuration(url: str, said: str) -> None:
    with pytest.raises(BadConfiguration, match=said):
        Ledger(url, CLOCK, KEY)


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_bytes(b"Dear Sir or Madam, " * 500)
    with pytest.raises(BadConfiguration, match="no ledger"):
        Ledger(f"sqlite:///{tmp_path / 'letter.txt'}", CLOCK, KEY)
    assert (tmp_path / "letter.txt").read_bytes() == b"Dear Sir or Madam, " * 500


@pytest.mark.postgres
def test_a_postgresql_that_is_away_is_not_now_and_one_without_our_database_is_bad_configuration(server: Postgres) -> None:
    with pytest.raises(NotNow, match="refused|failed"):
        Database("postgresql+psycopg://postgres@127.0.0.1:1/ledger").migrate()
    with pytest.raises(BadConfiguration, match='"nosuch" does not exist.*Make that database'):
        Database(server.url_of("nosuch")).migrate()
    with pytest.raises(BadConfiguration, match="no pg_hba.conf entry|does not exist|authentication failed") as refused:
        Database(server.url_of("ledger").replace("postgres@", "nobody:hunter2@")).migrate()
    assert "hunter2" not in str(refused.value)


@pytest.mark.postgres
def test_a_plain_postgresql_url_takes_the_driver_that_we_ship(server: Postgres) -> None:
    database = Database(server.url_of("ledger").replace("+psycopg", ""))
    database.migrate()
    database.close()


# SIGKILL, again and again


def _worker(url: str, truth: str, steps: Any, seed: int) -> None:
    """Plan in pairs, send (append to `truth`, the far side), confirm; what a killed one before left is read back first. Counts its steps."""
    ledger, me, dice = open_ledger(url), f"worker {seed}", random.Random(seed)

    def step() -> None:
        steps.value += 1

    while True:
        try:
            _recover(ledger, truth, step)
            _trade(ledger, truth, me, dice, step)
        except (NotNow, FenceLost):
            CLOCK.sleep(0.02)


def _recover(ledger: Ledger, truth: str, step: Callable[[], None] = lambda: None) -> None:
    with ledger.transaction() as tx:
        holders = tuple(tx.execute(sa.select(effect.c.holder).where(effect.c.state.in_(("IN_FLIGHT", "UNKNOWN")))).scalars())
        ledger.effects.expire(tx, {TARGET: 0.0}, holders)
    step()
    for effect_id in ledger.effects.doubtful(TARGET, KINDS):
        step()
        with ledger.transaction() as tx:
            claimed = ledger.effects.claim_doubtful(tx, effect_id, "recovery")
        there = claimed is not None and f"{effect_id} {claimed.number}\n" in Path(truth).read_text()
        with ledger.transaction() as tx:
            if claimed is not None:
                ledger.effects.confirm(tx, claimed, Receipt("found"), 60) if there else ledger.effects.absent(tx, claimed)


def _trade(ledger: Ledger, truth: str, me: str, dice: random.Random, step: Callable[[], None]) -> None:
    for _ in range(10):
        step()
        pair = f"{me}/{dice.random()}"
        with ledger.transaction() as tx:
            for part in "ab":
                ledger.effects.plan(tx, _planned(f"{pair}/{part}", ballast="x" * 500))
        for effect_id in ledger.effects.due(TARGET, KINDS, 3):
            with ledger.transaction() as tx:
                claimed = ledger.effects.claim(tx, effect_id, me)
                number = claimed and ledger.effects.number(tx, claimed, "stream")
            step()
            if claimed is None:
                continue
            with open(truth, "a") as far_side:
                far_side.write(f"{effect_id} {number}\n")
            with ledger.transaction() as tx:
                ledger.effects.confirm(tx, replace(claimed, number=number), Receipt("sent"), 60)
                ledger.timeline.note(tx, "bc-uk", pair, "confirmed", me, effect_id)
            step()


@contextmanager
def _at_work(url: str, truth: Path, seed: int) -> Iterator[tuple[BaseProcess, Callable[[int], None]]]:
    """A worker in a process of its own, and how to wait for so many more of its steps; killed at the end, wherever it is."""
    fork = get_context("fork")
    steps = fork.Value("i", 0, lock=False)  # a killed process would keep the lock
    process = fork.Process(target=_worker, args=(url, str(truth), steps, seed), daemon=True)

    def wait(more: int) -> None:
        goal, until = steps.value + more, CLOCK.now() + timedelta(seconds=60)
        while steps.value < goal:
            assert process.is_alive() and CLOCK.now() < until, "the worker is stuck, or gone"
            CLOCK.sleep(0.0005)

    process.start()
    try:
        yield process, wait
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)


def _check_books(rig: Rig, truth: Path) -> int:
    """Every pair whole, every confirmed effect at the far side exactly once, no number twice. How many are confirmed."""
    _recover(rig.ledger, str(truth))
    rows = rig.rows("effect")
    pairs: dict[str, list] = {}
    for row in rows:
        pairs.setdefault(row.business_key[:-2], []).append(row)
    assert all(len(pair) == 2 for pair in pairs.values()), "a transaction was kept by half"
    lines = [line.rsplit(" ", 1) for line in truth.read_text().splitlines()]
    confirmed = {row.effect_id: row.number for row in rows if row.state == "CONFIRMED"}
    assert {effect_id: int(number) for effect_id, number in lines} == confirmed and len(lines) == len(confirmed), "sent twice, or confirmed and not sent"
    numbers = [row.number for row in rows if row.number]
    assert len(numbers) == len(set(numbers)) and {row.state for row in rows} <= {"PLANNED", "CONFIRMED"}
    notes = [row.detail for row in rig.rows("timeline")]
    assert len(notes) == len(set(notes)) and set(notes) == {row.effect_id for row in rows if row.remote_id == "sent"}, "a confirmation was kept by half"
    return len(confirmed)


def test_after_forty_sigkills_sqlite_is_whole_and_nothing_was_sent_or_numbered_twice(in_file: Rig) -> None:
    in_file.ledger.close()
    truth, dice = in_file.file.parent / "truth", random.Random(20260115)
    truth.touch()
    for seed in range(KILLS):
        with _at_work(in_file.url, truth, seed) as (_, wait):
            wait(dice.randint(1, 20))
            CLOCK.sleep(dice.uniform(0.0, 0.004))
        with sqlite3.connect(in_file.file) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    in_file.ledger = open_ledger(in_file.url)
    assert _check_books(in_file, truth) >= KILLS, "too little happened between the kills to prove anything"
    in_file.ledger.close()


@pytest.mark.postgres
def test_after_sigkills_of_postgresql_itself_the_ledger_is_whole_and_nothing_was_sent_or_numbered_twice(on_postgres: Rig, server: Postgres, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    truth.touch()
    with _at_work(on_postgres.url, truth, 1) as (process, wait):
        for steps in (13, 17):
            wait(steps)
            server.kill()
            server.start()
        wait(15)
        assert process.is_alive(), "a worker must live through the loss of its database"
    on_postgres.ledger.close()
    on_postgres.ledger = open_ledger(on_postgres.url)
    assert _check_books(on_postgres, truth) > 5
    on_postgres.ledger.close()


@pytest.mark.postgres
def test_a_connection_that_the_server_cut_is_not_now_and_the_next_transaction_has_a_new_one(on_postgres: Rig) -> None:
    with pytest.raises(NotNow, match="nothing was changed"), on_postgres.ledger.transaction() as tx:
        on_postgres.ledger.effects.plan(tx, _planned("1"))
        _cut(on_postgres, tx)
        on_postgres.ledger.effects.plan(tx, _planned("2"))
    assert on_postgres.rows("effect") == []
    on_postgres.plan("3")


@pytest.mark.postgres
def test_a_postgresql_lost_at_the_commit_is_not_now_and_does_not_claim_that_nothing_was_changed(on_postgres: Rig) -> None:
    """The error said 'nothing was changed', and somebody believed it: the commit may have arrived."""
    with pytest.raises(NotNow, match="not known whether this last step was kept"), on_postgres.ledger.transaction() as tx:
        on_postgres.ledger.effects.plan(tx, _planned("1"))
        _cut(on_postgres, tx)


def _cut(rig: Rig, tx: sa.Connection) -> None:
    pid = tx.execute(sa.text("SELECT pg_backend_pid()")).scalar()
    url = sa.make_url(rig.url)
    with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_a_backup_taken_while_workers_write_opens_and_is_whole(in_file: Rig) -> None:
    """The README's way: SQLite's own online backup, with no worker stopped."""
    truth = in_file.file.parent / "truth"
    truth.touch()
    copy = in_file.file.parent / "backup.db"
    with _at_work(in_file.url, truth, 7) as (_, wait):
        wait(15)
        with sqlite3.connect(in_file.file) as source, sqlite3.connect(copy) as target:
            source.backup(target)
    restored = open_ledger(f"sqlite:///{copy}")
    assert _sound(restored, copy)[0] == "ok" and restored.jump_ahead(1000, 100) >= 0
    with restored.transaction() as tx:
        assert all(row.fence >= 100 for row in tx.execute(sa.select(effect.c.fence)))
    restored.close()
