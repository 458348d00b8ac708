"""Which fault strikes which call. Drawn from the seed, weighted to the calls that change something, and every strike can be taken back for shrinking.

The names are those of RELIABILITY.md §2.4. What strikes is noted with the effect it struck: the coverage matrix.
"""

from collections import Counter
from dataclasses import dataclass, field

from connectors.kit.sandbox import (
    CONNECT_REFUSED, DELIVERED_TWICE, ERROR_AFTER, ERROR_BEFORE, GARBLED, LATE_COMMIT, PAGE_SHIFT, STALE_READ, THROTTLED, TIMEOUT_AFTER, TIMEOUT_BEFORE,
    TOKEN_EXPIRED, Faults,
)
from deployments.simulation.kernel import Kernel

HTTP = (CONNECT_REFUSED, TIMEOUT_BEFORE, TIMEOUT_AFTER, LATE_COMMIT, THROTTLED, ERROR_BEFORE, ERROR_AFTER, GARBLED, TOKEN_EXPIRED, DELIVERED_TWICE, PAGE_SHIFT,
        STALE_READ)
FILES = ("F1", "F3", "F19")  # on our steps in the partner's folders: not reached, no answer to a rename, disk full
WRITES = ("F22", "F23", "F24", "F25", "F26")  # on the files that the partner writes
CRASH, TWO_RUNS, PAUSED, ENDED, LOCKED, SKEW = "F14", "F15", "F16", "F17", "F18", "F21"
PROCESS = (CRASH, TWO_RUNS, PAUSED, ENDED, LOCKED, SKEW)
MUTATING = 4  # how much likelier a call that changes something is struck
NEVER_TWICE = ("POST */shipments", "POST */refunds")  # the vendor has no key: documented, see docs/proof.md


@dataclass(frozen=True)
class Strike:
    """One fault that struck: its number in this world, what it was, what it hit."""

    number: int
    fault: str
    what: str
    effect: str


@dataclass
class Weather:
    """The faults of one world: how likely each is at a call (0 for those that this world has not), until `calm`."""

    kernel: Kernel
    chances: dict[str, float] = field(default_factory=dict)
    spared: frozenset[int] = frozenset()  # strikes that do not happen this time (shrinking)
    only: tuple[int, str] | None = None  # mode 'fault': this fault at this call and nothing else
    is_calm: bool = False
    struck: list[Strike] = field(default_factory=list)
    calls: Counter = field(default_factory=Counter)
    _drawn: int = 0

    def strike(self, candidates: tuple[str, ...], what: str, effect: str, is_mutating: bool) -> str:
        """The fault that hits this call, or ''. The dice are thrown whether or not it is spared."""
        self.calls[effect] += 1
        number = sum(self.calls.values())
        if self.is_calm:
            return ""
        if self.only is not None:
            fault = self.only[1] if number == self.only[0] and self.only[1] in candidates else ""
        else:
            fault = self._draw(candidates, is_mutating)
        if not fault or number in self.spared:
            return ""
        self.struck.append(Strike(number, fault, what, effect))
        self.kernel.tell(f"fault {fault} on {what}")
        return fault

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


def drawn(kernel: Kernel, weather: Weather) -> None:
    """A random subset of the faults, each with a chance of its own: worlds with few faults go deeper than worlds with all."""
    dice = kernel.dice("which faults")
    for fault in dict.fromkeys((*HTTP, *FILES, *WRITES, *PROCESS)):
        if dice.random() < 0.35:
            weather.chances[fault] = dice.choice((0.005, 0.02, 0.06))


class SandboxFaults(Faults):
    """A sandbox's faults, decided by the world's weather."""

    def __init__(self, weather: Weather, effect_of: "Effects", late_seconds: float, candidates: tuple[str, ...]) -> None:
        super().__init__(late_seconds=late_seconds)
        self._weather, self._effect_of, self._candidates = weather, effect_of, candidates

    def strike(self, what: str) -> str:
        """The fault of this call."""
        effect = self._effect_of(what)
        candidates = tuple(fault for fault in self._candidates if not (fault == DELIVERED_TWICE and effect in ("dispatch_confirmation", "refund")))
        return self._weather.strike(candidates, what, effect, not effect.startswith("read"))

    def clear(self) -> None:
        """Healed by the weather, not here."""


class Effects:
    """From a call to the kind of effect it carries: 'POST /v2/orders/1/shipments' -> dispatch_confirmation; a read is 'read …'."""

    KINDS = (("POST", "/shipments", "dispatch_confirmation"), ("PUT", "/adjustments/absolute", "stock_update"), ("POST", "/refund_quotes", "read quote"),
             ("POST", "/refunds", "refund"), ("PUT", "/orders/", "order_completion"), ("POST", "/hooks", "webhook"))

    def __call__(self, what: str) -> str:
        """The kind."""
        method, _, path = what.partition(" ")
        for wanted, part, kind in self.KINDS:
            if method == wanted and part in path:
                return kind
        if method == "WRITE":
            return f"file {path.partition('_')[0]}"
        return "read " + ("inventory" if "inventory" in path else "refunds" if "refund" in path or "transactions" in path else "catalogue" if "catalog" in path
                          else "shipments" if path.endswith("/shipments") else "orders")
