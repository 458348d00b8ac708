"""The sets as they stand on the wire: which segments, in which order and loop. What they mean is in the mappings.

Elements keep their X12 positions (`w06.at(2)` is W06-02).
"""

from dataclasses import dataclass, field

from connectors.gxo.profile_types import path_parts
from connectors.gxo.x12 import Segment, TransactionSet
from connectors.gxo.x12_write import Row

# value pairs (qualifier, value) by position, where a segment holds more than the usual 01/02
PAIRS = {"MAN": ((1, 2), (4, 5)), "W12": ((7, 8), (17, 18), (21, 22)), "W01": ((4, 5), (6, 7), (15, 16)), "PER": ((3, 4), (5, 6), (7, 8)),
         "LIN": tuple((place, place + 1) for place in range(2, 31, 2)), "W19": ((5, 6), (7, 8), (17, 18)), "W07": ((4, 5), (6, 7), (10, 11)),
         "BLI": ((1, 2), (8, 9), (10, 11), (12, 13))}


@dataclass(frozen=True)
class Party:
    """The N1 loop."""

    n1: Row
    n2: list[Row] = field(default_factory=list)
    n3: list[Row] = field(default_factory=list)
    n4: Row | None = None
    per: Row | None = None

    def rows(self) -> list[Row]:
        return [self.n1, *self.n2, *self.n3, *(row for row in (self.n4, self.per) if row)]


@dataclass(frozen=True)
class OrderedItem:
    """The W01 loop."""

    w01: Row
    g69: list[Row] = field(default_factory=list)
    n9: list[Row] = field(default_factory=list)
    amt: Row | None = None

    def rows(self) -> list[Row]:
        return [self.w01, *self.g69, *self.n9, *([self.amt] if self.amt else [])]


@dataclass(frozen=True)
class ShippingOrder:
    """The 940, one W01 to an LX."""

    w05: Row
    parties: list[Party]
    items: list[OrderedItem]
    w76: Row
    n9: list[Row] = field(default_factory=list)
    g62: list[Row] = field(default_factory=list)
    nte: list[Row] = field(default_factory=list)
    w66: Row | None = None

    def rows(self) -> list[Row]:
        """In the order that the 4010 map asks for."""
        rows = [self.w05, *(row for party in self.parties for row in party.rows()), *self.n9, *self.g62, *self.nte, *([self.w66] if self.w66 else [])]
        for number, item in enumerate(self.items, start=1):
            rows += [("LX", str(number)), *item.rows()]
        return [*rows, self.w76]


@dataclass(frozen=True)
class ShippedItem:
    """The W12 loop of a 945."""

    w12: Segment
    segments: list[Segment] = field(default_factory=list)


@dataclass(frozen=True)
class Packed:
    """The LX loop of a 945: `segments` are MAN, PAL and N9 before the first W12."""

    lx: Segment
    segments: list[Segment] = field(default_factory=list)
    items: list[ShippedItem] = field(default_factory=list)


@dataclass(frozen=True)
class ShippingAdvice:
    """The 945. `header` is everything before the first LX, the W06 included."""

    header: list[Segment]
    packed: list[Packed]
    w03: Segment | None

    @classmethod
    def read(cls, document: TransactionSet) -> "ShippingAdvice":
        """Sort a set that has passed the 4010 map into its loops."""
        header: list[Segment] = []
        packed: list[Packed] = []
        w03 = None
        for segment in document.segments:
            if segment.id == "W03":
                w03 = segment
            elif segment.id == "LX":
                packed.append(Packed(segment))
            elif not packed:
                header.append(segment)
            elif segment.id == "W12":
                packed[-1].items.append(ShippedItem(segment))
            elif packed[-1].items:
                packed[-1].items[-1].segments.append(segment)
            else:
                packed[-1].segments.append(segment)
        return cls(header, packed, w03)


@dataclass(frozen=True)
class Listing:
    """A set of a header and lines, each of which begins with the same segment: 846 (LIN), 947 (W19), 944 (W07), 180 (BLI)."""

    header: list[Segment]
    lines: list[list[Segment]]
    total: Segment | None

    @classmethod
    def read(cls, document: TransactionSet, first_of_line: str, total: str = "") -> "Listing":
        """Sort a set that has passed the 4010 map. `total` is the id of the segment after the lines, where there is one."""
        header: list[Segment] = []
        lines: list[list[Segment]] = []
        last = None
        for segment in document.segments:
            if segment.id == total:
                last = segment
            elif segment.id == first_of_line:
                lines.append([segment])
            else:
                (lines[-1] if lines else header).append(segment)
        return cls(header, lines, last)


@dataclass(frozen=True)
class AcknowledgedSet:
    """The AK2 loop of a 997: `faults` are its AK3 and AK4 segments."""

    ak2: Segment
    faults: list[Segment] = field(default_factory=list)
    ak5: Segment | None = None


@dataclass(frozen=True)
class FunctionalAcknowledgement:
    """The 997."""

    ak1: Segment
    sets: list[AcknowledgedSet]
    ak9: Segment

    @classmethod
    def read(cls, document: TransactionSet) -> "FunctionalAcknowledgement":
        """Sort a set that has passed the 4010 map."""
        sets: list[AcknowledgedSet] = []
        for segment in document.segments[1:-1]:
            if segment.id == "AK2":
                sets.append(AcknowledgedSet(segment))
            elif segment.id == "AK5":
                sets[-1] = AcknowledgedSet(sets[-1].ak2, sets[-1].faults, segment)
            else:
                sets[-1].faults.append(segment)
        return cls(document.segments[0], sets, document.segments[-1])


def values(path: str, segments: list[Segment]) -> list[str]:
    """Every value that stands at this path in these segments, in their order; empty ones left out."""
    segment_id, qualifier, element = path_parts(path)
    found = []
    for segment in segments:
        if segment.id != segment_id:
            continue
        if not qualifier:
            found.append(segment.at(element))
        elif element:
            found.append(segment.at(element) if segment.at(1) == qualifier else "")
        else:
            found.extend(segment.at(value) for name, value in PAIRS.get(segment_id, ((1, 2),)) if segment.at(name) == qualifier)
    return [value for value in found if value]


def first(paths: list[str], segments: list[Segment]) -> str:
    """The first value at the first path that has one; '' when none has."""
    return next((found[0] for path in paths if (found := values(path, segments))), "")
