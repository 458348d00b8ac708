"""Is that process still there, and is it still the same one? Process ids are used again, in containers within minutes."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

PROC = Path("/proc")
# where the system cannot tell a start (no /proc): the process exists, and is taken for the one we knew
UNKNOWN_START = datetime(1970, 1, 1, tzinfo=UTC)


def group_lives(group: int) -> bool:
    """Does any process of this group still run? A zombie does not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # only what is not ours, or only zombies (macOS says so)
        return False
    if not PROC.is_dir():
        return True
    return any(_of_group(status, group) for status in PROC.glob("[0-9]*/stat"))


def _of_group(status: Path, group: int) -> bool:
    try:
        fields = status.read_text().rpartition(")")[2].split()
    except OSError:  # gone while we looked
        return False
    return int(fields[2]) == group and fields[0] not in ("Z", "X")


def process_started_at(pid: int) -> datetime | None:
    """When the process began, to about a second; None when it does not run. A zombie does not run: it only waits for its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # it exists, and is somebody else's
        pass
    try:
        # the name in brackets may hold spaces and brackets itself; what follows the last ')' are the fields from 3 (state) on
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        boot = next(int(line.split()[1]) for line in (PROC / "stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, StopIteration):
        return UNKNOWN_START
    if fields[0] in ("Z", "X"):
        return None
    return datetime.fromtimestamp(boot, UTC) + timedelta(seconds=int(fields[19]) / os.sysconf("SC_CLK_TCK"))
