"""Stock: what a warehouse says it has, how that changed, what a storefront shows, and what it should be told."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import pandera.pandas as pa
from pandera.typing.pandas import Series

from contracts.base import Contract
from contracts.orders import UTC

UNITS_MAX = 99_999_999  # more of one SKU in one facility is absurd
CHANGE_KINDS = ("adjustment", "receipt", "return")


class StockLevels(Contract):
    """One row a SKU in a facility, as one statement of the warehouse has it. Key: (warehouse, facility, sku).

    The version of a row is (as_of, sequence), both of the *source*: never our clock. A statement that leaves a SKU out says nothing of it,
    unless its message is marked whole.
    """

    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    facility: Series[str] = pa.Field(str_length={"min_value": 1})
    sku: Series[str] = pa.Field(str_length={"min_value": 1}, description="the warehouse's spelling")
    unit: Series[str]
    available: Series[int] = pa.Field(ge=0, le=UNITS_MAX, description="may be sold: on hand less what the warehouse has allocated or holds, in `unit`")
    on_hand: Series[int] = pa.Field(ge=0, le=UNITS_MAX)
    on_hold: Series[int] = pa.Field(ge=0, le=UNITS_MAX)
    as_of: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC, description="when it was true, by the source's clock")
    sequence: Series[int] = pa.Field(ge=0, description="orders two statements of one moment: the source's own number")


class StockChanges(Contract):
    """One row a line of a document that changes stock between two statements. Key: (warehouse, document_id, line)."""

    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    document_id: Series[str] = pa.Field(str_length={"min_value": 1}, description="the warehouse's number of it (W15-02, W17-03)")
    line: Series[int] = pa.Field(ge=1)
    kind: Series[str] = pa.Field(isin=CHANGE_KINDS)
    facility: Series[str] = pa.Field(str_length={"min_value": 1})
    sku: Series[str] = pa.Field(str_length={"min_value": 1})
    unit: Series[str]
    change: Series[int] = pa.Field(ge=-UNITS_MAX, le=UNITS_MAX, description="signed, in `unit`: what may be sold grew or shrank by so much")
    reason: Series[str] = pa.Field(description="the warehouse's code")
    reference: Series[str] = pa.Field(description="ours, where the document echoes one (W17-04); '' when none")
    occurred_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)
    sequence: Series[int] = pa.Field(ge=0)


class Locations(Contract):
    """One row a place that a storefront counts stock at."""

    connection: Series[str]
    location: Series[str] = pa.Field(str_length={"min_value": 1})
    name: Series[str]
    is_active: Series[bool]
    is_external: Series[bool] = pa.Field(description="managed by an outside system: people cannot edit it by hand in the storefront")


class ShownStock(Contract):
    """One row a SKU at a location, as the storefront shows it when asked. Key: (connection, location, sku)."""

    connection: Series[str]
    location: Series[str]
    sku: Series[str] = pa.Field(str_length={"min_value": 1})
    on_hand: Series[int] = pa.Field(description="what we set")
    available: Series[int] = pa.Field(description="what customers can buy there")
    safety_stock: Series[int] = pa.Field(ge=0, description="what the storefront itself keeps back")
    is_tracked: Series[bool]
    seen_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)


class StockUpdates(Contract):
    """One row a SKU at a storefront's location: what it should show. Key: (connection, location, sku); (as_of, sequence) is the version."""

    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    location: Series[str] = pa.Field(str_length={"min_value": 1})
    sku: Series[str] = pa.Field(str_length={"min_value": 1}, description="the storefront's spelling")
    quantity: Series[int] = pa.Field(ge=0, le=UNITS_MAX)
    as_of: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)
    sequence: Series[int] = pa.Field(ge=0)


class StockDecisions(Contract):
    """One row a figure that we decided anew, with what it was made of: the history of what a storefront should show. Sums over its facilities."""

    connection: Series[str]
    location: Series[str]
    sku: Series[str]
    quantity: Series[int] = pa.Field(description="what it should show; of a withheld one: nothing")
    as_of: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)
    sequence: Series[int]
    stated: Series[int] = pa.Field(description="the warehouses' statements, in their units")
    changed: Series[int] = pa.Field(description="documents since then")
    asked: Series[int] = pa.Field(description="requests that the warehouses had not seen then")
    unasked: Series[int] = pa.Field(description="ordered, and not asked of a warehouse yet")
    kept_back: Series[int] = pa.Field(description="safety stock")
    withheld: Series[str] = pa.Field(description="why it was not sent; '' when it was")
    decided_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)


@dataclass(frozen=True)
class AskedLine:
    """Units of one SKU that one fulfilment request wants of a facility. seen_at: since when the warehouse surely knows of it; None: it may not yet.

    shipped: (when, units) as the warehouse advised them.
    """

    facility: str
    sku: str
    quantity: int
    seen_at: datetime | None
    shipped: tuple[tuple[datetime, int], ...] = ()
