"""Several files together: each settlement counted once, reserves chained from one to the next, retrocharges that must come to nothing, and the totals."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.amazon.settlements.catalogue import squashed
from connectors.amazon.settlements.columns import blank, one, told
from connectors.amazon.settlements.deposits import Head
from connectors.amazon.settlements.form import unpacked
from connectors.amazon.settlements.reading import FileRead, read_file
from connectors.amazon.settlements.reserves import Link, chain
from connectors.kit.errors import BadDocument
from contracts.settlements import FINES, LEVELS, UNKNOWN

_RETROCHARGES = ("orderretrocharge", "refundretrocharge")
_SAME = ("transaction_type", "amount_type", "amount_description", "amount_minor", "amount_fine", "order_id", "adjustment_id", "order_item_id", "sku", "posted_at")
Sums = dict[tuple[str, ...], tuple[int, int]]  # key -> rows, millionths of a minor unit


@dataclass
class Together:
    """What all files say. levels: (level, currency) -> rows and amount, of what is explained; unknown: (type, amount-type, description, currency); refused: (file, why)."""

    files: list[FileRead] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    first: dict[str, tuple[FileRead, Head]] = field(default_factory=dict)
    repeated: set[tuple[str, str]] = field(default_factory=set)  # (file, settlement) that is not counted
    levels: Sums = field(default_factory=dict)
    unknown: Sums = field(default_factory=dict)
    unexplained: Sums = field(default_factory=dict)  # (why, type, amount-type, description, currency)
    links: list[Link] = field(default_factory=list)

    @property
    def currencies(self) -> list[str]:
        """All that are in the files."""
        return sorted({head.currency for file in self.files for head in file.heads} | {key[-1] for sums in (self.levels, self.unknown, self.unexplained) for key in sums})

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Rows of SettlementFindings."""
        return [finding for file in self.files for finding in file.findings]

    @property
    def is_clean(self) -> bool:
        """Every settlement is its deposit, and every amount is explained."""
        return not any(finding["fails"] for finding in self.findings)

    def counted(self, file: FileRead) -> pa.Table:
        """The rows of a file, without settlements that another file has already."""
        repeated = [settlement for name, settlement in self.repeated if name == file.file]
        if not repeated:
            return file.rows
        ids = one(file.rows, "settlement_id")
        return file.rows.filter(pc.invert(pc.is_in(ids.cast(pa.string()), value_set=pa.array(repeated))))


def read_together(sources: Iterable[tuple[str, bytes]]) -> Together:
    """All files, one after another; what cannot be read is listed, and the others are done all the same."""
    found = Together()
    for file in _read(sources, found):
        _once(found, file)
        found.files.append(file)
    for file in found.files:
        rows = found.counted(file)
        _add_up(found, file, rows)
    _retrocharges(found)
    _reserves(found)
    return found


def _read(sources: Iterable[tuple[str, bytes]], found: Together) -> Iterator[FileRead]:
    taken: set[str] = set()
    for name, packed in sources:
        try:
            parts = unpacked(name, packed)
        except BadDocument as error:
            found.refused.append((name, str(error)))
            continue
        for part, body in parts:
            unique = next(one for one in (part, *(f"{part} ({n})" for n in range(2, 10_000))) if one not in taken)
            taken.add(unique)
            try:
                yield read_file(unique, body)
            except BadDocument as error:
                found.refused.append((unique, str(error)))


def _once(found: Together, file: FileRead) -> None:
    for head in file.heads:
        earlier = found.first.setdefault(head.settlement_id, (file, head))
        if earlier[1] is head:
            continue
        found.repeated.add((file.file, head.settlement_id))
        other, other_head = earlier
        same = (head.currency, head.deposit, head.sum) == (other_head.currency, other_head.deposit, other_head.sum)
        if same and other.layout == file.layout:
            same = _content(file, head) == _content(other, other_head)
        if same:
            file.find("duplicate", f"the same settlement is in {other.file}; counted once", head.settlement_id, row=head.line)
        else:
            head.wrong.append(f"{other.file} has the same settlement with other content")
            file.find("duplicate_differs", f"settlement {head.settlement_id} in {other.file} has other content; only that one is counted", head.settlement_id, row=head.line)


def _content(file: FileRead, head: Head) -> dict[str, list[Any]]:
    ids = one(file.rows, "settlement_id")
    mine = file.rows.filter(pc.equal(ids.cast(pa.string()), head.settlement_id)).select(_SAME)
    plain = pa.table({name: mine.column(name).cast(pa.string()) if pa.types.is_dictionary(mine.column(name).type) else mine.column(name) for name in _SAME})
    return plain.sort_by([(name, "ascending") for name in _SAME]).combine_chunks().to_pydict()


def _add_up(found: Together, file: FileRead, rows: pa.Table) -> None:
    is_unknown = pc.equal(one(rows, "level").cast(pa.string()), UNKNOWN)
    is_open = pc.invert(blank(one(rows, "why")))
    explained = rows
    if pc.any(is_unknown).as_py() or pc.any(is_open).as_py():
        explained = rows.filter(pc.invert(pc.or_(is_unknown, is_open)))
        _merge(found.unknown, rows.filter(is_unknown), ("transaction_type", "amount_type", "amount_description", "currency"))
        _merge(found.unexplained, rows.filter(pc.and_(is_open, pc.invert(is_unknown))), ("why", "transaction_type", "amount_type", "amount_description", "currency"))
        _note_open(file, rows.filter(is_unknown), "unknown_triple", "the catalogue does not know {0}")
        _note_open(file, rows.filter(is_open), "unexplained", "{0}: {1}, so it is known what it is, and not whose")
    _merge(found.levels, explained, ("level", "currency"))
    for currency in {head.currency for head in file.heads}:
        for level in LEVELS:
            if level != UNKNOWN:
                found.levels.setdefault((level, currency), (0, 0))


def _note_open(file: FileRead, rows: pa.Table, kind: str, words: str) -> None:
    sums: Sums = {}
    names = ("settlement_id", "transaction_type", "amount_type", "amount_description", "why", "currency")
    _merge(sums, rows, names)
    first: dict[tuple[str, ...], int] = {}
    for row in rows.select([*names, "row"]).slice(0, 10_000).to_pylist():
        first.setdefault(tuple(row[name] for name in names), row["row"])
    for key, (count, units) in sums.items():
        file.find(kind, words.format(" / ".join(key[1:4]), key[4]), key[0], row=first.get(key, 0), rows=count, minor=_minor(units), currency=key[5])


def _merge(into: Sums, rows: pa.Table, keys: tuple[str, ...]) -> None:
    for key, (count, units) in sums(rows, keys).items():
        before = into.get(key, (0, 0))
        into[key] = before[0] + count, before[1] + units


def sums(rows: pa.Table, keys: tuple[str, ...]) -> Sums:
    """Rows and exact amounts by some columns."""
    if not rows.num_rows:
        return {}
    columns = [one(rows, name) for name in keys]
    texts = [column.dictionary.to_pylist() if pa.types.is_dictionary(column.type) else None for column in columns]
    values = {name: column.indices if said is not None else column for name, column, said in zip(keys, columns, texts, strict=True)}
    minor, fine = one(rows, "amount_minor"), one(rows, "amount_fine")
    bound = max(abs(edge.as_py()) for edge in pc.min_max(minor).values()) * rows.num_rows
    minor = minor if bound < 1 << 62 else minor.cast(pa.decimal128(19)).cast(pa.decimal128(38))
    grouped = pa.table(values | {"minor": minor, "fine": fine}).group_by(list(keys)).aggregate([("minor", "sum"), ("fine", "sum"), ([], "count_all")]).to_pylist()
    return {tuple(said[row[name]] if said is not None else row[name] for name, said in zip(keys, texts, strict=True)): (
        row["count_all"], int(row["minor_sum"]) * FINES + row["fine_sum"]) for row in grouped}


def _retrocharges(found: Together) -> None:
    """Tax that is taken back from the buyer's side and withheld comes to nothing, an order; over all files, since the two may be settled apart."""
    nets: Sums = {}
    where: dict[tuple[str, ...], FileRead] = {}
    for file in found.files:
        rows = found.counted(file)
        kinds = told(one(rows, "transaction_type"), lambda text: "yes" if squashed(text) in _RETROCHARGES else "")
        mine = rows.filter(pc.and_(pc.invert(blank(kinds)), pc.invert(blank(one(rows, "order_id")))))
        _merge(nets, mine, ("transaction_type", "order_id", "currency"))
        for key in sums(mine, ("transaction_type", "order_id", "currency")):
            where[key] = file
    for key, (count, units) in sorted(nets.items()):
        if units:
            where[key].find("retrocharge_not_zero", f"{key[0]} of order {key[1]}: tax charged back and tax withheld do not cancel each other out", rows=count,
                            minor=_minor(units), currency=key[2])


def _reserves(found: Together) -> None:
    held: dict[tuple[str, str], int] = {}
    for file in found.files:
        rows = found.counted(file)
        kept = rows.filter(pc.invert(blank(told(one(rows, "category"), lambda text: "yes" if text == "reserve" else ""))))
        for key, (_, units) in sums(kept, ("settlement_id", "rule")).items():
            held[key[0], "previous" if squashed(key[1]).endswith("previousreserveamountbalance") else "current"] = units
    heads = [head for file, head in found.first.values()]
    found.links = chain(heads, held)
    for link in found.links:
        if link.state in ("broken", "gap"):
            file = found.first[link.settlement_id][0]
            file.find("reserve_broken" if link.state == "broken" else "reserve_gap", link.detail, link.settlement_id, minor=_minor(link.difference), currency=link.currency)


def _minor(units: int) -> int:
    return abs(units) // FINES * (1 if units >= 0 else -1)

