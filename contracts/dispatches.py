"""Dispatch advice: what a warehouse says it shipped."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing.pandas import Series

from contracts.base import Contract
from contracts.orders import UTC


class Dispatches(Contract):
    """One row a SKU in a package. A line spread over two packages is two rows; the same package twice is the same rows."""

    warehouse: Series[str]
    advice_id: Series[str] = pa.Field(str_length={"min_value": 1}, description="the warehouse's shipment id (W06-04)")
    reference: Series[str] = pa.Field(description="our reference as the warehouse echoes it (W06-02)")
    package_id: Series[str] = pa.Field(description="SSCC-18 where given, else the tracking number, else the row's place")
    carrier: Series[str] = pa.Field(description="the warehouse's carrier code (SCAC)")
    service: Series[str]
    tracking_number: Series[str]
    request_line: Series[str] = pa.Field(description="our line number as echoed; '' when the advice has none")
    sku: Series[str] = pa.Field(description="the warehouse's spelling")
    quantity: Series[int] = pa.Field(ge=0, description="in `unit`; 0 on a line that was not shipped")
    unit: Series[str]
    line_status: Series[str] = pa.Field(description="the warehouse's code (CC complete, CP partial …)")
    facility: Series[str]
    shipped_at: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs=UTC)
