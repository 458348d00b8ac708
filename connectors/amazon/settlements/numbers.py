"""Amounts as the world writes them, read by rules and never by a guess at the country.

A text that can be read in one way only is read so: '1.234,56', '-0.99', '12,5', '1.234.567', '(3.00)', '1 234,56', '5-'. One mark with three digits behind it and one to
three before ('1.234') can be either; what decides is, in this order: a currency without decimals; the mark that the file's other amounts have; and, above both,
which reading meets the deposit, where exactly one does. What was assumed is said.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from contracts.settlements import FINES

_FINE_DIGITS = len(str(FINES)) - 1
_MAJOR_MAX = Decimal(10) ** 13
_MINUS = re.compile("[\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d]")
_SIGNS = re.compile("[\u20ac$\u00a3\u00a5\uffe5\u20b9]|(?<![A-Za-z])(?:[A-Z]{3}|US|CA|AU|R|kr|z\u0142|Rs\\.?)(?![A-Za-z])")  # a currency's sign or code beside the number
_BLANKS = " \u00a0\u202f\u2007\u2009"
_QUOTED = re.compile(r"""^(["'])(.*)\1$""")
_SPACED = re.compile(f"^\\d{{1,3}}(?:[{_BLANKS}'\u2019]\\d{{3}})+(?:[.,]\\d+)?$")
_ONE_MARK = re.compile(r"^(\d*)([.,])(\d*)$")
_GROUPS = re.compile(r"^\d{1,3}(?:([.,])\d{2,3})*$")
_PLAIN = {".": r"^-?\d{1,13}\.\d{2}$", ",": r"^-?\d{1,13},\d{2}$"}


@dataclass(frozen=True)
class Number:
    """A text read: its value when `mark` is for decimals (`as_decimal`) and when it is for thousands. Unless both differ there is nothing to decide."""

    mark: str
    as_decimal: Decimal
    as_thousands: Decimal

    @property
    def is_ambiguous(self) -> bool:
        """'1.234': two numbers, and nothing in the text says which."""
        return self.as_decimal != self.as_thousands


def read_number(text: str) -> Number | None:
    """None when it is no number that can be relied on."""
    core, sign = _signed(text)
    if _SPACED.match(core):
        core = re.sub(f"[{_BLANKS}'\u2019]", "", core)
        return _sure(re.sub(r"\d", "", core), sign * Decimal(core.replace(",", ".")))
    if not re.fullmatch(r"[0-9.,]+", core) or not any(map(str.isdigit, core)):
        return None
    marks = set(core) & {".", ","}
    if not marks:
        return _sure("", sign * Decimal(core))
    if len(marks) == 2:
        return _two_marks(core, sign)
    (mark,) = marks
    if core.count(mark) > 1:
        return _sure(_other(mark), sign * Decimal(core.replace(mark, ""))) if _grouped(core, mark) else None
    return _one_mark(core, sign)


def _one_mark(core: str, sign: int) -> Number:
    before, mark, after = _ONE_MARK.match(core).groups()
    value = sign * Decimal(f"{before or '0'}.{after or '0'}")
    can_be_thousands = len(after) == 3 and 1 <= len(before) <= 3 and before != "0" and not before.startswith("0")
    return Number(mark, value, sign * Decimal(before + after)) if can_be_thousands else _sure(mark, value)


def _two_marks(core: str, sign: int) -> Number | None:
    mark = core[max(core.rfind("."), core.rfind(","))]
    whole, _, after = core.rpartition(mark)
    if mark in whole or not _grouped(whole, _other(mark)):
        return None
    return _sure(mark, sign * Decimal(f"{whole.replace(_other(mark), '')}.{after or '0'}"))


def _grouped(whole: str, mark: str) -> bool:
    """'1.234.567', and '12,34,567' as India writes it."""
    groups = whole.split(mark)
    return bool(_GROUPS.match(whole)) and len(groups[-1]) == 3 and ({len(group) for group in groups[1:]} == {3} or (mark == "," and len(groups[0]) <= 2))


def _signed(text: str) -> tuple[str, int]:
    core = _MINUS.sub("-", text.strip())
    quoted = _QUOTED.match(core)
    core = _SIGNS.sub("", quoted[2] if quoted else core).strip(_BLANKS + "\t")
    if core.startswith("(") and core.endswith(")"):
        inner = core[1:-1].strip(_BLANKS)
        return (inner, -1) if inner[:1].isdigit() or inner[:1] in ".," else ("", 1)
    sign = -1 if "-" in core else 1
    if core[:1] in "+-" and core[:1]:
        core = core[1:]
    elif core[-1:] == "-":
        core = core[:-1]
    return core.strip(_BLANKS), sign


def _other(mark: str) -> str:
    return "," if mark == "." else "."


def _sure(mark: str, value: Decimal) -> Number:
    return Number(mark, value, value)


@dataclass
class Numbers:
    """The distinct number texts of a file, read. `unreadable` and `ambiguous` are positions among them."""

    plain: pa.Array  # hundredths where the text is plain ('-12.34'), else null: the fast way for nearly all
    others: dict[int, Number]
    blank: set[int]
    unreadable: set[int]
    marks: set[str]  # the marks that are surely for decimals

    @classmethod
    def read(cls, texts: pa.Array) -> "Numbers":
        """Every distinct text once."""
        matches = {mark: pc.match_substring_regex(texts, pattern) for mark, pattern in _PLAIN.items()}
        marks = {mark for mark, found in matches.items() if len(texts) and pc.any(found).as_py()}
        is_plain = pc.or_(matches["."], matches[","])
        bare = pc.replace_substring_regex(pc.if_else(is_plain, texts, pa.scalar("0")), "[.,]", "")
        plain = pc.if_else(is_plain, pc.cast(bare, pa.int64()), pa.scalar(None, pa.int64()))
        others, blank, unreadable = {}, set(), set()
        for position in pc.indices_nonzero(pc.invert(is_plain)).to_pylist():
            text = texts[position].as_py()
            number = read_number(text) if text.strip() else None
            if number is not None and abs(number.as_thousands) < _MAJOR_MAX:
                others[position] = number
                if not number.is_ambiguous and number.mark:
                    marks.add(number.mark)
            else:
                (unreadable if text.strip() else blank).add(position)
        return cls(plain, others, blank, unreadable, marks)

    @property
    def ambiguous(self) -> dict[int, Number]:
        """Those that the text alone does not decide."""
        return {position: number for position, number in self.others.items() if number.is_ambiguous}

    def usual(self, digits: int) -> frozenset[str]:
        """The marks that stand for thousands in ambiguous texts, by the currency's digits and the file's other amounts."""
        if digits >= 3:
            return frozenset(mark for mark in ".," if self.marks == {_other(mark)})
        return frozenset(mark for mark in ".," if digits == 0 or mark not in self.marks or self.marks == {".", ","})

    def minor(self, digits: int, thousands: frozenset[str]) -> tuple[pa.Array, pa.Array, set[int]]:
        """Minor units and millionths of one, for every text; blank and unreadable ones are 0. And which are finer than even that."""
        whole, fine = _of_hundredths(pc.fill_null(self.plain, 0), digits)
        if not self.others:
            return whole, fine, set()
        more_whole, more_fine, too_fine = [0] * len(self.plain), [0] * len(self.plain), set()
        for position, number in self.others.items():
            units = (number.as_thousands if number.mark in thousands else number.as_decimal).scaleb(digits + _FINE_DIGITS)
            if units != units.to_integral_value():
                too_fine.add(position)
                continue
            sign = -1 if units < 0 else 1
            more_whole[position], more_fine[position] = (sign * part for part in divmod(abs(int(units)), FINES))
        return pc.add(whole, pa.array(more_whole, pa.int64())), pc.add(fine, pa.array(more_fine, pa.int64())), too_fine


def _of_hundredths(plain: pa.Array, digits: int) -> tuple[pa.Array, pa.Array]:
    if digits >= 2:
        return pc.multiply(plain, 10 ** (digits - 2)), pc.multiply(plain, 0)
    step = 10 ** (2 - digits)
    whole = pc.divide(plain, step)  # towards zero
    return whole, pc.multiply(pc.subtract(plain, pc.multiply(whole, step)), FINES // step)
