"""A merchant with as many SKU-locations as you like: two statements of its warehouse as CSV files, and a house that has taken in the first.

Made by formula, so that every run and every library gets the same bytes; what changed between the two is known without any of them.
"""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

FACILITIES = 4
CHANGED_ONE_IN = 50
AT = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
SHOP, SITE = "shop", "site"


def statement(rows: int, number: int) -> pa.Table:
    """The statement's rows: 0 is the first, 1 the second, in which every fiftieth SKU has four units less or more."""
    at = pa.array(range(rows), pa.int64())
    facility, sku = pc.divide(pc.multiply(at, FACILITIES), rows), at
    units = pc.add(pc.subtract(pc.multiply(at, 7919), pc.multiply(pc.divide(pc.multiply(at, 7919), 997), 997)), 10)
    if number:
        is_changed = pc.equal(pc.subtract(at, pc.multiply(pc.divide(at, CHANGED_ONE_IN), CHANGED_ONE_IN)), 7)
        units = pc.if_else(is_changed, pc.subtract(units, 4), units)
    return pa.table({"site": pc.binary_join_element_wise("F", pc.cast(facility, pa.string()), ""), "item": pc.binary_join_element_wise("SKU", pc.cast(sku, pa.string()), ""),
                     "uom": pa.repeat("EA", rows), "free": units, "counted": pa.repeat((AT + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M"), rows)})


def changed(rows: int) -> int:
    """How many SKU-locations differ between the two statements."""
    return len(range(7, rows, CHANGED_ONE_IN))


def write_csv(path: Path, rows: int, number: int) -> None:
    """The statement as the partner's CSV, with its trailer."""
    with path.open("wb") as file:
        arrow_csv.write_csv(statement(rows, number), file, arrow_csv.WriteOptions(quoting_style="none"))
        file.write(f"END,{rows}\n".encode())


def profile(home: Path) -> dict[str, Any]:
    """A house with a CSV partner."""
    layout = {"columns": {"facility": "site", "sku": "item", "unit": "uom", "available": "free", "as_of": "counted"}, "date_format": "%Y-%m-%dT%H:%M", "trailer": "END",
              "is_whole": True, "rows_max": 5_000_000, "bytes_max": 200_000_000}
    return {"home": home, "vault": {"key": f"file:{home}/vault.key"}, "connections": {
        SHOP: {"system": "bigcommerce"},
        SITE: {"system": "gxo", "files": {"kind": "folder", "path": str(home / "partner"), "settle_seconds": 0, "max_bytes": 200_000_000},
               "partner": {"our_id": "WHARFINGER", "partner_id": "SITE", "usage": "T", "csv_stock": layout}}}}


def locations() -> Iterable[dict[str, str]]:
    """Rows of stock_locations: a location a facility."""
    return ({"connection": SHOP, "location": str(n), "warehouse": SITE, "facility": f"F{n}", "share_percent": "100"} for n in range(FACILITIES))


if __name__ == "__main__":
    write_csv(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
