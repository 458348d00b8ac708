"""Rows of a mapping table as a person types them into a form, filled up with what the held record already says of itself.

    carrier=TUFF; tracking_carrier=tuffnells          one row on a line
    carrier=TUFF                                      or a line a column; an empty line between two rows
    tracking_carrier=tuffnells
    carrier,tracking_carrier                          or CSV with a header
    TUFF,tuffnells
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping

import pandas as pd

from contracts.base import rows_of
from contracts.mappings import TABLES
from tasks.rules.mapping_tables import folded, half_characters, write_csv
from tasks.rules.waits import PATTERNS, parse


def tables_of(waits_on: str) -> list[str]:
    """The mapping tables that would free a record which waits for this."""
    try:
        return list(dict.fromkeys(table for table, _ in parse(waits_on) if table in TABLES))
    except ValueError:
        return []


def known(table: str, waits_on: Iterable[str]) -> dict[str, str]:
    """The key columns on which all these held records agree: what nobody needs to type."""
    found: dict[str, set[str]] = {}
    for text in waits_on:
        for wanted, key in parse(text) if tables_of(text) else ():
            for column, values in key.items() if wanted == table else ():
                found.setdefault(column, set()).update(values if len(values) == 1 else ("*", "several"))
    return {column: values.pop() for column, values in found.items() if len(values) == 1 and values != {"*"}}


def typed_rows(table: str, text: str, defaults: Mapping[str, str] | None = None) -> tuple[list[dict[str, str]], list[str]]:
    """(whole rows of the table, problems). A column that is neither typed nor known is left empty; the contract says whether it may be."""
    columns = TABLES[table].columns()
    if half := half_characters(text):
        return [], [f"{table}: {half}"]
    rows, problems = _csv_rows(columns, text) if _is_csv(columns, text) else _pairs_rows(columns, text)
    if not rows and not problems:
        problems = [f"{table}: no row was given; write column=value for some of {', '.join(columns)}"]
    return [{column: row.get(column, (defaults or {}).get(column, "")) for column in columns} for row in rows], problems


def merged(table: str, current: pd.DataFrame, rows: Iterable[Mapping[str, str]]) -> str:
    """The whole table as CSV: as it holds now, with these rows in the place of those that have their key."""
    contract = TABLES[table]
    new = {_key(table, row): dict(row) for row in rows}
    kept = [row for row in rows_of(current) if _key(table, row) not in new]
    return write_csv(table, contract.frame([*kept, *new.values()]))


def _key(table: str, row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(folded(row[column]) if (table, column) in PATTERNS else row[column] for column in TABLES[table].KEY)


def _is_csv(columns: list[str], text: str) -> bool:
    first = text.strip().splitlines()[0] if text.strip() else ""
    return "=" not in first and any(cell.strip() in columns for cell in first.split(","))


def _csv_rows(columns: list[str], text: str) -> tuple[list[dict[str, str]], list[str]]:
    try:
        header, *lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text.strip(), newline=""), strict=True) if any(line)]
    except csv.Error as error:
        return [], [f"not readable as CSV: {error}"]
    problems = [f"there is no column {name!r}; there are {', '.join(columns)}" for name in header if name not in columns]
    problems += [f"{len(cells)} values under {len(header)} columns" for cells in lines if len(cells) != len(header)]
    return ([], problems) if problems else ([dict(zip(header, cells, strict=True)) for cells in lines], [])


def _pairs_rows(columns: list[str], text: str) -> tuple[list[dict[str, str]], list[str]]:
    rows: list[dict[str, str]] = [{}]
    problems: list[str] = []
    for line in text.splitlines():
        pairs = _pairs(columns, line)
        if not line.strip():
            rows.append({})
        elif not pairs:
            problems.append(f"{line.strip()[:60]!r} is not column=value; the columns are {', '.join(columns)}")
        for column, value in pairs:
            if column in rows[-1]:  # the same column again: the next row begins
                rows.append({})
            rows[-1][column] = value
    return [row for row in rows if row], problems


def _pairs(columns: list[str], line: str) -> list[tuple[str, str]]:
    """A value may hold anything but the beginning of the next pair: carriers have spaces, links have '=' and ';'."""
    parts = re.split(rf"(?:^|[;,|\t])\s*({'|'.join(columns)})\s*=", line)
    if parts[0].strip():
        return []
    return [(column, value.strip()) for column, value in zip(parts[1::2], parts[2::2], strict=True)]
