"""`wharfinger query`: what analysts ask, answered as a table, as JSON, or as a CSV file of which no spreadsheet runs a cell."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connectors.house import PROFILE, read_profile
from connectors.snapshots.query import query as ask
from contracts.spreadsheet import csv_text
from deployments.cli_parts import name_profile

ROWS, FILE_ROWS = 10_000, 1_000_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # a cell must not drive the terminal, nor turn its line round
out, told = Console(), Console(stderr=True, highlight=False)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT. `SELECT * FROM dictionary` lists the views.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")] = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write a CSV file; text that a spreadsheet might run begins with a '.", show_default=False)] = None,
    rows: Annotated[int | None, typer.Option(min=1, max=FILE_ROWS, help=f"At most so many; default {ROWS:,}, with --csv {FILE_ROWS:,}.", show_default=False)] = None,
    profile: Annotated[Path | None, typer.Option("--profile", help=f"The profile; default: what {PROFILE} names.", show_default=False)] = None,
) -> None:
    """Ask the published analytics copy: read-only and locked down. Exit code 3: there was more than was given.

    Example: wharfinger query "SELECT type, owner, count(*) FROM exceptions_open GROUP BY ALL" --csv open.csv
    """
    frame = ask(sql, read_profile(name_profile(profile)).home / "analytics" / "analytics.duckdb", rows or (FILE_ROWS if csv else ROWS))
    if csv:
        csv.write_text(csv_text(frame.columns, rows_of(frame)), encoding="utf-8", newline="")
        told.print(f"{len(frame)} rows in {csv}", markup=False)
    if as_json:
        print(json_text(frame))
    elif not csv:
        out.print(table_of(frame))
    if frame.attrs["is_cut"]:
        told.print(f"There is more: these are the first {len(frame):,} rows. Narrow it down, or give --rows.")
        raise typer.Exit(3)


def rows_of(frame: pd.DataFrame) -> list[tuple]:
    """The rows, column by column, so that no number is widened to fit its neighbours."""
    return list(zip(*(frame.iloc[:, place].tolist() for place in range(frame.shape[1])), strict=True))


def json_text(frame: pd.DataFrame) -> str:
    """A list of objects in ASCII. Decimals are texts (a JSON number would be read as a float), moments ISO 8601 in UTC, what is missing null."""
    return json.dumps([dict(zip(frame.columns, map(_plain, row), strict=True)) for row in rows_of(frame)], indent=2, default=str, allow_nan=False)


def table_of(frame: pd.DataFrame) -> Table:
    """For people: markup and control characters are shown, not obeyed."""
    table = Table()
    for name in frame.columns:
        table.add_column(_shown(name), overflow="fold")
    for row in rows_of(frame):
        table.add_row(*(_shown(value) for value in row))
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if value is None or pd.isna(value):
        return None
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _shown(value: Any) -> str:
    if isinstance(value, datetime) and not pd.isna(value):
        return value.strftime("%Y-%m-%d %H:%M")
    plain = _plain(value)
    return "" if plain is None else escape(_CONTROL.sub(lambda found: ascii(found[0])[1:-1], str(plain)))
