"""The month's orders against what was paid, sent, given back and got back, to the cent, with a statement that finance can sign."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from tasks.authorised_returns import see_authorised_returns_at
from tasks.deliver import deliver_all
from tasks.dispatches import ANSWERS
from tasks.inbound import take_in_from
from tasks.opened import house
from tasks.reconciliation import reconcile_of, see_money_at
from tasks.report import report
from tasks.runs import at_work
from tasks.settlements import take_in_settlements_of


@flow(name="settlement-reconciliation", flow_run_name="{storefront} ↔ {warehouse} {period}")
def settlement_reconciliation(
    storefront: Annotated[str, Field(description="The storefront connection whose orders are reconciled")],
    warehouse: Annotated[str, Field(description="The warehouse connection whose files are taken in first; every warehouse's dispatches count")],
    period: Annotated[str, Field(description="A month as 2026-01, 'this month' or 'last month'; '' with two days instead")] = "this month",
    first: Annotated[str, Field(description="Instead of a month: the first day, as 2026-01-05 (UTC)")] = "",
    until: Annotated[str, Field(description="Instead of a month: the day after the last, as 2026-01-12 (UTC)")] = "",
    dry_run: Annotated[bool, Field(description="Only say what differs, from what is known; ask nobody, change nothing")] = False,
    patience_days: Annotated[int, Field(ge=-1, description="Days before money without goods is a difference; -1: 3 to ship, 2 to pay, 5 to refund, 14 to come back")] = -1,
    actor: Annotated[str, Field(min_length=1, description="Who makes the statement")] = "settlement_reconciliation",
) -> dict[str, Any]:
    """Take in what the warehouse advises and what a marketplace has settled, look at payments and refunds, put every order of the period under one verdict, and write the statement.

    Run it as often as you like: the period's rows and its statement are replaced as a whole, and a difference that holds no more is closed.
    """
    if dry_run:
        would = reconcile_of(storefront, warehouse, period, first, until, actor, dry_run, patience_days)
        report(f"differences {storefront} {warehouse}", would["differences"], "Dry run: what differs by what is known now.")
        return would["summary"]
    with at_work(house(), "settlement-reconciliation", warehouse) as run_id:
        taken_in = take_in_from(warehouse)
        deliver_all("warehouse", warehouse, list(ANSWERS), run_id)
    with at_work(house(), "settlement-reconciliation", f"money of {storefront}"):  # not the storefront itself: orders must not wait for a month's payments
        settlements = take_in_settlements_of(storefront)
        seen = see_money_at(storefront, period, first, until) | see_authorised_returns_at(storefront)
        made = reconcile_of(storefront, warehouse, period, first, until, actor, dry_run, patience_days)
        report(f"differences {storefront} {warehouse}", made["differences"], f"What does not agree; the statement is {made['statement']}.")
        return made["summary"] | {"statement": made["statement"], "opened": made["opened"], "settled": made["settled"], "taken_in": taken_in, "settlements": settlements, "seen": seen}
