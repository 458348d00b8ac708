"""What travels of reports (2021-06-30), in Amazon's own field names. Unknown fields pass: some are added every year."""

from typing import Literal

from pydantic import Field

from connectors.amazon.wire import Moment, Read, Sent, Text

V2_SETTLEMENT = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2"
V1_SETTLEMENT = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE"
RETURNS = "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE"
PAGE_MAX = 100
IN_QUEUE, IN_PROGRESS, DONE, CANCELLED, FATAL = "IN_QUEUE", "IN_PROGRESS", "DONE", "CANCELLED", "FATAL"


class Report(Read):
    """One report: asked for by us, or made by Amazon's own schedule."""

    reportId: str = Field(min_length=1)
    reportType: str = Field(min_length=1)
    processingStatus: Literal["CANCELLED", "DONE", "FATAL", "IN_PROGRESS", "IN_QUEUE"]
    createdTime: Moment
    dataStartTime: Moment | None = None
    dataEndTime: Moment | None = None
    marketplaceIds: list[str] | None = None
    reportDocumentId: Text = ""

    @property
    def is_waited_for(self) -> bool:
        """Will it be something else a little later?"""
        return self.processingStatus in (IN_QUEUE, IN_PROGRESS)


class ReportsPage(Read):
    """A page of getReports."""

    reports: list[Report]
    nextToken: Text = ""


class ReportMade(Read):
    """The answer of createReport."""

    reportId: str = Field(min_length=1)


class ReportDocument(Read):
    """Where a document lies, for five minutes."""

    reportDocumentId: str = Field(min_length=1)
    url: str = Field(min_length=1)
    compressionAlgorithm: Literal["GZIP", ""] | None = None


class ReportWanted(Sent):
    """What createReport is asked for (CreateReportSpecification)."""

    reportType: str
    marketplaceIds: list[str] = Field(min_length=1, max_length=25)
    dataStartTime: str
    dataEndTime: str
