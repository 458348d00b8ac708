"""A person's word on what is on the desk: the form that operations, ecommerce, finance and customer service live in."""

from typing import Annotated, Any, Literal

from prefect import flow
from pydantic import Field

from tasks.board import refresh_desk_now
from tasks.desk import resolve_now
from tasks.opened import house
from tasks.report import conclude, report
from tasks.runs import at_work

Remedy = Literal["done", "add a mapping", "it is there", "send again", "resend", "choose the order", "approve the return", "refuse the return", "refund it",
                 "believe it"]
Table = Literal["as the exceptions say", "skus", "non_stock", "routes", "ship_methods", "units", "carriers", "kits", "po_rules", "home_countries",
                "stock_locations", "safety_stock", "return_rules", "settlement_types"]


@flow(name="resolve-exception", flow_run_name="{remedy} by {actor}")
def resolve_exception(
    exceptions: Annotated[str, Field(min_length=6, description="The ids from the list, one or many, with spaces or new lines between them. Their beginnings are enough")],
    remedy: Annotated[Remedy, Field(description=(
        "What is to happen. done: it has been dealt with, the reason says how. add a mapping: adds a row to a table, and what waited for it goes on. "
        "it is there / send again: you have looked in the other system. resend: what was refused has been mended. "
        "choose the order, approve / refuse the return, refund it: for returns. believe it: a statement of stock that lost much"))],
    actor: Annotated[str, Field(min_length=1, description="Who decides: your initials, kept with the decision")],
    reason: Annotated[str, Field(min_length=3, description="Why, in a sentence that somebody will understand next month")],
    mapping: Annotated[Table, Field(description="For 'add a mapping': which table, where the exceptions leave a choice")] = "as the exceptions say",
    rows: Annotated[str, Field(description=(
        "For 'add a mapping': column=value, one on a line; what the exceptions already say may be left out. An empty line begins another row. CSV works too"))] = "",
    order: Annotated[str, Field(description="For 'choose the order': the order that the return belongs to, as CONNECTION ORDER or just the order")] = "",
    dry_run: Annotated[bool, Field(description="Only say what would happen; change nothing")] = False,
) -> dict[str, Any]:
    """Resolve exceptions: all of them are answered one by one, and the answers are this run's artifact.

    A remedy that does not fit ends the run Failed with what would fit, and nothing was done. What was resolved before is said, not an error.
    """
    with at_work(house(), "resolve-exception"):
        outcome = resolve_now(exceptions, remedy, actor, reason, mapping, rows, order, dry_run)
        report("resolution", outcome["answers"], outcome["summary"])
        refresh_desk_now()
        conclude(outcome["problems"])
        return outcome
