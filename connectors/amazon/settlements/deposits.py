"""The head of each settlement of a file, and its amounts in minor units: which number each text is, and whether their sum is the deposit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from connectors.amazon.settlements.columns import blank, one, told, total
from connectors.amazon.settlements.dates import Dates
from connectors.amazon.settlements.numbers import Numbers
from contracts.money import MINOR_DIGITS
from contracts.settlements import FINES

NO_CURRENCY = "XXX"
_CHOICES = (frozenset(), frozenset("."), frozenset(","), frozenset(".,"))


@dataclass
class Head:
    """A settlement as its file states it, and as its amounts add up. `wrong`: what is wrong with it."""

    settlement_id: str
    currency: str
    total: str
    line: int
    started: str = ""
    ended: str = ""
    deposited: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    deposit_at: datetime | None = None
    deposit: int | None = None  # in millionths of a minor unit, as `sum`
    sum: int = 0
    lines: int = 0
    amounts: int = 0
    marketplace: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def digits(self) -> int:
        """Of the currency."""
        return MINOR_DIGITS.get(self.currency, 2)


def heads_of(stated: Iterable[dict[str, str]], ids: Iterable[str]) -> dict[str, Head]:
    """One head a settlement; a settlement of which there are rows and no head gets one that says so."""
    heads: dict[str, Head] = {}
    for said in stated:
        key, currency = said["settlement-id"], said["currency"].strip("\"'").upper()
        head = Head(key, currency if len(currency) == 3 and currency.isascii() and currency.isalpha() else NO_CURRENCY, said["total-amount"], said["line"],
                    said["settlement-start-date"], said["settlement-end-date"], said["deposit-date"])
        first = heads.setdefault(key, head)
        if first is not head:
            first.wrong.append(f"the file states its total twice, {first.total} and {head.total}")
        elif head.currency == NO_CURRENCY:
            head.wrong.append("its head names no currency")
    for key in ids:
        if key not in heads:
            heads[key] = Head(key, NO_CURRENCY, "", 0, wrong=["the file has no head for it: nobody knows what was to be paid"])
    return heads


def date_heads(heads: Iterable[Head], dates: Dates) -> None:
    """The three moments of each head."""
    for head in heads:
        head.started_at, head.ended_at, head.deposit_at = (dates.moment(text) for text in (head.started, head.ended, head.deposited))


@dataclass
class Counted:
    """Minor units and millionths a row; `unreadable` and `empty`: rows whose amount is no number, or none at all; what was assumed."""

    minor: pa.Array
    fine: pa.Array
    unreadable: pa.Array
    empty: pa.Array
    assumed: str = ""


def count(rows: pa.Table, heads: dict[str, Head], is_foreign: pa.Array) -> Counted:
    """Every amount as a number, and every head's deposit and sum. is_foreign: rows in another currency than their settlement's; they are not added up."""
    column, ids = one(rows, "amount"), one(rows, "settlement-id")
    totals = [head.total for head in heads.values()]
    numbers = Numbers.read(pa.concat_arrays([column.dictionary.cast(pa.string()), pa.array(totals, pa.string())]))
    own = pc.invert(is_foreign)

    def weighed(thousands: frozenset[str] | None) -> tuple[pa.Array, pa.Array, set[int]]:
        return _weighed(numbers, column, ids, heads, own, thousands)

    found, assumed = weighed(None), ""
    if numbers.ambiguous:
        texts = sorted({text for position in numbers.ambiguous for text in [[*column.dictionary.to_pylist(), *totals][position]]})
        chosen = None if _all_meet(heads) else _only_fitting(weighed, heads)
        found = weighed(chosen)
        assumed = _said(numbers, texts, heads, chosen)
    minor, fine, too_fine = found
    bad = pa.array([position in numbers.unreadable or position in too_fine for position in range(len(column.dictionary))], pa.bool_())
    return Counted(minor, fine, pc.take(bad, column.indices), blank(column), assumed)


def _weighed(numbers: Numbers, column: pa.Array, ids: pa.Array, heads: dict[str, Head], own: pa.Array,
             thousands: frozenset[str] | None) -> tuple[pa.Array, pa.Array, set[int]]:
    by_digits = {digits: numbers.minor(digits, numbers.usual(digits) if thousands is None else thousands) for digits in {head.digits for head in heads.values()}}
    taken = {digits: (pc.take(minor, column.indices), pc.take(fine, column.indices)) for digits, (minor, fine, _) in by_digits.items()}
    minor, fine = next(iter(taken.values())) if taken else (pa.array([], pa.int64()),) * 2
    for digits, (other_minor, other_fine) in list(taken.items())[1:]:
        is_it = pc.equal(told(ids, lambda key, digits=digits: str(heads[key].digits == digits)).cast(pa.string()), "True")
        minor, fine = pc.if_else(is_it, other_minor, minor), pc.if_else(is_it, other_fine, fine)
    _add_up(heads, ids, minor, fine, own)
    for position, head in enumerate(heads.values(), len(column.dictionary)):
        units = [values[position].as_py() for values in by_digits[head.digits][:2]]
        is_number = position not in numbers.unreadable and position not in numbers.blank and position not in by_digits[head.digits][2]
        head.deposit = units[0] * FINES + units[1] if is_number else None
    return minor, fine, set().union(*(too_fine for _, _, too_fine in by_digits.values()))


def _add_up(heads: dict[str, Head], ids: pa.Array, minor: pa.Array, fine: pa.Array, own: pa.Array) -> None:
    keys = ids.dictionary.to_pylist()
    has_fine, all_own = bool(total(pc.abs(fine))), bool(pc.all(own).as_py())
    for position, key in enumerate(keys):
        if key not in heads:
            continue
        mask = own if len(keys) == 1 else pc.and_(own, pc.equal(ids.indices, position))
        mine = minor if len(keys) == 1 and all_own else minor.filter(mask)
        heads[key].sum = total(mine) * FINES + (total(fine.filter(mask)) if has_fine else 0)


def _all_meet(heads: dict[str, Head]) -> bool:
    return all(head.deposit == head.sum for head in heads.values() if head.total)


def _only_fitting(weighed: object, heads: dict[str, Head]) -> frozenset[str] | None:
    """The one reading of ambiguous numbers under which every sum is its deposit, if there is exactly one."""
    outcomes: dict[tuple[int | None, ...], frozenset[str]] = {}
    for thousands in _CHOICES:
        weighed(thousands)
        if _all_meet(heads):
            outcomes.setdefault(tuple(head.sum for head in heads.values()), thousands)
    return next(iter(outcomes.values())) if len(outcomes) == 1 else None


def _said(numbers: Numbers, texts: list[str], heads: dict[str, Head], chosen: frozenset[str] | None) -> str:
    digits = next(iter(heads.values())).digits
    thousands = numbers.usual(digits) if chosen is None else chosen
    how = " and ".join(sorted({f"{number.mark!r} in such a number stands for {'thousands' if number.mark in thousands else 'decimals'}"
                               for number in numbers.ambiguous.values()}))
    if chosen is not None:
        why = "only so does the sum meet the deposit"
    elif digits == 0:
        why = "the currency has no decimals"
    else:
        why = "by the file's other amounts" if len(numbers.marks) == 1 else "an amount of this currency has two decimals"
    return f"{', '.join(texts[:3])}{' …' if len(texts) > 3 else ''}: {how}, {why}"
