"""Keeps the worker alive: the serve process, in a group of its own with the flow runs that it starts."""

import logging
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from connectors.kit.clock import SystemClock
from deployments.process_group import ProcessGroup
from deployments.serve import Route

STOP_SECONDS = 15.0
WATCH_SECONDS = 0.5
# a worker that dies within a minute of its start, time after time (a broken profile), is not restarted in a circle
QUICK = timedelta(seconds=60)
QUICK_DEATHS_MAX = 5

_log = logging.getLogger("wharfinger.worker")


class Worker:
    """The sole worker of one Prefect server on this machine. Every start reaps first: what an earlier worker left is taken up at once."""

    def __init__(self, home: Path, environment: dict[str, str], routes: Sequence[Route] = (), options: Sequence[str] = ()) -> None:
        command = [sys.executable, "-m", "deployments.serve", "--sole-worker", *options]
        for route in routes:
            command += ["--route", f"{route.storefront}:{route.warehouse}"]
        self._group = ProcessGroup("worker", command, environment, home)
        self._lock, self._over, self._watcher = threading.RLock(), threading.Event(), None
        self._clock, self._started_at, self._quick_deaths = SystemClock(), None, 0
        self.restarts = 0

    @property
    def pid(self) -> int:
        """The serve process, which leads the group; 0 before the first start."""
        return self._group.pid

    @property
    def log(self) -> Path:
        """What the worker and its flow runs wrote."""
        return self._group.log

    def alive(self) -> bool:
        """True while the serve process runs."""
        return self._group.alive()

    def start(self) -> None:
        """Start the serve process, after ending one that an earlier owner left behind."""
        with self._lock:
            self._over.clear()
            self._started_at = self._clock.now()
            self._group.start()

    def kill(self) -> None:
        """SIGKILL to the serve process and to every flow run it started, as a power cut would do. `watch` restarts it."""
        with self._lock:
            self._group.kill()

    def restart(self) -> None:
        """Kill what is left of the group, then start anew. An orphan of a dead worker is not trusted to go on: its output is gone."""
        with self._lock:
            self._group.kill()
            self._started_at = self._clock.now()
            self._group.start()
            self.restarts += 1

    def watch(self) -> None:
        """From now on restart the worker whenever it dies, from a thread, until `stop`."""
        self._watcher = threading.Thread(target=self._keep_alive, name="worker watch", daemon=True)
        self._watcher.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it for good: politely, then with force."""
        self._over.set()
        if self._watcher:
            self._watcher.join()
            self._watcher = None
        with self._lock:
            self._group.stop(seconds)

    def __enter__(self) -> "Worker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _keep_alive(self) -> None:
        while not self._over.wait(WATCH_SECONDS):
            with self._lock:
                if self.alive() or self._over.is_set():
                    continue
                self._quick_deaths = self._quick_deaths + 1 if self._clock.now() - self._started_at < QUICK else 0
                if self._quick_deaths > QUICK_DEATHS_MAX:
                    tail = self._group.log_tail()
                    _log.error("the worker died %s times at its start; it stays down. The end of %s:\n%s", self._quick_deaths, self.log.name, tail)
                    return
                _log.warning("the worker died; it is started again, and what it left is taken up")
                self.restart()
