"""A shop, a warehouse and a house in one process, for notebooks: real connectors against stand-ins, on a clock that only moves when it is told to.

Nothing leaves the machine. The customers are invented.
"""

import tempfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.gxo.profile import Profile as Partner
from connectors.gxo.sandbox import GxoSandbox
from connectors.house import House, read_profile
from connectors.kit.clock import ManualClock
from connectors.kit.exchange import Exchange
from connectors.kit.folder import LocalDisk
from connectors.kit.sandbox import Transport
from connectors.ledger.vault import new_master_key
from deployments.demo_orders import DemoOrder, generated, period
from deployments.demo_warehouse import PARTNER
from deployments.demo_world import EU_FACILITY, STOREFRONT, UK_FACILITY, WAREHOUSE, address_of, catalogue, channel_of, item_master, tables
from tasks import analytics, deliver, dispatches, drift, drift_stock, feeds, inbound, mappings, orders, reconciliation, refunds, refunds_seen, returns, stock, stock_send

PROFILE = Path(__file__).with_name("profiles") / "demo" / "profile.toml"
TOKEN, HOLDER, ROUNDS_MAX = "notebook-token", "notebook", 50
LOCATION = "1"
RULES = {"stock_locations": f"connection,location,warehouse,facility,share_percent\n{STOREFRONT},{LOCATION},{WAREHOUSE},{UK_FACILITY},100\n",
         "return_rules": f"connection,warehouse,grade,refund_percent,disposition,needs_rma\n*,{WAREHOUSE},A,100,restock,no\n*,{WAREHOUSE},B,50,keep apart,no\n",
         "safety_stock": f"connection,sku,rule,value\n{STOREFRONT},*,fixed,2\n"}


class SmallWorld:
    """`customers` are the demo's orders. What people do: `orders_come`, `passes`, `works`; what the house does: the flows' own functions on `house`."""

    def __init__(self, home: Path | None = None, orders_a_day: int = 24, days: int = 1, seed: int = 3, units: int = 60) -> None:
        self.home = Path(home or tempfile.mkdtemp(prefix="wharfinger-notebook-"))
        self.home.mkdir(parents=True, exist_ok=True)
        self.clock, self.customers = ManualClock(), period(generated(days, orders_a_day, seed)).orders
        self.began = self.clock.now()
        items = item_master(self.customers)
        self.shop = BigCommerceSandbox(self.clock, store_hash="demo", token=TOKEN, quota=100_000)
        self.shop.add_products(catalogue(self.customers))
        self.site = GxoSandbox(self.home / "partner", self.clock, Partner(**PARTNER), set(items["sku"]), {UK_FACILITY, EU_FACILITY}, seed=seed, nastiness="lenient",
                               pick_seconds=1800, rest_seconds=1, kinds={"complete": 5, "packages": 1, "partial": 1},
                               stock={UK_FACILITY: dict.fromkeys(items["sku"], units), EU_FACILITY: dict.fromkeys(items["sku"], units)})
        self._publish_items(items)
        self.house = self._open()
        for table, csv in (tables(mended=True) | RULES).items():
            mappings.change_mapping(self.house, table, csv, "set-up")

    def _publish_items(self, items: pd.DataFrame) -> None:
        rows = items.assign(active=["yes" if active else "no" for active in items["is_active"]], customs_value="")
        rows[["sku", "description", "active", "unit", "barcode", "hs_code", "origin", "customs_value", "customs_currency"]].to_csv(self.home / "partner" / "items.csv", index=False)

    def _open(self) -> House:
        for name, secret in (("vault.key", new_master_key()), ("bigcommerce.token", TOKEN)):
            (self.home / name).write_text(secret)
        text = PROFILE.read_text().replace("{bigcommerce}", "https://bigcommerce.invalid").replace("{home}", self.home.as_posix())
        (self.home / "profile.toml").write_text(text)
        ways = {STOREFRONT: Transport(self.shop, self.clock), WAREHOUSE: Exchange(LocalDisk(self.home / "partner"), self.clock, 0)}
        return House(read_profile(self.home / "profile.toml"), self.clock, ways)

    # what other people do

    def orders_come(self, placed: Iterable[DemoOrder]) -> list[int]:
        """Customers order; the shop's order ids."""
        return [self.shop.place_order(
            [{"sku": line.sku, "name": line.name or line.sku, "quantity": line.quantity, "price": str(line.price), "product_id": 1} for line in order.lines],
            [address_of(order)], channel_id=int(channel_of(order.country)), status_id=11, external_order_id=order.invoice, currency="GBP") for order in placed]

    def passes(self, **by: float) -> datetime:
        """Time: hours=1, minutes=5 …"""
        self.clock.sleep(timedelta(**by).total_seconds())
        return self.clock.now()

    def works(self, states: bool = True) -> None:
        """The warehouse reads what came, answers, picks and ships; then it states its stock."""
        self.site.step()
        if states:
            self.site.state_stock()

    # what the house does, each as its flow does it

    def sends_orders(self) -> None:
        """orders-to-warehouse."""
        mappings.refresh_items(self.house, WAREHOUSE)
        orders.take_in_orders(self.house, STOREFRONT)
        orders.plan_owed(self.house, STOREFRONT)
        self.delivers(self.house.warehouse(WAREHOUSE), dispatches.OF_REQUESTS)

    def tells_of_dispatches(self) -> None:
        """dispatch-back."""
        inbound.take_in(self.house, WAREHOUSE)
        self.delivers(self.house.warehouse(WAREHOUSE), dispatches.ANSWERS)
        dispatches.release_held(self.house, STOREFRONT)
        self.delivers(self.house.storefront(STOREFRONT), dispatches.CONFIRMATIONS)
        dispatches.read_back(self.house, STOREFRONT)
        self.delivers(self.house.storefront(STOREFRONT), dispatches.CONFIRMATIONS)

    def tells_of_stock(self) -> None:
        """inventory-delta-sync."""
        inbound.take_in(self.house, WAREHOUSE)
        stock.decide(self.house, STOREFRONT)
        stock_send.send_stock(self.house, STOREFRONT, HOLDER)

    def handles_returns(self) -> None:
        """returns."""
        inbound.take_in(self.house, WAREHOUSE)
        returns.place_again(self.house, WAREHOUSE)
        refunds_seen.see_refunds(self.house, STOREFRONT)
        refunds.owe_refunds(self.house, STOREFRONT)
        self.delivers(self.house.storefront(STOREFRONT), refunds.REFUNDS)
        refunds_seen.see_refunds(self.house, STOREFRONT)

    def watches(self) -> None:
        """drift-watch."""
        feeds.watch_feeds(self.house, WAREHOUSE)
        drift.watch_orders_and_tracking(self.house, STOREFRONT, WAREHOUSE)
        drift_stock.watch_stock_figures(self.house, STOREFRONT, WAREHOUSE)

    def reconciles(self) -> None:
        """settlement-reconciliation of this month."""
        month = reconciliation.period_of(self.house, f"{self.clock.now():%Y-%m}")
        reconciliation.see_money(self.house, STOREFRONT, month)
        reconciliation.reconcile_period(self.house, STOREFRONT, WAREHOUSE, month, patience_days=0)

    def publishes(self) -> Path:
        """publish-analytics: the catalogue's path."""
        return Path(analytics.publish(self.house))

    def delivers(self, port: Any, kinds: tuple[str, ...]) -> pd.DataFrame:
        """Whatever is owed there: what was delivered."""
        done: list[dict[str, Any]] = []
        for _ in range(ROUNDS_MAX):
            chunk = deliver.deliver(self.house, port, kinds, HOLDER)
            if chunk.away:
                raise chunk.away
            done += chunk.records
            if not chunk.worked:
                return pd.DataFrame(done)
        raise AssertionError("it delivers for ever")

    # a whole period

    def trades(self, hours: int = 10) -> "SmallWorld":
        """Hours of trade with everything that an analyst asks about: parcels, held orders, counted and lost stock, returns, a hand in the storefront's stock."""
        a_part = -(-len(self.customers) // max(1, hours - 4))
        for hour in range(hours):
            self.orders_come(self.customers[hour * a_part:(hour + 1) * a_part])
            self.passes(minutes=5)
            self.sends_orders()
            self.passes(minutes=22 + 6 * (hour % 4))
            self.works()
            self.tells_of_stock()
            self.passes(minutes=5)
            self._happens(hour)
            self.tells_of_dispatches()
            self.tells_of_stock()
            self.handles_returns()
            self.passes(minutes=10)
            self.watches()
        self.reconciles()
        return self

    def _happens(self, hour: int) -> None:
        """Now and then the warehouse counts, receives or gets something back, and somebody at the shop changes a figure by hand."""
        skus = self._sold()
        if skus and hour % 3 == 1:
            self.site.adjust(UK_FACILITY, {skus[0]: -4, skus[-1]: 1})
        if skus and hour % 4 == 2:
            self.site.receive(UK_FACILITY, [(skus[0], 25)])
        if hour > 3 and hour % 2:
            self._comes_back(hour)
        if skus and hour == 6:
            self.shop.set_stock_by_hand(skus[1 % len(skus)], 500)

    def _sold(self) -> list[str]:
        lines = self.house.ledger.table("request_line")
        return sorted(lines["warehouse_sku"].value_counts().head(6).index) if len(lines) else []

    def _comes_back(self, hour: int) -> None:
        shipped = self.house.ledger.table("dispatch_line").query("quantity > 0")
        if len(shipped):
            row = shipped.iloc[(hour * 5) % len(shipped)]
            self.site.receive_return(row["reference"], [(row["sku"], 1, "A" if hour % 4 == 1 else "B")])
