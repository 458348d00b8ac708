"""An analyst's question to the published catalogue, answered by a process that can do nothing else (see locked.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa

from connectors.kit.errors import NotNow
from connectors.snapshots.errors import QueryRefused
from connectors.snapshots.frames import to_frame

LOCKED = Path(__file__).with_name("locked.py")
MEMORY = "512MB"
PROCESS_BYTES = 1_500_000_000  # address space: the interpreter and its libraries take a third of it
THREADS = 2
LONGEST_SQL = 100_000
LONGEST_REASON = 400
_ENVIRONMENT = ("SYSTEMROOT", "LD_LIBRARY_PATH")  # what a Python may need to start at all


def query(sql: str, path: Path, limit_rows: int = 10_000, seconds: float = 30.0) -> pd.DataFrame:
    """Answer one SELECT (or DESCRIBE, SHOW, SUMMARIZE) over the views of the catalogue at `path`; `SELECT * FROM dictionary` lists them.

    At most `limit_rows` rows; `frame.attrs["is_cut"]` says whether there were more. Times are UTC, whole numbers stay whole.
    Raises QueryRefused (anything else than reading the views, a mistake in the SQL, too much memory, longer than `seconds`)
    and NotNow when no catalogue has been published yet.
    """
    path = Path(path).absolute()
    if not path.is_file():
        raise NotNow("answering a query", "no catalogue has been published there yet", "Run publish_analytics first.")
    if len(sql) > LONGEST_SQL:
        raise QueryRefused("answering a query", f"it is longer than {LONGEST_SQL:,} characters")
    asked = {"sql": sql, "path": str(path), "limit_rows": limit_rows, "memory": MEMORY, "threads": THREADS, "process_bytes": PROCESS_BYTES}
    try:
        answer = subprocess.run([sys.executable, "-I", str(LOCKED)], input=json.dumps(asked).encode(), capture_output=True, timeout=seconds,
                                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}, cwd=path.parent)
    except subprocess.TimeoutExpired:
        raise QueryRefused("answering a query", f"it took longer than {seconds:g} seconds and was stopped", "Narrow it down.") from None
    if answer.returncode:
        raise QueryRefused("answering a query", _reason(answer))
    with pa.ipc.open_stream(answer.stdout) as stream:
        frame = to_frame(stream.read_all())
    is_cut = len(frame) > limit_rows
    frame = frame.head(limit_rows)
    frame.attrs["is_cut"] = is_cut
    return frame


def _reason(answer: subprocess.CompletedProcess[bytes]) -> str:
    """DuckDB's own words up to its advice on settings that cannot be changed here; a process that died has none."""
    said = answer.stderr.decode(errors="replace").split("\n\nPossible solutions")[0].strip()
    if answer.returncode != 3 or not said:
        return "the process that worked on it died, most likely because it wanted more memory than a query may use"
    return " ".join(said.split())[:LONGEST_REASON].rstrip(".")
