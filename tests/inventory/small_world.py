"""A shop and a site in memory around a real house: what the stock tests are about is between them, and a thousand statements take a second.

The site says frames, as a connector's `read` gives them; the shop keeps figures and can be told to fail. The journeys have the real sandboxes.
"""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from connectors.house import House, Profile
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument, InDoubt, Refused
from connectors.ledger.vault import new_master_key
from connectors.ports import STOCK_UPDATE, Effect, Inbound, Message, Receipt
from contracts.items import CatalogueItems
from contracts.mappings import TABLES
from contracts.stock import Locations, ShownStock, StockChanges, StockLevels
from tasks import inbound, stock, stock_send
from tasks.rules.mapping_tables import write_csv

SHOP, SITE, FACILITY, LOCATION = "bigcommerce-uk", "gxo-uk", "F1", "1"
AT = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
QUIET = 120.0


class Shop:
    """A storefront that shows what it is told. `fault`: asked before each update, may raise. late: updates that arrive when somebody says so."""

    name, account, kinds, quiet_seconds, verify_seconds, update_items_max = SHOP, SHOP, (STOCK_UPDATE,), QUIET, 60.0, 2000

    def __init__(self, clock: ManualClock, skus: set[str], untracked: set[str] = frozenset(), locations: tuple[str, ...] = (LOCATION,)) -> None:
        self.clock, self.skus, self.untracked, self.places = clock, set(skus), set(untracked), locations
        self.shown: dict[tuple[str, str], int] = {}
        self.updates: list[dict[str, Any]] = []
        self.fault: Callable[[dict[str, Any]], None] = lambda payload: None
        self.asked = 0

    def numbers(self, kind: str) -> str:
        return ""

    def prepare(self, effect: Effect) -> bytes:
        return b"{}"

    def send(self, effect: Effect) -> Receipt:
        self.fault(effect.payload)
        self.apply(effect.payload)
        return Receipt(f"tx{len(self.updates)}")

    def apply(self, payload: dict[str, Any]) -> None:
        """Take it, all or nothing."""
        odd = [item["sku"] for item in payload["items"] if item["sku"] not in self.skus]
        if odd:
            raise Refused("telling the shop its stock", "422: one of the items does not exist")
        self.updates.append(payload)
        self.shown |= {(payload["location"], item["sku"]): item["quantity"] for item in payload["items"]}

    def find(self, effect: Effect) -> Receipt | None:
        items, location = effect.payload["items"], effect.payload["location"]
        return Receipt("found") if all(self.shown.get((location, item["sku"])) == item["quantity"] for item in items) else None

    def orders(self, window: Any) -> Iterator[Any]:
        return iter(())

    def catalogue(self, skus: list[str]) -> pd.DataFrame:
        self.asked += len(skus)
        return CatalogueItems.frame({"connection": SHOP, "sku": sku, "product_id": "1", "variant_id": "1", "name": sku,
                                     "tracking": "none" if sku in self.untracked else "product"} for sku in skus if sku in self.skus)

    def locations(self) -> pd.DataFrame:
        return Locations.frame({"connection": SHOP, "location": one, "name": one, "is_active": True, "is_external": True} for one in self.places)

    def shown_stock(self, location: str, skus: list[str] | None = None) -> Iterator[pd.DataFrame]:
        rows = [{"connection": SHOP, "location": location, "sku": sku, "on_hand": units, "available": units, "safety_stock": 0, "is_tracked": True,
                 "seen_at": self.clock.now()} for (at, sku), units in sorted(self.shown.items()) if at == location and (skus is None or sku in skus)]
        for start in range(0, len(rows), 5):
            yield ShownStock.frame(rows[start:start + 5])


class Site:
    """A warehouse that has said these messages and not been listened to yet."""

    name, account, kinds, quiet_seconds, verify_seconds = SITE, SITE, (), QUIET, 60.0
    follows_changes = follows_cancels = acknowledges = announces_returns = False

    def __init__(self, basis: str = "available") -> None:
        self.stock_basis, self.silent_after_seconds = basis, {}
        self.files: dict[str, list[Message]] = {}

    def inbound(self) -> Iterator[Inbound]:
        yield from [Inbound(f"{SITE}:stock", name, name.encode()) for name in self.files]

    def read(self, inbound: Inbound) -> list[Message]:
        if inbound.body.decode() not in self.files:
            raise BadDocument("reading", "it is gone")
        return self.files[inbound.body.decode()]

    def refused_names(self) -> list[str]:
        return []

    def file_away(self, inbound: Inbound) -> None:
        self.said[inbound.name] = self.files.pop(inbound.name)

    said: dict[str, list[Message]] = {}


class SmallHouse(House):
    """A real ledger and real snapshots; a shop and a site in memory."""

    shops: dict[str, Shop]
    site: Site

    def storefront(self, name: str) -> Any:
        return self.shops[name]

    def warehouse(self, name: str) -> Any:
        return self.site


class World:
    """Everything a stock test needs. tables: mapping tables by name, as rows."""

    def __init__(self, home: Path, skus: str = "ABCD", basis: str = "available", url: str = "", **tables: list[dict[str, str]]) -> None:
        self.clock, self.home = ManualClock(AT + timedelta(hours=1)), home
        self.shop, self.site = Shop(self.clock, set(skus.split() if " " in skus else skus)), Site(basis)
        home.mkdir(parents=True, exist_ok=True)
        (home / "vault.key").write_text(new_master_key())
        shop, site = ({"system": name.split("-")[0]} for name in (SHOP, SITE))
        self.profile = Profile.model_validate({"home": home, "vault": {"key": f"file:{home}/vault.key"}, "connections": {SHOP: shop, SITE: site}}
                                              | ({"ledger": {"url": url}} if url else {}))
        self.open()
        self.rules(**({"stock_locations": [at()]} | tables))
        self._numbers = 0

    def open(self) -> None:
        """A new process."""
        self.house = SmallHouse(self.profile, self.clock)
        self.house.shops, self.house.site = {SHOP: self.shop}, self.site

    def dies(self) -> None:
        """The process is gone."""
        self.house.close()
        self.open()

    def rules(self, **tables: list[dict[str, str]]) -> None:
        """Mapping tables."""
        from tasks.mappings import change_mapping
        for name, rows in tables.items():
            change_mapping(self.house, name, write_csv(name, TABLES[name].frame(rows)), "test")

    def says(self, minutes: float = 0, whole: bool = False, facility: str = FACILITY, sequence: int = 0, name: str = "", **figures: int) -> str:
        """A statement of the site, true `minutes` after AT. The file's name."""
        as_of = AT + timedelta(minutes=minutes)
        frame = StockLevels.frame({"warehouse": SITE, "facility": facility, "sku": sku, "unit": "EA", "available": units, "on_hand": units, "on_hold": 0,
                                   "as_of": as_of, "sequence": sequence} for sku, units in figures.items())
        return self.brings(name, Message("", "stock_levels", stock_levels=frame, is_whole=whole))

    def changes(self, document: str, minutes: float, facility: str = FACILITY, name: str = "", sequence: int = 0, **changed: int) -> str:
        """A document of the site. The file's name."""
        frame = StockChanges.frame({"warehouse": SITE, "document_id": document, "line": line, "kind": "adjustment", "facility": facility, "sku": sku, "unit": "EA",
                                    "change": units, "reason": "", "reference": "", "occurred_at": AT + timedelta(minutes=minutes), "sequence": sequence}
                                   for line, (sku, units) in enumerate(changed.items(), 1))
        return self.brings(name, Message("", "stock_changes", stock_changes=frame))

    def brings(self, name: str, *messages: Message) -> str:
        """A file with these messages lies ready."""
        self._numbers += 1
        name = name or f"file {self._numbers}"
        self.site.files[name] = [Message(**vars(one) | {"key": f"{name}/{number}"}) for number, one in enumerate(messages)]
        return name

    def run(self, sweep: bool = False) -> stock_send.Told:
        """One run of inventory-delta-sync."""
        self.clock.sleep(1)
        self.counts = inbound.take_in(self.house, SITE)
        self.decided = stock.decide(self.house, SHOP, sweep)
        return stock_send.send_stock(self.house, SHOP, "run")

    def shows(self, location: str = LOCATION) -> dict[str, int]:
        """What the shop shows."""
        return {sku: units for (at, sku), units in sorted(self.shop.shown.items()) if at == location}

    def desk(self) -> list[tuple[str, str]]:
        """Open exceptions: type and record."""
        return sorted((row.type, row.record) for row in self.house.ledger.exceptions.listed())

    def positions(self) -> dict[str, dict[str, tuple]]:
        """The current positions by facility and SKU: (available, as of, sequence)."""
        from connectors.snapshots.positions import positions_of
        with self.house.ledger.transaction() as tx:
            feeds = self.house.ledger.stock.feeds(tx, SITE)
        return {facility: {row["sku"]: (row["available"], row["as_of"], row["sequence"]) for row in positions_of(self.house.snapshots, feed.positions)}
                for facility, feed in feeds.items()}

    def forget(self) -> None:
        """Take the folder away."""
        self.house.close()
        shutil.rmtree(self.home)


def at(location: str = LOCATION, facility: str = FACILITY, share: int = 100) -> dict[str, str]:
    """A row of stock_locations."""
    return {"connection": SHOP, "location": location, "warehouse": SITE, "facility": facility, "share_percent": str(share)}


def lost(payload: dict[str, Any]) -> None:
    """The answer never came; whether it was applied is the test's to say."""
    raise InDoubt("telling the shop its stock", "timed out")
