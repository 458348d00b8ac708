"""Writing a file so that it is there whole or not at all: a temporary name, fsync, rename."""

import itertools
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.kit.clock import Clock

UNFINISHED = ".unfinished-"
LEFT_AFTER = timedelta(hours=6)  # nothing takes that long to write: older ones were left by a crash
_numbers = itertools.count()
_STAMP = "%Y%m%dT%H%M%S%fZ"


def stamp(at: datetime) -> str:
    """'20260115T090000000000Z': a moment as part of a file name."""
    return at.astimezone(UTC).strftime(_STAMP)


def unstamp(text: str) -> datetime:
    """The moment that `stamp` wrote. Raises ValueError."""
    return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)


def unfinished(folder: Path, clock: Clock, suffix: str = "") -> Path:
    """A temporary path in this folder that no other thread or process uses; readers skip names with this beginning."""
    return folder / f"{UNFINISHED}{stamp(clock.now())}-{os.getpid()}-{next(_numbers)}{suffix}"


def sweep(folder: Path, clock: Clock) -> None:
    """Remove what a crash left unfinished long ago."""
    for path in folder.glob(f"{UNFINISHED}*"):
        try:
            began = unstamp(path.name.removeprefix(UNFINISHED).split("-")[0])
        except ValueError:
            continue
        if began < clock.now() - LEFT_AFTER:
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or folder, there or not."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def settle(path: Path) -> None:
    """What is in this file (or folder) survives a power cut."""
    if os.name != "posix" and path.is_dir():
        return  # Windows opens no folder; its renames are journalled
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
