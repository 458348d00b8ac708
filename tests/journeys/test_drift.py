"""Drift that somebody planted is found and named; a healthy world has none, whatever the weather."""

from tasks import drift
from tests.journeys.rig import ADA, Rig


def _watch(rig: Rig) -> dict:
    return drift.watch_orders_and_tracking(rig.house, "bigcommerce-uk", "gxo-uk")


def _rows(rig: Rig, about: str = "order", only_open: bool = True) -> list:
    rows = [row for row in rig.ledger.table("drift").itertuples() if row.about == about]
    return [row for row in rows if not only_open or row.ended_at is None or str(row.ended_at) == "NaT"]


def test_a_trading_day_without_faults_ends_in_agreement(world):
    rig = world()
    orders = [rig.orders(("HEART", n + 1), ("MUG", 1)) for n in range(7)] + [rig.orders(("HEART", 1), ("POST", 1))]
    rig.sends_orders()
    assert _watch(rig)["found"] == 0
    rig.drains()
    rig.passes(3600)
    rig.sends_orders()
    told = _watch(rig)
    assert told["found"] == 0, _rows(rig)
    assert told["read"]["changed orders"] == len(orders) and told["read"]["shipments read"] == len(orders)
    assert rig.on_desk("status_drift") == rig.on_desk("tracking_drift") == []
