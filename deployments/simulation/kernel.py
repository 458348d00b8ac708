"""One seed, one world: a virtual clock, workers that take turns at every call and every commit, and a trace that says whether two runs were the same.

Workers are greenlets of one thread. A worker runs until it reaches a *point* (a call out, a commit, a sleep); there the kernel takes the time it
costs, and goes on with whoever is due first. Nothing else can make two workers meet, so the same seed always makes the same world.
"""

import hashlib
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from greenlet import GreenletExit, getcurrent, greenlet

from connectors.kit.clock import Onward

BEGIN = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
POINTS_MAX = 60_000


class Crash(BaseException):
    """The process is gone, at this moment. Nothing in the product may catch it."""


class Ended(BaseException):
    """SIGTERM: the process is told to end, in the middle of whatever it does; what it has to tidy up it still may."""


class Livelock(Exception):
    """The world never came to rest within its budget of points."""


@dataclass
class Worker:
    """One process: what it runs, when it is due, and how far its own clock is off."""

    name: str
    body: Callable[["Worker"], None]
    green: greenlet | None = None
    off_seconds: float = 0.0
    onward: Onward = field(default_factory=Onward)  # each run is a process of its own, and begins by the clock on the wall
    is_alive: bool = True
    crashes: int = 0
    paused: float = 0.0  # stopped at its next point for so many seconds, then goes on as if nothing had been
    is_doomed: bool = False  # killed at this point
    is_ended: bool = False  # told to end at this point
    error: BaseException | None = None


@dataclass
class Kernel:
    """The world's time, dice and trace."""

    seed: int
    points_max: int = POINTS_MAX
    at: datetime = BEGIN
    points: int = 0
    crashes: int = 0
    doomed_at: int = -1  # whoever is at this point is killed there
    workers: list[Worker] = field(default_factory=list)
    on_point: list[Callable[[Worker, str], None]] = field(default_factory=list)  # (who, the kind of effect that the point is about, or '')
    on_death: list[Callable[[Worker], None]] = field(default_factory=list)
    after_turn: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._heap: list[tuple[datetime, int, Worker | Callable[[], None]]] = []
        self._order, self._dice = 0, {}
        self._trace = hashlib.sha256(str(self.seed).encode())
        self._hub = getcurrent()
        self._gone: list[greenlet] = []  # killed in the middle: kept, so that nothing of theirs runs any more
        self._is_over = False
        self.story: list[str] = []

    def dice(self, name: str) -> random.Random:
        """A stream of its own for each part: one more draw in one does not shift another."""
        return self._dice.setdefault(name, random.Random(f"{self.seed}:{name}"))

    @property
    def hash(self) -> str:
        """The same for two runs that did the same."""
        return self._trace.hexdigest()

    def tell(self, what: str) -> None:
        """Into the trace and the story."""
        line = f"{(self.at - BEGIN).total_seconds():9.2f} {what}"
        self._trace.update(line.encode())
        self.story.append(line)

    def start(self, name: str, body: Callable[[Worker], None], after_seconds: float = 0.0) -> Worker:
        """A worker that begins then, and again from the beginning whenever it has crashed."""
        worker = Worker(name, body)
        self.workers.append(worker)
        self._push(self.at + timedelta(seconds=after_seconds), worker)
        return worker

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Something that the world does by itself, at that time. It must not reach a point."""
        self._push(self.at + timedelta(seconds=seconds), act)

    def point(self, what: str, may_wait: bool = True, effect: str = "") -> None:
        """A worker is at a call or a commit: it may crash here, or lose its turn. may_wait False: inside a transaction, where nobody may come between."""
        worker = self.current
        if worker is None:
            return
        self.points += 1
        if self.points > self.points_max:  # not raised here: the product might catch it
            self._is_over = True
            self._hub.switch()
        self.tell(f"{worker.name} {what}")
        for listener in self.on_point:
            listener(worker, effect)
        if worker.is_doomed or self.points == self.doomed_at:
            worker.is_doomed = False
            self._kill(worker, what, inside=not may_wait)
        if worker.is_ended:
            worker.is_ended = False
            self.tell(f"{worker.name} is told to end at {what}")
            raise Ended
        if may_wait and worker.paused:
            seconds, worker.paused = worker.paused, 0.0
            self.tell(f"{worker.name} is stopped for {seconds:.0f} s")
            self.wait(seconds)
        elif may_wait:
            self.wait(self.dice("pace").choice((0.01, 0.05, 0.2, 1.0)))

    def wait(self, seconds: float) -> None:
        """The current worker goes on in so many seconds; others may go first."""
        worker = self.current
        if worker is None:
            self.at += timedelta(seconds=max(0.0, seconds))
            return
        self._push(self.at + timedelta(seconds=max(0.0, seconds)), worker)
        self._hub.switch()

    @property
    def current(self) -> Worker | None:
        """Whose turn it is; None while the world itself acts."""
        green = getcurrent()
        return next((worker for worker in self.workers if worker.green is green), None)

    def run(self, until: datetime) -> None:
        """Turns in the order of time, until then. Raises Livelock, and whatever a worker raised that is no crash."""
        while self._heap and self._heap[0][0] <= until:
            at, _, what = heapq.heappop(self._heap)
            self.at = max(self.at, at)
            if isinstance(what, Worker):
                self._turn(what)
            else:
                what()
            if self._is_over:
                raise Livelock(f"more than {self.points_max} points")
            for look in self.after_turn:
                look()
        self.at = max(self.at, until)

    def kill_all(self) -> None:
        """Every process is gone at once, and begins again a little later: a machine that died."""
        for worker in self.workers:
            if worker.green is not None and not worker.green.dead:
                self.tell(f"{worker.name} is killed")
                self._gone.append(worker.green)
                self._heap = [one for one in self._heap if one[2] is not worker]
                heapq.heapify(self._heap)
                worker.crashes += 1
                self._again(worker)

    def sleeps(self, length: timedelta) -> None:
        """Nothing happens for so long: whatever was to come comes so much later."""
        self.at += length
        self._heap = [(at + length, order, what) for at, order, what in self._heap]

    def stop(self) -> None:
        """Nobody goes on. Killed processes end without running another line of ours."""
        self.points_max, self.on_point, self._is_over = 1 << 60, [], False
        for green in [*self._gone, *(worker.green for worker in self.workers if worker.green)]:
            if green is not None and not green.dead:
                green.throw(GreenletExit)
        self._heap.clear()

    def _turn(self, worker: Worker) -> None:
        if not worker.is_alive:
            return
        if worker.green is None or worker.green.dead:
            worker.green = greenlet(lambda: worker.body(worker), self._hub)
        try:
            worker.green.switch()
        except Crash:
            self._again(worker)

    def _kill(self, worker: Worker, what: str, inside: bool) -> None:
        """SIGKILL. Inside a transaction the database takes it back, which an exception does too; elsewhere the process just never goes on."""
        self.crashes += 1
        worker.crashes += 1
        self.tell(f"{worker.name} is killed at {what}")
        if inside:
            raise Crash
        self._gone.append(worker.green)
        self._again(worker)
        self._hub.switch()
        raise GreenletExit  # only when the world is over

    def _again(self, worker: Worker) -> None:
        worker.green = None
        for listener in self.on_death:
            listener(worker)
        self._push(self.at + timedelta(seconds=self.dice("restart").uniform(1, 40)), worker)

    def _push(self, at: datetime, what: "Worker | Callable[[], None]") -> None:
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, what))


class SimClock:
    """The world's clock as one worker sees it."""

    def __init__(self, kernel: Kernel, worker: Worker | None = None) -> None:
        self._kernel, self._worker = kernel, worker

    def now(self) -> datetime:
        """The present moment, by this worker's own clock."""
        if self._worker is None:
            return self._kernel.at
        return self._worker.onward(self._kernel.at + timedelta(seconds=self._worker.off_seconds), 1.0 + (self._kernel.at - BEGIN).total_seconds())

    def sleep(self, seconds: float) -> None:
        """Others go on meanwhile."""
        self._kernel.wait(seconds)
