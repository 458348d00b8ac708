"""Where is my order? Everything that happened to it, across all systems, for whoever answers the customer."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from tasks.board import show_timeline_of


@flow(name="show-timeline", flow_run_name="order {order}")
def show_timeline(
    order: Annotated[str, Field(min_length=1, description="The storefront's order id")],
    storefront: Annotated[str, Field(description="Its connection; empty: look in every storefront")] = "",
) -> str:
    """The order's timeline, as an artifact of this run."""
    return show_timeline_of(storefront, order)
