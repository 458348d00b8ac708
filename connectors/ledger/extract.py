"""Whole columns out of the ledger, quickly, as of one moment: for publishing and for checks that read everything. Never the vault."""

from collections.abc import Mapping, Sequence

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from connectors.ledger.database import Database
from connectors.ledger.tables import Utc, effect, metadata
from connectors.ports import STOCK_UPDATE

FETCH = 500  # rows at a time: fewer than make the garbage collector look through all of them (700), which took a third of the time
ARROW = {"text": pa.string(), "whole": pa.int64()}


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
    casts = {sa.JSON: sa.Text, Utc: sa.Text, sa.Boolean: sa.Integer}
    return [sa.cast(column, casts[type(column.type)]).label(column.name) if type(column.type) in casts else column for column in found]


def _frame(tx: sa.Connection, select: sa.Select) -> pd.DataFrame:
    names, kinds = list(select.selected_columns.keys()), [_kind(column) for column in select.selected_columns]
    cursor, parts = tx.execute(select).cursor, []
    while rows := cursor.fetchmany(FETCH):  # the driver's own rows: SQLAlchemy's cost three times as much
        parts.append(pa.record_batch([pa.array(values, ARROW[kind]) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)], names=names))
    table = pa.Table.from_batches(parts, schema=pa.schema([(name, ARROW[kind]) for name, kind in zip(names, kinds, strict=True)]))
    return table.combine_chunks().to_pandas(types_mapper=pd.ArrowDtype)


def _kind(column: sa.ColumnElement) -> str:
    return "whole" if isinstance(column.type, (sa.Integer, sa.Boolean)) else "text"
