"""The stand-in's reports (2021-06-30): asked for, queued, made, kept for ninety days; their documents behind links that live five minutes.

As documented and as reported: `nextToken` must be the only parameter, settlement statements cannot be asked for and ignore the filter by marketplace,
nothing to report is CANCELLED, and the content type of a document names no character set.
"""

import gzip
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.amazon.sandbox_answers import No, Route, body_of, invalid, listed, moment_of, whole_number
from connectors.amazon.sandbox_returns import DAYS_MAX, Returns, table
from connectors.amazon.wire_reports import CANCELLED, DONE, FATAL, IN_PROGRESS, IN_QUEUE, PAGE_MAX, RETURNS, V1_SETTLEMENT, V2_SETTLEMENT
from connectors.kit.clock import Clock

KEPT, LINK_LIVES = timedelta(days=90), timedelta(minutes=5)
STATUSES = (CANCELLED, DONE, FATAL, IN_PROGRESS, IN_QUEUE)
SETTLEMENTS = (V1_SETTLEMENT, V2_SETTLEMENT)
FILTERS = ("reportTypes", "processingStatuses", "marketplaceIds", "pageSize", "createdSince", "createdUntil")


@dataclass
class Made:
    """One report. outcome: what it will be once it is made."""

    report_id: str
    kind: str
    created_at: datetime
    since: datetime
    until: datetime
    marketplaces: list[str]
    outcome: str = DONE
    document_id: str = ""
    is_scheduled: bool = False
    is_cancelled: bool = False


class ReportsApi:
    """Reports of one account. queue_seconds, make_seconds: how long one that is asked for waits, and is made."""

    def __init__(self, clock: Clock, page_max: int = PAGE_MAX, queue_seconds: float = 20, make_seconds: float = 40, is_packed: bool = True) -> None:
        self._clock, self._page_max, self.is_packed = clock, page_max, is_packed
        self._queue, self._make = timedelta(seconds=queue_seconds), timedelta(seconds=make_seconds)
        self._reports: dict[str, Made] = {}
        self._documents: dict[str, bytes] = {}
        self.returns = Returns(clock)
        self._fail_next = False
        self.gone: tuple[str, ...] = ()  # types that Amazon has taken away
        self.links_given = 0

    def publish(self, kind: str, body: bytes, since: datetime, until: datetime, marketplaces: list[str], outcome: str = DONE) -> str:
        """Amazon's own schedule makes a report: it is there at once. Returns its id."""
        document = self._kept(body)
        made = Made(self._next_id(), kind, self._clock.now(), since, until, marketplaces, outcome, document if outcome == DONE else "", True)
        self._reports[made.report_id] = made
        return made.report_id

    def publish_again(self, report_id: str, is_same_document: bool = False) -> str:
        """The same statement under another report id, and mostly another document's."""
        first = self._reports[report_id]
        document = first.document_id if is_same_document else self._kept(self._documents[first.document_id])
        again = Made(self._next_id(), first.kind, self._clock.now(), first.since, first.until, first.marketplaces, DONE, document, True)
        self._reports[again.report_id] = again
        return again.report_id

    def could_not_be_made(self, report_id: str) -> str:
        """Amazon says so of this one (FATAL); its document, for `publish` later."""
        made = self._reports[report_id]
        document, made.outcome, made.document_id = made.document_id, FATAL, ""
        return document

    def is_made_after_all(self, report_id: str, document: str) -> None:
        """The same statement under another report id, with its document."""
        first = self._reports[report_id]
        again = Made(self._next_id(), first.kind, self._clock.now(), first.since, first.until, first.marketplaces, DONE, document, True)
        self._reports[again.report_id] = again

    def publish_altered(self, report_id: str, old: bytes, new: bytes) -> bool:
        """Another statement under the number of one that was published: with these words instead of those, once. False: it has no such words."""
        first = self._reports[report_id]
        body = self._documents.get(first.document_id, b"")
        if old in body:
            self.is_made_after_all(report_id, self._kept(body.replace(old, new, 1)))
        return old in body

    def slow_down(self, queue_seconds: float) -> None:
        """Amazon is busy: what is asked for waits so long."""
        self._queue = timedelta(seconds=queue_seconds)

    def fail_next_report(self) -> None:
        """The next report that is asked for cannot be made."""
        self._fail_next = True

    def routes(self) -> list[Route]:
        """Its operations."""
        here = "/reports/2021-06-30"
        return [Route("GET", f"{here}/reports", "getReports", self.list_reports), Route("POST", f"{here}/reports", "createReport", self.post_report),
                Route("GET", f"{here}/reports/([^/]+)", "getReport", self.get_report), Route("DELETE", f"{here}/reports/([^/]+)", "cancelReport", self.delete_report),
                Route("GET", f"{here}/documents/([^/]+)", "getReportDocument", self.get_document), Route("GET", "/documents/reports/([^/]+)", "", self.open_link)]

    def step(self) -> None:
        """Nothing: how far a report is, the clock says when it is asked for."""

    def list_reports(self, request: httpx.Request) -> httpx.Response:
        """GET /reports/2021-06-30/reports: the newest first."""
        asked, start = request.url.params, 0
        if "nextToken" in asked:
            if len(asked) > 1:
                raise invalid("nextToken must be the only parameter")
            try:
                start, told = json.loads(bytes.fromhex(asked["nextToken"]))
                asked = httpx.QueryParams(told)
            except (ValueError, TypeError):
                raise invalid("Invalid nextToken") from None
        found = [made for made in reversed(self._reports.values()) if self._fits(made, asked)]
        size = min(self._page_max, _page_size(asked))
        page: dict[str, Any] = {"reports": [self._shown(made) for made in found[start:start + size]]}
        if start + size < len(found):
            page["nextToken"] = json.dumps([start + size, str(asked)]).encode().hex()
        return httpx.Response(200, json=page)

    def post_report(self, request: httpx.Request) -> httpx.Response:
        """POST /reports/2021-06-30/reports."""
        body, now = body_of(request), self._clock.now()
        kind, places, told = body.get("reportType"), body.get("marketplaceIds"), httpx.QueryParams({k: str(v) for k, v in body.items()})
        since, until = moment_of(told, "dataStartTime") or now, moment_of(told, "dataEndTime") or now
        if kind in SETTLEMENTS:
            raise invalid("report type 1118 is not allowed")
        if kind != RETURNS or not isinstance(places, list) or not 1 <= len(places) <= 25 or max(since, until) > now:
            raise invalid("Invalid input", "Invalid input")
        rows = self.returns.asked(since, until)
        outcome = FATAL if self._fail_next or until - since > timedelta(days=DAYS_MAX) else DONE if rows else CANCELLED
        self._fail_next = False
        made = Made(self._next_id(), kind, now, since, until, places, outcome, self._kept(table(rows)) if outcome == DONE else "")
        self._reports[made.report_id] = made
        return httpx.Response(202, json={"reportId": made.report_id})

    def get_report(self, request: httpx.Request, report_id: str) -> httpx.Response:
        """GET /reports/2021-06-30/reports/{reportId}."""
        return httpx.Response(200, json=self._shown(self._known(report_id)))

    def delete_report(self, request: httpx.Request, report_id: str) -> httpx.Response:
        """DELETE /reports/2021-06-30/reports/{reportId}: only while it waits."""
        made = self._known(report_id)
        if self._status(made) != IN_QUEUE:
            raise invalid("The report cannot be cancelled any more")
        made.is_cancelled = True
        return httpx.Response(200)

    def get_document(self, request: httpx.Request, document_id: str) -> httpx.Response:
        """GET /reports/2021-06-30/documents/{reportDocumentId}: a link for five minutes."""
        if document_id not in self._documents:
            raise No(404, "NotFound", "There is no such document")
        self.links_given += 1
        root = str(request.url).partition("/reports/2021-06-30/")[0]
        until = int((self._clock.now() + LINK_LIVES).timestamp())
        link = f"{root}/documents/reports/{document_id}?expires={until}&signature={_signature(document_id, until)}"
        return httpx.Response(200, json={"reportDocumentId": document_id, "url": link, **({"compressionAlgorithm": "GZIP"} if self.is_packed else {})})

    def open_link(self, request: httpx.Request, document_id: str) -> httpx.Response:
        """GET of such a link: no token, no character set; afterwards 403, as an object store says it."""
        told = request.url.params
        expires = told.get("expires", "")
        is_good = expires.isdigit() and told.get("signature") == _signature(document_id, int(expires)) and document_id in self._documents
        if not is_good or self._clock.now().timestamp() >= int(expires):
            return httpx.Response(403, headers={"content-type": "application/xml"}, content=b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
        body = self._documents[document_id]
        return httpx.Response(200, headers={"content-type": "text/plain"}, content=gzip.compress(body, mtime=0) if self.is_packed else body)

    def books(self) -> dict[str, Any]:
        """Its own record: reports as they stand, the documents behind them, and every return that was asked for."""
        reports = [{"reportDocumentId": "", **self._shown(made), "body": self._documents.get(made.document_id)} for made in self._reports.values()]
        return {"reports": reports, "returns": self.returns.asked()}

    def _fits(self, made: Made, asked: httpx.QueryParams) -> bool:
        if unknown := set(asked) - set(FILTERS):
            raise invalid(f"Unknown parameter {sorted(unknown)[0]}")
        if set(listed(asked, "reportTypes")) & set(self.gone):
            raise invalid("Invalid input", "reportTypes")
        statuses, places = listed(asked, "processingStatuses"), listed(asked, "marketplaceIds")
        if made.created_at < self._clock.now() - KEPT:
            return False
        since, until = moment_of(asked, "createdSince") or made.created_at, moment_of(asked, "createdUntil") or made.created_at
        is_placed = not places or made.kind in SETTLEMENTS or bool(set(places) & set(made.marketplaces))
        return made.kind in listed(asked, "reportTypes") and (not statuses or self._status(made) in statuses) and is_placed and since <= made.created_at <= until

    def _status(self, made: Made) -> str:
        if made.is_cancelled:
            return CANCELLED
        age = self._clock.now() - made.created_at
        if made.is_scheduled or age >= self._queue + self._make:
            return made.outcome
        return IN_QUEUE if age < self._queue else IN_PROGRESS

    def _shown(self, made: Made) -> dict[str, Any]:
        status, begun = self._status(made), made.created_at + (timedelta(0) if made.is_scheduled else self._queue)
        shown = {"reportId": made.report_id, "reportType": made.kind, "createdTime": _written(made.created_at), "processingStatus": status,
                 "dataStartTime": _written(made.since), "dataEndTime": _written(made.until), "marketplaceIds": made.marketplaces}
        if status != IN_QUEUE and not made.is_cancelled:
            shown["processingStartTime"] = _written(begun)
        if status in (DONE, FATAL, CANCELLED) and not made.is_cancelled:
            shown["processingEndTime"] = _written(begun + (timedelta(0) if made.is_scheduled else self._make))
        return shown | ({"reportDocumentId": made.document_id} if status == DONE else {})

    def _known(self, report_id: str) -> Made:
        made = self._reports.get(report_id)
        if made is None or made.created_at < self._clock.now() - KEPT:
            raise No(404, "NotFound", "There is no such report")
        return made

    def _kept(self, body: bytes) -> str:
        document = f"amzn1.spdoc.1.4.eu.{hashlib.sha256(f'{len(self._documents)}'.encode()).hexdigest()[:32]}.{len(self._documents) + 1}"
        self._documents[document] = body
        return document

    def _next_id(self) -> str:
        return str(50_001_000_001 + len(self._reports))


def _page_size(asked: httpx.QueryParams) -> int:
    if not 1 <= len(listed(asked, "reportTypes")) <= 10:
        raise invalid("reportTypes or nextToken is required, ten types at most")
    if set(listed(asked, "processingStatuses")) - set(STATUSES):
        raise invalid("Invalid input", "Invalid input in processing status")
    return whole_number(asked, "pageSize", 10, 1, PAGE_MAX)


def _signature(document_id: str, expires: int) -> str:
    return hashlib.sha256(f"sandbox {document_id} {expires}".encode()).hexdigest()


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
