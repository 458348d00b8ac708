"""No cell that we write is ever run by a spreadsheet, and whoever reads it back has the very text."""

import csv
import io
import random
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import openpyxl
import pandas as pd
import pytest
import xlsxwriter

from contracts.spreadsheet import csv_text, plain_cell, safe_cell

ATTACKS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", " =1", "\u00a0=1", '"=1', "'=1", "''=1", "“=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)",
           "\ufeff=1", "\u200b=1", "\u202e=1", "\u2212" "1", "\ufe66" "1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://canary.invalid","x")', "\x0b=1", " \t=1", "-2+3+cmd|' /C calc'!A0",
           "\ufe0f=1", "-", "=")
HARMLESS = ("", "HEART", "85123A", "a=b", "1-2", "O'Hara", "'quoted'", '"quoted"', "  spaced", "ß", "x@y", "(5)", "'", "''", "日本")
LETTERS = "=+-@\t\r\n\0 '\"\u201c\u00a0\ufeff\u200b\uff1d\uff0b\uff0d\uff20\u2212aZ5,;|(ü日\u202e😀"


def _ten_thousand() -> list[str]:
    dice = random.Random(20260115)
    made = ["".join(dice.choices(LETTERS, k=dice.randrange(1, 8))) for _ in range(10_000)]
    return [*made, *ATTACKS, *HARMLESS]


@pytest.mark.parametrize("text", ATTACKS, ids=ascii)
def test_what_a_spreadsheet_might_run_begins_with_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == "'" + text and plain_cell(safe_cell(text)) == text


@pytest.mark.parametrize("text", HARMLESS, ids=ascii)
def test_what_is_only_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text == plain_cell(text)


def test_no_cell_of_ten_thousand_begins_a_formula_once_what_is_unseen_is_gone() -> None:
    for text in _ten_thousand():
        cell = safe_cell(text)
        assert not cell[:1] or cell[0] not in "=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20\u2212", ascii(text)
        seen = cell.lstrip(" \u00a0\ufeff\u200b\u202e")
        assert seen[:1] not in tuple("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20\u2212"), ascii(text)


def test_ten_thousand_texts_come_back_from_csv_as_they_were() -> None:
    texts = _ten_thousand()
    read = list(csv.reader(io.StringIO(csv_text(["text", "n"], ((text, 1) for text in texts)), newline="")))
    assert read[0] == ["text", "n"] and [plain_cell(text) for text, _ in read[1:]] == texts


def test_a_cell_in_a_workbook_is_a_text_and_never_a_formula(tmp_path) -> None:
    with xlsxwriter.Workbook(tmp_path / "attacks.xlsx") as book:
        sheet = book.add_worksheet()
        for row, text in enumerate(ATTACKS):
            sheet.write(row, 0, safe_cell(text))  # even by the call that would make a formula of it
    read = openpyxl.load_workbook(tmp_path / "attacks.xlsx").active
    assert {cell.data_type for (cell,) in read.iter_rows()} == {"s"} and read.max_row == len(ATTACKS)


def test_numbers_are_numbers_and_times_are_utc_and_nothing_is_nothing() -> None:
    at = datetime(2026, 1, 15, 14, 5, tzinfo=UTC)
    row = [-5, np.int64(-7), -1.5, Decimal("-12.50"), True, at, pd.Timestamp(at).tz_convert("Europe/London"), None, pd.NA, pd.NaT, float("nan"), ["=1", -2], "-5"]
    read = next(csv.reader(io.StringIO(csv_text([], [row]).partition("\r\n")[2])))
    assert read == ["-5", "-7", "-1.5", "-12.50", "True", "2026-01-15T14:05:00+00:00", "2026-01-15T14:05:00+00:00", "", "", "", "", "['=1', -2]", "'-5"]


def test_headers_are_made_safe_too_and_lines_end_as_the_standard_says() -> None:
    assert csv_text(["=1", "b"], [["a,b", 'say "x"'], ["two\nlines", ""]]) == "'=1,b\r\n\"a,b\",\"say \"\"x\"\"\"\r\n\"two\nlines\",\r\n"
