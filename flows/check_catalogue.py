"""Items that would be trouble later are found before an order of theirs is stuck."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.catalogue import check_catalogue_of
from tasks.opened import house
from tasks.report import report_held
from tasks.runs import at_work


@flow(name="check-catalogue", flow_run_name="catalogue of {storefront}")
def check_catalogue(storefront: Annotated[str, Field(description="The storefront connection whose catalogue is looked at")]) -> dict[str, Any]:
    """Compare what was sold with the storefront's catalogue: items without inventory tracking are reported, one exception each."""
    with at_work(house(), "check-catalogue", storefront):
        found = check_catalogue_of(storefront)
        return found | {"held": report_held(storefront)}
