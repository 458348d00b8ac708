"""What stays when we die: a shop on a port, a warehouse's folders, and the time, in a process that nobody kills.

The conductor speaks with it through a pipe (`Outside.shop`, `Outside.site`); the processes that are killed only ever reach it as they would in
earnest, by HTTP and by files. Time is one number in memory that all of them share: it moves when somebody waits.
"""

import mmap
import multiprocessing
import os
import signal
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

from connectors.bigcommerce.sandbox import BigCommerceSandbox
from connectors.gxo.profile import Profile as Partner
from connectors.gxo.sandbox import GxoSandbox
from connectors.kit.sandbox import Faults, serve
from deployments.demo_warehouse import PARTNER
from deployments.demo_world import EU_FACILITY, UK_FACILITY

BEGAN = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
SKUS = ("HEART", "LANTERN", "MUG", "TRAY")
STOCK = {UK_FACILITY: {"HEART": 400, "LANTERN": 300, "MUG": 500, "TRAY": 200}, EU_FACILITY: {"HEART": 50}}
TOKEN, HASH = "demo-token", "hash0"
PLACE_MAX = 400


class Shared:
    """Memory that conductor, outside and every child see: the time, and where the child at work is just now."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 4096)  # shared with whatever is forked from here on

    @property
    def seconds(self) -> float:
        """Since the world began."""
        return struct.unpack_from("d", self._memory, 0)[0]

    def add(self, seconds: float) -> None:
        """Time passes."""
        struct.pack_into("d", self._memory, 0, self.seconds + max(0.0, seconds))

    @property
    def place(self) -> str:
        """The last point that the child told of."""
        length = struct.unpack_from("i", self._memory, 8)[0]
        return bytes(self._memory[16:16 + length]).decode(errors="replace")

    @place.setter
    def place(self, text: str) -> None:
        told = text.encode()[:PLACE_MAX]
        struct.pack_into("i", self._memory, 8, len(told))
        self._memory[16:16 + len(told)] = told


class SharedClock:
    """Everybody's clock."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def now(self) -> datetime:
        """What it shows."""
        return BEGAN + timedelta(seconds=self._shared.seconds)

    def sleep(self, seconds: float) -> None:
        """Wait: time passes for all."""
        self._shared.add(seconds)


class _Locked:
    """A sandbox whose memory is touched by one thread at a time: the port's, or the pipe's."""

    def __init__(self, sandbox: BigCommerceSandbox, lock: threading.RLock) -> None:
        self.name, self.faults, self._sandbox, self._lock = sandbox.name, sandbox.faults, sandbox, lock

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        with self._lock:
            return self._sandbox.handle(request)

    def step(self) -> None:
        """What is due."""
        with self._lock:
            self._sandbox.step()


class Far:
    """The other end's object: every method is a message, answered when it is done."""

    def __init__(self, pipe: Connection, name: str) -> None:
        self._pipe, self._name = pipe, name

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self._pipe.send((self._name, method, given, named))
            is_right, came = self._pipe.recv()
            if not is_right:
                raise RuntimeError(f"{self._name}.{method}: {came}")
            return came

        return call


class Outside:
    """The world's process. `shop` and `site` take the sandboxes' own methods; `heal()` ends all faults."""

    def __init__(self, folder: Path, shared: Shared, seed: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        mine, its = multiprocessing.Pipe()
        self.pid = os.fork()
        if not self.pid:
            mine.close()
            _be_the_world(its, folder, shared, seed)
        its.close()
        self.url: str = mine.recv()
        self.shop, self.site, self._all = Far(mine, "shop"), Far(mine, "site"), Far(mine, "all")

    def heal(self) -> None:
        """No fault strikes any more."""
        self._all.heal()

    def close(self) -> None:
        """The end of the world."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@contextmanager
def outside(folder: Path, shared: Shared, seed: int) -> Iterator[Outside]:
    """A world, gone afterwards."""
    world = Outside(folder, shared, seed)
    try:
        yield world
    finally:
        world.close()


class _All:
    def __init__(self, *sandboxes: Any) -> None:
        self._sandboxes = sandboxes

    def heal(self) -> None:
        for one in self._sandboxes:
            one.faults.clear()


def _be_the_world(pipe: Connection, folder: Path, shared: Shared, seed: int) -> None:
    """The process's whole life; it ends by being killed."""
    clock, lock = SharedClock(shared), threading.RLock()
    shop = BigCommerceSandbox(clock, store_hash=HASH, token=TOKEN, quota=1_000_000, faults=_weather(seed))
    shop.add_products({"sku": sku, "name": sku, "inventory_tracking": "product"} for sku in SKUS)
    site = GxoSandbox(folder, clock, Partner(**PARTNER), set(SKUS), {UK_FACILITY, EU_FACILITY}, seed=seed, nastiness="lenient", pick_seconds=30, rest_seconds=60,
                      acknowledge_seconds=10, stock=STOCK)
    rows = [{"sku": sku, "description": sku.title(), "active": "yes", "unit": "EA", "barcode": "", "hs_code": "950590", "origin": "CN", "customs_value": "",
             "customs_currency": ""} for sku in SKUS]
    pd.DataFrame(rows).to_csv(folder / "items.csv", index=False)
    known = {"shop": shop, "site": site, "all": _All(shop, site)}
    with serve(_Locked(shop, lock), clock) as url:
        pipe.send(url)
        while True:
            try:
                name, method, given, named = pipe.recv()
            except EOFError:  # the conductor is gone
                os._exit(0)
            with lock:
                try:
                    pipe.send((True, getattr(known[name], method)(*given, **named)))
                except Exception as error:
                    pipe.send((False, repr(error)))


def _weather(seed: int) -> Faults:
    """Beside the kills, the shop has its bad moments."""
    faults = Faults(seed=seed)
    for fault in ("F3", "F5", "F7"):
        faults.add(fault, "P* *", chance=0.02)
    return faults
