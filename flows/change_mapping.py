"""An operator adds what was missing, and exactly the records that waited for it go on."""

from typing import Annotated, Any, Literal

from prefect import flow
from pydantic import Field

from tasks.mappings import change_mapping_to
from tasks.opened import house
from tasks.report import report
from tasks.runs import at_work

Table = Literal["skus", "non_stock", "routes", "ship_methods", "units", "carriers", "kits", "po_rules", "home_countries",
                "stock_locations", "safety_stock", "return_rules", "settlement_types"]


@flow(name="change-mapping", flow_run_name="{table} by {actor}")
def change_mapping(
    table: Annotated[Table, Field(description="Which table")],
    csv: Annotated[str, Field(description="The whole table as CSV, header first. Rows that are left out are ended; their history is kept")],
    actor: Annotated[str, Field(min_length=1, description="Who says so: your name or initials, kept with the change")],
    dry_run: Annotated[bool, Field(description="Only say what it would change and free")] = False,
) -> dict[str, Any]:
    """Replace a mapping table. A table with duplicates or a wrong column is refused whole, and nothing changes.

    Freed orders go out with the next run of orders-to-warehouse, freed dispatches with the next run of dispatch-back.
    """
    with at_work(house(), "change-mapping", table):
        change = change_mapping_to(table, csv, actor, dry_run)
        report(f"freed by {table}", [{"record": record} for record in change["freed_orders"] + change["freed_dispatches"]],
               "What the change would free." if dry_run else "What the change frees: it goes on with the next run.")
        return change
