"""The sandbox's goods in and stock: what is announced to it, what comes, what it counts, and what it states of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.gxo.profile import Profile
from connectors.gxo.sandbox_files import first_element
from connectors.gxo.sandbox_notes import LINES_MAX, Came, adjustment_set, receipt_set, return_set, statement_sets
from connectors.gxo.sandbox_stock import StockBook
from connectors.kit.clock import Clock
from connectors.kit.sandbox import FEED_SILENT, FIGURES_ABSURD, ROWS_LOST, SKU_STRANGE, Faults

ABSURD, MISDATED = 999_999_999, timedelta(days=9)
Write = Callable[..., None]  # (set id, group code, sets, late_seconds=0)


@dataclass
class Dock:
    """Goods in, counts and statements. book None: unlimited stock, of which nothing is stated."""

    profile: Profile
    clock: Clock
    faults: Faults
    book: StockBook | None
    write: Write
    seed: int = 0
    statement_seconds: float | None = None  # a whole statement of each facility so often; None: on demand only
    receive_seconds: float | None = None  # what was announced comes, complete, after so long; None: on demand only
    lines_max: int = LINES_MAX
    leaves_out_empty: bool = False  # its whole statements say nothing of what it has none of
    notices: dict[str, dict[str, Any]] = field(default_factory=dict)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    returns: list[dict[str, Any]] = field(default_factory=list)
    adjustments: list[dict[str, Any]] = field(default_factory=list)
    statements: list[dict[str, Any]] = field(default_factory=list)
    misdates_next: bool = False  # its next receipt of returned goods is dated next week at first, and written again with the right date
    _due: datetime | None = None

    def step(self) -> None:
        """State what is due, receive what was announced long enough ago."""
        now = self.clock.now()
        for reference, notice in self.notices.items():
            is_due = self.receive_seconds is not None and notice["at"] + timedelta(seconds=self.receive_seconds) <= now
            if notice["set"] == "943" and notice["state"] == "announced" and is_due:
                self.receive_announced(reference)
        if self.book is not None and self.statement_seconds is not None and (self._due is None or self._due <= now):
            self._due = now + timedelta(seconds=self.statement_seconds)
            for facility in self.book.facilities():
                self.state(facility)

    def take_notice(self, set_id: str, segments: list[list[str]], is_lenient: bool) -> str:
        """A 943 or a 180 of ours; why it is refused, or ''."""
        reference = first_element(segments, "W06" if set_id == "943" else "BGN", 2)
        if not reference or (reference in self.notices and not is_lenient):
            return "no reference" if not reference else "announced before"
        row, unit_at = ("W04", 2) if set_id == "943" else ("BLI", 4)
        lines = [{"sku": segment[5] if set_id == "943" else segment[2], "quantity": int(segment[1] if set_id == "943" else segment[3]),
                  "unit": segment[unit_at]} for segment in segments if segment[0] == row]
        facility = next((s[4] for s in segments if s[0] == "N1" and len(s) > 4), "")
        order = next((s[2] for s in segments if s[:2] == ["N9", "SO"]), "")
        copies = self.notices.get(reference, {}).get("copies", 0) + 1
        self.notices[reference] = {"set": set_id, "facility": facility, "order": order, "lines": lines, "state": "announced", "at": self.clock.now(),
                                   "copies": copies}
        return ""

    def receive(self, facility: str, lines: list[Came], reference: str = "") -> str:
        """Goods come in, announced or not; the number of the receipt."""
        number = f"RCPT{len(self.receipts) + 1:06}"
        for line in lines:
            if self.book is not None:
                place = self.book.at(facility, line.sku)
                place.free, place.held = place.free + line.units, place.held + line.damaged
        self.receipts.append({"number": number, "facility": facility, "reference": reference, "lines": [vars(line) for line in lines]})
        if reference in self.notices:
            self.notices[reference]["state"] = "received"
        self.write("944", "RE", [receipt_set(self.profile, facility, number, self.local_time(), lines, reference)])
        return number

    def receive_announced(self, reference: str, differences: dict[str, int] | None = None) -> str:
        """What a 943 announced comes in; `differences`: SKU -> how many more (or less) came than announced."""
        notice, more = self.notices[reference], dict(differences or {})
        lines = [Came(line["sku"], max(0, line["quantity"] + more.pop(line["sku"], 0))) for line in notice["lines"]]
        return self.receive(notice["facility"], [*lines, *(Came(sku, units) for sku, units in more.items() if units > 0)], reference)

    def receive_return(self, facility: str, lines: list[Came], reference: str, rma: str, tracking: str) -> str:
        """Goods come back; the number of the receipt. A grade that the profile lets go on sale is free at once, all else is held."""
        number = f"RET{len(self.returns) + 1:06}"
        for line in lines:
            if self.book is not None:
                place = self.book.at(facility, line.sku)
                if line.grade in self.profile.receipts.sale_grades:
                    place.free += line.units
                else:
                    place.held += line.units
        self.returns.append({"number": number, "facility": facility, "reference": reference, "rma": rma, "tracking": tracking,
                             "lines": [{"sku": line.sku, "quantity": line.units, "grade": line.grade} for line in lines]})
        if rma in self.notices:
            self.notices[rma]["state"] = "received"
        if self.misdates_next:
            self.misdates_next = False
            self.write("944", "RE", [return_set(self.profile, facility, number, self.local_time() + MISDATED, lines, reference, rma, tracking)])
        self.write("944", "RE", [return_set(self.profile, facility, number, self.local_time(), lines, reference, rma, tracking)])
        return number

    def adjust(self, facility: str, changes: dict[str, int], reason: str = "AA", late_seconds: float = 0) -> str:
        """A count, a breakage, a find: signed units by SKU; the number of the document. `late_seconds`: it is published so much later."""
        number = f"ADJ{len(self.adjustments) + 1:06}"
        for sku, units in changes.items():
            if self.book is not None:
                self.book.at(facility, sku).free += units
        self.adjustments.append({"number": number, "facility": facility, "changes": dict(changes), "reason": reason})
        self.write("947", "AW", [adjustment_set(self.profile, facility, number, self.local_time(), [(sku, units, reason) for sku, units in changes.items()])],
                   late_seconds=late_seconds)
        return number

    def state(self, facility: str, skus: list[str] | None = None, is_whole: bool = True, late_seconds: float = 0) -> None:
        """Write an 846 of what lies there now: all of it, or these SKUs (then it is partial). `late_seconds`: it is published so much later."""
        if self.book is None:
            return
        number, fault = f"INV{len(self.statements) + 1:08}", self.faults.strike(f"STATE {facility}")
        figures = {sku: row for sku, row in self.book.figures(facility).items() if (sku in skus if skus is not None else not self.leaves_out_empty or any(row.values()))}
        said = self._spoiled(figures, fault, number)
        self.statements.append({"number": number, "facility": facility, "is_whole": is_whole and skus is None, "at": self.clock.now(), "fault": fault,
                                "figures": figures, "left_out": sorted(figures.keys() - said.keys()),
                                "as_it_is": {sku: row for sku, row in said.items() if figures.get(sku, row) == row}})
        if fault == FEED_SILENT or not figures:
            return
        sets = statement_sets(self.profile, facility, number, self.local_time(), said, is_whole and skus is None, self.lines_max)
        self.write("846", "IB", sets, late_seconds=late_seconds)

    def _spoiled(self, figures: dict[str, dict[str, int]], fault: str, number: str) -> dict[str, dict[str, int]]:
        """The figures as a site states them that makes this mistake."""
        dice, skus = random.Random(f"{self.seed}:{number}"), list(figures)
        if fault == ROWS_LOST:
            kept = set(dice.sample(skus, len(skus) // 2 or 1))
            return {sku: row for sku, row in figures.items() if sku in kept}
        if fault == FIGURES_ABSURD:
            chosen = dice.sample(skus, min(2, len(skus)))
            return figures | {sku: figures[sku] | {"available": absurd, "on_hand": absurd} for sku, absurd in zip(chosen, (-7, ABSURD), strict=False)}
        if fault == SKU_STRANGE:
            return figures | {"NOBODY-KNOWS-1": {"available": 5, "on_hand": 5, "on_hold": 0}}
        return figures

    def local_time(self) -> datetime:
        """What the site's clock on the wall says."""
        return self.clock.now().astimezone(ZoneInfo(self.profile.timezone))
