"""The sandbox's side of the exchange folders: what arrived, and writing with the file faults F22 to F26."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from connectors.gxo.profile import Profile
from connectors.kit.clock import Clock
from connectors.kit.sandbox import Faults

LATE = timedelta(seconds=45)
GROWS_EVERY = 20


def elements_of(body: bytes) -> list[list[str]]:
    """Segments as lists of elements: separators from the ISA, nothing else checked."""
    text = body.decode("latin-1").lstrip()
    if len(text) < 106:
        return []
    return [segment.strip("\r\n").split(text[3]) for segment in text.split(text[105]) if segment.strip("\r\n")]


def first_element(segments: list[list[str]], segment_id: str, element: int) -> str:
    """That element of the first such segment; '' when there is none."""
    return next((s[element] if element < len(s) else "" for s in segments if s[0] == segment_id), "")


class Shelf:
    """The partner's folders below `root`, by the names that the profile has for them."""

    def __init__(self, root: Path, profile: Profile, clock: Clock, faults: Faults) -> None:
        self._root, self._profile, self._clock, self._faults = root, profile, clock, faults
        self._later: list[tuple[datetime, str, bytes]] = []
        self.written: list[dict[str, str | int]] = []
        for name in (profile.to_partner, profile.from_partner, profile.archive, profile.partner_archive, profile.partner_error):
            (root / name).mkdir(parents=True, exist_ok=True)

    def arrived(self) -> list[tuple[str, bytes]]:
        """Whole files in the partner's inbound folder, in the order of their names; temporary ones are not looked at."""
        return [(name, (self._root / self._profile.to_partner / name).read_bytes()) for name in self.unread_names()]

    def unread_names(self) -> list[str]:
        """What lies there unread."""
        return sorted(entry.name for entry in os.scandir(self._root / self._profile.to_partner) if entry.is_file() and ".tmp" not in entry.name)

    def has_unread(self) -> bool:
        """True while something lies unread."""
        return bool(self.unread_names())

    def is_busy(self) -> bool:
        """True while a file is still to be finished."""
        return bool(self._later)

    def file(self, name: str, bad: bool = False) -> None:
        """Taken: to the archive, or to the error folder. The same name again gets a number."""
        folder = self._root / (self._profile.partner_error if bad else self._profile.partner_archive)
        target, again = folder / name, 1
        while target.exists():
            again += 1
            target = folder / f"{name}.{again}"
        (self._root / self._profile.to_partner / name).rename(target)

    def put(self, name: str, body: bytes, late_seconds: float = 0) -> None:
        """Publish a file for us, by way of a temporary name, now or so much later, unless a fault strikes."""
        if late_seconds:
            self.written.append({"file": name, "bytes": len(body), "fault": ""})
            self._later.append((self._clock.now() + timedelta(seconds=late_seconds), name, body))
            return
        fault, now = self._faults.strike(f"WRITE {name}"), self._clock.now()
        self.written.append({"file": name, "bytes": len(body), "fault": fault})
        if fault == "F22":
            (self._folder / name).write_bytes(body[:len(body) // 2])
            for seconds in range(GROWS_EVERY, self._faults.growing_seconds, GROWS_EVERY):
                self._later.append((now + timedelta(seconds=seconds), name, body[:len(body) // 2 + seconds]))
            self._later.append((now + timedelta(seconds=self._faults.growing_seconds), name, body))
        elif fault == "F23":
            (self._folder / f"cut_{name}").write_bytes(body[:len(body) * 2 // 3])
            self._later.append((now + LATE, name, body))
        elif fault == "F25":
            self._later.append((now + LATE, name, body))
        else:
            self._publish(name, body)
            if fault == "F24":
                self._publish(f"copy_of_{name}", body)
            elif fault == "F26":
                (self._folder / "..;rm -rf $HOME \u202e.edi").write_bytes(body)

    def finish(self) -> None:
        """Finish what a fault left half done or late."""
        due = [one for one in self._later if one[0] <= self._clock.now()]
        self._later = [one for one in self._later if one[0] > self._clock.now()]
        newest = {name: body for _, name, body in sorted(due, key=lambda one: one[0])}  # of one that grew, all of it: the machine may have been off meanwhile
        for name, body in reversed(newest.items()):
            self._publish(name, body)

    @property
    def _folder(self) -> Path:
        return self._root / self._profile.from_partner

    def _publish(self, name: str, body: bytes) -> None:
        part = self._folder / f"{name}.part"
        part.write_bytes(body)
        part.rename(self._folder / name)
