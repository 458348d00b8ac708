"""A storefront that stopped calling is found within the hour, and asked to call again."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.opened import house
from tasks.report import report, report_held
from tasks.runs import at_work
from tasks.webhooks import keep_webhooks_of


@flow(name="keep-webhooks", flow_run_name="webhooks of {storefront}")
def keep_webhooks(storefront: Annotated[str, Field(description="The storefront connection whose webhooks are looked at")]) -> dict[str, Any]:
    """Register what is missing, switch on what was switched off, turn here what points elsewhere; each of these is an exception until it is seen active."""
    with at_work(house(), "keep-webhooks", f"webhooks of {storefront}"):
        found = keep_webhooks_of(storefront)
        report(f"webhooks {storefront}", found, "What each hook was; what was not active has been put right.")
        return {"hooks": found, "held": report_held(storefront)}
