"""What every command shares: the profile, the house, and how a table looks in a terminal."""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connectors.house import PROFILE, House, read_profile

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
out, told = Console(), Console(stderr=True, highlight=False)

ProfileOption = Annotated[Path | None, typer.Option("--profile", help=f"The profile; default: what {PROFILE} names.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")]


class opened_house:  # noqa: N801 (reads as a word in `with`)
    """The house of the profile, closed afterwards."""

    def __init__(self, profile: Path | None) -> None:
        self._house = House(read_profile(name_profile(profile)))

    def __enter__(self) -> House:
        return self._house

    def __exit__(self, *_: object) -> None:
        self._house.close()


def name_profile(profile: Path | None) -> Path:
    """The profile to use, named in the environment too: flows read it there."""
    if profile:
        os.environ[PROFILE] = str(profile.absolute())
    if PROFILE not in os.environ:
        raise typer.BadParameter(f"give --profile, or set {PROFILE}")
    return Path(os.environ[PROFILE])


def print_table(title: str, rows: list[dict[str, Any]], columns: list[str] | None = None, whole: tuple[str, ...] = ()) -> None:
    """For a person. `whole`: columns that are never broken into lines."""
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for name in columns or (list(rows[0]) if rows else ["none"]):
        table.add_column(name, overflow="fold", no_wrap=name in whole)
    for row in rows:
        table.add_row(*(value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else escape(harmless(str(value))) for value in row.values()))
    out.print(table)


def harmless(text: str) -> str:
    """Text from outside must neither drive the terminal nor turn its line round."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
