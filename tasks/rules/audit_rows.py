"""Mapping rows that can never match: a name that nobody bears, a SKU that nobody sells, a row that a narrower table hides."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from contracts.mappings import TABLES
from tasks.rules.waits import ANY, PATTERNS, folded

Row = dict[str, str]
NOT_FOR_ORDERS = ("non_stock",)  # a pattern for something that is not sold now does no harm


def rows_that_never_match(setup: Any) -> Iterator[tuple[str, Row, str]]:
    """(table, row, why), of the rows that concern this route, or that name a connection which does not exist at all. `setup` is an audit's Setup."""
    sold = [folded(sku) for sku in setup.skus]
    for table in TABLES:
        for row in sorted(setup.tables.get(table, []), key=lambda row: tuple(row[column] for column in TABLES[table].KEY)):
            why = _stranger(setup, row) or (_why(setup, table, row, sold) if _concerns(setup, row) else "")
            if why:
                yield table, row, why


def _stranger(setup: Any, row: Row) -> str:
    if row.get("connection", ANY) not in setup.storefronts | {ANY}:
        return f"the profile has no storefront {row['connection']}"
    if row.get("warehouse", ANY) not in setup.warehouses | {ANY}:
        return f"the profile has no warehouse {row['warehouse']}"
    return ""


def _concerns(setup: Any, row: Row) -> bool:
    return row.get("connection", ANY) in (setup.storefront, ANY) and row.get("warehouse", ANY) in (setup.warehouse, ANY)


def _why(setup: Any, table: str, row: Row, sold: list[str]) -> str:
    """Only what can be said for sure: a list that could not be read proves nothing, and a row for any storefront may serve another one."""
    if table == "home_countries" and row["facility"] not in {ANY, *(route["facility"] for route in setup.tables.get("routes", []))}:
        return f"no route leads to {row['facility']}"
    if table == "skus" and setup.items is not None and setup.master.get(row["warehouse"], row["warehouse_sku"]) is None:
        return f"the warehouse has no active item {row['warehouse_sku']}"
    if row.get("connection") == ANY:
        return ""
    if setup.channels is not None and row.get("channel", ANY) not in {ANY, *setup.channels.loc[setup.channels["is_active"], "channel"]}:
        return f"the storefront has no active channel {row['channel']}"
    if table == "stock_locations" and setup.locations is not None and row["location"] not in {ANY, *setup.locations["location"]}:
        return f"the storefront has no location {row['location']}"
    if table == "ship_methods" and setup.options is not None and row["ship_method"] not in {ANY, *setup.options["ship_method"], *setup.seen.methods}:
        return f"the storefront offers no shipping method {row['ship_method']}"
    if setup.catalogue is not None and "sku" in row and table not in NOT_FOR_ORDERS and not _is_sold(table, row["sku"], sold, _components(setup)):
        return f"the storefront does not list {row['sku']}"
    return ""


def _components(setup: Any) -> Iterable[str]:
    return {folded(row["component"]) for row in setup.tables.get("kits", []) if row["connection"] in (setup.storefront, ANY)}


def _is_sold(table: str, sku: str, sold: list[str], components: Iterable[str]) -> bool:
    if sku == ANY or folded(sku) in components:
        return True
    if (table, "sku") in PATTERNS:
        return any(fnmatchcase(one, folded(sku)) for one in sold)
    return folded(sku) in sold
