"""The statement's files, side by side in one folder: each is whole or not there."""

import os
from pathlib import Path

from connectors.ledger.records import sha256
from tasks.statement.figures import Statement
from tasks.statement.page import html_of
from tasks.statement.sheets import csv_of, postings_of, xlsx_of

PAGE, CSV, WORKBOOK, POSTINGS = "statement.html", "statement.csv", "statement.xlsx", "postings.csv"


def keep(folder: Path, statement: Statement) -> tuple[Path, bytes]:
    """Write page, CSV and workbook, and of a marketplace the postings; (the page's path, the CSV's bytes). The page is written last: it names the CSV's fingerprint."""
    csv = csv_of(statement).encode()
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / CSV, csv)
    _write(folder / WORKBOOK, xlsx_of(statement))
    postings = postings_of(statement).encode()
    if postings:
        _write(folder / POSTINGS, postings)
    _write(folder / PAGE, html_of(statement, sha256(csv), sha256(postings) if postings else "").encode())
    return folder / PAGE, csv


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    os.replace(beside, path)
