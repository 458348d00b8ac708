"""What came back to the warehouse is refunded once, by rule, and whatever no rule decides is on somebody's desk."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.deliver import deliver_all
from tasks.dispatches import ANSWERS
from tasks.inbound import take_in_from
from tasks.opened import house
from tasks.refunds import REFUNDS, owe_refunds_of
from tasks.refunds_seen import see_refunds_at
from tasks.report import blocked, conclude, report, report_held
from tasks.returns import place_again_of
from tasks.returns_rehearsal import rehearse_returns_of
from tasks.rmas import NOTICES
from tasks.runs import at_work


@flow(name="returns", flow_run_name="returns {warehouse} → {storefront}")
def returns(
    warehouse: Annotated[str, Field(description="The warehouse connection that goods come back to")],
    storefront: Annotated[str, Field(description="The storefront connection whose customers are refunded")],
    dry_run: Annotated[bool, Field(description="Only say what would be refunded and held; change nothing anywhere")] = False,
) -> dict[str, Any]:
    """Take in what came back, tell the warehouse of approved returns, refund what is due by rule, and read every refund back.

    Run it as often as you like, and again after any crash: what was refunded is not refunded again.
    """
    if dry_run:
        would = rehearse_returns_of(warehouse, storefront)
        report(f"would refund {storefront} {warehouse}", would["refunds"], "Dry run: what would be refunded now, in minor units.")
        report(f"would hold returns of {storefront}", would["held"], "Dry run: what would be held, and why.")
        return would
    with at_work(house(), "returns", warehouse, storefront) as run_id:
        taken_in = take_in_from(warehouse)
        again = place_again_of(warehouse)
        answered = deliver_all("warehouse", warehouse, list(ANSWERS + NOTICES), run_id)
        before = see_refunds_at(storefront)
        owed = owe_refunds_of(storefront)
        delivered = deliver_all("storefront", storefront, list(REFUNDS), run_id)
        seen = see_refunds_at(storefront)
        report(f"refunded {storefront} {warehouse}", owed["planned"], f"Refunds that {storefront} was asked for in this run, in minor units.")
        held = report_held(warehouse, storefront)
        conclude([answered["away"], delivered["away"], *blocked(warehouse, storefront)])
        return {"taken_in": taken_in, "placed_again": again, "owed": owed["counts"], "delivered": delivered["counts"], "seen": [before, seen], "held": held}
