"""What customers may send back to us (report by return date): asked for, waited for, read row by row. Merchant-fulfilled orders only.

Amazon makes it on demand, for sixty days at most, and cancels it when there is nothing to say. It has titles and no names; neither is kept.
"""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any

import pandas as pd

from connectors.amazon.reports import Reports
from connectors.amazon.wire_reports import CANCELLED, FATAL, RETURNS, Report
from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument
from connectors.ports import Window
from contracts.base import WHY
from contracts.money import NotMoney, to_minor
from contracts.returns import AuthorisedReturns

SPAN = timedelta(days=60)
REUSED_FOR = timedelta(hours=1)  # a report that somebody asked for as long ago, over all of the period, is as good as a new one
NEEDED = ("Order ID", "Return request date", "Return request status", "Amazon RMA ID", "Currency code", "Merchant SKU", "Return quantity", "Return Reason")
KEY = ("return_id", "order_id", "sku")
DATES = ("%d-%b-%Y", "%Y-%m-%d", "%m/%d/%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")
DIRECT = {"order_id": "Order ID", "return_id": "Amazon RMA ID", "sku": "Merchant SKU", "status": "Return request status", "reason": "Return Reason",
          "resolution": "Resolution", "merchant_rma": "Merchant RMA ID", "tracking_number": "Tracking ID", "claim_id": "SafeT claim id",
          "claim_state": "SafeT claim state", "currency": "Currency code"}
PLAIN, GROUPED = re.compile(r"-?[0-9]{1,12}([.,][0-9]{1,2})?"), re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+\.[0-9]{1,2}")
MONEY = {"refunded_minor": "Refunded Amount", "reimbursed_minor": "SafeT claim reimbursement amount"}


class ReturnsReport:
    """Authorised returns of one account. wait_seconds: how long one call waits for Amazon to make the report."""

    def __init__(self, name: str, reports: Reports, clock: Clock, marketplaces: tuple[str, ...], wait_seconds: float = 180) -> None:
        self._name, self._reports, self._clock, self._marketplaces, self._wait_seconds = name, reports, clock, marketplaces, wait_seconds

    def authorised(self, window: Window) -> tuple[pd.DataFrame, list[dict[str, str]]]:
        """Frame of contract AuthorisedReturns, and the rows that could not be read.

        Raises NotNow while a report is being made (the next call over the same window finds it), NotAllowed, Refused, ReadFailed, BadDocument.
        """
        until = min(window.until, self._clock.now().replace(microsecond=0))
        frames, unreadable = [AuthorisedReturns.frame()], []
        for since, before in _pieces(window.since, until):
            frame, bad = read_returns(self._name, self._body(since, before))
            frames.append(frame)
            unreadable += bad
        return pd.concat(frames, ignore_index=True).drop_duplicates(list(KEY), keep="last", ignore_index=True), unreadable

    def _body(self, since: datetime, until: datetime) -> bytes:
        """The file over one piece of the period; b"" when there is nothing to report."""
        return self._reports.body(self._reports.wait(self._known(since, until) or self._reports.ask(RETURNS, self._marketplaces, since, until), self._wait_seconds))

    def _known(self, since: datetime, until: datetime) -> str:
        """The newest report over all of this period that was asked for lately; '' when there is none."""
        def covers(one: Report) -> bool:
            return bool(one.processingStatus not in (CANCELLED, FATAL) and one.dataStartTime and one.dataEndTime
                        and one.dataStartTime <= since.replace(microsecond=0) and one.dataEndTime >= until.replace(microsecond=0))

        found = [one for one in self._reports.listed((RETURNS,), self._clock.now() - REUSED_FOR) if covers(one)]
        return max(found, key=lambda one: one.createdTime).reportId if found else ""


def read_returns(name: str, body: bytes) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Frame of contract AuthorisedReturns, and the rows that could not be read. Raises BadDocument."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    unreadable: list[dict[str, str]] = []
    for row in _table(name, body) if body else ():
        try:
            found = return_row(name, row)
            if tuple(found[key] for key in KEY) in rows:
                raise ValueError("the same return, order and SKU a second time in one file")
            rows[tuple(found[key] for key in KEY)] = found
        except ValueError as error:
            unreadable.append({"record": f"{row.get('Amazon RMA ID') or '?'}/{row.get('Order ID') or '?'}"[:64], WHY: str(error)[:200]})
    return AuthorisedReturns.frame(rows.values()), unreadable


def _table(name: str, body: bytes) -> Iterator[dict[str, str]]:
    """The rows by column name; columns that we do not know pass, and what a short row lacks is ''."""
    try:
        header, *lines = list(csv.reader(io.StringIO(_decoded(body), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)) or [[]]
    except csv.Error as error:
        raise BadDocument(f"{name}: reading the report of returns", f"it is no table ({error})") from None
    header = [column.strip() for column in header]
    if missing := [column for column in NEEDED if column not in header]:
        raise BadDocument(f"{name}: reading the report of returns", f"it has no column {', '.join(missing)}")
    for cells in lines:
        if any(cells):
            yield dict(zip_longest(header, (cell.strip() for cell in cells[:len(header)]), fillvalue=""))


def return_row(connection: str, row: dict[str, str]) -> dict[str, Any]:
    """A row of AuthorisedReturns. Raises ValueError that says which column is wrong, never what is in it."""
    found: dict[str, Any] = {name: row.get(column, "") for name, column in DIRECT.items()}
    for name in ("order_id", "return_id", "sku", "currency"):
        if not found[name]:
            raise ValueError(f"no {DIRECT[name]}")
    quantity = row["Return quantity"]
    if not (quantity.isascii() and quantity.isdigit() and 0 < int(quantity) < 100_000_000):
        raise ValueError("Return quantity is no number of units")
    return {"connection": connection, **found, "quantity": int(quantity), "is_claimed": row.get("A-to-Z Claim", "").lower() in ("y", "yes", "true"),
            **{name: _money(row.get(column, ""), found["currency"], column) for name, column in MONEY.items()},
            "asked_at": _moment(row["Return request date"], "Return request date"),
            "delivered_at": _moment(row["Return delivery date"], "Return delivery date") if row.get("Return delivery date") else None}


def _pieces(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        yield since, min(since + SPAN, until)
        since += SPAN


def _decoded(body: bytes) -> str:
    """Amazon does not say which encoding: UTF-8 where it can be, else the one of its western marketplaces, which reads any byte."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def _moment(text: str, column: str) -> datetime:
    """A date is the beginning of its day, UTC."""
    told = text.removesuffix(" UTC").strip()
    try:
        moment = datetime.fromisoformat(told)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except ValueError:
        pass
    for form in DATES:
        try:
            return datetime.strptime(told, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError(f"{column} is no date")


def _money(text: str, currency: str, column: str) -> int:
    """'12,50', '12.50' and '1,250.00'; nothing is 0. '1,250' may be either, so it is neither."""
    if PLAIN.fullmatch(text):
        told = text.replace(",", ".")
    else:
        told = text.replace(",", "") if GROUPED.fullmatch(text) else text and "?"
    try:
        return abs(to_minor(told, currency)) if told else 0
    except NotMoney:
        raise ValueError(f"{column} is no amount") from None
