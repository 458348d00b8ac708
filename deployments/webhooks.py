"""The door that storefronts call: POST /hooks/{connection}. It verifies, keeps the hint durably, answers, and only then has anything done.

A delivery that is not genuine learns nothing: 401 without a body, whatever was wrong with it. Anything but a 2xx makes a storefront try again,
and switch the hook off in the end: so a hint that we know already, or cannot use, is answered like any other.
"""

import asyncio
import logging
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.house import House
from connectors.kit.errors import BadConfiguration, BadDocument, NotAllowed, NotNow, WharfingerError
from tasks.hints import ask_for_run, enqueue

BODY_MAX = 65_536
BODY_SECONDS = 5.0
HEADERS_MAX = 100
DEBOUNCE_SECONDS = 5.0
OK, NOT_GENUINE, TOO_SLOW, TOO_LARGE, LATER = 204, 401, 408, 413, 503

_log = logging.getLogger("wharfinger.webhooks")


class Debounced:
    """Of many calls about one subject within `seconds`, one acts, at their end. What it raises is logged: a schedule does the same work anyway."""

    def __init__(self, act: Callable[[str], object], seconds: float) -> None:
        self._act, self._seconds, self._waiting = act, seconds, set[asyncio.Task[None]]()
        self._subjects: set[str] = set()

    def call(self, subject: str) -> None:
        """Act on this subject soon, once."""
        if subject in self._subjects:
            return
        self._subjects.add(subject)
        task = asyncio.get_running_loop().create_task(self._later(subject))
        self._waiting.add(task)  # a task that nobody holds may be collected before it has run
        task.add_done_callback(self._waiting.discard)

    async def _later(self, subject: str) -> None:
        await asyncio.sleep(self._seconds)
        self._subjects.discard(subject)
        try:
            await run_in_threadpool(self._act, subject)
        except WharfingerError as error:
            _log.warning("%s", error)


def door(opened: House, debounce_seconds: float = DEBOUNCE_SECONDS, act: Callable[[str], object] | None = None) -> Starlette:
    """The application. `act(storefront)` follows a burst of new hints; default: ask Prefect for a run that takes the orders in."""
    known = set(opened.names("storefront"))
    burst = Debounced(act or (lambda storefront: ask_for_run(opened, storefront)), debounce_seconds)

    async def hook(request: Request) -> Response:
        body = await _body(request)
        if isinstance(body, Response):
            return body
        connection = request.path_params["connection"]
        status, is_new = (NOT_GENUINE, False) if connection not in known or len(request.headers) > HEADERS_MAX else \
            await run_in_threadpool(take, opened, connection, _headers(request), body)
        if is_new:
            burst.call(connection)
        return Response(status_code=status)

    async def health(request: Request) -> Response:
        return Response("ok", media_type="text/plain")

    return Starlette(routes=[Route("/hooks/{connection}", hook, methods=["POST"]), Route("/health", health, methods=["GET"])])


def serve_door(opened: House, host: str, port: int, debounce_seconds: float = DEBOUNCE_SECONDS) -> None:
    """Until interrupted. Opens every storefront first, so that the first delivery does not wait for it. Raises BadConfiguration."""
    for name in opened.names("storefront"):
        opened.storefront(name)
    uvicorn.run(door(opened, debounce_seconds), host=host, port=port, log_level="warning", access_log=False, server_header=False, date_header=False,
                timeout_keep_alive=5, limit_concurrency=64, h11_max_incomplete_event_size=16_384)


def take(opened: House, connection: str, headers: dict[str, str], body: bytes) -> tuple[int, bool]:
    """One delivery to a connection that the house knows: the status that it is answered with, and whether the hint is news. A 204 is only given once the hint is kept."""
    try:
        return OK, enqueue(opened, connection, opened.storefront(connection).hint(headers, body))
    except BadDocument as error:  # genuine, and of no use to us: another answer would only bring it again
        _log.warning("%s", error)
        return OK, False
    except NotNow as error:
        _log.warning("%s", error)
        return LATER, False
    except (NotAllowed, BadConfiguration):
        return NOT_GENUINE, False


def _headers(request: Request) -> dict[str, str]:
    """As they came. (Starlette's own mapping looks a name up in lower case, and does not find one again that has an accent in upper case: an error 500.)"""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw}


async def _body(request: Request) -> bytes | Response:
    """At most BODY_MAX bytes within BODY_SECONDS; a length that is announced too large is not read at all."""
    announced = request.headers.get("content-length", "0")
    if not (announced.isascii() and announced.isdigit() and len(announced) < 12 and int(announced) <= BODY_MAX):
        return Response(status_code=TOO_LARGE)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > BODY_MAX:
                    return Response(status_code=TOO_LARGE)
                chunks.append(chunk)
    except (TimeoutError, ClientDisconnect):
        return Response(status_code=TOO_SLOW)
    return b"".join(chunks)
