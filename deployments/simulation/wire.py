"""The ways out of a simulated house: requests and files, with a point before and after each, and a witness who looks at every change that leaves.

The witness knows what no process of the house knows: what was sent before, by whom, and what the ledger held at that very moment.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx

from connectors.kit.errors import InDoubt, NotNow, WharfingerError
from connectors.kit.exchange import Entry, kind_of
from connectors.kit.folder import LocalDisk
from deployments.simulation import oracle_wire
from deployments.simulation.faults import Effects
from deployments.simulation.kernel import Worker
from deployments.simulation.outcomes import DOUBT, NEVER_LEFT, NOTHING, REFUSED, YES, Outcomes, meaning

ROUNDS_MAX, FOR_HOURS = 5, timedelta(hours=4, minutes=20)  # clocks are off by ten minutes at most
HARMLESS_AGAIN = ("order_completion",)  # a status that is set twice is set once
LOOKS = {kind: f"look before {kind}" for kind in ("dispatch_confirmation", "refund")}  # reads that a claim makes before its change
READ_BACK = {"dispatch_confirmation": "read shipments", "refund": "read refunds", "stock_update": "read inventory"}


@dataclass
class Sent:
    """A change on the wire: which effect it carries, since when, and whether anybody has heard what became of it."""

    effect_id: str
    ordering_key: str
    worker: str
    at: datetime
    fence: int = 0
    is_over: bool = False


@dataclass
class Wire:
    """What left the house, in the order in which it did. `found`: broken invariants."""

    world: Any
    found: list[tuple[str, str]] = field(default_factory=list)
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # (effect id, the row as the ledger had it)
    orders_heard: dict[str, dict[int, int]] = field(default_factory=dict)  # worker -> order -> its change as of the last list that it got
    _under_way: list[Sent] = field(default_factory=list)
    _doubts: dict[str, datetime] = field(default_factory=dict)
    _reads: dict[tuple[str, str], datetime] = field(default_factory=dict)  # (kind of read, about what) -> when it was last answered
    _published: dict[str, bytes] = field(default_factory=dict)
    _rounds: Counter[str] = field(default_factory=Counter)  # effect -> how often it left, and nobody has heard that it was not done
    outcomes: Outcomes = field(default_factory=Outcomes)
    mutations: int = 0

    def reaches_out(self, worker: Worker, what: str) -> None:
        """16: nothing leaves, and nothing is read, inside a transaction."""
        if self.world.ledger.database.in_transaction:
            self.found.append(("no call inside a transaction", f"{worker.name} {what}"))

    def leaves(self, worker: Worker, kind: str, what: str, told: Any) -> Sent | None:
        """A change is about to leave. 17: its intent is in the ledger, claimed by whoever sends it, with the very payload. 15: one at a time."""
        self.mutations += 1
        claimed = self.world.look("SELECT * FROM effect WHERE state = 'IN_FLIGHT' AND holder = ?", holder_of(worker))
        rows = [row for row in claimed if self.world.is_of(kind, row)]
        if len(rows) != 1:
            self.found.append(("every change on the wire was intended", f"{what} of {worker.name}: {len(rows)} claimed effects of kind {kind}"))
            return None
        row = rows[0]
        if not self.world.says_the_same(kind, row, told):
            self.found.append(("every change on the wire was intended", f"{row['effect_id']}: {what} says something else than its intent"))
        lease = datetime.fromisoformat(row["lease_until"]).replace(tzinfo=UTC)
        if lease <= self.world.kernel.at:
            late = (self.world.kernel.at - lease).total_seconds()
            self.found.append(("nothing is sent on a claim that has ended", f"{row['effect_id']}: {late:.1f} s after its lease"))
        self.found += self.world.may_leave(row)
        key = f"{row['target']} {row['ordering_key']}"
        for other in self._under_way:
            if other.ordering_key == key and other.effect_id != row["effect_id"] and not other.is_over and not self._is_proven(other):
                self.found.append(("one change at a time for each key", f"{row['effect_id']} while {other.effect_id} is under way"))
        for other in self.world.look("SELECT effect_id, state FROM effect WHERE target = ? AND ordering_key = ? AND state IN ('IN_FLIGHT', 'UNKNOWN') AND effect_id <> ?",
                                     row["target"], row["ordering_key"], row["effect_id"]):
            self.found.append(("one change at a time for each key", f"{row['effect_id']} while {other['effect_id']} is {other['state']}"))
        self._after_a_doubt(kind, row)
        self._after_many_rounds(row)
        if kind == "stock_update":
            self.found += self.world.stock_witness.leaves(row)
        now = self.world.kernel.at
        sent = Sent(row["effect_id"], key, worker.name, now, row["fence"])
        self.outcomes.hears(sent.effect_id, sent.fence, DOUBT, now)
        self._under_way = [one for one in self._under_way if not one.is_over] + [sent]
        self._doubts[row["effect_id"]] = now
        self.sent.append((row["effect_id"], row))
        return sent

    def _is_proven(self, sent: Sent) -> bool:
        """Has somebody else read back meanwhile that it is there, while whoever sent it is stopped with the answer in hand?"""
        return bool(self.world.look("SELECT 1 FROM effect WHERE effect_id = ? AND state = 'CONFIRMED' AND fence > ?", sent.effect_id, sent.fence))

    def _after_a_doubt(self, kind: str, row: dict[str, Any]) -> None:
        """28, the one protocol: after a doubt, the quiet period, then a read-back, and only then again."""
        since = self._doubts.get(row["effect_id"])
        if since is None or kind in HARMLESS_AGAIN or kind not in READ_BACK:
            return
        read = self._reads.get((READ_BACK[kind], self.world.about(kind, row)))
        quiet = timedelta(seconds=self.world.quiet_seconds - 1)
        if read is None or read - since < quiet:
            seen = f"{(read - since).total_seconds():.0f} s after" if read else "never"
            self.found.append(("a doubt is read back before it is sent again", f"{row['effect_id']}: sent again; looked at {seen} the first"))

    def _after_many_rounds(self, row: dict[str, Any]) -> None:
        """28: what was in doubt and not there five times and for hours is a person's; whatever he says of it."""
        effect_id, last = row["effect_id"], self._doubts.get(row["effect_id"])
        planned = datetime.fromisoformat(row["planned_at"]).replace(tzinfo=UTC)
        if last is not None and self._rounds[effect_id] >= ROUNDS_MAX and last - planned >= FOR_HOURS and not self.world.look(
                "SELECT 1 FROM exception WHERE type = 'blocked_effect' AND cause LIKE ?", f"%{effect_id}%"):
            self.found.append(("what goes round is told to a person", f"{effect_id}: sent {self._rounds[effect_id] + 1} times since {planned:%H:%M}"))
        self._rounds[effect_id] += 1

    def heard(self, sent: Sent | None, what: str) -> None:
        """What the answer means (outcomes.py). A definite no is no doubt."""
        if sent is not None:
            sent.is_over = True
            self.outcomes.hears(sent.effect_id, sent.fence, what, self.world.kernel.at)
            if what in (NEVER_LEFT, REFUSED, NOTHING):
                self._doubts.pop(sent.effect_id, None)
                self._rounds[sent.effect_id] -= 1

    def looked_since(self, kind: str, effect_id: str, at: datetime) -> bool:
        """Was the far side asked what became of this effect, after that moment?"""
        row = self.world.look("SELECT record FROM effect WHERE effect_id = ?", effect_id)[0]
        read = self._reads.get((READ_BACK.get(kind, ""), self.world.about(kind, row)))
        return read is not None and read >= at

    def has_left(self, effect_id: str) -> bool:
        """Was it ever on the wire, and nobody has heard that it was not done?"""
        return self._rounds[effect_id] > 0

    def is_sure(self, sent: Sent | None) -> None:
        """It was answered, and may be followed by more of the same effect."""
        if sent is not None:
            self._doubts.pop(sent.effect_id, None)

    def read(self, kind: str, about: str) -> None:
        """A read was answered with what the far side had."""
        self._reads[kind, about] = self.world.kernel.at

    def forgets(self, effect_ids: Iterable[str]) -> None:
        """A backup was restored from before these were sent: nobody can doubt what nobody knows."""
        for effect_id in effect_ids:
            self._doubts.pop(effect_id, None)

    def dies(self, worker: Worker) -> None:
        """What it had under way is nobody's any more."""
        for one in self._under_way:
            one.is_over = one.is_over or one.worker == worker.name

    def begins(self, effect_id: str) -> None:
        """An effect is planned: on what our book knows of its order at this moment."""
        for row in self.world.look("SELECT b.modified_at FROM effect f JOIN order_book b ON b.order_id = f.record AND b.connection = f.connection WHERE f.effect_id = ?", effect_id):
            self.world.planned_as_of[effect_id] = self.world.second(row["modified_at"])

    def publishes(self, name: str, body: bytes, sent: Sent | None) -> None:
        """19: one number, the same bytes for ever. And to where the order went when this was planned, or later."""
        self.found += oracle_wire.goes_elsewhere(self.world, sent.effect_id, body) if sent is not None else []
        if self._published.setdefault(name, body) != body:
            self.found.append(("control numbers are used once", f"{name} was published with other bytes before"))


def holder_of(worker: Worker) -> str:
    """How a process calls itself in the ledger."""
    return f"{worker.name} {worker.crashes}"


class SimTransport(httpx.BaseTransport):
    """The way to a sandbox: a point before and after each request."""

    has_one_budget = True  # who is asked to wait waits with every request

    def __init__(self, inner: httpx.BaseTransport, world: Any, worker: Worker) -> None:
        self._inner, self._world, self._kernel, self._worker, self._effect_of = inner, world, world.kernel, worker, Effects()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        path = request.url.path.partition("/stores/")[2].partition("/")[2] or request.url.path
        what, wire = f"{request.method} {path}", self._world.wire
        kind = self._effect_of(f"{request.method} /{path}")
        is_read = kind.startswith("read")
        about = LOOKS.get(wire.outcomes.about.get(holder_of(self._worker), ""), "") if is_read else kind
        wire.reaches_out(self._worker, what)
        sent = None if is_read else wire.leaves(self._worker, kind, what, request.read())
        came = self._round_trip(request, what, about, sent)
        if is_read and came.status_code < 300:
            self._has_read(kind, path, came)
        return came

    def _round_trip(self, request: httpx.Request, what: str, about: str, sent: Sent | None) -> httpx.Response:
        """There and back, with a point on either side; the witness hears what the process hears."""
        wire, holder = self._world.wire, holder_of(self._worker)
        self._kernel.point(f"asks {what}", effect=about)
        wire.found += wire.outcomes.asks(self._worker, holder, what, self._kernel.at) if self.has_one_budget else []
        try:
            came = self._inner.handle_request(request)
        except (httpx.TimeoutException, httpx.ConnectError) as error:
            is_lost = isinstance(error, httpx.TimeoutException)
            if is_lost:
                self._kernel.tell(f"{self._worker.name} has no answer to {what}")
                self._kernel.wait(10.0)
            self._has_heard(sent, None, DOUBT if is_lost else NEVER_LEFT)
            raise
        wire.outcomes.is_asked_to_wait(self._worker, holder, came, self._kernel.at)
        self._kernel.point(f"hears {came.status_code} to {what}", effect=about)
        self._has_heard(sent, came, meaning(came))
        return came

    def _has_heard(self, sent: Sent | None, came: httpx.Response | None, what: str) -> None:
        if sent is None:
            self._world.wire.outcomes.reads(holder_of(self._worker), came)
        self._world.wire.heard(sent, what)

    def _has_read(self, kind: str, path: str, came: httpx.Response) -> None:
        if "json" in came.headers.get("content-type", "") or came.status_code == 204:
            self._world.wire.read(kind, path.split("/")[2] if kind in ("read shipments", "read refunds") and path.count("/") > 2 else "")
            self._world.wire.read(kind, "")
            if path.endswith("/orders") and came.status_code == 200:
                heard = self._world.wire.orders_heard.setdefault(self._worker.name, {})
                for row in came.json():
                    heard[row["id"]] = self._world.changed_at(row["date_modified"])


class SimDisk(LocalDisk):
    """The way to the partner's folders: a point before and after each step that changes something, and the faults of files."""

    def __init__(self, root: Path, world: Any, worker: Worker) -> None:
        super().__init__(root)
        self._world, self._worker = world, worker

    def entries(self, folder: str, limit: int) -> Iterator[Entry]:
        """What lies there, dated by the world's clock: when it was first seen."""
        self._world.wire.reaches_out(self._worker, f"list {folder}")
        self._strike("F1", f"list {folder}", "read files", NotNow)
        found = sorted(LocalDisk.entries(self, folder, limit), key=lambda entry: entry.name)
        return iter([entry._replace(modified_at=self._world.first_seen(folder, entry.name)) for entry in found])

    def write(self, folder: str, name: str, body: bytes) -> None:
        """A new file."""
        kind = _kind(folder, name)
        self._world.wire.reaches_out(self._worker, f"write {name}")
        self._world.kernel.point(f"writes {folder}/{name}", effect=kind)
        self._strike("F19", f"write {name}", kind, NotNow)
        if kind_of(name) == "whole":
            self._world.wire.found.append(("a file is whole before it has its name", f"{folder}/{name}"))
        LocalDisk.write(self, folder, name, body[:len(body) // 2])
        self._world.kernel.point(f"has written half of {folder}/{name}", effect=kind)
        LocalDisk.write(self, folder, name, body)

    def rename(self, folder: str, name: str, to_folder: str, to_name: str) -> Literal["done", "taken", "gone"]:
        """Publishing, or filing away."""
        wire, kind = self._world.wire, _kind(to_folder, to_name)
        wire.reaches_out(self._worker, f"rename {to_name}")
        sent = None if kind == "filing away" else wire.leaves(self._worker, kind, f"put {to_name}", to_name)
        self._world.kernel.point(f"renames {folder}/{to_name}", effect=kind)
        body = b"" if kind == "filing away" else self._world.part(folder, name)
        came = LocalDisk.rename(self, folder, name, to_folder, to_name)
        if body and came == "done":
            wire.publishes(to_name, body, sent)
        try:
            self._strike("F3", f"rename {to_name}", kind, InDoubt)
        except InDoubt:
            wire.heard(sent, DOUBT)
            raise
        self._world.kernel.point(f"has renamed {folder}/{to_name}", effect=kind)
        wire.heard(sent, YES if came == "done" else NOTHING)
        return came

    def _strike(self, fault: str, what: str, effect: str, error: type[WharfingerError]) -> None:
        if self._world.weather.strike((fault,), what, effect, not effect.startswith("read")):
            raise error(what, f"simulated {fault}")


def _kind(folder: str, name: str) -> str:
    """What a file that we write is about."""
    return "filing away" if folder == "archive" else Effects.SETS.get(name.partition("_")[0], "fulfilment_request")
