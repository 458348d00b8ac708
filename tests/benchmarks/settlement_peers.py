"""One way to take a settlement file, measured in a process of its own. Runs in the peers' environment or in ours.

    python tests/benchmarks/settlement_peers.py VARIANT SETTLEMENT.txt OUT.duckdb     prints JSON: seconds (wall, processor), memory, rows, the sum in cents
"""

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time


def ours(path: str, out: str) -> tuple[int, int]:
    """Read, added up, attributed, quantities counted once, written to DuckDB."""
    from connectors.amazon.settlements.across import read_together
    from connectors.snapshots.rows import write_rows

    found = read_together([(path, Path(path).read_bytes())])
    assert found.is_clean, found.findings
    write_rows(Path(out), "settlement_rows", (found.counted(file) for file in found.files))
    return found.files[0].rows.num_rows, found.files[0].heads[0].sum // 1_000_000


def ours_read(path: str, out: str) -> tuple[int, int]:
    """The same without writing."""
    from connectors.amazon.settlements.across import read_together

    found = read_together([(path, Path(path).read_bytes())])
    return found.files[0].rows.num_rows, found.files[0].heads[0].sum // 1_000_000


def duckdb_read(path: str, out: str) -> tuple[int, int]:
    """DuckDB merely reads the file, into a table in memory."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE rows AS FROM read_csv(?, delim = '\t', header = true, quote = '', all_varchar = true)", [path])
        return connection.sql("""SELECT count("amount"), sum(CAST("amount" AS DECIMAL(18, 2)) * 100)::BIGINT FROM rows""").fetchall()[0]


def polars_read(path: str, out: str) -> tuple[int, int]:
    """polars merely reads the file, into a frame."""
    import polars

    frame = polars.read_csv(path, separator="\t", quote_char=None, infer_schema=False)
    amounts = frame["amount"].drop_nulls()
    return len(amounts), int(amounts.str.replace(".", "", literal=True).cast(polars.Int64).sum())


def pandas_read(path: str, out: str) -> tuple[int, int]:
    """pandas merely reads the file, with its C parser."""
    import pandas

    frame = pandas.read_csv(path, sep="\t", quoting=3, dtype=str)
    amounts = frame["amount"].dropna()
    return len(amounts), int(amounts.str.replace(".", "", regex=False).astype("int64").sum())


VARIANTS: dict[str, Callable[[str, str], tuple[int, int]]] = {
    "ours": ours, "ours, not written": ours_read, "duckdb": duckdb_read, "polars": polars_read, "pandas": pandas_read}


def measured(variant: str, path: str, out: str, repeats: int = 3) -> dict[str, object]:
    """The best of some repeats, by processor time; each into a new file."""
    took = []
    for _ in range(repeats):
        if os.path.exists(out):
            os.remove(out)
        wall, processor = perf_counter(), process_time()
        rows, cents = VARIANTS[variant](path, out)
        took.append((round(process_time() - processor, 3), round(perf_counter() - wall, 3)))
    processor, wall = min(took)
    return {"variant": variant, "processor": processor, "wall": wall, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "rows": int(rows), "cents": int(cents)}


if __name__ == "__main__":
    print(json.dumps(measured(*sys.argv[1:4])))
