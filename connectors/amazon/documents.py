"""Documents that Amazon keeps outside its API (feeds, feed results, reports): a presigned address for a few minutes, without our token.

The address itself is a secret while it lives: it is in no error and no log.
"""

import gzip
import io
import zlib

import httpx

from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument
from connectors.kit.http import BODY_BYTES_MAX, ReadFailed, classify

HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".cloudfront.net")


class Documents:
    """Get and put, once each. `own` is the API's base URL: a sandbox keeps its documents there."""

    def __init__(self, name: str, own: str, clock: Clock, timeout_seconds: float, transport: httpx.BaseTransport | None = None,
                 bytes_max: int = 8 * BODY_BYTES_MAX) -> None:
        self._name, self._own, self._clock, self._bytes_max = name, httpx.URL(own), clock, bytes_max
        self._session = httpx.Client(transport=transport, follow_redirects=False, trust_env=False, headers={"User-Agent": "wharfinger"}, timeout=timeout_seconds)

    def get(self, url: str, compression: str = "") -> bytes:
        """The document, decompressed when Amazon says GZIP. Raises ReadFailed, NotNow, NotAllowed (the address has ended), BadDocument."""
        doing = f"{self._name}: fetching a document"
        body = self._sent(doing, "GET", url, None, {}, writing=False)
        if not compression:
            return body
        if compression != "GZIP":
            raise BadDocument(doing, f"it is compressed as {compression[:20]!r}")
        return _unpacked(doing, body, self._bytes_max)

    def put(self, url: str, body: bytes, content_type: str) -> None:
        """Upload. Until the feed is made of it nothing happens, so any failure may be tried again with a new address."""
        self._sent(f"{self._name}: uploading a document", "PUT", url, body, {"Content-Type": content_type}, writing=False)

    def _sent(self, doing: str, method: str, url: str, body: bytes | None, headers: dict[str, str], *, writing: bool) -> bytes:
        self._check(doing, url)
        try:
            response: httpx.Response | Exception = self._session.request(method, url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            response = error
        failed = classify(doing, response, self._clock.now(), writing=writing)
        if failed:
            raise failed
        if len(response.content) > self._bytes_max:
            raise BadDocument(doing, "it is larger than anything Amazon makes")
        return response.content

    def _check(self, doing: str, url: str) -> None:
        try:
            address = httpx.URL(url)
        except (httpx.InvalidURL, TypeError):
            raise ReadFailed(doing, "its address is none") from None
        is_own = (address.scheme, address.host, address.port) == (self._own.scheme, self._own.host, self._own.port)
        if not is_own and (address.scheme != "https" or not address.host.endswith(HOSTS)):
            raise BadDocument(doing, f"its address is at {address.host[:80]!r}, which is no place of Amazon's documents")


def _unpacked(doing: str, body: bytes, bytes_max: int) -> bytes:
    """One gzip member or several, never more than `bytes_max`."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            plain = packed.read(bytes_max + 1)
    except (OSError, EOFError, zlib.error):
        raise BadDocument(doing, "it is no whole gzip file") from None
    if len(plain) > bytes_max:
        raise BadDocument(doing, "unpacked, it is larger than anything Amazon makes")
    return plain
