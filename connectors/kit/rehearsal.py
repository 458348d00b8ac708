"""What a system brings to the conformance suite: itself, connected in process to its own sandbox, and samples to play with.

Each system folder has a `rehearsal.py` with two functions; the suite finds them by walking the folders:

    rehearse(clock, folder) -> Rehearsal      a fresh system on a fresh sandbox; page size five; `folder` is its own
    read_example(path) -> {name: Golden}      what an example must become, in either direction; {} for a file that is no example
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pandas as pd
from pydantic import BaseModel

from connectors.kit.errors import InDoubt, NotNow
from connectors.kit.exchange import Disk
from connectors.kit.sandbox import (CONNECT_REFUSED, DELIVERED_TWICE, ERROR_AFTER, ERROR_BEFORE, GARBLED, LATE_COMMIT, THROTTLED,
                                    TIMEOUT_AFTER, TIMEOUT_BEFORE, TOKEN_EXPIRED, Faults, Sandbox)
from connectors.ports import Delivers, Effect, Window
from contracts.orders import Recipients

PAGE_SIZE = 5
HTTP_FAULTS = (CONNECT_REFUSED, TIMEOUT_BEFORE, TIMEOUT_AFTER, LATE_COMMIT, THROTTLED, ERROR_BEFORE, ERROR_AFTER, GARBLED, TOKEN_EXPIRED,
               DELIVERED_TWICE)
FILE_FAULTS = (CONNECT_REFUSED, TIMEOUT_BEFORE, TIMEOUT_AFTER)
HTTP_WRITES, FILE_WRITES = "[PD]*", "RENAME *"  # shell patterns of the calls that change something
Golden = pd.DataFrame | str  # rows, kept as '{example}.{name}.csv'; or what goes out, kept as '{example}.{name}'
# nothing of this may ever come out in an error, a repr, a receipt or a frame that is not Recipients
CANARY = "Zzcanary"


@dataclass
class Rehearsal:
    """One system, ready to be held against the suite.

    effects: one sample of each of its kinds, a request before its change, with a canary as recipient where there is one. count: how
    many times the sandbox's own books hold the outcome of that sample. seed: puts what the samples and the reads need in place.
    paged: reads that come in pages, and how many records `seed` put there. calls: 'METHOD path' of every request so far. faults and
    outages: which strike its writes, and its reads. once_if_twice: the kinds of which a request that a proxy delivers twice has one
    outcome all the same.
    """

    port: Delivers
    sandbox: Sandbox
    settings: type[BaseModel]
    settings_example: dict[str, Any]
    secrets: dict[str, str]
    effects: dict[str, Effect]
    seed: Callable[[], None]
    count: Callable[[str], int]
    calls: list[str] = field(default_factory=list)
    faults: tuple[str, ...] = HTTP_FAULTS
    outages: tuple[str, ...] = (CONNECT_REFUSED, TIMEOUT_BEFORE, THROTTLED, ERROR_BEFORE, GARBLED, TOKEN_EXPIRED)
    writes: str = HTTP_WRITES
    paged: dict[str, int] = field(default_factory=dict)
    once_if_twice: frozenset[str] = frozenset()
    window: Window | None = None
    order_id: str = ""
    location: str = ""
    skus: list[str] = field(default_factory=list)

    def number(self, kind: str) -> int:
        """The control number that the sample of this kind is sent under, counting up in the order of `effects`; 0 where none is needed."""
        return 1 + list(self.effects).index(kind) if self.port.numbers(kind) else 0


class Overheard(httpx.BaseTransport):
    """A transport that notes every call and passes it on."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.calls: list[str] = []
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        return self._inner.handle_request(request)


class UnsteadyDisk:
    """A disk (kit/exchange) that notes every step and fails on request: refused (F1), or no answer to a rename (F2 not done, F3 done)."""

    def __init__(self, inner: Disk, faults: Faults) -> None:
        self.where, self.calls = inner.where, []
        self._inner, self._faults = inner, faults

    def __getattr__(self, step: str) -> Callable[..., Any]:
        """Every step of `Disk`, by its name."""
        act = getattr(self._inner, step)
        return lambda folder="", *rest: self._struck(act, step, folder, *rest)

    def _struck(self, act: Callable[..., Any], step: str, folder: str, *rest: Any) -> Any:
        what = f"{step.upper()} {'/'.join([folder, *(part for part in rest if isinstance(part, str))])}"
        self.calls.append(what)
        fault = self._faults.strike(what)
        doing = f"{step} in {folder} at {self.where}"
        if fault == CONNECT_REFUSED or (fault in FILE_FAULTS and step != "rename"):
            raise NotNow(doing, "no connection")
        if fault == TIMEOUT_BEFORE:
            raise InDoubt(doing, "no answer")
        done = act() if step == "close" else act(folder, *rest)
        if fault == TIMEOUT_AFTER:
            raise InDoubt(doing, "no answer")
        return done


def canary_recipient(connection: str, order_id: str, ship_group: str, country: str = "GB") -> dict[str, str]:
    """A recipient (contract Recipients) in which every personal value can be recognised by `CANARY` or `canary_values`."""
    personal = {"name": f"{CANARY} Name", "company": f"{CANARY} Ltd", "street_1": f"1 {CANARY} Street", "street_2": f"Flat {CANARY}",
                "city": f"{CANARY}ton", "region": f"{CANARY}shire", "postcode": "ZC9 9ZC", "country": country, "phone": "+447700977977",
                "email": f"{CANARY.lower()}@example.invalid", "gift_note": f"Love from {CANARY}", "order_note": f"{CANARY} has a dog"}
    return {column: personal.get(column, "") for column in Recipients.columns()} | {
        "connection": connection, "order_id": order_id, "ship_group": ship_group}


def canaries_in(text: str) -> list[str]:
    """The personal values that this text gives away."""
    return [value for value in (CANARY, "ZC9 9ZC", "7700977977") if value.lower() in text.lower()]


def frames(read: Any) -> list[pd.DataFrame]:
    """Every frame in what a port's read gave: a frame, an OrderPage, a Message, or a list or tuple of them."""
    if isinstance(read, pd.DataFrame):
        return [read]
    if isinstance(read, list | tuple):
        return [frame for part in read for frame in frames(part)]
    return [value for value in vars(read).values() if isinstance(value, pd.DataFrame)] if hasattr(read, "__dict__") else []
