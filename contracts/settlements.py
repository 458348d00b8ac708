"""Settlements: a marketplace's statement of what it owes and pays out, its amounts one by one, and what each of them is about."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing.pandas import Series

from contracts.base import Contract
from contracts.orders import UTC

# what an amount is tied to. 'unknown': its triple is in no catalogue, so nobody has said what it is; it is set aside, never guessed
LEVELS: dict[str, str] = {
    "order_line": "A line of an order: sale, tax, commission, refund.",
    "order": "An order as a whole: postage bought, a claim paid.",
    "sku": "A product, and no order: compensation for lost stock, disposal.",
    "account": "The seller's account: subscription, storage, advertising.",
    "balance": "Money carried over or moved: reserves, transfers, debts between accounts.",
    "unknown": "Its kind is in no catalogue.",
}
UNKNOWN = "unknown"
FINES = 1_000_000  # parts of a minor unit that are still counted exactly: some amounts are finer than their currency


class Settlements(Contract):
    """One row a settlement in a file: its head, and whether its rows are what it pays. Key: (settlement_id, file)."""

    settlement_id: Series[str] = pa.Field(str_length={"min_value": 1})
    file: Series[str] = pa.Field(description="where it was read: a file's or document's name, without its folder")
    format: Series[str] = pa.Field(str_length={"min_value": 1}, description="the marketplace's own name of the layout: 'V2', 'V1'")
    started_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC, nullable=True)
    ended_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC, nullable=True)
    deposit_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC, nullable=True)
    currency: Series[str] = pa.Field(str_matches=r"\A[A-Z]{3}\Z", description="XXX: the file does not say")
    marketplace: Series[str] = pa.Field(description="the one that most of its orders name; '' when none does")
    has_deposit: Series[bool] = pa.Field(description="the file states what is paid; if not, deposit_minor is 0 and means nothing")
    deposit_minor: Series[int] = pa.Field(description="as the file states it; negative: owed to the marketplace")
    deposit_fine: Series[int] = pa.Field(gt=-FINES, lt=FINES, description="beyond the minor unit, in millionths of it, with the amount's sign; nearly always 0")
    rows: Series[int] = pa.Field(ge=0, description="lines of the file, without its head")
    amounts: Series[int] = pa.Field(ge=0, description="rows of SettlementRows; a line of a wide file may have several")
    sum_minor: Series[int]
    sum_fine: Series[int] = pa.Field(gt=-FINES, lt=FINES)
    is_consistent: Series[bool] = pa.Field(description="the amounts are exactly the deposit, and every one of them could be read")
    is_counted: Series[bool] = pa.Field(description="False: this settlement was read before, from another file; its amounts are not counted again")
    why: Series[str] = pa.Field(description="what is wrong with it; '' when nothing is")


class SettlementRows(Contract):
    """One row an amount. Key: (settlement_id, file, row, part): a wide file has several amounts on one line.

    The exact amount is amount_minor + amount_fine / 1,000,000 of the minor unit. Nothing is rounded.
    """

    settlement_id: Series[str] = pa.Field(str_length={"min_value": 1})
    file: Series[str]
    row: Series[int] = pa.Field(ge=1, description="the line of the file, its header being line 1")
    part: Series[int] = pa.Field(ge=1, description="which amount of that line")
    transaction_type: Series[str] = pa.Field(description="as the file spells it")
    amount_type: Series[str] = pa.Field(description="as the file spells it; of a wide file, the name of its kind of column")
    amount_description: Series[str]
    amount_minor: Series[int]
    amount_fine: Series[int] = pa.Field(gt=-FINES, lt=FINES, description="nearly always 0")
    currency: Series[str] = pa.Field(str_matches=r"\A[A-Z]{3}\Z")
    order_id: Series[str] = pa.Field(description="the marketplace's; may be the number of an inbound shipment or a removal, see `level`")
    merchant_order_id: Series[str]
    adjustment_id: Series[str] = pa.Field(description="of a refund or another correction")
    shipment_id: Series[str]
    marketplace: Series[str]
    fulfilment: Series[str] = pa.Field(description="the marketplace's word: 'AFN', 'MFN'")
    posted_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC, nullable=True, description="midnight where the file has only the day")
    order_item_id: Series[str]
    merchant_order_item_id: Series[str]
    merchant_adjustment_item_id: Series[str]
    sku: Series[str]
    quantity: Series[int] = pa.Field(description="units, on one amount of each item of an order only, so that it may be summed; 0 elsewhere")
    promotion_id: Series[str]
    category: Series[str] = pa.Field(description="the catalogue's class of the triple: 'fee', 'refund', 'reserve' …; '' for an unknown one")
    level: Series[str] = pa.Field(isin=tuple(LEVELS))
    rule: Series[str] = pa.Field(description="the line of the catalogue that says so; '' for an unknown triple")
    why: Series[str] = pa.Field(description="why it is unexplained: known what it is, and not whose; '' when it is explained")


# what is said of files, settlements and rows beside their amounts: (kind -> does it make a reconciliation fail?)
FINDINGS: dict[str, bool] = {
    "inconsistent": True,  # the amounts are not the deposit, or there is no deposit
    "unknown_triple": True,
    "unexplained": True,
    "amount_unreadable": True,
    "row_unreadable": True,
    "cut": True,  # the file ends in the middle of a line
    "currency_mixed": True,
    "retrocharge_not_zero": True,
    "reserve_broken": True,
    "duplicate_differs": True,
    "reserve_gap": False,  # the settlement before it was not given
    "duplicate": False,  # the same settlement again: counted once
    "number_assumed": False,  # '1.234': which one was taken, and why
    "finer_than_currency": False,
    "date_unreadable": False,
    "date_assumed": False,
    "column_unknown": False,
    "form": False,  # something about the file's form that was put up with
}


class SettlementFindings(Contract):
    """One row a thing that somebody should know. fails: a reconciliation with it is not clean."""

    file: Series[str]
    settlement_id: Series[str] = pa.Field(description="'' when it is about the file")
    kind: Series[str] = pa.Field(isin=tuple(FINDINGS))
    fails: Series[bool]
    row: Series[int] = pa.Field(ge=0, description="the first line it is about; 0 when about none")
    rows: Series[int] = pa.Field(ge=0, description="how many amounts it is about")
    amount_minor: Series[int] = pa.Field(description="of those")
    currency: Series[str]
    detail: Series[str]
