"""What a storefront's location should show of each SKU: what its facilities may sell, in the storefront's SKUs and units, less what is kept back.

A warehouse's statement is only as new as it says. What happened after it is added (documents), what the warehouse could not know when it made it
is taken off (orders it had not seen, orders nobody has asked of it yet). Nothing is published that no statement backs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from contracts.base import rows_of
from contracts.stock import AskedLine
from tasks.rules.lookup import Mappings
from tasks.rules.waits import ANY

Place = tuple[str, str]  # warehouse, facility
Version = tuple[datetime, int]
Safety = Callable[[str, int], tuple[int, str]]  # SKU, what may be sold -> (how many are kept back, by which rule)
ABSURD, UNIT = "its figure is absurd", "its unit is not known"


@dataclass(frozen=True)
class Change:
    """One line of a document: what may be sold grew or shrank."""

    version: Version
    change: int
    unit: str


@dataclass(frozen=True)
class Available:
    """What a facility may sell of one SKU, in the warehouse's unit, and how that came about. withheld: why it cannot be told; ''."""

    units: int
    on_hand: int
    version: Version
    stated: int = 0
    changed: int = 0
    asked: int = 0
    unasked: int = 0
    withheld: str = ""

    @property
    def is_corrected(self) -> bool:
        """Is it more than the plain statement?"""
        return bool(self.changed or self.asked or self.unasked or self.withheld)


@dataclass
class World:
    """What is known of stock. positions: the statements' rows by place and SKU; a place without a statement is missing."""

    positions: dict[Place, dict[str, dict[str, Any]]]
    on_hand_basis: set[str] = field(default_factory=set)  # warehouses whose figures are not less what they allocated
    changes: dict[Place, dict[str, list[Change]]] = field(default_factory=dict)
    asked: dict[Place, dict[str, list[AskedLine]]] = field(default_factory=dict)
    unasked: dict[Place, dict[str, int]] = field(default_factory=dict)
    unrouted: dict[str, int] = field(default_factory=dict)  # the storefront's SKU -> units that no route gives a place
    absurd: dict[Place, dict[str, Version]] = field(default_factory=dict)
    item_units: dict[tuple[str, str], str] = field(default_factory=dict)
    floors: dict[Place, Version] = field(default_factory=dict)  # the feed's version: for a SKU that no statement names yet
    wholes: dict[Place, Version] = field(default_factory=dict)  # the newest whole statement: what it does not name was not there

    def corrected(self) -> set[tuple[Place, str]]:
        """Every SKU of which more is known than its statement."""
        return {(place, sku) for by_place in (self.changes, self.asked, self.unasked, self.absurd) for place, skus in by_place.items() for sku in skus}

    def available(self, place: Place, sku: str) -> Available | None:
        """What this place may sell of this SKU; None: nobody has said anything of it."""
        row, changes = self.positions.get(place, {}).get(sku), self.changes.get(place, {}).get(sku, ())
        absurd = self.absurd.get(place, {}).get(sku)
        if absurd is not None and place in self.floors and (row is None or (row["as_of"], row["sequence"]) <= absurd):
            return Available(0, 0, self.floors[place], withheld=ABSURD)
        if row is None and (not changes or place not in self.floors):
            return None
        if row is None:  # goods that came in before any statement named them
            row = {"unit": changes[0].unit, "available": 0, "on_hand": 0, "on_hold": 0}
            version = self._before(place, changes)
        else:
            version = (row["as_of"], row["sequence"])
        later = [change for change in changes if change.version > version]
        if any(change.unit and row["unit"] and change.unit != row["unit"] for change in later) or self._is_odd(place[0], sku, row["unit"]):
            return Available(0, 0, version, withheld=UNIT)
        by_hand = place[0] in self.on_hand_basis
        stated = row["on_hand"] - row["on_hold"] if by_hand else min(row["available"], row["on_hand"])
        changed = sum(change.change for change in later)
        asked = sum(unseen(line, version[0], by_hand) for line in self.asked.get(place, {}).get(sku, ()))
        unasked = self.unasked.get(place, {}).get(sku, 0)
        return Available(max(0, stated + changed - asked - unasked), max(0, row["on_hand"] + changed), max([version, *(c.version for c in later)]),
                         stated, changed, asked, unasked)

    def _before(self, place: Place, changes: Sequence[Change]) -> Version:
        """As of when nothing was there of a SKU that no statement names: as the merge dates what a whole statement leaves out, else before all changes."""
        if whole := self.wholes.get(place):
            return whole[0], whole[1] - 1
        return min(self.floors[place][0], *(change.version[0] for change in changes)), -1

    def _is_odd(self, warehouse: str, sku: str, unit: str) -> bool:
        """Is the statement in another unit than the item is kept in?"""
        return bool(unit) and self.item_units.get((warehouse, sku), unit) != unit


def unseen(line: AskedLine, as_of: datetime, by_hand: bool) -> int:
    """How many units of this request a statement of that moment still counts as free to sell (or, `by_hand`, as lying there)."""
    if not by_hand and line.seen_at is not None and line.seen_at <= as_of:
        return 0
    return max(0, line.quantity - sum(units for at, units in line.shipped if at <= as_of))


@dataclass(frozen=True)
class Figure:
    """What one location should show of one SKU, of which version, and how it came about. withheld: why it is not sent; ''."""

    location: str
    sku: str
    quantity: int
    version: Version
    parts: dict[str, Any]
    is_corrected: bool
    withheld: str = ""


class Selling:
    """What one storefront sells from where: its locations and the mapping tables, both ways."""

    def __init__(self, connection: str, mappings: Mappings, tables: Mapping[str, pd.DataFrame]) -> None:
        self.connection, self.mappings = connection, mappings
        self.locations: dict[str, list[tuple[Place, int]]] = {}
        for row in rows_of(tables["stock_locations"]):
            if row["connection"] in (connection, ANY):
                self.locations.setdefault(row["location"], []).append(((row["warehouse"], row["facility"]), int(row["share_percent"])))
        self._spelt = [row for row in rows_of(tables["skus"]) if row["connection"] in (connection, ANY)]
        self._reverse: dict[str, dict[str, list[str]]] = {}
        self._kits_of: dict[str, list[str]] = {}
        for row in rows_of(tables["kits"]):
            if row["connection"] in (connection, ANY):
                self._kits_of.setdefault(row["component"], []).append(row["sku"])
        self._factors = _factors(connection, tables["units"])
        self.places: list[Place] = sorted({place for places in self.locations.values() for place, _ in places})  # whose stock this storefront shows
        self.warehouses: list[str] = sorted({warehouse for warehouse, _ in self.places})

    def skus_of(self, warehouse: str, sku: str) -> list[str]:
        """The storefront's SKUs whose figure depends on this SKU of the warehouse, kits included."""
        if warehouse not in self._reverse:
            found: dict[str, list[str]] = {}
            for row in self._spelt:
                if self.mappings.sku(self.connection, warehouse, row["sku"]) == row["warehouse_sku"]:
                    found.setdefault(row["warehouse_sku"], []).append(row["sku"])
            self._reverse[warehouse] = found
        own = [sku] if self.mappings.sku(self.connection, warehouse, sku) in (None, sku) else []
        if not self._reverse[warehouse] and not self._kits_of:
            return [one for one in own if not self.mappings.is_non_stock(self.connection, one)]
        plain = {*own, *self._reverse[warehouse].get(sku, ())}
        return [one for one in sorted(plain | {kit for part in plain for kit in self._kits_of.get(part, ())})
                if not self.mappings.is_non_stock(self.connection, one)]

    def components(self, warehouse: str, sku: str) -> list[tuple[str, int]]:
        """(the warehouse's SKU, how many of its units one storefront unit takes): one, or one a component of a kit."""
        parts = [(part, count) for part, count in self.mappings.kit(self.connection, sku) if not self.mappings.is_non_stock(self.connection, part)]
        if parts:
            return [(self.mappings.sku(self.connection, warehouse, part) or part, count) for part, count in parts]
        factor = self._factors.get((warehouse, sku), self._factors.get((ANY, sku), 1)) if self._factors else 1
        return [(self.mappings.sku(self.connection, warehouse, sku) or sku, factor)]


def _factors(connection: str, units: pd.DataFrame) -> dict[tuple[str, str], int]:
    """How many warehouse units one storefront unit of a SKU is, where a row spells the SKU out. 0: several rows say different things."""
    found: dict[tuple[str, str], int] = {}
    for row in rows_of(units):
        if row["connection"] in (connection, ANY) and row["sku"] != ANY:
            key, factor = (row["warehouse"], row["sku"]), int(row["factor"])
            found[key] = factor if found.get(key, factor) == factor else 0
    return found


def figures(selling: Selling, skus: Iterable[str], world: World, safety: Safety) -> list[Figure]:
    """What each location should show of each of these SKUs. A SKU that no facility of the location has ever named has no figure there."""
    found: list[Figure] = []
    for sku in skus:
        parts = {warehouse: selling.components(warehouse, sku) for warehouse in selling.warehouses}
        stock = {place: [world.available(place, part) for part, _ in parts[place[0]]] for place in selling.places}
        known = {place: some for place, some in stock.items() if None not in some}
        found += [one for location in selling.locations if (one := _figure(selling, location, sku, parts, known, world, safety))] if known else []
    return found


def _figure(selling: Selling, location: str, sku: str, parts: dict[str, list[tuple[str, int]]], known: dict[Place, list[Available]], world: World,
            safety: Safety) -> Figure | None:
    """The facilities add up, each with its share; whole storefront units only; less what is kept back; never below zero."""
    total, version, at, is_corrected, withheld = 0, None, [], False, ""
    for place, share in selling.locations[location]:
        stock = known.get(place)
        if stock is None:
            continue
        components = parts[place[0]]
        withheld = withheld or next((one.withheld for one in stock if one.withheld), "") or ("" if all(count for _, count in components) else UNIT)
        total += 0 if withheld else min(one.units * share // 100 // count for one, (_, count) in zip(stock, components, strict=True))
        newest = max(one.version for one in stock)
        version = newest if version is None or newest > version else version
        is_corrected = is_corrected or any(one.is_corrected for one in stock)
        at += [_part(place, share, *pair) for pair in zip(components, stock, strict=True)]
    if version is None:
        return None
    unrouted = world.unrouted.get(sku, 0)
    sellable = max(0, total - unrouted)
    kept_back, rule = safety(sku, sellable)
    made_of = {"at": at} | ({"unrouted": unrouted} if unrouted else {}) | ({"safety": kept_back, "safety_rule": rule} if rule else {})
    return Figure(location, sku, max(0, sellable - kept_back), (version[0], max(0, version[1])), made_of, is_corrected or bool(unrouted), withheld)


def _part(place: Place, share: int, component: tuple[str, int], one: Available) -> dict[str, Any]:
    told: dict[str, Any] = {"warehouse": place[0], "facility": place[1], "sku": component[0], "stated": one.stated}
    told |= {name: value for name, value in (("changed", one.changed), ("asked", one.asked), ("unasked", one.unasked)) if value}
    return told | ({"share": share} if share != 100 else {}) | ({"units_each": component[1]} if component[1] != 1 else {})
