"""The console script `wharfinger`. Every command has an example in its help, and --json where a program might read it."""

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from connectors.house import PROFILE, House, read_profile
from connectors.kit.errors import WharfingerError
from contracts.exceptions import TYPES
from contracts.mappings import TABLES
from deployments.cli_query import query
from deployments.cli_webhooks import webhooks
from deployments import cli_audit
from deployments.cli_reconcile import reconcile

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Carry orders, dispatches, stock, returns and settlements between storefronts and other people's warehouses.")
exceptions_app = typer.Typer(no_args_is_help=True, help="Records that a person must look at.")
mapping_app = typer.Typer(no_args_is_help=True, help="The tables that people edit.")
app.add_typer(exceptions_app, name="exceptions")
app.add_typer(mapping_app, name="mapping")
app.command()(query)
app.command("audit")(cli_audit.audit)
out, told = Console(), Console(stderr=True, highlight=False)

ProfileOption = Annotated[Path | None, typer.Option("--profile", help=f"The profile; default: what {PROFILE} names.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")]


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
    told.print(f"{played.counts['orders']} orders in {played.counts['rows']} rows; {played.counts['returns']} returns and "
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
    for part in ("file", "orders", "dispatches"):
        out.print(f"[bold]{part}[/]  " + "  ".join(f"{name} {value}" for name, value in result[part].items() if not isinstance(value, dict)))
    _print_table("open exceptions", [{"type": name, "owner": TYPES[name].owner, "open": count, "what to do": TYPES[name].remedy}
                                     for name, count in result["exceptions"]["by_type"].items()])
    _print_table("checks, from the sandboxes' own books", [{"check": name.replace("_", " "), "checked": found["checked"], "violated": found["violated"]}
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
    _name_profile(profile)
    from deployments.ad_hoc import flow_named

    given = dict(part.split("=", 1) for part in parameters or [] if "=" in part)
    print(json.dumps(flow_named(flow)(**given, **({"dry_run": True} if dry_run else {})), indent=2, default=str))


@exceptions_app.command("list")
def list_exceptions(
    owner: Annotated[str, typer.Option(help="operations, ecommerce, finance, 'customer service' or data.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: JsonOption = False, profile: ProfileOption = None,
) -> None:
    """What is on whose desk, most urgent first.

    Example: wharfinger exceptions list --owner ecommerce
    """
    with _house(profile) as house:
        rows = [dict(row._mapping) for row in house.ledger.exceptions.listed(only_open=not everything, owner=owner)]
    if as_json:
        print(json.dumps(rows, indent=2, default=str))
        return
    _print_table(f"{len(rows)} exceptions", [{"due": row["due_at"], "owner": row["owner"], "type": row["type"], "record": f"{row['connection']} {row['record']}",
                                              "what to do": TYPES[row["type"]].remedy, "seen": row["count"], "id": row["exception_id"][:8]} for row in rows])


@exceptions_app.command("show")
def show_exception(exception_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")], profile: ProfileOption = None) -> None:
    """One exception with its evidence, what it means and what clears it.

    Example: wharfinger exceptions show 1f3a9c02
    """
    with _house(profile) as house:
        found = [row for row in house.ledger.exceptions.listed(only_open=False) if row.exception_id.startswith(exception_id)]
    if len(found) != 1:
        raise typer.BadParameter(f"{len(found)} exceptions begin with {exception_id}")
    kind = TYPES[found[0].type]
    print(json.dumps(dict(found[0]._mapping) | {"means": kind.means, "what to do": kind.remedy, "clears": kind.clears}, indent=2, default=str))


@exceptions_app.command("resolve")
def resolve_exception(
    exception_id: Annotated[str, typer.Argument(help="Its whole id.")],
    actor: Annotated[str, typer.Option(help="Who decides.")], reason: Annotated[str, typer.Option(help="Why.")],
    it_is_there: Annotated[bool | None, typer.Option("--there/--send-again", help="For a blocked effect: what you found at the other system.")] = None,
    profile: ProfileOption = None,
) -> None:
    """Close one, with your name and reason. A blocked effect needs your word on what you found.

    Example: wharfinger exceptions resolve 1f3a… --actor "A. Reader" --reason "rang GXO, they have it" --there
    """
    from tasks.exceptions import resolve

    with _house(profile) as house:
        resolve(house, exception_id, actor, reason, it_is_there)
    told.print("resolved")


@app.command()
def timeline(
    order: Annotated[str, typer.Argument(help="The storefront's order id.")],
    storefront: Annotated[str, typer.Option(help="Its connection; default: every storefront.")] = "", as_json: JsonOption = False, profile: ProfileOption = None,
) -> None:
    """Where is my order? Everything that happened to it, across all systems.

    Example: wharfinger timeline 100123
    """
    with _house(profile) as house, house.ledger.transaction() as tx:
        rows = [dict(row._mapping) for name in ([storefront] if storefront else house.names("storefront")) for row in house.ledger.timeline.of(tx, name, order)]
    if as_json:
        print(json.dumps(rows, indent=2, default=str))
    else:
        _print_table(f"order {order}", [{name: row[name] for name in ("at", "what", "actor", "detail")} for row in rows])


@mapping_app.command("export")
def export_mapping(table: Annotated[str, typer.Argument(help=", ".join(TABLES))], profile: ProfileOption = None) -> None:
    """Print a table as CSV, as it holds now.

    Example: wharfinger mapping export carriers > carriers.csv
    """
    from tasks.mappings import current_csv

    with _house(profile) as house:
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

    with _house(profile) as house:
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
    findings = examine(_name_profile(profile))
    _print_table("doctor", findings)
    if any(row["verdict"] == "wrong" for row in findings):
        raise typer.Exit(1)

app.command()(reconcile)


app.command()(webhooks)


class _house:  # noqa: N801 (reads as a word in `with`)
    """The house of the profile, closed afterwards."""

    def __init__(self, profile: Path | None) -> None:
        self._house = House(read_profile(_name_profile(profile)))

    def __enter__(self) -> House:
        return self._house

    def __exit__(self, *_: object) -> None:
        self._house.close()


def _name_profile(profile: Path | None) -> Path:
    if profile:
        os.environ[PROFILE] = str(profile.absolute())
    if PROFILE not in os.environ:
        raise typer.BadParameter(f"give --profile, or set {PROFILE}")
    return Path(os.environ[PROFILE])


def _print_table(title: str, rows: list[dict[str, Any]], columns: list[str] | None = None) -> None:
    table = Table(title=title or None, title_justify="left")
    for name in columns or (list(rows[0]) if rows else ["none"]):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else str(value) for value in row.values()))
    out.print(table)


def main() -> None:
    """The entry point: one clear sentence instead of a traceback for what a user can mend."""
    try:
        app()
    except WharfingerError as error:
        told.print(f"[red]{error}[/]")
        sys.exit(2)


if __name__ == "__main__":
    main()
