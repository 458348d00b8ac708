"""What X12 004010 allows in the sets we write and read: elements, syntax notes, order of segments. Pure.

The facts lie beside this file: x12_004010/elements.csv (type, length, codes by element number; code lists of more than 300 codes
are left out, but for units) and x12_004010/segments.csv (elements in order, M for mandatory, and syntax notes).
`faults` lists what is wrong with a set in the words and code numbers of the 997.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from connectors.gxo.x12 import Segment, moment

_FOLDER = Path(__file__).with_name("x12_004010")
UNKNOWN_SEGMENT, UNEXPECTED, MISSING, TOO_MANY, WRONG_ELEMENTS = "1", "2", "3", "5", "8"  # element 720, AK3-04
NO_ELEMENT, NO_CONDITIONAL, TOO_MANY_ELEMENTS, TOO_SHORT, TOO_LONG, BAD_CHARACTER, NOT_LISTED, BAD_DATE, BAD_TIME, EXCLUDED = map(
    str, range(1, 11))  # element 723, AK4-03


class Element(NamedTuple):
    """One data element: type (AN, ID, N, R, DT, TM, composite), length, and its code list where the table has it."""

    type: str
    shortest: int
    longest: int
    codes: frozenset[str]


class Layout(NamedTuple):
    """One segment: (element number, mandatory) in order, and its syntax notes ('P0405')."""

    elements: tuple[tuple[str, bool], ...]
    notes: tuple[str, ...]


class Slot(NamedTuple):
    """A place in a set: a segment or, with `loop`, a loop that begins with it."""

    id: str
    longest: int
    mandatory: bool = False
    loop: tuple["Slot", ...] = ()


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a set. `place`: 1 is the ST. `code`: of the segment (AK3-04). `element_code`: AK4-03.

    `is_note`: the set can be used all the same (a code that the 4010 table does not list).
    """

    place: int
    segment: str
    code: str
    why: str
    element: int = 0
    element_code: str = ""
    is_note: bool = False

    def __str__(self) -> str:
        return self.told()

    def told(self, start: int = 1) -> str:
        """In words. `start` is the number of the set's ST in its file: then segments are counted as in the file."""
        return f"segment {self.place + start - 1} ({self.segment}{f' element {self.element:02}' if self.element else ''}): {self.why}"


def _read(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(newline="", encoding="ascii") as lines:
        return list(csv.DictReader(lines))


ELEMENTS = {r["element"]: Element(r["type"], int(r["min"]), int(r["max"]), frozenset(r["codes"].split())) for r in _read("elements.csv")}
SEGMENTS = {r["segment"]: Layout(tuple((e.rstrip("M"), e.endswith("M")) for e in r["elements"].split()), tuple(r["syntax"].split()))
            for r in _read("segments.csv")}

_LAST_MANDATORY = {name: max((position for position, (_, mandatory) in enumerate(layout.elements, 1) if mandatory), default=0)
                   for name, layout in SEGMENTS.items()}
_NOTES = {name: tuple((note, tuple(int(note[i:i + 2]) for i in range(1, len(note), 2))) for note in layout.notes) for name, layout in SEGMENTS.items()}
_MANY = 999_999
_NUMBERS = {"N": r"-?[0-9]+", "R": r"-?([0-9]+\.?[0-9]*|\.[0-9]+)"}


def _slots(text: str) -> tuple[Slot, ...]:
    """'W05! N9*10' -> a mandatory W05 and up to ten N9; '*' alone says: any number."""
    slots = []
    for word in text.split():
        name, star, most = word.partition("*")
        slots.append(Slot(name.rstrip("!"), (int(most) if most else _MANY) if star else 1, name.endswith("!")))
    return tuple(slots)


def _loop(first: str, most: int, inner: tuple[Slot, ...], mandatory: bool = False) -> Slot:
    return Slot(first, most, mandatory, inner)


_LM = _loop("LM", 10, _slots("LQ*100"))
_LM_ANY = _loop("LM", _MANY, _slots("LQ*100"))
_FA1 = _loop("FA1", _MANY, _slots("FA2*"))
SETS: dict[str, tuple[Slot, ...]] = {
    "940": (*_slots("W05!"), _loop("N1", 10, _slots("N2*2 N3*2 N4 PER*5")), *_slots("N9*10 G61*3 G62*10 NTE* W09 W66 W6 R2*13 BNX"), _LM,
            _loop("LX", _MANY, (*_slots("MAN* SDQ* N1 G62*10"), _loop("W01", _MANY, (
                *_slots("G69*5 N9*200 NTE* W20*3 QTY*10 AMT G62*10 G66 N1*3 PER*5 LH2*6 LHR LH6*5"), _LM, _FA1)))), *_slots("W76")),
    "945": (*_slots("W06!"), _loop("N1", 10, _slots("N2 N3*2 N4 PER*5"), mandatory=True),
            *_slots("N9*10 G61*3 G62*5 NTE*20 W27 W6 W28 W10*10 G72*5"), _LM,
            _loop("LX", _MANY, (*_slots("MAN* PAL N9*5"), _loop("W12", _MANY, (
                *_slots("G69*5 N9*200 G62*10 QTY*10 MEA*5 AMT R4*5 W27 N1*5 G72*5"), _LM, _FA1)))), *_slots("W03")),
    "846": (*_slots("BIA! CUR DTM*10 REF*12 PER*3 MEA*20"), _loop("N1", 5, _slots("N2*2 N3*2 N4 REF*12 PER*3")), _LM,
            _loop("LIN", 10_000, (*_slots("PID*200 MEA*40 PKG*25 DTM*10 CTP*25 CUR SAC*25 REF* PER*3 SDQ*500 MAN UIT*5 CS DD* G53 PCT* LDT*12"), _LM,
                                  _loop("SLN", 1_000, (*_slots("PID*200 MEA*40 PKG*25"), _loop("MAN", 100, _slots("MEA*40")))),
                                  _loop("QTY", 99, (*_slots("UIT*12 MEA*25 LDT*12 DTM*10"), _loop("SCH", 25, _slots("MEA*25")), _LM_ANY, *_slots("LS"),
                                                    _loop("REF", _MANY, (*_slots("DTM* N1"), _LM)), *_slots("LE"))),
                                  _loop("N1", 200, _slots("N2*2 N3*2 N4 REF*12 PER*3"))), mandatory=True), *_slots("CTT")),
    "943": (*_slots("W06!"), _loop("N1", 10, _slots("N2 N3*2 N4 PER*5"), mandatory=True), *_slots("N9*10 G61*3 G62*5 NTE*20 W27! W28 W10"),
            _loop("W04", 9_999, _slots("G69*5 N9*200 W20*2"), mandatory=True), *_slots("W03!")),
    "944": (*_slots("W17!"), _loop("N1", 10, _slots("N2 N3*2 N4 PER*5"), mandatory=True), *_slots("N9*10 G61*3 G62*5 NTE*20 W08 W18*10 G08*2"),
            _loop("W07", 9_999, (*_slots("G69*5 N9*200 W20*2"), _loop("W13", 50, _slots("N9*200"))), mandatory=True), *_slots("W14!")),
    "947": (*_slots("W15!"), _loop("N1", 100, _slots("N2 N3 N4 PER*5"), mandatory=True), *_slots("N9*10 G61*3 G62*5 NTE*20"), _LM,
            _loop("W19", _MANY, (*_slots("G69*5 N9*10 CS AMT G62*10"), _LM, _loop("N1", 50, _slots("N2*2 N3*2 N4 G61*5")),
                                 _loop("LX", _MANY, (*_slots("N9* G62 N1"), _LM)), _FA1), mandatory=True)),
    "180": (*_slots("BGN! RDR PRF DTM*10 N9*10 PER*2 SAC*10 G38 PKG*5 TD1*10 TD5*10 NTE*5"), _loop("N1", 200, _slots("N2*2 N3*2 N4 PER*5")), _LM,
            _loop("BLI", _MANY, (*_slots("N9*20 PID*5 RDR SAC*10 AMT* MEA* CRC* NTE* PRF DTM*15 DD*100 GF TD5*5 SDQ*100"), _LM,
                                 _loop("N1", 200, _slots("N2*2 N3*2 N4 PER*5")),
                                 _loop("QTY", _MANY, (*_slots("AMT*5 DTM*10 N1"), _LM, _loop("LX", _MANY, (*_slots("N9* DTM*10 N1"), _LM)))), _FA1))),
    "997": (*_slots("AK1!"), _loop("AK2", _MANY, (_loop("AK3", _MANY, _slots("AK4*99")), *_slots("AK5"))), *_slots("AK9!")),
}


def faults(set_id: str, segments: Iterable[Segment], ignore: frozenset[str] = frozenset()) -> list[Fault]:
    """Everything wrong with the body of a set (without ST and SE); [] when nothing is. Segments named in `ignore` are passed over."""
    placed = [(place, segment) for place, segment in enumerate(segments, start=2) if segment.id not in ignore]
    if set_id not in SETS:
        return [Fault(1, "ST", UNKNOWN_SEGMENT, f"set {set_id} is not one we read")]
    found: list[Fault] = []
    end = _walk(SETS[set_id], placed, 0, found)
    if end < len(placed):
        place, segment = placed[end]
        found.append(Fault(place, segment.id, UNEXPECTED, f"not expected here in a {set_id}"))
    for place, segment in placed:
        found.extend(_element_faults(place, segment))
    return sorted(found, key=lambda f: (f.is_note, f.place, f.element))


def _walk(slots: tuple[Slot, ...], placed: list[tuple[int, Segment]], at: int, found: list[Fault]) -> int:
    for slot in slots:
        count = 0
        while at < len(placed) and placed[at][1].id == slot.id:
            count += 1
            if count == slot.longest + 1:
                found.append(Fault(placed[at][0], slot.id, TOO_MANY, f"more than {slot.longest} in this place"))
            at = _walk(slot.loop, placed, at + 1, found) if slot.loop else at + 1
        if slot.mandatory and not count:
            found.append(Fault(placed[at][0] if at < len(placed) else len(placed) + 2, slot.id, MISSING, "the mandatory segment is missing"))
    return at


def _element_faults(place: int, segment: Segment) -> Iterator[Fault]:
    layout = SEGMENTS.get(segment.id)
    if layout is None:
        return
    if len(segment.elements) > len(layout.elements):
        yield Fault(place, segment.id, WRONG_ELEMENTS, f"{len(segment.elements)} elements, at most {len(layout.elements)} are known",
                    len(layout.elements) + 1, TOO_MANY_ELEMENTS)
    there = len(segment.elements)
    for position, (number, mandatory) in enumerate(layout.elements[:max(there, _LAST_MANDATORY[segment.id])], start=1):
        value = segment.elements[position - 1] if position <= there else ""
        problem = _problem(ELEMENTS[number], value) if value else (NO_ELEMENT, "mandatory, and empty") if mandatory else None
        if problem:
            code, why = problem
            yield Fault(place, segment.id, WRONG_ELEMENTS, why, position, code, is_note=code == NOT_LISTED)
    for note, places in _NOTES[segment.id]:
        if (note[0] == "R" or places[0] <= there) and (problem := _note_broken(note, places, segment)):
            position, code = problem
            yield Fault(place, segment.id, WRONG_ELEMENTS, f"breaks the syntax note {note}", position, code)


def _problem(element: Element, value: str) -> tuple[str, str] | None:
    length = len(value.lstrip("-").replace(".", "")) if element.type in ("N", "R") else len(value)
    if length < element.shortest:
        return TOO_SHORT, f"{length} characters, at least {element.shortest} are needed"
    if length > element.longest:
        return TOO_LONG, f"{length} characters, at most {element.longest} are allowed"
    if element.type in _NUMBERS and not re.fullmatch(_NUMBERS[element.type], value):
        return BAD_CHARACTER, "not a number"
    if element.type == "DT" and moment(value) is None:
        return BAD_DATE, "not a date"
    if element.type == "TM" and not re.fullmatch(r"([01][0-9]|2[0-3])[0-5][0-9]([0-5][0-9]([0-9]{1,2})?)?", value):
        return BAD_TIME, "not a time"
    if element.codes and value.strip(" ") not in element.codes:
        return NOT_LISTED, "a code that the 4010 table does not list"
    return None


def _note_broken(note: str, places: tuple[int, ...], segment: Segment) -> tuple[int, str] | None:
    """P: all or none. R: at least one. C: the first asks for all others. L: the first asks for one of the others. E: at most one."""
    there = [bool(segment.at(p)) for p in places]
    missing = next((p for p, is_there in zip(places, there, strict=True) if not is_there), 0)
    if note[0] == "P" and any(there) and not all(there):
        return missing, NO_CONDITIONAL
    if note[0] == "R" and not any(there):
        return places[0], NO_CONDITIONAL
    if note[0] == "C" and there[0] and not all(there):
        return missing, NO_CONDITIONAL
    if note[0] == "L" and there[0] and not any(there[1:]):
        return places[1], NO_CONDITIONAL
    if note[0] == "E" and sum(there) > 1:
        return places[-1], EXCLUDED
    return None
