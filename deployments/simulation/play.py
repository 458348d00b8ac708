"""What happens in a world: customers, workers, a warehouse, weather; then it heals, drains, and is judged."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connectors.house import House
from connectors.kit.errors import BadConfiguration, WharfingerError
from deployments.demo_world import STOREFRONT, WAREHOUSE, tables
from deployments.simulation.faults import CRASH, PAUSED, SKEW, TWO_RUNS, Strike, Weather, drawn
from deployments.simulation.kernel import BEGIN, Kernel, Livelock, Worker
from deployments.simulation.oracle import at_every_step, at_the_end
from deployments.simulation.world import ADDRESS, LEASE, NASTINESS, QUIET, SKUS, World, template
from tasks import deliver, dispatches, inbound, mappings, orders

EVERY = 240.0
DRAIN_MAX = timedelta(hours=24)
CHUNK, STORY_MAX = 5, 60


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
    struck: list[Strike] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    effects: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Scenario:
    """What kind of world. faults: draws the weather. only: (call, fault), and nothing else. doomed_at: the point at which a process is killed."""

    faults: Callable[[Kernel, Weather], None] = drawn
    orders_max: int = 4
    trading: timedelta = timedelta(minutes=40)
    nastiness: str = ""  # '': drawn
    spared: frozenset[int] = frozenset()
    only: tuple[int, str] | None = None
    doomed_at: int = -1


def calm(kernel: Kernel, weather: Weather) -> None:
    """No weather at all."""


def play(seed: int, scenario: Scenario = Scenario()) -> Outcome:
    """One world from its seed to its end. Bounded: a world that never rests is a violation."""
    kernel = Kernel(seed, doomed_at=scenario.doomed_at)
    sky = Weather(kernel, spared=scenario.spared, only=scenario.only)
    scenario.faults(kernel, sky)
    world = World(kernel, sky, scenario.nastiness or kernel.dice("world").choice(NASTINESS)).open()
    outcome = Outcome(seed)
    try:
        _populate(world, scenario)
        _staff(world, scenario)
        kernel.after_turn.append(lambda: outcome.violations.extend(_named(world, at_every_step(world))))
        outcome.violations += _named(world, _lived(world, scenario))
        _account(world, outcome)
    finally:
        world.close()
    return outcome


def _lived(world: World, scenario: Scenario) -> list[tuple[str, str]]:
    """The whole life of a world, and what was wrong at its end."""
    try:
        world.kernel.run(BEGIN + scenario.trading)
        _heal(world)
        _drain(world)
        return at_the_end(world)
    except Livelock as error:
        return [("every world comes to rest", str(error))]
    except _Bug as error:
        return [("no error is a bug of ours", str(error))]


def _account(world: World, outcome: Outcome) -> None:
    kernel = world.kernel
    outcome.hash, outcome.points, outcome.crashes = kernel.hash, kernel.points, kernel.crashes
    outcome.virtual_hours = (kernel.at - BEGIN).total_seconds() / 3600
    outcome.calls, outcome.struck = sum(world.weather.calls.values()), world.weather.struck
    outcome.effects = Counter(row.kind for row in world.ledger.table("effect").itertuples())
    outcome.violations = list({violation.invariant: violation for violation in reversed(outcome.violations)}.values())


class _Bug(Exception):
    """A worker ended with an error that is none of ours."""


def _named(world: World, found: list[tuple[str, str]]) -> list[Violation]:
    story = world.kernel.story
    return [Violation(world.kernel.seed, invariant, what, list(world.weather.struck), _about(story, what)) for invariant, what in found]


def _about(story: list[str], what: str) -> list[str]:
    """The lines that are about this record: its number or reference, and what befell anybody meanwhile."""
    numbers = re.findall(r"\d{3,}", what)
    about = re.compile("|".join([*(rf"\b(UK)?{number}\b" for number in numbers), "fault", "killed", "stopped"]))
    return [line for line in story if about.search(line[10:])][-STORY_MAX:]


def _populate(world: World, scenario: Scenario) -> None:
    """Customers order, change their minds and cancel; some order what nobody has."""
    dice, kernel, seconds = world.kernel.dice("customers"), world.kernel, scenario.trading.total_seconds()
    for _ in range(dice.randint(2, scenario.orders_max)):
        lines = [{"sku": sku, "name": sku, "quantity": dice.randint(1, 5), "price": "2.55", "product_id": 1} for sku in dice.sample((*SKUS, "SET"), dice.randint(1, 3))]
        if dice.random() < 0.3:
            lines.append({"sku": "POST", "name": "Postage", "quantity": 1, "price": "4.95", "product_id": 1})
        if dice.random() < 0.15:
            lines.append({"sku": "GHOST", "name": "Ghost", "quantity": 1, "price": "1.00", "product_id": 1})
        kernel.later(dice.uniform(0, seconds / 2), lambda lines=lines: _order(world, lines))
    for _ in range(2):
        kernel.later(dice.uniform(0, seconds), lambda: _change_mind(world))


def _order(world: World, lines: list[dict[str, Any]]) -> None:
    number = world.shop.place_order(lines, [ADDRESS], status_id=11, currency="GBP")
    world.kernel.tell(f"a customer places order {number}")


def _change_mind(world: World) -> None:
    dice, known = world.kernel.dice("customers"), world.shop.books()["orders"]
    waiting = [number for number, order in known.items() if order["status_id"] == 11 and number not in world.cancelled]
    if not waiting or dice.random() < 0.4:
        return
    number = dice.choice(waiting)
    if dice.random() < 0.5:
        world.shop.cancel_order(number)
        world.cancelled.add(number)
        world.kernel.tell(f"the customer cancels order {number}")
    else:
        line_id, line = next(iter(known[number]["lines"].items()))
        world.shop.edit_order(number, quantities={line_id: line["quantity"] + 1})
        world.kernel.tell(f"the customer edits order {number}")


def _staff(world: World, scenario: Scenario) -> None:
    """The workers, the warehouse's shift, the operator; and what befalls processes."""
    kernel, chances = world.kernel, world.weather.chances
    dice = kernel.dice("staff")
    workers = [kernel.start("orders", lambda me: _work(world, me, _orders_out), dice.uniform(0, 60)),
               kernel.start("dispatches", lambda me: _work(world, me, _dispatches_back), dice.uniform(60, 180))]
    if chances.get(TWO_RUNS):
        workers.append(kernel.start("orders again", lambda me: _work(world, me, _orders_out), dice.uniform(0, 90)))
        workers.append(kernel.start("dispatches again", lambda me: _work(world, me, _dispatches_back), dice.uniform(60, 240)))
    if chances.get(SKEW):
        for worker in workers:
            worker.off_seconds = dice.uniform(-30, 30)
    kernel.on_point.append(lambda worker, what: _befall(world, worker))
    _repeat(world, 20.0, world.site.step)
    kernel.later(scenario.trading.total_seconds() * 0.8, lambda: _operator(world))


def _befall(world: World, worker: Worker) -> None:
    """What strikes a process at a point: killed, or stopped for longer than its lease."""
    if world.weather.is_calm or not world.weather.chances:
        return
    dice, chances = world.kernel.dice("processes"), world.weather.chances
    if dice.random() < chances.get(CRASH, 0.0) / 2:
        worker.is_doomed = True
    if dice.random() < chances.get(PAUSED, 0.0) / 2:
        worker.paused = True


def _repeat(world: World, seconds: float, act: Callable[[], None]) -> None:
    def again() -> None:
        act()
        world.kernel.later(seconds, again)

    world.kernel.later(seconds, again)


def _operator(world: World) -> None:
    """Adds the mappings that were forgotten. Works through the world's own door, so it cannot crash."""
    house = House(template().profile, world.clock)
    house.__dict__["_ledger"] = world.ledger
    for table in ("ship_methods", "carriers"):
        mappings.change_mapping(house, table, tables(mended=True)[table], "operator")


def _work(world: World, me: Worker, flow: Callable[[House, Worker], None]) -> None:
    """One process: opens its house, runs its flow every few minutes, for ever."""
    house = world.house(me)
    while True:
        try:
            flow(house, me)
        except BadConfiguration as error:
            raise _Bug(f"{me.name}: {error}") from error
        except WharfingerError as error:
            world.kernel.tell(f"{me.name} ends: {type(error).__name__}")
        except Exception as error:
            raise _Bug(f"{me.name}: {type(error).__name__}: {str(error).splitlines()[0][:200]}") from error
        world.kernel.wait(EVERY + world.kernel.dice("pace").uniform(0, 30))


def _orders_out(house: House, me: Worker) -> None:
    mappings.refresh_items(house, WAREHOUSE)
    orders.take_in_orders(house, STOREFRONT)
    orders.plan_owed(house, STOREFRONT)
    _deliver(house, house.warehouse(WAREHOUSE), dispatches.OF_REQUESTS, me)
    dispatches.watch_acknowledgements(house, WAREHOUSE)


def _dispatches_back(house: House, me: Worker) -> None:
    inbound.take_in(house, WAREHOUSE)
    _deliver(house, house.warehouse(WAREHOUSE), dispatches.ANSWERS, me)
    dispatches.release_held(house, STOREFRONT)
    _deliver(house, house.storefront(STOREFRONT), dispatches.CONFIRMATIONS, me)
    dispatches.read_back(house, STOREFRONT)
    _deliver(house, house.storefront(STOREFRONT), dispatches.CONFIRMATIONS, me)


def _deliver(house: House, port: Any, kinds: tuple[str, ...], me: Worker) -> None:
    for _ in range(20):
        done = deliver.deliver(house, port, kinds, f"{me.name} {me.crashes}", limit=CHUNK)
        if done.away is not None or not done.worked:
            return


def _heal(world: World) -> None:
    world.weather.is_calm = True
    for worker in world.kernel.workers:
        worker.is_doomed, worker.paused, worker.off_seconds = False, False, 0.0
    world.kernel.tell("all is well from now on")


def _drain(world: World) -> None:
    """Until nothing is owed, in doubt or to be picked. Raises Livelock when that takes longer than a day."""
    until = world.kernel.at + DRAIN_MAX
    while world.kernel.at < until:
        world.kernel.run(world.kernel.at + timedelta(seconds=QUIET + LEASE + EVERY))
        if world.site.is_idle() and not unfinished(world):
            world.kernel.run(world.kernel.at + timedelta(seconds=2 * EVERY))
            if world.site.is_idle() and not unfinished(world):
                return
    raise Livelock(f"after a day of peace: {unfinished(world)[:3]}")


def unfinished(world: World) -> list[str]:
    """Effects that have not come to their end, or are not proven yet."""
    rows = world.ledger.table("effect").itertuples()
    return [f"{row.effect_id} {row.state}" for row in rows if row.state in ("PLANNED", "IN_FLIGHT", "UNKNOWN")
            or row.state == "CONFIRMED" and row.verified_at is None and row.kind in ("fulfilment_request", "dispatch_confirmation")]
