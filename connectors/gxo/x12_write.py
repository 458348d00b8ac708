"""Writing X12: rows of elements -> one interchange, and text made fit for it. Pure.

X12 has no escape: a delimiter inside an element ends it. So *text* (names, streets, notes) loses delimiters and control characters
and is transliterated to ASCII, which every trading partner takes; *codes* (references, SKUs, control data) must go through
unchanged or are refused. Nothing is shortened here without the caller asking for it.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.gxo.x12 import Separators

Row = tuple[str, ...]

# letters that NFKD does not take apart, then Greek and Cyrillic by sound: enough to deliver a parcel
_LETTERS = dict(zip("ßæøåœđðþłıħŋŧĸſ", "ss ae o a oe d d th l i h ng t k s".split(), strict=True)) | dict(zip(
    "αβγδεζηθικλμνξοπρσςτυφχψω", "a v g d e z i th i k l m n x o p r s s t y f ch ps o".split(), strict=True)) | dict(zip(
        "абвгдежзийклмнопрстуфхцчшщыэюяёіїєґђјљњћџўѓќ",
        "a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch y e yu ya yo i yi ye g dj j lj nj c dz u g k".split(), strict=True)) | {
    "ъ": "", "ь": ""}
_SIGNS = {"€": "EUR", "£": "GBP", "¥": "JPY", "№": "No", "–": "-", "—": "-", "‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"',
          "«": '"', "»": '"', "…": "...", "•": "-", "×": "x", "°": " ", "´": "'", "¿": "", "¡": "", "\u00a0": " "}


class Unwritable(ValueError):
    """A value that cannot stand in this element. The text names the element and the reason, never the value."""


@dataclass(frozen=True)
class Envelope:
    """Who writes to whom, when, under which control number (ISA13 and GS06 alike)."""

    sender_qualifier: str
    sender: str
    receiver_qualifier: str
    receiver: str
    group_sender: str
    group_receiver: str
    usage: str
    control: int
    at: datetime
    separators: Separators = Separators("*", ">", "~")
    line_end: str = "\n"
    version: str = "004010"


def write(envelope: Envelope, group_code: str, sets: Iterable[tuple[str, Sequence[Row]]]) -> bytes:
    """One interchange with one functional group; sets are numbered 0001, 0002 … Raises Unwritable."""
    if not 1 <= envelope.control <= 999_999_999:
        raise Unwritable("ISA13: a control number has one to nine digits and is not 0")
    at, control = envelope.at, str(envelope.control)
    isa = ("ISA", "00", " " * 10, "00", " " * 10, _fixed(envelope.sender_qualifier, 2, "ISA05"), _fixed(envelope.sender, 15, "ISA06"),
           _fixed(envelope.receiver_qualifier, 2, "ISA07"), _fixed(envelope.receiver, 15, "ISA08"), f"{at:%y%m%d}", f"{at:%H%M}", "U",
           envelope.version[:5], control.zfill(9), "0" if group_code == "FA" else "1", envelope.usage)
    rows: list[Row] = [("GS", group_code, envelope.group_sender, envelope.group_receiver, f"{at:%Y%m%d}", f"{at:%H%M}", control, "X",
                        envelope.version)]
    count = 0
    for count, (set_id, body) in enumerate(sets, start=1):  # noqa: B007 (count is used after the loop)
        number = f"{count:04}"
        rows += [("ST", set_id, number), *body, ("SE", str(len(body) + 2), number)]
    rows += [("GE", str(count), control), ("IEA", "1", control.zfill(9))]
    lines = [envelope.separators.element.join(isa) + envelope.separators.element + envelope.separators.component]
    lines += [_line(row, envelope.separators) for row in rows]
    return "".join(line + envelope.separators.terminator + envelope.line_end for line in lines).encode("ascii")


def _fixed(value: str, width: int, where: str) -> str:
    if not value or len(value) > width or not value.isascii() or not value.isprintable():
        raise Unwritable(f"{where}: one to {width} plain characters are needed")
    return value.ljust(width)


def _line(row: Row, separators: Separators) -> str:
    """The segment without empty elements at its end. The last guard: whatever the caller forgot to clean is refused here."""
    elements = list(row)
    while elements and elements[-1] == "":
        elements.pop()
    for position, value in enumerate(elements):
        if not value.isascii() or not (value.isprintable()) or any(s in value for s in separators):
            raise Unwritable(f"{row[0]}{position:02}: holds a delimiter or an unprintable character")
    return separators.element.join(elements)


def text(value: str, separators: Separators, where: str) -> str:
    """Free text in printable ASCII without delimiters, white space collapsed. Raises Unwritable when most letters would be lost."""
    kept, lost, out = 0, 0, []
    for character in unicodedata.normalize("NFC", value):
        plain = _plain(character)
        if character.isalnum():
            kept, lost = kept + bool(plain), lost + (not plain and character not in "ъьЪЬ")
        out.append("?" if plain is None else plain)
    if lost > kept:
        raise Unwritable(f"{where}: most of its letters have no spelling in the partner's character set")
    for separator in separators:
        out = [piece.replace(separator, " ") for piece in out]
    return " ".join("".join(c if c.isprintable() else " " for c in "".join(out)).split())


def _plain(character: str) -> str | None:
    """ASCII for one character; None when there is none."""
    if character.isascii():
        return character if character.isprintable() else " "
    if character in _SIGNS:
        return _SIGNS[character]
    low = character.lower()
    if low in _LETTERS:
        spelled = _LETTERS[low]
        return spelled if character == low else spelled.capitalize()
    if character.isspace() or unicodedata.category(character) in ("Cf", "Cc", "Mn", "Zl", "Zp"):
        return " " if character.isspace() else ""
    base = unicodedata.normalize("NFKD", character)
    spelled = "".join(c if c.isascii() else _LETTERS.get(c, "") for c in base if not unicodedata.combining(c))
    return spelled or None


def code(value: str, longest: int, separators: Separators, where: str) -> str:
    """A value that must arrive unchanged. Raises Unwritable when it is too long or holds what X12 cannot carry."""
    if len(value) > longest:
        raise Unwritable(f"{where}: {len(value)} characters, at most {longest} are allowed, and it must not be shortened")
    if not value.isascii() or not value.isprintable() or value != value.strip() or any(s in value for s in separators):
        raise Unwritable(f"{where}: holds a character that X12 cannot carry unchanged")
    return value


def wrap(value: str, width: int) -> list[str]:
    """Clean text in lines of at most `width`, broken between words where there are any."""
    lines: list[str] = []
    rest = value
    while len(rest) > width:
        cut = rest.rfind(" ", 0, width + 1)
        cut = cut if cut > width // 3 else width
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*lines, rest] if rest else lines


def at_least(value: str, shortest: int) -> str:
    """Padded with trailing spaces to the element's shortest length, as X12 asks for; '' stays ''."""
    return value.ljust(shortest) if value else ""


def digits(value: str) -> str:
    """A telephone number's characters only."""
    return re.sub(r"[^0-9+()x./ -]", "", value).strip()
