"""Three ways to look for trouble: a swarm of seeds, every crash point of one scenario, every call of it struck by every fault. And shrinking."""

import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from deployments.simulation import coverage, market_coverage
from deployments.simulation.play import MARKETPLACE, Outcome, Scenario, Violation, play

SMALL = Scenario(has_weather=False, orders_max=2, trading=timedelta(minutes=24), nastiness="lenient")
SHRINK_MAX = 40  # worlds played to make one violation's list of faults shorter
SHRUNK_MAX = 10  # violations whose lists are made shorter

Say = Callable[[str], None]


@dataclass
class Report:
    """What a simulation found. `faults` by kind; `matrix` {fault: {effect: strikes}}."""

    mode: str
    seeds: int = 0
    worlds: int = 0
    calls: int = 0
    points: int = 0
    crashes: int = 0
    virtual_hours: float = 0.0
    faults: Counter = field(default_factory=Counter)
    matrix: dict[str, Counter] = field(default_factory=dict)
    effects: Counter = field(default_factory=Counter)
    themes: Counter = field(default_factory=Counter)
    weights: dict[str, float] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One world more."""
        self.worlds += 1
        self.calls += outcome.calls
        self.points += outcome.points
        self.crashes += outcome.crashes
        self.virtual_hours += outcome.virtual_hours
        self.effects += outcome.effects
        self.themes.update(outcome.themes)
        self.violations += outcome.violations
        for strike in outcome.struck:
            self.faults[strike.fault] += 1
            self.matrix.setdefault(strike.fault, Counter())[strike.effect] += 1

    def as_json(self) -> str:
        """For a program."""
        found = [{"seed": one.seed, "invariant": one.invariant, "what": one.what, "faults": [vars(strike) for strike in one.faults], "story": one.story,
                  "scenario": _told(one.scenario)} for one in self.violations]
        told = {"seeds": self.seeds, "calls": self.calls, "faults": dict(sorted(self.faults.items(), key=lambda pair: int(pair[0][1:]))), "crashes": self.crashes,
                "virtual_hours": round(self.virtual_hours, 1), "violations": found, "mode": self.mode, "worlds": self.worlds, "points": self.points,
                "effects": self.effects, "themes": self.themes, "weights": self.weights, "matrix": self.matrix,
                "least_per_cell": coverage.least(self.worlds) if self.mode == "swarm" else 0, "thin_cells": self.thin()}
        return json.dumps(told, indent=2, default=str)

    def thin(self) -> list[str]:
        """Cells of the matrix that a swarm of this size should have hit at least so often, and did not."""
        if self.mode != "swarm":
            return []
        markets = self.themes[MARKETPLACE]
        of_shops = coverage.thin(self.matrix, self.worlds, self.weights) if self.worlds > markets else []
        return of_shops + market_coverage.thin(self.matrix, markets, self.weights)


def _told(scenario: Any) -> dict[str, Any]:
    return {} if scenario is None else {"only": scenario.only, "doomed_at": scenario.doomed_at, "spared": sorted(scenario.spared), "weights": dict(scenario.weights)}


def swarm(seeds: Iterable[int], say: Say, workers: int = 1, weights: Mapping[str, float] | None = None, about: str = "") -> Report:
    """A random subset of the faults for every seed, weighted to the calls that change something; weights: {fault: its chance in every world}."""
    scenario = Scenario(weights=tuple(sorted((weights or {}).items())), about=about)
    return _together("swarm", seeds, lambda seed: iter([scenario]), say, workers, dict(weights or {}))


def crash(seeds: Iterable[int], say: Say, workers: int = 1, weights: Mapping[str, float] | None = None, about: str = "") -> Report:
    """Whoever is at point 1 is killed there, then at point 2 of the same world, and so on to the end of its trading."""
    return _together("crash", seeds, lambda seed: each_point(seed, small=replace(SMALL, about=about)), say, workers, {})


def fault(seeds: Iterable[int], say: Say, workers: int = 1, weights: Mapping[str, float] | None = None, about: str = "") -> Report:
    """Every call of a small world struck by every fault that its way knows, one at a time."""
    return _together("fault", seeds, lambda seed: each_call(seed, small=replace(SMALL, about=about)), say, workers, {})


def each_point(seed: int, step: int = 1, small: Scenario = SMALL) -> Iterator[Scenario]:
    """The small world of a seed, killed at its first point, its second, and so on."""
    for point in range(1, play(seed, small).points + 1, step):
        yield replace(small, doomed_at=point)


def each_call(seed: int, step: int = 1, small: Scenario = SMALL) -> Iterator[Scenario]:
    """The small world of a seed, with each of its calls struck by each fault that can strike it. step: only each so manieth."""
    calls = [(number, one) for number, candidates in enumerate(play(seed, small).asked, 1) for one in candidates]
    for call in calls[::step]:
        yield replace(small, only=call)


def _together(mode: str, seeds: Iterable[int], scenarios: Callable[[int], Iterator[Scenario]], say: Say, workers: int, weights: dict[str, float]) -> Report:
    report, chosen = Report(mode, weights=weights), list(seeds)
    report.seeds = len(chosen)
    worlds = ((seed, scenario) for seed in chosen for scenario in scenarios(seed))
    for outcome in _played(worlds, workers):
        report.add(outcome)
        if report.worlds % 100 == 0:
            say(f"{report.worlds} worlds, {report.points} points, {sum(report.faults.values())} faults, {report.crashes} crashes, {len(report.violations)} violations")
    for violation in report.violations[:SHRUNK_MAX]:
        shrink(violation)
    return report


def _played(worlds: Iterator[tuple[int, Scenario]], workers: int) -> Iterator[Outcome]:
    if workers == 1:
        yield from map(_play, worlds)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_play, worlds, chunksize=8)


def _play(world: tuple[int, Scenario]) -> Outcome:
    outcome = play(*world)
    outcome.asked = []
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
    violation.scenario = replace(scenario, spared=frozenset(spared))


def summary(report: Report) -> dict[str, Any]:
    """What a person reads first."""
    return {"mode": report.mode, "seeds": report.seeds, "worlds": report.worlds, "calls": report.calls, "points": report.points, "crashes": report.crashes,
            "virtual hours": round(report.virtual_hours, 1), "faults": sum(report.faults.values()), "violations": len(report.violations)}
