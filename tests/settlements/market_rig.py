"""A world with a marketplace that pays out: its stand-in, the warehouse's, and a house between them. Everything real but the network."""

from pathlib import Path
from typing import Any

from connectors.amazon.sandbox import CLIENT_ID, CLIENT_SECRET, GB, REFRESH_TOKEN, SELLER, AmazonSandbox
from connectors.kit.sandbox import Transport
from contracts.mappings import TABLES
from deployments.cli_reconcile import reconcile_now, told_of
from deployments.demo_world import UK_FACILITY, WAREHOUSE, csv_of
from tasks import mappings
from tasks.settlements import take_in_settlements
from tests.journeys.rig import Rig, WatchedHouse, WatchedTransport

MARKET = "market-uk"
DAY = 86_400
_TABLE = f"""
[connections.{MARKET}]
system = "amazon"
reference_prefix = "AM"
seller_id = "{SELLER}"
marketplace_ids = ["{GB}"]
client_id = "{CLIENT_ID}"
client_secret = "file:{{home}}/market.secret"
refresh_token = "file:{{home}}/market.token"
base_url = "https://market.invalid"
login_url = "https://market.invalid"
document_hosts = ["*"]
page_size = 5
quiet_seconds = 120
verify_seconds = 60
wait_seconds_max = 600
"""
_ROWS = {
    "routes": [(MARKET, "*", "*", "*", WAREHOUSE, UK_FACILITY)], "ship_methods": [(MARKET, "STANDARD", WAREHOUSE, "RMLL", "TRACKED 48")],
    "carriers": [(WAREHOUSE, code, "*", MARKET, name, "", "") for code, name in (("RMLL", "Royal Mail"), ("DPDL", "DPD"), ("FDEN", "FedEx"))],
}


class MarketRig(Rig):
    """Rig, and a marketplace besides its idle shop."""

    def __init__(self, home: Path, **given: Any) -> None:
        self.market: AmazonSandbox | None = None
        self._given = given
        super().__init__(home)
        for table, rows in _ROWS.items():
            whole = mappings.current_csv(self.house, table) + csv_of(",".join(TABLES[table].columns()), rows).split("\n", 1)[1]
            mappings.change_mapping(self.house, table, whole, "set-up")

    def _opened(self) -> WatchedHouse:
        if self.market is None:
            self.market = AmazonSandbox(self.clock, rates=dict.fromkeys(_operations(), None), **self._given)
            (self.home / "market.secret").write_text(CLIENT_SECRET)
            (self.home / "market.token").write_text(REFRESH_TOKEN)
            profile = self.home / "profile.toml"
            profile.write_text(profile.read_text() + _TABLE.replace("{home}", str(self.home)))
        house = super()._opened()
        house._transports[MARKET] = WatchedTransport(Transport(self.market, self.clock), self.watch)
        return house

    def sells(self, *lines: tuple[str, int], price: str = "5.00", tax: str = "0.00", **head: Any) -> str:
        """A customer orders at the marketplace: (sku, quantity) each."""
        return self.market.place_order([{"sku": sku, "quantity": quantity, "price": price, "tax": tax} for sku, quantity in lines], **head)

    def ships(self, rounds: int = 6) -> "MarketRig":
        """Orders go out, are picked, shipped and confirmed."""
        for _ in range(rounds):
            self.passes(200)
            self.sends_orders(MARKET)
            self.passes(5)
            self.warehouse_works()
            self.passes(60)
            self.warehouse_works()
            self.tells_of_dispatches(MARKET)
        return self

    def settles(self, days: float = 14, **how: Any) -> Any:
        """The fortnight passes, and the marketplace makes its statement; the house takes it in."""
        self.passes(days * DAY)
        statement = self.market.close_settlement(**how)
        self.passes(3600)
        take_in_settlements(self.house, MARKET)
        return statement

    def reconciled(self, **how: Any) -> dict[str, Any]:
        """One run, as the command line makes it."""
        outcome = reconcile_now(self.house, MARKET, WAREHOUSE, how.pop("period", f"{self.clock.now():%Y-%m}"), **how)
        return told_of(outcome) | {"rows": {row["order_id"]: row for row in outcome.found.rows.to_dict("records")}, "opened": outcome.opened, "settled": outcome.settled}


def _operations() -> list[str]:
    from connectors.amazon.limits import RATES

    return list(RATES)
