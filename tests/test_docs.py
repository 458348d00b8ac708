"""What the documents say is so: commands exist, every exception type is explained, every system has its README.

`python tests/test_docs.py --write` writes the manual's table of exceptions anew.
"""

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.exceptions import REMEDIES, ROLES, TYPES

ROOT = Path(__file__).resolve().parents[1]
MANUAL = ROOT / "docs" / "operating-manual.md"
MARK = "<!-- made from contracts/exceptions.py by tests/test_docs.py --write -->"
COMMANDS = (
    "audit",
    "demo",
    "doctor",
    "evidence",
    "exceptions list",
    "exceptions resolve",
    "exceptions show",
    "mapping export",
    "mapping import",
    "restore",
    "query",
    "reconcile",
    "run",
    "sandbox",
    "simulate",
    "timeline",
    "webhooks",
)
DOCUMENTS = [path for path in (ROOT / "README.md", MANUAL, *sorted(ROOT.glob("connectors/*/README.md")), ROOT / "deployments" / "README.md") if path.exists()]


REMEDIES_MARK = "<!-- remedies: made from contracts/exceptions.py by tests/test_docs.py --write -->"
REMEDIES_END = "<!-- end of remedies -->"
DUE_IN = {"cut-off": "the next cut-off, or the ship-by if that is sooner", "ship-by": "24 hours, or the ship-by if that is sooner", "day": "24 hours", "month-end": "the month's end"}


def exceptions_table() -> str:
    """One row a type, from the closed list."""
    rows = ["| type | owner | due | means | what to do | choose | what closes it |", "|---|---|---|---|---|---|---|"]
    rows += [f"| `{kind.name}` | {kind.owner} | {DUE_IN[kind.due]} | {kind.means} | {kind.remedy} | {' or '.join(kind.remedies)} | {kind.clears} |"
             for kind in TYPES.values()]
    return "\n".join(rows) + "\n"


def remedies_table() -> str:
    """One row a remedy, from the closed list."""
    return "\n".join(["| remedy | what it means and does |", "|---|---|", *(f"| **{name}** | {what} |" for name, what in REMEDIES.items())]) + "\n"


def test_the_manual_explains_every_exception_type_as_the_code_has_it():
    assert MANUAL.read_text().split(MARK)[1].strip() == exceptions_table().strip()


def test_the_manual_explains_every_remedy_and_tells_how_to_clear_every_type():
    text = MANUAL.read_text()
    assert text.split(REMEDIES_MARK)[1].split(REMEDIES_END)[0].strip() == remedies_table().strip()
    told = text.split("## Clearing each kind")[1].split("## Mapping tables")[0]
    assert [name for name in TYPES if f"`{name}`" not in told] == []


def test_every_exception_has_an_owner_role_and_says_what_to_do():
    for kind in TYPES.values():
        assert kind.owner in ROLES and kind.means and kind.remedy and kind.clears, kind.name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    from deployments.cli import app

    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0 and f"Example: wharfinger {command}" in " ".join(shown.output.split())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_only_commands_that_exist(document):
    for words in re.findall(r"`wharfinger ([a-z-]+(?: [a-z-]+)?)", document.read_text()):
        first = words.split()[0]
        assert words in COMMANDS or first in COMMANDS, f"{document.name}: wharfinger {words}"


def test_every_command_is_in_the_readme_or_the_manual():
    text = (ROOT / "README.md").read_text() + MANUAL.read_text()
    assert [command for command in COMMANDS if f"wharfinger {command}" not in text] == []


def test_every_link_in_the_readme_leads_somewhere():
    for target in re.findall(r"\]\(([^)#h][^)]*)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    head = MANUAL.read_text().split(MARK)[0]
    before, after = head.split(REMEDIES_MARK)[0], head.split(REMEDIES_END)[1]
    MANUAL.write_text(f"{before}{REMEDIES_MARK}\n\n{remedies_table()}\n{REMEDIES_END}{after}{MARK}\n\n{exceptions_table()}")
