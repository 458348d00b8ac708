"""The demo: sandboxes on ports, a real Prefect server and worker, a trading period through the flows, and the books compared.

Kill the worker at any moment: it is restarted, the run that died is taken up, and the end is the same.
"""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.house import PROFILE, House, read_profile
from connectors.kit.clock import SystemClock
from connectors.kit.errors import WharfingerError
from connectors.kit.sandbox import serve
from connectors.ledger.vault import new_master_key
from deployments.demo_checks import Books
from deployments.demo_orders import DemoOrder, Period
from deployments.demo_outcome import add_drift, outcome
from deployments.demo_play import ORDERS, PUBLISH, Say, Stage, meddle, place, play
from deployments.demo_returns import return_tables
from deployments.demo_stock import stock_of, stock_tables
from deployments.demo_warehouse import open_warehouse
from deployments.demo_world import CHANNELS, STOREFRONT, WAREHOUSE, catalogue, item_master, tables
from deployments.prefect_server import prefect_server
from deployments.serve import Route
from deployments.worker import Worker
from tasks.mappings import change_mapping

TOKEN = "demo-token"
QUOTA = 4000  # requests in 30 s, as an enterprise plan may have; Standard has 150
REGISTERED_SECONDS_MAX = 180.0


def play_once(period: Period, home: Path, say: Say, port: int = 0) -> dict[str, Any]:
    """The whole period, then the summary. The home folder is emptied first."""
    began = time.monotonic()
    with stage(period, home, say, port) as up:
        play(up, period)
        result = outcome(up.house, _books(up), period, up.cancelled)
        add_drift(result, up.house, meddle(up))
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
            place(up, [order])


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
        storefront.add_products(catalogue(period.sold))
        say("Starting the sandboxes …")
        url = stack.enter_context(serve(storefront, clock))
        items = item_master(period.sold)
        warehouse = stack.enter_context(_stepping(open_warehouse(home / "partner", items, clock, stock_of(period.orders, items)), lock))
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
        yield Stage(home, house, storefront, warehouse, lock, server, worker, say, clock.now())


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
    for table, csv in {**tables(), **stock_tables(), **return_tables()}.items():
        change_mapping(house, table, csv, "demo set-up")
    return house


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


def _again(period: Period) -> Iterator[DemoOrder]:
    while True:
        yield from period.orders
