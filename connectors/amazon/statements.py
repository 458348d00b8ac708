"""A settlement document as the house takes it: frames of our contracts out of what `settlements/` reads."""

from typing import Any

import pandas as pd
import pyarrow as pa

from connectors.amazon.settlements.form import unpacked
from connectors.amazon.settlements.reading import FileRead, Head, read_file
from connectors.ports import SettlementDocument, SettlementRead
from contracts.base import Contract
from contracts.settlements import FINES, SettlementFindings, SettlementRows, Settlements


def read_settlement(document: SettlementDocument) -> SettlementRead:
    """Every settlement in the document. Raises BadDocument when it is none."""
    files = [read_file(name, body) for name, body in unpacked(document.name, document.body)]
    return SettlementRead(Settlements.frame(_head(file, head) for file in files for head in file.heads), _rows([file.rows for file in files]),
                          SettlementFindings.frame(one | {"currency": one["currency"] or "XXX"} for file in files for one in file.findings))


def _head(file: FileRead, head: Head) -> dict[str, Any]:
    deposit, deposit_fine = _split(head.deposit or 0)
    whole, fine = _split(head.sum)
    return {"settlement_id": head.settlement_id, "file": file.file, "format": file.layout, "started_at": head.started_at, "ended_at": head.ended_at,
            "deposit_at": head.deposit_at, "currency": head.currency, "marketplace": head.marketplace, "has_deposit": head.deposit is not None, "deposit_minor": deposit,
            "deposit_fine": deposit_fine, "rows": head.lines, "amounts": head.amounts, "sum_minor": whole, "sum_fine": fine, "is_consistent": not head.wrong, "is_counted": True,
            "why": "; ".join(dict.fromkeys(head.wrong))}


def _split(units: int) -> tuple[int, int]:
    sign = -1 if units < 0 else 1
    return sign * (abs(units) // FINES), sign * (abs(units) % FINES)


def _rows(tables: list[pa.Table]) -> pd.DataFrame:
    plain = [pa.table({name: table[name].cast(table[name].type.value_type) if pa.types.is_dictionary(table[name].type) else table[name] for name in table.column_names})
             for table in tables]
    return _typed(SettlementRows, pa.concat_tables(plain, promote_options="default").to_pandas(types_mapper=pd.ArrowDtype))


def _typed(contract: type[Contract], frame: pd.DataFrame) -> pd.DataFrame:
    return frame[contract.columns()].astype(contract.frame().dtypes.to_dict())
