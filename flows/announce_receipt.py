"""The warehouse is told what stock is on its way to it; what it then receives is compared with that."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.deliver import deliver_all
from tasks.opened import house
from tasks.receipts import RECEIPT_NOTICES, announce_to
from tasks.report import blocked, conclude, report
from tasks.runs import at_work


@flow(name="announce-receipt", flow_run_name="{reference} → {warehouse}")
def announce_receipt(
    warehouse: Annotated[str, Field(description="The warehouse connection that the goods go to")],
    facility: Annotated[str, Field(min_length=1, description="Its facility, as the warehouse calls it")],
    reference: Annotated[str, Field(min_length=1, max_length=22, description="Your number of the delivery; the warehouse's receipt will name it")],
    expected_on: Annotated[str, Field(description="The day it should arrive, as 2026-01-31")],
    csv: Annotated[str, Field(description="What is on its way, as CSV: sku, quantity and, if need be, unit; header first")],
    actor: Annotated[str, Field(min_length=1, description="Who says so: your name or initials, kept with it")],
    carrier: Annotated[str, Field(max_length=4, description="The carrier's code (SCAC), if known")] = "",
    dry_run: Annotated[bool, Field(description="Only check the rows; note and send nothing")] = False,
) -> dict[str, Any]:
    """Announce stock to a warehouse. A row that cannot be right refuses all of them, and nothing is sent.

    When the receipt comes it is compared line by line: another number is an exception (receipt_differs), and settles itself once the rest arrives.
    """
    with at_work(house(), "announce-receipt", warehouse) as run_id:
        announced = announce_to(warehouse, facility, reference, expected_on, csv, actor, carrier, dry_run)
        sent = {"counts": {}, "away": ""} if dry_run else deliver_all("warehouse", warehouse, list(RECEIPT_NOTICES), run_id)
        report(f"announced {warehouse} {reference}", announced["lines"], "What would be announced." if dry_run else "What the warehouse was told of.")
        conclude([] if dry_run else [sent["away"], *blocked(warehouse)])
        return announced | {"delivered": sent["counts"]}
