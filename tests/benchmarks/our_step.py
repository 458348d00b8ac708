"""The whole step of inventory_delta_sync, as a process of its own so that its memory is its own.

    python -m tests.benchmarks.our_step prepare HOME ROWS     a house that has taken in and told the first statement
    python -m tests.benchmarks.our_step load HOME ROWS        the first run of all, in which every figure is new
    python -m tests.benchmarks.our_step step HOME ROWS        the second statement: read, contract, merge, decide, write what is owed. Prints JSON
"""

import json
import resource
import shutil
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import pandas as pd
import sqlalchemy as sa

from connectors.house import House, Profile
from connectors.kit.clock import ManualClock
from connectors.ledger.tables import stock_desired
from connectors.ledger.vault import new_master_key
from connectors.ports import STOCK_UPDATE
from connectors.snapshots.positions import changed_skus
from contracts.items import CatalogueItems
from contracts.mappings import TABLES
from contracts.stock import Locations, StockLevels
from tasks import inbound, mappings, stock, stock_send
from tasks.rules.mapping_tables import write_csv as table_csv
from tests.benchmarks.stock_world import AT, FACILITIES, SHOP, SITE, changed, locations, profile, statement, write_csv


class Shop:
    """A storefront that knows every SKU. Nothing is sent to it here: that is its quota's business."""

    name, account, kinds, quiet_seconds, verify_seconds, update_items_max = SHOP, SHOP, (STOCK_UPDATE,), 120.0, 60.0, 2000

    def catalogue(self, skus: list[str]) -> pd.DataFrame:
        """All of them."""
        return CatalogueItems.frame({"connection": SHOP, "sku": sku, "product_id": "1", "variant_id": "1", "name": "", "tracking": "product"} for sku in skus)

    def locations(self) -> pd.DataFrame:
        """One a facility."""
        return Locations.frame({"connection": SHOP, "location": str(n), "name": "", "is_active": True, "is_external": True} for n in range(FACILITIES))


class BenchHouse(House):
    """A house whose shop is in memory."""

    def storefront(self, name: str) -> Any:
        return Shop()


def opened(home: Path) -> BenchHouse:
    """The house, an hour later than the second statement."""
    return BenchHouse(Profile.model_validate(profile(home)), ManualClock(AT.replace(hour=10)))


def prepare(home: Path, rows: int) -> dict[str, Any]:
    """The first statement taken in; what it decides is written down as decided and told, without deciding it."""
    house, times = _new(home), {}
    _arrives(home, rows, 0)
    _timed(times, "take in", lambda: inbound.take_in(house, SITE))
    stock._count_sales(house, SHOP, True)
    with house.ledger.transaction() as tx:
        reading = stock._read(house, tx, SHOP)
        house.ledger.desired.set_mark(tx, SHOP, reading.positions, reading.rules_hash)
    first, now = statement(rows, 0), house.clock.now()
    common = {"connection": SHOP, "as_of": AT, "sequence": 0, "decided_at": now, "parts": {}, "is_owed": False, "halved": 0, "effect_id": "", "turn": 1,
              "withheld": "", "is_corrected": False, "sent_at": now}
    for start in range(0, rows, 50_000):
        some = first.slice(start, 50_000).to_pylist()
        with house.ledger.transaction() as tx:
            house.ledger.database.many(tx, sa.insert(stock_desired), stock_desired, [common | {
                "location": row["site"][1:], "sku": row["item"], "quantity": row["free"], "sent_quantity": row["free"]} for row in some])
    house.close()
    return {"rows": rows, "seconds": times, "memory_mb": _memory()}


def load(home: Path, rows: int) -> dict[str, Any]:
    """The first run of all: every figure is new."""
    house, times = _new(home), {}
    _arrives(home, rows, 0)
    _timed(times, "take in", lambda: inbound.take_in(house, SITE))
    decided = _timed(times, "decide", lambda: stock.decide(house, SHOP))
    assert decided.counts["changed"] == rows
    house.close()
    return {"rows": rows, "seconds": times, "memory_mb": _memory()}


def _new(home: Path) -> BenchHouse:
    shutil.rmtree(home, ignore_errors=True)
    (home / "partner" / "outbound").mkdir(parents=True)
    (home / "vault.key").write_text(new_master_key())
    house = opened(home)
    mappings.change_mapping(house, "stock_locations", table_csv("stock_locations", TABLES["stock_locations"].frame(locations())), "benchmark")
    return house


def step(home: Path, rows: int) -> dict[str, Any]:
    """What a run does with the second statement, but for the storefront's answers."""
    house, times = opened(home), {}
    _arrives(home, rows, 1)
    port = house.warehouse(SITE)
    house.ledger.table("stock_feed")  # what a running worker has open and imported already is not counted
    StockLevels.split(StockLevels.frame())
    (found,) = list(port.inbound())
    messages = _timed(times, "read", lambda: port.read(found))
    _timed(times, "contract, merge, enter", lambda: inbound._enter(house, SITE, found, messages, ""))
    port.file_away(found)
    decided = _timed(times, "decide, owe", lambda: stock.decide(house, SHOP))
    _timed(times, "group", lambda: _group(house))
    times["whole step"] = [round(sum(pair[n] for pair in times.values()), 3) for n in (0, 1)]
    memory = _memory()
    owed = house.ledger.table("effect")
    told = sum(len(payload["items"]) for payload in owed["payload"])
    assert decided.counts["changed"] == told == changed(rows), (decided.counts, told, changed(rows))
    with house.ledger.transaction() as tx:
        feeds = house.ledger.stock.feeds(tx, SITE)
    before = sorted(house.snapshots.kept("stock_positions", f"{SITE}--F0"))[0].path
    alone: dict[str, list[float]] = {}
    for _ in range(3):
        _timed(alone, "decision", lambda: changed_skus(house.snapshots, before.relative_to(house.snapshots.folder).as_posix(), feeds["F0"].positions))
    house.close()
    return {"rows": rows, "changed": told, "seconds": times, "decision alone": alone["decision"], "memory_mb": memory}


def _group(house: House) -> int:
    told = stock_send.Told()
    port = house.storefront(SHOP)
    places = stock_send._open_locations(house, port)
    with house.ledger.transaction() as tx:
        stock_send.settle(house, tx, SHOP, told)
        return stock_send._group(house, tx, port, places, 50)


def _arrives(home: Path, rows: int, number: int) -> None:
    write_csv(home / "partner" / "outbound" / f"stock{number}.csv", rows, number)


def _timed(times: dict[str, list[float]], name: str, act: Any) -> Any:
    """Wall-clock and processor seconds: on a busy machine only the second can be compared."""
    wall, processor = perf_counter(), process_time()
    found = act()
    took = [round(perf_counter() - wall, 3), round(process_time() - processor, 3)]
    times[name] = min(times.get(name, took), took, key=lambda pair: pair[1])
    return found


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    print(json.dumps({"prepare": prepare, "step": step, "load": load}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))))
