"""The flows of returns as Prefect runs them: a form that authorises a return, a dry run, and the run that refunds it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.flows.conftest import Site
from tests.journeys.rig import Rig

from connectors.house import PROFILE
from connectors.kit.clock import SystemClock
from connectors.kit.errors import BadConfiguration
from connectors.kit.sandbox import serve
from deployments.demo_world import STOREFRONT, WAREHOUSE
from flows.authorise_return import authorise_return
from flows.returns import returns
from tasks import mappings
from tasks.opened import house

pytestmark = pytest.mark.prefect
RULES = f"connection,warehouse,grade,refund_percent,disposition,needs_rma\n*,{WAREHOUSE},*,100,restock,yes\n"


@pytest.fixture
def shipped(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Rig, int]]:
    """An order that the customer has got, in a house that this process's flows open; the shop answers on a port."""
    rig = Rig(tmp_path / "house")
    rig.clock.at = SystemClock().now() - timedelta(hours=2)
    mappings.change_mapping(rig.house, "return_rules", RULES, "set-up")
    order = rig.orders(("HEART", 2))
    rig.drains()
    rig.house.close()
    with serve(rig.shop, rig.clock) as url:
        profile = rig.home / "profile.toml"
        profile.write_text(profile.read_text().replace("https://bigcommerce.invalid", url))
        monkeypatch.setenv(PROFILE, str(profile))
        house.cache_clear()
        rig.clock.at = SystemClock().now()
        yield rig, order
        house().close()
        house.cache_clear()


def test_a_return_is_authorised_in_a_form_rehearsed_and_refunded_once(shipped: tuple[Rig, int]) -> None:
    rig, order = shipped
    (asked,) = authorise_return(STOREFRONT, str(order), "ann", "sku,quantity\nHEART,1", decision="approve")
    assert (asked["rma"], asked["state"], asked["lines"]) == (f"RUK{order}-1", "approved", "1 x HEART")
    rig.customer_returns(order, ("HEART", 1, "A"), reference="", rma=asked["rma"])
    would = returns(WAREHOUSE, STOREFRONT, dry_run=True)
    assert [(one["order"], one["minor"]) for one in would["refunds"]] == [(str(order), 255)] and rig.refunds(order) == []
    done = returns(WAREHOUSE, STOREFRONT)
    assert done["owed"] == {"refunds": 1, "waiting": 0, "held": 0} and done["delivered"] == {"sent": 1} and done["seen"][1]["proven"] == 1
    again = returns(WAREHOUSE, STOREFRONT)
    assert again["owed"] == {} == again["delivered"] and [refund["minor"] for refund in rig.refunds(order)] == [255]


def test_a_form_that_asks_for_too_much_ends_failed_with_the_reason(shipped: tuple[Rig, int]) -> None:
    rig, order = shipped
    with pytest.raises(BadConfiguration, match="3 asked for, 2 were shipped"):
        authorise_return(STOREFRONT, str(order), "ann", "sku,quantity\nHEART,3", decision="approve")
