"""Whole columns out of the ledger, quickly, as of one moment: for publishing and for checks that read everything. Never the vault."""

from collections.abc import Mapping, Sequence

import pandas as pd
import sqlalchemy as sa

from connectors.ledger.database import Database
from connectors.ledger.tables import Utc, effect, metadata
from connectors.ports import STOCK_UPDATE

FETCH = 20_000
DTYPES = {"text": "string[pyarrow]", "whole": "Int64", "truth": "boolean"}


class Extract:
    """Reads tables without making an object of every value: JSON and moments come as the text that the database keeps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def frames(self, wanted: Mapping[str, Sequence[str]], updates: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
        """Table -> these columns of it, all tables as of one moment; nobody who writes waits meanwhile. Moments are UTC without saying so on SQLite.

        updates: these columns of the effects of kind STOCK_UPDATE, as a table 'stock_update'. Raises KeyError for the vault and for what does not exist.
        """
        for table, columns in [*wanted.items(), ("effect", updates)]:
            if table.startswith("vault") or table not in metadata.tables or not set(columns) <= set(metadata.tables[table].c.keys()):
                raise KeyError(table)
        selects = {table: sa.select(*_as_text(table, columns)) for table, columns in wanted.items()}
        if updates:
            selects["stock_update"] = sa.select(*_as_text("effect", updates)).where(effect.c.kind == STOCK_UPDATE)
        with self._database.reading() as tx:
            return {name: _frame(tx, select) for name, select in selects.items()}


def _as_text(table: str, columns: Sequence[str]) -> list[sa.ColumnElement]:
    """JSON and moments as the database writes them."""
    found = [metadata.tables[table].c[column] for column in columns]
    return [sa.cast(column, sa.Text).label(column.name) if isinstance(column.type, (sa.JSON, Utc)) else column for column in found]


def _frame(tx: sa.Connection, select: sa.Select) -> pd.DataFrame:
    names, dtypes = list(select.selected_columns.keys()), [_dtype(column) for column in select.selected_columns]
    cursor, parts = tx.execute(select).cursor, []
    while rows := cursor.fetchmany(FETCH):  # the driver's own rows: SQLAlchemy's cost three times as much
        parts.append(pd.DataFrame({name: pd.array(list(values), dtype=dtype) for name, dtype, values in zip(names, dtypes, zip(*rows, strict=True), strict=True)}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({name: pd.array([], dtype=dtype) for name, dtype in zip(names, dtypes, strict=True)})


def _dtype(column: sa.ColumnElement) -> str:
    return DTYPES["whole"] if isinstance(column.type, sa.Integer) else DTYPES["truth"] if isinstance(column.type, sa.Boolean) else DTYPES["text"]
