"""A world whose storefront is a marketplace: an Amazon seller account beside the idle shop, its orders, its shelf and its settlements.

Two kinds of account: one at the published rates, so that most runs meet an empty bucket; one that was granted more, so that more happens.
"""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from connectors.amazon.limits import RATES
from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, GB, REFRESH_TOKEN, SELLER, AmazonSandbox
from connectors.amazon.wire_listings import DEFAULT_CHANNEL
from connectors.kit.sandbox import Transport
from connectors.ledger.effects import payload_hash
from deployments.demo_world import EU_FACILITY, STOREFRONT, UK_FACILITY, WAREHOUSE
from deployments.simulation import oracle_wire
from deployments.simulation.kernel import Worker
from deployments.simulation.market_wire import MarketFaults, MarketTransport
from deployments.simulation.world import KITS, QUIET, SKUS, More, Template, World, template
from tasks import mappings

MARKET, PLACE = "market-uk", GB
HOME = {"name": "Canary Lovelace", "addressLine1": "1 Canary Row", "city": "Canaryton", "postalCode": "CN1 1CN", "countryCode": "GB", "phone": "07700900001"}
GRANTED = ("searchOrders", "getMarketplaceParticipations", "getReports", "getReportDocument", "getFeeds", "getFeedDocument", "listTransactions")
PARCELS = {"complete": 40, "packages": 15, "unnumbered": 5, "partial": 15, "other carrier": 20, "repeated": 5}
OF_THE_OTHER_CARRIER = {"forgotten": "", "right": "Other,Tuffnells,", "unknown there": "Tuffnells Parcels Express,,", "misspelled": "tuffnells,,"}
PROFILE = f"""
[connections.{MARKET}]
system = "amazon"
seller_id = "{SELLER}"
marketplace_ids = ["{PLACE}"]
client_id = "{CLIENT_ID}"
client_secret = "file:{{home}}/market.secret"
refresh_token = "file:{{home}}/market.refresh"
base_url = "https://market.invalid"
login_url = "https://market.invalid"
page_size = 5
listing_page_size = 5
quiet_seconds = {QUIET}
stock_quiet_seconds = {QUIET}
verify_seconds = 300
feed_poll_seconds = 5
update_items_max = 3
patch_items_max = 2
"""
RATES_GRANTED = f"rates = {{{', '.join(f'{operation} = [100, 1000]' for operation in GRANTED)}}}\n"
BUSY = 200.0  # seconds that a feed waits where Amazon is busy
MADE_LATELY = timedelta(minutes=10)  # a run that listed before this statement was made may still be under way
VELOCITY = ",velocity,"  # what a marketplace sells a day is judged nowhere
SECRETS = (("market.secret", CLIENT_SECRET), ("market.refresh", REFRESH_TOKEN))


def _of_the_market(tables: dict[str, str]) -> dict[str, str]:
    """The shop's tables, and the marketplace's instead of the shop's where both would claim the same shelf."""
    found = {table: csv + "".join(f"{row.replace(STOREFRONT, MARKET)}\n" for row in csv.splitlines()[1:] if STOREFRONT in row and VELOCITY not in row)
             for table, csv in tables.items() if table in ("kits", "safety_stock", "return_rules")}
    places = "".join(f"{MARKET},{DEFAULT_CHANNEL},{WAREHOUSE},{facility},100\n" for facility in (UK_FACILITY, EU_FACILITY))
    return tables | found | {
        "stock_locations": "connection,location,warehouse,facility,share_percent\n" + places,
        "routes": tables["routes"] + f"{MARKET},*,GB,*,{WAREHOUSE},{UK_FACILITY}\n",
        "ship_methods": tables["ship_methods"] + f"{MARKET},STANDARD,{WAREHOUSE},RMLL,TRACKED 48\n{MARKET},NEXT_DAY,{WAREHOUSE},DPDL,NEXT DAY\n",
        "carriers": tables["carriers"] + f"{WAREHOUSE},RMLL,*,{MARKET},Royal Mail,,\n{WAREHOUSE},DPDL,*,{MARKET},DPD,,\n"}


SMALL_PAGES = PROFILE.replace("\npage_size = 5", "\npage_size = 2")  # so that a window has several: the published rates allow no more than one
AT_PUBLISHED_RATES, AT_GRANTED_RATES = More(PROFILE, SECRETS, _of_the_market), More(SMALL_PAGES + RATES_GRANTED, SECRETS, _of_the_market)


@dataclass
class MarketWorld(World):
    """Everything of one seed. born_theirs: orders that Amazon fulfilled from the first; changed_hands: {order: since when somebody else fulfils it}."""

    storefront: str = MARKET
    location: str = DEFAULT_CHANNEL
    forgets_one_in: int = 0
    kinds: dict[str, int] = field(default_factory=lambda: PARCELS)
    born_theirs: set[str] = field(default_factory=set)
    changed_hands: dict[str, datetime] = field(default_factory=dict)
    refunded: set[str] = field(default_factory=set)
    wants_cancelled: dict[str, int] = field(default_factory=dict)  # order -> the second in which its buyer asked for it
    faulty: dict[str, str] = field(default_factory=dict)  # settlement -> what is wrong with it at its source
    altered: set[str] = field(default_factory=set)  # settlements under whose number another was published
    taken_over: dict[str, datetime] = field(default_factory=dict)  # SKU -> since when Amazon ships it
    seen_confirmations: int = 0
    seen_writes: int = 0
    numbers: dict[tuple[str, str], str] = field(default_factory=dict)  # (order, tracking number) -> the package number on the wire

    def open(self) -> "MarketWorld":
        """As any world; and what its table of carriers says of the one that comes seldom."""
        super().open()
        row = OF_THE_OTHER_CARRIER[self.other_carrier]
        if row:
            house = self.house()
            mappings.change_mapping(house, "carriers", mappings.current_csv(house, "carriers") + f"{WAREHOUSE},TUFF,*,{MARKET},{row}\n", "set-up")
        return self

    @property
    def shares(self) -> tuple[int, int]:
        """All of both."""
        return 100, 100

    @cached_property
    def template(self) -> Template:
        """A house of its own home, as settlements are kept there."""
        made = template(self.variant, AT_PUBLISHED_RATES if self.has("published rates") else AT_GRANTED_RATES)
        return replace(made, profile=made.profile.model_copy(update={"home": self.home}))

    def _put_up(self, effects: Any, dice: Any) -> None:
        self.other_carrier = dice.choice(tuple(OF_THE_OTHER_CARRIER))
        for theme in OF_THE_OTHER_CARRIER:  # a world that is about it
            self.other_carrier, self.kinds = (theme, {"other carrier": 1}) if self.has(theme) else (self.other_carrier, self.kinds)
        is_laggy = self.nastiness == "laggy"
        self.slow_seconds = BUSY if self.kernel.dice("busy feeds").random() < 0.4 and not self.has("published rates") else 0.0
        self.market = AmazonSandbox(self.clock, faults=MarketFaults(self.weather, QUIET - 30), stock_seconds=50 if is_laggy else 5,
                                    rates=None if self.has("published rates") else dict.fromkeys(RATES), feed_queue_seconds=self.slow_seconds or (40 if is_laggy else 5))
        self.way = Transport(self.market, self.clock)
        self.after_step += [self.way.step, self.market.step]

    def _ways(self, worker: Worker) -> dict[str, Any]:
        return {MARKET: MarketTransport(self.way, self, worker)}

    def _stock(self, dice: Any) -> dict[str, dict[str, int]]:
        self.market.add_products({"sku": sku} for sku in (*SKUS, *KITS))
        short = dice.choice((*SKUS, "", ""))
        return {facility: {sku: dice.randint(0, 3) if sku == short else dice.randint(25, 60) for sku in SKUS} for facility in (UK_FACILITY, EU_FACILITY)}

    @property
    def orders(self) -> dict[str, dict[str, Any]]:
        """The marketplace's own book."""
        return self.market.orders.book.orders

    def says_the_same(self, kind: str, row: dict[str, Any], told: Any) -> bool:
        """As in any world; a confirmation bears the number that the ledger gave this parcel, and a figure is one of its effect's."""
        if isinstance(told, str):
            return super().says_the_same(kind, row, told)
        (path, body), payload = told, json.loads(row["payload"])
        if payload_hash(payload) != row["payload_hash"]:
            return False
        said = json.loads(body)
        if kind == "dispatch_confirmation":
            detail = said["packageDetail"]
            lines: Counter[str] = Counter()
            for line in payload["lines"]:
                lines[line["line_id"]] += line["quantity"]
            given = self.look("SELECT 1 FROM package_number WHERE order_id = ? AND number = ?", row["record"], int(detail["packageReferenceId"]))
            return bool(given) and f"/{row['record']}/" in path and detail["packageReferenceId"] == str(payload["package_number"]) \
                and (detail["trackingNumber"], detail["carrierCode"]) == (payload["tracking_number"], payload["provider"]) \
                and lines == {item["orderItemId"]: item["quantity"] for item in detail["orderItems"]}
        figures = {item["sku"]: item["quantity"] for item in payload["items"]}
        return all(figures.get(sku) == quantity for sku, quantity in self._figures(path, said))

    def _figures(self, path: str, said: dict[str, Any]) -> list[tuple[str, Any]]:
        if "patches" in said:
            patches = [(path.rpartition("/")[2], said["patches"])]
        else:
            document = self.market.feeds._documents[said["inputFeedDocumentId"]]["body"] or b'{"messages": []}'
            patches = [(message["sku"], message["patches"]) for message in json.loads(document)["messages"]]
        return [(sku, value.get("quantity")) for sku, many in patches for patch in many for value in patch["value"]]

    def known_orders(self) -> dict[str, int]:
        """{order: its change that the book knows, in seconds}."""
        return {row["order_id"]: self.second(row["modified_at"]) for row in self.look("SELECT order_id, modified_at FROM order_book WHERE connection = ?", MARKET)}

    def changes_now(self) -> dict[Any, int]:
        """{order: its last change in seconds}."""
        return {order_id: int(order["updated"].timestamp()) for order_id, order in self.orders.items()}

    def changed_at(self, text: str) -> int:
        """A moment as Amazon writes it."""
        return int(datetime.fromisoformat(text).timestamp())

    def may_leave(self, row: dict[str, Any]) -> list[tuple[str, str]]:
        """O1: no request of an order that Amazon fulfils, and fulfilled from the first or as far as our book knows."""
        order_id, order = row["record"], self.orders.get(row["record"])
        wants_none = self.wants_cancelled.get(order_id)
        if row["kind"] == "fulfilment_request" and wants_none is not None and self.planned_as_of.get(row["effect_id"], 0) >= wants_none:
            return [("what the buyer wants cancelled stays", f"order {order_id}")]
        if row["kind"] != "fulfilment_request" or order is None or order["fulfilled_by"] != "AMAZON":
            return list(oracle_wire.is_not_taken_there(self, row))
        since = self.changed_hands.get(order_id)
        is_known = since is None or self.known_orders().get(order_id, 0) >= int(since.timestamp())
        return [("what Amazon fulfils never leaves", f"order {order_id}")] if is_known else []

    def passes_a_watermark(self, feed: str, reached: str) -> list[tuple[str, str]]:
        """27: no statement that was listed by then is missing in the ledger."""
        if feed != f"{MARKET} settlements":
            return []
        known = {row["settlement_id"] for row in self.look("SELECT settlement_id FROM settlement")}
        until, now = datetime.fromisoformat(reached).replace(tzinfo=UTC), self.kernel.at
        return [("watermarks never pass a statement that is not taken in", one.settlement_id) for one in self.statements()
                if one.until < min(until, now - MADE_LATELY) and one.settlement_id not in known]

    def statements(self) -> list[Any]:
        """What the marketplace has published."""
        return self.market.money.books()["statements"]
