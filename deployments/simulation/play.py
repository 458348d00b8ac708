"""What happens in a world: customers, workers, a warehouse, weather; then it heals, drains, and is judged."""

import logging
import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from deployments.simulation import calls, coverage, doubts, goods, market_coverage, market_oracle, market_people, nights, oracle, oracle_orders, oracle_stock
from deployments.simulation.faults import Strike, Weather, drawn
from deployments.simulation.kernel import BEGIN, Kernel, Livelock
from deployments.simulation.market import MarketWorld
from deployments.simulation.oracle_stock import StockWitness
from deployments.simulation.people import operates, populate
from deployments.simulation.staff import EVERY, Bug, staff
from deployments.simulation.world import LEASE, NASTINESS, QUIET, VARIANTS, World

DRAIN_MAX, LOOK_EVERY = timedelta(hours=24), timedelta(seconds=100)
STORY_MAX = 60
REQUESTS = ("fulfilment_request", "fulfilment_change", "fulfilment_cancel")
MARKETPLACE, ONE_IN, THIS_ONE = "marketplace", 10, 8


@dataclass
class Violation:
    """One broken invariant, and how to see it again."""

    seed: int
    invariant: str
    what: str
    faults: list[Strike] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    spared: list[int] = field(default_factory=list)
    scenario: Any = None


@dataclass
class Outcome:
    """What one world came to."""

    seed: int
    hash: str = ""
    calls: int = 0
    points: int = 0
    crashes: int = 0
    virtual_hours: float = 0.0
    themes: tuple[str, ...] = ()
    struck: list[Strike] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    effects: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Scenario:
    """What kind of world. only: (call, fault), and nothing else. doomed_at: the point at which a process is killed. weights: (fault, chance at a call)."""

    has_weather: bool = True
    orders_max: int = 4
    trading: timedelta = timedelta(minutes=36)
    themes: tuple[str, ...] | None = None  # None: drawn
    nastiness: str = ""  # '': drawn
    spared: frozenset[int] = frozenset()
    only: tuple[int, str] | None = None
    doomed_at: int = -1
    weights: tuple[tuple[str, float], ...] = ()
    about: str = ""  # MARKETPLACE: only such worlds; '': one in ten


def themes_of(kernel: Kernel, about: str = "") -> tuple[str, ...]:
    """What a world is about, by its seed: one in ten a marketplace; else orders always, and in turn stock, returns, both or neither; by its dice the rest."""
    if MARKETPLACE in (about, *([MARKETPLACE] if kernel.seed % ONE_IN == THIS_ONE else [])):
        dice = kernel.dice("themes")
        return (MARKETPLACE, *(theme for theme, chance in (("stock", 0.5), ("published rates", 0.35), ("minds", 0.3), ("parcels", 0.4), ("drift", 0.2)) if dice.random() < chance))
    dice, turn = kernel.dice("themes"), kernel.seed % 4
    found = ["orders", *(("stock",) if turn in (1, 3) else ()), *(("returns",) if turn in (2, 3) else ())]
    return (*found, *(theme for theme, chance in (("minds", 0.3), ("parcels", 0.4), ("drift", 0.2), ("calls", 0.3), (nights.NIGHT, 0.1)) if dice.random() < chance))


def play(seed: int, scenario: Scenario = Scenario()) -> Outcome:
    """One world from its seed to its end. Bounded: a world that never rests is a violation."""
    kernel, weights = Kernel(seed, doomed_at=scenario.doomed_at), dict(scenario.weights)
    themes = themes_of(kernel, scenario.about) if scenario.themes is None else scenario.themes
    is_market = MARKETPLACE in themes
    sky = Weather(kernel, spared=scenario.spared, only=scenario.only)
    if scenario.has_weather:
        drawn(kernel, sky, weights)
        sky.aimed = list(market_coverage.aims(seed, seed if scenario.about else seed // ONE_IN, "stock" in themes, weights) if is_market else
                         coverage.aims(seed, [theme for theme in themes if theme in coverage.THEMES], weights))
    dice = kernel.dice("kind of world")
    nastiness = scenario.nastiness or dice.choice(NASTINESS)
    world = (MarketWorld if is_market else World)(kernel, sky, themes, nastiness, dice.choice(VARIANTS)).open()
    outcome, ear = Outcome(seed, themes=themes), _Ear(world.said)
    logging.getLogger().addHandler(ear)
    try:
        _begin(world, scenario)
        kernel.after_turn.append(lambda: outcome.violations.extend(_named(world, _judge(world).at_every_step(world))))
        outcome.violations += _named(world, _lived(world, scenario))
        _account(world, outcome)
    finally:
        logging.getLogger().removeHandler(ear)
        world.close()
    return outcome


class _Ear(logging.Handler):
    """Hears every line of every log."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        """Kept, to be searched."""
        self._said.append(record.getMessage())


def _begin(world: World, scenario: Scenario) -> None:
    is_market = world.has(MARKETPLACE)
    world.stock_witness = (market_oracle.MarketStockWitness if is_market else StockWitness)(world)
    if world.has("stock"):
        world.after_step.append(world.stock_witness.looks)
        world.stock_witness.looks()
    if world.has("calls"):
        calls.listen(world)
    (market_people.populate if is_market else populate)(world, scenario.orders_max, scenario.trading)
    if scenario.has_weather:
        nights.may_fall(world, scenario.trading)
        doubts.may_come(world, scenario.trading)
    staff(world, scenario.trading, (market_people.operates if is_market else operates)(world, scenario.trading), market_people.flows(world) if is_market else [])


def _judge(world: World) -> Any:
    """The module that asks `at_every_step` and `at_the_end` of such a world."""
    return market_oracle if world.has(MARKETPLACE) else oracle


def _lived(world: World, scenario: Scenario) -> list[tuple[str, str]]:
    """The whole life of a world, and what was wrong at its end."""
    try:
        world.kernel.run(BEGIN + scenario.trading)
        world.kernel.run(BEGIN + scenario.trading + world.slept)
        _heal(world)
        _drain(world)
        found = [] if world.has(MARKETPLACE) else [*oracle_stock.lost_writes_are_told_again(world)]
        _close_the_books(world)
        found += [*_judge(world).at_the_end(world), *_again(world)]
        return found if world.has(MARKETPLACE) else [*found, *oracle_orders.people_are_forgotten_in_time(world)]
    except Livelock as error:
        return [("every world comes to rest", str(error))]
    except Bug as error:
        return [("no error is a bug of ours", str(error))]
    except Exception as error:  # of the simulator's own people, stand-ins or judges: one world of ten thousand ends so, not the run
        where = traceback.extract_tb(error.__traceback__)[-1]
        return [("no error is a bug of ours", f"the simulator: {type(error).__name__}: {str(error)[:200]} ({Path(where.filename).name}, line {where.lineno})")]


def _account(world: World, outcome: Outcome) -> None:
    kernel = world.kernel
    outcome.hash, outcome.points, outcome.crashes = kernel.hash, kernel.points, kernel.crashes
    outcome.virtual_hours = (kernel.at - BEGIN).total_seconds() / 3600
    outcome.calls, outcome.struck, outcome.asked = len(world.weather.asked), world.weather.struck, world.weather.asked
    outcome.effects = Counter(row["kind"] for row in world.look("SELECT kind FROM effect"))
    outcome.violations = list({violation.invariant: violation for violation in reversed(outcome.violations)}.values())


def _named(world: World, found: list[tuple[str, str]]) -> list[Violation]:
    story = world.kernel.story
    return [Violation(world.kernel.seed, invariant, what, list(world.weather.struck), _about(story, what)) for invariant, what in found]


def _about(story: list[str], what: str) -> list[str]:
    """The lines that are about this record: its number or reference, and what befell anybody meanwhile."""
    numbers = re.findall(r"\d{3,}", what)
    about = re.compile("|".join([*(rf"\b(UK)?{number}\b" for number in numbers), "fault", "killed", "stopped", "backup"]))
    return [line for line in story if about.search(line[10:])][-STORY_MAX:]


def _heal(world: World) -> None:
    world.weather.is_calm = True
    for worker in world.kernel.workers:
        worker.is_doomed, worker.is_ended, worker.paused, worker.off_seconds = False, False, 0.0, 0.0
    world.kernel.tell("all is well from now on")


def _drain(world: World, is_last: bool = False) -> None:
    """Until nothing is owed, in doubt or to be picked (at last: and a whole round brought no change). Raises Livelock when that takes longer than a day."""
    began = changed = world.kernel.at
    before, whole_round = _done(world), timedelta(seconds=QUIET + LEASE + EVERY + world.slow_seconds)
    while world.kernel.at < began + DRAIN_MAX:
        world.kernel.run(world.kernel.at + LOOK_EVERY)
        if (done := _done(world)) != before:
            before, changed = done, world.kernel.at
        if world.kernel.at - (changed if is_last else began) >= whole_round and _is_at_rest(world) and not (is_last and _is_undecided(world, began)):
            return
    raise Livelock(f"after a day of peace: {list(unfinished(world))[:3]}")


def _close_the_books(world: World) -> None:
    """The operator goes home; the site states what it has, some goods come and go after that, and everybody looks once more."""
    world.is_closed = True
    world.weather.aimed.clear()
    if world.has(MARKETPLACE):
        market_people.close_the_books(world)
    if world.has("stock"):
        goods.close_stock(world)
    _drain(world, is_last=True)


def _done(world: World) -> tuple[int, int]:
    """How much was done so far: changes that left, and effects that were intended (one that is refused before it leaves makes room for the next)."""
    return world.wire.mutations, world.look("SELECT count(*) AS planned FROM effect")[0]["planned"]


def _again(world: World) -> Iterator[tuple[str, str]]:
    """33: every flow once more, and nothing leaves the house."""
    before = world.wire.mutations
    world.kernel.run(world.kernel.at + timedelta(seconds=EVERY + 60))
    world.wire.found += [("running everything again changes nothing", f"{world.wire.mutations - before} changes more")] if world.wire.mutations != before else []
    yield from _judge(world).at_every_step(world)


def _is_at_rest(world: World) -> bool:
    waits = next(iter((world.home / "partner" / world.partner.from_partner).glob("[a-z0-9]*.edi")), None)
    return world.site.is_idle() and waits is None and not calls.open_hints(world) and next(unfinished(world), None) is None


def _is_undecided(world: World, since: datetime) -> bool:
    """Is there stock, and nobody has decided on figures since then, or since the site's last word? Where requests are few, flows may be kept waiting for long."""
    if not world.has("stock"):
        return False
    last = world.look("SELECT max(received_at) AS at FROM inbox WHERE kind IN ('stock_levels', 'stock_changes', 'returns')")[0]["at"]
    return not world.look("SELECT 1 FROM stock_mark WHERE connection = ? AND decided_at > ? AND decided_at >= ?", world.storefront, world.text(since), last or "")


def unfinished(world: World) -> Iterator[str]:
    """Effects that have not come to their end or are not proven yet, and figures that are owed."""
    on_desk = " ".join(row["cause"] for row in world.look("SELECT cause FROM exception WHERE type = 'blocked_effect' AND state = 'open'")) if not world.is_closed else ""
    chased = {row["record"] for row in world.look("SELECT record FROM exception WHERE type = 'unacknowledged' AND state = 'open'")}
    for row in world.look("SELECT effect_id, state, kind, record, verified_at FROM effect"):
        if row["state"] in ("PLANNED", "IN_FLIGHT", "UNKNOWN") or row["state"] == "BLOCKED" and row["effect_id"] in on_desk:
            yield f"{row['effect_id']} {row['state']}"
        elif row["state"] == "CONFIRMED" and row["verified_at"] is None and row["kind"] in (*REQUESTS, "dispatch_confirmation", "refund") \
                and not (row["kind"] in REQUESTS and row["record"] in chased):
            yield f"{row['effect_id']} is not proven"
    if world.has("stock"):
        for row in world.look("SELECT location, sku FROM stock_desired WHERE is_owed AND withheld = '' AND (sent_quantity IS NULL OR sent_quantity <> quantity OR effect_id <> '')"):
            yield f"stock of {row['sku']} is owed"


Say = Callable[[str], None]
