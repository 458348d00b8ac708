"""What `wharfinger query` prints and writes does nothing to whoever opens it, and says exactly what was asked."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from connectors.kit.clock import ManualClock
from connectors.ledger.vault import new_master_key
from connectors.snapshots.publish import publish
from contracts.spreadsheet import plain_cell
from deployments.cli import app
from deployments.cli_query import json_text
from tests.snapshots.rows import NOW, ledger, table

NASTY = ('=HYPERLINK("http://canary.invalid","x")', "+1", "-2+3", "@SUM(1)", "\t=1", "[red]x[/]", "[/]", "\x1b]0;owned\x07", "\u202egnirts", "a,b\n\"c\"", "-")


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "vault.key").write_text(new_master_key())
    (home / "profile.toml").write_text(f'home = "{home}"\n[vault]\nkey = "file:{home}/vault.key"\n')
    tables = ledger()
    tables["order_lines"] = pd.concat([tables["order_lines"], table("order_lines", *(
        {"connection": "bc-uk", "order_id": "100", "line_id": f"n{n}", "name": text, "quantity": -n} for n, text in enumerate(NASTY)))], ignore_index=True)
    publish(tables, home / "analytics", ManualClock(NOW))
    return home / "profile.toml"


def _asks(profile: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["query", *words, "--profile", str(profile)], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout


def test_a_csv_file_has_text_that_no_spreadsheet_runs_and_numbers_that_are_numbers(profile: Path, tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    code, _ = _asks(profile, "SELECT name, quantity, NULL AS nothing FROM order_lines WHERE line_id LIKE 'n%' ORDER BY quantity DESC", "--csv", str(file))
    with file.open(encoding="utf-8", newline="") as opened:
        header, *rows = list(csv.reader(opened))
    assert code == 0 and header == ["name", "quantity", "nothing"] and [int(row[1]) for row in rows] == [-n for n in range(len(NASTY))]
    assert [plain_cell(row[0]) for row in rows] == list(NASTY) and not [row[0] for row in rows if row[0][:1] in ("=", "+", "-", "@", "\t")]
    assert file.read_bytes().count(b"\r\n") == len(NASTY) + 1


def test_json_is_ascii_and_exact(profile: Path) -> None:
    code, said = _asks(profile, "SELECT total_minor AS big, 1.50::DECIMAL(9, 2) AS exact, placed_at, NULL AS nothing, 'é\x1b' AS text, [1, NULL] AS many, 1 AS a, 2 AS a "
                                "FROM orders WHERE order_id = '102'", "--json")
    assert code == 0 and said.isascii() and "\x1b" not in said
    assert json.loads(said) == [{"big": 9_007_199_254_740_993, "exact": "1.50", "placed_at": NOW.isoformat(), "nothing": None, "text": "é\x1b", "many": [1, None],
                                 "a": 1, "a_1": 2}]


def test_a_table_shows_markup_and_control_characters_and_obeys_none(profile: Path) -> None:
    code, said = _asks(profile, "SELECT name FROM order_lines WHERE line_id LIKE 'n%'")
    assert code == 0 and "[red]x[/]" in said and "\\x1b]0;owned" in said and "\\u202egnirts" in said
    assert "\x1b]" not in said and "\u202e" not in said


def test_more_than_was_given_is_said_and_has_its_exit_code(profile: Path) -> None:
    assert _asks(profile, "SELECT * FROM range(5)", "--json", "--rows", "2")[0] == 3
    assert len(json.loads(_asks(profile, "SELECT * FROM range(5)", "--json", "--rows", "5")[1])) == 5


def test_what_json_has_no_word_for_is_null_or_text() -> None:
    frame = pd.DataFrame({"gap": pd.array([None], dtype="Int64"), "not a number": [float("nan")], "at": [pd.NaT], "when": [datetime(2026, 1, 15, 14, 5, tzinfo=UTC)]})
    assert json.loads(json_text(frame)) == [{"gap": None, "not a number": None, "at": None, "when": "2026-01-15T14:05:00+00:00"}]
