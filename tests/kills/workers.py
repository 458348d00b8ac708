"""The whole stack killed: the demo's sandboxes, a real Prefect server and a real worker with its flow runs, SIGKILLed while they work.

The worker's watch starts it again, the server is started again on its home; in the end the demo's judges compare the books.
"""

import time
from collections import Counter
from pathlib import Path
from random import Random

import httpx
from prefect import get_client
from prefect.deployments import run_deployment
from prefect.exceptions import PrefectHTTPStatusError

from deployments import demo_checks, demo_checks_stock
from deployments.demo import stage
from deployments.demo_checks import Books, Evidence, asked
from deployments.demo_orders import DemoOrder, generated, period
from deployments.demo_play import DISPATCHES, OWED, ORDERS, RETURNS, STOCK, Stage, place
from tests.kills.campaign import Report
from tests.kills.steps import LEFT_TO_THE_DEMO

DAYS, ORDERS_A_DAY = 2, 15
RUN_SECONDS_MAX, UP_SECONDS_MAX, DRAIN_MAX = 240.0, 90.0, 12
AWAY = (httpx.HTTPError, PrefectHTTPStatusError)


def run(folder: Path, seed: int, kills: int) -> Report:
    """So many kills of workers and servers; then peace and the judges."""
    dice, report, began = Random(seed), Report(seed), time.monotonic()
    played = period(generated(DAYS, ORDERS_A_DAY, seed))
    waiting = list(played.orders)
    with stage(played, folder / "home", lambda said: None) as up:
        up.warehouse.state_stock()
        while report.kills < kills:
            place(up, _some(waiting))
            up.warehouse.is_picking = True
            _kill_during(up, dice, report, dice.choice((ORDERS, ORDERS, DISPATCHES, DISPATCHES, STOCK, RETURNS)))
        place(up, waiting)
        _drain(up, report)
        with up.lock:
            books = Books(up.storefront.books(), up.warehouse.books())
        checks = tuple(check for check in (*demo_checks.CHECKS, *demo_checks_stock.CHECKS) if check.__name__ not in LEFT_TO_THE_DEMO)
        found = asked(checks, Evidence(up.house, books, played, up.cancelled))
        report.checked = sum(one.checked for one in found.values())
        report.violations += [f"{name}: {what}" for name, one in found.items() for what in one.violated]
        report.effects = Counter(row.kind for row in up.house.ledger.table("effect").itertuples() if row.state == "CONFIRMED")
    report.seconds = time.monotonic() - began
    return report


def _some(waiting: list[DemoOrder]) -> list[DemoOrder]:
    """The next few orders."""
    taken = waiting[:2]
    del waiting[:2]
    return taken


def _kill_during(up: Stage, dice: Random, report: Report, deployment: str) -> None:
    flow_run = _started(up, deployment)
    if dice.random() < 0.8:  # else it may be killed before it began
        _until(flow_run.id, "Running")
    time.sleep(dice.uniform(0.0, 5.0))
    report.kills += 1
    report.processes += 1
    if dice.random() < 0.7:
        report.instants[f"worker, {_state(flow_run.id)} {deployment.split('/')[0]}"] += 1
        up.worker.kill()
    else:
        report.instants[f"server, while {deployment.split('/')[0]}"] += 1
        up.server.process.kill()
        time.sleep(dice.uniform(0, 3))
        up.server.process.start()
        _await_health(up)
    if dice.random() < 0.5:
        _ended(flow_run.id)


def _drain(up: Stage, report: Report) -> None:
    for round_number in range(DRAIN_MAX):
        for deployment in (ORDERS, DISPATCHES, RETURNS, STOCK):
            _ended(_started(up, deployment).id)
        time.sleep(2)
        with up.lock:
            is_idle = up.warehouse.is_idle()
        owed = [up.house.ledger.effects.counts(target, kinds) for target, kinds in OWED.items()]
        left = [found.get(state) for found in owed for state in ("PLANNED", "IN_FLIGHT", "UNKNOWN") if found.get(state)]
        if is_idle and not left and round_number:
            with up.lock:
                up.warehouse.state_stock()
            _ended(_started(up, STOCK).id)
            time.sleep(8)
            _ended(_started(up, DISPATCHES).id)
            return
    report.violations.append(f"never at rest: {owed}")


def _started(up: Stage, deployment: str):
    """A flow run asked for, as soon as there is a server to ask."""
    until = time.monotonic() + UP_SECONDS_MAX
    while True:
        try:
            return run_deployment(deployment, timeout=0, as_subflow=False)
        except AWAY:
            if time.monotonic() > until:
                raise
            time.sleep(1)


def _ended(run_id) -> str:
    """Its last state: completed, or crashed and taken up by the reaper."""
    until = time.monotonic() + RUN_SECONDS_MAX
    while time.monotonic() < until:
        if (state := _state(run_id)) in ("Completed", "Failed", "Crashed", "Cancelled"):
            return state
        time.sleep(0.5)
    return "still open"


def _until(run_id, state: str) -> None:
    until = time.monotonic() + UP_SECONDS_MAX
    while time.monotonic() < until and _state(run_id) not in (state, "Completed", "Failed", "Crashed"):
        time.sleep(0.1)


def _state(run_id) -> str:
    try:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(run_id).state.name
    except AWAY:
        return "unknown"


def _await_health(up: Stage) -> None:
    until = time.monotonic() + UP_SECONDS_MAX
    while time.monotonic() < until:
        try:
            if httpx.get(f"{up.server.api_url}/health", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.3)
    raise RuntimeError(f"the server does not come back: {up.server.process.log_tail()}")
