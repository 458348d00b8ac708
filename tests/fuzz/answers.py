"""The answers of every system that is spoken to by HTTP, one door for each endpoint that a read or a write of the port asks.

The systems come from their folders (connectors/*/rehearsal.py), the answers from their sandboxes. The first answer of an endpoint is the document,
asked again it is the same; the answers to other questions (the next page) are given as they are. A write whose answer cannot be read is in doubt (a BadDocument is one
to whoever delivers), never refused: it may have happened.
"""

import logging
import re
import tempfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx

from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument, InDoubt, WharfingerError
from connectors.kit.rehearsal import Rehearsal
from tests.connectors.conformance import ready, reads, rehearse, send, systems
from tests.fuzz import judges
from tests.fuzz.door import Door

SAMPLE_BYTES_MAX = 20_000

_log = logging.getLogger(__name__)


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

    def put(self, place: str, body: bytes) -> None:
        """This instead of the endpoint's next answer, and of no other's."""
        self.instead, self._first = {place: body}, {}
        self.heard.clear()

    def was_asked(self, place: str) -> bool:
        """Has the answer that was put there been given?"""
        return place in self._first

    def close(self) -> None:
        self._folder.cleanup()


def endpoint(request: httpx.Request) -> str:
    """'GET /v#/orders/#/products'."""
    return f"{request.method} {re.sub(r'[0-9]+', '#', request.url.path)}"


def doors() -> Iterator[Door]:
    """Of every system, every read and every kind of effect. How one logs in is one door, whatever for."""
    for system in systems():
        logins = set()
        for what in _acts(system):
            for place in _heard(system, what):
                if _is_login(place) and place in logins:
                    continue
                logins |= {place} if _is_login(place) else set()
                is_write = what.startswith("send ") and fnmatch(place, _writes(system)) and not _is_login(place)
                yield Door(f"{system} {what}: {place}", partial(_read, system, what, place), partial(_samples, system, what, place), "json",
                           judge=judges.rows_hold if not what.startswith("send ") else _receipt_has_id, is_ended=True, cost=4 if not what.startswith("send ") else 10,
                           refuses=(InDoubt, BadDocument) if is_write else (WharfingerError,))


@cache
def _writes(system: str) -> str:
    stage = _Stage(system)
    stage.close()
    return stage.rehearsal.writes


def _is_login(place: str) -> bool:
    return "/auth/" in place


def _receipt_has_id(came: Any) -> Iterator[str]:
    if not came.remote_id:
        yield "a receipt without an id"


@cache
def _acts(system: str) -> list[str]:
    stage = _Stage(system)
    try:
        return [*reads(stage.rehearsal), *(f"send {kind}" for kind in stage.rehearsal.effects)]
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
    """On a stage that stands already, where only reading is done. What goes wrong there is tried again on a fresh one, and that is what counts."""
    if not what.startswith("send ") and not _is_login(place):
        stage = _standing(system)
        stage.put(place, body)
        try:
            came = _act(stage, what)()
            if stage.was_asked(place):  # else it knows the answer from an earlier one
                return came
        except WharfingerError:
            raise
        except Exception as error:
            _log.info("%s: on a fresh stage again", error)
    stage = _Stage(system)
    try:
        act = _act(stage, what)
        stage.put(place, body)
        return act()
    finally:
        stage.close()


@cache
def _standing(system: str) -> _Stage:
    return _Stage(system)
