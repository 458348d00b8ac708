"""What travels of feeds, in Amazon's own field names: feeds 2021-06-30, JSON_LISTINGS_FEED 2.0 and its processing report."""

from typing import Any, Literal

from pydantic import Field

from connectors.amazon.wire import Moment, Read, Sent, Text
from connectors.amazon.wire_listings import ERROR, Patch

LISTINGS_FEED = "JSON_LISTINGS_FEED"
CONTENT_TYPE = "application/json; charset=UTF-8"
MESSAGES_MAX = 25_000
PENDING, FINAL = ("IN_QUEUE", "IN_PROGRESS"), ("DONE", "FATAL", "CANCELLED")


class Uploadable(Read):
    """A document to be: its id, and the address that takes its contents for five minutes."""

    feedDocumentId: str = Field(min_length=1)
    url: str = Field(min_length=1)


class Document(Read):
    """A document that is: the address to fetch it from, for five minutes."""

    feedDocumentId: str
    url: str = Field(min_length=1)
    compressionAlgorithm: Text = ""


class Created(Read):
    """The answer to createFeed."""

    feedId: str = Field(min_length=1)


class Feed(Read):
    """One feed, and how far it has come."""

    feedId: str = Field(min_length=1)
    feedType: str
    processingStatus: Literal["CANCELLED", "DONE", "FATAL", "IN_PROGRESS", "IN_QUEUE"]
    createdTime: Moment
    resultFeedDocumentId: Text = ""


class FeedPage(Read):
    """One page of getFeeds; the token is the only parameter of the next."""

    feeds: list[Any]
    nextToken: Text = ""


class ReportIssue(Read):
    """What became of one message; without a messageId it is about the feed as a whole."""

    messageId: int = 0
    sku: Text = ""
    code: Text = ""
    severity: str
    message: Text = ""
    attributeName: Text = ""

    @property
    def is_error(self) -> bool:
        """Did it keep the message from being taken?"""
        return self.severity == ERROR


class ReportHeader(Read):
    """Whose report it is."""

    sellerId: str
    feedId: str


class ReportSummary(Read):
    """How many messages were looked at and taken."""

    messagesProcessed: int = Field(ge=0)
    messagesAccepted: int = Field(ge=0)
    messagesInvalid: int = Field(ge=0)


class Report(Read):
    """The processing report of a JSON_LISTINGS_FEED."""

    header: ReportHeader
    issues: list[ReportIssue]
    summary: ReportSummary


class CreateDocument(Sent):
    """The body of createFeedDocument."""

    contentType: str = CONTENT_TYPE


class CreateFeed(Sent):
    """The body of createFeed."""

    feedType: Literal["JSON_LISTINGS_FEED"] = LISTINGS_FEED
    marketplaceIds: list[str] = Field(min_length=1, max_length=25)
    inputFeedDocumentId: str = Field(min_length=1)


class FeedHeader(Sent):
    """Whose feed it is."""

    sellerId: str = Field(min_length=1)
    version: Literal["2.0"] = "2.0"


class Message(Sent):
    """One SKU of a feed; `messageId` is how the report names it."""

    messageId: int = Field(ge=1)
    sku: str = Field(min_length=1)
    operationType: Literal["PATCH"] = "PATCH"
    productType: str = Field(min_length=1)
    patches: list[Patch] = Field(min_length=1, max_length=1)


class ListingsFeed(Sent):
    """A whole JSON_LISTINGS_FEED document."""

    header: FeedHeader
    messages: list[Message] = Field(min_length=1, max_length=MESSAGES_MAX)

    def body(self) -> bytes:
        """As JSON."""
        return self.model_dump_json().encode()
