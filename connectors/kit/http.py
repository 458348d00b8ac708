"""HTTP as every connector uses it: one client a target, one reading of what came back, retries for reads only.

Status before body, always: an empty page with a 5xx and an HTML page with a 200 are errors, never an empty result. A write is
sent once; whatever leaves a doubt is InDoubt and is read back by the caller. No header and no body is ever logged.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import httpx

from connectors.kit.budget import retry_after_seconds
from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration, InDoubt, NotAllowed, NotNow, Refused, WharfingerError

BODY_BYTES_MAX = 64 * 1024 * 1024
EXPONENT_MAX = 400  # of a number in JSON
BACK_OFF_SECONDS_MAX = 16.0
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Judge = Callable[[str, httpx.Response], WharfingerError | None]
Describe = Callable[[httpx.Response], str]


class Turnstile(Protocol):
    """What limits requests: a budget learned from answers (`kit/budget.py`), or a token bucket (`kit/buckets.py`). Each take is followed by one settle."""

    def take(self, clock: Clock) -> None:
        """One request is about to be sent: wait until there is room. Raises NotNow when that would take too long."""

    def settle(self, clock: Clock, status: int | None, headers: Mapping[str, str]) -> None:
        """The request came back (`status` None: nothing came)."""


for _name in ("httpx", "httpcore"):  # at INFO they log URLs, at DEBUG header names and more
    logging.getLogger(_name).setLevel(logging.WARNING)


class ReadFailed(InDoubt):
    """A read came to nothing: time-out, 5xx, or an answer that cannot be read. Nothing was changed, and nothing is known."""

    helps = "Reading again may help and changes nothing."


def classify(doing: str, came: httpx.Response | Exception, now: datetime, *, writing: bool,
             describe: Describe | None = None) -> WharfingerError | None:
    """What a response or an exception of httpx means; None for a 2xx (whose body is still to be read).

    `describe` may add what the far side said; without it only the status is told, as bodies may hold personal data.
    """
    doubt = InDoubt if writing else ReadFailed
    if isinstance(came, NEVER_LEFT):
        return NotNow(doing, f"no connection ({type(came).__name__})")
    if isinstance(came, Exception):
        return doubt(doing, f"no usable answer ({type(came).__name__})")
    status = came.status_code
    got = f"HTTP {status}"
    if 200 <= status < 300:
        return None
    if status == 429:
        return NotNow(doing, f"{got}, too many requests", wait_seconds=retry_after_seconds(came.headers, now))
    if status in (401, 403):
        return NotAllowed(doing, got, "Check the access token and its scopes.")
    if 400 <= status < 500 and status != 408:  # a proxy's 408 may come after the request went through
        said = describe(came) if describe else ""
        return Refused(doing, f"{got}: {said}" if said else got)
    return doubt(doing, got)


def parse(body: bytes) -> Any:
    """JSON with money as Decimal. Raises ValueError for anything else: NaN, bottomless nesting and numbers beyond all bounds included."""
    try:
        return json.loads(body, parse_float=_number, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(text: str) -> Decimal:
    """Ten bytes, 1e99999999, would keep whoever makes a whole number of them busy for hours."""
    number = Decimal(text)
    if not -EXPONENT_MAX <= number.adjusted() <= EXPONENT_MAX:
        raise ValueError("a number beyond all bounds")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class Http:
    """One target. Only its base URL can be reached: paths are ours, redirects are not followed.

    `sign` puts the credentials on a request. `judge` is the vendor's own reading of an answer, asked before `classify`.
    """

    def __init__(self, target: str, base_url: str, clock: Clock, *, sign: Callable[[httpx.Request], None] = lambda request: None,
                 headers: Mapping[str, str] | None = None, budget: Turnstile | None = None, judge: Judge | None = None, describe: Describe | None = None,
                 timeout_seconds: float = 30.0, attempts: int = 4, total_seconds: float = 90.0, body_bytes_max: int = BODY_BYTES_MAX,
                 transport: httpx.BaseTransport | None = None, session: httpx.Client | None = None) -> None:
        self.target, self._base, self._clock = target, _checked(base_url), clock
        self._sign, self._budget, self._judge, self._describe = sign, budget, judge, describe
        self._attempts, self._total_seconds, self._body_bytes_max = attempts, total_seconds, body_bytes_max
        self._session = session or httpx.Client(
            transport=transport, follow_redirects=False, trust_env=False,
            headers={"Accept": "application/json", "User-Agent": "wharfinger", **(headers or {})},
            timeout=httpx.Timeout(timeout_seconds, connect=min(10.0, timeout_seconds)))

    def at(self, base_url: str = "", *, budget: Turnstile | None = None, judge: Judge | None = None) -> "Http":
        """The same target under another base URL (a second API version), or with a limit or a judge of its own: one client, the same credentials."""
        return Http(self.target, base_url or self._base, self._clock, sign=self._sign, budget=budget or self._budget, judge=judge or self._judge,
                    describe=self._describe, attempts=self._attempts, total_seconds=self._total_seconds, body_bytes_max=self._body_bytes_max,
                    session=self._session)

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def read(self, path: str, params: Mapping[str, Any] | None = None, *, method: str = "GET", body: bytes | None = None,
             content_type: str = "application/json") -> Any:
        """The parsed answer, None for a 204. Tried again, a bounded number of times and seconds, when the answer was lost.

        Raises NotNow, NotAllowed, Refused, or ReadFailed when it kept failing.
        """
        doing = f"{self.target}: {method} {path}"
        began, pause = self._clock.now(), 0.5
        for attempt in range(1, self._attempts + 1):
            try:
                return self._once(doing, method, path, params, body, writing=False, content_type=content_type)
            except (NotNow, ReadFailed) as error:
                wait = pause if error.wait_seconds is None else error.wait_seconds
                spent = (self._clock.now() - began).total_seconds()
                if attempt == self._attempts or spent + wait > self._total_seconds:
                    raise
            self._clock.sleep(wait)
            pause = min(pause * 2, BACK_OFF_SECONDS_MAX)
        raise AssertionError("the loop returns or raises")

    def write(self, method: str, path: str, body: bytes | None = None, judge: Judge | None = None, params: Mapping[str, Any] | None = None,
              last_look: Callable[[], None] | None = None) -> Any:
        """Send once, never again by ourselves. The parsed answer, None for a 204. `judge` reads this one answer before the target's own judge.

        `last_look` is asked when the request is signed and its budget is there, and stops it by raising: either may have taken its time.

        Raises NotNow, NotAllowed, Refused (nothing happened) or InDoubt (nobody knows).
        """
        return self._once(f"{self.target}: {method} {path}", method, path, params, body, writing=True, judge=judge, last_look=last_look)

    def _once(self, doing: str, method: str, path: str, params: Mapping[str, Any] | None, body: bytes | None, *, writing: bool,
              judge: Judge | None = None, content_type: str = "application/json", last_look: Callable[[], None] | None = None) -> Any:
        request = self._request(method, path, params, body, content_type)
        if self._budget:
            self._budget.take(self._clock)
        came: httpx.Response | Exception | None = None
        try:
            if last_look:
                last_look()
            came = self._send(request)
        finally:
            if self._budget:
                known = isinstance(came, httpx.Response)
                self._budget.settle(self._clock, came.status_code if known else None, came.headers if known else {})
        judged = (ask(doing, came) for ask in (judge, self._judge) if ask and isinstance(came, httpx.Response))
        error = next(filter(None, judged), None) or classify(doing, came, self._clock.now(), writing=writing, describe=self._describe)
        if error:
            raise error
        if came.status_code == 204:
            return None
        try:
            return parse(came.content)
        except ValueError:
            kind = came.headers.get("content-type", "no content type")[:40]
            raise (InDoubt if writing else ReadFailed)(doing, f"HTTP {came.status_code} with a body that is not JSON ({kind})") from None

    def _request(self, method: str, path: str, params: Mapping[str, Any] | None, body: bytes | None, content_type: str) -> httpx.Request:
        if not path.startswith("/") or any(bad in path for bad in ("//", "..", "?", "#", "\\", "@")):
            raise BadConfiguration(f"{self.target}: {method}", f"{path[:60]!r} is not a path under the base URL")
        headers = {"Content-Type": content_type} if body is not None else None
        request = self._session.build_request(method, f"{self._base}{path}", params=params, content=body, headers=headers)
        self._sign(request)
        return request

    def _send(self, request: httpx.Request) -> httpx.Response | Exception:
        """The whole response, or what went wrong; a body beyond all bounds is cut off and counts as a broken answer."""
        try:
            response = self._session.send(request, stream=True)
            try:
                chunks, size = [], 0
                for chunk in response.iter_bytes():
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > self._body_bytes_max:
                        return httpx.ReadError("the body is too large")
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return error
        headers = [(k, v) for k, v in response.headers.multi_items() if k.lower() not in ("content-encoding", "transfer-encoding", "content-length")]
        return httpx.Response(response.status_code, headers=headers, content=b"".join(chunks))


def _checked(base_url: str) -> str:
    url = httpx.URL(base_url)
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise BadConfiguration("reading a base URL", f"{url.host or base_url[:60]!r} is not a plain http(s) address")
    # credentials in the clear only on this machine, or to a container beside us (a name without a dot)
    if url.scheme == "http" and "." in url.host and url.host != "127.0.0.1":
        raise BadConfiguration("reading a base URL", f"http:// to {url.host} would send the credentials in the clear", "Use https://.")
    return base_url.rstrip("/")
