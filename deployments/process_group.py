"""A child process in a group of its own, with a log and a note of its id: it and its children end together, even when we did not end well."""

import json
import os
import signal
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

from connectors.kit.clock import SystemClock
from connectors.kit.errors import NotNow
from tasks.processes import group_lives, process_started_at

LOG_TAIL_BYTES = 4_000
EXIT_CHECK_SECONDS = 0.05
KILLED_SECONDS = 20.0
SAME_START = timedelta(seconds=3)  # the kernel's boot time, from which a start is reckoned, moves when the clock is set


class ProcessGroup:
    """Starts `command` under `home`: `<name>.log` is its log, `<name>.pid` tells the next start what to end first."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], home: Path) -> None:
        self.name, self.command, self.environment = name, command, environment
        self.log, self._note = home / f"{name}.log", home / f"{name}.pid"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the process, which is also its group's; 0 before the first start."""
        return self._child.pid if self._child else 0

    def alive(self) -> bool:
        """True while the process itself runs (its children may outlive it)."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it, after ending what an earlier owner left behind."""
        self.kill()
        self.end_leftover()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        started = process_started_at(self._child.pid) or SystemClock().now()
        self._note.write_text(json.dumps({"pid": self._child.pid, "started_at": started.isoformat()}))

    def stop(self, seconds: float) -> None:
        """Ask it to end (SIGTERM), wait at most `seconds`, then kill whatever is left of the group."""
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)
            self._wait(seconds)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the process and to all its children, also when the process itself is already gone."""
        if self._child is None:
            return
        _kill_group(self._child.pid)
        self._child.wait()
        self._child = None
        self._note.unlink(missing_ok=True)

    def end_leftover(self) -> None:
        """Our owner may have been killed: what it had started then still runs. The start time keeps us off a stranger that got its number."""
        try:
            note = json.loads(self._note.read_text())
        except (OSError, ValueError):
            return
        started = process_started_at(note["pid"])
        noted = datetime.fromisoformat(note["started_at"])
        if started is None or abs(started - noted) < SAME_START:  # gone: then the group can only be what it left
            _kill_group(note["pid"])
        self._note.unlink(missing_ok=True)

    def log_tail(self) -> str:
        """The last lines of the log, for an error text."""
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace") if self.log.exists() else ""

    def _wait(self, seconds: float) -> None:
        clock = SystemClock()
        for _ in range(int(seconds / EXIT_CHECK_SECONDS)):
            if not self.alive():
                return
            clock.sleep(EXIT_CHECK_SECONDS)


def _kill_group(group: int) -> None:
    """SIGKILL to all of it, and wait until it is gone: a process that frees much memory holds its port and its files for a moment longer.

    Raises NotNow when something of it does not end (it hangs in the kernel, on a disk that is away).
    """
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # all gone; or only zombies that are not ours (macOS says so)
        return
    clock = SystemClock()
    for _ in range(int(KILLED_SECONDS / EXIT_CHECK_SECONDS)):
        if not group_lives(group):
            return
        clock.sleep(EXIT_CHECK_SECONDS)
    raise NotNow(f"ending process group {group}", f"it was killed and still runs after {KILLED_SECONDS:.0f} s", "Look what it waits for.")
