"""A small world with a marketplace beside the shop: its listings, and what it is told of their stock."""

from pathlib import Path
from typing import Any

from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, GB, REFRESH_TOKEN, SELLER, AmazonSandbox
from deployments.demo_world import STOREFRONT, UK_FACILITY, WAREHOUSE
from tasks import mappings
from tests.journeys.rig import OurClock, Rig, WatchedHouse, tables_for

MARKET = "amazon-uk"
READS = ("searchOrders", "getMarketplaceParticipations")  # at the published rates a test would mostly wait for these
PROFILE = f"""
[connections.{MARKET}]
system = "amazon"
seller_id = "{SELLER}"
marketplace_ids = ["{GB}"]
client_id = "{CLIENT_ID}"
client_secret = "file:{{home}}/amazon.secret"
refresh_token = "file:{{home}}/amazon.refresh"
base_url = "https://amazon.invalid"
login_url = "https://amazon.invalid"
page_size = 5
listing_page_size = 5
feed_poll_seconds = 5
quiet_seconds = 120
stock_quiet_seconds = 120
verify_seconds = 60
patch_items_max = {{patches}}
rates = {{{{{", ".join(f"{operation} = [100, 1000]" for operation in READS)}}}}}
"""


class Marketplace(Rig):
    """The world of `Rig`, and one seller account whose one location shows the first facility. patches: more SKUs than so many go as a feed."""

    def __init__(self, home: Path, stock: dict[str, int], patches: int = 50, listings: dict[str, dict[str, Any]] | None = None, **sandbox: Any) -> None:
        super().__init__(home, stock={UK_FACILITY: stock})
        self.market = AmazonSandbox(self.clock, rates=dict.fromkeys(READS), **sandbox)
        self.market.add_products({"sku": sku, **(listings or {}).get(sku, {})} for sku in stock)
        for name, secret in (("amazon.secret", CLIENT_SECRET), ("amazon.refresh", REFRESH_TOKEN)):
            (home / name).write_text(secret)
        profile = home / "profile.toml"
        profile.write_text(profile.read_text() + PROFILE.format(home=home, patches=patches))
        self.house.close()
        self.house = self._opened()
        for table, csv in tables_for((STOREFRONT, MARKET)).items():
            mappings.change_mapping(self.house, table, csv, "set-up")
        mappings.change_mapping(self.house, "stock_locations", f"connection,location,warehouse,facility,share_percent\n{MARKET},DEFAULT,{WAREHOUSE},{UK_FACILITY},100\n",
                                "set-up")

    site_facility = UK_FACILITY

    def _opened(self) -> WatchedHouse:
        """A new process begins with full buckets, whatever the marketplace counts."""
        self.our_clock = OurClock(self.clock)
        return super()._opened()

    @property
    def market(self) -> AmazonSandbox:
        """The marketplace. It is one of the shops, so that it is kept and brought back with them."""
        return self.shops[MARKET]

    @market.setter
    def market(self, sandbox: AmazonSandbox) -> None:
        self.shops[MARKET] = sandbox

    def states(self) -> None:
        """The warehouse states its stock, and the marketplace is told."""
        self.site.state_stock()
        self.tells()

    def tells(self, **how: Any) -> None:
        """One run of inventory-delta-sync; then the marketplace gets round to it."""
        self.tells_of_stock(MARKET, **how)
        self.passes(60)

    def shelf(self) -> dict[str, int]:
        """What it shows of the merchant's own stock."""
        return {sku: one["DEFAULT"]["quantity"] for sku, one in sorted(self.market.books()["stock"].items()) if "DEFAULT" in one}

    def told(self) -> list[str]:
        """Every SKU of every submission that was accepted, in order."""
        return [sku for write in self.market.books()["stock_writes"] for sku, _ in write["items"]]

    def owed(self) -> list[str]:
        """Stock updates that have not come to their end."""
        return [one for one in self.unfinished() if one.startswith("stock_update")]
