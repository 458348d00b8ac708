"""`wharfinger evidence`: what is known of one order, in one file for a claim."""

import json
from pathlib import Path
from typing import Annotated

import typer

from deployments.cli_parts import JsonOption, ProfileOption, opened_house, out


def evidence(
    order: Annotated[str, typer.Argument(help="The storefront's order id.")],
    storefront: Annotated[str, typer.Option(help="The storefront connection.")],
    folder: Annotated[Path | None, typer.Option("--out", help="Where the zip goes; default: `evidence` in the house's home.", show_default=False)] = None,
    actor: Annotated[str, typer.Option(help="Who asks; kept in the vault's access log.")] = "evidence",
    as_json: JsonOption = False, profile: ProfileOption = None,
) -> None:
    """What was asked of the warehouse, what it shipped, what the storefront was told, returns and settlement rows of one order, in one zip. No personal data.

    Exit code 1: a link of the chain is missing; the page says which.

    Example: wharfinger evidence 100 --storefront bigcommerce-uk --out claims
    """
    from tasks.evidence.export import export
    from tasks.evidence.files import told

    with opened_house(profile) as house:
        found, path = export(house, storefront, order, actor, folder)
    if as_json:
        print(json.dumps(told(found) | {"path": str(path)}, indent=2, default=str))
    else:
        out.print(f"[bold]order {order}[/]  " + "  ".join(f"{name.replace('_', ' ')} {len(rows)}" for name, rows in found.tables.items() if rows))
        for finding in found.findings:
            out.print(f"[red]{finding}[/]")
        out.print(f"written: {path}", soft_wrap=True)
    if found.findings:
        raise typer.Exit(1)
