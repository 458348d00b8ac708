"""Reconciliation: what each side is known to have done with an order, and how the books of a period agree about it."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing.pandas import Series

from contracts.base import Contract
from contracts.orders import STATUSES, UTC

# what can be wrong with an order's books, the gravest first: the first that holds is the order's verdict
DIFFERENCES: dict[str, str] = {
    "currency_mixed": "Lines, payments or refunds are in another currency than the order; they are not counted.",
    "totals_do_not_add": "Lines, shipping and tax less discounts are not the order's total.",
    "over_shipped": "More left the warehouse than was ordered.",
    "shipped_not_paid": "Goods left, and were not paid for.",
    "paid_not_shipped": "Money was taken, and neither goods nor a refund followed.",
    "overpaid": "More was taken than the order's total.",
    "refunded_not_returned": "Money was given back for goods that the customer still has.",
    "returned_not_refunded": "Goods came back, and no money was given back.",
    "refund_differs": "Money was given back for goods that came back, but not as much as they are worth by the rules.",
}
# and what is not wrong: everything agrees; it is on its way and young; nobody has paid or sent anything; cancelled, and nothing left owing
AGREEING = ("matched", "in_progress", "unpaid", "cancelled")
VERDICTS = (*DIFFERENCES, *AGREEING)


class DispatchedLines(Contract):
    """One row a line in a parcel: units placed on an order line, in the storefront's unit. More than was ordered is kept as it came."""

    order_id: Series[str]
    line_id: Series[str]
    quantity: Series[int] = pa.Field(ge=0)
    warehouse: Series[str]
    reference: Series[str]
    shipped_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)


class ReturnedLines(Contract):
    """One row a line of a return that was placed on an order line, in the storefront's unit."""

    order_id: Series[str]
    line_id: Series[str]
    document_id: Series[str]
    quantity: Series[int] = pa.Field(ge=0)
    refund_percent: Series[int] = pa.Field(ge=0, le=100, description="what the rules give back for goods in this condition; 100 where no rule says, 0 for a refused return")
    is_decided: Series[bool] = pa.Field(description="a person said what becomes of it: whatever was given back for it is right")
    received_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)


class AskedOf(Contract):
    """One row a fulfilment request of an order: whom we asked, and how it stands."""

    order_id: Series[str]
    warehouse: Series[str]
    reference: Series[str]
    state: Series[str]


class OnDesk(Contract):
    """One row an exception about an order, open or closed by a person: what accounts for a difference."""

    order_id: Series[str]
    type: Series[str]
    cause: Series[str]
    owner: Series[str]
    is_open: Series[bool]
    resolved_by: Series[str]
    reason: Series[str]
    resolved_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC, nullable=True)


class Reconciled(Contract):
    """One row an order of the statement. Key: order_id. All amounts since the order was placed and before the period's end, in minor units.

    paid - refunded - dispatched + returned - deducted = balance: what we still owe the customer (> 0), or the customer us (< 0).
    """

    order_id: Series[str]
    placed_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)
    status: Series[str] = pa.Field(isin=STATUSES)
    currency: Series[str] = pa.Field(str_matches=r"\A[A-Z]{3}\Z")
    is_carried_in: Series[bool] = pa.Field(description="placed before the period, and open at its beginning or moved in it")
    is_carried_out: Series[bool] = pa.Field(description="something is open at the period's end")
    verdict: Series[str] = pa.Field(isin=VERDICTS)
    ordered_minor: Series[int]
    paid_minor: Series[int] = pa.Field(ge=0)
    dispatched_minor: Series[int] = pa.Field(description="what the customer is charged for the goods that left, with their share of postage and the like")
    refunded_minor: Series[int] = pa.Field(ge=0)
    returned_minor: Series[int] = pa.Field(description="what the customer was charged for the goods that came back")
    deducted_minor: Series[int] = pa.Field(description="of that, kept by a return rule (> 0); postage given back with it (< 0)")
    balance_minor: Series[int]
    difference_minor: Series[int] = pa.Field(ge=0, description="the sum of the differences named and not explained, each counted without its sign")
    explained_minor: Series[int] = pa.Field(ge=0, description="the same of those that are on somebody's desk, or that a person has decided")
    detail: Series[str]


class Differences(Contract):
    """One row a difference of an order. amount_minor has no sign: the name says who owes whom."""

    order_id: Series[str]
    name: Series[str] = pa.Field(isin=tuple(DIFFERENCES))
    amount_minor: Series[int] = pa.Field(ge=0)
    currency: Series[str]
    explained_by: Series[str] = pa.Field(description="the open exception that accounts for it, or who decided; '' when nothing does")
    detail: Series[str]
