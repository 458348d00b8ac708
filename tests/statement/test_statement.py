"""The month-end statement: golden rows beside their input, the same bytes for the same input, and nothing in it that a spreadsheet or a browser runs.

`python -m tests.statement.test_statement --write` writes the golden files anew; read the difference before you keep it.
"""

import csv
import hashlib
import io
import random
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from contracts.money import to_minor
from contracts.spreadsheet import csv_text, plain_cell
from tasks.rules.reconciliation import Books, Reconciliation, month, reconcile
from tasks.statement.figures import Statement, by_verdict, money, summary
from tasks.statement.files import keep
from tasks.statement.page import html_of
from tasks.statement.sheets import COLUMNS, DIFFERENCE_COLUMNS, csv_of, difference_rows, order_rows, xlsx_of
from tests.rules.books_cases import PLACED, SHOP, Case, line

JANUARY = Path(__file__).parent / "january"
MADE_AT = datetime(2026, 2, 2, 5, 0, tzinfo=UTC)
ATTACK = '=HYPERLINK("http://canary.invalid","<script>alert(1)</script>")'
LETTERS = "=+-@\t\r\n\0 '\"\u201c\u00a0\ufeff\uff1d\uff0b\uff0d\uff20\u2212aZ5,;|(<&ü日"


def read(name: str) -> list[dict[str, str]]:
    """One of the input tables."""
    return list(csv.DictReader(io.StringIO((JANUARY / f"{name}.csv").read_text())))


def at(day: str) -> datetime:
    """Nine in the morning."""
    return datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC)


def january() -> Books:
    """The month that lies beside this file."""
    case, currencies = Case(), {}
    lines: dict[str, list[dict[str, Any]]] = {}
    for row in read("lines"):
        lines.setdefault(row["order_id"], []).append(row)
    for row in read("orders"):
        currency = currencies[row["order_id"]] = row["currency"]
        minor = {name: to_minor(row[name], currency) for name in ("total", "shipping", "tax", "discount")}
        case.order(row["order_id"], *(line(one["line_id"], int(one["quantity"]), to_minor(one["total"], currency), sku=one["sku"], is_shippable=one["goods"] == "yes")
                                      for one in lines[row["order_id"]]), **minor, placed_at=at(row["placed_at"]), status=row["status"], currency=currency)
    for row in read("payments"):
        case.paid(to_minor(row["amount"], row["currency"]), row["order_id"], at(row["at"]), kind=row["kind"], currency=row["currency"], is_settled=row["settled"] == "yes")
    for row in read("dispatched"):
        case.sent(int(row["quantity"]), row["line_id"], row["order_id"], at(row["at"]))
    for row in read("refunds"):
        case.refunded(to_minor(row["amount"], row["currency"]), row["order_id"], at(row["at"]), row["line_id"], currency=row["currency"], is_declined=row["declined"] == "yes")
    for row in read("returned"):
        case.returned(int(row["quantity"]), row["order_id"], at(row["at"]), row["line_id"], int(row["percent"]))
    for row in read("on_desk"):
        case.rows["on_desk"].append({name: row[name] for name in ("order_id", "type", "cause", "owner", "reason")} | {
            "is_open": not row["decided_by"], "resolved_by": row["decided_by"], "resolved_at": at(row["decided_at"]) if row["decided_at"] else None})
    return case.books


@pytest.fixture(scope="module")
def found() -> Reconciliation:
    return reconcile(january(), month("2026-01"), MADE_AT)


@pytest.fixture(scope="module")
def statement(found: Reconciliation) -> Statement:
    return a_statement(found)


def a_statement(found: Reconciliation, **other: Any) -> Statement:
    """Made on the second of February."""
    given: dict[str, Any] = {"connection": SHOP, "warehouse": "gxo-uk", "period": month("2026-01"), "found": found, "sources": {"Orders": "24"}, "made_at": MADE_AT, "made_by": "A. Reader",
                             "open_exceptions": [{"type": "sku_unknown", "owner": "ecommerce", "open": 1, "oldest": "2026-01-05"}]}
    return Statement(**given | other)


def hostile(texts: list[str]) -> Statement:
    """A statement in which strangers wrote every text that they can write."""
    case = Case()
    for n, text in enumerate(texts):
        case.order(f"{n}").paid(order_id=f"{n}").on_desk("sku_unknown", f"{n}")
        case.rows["on_desk"][-1]["owner"] = text
    return a_statement(case.judged(as_of=MADE_AT))


def golden(statement: Statement) -> dict[str, str]:
    """What lies beside the input: the statement's rows, and its differences."""
    return {"statement.csv": csv_of(statement), "differences.csv": csv_text(DIFFERENCE_COLUMNS, ([row[name] for name in DIFFERENCE_COLUMNS] for row in difference_rows(statement)))}


@pytest.mark.parametrize("name", ["statement.csv", "differences.csv"])
def test_the_statement_of_january_is_as_it_lies_beside_its_input(statement: Statement, name: str) -> None:
    assert golden(statement)[name] == (JANUARY / name).read_bytes().decode()


def test_every_order_of_january_is_in_its_statement_and_nothing_else(statement: Statement) -> None:
    wanted = [row["order_id"] for row in sorted(read("orders"), key=lambda row: row["placed_at"]) if "2026-01" in row["placed_at"] or row["order_id"] == "999"]
    assert [row["order_id"] for row in order_rows(statement)] == wanted


def test_the_summary_counts_what_is_not_explained(found: Reconciliation) -> None:
    told = summary(found)
    assert (told["orders"], told["matched"], told["differences"], told["explained"]) == (23, 9, 9, 2)
    assert told["difference_minor"] == sum(told["difference_minor_by_currency"].values()) == 4234
    assert sum(told["by_verdict"].values()) == told["orders"]


def test_differences_in_two_currencies_are_not_added_up() -> None:
    told = summary(Case().order("1").paid().order("2", currency="EUR").paid(1000, "2", currency="EUR").judged())
    assert told["difference_minor"] is None and told["difference_minor_by_currency"] == {"EUR": 1000, "GBP": 1000}


def test_totals_by_verdict_are_the_totals_of_the_orders(found: Reconciliation) -> None:
    for table in by_verdict(found):
        rows = [row for row in found.rows.to_dict("records") if row["currency"] == table["currency"]]
        assert table["total"]["ordered"] == sum(row["ordered_minor"] for row in rows) == sum(row["ordered"] for row in table["rows"])
        assert table["total"]["orders"] == len(rows)


def test_the_same_input_is_the_same_bytes(statement: Statement, tmp_path: Path) -> None:
    first = _files(tmp_path / "a", statement)
    assert first == _files(tmp_path / "b", a_statement(reconcile(january(), month("2026-01"), MADE_AT)))
    assert set(first) == {"statement.html", "statement.csv", "statement.xlsx"}
    later = _files(tmp_path / "c", replace(statement, made_at=MADE_AT.replace(hour=6)))
    assert later["statement.csv"] == first["statement.csv"] and later["statement.html"] != first["statement.html"]


def _files(folder: Path, statement: Statement) -> dict[str, bytes]:
    keep(folder, statement)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_page_names_the_fingerprint_of_the_csv_beside_it(statement: Statement, tmp_path: Path) -> None:
    page, written = keep(tmp_path, statement)
    assert written == (tmp_path / "statement.csv").read_bytes()
    assert hashlib.sha256(written).hexdigest() in page.read_text()


class Reader(HTMLParser):
    """Which elements a page has, where it points to, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action", "data") or name.startswith("on")]

    def handle_data(self, text: str) -> None:
        self.words += text


def test_the_page_stands_alone_and_runs_nothing(statement: Statement) -> None:
    page = Reader(html_of(statement, "0" * 64))
    assert not {"script", "link", "iframe", "img", "object", "embed", "form"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links) and "svg" in page.tags
    assert not re.search(r"@import|url\((?!#)", html_of(statement, "0" * 64))


def test_the_page_has_what_finance_signs(statement: Statement) -> None:
    words = " ".join(Reader(html_of(statement, "0" * 64)).words.split())
    for told in ("Statement of orders, 2026-01", "9 differences are not explained", "42.34 GBP", "All orders", "paid not shipped: 2 orders", "1007", "sku_unknown, open with ecommerce",
                 "A. Reader: goodwill for a late parcel", "2026-02-02 05:00 UTC by A. Reader", "Prepared by (name)", "Approved by (name)", "Date, signature", "Open at the end"):
        assert told in words, told


def test_a_page_of_a_month_that_is_not_over_says_so(statement: Statement) -> None:
    early = html_of(replace(statement, made_at=datetime(2026, 1, 20, tzinfo=UTC)), "")
    assert "The period is not over" in early and "The period is not over" not in html_of(statement, "")


def test_a_page_of_no_orders_can_be_made() -> None:
    page = html_of(a_statement(Case().judged(), open_exceptions=[]), "")
    assert "The books agree" in page and "There is no order." in page


def test_what_strangers_wrote_is_text_on_the_page() -> None:
    page = html_of(hostile([ATTACK]), "")
    assert "<script" not in page and "&lt;script&gt;" in page


def test_no_cell_of_the_statement_begins_a_formula() -> None:
    dice = random.Random(20260131)
    texts = [ATTACK, *("".join(dice.choices(LETTERS, k=dice.randrange(1, 8))) for _ in range(300))]
    statement = hostile(texts)
    statement = replace(statement, found=replace(statement.found, rows=statement.found.rows.assign(detail=texts), differences=statement.found.differences.assign(detail=texts, explained_by=texts)))
    rows = list(csv.reader(io.StringIO(csv_of(statement), newline="")))
    place = COLUMNS.index("detail")
    assert [plain_cell(row[place]) for row in rows[1:]] == texts
    for sheet in openpyxl.load_workbook(io.BytesIO(xlsx_of(statement))):
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}, sheet.title
        for row in sheet.iter_rows():
            for cell in row:
                assert not (isinstance(cell.value, str) and cell.value[:1] in tuple("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20\u2212")), ascii(cell.value)


def test_ten_thousand_texts_come_back_from_the_csv_as_they_were() -> None:
    dice = random.Random(7)
    texts = ["".join(dice.choices(LETTERS, k=dice.randrange(0, 9))) for _ in range(10_000)]
    rows = list(csv.reader(io.StringIO(csv_text(("text", "amount"), ((text, Decimal("-1.50")) for text in texts)), newline="")))
    assert [plain_cell(text) for text, _ in rows[1:]] == texts and {amount for _, amount in rows[1:]} == {"-1.50"}


def test_the_workbook_holds_the_same_orders_with_numbers_as_numbers(statement: Statement) -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx_of(statement)))
    assert book.sheetnames == ["Totals", "Movements", "Differences", "Orders"]
    head, *rows = book["Orders"].iter_rows(values_only=True)
    assert list(head) == [name.replace("_", " ") for name in COLUMNS]
    for shown, row in zip(rows, order_rows(statement), strict=True):
        for value, name in zip(shown, COLUMNS, strict=True):
            if isinstance(row[name], Decimal):
                assert isinstance(value, int | float) and Decimal(str(value)) == row[name], name
            else:
                assert (value or "") == row[name], name
    yen = book["Orders"].cell(row=1 + next(n for n, row in enumerate(rows, start=1) if row[0] == "1022"), column=1 + COLUMNS.index("paid"))
    assert yen.value == 2600 and "0.0" not in yen.number_format


def test_the_csv_says_numbers_plainly_and_each_currency_to_its_own_digit(statement: Statement) -> None:
    rows = {row["order_id"]: row for row in csv.DictReader(io.StringIO(csv_of(statement), newline=""))}
    assert rows["1022"]["paid"] == "2600" and rows["1021"]["paid"] == "1250.50" and rows["1009"]["balance"] == "-5.00"
    assert csv_of(statement).startswith(",".join(COLUMNS) + "\r\n")


@pytest.mark.parametrize(("minor", "currency", "shown"), [(123456789, "GBP", "1,234,567.89"), (-5, "GBP", "\u22120.05"), (2600, "JPY", "2,600"), (1, "KWD", "0.001"), (0, "EUR", "0.00")])
def test_money_reads_as_people_write_it(minor: int, currency: str, shown: str) -> None:
    assert money(minor, currency) == shown


def test_order_placed_at_is_told_in_utc(statement: Statement) -> None:
    assert order_rows(statement)[1]["placed_at"] == "2026-01-03T09:00:00Z" and PLACED.tzinfo is UTC


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    for name, text in golden(a_statement(reconcile(january(), month("2026-01"), MADE_AT))).items():
        (JANUARY / name).write_bytes(text.encode())
