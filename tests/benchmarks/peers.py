"""One way to find the rows that changed between two statements, measured in a process of its own. Runs in the peers' environment or in ours.

    python tests/benchmarks/peers.py VARIANT BEFORE.parquet AFTER.parquet     prints JSON: seconds (wall, processor), memory, how many, and which (a hash)
"""

import hashlib
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

FIGURES = ("unit", "available", "on_hand", "on_hold")
REPEATS = 3


def ours(before: str, after: str) -> list[str]:
    """What inventory_delta_sync asks: every figure compared, the kept files as they are."""
    from connectors.kit.clock import ManualClock
    from connectors.snapshots.positions import changed_skus
    from connectors.snapshots.snapshots import Snapshots

    snapshots = Snapshots(Path(before).parent, ManualClock())
    return changed_skus(snapshots, str(Path(before).absolute()), str(Path(after).absolute()))


def duckdb_bare(before: str, after: str) -> list[str]:
    """DuckDB's join of the two files and nothing else."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET VARIABLE a = ?", [before])
        connection.execute("SET VARIABLE b = ?", [after])
        found = connection.sql("SELECT coalesce(a.sku, b.sku) AS sku FROM read_parquet(getvariable('a')) a FULL JOIN read_parquet(getvariable('b')) b ON a.sku = b.sku "
                               "WHERE a.available IS DISTINCT FROM b.available")
        return found.to_arrow_table().column("sku").to_pylist()


def pandas_merge(before: str, after: str) -> list[str]:
    """pandas: an outer merge."""
    import pandas

    columns = ["sku", *FIGURES]
    both = pandas.read_parquet(before, columns=columns).merge(pandas.read_parquet(after, columns=columns), on="sku", how="outer", suffixes=("_a", "_b"), indicator=True)
    differs = both["_merge"] != "both"
    for name in FIGURES:
        differs |= both[f"{name}_a"] != both[f"{name}_b"]
    return both.loc[differs, "sku"].tolist()


def polars_join(before: str, after: str) -> list[str]:
    """polars: a lazy full join."""
    import polars

    a, b = (polars.scan_parquet(path).select("sku", *FIGURES) for path in (before, after))
    differs = polars.any_horizontal(polars.col(name).ne_missing(polars.col(f"{name}_right")) for name in FIGURES)
    return a.join(b, on="sku", how="full", coalesce=True).filter(differs).select("sku").collect()["sku"].to_list()


def datacompy_compare(before: str, after: str) -> list[str]:
    """datacompy: its comparison of two frames by a join column."""
    import datacompy
    import pandas

    columns = ["sku", *FIGURES]
    compare = getattr(datacompy, "PandasCompare", None) or datacompy.Compare
    found = compare(pandas.read_parquet(before, columns=columns), pandas.read_parquet(after, columns=columns), join_columns="sku", cast_column_names_lower=False)
    return [*found.all_mismatch()["sku"].tolist(), *found.df1_unq_rows["sku"].tolist(), *found.df2_unq_rows["sku"].tolist()]


VARIANTS: dict[str, Callable[[str, str], list[str]]] = {
    "ours": ours, "duckdb": duckdb_bare, "pandas": pandas_merge, "polars": polars_join, "datacompy": datacompy_compare}


def measured(variant: str, before: str, after: str, repeats: int = REPEATS) -> dict[str, object]:
    """The best of some repeats, by processor time."""
    took = []
    for _ in range(repeats):
        wall, processor = perf_counter(), process_time()
        found = VARIANTS[variant](before, after)
        took.append((round(process_time() - processor, 3), round(perf_counter() - wall, 3)))
    processor, wall = min(took)
    return {"variant": variant, "processor": processor, "wall": wall, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "changed": len(found),
            "which": hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()[:16]}


if __name__ == "__main__":
    print(json.dumps(measured(*sys.argv[1:4])))
