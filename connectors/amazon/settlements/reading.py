"""One settlement file: read, added up, and every amount attributed. The same bytes give the same rows, whatever the order of the columns or the file's encoding."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.amazon.settlements.attribution import attributed
from connectors.amazon.settlements.columns import blank, constant, one, told, total
from connectors.amazon.settlements.dates import Dates, day_order, either_way
from connectors.amazon.settlements.deposits import NO_CURRENCY, Counted, Head, count, date_heads, heads_of
from connectors.amazon.settlements.form import as_text
from connectors.amazon.settlements.layout import is_header, layout_of, unknown_columns
from connectors.amazon.settlements.quantities import counted_once
from connectors.amazon.settlements.table import LINE, Lines, read_lines
from connectors.amazon.settlements.unpivot import PART, amounts_of
from connectors.kit.errors import BadDocument
from contracts.settlements import FINDINGS, FINES

_PLAIN = {"transaction_type": "transaction-type", "amount_type": "amount-type", "amount_description": "amount-description", "order_id": "order-id",
          "merchant_order_id": "merchant-order-id", "adjustment_id": "adjustment-id", "shipment_id": "shipment-id", "marketplace": "marketplace-name",
          "fulfilment": "fulfillment-id", "order_item_id": "order-item-code", "merchant_order_item_id": "merchant-order-item-id",
          "merchant_adjustment_item_id": "merchant-adjustment-item-id", "sku": "sku", "promotion_id": "promotion-id"}
_ORDER = ("settlement_id", "file", "row", "part", "transaction_type", "amount_type", "amount_description", "amount_minor", "amount_fine", "currency", "order_id",
          "merchant_order_id", "adjustment_id", "shipment_id", "marketplace", "fulfilment", "posted_at", "order_item_id", "merchant_order_item_id",
          "merchant_adjustment_item_id", "sku", "quantity", "promotion_id", "category", "level", "rule", "why")


@dataclass
class FileRead:
    """A file's settlements, its rows in the columns of SettlementRows (an Arrow table: texts that repeat are dictionaries), and what is to be said of it."""

    file: str
    layout: str
    heads: list[Head]
    rows: pa.Table
    findings: list[dict[str, Any]] = field(default_factory=list)

    def find(self, kind: str, detail: str, settlement_id: str = "", *, row: int = 0, rows: int = 0, minor: int = 0, currency: str = "") -> None:
        """Note something (a row of SettlementFindings)."""
        self.findings.append({"file": self.file, "settlement_id": settlement_id, "kind": kind, "fails": FINDINGS[kind], "row": row, "rows": rows, "amount_minor": minor,
                              "currency": currency, "detail": detail})


def read_file(name: str, body: bytes) -> FileRead:
    """The file as it was downloaded, unpacked. Raises BadDocument, in plain words, when it is no settlement file."""
    text = as_text(name, body, is_header)
    layout, names = layout_of(name, text.header)
    lines = read_lines(name, text, layout, names)
    amounts = amounts_of(lines)
    heads = heads_of(amounts.heads, amounts.lines)
    if not heads:
        raise BadDocument(f"reading {name}", "it has the header of a settlement file and no settlement", "Download it again.")
    found = FileRead(name, layout, list(heads.values()), amounts.rows)
    _note_form(found, lines, amounts.notes, unknown_columns(layout, names))
    currency, is_foreign = _currencies(amounts.rows, heads)
    counted = count(amounts.rows, heads, is_foreign)
    found.rows = attributed(_columns(found, counted, currency), layout)
    for head in heads.values():
        head.lines = amounts.lines.get(head.settlement_id, 0)
    _note_amounts(found, counted, is_foreign)
    _judge(found, lines)
    return found


def _columns(found: FileRead, counted: Counted, currency: pa.Array) -> pa.Table:
    rows, texts = found.rows, {ours: one(found.rows, theirs) for ours, theirs in _PLAIN.items()}
    _marketplaces(found, texts["marketplace"])
    quantity, odd = counted_once(one(rows, "quantity-purchased"), texts)
    if odd:
        found.find("form", f"quantities that are no whole number: {', '.join(odd[:3])}")
    columns = texts | {"settlement_id": one(rows, "settlement-id"), "file": constant(found.file, rows.num_rows), "row": one(rows, LINE), "part": one(rows, PART),
                       "amount_minor": counted.minor, "amount_fine": counted.fine, "currency": currency, "quantity": quantity, "posted_at": _posted(found)}
    return pa.table({name: columns[name] for name in _ORDER if name in columns})


def _posted(found: FileRead) -> pa.Array:
    moments, days = one(found.rows, "posted-date-time"), one(found.rows, "posted-date")
    heads = [(head.started, head.ended, head.deposited) for head in found.heads]
    order, assumed = day_order(heads, [*either_way(moments.dictionary), *either_way(days.dictionary)])
    dates = Dates(order, assumed)
    date_heads(found.heads, dates)
    posted = pc.take(dates.moments(moments.dictionary), moments.indices)
    if posted.null_count:
        posted = pc.coalesce(posted, pc.take(dates.moments(days.dictionary), days.indices))
    if dates.assumed:
        found.find("date_assumed", dates.assumed)
    if dates.unreadable:
        some = ", ".join(sorted(dates.unreadable)[:3])
        found.find("date_unreadable", f"{len(dates.unreadable)} texts are no date that can be relied on ({some}); their rows are kept without one", rows=posted.null_count)
    return posted


def _marketplaces(found: FileRead, names: pa.Array) -> None:
    ids = one(found.rows, "settlement-id")
    pairs = pa.table({"id": ids.indices, "name": names.indices}).group_by(["id", "name"]).aggregate([([], "count_all")]).to_pylist()
    heads, keys, texts = {head.settlement_id: head for head in found.heads}, ids.dictionary.to_pylist(), names.dictionary.to_pylist()
    most: dict[str, int] = {}
    for pair in sorted(pairs, key=lambda pair: (-pair["count_all"], texts[pair["name"]])):
        head, name = heads[keys[pair["id"]]], texts[pair["name"]]
        head.amounts += pair["count_all"]
        if name and not name.lower().startswith(("non-amazon", "si ")) and pair["count_all"] > most.get(head.settlement_id, 0):
            head.marketplace, most[head.settlement_id] = name, pair["count_all"]


def _currencies(rows: pa.Table, heads: dict[str, Head]) -> tuple[pa.Array, pa.Array]:
    """The currency of each row: its own where it states one, else its settlement's; and where the two differ."""
    ids, stated = one(rows, "settlement-id"), told(one(rows, "currency"), lambda text: text.upper() if len(text) == 3 and text.isalpha() else "")
    from_head = told(ids, lambda key: heads[key].currency)
    if pc.all(blank(stated)).as_py() in (True, None):
        return from_head, pa.repeat(pa.scalar(False), rows.num_rows)
    ours = from_head.cast(pa.string())
    own = pc.if_else(blank(stated), ours, stated.cast(pa.string()))
    return own.dictionary_encode(), pc.and_(pc.not_equal(own, ours), pc.not_equal(ours, NO_CURRENCY))


def _note_form(found: FileRead, lines: Lines, notes: list[str], unknown: list[str]) -> None:
    if unknown:
        found.find("column_unknown", f"columns that a settlement {found.layout} does not have, left out of the sums: {', '.join(unknown)}")
    for note in (*lines.notes, *notes):
        found.find("form", note)
    if lines.is_cut:
        found.find("cut", "it ends in the middle of a line: something is missing")
    for number, why in lines.odd[:20]:
        found.find("row_unreadable", f"line {number}: {why}", row=number)
    if len(lines.odd) > 20:
        found.find("row_unreadable", f"and {len(lines.odd) - 20} more lines", rows=len(lines.odd) - 20)


def _note_amounts(found: FileRead, counted: Counted, is_foreign: pa.Array) -> None:
    rows = found.rows
    if counted.assumed:
        found.find("number_assumed", counted.assumed)
    if total(pc.abs(counted.fine)):
        count_of = pc.sum(pc.not_equal(counted.fine, 0)).as_py()
        found.find("finer_than_currency", f"{count_of} amounts are finer than their currency's minor unit; they are added up exactly", rows=count_of)
    for kind, mask, what in (("amount_unreadable", counted.unreadable, "amounts are no number"), ("currency_mixed", is_foreign, "amounts are in another currency than"
                             " their settlement and are not added to it"), ("form", pc.and_(counted.empty, pc.invert(blank(one(rows, "amount_type")))), "rows state no amount")):
        if pc.any(mask).as_py():
            some = rows.filter(mask)
            texts = one(found.rows, "row").filter(mask).to_pylist()
            found.find(kind, f"{some.num_rows} {what} (lines {', '.join(map(str, texts[:5]))}{' …' if len(texts) > 5 else ''})", row=texts[0], rows=some.num_rows)
            for head in found.heads if FINDINGS[kind] else ():
                if pc.any(pc.equal(some.column("settlement_id").cast(pa.string()), head.settlement_id)).as_py():
                    head.wrong.append(what)


def _judge(found: FileRead, lines: Lines) -> None:
    """What is wrong with each settlement, in its head and as a finding."""
    for head in found.heads:
        if head.total and head.deposit is None:
            head.wrong.append(f"its total {head.total[:30]!r} is no number")
        elif head.deposit is None and not head.wrong:
            head.wrong.append("its head states no total")
        elif head.deposit is not None and head.deposit != head.sum:
            head.wrong.append("its rows do not sum to its deposit")
        if lines.odd:
            head.wrong.append("lines of its file could not be read")
        if lines.is_cut:
            head.wrong.append("its file ends in the middle of a line")
        if head.wrong:
            minor = (head.deposit or 0) // FINES - head.sum // FINES if head.deposit is not None else 0
            found.find("inconsistent", "; ".join(dict.fromkeys(head.wrong)), head.settlement_id, row=head.line, minor=minor, currency=head.currency)
