"""The base of every sandbox: faults on demand, an in-process transport, and a real port.

A sandbox is a function `httpx.Request -> httpx.Response` with a memory. The same object serves tests in process (`Transport`),
the demo on a port (`serve`) and the simulator. Its clock comes from outside. Faults bear the names of RELIABILITY.md §2.4.
"""

import fnmatch
import random
import socketserver
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Protocol

import httpx

from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration

Handler = Callable[[httpx.Request], httpx.Response]

CONNECT_REFUSED = "F1"
TIMEOUT_BEFORE = "F2"
TIMEOUT_AFTER = "F3"
LATE_COMMIT = "F4"
THROTTLED = "F5"
ERROR_BEFORE = "F6"
ERROR_AFTER = "F7"
GARBLED = "F8"
TOKEN_EXPIRED = "F10"
DELIVERED_TWICE = "F11"
PAGE_SHIFT = "F12"
STALE_READ = "F13"
ROWS_LOST, FIGURES_ABSURD, SKU_STRANGE, FEED_SILENT = "F27", "F28", "F29", "F30"
FAULTS = {
    CONNECT_REFUSED: "the connection is refused", TIMEOUT_BEFORE: "no answer, and nothing happened", TIMEOUT_AFTER: "no answer, but it happened",
    LATE_COMMIT: "no answer, and it happens later", THROTTLED: "429", ERROR_BEFORE: "500, and nothing happened", ERROR_AFTER: "502, but it happened",
    GARBLED: "200 with a body that is HTML", TOKEN_EXPIRED: "401", DELIVERED_TWICE: "a proxy delivers the request twice",
    PAGE_SHIFT: "records move between pages while paging", STALE_READ: "a read shows an older state",
    "F22": "a file is visible before it is whole", "F23": "a file is cut off", "F24": "same name new bytes, or same bytes new name",
    "F25": "files arrive late and out of order", "F26": "a hostile name, a huge file",
}


class Sandbox(Protocol):
    """What the demo, the tests and the simulator need of a stand-in."""

    name: str
    faults: "Faults"

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""

    def step(self) -> None:
        """Do what is due by the sandbox's clock (pick, ship, write files, apply what was asynchronous)."""


@dataclass
class Rule:
    """Inject `fault` into requests that match `METHOD path` (shell pattern), with a probability, at most `times` times."""

    fault: str
    on: str = "*"
    chance: float = 1.0
    times: int | None = None


@dataclass
class Faults:
    """Which faults strike which calls. Seeded: the same seed and the same calls give the same faults."""

    rules: list[Rule] = field(default_factory=list)
    seed: int = 0
    late_seconds: float = 30.0
    wait_seconds: int = 1  # what a 429 asks for
    growing_seconds: int = 0  # how long a file that is visible before it is whole (F22) grows; 0: until the next step
    struck: Counter = field(default_factory=Counter)
    active: bool = True

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> "Faults":
        """'F3:0.1,F5' -> rules for every write and read. Raises BadConfiguration on a name that is no fault."""
        rules = []
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, _, chance = part.partition(":")
            if name not in FAULTS:
                raise BadConfiguration(f"reading the faults {text!r}", f"there is no fault {name!r}", f"Choose from {', '.join(FAULTS)}.")
            rules.append(Rule(name, chance=float(chance or 1)))
        return cls(rules, seed)

    def add(self, fault: str, on: str = "*", chance: float = 1.0, times: int | None = None) -> None:
        """From now on, inject this."""
        self.rules.append(Rule(fault, on, chance, times))

    def clear(self) -> None:
        """Heal: no fault strikes any more."""
        self.rules.clear()

    def strike(self, what: str) -> str:
        """The fault that strikes this call ('POST /v2/orders/1/shipments'), or ''."""
        for rule in self.rules if self.active else []:
            if rule.times == 0 or not fnmatch.fnmatch(what, rule.on):
                continue
            if self._random.random() < rule.chance:
                rule.times = None if rule.times is None else rule.times - 1
                self.struck[rule.fault] += 1
                return rule.fault
        return ""


class Later:
    """Requests that commit after their caller gave up (F4): kept until their time, then carried out."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._waiting = clock, []

    def add(self, seconds: float, act: Callable[[], object]) -> None:
        self._waiting.append((self._clock.now() + timedelta(seconds=seconds), act))

    def step(self) -> None:
        now = self._clock.now()
        due, self._waiting = [w for w in self._waiting if w[0] <= now], [w for w in self._waiting if w[0] > now]
        for _, act in sorted(due, key=lambda w: w[0]):
            act()

    def next_at(self) -> datetime | None:
        """When the next one is due."""
        return min((at for at, _ in self._waiting), default=None)


class NoAnswer(Exception):
    """The fault says: the caller never hears of this."""


def answer(handler: Handler, request: httpx.Request, faults: Faults, later: Later) -> httpx.Response:
    """Let the handler answer, struck by whatever fault is due. Raises NoAnswer, or httpx.ConnectError for F1."""
    later.step()
    fault = faults.strike(f"{request.method} {request.url.path}")
    if fault == CONNECT_REFUSED:
        raise httpx.ConnectError("connection refused", request=request)
    if fault == TIMEOUT_BEFORE:
        raise NoAnswer
    if fault == LATE_COMMIT:
        later.add(faults.late_seconds, lambda: handler(request))
        raise NoAnswer
    if fault == THROTTLED:
        wait = str(faults.wait_seconds)
        return httpx.Response(429, headers={"X-Retry-After": wait, "Retry-After": wait}, json={"status": 429, "title": "Too many requests"})
    if fault == ERROR_BEFORE:
        return httpx.Response(500, headers={"content-type": "text/html"}, content=b"<html>Internal Server Error</html>")
    if fault == TOKEN_EXPIRED:
        return httpx.Response(401, json={"status": 401, "title": "X-Auth-Token header is required"})
    response = handler(request)
    if fault == DELIVERED_TWICE:
        response = handler(request)
    if fault == TIMEOUT_AFTER:
        raise NoAnswer
    if fault == ERROR_AFTER:
        return httpx.Response(502, headers={"content-type": "text/html"}, content=b"<html>Bad Gateway</html>")
    if fault == GARBLED:
        return httpx.Response(200, headers={"content-type": "text/html"}, content=b"<html><body>Please wait...</body></html>")
    return response


class Transport(httpx.BaseTransport):
    """An httpx transport straight into a sandbox, in process: NoAnswer becomes a read time-out."""

    def __init__(self, sandbox: Sandbox, clock: Clock) -> None:
        self._sandbox, self._later = sandbox, Later(clock)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        try:
            return answer(self._sandbox.handle, request, self._sandbox.faults, self._later)
        except NoAnswer:
            raise httpx.ReadTimeout("timed out", request=request) from None

    def step(self) -> None:
        """Carry out what was late and is due by now, without waiting for the next request."""
        self._later.step()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that was killed in the middle of a request is no error of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serve(sandbox: Sandbox, clock: Clock, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Put a sandbox on a port; yields its base URL. One request at a time, as the handlers have one memory."""
    lock, later = threading.Lock(), Later(clock)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # head and body in one packet: sent apart, Nagle and delayed acknowledgements cost 40 ms a request
        wbufsize, disable_nagle_algorithm = -1, True

        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            request = httpx.Request(self.command, f"http://{self.headers.get('host', 'sandbox')}{self.path}", headers=list(self.headers.items()),
                                    content=self.rfile.read(length))
            try:
                with lock:
                    response = answer(sandbox.handle, request, sandbox.faults, later)
            except (NoAnswer, httpx.ConnectError):
                self.close_connection = True
                return
            body = response.content
            self.send_response_only(response.status_code)
            for name, value in response.headers.multi_items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            if response.status_code != 204:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            if response.status_code != 204:
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _handle

        def log_message(self, *_: object) -> None:
            """Quiet: the caller keeps its own record, and paths hold order ids."""

    with _Server((host, port), Door) as server:
        thread = threading.Thread(target=server.serve_forever, name=f"sandbox {sandbox.name}", daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{server.server_address[1]}"
        finally:
            server.shutdown()
