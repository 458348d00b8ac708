"""Reports (2021-06-30): listed, asked for, waited for, fetched. And the settlement statements among them, which can only be listed.

Amazon makes a statement about every two weeks and keeps it for ninety days. Their filter by marketplace is not honoured, the same document may come
under several report ids, and statements of overlapping periods are those of different marketplaces: only the settlement id inside tells them apart.
"""

from collections.abc import Container, Iterator
from datetime import datetime, timedelta
from typing import Any

from connectors.amazon.checked import read
from connectors.amazon.client import Client
from connectors.amazon.wire import in_path, write_moment
from connectors.amazon.wire_reports import (
    CANCELLED,
    DONE,
    FATAL,
    PAGE_MAX,
    V1_SETTLEMENT,
    V2_SETTLEMENT,
    Report,
    ReportDocument,
    ReportMade,
    ReportsPage,
    ReportWanted,
)
from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, NotNow, Refused
from connectors.kit.links import LinkExpired, Links
from connectors.ports import SettlementDocument, Window

PATH = "/reports/2021-06-30"
KEPT = timedelta(days=90)
CLOCKS_APART = timedelta(minutes=5)
PAGES_MAX = 1000
LINKS_MAX = 3  # how often a document is given a new link when the last one would not open
SETTLEMENTS = (V2_SETTLEMENT, V1_SETTLEMENT)
SILENT_SECONDS = 21 * 86_400.0  # a statement comes about every fourteen days, also one over nothing


class Reports:
    """The reports of one account."""

    def __init__(self, name: str, client: Client, clock: Clock, links: Links, page_size: int = PAGE_MAX, poll_seconds: float = 10) -> None:
        self._name, self._client, self._clock, self._links = name, client, clock, links
        self._page_size, self._poll_seconds = page_size, poll_seconds
        self._settlement_types = SETTLEMENTS

    def settlement_documents(self, window: Window, known: Container[str] = ()) -> Iterator[SettlementDocument]:
        """Every statement made in the window, oldest first, each document once. What was yielded stands, whatever is raised after it.

        Those that are known by name are not fetched: fifteen at once and one a minute is all that Amazon gives.

        The window begins ninety days ago at the earliest: older statements are gone. Raises NotNow after the last when some are still being made,
        and BadDocument when some could not be made: the watermark may only move when nothing was raised.
        """
        found = sorted((one for one in self._statements(window) if window.since <= one.createdTime < window.until), key=lambda one: (one.createdTime, one.reportId))
        given: set[str] = set()
        made = {(one.reportType, one.dataStartTime, one.dataEndTime) for one in found if one.processingStatus == DONE}
        for report in found:
            if report.processingStatus == DONE and report.reportDocumentId not in given and report.reportDocumentId not in known:
                given.add(report.reportDocumentId)
                yield SettlementDocument(report.reportDocumentId, report.reportType, self.body(report), report.createdTime)
        failed = [one for one in found if one.processingStatus == FATAL and (one.reportType, one.dataStartTime, one.dataEndTime) not in made]
        if failed:
            raise BadDocument(f"{self._name}: reading settlement statements", f"Amazon could not make {', '.join(one.reportId for one in failed[:5])}",
                              "Look for it under Payments in Seller Central, and reconcile the file from there.")
        waiting = [one.reportId for one in found if one.is_waited_for]
        if waiting:
            raise NotNow(f"{self._name}: reading settlement statements", f"{', '.join(waiting[:5])} is still being made")

    def listed(self, types: tuple[str, ...], since: datetime) -> Iterator[Report]:
        """Every report of these types made since, once. Raises NotNow, NotAllowed, Refused, ReadFailed, BadDocument."""
        params: dict[str, Any] = {"reportTypes": ",".join(types), "pageSize": self._page_size,
                                  "createdSince": write_moment(max(since, self._clock.now() - KEPT + CLOCKS_APART))}
        tokens: set[str] = set()
        known: set[str] = set()
        for _ in range(PAGES_MAX):
            page = read(ReportsPage, self._client.read("getReports", f"{PATH}/reports", params), "/reports")
            for report in page.reports:
                if report.reportId not in known:
                    known.add(report.reportId)
                    yield report
            if not page.nextToken:
                return
            if page.nextToken in tokens:
                raise BadDocument("reading /reports", "the token of the next page came before: it goes round in circles")
            tokens.add(page.nextToken)
            params = {"nextToken": page.nextToken}  # alone: anything beside it is a 400
        raise BadDocument("reading /reports", f"more than {PAGES_MAX} pages")

    def ask(self, kind: str, marketplaces: tuple[str, ...], since: datetime, until: datetime) -> str:
        """Ask for a report over a period. Its id. Asked twice there are two of them, which costs nothing but a place in the queue: so it is a read."""
        wanted = ReportWanted(reportType=kind, marketplaceIds=list(marketplaces), dataStartTime=write_moment(since), dataEndTime=write_moment(until))
        answer = self._client.read("createReport", f"{PATH}/reports", method="POST", body=wanted.model_dump_json().encode())
        return read(ReportMade, answer, "/reports").reportId

    def wait(self, report_id: str, seconds: float) -> Report:
        """The report once it is done or cancelled (then there was nothing to report). Raises NotNow when it takes longer, Refused when it failed."""
        doing, began = f"{self._name}: waiting for report {report_id}", self._clock.now()
        while True:
            report = read(Report, self._client.read("getReport", f"{PATH}/reports/{in_path(report_id)}"), "/reports/{id}")
            if report.processingStatus == FATAL:
                raise Refused(doing, "Amazon could not make it (FATAL)", "Ask for it again later, or over a shorter period.")
            if not report.is_waited_for:
                return report
            spent = (self._clock.now() - began).total_seconds()
            if spent + self._poll_seconds > seconds:
                raise NotNow(doing, f"it is {report.processingStatus} after {spent:.0f} s", wait_seconds=60)
            self._clock.sleep(self._poll_seconds)

    def body(self, report: Report) -> bytes:
        """Its document, decompressed. A link lives five minutes: when it does not open, a new one is asked for."""
        if report.processingStatus == CANCELLED:
            return b""
        for tried in range(1, LINKS_MAX + 1):
            told = read(ReportDocument, self._client.read("getReportDocument", f"{PATH}/documents/{in_path(report.reportDocumentId)}"), "/documents/{id}")
            try:
                return self._links.get(told.url, packed=told.compressionAlgorithm == "GZIP")
            except LinkExpired:
                if tried == LINKS_MAX:
                    raise
        raise AssertionError("the loop returns or raises")

    def _statements(self, window: Window) -> list[Report]:
        """Reports of both kinds of statement; of the newer only, once the older is no longer known there."""
        try:
            return list(self.listed(self._settlement_types, window.since))
        except Refused:
            if len(self._settlement_types) == 1:
                raise
        found = list(self.listed(SETTLEMENTS[:1], window.since))
        self._settlement_types = SETTLEMENTS[:1]
        return found
