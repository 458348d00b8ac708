"""A process that does a step of the house's work and may be killed at any moment: by itself at a named point, or from outside at an instant.

Points are told of before and after every request, every step in the partner's folder, every statement, every commit and every rename in our home.
"""

import json
import os
import re
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from connectors.house import House, read_profile
from connectors.kit.errors import WharfingerError
from connectors.kit.exchange import Entry, Exchange
from connectors.kit.folder import LocalDisk
from deployments.demo_world import STOREFRONT, WAREHOUSE
from tests.kills.outside import Shared, SharedClock

DONE, ENDED_EARLY, BUG = 0, 1, 3


@dataclass
class Doom:
    """Die at the `times`-th time that the point `at` comes by; '' for never. victim: the process that is killed there, in place of ourselves."""

    at: str = ""
    times: int = 1
    victim: int = 0


@dataclass
class Points:
    """Tells where the process is, and ends it where it is doomed to."""

    shared: Shared
    doom: Doom = field(default_factory=Doom)
    seen: Counter = field(default_factory=Counter)

    def pass_by(self, what: str) -> None:
        """One point."""
        place = named(what)
        self.seen[place] += 1
        self.shared.place = place
        if place == self.doom.at and self.seen[place] == self.doom.times:
            with suppress(ProcessLookupError):
                os.kill(self.doom.victim or os.getpid(), signal.SIGKILL)

    def around(self, what: str, act: Callable[[], Any]) -> Any:
        """A call that leaves the process."""
        self.pass_by(f"before {what}")
        came = act()
        self.pass_by(f"after {what}")
        return came


def named(what: str) -> str:
    """The point's name: without numbers, hashes and the like, so that the same point has the same name in every run."""
    what = re.sub(r"(\.tmp\.)\S+", r"\1#", what)
    return re.sub(r"\d[\dA-Fa-f]*", "#", what)


class MortalTransport(httpx.BaseTransport):
    """The way to the shop's port."""

    def __init__(self, points: Points) -> None:
        self._inner, self._points = httpx.HTTPTransport(verify=False), points

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        path = request.url.path.partition("/stores/")[2].partition("/")[2]
        return self._points.around(f"{request.method} {path}", lambda: self._inner.handle_request(request))

    def close(self) -> None:
        """Hang up."""
        self._inner.close()


class MortalDisk(LocalDisk):
    """The way to the partner's folders."""

    def __init__(self, root: Path, points: Points) -> None:
        super().__init__(root)
        self._points = points

    def entries(self, folder: str, limit: int) -> Iterator[Entry]:
        """What lies there."""
        return self._points.around(f"list {folder}", lambda: iter(list(LocalDisk.entries(self, folder, limit))))

    def fetch(self, folder: str, name: str, limit: int) -> bytes:
        """A file."""
        return self._points.around(f"fetch {folder}/{name[:3]}", lambda: LocalDisk.fetch(self, folder, name, limit))

    def write(self, folder: str, name: str, body: bytes) -> None:
        """A new file."""
        self._points.around(f"write {folder}/{name[:3]}", lambda: LocalDisk.write(self, folder, name, body))

    def rename(self, folder: str, name: str, to_folder: str, to_name: str) -> Any:
        """Publishing, or filing away."""
        return self._points.around(f"rename {folder}/{name[:3]}", lambda: LocalDisk.rename(self, folder, name, to_folder, to_name))


class MortalHouse(House):
    """A house on the profile's own ledger and settings, whose every statement and commit is a point."""

    @classmethod
    def on(cls, home: Path, points: Points) -> "MortalHouse":
        """Opened in this process."""
        clock = SharedClock(points.shared)
        ways = {STOREFRONT: MortalTransport(points), WAREHOUSE: Exchange(MortalDisk(home / "partner", points), clock, 0)}
        house = cls(read_profile(home / "profile.toml"), clock, ways)
        engine = house.ledger.database.engine
        sa.event.listen(engine, "commit", lambda _: points.pass_by("before commit"))
        sa.event.listen(engine, "checkin", lambda *_: points.pass_by("after a transaction"))
        sa.event.listen(engine, "after_cursor_execute", lambda _c, _u, statement, *_: points.pass_by(f"within a transaction: {_gist(statement)}"))
        _listen_to_files(home, points)
        return house


def is_broken(house: House) -> str:
    """What the database says of itself after whatever befell the last one, and whether it runs on the ledger's real settings; '' when it is whole."""
    if house.ledger.database.is_postgres:
        return ""
    with house.ledger.transaction() as tx:
        said = [row[0] for row in tx.execute(sa.text("PRAGMA integrity_check"))] + [str(row) for row in tx.execute(sa.text("PRAGMA foreign_key_check"))]
        settings = [tx.execute(sa.text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    return "; ".join([one for one in said if one != "ok"] + ([] if settings == ["wal", 2] else [f"settings {settings}"]))


def _gist(statement: str) -> str:
    """'INSERT effect' of a statement: what it writes; reading is all one."""
    found = re.match(r"\s*(INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", statement)
    return f"{found[1].split()[0]} {found[2]}" if found else "reading"


def _listen_to_files(home: Path, points: Points) -> None:
    """Every file of our home that Python renames or removes is a point (snapshots, the catalogue)."""
    within = str(home / "analytics")

    def heard(event: str, given: tuple[Any, ...]) -> None:
        if event in ("os.rename", "os.remove") and str(given[0]).startswith(within):
            points.pass_by(f"before {event.removeprefix('os.')} in analytics")

    sys.addaudithook(heard)


class Child:
    """A forked process at one piece of work. `outcome` after `wait`: 0 done, 1 ended early by an error of ours, 3 a bug, negative: killed."""

    def __init__(self, home: Path, shared: Shared, work: Callable[[House], Any], doom: Doom | None = None, limit_bytes: int = 0) -> None:
        """limit_bytes: no file of it may grow beyond that."""
        self.outcome, self._letter = None, tempfile.TemporaryFile()  # without a name: it can be written whatever befalls the house's disk
        self.pid = os.fork()
        if not self.pid:
            os._exit(self._life(home, Points(shared, doom or Doom()), work, limit_bytes))

    @property
    def told(self) -> str:
        """What it left behind: what its work answered, its error, or its traceback."""
        return self._left().get("told", "")

    @property
    def points(self) -> dict[str, int]:
        """Which points a process that was not killed came by, and how often."""
        return self._left().get("points", {})

    def is_over(self) -> bool:
        """It ended, or was ended."""
        if self.outcome is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.outcome = os.waitstatus_to_exitcode(status) if pid else None
        return self.outcome is not None

    def wait(self) -> int:
        """Until it is over; how it ended."""
        if self.outcome is None:
            self.outcome = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.outcome

    def kill(self) -> int:
        """SIGKILL, now; how it ended (it may have been quicker)."""
        if self.outcome is None:  # not yet waited for, so its number is nobody else's
            os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def _left(self) -> dict[str, Any]:
        self._letter.seek(0)
        try:
            return json.loads(self._letter.read())
        except ValueError:  # killed before it wrote, or while it did
            return {}

    def _life(self, home: Path, points: Points, work: Callable[[House], Any], limit_bytes: int) -> int:
        told, end = "", BUG
        try:
            if limit_bytes:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
            end, told = _at_work(home, points, work)
        except BaseException:
            told = traceback.format_exc()
        with suppress(OSError):
            self._letter.write(json.dumps({"told": told, "points": points.seen if not limit_bytes else {}}).encode())
            self._letter.flush()
        return end


def _at_work(home: Path, points: Points, work: Callable[[House], Any]) -> tuple[int, str]:
    try:
        house = MortalHouse.on(home, points)
        if said := is_broken(house):
            return BUG, f"the database is broken: {said}"
        came = work(house)
        house.close()
    except WharfingerError as error:
        return ENDED_EARLY, f"{type(error).__name__}: {error}"
    return DONE, str(came or "")
