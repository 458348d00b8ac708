"""How the stand-in writes a settlement statement (V2 flat file): the columns, and how dates and amounts look in each part of the world."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from contracts.money import MINOR_DIGITS

COLUMNS = ("settlement-id", "settlement-start-date", "settlement-end-date", "deposit-date", "total-amount", "currency", "transaction-type", "order-id",
           "merchant-order-id", "adjustment-id", "shipment-id", "marketplace-name", "amount-type", "amount-description", "amount", "fulfillment-id",
           "posted-date", "posted-date-time", "order-item-code", "merchant-order-item-id", "merchant-adjustment-item-id", "sku", "quantity-purchased",
           "promotion-id")
DEPOSIT_AFTER = timedelta(days=2)


@dataclass(frozen=True)
class Row:
    """One amount of a statement, in minor units."""

    transaction_type: str
    amount_type: str
    amount_description: str
    minor: int
    order_id: str = ""
    adjustment_id: str = ""
    shipment_id: str = ""
    fulfilment: str = ""
    item_code: str = ""
    adjustment_item: str = ""
    sku: str = ""
    quantity: str = ""
    promotion: str = ""

    @property
    def triple(self) -> tuple[str, str, str]:
        """What the amount is for."""
        return self.transaction_type, self.amount_type, self.amount_description


@dataclass(frozen=True)
class Form:
    """How one marketplace writes. decimals: '.', ',' or 'mixed' (both in one file); columns: 23 or 24; is_summary_short: the summary row ends at the currency."""

    dates: str = "%Y-%m-%d"
    decimals: str = "."
    columns: int = 24
    encoding: str = "utf-8"
    newline: str = "\n"
    is_summary_short: bool = False


FORMS = {"US": Form(), "CA": Form(is_summary_short=True), "GB": Form("%d.%m.%Y", ".", 24, "cp1252", "\r\n"), "DE": Form("%d.%m.%Y", ",", 23, "cp1252", "\r\n"),
         "FR": Form("%d.%m.%Y", "mixed", 24, "utf-8-sig"), "JP": Form("%Y-%m-%d", ".", 23, "cp932")}
EUROPE = Form("%d.%m.%Y", ",", 24)


@dataclass(frozen=True)
class Statement:
    """One settlement of the books: rows with when each was posted, and its total."""

    settlement_id: str
    since: datetime
    until: datetime
    marketplace_id: str
    marketplace: str
    currency: str
    rows: tuple[tuple[Row, datetime], ...]
    total_minor: int

    @property
    def is_consistent(self) -> bool:
        """Do the rows come to the total?"""
        return sum(row.minor for row, _ in self.rows) == self.total_minor


def written(statement: Statement, form: Form) -> bytes:
    """The file. What the encoding does not have becomes a question mark, as it does there."""
    lines = ["\t".join(COLUMNS[:form.columns]), *("\t".join(cells) for cells in _lines(statement, form))]
    return "".join(line + form.newline for line in lines).encode(form.encoding, "replace")


def form_of(country: str) -> Form:
    """How the marketplace of this country writes."""
    return FORMS.get(country, EUROPE)


def _lines(statement: Statement, form: Form) -> Iterator[list[str]]:
    period = [statement.settlement_id, *(_moment(at, form) for at in (statement.since, statement.until, statement.until + DEPOSIT_AFTER))]
    head = [*period, _amount(statement.total_minor, statement.currency, form, 0), statement.currency]
    yield head if form.is_summary_short else _filled(head, form)
    for place, (row, at) in enumerate(statement.rows, start=1):
        is_of_order = bool(row.order_id or row.item_code)
        yield _filled([statement.settlement_id, "", "", "", "", "", row.transaction_type, row.order_id, row.order_id if row.fulfilment == "MFN" else "",
                       row.adjustment_id, row.shipment_id, statement.marketplace if is_of_order else "", row.amount_type, row.amount_description,
                       _amount(row.minor, statement.currency, form, place), row.fulfilment, at.strftime(form.dates), _moment(at, form), row.item_code, "",
                       row.adjustment_item, row.sku, row.quantity, row.promotion], form)


def _filled(cells: Iterable[str], form: Form) -> list[str]:
    cells = list(cells)[:form.columns]
    return [*cells, *[""] * (form.columns - len(cells))]


def _moment(at: datetime, form: Form) -> str:
    return at.strftime(f"{form.dates} %H:%M:%S UTC")


def _amount(minor: int, currency: str, form: Form, place: int) -> str:
    """'-12.50', '-12,50'; of a mixed file every third has a point."""
    text = str(Decimal(minor).scaleb(-MINOR_DIGITS.get(currency, 2)))
    is_comma = form.decimals == "," or (form.decimals == "mixed" and place % 3)
    return text.replace(".", ",") if is_comma else text
