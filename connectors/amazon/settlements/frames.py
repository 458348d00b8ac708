"""What was read, as frames of the contracts Settlements, SettlementRows and SettlementFindings."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from connectors.amazon.settlements.across import Together
from contracts.settlements import FINES, SettlementFindings, SettlementRows, Settlements


@dataclass(frozen=True)
class Statements:
    """All that was read: heads, amounts, findings. Rows of settlements that were read twice are in it once."""

    settlements: pd.DataFrame
    rows: pd.DataFrame
    findings: pd.DataFrame


def statements(found: Together) -> Statements:
    """The three frames."""
    return Statements(settlements_frame(found), rows_frame(found), findings_frame(found))


def settlements_frame(found: Together) -> pd.DataFrame:
    """One row a settlement in a file."""
    rows = []
    for file in found.files:
        for head in file.heads:
            deposit, deposit_fine = _split(head.deposit or 0)
            summed, summed_fine = _split(head.sum)
            rows.append({
                "settlement_id": head.settlement_id, "file": file.file, "format": file.layout, "started_at": head.started_at, "ended_at": head.ended_at,
                "deposit_at": head.deposit_at, "currency": head.currency, "marketplace": head.marketplace, "has_deposit": head.deposit is not None,
                "deposit_minor": deposit, "deposit_fine": deposit_fine, "rows": head.lines, "amounts": head.amounts, "sum_minor": summed, "sum_fine": summed_fine,
                "is_consistent": not head.wrong, "is_counted": (file.file, head.settlement_id) not in found.repeated, "why": "; ".join(dict.fromkeys(head.wrong))})
    return Settlements.frame(rows)


def rows_frame(found: Together) -> pd.DataFrame:
    """One row an amount, in the types of the contract."""
    types = SettlementRows.frame().dtypes
    tables = [table for file in found.files if (table := found.counted(file)).num_rows]
    if not tables:
        return SettlementRows.frame()
    table = pa.concat_tables([_plain(table) for table in tables])
    frame = table.to_pandas(types_mapper={pa.string(): types["file"]}.get)
    return frame[list(types.index)].astype(types.to_dict())


def findings_frame(found: Together) -> pd.DataFrame:
    """One row a thing that somebody should know."""
    return SettlementFindings.frame(found.findings)


def _plain(table: pa.Table) -> pa.Table:
    return pa.table({name: column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for name, column in zip(table.column_names, table.columns, strict=True)})


def _split(units: int) -> tuple[int, int]:
    sign = -1 if units < 0 else 1
    whole, fine = divmod(abs(units), FINES)
    return sign * whole, sign * fine
