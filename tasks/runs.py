"""Runs at work: who they are, that they still live, whose turn it is, and what becomes of the work of one that died.

Prefect's own states cannot be trusted for this: a killed worker leaves its run "Running" for ever. The ledger knows host and process of
every run instead. Nothing here decides whether something is sent twice: the effects' fences do.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prefect.runtime import flow_run

from connectors.house import House
from connectors.kit.clock import new_id
from connectors.kit.errors import NotNow, WharfingerError
from connectors.ledger.ledger import Row
from connectors.ledger.records import AT_WORK
from tasks.processes import process_started_at

BEAT_SECONDS = 30.0
DEAD_AFTER_SECONDS = 90.0  # three beats missed
TURN_SECONDS = 900.0
TURN_CHECK_SECONDS = 1.0
START_SLACK = timedelta(seconds=3)  # a process's start is known to about a second
BETWEEN = " → "
DONE, FAILED, DIED = "done", "failed", "died"

_log = logging.getLogger("prefect.wharfinger.runs")

ProcessStart = Callable[[int], datetime | None]


@contextmanager
def at_work(
    opened: House, flow: str, *subjects: str, run_id: str = "", turn_seconds: float = TURN_SECONDS, beat_seconds: float = BEAT_SECONDS,
) -> Iterator[str]:
    """A run from its beginning to its end, one at a time for each subject (a connection, a mapping table): yields the run's id, the effects' holder.

    Beats while it lasts (beat_seconds 0: never). Raises NotNow when its turn has not come after `turn_seconds`: nothing was done then.
    """
    run_id = begin(opened, flow, BETWEEN.join(subjects), run_id)
    outcome = FAILED
    with _beating(opened, run_id, beat_seconds):
        try:
            _await_turn(opened, run_id, turn_seconds)
            yield run_id
            outcome = DONE
        finally:
            end(opened, run_id, outcome)


def begin(opened: House, flow: str, about: str = "", run_id: str = "") -> str:
    """Note that a run begins, under Prefect's id of the flow run when there is one; returns the id."""
    run_id = run_id or str(flow_run.id or new_id())
    opened.ledger.runs.start(run_id, flow, about, socket.gethostname(), os.getpid())
    return run_id


def end(opened: House, run_id: str, outcome: str) -> None:
    """Note that it is over. What a failed run still had in flight is in doubt from now on, not only when its lease runs out."""
    try:
        if outcome != DONE:
            _doubt(opened, (run_id,))
        opened.ledger.runs.end(run_id, outcome)
    except NotNow as error:  # the ledger is away: the reaper will find the process gone
        _log.warning("run %s could not be ended: %s", run_id, error)


def dead_runs(opened: House, now: datetime, beat_seconds: float = DEAD_AFTER_SECONDS, started_at: ProcessStart = process_started_at) -> list[Row]:
    """Runs that will not come back: of this host at once when their process is gone, of another when they have not beaten for `beat_seconds`."""
    silent_since = now - timedelta(seconds=beat_seconds)
    return [run for run in opened.ledger.runs.unended() if _is_dead(run, silent_since, started_at)]


def _is_dead(run: Row, silent_since: datetime, started_at: ProcessStart) -> bool:
    is_silent = run.beat_at < silent_since
    if run.host != socket.gethostname():
        return is_silent
    started = started_at(run.pid)
    if started is None:
        return True
    # a process that began after the run is a stranger with the same number. Silence is asked for as well: a clock set
    # forward moves every process's start (fault F21), and must not kill the living
    return is_silent and started > run.started_at + START_SLACK


@dataclass
class Reaped:
    """What the reaper did: the runs that had died, how many effects are in doubt because of it, the flow runs it marked Crashed."""

    runs: list[dict[str, str]] = field(default_factory=list)
    doubted: int = 0
    crashed: list[str] = field(default_factory=list)
    away: WharfingerError | None = None

    def __str__(self) -> str:
        died = ", ".join(f"{run['flow']} {run['about']}" for run in self.runs) or "none"
        return f"runs that had died: {died}; effects now in doubt: {self.doubted}; flow runs marked Crashed: {len(self.crashed)}"


def reap(opened: House, crash: Callable[[str, str], bool] | None = None, started_at: ProcessStart = process_started_at) -> Reaped:
    """Take up what dead runs left: their effects in flight become doubts, their flow runs are marked Crashed (`crash`), and they are ended.

    Safe to repeat and to run twice at once. `crash(run_id, message)` tells Prefect and is left out where there is none (the simulator); when
    Prefect is away the run stays on the list, so that the next reaping tells it.
    """
    reaped = Reaped()
    dead = dead_runs(opened, opened.clock.now(), started_at=started_at)
    if not dead:
        return reaped
    reaped.doubted = _doubt(opened, tuple(run.run_id for run in dead))
    for run in dead:
        try:
            if crash and crash(run.run_id, f"process {run.pid} on {run.host} is gone; what it had in flight will be read back"):
                reaped.crashed.append(run.run_id)
        except NotNow as error:
            reaped.away = error
            continue
        opened.ledger.runs.end(run.run_id, DIED)
        reaped.runs.append({"run": run.run_id, "flow": run.flow, "about": run.about})
    return reaped


def _doubt(opened: House, holders: tuple[str, ...]) -> int:
    quiet = quiet_periods(opened)
    with opened.ledger.transaction() as tx:
        return opened.ledger.effects.expire(tx, quiet, holders)


def quiet_periods(opened: House) -> dict[str, float]:
    """Seconds for each connection. One that cannot be opened is left out: the ledger then waits its cautious default."""
    periods = {}
    for side in ("storefront", "warehouse"):
        for name in opened.names(side):
            try:
                periods[name] = getattr(opened, side)(name).quiet_seconds
            except WharfingerError as error:
                _log.warning("%s", error)
    return periods


def _await_turn(opened: House, run_id: str, seconds: float) -> None:
    """Wait until no other living run is at work on one of our subjects, nor waits for one longer than we do."""
    until = opened.clock.now() + timedelta(seconds=seconds)
    while True:
        gone = {run.run_id for run in dead_runs(opened, opened.clock.now())}
        ahead = opened.ledger.runs.take_turn(run_id, lambda ours, other: other.run_id not in gone and _is_ahead(ours, other))
        if ahead is None:
            return
        if opened.clock.now() >= until:
            still = f"{_named(ahead)} (process {ahead.pid} on {ahead.host}) is still at work"
            raise NotNow(f"waiting for the turn of run {run_id}", still, "Look at that run.")
        _log.info("waiting for %s", _named(ahead))
        opened.clock.sleep(TURN_CHECK_SECONDS)


def _is_ahead(ours: Row, other: Row) -> bool:
    shared = set(filter(None, ours.about.split(BETWEEN))) & set(other.about.split(BETWEEN))
    return bool(shared) and (other.outcome == AT_WORK or (other.started_at, other.run_id) < (ours.started_at, ours.run_id))


def _named(run: Row) -> str:
    return f"{run.flow} {run.about}".strip()


@contextmanager
def _beating(opened: House, run_id: str, seconds: float) -> Iterator[None]:
    over = threading.Event()

    def beat() -> None:
        while not over.wait(seconds):
            try:
                opened.ledger.runs.beat(run_id)
            except NotNow as error:  # the next beat may get through
                _log.warning("run %s could not beat: %s", run_id, error)

    beats = threading.Thread(target=beat, name=f"beat {run_id}", daemon=True)
    if seconds:
        beats.start()
    try:
        yield
    finally:
        over.set()
        if seconds:
            beats.join()
