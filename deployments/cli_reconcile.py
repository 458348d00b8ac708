"""`wharfinger reconcile`: one period of one storefront, or settlement files from disk; here and now, without Prefect."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from connectors.house import House, read_profile

UNEXPLAINED = 1  # the exit code: differences that nothing accounts for


def reconcile(
    files: Annotated[list[str] | None, typer.Argument(help="Settlement files, folders of them or patterns; needs no profile.", show_default=False)] = None,
    storefront: Annotated[str, typer.Option(help="Without files: the storefront connection.")] = "",
    warehouse: Annotated[str, typer.Option(help="Without files: the warehouse whose files are taken in first.")] = "",
    period: Annotated[str, typer.Option(help="A month as 2026-01, 'this month' or 'last month'.")] = "",
    first: Annotated[str, typer.Option("--from", help="Instead of a month: the first day, as 2026-01-05 (UTC).")] = "",
    until: Annotated[str, typer.Option("--until", help="Instead of a month: the day after the last (UTC).")] = "",
    actor: Annotated[str, typer.Option(help="Who makes the statement.")] = "settlement_reconciliation",
    patience_days: Annotated[int | None, typer.Option(min=0, help="Days before money without goods is a difference, for all of them.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="From what is known; ask nobody, change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")] = False,
    profile: Annotated[Path | None, typer.Option("--profile", help="The profile.", show_default=False)] = None,
) -> None:
    """A marketplace's settlement files to the cent; or the orders of a period against payments, dispatches, refunds and returns.

    Exit code 1: something is unknown, unexplained or inconsistent. Exit code 2: a file cannot be read.

    Example: wharfinger reconcile settlement-*.txt --json

    Example: wharfinger reconcile --storefront bigcommerce-uk --warehouse gxo-uk --period 2026-01
    """
    if files:
        from deployments.cli_settlements import reconcile_files

        raise typer.Exit(reconcile_files(files, as_json))
    if not storefront or not warehouse:
        raise typer.BadParameter("give settlement files, or --storefront and --warehouse")
    from deployments.cli_parts import name_profile

    house = House(read_profile(name_profile(profile)))
    try:
        outcome = reconcile_now(house, storefront, warehouse, period, first, until, actor=actor, dry_run=dry_run, patience_days=patience_days)
    finally:
        house.close()
    told = told_of(outcome)
    print(json.dumps(told, indent=2)) if as_json else _show(told, outcome)
    if told["differences"]:
        raise typer.Exit(UNEXPLAINED)


def reconcile_now(house: House, storefront: str, warehouse: str, period: str = "", first: str = "", until: str = "", *, actor: str = "",
                  dry_run: bool = False, patience_days: int | None = None) -> Any:
    """The steps of the flow, in this process. `tasks.reconciliation.Outcome`."""
    from tasks import inbound
    from tasks.reconciliation import ACTOR, period_of, reconcile_period, see_money
    from tasks.runs import at_work

    wanted = period_of(house, period, first, until)
    if dry_run:
        return reconcile_period(house, storefront, warehouse, wanted, dry_run=True, patience_days=patience_days)
    with at_work(house, "settlement-reconciliation", warehouse):
        inbound.take_in(house, warehouse)
    with at_work(house, "settlement-reconciliation", f"money of {storefront}"):
        see_money(house, storefront, wanted)
        return reconcile_period(house, storefront, warehouse, wanted, actor=actor or ACTOR, patience_days=patience_days)


def told_of(outcome: Any) -> dict[str, Any]:
    """What a program reads: {orders, matched, differences, difference_minor, by_verdict, statement …}."""
    return outcome.summary | {"statement": outcome.statement}


def _show(told: dict[str, Any], outcome: Any) -> None:
    from tasks.reconciliation import difference_table

    out = Console()
    out.print(f"{told['orders']} orders: " + ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in told["by_verdict"].items()))
    rows = difference_table(outcome.found)
    if rows:
        table = Table(title=f"{told['differences']} differences not explained, {told['explained']} explained", title_justify="left")
        for name in rows[0]:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*row.values())
        out.print(table)
    if told["statement"]:
        out.print(f"statement: {told['statement']}")
