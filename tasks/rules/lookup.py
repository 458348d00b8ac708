"""Mapping tables and the item master, indexed once and asked often.

'*' in a key column means: any. The most particular row wins. Lookups trim the outer spacing of what they are given (a CSV
cannot hold it); beyond that nothing is altered, and only the pattern columns ignore case.
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase, translate

import pandas as pd

from contracts.base import rows_of
from contracts.mappings import TABLES
from tasks.rules.waits import ANY, any_of, folded, parse, waits_on_item, waits_on_mapping

__all__ = ["ItemMaster", "Mappings", "any_of", "parse", "waits_on_item", "waits_on_mapping"]

Row = dict[str, str]


class Mappings:
    """All mapping tables of a run. Build it once; every lookup is a few dictionary reads."""

    def __init__(self, rows: Mapping[str, list[Row]]) -> None:
        self._skus = _Table(rows["skus"], ("sku", "connection", "warehouse"))
        self._non_stock = _NonStock(rows["non_stock"])
        self._routes = _Routes(rows["routes"])
        self._ship_methods = _Table(rows["ship_methods"], ("ship_method", "connection", "warehouse"))
        self._units = _Table(rows["units"], ("sku", "unit", "connection", "warehouse"))
        self._carriers = _Table(rows["carriers"], ("carrier", "service", "connection", "warehouse"))
        self._po_rules = _Table(rows["po_rules"], ("customer_group", "channel", "connection"))
        self._return_rules = _Table(rows["return_rules"], ("grade", "connection", "warehouse"))
        self._home = {(row["warehouse"], row["facility"], row["country"]) for row in rows["home_countries"]}
        self._kits: dict[tuple[str, str], list[tuple[str, int]]] = {}
        for row in rows["kits"]:
            self._kits.setdefault((row["connection"], row["sku"]), []).append((row["component"], int(row["quantity"])))

    @classmethod
    def of(cls, tables: Mapping[str, pd.DataFrame]) -> "Mappings":
        """From {table name: frame of its contract}; a missing table is empty. Raises ValueError for an unknown table or a duplicate key."""
        unknown = set(tables) - set(TABLES)
        if unknown:
            raise ValueError(f"there is no mapping table {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
        rows = {name: rows_of(tables[name]) if name in tables else [] for name in TABLES}
        for name, contract in TABLES.items():
            _refuse_duplicates(name, contract.KEY, rows[name])
        return cls(rows)

    def sku(self, connection: str, warehouse: str, sku: str) -> str | None:
        """The warehouse's SKU, where somebody decided that it differs; None: no such decision."""
        row = self._skus.find(sku.strip(), connection, warehouse)
        return row["warehouse_sku"] if row else None

    def is_non_stock(self, connection: str, sku: str) -> bool:
        """Is this SKU no goods (postage, manual charges)? By shell pattern, case and outer spacing ignored."""
        return self._non_stock.holds(connection, sku)

    def route(self, connection: str, channel: str, country: str, sku: str) -> tuple[str, str] | None:
        """(warehouse, facility) for a line; None: nobody said, so it is held. An unknown country ('') has no route, '*' or not."""
        row = self._routes.find(connection, channel, country, sku) if country.strip() else None
        return (row["warehouse"], row["facility"]) if row else None

    def ship_method(self, connection: str, method: str, warehouse: str) -> tuple[str, str] | None:
        """(carrier, service) at the warehouse for the storefront's shipping method."""
        row = self._ship_methods.find(method.strip(), connection, warehouse)
        return (row["carrier"], row["service"]) if row else None

    def unit(self, connection: str, sku: str, unit: str, warehouse: str) -> tuple[str, int] | None:
        """(warehouse unit, how many of it one storefront unit is); a row for the SKU goes before a row for all."""
        row = self._units.find(sku.strip(), unit.strip(), connection, warehouse)
        return (row["warehouse_unit"], int(row["factor"])) if row else None

    def carrier(self, warehouse: str, carrier: str, service: str, connection: str) -> Row | None:
        """The storefront's names for what the warehouse shipped with: provider, tracking_carrier, tracking_link."""
        return self._carriers.find(carrier.strip(), service.strip(), connection, warehouse)

    def kit(self, connection: str, sku: str) -> list[tuple[str, int]]:
        """[(component SKU, how many in one kit)] in the table's order; [] when the SKU is no kit."""
        return self._kits.get((connection, sku.strip())) or self._kits.get((ANY, sku.strip()), [])

    def po_rule(self, connection: str, channel: str, group: str) -> tuple[bool, bool]:
        """(is a PO number mandatory, is an organisation mandatory) for this customer group on this channel."""
        row = self._po_rules.find(group.strip(), channel, connection)
        return (row["po_required"] == "yes", row["organisation_required"] == "yes") if row else (False, False)

    def return_rule(self, connection: str, warehouse: str, grade: str) -> Row | None:
        """What a return of this grade is worth and where it goes: refund_percent, disposition, needs_rma. None: nobody said."""
        return self._return_rules.find(grade.strip(), connection, warehouse)

    def is_home(self, warehouse: str, facility: str, country: str) -> bool:
        """Does this country need no customs data from this facility? What is not listed is international."""
        return any((w, f, country) in self._home for w in (warehouse, ANY) for f in (facility, ANY))


class ItemMaster:
    """What the warehouses can ship, by warehouse and SKU."""

    def __init__(self, rows: list[dict]) -> None:
        self._items = {(row["warehouse"], row["sku"]): row for row in rows}
        self._alike: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            if row["is_active"]:
                self._alike.setdefault((row["warehouse"], _spelling(row["sku"])), []).append(row["sku"])

    @classmethod
    def of(cls, items: pd.DataFrame) -> "ItemMaster":
        """From a frame of the contract Items, of one warehouse or of several."""
        return cls(rows_of(items))

    def get(self, warehouse: str, sku: str) -> dict | None:
        """The active item of exactly this spelling, or None."""
        item = self._items.get((warehouse, sku))
        return item if item and item["is_active"] else None

    def is_inactive(self, warehouse: str, sku: str) -> bool:
        """Does the warehouse know this SKU, but no longer ship it?"""
        item = self._items.get((warehouse, sku))
        return bool(item) and not item["is_active"]

    def did_you_mean(self, warehouse: str, sku: str) -> list[str]:
        """Active items that differ only in case, in spacing or in leading zeros. A question for a person, never an answer for us."""
        return sorted(known for known in self._alike.get((warehouse, _spelling(sku)), []) if known != sku)


class _Table:
    """Rows by key. `order` lists the key columns, the one that makes a row most particular first; '*' in a row means: any."""

    def __init__(self, rows: list[Row], order: tuple[str, ...]) -> None:
        self._by_mask: dict[tuple[bool, ...], dict[tuple[str, ...], Row]] = {}
        for row in rows:
            values = tuple(row[column] for column in order)
            self._by_mask.setdefault(tuple(value != ANY for value in values), {})[values] = row
        self._masks = sorted(self._by_mask, reverse=True)

    def find(self, *values: str) -> Row | None:
        for mask in self._masks:
            row = self._by_mask[mask].get(tuple(value if named else ANY for value, named in zip(values, mask, strict=True)))
            if row:
                return row
        return None


class _NonStock:
    """One compiled expression a connection, each SKU asked once."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows, self._expressions, self._known = rows, {}, {}

    def holds(self, connection: str, sku: str) -> bool:
        key = (connection, sku)
        if key not in self._known:
            expression = self._expressions.get(connection) or self._expressions.setdefault(connection, self._compiled(connection))
            self._known[key] = bool(expression.match(folded(sku)))
        return self._known[key]

    def _compiled(self, connection: str) -> re.Pattern[str]:
        patterns = [folded(row["pattern"]) for row in self._rows if row["connection"] in (connection, ANY)]
        return re.compile("|".join(form for text in patterns for form in (translate(text), rf"{re.escape(text)}\Z")) or r"(?!)")


class _Routes:
    """Routes by (connection, channel, country), and in each by SKU: spelt out, by pattern, or '*'."""

    def __init__(self, rows: list[Row]) -> None:
        self._spelt: dict[tuple[str, str, str], dict[str, Row]] = {}
        self._patterns: dict[tuple[str, str, str], list[Row]] = {}
        for row in sorted(rows, key=lambda row: (-len(re.sub(r"[*?]", "", row["sku"])), row["sku"])):
            where = (row["connection"], row["channel"], row["country"])
            self._spelt.setdefault(where, {})[folded(row["sku"])] = row
            if row["sku"] != ANY and re.search(r"[*?\[]", row["sku"]):
                self._patterns.setdefault(where, []).append(row)
        self._found: dict[tuple[str, str, str, str], Row | None] = {}

    def find(self, connection: str, channel: str, country: str, sku: str) -> Row | None:
        key = (connection, channel, country, folded(sku))
        if key not in self._found:
            ranked = [self._ranked((c, ch, co), key[3]) for c in {connection, ANY} for ch in {channel, ANY} for co in {country, ANY}]
            self._found[key] = max((one for one in ranked if one), key=lambda one: one[0], default=(None, None))[1]
        return self._found[key]

    def _ranked(self, where: tuple[str, str, str], sku: str) -> tuple[tuple[int, ...], Row] | None:
        """The best row at this place: more named columns first, then SKU (spelt out before pattern), country, channel, connection."""
        connection, channel, country = (int(value != ANY) for value in where)
        spelt = self._spelt.get(where)
        if not spelt:
            return None
        row, said = spelt.get(sku) if sku != ANY else None, 2
        if not row:
            row, said = next((r for r in self._patterns.get(where, ()) if fnmatchcase(sku, folded(r["sku"]))), None), 1
        if not row:
            row, said = spelt.get(ANY), 0
        return ((connection + channel + country + bool(said), said, country, channel, connection), row) if row else None


def _spelling(sku: str) -> str:
    return re.sub(r"\s+", "", sku).casefold().lstrip("0")


def _refuse_duplicates(name: str, key: tuple[str, ...], rows: list[Row]) -> None:
    seen = set()
    for row in rows:
        values = tuple(row[column] for column in key)
        if values in seen:
            raise ValueError(f"mapping table {name} has two rows for {', '.join(f'{k}={v}' for k, v in zip(key, values, strict=True))}")
        seen.add(values)
