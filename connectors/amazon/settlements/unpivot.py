"""From the lines of a file to one row an amount, whichever layout it is in, and the lines that are heads of settlements."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from connectors.amazon.settlements.columns import blank, chosen, constant, number, one
from connectors.amazon.settlements.layout import V1_AMOUNTS, V2
from connectors.amazon.settlements.table import LINE, Lines

PART = "part"
_HEAD = ("settlement-id", "settlement-start-date", "settlement-end-date", "deposit-date", "total-amount", "currency")
_COMMON = ("settlement-id", "currency", "transaction-type", "order-id", "merchant-order-id", "adjustment-id", "shipment-id", "marketplace-name", "fulfillment-id",
           "posted-date", "order-item-code", "merchant-order-item-id", "merchant-adjustment-item-id", "sku", "quantity-purchased", "promotion-id", LINE)


@dataclass
class Amounts:
    """heads: lines that state a settlement's total. rows: one an amount, V2's columns, `line` and `part`. lines: how many lines they are, by settlement."""

    heads: list[dict[str, str]]
    rows: pa.Table
    lines: dict[str, int]
    notes: list[str]


def amounts_of(lines: Lines) -> Amounts:
    """Every amount of the file once."""
    table, notes = lines.table, []
    is_header = pc.equal(_lower(table, "settlement-id"), "settlement-id")
    if pc.any(is_header).as_py():
        notes.append(f"its header stands {pc.sum(is_header).as_py() + 1} times in it")
        table = table.filter(pc.invert(is_header))
    table = _with_ids(table, notes)
    kinds = [("amount", "", "")] if lines.layout == V2 else list(V1_AMOUNTS)
    is_bare = _all(blank(one(table, kind[0])) for kind in kinds)
    has_type, has_total = (pc.invert(blank(one(table, name))) for name in ("transaction-type", "total-amount"))
    is_head = pc.and_(pc.and_(is_bare, pc.invert(has_type)), _any(pc.invert(blank(one(table, name))) for name in _HEAD[1:5]))
    is_empty = pc.and_(pc.and_(is_bare, pc.invert(has_type)), pc.invert(is_head))
    if pc.any(is_empty).as_py():
        notes.append(f"{pc.sum(is_empty).as_py()} lines say nothing")
    heads = _heads(table, is_head, has_total)
    rows = chosen(table, pc.invert(pc.or_(is_head, is_empty)))
    counted = {item["values"]: item["counts"] for item in pc.value_counts(one(rows, "settlement-id")).to_pylist()}
    if len(one(rows, "settlement-id").dictionary) > len(counted):  # ids of lines that are no rows
        rows = rows.set_column(rows.column_names.index("settlement-id"), "settlement-id", one(rows, "settlement-id").cast(pa.string()).dictionary_encode())
    if lines.layout == V2:
        rows = rows.append_column(PART, number(1, rows.num_rows))
    else:
        rows = _unpivoted(rows)
    return Amounts(heads, rows, counted, notes)


def _heads(table: pa.Table, is_head: pa.Array, has_total: pa.Array) -> list[dict[str, str]]:
    """The lines that are nothing but a head; where a settlement has none, the first of its rows that states the total."""
    heads = table.filter(is_head).select([*_HEAD, LINE]).to_pylist()
    beside = pc.and_(has_total, pc.invert(is_head))
    if pc.any(beside).as_py():
        known = {head["settlement-id"] for head in heads}
        others: dict[tuple[str, str], dict[str, str]] = {}
        for head in table.filter(beside).select([*_HEAD, LINE]).to_pylist():
            if head["settlement-id"] not in known:
                others.setdefault((head["settlement-id"], head["total-amount"]), head)
        heads += others.values()
    return heads


def _unpivoted(table: pa.Table) -> pa.Table:
    """V1: every column of amounts becomes rows of its own; a line that has none (it states a quantity) stays as one row without an amount."""
    parts, bare = [], None
    for position, (amount, description, kind) in enumerate(V1_AMOUNTS, 1):
        empty = blank(one(table, amount))
        bare = empty if bare is None else pc.and_(bare, empty)
        parts.append(_part(table.filter(pc.invert(empty)), amount, description, kind, position))
    parts.append(_part(table.filter(bare), "", "", "", len(V1_AMOUNTS) + 1))
    whole = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    return whole.sort_by([(LINE, "ascending"), (PART, "ascending")]).combine_chunks() if whole.num_rows else whole


def _part(rows: pa.Table, amount: str, description: str, kind: str, position: int) -> pa.Table:
    count = rows.num_rows
    columns = {name: rows.column(name) for name in _COMMON}
    columns |= {"amount": rows.column(amount) if amount else constant("", count), "amount-type": constant(kind, count),
                "amount-description": rows.column(description) if description else constant("", count), "posted-date-time": constant("", count),
                PART: number(position, count)}
    return pa.table(columns)


def _with_ids(table: pa.Table, notes: list[str]) -> pa.Table:
    """A line without a settlement's number belongs to the one that stands above it."""
    missing = blank(one(table, "settlement-id"))
    if not pc.any(missing).as_py():
        return table
    used = [name for name in table.column_names if name != LINE]
    is_void = _all(blank(one(table, name)) for name in used)
    table = table.filter(pc.invert(is_void))
    missing = blank(one(table, "settlement-id"))
    if not pc.any(missing).as_py():
        return table
    notes.append(f"{pc.sum(missing).as_py()} lines have no settlement-id: they belong to the settlement above them")
    ids = pc.if_else(missing, None, one(table, "settlement-id").cast(pa.string()))
    filled = pc.fill_null(pc.fill_null_backward(pc.fill_null_forward(ids)), "?")
    return table.set_column(table.column_names.index("settlement-id"), "settlement-id", filled.dictionary_encode())


def _lower(table: pa.Table, name: str) -> pa.Array:
    column = one(table, name)
    return pc.take(pc.utf8_lower(pc.replace_substring_regex(column.dictionary, r"[\s_]+", "-")), column.indices)


def _all(masks: object) -> pa.Array:
    found = None
    for mask in masks:
        found = mask if found is None else pc.and_(found, mask)
    return found


def _any(masks: object) -> pa.Array:
    found = None
    for mask in masks:
        found = mask if found is None else pc.or_(found, mask)
    return found


