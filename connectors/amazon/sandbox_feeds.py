"""The stand-in's feeds (2021-06-30): a document uploaded to a presigned address, a feed made of it, processed one at a time, and a report.

Feeds of one seller are processed in the order in which they were made.
"""

import gzip
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import httpx

from connectors.amazon.sandbox_answers import No, Route, body_of, invalid, listed, moment_of, whole_number
from connectors.amazon.sandbox_shelf import Shelf, iso, problems
from connectors.amazon.wire_feeds import FINAL, LISTINGS_FEED, MESSAGES_MAX, PENDING
from connectors.kit.clock import Clock

URL_SECONDS, PAGE, PAGE_MAX, KEPT = 300, 10, 100, timedelta(days=90)
STATUSES = (*PENDING, *FINAL)
GONE = ("POST_PRODUCT_DATA", "POST_INVENTORY_AVAILABILITY_DATA", "POST_PRODUCT_PRICING_DATA", "POST_FLAT_FILE_INVLOADER_DATA")  # ended on 2025-07-31


FEEDS = "/feeds/2021-06-30"


class FeedsApi:
    """A part (sandbox_answers.Part). `cut_short`: how the next feeds end instead of DONE ('FATAL', 'CANCELLED'), oldest first. is_packed: reports are gzipped."""

    def __init__(self, clock: Clock, shelf: Shelf, seller_id: str, marketplaces: tuple[str, ...], queue_seconds: float, processing_seconds: float) -> None:
        self._clock, self._shelf, self._seller, self._marketplaces = clock, shelf, seller_id, marketplaces
        self.is_packed = True
        self._queue, self._work = timedelta(seconds=queue_seconds), timedelta(seconds=processing_seconds)
        self.feeds: dict[str, dict[str, Any]] = {}
        self.cut_short: list[str] = []
        self.swallows = 0  # of so many of the next feeds one message is neither taken nor named, though they are DONE
        self._documents: dict[str, dict[str, Any]] = {}
        self._addresses: dict[str, tuple[str, str, datetime]] = {}  # key of an address -> method, document, until when
        self._pages: dict[str, tuple[list[str], int]] = {}

    def routes(self) -> list[Route]:
        """feeds 2021-06-30, and the addresses of its documents."""
        return [Route("POST", f"{FEEDS}/documents", "createFeedDocument", self.post_document), Route("GET", f"{FEEDS}/documents/([^/]+)", "getFeedDocument", self.get_document),
                Route("POST", f"{FEEDS}/feeds", "createFeed", self.post_feed), Route("GET", f"{FEEDS}/feeds", "getFeeds", self.list_feeds),
                Route("GET", f"{FEEDS}/feeds/([^/]+)", "getFeed", self.get_feed), Route("DELETE", f"{FEEDS}/feeds/([^/]+)", "cancelFeed", self.cancel_feed),
                Route("PUT", "/documents/feeds/([^/]+)", "", self.presigned), Route("GET", "/documents/feeds/([^/]+)", "", self.presigned)]

    def step(self) -> None:
        """What is due: the oldest feed is processed first, and the next only when it is done."""
        for feed in self.feeds.values():
            if feed["status"] == "IN_QUEUE" and feed["starts_at"] <= self._clock.now():
                feed["status"] = "IN_PROGRESS"
            if feed["status"] == "IN_PROGRESS" and feed["ends_at"] <= self._clock.now():
                self._process(feed)
            if feed["status"] in PENDING:
                return

    def books(self) -> dict[str, Any]:
        """feeds: every feed so far, with its messages and its report."""
        self.step()
        return {"feeds": [{name: one[name] for name in ("feed_id", "type", "status", "created_at", "messages", "report")} for one in self.feeds.values()]}

    def post_document(self, request: httpx.Request) -> httpx.Response:
        """POST /feeds/2021-06-30/documents."""
        kind = body_of(request).get("contentType")
        if not isinstance(kind, str) or not kind:
            raise invalid("Invalid input", "contentType")
        document = self._document(kind)
        return httpx.Response(201, json={"feedDocumentId": document, "url": self._address(request, "PUT", document)})

    def get_document(self, request: httpx.Request, document: str) -> httpx.Response:
        """GET /feeds/2021-06-30/documents/{feedDocumentId}."""
        known = self._documents.get(document)
        if known is None or known["body"] is None:
            raise No(404, "NotFound", "The document does not exist.", "feedDocumentId")
        packed = {"compressionAlgorithm": "GZIP"} if known["is_packed"] else {}
        return httpx.Response(200, json={"feedDocumentId": document, "url": self._address(request, "GET", document), **packed})

    def post_feed(self, request: httpx.Request) -> httpx.Response:
        """POST /feeds/2021-06-30/feeds: 202, and nothing has been looked at yet."""
        body = body_of(request)
        kind, places, document = body.get("feedType"), body.get("marketplaceIds"), body.get("inputFeedDocumentId")
        if kind in GONE or not isinstance(kind, str) or not kind or not isinstance(places, list) or not 1 <= len(places) <= 25:
            raise invalid("Invalid input", "feedType or marketplaceIds")
        if not set(places) <= set(self._marketplaces) or document not in self._documents:
            raise invalid("Invalid input", "marketplaceIds or inputFeedDocumentId")
        key = str(50_000_000_000 + len(self.feeds) + 1)
        starts_at = max([self._clock.now() + self._queue, *(one["ends_at"] for one in self.feeds.values() if one["status"] in PENDING)])
        self.feeds[key] = {"feed_id": key, "type": kind, "places": places, "document": document, "created_at": self._clock.now(), "starts_at": starts_at,
                           "ends_at": starts_at + self._work, "status": "IN_QUEUE", "result": "", "messages": [], "report": None}
        return httpx.Response(202, json={"feedId": key})

    def get_feed(self, request: httpx.Request, feed_id: str) -> httpx.Response:
        """GET /feeds/2021-06-30/feeds/{feedId}."""
        return httpx.Response(200, json=_shape(self._feed(feed_id)))

    def cancel_feed(self, request: httpx.Request, feed_id: str) -> httpx.Response:
        """DELETE /feeds/2021-06-30/feeds/{feedId}: only while it waits."""
        feed = self._feed(feed_id)
        if feed["status"] != "IN_QUEUE":
            raise invalid("Only a feed that is IN_QUEUE can be cancelled.")
        feed["status"] = "CANCELLED"
        return httpx.Response(200)

    def list_feeds(self, request: httpx.Request) -> httpx.Response:
        """GET /feeds/2021-06-30/feeds: newest first; with nextToken and nothing else the page after."""
        given = request.url.params
        if "nextToken" in given:
            if set(given) != {"nextToken"} or given["nextToken"] not in self._pages:
                raise invalid("Invalid input", "nextToken must be the only parameter")
            keys, size = self._pages[given["nextToken"]]
        else:
            keys, size = self._found(given)
        more = {}
        if len(keys) > size:
            token = f"token{len(self._pages) + 1}"
            self._pages[token] = (keys[size:], size)
            more = {"nextToken": token}
        return httpx.Response(200, json={"feeds": [_shape(self.feeds[key]) for key in keys[:size]], **more})

    def presigned(self, request: httpx.Request, key: str) -> httpx.Response:
        """PUT or GET of a document at its presigned address, which needs no token and lives five minutes."""
        method, document, until = self._addresses.get(key, ("", "", self._clock.now()))
        if method != request.method or self._clock.now() >= until:
            return httpx.Response(403, headers={"content-type": "application/xml"}, content=b"<Error><Code>AccessDenied</Code></Error>")
        known = self._documents[document]
        if method == "GET":
            return httpx.Response(200, headers={"content-type": "application/octet-stream"}, content=known["body"])
        if request.headers.get("content-type", "").lower() != known["kind"].lower():
            return httpx.Response(403, headers={"content-type": "application/xml"}, content=b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        known["body"] = request.content
        return httpx.Response(200)

    def _found(self, given: httpx.QueryParams) -> tuple[list[str], int]:
        kinds, states, places, size = listed(given, "feedTypes"), listed(given, "processingStatuses"), listed(given, "marketplaceIds"), whole_number(given, "pageSize", PAGE, 1, PAGE_MAX)
        if not kinds or not set(states) <= set(STATUSES):
            raise invalid("Invalid input", "feedTypes or processingStatuses")
        since, until = moment_of(given, "createdSince") or self._clock.now() - KEPT, moment_of(given, "createdUntil") or self._clock.now()
        keys = [key for key, one in self.feeds.items() if one["type"] in kinds and since <= one["created_at"] <= until
                and (not states or one["status"] in states) and (not places or set(places) & set(one["places"]))]
        return keys[::-1], size

    def _feed(self, feed_id: str) -> dict[str, Any]:
        if feed_id not in self.feeds:
            raise No(404, "NotFound", "The feed does not exist.", "feedId")
        return self.feeds[feed_id]

    def _document(self, kind: str, body: bytes | None = None, is_packed: bool = False) -> str:
        key = f"amzn1.tortuga.4.eu.{len(self._documents) + 1:08x}"
        self._documents[key] = {"kind": kind, "body": body, "is_packed": is_packed}
        return key

    def _address(self, request: httpx.Request, method: str, document: str) -> str:
        key = f"{len(self._addresses) + 1:08x}"
        self._addresses[key] = (method, document, self._clock.now() + timedelta(seconds=URL_SECONDS))
        port = f":{request.url.port}" if request.url.port else ""
        prefix = request.url.path.partition(FEEDS)[0]
        return f"{request.url.scheme}://{request.url.host}{port}{prefix}/documents/feeds/{key}?X-Amz-Expires={URL_SECONDS}&X-Amz-Signature={key}"

    def _process(self, feed: dict[str, Any]) -> None:
        feed["status"] = ending = self.cut_short.pop(0) if self.cut_short else "DONE"
        if ending == "CANCELLED":
            return
        issues, taken = self._read(feed)
        if ending == "FATAL":
            taken = taken[:len(taken) // 2]  # some, none or all of it has been carried out
        elif self.swallows and len(taken) > 1:
            self.swallows, taken = self.swallows - 1, taken[1:]
        self._shelf.accept(taken, f"feed {feed['feed_id']}", timedelta(0))
        self._shelf.settle()
        if feed["status"] == "FATAL":
            return
        wrong = {issue["messageId"] for issue in issues if "messageId" in issue}
        feed["report"] = {"header": {"sellerId": self._seller, "version": "2.0", "feedId": feed["feed_id"]}, "issues": issues,
                          "summary": {"errors": len(issues), "warnings": 0, "messagesProcessed": len(feed["messages"]), "messagesAccepted": len(taken),
                                      "messagesInvalid": len(wrong)}}
        body = json.dumps(feed["report"]).encode()
        feed["result"] = self._document("application/json; charset=UTF-8", gzip.compress(body) if self.is_packed else body, self.is_packed)

    def _read(self, feed: dict[str, Any]) -> tuple[list[dict[str, Any]], list[tuple[str, list[dict[str, Any]]]]]:
        """The issues of its messages, and what is taken of it. A document that cannot be read is FATAL."""
        try:
            sent = json.loads(self._documents[feed["document"]]["body"] or b"")
            messages = sent["messages"]
            is_sound = sent["header"]["sellerId"] == self._seller and sent["header"]["version"] == "2.0" and 1 <= len(messages) <= MESSAGES_MAX
        except (ValueError, KeyError, TypeError):
            is_sound = False
        if not is_sound or feed["type"] != LISTINGS_FEED:
            feed["status"] = "FATAL"
            return [], []
        feed["messages"] = messages
        issues, taken, seen = [], [], set()
        for message in messages:
            found = list(self._wrong(message, feed["places"], seen))
            seen.add(message.get("messageId"))
            issues += [{"messageId": message.get("messageId"), "sku": message.get("sku"), **issue} for issue in found]
            if not found:
                taken.append((message["sku"], message["patches"]))
        return issues, taken

    def _wrong(self, message: dict[str, Any], places: list[str], seen: set[Any]) -> Iterable[dict[str, Any]]:
        sku = message.get("sku")
        if message.get("messageId") in seen or message.get("operationType") != "PATCH" or not message.get("productType") or not message.get("patches"):
            yield {"code": "BAD_REQUEST", "severity": "ERROR", "message": "Invalid parameters provided."}
        elif sku not in self._shelf.listed:
            yield {"code": "13013", "severity": "ERROR", "message": "This SKU does not exist in the catalogue of this seller."}
        else:
            for issue in problems(self._shelf, sku, places, message["patches"]):
                named = {"attributeName": issue["attributeNames"][0]} if issue["attributeNames"] else {}
                yield {"code": issue["code"], "severity": issue["severity"], "message": issue["message"], **named}


def _shape(feed: dict[str, Any]) -> dict[str, Any]:
    made = {"feedId": feed["feed_id"], "feedType": feed["type"], "marketplaceIds": feed["places"], "createdTime": iso(feed["created_at"]),
            "processingStatus": feed["status"]}
    if feed["status"] != "IN_QUEUE":
        made["processingStartTime"] = iso(feed["starts_at"])
    if feed["status"] in FINAL:
        made["processingEndTime"] = iso(feed["ends_at"])
    return {**made, "resultFeedDocumentId": feed["result"]} if feed["result"] else made
