"""A GXO site to play with: reads our files, picks and ships by its clock, and writes 997s and 945s, with faults on demand.

It reads our 940s in its own way, not with our mapping, and keeps its own books. As such partners do, it need not notice a repeated
control number, nor a second order under the same reference (`nastiness='lenient'`): it then makes a second order.
"""

import random
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from connectors.gxo.profile import Profile
from connectors.gxo.sandbox_dock import Dock
from connectors.gxo.sandbox_files import Shelf, elements_of, first_element
from connectors.gxo.sandbox_notes import Came
from connectors.gxo.sandbox_orders import Order, order_of, promise, release, ship
from connectors.gxo.sandbox_stock import StockBook
from connectors.gxo.sandbox_writing import Parcel, acknowledgement_sets, advice_set, envelope_of
from connectors.gxo.x12_write import write
from connectors.kit.clock import Clock
from connectors.kit.sandbox import Faults

SETS_PER_FILE = 50
KINDS = {"complete": 68, "packages": 10, "unnumbered": 8, "partial": 8, "other carrier": 3, "repeated": 3}  # of 100 orders


class GxoSandbox:
    """One site. `step()` does what is due; `books()` is its own record. pick/rest/acknowledge/advise seconds are by its clock.

    forgets_one_in: of so many files that it accepts whole, one is never acknowledged. boxes_max: into how many boxes it packs what it packs apart; else two.

    stock: {facility: {SKU: units}}; without it stock is unlimited and nothing is stated of it. Stock, receipts and announced goods are at the `dock`.
    """

    def __init__(self, root: Path, clock: Clock, profile: Profile, skus: set[str], facilities: set[str], seed: int = 0, nastiness: str = "strict",
                 faults: Faults | None = None, pick_seconds: float = 60, rest_seconds: float = 60, acknowledge_seconds: float = 0,
                 other_carrier: str = "TUFF", kinds: dict[str, int] | None = None, stock: dict[str, dict[str, int]] | None = None,
                 statement_seconds: float | None = None, receive_seconds: float | None = None, forgets_one_in: int = 0, advise_seconds: float = 0,
                 boxes_max: int = 2) -> None:
        self.name, self.faults = f"gxo {profile.partner_id}", faults or Faults()
        self._clock, self._profile, self._skus, self._facilities = clock, profile, skus, facilities
        self._seed, self._is_lenient = seed, nastiness == "lenient"
        self._pick, self._rest, self._acknowledge = (timedelta(seconds=s) for s in (pick_seconds, rest_seconds, acknowledge_seconds))
        self._other_carrier, self._kinds, self._forgets_one_in, self._advise = other_carrier, kinds or KINDS, forgets_one_in, advise_seconds
        self._boxes_max = boxes_max
        self.is_picking = True  # between two shifts nothing is picked
        self._shelf = Shelf(root, profile, clock, self.faults)
        self._book = StockBook(stock) if stock is not None else None
        self.dock = Dock(profile, clock, self.faults, self._book, self._write, seed, statement_seconds, receive_seconds)
        self._orders: dict[str, list[Order]] = {}
        self._owed: list[tuple[datetime, list[tuple[str, ...]]]] = []  # 997 sets, and from when
        self._controls: dict[int, str] = {}
        self._received: list[dict[str, Any]] = []
        self._acknowledged: list[str] = []
        self.strays: list[str] = []  # references of dispatches that it advised and that were never asked for
        self.remembers_after: timedelta | None = None  # when every other file whose acknowledgement it forgot gets it after all
        self.corrected: list[str] = []  # those of them that it advised again with other contents
        self.used_again: list[tuple[str, str]] = []  # (file, file that came later under its control number)
        self.unlisted: set[str] = set()  # SKUs that it refuses new orders of for now: its own list of items lags
        self.nods = False  # a cancel that comes too late is acknowledged like any other: its 997 only says that it could read the file
        self.tells_back_orders = False  # it advises what waits for stock: nothing shipped yet, line by line
        self.has_one_number_each = True  # else all boxes of a shipment go under one tracking number
        self.ways: dict[str, str] = {}  # storefront's order -> the way in which it ships this one, whatever the dice say
        self._last_stray: tuple[Order, Parcel] | None = None
        self._statements: list[tuple[str, bytes]] = []
        self._next_control, self._next_shipment = 1, 1

    def handle(self, request: httpx.Request) -> httpx.Response:
        """It has no HTTP."""
        return httpx.Response(404)

    def step(self) -> None:
        """Take in what came, answer, pick, ship."""
        self._shelf.finish()
        for name, body in self._shelf.arrived():
            self._take(name, body)
        self._send_acknowledgements()
        self.dock.step()
        self._promise_what_came()
        self._ship()

    def receive_return(self, reference: str, lines: list[tuple[str, int, str]], rma: str = "", facility: str = "", tracking: str = "") -> str:
        """A customer's parcel came back: (SKU, units, grade) each. reference or rma may be ''. The number of the receipt (W17-03)."""
        order = next(iter(self._orders.get(reference, [])), None)
        keys = {line["sku"]: key for key, line in order.lines.items() if not key.startswith("?")} if order else {}
        place = facility or (order.facility if order else self.dock.notices.get(rma, {}).get("facility", "")) or min(self._facilities)
        return self.dock.receive_return(place, [Came(sku, units, 0, grade, keys.get(sku, "")) for sku, units, grade in lines], reference, rma, tracking)

    def receive(self, facility: str, lines: list[tuple[str, int]], reference: str = "") -> str:
        """Stock came in: (SKU, units) each. The number of the receipt."""
        return self.dock.receive(facility, [Came(sku, units) for sku, units in lines], reference)

    def adjust(self, facility: str, changes: dict[str, int], reason: str = "AA") -> str:
        """Signed units by SKU: a count, a breakage. The number of the document."""
        return self.dock.adjust(facility, changes, reason)

    def state_stock(self, facility: str = "", skus: list[str] | None = None, is_whole: bool = True, late_seconds: float = 0) -> None:
        """Write a stock statement of one facility, or of each; of these SKUs only, or of all."""
        for place in [facility] if facility else self._book.facilities() if self._book else []:
            self.dock.state(place, skus, is_whole, late_seconds)

    def repeat_statement(self, back: int = 1) -> None:
        """Publish the last statement but `back - 1` again: the same bytes under another name, as a partner does that sends its folder twice."""
        name, body = self._statements[-back]
        self._shelf.put(f"again_{len(self._shelf.written)}_{name}", body)

    def ship_stray(self, reference: str, facility: str, sku: str, units: int) -> None:
        """Advise a dispatch of an order that is not ours: somebody keyed it in at the site, or it is another merchant's."""
        order = self._stray(reference, facility, sku, units)
        shipment = f"SHP{self._next_shipment:07}"
        self._next_shipment += 1
        self._last_stray = order, self._parcel(order, order.carrier, shipment, 1, {"1": units})
        self._write("945", "SW", [("945", advice_set(order, shipment, [self._last_stray[1]], self.dock.local_time(), True))])
        self.strays.append(reference)

    def correct_stray(self) -> None:
        """Advise the last such dispatch again, the same package with one unit more: somebody counted anew."""
        if self._last_stray:
            order, parcel = self._last_stray
            more = {key: units + 1 for key, units in parcel.content.items()}
            self._write("945", "SW", [("945", advice_set(order, parcel.shipment, [replace(parcel, content=more)], self.dock.local_time(), True))])
            self.corrected.append(order.reference)

    def use_number_again(self, reference: str, facility: str, sku: str) -> None:
        """Write one more document, of no order of ours, under a control number that an acknowledgement had: a partner whose numbers begin anew."""
        used = next((str(one["file"]) for one in self._shelf.written if str(one["file"]).startswith("997_")), "")
        if used:
            order, number = self._stray(reference, facility, sku, 1), int(used[4:13])
            sets = [("945", advice_set(order, "SLIP", [self._parcel(order, order.carrier, "SLIP", 1, {"1": 1})], self.dock.local_time(), True))]
            name = f"945_{number:09}_again.edi"
            self._shelf.put(name, write(envelope_of(self._profile, number, self._clock.now()), "SW", sets))
            self.used_again.append((used, name))

    def _stray(self, reference: str, facility: str, sku: str, units: int) -> Order:
        return Order(reference, "", facility, "RMLL", "TRACKED 48", 0, self._clock.now(), {"1": {"sku": sku, "quantity": units, "unit": "EA"}}, True)

    @property
    def orders_now(self) -> dict[str, list[Order]]:
        """Its orders as they stand, by reference, not copied: to look at, never to change."""
        return self._orders

    def ships_as(self, reference: str) -> str:
        """In which of its ways this order is shipped."""
        return self._kind_of(reference)

    def statement_files(self) -> list[tuple[str, bytes]]:
        """Every statement as it was written, by the name of its file."""
        return list(self._statements)

    def is_idle(self) -> bool:
        """Nothing lies unread, nothing is to be picked, shipped or answered."""
        waiting = any(order.state in ("open", "partly shipped") for copies in self._orders.values() for order in copies)
        return not (waiting or self._owed or self._shelf.has_unread() or self._shelf.is_busy())

    def books(self) -> dict[str, Any]:
        """orders {reference: [copies]}, parcels, files received, files written, control numbers, our acknowledgements;
        stock {facility: {SKU: {free, allocated, held}}}, adjustments, receipts, returns, notices {reference: what we announced}, statements."""
        orders = {reference: [{"state": o.state, "facility": o.facility, "carrier": o.carrier, "service": o.service,
                               "storefront_order": o.storefront_order, "control": o.control,
                               "lines": o.lines, "has_address": o.has_address, "street": o.street, "parcels": [vars(p) for p in o.parcels]}
                              for o in copies] for reference, copies in self._orders.items()}
        dock = {"stock": self._book.all() if self._book else {}, "adjustments": self.dock.adjustments, "receipts": self.dock.receipts,
                "returns": self.dock.returns, "notices": self.dock.notices, "statements": self.dock.statements}
        return deepcopy({"orders": orders, "received": self._received, "written": self._shelf.written, "acknowledged": self._acknowledged,
                         "controls": sorted(self._controls), "unread": self._shelf.unread_names()} | dock)

    def _take(self, name: str, body: bytes) -> None:
        segments = elements_of(body)
        verdict = self._envelope_fault(segments)
        control = int(segments[0][13]) if not verdict else 0
        if not verdict and control in self._controls:
            verdict = "duplicate control number" if self._profile.detects_duplicates else ""
        self._received.append({"file": name, "control": control, "verdict": verdict, "at": self._clock.now()})
        if verdict:
            self._shelf.file(name, bad=True)
            return
        self._controls[control] = name
        if segments[1][1] == "FA":
            self._acknowledged += [segment[2] for segment in segments if segment[0] == "AK1"]
        else:
            self._take_sets(segments, control)
        self._shelf.file(name)

    def _envelope_fault(self, segments: list[list[str]]) -> str:
        """What this site checks of an envelope: the parties, the counts and that numbers agree."""
        if len(segments) < 4 or segments[0][0] != "ISA" or segments[-1][0] != "IEA" or segments[0][13] != segments[-1][2]:
            return "no whole interchange"
        if (segments[0][6].strip(), segments[0][8].strip()) != (self._profile.our_id, self._profile.partner_id):
            return "not for us"
        starts = [at for at, segment in enumerate(segments) if segment[0] == "ST"]
        ends = [at for at, segment in enumerate(segments) if segment[0] == "SE"]
        if len(starts) != len(ends):
            return "counts do not agree"
        if any(segments[end][1:3] != [str(end - start + 1), segments[start][2]] for start, end in zip(starts, ends, strict=True)):
            return "counts do not agree"
        return ""

    def _take_sets(self, segments: list[list[str]], control: int) -> None:
        group, answers, current = segments[1], [], []
        for segment in segments:
            if segment[0] == "ST":
                current = [segment]
            elif segment[0] == "SE":
                is_order = current[0][1] == "940"
                fault = self._take_order(current, control) if is_order else self.dock.take_notice(current[0][1], current, self._is_lenient)
                answers.append((current[0][1], current[0][2], fault))
            else:
                current.append(segment)
        after = self._acknowledge if not self._forgets(control, answers) else self.remembers_after if control % 2 else None
        if self._profile.acknowledges and after is not None:
            self._owed.append((self._clock.now() + after, acknowledgement_sets(group[1], group[6], answers)))

    def _forgets(self, control: int, answers: list[tuple[str, str, str]]) -> bool:
        """An acceptance is lost; a refusal is not, as nothing else would ever tell of it."""
        is_good = not any(fault for _, _, fault in answers)
        return bool(self._forgets_one_in) and is_good and random.Random(f"{self._seed}:997:{control}").randrange(self._forgets_one_in) == 0

    def _take_order(self, segments: list[list[str]], control: int) -> str:
        """One 940; returns why it is refused, or ''."""
        order = order_of(segments, control, self._clock.now(), self._profile)
        status, copies = first_element(segments, "W05", 1), self._orders.get(order.reference, [])
        if status == "N" and any(copy.state != "refused" for copy in copies) and not self._is_lenient:
            return "there is an order under this reference"
        if status == "N":
            unknown = [line["sku"] for line in order.lines.values() if line["sku"] not in self._skus - self.unlisted]
            order.state = "refused" if unknown or order.facility not in self._facilities or not order.has_address else "open"
            order.pick_at = self._clock.now() + self._pick
            promise(order, self._book)
            self._orders.setdefault(order.reference, []).append(order)
            return "unknown item, facility or address" if order.state == "refused" else ""
        open_copies = [copy for copy in copies if copy.state in ("open", "backordered") and not copy.parcels]
        if not open_copies:
            is_nodded = self.nods and status == "F" and any(copy.parcels for copy in copies)
            return "" if is_nodded else "too late" if copies else "no such order"
        for copy in open_copies:
            release(copy, self._book)
            if status == "F":
                copy.state, copy.pick_at = "cancelling", self._clock.now()
            else:
                copy.lines, copy.facility, copy.carrier, copy.service = deepcopy(order.lines), order.facility, order.carrier, order.service
                copy.street = order.street
                promise(copy, self._book)
        return ""

    def _promise_what_came(self) -> None:
        """Orders that wait for stock get what has come since, the oldest first."""
        for order in [order for copies in self._orders.values() for order in copies if self._book and order.state in ("backordered", "partly shipped")]:
            if promise(order, self._book) and order.state == "backordered":
                order.state = "partly shipped" if order.parcels else "open"
                order.pick_at = self._clock.now() + self._pick

    def _send_acknowledgements(self) -> None:
        due = [sets for at, sets in self._owed if at <= self._clock.now()]
        self._owed = [(at, sets) for at, sets in self._owed if at > self._clock.now()]
        for start in range(0, len(due), SETS_PER_FILE):
            self._write("997", "FA", [("997", sets) for sets in due[start:start + SETS_PER_FILE]])

    def _ship(self) -> None:
        if not self.is_picking:
            return
        sets, again = [], False
        for copies in self._orders.values():
            for order in copies:
                if order.state in ("open", "partly shipped") and not any(line["promised"] for line in order.lines.values()):
                    order.state = "backordered"
                    sets += [self._wait_for_stock(order)] if self.tells_back_orders and not order.parcels else []
                if order.state in ("open", "partly shipped", "cancelling") and order.pick_at <= self._clock.now():
                    kind = self._kind_of(order.reference)
                    again = again or kind == "repeated"
                    sets.append(self._close_unshipped(order) if order.state == "cancelling" else self._pack(order, kind))
                if len(sets) == SETS_PER_FILE:
                    self._write("945", "SW", sets, again, self._advise)
                    sets, again = [], False
        if sets:
            self._write("945", "SW", sets, again, self._advise)

    def _kind_of(self, reference: str) -> str:
        """How this order will be shipped: decided by seed and reference, whenever it is asked."""
        chosen = self.ways.get(self._orders[reference][0].storefront_order) if self.ways and reference in self._orders else None
        return chosen or random.Random(f"{self._seed}:{reference}").choices(list(self._kinds), list(self._kinds.values()))[0]

    def _pack(self, order: Order, kind: str) -> tuple[str, list[tuple[str, ...]]]:
        left = {key: line["promised"] for key, line in order.lines.items()}
        is_first = order.state == "open"
        now = {key: (units + 1) // 2 for key, units in left.items()} if kind == "partial" and is_first and sum(left.values()) > 1 else left
        if kind == "packages" and sum(now.values()) > 1:
            contents = self._boxes(order.reference, now)
        else:
            contents = [now]
        carrier = self._other_carrier if kind == "other carrier" else order.carrier
        shipment = f"SHP{self._next_shipment:07}"
        self._next_shipment += 1
        parcels = [self._parcel(order, carrier, shipment, place, content) for place, content in enumerate(contents, 1) if any(content.values())]
        ship(order, now, self._book)
        order.parcels += parcels
        done = all(line["shipped"] == line["quantity"] for line in order.lines.values())
        order.state, order.pick_at = ("shipped", None) if done else ("partly shipped", self._clock.now() + self._rest)
        return "945", advice_set(order, shipment, parcels, self.dock.local_time(), numbered=kind != "unnumbered")

    def _boxes(self, reference: str, now: dict[str, int]) -> list[dict[str, int]]:
        """As even as can be."""
        count, left, found = random.Random(f"{self._seed}:{reference}:boxes").choice((2, max(2, self._boxes_max))), dict(now), []
        for boxes in range(count, 0, -1):
            found.append({key: -(-units // boxes) for key, units in left.items()})
            left = {key: units - found[-1][key] for key, units in left.items()}
        return found

    def _parcel(self, order: Order, carrier: str, shipment: str, place: int, content: dict[str, int]) -> Parcel:
        serial = self._next_shipment * 100 + place
        known_by = serial if self.has_one_number_each else self._next_shipment * 100
        return Parcel(shipment, f"00{10_000_000_000_000_000 + serial:018}"[-20:], carrier, order.service, f"{carrier}{known_by:010}GB",
                      {key: units for key, units in content.items() if units})

    def _close_unshipped(self, order: Order) -> tuple[str, list[tuple[str, ...]]]:
        order.state = "cancelled"
        shipment = f"SHP{self._next_shipment:07}"
        self._next_shipment += 1
        return "945", advice_set(order, shipment, [], self.dock.local_time(), numbered=True)

    def _wait_for_stock(self, order: Order) -> tuple[str, list[tuple[str, ...]]]:
        shipment = f"SHP{self._next_shipment:07}"
        self._next_shipment += 1
        return "945", advice_set(order, shipment, [], self.dock.local_time(), numbered=True, status="BK")

    def _write(self, set_id: str, group: str, sets: list[tuple[str, list[tuple[str, ...]]]], again: bool = False, late_seconds: float = 0) -> None:
        control = self._next_control
        self._next_control += 1
        name, body = f"{set_id}_{control:09}.edi", write(envelope_of(self._profile, control, self._clock.now()), group, sets)
        self._shelf.put(name, body, late_seconds)
        if set_id == "846":
            self._statements.append((name, body))
        if again:
            self._shelf.put(f"{set_id}_{control:09}_again.edi", body, late_seconds + 1 if late_seconds else 0)
