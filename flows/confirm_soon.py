"""What has left is told before its ship-by: confirmations that are owed do not wait for the next reading of anything else."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.deliver import deliver_all
from tasks.dispatches import CONFIRMATIONS, release_held_of
from tasks.opened import house
from tasks.report import blocked, conclude, report
from tasks.runs import at_work


@flow(name="confirm-soon", flow_run_name="{storefront}")
def confirm_soon(
    storefront: Annotated[str, Field(description="The storefront connection that is told of its dispatches")],
) -> dict[str, Any]:
    """Confirm every parcel that is owed to this storefront, those with the nearest ship-by first. It reads nothing and stands in nobody's way.

    A long reading of orders or a long read-back holds the storefront's turn: this run has a turn of its own.
    """
    with at_work(house(), "confirm-soon", f"confirmations of {storefront}") as run_id:
        freed = release_held_of(storefront)
        delivered = deliver_all("storefront", storefront, list(CONFIRMATIONS), run_id)
        report(f"confirmed soon {storefront}", delivered["records"], f"Parcels that {storefront} was told of in this run.")
        conclude([delivered["away"], *blocked(storefront)])
        return {"freed": freed, "delivered": delivered["counts"]}
