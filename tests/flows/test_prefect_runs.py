"""Runs at work, dead runs and turns, on a real ledger without Prefect."""

import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.house import House, read_profile
from connectors.kit.clock import ManualClock
from connectors.kit.errors import InDoubt, NotNow
from connectors.ledger.effects import Planned
from connectors.ledger.vault import new_master_key
from tasks.processes import UNKNOWN_START, process_started_at
from tasks.runs import DEAD_AFTER_SECONDS, FAILED, at_work, begin, dead_runs, end, reap

GONE = 2**22 + 1  # above the kernel's largest process id


@pytest.fixture
def opened(tmp_path: Path) -> House:
    """A house with a ledger of its own and a clock that stands still."""
    (tmp_path / "key").write_text(new_master_key())
    profile = tmp_path / "profile.toml"
    profile.write_text(f'home = "{tmp_path}"\n[ledger]\nurl = "sqlite:///{{home}}/ledger.db"\n[vault]\nkey = "file:{tmp_path / "key"}"\n')
    made = House(read_profile(profile), ManualClock(datetime.now(UTC)))
    yield made
    made.close()


def in_flight(opened: House, holder: str, number: int = 1) -> str:
    """An effect that this holder has sent and not yet heard of."""
    planned = Planned("fulfilment_request", "gxo-uk", f"order {number}", f"order {number}", "bigcommerce-uk", str(number), {})
    with opened.ledger.transaction() as tx:
        opened.ledger.effects.plan(tx, planned)
        assert opened.ledger.effects.claim(tx, planned.effect_id, holder)
    return planned.effect_id


def state(opened: House, effect_id: str) -> str:
    with opened.ledger.transaction() as tx:
        return opened.ledger.effects.get(tx, effect_id).state


def outcomes(opened: House) -> dict[str, str]:
    """run id -> outcome."""
    return dict(zip(opened.ledger.table("run")["run_id"], opened.ledger.table("run")["outcome"], strict=True))


def test_a_run_is_on_the_list_while_it_works_and_off_it_afterwards(opened: House) -> None:
    with at_work(opened, "orders_to_warehouse", "bigcommerce-uk", "gxo-uk", run_id="r1"):
        (run,) = opened.ledger.runs.unended()
        assert (run.run_id, run.flow, run.about, run.host, run.pid, run.outcome) == (
            "r1", "orders_to_warehouse", "bigcommerce-uk → gxo-uk", socket.gethostname(), os.getpid(), "at work")
    assert opened.ledger.runs.unended() == []
    assert outcomes(opened) == {"r1": "done"}


def test_a_run_that_fails_leaves_its_effects_in_doubt_at_once(opened: House) -> None:
    with pytest.raises(InDoubt), at_work(opened, "orders_to_warehouse", run_id="r1"):
        effect_id = in_flight(opened, "r1")
        raise InDoubt("sending", "nothing came back")
    assert outcomes(opened) == {"r1": FAILED}
    assert state(opened, effect_id) == "UNKNOWN"


def test_a_run_without_prefect_gets_an_id_of_its_own(opened: House) -> None:
    first, second = begin(opened, "a"), begin(opened, "a")
    assert first != second and "-" not in first


def test_a_run_beats_while_it_lasts(opened: House) -> None:
    beaten = threading.Event()
    began = opened.clock.now()
    with at_work(opened, "slow", run_id="r1", beat_seconds=0.01):
        opened.clock.sleep(60)
        for _ in range(500):
            if opened.ledger.runs.unended()[0].beat_at > began:
                beaten.set()
                break
            beaten.wait(0.01)
    assert beaten.is_set()
    assert threading.active_count() < 50 and not any(thread.name == "beat r1" for thread in threading.enumerate())


def test_a_run_of_this_machine_is_dead_as_soon_as_its_process_is_gone(opened: House) -> None:
    opened.ledger.runs.start("gone", "f", "", socket.gethostname(), GONE)
    opened.ledger.runs.start("here", "f", "", socket.gethostname(), os.getpid())
    assert [run.run_id for run in dead_runs(opened, opened.clock.now())] == ["gone"]


def test_a_run_of_another_machine_is_dead_when_it_has_missed_its_beats(opened: House) -> None:
    opened.ledger.runs.start("elsewhere", "f", "", "another-host", os.getpid())
    now = opened.clock.now()
    assert dead_runs(opened, now + timedelta(seconds=DEAD_AFTER_SECONDS - 1)) == []
    assert [run.run_id for run in dead_runs(opened, now + timedelta(seconds=DEAD_AFTER_SECONDS + 1))] == ["elsewhere"]
    assert [run.run_id for run in dead_runs(opened, now + timedelta(seconds=11), beat_seconds=10)] == ["elsewhere"]


def test_a_stranger_with_the_same_process_number_does_not_keep_a_dead_run_alive(opened: House) -> None:
    opened.ledger.runs.start("old", "f", "", socket.gethostname(), os.getpid())
    later = opened.clock.now() + timedelta(seconds=DEAD_AFTER_SECONDS + 1)
    assert dead_runs(opened, later) == []
    stranger = opened.clock.now() + timedelta(seconds=60)
    assert [run.run_id for run in dead_runs(opened, later, started_at=lambda pid: stranger)] == ["old"]


def test_a_clock_set_forward_kills_no_living_run(opened: House) -> None:
    """The start of a process is reckoned from the boot time, which moves with the clock: an hour forward, and every process looks new."""
    opened.ledger.runs.start("alive", "f", "", socket.gethostname(), os.getpid())
    opened.clock.sleep(3600)
    opened.ledger.runs.beat("alive")
    assert dead_runs(opened, opened.clock.now(), started_at=lambda pid: process_started_at(pid) + timedelta(hours=1)) == []


def test_a_paused_process_is_not_dead(opened: House) -> None:
    opened.ledger.runs.start("paused", "f", "", socket.gethostname(), os.getpid())
    assert dead_runs(opened, opened.clock.now() + timedelta(hours=5)) == []


def test_the_start_of_a_process_is_known_to_about_a_second() -> None:
    before = datetime.now(UTC)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = process_started_at(child.pid)
        assert started == UNKNOWN_START or abs(started - before) < timedelta(seconds=3)


def test_a_zombie_does_not_run() -> None:
    """In a container nobody collects the children of a killed worker: their process numbers stay, and kill(pid, 0) says that all is well."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    os.kill(child.pid, 0)
    assert process_started_at(child.pid) is None
    child.wait()
    assert process_started_at(child.pid) is None


def test_reaping_puts_the_effects_of_the_dead_in_doubt_and_nobody_elses(opened: House) -> None:
    opened.ledger.runs.start("dead", "orders_to_warehouse", "bigcommerce-uk → gxo-uk", socket.gethostname(), GONE)
    opened.ledger.runs.start("alive", "f", "", socket.gethostname(), os.getpid())
    lost, held = in_flight(opened, "dead", 1), in_flight(opened, "alive", 2)
    told = []
    reaped = reap(opened, lambda run_id, message: told.append(run_id) is None)
    assert (state(opened, lost), state(opened, held)) == ("UNKNOWN", "IN_FLIGHT")
    assert (reaped.doubted, reaped.crashed, told) == (1, ["dead"], ["dead"])
    assert outcomes(opened) == {"dead": "died", "alive": ""}
    assert "orders_to_warehouse bigcommerce-uk → gxo-uk" in str(reaped)


def test_reaping_again_does_nothing(opened: House) -> None:
    opened.ledger.runs.start("dead", "f", "", socket.gethostname(), GONE)
    in_flight(opened, "dead")
    assert len(reap(opened).runs) == 1
    again = reap(opened, lambda run_id, message: pytest.fail("told twice"))
    assert (again.runs, again.doubted) == ([], 0)


def test_while_prefect_is_away_the_effects_are_taken_up_and_the_run_stays_on_the_list(opened: House) -> None:
    opened.ledger.runs.start("dead", "f", "", socket.gethostname(), GONE)
    lost = in_flight(opened, "dead")

    def away(run_id: str, message: str) -> bool:
        raise NotNow("telling Prefect", "refused")

    reaped = reap(opened, away)
    assert reaped.away and state(opened, lost) == "UNKNOWN"
    assert [run.run_id for run in opened.ledger.runs.unended()] == ["dead"]
    assert reap(opened, lambda run_id, message: True).crashed == ["dead"]
    assert opened.ledger.runs.unended() == []


def test_two_runs_that_share_a_connection_take_turns(opened: House) -> None:
    with at_work(opened, "orders_to_warehouse", "bigcommerce-uk", "gxo-uk", run_id="first"):
        with pytest.raises(NotNow, match="orders_to_warehouse bigcommerce-uk → gxo-uk"):
            with at_work(opened, "dispatch_back", "gxo-uk", "bigcommerce-uk", run_id="second", turn_seconds=5):
                pytest.fail("both are at work")
        with at_work(opened, "orders_to_warehouse", "bigcommerce-us", "gxo-us", run_id="other pair", turn_seconds=0):
            pass
    with at_work(opened, "dispatch_back", "gxo-uk", "bigcommerce-uk", run_id="third", turn_seconds=0):
        pass
    assert outcomes(opened) == {"first": "done", "second": "failed", "other pair": "done", "third": "done"}


def test_who_waits_longer_goes_first(opened: House) -> None:
    begin(opened, "f", "bigcommerce-uk", "waits")
    opened.clock.sleep(1)
    with pytest.raises(NotNow), at_work(opened, "f", "bigcommerce-uk", run_id="came later", turn_seconds=0):
        pass
    end(opened, "waits", "done")
    with at_work(opened, "f", "bigcommerce-uk", run_id="again", turn_seconds=0):
        pass


def test_a_clock_that_is_behind_jumps_no_queue(opened: House) -> None:
    """Two machines' clocks differ: who looks older may still not push in where somebody is at work."""
    with at_work(opened, "f", "bigcommerce-uk", run_id="at work"):
        opened.clock.at -= timedelta(hours=1)
        with pytest.raises(NotNow), at_work(opened, "f", "bigcommerce-uk", run_id="looks older", turn_seconds=0):
            pass


def test_a_dead_run_holds_up_nobody(opened: House) -> None:
    opened.ledger.runs.start("dead", "f", "bigcommerce-uk", socket.gethostname(), GONE)
    opened.ledger.runs.take_turn("dead", lambda ours, other: False)
    with at_work(opened, "f", "bigcommerce-uk", run_id="next", turn_seconds=0):
        pass
    assert [run.run_id for run in dead_runs(opened, opened.clock.now())] == ["dead"]  # its effects are still the reaper's to take up


def test_of_many_threads_only_one_is_at_work_on_a_connection(opened: House) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def run(number: int) -> None:
        nonlocal inside, most
        with at_work(opened, "f", "bigcommerce-uk", run_id=f"r{number}", turn_seconds=1e6, beat_seconds=0):
            with lock:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.02)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == 1
    assert set(outcomes(opened).values()) == {"done"}
