"""Returns: what a warehouse received back; and money: what a storefront took and gave back."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing.pandas import Series

from contracts.base import Contract
from contracts.orders import UTC

RMA_STATES = ("asked", "approved", "refused", "closed")
DISPOSITIONS = ("restock", "keep apart", "scrap")


class ReturnLines(Contract):
    """One row a SKU that came back. Key: (warehouse, document_id, line)."""

    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    document_id: Series[str] = pa.Field(str_length={"min_value": 1}, description="the warehouse's receipt number (W17-03)")
    line: Series[int] = pa.Field(ge=1)
    reference: Series[str] = pa.Field(description="our reference of the order, as the warehouse echoes it; '' when none")
    rma: Series[str] = pa.Field(description="the number of the announced return; '' when none")
    request_line: Series[str] = pa.Field(description="our line number as echoed; '' when none")
    sku: Series[str] = pa.Field(str_length={"min_value": 1}, description="the warehouse's spelling")
    quantity: Series[int] = pa.Field(ge=0, le=99_999_999)
    unit: Series[str]
    grade: Series[str] = pa.Field(description="the warehouse's word for its condition; '' when it does not say")
    tracking_number: Series[str] = pa.Field(description="of the parcel that came back; '' when none")
    facility: Series[str] = pa.Field(str_length={"min_value": 1})
    received_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)


class AuthorisedReturns(Contract):
    """One row an article that a customer may send back, or has, as the marketplace tells it. Key: (connection, return_id, order_id, sku).

    A claim is the seller's, to be made whole for a return that should not have been refunded. No personal data, and no tracking link.
    """

    connection: Series[str]
    return_id: Series[str] = pa.Field(str_length={"min_value": 1}, description="the marketplace's number of the return")
    order_id: Series[str] = pa.Field(str_length={"min_value": 1})
    sku: Series[str] = pa.Field(str_length={"min_value": 1}, description="the storefront's spelling")
    quantity: Series[int] = pa.Field(ge=1, le=99_999_999)
    status: Series[str] = pa.Field(description="the marketplace's word: Approved, Completed, …")
    reason: Series[str] = pa.Field(description="the marketplace's code")
    resolution: Series[str] = pa.Field(description="the marketplace's word: StandardRefund, Exchange, …")
    merchant_rma: Series[str] = pa.Field(description="our own number, where one was given; '' when none")
    tracking_number: Series[str] = pa.Field(description="of the parcel that comes back; '' when none")
    is_claimed: Series[bool] = pa.Field(description="the customer has made a guarantee claim")
    refunded_minor: Series[int] = pa.Field(ge=0, description="what the marketplace says was given back")
    currency: Series[str] = pa.Field(str_matches=r"\A[A-Z]{3}\Z")
    claim_id: Series[str] = pa.Field(description="of the seller's claim; '' when none")
    claim_state: Series[str]
    reimbursed_minor: Series[int] = pa.Field(ge=0, description="what the claim brought")
    asked_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)
    delivered_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC, nullable=True, description="when the parcel came back, as the carrier told the marketplace")


class Refunds(Contract):
    """One row a line of a refund, as the storefront shows it. Key: (connection, refund_id, line_id); line_id '' is the order as a whole."""

    connection: Series[str]
    order_id: Series[str]
    refund_id: Series[str] = pa.Field(str_length={"min_value": 1})
    line_id: Series[str]
    quantity: Series[int] = pa.Field(ge=0)
    amount_minor: Series[int] = pa.Field(ge=0, description="of this line; where the storefront gives only a total, all of it is on the first row")
    currency: Series[str] = pa.Field(str_matches=r"\A[A-Z]{3}\Z")
    is_declined: Series[bool] = pa.Field(description="the payment provider did not pay it out")
    reason: Series[str]
    created_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)


class Payments(Contract):
    """One row a movement of money that the storefront knows of. Key: (connection, payment_id)."""

    connection: Series[str]
    order_id: Series[str]
    payment_id: Series[str] = pa.Field(str_length={"min_value": 1})
    kind: Series[str] = pa.Field(isin=("authorisation", "capture", "purchase", "refund", "void", "other"))
    amount_minor: Series[int] = pa.Field(ge=0)
    currency: Series[str] = pa.Field(str_matches=r"\A[A-Z]{3}\Z")
    is_settled: Series[bool] = pa.Field(description="the money moved")
    gateway: Series[str]
    occurred_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)
