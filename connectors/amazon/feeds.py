"""JSON_LISTINGS_FEED: many figures in one submission. A document is uploaded, a feed made of it, waited for, and its report read message by message.

Nothing happens before createFeed; from then on every error is a doubt that carries the feed's number, so that whoever looks next asks about that
feed. When even the number was lost, nothing is decided while any feed of ours is under way: none can then overwrite what is sent next.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.amazon.checked import read
from connectors.amazon.client import Client
from connectors.amazon.mapping_stock import refusals
from connectors.amazon.wire import in_path, write_moment
from connectors.amazon.wire_feeds import CONTENT_TYPE, LISTINGS_FEED, PENDING, CreateDocument, Created, CreateFeed, Document, Feed, FeedPage, Report, Uploadable
from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, InDoubt, NotNow, WharfingerError
from connectors.kit.http import ReadFailed, parse
from connectors.kit.links import LinkExpired, Links

FEEDS, DOCUMENTS = "/feeds/2021-06-30/feeds", "/feeds/2021-06-30/documents"
PAGES_MAX = 20
SKEW = timedelta(minutes=15)  # their clock and ours may differ by so much


@dataclass
class Outcome:
    """What became of feeds that are over. refused: messageId -> why. broken: '' or why it cannot be told of every message what became of it."""

    refused: dict[int, str] = field(default_factory=dict)
    broken: str = ""


class Feeds:
    """Submissions in bulk. wait_seconds: how long a send waits for a feed; poll_seconds: how long between two looks at it."""

    def __init__(self, name: str, client: Client, links: Links, clock: Clock, wait_seconds: float, poll_seconds: float) -> None:
        self._name, self._client, self._links, self._clock = name, client, links, clock
        self._wait, self._poll = timedelta(seconds=wait_seconds), poll_seconds

    def upload(self, body: bytes) -> str:
        """Put the document there; nothing is made of it yet. Its id. Raises DefiniteNo only."""
        try:
            made = read(Uploadable, self._client.write("createFeedDocument", "POST", DOCUMENTS, CreateDocument().model_dump_json().encode()), "a new feed document")
            self._links.put(made.url, body, CONTENT_TYPE)
        except (InDoubt, BadDocument) as error:
            raise NotNow(error.doing, error.got, "A document of which no feed was made changes nothing.") from None
        return made.feedDocumentId

    def create(self, marketplaces: tuple[str, ...], document: str, last_look: Callable[[], None]) -> str:
        """Make a feed of the document, once. Its number. Raises what `last_look` raises, DefiniteNo, or InDoubt when nobody knows."""
        body = CreateFeed(marketplaceIds=list(marketplaces), inputFeedDocumentId=document).model_dump_json().encode()
        try:
            return read(Created, self._client.write("createFeed", "POST", FEEDS, body, last_look=last_look), "a new feed").feedId
        except BadDocument as error:
            raise InDoubt(error.doing, error.got) from None

    def outcome(self, known: dict[str, Any], since: datetime, until: datetime | None = None) -> Outcome:
        """Wait for the feeds known['feeds'] (number -> how many messages it has), no longer than until then, and read their reports.

        Raises InDoubt, with `known` as its evidence, while one is not over, or another of ours, made since then, is still under way.
        """
        feeds = known["feeds"]
        ends = self._clock.now() + self._wait if until is None else min(self._clock.now() + self._wait, until)
        found = Outcome()
        try:
            for feed in [self._over(one, ends) for one in feeds]:
                self._read(feed, feeds.get(feed.feedId, 0), found)
            self.none_pending(since)
        except InDoubt as error:
            raise InDoubt(error.doing, error.got, wait_seconds=error.wait_seconds or self._poll, evidence=known) from None
        except WharfingerError as error:
            raise InDoubt(error.doing, error.got, error.remedy, error.wait_seconds or self._poll, known) from None
        return found

    def none_pending(self, since: datetime) -> None:
        """Raises InDoubt while any listings feed made since then is under way: one that a proxy delivered twice, or whose number nobody learned."""
        pending = self._pending(since)
        if pending:
            raise InDoubt(f"{self._name}: looking for feeds", f"feed {pending[0].feedId} is {pending[0].processingStatus}", wait_seconds=self._poll)

    def _pending(self, since: datetime) -> list[Feed]:
        params: dict[str, str] = {"feedTypes": LISTINGS_FEED, "processingStatuses": ",".join(PENDING), "createdSince": write_moment(since - SKEW), "pageSize": "100"}
        found: list[Feed] = []
        for _ in range(PAGES_MAX):
            page = read(FeedPage, self._client.read("getFeeds", FEEDS, params), "feeds")
            found += [read(Feed, row, "a feed") for row in page.feeds]
            if not page.nextToken:
                return [one for one in found if one.processingStatus in PENDING]
            params = {"nextToken": page.nextToken}  # and nothing else
        raise BadDocument(f"{self._name}: listing feeds", f"there is no end to them after {PAGES_MAX} pages")

    def _over(self, feed_id: str, ends: datetime) -> Feed:
        while True:
            feed = read(Feed, self._client.read("getFeed", f"{FEEDS}/{in_path(feed_id)}"), "a feed")
            if feed.processingStatus not in PENDING:
                return feed
            if self._clock.now() + timedelta(seconds=self._poll) > ends:
                raise InDoubt(f"{self._name}: waiting for feed {feed_id}", f"it is {feed.processingStatus}", wait_seconds=self._poll)
            self._clock.sleep(self._poll)

    def _read(self, feed: Feed, size: int, found: Outcome) -> None:
        if feed.processingStatus != "DONE" or not feed.resultFeedDocumentId:
            found.broken = f"feed {feed.feedId} ended {feed.processingStatus}" + ("" if feed.processingStatus != "DONE" else " without a report")
            return
        report = self._report(feed)
        named, of_all = refusals(report), [issue for issue in report.issues if issue.is_error and not issue.messageId]
        found.refused |= named
        if of_all or report.summary.messagesAccepted + len(named) < size:
            codes = ", ".join(sorted({issue.code for issue in of_all if issue.code}))
            found.broken = f"feed {feed.feedId} took {report.summary.messagesAccepted} of {size} messages, and names {len(named)} that it did not take" + (
                f" (issue {codes} about the feed)" if codes else "")

    def _report(self, feed: Feed) -> Report:
        """Its processing report. Raises BadDocument when it is not this feed's."""
        at = f"{self._name}: reading the report of feed {feed.feedId}"
        document = read(Document, self._client.read("getFeedDocument", f"{DOCUMENTS}/{in_path(feed.resultFeedDocumentId)}"), "a feed document")
        try:
            body = self._links.get(document.url, bool(document.compressionAlgorithm))
        except LinkExpired as error:
            raise ReadFailed(at, error.got) from None
        try:
            report = read(Report, parse(body), "a processing report")
        except ValueError:
            raise ReadFailed(at, "it is not JSON") from None
        if report.header.feedId != feed.feedId:
            raise BadDocument(at, "it is another feed's")
        return report
