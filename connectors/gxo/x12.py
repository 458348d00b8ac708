"""Reading X12: bytes -> interchanges, groups and transaction sets, or BadDocument naming the segment. Pure and bounded.

Separators are read from the ISA segment, which is 106 characters long and fixed in width: the element separator is its 4th
character, the component separator its 16th element, the segment terminator its 106th character. Nothing of a file is
handed out before every envelope in it was found complete and consistent, the last terminator included.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from connectors.kit.errors import BadDocument

MAX_BYTES = 20_000_000
MAX_SEGMENTS = 500_000
MAX_ELEMENTS = 200
ISA_LENGTH = 106
ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
_SEGMENT_ID = re.compile(r"[A-Z][A-Z0-9]{1,2}")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_NUMBER = re.compile(r"[0-9]{1,9}")
_SHOWABLE = re.compile(r"[A-Za-z0-9 ._-]{1,20}")


class Segment(NamedTuple):
    """One segment: its place in the file (1 is the ISA), its id, its elements as text."""

    number: int
    id: str
    elements: tuple[str, ...]

    def at(self, position: int) -> str:
        """Element by its X12 position (W06-02 is `at(2)`); '' when the segment does not reach that far. Outer spaces removed."""
        return self.elements[position - 1].strip(" ") if position <= len(self.elements) else ""


class Separators(NamedTuple):
    """What the ISA says divides this interchange."""

    element: str
    component: str
    terminator: str


@dataclass(frozen=True)
class TransactionSet:
    """ST..SE. `segments` is the body without the two; `start` is the number of the ST segment in the file."""

    set_id: str
    control: str
    start: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Group:
    """GS..GE. `start` is the number of the GS segment in the file."""

    start: int
    code: str
    sender: str
    receiver: str
    date: str
    time: str
    control: str
    version: str
    sets: tuple[TransactionSet, ...]


@dataclass(frozen=True)
class Interchange:
    """ISA..IEA. `start` is the number of the ISA segment in the file; `notes` are TA1: the partner's word on an interchange of ours."""

    start: int
    separators: Separators
    sender_qualifier: str
    sender: str
    receiver_qualifier: str
    receiver: str
    date: str
    time: str
    version: str
    control: str
    usage: str
    notes: tuple[Segment, ...]
    groups: tuple[Group, ...]


def parse(body: bytes, name: str = "an X12 file") -> list[Interchange]:
    """Every interchange in the file, complete and consistent. Raises BadDocument (segment number, id, reason) for anything else."""
    if len(body) > MAX_BYTES:
        raise _bad(name, f"it has {len(body)} bytes, more than the {MAX_BYTES} we read")
    reader = _Reader(_text(body), name)
    interchanges = []
    while not reader.is_at_end():
        interchanges.append(_interchange(reader))
    if not interchanges:
        raise _bad(name, "it holds no interchange")
    _unique(reader, "ISA", "control number ISA13 and sender", [f"{i.sender_qualifier}{i.sender}/{i.control}" for i in interchanges])
    return interchanges


def moment(date: str, time: str = "") -> datetime | None:
    """'20260115' or '260115', '0930' or '093015[hh]' -> a naive datetime; None when it is none."""
    if not re.fullmatch(r"[0-9]{6}([0-9]{2})?", date) or not re.fullmatch(r"([0-9]{4}([0-9]{2}){0,2})?", time):
        return None
    try:
        return datetime.strptime((date if len(date) == 8 else f"20{date}") + (time[:6] or "0000").ljust(6, "0"), "%Y%m%d%H%M%S")
    except ValueError:
        return None


class _Reader:
    """Walks the text one segment at a time; knows where it is."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name, self.at, self.count = text, name, 0, 0
        self.separators = Separators("*", ">", "~")
        self.last = ""

    def is_at_end(self) -> bool:
        while self.at < len(self.text) and self.text[self.at] in "\r\n":
            self.at += 1
        return self.at >= len(self.text)

    def fault(self, why: str, segment: Segment | None = None) -> BadDocument:
        where = f"segment {segment.number} ({segment.id})" if segment else f"after segment {self.count} ({self.last or 'none'})"
        return _bad(self.name, f"{where}: {why}")

    def isa(self) -> Segment:
        """The header that the separators are read from."""
        header = self.text[self.at:self.at + ISA_LENGTH]
        self.count += 1
        segment = Segment(self.count, "ISA", ())
        if not header.startswith("ISA"):
            raise self.fault("an interchange must begin with ISA", segment)
        if len(header) < ISA_LENGTH or not header.isascii():
            raise self.fault("the header is not 106 plain characters long", segment)
        self.separators = separators = Separators(header[3], header[104], header[105])
        if len(set(separators)) < 3 or any(c.isalnum() or c == " " for c in separators):
            raise self.fault("its separators cannot be told from text or from each other", segment)
        parts = header[:105].split(separators.element)
        if tuple(map(len, parts[1:])) != ISA_WIDTHS or parts[0] != "ISA":
            raise self.fault("its elements do not have the fixed widths", segment)
        self.at += ISA_LENGTH
        self.last = "ISA"
        return Segment(self.count, "ISA", tuple(parts[1:]))

    def next(self) -> Segment:
        """The next segment of the open interchange."""
        if self.is_at_end():
            raise self.fault("the file ends inside an interchange")
        end = self.text.find(self.separators.terminator, self.at)
        if end < 0:
            raise self.fault("the file ends inside a segment")
        raw, self.at, self.count = self.text[self.at:end], end + 1, self.count + 1
        parts = raw.split(self.separators.element)
        segment = Segment(self.count, parts[0] if _SEGMENT_ID.fullmatch(parts[0]) else "?", tuple(parts[1:]))
        if segment.id == "?":
            raise self.fault("this is no segment id", segment)
        if self.count > MAX_SEGMENTS:
            raise self.fault(f"more than {MAX_SEGMENTS} segments", segment)
        if len(segment.elements) > MAX_ELEMENTS:
            raise self.fault(f"more than {MAX_ELEMENTS} elements", segment)
        if _CONTROL_CHARACTER.search(raw.replace(self.separators.element, "").replace(self.separators.component, "")):
            raise self.fault("a control character inside the segment", segment)
        self.last = segment.id
        return segment


def _interchange(reader: _Reader) -> Interchange:
    isa = reader.isa()
    control = isa.at(13)
    if not re.fullmatch(r"[0-9]{9}", control):
        raise reader.fault("ISA13 is not nine digits", isa)
    if moment(isa.at(9), isa.at(10)) is None or len(isa.at(9)) != 6:
        raise reader.fault("ISA09/ISA10 are no date and time", isa)
    notes, groups = [], []
    while (segment := reader.next()).id != "IEA":
        if segment.id == "TA1" and not groups:
            notes.append(segment)
        elif segment.id == "GS":
            groups.append(_group(reader, segment))
        else:
            raise reader.fault("expected GS or IEA", segment)
    _trailer(reader, segment, len(groups), "functional groups", control, "ISA13")
    if not groups and not notes:
        raise reader.fault("the interchange is empty", segment)
    _unique(reader, "IEA", "group control number GS06", [g.control for g in groups])
    parties, at = [isa.at(p) for p in range(5, 9)], (isa.at(9), isa.at(10))
    return Interchange(isa.number, reader.separators, *parties, *at, isa.at(12), control, isa.at(15), tuple(notes), tuple(groups))


def _group(reader: _Reader, gs: Segment) -> Group:
    if len(gs.elements) != 8 or not all(gs.at(p) for p in range(1, 9)):
        raise reader.fault("GS needs eight elements", gs)
    if not _NUMBER.fullmatch(gs.at(6)):
        raise reader.fault("GS06 is not a number of up to nine digits", gs)
    if moment(gs.at(4), gs.at(5)) is None or len(gs.at(4)) != 8:
        raise reader.fault("GS04/GS05 are no date and time", gs)
    sets = []
    while (segment := reader.next()).id != "GE":
        if segment.id != "ST":
            raise reader.fault("expected ST or GE", segment)
        sets.append(_set(reader, segment))
    _trailer(reader, segment, len(sets), "transaction sets", gs.at(6), "GS06")
    if not sets:
        raise reader.fault("the functional group is empty", segment)
    _unique(reader, "GE", "set control number ST02", [s.control for s in sets])
    return Group(gs.number, gs.at(1), gs.at(2), gs.at(3), gs.at(4), gs.at(5), gs.at(6), gs.at(8), tuple(sets))


def _set(reader: _Reader, st: Segment) -> TransactionSet:
    if not re.fullmatch(r"[0-9]{3}", st.at(1)) or not re.fullmatch(r"[A-Za-z0-9]{4,9}", st.at(2)):
        raise reader.fault("ST needs a set id of three digits and a control number of four to nine characters", st)
    body = []
    while (segment := reader.next()).id != "SE":
        if segment.id in ("ISA", "IEA", "GS", "GE", "ST"):
            raise reader.fault(f"the set that began at segment {st.number} has no SE", segment)
        body.append(segment)
    _trailer(reader, segment, len(body) + 2, "segments", st.at(2), "ST02")
    return TransactionSet(st.at(1), st.at(2), st.number, tuple(body))


def _trailer(reader: _Reader, segment: Segment, count: int, what: str, control: str, against: str) -> None:
    if len(segment.elements) != 2:
        raise reader.fault("a trailer has two elements", segment)
    said = segment.at(1)
    if not re.fullmatch(r"[0-9]{1,10}", said) or int(said) != count:
        raise reader.fault(f"it counts {_show(said)} {what}, there are {count}", segment)
    if segment.at(2) != control:
        raise reader.fault(f"its control number {_show(segment.at(2))} is not {against} {_show(control)}", segment)


def _unique(reader: _Reader, where: str, what: str, values: list[str]) -> None:
    if len(set(values)) != len(values):
        raise _bad(reader.name, f"segment {reader.count} ({where}): the {what} is used twice in it")


def _show(value: str) -> str:
    return repr(value) if _SHOWABLE.fullmatch(value) else "(unreadable)"


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _bad(name: str, why: str) -> BadDocument:
    return BadDocument(f"reading {name}", why, "Ask the partner for a corrected file.")
