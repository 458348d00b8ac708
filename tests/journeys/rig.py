"""A whole small world in one process: shops, marketplaces, a warehouse's folders, and a house between them. Real ledger, real connectors.

The verbs are what happens: customers `order`, a run `sends_orders` or `tells_of_dispatches`, the `warehouse_works`, time `passes`.
An error that ends a run is kept in `errors`, as a scheduler would keep it, and the next run begins again.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pandas as pd
import sqlalchemy as sa

from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, AmazonSandbox
from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.gxo.profile import Profile as Partner
from connectors.gxo.sandbox import GxoSandbox
from connectors.house import House, read_profile
from connectors.kit.clock import ManualClock
from connectors.kit.errors import WharfingerError
from connectors.kit.exchange import Exchange
from connectors.kit.folder import LocalDisk
from connectors.kit.sandbox import Transport
from connectors.ledger.ledger import Ledger
from connectors.ledger.vault import new_master_key
from contracts.items import Items
from deployments import demo_checks
from deployments.demo_orders import Period
from deployments.demo_warehouse import PARTNER
from deployments.demo_world import EU_FACILITY, STOREFRONT, UK_FACILITY, WAREHOUSE, tables
from tasks import deliver, dispatches, inbound, mappings, orders, refunds, refunds_seen, returns, rmas, stock, stock_send, stock_watch

T = TypeVar("T")
PROFILE = Path(__file__).resolve().parents[2] / "deployments" / "profiles" / "demo" / "profile.toml"
QUIET, LEASE, BUSY_SECONDS = 120, 60, 0.3
TOKEN = "demo-token"
MARKET = "market-uk"
SKUS = ("HEART", "LANTERN", "MUG", "TRAY")
ADA = {"first_name": "Canary", "last_name": "Lovelace", "street_1": "1 Canary Row", "city": "Canaryton", "zip": "CN1 1CN", "country": "United Kingdom",
       "country_iso2": "GB", "phone": "07700900001", "email": "canary.ada@example.invalid", "shipping_method": "Royal Mail Tracked 48"}
BOB = {**ADA, "last_name": "Babbage", "street_1": "2 Canary Row", "email": "canary.bob@example.invalid"}
CANARIES = ("Canaryton", "Canary Row", "canary.", "Lovelace", "Babbage", "07700900", "CN1 1CN")


class Crash(BaseException):
    """The process is gone. Nothing in the product may catch it."""


class Watch:
    """Sees every call that leaves the house and every commit; `before` and `after` are asked about each and may raise."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.before: list[Callable[[str], None]] = []
        self.after: list[Callable[[str], None]] = []

    def around(self, what: str, act: Callable[[], T]) -> T:
        """One call out."""
        self.calls.append(what)
        self.ask(self.before, what)
        came = act()
        self.ask(self.after, what)
        return came

    def ask(self, listeners: list[Callable[[str], None]], what: str) -> None:
        """Each of them."""
        for listener in list(listeners):
            listener(what)

    def stop(self) -> None:
        """Nobody listens any more."""
        self.before.clear()
        self.after.clear()


class WatchedTransport(httpx.BaseTransport):
    """The way to a shop."""

    def __init__(self, inner: httpx.BaseTransport, watch: Watch) -> None:
        self._inner, self._watch = inner, watch

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        path = request.url.path
        return self._watch.around(f"{request.method} {path.partition('/v2')[2] or path.partition('/v3')[2] or path}", lambda: self._inner.handle_request(request))


class WatchedDisk(LocalDisk):
    """The way to the warehouse's folders."""

    def __init__(self, root: Path, watch: Watch) -> None:
        super().__init__(root)
        self._watch = watch

    def entries(self, folder: str, limit: int) -> Any:
        return self._watch.around(f"list {folder}", lambda: iter(list(LocalDisk.entries(self, folder, limit))))

    def entry(self, folder: str, name: str) -> Any:
        return self._watch.around(f"look {folder}/{name}", lambda: LocalDisk.entry(self, folder, name))

    def fetch(self, folder: str, name: str, limit: int) -> bytes:
        return self._watch.around(f"fetch {folder}/{name}", lambda: LocalDisk.fetch(self, folder, name, limit))

    def write(self, folder: str, name: str, body: bytes) -> None:
        self._watch.around(f"write {folder}/{name}", lambda: LocalDisk.write(self, folder, name, body))

    def rename(self, folder: str, name: str, to_folder: str, to_name: str) -> Any:
        return self._watch.around(f"rename {folder}/{name}", lambda: LocalDisk.rename(self, folder, name, to_folder, to_name))

    def remove(self, folder: str, name: str) -> None:
        self._watch.around(f"remove {folder}/{name}", lambda: LocalDisk.remove(self, folder, name))


class WatchedHouse(House):
    """A house whose ledger says when it commits, and that does not wait long for a lock."""

    watch: Watch

    @cached_property
    def _ledger(self) -> Ledger:
        profile = self.profile
        ledger = Ledger(profile.ledger.full_url, self.clock, profile.vault.key, profile.ledger.lease_seconds, busy_seconds=BUSY_SECONDS)
        sa.event.listen(ledger.database.engine, "commit", lambda _: self.watch.ask(self.watch.before, "commit"))
        sa.event.listen(ledger.database.engine, "checkin", lambda *_: self.watch.ask(self.watch.after, "commit"))
        return ledger


class OurClock:
    """The house's own clock, which may be wrong by `off_seconds`; nobody else's is."""

    def __init__(self, true: ManualClock) -> None:
        self._true, self.off_seconds = true, 0.0

    def now(self) -> datetime:
        """What it shows."""
        return self._true.now() + timedelta(seconds=self.off_seconds)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._true.sleep(seconds)


@dataclass
class Image:
    """What outlives a process that dies at this moment: the disk, the other systems, and the time."""

    files: dict[str, bytes]
    shops: dict[str, BigCommerceSandbox]
    markets: dict[str, AmazonSandbox]
    site: GxoSandbox
    at: datetime


class Rig:
    """The world. `accounts`: the shops' connection names. `markets`: the marketplaces' connection names, each with what its stand-in is given."""

    def __init__(self, home: Path, *, accounts: tuple[str, ...] = (STOREFRONT,), items: pd.DataFrame | None = None, kinds: dict[str, int] | None = None,
                 seed: int = 7, nastiness: str = "lenient", pick_seconds: float = 0, acknowledge_seconds: float = 0, partner: dict[str, Any] | None = None,
                 ledger_url: str = "", stock: dict[str, dict[str, int]] | None = None,
                 markets: dict[str, dict[str, Any]] | None = None) -> None:
        self.home, self.clock, self.watch, self.errors = home, ManualClock(), Watch(), []
        self.our_clock = OurClock(self.clock)
        self.began = self.clock.now()
        self.items = some_items() if items is None else items
        home.mkdir(parents=True, exist_ok=True)
        self.shops = {name: BigCommerceSandbox(self.clock, store_hash=f"hash{n}", token=TOKEN, quota=100_000) for n, name in enumerate(accounts)}
        self.markets = {name: AmazonSandbox(self.clock, **{"seller_id": f"A{n}RIG"} | given) for n, (name, given) in enumerate((markets or {}).items())}
        self.site = GxoSandbox(home / "partner", self.clock, Partner(**PARTNER | (partner or {})), set(self.items["sku"]), {UK_FACILITY, EU_FACILITY},
                               seed=seed, nastiness=nastiness, pick_seconds=pick_seconds, rest_seconds=1, acknowledge_seconds=acknowledge_seconds,
                               kinds=kinds or {"complete": 1}, stock=stock)
        if stock:
            self._sells_from(stock)
        self.publishes_items(self.items)
        for name, secret in (("vault.key", new_master_key()), ("bigcommerce.token", TOKEN), ("market.secret", CLIENT_SECRET), ("market.refresh", REFRESH_TOKEN)):
            (home / name).write_text(secret)
        tables_of_markets = "".join(_market(home, name, market) for name, market in self.markets.items())
        (home / "profile.toml").write_text(_profile(home, accounts, partner or {}, ledger_url) + tables_of_markets)
        self.house = self._opened()
        for table, csv in (_with_markets(tables_for(accounts), self.markets) | (_locations(accounts, stock) if stock else {})).items():
            mappings.change_mapping(self.house, table, csv, "set-up")

    def _sells_from(self, stock: dict[str, dict[str, int]]) -> None:
        """Every shop has a location for each facility, and counts the stock of every SKU."""
        for shop in self.shops.values():
            shop.add_products({"sku": sku, "name": sku, "inventory_tracking": "product"} for sku in sorted({sku for skus in stock.values() for sku in skus}))
            for number, facility in enumerate(list(stock)[1:], 2):
                shop.add_location(number, facility, is_external=True)

    @property
    def shop(self) -> BigCommerceSandbox:
        """The first shop."""
        return next(iter(self.shops.values()))

    @property
    def ledger(self) -> Ledger:
        """The house's."""
        return self.house.ledger

    def _opened(self) -> WatchedHouse:
        # a process of its own: what an earlier one had spent of a request budget is not in its memory
        self.our_clock, off_seconds = OurClock(self.clock), self.our_clock.off_seconds
        self.our_clock.off_seconds = off_seconds
        ways: dict[str, Any] = {name: WatchedTransport(Transport(shop, self.clock), self.watch) for name, shop in (self.shops | self.markets).items()}
        self.transports = dict(ways)
        ways[WAREHOUSE] = Exchange(WatchedDisk(self.home / "partner", self.watch), self.our_clock, 0)
        house = WatchedHouse(read_profile(self.home / "profile.toml"), self.our_clock, ways)
        house.watch = self.watch
        return house

    # what other people do

    def orders(self, *lines: tuple[str, int], to: Iterable[dict[str, str]] = (ADA,), shop: str = "", number: int = 0, **head: Any) -> int:
        """A customer orders: (sku, quantity), or (sku, quantity, {more about the line}). The order's id."""
        rows = [{"sku": line[0], "name": line[0], "quantity": line[1], "price": "2.55", "product_id": 1, **(line[2] if len(line) > 2 else {})} for line in lines]
        return (self.shops[shop] if shop else self.shop).place_order(rows, list(to), order_id=number, **{"status_id": 11, "currency": "GBP", **head})

    def customer_returns(self, order: int, *lines: tuple[str, int, str], reference: str | None = None, rma: str = "", tracking: str = "", facility: str = "") -> str:
        """A parcel comes back: (sku, units, grade) each. `reference`: what it names; left out, our own. The number of the warehouse's receipt."""
        ours = next((name for name, copies in self.site.books()["orders"].items() if copies[0]["storefront_order"] == str(order)), "")
        return self.site.receive_return(ours if reference is None else reference, list(lines), rma, facility, tracking)

    def passes(self, seconds: float) -> None:
        """Time."""
        self.clock.sleep(seconds)

    def warehouse_works(self) -> None:
        """It reads what came, answers, picks and ships."""
        self.site.step()

    def publishes_items(self, items: pd.DataFrame) -> None:
        """The warehouse's items file."""
        rows = [{"sku": row.sku, "description": row.description, "active": "yes" if row.is_active else "no", "unit": row.unit, "barcode": row.barcode,
                 "hs_code": row.hs_code, "origin": row.origin, "customs_value": "", "customs_currency": ""} for row in items.itertuples()]
        pd.DataFrame(rows).to_csv(self.home / "partner" / "items.csv", index=False)

    def market_orders(self, *lines: tuple[str, int], market: str = MARKET, to: dict[str, str] | None = None, **head: Any) -> str:
        """A customer orders at a marketplace, and the two minutes pass in which it does not tell. The order's id."""
        order = self.markets[market].place_order([{"sku": sku, "quantity": count, "price": "2.55"} for sku, count in lines], to, **head)
        self.passes(180)
        return order

    def packages(self, order: str, market: str = MARKET) -> list[dict[str, Any]]:
        """What the marketplace shows as shipped: {number, tracking_number, carrier, units: {line: quantity}}, by number."""
        shown = (one["shape"] for one in self.markets[market].books()["orders"][order]["packages"].values())
        return sorted(({"number": one["packageReferenceId"], "tracking_number": one["trackingNumber"], "carrier": one["carrier"],
                        "units": {item["orderItemId"]: item["quantity"] for item in one["packageItems"]}} for one in shown), key=lambda one: int(one["number"]))

    def status(self, order: str, market: str = MARKET) -> str:
        """Its status at the marketplace."""
        return self.markets[market].books()["orders"][order]["status"]

    # what the house does

    def reads_orders(self, shop: str = STOREFRONT) -> None:
        """Items, orders, plans; nothing is sent."""
        self._tries(lambda: mappings.refresh_items(self.house, WAREHOUSE))
        self._tries(lambda: orders.take_in_orders(self.house, shop)) and self._tries(lambda: orders.plan_owed(self.house, shop))

    def sends_orders(self, shop: str = STOREFRONT) -> None:
        """One run of orders-to-warehouse."""
        self.reads_orders(shop)
        self._delivers(self.house.warehouse(WAREHOUSE), dispatches.OF_REQUESTS)
        self._tries(lambda: dispatches.watch_acknowledgements(self.house, WAREHOUSE))

    def tells_of_dispatches(self, shop: str = STOREFRONT) -> None:
        """One run of dispatch-back."""
        if self._tries(lambda: inbound.take_in(self.house, WAREHOUSE)):
            self._delivers(self.house.warehouse(WAREHOUSE), dispatches.ANSWERS)
            self._tries(lambda: dispatches.release_held(self.house, shop))
            self._delivers(self.house.storefront(shop), dispatches.CONFIRMATIONS)
            self._tries(lambda: dispatches.read_back(self.house, shop)) and self._delivers(self.house.storefront(shop), dispatches.CONFIRMATIONS)

    def handles_returns(self, shop: str = STOREFRONT) -> None:
        """One run of returns."""
        storefront, warehouse = self.house.storefront(shop), self.house.warehouse(WAREHOUSE)
        if self._tries(lambda: inbound.take_in(self.house, WAREHOUSE)) and self._tries(lambda: returns.place_again(self.house, WAREHOUSE)):
            self._delivers(warehouse, dispatches.ANSWERS + rmas.NOTICES)
            if self._tries(lambda: refunds_seen.see_refunds(self.house, shop)) and self._tries(lambda: refunds.owe_refunds(self.house, shop)):
                self._delivers(storefront, refunds.REFUNDS)
                self._tries(lambda: refunds_seen.see_refunds(self.house, shop))

    def settles_returns(self, rounds: int = 40) -> "Rig":
        """Runs of returns, until nothing is owed, in doubt or undecided but on a desk."""
        self.heals()
        quiet, before = 0, []
        for _ in range(rounds):
            self.passes(QUIET + LEASE + 1)
            self.handles_returns()
            now = [(row.effect_id, row.state, pd.isna(row.verified_at)) for row in self.ledger.table("effect").itertuples()]
            open_still = [one for one in now if one[1] in ("PLANNED", "IN_FLIGHT", "UNKNOWN") or one[0].startswith("refund:") and one[1:] == ("CONFIRMED", True)]
            quiet, before = (0 if open_still or now != before else quiet + 1), now
            if quiet:
                return self
        raise AssertionError(f"returns never at rest: {[str(error) for error in self.errors[-3:]]}")

    def refunds(self, order: int) -> list[dict[str, Any]]:
        """What the shop's own books say was refunded of an order: {minor, lines: {line id: units}, is_declined}."""
        return [{"minor": int(refund["total_amount"] * 100), "lines": {item["item_id"]: item["quantity"] for item in refund["items"]},
                 "is_declined": all(payment["is_declined"] for payment in refund["payments"])}
                for refund in self.shop.books()["refunds"] if refund["order_id"] == order]

    def tells_of_stock(self, shop: str = STOREFRONT, sweep: bool = False) -> None:
        """One run of inventory-delta-sync."""
        if self._tries(lambda: inbound.take_in(self.house, WAREHOUSE)) and self._tries(lambda: orders.take_in_orders(self.house, shop)):
            if self._tries(lambda: stock.decide(self.house, shop, sweep)) and (not sweep or self._tries(lambda: stock_watch.look_at_shown(self.house, shop))):
                self._tries(lambda: self._sends_stock(shop))
        self._tries(lambda: stock_watch.watch_stock(self.house, WAREHOUSE))

    def _sends_stock(self, shop: str) -> None:
        away = stock_send.send_stock(self.house, shop, "rig").away
        if away:
            raise away

    def shown(self, location: int = 1) -> dict[str, int]:
        """On hand at a location, as the shop keeps it."""
        return {sku: figure["on_hand"] for sku, figure in sorted(self.shop.books()["stock"].get(location, {}).items())}

    def _tries(self, step: Callable[[], Any]) -> bool:
        try:
            step()
        except WharfingerError as error:
            self.errors.append(error)
            return False
        return True

    def _delivers(self, port: Any, kinds: tuple[str, ...]) -> None:
        for _ in range(50):
            with suppress(_Away):
                if self._tries(lambda: self._chunk(port, kinds)):
                    continue
            return
        raise AssertionError("it delivers for ever")

    def _chunk(self, port: Any, kinds: tuple[str, ...]) -> None:
        done = deliver.deliver(self.house, port, kinds, "rig", limit=5)
        if done.away:
            raise done.away
        if not done.worked:
            raise _Away

    # the whole

    def day(self) -> None:
        """Orders go out, are picked and shipped, and the customers are told."""
        for shop in (*self.shops, *self.markets):
            self.sends_orders(shop)
        self.passes(5)
        self.warehouse_works()
        self.passes(60)
        self.warehouse_works()
        for shop in (*self.shops, *self.markets):
            self.tells_of_dispatches(shop)

    def heals(self) -> None:
        """No fault strikes any more."""
        self.watch.stop()
        for faulty in (*self.shops.values(), *self.markets.values(), self.site):
            faulty.faults.clear()

    def drains(self, rounds: int = 30) -> "Rig":
        """Until nothing is owed, in doubt or to be picked."""
        self.heals()
        for _ in range(rounds):
            self.passes(QUIET + LEASE + 1)
            self.day()
            if self.is_at_rest():
                return self
        raise AssertionError(f"never at rest: {self.unfinished()}, {[str(error) for error in self.errors[-3:]]}")

    def is_at_rest(self) -> bool:
        """Nothing more will happen by itself."""
        return self.site.is_idle() and not self.unfinished() and not list((self.home / "partner" / self.site_profile.from_partner).glob("[a-z0-9]*.edi"))

    def unfinished(self) -> list[str]:
        """Effects that have not come to their end, or are not proven yet."""
        rows = self.ledger.table("effect").itertuples()
        return [f"{row.effect_id} {row.state}" for row in rows if row.state in ("PLANNED", "IN_FLIGHT", "UNKNOWN")
                or row.state == "CONFIRMED" and pd.isna(row.verified_at) and row.kind in ("fulfilment_request", "dispatch_confirmation")]

    def dies(self) -> None:
        """The process is gone, with all it had in memory; a new one opens the same house."""
        self.watch.stop()
        self.house.close()
        self.house = self._opened()

    def image(self) -> Image:
        """What a process that dies now leaves behind."""
        same = {id(self.clock): self.clock}
        files = {str(path.relative_to(self.home)): path.read_bytes() for path in self.home.rglob("*") if path.is_file() and not path.name.endswith("-shm")}
        return Image(files, deepcopy(self.shops, dict(same)), deepcopy(self.markets, dict(same)), deepcopy(self.site, dict(same)), self.clock.at)

    def goes_back_to(self, image: Image) -> None:
        """The world as it was then, and a new process."""
        self.watch.stop()
        self.house.close()
        same = {id(self.clock): self.clock}
        for part in self.home.iterdir():
            shutil.rmtree(part) if part.is_dir() else part.unlink()
        for name, body in image.files.items():
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_bytes(body)
        self.shops, self.markets = deepcopy(image.shops, dict(same)), deepcopy(image.markets, dict(same))
        self.site, self.clock.at = deepcopy(image.site, dict(same)), image.at
        for folder in (self.site_profile.to_partner, self.site_profile.from_partner, self.site_profile.archive, self.site_profile.partner_archive,
                       self.site_profile.partner_error):
            (self.home / "partner" / folder).mkdir(parents=True, exist_ok=True)
        self.errors = []
        self.house = self._opened()

    @property
    def site_profile(self) -> Partner:
        """The partner's folders by name."""
        return Partner(**PARTNER)

    # what is asked afterwards

    def books(self) -> demo_checks.Books:
        """What the shop and the warehouse wrote down."""
        return demo_checks.Books(self.shop.books(), self.site.books())

    def writes(self) -> tuple[int, int, int]:
        """Writes that reached the shop, files that reached the warehouse, e-mails to customers."""
        books = self.books()
        return len(books.storefront["writes"]), len(books.warehouse["received"]) + len(books.warehouse["unread"]), len(books.storefront["emails"])

    def violations(self, cancelled: Iterable[int] = (), apart: Iterable[int] = ()) -> list[str]:
        """What the demo's judge finds wrong. `apart`: orders of which the judge knows too little (two addresses, digital goods)."""
        found = demo_checks.check_all(self.house, self.books(), Period([]), set(cancelled))
        said = [f"{name}: {what}" for name, one in found.items() for what in one.violated]
        knows_too_little = [f"{name}: order {number}:" for number in apart for name in ("each_order_at_the_warehouse_once_or_held", "units_asked_equal_units_ordered")]
        return [what for what in said if not what.startswith(tuple(knows_too_little or ("\0",)))]

    def outcome(self) -> dict[str, Any]:
        """What came of it all, without times, serial numbers and the order of things."""
        books = self.books()
        at_warehouse = {reference: sorted((copy["state"], copy["facility"], copy["carrier"], copy["service"], sorted(_units(copy["lines"])),
                                           sorted(tuple(sorted(parcel["content"].items())) for parcel in copy["parcels"])) for copy in copies)
                        for reference, copies in books.warehouse["orders"].items()}
        shown = Counter((s["order_id"], tuple(sorted((i["order_product_id"], i["quantity"]) for i in s["items"]))) for s in books.storefront["shipments"])
        told = {number: order["status_id"] for number, order in books.storefront["orders"].items()}
        return {"warehouse": at_warehouse, "shipments": shown, "emails": len(books.storefront["emails"]), "status": told, "open": self.desk()}

    def desk(self, only_open: bool = True) -> list[tuple[str, str]]:
        """The exceptions: type and record."""
        return sorted((row.type, row.record) for row in self.ledger.exceptions.listed(only_open=only_open))

    def on_desk(self, kind: str) -> list[Any]:
        """The open exceptions of one type."""
        return [row for row in self.ledger.exceptions.listed() if row.type == kind]

    def at_warehouse(self, order: int) -> list[dict[str, Any]]:
        """The warehouse's copies of an order."""
        return [copy for copies in self.site.books()["orders"].values() for copy in copies if copy["storefront_order"] == str(order)]

    def shipments(self, order: int) -> list[dict[str, Any]]:
        """What the shop shows as shipped."""
        return [shipment for shipment in self.shop.books()["shipments"] if shipment["order_id"] == order]

    def units(self, order: int) -> dict[str, int]:
        """Units by SKU that the warehouse means to ship or has shipped."""
        sums: Counter[str] = Counter()
        for line in (line for copy in self.at_warehouse(order) if copy["state"] not in ("cancelled", "refused") for line in copy["lines"].values()):
            sums[line["sku"]] += line["quantity"]
        return dict(sums)

    def arrives(self, name: str, body: bytes) -> None:
        """A file in the folder that we read."""
        (self.home / "partner" / self.site_profile.from_partner / name).write_bytes(body)

    def waiting_files(self) -> dict[str, bytes]:
        """What lies ready for us and is not taken in yet."""
        folder = self.home / "partner" / self.site_profile.from_partner
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}

    def later(self, **by: float) -> datetime:
        """Now and some time."""
        return self.clock.now() + timedelta(**by)


class _Away(Exception):
    """Nothing more to do."""


def some_items(*more: str, without: str = "") -> pd.DataFrame:
    """A small item master."""
    return Items.frame({"warehouse": WAREHOUSE, "sku": sku, "description": sku.title(), "is_active": True, "unit": "EA", "barcode": "", "hs_code": "950590",
                        "origin": "CN", "customs_value_minor": 0, "customs_currency": ""} for sku in (*SKUS, *more) if sku != without)


def tables_for(accounts: tuple[str, ...] = (STOREFRONT,), mended: bool = False) -> dict[str, str]:
    """The demo's mapping tables, once for each shop."""
    found = {}
    for table, csv in tables(mended).items():
        header, *rows = csv.splitlines()
        of_all = [row.replace(STOREFRONT, account) for account in accounts for row in rows]
        found[table] = "\n".join([header, *dict.fromkeys(of_all)]) + "\n"
    return found


def _with_markets(tables_of_shops: dict[str, str], markets: Iterable[str]) -> dict[str, str]:
    """Marketplaces: their orders at home from one facility, to Europe from the other; their own service levels and names of carriers."""
    more: dict[str, list[str]] = {"routes": [], "ship_methods": [], "carriers": []}
    for name in markets:
        more["routes"] += [f"{name},*,GB,*,{WAREHOUSE},{UK_FACILITY}", f"{name},*,DE,*,{WAREHOUSE},{EU_FACILITY}", f"{name},*,US,*,{WAREHOUSE},{UK_FACILITY}"]
        more["ship_methods"] += [f"{name},STANDARD,{WAREHOUSE},RMLL,TRACKED 48", f"{name},NEXT_DAY,{WAREHOUSE},DPDL,NEXT DAY"]
        more["carriers"] += [f"{WAREHOUSE},RMLL,*,{name},Royal Mail,,", f"{WAREHOUSE},DPDL,*,{name},DPD,,"]
    return {table: csv + "".join(f"{row}\n" for row in more.get(table, ())) for table, csv in tables_of_shops.items()}


def _market(home: Path, name: str, market: AmazonSandbox) -> str:
    places = json.dumps(list(market.marketplaces))
    return f"""
[connections.{name}]
system = "amazon"
seller_id = "{market.seller_id}"
marketplace_ids = {places}
client_id = "{CLIENT_ID}"
client_secret = "file:{home}/market.secret"
refresh_token = "file:{home}/market.refresh"
base_url = "https://market.invalid"
login_url = "https://market.invalid"
page_size = 5
quiet_seconds = {QUIET}
verify_seconds = 60
wait_seconds_max = 900
"""


def _locations(accounts: tuple[str, ...], stock: dict[str, dict[str, int]]) -> dict[str, str]:
    rows = [f"{account},{number},{WAREHOUSE},{facility},100" for account in accounts for number, facility in enumerate(stock, 1)]
    return {"stock_locations": "\n".join(["connection,location,warehouse,facility,share_percent", *rows]) + "\n"}


def _units(lines: dict[str, dict[str, Any]]) -> Iterable[tuple[str, int, int]]:
    return ((line["sku"], line["quantity"], line["shipped"]) for line in lines.values())


def _profile(home: Path, accounts: tuple[str, ...], partner: dict[str, Any], ledger_url: str) -> str:
    text = PROFILE.read_text().replace("{bigcommerce}", "https://bigcommerce.invalid").replace("{home}", str(home))
    assert "cycles_seconds = 10\n" in text and "verify_seconds = 20\n" in text  # the demo's haste is not the journeys'
    text = text.replace("cycles_seconds = 10\n", "").replace("verify_seconds = 20\n", "verify_seconds = 60\n")
    assert "quiet_seconds = 3" in text and "lease_seconds = 60" in text
    text = text.replace("quiet_seconds = 3\n", f"quiet_seconds = {QUIET}\n").replace('store_hash = "demo"', 'store_hash = "hash0"\npage_size = 5')
    text = text.replace(f"sqlite:///{home}/ledger.db", ledger_url) if ledger_url else text
    for name, value in partner.items():
        text = text.replace('usage = "T"', f'usage = "T"\n{name} = {_toml(value)}')
    start = text.index(f"[connections.{STOREFRONT}]")
    table = text[start:text.index("[connections.gxo-uk]")]
    for number, account in list(enumerate(accounts))[1:]:
        text += "\n" + table.replace(STOREFRONT, account).replace("hash0", f"hash{number}").replace('"UK"', f'"{account[-2:].upper()}"')
    return text


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + "}"
    return json.dumps(value)
