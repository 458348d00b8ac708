"""The console script `wharfinger`. Every command has an example in its help, and --json where a program might read it."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.kit.errors import WharfingerError
from contracts.exceptions import TYPES
from contracts.mappings import TABLES
from deployments import cli_audit, cli_exceptions
from deployments.cli_evidence import evidence
from deployments.cli_parts import JsonOption, ProfileOption, name_profile, opened_house, out, print_table, told
from deployments.cli_query import query
from deployments.cli_reconcile import reconcile
from deployments.cli_restore import restore
from deployments.cli_simulate import simulate
from deployments.cli_webhooks import webhooks

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Carry orders, dispatches, stock, returns and settlements between storefronts and other people's warehouses.")
mapping_app = typer.Typer(no_args_is_help=True, help="The tables that people edit.")
app.add_typer(cli_exceptions.app, name="exceptions")
app.command("timeline")(cli_exceptions.timeline)
app.add_typer(mapping_app, name="mapping")
app.command()(query)
app.command()(evidence)
app.command("audit")(cli_audit.audit)


@app.command()
def demo(
    orders: Annotated[Path | None, typer.Option(help="Orders to play: UCI Online Retail columns, CSV or Parquet. Without it a generator.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Only the first so many trading days.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Play, print the outcome, and stop.")] = False,
    as_json: JsonOption = False,
    home: Annotated[Path, typer.Option(help="Where the demo keeps everything. Emptied first.")] = Path(".wharfinger/demo"),
    port: Annotated[int, typer.Option(help="Of the Prefect UI; 0: any free one.")] = 0,
) -> None:
    """Play a trading period through sandboxes, Prefect and the flows, and compare the books.

    Example: wharfinger demo --once --orders online-retail.parquet --days 5
    """
    from deployments.demo import play_live, play_once
    from deployments.demo_orders import generated, period, read_file

    played = period(read_file(orders) if orders else generated(), days)
    told.print(f"{played.counts['orders']} orders and {played.counts['returns']} returns in {played.counts['rows']} rows; "
               f"{played.counts['bookkeeping']} bookkeeping invoices are counted, not played")
    if not played.orders:
        raise typer.BadParameter("there is no order in the file")
    if not once:
        play_live(played, home.absolute(), told.print, port)
        return
    result = play_once(played, home.absolute(), told.print, port)
    print(json.dumps(result, indent=2)) if as_json else _show_outcome(result)
    if any(check["violated"] for check in result["checks"].values()):
        raise typer.Exit(1)


def _show_outcome(result: dict[str, Any]) -> None:
    for part in ("file", "orders", "dispatches", "inventory", "returns", "reconciliation", "drift"):
        out.print(f"[bold]{part}[/]  " + "  ".join(f"{name} {value}" for name, value in result[part].items() if not isinstance(value, dict)))
    print_table("open exceptions", [{"type": name, "owner": TYPES[name].owner, "open": count, "what to do": TYPES[name].remedy}
                                     for name, count in result["exceptions"]["by_type"].items()])
    print_table("checks, from the sandboxes' own books", [{"check": name.replace("_", " "), "checked": found["checked"], "violated": found["violated"]}
                                                           for name, found in result["checks"].items()])
    out.print(f"{result['seconds']} s   analysts: {result['analytics']}")


@app.command()
def run(
    flow: Annotated[str, typer.Argument(help="orders-to-warehouse, dispatch-back, check-catalogue, reap-runs, publish-analytics, retention …")],
    parameters: Annotated[list[str] | None, typer.Argument(help="key=value …", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done (orders-to-warehouse, retention …).")] = False,
    profile: ProfileOption = None,
) -> None:
    """Run one flow now, in this process.

    Example: wharfinger run orders-to-warehouse storefront=bigcommerce-uk warehouse=gxo-uk --dry-run
    """
    name_profile(profile)
    from deployments.ad_hoc import flow_named

    given = dict(part.split("=", 1) for part in parameters or [] if "=" in part)
    print(json.dumps(flow_named(flow)(**given, **({"dry_run": True} if dry_run else {})), indent=2, default=str))




@mapping_app.command("export")
def export_mapping(table: Annotated[str, typer.Argument(help=", ".join(TABLES))], profile: ProfileOption = None) -> None:
    """Print a table as CSV, as it holds now.

    Example: wharfinger mapping export carriers > carriers.csv
    """
    from tasks.mappings import current_csv

    with opened_house(profile) as house:
        print(current_csv(house, table), end="")


@mapping_app.command("import")
def import_mapping(
    table: Annotated[str, typer.Argument(help=", ".join(TABLES))], file: Annotated[Path, typer.Argument(help="The whole table as CSV.")],
    actor: Annotated[str, typer.Option(help="Who says so.")], dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would change and free.")] = False,
    profile: ProfileOption = None,
) -> None:
    """Replace a table; what it frees goes on with the next runs. Refused whole when a row is wrong or there twice.

    Example: wharfinger mapping import carriers carriers.csv --actor "A. Reader" --dry-run
    """
    from tasks.mappings import change_mapping

    with opened_house(profile) as house:
        print(json.dumps(vars(change_mapping(house, table, file.read_text(encoding="utf-8-sig"), actor, dry_run)), indent=2))


@app.command()
def sandbox(
    system: Annotated[str, typer.Argument(help="bigcommerce")], port: Annotated[int, typer.Option(help="0: any free one.")] = 0,
    faults: Annotated[str, typer.Option(help="As in 'F3:0.1,F5:0.05' (RELIABILITY §2.4).")] = "",
) -> None:
    """Put one HTTP stand-in on a loopback port until interrupted.

    Example: wharfinger sandbox bigcommerce --port 8080 --faults F3:0.1
    """
    from deployments.sandboxes import keep_up

    keep_up(system, port, faults, told.print)


@app.command()
def doctor(
    new_key: Annotated[bool, typer.Option("--new-key", help="Print a fresh master key for the vault.")] = False, profile: ProfileOption = None,
) -> None:
    """Check the profile, every connection's settings, the ledger, the vault and Prefect's server settings.

    Example: wharfinger doctor --profile profile.toml
    """
    from deployments.doctor import examine, fresh_key

    if new_key:
        print(fresh_key())
        return
    findings = examine(name_profile(profile))
    print_table("doctor", findings)
    if any(row["verdict"] == "wrong" for row in findings):
        raise typer.Exit(1)

app.command()(reconcile)
app.command()(restore)
app.command()(simulate)


app.command()(webhooks)


def main() -> None:
    """The entry point: one clear sentence instead of a traceback for what a user can mend."""
    try:
        app()
    except WharfingerError as error:
        told.print(f"[red]{error}[/]")
        sys.exit(2)


if __name__ == "__main__":
    main()
