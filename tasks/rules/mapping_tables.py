"""Mapping tables as people keep them: CSV in, CSV out, what changed, and which held records a change frees."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from contracts.base import WHY, rows_of
from contracts.items import Items
from contracts.mappings import TABLES
from tasks.rules.waits import PATTERNS, folded, parse, touches

FORMULA = "=+-@\t\r\n\0＝＋－＠"  # what a spreadsheet takes for the start of a formula, full-width forms included
_BEFORE_FORMULA = " '\"\u00a0\u3000"


def read_csv(table: str, text: str) -> tuple[pd.DataFrame, list[str]]:
    """CSV text -> (frame of the table's contract, problems). With any problem the frame is empty: a table is taken whole or not at all.

    The header must name exactly the contract's columns, in any order. Everything is text: leading zeros stay. Outer spacing goes,
    a byte order mark goes, an apostrophe that `write_csv` put before a formula goes. Raises KeyError for an unknown table.
    """
    contract = TABLES[table]
    if half := half_characters(text):
        return contract.frame(), [f"{table}.csv: {half}"]
    numbered, problems = _rows(table, contract.columns(), text)
    problems += _unsound(contract, numbered) + _duplicates(table, contract.KEY, numbered)
    return contract.frame([] if problems else [row for _, row in numbered]), problems


def half_characters(text: str) -> str:
    """What is wrong with a text that was cut in the middle of an emoji: no file and no database takes it. '' when it is whole."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"character {error.start + 1} is half of one"
    return ""


def write_csv(table: str, frame: pd.DataFrame) -> str:
    """The frame as CSV (RFC 4180) that `read_csv` takes back unchanged and that no spreadsheet runs as a formula."""
    columns = TABLES[table].columns()
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_shielded(value) for value in row] for row in frame[columns].itertuples(index=False, name=None))
    return out.getvalue()


def changed(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """{added: rows, removed: rows, altered: [{before, after}]} by the table's key, in key order. Item masters compare the same way."""
    key = _key_of(new)
    before, after = _by_key(old, key), _by_key(new, key)
    return {
        "added": [after[k] for k in sorted(after.keys() - before.keys())],
        "removed": [before[k] for k in sorted(before.keys() - after.keys())],
        "altered": [{"before": before[k], "after": after[k]} for k in sorted(before.keys() & after.keys()) if before[k] != after[k]],
    }


def frees(table: str, changes: Mapping[str, list[dict[str, Any]]], waiting: Iterable[tuple[str, str]]) -> list[str]:
    """The exceptions that these changes of a mapping table (or of 'items') touch, in the order given; no others.

    `waiting` is (exception id, its waits_on). A removed row counts: what it hid, a wider row may now answer. A wait that cannot
    be read is freed by any change: replaying too much is harmless, waiting for ever is not.
    """
    rows = [*changes["added"], *changes["removed"], *(pair["after"] for pair in changes["altered"])]
    return [exception_id for exception_id, waits_on in waiting if _touched(table, rows, waits_on)]


def _touched(table: str, rows: list[dict[str, Any]], waits_on: str) -> bool:
    try:
        waits = [wait for wait in parse(waits_on) if wait[0] == table]
    except ValueError:
        return bool(rows)
    return bool(waits) and any(touches(table, row, waits) for row in rows)


def _rows(table: str, columns: list[str], text: str) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    numbered, problems = [], []
    try:
        header = [name.strip() for name in next(reader, [])]
        wrong = _wrong_header(table, columns, header)
        if wrong:
            return [], [wrong]
        line = reader.line_num + 1
        for cells in reader:
            cells = [_unshielded(cell.strip()) for cell in cells]
            if any(cells) and len(cells) != len(header):
                problems.append(f"{table}.csv line {line}: {len(cells)} values under {len(header)} columns")
            elif any(cells):
                numbered.append((line, dict(zip(header, cells, strict=True))))
            line = reader.line_num + 1
    except csv.Error as error:
        return [], [f"{table}.csv line {reader.line_num}: not readable as CSV: {error}"]
    return numbered, problems


def _wrong_header(table: str, columns: list[str], header: list[str]) -> str:
    if sorted(header) == sorted(columns):
        return ""
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        return f"{table}.csv: the columns are not separated by commas; save it as comma-separated"
    parts = {"missing": [c for c in columns if c not in header], "unknown": [h for h in header if h not in columns],
             "twice": sorted({h for h in header if header.count(h) > 1})}
    return f"{table}.csv: wrong header: " + "; ".join(f"{what} {', '.join(map(repr, names))}" for what, names in parts.items() if names)


def _unsound(contract: type, numbered: list[tuple[int, dict[str, str]]]) -> list[str]:
    """One problem a broken row. The contract does not know line numbers: equal rows are broken alike, so content finds them."""
    columns = contract.columns()
    bad = contract.split(contract.frame([row for _, row in numbered]))[1]
    whys = {tuple(row[column] for column in columns): row[WHY] for row in rows_of(bad)}
    problems = []
    for line, row in numbered:
        why = whys.get(tuple(row[column] for column in columns))
        if why:
            found = "; ".join(f"{part} (found {row[part.partition(':')[0]]!r})" for part in why.split("; ") if part.partition(":")[0] in row)
            problems.append(f"line {line}: {found or why}")
    return problems


def _duplicates(table: str, key: tuple[str, ...], numbered: list[tuple[int, dict[str, str]]]) -> list[str]:
    lines: dict[tuple[str, ...], list[int]] = {}
    for line, row in numbered:
        compared = tuple(folded(row[column]) if (table, column) in PATTERNS else row[column] for column in key)
        lines.setdefault(compared, []).append(line)
    return [f"lines {', '.join(map(str, at))}: the same key {', '.join(f'{k}={v}' for k, v in zip(key, values, strict=True))}"
            for values, at in lines.items() if len(at) > 1]


def _key_of(frame: pd.DataFrame) -> tuple[str, ...]:
    for contract, key in [*((contract, contract.KEY) for contract in TABLES.values()), (Items, ("warehouse", "sku"))]:
        if list(frame.columns) == contract.columns():
            return key
    raise ValueError(f"no mapping table and no item master has the columns {', '.join(map(str, frame.columns))}")


def _by_key(frame: pd.DataFrame, key: tuple[str, ...]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(row[column] for column in key): row for row in rows_of(frame)}


def _is_formula(text: str) -> bool:
    return text.lstrip(_BEFORE_FORMULA)[:1] in tuple(FORMULA)


def _shielded(text: str) -> str:
    return f"'{text}" if _is_formula(text) else text


def _unshielded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell
