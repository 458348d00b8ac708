"""How much of one order came back to one warehouse: in warehouse units by request line, and in whole storefront units with their grades.

The count starts at what earlier documents brought and never passes what was shipped. A case of 12 is whole with the document that brings the
twelfth piece, a kit with the one that brings its last component; until then the units are *loose*. Units become whole in the order in which
they came, so any number of documents, in any order, adds up to the same whole units.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Line = Mapping[str, Any]
Key = tuple[str, int]


@dataclass(frozen=True)
class Due:
    """Whole storefront units of one order line that came back, counted from `first` (0: the line's first unit that ever came back).

    grades: of everything these units are made of. A kit or a case of mixed grades is worth what its worst part is worth.
    """

    line_id: str
    first: int
    quantity: int
    grades: tuple[str, ...]


@dataclass(frozen=True)
class Taken:
    """What became of one return line: units put to request lines, storefront units that are whole since, and what no line took (and why)."""

    placed: list[dict[str, Any]] = field(default_factory=list)
    dues: list[Due] = field(default_factory=list)
    rest: int = 0
    why: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


class ReturnedUnits:
    """The count of one order at one warehouse.

    lines: the order's request lines there (reference, number, line_id, warehouse_sku, unit, factor, advised). placed: what earlier return
    lines were put to ({reference, number, units, grade, no}), as `Taken.placed` gave it.
    """

    def __init__(self, lines: Iterable[Line], placed: Iterable[Mapping[str, Any]] = ()) -> None:
        self._lines: dict[Key, Line] = {(line["reference"], line["number"]): line for line in sorted(lines, key=lambda line: (line["reference"], line["number"]))}
        self._goods: dict[tuple[str, str], list[Key]] = {}
        for key, line in self._lines.items():
            self._goods.setdefault((line["reference"], line["line_id"]), []).append(key)
        self._count = dict.fromkeys(self._lines, 0)
        self._loose: dict[Key, list[list[Any]]] = {key: [] for key in self._lines}
        self._no = 0
        for entry in sorted(placed, key=lambda entry: entry["no"]):
            self._put((entry["reference"], entry["number"]), entry["units"], entry["grade"])
            self._no = entry["no"]
        self._whole = dict.fromkeys(self._goods, 0)
        for goods in self._goods:
            self._make_whole(goods)

    def take(self, reference: str, request_line: str, sku: str, unit: str, quantity: int, grade: str) -> Taken:
        """Count one return line: the line that it names first, if the SKU agrees, then the other lines of that SKU in order, its own request first."""
        keys = self._candidates(reference, request_line, sku.strip())
        if not keys:
            return Taken(rest=quantity, why="not ordered", evidence={"ordered_skus": sorted({line["warehouse_sku"] for line in self._lines.values()})[:20]})
        asked_in = self._lines[keys[0]]["unit"]
        if unit.strip() not in ("", asked_in):
            return Taken(rest=quantity, why="other unit", evidence={"unit": unit.strip(), "shipped_in": asked_in})
        shipped, before = (sum(of[key] for key in keys) for of in (self._advised(), self._count))
        placed, rest = [], quantity
        for key in keys:
            units = min(rest, self._lines[key]["advised"] - self._count[key])
            if units > 0:
                rest -= units
                self._no += 1
                self._put(key, units, grade)
                placed.append({"reference": key[0], "number": key[1], "units": units, "grade": grade, "no": self._no})
        grown = dict.fromkeys((key[0], self._lines[key]["line_id"]) for key in keys)
        dues = [due for goods in grown for due in self._make_whole(goods)]
        evidence = {"shipped": shipped, "returned_before": before, "due": quantity - rest, "too_many": rest} if rest else {}
        return Taken(placed, dues, rest, "more than was shipped" if rest else "", evidence)

    def asks(self, sku: str) -> bool:
        """Is there a line of this SKU?"""
        return bool(self._candidates("", "", sku.strip()))

    def room(self, sku: str) -> int:
        """Units of this SKU that were shipped and are not back."""
        return sum(self._lines[key]["advised"] - self._count[key] for key in self._candidates("", "", sku.strip()))

    def line_id(self, placed: Iterable[Mapping[str, Any]]) -> str:
        """The order line that these entries of a return line were put to, the first where there are several; '' when they were put to none."""
        return next((self._lines[entry["reference"], entry["number"]]["line_id"] for entry in placed if (entry["reference"], entry["number"]) in self._lines), "")

    def whole(self) -> dict[str, int]:
        """{order line id: whole storefront units that came back}."""
        sums: dict[str, int] = {}
        for (_, line_id), count in self._whole.items():
            sums[line_id] = sums.get(line_id, 0) + count
        return sums

    def shipped(self) -> dict[str, int]:
        """{order line id: whole storefront units that were shipped}."""
        sums: dict[str, int] = {}
        for (_, line_id), keys in self._goods.items():
            sums[line_id] = sums.get(line_id, 0) + min(self._lines[key]["advised"] // self._lines[key]["factor"] for key in keys)
        return sums

    def loose(self) -> dict[str, list[dict[str, Any]]]:
        """{order line id: [{sku, units, of}]}: what came back and makes no whole unit of its line yet. `of`: units in one whole one."""
        found: dict[str, list[dict[str, Any]]] = {}
        for key, line in self._lines.items():
            units = sum(run[0] for run in self._loose[key])
            if units:
                found.setdefault(line["line_id"], []).append({"sku": line["warehouse_sku"], "units": units, "of": line["factor"]})
        return found

    def _advised(self) -> dict[Key, int]:
        return {key: line["advised"] for key, line in self._lines.items()}

    def _put(self, key: Key, units: int, grade: str) -> None:
        if key in self._lines:  # a request line that is no longer there: the order was edited since
            self._count[key] += units
            self._loose[key].append([units, grade])

    def _make_whole(self, goods: tuple[str, str]) -> list[Due]:
        """Take whole units out of what is loose, oldest first, run by run of equal grades."""
        dues: list[Due] = []
        keys = self._goods[goods]
        left = min(self._count[key] // self._lines[key]["factor"] for key in keys) - self._whole[goods]
        while left:
            first = self.whole().get(goods[1], 0)
            runs = min(self._loose[key][0][0] // self._lines[key]["factor"] for key in keys)
            units = min(left, max(1, runs))
            grades: set[str] = set()
            for key in keys:
                grades |= self._pull(key, units * self._lines[key]["factor"])
            self._whole[goods] += units
            left -= units
            dues.append(Due(goods[1], first, units, tuple(sorted(grades))))
        return dues

    def _pull(self, key: Key, units: int) -> set[str]:
        grades: set[str] = set()
        queue = self._loose[key]
        while units:
            taken = min(units, queue[0][0])
            grades.add(queue[0][1])
            queue[0][0] -= taken
            units -= taken
            if not queue[0][0]:
                queue.pop(0)
        return grades

    def _candidates(self, reference: str, request_line: str, sku: str) -> list[Key]:
        of_sku = [key for key, line in self._lines.items() if line["warehouse_sku"] == sku]
        text = request_line.strip()
        named = (reference, int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None
        if named in self._lines and self._lines[named]["warehouse_sku"].casefold() == sku.casefold():
            of_sku = [key for key, line in self._lines.items() if line["warehouse_sku"] == self._lines[named]["warehouse_sku"]]
        else:
            named = None
        return sorted(of_sku, key=lambda key: (key != named, key[0] != reference, key))
