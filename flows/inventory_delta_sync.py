"""What the warehouse has is what the storefront sells: only what changed is sent, an older word never wins, and no silence becomes a zero."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.deliver import deliver_all
from tasks.dispatches import ANSWERS
from tasks.inbound import take_in_from
from tasks.opened import house
from tasks.orders import take_in_orders_of
from tasks.report import blocked, conclude, report, report_held
from tasks.runs import at_work
from tasks.stock import decide_stock_of
from tasks.stock_send import send_stock_to
from tasks.stock_watch import look_at_shown_of, watch_stock_of


@flow(name="inventory-delta-sync", flow_run_name="stock {warehouse} → {storefront}")
def inventory_delta_sync(
    warehouse: Annotated[str, Field(description="The warehouse connection whose statements and documents are taken in")],
    storefront: Annotated[str, Field(description="The storefront connection that is told what it may sell")],
    sweep: Annotated[bool, Field(description="Make every figure anew and compare with what the storefront shows, not only what changed (each night)")] = False,
    dry_run: Annotated[bool, Field(description="Only say what would be sent for what is taken in by now; change nothing anywhere")] = False,
) -> dict[str, Any]:
    """Take in statements, documents and orders, decide what each location should show, and tell the storefront what it is owed.

    Run it as often as you like, and again after any crash: figures are absolute, and only what the storefront was not told yet is sent.
    """
    if dry_run:
        would = decide_stock_of(storefront, sweep, True)
        report(f"would tell {storefront}", would["changed"], "Dry run: figures that the storefront would be told now.")
        return would
    with at_work(house(), "inventory-delta-sync", warehouse, storefront) as run_id:
        taken_in = take_in_from(warehouse)
        answered = deliver_all("warehouse", warehouse, list(ANSWERS), run_id)
        orders = take_in_orders_of(storefront)
        decided = decide_stock_of(storefront, sweep, False)
        shown = look_at_shown_of(storefront) if sweep else {}
        told = send_stock_to(storefront, run_id)
        watched = watch_stock_of(warehouse)
        report(f"told {storefront} {warehouse}", told["figures"], f"Figures that {storefront} was told in this run.")
        held = report_held(warehouse, storefront)
        conclude([answered["away"], told["away"], *blocked(storefront)])
        return {"taken_in": taken_in, "orders": orders, "decided": decided["counts"], "shown": shown, "told": told["counts"], "watched": watched, "held": held}
