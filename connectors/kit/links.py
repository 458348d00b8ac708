"""Documents behind links that came in a payload: fetched and put without credentials, from named hosts only, bounded, and unpacked with care.

A link is somebody else's text: it may point at our own network, elsewhere, or at a bomb. So its host must stand in the settings (a pattern as of
fnmatch: `*.s3.*.amazonaws.com`), https is a must beyond this machine, no redirect is followed, and neither what comes nor what it unpacks to may
be larger than said. No link is ever shown in an error or a log: it holds its own key.
"""

import zlib
from fnmatch import fnmatchcase

import httpx

from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, NotAllowed, NotNow, WharfingerError
from connectors.kit.http import ReadFailed, classify

BYTES_MAX = 512 * 1024 * 1024
RATIO_MAX, RATIO_FROM = 100, 8 * 1024 * 1024  # what unpacks to less than that is no bomb, however well it was packed
GONE = (400, 403, 404, 410)  # how object stores answer a link that has expired
CHUNK = 1024 * 1024


class LinkExpired(NotNow):
    """The link does not open any more: a new one is to be asked for."""

    helps = "Trying again with a new link will help."


class Links:
    """Opens links to documents. hosts: patterns of the hosts that may be reached."""

    def __init__(self, target: str, clock: Clock, hosts: tuple[str, ...], *, bytes_max: int = BYTES_MAX, timeout_seconds: float = 60.0, attempts: int = 3,
                 transport: httpx.BaseTransport | None = None) -> None:
        self._target, self._clock, self._hosts, self._bytes_max, self._attempts = target, clock, hosts, bytes_max, attempts
        self._session = httpx.Client(transport=transport, follow_redirects=False, trust_env=False, headers={"User-Agent": "wharfinger"},
                                     timeout=httpx.Timeout(timeout_seconds, connect=min(10.0, timeout_seconds)))

    def get(self, link: str, packed: bool = False) -> bytes:
        """What lies there, unpacked (`packed`: it is gzip). Raises LinkExpired, NotNow, NotAllowed (a host that is not ours to reach), ReadFailed, BadDocument."""
        doing = f"{self._target}: fetching a document"
        self._checked(doing, link)
        for attempt in range(1, self._attempts + 1):
            try:
                return self._fetched(doing, link, packed)
            except LinkExpired:
                raise
            except (NotNow, ReadFailed) as error:
                if attempt == self._attempts:
                    raise
                wait = error.wait_seconds
            self._clock.sleep(2.0 ** attempt if wait is None else wait)
        raise AssertionError("the loop returns or raises")

    def put(self, link: str, body: bytes, content_type: str) -> None:
        """Put a document there: the same bytes twice are there once, so a doubt may be put again. Raises LinkExpired, NotNow, NotAllowed, InDoubt."""
        doing = f"{self._target}: putting a document"
        self._checked(doing, link)
        try:
            came: httpx.Response | Exception = self._session.put(link, content=body, headers={"Content-Type": content_type})
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            came = error
        _judge(doing, came, self._clock, writing=True)

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def _checked(self, doing: str, link: str) -> None:
        """Raises NotAllowed when this link may not be opened."""
        try:
            url = httpx.URL(link)
        except (httpx.InvalidURL, TypeError):
            raise NotAllowed(doing, "the link is no URL") from None
        host = url.host.lower().rstrip(".")
        is_here = host in ("127.0.0.1", "localhost") or bool(host and "." not in host and ":" not in host)
        if url.scheme != "https" and not (url.scheme == "http" and is_here) or url.userinfo:
            raise NotAllowed(doing, f"the link is not https, or names a user (host {host[:60]!r})")
        is_numeric = ":" in host or host.replace(".", "").isdigit()
        if not any(host == one if is_numeric else fnmatchcase(host, one.lower()) for one in self._hosts):
            raise NotAllowed(doing, f"the link leads to {host[:60]!r}, which is none of the hosts that documents may come from",
                             "If that host is right, add it to `document_hosts` of the connection.")

    def _fetched(self, doing: str, link: str, packed: bool) -> bytes:
        """One try. The body is read raw: a Content-Encoding would otherwise be unpacked before anybody had counted."""
        try:
            response = self._session.send(self._session.build_request("GET", link, headers={"Accept-Encoding": "identity"}), stream=True)
            try:
                _judge(doing, response, self._clock, writing=False)
                if response.headers.get("content-type", "").lower().startswith("text/html"):
                    raise ReadFailed(doing, f"HTTP {response.status_code} with a page of HTML")
                pieces, size = [], 0
                for piece in response.stream:
                    pieces.append(piece)
                    size += len(piece)
                    if size > self._bytes_max:
                        raise BadDocument(doing, f"it is larger than {self._bytes_max} bytes", "Raise `document_bytes_max` if that is right.")
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise ReadFailed(doing, f"no usable answer ({type(error).__name__})") from None
        body = b"".join(pieces)
        if response.headers.get("content-encoding", "").strip().lower() == "gzip":
            body = unpacked(doing, body, self._bytes_max)
            packed = packed and body[:2] == b"\x1f\x8b"
        return unpacked(doing, body, self._bytes_max) if packed else body


def unpacked(doing: str, body: bytes, bytes_max: int = BYTES_MAX, ratio_max: int = RATIO_MAX) -> bytes:
    """Gunzipped, all members of it. Raises BadDocument for a bomb, ReadFailed for what is cut off or damaged."""
    pieces, size, rest = [], 0, body
    if not body:
        raise ReadFailed(doing, "its gzip is cut off before its first byte")
    while rest:
        stream = zlib.decompressobj(wbits=31)
        try:
            piece = stream.decompress(rest, CHUNK)
            while True:
                pieces.append(piece)
                size += len(piece)
                if size > bytes_max or (size > RATIO_FROM and size > ratio_max * len(body)):
                    raise BadDocument(doing, f"it unpacks to more than {size} bytes, from {len(body)}", "Raise `document_bytes_max` if that is right.")
                if stream.eof or not (piece or stream.unconsumed_tail):
                    break
                piece = stream.decompress(stream.unconsumed_tail, CHUNK)
        except zlib.error:
            raise ReadFailed(doing, "its gzip is damaged") from None
        if not stream.eof:
            raise ReadFailed(doing, "its gzip is cut off")
        rest = stream.unused_data.lstrip(b"\x00")
    return b"".join(pieces)


def _judge(doing: str, came: httpx.Response | Exception, clock: Clock, *, writing: bool) -> None:
    """Raises what the answer means. A redirect is an error like any other status that is no 2xx."""
    if isinstance(came, httpx.Response):
        if came.status_code in GONE:
            raise LinkExpired(doing, f"HTTP {came.status_code}")
        if 300 <= came.status_code < 400:
            raise NotAllowed(doing, f"HTTP {came.status_code}: it leads elsewhere, and no redirect is followed")
    error: WharfingerError | None = classify(doing, came, clock.now(), writing=writing)
    if error:
        raise error
