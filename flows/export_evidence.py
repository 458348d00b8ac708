"""A claim needs proof: what was asked, what left and when the storefront was told of one order, as one file to hand over."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.evidence.export import export_of


@flow(name="export-evidence", flow_run_name="evidence about order {order}")
def export_evidence(
    order: Annotated[str, Field(min_length=1, description="The storefront's order id")],
    storefront: Annotated[str, Field(min_length=1, description="Its connection")],
    actor: Annotated[str, Field(min_length=1, description="Who asks: your initials, kept in the vault's access log")],
) -> dict[str, Any]:
    """Write the zip under `evidence` in the house's home, and show what is in it as an artifact of this run. No personal data."""
    return export_of(storefront, order, actor)
