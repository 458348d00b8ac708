"""The whole thing as a newcomer runs it: real Prefect server, real worker, sandboxes on ports; and its worker killed on the way."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deployments.demo_orders import generated
from deployments.demo_outcome import CHECKS

SEED = random.SystemRandom().randrange(10_000)


def _demo(home: Path, orders: Path, kills: int) -> tuple[dict, list[str]]:
    command = [sys.executable, "-m", "deployments.cli", "demo", "--once", "--json", "--orders", str(orders), "--home", str(home)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told: list[str] = []
    over, dice = threading.Event(), random.Random(SEED)

    def listen() -> None:
        told.extend(process.stderr)

    def kill() -> None:
        for _ in range(kills):
            while not over.is_set() and not any("Round 1" in line for line in told):
                time.sleep(0.2)
            if over.wait(dice.uniform(3, 12)):
                return
            for pid in _workers(home):
                os.killpg(pid, signal.SIGKILL)

    threads = [threading.Thread(target=listen, daemon=True), threading.Thread(target=kill, daemon=True)]
    for thread in threads:
        thread.start()
    out = process.stdout.read()
    process.wait()
    over.set()
    threads[0].join(10)
    assert process.returncode == 0, f"seed {SEED}: {''.join(told)[-3000:]}\n{out[-2000:]}"
    return json.loads(out), told


def _workers(home: Path) -> list[int]:
    """Group leaders of the demo's worker: found by the profile in their environment, as an outsider would."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            except OSError:
                continue
            if b"deployments.serve" in command and str(home).encode() in environment and os.getpgid(int(entry.name)) == int(entry.name):
                found.append(int(entry.name))
    return found


@pytest.mark.prefect
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the worker through /proc, which this system has not")
def test_a_period_ends_with_every_check_at_zero_though_the_worker_is_killed_twice(tmp_path):
    orders = tmp_path / "orders.csv"
    generated(days=2, orders_a_day=20, seed=SEED).to_csv(orders, index=False)
    result, told = _demo(tmp_path / "home", orders, kills=2)
    assert result["worker_restarts"] >= 1, "no kill hit a worker: this run proved nothing about kills"
    assert set(result["checks"]) == {check.__name__ for check in CHECKS} | {"planted_drift_is_found_and_named"} and len(CHECKS) >= 28
    assert all(found["violated"] == 0 for found in result["checks"].values()), f"seed {SEED}: {result['checks']}"
    assert result["checks"]["each_order_at_the_warehouse_once_or_held"]["checked"] > 10
    counted = result["orders"]
    assert counted["eligible"] == counted["sent"] + counted["held"] + counted["cancelled_before_sending"]
    assert result["inventory"]["sent"] and result["inventory"]["observed"] and result["drift"]["found"] and result["drift"]["by_cause"]
    assert result["reconciliation"]["orders"] == result["orders"]["read"] >= result["reconciliation"]["matched"]
    assert result["returns"]["received"] == sum(result["returns"][what] for what in ("refunded", "held", "closed"))
    assert counted["sent"] and counted["non_stock_lines"] and result["dispatches"]["confirmed"] and result["exceptions"]["open"] is not None
    assert result["dispatches"]["advised"] == result["dispatches"]["confirmed"] + result["dispatches"]["held"]
    assert re.search(r"http://127\.0\.0\.1:\d+", result["prefect_ui"]) and Path(result["analytics"]).is_file()
