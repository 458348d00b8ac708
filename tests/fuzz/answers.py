"""The answers of every system that is spoken to by HTTP, one door for each endpoint that a read or a write of the port asks.

The systems come from their folders (connectors/*/rehearsal.py), the answers from their sandboxes. The first answer of an endpoint is the document,
asked again it is the same; the answers to other questions (the next page) are given as they are. A write whose answer cannot be read is in doubt, never refused: it may have happened.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx

from connectors.kit.clock import ManualClock
from connectors.kit.errors import InDoubt, WharfingerError
from connectors.kit.rehearsal import Rehearsal
from tests.connectors.conformance import ready, reads, rehearse, send, systems
from tests.fuzz import judges
from tests.fuzz.door import Door

SAMPLE_BYTES_MAX = 20_000


class _Stage:
    """A fresh system whose answers can be exchanged."""

    def __init__(self, system: str) -> None:
        self.clock, self._folder = ManualClock(), tempfile.TemporaryDirectory(prefix="wharfinger-fuzz-")
        self.rehearsal: Rehearsal = rehearse(system, self.clock, Path(self._folder.name))
        self.rehearsal.seed()
        self._handle = self.rehearsal.sandbox.handle
        self.heard: list[tuple[str, httpx.Response]] = []
        self.instead: dict[str, bytes] = {}
        self._first: dict[str, str] = {}
        self.rehearsal.sandbox.handle = self._answer

    def _answer(self, request: httpx.Request) -> httpx.Response:
        came, place = self._handle(request), endpoint(request)
        self.heard.append((place, came))
        asked = str(request.url)
        if place not in self.instead or self._first.setdefault(place, asked) != asked:
            return came
        kept = {name: value for name, value in came.headers.items() if name not in ("content-length", "transfer-encoding")}
        return httpx.Response(came.status_code, headers=kept, content=self.instead[place])

    def close(self) -> None:
        self._folder.cleanup()


def endpoint(request: httpx.Request) -> str:
    """'GET /v#/orders/#/products'."""
    return f"{request.method} {re.sub(r'[0-9]+', '#', request.url.path)}"


def doors() -> Iterator[Door]:
    """Of every system, every read and every kind of effect."""
    for system in systems():
        for what, _ in _acts(system):
            for place in _heard(system, what):
                is_write = what.startswith("send ") and place.split()[0] != "GET"
                yield Door(f"{system} {what}: {place}", partial(_read, system, what, place), partial(_samples, system, what, place), "json",
                           judge=judges.rows_hold if not what.startswith("send ") else _receipt_has_id, is_ended=True, cost=6,
                           refuses=(InDoubt,) if is_write else (WharfingerError,))


def _receipt_has_id(came: Any) -> Iterator[str]:
    if not came.remote_id:
        yield "a receipt without an id"


@cache
def _acts(system: str) -> list[tuple[str, None]]:
    stage = _Stage(system)
    try:
        of_reads = list(reads(stage.rehearsal))
        return [(name, None) for name in of_reads] + [(f"send {kind}", None) for kind in stage.rehearsal.effects]
    finally:
        stage.close()


@cache
def _heard(system: str, what: str) -> dict[str, tuple[bytes, ...]]:
    """Endpoint -> the bodies that it answered with, of those that answer with one."""
    stage = _Stage(system)
    try:
        act = _act(stage, what)
        stage.heard.clear()
        act()
        found: dict[str, dict[bytes, None]] = {}
        for place, came in stage.heard:
            if came.content and came.status_code < 300 and len(came.content) < SAMPLE_BYTES_MAX:
                found.setdefault(place, {})[came.content] = None
        return {place: tuple(bodies)[:3] for place, bodies in found.items()}
    finally:
        stage.close()


def _act(stage: _Stage, what: str) -> Callable[[], Any]:
    if what.startswith("send "):
        effect = ready(stage.rehearsal, what.removeprefix("send "), stage.clock)
        return lambda: send(stage.rehearsal, effect, stage.clock)
    return reads(stage.rehearsal)[what]


def _samples(system: str, what: str, place: str) -> list[bytes]:
    return list(_heard(system, what)[place])


def _read(system: str, what: str, place: str, body: bytes) -> Any:
    stage = _Stage(system)
    try:
        act = _act(stage, what)
        stage.instead[place] = body
        return act()
    finally:
        stage.close()
