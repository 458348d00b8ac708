"""What may be kept: the kinds of snapshot, each with the contract that says which columns, and no personal data in any."""

from dataclasses import dataclass, field

import pandas as pd

from connectors.snapshots.errors import SnapshotRefused
from contracts.base import Contract
from contracts.dispatches import Dispatches
from contracts.items import CatalogueItems, Channels, Items
from contracts.orders import OrderLines, Orders, Recipients, ShipGroups
from contracts.settled import KeptRows
from contracts.stock import Locations, ShownStock, StockDecisions, StockLevels

PERSONAL = set(Recipients.columns()) - {"connection", "order_id", "ship_group", "region", "country"}


@dataclass(frozen=True)
class Kind:
    """One kind of snapshot.

    is_published: the newest of every source goes into the analysts' catalogue (only for what a system states in full each time).
    harmless: columns that bear the name of a personal column and are none, each with what it is.
    """

    contract: type[Contract]
    is_published: bool = False
    harmless: dict[str, str] = field(default_factory=dict)


KINDS: dict[str, Kind] = {
    "items": Kind(Items, is_published=True),
    "channels": Kind(Channels, is_published=True, harmless={"name": "the channel's name"}),
    "catalogue_items": Kind(CatalogueItems, harmless={"name": "the product's name"}),
    "orders": Kind(Orders),
    "order_lines": Kind(OrderLines, harmless={"name": "the product's name"}),
    "ship_groups": Kind(ShipGroups),
    "dispatches": Kind(Dispatches),
    "locations": Kind(Locations, is_published=True, harmless={"name": "the location's name"}),
    "stock_levels": Kind(StockLevels),
    "stock_positions": Kind(StockLevels),
    "stock_decisions": Kind(StockDecisions),
    "shown_stock": Kind(ShownStock),
    "settlement_rows": Kind(KeptRows),
}

DUCKDB_TYPES = {"string": "VARCHAR", "string[pyarrow]": "VARCHAR", "bool": "BOOLEAN", "int64": "BIGINT", "Int64": "BIGINT",
                "datetime64[us, UTC]": "TIMESTAMPTZ"}


def kind_of(name: str) -> Kind:
    """The kind, or SnapshotRefused when it is not declared."""
    if name not in KINDS:
        raise SnapshotRefused(f"looking up the snapshot kind {name!r}", "it is not declared",
                              f"Declared are {', '.join(sorted(KINDS))}: add a line to KINDS.")
    return KINDS[name]


def columns_of(name: str) -> dict[str, str]:
    """Column -> DuckDB type of a kind, in order."""
    return {column: DUCKDB_TYPES[str(parts.dtype)] for column, parts in kind_of(name).contract.to_schema().columns.items()}


def fitting(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The same frame in the contract's types. Raises SnapshotRefused; an unsound *value* is kept: it is what the system said."""
    kind, doing = kind_of(name), f"keeping a snapshot of {name}"
    personal = [column for column in frame.columns if str(column).lower() in PERSONAL - set(kind.harmless)]
    if personal:
        raise SnapshotRefused(doing, f"the column {personal[0]!r} is personal data", "Personal data belongs in the vault only.")
    wanted = kind.contract.frame().dtypes
    odd = sorted(set(map(str, frame.columns)) ^ set(wanted.index))
    if odd or len(frame.columns) != len(wanted):
        raise SnapshotRefused(doing, f"its columns are not the contract's: {', '.join(odd) or 'a column comes twice'}")
    for column, dtype in wanted.items():
        is_text = str(dtype).startswith("string")
        if frame[column].dtype != dtype and not (is_text and pd.api.types.is_string_dtype(frame[column].dtype)):
            raise SnapshotRefused(doing, f"the column {column!r} is {frame[column].dtype}, the contract has {dtype}")
        if is_text and frame[column].isna().any():
            raise SnapshotRefused(doing, f"the column {column!r} has a null: text is '' when there is none")
    return frame[list(wanted.index)].reset_index(drop=True).astype(wanted.to_dict())
