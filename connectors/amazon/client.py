"""The Selling Partner API as every part of this connector calls it: by the name of the operation, within that operation's own rate.

Status, retries of reads and the reading of JSON are the kit's (`Http`); what the answers mean is `wire`'s. A token that has ended is
renewed and the call made once more: an expired token is a definite no, so nothing happened.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx

from connectors.amazon.login import Login
from connectors.kit.buckets import Bucket, Buckets
from connectors.kit.clock import Clock
from connectors.kit.errors import NotAllowed, NotNow, WharfingerError
from connectors.kit.http import Http

# what may be shown of a refusal: Amazon's codes and the names of fields, never free text: it may quote what was sent
CODE = re.compile(r"[A-Za-z][A-Za-z0-9 _.-]{0,60}")
FIELDS = ("packageReferenceId", "carrierCode", "carrierName", "trackingNumber", "shipDate", "shippingMethod", "orderItemId", "orderItems", "quantity",
          "marketplaceId", "marketplaceIds", "lastUpdatedAfter", "lastUpdatedBefore", "includedData", "fulfilledBy", "paginationToken", "maxResultsPerPage",
          "productType", "patches", "fulfillment_availability", "sellerId", "sku", "feedType", "reportType", "reportTypes", "createdSince", "nextToken",
          "relatedIdentifierName", "postedAfter", "PackageToUpdateNotFound")
ERROR_BYTES_MAX = 65_536


class TokenEnded(NotAllowed):
    """401 or 403 with the words of a token that has ended."""


def errors(response: httpx.Response) -> list[dict[str, str]]:
    """Amazon's `errors` list: code, message and details as text; [] when the body has none."""
    if len(response.content) > ERROR_BYTES_MAX:
        return []
    try:
        listed = response.json()["errors"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    found = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    return [{key: str(e.get(key) or "") for key in ("code", "message", "details")} for e in found[:20]]


def said(response: httpx.Response) -> str:
    """What may be told of a refusal: Amazon's codes, and which fields it names."""
    found = errors(response)
    codes = dict.fromkeys(e["code"] for e in found if CODE.fullmatch(e["code"]))
    text = " ".join(f"{e['message']} {e['details']}" for e in found)
    named = [field for field in FIELDS if re.search(rf"(?<![A-Za-z]){field}(?![A-Za-z])", text)]
    return " ".join(part for part in (", ".join(codes), f"(about {', '.join(named)})" if named else "") if part)


class Client:
    """One seller account in one region."""

    def __init__(self, http: Http, login: Login, buckets: Buckets, clock: Clock) -> None:
        self._http, self._login, self._buckets, self._clock = http, login, buckets, clock

    @property
    def target(self) -> str:
        """The connection's name, for errors."""
        return self._http.target

    def read(self, operation: str, path: str, params: Mapping[str, Any] | None = None, *, method: str = "GET", body: bytes | None = None) -> Any:
        """The parsed answer of a call that changes nothing, tried again while the answer is lost. Raises NotNow, NotAllowed, Refused, ReadFailed."""
        return self._renewed(lambda: self._limited(operation).read(path, params, method=method, body=body))

    def write(self, operation: str, method: str, path: str, body: bytes | None = None, params: Mapping[str, Any] | None = None,
              last_look: Callable[[], None] | None = None) -> Any:
        """Send once; the parsed answer, None for a 204. Raises NotNow, NotAllowed, Refused (nothing happened) or InDoubt (nobody knows)."""
        return self._renewed(lambda: self._limited(operation).write(method, path, body, params=params, last_look=last_look))

    def _limited(self, operation: str) -> Http:
        bucket = self._buckets.of(operation)
        return self._http.at(budget=bucket, judge=partial(_judge, bucket, self._clock))

    def _renewed(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except TokenEnded:
            self._login.forget()
        except NotAllowed:
            self._login.forget()
            raise
        return call()


def _judge(bucket: Bucket, clock: Clock, doing: str, response: httpx.Response) -> WharfingerError | None:
    """Amazon's own reading of an answer: when a throttled call may come again, and whether a token has merely ended."""
    status = response.status_code
    if status == 429:
        return NotNow(doing, f"HTTP {status}, {said(response) or 'too many requests'}", wait_seconds=max(0.001, bucket.seconds_to_wait(clock.now())))
    if status in (401, 403):
        ended = any("expired" in f"{e['message']} {e['details']}".lower() for e in errors(response))
        remedy = "Check the roles of the application, and that the seller still authorises it."
        return (TokenEnded if ended else NotAllowed)(doing, f"HTTP {status} {said(response)}".strip(), remedy)
    return None
