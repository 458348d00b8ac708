"""`make benchmark`, its settlement part: a million rows read, attributed and written to DuckDB, against what others need merely to read the file.

    python -m tests.benchmarks.settlement_run [--rows N] [--peers PYTHON]
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.run import PEERS, ROOT, _json
from tests.benchmarks.settlement_world import total, write_settlement


def main() -> None:
    """Measure and print. Fails when two variants do not find the same rows and sum."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.settlement_run", description="Speed of reading a settlement file.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="amounts (default: %(default)s)")
    parser.add_argument("--peers", type=Path, default=PEERS, help="Python of the environment with the peers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        found, size = settlements(Path(folder), options.rows, options.peers)
    _print(options.rows, size, found)


def settlements(folder: Path, rows: int, peers: Path | None = PEERS) -> tuple[dict[str, dict[str, Any]], int]:
    """Each variant on the same file, in a process of its own; without `peers` only what our own environment has. And the file's size."""
    path = folder / "settlement.txt"
    write_settlement(path, rows)
    variants = {"duckdb": sys.executable, "ours": sys.executable, "ours, not written": sys.executable, "pandas": sys.executable}
    variants |= dict.fromkeys(("polars",), str(peers)) if peers and peers.exists() else {}
    command = [str(ROOT / "tests" / "benchmarks" / "settlement_peers.py")]
    found = {name: _json([python, *command, name, str(path), str(folder / "rows.duckdb")]) for name, python in variants.items()}
    assert {(one["rows"], one["cents"]) for one in found.values()} == {(rows, total(rows))}, found
    return found, path.stat().st_size


def _print(rows: int, size: int, found: dict[str, dict[str, Any]]) -> None:
    bare = found["duckdb"]["processor"]
    print(f"\nA settlement of {rows:,} rows ({size / 1e6:,.0f} MB): ours is read, attributed and written to DuckDB; the others merely read\n")
    print(f"{'variant':20}{'processor s':>12}{'wall s':>9}{'x DuckDB':>10}{'memory MB':>11}")
    for name, one in sorted(found.items(), key=lambda pair: pair[1]["processor"]):
        print(f"{name:20}{one['processor']:12.2f}{one['wall']:9.2f}{one['processor'] / bare:10.2f}{one['memory_mb']:11}")


if __name__ == "__main__":
    main()
