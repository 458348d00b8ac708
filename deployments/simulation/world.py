"""One simulated world: a BigCommerce account, a GXO site, one ledger, and the flows' plain functions run by workers that meet and die.

The template of a ledger (tables, mappings, keys) is made once a process and copied for every world.
"""

import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import httpx
import pandas as pd
import sqlalchemy as sa

from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.gxo.profile import Profile as Partner
from connectors.gxo.sandbox import GxoSandbox
from connectors.house import House, Profile, read_profile
from connectors.kit.errors import InDoubt, NotNow, WharfingerError
from connectors.kit.exchange import Entry, Exchange
from connectors.kit.folder import LocalDisk
from connectors.kit.sandbox import Transport
from connectors.ledger.ledger import Ledger
from connectors.ledger.vault import new_master_key
from contracts.items import Items
from deployments.demo_warehouse import PARTNER
from deployments.demo_world import EU_FACILITY, STOREFRONT, UK_FACILITY, WAREHOUSE, tables
from deployments.simulation.faults import HTTP, LOCKED, WRITES, Effects, SandboxFaults, Weather
from deployments.simulation.kernel import Kernel, SimClock, Worker
from tasks import mappings

PROFILE = Path(__file__).resolve().parents[1] / "profiles" / "demo" / "profile.toml"
TOKEN, HASH = "demo-token", "hash0"
QUIET, LEASE, SETTLE = 120.0, 60.0, 45.0
SKUS = ("HEART", "LANTERN", "MUG", "TRAY")
ADDRESS = {"first_name": "Canary", "last_name": "Lovelace", "street_1": "1 Canary Row", "city": "Canaryton", "zip": "CN1 1CN", "country": "United Kingdom",
           "country_iso2": "GB", "phone": "07700900001", "email": "canary.ada@example.invalid", "shipping_method": "Royal Mail Tracked 48"}
NASTINESS = ("strict", "lenient", "laggy", "amnesiac", "reordering")


class SimTransport(httpx.BaseTransport):
    """The way to a sandbox: a point before and after each request."""

    def __init__(self, inner: httpx.BaseTransport, kernel: Kernel, worker: Worker) -> None:
        self._inner, self._kernel, self._worker = inner, kernel, worker

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        what = f"{request.method} {request.url.path.partition('/stores/')[2].partition('/')[2] or request.url.path}"
        self._kernel.point(f"asks {what}")
        try:
            came = self._inner.handle_request(request)
        except httpx.TimeoutException:
            self._kernel.tell(f"{self._worker.name} has no answer to {what}")
            self._kernel.wait(10.0)
            raise
        self._kernel.point(f"hears {came.status_code} to {what}")
        return came


class SimDisk(LocalDisk):
    """The way to the partner's folders: a point before and after each step that changes something, and the faults of files."""

    def __init__(self, root: Path, world: "World", worker: Worker) -> None:
        super().__init__(root)
        self._world, self._worker = world, worker

    def entries(self, folder: str, limit: int) -> Iterator[Entry]:
        """What lies there, dated by the world's clock: when it was first seen."""
        self._strike("F1", f"list {folder}", NotNow)
        found = sorted(LocalDisk.entries(self, folder, limit), key=lambda entry: entry.name)
        return iter([entry._replace(modified_at=self._world.first_seen(folder, entry.name)) for entry in found])

    def write(self, folder: str, name: str, body: bytes) -> None:
        """A new file."""
        self._world.kernel.point(f"writes {folder}/{name}")
        self._strike("F19", f"write {folder}", NotNow)
        LocalDisk.write(self, folder, name, body)

    def rename(self, folder: str, name: str, to_folder: str, to_name: str) -> Literal["done", "taken", "gone"]:
        """Publishing, or filing away."""
        self._world.kernel.point(f"renames {folder}/{to_name}")
        came = LocalDisk.rename(self, folder, name, to_folder, to_name)
        self._strike("F3", f"rename {folder}", InDoubt)
        self._world.kernel.point(f"has renamed {folder}/{to_name}")
        return came

    def _strike(self, fault: str, what: str, error: type[WharfingerError]) -> None:
        effect = "read files" if what.startswith("list") else "fulfilment_request" if "in" in what.split()[-1] else "filing away"
        if self._world.weather.strike((fault,), what, effect, not effect.startswith("read")):
            raise error(what, f"simulated {fault}")


class NoSnapshots:
    """Snapshots are files of their own, written after the ledger's commit and never read by a flow that decides: left out of the worlds."""

    def keep(self, kind: str, source: str, as_of: datetime, frame: pd.DataFrame, key: str) -> Path:
        """Nothing is kept."""
        return Path(key)


class SimHouse(House):
    """One process's house: connections of its own, the world's one ledger."""

    ledger_of_the_world: Ledger

    @cached_property
    def _ledger(self) -> Ledger:
        return self.ledger_of_the_world

    @cached_property
    def snapshots(self) -> Any:
        """None are kept."""
        return NoSnapshots()


@dataclass(frozen=True)
class Template:
    """What every world begins with."""

    profile: Profile
    ledger: bytes
    items: pd.DataFrame


@cache
def template() -> Template:
    """Made once a process: a ledger with its tables and mappings, as bytes."""
    home = Path(tempfile.mkdtemp(prefix="wharfinger-template-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name, secret in (("vault.key", new_master_key()), ("bigcommerce.token", TOKEN)):
        (home / name).write_text(secret)
    text = PROFILE.read_text().replace("{bigcommerce}", "https://bigcommerce.invalid").replace("{home}", str(home))
    text = text.replace("quiet_seconds = 3\n", f"quiet_seconds = {QUIET}\n").replace('store_hash = "demo"', f'store_hash = "{HASH}"\npage_size = 5')
    text = text.replace(f'url = "sqlite:///{home}/ledger.db"', 'url = "sqlite://"')  # in memory: a file's content says that it has a journal beside it
    (home / "profile.toml").write_text(text)
    profile = read_profile(home / "profile.toml")
    house = House(profile)
    for table, csv in {**tables(), "kits": KITS}.items():
        mappings.change_mapping(house, table, csv, "set-up")
    content = house.ledger.database.content()
    house.close()
    return Template(profile, content, _items())


KITS = f"connection,sku,component,quantity\n{STOREFRONT},SET,MUG,2\n{STOREFRONT},SET,LANTERN,1\n"


def _items() -> pd.DataFrame:
    return Items.frame({"warehouse": WAREHOUSE, "sku": sku, "description": sku.title(), "is_active": True, "unit": "EA", "barcode": "", "hs_code": "950590",
                        "origin": "CN", "customs_value_minor": 0, "customs_currency": ""} for sku in SKUS)


@dataclass
class World:
    """Everything of one seed. `open()` puts it up, `close()` takes it down."""

    kernel: Kernel
    weather: Weather
    nastiness: str = "lenient"
    partner: dict[str, Any] = field(default_factory=dict)
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="wharfinger-sim-", dir=_fast())))
    cancelled: set[int] = field(default_factory=set)

    def open(self) -> "World":
        """Sandboxes, ledger, houses."""
        made, self._seen = template(), {}
        (self.home / "partner").mkdir()
        self.clock = SimClock(self.kernel)
        effects = Effects()
        self.shop = BigCommerceSandbox(self.clock, store_hash=HASH, token=TOKEN, quota=100_000, faults=SandboxFaults(self.weather, effects, QUIET - 30, HTTP))
        self.site = GxoSandbox(self.home / "partner", self.clock, Partner(**PARTNER | self.partner), set(made.items["sku"]), {UK_FACILITY, EU_FACILITY},
                               seed=self.kernel.seed, nastiness="lenient" if self.nastiness != "strict" else "strict", pick_seconds=60, rest_seconds=120,
                               acknowledge_seconds=30, faults=SandboxFaults(self.weather, effects, 45, WRITES))
        _publish_items(self.home / "partner", made.items)
        self._ids = 0
        self.ledger = Ledger("sqlite://", self.clock, made.profile.vault.key, LEASE, self._next_id, content=made.ledger)
        engine = self.ledger.database.engine
        sa.event.listen(engine, "begin", self._begins)
        sa.event.listen(engine, "commit", lambda _: self.kernel.point("commits", may_wait=False))
        return self

    def house(self, worker: Worker) -> House:
        """A process of its own on the same ledger: its clients, its clock."""
        clock = SimClock(self.kernel, worker)
        ways = {STOREFRONT: SimTransport(Transport(self.shop, self.clock), self.kernel, worker),
                WAREHOUSE: Exchange(SimDisk(self.home / "partner", self, worker), clock, SETTLE)}
        opened = SimHouse(template().profile, clock, ways)
        opened.ledger_of_the_world = self.ledger
        return opened

    def first_seen(self, folder: str, name: str) -> datetime:
        """When a file was first looked at: the disk's own times would differ from run to run."""
        return self._seen.setdefault((folder, name), self.kernel.at)

    def close(self) -> None:
        """Nothing of it stays."""
        self.kernel.stop()
        self.ledger.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def _next_id(self) -> str:
        self._ids += 1
        return f"exception-{self._ids:06}"

    def _begins(self, _: Any) -> None:
        if self.kernel.current is not None and self.weather.strike((LOCKED,), "begin", "ledger", True):
            raise sa.exc.OperationalError("BEGIN", {}, sqlite3.OperationalError("database is locked"))


def _publish_items(root: Path, items: pd.DataFrame) -> None:
    rows = [{"sku": row.sku, "description": row.description, "active": "yes" if row.is_active else "no", "unit": row.unit, "barcode": row.barcode,
             "hs_code": row.hs_code, "origin": row.origin, "customs_value": "", "customs_currency": ""} for row in items.itertuples()]
    pd.DataFrame(rows).to_csv(root / "items.csv", index=False)


def _fast() -> str | None:
    """Memory, where the machine has a disk of it."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
