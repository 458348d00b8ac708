"""A marketplace's flows as Prefect runs them: an order out and back, its settlement on a statement, and the evidence about it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.flows.conftest import Site
from tests.settlements.market_rig import DAY, MARKET, MarketRig

from connectors.house import PROFILE
from connectors.kit.clock import SystemClock
from connectors.kit.sandbox import serve
from deployments.demo_world import WAREHOUSE
from flows.confirm_soon import confirm_soon
from flows.dispatch_back import dispatch_back
from flows.export_evidence import export_evidence
from flows.orders_to_warehouse import orders_to_warehouse
from flows.settlement_reconciliation import settlement_reconciliation
from tasks.opened import house

pytestmark = pytest.mark.prefect
AGO = timedelta(days=20)


@pytest.fixture
def sold(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[MarketRig, str, str]]:
    """An order that was shipped and settled, and one that nobody has read yet, in a house that this process's flows open; the marketplace answers on a port.

    Its clock stands still: nobody waits for a report that it will never have made.
    """
    rig = MarketRig(tmp_path / "house")
    rig.clock.at = SystemClock().now() - AGO
    settled = rig.sells(("HEART", 2))
    rig.ships()
    rig.passes(9 * DAY)
    rig.market.close_settlement()
    fresh = rig.sells(("MUG", 1))
    rig.house.close()
    with serve(rig.market, rig.clock) as url:
        profile = rig.home / "profile.toml"
        profile.write_text(profile.read_text().replace("https://market.invalid", url).replace("wait_seconds_max = 600", "wait_seconds_max = 600\nreport_wait_seconds = 0"))
        monkeypatch.setenv(PROFILE, str(profile))
        house.cache_clear()
        rig.clock.at = SystemClock().now()
        yield rig, settled, fresh
        house().close()
        house.cache_clear()


def _parcels(rig: MarketRig, order: str) -> list[str]:
    return list(rig.market.books()["orders"][order]["packages"])  # by their numbers


def test_an_order_goes_out_and_back_and_its_money_is_explained(sold: tuple[MarketRig, str, str]) -> None:
    rig, settled, fresh = sold
    assert _parcels(rig, settled) == ["1"] and _parcels(rig, fresh) == []
    assert orders_to_warehouse(MARKET, WAREHOUSE)["delivered"] == {"sent": 1}
    for _ in range(3):
        rig.warehouse_works()
        rig.passes(600)
    dispatch_back(WAREHOUSE, MARKET)
    assert confirm_soon(MARKET)["delivered"] == {} and _parcels(rig, fresh) == ["1"]
    first, until = f"{SystemClock().now() - AGO - timedelta(days=1):%Y-%m-%d}", f"{SystemClock().now() + timedelta(days=1):%Y-%m-%d}"
    made = [settlement_reconciliation(MARKET, WAREHOUSE, period="", first=first, until=until) for _ in range(2)]
    assert made[0]["settlements"]["entered"] >= 1 and "entered" not in made[1]["settlements"] and made[0]["orders"] == made[1]["orders"] == 2
    assert made[0]["differences"] == made[1]["differences"] == 0 and Path(made[1]["statement"]).is_file()


def test_the_form_for_evidence_writes_the_file_and_says_what_is_missing(sold: tuple[MarketRig, str, str]) -> None:
    _, settled, _ = sold
    told = export_evidence(settled, MARKET, "ann")
    assert Path(told["path"]).is_file() and told["rows"]["shipped"] >= 1 and all("settlement" in finding for finding in told["findings"]), "only its settlement is not taken in yet"
