"""The demo: sandboxes on ports, a real Prefect server and worker, a trading period through the flows, and the books compared.

Kill the worker at any moment: it is restarted, the run that died is taken up, and the end is the same.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL, temporary_settings

from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.house import PROFILE, House, read_profile
from connectors.kit.clock import Clock, SystemClock
from connectors.kit.errors import WharfingerError
from connectors.kit.sandbox import serve
from connectors.ledger.vault import new_master_key
from deployments.demo_checks import Books, outcome
from deployments.demo_orders import DemoOrder, Period
from deployments.demo_warehouse import open_warehouse
from deployments.demo_world import (
    CHANNELS, FORGOTTEN_CARRIER, FORGOTTEN_METHOD, STOREFRONT, WAREHOUSE, address_of, catalogue, channel_of, item_master, one_in, tables,
)
from deployments.prefect_server import PrefectServer, prefect_server
from deployments.serve import Route
from deployments.worker import Worker
from tasks.mappings import change_mapping

TOKEN = "demo-token"
QUOTA = 4000  # requests in 30 s, as an enterprise plan may have; Standard has 150
ROUNDS = 3
DRAIN_MAX = 12
RUN_SECONDS_MAX = 3600.0
REGISTERED_SECONDS_MAX = 180.0
CANCEL_ONE_IN, EDIT_ONE_IN = 90, 110
ORDERS, DISPATCHES = f"orders-to-warehouse/{STOREFRONT} → {WAREHOUSE}", f"dispatch-back/{WAREHOUSE} → {STOREFRONT}"
CATALOGUE = f"check-catalogue/{STOREFRONT}"
CHANGE, PUBLISH = "change-mapping/change a mapping table", "publish-analytics/publish for analysts"

Say = Callable[[str], None]


@dataclass
class Stage:
    """Everything that is up while the demo plays."""

    home: Path
    house: House
    storefront: BigCommerceSandbox
    warehouse: Any
    lock: threading.RLock
    server: PrefectServer
    worker: Worker
    say: Say
    numbers: dict[str, int] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)


def play_once(period: Period, home: Path, say: Say, port: int = 0) -> dict[str, Any]:
    """The whole period, then the summary. The home folder is emptied first."""
    began = time.monotonic()
    with stage(period, home, say, port) as up:
        play(up, period)
        result = outcome(up.house, _books(up), period, up.cancelled)
        return result | {"seconds": round(time.monotonic() - began, 1), "prefect_ui": up.server.ui_url,
                         "analytics": str(up.home / "analytics" / "analytics.duckdb"), "worker_restarts": up.worker.restarts}


def play_live(period: Period, home: Path, say: Say, port: int = 4200) -> None:
    """The same, and then on: schedules are active, an order comes in now and then, until interrupted."""
    with stage(period, home, say, port, live=True) as up:
        play(up, period)
        with up.lock:
            up.warehouse.is_picking = True
        up.say(f"Prefect UI: {up.server.ui_url}   Stop with Ctrl-C. The schedules are active now.")
        for order in _again(period):
            time.sleep(20)
            _place(up, [order])


@contextmanager
def stage(period: Period, home: Path, say: Say, port: int = 0, live: bool = False) -> Iterator[Stage]:
    """Put everything up on loopback ports, and take it down afterwards."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    clock, lock = SystemClock(), threading.RLock()
    with ExitStack() as stack:
        storefront = BigCommerceSandbox(clock, store_hash="demo", token=TOKEN, quota=QUOTA)
        for channel, name in CHANNELS.items():
            if channel != "1":
                storefront.add_channel(int(channel), name)
        storefront.add_products(catalogue(period.orders))
        say("Starting the sandboxes …")
        url = stack.enter_context(serve(storefront, clock))
        warehouse = stack.enter_context(_stepping(open_warehouse(home / "partner", item_master(period.orders), clock), lock))
        warehouse.is_picking = False
        house = _furnish(home, url)
        stack.callback(house.close)
        say("Starting Prefect (its server takes a while the first time) …")
        server = stack.enter_context(prefect_server(home / "prefect", port))
        environment = server.environment() | {PROFILE: str(home / "profile.toml"), "WHARFINGER_HOME": str(home)}
        worker = Worker(home / "worker", environment, [Route(STOREFRONT, WAREHOUSE)], ["--poll-seconds", "1"] + ([] if live else ["--paused-schedules"]))
        worker.start()
        worker.watch()
        stack.callback(worker.stop)
        stack.enter_context(temporary_settings({PREFECT_API_URL: server.api_url}))
        _await_deployments(worker)
        say(f"Prefect UI: {server.ui_url}   worker process: {worker.pid}")
        yield Stage(home, house, storefront, warehouse, lock, server, worker, say)


def _await_deployments(worker: Worker) -> None:
    """Until the worker has registered them. Raises WharfingerError with where to look."""
    until = time.monotonic() + REGISTERED_SECONDS_MAX
    with get_client(sync_client=True) as client:
        while time.monotonic() < until:
            if {PUBLISH.split("/")[1], ORDERS.split("/")[1]} <= {deployment.name for deployment in client.read_deployments()}:
                return
            time.sleep(0.5)
    raise WharfingerError("starting the worker", f"no deployment after {REGISTERED_SECONDS_MAX:.0f} s", f"Look at {worker.log}.")


def _furnish(home: Path, bigcommerce: str) -> House:
    """Keys, profile and mapping tables."""
    for name, secret in (("vault.key", new_master_key()), ("bigcommerce.token", TOKEN)):
        (home / name).touch(mode=0o600)
        (home / name).write_text(secret)
    text = (Path(__file__).parent / "profiles" / "demo" / "profile.toml").read_text()
    (home / "profile.toml").write_text(text.replace("{bigcommerce}", bigcommerce).replace("{home}", str(home)))
    house = House(read_profile(home / "profile.toml"))
    for table, csv in tables().items():
        change_mapping(house, table, csv, "demo set-up")
    return house


def play(up: Stage, period: Period) -> None:
    """Customers order, change their minds and cancel; the warehouse picks and ships; an operator mends what was forgotten."""
    parts = _parts(period.orders, ROUNDS)
    before: list[DemoOrder] = []
    for number, orders in enumerate(parts, 1):
        up.say(f"Round {number} of {len(parts)}: {len(orders)} orders are placed, {orders[0].placed_at:%d %b %Y} to {orders[-1].placed_at:%d %b %Y}")
        _change_minds(up, before)  # every second round before the pick, else too late
        _place(up, orders)
        run(up, ORDERS)
        if number % 2 == 0 or number == len(parts):
            _let_ship(up)
            run(up, DISPATCHES)
        before = orders
    _change_minds(up, before)
    up.say("An operator adds the shipping method and the carrier that were forgotten")
    for table in ("ship_methods", "carriers"):
        run(up, CHANGE, table=table, csv=tables(mended=True)[table], actor="demo operator")
    for _ in range(DRAIN_MAX):
        run(up, ORDERS)
        _let_ship(up)
        run(up, DISPATCHES)
        if _is_drained(up):
            break
    run(up, CATALOGUE)
    run(up, PUBLISH)


def run(up: Stage, deployment: str, **parameters: Any) -> None:
    """One run through Prefect, again if its worker died under it. Raises WharfingerError when it fails by itself."""
    for _ in range(20):
        began = time.monotonic()
        flow_run = run_deployment(deployment, parameters=parameters, timeout=RUN_SECONDS_MAX, poll_interval=0.5, as_subflow=False)
        state = flow_run.state
        up.say(f"  {flow_run.name}: {state.name}, {time.monotonic() - began:.0f} s" + _progress(up))
        if state.is_completed() or state.is_failed() and "RunIncomplete" in (state.message or ""):
            return
        if not state.is_crashed():
            time.sleep(2)
    raise WharfingerError(f"running {deployment}", f"it does not complete: {state.name}: {state.message}", f"Look at {up.worker.log}.")


def _progress(up: Stage) -> str:
    ledger = up.house.ledger
    sent = ledger.effects.counts(WAREHOUSE, ("fulfilment_request",)).get("CONFIRMED", 0)
    told = ledger.effects.counts(STOREFRONT, ("dispatch_confirmation",)).get("CONFIRMED", 0)
    return f"   [sent {sent}, confirmed {told}, exceptions open {len(ledger.exceptions.listed())}]"


def _place(up: Stage, orders: list[DemoOrder]) -> None:
    for order in orders:
        lines = [{"sku": line.sku, "name": line.name or line.sku, "quantity": line.quantity, "price": str(line.price), "product_id": 1} for line in order.lines]
        up.numbers[order.invoice] = up.storefront.place_order(lines, [address_of(order)], channel_id=int(channel_of(order.country)), status_id=11,
                                                              external_order_id=order.invoice, currency="GBP")


def _change_minds(up: Stage, orders: list[DemoOrder]) -> None:
    """Some customers cancel after the order has gone out, some change a quantity."""
    known = up.storefront.books()["orders"]
    for order in orders:
        number = up.numbers[order.invoice]
        if one_in(CANCEL_ONE_IN, order.invoice, "cancel"):
            up.storefront.cancel_order(number)
            up.cancelled.add(number)
        elif one_in(EDIT_ONE_IN, order.invoice, "edit"):
            line_id, line = next(iter(known[number]["lines"].items()))
            up.storefront.edit_order(number, quantities={line_id: line["quantity"] + 1})


def _let_ship(up: Stage, seconds_max: float = 120.0) -> None:
    """A shift at the warehouse: it takes what lies ready, picks and ships all of it."""
    until = time.monotonic() + seconds_max
    with up.lock:
        up.warehouse.is_picking = True
    while time.monotonic() < until:
        with up.lock:
            if up.warehouse.is_idle():
                break
        time.sleep(0.2)
    with up.lock:
        up.warehouse.is_picking = False


def _is_drained(up: Stage) -> bool:
    counts = up.house.ledger.effects.counts
    owed = [counts(WAREHOUSE, ("fulfilment_request", "fulfilment_change", "fulfilment_cancel", "acknowledgement")), counts(STOREFRONT, ("dispatch_confirmation", "order_completion"))]
    with up.lock:
        return up.warehouse.is_idle() and not any(found.get(state) for found in owed for state in ("PLANNED", "IN_FLIGHT", "UNKNOWN"))


@contextmanager
def _stepping(sandbox: Any, lock: threading.RLock) -> Iterator[Any]:
    """Let the warehouse work by itself, a step at a time."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.3):
            with lock:
                sandbox.step()

    thread = threading.Thread(target=work, name="warehouse at work", daemon=True)
    thread.start()
    try:
        yield sandbox
    finally:
        over.set()
        thread.join(10)


def _books(up: Stage) -> Books:
    with up.lock:
        return Books(up.storefront.books(), up.warehouse.books())


def _parts(orders: list[DemoOrder], parts: int) -> list[list[DemoOrder]]:
    size = max(1, -(-len(orders) // parts))
    return [orders[start:start + size] for start in range(0, len(orders), size)]


def _again(period: Period) -> Iterator[DemoOrder]:
    while True:
        yield from period.orders
