"""Three ways to look for trouble: a swarm of seeds, every crash point of one scenario, every call of it struck by every fault. And shrinking."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

from deployments.simulation.faults import FILES, HTTP, LOCKED, WRITES
from deployments.simulation.play import Outcome, Scenario, Violation, calm, play

SMALL = Scenario(faults=calm, orders_max=2, trading=timedelta(minutes=20), nastiness="lenient")
EACH = (*HTTP, *FILES, *WRITES, LOCKED)
SHRINK_MAX = 40  # worlds played to make one violation's list of faults shorter

Say = Callable[[str], None]


@dataclass
class Report:
    """What a simulation found. `faults` by kind; `matrix` {fault: {effect: strikes}}."""

    mode: str
    seeds: int = 0
    calls: int = 0
    points: int = 0
    crashes: int = 0
    virtual_hours: float = 0.0
    faults: Counter = field(default_factory=Counter)
    matrix: dict[str, Counter] = field(default_factory=dict)
    effects: Counter = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One world more."""
        self.seeds += 1
        self.calls += outcome.calls
        self.points += outcome.points
        self.crashes += outcome.crashes
        self.virtual_hours += outcome.virtual_hours
        self.effects += outcome.effects
        self.violations += outcome.violations
        for strike in outcome.struck:
            self.faults[strike.fault] += 1
            self.matrix.setdefault(strike.fault, Counter())[strike.effect] += 1

    def as_json(self) -> str:
        """For a program."""
        told = asdict(self) | {"virtual_hours": round(self.virtual_hours, 1)}
        return json.dumps(told, indent=2, default=str)

    def thin_cells(self, least: int) -> list[str]:
        """Cells of the matrix that a run of this size should have hit at least so often, and did not."""
        return [f"{fault} on {effect}: {self.matrix.get(fault, Counter())[effect]}" for effect, faults in CELLS.items() for fault in faults
                if self.matrix.get(fault, Counter())[effect] < least]


# what must be struck by what: every effect that leaves the house, by every fault that its way out knows
CELLS: dict[str, tuple[str, ...]] = {
    "dispatch_confirmation": ("F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F10"),
    "order_completion": ("F1", "F2", "F3", "F5", "F6", "F7", "F8", "F10", "F11"),
    "fulfilment_request": ("F3", "F19"),
    "filing away": ("F3",),
    "file 945": ("F22", "F23", "F24", "F25", "F26"),
    "file 997": ("F22", "F23", "F24", "F25", "F26"),
    "read orders": ("F1", "F2", "F3", "F5", "F6", "F8", "F10", "F11", "F12"),
    "read shipments": ("F1", "F2", "F5", "F6", "F8", "F10", "F13"),
    "ledger": ("F18",),
}


def swarm(seeds: Iterable[int], say: Say, workers: int = 1, scenario: Scenario = Scenario()) -> Report:
    """A random subset of the faults for every seed, weighted to the calls that change something."""
    return _together("swarm", ((seed, scenario) for seed in seeds), say, workers)


def crash(seeds: Iterable[int], say: Say, workers: int = 1) -> Report:
    """Whoever is at point 1 is killed there, then at point 2 of the same world, and so on to the end of its trading."""
    return _together("crash", _each_point(seeds), say, workers)


def fault(seeds: Iterable[int], say: Say, workers: int = 1) -> Report:
    """Every call of a small world struck by every fault, one at a time."""
    return _together("fault", _each_call(seeds), say, workers)


def _each_point(seeds: Iterable[int]) -> Iterator[tuple[int, Scenario]]:
    for seed in seeds:
        for point in range(1, play(seed, SMALL).points + 1):
            yield seed, replace(SMALL, doomed_at=point)


def _each_call(seeds: Iterable[int]) -> Iterator[tuple[int, Scenario]]:
    for seed in seeds:
        for call in range(1, play(seed, SMALL).calls + 1):
            for one in EACH:
                yield seed, replace(SMALL, only=(call, one))


def _together(mode: str, worlds: Iterator[tuple[int, Scenario]], say: Say, workers: int) -> Report:
    report, played = Report(mode), 0
    with ProcessPoolExecutor(workers) if workers > 1 else _Here() as pool:
        for outcome in pool.map(_play, worlds, chunksize=8) if workers > 1 else map(_play, worlds):
            report.add(outcome)
            played += 1
            if played % 100 == 0:
                say(f"{played} worlds, {report.points} points, {sum(report.faults.values())} faults, {report.crashes} crashes, "
                    f"{len(report.violations)} violations")
    for violation in report.violations:
        shrink(violation)
    return report


class _Here:
    """No pool: this process."""

    def __enter__(self) -> "_Here":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


def _play(world: tuple[int, Scenario]) -> Outcome:
    outcome = play(*world)
    for violation in outcome.violations:
        violation.scenario = world[1]
    return outcome


def shrink(violation: Violation) -> None:
    """Leave out faults, half of them, then a quarter, as long as the same invariant is still broken; keep the shorter list and its story."""
    scenario, left, size = violation.scenario, list(violation.faults), max(1, len(violation.faults) // 2)
    spared: set[int] = set(scenario.spared)
    for _ in range(SHRINK_MAX):
        if not left or size < 1:
            break
        for start in range(0, len(left), size):
            without = {strike.number for strike in left[start:start + size]}
            again = play(violation.seed, replace(scenario, spared=frozenset(spared | without)))
            same = next((found for found in again.violations if found.invariant == violation.invariant), None)
            if same is not None:
                spared |= without
                left, violation.what, violation.story = list(same.faults), same.what, same.story
                break
        else:
            size //= 2
    violation.faults, violation.spared = left, sorted(spared)


def summary(report: Report) -> dict[str, Any]:
    """What a person reads first."""
    return {"mode": report.mode, "worlds": report.seeds, "calls": report.calls, "points": report.points, "crashes": report.crashes,
            "virtual hours": round(report.virtual_hours, 1), "faults": sum(report.faults.values()), "violations": len(report.violations)}
