"""Paid orders reach the warehouse exactly once, and every order that cannot go is on somebody's desk."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.deliver import deliver_all
from tasks.dispatches import OF_REQUESTS, watch_acknowledgements_of
from tasks.hints import take_hints_of
from tasks.mappings import refresh_items_of
from tasks.opened import house
from tasks.orders import plan_orders_of, rehearse_orders_of, take_in_orders_of
from tasks.report import blocked, conclude, report, report_held
from tasks.runs import at_work


@flow(name="orders-to-warehouse", flow_run_name="{storefront} → {warehouse}")
def orders_to_warehouse(
    storefront: Annotated[str, Field(description="The storefront connection, as the profile names it")],
    warehouse: Annotated[str, Field(description="The warehouse connection that fulfilment requests are sent to")],
    dry_run: Annotated[bool, Field(description="Only say what would be sent and held; change nothing anywhere")] = False,
) -> dict[str, Any]:
    """Take in the orders that changed, plan what is owed for them, and deliver what is owed to this warehouse.

    Run it as often as you like, and again after any crash: what was sent is not sent again.
    """
    if dry_run:
        would = rehearse_orders_of(storefront)
        report(f"would send {storefront} {warehouse}", would["asked"], "Dry run: what would be asked of the warehouses now.")
        report(f"would hold {storefront}", would["held"], "Dry run: what would be held, and why.")
        return would
    with at_work(house(), "orders-to-warehouse", storefront, warehouse) as run_id:
        items = refresh_items_of(warehouse)
        hinted = take_hints_of(storefront)
        taken_in = take_in_orders_of(storefront)
        planned = plan_orders_of(storefront)
        delivered = deliver_all("warehouse", warehouse, list(OF_REQUESTS), run_id)
        overdue = watch_acknowledgements_of(warehouse)
        report(f"sent {storefront} {warehouse}", delivered["records"], f"Fulfilment requests, changes and cancels that {warehouse} has got in this run.")
        held = report_held(storefront, warehouse)
        conclude([delivered["away"], *blocked(warehouse)])
        return {"items": items, "hinted": hinted, "taken_in": taken_in, "planned": planned["counts"], "delivered": delivered["counts"], "overdue": overdue,
                "held": held}
