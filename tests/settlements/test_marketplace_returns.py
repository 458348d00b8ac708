"""What a marketplace lets customers send back: kept as it stands, for whoever asks why nothing was refunded, or why something was."""

import pytest

from connectors.kit.errors import NotNow
from tasks.marketplace_returns import KIND, see_authorised_returns
from tests.journeys.rig import STOREFRONT
from tests.settlements.market_rig import DAY, MARKET


def test_returns_are_kept_as_they_stand_once_for_each_change(market):
    rig = market()
    order = rig.sells(("HEART", 2))
    rig.market.reports.returns.send_back(order, "HEART", 2)
    rig.market.reports.returns.send_back(order, "MUG", 1, **{"Return quantity": "?"})
    rig.passes(DAY)
    assert see_authorised_returns(rig.house, MARKET) == {"returns": 1, "unreadable": 1, "changed": 1}
    rig.passes(DAY)
    assert see_authorised_returns(rig.house, MARKET) == {"returns": 1, "unreadable": 1, "changed": 0}
    kept = rig.house.snapshots.latest(KIND, MARKET)
    assert kept[["order_id", "sku", "quantity", "status"]].to_numpy().tolist() == [[order, "HEART", 2, "Approved"]] and len(rig.house.snapshots.kept(KIND, MARKET)) == 1
    assert [row.evidence["why"] for row in rig.on_desk("record_unsound")] == ["Return quantity is no number of units"]


def test_a_report_that_is_not_ready_is_found_by_the_next_look_within_the_hour(market):
    rig = market()
    rig.market.reports.returns.send_back(rig.sells(("HEART", 1)), "HEART")
    rig.passes(DAY)
    rig.market.reports.slow_down(queue_seconds=400)
    with pytest.raises(NotNow):
        see_authorised_returns(rig.house, MARKET)
    rig.passes(300)
    assert see_authorised_returns(rig.house, MARKET)["returns"] == 1 and len(rig.market.books()["reports"]) == 1


def test_a_storefront_that_is_no_marketplace_is_asked_nothing(market):
    rig = market()
    assert not see_authorised_returns(rig.house, STOREFRONT)
