"""`make benchmark`: the decision against its peers, and the whole step at two sizes. One run; ratios, memory, and that all found the same rows.

    python -m tests.benchmarks.run [--rows N] [--small N] [--peers PYTHON]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.stock_world import AT, SITE, changed, statement

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".wharfinger" / "peers" / "bin" / "python"


def main() -> None:
    """Measure and print. Fails when two variants do not find the same rows."""
    options = _options().parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        decision = decisions(Path(folder), options.rows, options.peers)
        _print_decisions(options.rows, decision)
        steps = [whole_step(Path(folder) / "home", rows) for rows in (options.small, options.rows)]
        _print_steps(steps)
        first = _json([sys.executable, "-m", "tests.benchmarks.our_step", "load", str(Path(folder) / "home"), str(options.small)])
        took = " + ".join(f"{name} {pair[1]:.1f}" for name, pair in first["seconds"].items())
        print(f"\nThe first run of all, {first['rows']:,} figures new: {took} processor seconds, {first['memory_mb']} MB")


def decisions(folder: Path, rows: int, peers: Path | None = PEERS) -> dict[str, dict[str, Any]]:
    """Each variant on the same two files; without `peers` only what our own environment has."""
    for number, name in enumerate(("before", "after")):
        pq.write_table(positions(rows, number), folder / f"{name}.parquet", compression="zstd")
    variants = {"duckdb": sys.executable, "ours": sys.executable, "pandas": sys.executable}
    variants |= dict.fromkeys(("polars", "datacompy", "pandas"), str(peers)) if peers and peers.exists() else {}
    found = {name: _json([python, str(ROOT / "tests" / "benchmarks" / "peers.py"), name, str(folder / "before.parquet"), str(folder / "after.parquet")])
             for name, python in variants.items()}
    assert {(one["changed"], one["which"]) for one in found.values()} == {(changed(rows), found["ours"]["which"])}, found
    return found


def positions(rows: int, number: int) -> pa.Table:
    """The statement as positions of one facility: the columns of a kept snapshot."""
    said = statement(rows, number)
    as_of = pa.scalar(AT.replace(hour=AT.hour + number), pa.timestamp("us", "UTC"))
    return pa.table({"warehouse": pa.repeat(SITE, rows), "facility": pa.repeat("F", rows), "sku": said["item"], "unit": said["uom"], "available": said["free"],
                     "on_hand": said["free"], "on_hold": pa.repeat(0, rows), "as_of": pa.repeat(as_of, rows), "sequence": pa.repeat(number, rows)})


def whole_step(home: Path, rows: int) -> dict[str, Any]:
    """The second statement of a house that has taken in and told the first, in a process of its own."""
    _json([sys.executable, "-m", "tests.benchmarks.our_step", "prepare", str(home), str(rows)])
    return _json([sys.executable, "-m", "tests.benchmarks.our_step", "step", str(home), str(rows)])


def _json(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[-5:])} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _print_decisions(rows: int, found: dict[str, dict[str, Any]]) -> None:
    bare = found["duckdb"]["processor"]
    print(f"\nWhich of {rows:,} SKU-locations changed ({found['ours']['changed']:,}); all variants agree\n")
    print(f"{'variant':12}{'processor s':>12}{'wall s':>9}{'x DuckDB':>10}{'memory MB':>11}")
    for name, one in sorted(found.items(), key=lambda pair: pair[1]["processor"]):
        print(f"{name:12}{one['processor']:12.2f}{one['wall']:9.2f}{one['processor'] / bare:10.2f}{one['memory_mb']:11}")


def _print_steps(steps: list[dict[str, Any]]) -> None:
    print("\nThe whole step: read the CSV, contract, merge, decide, write what is owed (seconds: wall / processor)\n")
    for name in steps[0]["seconds"]:
        print(f"{name:26}" + "".join(f"{one['seconds'][name][0]:10.2f} /{one['seconds'][name][1]:6.2f}" for one in steps))
    print(f"{'rows':26}" + "".join(f"{one['rows']:>18,}" for one in steps) + f"\n{'changed':26}" + "".join(f"{one['changed']:>18,}" for one in steps))
    print(f"{'memory MB':26}" + "".join(f"{one['memory_mb']:>18,}" for one in steps))
    small, large = (one["seconds"]["whole step"][1] for one in steps)
    print(f"rows x {steps[1]['rows'] / steps[0]['rows']:.1f}, cost x {large / small:.1f}")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run", description="Speed of the stock decision and of the whole step.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="SKU-locations (default: %(default)s)")
    parser.add_argument("--small", type=int, default=250_000, help="the smaller size, to see how cost grows (default: %(default)s)")
    parser.add_argument("--peers", type=Path, default=PEERS, help="Python of the environment with the peers")
    return parser


if __name__ == "__main__":
    main()
