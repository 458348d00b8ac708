"""How much of one fulfilment request has been shipped, in warehouse units by line and in whole storefront units."""

from collections.abc import Iterator, Mapping
from typing import Any


class ShippedUnits:
    """The count of one request: starts at what earlier advices said, grows row by row, never beyond what was asked for."""

    def __init__(self, request: Mapping[str, Any], shipped: Mapping[tuple[str, int], int]) -> None:
        self._lines = {line["number"]: line for line in sorted(request["lines"], key=lambda line: line["number"])}
        told = {number: shipped.get((request["reference"], number), 0) for number in self._lines}
        self.any_before = any(told.values())
        self._count = {number: min(told[number], line["quantity"]) for number, line in self._lines.items()}
        self._start = dict(self._count)
        self._by_sku: dict[str, list[int]] = {}
        self._by_line_id: dict[str, list[int]] = {}
        for number, line in self._lines.items():
            self._by_sku.setdefault(line["warehouse_sku"], []).append(number)
            self._by_line_id.setdefault(line["line_id"], []).append(number)

    def fill(self, request_line: str, sku: str, unit: str, quantity: int) -> tuple[int, str]:
        """Count `quantity` units; returns what no line took, and why no line could take any ('' when they were merely too many).

        The line that the warehouse names goes first, if its SKU agrees; then the lines of that SKU in order of their numbers,
        since a warehouse may pick two lines of one SKU as one.
        """
        numbers = self._candidates(request_line, sku.strip())
        if not numbers:
            return quantity, f"no line of the order asks for {sku.strip() or 'it'}"
        asked_in = self._lines[numbers[0]]["unit"]
        if unit.strip() not in ("", asked_in):
            return quantity, f"the advice counts in {unit.strip()}, the order in {asked_in}"
        for number in numbers:
            taken = min(quantity, self._lines[number]["quantity"] - self._count[number])
            self._count[number] += taken
            quantity -= taken
        return quantity, ""

    def whole(self) -> dict[str, int]:
        """{storefront line id: whole storefront units so far}: a kit is as far as its least shipped component."""
        return {line_id: min(self._count[n] // self._lines[n]["factor"] for n in numbers) for line_id, numbers in self._by_line_id.items()}

    def since(self, before: Mapping[str, int]) -> list[tuple[str, int]]:
        """[(storefront line id, units that became whole since)], in the order of the request's lines."""
        return [(line_id, count - before[line_id]) for line_id, count in self.whole().items() if count > before[line_id]]

    def now(self) -> Iterator[tuple[int, int]]:
        """(line number, units counted since the start), lines that grew only."""
        return ((number, count - self._start[number]) for number, count in self._count.items() if count > self._start[number])

    def asked(self, sku: str) -> int:
        """Units that the request asks for of this SKU."""
        return sum(self._lines[number]["quantity"] for number in self._by_sku.get(sku, ()))

    def sku_of(self, request_line: str) -> str:
        """The SKU of the line that the warehouse names; '' when there is no such line."""
        line = self._named(request_line)
        return line["warehouse_sku"] if line else ""

    def _named(self, request_line: str) -> Mapping[str, Any] | None:
        text = request_line.strip()
        return self._lines.get(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None

    def _candidates(self, request_line: str, sku: str) -> list[int]:
        line = self._named(request_line)
        if line and sku.casefold() in ("", line["warehouse_sku"].casefold()):
            return [line["number"], *(n for n in self._by_sku[line["warehouse_sku"]] if n != line["number"])]
        return self._by_sku.get(sku, [])
