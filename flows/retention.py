"""What was entrusted to us for a delivery is destroyed after it, and it can be proved."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.opened import house
from tasks.report import conclude, report
from tasks.retention import retain_now
from tasks.runs import at_work


@flow(name="retention", flow_run_name="personal data past its time")
def retention(dry_run: Annotated[bool, Field(description="Only say what would be destroyed")] = False) -> dict[str, Any]:
    """Destroy the personal data of orders that were delivered long enough ago, old files and hints; name what must be kept longer, and why."""
    with at_work(house(), "retention", "personal data"):
        done = retain_now(dry_run)
        report("retention kept", done["kept"], "Orders whose personal data is older than the limit and stays, why, and since when it was due.")
        conclude(done["away"])
        return {"counts": done["counts"], "kept": len(done["kept"])}
