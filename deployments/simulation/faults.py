"""Which fault strikes which call. Drawn from the seed, weighted to the calls that change something, and every strike can be taken back for shrinking.

The names are those of RELIABILITY.md §2.4 (F27 to F30 are ours: a site that states its stock badly). What strikes is noted with the effect it
struck: the coverage matrix. A part of the strikes is *aimed* (coverage.py), so that no cell of the matrix is left to luck.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from connectors.kit.sandbox import (
    CONNECT_REFUSED, DELIVERED_TWICE, ERROR_AFTER, ERROR_BEFORE, FEED_SILENT, FIGURES_ABSURD, GARBLED, LATE_COMMIT, PAGE_SHIFT, ROWS_LOST, SKU_STRANGE, STALE_READ,
    THROTTLED, TIMEOUT_AFTER, TIMEOUT_BEFORE, TOKEN_EXPIRED, Faults,
)
from deployments.simulation.kernel import Kernel

HTTP = (CONNECT_REFUSED, TIMEOUT_BEFORE, TIMEOUT_AFTER, LATE_COMMIT, THROTTLED, ERROR_BEFORE, ERROR_AFTER, GARBLED, TOKEN_EXPIRED, DELIVERED_TWICE, PAGE_SHIFT,
        STALE_READ)
FILES = ("F1", "F3", "F19")  # on our steps in the partner's folders: not reached, no answer to a rename, disk full
WRITES = ("F22", "F23", "F24", "F25", "F26")  # on the files that the partner writes
FEEDS = (ROWS_LOST, FIGURES_ABSURD, SKU_STRANGE, FEED_SILENT)  # on a statement of stock
CALLS = {"event": (CONNECT_REFUSED,), "delivery": (TIMEOUT_BEFORE, TIMEOUT_AFTER, DELIVERED_TWICE)}  # on what a shop says by webhooks
CRASH, TWO_RUNS, PAUSED, ENDED, LOCKED, RESTORED, SKEW = "F14", "F15", "F16", "F17", "F18", "F20", "F21"
AT_POINTS = (CRASH, PAUSED, ENDED)
PROCESS = (CRASH, TWO_RUNS, PAUSED, ENDED, LOCKED, RESTORED, SKEW)
EVERY_FAULT = tuple(dict.fromkeys((*HTTP, *FILES, *WRITES, *FEEDS, *PROCESS)))
DOUBTFUL = (TIMEOUT_BEFORE, TIMEOUT_AFTER, LATE_COMMIT, ERROR_BEFORE, ERROR_AFTER, GARBLED)
MUTATING = 4  # how much likelier a call that changes something is struck
WAIT_SECONDS = 20  # what a 429 of the shop's asks for
GROWING_SECONDS = 100  # how long a file of the partner's may grow under its name
NEVER_TWICE = ("dispatch_confirmation", "refund")  # the vendor has no key: documented, see docs/proof.md
FOLLOWED_BY_STALE = 0.5  # how often the reads after a doubt are stale, where this world knows stale reads
READ_BACKS = ("read shipments", "read refunds", "read inventory", "read market order", "read market listings")
SELDOM = ("refund", "look before refund", "read quote", "return_notice", "order_completion", "market patch")  # what is aimed at these strikes when it comes, also after all has healed
OFTEN = 0.3  # a fault at a point strikes seldom: there are so many of them
AT_A_POINT = 1_000_000  # strikes at points are numbered from here on


@dataclass(frozen=True)
class Strike:
    """One fault that struck: its number in this world, what it was, what it hit."""

    number: int
    fault: str
    what: str
    effect: str


@dataclass
class Weather:
    """The faults of one world: how likely each is at a call (0 for those that this world has not), until `calm`.

    aimed: (fault, effect, n): whatever the dice say, this fault strikes the n-th call of that effect, or the first after it that it can strike.
    """

    kernel: Kernel
    chances: dict[str, float] = field(default_factory=dict)
    spared: frozenset[int] = frozenset()  # strikes that do not happen this time (shrinking)
    only: tuple[int, str] | None = None  # mode 'fault': this fault at this call and nothing else
    aimed: list[tuple[str, str, int]] = field(default_factory=list)
    whims: list[Callable[[tuple[str, ...], str, str], str]] = field(default_factory=list)  # asked before the dice, also when all is calm (nights.py, doubts.py)
    is_calm: bool = False
    struck: list[Strike] = field(default_factory=list)
    calls: Counter = field(default_factory=Counter)
    asked: list[tuple[str, ...]] = field(default_factory=list)  # which faults each call could have been struck by
    _doubts: int = 0
    _at_points: Counter = field(default_factory=Counter)

    def strike(self, candidates: tuple[str, ...], what: str, effect: str, is_mutating: bool) -> str:
        """The fault that hits this call, or ''. The dice are thrown whether or not it is spared."""
        self.calls[effect] += 1
        self.asked.append(candidates)
        number = len(self.asked)
        if self.whims and number not in self.spared and (fault := next(filter(None, (whim(candidates, what, effect) for whim in self.whims)), "")):
            self.note(number, fault, what, effect)
            return fault
        if self.is_calm and effect not in SELDOM:
            return ""
        if self.is_calm:
            fault = self._aimed_at(candidates, effect, self.calls[effect])
        elif self.only is not None:
            fault = self.only[1] if number == self.only[0] and self.only[1] in candidates else ""
        else:
            drawn_one = self._draw(candidates, is_mutating)
            fault = self._aimed_at(candidates, effect, self.calls[effect]) or self._after_a_doubt(candidates, effect) or drawn_one
        if not fault or number in self.spared:
            return ""
        if is_mutating and fault in DOUBTFUL:
            self._doubts = 6
        self.note(number, fault, what, effect)
        return fault

    def at_point(self, effect: str) -> str:
        """Whether a process is killed, stopped or told to end at a point that is about this effect ('': about none)."""
        if self.is_calm and effect not in SELDOM or self.only is not None:
            return ""
        self._at_points[effect] += 1
        dice, fault = self.kernel.dice("processes"), ""
        for one in AT_POINTS:
            roll = dice.random()
            if not fault and not self.is_calm and roll < self.chances.get(one, 0.0) * OFTEN * (MUTATING if effect else 1):
                fault = one
        fault = self._aimed_at(AT_POINTS, effect, self._at_points[effect]) or fault
        number = AT_A_POINT + self.kernel.points
        if not fault or number in self.spared:
            return ""
        self.note(number, fault, f"a point of {effect or 'none'}", effect or "elsewhere")
        return fault

    def note(self, number: int, fault: str, what: str, effect: str) -> None:
        """It struck."""
        self.struck.append(Strike(number, fault, what, effect))
        self.kernel.tell(f"fault {fault} on {what}")

    def once(self, fault: str, effect: str = "process") -> bool:
        """Does a fault that happens once a world happen in this one? (Two runs at once, a restored backup, clocks that are off.)"""
        number = AT_A_POINT + EVERY_FAULT.index(fault) - 100
        is_due = bool(self.chances.get(fault)) or any((one, at) == (fault, effect) for one, at, _ in self.aimed)
        if is_due and self.only is None and number not in self.spared:
            self.note(number, fault, "the whole world", effect)
            return True
        return False

    def _aimed_at(self, candidates: tuple[str, ...], effect: str, nth: int) -> str:
        for one in self.aimed:
            if one[1] == effect and one[2] <= nth and one[0] in candidates:
                self.aimed.remove(one)
                return one[0]
        return ""

    def _after_a_doubt(self, candidates: tuple[str, ...], effect: str) -> str:
        """A read-back that is stale is the worst that can follow a doubt, and blind dice seldom throw it."""
        if not self._doubts or STALE_READ not in candidates or not self.chances.get(STALE_READ) or effect not in READ_BACKS:
            return ""
        self._doubts -= 1
        return STALE_READ if self.kernel.dice("after a doubt").random() < FOLLOWED_BY_STALE else ""

    def _draw(self, candidates: tuple[str, ...], is_mutating: bool) -> str:
        dice = self.kernel.dice("weather")
        chosen = ""
        for fault in candidates:
            roll = dice.random()
            if not chosen and roll < self.chances.get(fault, 0.0) * (MUTATING if is_mutating else 1):
                chosen = fault
        return chosen

    def matrix(self) -> Counter:
        """How often each fault struck each kind of effect or read."""
        return Counter((strike.fault, strike.effect) for strike in self.struck)


def drawn(kernel: Kernel, weather: Weather, weights: Mapping[str, float] | None = None) -> None:
    """A random subset of the faults, each with a chance of its own: worlds with few faults go deeper than worlds with all.

    weights: {fault: chance at a call} for those that are not left to the dice.
    """
    dice = kernel.dice("which faults")
    for fault in EVERY_FAULT:
        is_here, chance = dice.random() < 0.3, dice.choice((0.005, 0.02, 0.06))
        if fault == RESTORED:
            is_here = is_here and dice.random() < 0.2
        if is_here:
            weather.chances[fault] = chance
    weather.chances |= dict(weights or {})


class SandboxFaults(Faults):
    """A sandbox's faults, decided by the world's weather."""

    def __init__(self, weather: Weather, effect_of: "Effects", late_seconds: float, candidates: tuple[str, ...]) -> None:
        super().__init__(late_seconds=late_seconds, wait_seconds=WAIT_SECONDS, growing_seconds=GROWING_SECONDS)
        self._weather, self._effect_of, self._candidates = weather, effect_of, candidates

    def strike(self, what: str) -> str:
        """The fault of this call. Counted, as the sandbox carries some of them out itself (F12, F13)."""
        effect = self._effect_of(what)
        allowed = FEEDS if effect == "statement" else WRITES if effect.startswith("file ") else CALLS[effect] if effect in CALLS else \
            tuple(fault for fault in self._candidates if not (fault == DELIVERED_TWICE and effect in NEVER_TWICE))
        is_read = effect.startswith("read")
        allowed = tuple(fault for fault in allowed if not (fault in (PAGE_SHIFT, STALE_READ) and not is_read or fault == LATE_COMMIT and is_read))
        if effect != "read orders":
            allowed = tuple(fault for fault in allowed if fault != PAGE_SHIFT)
        fault = self._weather.strike(allowed, what, effect, not is_read)
        self.struck[fault] += bool(fault)
        return fault

    def clear(self) -> None:
        """Healed by the weather, not here."""


class Effects:
    """From a call to the kind of effect it carries: 'POST /v2/orders/1/shipments' -> dispatch_confirmation; a read is 'read …'."""

    KINDS = (("POST", "/shipments", "dispatch_confirmation"), ("PUT", "/adjustments/absolute", "stock_update"), ("POST", "/refund_quotes", "read quote"),
             ("POST", "/refunds", "refund"), ("PUT", "/orders/", "order_completion"), ("POST", "/hooks", "webhook"))
    SETS = {"940": "fulfilment_request", "997": "acknowledgement", "180": "return_notice", "943": "receipt_notice"}

    def __call__(self, what: str) -> str:
        """The kind."""
        method, _, path = what.partition(" ")
        for wanted, part, kind in self.KINDS:
            if method == wanted and part in path:
                return kind
        if method in ("EVENT", "HOOK"):
            return "event" if method == "EVENT" else "delivery"
        if method == "WRITE":
            return f"file {path.partition('_')[0]}" if not path.startswith("again") else "file 846"
        if method == "STATE":
            return "statement"
        return "read " + ("inventory" if "inventory" in path else "refunds" if "refund" in path or "transactions" in path else "catalogue" if "catalog" in path
                          else "shipments" if path.endswith("/shipments") else "orders")
