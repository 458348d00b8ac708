"""`wharfinger audit`: every gap of a route, on the screen, as JSON, or as a page to hand over."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connectors.house import PROFILE, House, read_profile
from tasks.audit import EXIT, audit_route
from tasks.audit_page import audit_page

ROWS_MAX = 200
out = Console()


def audit(
    storefront: Annotated[str, typer.Argument(help="The storefront connection, as the profile names it.")],
    warehouse: Annotated[str, typer.Argument(help="The warehouse connection.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write the report as one page to this file.", show_default=False)] = None,
    profile: Annotated[Path | None, typer.Option("--profile", help=f"The profile; default: what {PROFILE} names.", show_default=False)] = None,
) -> None:
    """Every gap of a route before go-live, with owner and remedy. Ends with 0 when it is clean, 1 when there are gaps, 2 when it could not look.

    Example: wharfinger audit bigcommerce-uk gxo-uk --html audit.html
    """
    named = str(profile.absolute()) if profile else os.environ.get(PROFILE)
    if not named:
        raise typer.BadParameter(f"give --profile, or set {PROFILE}")
    house = House(read_profile(Path(named)))
    try:
        found = audit_route(house, storefront, warehouse)
        if html:
            html.write_text(audit_page(found, house.clock.now()), encoding="utf-8")
    finally:
        house.close()
    print(json.dumps(found, indent=2)) if as_json else _show(found, html)
    raise typer.Exit(EXIT[found["verdict"]])


def _show(found: dict[str, Any], html: Path | None) -> None:
    out.print(f"[bold]{escape(found['storefront'])} → {escape(found['warehouse'])}: {found['verdict']}[/]   "
              + "   ".join(f"{severity} {count}" for severity, count in found["counts"].items()))
    for one in found["not_looked_at"]:
        out.print(f"[red]not looked at: {escape(one['what'])}[/]  {escape(one['why'])}")
    table = Table("severity", "owner", "what is wrong", "what to do", "row to add")
    for gap in found["gaps"][:ROWS_MAX]:
        row = f"{gap['table']}: {','.join(gap['row'].values())}" if gap["row"] else ""
        table.add_row(*(escape(text) for text in (gap["severity"], gap["owner"], gap["says"], gap["remedy"], row)))
    if found["gaps"]:
        out.print(table)
    if len(found["gaps"]) > ROWS_MAX:
        out.print(f"the first {ROWS_MAX} of {len(found['gaps'])}; --json and --html have more")
    if html:
        out.print(f"written: {html}")
