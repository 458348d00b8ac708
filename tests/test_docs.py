"""What the documents say is so: commands exist, every exception type is explained, every system has its README.

`python tests/test_docs.py --write` writes the manual's table of exceptions anew.
"""

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.exceptions import ROLES, TYPES

ROOT = Path(__file__).resolve().parents[1]
MANUAL = ROOT / "docs" / "operating-manual.md"
MARK = "<!-- made from contracts/exceptions.py by tests/test_docs.py --write -->"
COMMANDS = (
    "audit",
    "demo",
    "doctor",
    "exceptions list",
    "exceptions resolve",
    "exceptions show",
    "mapping export",
    "mapping import",
    "query",
    "reconcile",
    "run",
    "sandbox",
    "timeline",
    "webhooks",
)
DOCUMENTS = [path for path in (ROOT / "README.md", MANUAL, *sorted(ROOT.glob("connectors/*/README.md")), ROOT / "deployments" / "README.md") if path.exists()]


def exceptions_table() -> str:
    """One row a type, from the closed list."""
    rows = ["| type | owner | means | what to do | what closes it |", "|---|---|---|---|---|"]
    rows += [f"| `{kind.name}` | {kind.owner} | {kind.means} | {kind.remedy} | {kind.clears} |" for kind in TYPES.values()]
    return "\n".join(rows) + "\n"


def test_the_manual_explains_every_exception_type_as_the_code_has_it():
    assert MANUAL.read_text().split(MARK)[1].strip() == exceptions_table().strip()


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
    MANUAL.write_text(f"{head}{MARK}\n\n{exceptions_table()}")
