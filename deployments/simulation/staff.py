"""The processes of a world: each opens its house, runs its flow's plain functions every few minutes, and may be killed, stopped, told to end, or doubled."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from connectors.house import House
from connectors.kit.clock import Onward
from connectors.kit.errors import BadConfiguration, WharfingerError
from deployments.demo_world import WAREHOUSE
from deployments.simulation.faults import CRASH, ENDED, PAUSED, RESTORED, SKEW, TWO_RUNS
from deployments.simulation.kernel import Ended, Worker
from deployments.simulation.wire import holder_of
from deployments.simulation.world import QUIET, World
from tasks import (
    deliver, dispatches, drift, drift_stock, feeds, hints, inbound, mappings, orders, refunds, refunds_seen, returns, rmas, stock, stock_send, stock_watch, stuck,
)

EVERY = 280.0
CHUNK = 5
ITEMS_ONE_IN = 4  # a flow of orders reads the item master each time; here only one in four, for it is always the same
ON_THE_WIRE = ("dispatch_confirmation", "order_completion", "stock_update", "refund", "market confirmation", "market patch", "market feed")
BACKUP_BEFORE = 900.0  # how much older than the ledger the backup is that comes back
WORST, LATELY = 0.6, 420.0  # of the backups are made when the storefront is owed something at that very moment, and come back so soon

Flow = Callable[[House, Worker], None]


class Bug(Exception):
    """A worker ended with an error that is none of ours."""


def staff(world: World, trading: timedelta, operate: Flow, more: list[tuple[str, Flow, float]]) -> None:
    """The workers and what befalls them, and the warehouse's shift. operate: what the operator does; more: flows that only some worlds have."""
    kernel, dice = world.kernel, world.kernel.dice("staff")
    flows: list[tuple[str, Flow, float]] = [("orders", lambda house, me: orders_out(world, house, me), 0), ("dispatches", dispatches_back, 90)]
    flows += [("stock", lambda house, me: stock_sync(house, me, world.weather.is_calm or dice.random() < 0.2), 30)] if world.has("stock") else []
    flows += [("returns", returns_run, 150)] if world.has("returns") else []
    flows += [("drift", drift_run, 400)] if world.has("drift") else []
    flows += more
    if world.weather.once(TWO_RUNS):
        flows += [(f"{name} again", flow, after + 60) for name, flow, after in dice.sample(flows, 2)]
    for name, flow, after in flows:
        kernel.start(name, lambda me, flow=flow, name=name: work(world, me, flow, 3 * EVERY if name.startswith("drift") else EVERY), after + dice.uniform(0, 60))
    kernel.start("operator", lambda me: work(world, me, operate, 2 * EVERY), 300)
    if world.weather.once(SKEW):
        for worker in kernel.workers:
            worker.off_seconds = dice.uniform(-600, 600)
            kernel.later(dice.uniform(0, trading.total_seconds()), lambda worker=worker: _clock_jumps(world, worker))
    kernel.on_point.append(lambda worker, effect: befall(world, worker, effect))
    if world.weather.once(RESTORED):
        is_worst = kernel.dice("backups").random() < WORST
        kernel.later(dice.uniform(0.5, 0.9) * trading.total_seconds() - BACKUP_BEFORE, lambda: _back_up_when_owed(world) if is_worst else _back_up(world))
    _repeat(world, 20.0, lambda: [act() for act in (world.site.step, *world.after_step)])


def _clock_jumps(world: World, worker: Worker) -> None:
    """Forwards or back. A change to summer time is none: nobody here keeps local time."""
    if not world.weather.is_calm:
        worker.off_seconds = world.kernel.dice("clocks").uniform(-600, 600)
        world.kernel.tell(f"the clock of {worker.name} is now {worker.off_seconds:.0f} s off")


def befall(world: World, worker: Worker, effect: str) -> None:
    """What strikes a process at a point: killed, told to end, or stopped for a while.

    Stopped between its last look at the lease and the request, a process is what a late commit is to the far side: for less than the quiet period.
    """
    fault = world.weather.at_point(effect)
    if fault == CRASH:
        worker.is_doomed = True
    elif fault == ENDED:
        worker.is_ended = True
    elif fault == PAUSED:
        dice = world.kernel.dice("pauses")
        worker.paused = dice.uniform(10, QUIET - 45) if effect in ON_THE_WIRE else dice.uniform(70, 400)


def _back_up_when_owed(world: World) -> None:
    """The worst moment: a confirmation or a refund is planned, and has not left. (None comes in time: no backup, and nothing to restore.)"""
    is_made: list[bool] = []

    def look() -> None:
        if not (is_made or world.weather.is_calm or world.ledger.database.in_transaction) and world.look(
                "SELECT 1 FROM effect WHERE state = 'PLANNED' AND target = ? AND kind IN ('dispatch_confirmation', 'refund')", world.storefront):
            is_made.append(True)
            _back_up(world, LATELY)

    world.kernel.after_turn.append(look)


def _back_up(world: World, age: float = BACKUP_BEFORE) -> None:
    """A backup is made now; a while later the machine dies, and what is left of the ledger is this backup."""
    content, sent = world.ledger.database.content(), len(world.wire.sent)
    world.kernel.tell("a backup of the ledger is made")

    def restore() -> None:
        if world.weather.is_calm:
            return
        world.kernel.kill_all()
        world.restore(content)
        known = {row["effect_id"] for row in world.look("SELECT effect_id FROM effect WHERE target = ? OR number > 0", world.storefront)}  # by what it can be read back
        world.forgotten = {effect_id: row for effect_id, row in world.wire.sent[sent:] if effect_id not in known}
        world.excused |= {row["record"] for row in world.forgotten.values()}
        world.forget_what_was_told()
        world.kernel.tell("the backup is put in place of the ledger")

    world.kernel.later(age, restore)


def _repeat(world: World, seconds: float, act: Callable[[], object]) -> None:
    def again() -> None:
        act()
        world.kernel.later(seconds, again)

    world.kernel.later(seconds, again)


def work(world: World, me: Worker, flow: Flow, every: float) -> None:
    """One process: opens its house, runs its flow, waits, and so on for ever."""
    house = world.house(me)
    while True:
        me.onward = Onward()
        try:
            flow(house, me)
        except BadConfiguration as error:
            raise Bug(f"{me.name}: {error}") from error
        except WharfingerError as error:
            world.said.append(str(error))
            world.kernel.tell(f"{me.name} ends: {type(error).__name__}")
        except Ended:
            me.crashes += 1
            house = world.house(me)
            for listener in world.kernel.on_death:
                listener(me)
        except Exception as error:
            raise Bug(f"{me.name}: {type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}") from error
        world.kernel.wait(every + world.kernel.dice("pace").uniform(0, 30))


def orders_out(world: World, house: House, me: Worker) -> None:
    """flows/orders_to_warehouse.py"""
    if world.kernel.dice("items").randrange(ITEMS_ONE_IN) == 0 or world.items_read < world.items_published or not world.look("SELECT 1 FROM item LIMIT 1"):
        published = world.items_published
        mappings.refresh_items(house, WAREHOUSE)
        world.items_read = published
    if world.has("calls"):
        hints.take_hints(house, house.world.storefront)
    orders.take_in_orders(house, house.world.storefront)
    orders.plan_owed(house, house.world.storefront)
    _deliver(house, house.warehouse(WAREHOUSE), dispatches.OF_REQUESTS, me)
    dispatches.watch_acknowledgements(house, WAREHOUSE)


def dispatches_back(house: House, me: Worker) -> None:
    """flows/dispatch_back.py"""
    inbound.take_in(house, WAREHOUSE)
    _deliver(house, house.warehouse(WAREHOUSE), dispatches.ANSWERS, me)
    dispatches.release_held(house, house.world.storefront)
    _deliver(house, house.storefront(house.world.storefront), dispatches.CONFIRMATIONS, me)
    dispatches.read_back(house, house.world.storefront)
    _deliver(house, house.storefront(house.world.storefront), dispatches.CONFIRMATIONS, me)


def stock_sync(house: House, me: Worker, sweep: bool) -> None:
    """flows/inventory_delta_sync.py"""
    began_at = house.world.kernel.at
    inbound.take_in(house, WAREHOUSE)
    _deliver(house, house.warehouse(WAREHOUSE), dispatches.ANSWERS, me)
    if sweep or house.world.kernel.dice("items").randrange(2):  # the flow does it each time, and it is always the same
        orders.take_in_orders(house, house.world.storefront)
    stock.decide(house, house.world.storefront, sweep)
    if sweep:
        stock_watch.look_at_shown(house, house.world.storefront)
    house.world.sends_since[holder_of(me)] = house.world.kernel.at
    told = stock_send.send_stock(house, house.world.storefront, holder_of(me))
    if sweep and told.away is None:
        house.world.swept_at = began_at
    stock_watch.watch_stock(house, WAREHOUSE)


def returns_run(house: House, me: Worker) -> None:
    """flows/returns.py"""
    inbound.take_in(house, WAREHOUSE)
    returns.place_again(house, WAREHOUSE)
    _deliver(house, house.warehouse(WAREHOUSE), dispatches.ANSWERS + rmas.NOTICES, me)
    refunds_seen.see_refunds(house, house.world.storefront)
    refunds.owe_refunds(house, house.world.storefront)
    _deliver(house, house.storefront(house.world.storefront), refunds.REFUNDS, me)
    refunds_seen.see_refunds(house, house.world.storefront)


def drift_run(house: House, me: Worker) -> None:
    """flows/drift_watch.py"""
    stuck.watch_stuck(house, house.world.storefront, WAREHOUSE)
    feeds.watch_feeds(house, WAREHOUSE)
    feeds.watch_orders(house, house.world.storefront)
    drift.watch_orders_and_tracking(house, house.world.storefront, WAREHOUSE)
    if house.world.has("stock"):
        drift_stock.watch_stock_figures(house, house.world.storefront, WAREHOUSE, "lost_writes")


def _deliver(house: House, port: Any, kinds: tuple[str, ...], me: Worker) -> None:
    for _ in range(20):
        done = deliver.deliver(house, port, kinds, holder_of(me), limit=CHUNK)
        if done.away is not None or not done.worked:
            return
