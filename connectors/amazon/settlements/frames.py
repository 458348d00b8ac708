"""What was read, as frames of the contracts Settlements, SettlementRows and SettlementFindings."""

from collections.abc import Collection, Iterable
from typing import Any

import pandas as pd
import pyarrow as pa

from connectors.amazon.settlements.deposits import NO_CURRENCY, Head
from connectors.amazon.settlements.reading import FileRead
from contracts.settlements import FINES, SettlementFindings, SettlementRows, Settlements


def settlements_frame(files: Iterable[FileRead], repeated: Collection[tuple[str, str]] = ()) -> pd.DataFrame:
    """One row a settlement in a file. repeated: (file, settlement) that is not counted, since another file has it."""
    return Settlements.frame(_head(file, head) | {"is_counted": (file.file, head.settlement_id) not in repeated} for file in files for head in file.heads)


def rows_frame(tables: Iterable[pa.Table]) -> pd.DataFrame:
    """One row an amount, in the types of the contract."""
    types = SettlementRows.frame().dtypes
    plain = [_plain(table) for table in tables if table.num_rows]
    if not plain:
        return SettlementRows.frame()
    frame = pa.concat_tables(plain).to_pandas(types_mapper={pa.string(): types["file"]}.get)
    return frame[list(types.index)].astype(types.to_dict())


def findings_frame(files: Iterable[FileRead]) -> pd.DataFrame:
    """One row a thing that somebody should know."""
    return SettlementFindings.frame(one | {"currency": one["currency"] or NO_CURRENCY} for file in files for one in file.findings)


def _head(file: FileRead, head: Head) -> dict[str, Any]:
    deposit, deposit_fine = _split(head.deposit or 0)
    summed, summed_fine = _split(head.sum)
    return {"settlement_id": head.settlement_id, "file": file.file, "format": file.layout, "started_at": head.started_at, "ended_at": head.ended_at,
            "deposit_at": head.deposit_at, "currency": head.currency, "marketplace": head.marketplace, "has_deposit": head.deposit is not None, "deposit_minor": deposit,
            "deposit_fine": deposit_fine, "rows": head.lines, "amounts": head.amounts, "sum_minor": summed, "sum_fine": summed_fine, "is_consistent": not head.wrong,
            "why": "; ".join(dict.fromkeys(head.wrong))}


def _plain(table: pa.Table) -> pa.Table:
    return pa.table({name: column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for name, column in zip(table.column_names, table.columns, strict=True)})


def _split(units: int) -> tuple[int, int]:
    sign = -1 if units < 0 else 1
    whole, fine = divmod(abs(units), FINES)
    return sign * whole, sign * fine
