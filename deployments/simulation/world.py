"""One simulated world: a BigCommerce account, a GXO site, one ledger, and the flows' plain functions run by workers that meet and die.

The template of a ledger (tables, mappings, keys) is made once a process and kind of world, and copied for every world.
"""

import atexit
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.bigcommerce.sandbox_hooks import CLIENT_SECRET
from connectors.bigcommerce.wire import read_date
from connectors.gxo.profile import Profile as Partner
from connectors.gxo.sandbox import GxoSandbox
from connectors.house import House, Profile, read_profile
from connectors.kit.exchange import Exchange
from connectors.kit.folder import LocalDisk
from connectors.kit.sandbox import Transport
from connectors.ledger.effects import payload_hash
from connectors.ledger.ledger import Ledger
from connectors.ledger.vault import new_master_key
from connectors.snapshots.kinds import kind_of
from connectors.snapshots.snapshots import Kept, Snapshots
from contracts.items import Items
from deployments.demo_warehouse import PARTNER
from deployments.demo_world import EU_FACILITY, STOREFRONT, UK_FACILITY, WAREHOUSE, tables
from deployments.simulation import oracle_wire, watch
from deployments.simulation.faults import FEEDS, HTTP, LOCKED, WRITES, Effects, SandboxFaults, Weather
from deployments.simulation.kernel import Kernel, SimClock, Worker
from deployments.simulation.wire import SimDisk, SimTransport, Wire
from tasks import mappings
from tasks.restore import take_up_again

PROFILE = Path(__file__).resolve().parents[1] / "profiles" / "demo" / "profile.toml"
TOKEN, HASH, HOOK_SECRET = "demo-token", "hash0", "a-header-of-our-own"
HOOKS = 'client_secret = "file:{home}/client.secret"\nwebhook_secret = "file:{home}/hook.secret"\n'
QUIET, LEASE, SETTLE = 120.0, 60.0, 45.0
SKUS = ("HEART", "LANTERN", "MUG", "TRAY")
KITS = {"SET": {"MUG": 2, "LANTERN": 1}, "CRATE": {"TRAY": 6}}
LOCATION = "1"
ADDRESS = {"first_name": "Canary", "last_name": "Lovelace", "street_1": "1 Canary Row", "city": "Canaryton", "zip": "CN1 1CN", "country": "United Kingdom",
           "country_iso2": "GB", "phone": "07700900001", "email": "canary.ada@example.invalid", "shipping_method": "Royal Mail Tracked 48"}
CANARIES = (b"Canaryton", b"Canary Row", b"canary.ada", b"07700900001", b"Lovelace")
NASTINESS = ("strict", "lenient", "laggy", "amnesiac", "reordering")
PARCELS = {"complete": 15, "packages": 25, "unnumbered": 10, "partial": 30, "other carrier": 15, "repeated": 5}
KINDS = {"complete": 55, "packages": 12, "unnumbered": 9, "partial": 10, "other carrier": 9, "repeated": 5}  # where parcels are not the theme
REMEMBERS_AFTER = 600.0  # seconds after it was overdue
REFUNDED, REFUNDED_SHARE = 4, 0.25  # of the orders that are called off: a status of the shop
LIST_DELAY, LIST_DELAY_LAGGY = 20, 90  # seconds within which a change shows in the shop's list
QUOTA, QUOTA_STRICT = 100_000, 8  # requests in thirty seconds
WORTH = {"A": 100, "B": 50, "C": 0, "D": 100}  # percent that a grade is refunded; D only where the return was approved; of U nobody thought at first
REFUND_LIMIT = 900  # pence of one order; more needs a person's word
RULES = "connection,warehouse,grade,refund_percent,disposition,needs_rma\n" + "".join(
    f"{STOREFRONT},{WAREHOUSE},{grade},{WORTH[grade]},{kept},{'yes' if grade == 'D' else 'no'}\n" for grade, kept in zip("ABCD", ("restock", "keep apart", "scrap", "restock"), strict=True))


@dataclass(frozen=True)
class Variant:
    """What differs from world to world in mappings and partner profile. kept_back: rows of the safety stock, (SKU, rule, value)."""

    kept_back: tuple[tuple[str, str, str], ...]
    partner: str = ""  # TOML, into the partner's profile
    page_size: int = 5
    boxes: int = 2  # into how many a site packs what it packs apart, where it does: more than a page holds
    shares: tuple[int, int] = (100, 100)  # percent of the British and of the European facility's stock that the shop may sell


VARIANTS = (
    Variant((("*", "fixed", "2"), ("LANTERN", "velocity", "50"))),
    Variant((("*", "percent", "10"), ("HEART", "fixed", "5")), "accepts_changes = false\naccepts_cancels = false\n", page_size=3, boxes=4),
    Variant((("MUG", "percent", "25"),), "acknowledges = false\n", shares=(100, 60), page_size=2, boxes=3),
)


@dataclass(frozen=True)
class Template:
    """What every world of one variant begins with."""

    profile: Profile
    partner: dict[str, Any]
    ledger: bytes
    items: pd.DataFrame
    dialect: sa.Dialect  # with it, what one world's ledger had compiled serves the next one's
    compiled: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class More:
    """What a kind of world has beside the shop: text of its profile ({home} is filled in), secrets by file name, and its mapping tables made of the shop's."""

    profile: str
    secrets: tuple[tuple[str, str], ...]
    tables: Callable[[dict[str, str]], dict[str, str]]


@cache
def template(variant: Variant = VARIANTS[0], more: "More | None" = None) -> Template:
    """Made once a process: a ledger with its tables and mappings, as bytes."""
    home = Path(tempfile.mkdtemp(prefix="wharfinger-template-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name, secret in (("vault.key", new_master_key()), ("bigcommerce.token", TOKEN), ("client.secret", CLIENT_SECRET), ("hook.secret", HOOK_SECRET), *(more.secrets if more else ())):
        (home / name).write_text(secret)
    text = PROFILE.read_text().replace("{bigcommerce}", "https://bigcommerce.invalid").replace("{home}", str(home))
    for old, new in (("quiet_seconds = 3\n", f"quiet_seconds = {QUIET}\n"), ('store_hash = "demo"', f'store_hash = "{HASH}"\npage_size = {variant.page_size}\n{HOOKS}stock_page_size = 5\nupdate_items_max = 3'),
                     ("cycles_seconds = 10\n", ""), ("verify_seconds = 20\n", "verify_seconds = 300\n"),
                     ("refund_quiet_seconds = 6", f"refund_quiet_seconds = {QUIET}\nrefund_limit_minor = {REFUND_LIMIT}"),
                     ('system = "gxo"\n', 'system = "gxo"\nlost_skus_min = 1\n'),
                     (f'url = "sqlite:///{home}/ledger.db"', 'url = "sqlite://"'),  # in memory: a file's content says that it has a journal beside it
                     ('usage = "T"\n', 'usage = "T"\nreceipts = {sale_grades = ["A"]}\n' + variant.partner)):
        if old not in text:
            raise AssertionError(f"the demo's profile has no {old!r} any more")
        text = text.replace(old, new)
    (home / "profile.toml").write_text(text.replace("{home}", str(home)) + (more.profile.replace("{home}", str(home)) if more else ""))
    profile = read_profile(home / "profile.toml")
    house = House(profile)
    for table, csv in (more.tables if more else dict)({**tables(), **_tables(variant)}).items():
        mappings.change_mapping(house, table, csv, "set-up")
    content, dialect = house.ledger.database.content(), house.ledger.database.engine.dialect
    house.close()
    partner = dict(profile.connections[WAREHOUSE].options["partner"])
    return Template(profile, PARTNER | partner, content, _items(), dialect)


def _tables(variant: Variant) -> dict[str, str]:
    kits = [f"{STOREFRONT},{kit},{part},{count}" for kit, parts in KITS.items() for part, count in parts.items()]
    safety = [f"{STOREFRONT},{sku},{rule},{value}" for sku, rule, value in variant.kept_back]
    places = [f"{STOREFRONT},{LOCATION},{WAREHOUSE},{facility},{share}" for facility, share in zip((UK_FACILITY, EU_FACILITY), variant.shares, strict=True)]
    return {"kits": "\n".join(["connection,sku,component,quantity", *kits]) + "\n", "safety_stock": "\n".join(["connection,sku,rule,value", *safety]) + "\n",
            "stock_locations": "\n".join(["connection,location,warehouse,facility,share_percent", *places]) + "\n", "return_rules": RULES}


def _items() -> pd.DataFrame:
    return Items.frame({"warehouse": WAREHOUSE, "sku": sku, "description": sku.title(), "is_active": True, "unit": "EA", "barcode": "", "hs_code": "950590",
                        "origin": "CN", "customs_value_minor": 0, "customs_currency": ""} for sku in SKUS)


class SimSnapshots(Snapshots):
    """Positions of stock are real files, as figures are decided from them; what else is kept, is kept in mind for those who compare, or not at all."""

    kept_in_mind: dict[tuple[str, str], list[tuple[datetime, pd.DataFrame]]]

    def keep(self, kind: str, source: str, as_of: datetime, frame: pd.DataFrame, key: str) -> Path:
        """Nothing on the disk."""
        if kind in ("locations", "shown_stock"):
            self.kept_in_mind.setdefault((kind, source), []).append((as_of, frame))
        elif kind == "settlement_rows":
            self.kept_in_mind[kind, f"{source} {key}"] = [(as_of, frame)]
        return Path(key)

    def keyed(self, kind: str, source: str, key: str) -> pd.DataFrame:
        """What was kept under this key."""
        return self.latest(kind, f"{source} {key}")

    def latest(self, kind: str, source: str) -> pd.DataFrame:
        """The newest of it."""
        return max(self.kept_in_mind.get((kind, source), []), key=lambda kept: kept[0], default=(None, kind_of(kind).contract.frame()))[1]

    def as_of(self, kind: str, source: str, at: datetime) -> pd.DataFrame:
        """The newest that was true by then."""
        before = [kept for kept in self.kept_in_mind.get((kind, source), []) if kept[0] <= at]
        return max(before, key=lambda kept: kept[0], default=(None, kind_of(kind).contract.frame()))[1]

    def kept(self, kind: str, source: str) -> list[Kept]:
        """When it was true, and no file."""
        return [Kept(at, at, Path()) for at, _ in self.kept_in_mind.get((kind, source), [])]


class SimHouse(House):
    """One process's house: connections of its own, the world's one ledger and one folder of snapshots."""

    world: "World"

    @cached_property
    def _ledger(self) -> Ledger:
        return self.world.ledger

    @cached_property
    def snapshots(self) -> Any:
        """One folder for all processes."""
        opened = SimSnapshots(self.world.home / "analytics", self.clock)
        opened.kept_in_mind = self.world.kept_in_mind
        return opened


@dataclass
class World:
    """Everything of one seed. `open()` puts it up, `close()` takes it down."""

    kernel: Kernel
    weather: Weather
    themes: tuple[str, ...] = ()
    nastiness: str = "lenient"
    variant: Variant = VARIANTS[0]
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="wharfinger-sim-", dir=_fast())))
    cancelled: set[int] = field(default_factory=set)
    items_published: int = 0  # how often the site has written its file of items ...
    items_read: int = 0  # ... and as of which time somebody has read it to its end
    known_open: dict[str, int] = field(default_factory=dict)  # order -> its last change that the book had while it was open (watch.py)
    methods_changed: dict[int, int] = field(default_factory=dict)  # order -> the second in which its shipping method was changed
    split: set[int] = field(default_factory=set)  # orders that go to several addresses
    touched: set[int] = field(default_factory=set)  # changed at the shop in a way that concerns no picker
    streets: dict[int, list[tuple[int, str]]] = field(default_factory=dict)  # order -> where it goes, since which second
    planned_as_of: dict[str, int] = field(default_factory=dict)  # effect -> the order's change that the book knew when it was planned
    crossed: set[int] = field(default_factory=set)  # those of them that crossed a confirmation on its way
    edits: Counter[int] = field(default_factory=Counter)  # by order
    asked_again: Counter[int] = field(default_factory=Counter)  # by order: by a person, after the warehouse had refused it
    twice: dict[int, int] = field(default_factory=dict)  # order -> the second in which it was changed twice
    listed_since: set[str] = field(default_factory=set)  # processes that have asked for a list since
    doubted: dict[str, datetime] = field(default_factory=dict)  # effect -> since when nobody knows (watch.py)
    sends_since: dict[str, datetime] = field(default_factory=dict)  # process -> when it began to tell figures
    came_back: dict[str, int] = field(default_factory=dict)  # number of the receipt -> the order that it really is of
    kept_in_mind: dict[tuple[str, str], list[tuple[datetime, pd.DataFrame]]] = field(default_factory=dict)
    discounts: dict[int, str] = field(default_factory=dict)  # by order
    typed: dict[str, datetime] = field(default_factory=dict)  # SKU -> when somebody typed a figure in at the shop
    stock_witness: Any = None
    swept_at: datetime | None = None  # when the last sweep of all that the shop shows began that was carried through
    after_step: list[Any] = field(default_factory=list)  # asked after every step of the site
    answered: set[str] = field(default_factory=set)  # hints that a shop was told are kept
    slept: timedelta = timedelta(0)  # in a night (nights.py)
    was_restored: bool = False
    is_closed: bool = False  # nobody decides anything any more
    excused: set[str] = field(default_factory=set)  # records of effects sent between a backup and its restore, of which the restored ledger cannot know
    forgotten: dict[str, dict[str, Any]] = field(default_factory=dict)  # those effects
    quiet_seconds: float = QUIET
    slow_seconds: float = 0.0  # how much longer a round of its flows may take: a far side that is busy
    storefront: str = STOREFRONT  # whose orders this world is about
    kinds: dict[str, int] = field(default_factory=lambda: KINDS)  # how its site ships
    forgets_one_in: int = 3  # files that a site without memory never acknowledges
    said: list[str] = field(default_factory=list)  # every error and every line of a log
    location: str = LOCATION  # where it is told of its stock

    def has(self, theme: str) -> bool:
        """Is this world about it?"""
        return theme in self.themes

    def open(self) -> "World":
        """Sandboxes, ledger, houses."""
        made, self._seen, self.wire = self.template, {}, Wire(self)
        (self.home / "partner").mkdir()
        self.clock = SimClock(self.kernel)
        effects, dice, is_laggy = Effects(), self.kernel.dice("world"), self.nastiness == "laggy"
        self.shop = BigCommerceSandbox(self.clock, store_hash=HASH, token=TOKEN, quota=QUOTA_STRICT if self.nastiness == "strict" else QUOTA,
                                       list_delay_seconds=LIST_DELAY_LAGGY if is_laggy else LIST_DELAY, faults=SandboxFaults(self.weather, effects, QUIET - 30, HTTP),
                                       stock_delay_seconds=50 if is_laggy else 2, payment_seconds=90 if is_laggy else 5)
        self._way = Transport(self.shop, self.clock)  # one for all processes: what comes late (F4) comes on time, whoever called, and whoever has died since
        self._put_up(effects, dice)
        self.stock = self._stock(dice) if self.has("stock") else None
        self.partner = Partner(**made.partner)
        self.site = GxoSandbox(self.home / "partner", self.clock, self.partner, set(made.items["sku"]), {UK_FACILITY, EU_FACILITY},
                               seed=self.kernel.seed, nastiness="strict" if self.nastiness == "strict" else "lenient", stock=self.stock,
                               pick_seconds=600 if self.has("minds") else dice.choice((60, 60, 600)),
                               rest_seconds=420 if self.has("parcels") else self.kernel.dice("rests").choice((120, 420)), acknowledge_seconds=300 if is_laggy else 30,
                               kinds=PARCELS if self.has("parcels") else self.kinds, boxes_max=self.variant.boxes,
                               forgets_one_in=self.forgets_one_in if self.nastiness == "amnesiac" else 0,
                               advise_seconds=0 if self.has("stock") else self.kernel.dice("advice").choice((0, 0, 400)),  # meanwhile minds change
                               faults=SandboxFaults(self.weather, effects, 45, (*WRITES, *FEEDS)))
        self.site.dock.leaves_out_empty = self.kernel.dice("site habits").random() < 0.5
        self.site.remembers_after = timedelta(seconds=self.partner.acknowledgement_seconds + REMEMBERS_AFTER)
        self.publish_items()
        self._ids = 0
        self.ledger = Ledger("sqlite://", self.clock, made.profile.vault.key, LEASE, self._next_id, content=made.ledger)
        engine = self.ledger.database.engine
        engine.dialect = made.dialect
        engine.update_execution_options(compiled_cache=made.compiled)
        with engine.connect() as connection:
            self._raw = connection.connection.driver_connection
        watch.begin(self._raw)
        sa.event.listen(engine, "begin", self._begins)
        sa.event.listen(engine, "commit", self._commits)
        self.kernel.on_death.append(self.wire.dies)
        self.kernel.on_death.append(lambda worker: self.wire.orders_heard.pop(worker.name, None))
        return self

    def house(self, worker: Worker | None = None) -> House:
        """A process of its own on the same ledger: its clients, its clock. Without a worker: one that the world itself uses, and nothing strikes."""
        clock = SimClock(self.kernel, worker)
        disk = LocalDisk(self.home / "partner") if worker is None else SimDisk(self.home / "partner", self, worker)
        ways: dict[str, Any] = {WAREHOUSE: Exchange(disk, clock, SETTLE)} | ({STOREFRONT: self._way} if worker is None else {
            STOREFRONT: SimTransport(self._way, self, worker), **self._ways(worker)})
        opened = SimHouse(self.template.profile, clock, ways)
        opened.world = self
        return opened

    @property
    def shares(self) -> tuple[int, int]:
        """Percent of the stock of each facility, in the order of their names, that its storefront may sell."""
        return self.variant.shares

    @property
    def template(self) -> Template:
        """What it began with."""
        return template(self.variant)

    def _put_up(self, effects: Effects, dice: Any) -> None:
        """More far sides, before the warehouse."""

    def _ways(self, worker: Worker) -> dict[str, Any]:
        """More ways out of a process."""
        return {}

    def cancels(self, number: int) -> None:
        """A customer cancels. What of a parcel is under way at this moment may come after it, and nobody can call it back."""
        if self.look("SELECT 1 FROM effect WHERE record = ? AND kind = 'dispatch_confirmation' AND state IN ('IN_FLIGHT', 'UNKNOWN')", str(number)):
            self.crossed.add(number)
        if self.kernel.dice("called off").random() < REFUNDED_SHARE:
            self.shop.edit_order(number, status_id=REFUNDED)  # the shop's staff gives the money back: nothing is to leave any more
        else:
            self.shop.cancel_order(number)
        self.cancelled.add(number)
        self.kernel.tell(f"the customer cancels order {number}")

    def moves(self, number: int, street: str) -> None:
        """From now on the order goes there."""
        self.streets.setdefault(number, []).append((self.shop.changed_at(number), street))

    def first_seen(self, folder: str, name: str) -> datetime:
        """When a file was first looked at: the disk's own times would differ from run to run."""
        return self._seen.setdefault((folder, name), self.kernel.at)

    def publish_items(self, without: str = "") -> None:
        """The site's file of items anew; without: one that is not active yet."""
        items = self.template.items
        _publish_items(self.home / "partner", items.assign(is_active=items["is_active"] & (items["sku"] != without)))
        self.items_published += 1

    def forget_what_was_told(self) -> None:
        """After a restore, what was sent is only known to the far sides."""
        self.wire.found += self.stock_witness.forgets()
        self.wire.forgets(self.forgotten)

    def close(self) -> None:
        """Nothing of it stays."""
        self.kernel.stop()
        self.ledger.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def restore(self, content: bytes) -> None:
        """An older backup of the ledger is put in its place, by the procedure of connectors/ledger/README.md."""
        self.was_restored, self.items_read = True, 0
        self.wire.outcomes.forget()
        watch.end(self._raw)
        self.ledger.database.load(content)
        watch.begin(self._raw)
        take_up_again(self.house(), 1_000, 100)
        watch.judge(self, self._raw)

    # what the witnesses ask

    def look(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the ledger as they stand at this moment, whoever is in the middle of what."""
        cursor = self._raw.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def is_of(self, kind: str, row: dict[str, Any]) -> bool:
        """Is this effect of the kind that a call carries? A 940 carries requests, changes and cancels."""
        return row["kind"] == kind or kind == "fulfilment_request" and row["kind"] in ("fulfilment_change", "fulfilment_cancel")

    def says_the_same(self, kind: str, row: dict[str, Any], told: Any) -> bool:
        """Does the call say what its intent says, and is the intent what it was when it was planned?"""
        payload = json.loads(row["payload"])
        if payload_hash(payload) != row["payload_hash"]:
            return False
        if isinstance(told, str):
            return f"_{row['number']:09}." in told
        body = json.loads(told)
        if kind == "dispatch_confirmation":
            lines = sorted((line["line_id"], line["quantity"]) for line in payload["lines"])
            return body["tracking_number"] == payload["tracking_number"] and lines == sorted((str(i["order_product_id"]), i["quantity"]) for i in body["items"])
        if kind == "refund":
            return sorted((line["line_id"], line["quantity"]) for line in payload["lines"]) == sorted((str(i["item_id"]), i["quantity"]) for i in body["items"])
        if kind == "stock_update":
            return sorted(item["quantity"] for item in payload["items"]) == sorted(item["quantity"] for item in body["items"])
        return True

    def about(self, kind: str, row: dict[str, Any]) -> str:
        """What a read-back of this effect asks for: the order; for stock, anything of it."""
        return "" if kind == "stock_update" else str(row["record"])

    @property
    def orders_feed(self) -> str:
        """The watermark of its orders."""
        return f"{self.storefront} orders"

    @cached_property
    def overlap_seconds(self) -> float:
        """How far behind the watermark of its orders the next list begins."""
        return self.template.profile.connections[self.storefront].overlap_seconds

    def changes_now(self) -> dict[Any, datetime | int]:
        """{order: its last change}, as the far side has it."""
        return {number: self.shop.changed_at(number) for number in self.shop.lines_now}

    def may_leave(self, row: dict[str, Any]) -> list[tuple[str, str]]:
        """What is wrong with this effect's leaving now."""
        return [*oracle_wire.is_not_taken_there(self, row), *oracle_wire.leaves_too_early(self, row, KITS)]

    def passes_a_watermark(self, feed: str, reached: str) -> list[tuple[str, str]]:
        """What is wrong with this watermark of another feed than the orders'."""
        return []

    def known_orders(self) -> dict[int, int]:
        """{order: its change that the book knows, in seconds}."""
        return {int(row["order_id"]): self.second(row["modified_at"]) for row in self.look("SELECT order_id, modified_at FROM order_book")}

    def second(self, moment: str) -> int:
        """A moment as the ledger keeps it, in whole seconds."""
        return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())

    def text(self, moment: datetime) -> str:
        """A moment as the ledger keeps it."""
        return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")

    def changed_at(self, text: str) -> int:
        """A moment as the shop writes it."""
        return int(read_date(text).timestamp())

    def part(self, folder: str, name: str) -> bytes:
        """What lies there at this moment."""
        path = self.home / "partner" / folder / name
        return path.read_bytes() if path.is_file() else b""

    def _stock(self, dice: Any) -> dict[str, dict[str, int]]:
        """What lies at the site, and the shop's catalogue; of some SKU there is too little."""
        self.shop.add_products({"sku": sku, "name": sku, "inventory_tracking": "product"} for sku in (*SKUS, *KITS))
        short = dice.choice((*SKUS, "", ""))
        return {facility: {sku: dice.randint(0, 3) if sku == short else dice.randint(25, 60) for sku in SKUS} for facility in (UK_FACILITY, EU_FACILITY)}

    def _next_id(self) -> str:
        self._ids += 1
        return f"exception-{self._ids:06}"

    def _begins(self, _: Any) -> None:
        if self.kernel.current is not None and self.weather.strike((LOCKED,), "begin", "ledger", True):
            raise sa.exc.OperationalError("BEGIN", {}, sqlite3.OperationalError("database is locked"))

    def _commits(self, _: Any) -> None:
        self.wire.found += watch.judge(self, self._raw)
        self.kernel.point("commits", may_wait=False)


def _publish_items(root: Path, items: pd.DataFrame) -> None:
    rows = [{"sku": row.sku, "description": row.description, "active": "yes" if row.is_active else "no", "unit": row.unit, "barcode": row.barcode,
             "hs_code": row.hs_code, "origin": row.origin, "customs_value": "", "customs_currency": ""} for row in items.itertuples()]
    pd.DataFrame(rows).to_csv(root / "items.csv", index=False)


def _fast() -> str | None:
    """Memory, where the machine has a disk of it."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
