"""Customer service announces a return: the warehouse hears of it when it is approved, and not before."""

from typing import Annotated, Any, Literal

from prefect import flow
from pydantic import Field

from tasks.opened import house
from tasks.report import report
from tasks.rmas import authorise_return_of
from tasks.runs import at_work

Reason = Literal["unwanted", "damaged", "faulty", "wrong item", "late", "other"]


@flow(name="authorise-return", flow_run_name="return of {order} by {actor}")
def authorise_return(
    storefront: Annotated[str, Field(description="The storefront connection of the order")],
    order: Annotated[str, Field(min_length=1, description="The storefront's order number")],
    actor: Annotated[str, Field(min_length=1, description="Who says so: your initials, kept with the decision")],
    lines: Annotated[str, Field(description="What comes back, as CSV with the header sku,quantity. Empty when you decide a return that is asked for already")] = "",
    reason: Annotated[Reason, Field(description="Why it comes back; the warehouse is told")] = "unwanted",
    decision: Annotated[Literal["ask only", "approve", "refuse"], Field(description="Approve at once, ask for another's decision, or decide one that was asked for")] = "ask only",
    rma: Annotated[str, Field(description="The number of the return to decide, when it is asked for already")] = "",
) -> list[dict[str, Any]]:
    """Ask for a return and have its number, or decide one. Approved, the warehouse is told of it with the next run of returns.

    More than was shipped, and is neither back nor announced, is refused with the reason, and nothing is changed.
    """
    with at_work(house(), "authorise-return", f"returns of {storefront}"):
        numbers = authorise_return_of(storefront, order, lines, reason, actor, decision, rma)
        report(f"returns of {storefront} {order}", numbers, "Announced returns of this order. The number is what the customer writes on the parcel.")
        return numbers
