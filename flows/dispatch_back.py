"""What the warehouse shipped reaches the storefront with carrier and tracking number, and is seen there."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.deliver import deliver_all
from tasks.dispatches import ANSWERS, CONFIRMATIONS, read_back_at, release_held_of
from tasks.inbound import take_in_from
from tasks.opened import house
from tasks.receipts import RECEIPT_NOTICES
from tasks.report import blocked, conclude, report, report_held
from tasks.runs import at_work


@flow(name="dispatch-back", flow_run_name="{warehouse} → {storefront}")
def dispatch_back(
    warehouse: Annotated[str, Field(description="The warehouse connection whose advice is taken in")],
    storefront: Annotated[str, Field(description="The storefront connection that is told of its dispatches")],
) -> dict[str, Any]:
    """Take in what the warehouse advises, confirm each parcel at the storefront once, and read every confirmation back."""
    with at_work(house(), "dispatch-back", warehouse, storefront) as run_id:
        taken_in = take_in_from(warehouse)
        answered = deliver_all("warehouse", warehouse, [*ANSWERS, *RECEIPT_NOTICES], run_id)
        freed = release_held_of(storefront)
        delivered = deliver_all("storefront", storefront, list(CONFIRMATIONS), run_id)
        seen = read_back_at(storefront)
        completed = deliver_all("storefront", storefront, list(CONFIRMATIONS), run_id)
        report(f"confirmed {warehouse} {storefront}", delivered["records"], f"Parcels that {storefront} was told of in this run.")
        held = report_held(warehouse, storefront)
        conclude([answered["away"], delivered["away"], completed["away"], *blocked(warehouse, storefront)])
        return {"taken_in": taken_in, "freed": freed, "delivered": delivered["counts"], "read_back": seen, "completed": completed["counts"], "held": held}
