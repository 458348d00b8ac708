"""The stand-in's returns: what customers asked to send back, and the flat file that tells of it (returns by return date)."""

import csv
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors.kit.clock import Clock
from contracts.money import to_major

DAYS_MAX = 60
COLUMNS = (
    "Order ID", "Order date", "Return request date", "Return request status", "Amazon RMA ID", "Merchant RMA ID", "Label type", "Label cost", "Currency code",
    "Return carrier", "Tracking ID", "Label to be paid by", "A-to-Z Claim", "Is prime", "ASIN", "Merchant SKU", "Item Name", "Return quantity",
    "Return Reason", "In policy", "Return type", "Resolution", "Invoice number", "Return delivery date", "Order Amount", "Order quantity",
    "SafeT Action reason", "SafeT claim id", "SafeT claim state", "SafeT claim creation time", "SafeT claim reimbursement amount", "Refunded Amount")
BEGINNING, END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass
class Return:
    """A customer sends something back: the columns that are filled, and when it was asked for."""

    asked_at: datetime
    cells: dict[str, str] = field(default_factory=dict)


class Returns:
    """Every return of one account."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: list[Return] = []

    def send_back(self, order_id: str, sku: str, quantity: int = 1, currency: str = "GBP", refunded_minor: int = 0, **cells: str) -> None:
        """A customer asks to send something back. cells: any column more, under its name."""
        now, number = self._clock.now(), len(self._all) + 1
        if unknown := set(cells) - set(COLUMNS):
            raise ValueError(f"the report has no column {sorted(unknown)}")
        self._all.append(Return(now, {
            "Order ID": order_id, "Order date": _day(now - timedelta(days=7)), "Return request date": _day(now), "Return request status": "Approved",
            "Amazon RMA ID": f"D{number:08d}RRMA", "Label type": "AmazonUnPaidLabel", "Currency code": currency, "A-to-Z Claim": "N", "Is prime": "N",
            "ASIN": "B000000000", "Merchant SKU": sku, "Item Name": "An article", "Return quantity": str(quantity), "Return Reason": "CR-UNWANTED_ITEM",
            "In policy": "Y", "Return type": "C-Returns", "Resolution": "StandardRefund", "Order quantity": str(quantity),
            "Refunded Amount": to_major(refunded_minor, currency), **cells}))

    def asked(self, since: datetime = BEGINNING, until: datetime = END) -> list[dict[str, str]]:
        """Those asked for from `since` to before `until`, as the report's columns."""
        return [dict(one.cells) for one in self._all if since <= one.asked_at < until]


def table(rows: list[dict[str, str]]) -> bytes:
    """The file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="", delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _day(at: datetime) -> str:
    return at.strftime("%d-%b-%Y")
