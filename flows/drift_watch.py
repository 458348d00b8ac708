"""What storefront, warehouse and ledger each believe is compared; every difference has a cause and an age, and what is stuck or silent is named."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.drift import drift_rows_of, in_all, watch_orders_and_tracking_of
from tasks.drift_stock import Repair, watch_stock_figures_of
from tasks.feeds import watch_feeds_of
from tasks.opened import house
from tasks.report import report, report_held
from tasks.runs import at_work
from tasks.stuck import watch_stuck_of


@flow(name="drift-watch", flow_run_name="{storefront} ↔ {warehouse}")
def drift_watch(
    storefront: Annotated[str, Field(description="The storefront connection that is compared")],
    warehouse: Annotated[str, Field(description="The warehouse connection that it is compared with")],
    repair: Annotated[Repair, Field(description="Stock that is told again: only writes of ours that were lost, all that differs (manual edits too), or none")] = "lost_writes",
) -> dict[str, Any]:
    """Name the orders that will miss their collection and the feeds that stopped; compare orders, parcels and stock; open and settle exceptions.

    It stands in nobody's way: it reads the storefront, and writes only to our own ledger.
    """
    with at_work(house(), "drift-watch", f"drift of {storefront} and {warehouse}"):
        stuck = watch_stuck_of(storefront, warehouse)
        report(f"at risk {storefront} {warehouse}", stuck, "Orders that will miss their collection, most urgent first.")
        silent = watch_feeds_of(storefront, warehouse)
        report(f"silent {storefront} {warehouse}", silent, "Feeds that stopped.")
        orders = watch_orders_and_tracking_of(storefront, warehouse)
        stock = watch_stock_figures_of(storefront, warehouse, repair)
        report(f"drift {storefront} {warehouse}", drift_rows_of(storefront, warehouse), "Where they disagree: alarms first, what is merely late last.")
        return {"drift": in_all(orders, stock), "orders": orders, "stock": stock, "stuck": len(stuck), "silent": len(silent), "held": report_held(storefront, warehouse)}
