"""Every gap of a route before go-live: what would hold its orders, its dispatches, its stock or its returns, found from both sides' own lists.

The same set-up gives the same findings in the same order. What could not be looked at (None) is left out here and told by the caller.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from contracts.gaps import KINDS, SEVERITIES, Gap
from contracts.mappings import TABLES
from tasks.rules.audit_rows import rows_that_never_match
from tasks.rules.lookup import ANY, ItemMaster, Mappings

PIECES = ("EA", "PC", "UN", "PR", "ST")  # X12 element 355: each, piece, unit, pair, set: one sold is one shipped
REFERENCE_LONGEST = 22  # tasks/rules/fulfilment.py
TRADE = re.compile(r"b2b|wholesale|trade|business", re.IGNORECASE)
NO_SUCH_SKU = "\x00"  # matches only what matches any SKU
Row = dict[str, str]


@dataclass(frozen=True)
class Seen:
    """What orders and dispatches so far have shown; empty before go-live. places: (channel, country); units: (sku, unit); trade: channels with organisations."""

    places: frozenset[tuple[str, str]] = frozenset()
    methods: frozenset[str] = frozenset()
    skus: frozenset[str] = frozenset()
    units: frozenset[tuple[str, str]] = frozenset()
    trade: frozenset[str] = frozenset()
    carriers: frozenset[tuple[str, str]] = frozenset()
    order_id_longest: int = 0


@dataclass
class Setup:
    """A route as it is set up. Frames of the contracts CatalogueItems, Items, Channels, ShipOptions, Locations; None: could not be looked at.

    prefixes: reference prefix of every storefront in the profile. tables: every mapping table's rows.
    """

    storefront: str
    warehouse: str
    storefronts: frozenset[str]
    warehouses: frozenset[str]
    prefixes: dict[str, str]
    tables: dict[str, list[Row]]
    catalogue: pd.DataFrame | None = None
    items: pd.DataFrame | None = None
    channels: pd.DataFrame | None = None
    options: pd.DataFrame | None = None
    locations: pd.DataFrame | None = None
    unreadable: tuple[Row, ...] = ()
    seen: Seen = field(default_factory=Seen)

    def rows(self, table: str) -> list[Row]:
        """The table's rows that may concern this route."""
        return [row for row in self.tables.get(table, []) if row.get("connection", self.storefront) in (self.storefront, ANY)
                and row.get("warehouse", self.warehouse) in (self.warehouse, ANY)]

    @cached_property
    def mappings(self) -> Mappings:
        """The tables, ready to ask."""
        return Mappings({name: self.tables.get(name, []) for name in TABLES})

    @cached_property
    def master(self) -> ItemMaster:
        """The warehouse's items, ready to ask."""
        return ItemMaster([] if self.items is None else self.items.to_dict("records"))

    @cached_property
    def facilities(self) -> list[str]:
        """Where this warehouse ships this storefront's orders from."""
        return sorted({row["facility"] for row in self.rows("routes")})

    @cached_property
    def skus(self) -> list[str]:
        """Goods that the storefront sells or sold, kits included; no postage."""
        listed = set() if self.catalogue is None else set(self.catalogue["sku"])
        return sorted(sku for sku in listed | self.seen.skus if sku.strip() and not self.mappings.is_non_stock(self.storefront, sku))

    @cached_property
    def countries(self) -> list[str]:
        """Countries that the storefront ships to by name, or has shipped to."""
        offered = set() if self.options is None else set(self.options.loc[self.options["is_enabled"], "country"])
        return sorted((offered | {country for _, country in self.seen.places}) - {""})

    def item_of(self, sku: str) -> tuple[str, dict | None]:
        """The warehouse's spelling of a storefront SKU, and its active item."""
        wanted = self.mappings.sku(self.storefront, self.warehouse, sku) or sku
        return wanted, self.master.get(self.warehouse, wanted)


def audit(setup: Setup) -> list[Gap]:
    """Every gap once, the worst first, then by kind and subject."""
    found = {gap.id: gap for check in CHECKS for gap in check(setup)}
    order = {name: place for place, name in enumerate(KINDS)}
    return sorted(found.values(), key=lambda gap: (SEVERITIES.index(KINDS[gap.kind].severity), order[gap.kind], gap.subject))


def references(setup: Setup) -> Iterator[Gap]:
    """Two storefronts whose references may be the same at this warehouse: a dispatch would go back to the wrong one. And one that is too long to be echoed."""
    mine = setup.prefixes.get(setup.storefront, "")
    places = 2 if len(setup.facilities) > 1 else 0  # '-1', '-2': an order that two facilities ship
    if setup.seen.order_id_longest and len(mine) + setup.seen.order_id_longest + places > REFERENCE_LONGEST:
        yield Gap("reference_too_long", setup.storefront, f"the prefix {mine!r} and an order id of {setup.seen.order_id_longest} characters are more than the "
                  f"{REFERENCE_LONGEST} that a warehouse echoes{', with what tells two facilities of one order apart' if places else ''}")
    for other, prefix in sorted(setup.prefixes.items()):
        meets = any(row["warehouse"] == setup.warehouse and row["connection"] in (other, ANY) for row in setup.tables.get("routes", []))
        longer, shorter = max(mine, prefix, key=len), min(mine, prefix, key=len)
        if other != setup.storefront and meets and longer.startswith(shorter) and re.fullmatch(r"[0-9]*", longer[len(shorter):]):
            yield Gap("reference_collision", other, f"reference_prefix {mine!r} of {setup.storefront} and {prefix!r} of {other} may give two orders one reference")


def routes(setup: Setup) -> Iterator[Gap]:
    """Channels, countries and warehouses that no route covers."""
    rows = setup.tables.get("routes", [])
    ours = [row for row in rows if row["connection"] in (setup.storefront, ANY)]
    if not any(row["warehouse"] == setup.warehouse for row in ours):
        yield Gap("route_missing", setup.warehouse, f"no route of {setup.storefront} leads to {setup.warehouse}", _route(setup, "", ""))
    for name in sorted({row["warehouse"] for row in ours} - setup.warehouses):
        yield Gap("route_warehouse_unknown", name, f"routes name the warehouse {name}, which the profile does not have")
    for channel in _active_channels(setup):
        if not any(row["channel"] in (channel["channel"], ANY) for row in ours):
            yield Gap("channel_unrouted", channel["channel"], f"the channel {channel['channel']} ({channel['name']}) has no route", _route(setup, channel["channel"], ""))
    named = {row["country"] for row in ours}
    channels = [channel["channel"] for channel in _active_channels(setup)] or sorted({row["channel"] for row in ours})
    for country in setup.countries:
        if country not in named and not any(setup.mappings.route(setup.storefront, channel, country, NO_SUCH_SKU) for channel in channels):
            yield Gap("country_unrouted", country, f"the storefront ships to {country}, and no route covers it", _route(setup, "", country))
    for channel, country in sorted(setup.seen.places):
        if country in named and not _any_route(setup, channel, country):
            yield Gap("country_unrouted", f"{country} on channel {channel}", f"orders of channel {channel} went to {country}, and no route covers both",
                      _route(setup, channel, country))
    if setup.options is not None and (setup.options["is_enabled"] & (setup.options["country"] == "")).any() and ANY not in named:
        yield Gap("ships_everywhere", setup.storefront, f"a shipping zone covers the rest of the world; routes name {len(named)} countries")


def ship_methods(setup: Setup) -> Iterator[Gap]:
    """Methods that a customer can choose and the warehouse has no carrier for; and carriers whose parcels could not be confirmed."""
    offered = set() if setup.options is None else set(setup.options.loc[setup.options["is_enabled"], "ship_method"])
    for method in sorted(offered | setup.seen.methods):
        if setup.mappings.ship_method(setup.storefront, method, setup.warehouse) is None:
            yield Gap("ship_method_unmapped", method, f"customers can choose {method!r}, and {setup.warehouse} has no carrier service for it",
                      {"connection": setup.storefront, "ship_method": method, "warehouse": setup.warehouse, "carrier": "", "service": ""})
    used = {(row["carrier"], row["service"]) for row in setup.rows("ship_methods")} | setup.seen.carriers
    for carrier, service in sorted(used):
        if setup.mappings.carrier(setup.warehouse, carrier, service, setup.storefront) is None:
            yield Gap("carrier_unmapped", f"{carrier} {service}".strip(), f"{setup.warehouse} ships with {carrier} {service or '(any service)'}, and {setup.storefront} "
                      "has no name for it", {"warehouse": setup.warehouse, "carrier": carrier, "service": "*", "connection": setup.storefront, "provider": "",
                                             "tracking_carrier": "", "tracking_link": ""})


def skus(setup: Setup) -> Iterator[Gap]:
    """Goods that one side has and the other has not, or spells otherwise."""
    if setup.items is None:
        return
    if not len(setup.items):
        yield Gap("items_missing", setup.warehouse, f"{setup.warehouse} has told us of no item at all")
        return
    for sku in setup.skus:
        parts = setup.mappings.kit(setup.storefront, sku)
        if not parts:
            yield from _sku(setup, sku)
        for component, _ in parts:
            wanted, item = setup.item_of(component)
            if item is None and not setup.mappings.is_non_stock(setup.storefront, component):
                yield Gap("kit_component_missing", f"{sku} > {component}", f"the kit {sku} needs {wanted}, which is no active item of {setup.warehouse}")
    yield from _shared(setup)


def _sku(setup: Setup, sku: str) -> Iterator[Gap]:
    wanted, item = setup.item_of(sku)
    if item is not None:
        if item["unit"] not in PIECES:
            yield Gap("unit_doubtful", sku, f"{setup.warehouse} keeps {wanted} in {item['unit']}: one sold without a unit is one {item['unit']} shipped")
        return
    alike = setup.master.did_you_mean(setup.warehouse, wanted)
    row = {"connection": setup.storefront, "sku": sku, "warehouse": setup.warehouse}
    if setup.master.is_inactive(setup.warehouse, wanted):
        yield Gap("sku_inactive", sku, f"{setup.warehouse} knows {wanted}, and it is inactive")
    elif alike:
        yield Gap("sku_spelling", sku, f"{setup.warehouse} has no {wanted}; did you mean {' or '.join(alike)}?", row | {"warehouse_sku": alike[0] if len(alike) == 1 else ""})
    else:
        yield Gap("sku_missing", sku, f"{setup.warehouse} has no item {wanted}", row | {"warehouse_sku": ""})


def _shared(setup: Setup) -> Iterator[Gap]:
    if setup.catalogue is None or setup.items is None:
        return
    by_item: dict[str, list[str]] = {}
    for sku in setup.skus:
        by_item.setdefault(setup.item_of(sku)[0], []).append(sku)
    components = {component for row in setup.rows("kits") for component in (setup.item_of(row["component"])[0],)}
    for item, sold_as in sorted(by_item.items()):
        if len(sold_as) > 1:
            yield Gap("sku_shared", item, f"{', '.join(sold_as)} are all {item} at {setup.warehouse}")
    for item in setup.items.loc[setup.items["is_active"] & (setup.items["warehouse"] == setup.warehouse), "sku"]:
        if item not in by_item and item not in components:
            yield Gap("sku_not_sold", item, f"{setup.warehouse} has {item}, and {setup.storefront} does not list it")


def catalogue(setup: Setup) -> Iterator[Gap]:
    """What is wrong in the storefront's own list."""
    if setup.catalogue is None:
        return
    counts = Counter(setup.catalogue["sku"])
    for row in setup.catalogue.to_dict("records"):
        sku = row["sku"]
        if not sku.strip():
            yield Gap("sku_blank", f"product {row['product_id']} variant {row['variant_id'] or '-'}", f"{row['name'][:60]!r} has no SKU: every order of it is held")
        elif counts[sku] > 1:
            yield Gap("sku_twice", sku, f"{counts[sku]} products or variants are called {sku}")
        if sku.strip() and row["tracking"] == "none" and not setup.mappings.is_non_stock(setup.storefront, sku):
            yield Gap("untracked_item", sku, f"the inventory of {sku} is not tracked")


def units(setup: Setup) -> Iterator[Gap]:
    """Units of orders so far that nobody mapped, and rows that end in another unit than the item's."""
    for sku, unit in sorted(setup.seen.units):
        wanted, item = setup.item_of(sku)
        if item and unit.strip() not in ("", item["unit"]) and setup.mappings.unit(setup.storefront, sku, unit, setup.warehouse) is None:
            yield Gap("unit_unmapped", f"{sku} {unit}", f"{sku} was sold in {unit}, {setup.warehouse} keeps {wanted} in {item['unit']}",
                      {"connection": setup.storefront, "sku": sku, "unit": unit, "warehouse": setup.warehouse, "warehouse_unit": item["unit"], "factor": ""})
    for row in setup.rows("units"):
        item = None if row["sku"] == ANY else setup.item_of(row["sku"])[1]
        if item and item["unit"] != row["warehouse_unit"]:
            yield Gap("unit_contradicts", f"{row['sku']} {row['unit']}", f"units.csv ends in {row['warehouse_unit']}, {setup.warehouse} keeps it in {item['unit']}",
                      row | {"warehouse_unit": item["unit"], "factor": ""})


def customs(setup: Setup) -> Iterator[Gap]:
    """Facilities without home countries, and goods that could not leave the country."""
    abroad = set()
    for facility in setup.facilities:
        if not any(row["facility"] in (facility, ANY) for row in setup.rows("home_countries")):
            yield Gap("home_country_missing", facility, f"no country is home to {facility}: every order from it needs customs data",
                      {"warehouse": setup.warehouse, "facility": facility, "country": ""})
        reached = {row["country"] for row in setup.rows("routes") if row["facility"] == facility}
        reached = (reached - {ANY}) | (set(setup.countries) if ANY in reached else set())
        abroad |= {country for country in reached if not setup.mappings.is_home(setup.warehouse, facility, country)}
    for sku in setup.skus if abroad and setup.items is not None else ():
        for part in [component for component, _ in setup.mappings.kit(setup.storefront, sku)] or [sku]:
            wanted, item = setup.item_of(part)
            missing = [what for what, name in (("HS code", "hs_code"), ("origin", "origin")) if item and not item[name]]
            if missing:
                yield Gap("customs_missing", wanted, f"{wanted} has no {' and no '.join(missing)}; orders to {', '.join(sorted(abroad)[:10])} need it")


def items(setup: Setup) -> Iterator[Gap]:
    """Rows of the item master that nobody can read."""
    for bad in setup.unreadable:
        yield Gap("item_unreadable", bad["record"][:80], f"a row of {setup.warehouse}'s item master is set aside: {bad['why']}")


def trade(setup: Setup) -> Iterator[Gap]:
    """Channels on which companies buy, and no rule says whether they must give an order number."""
    ruled = {row["channel"] for row in setup.rows("po_rules")}
    names = {channel["channel"]: channel["name"] for channel in _active_channels(setup)}
    for channel in sorted({number for number, name in names.items() if TRADE.search(name)} | setup.seen.trade):
        if channel not in ruled and ANY not in ruled:
            yield Gap("po_rule_missing", channel, f"companies buy on channel {channel} ({names.get(channel, 'seen in orders')}), and no rule says whether a PO number is "
                      "needed", {"connection": setup.storefront, "channel": channel, "customer_group": "*", "po_required": "", "organisation_required": ""})


def stock(setup: Setup) -> Iterator[Gap]:
    """Locations that show no warehouse's stock, and stock that nothing is kept back of."""
    rows = setup.rows("stock_locations")
    active = [] if setup.locations is None else [row for row in setup.locations.to_dict("records") if row["is_active"]]
    one = setup.facilities[0] if len(setup.facilities) == 1 else ""
    if not rows:
        where = active[0]["location"] if len(active) == 1 else ""
        yield Gap("stock_unmapped", setup.storefront, f"no location of {setup.storefront} shows the stock of {setup.warehouse}: it will sell what is not there",
                  _location(setup, where, one))
    for location in active if rows else ():
        if not any(row["location"] == location["location"] for row in setup.tables.get("stock_locations", []) if row["connection"] in (setup.storefront, ANY)):
            yield Gap("location_unmapped", location["location"], f"the location {location['location']} ({location['name']}) shows no warehouse's stock",
                      _location(setup, location["location"], one))
    for facility in sorted({row["facility"] for row in rows} - set(setup.facilities)):
        yield Gap("facility_unrouted", facility, f"the storefront shows the stock of {facility}, and no route sends an order there")
    if rows and not any(row["sku"] == ANY for row in setup.rows("safety_stock")):
        yield Gap("safety_stock_missing", setup.storefront, "no rule for every SKU says what is kept back",
                  {"connection": setup.storefront, "sku": ANY, "rule": "", "value": ""})


def returns(setup: Setup) -> Iterator[Gap]:
    """Grades that no rule covers."""
    if not any(row["grade"] == ANY for row in setup.rows("return_rules")):
        yield Gap("return_rule_missing", setup.warehouse, f"no rule covers any grade of a return to {setup.warehouse}",
                  {"connection": setup.storefront, "warehouse": setup.warehouse, "grade": ANY, "refund_percent": "", "disposition": "", "needs_rma": ""})


def dead_rows(setup: Setup) -> Iterator[Gap]:
    """Mapping rows that can never match."""
    for table, row, why in rows_that_never_match(setup):
        key = ", ".join(row[column] for column in TABLES[table].KEY)
        yield Gap("row_never_matches", f"{table}: {key}", f"{table}.csv ({key}): {why}")


CHECKS = (references, routes, ship_methods, skus, catalogue, units, customs, items, trade, stock, returns, dead_rows)


def _active_channels(setup: Setup) -> list[dict]:
    return [] if setup.channels is None else [row for row in setup.channels.sort_values("channel").to_dict("records") if row["is_active"]]


def _any_route(setup: Setup, channel: str, country: str) -> bool:
    """Does any SKU go from this channel to this country?"""
    return setup.mappings.route(setup.storefront, channel, country, NO_SUCH_SKU) is not None or any(
        row["channel"] in (channel, ANY) and row["country"] in (country, ANY) for row in setup.rows("routes"))


def _route(setup: Setup, channel: str, country: str) -> Row:
    facility = setup.facilities[0] if len(setup.facilities) == 1 else ""
    return {"connection": setup.storefront, "channel": channel or ANY, "country": country or ANY, "sku": ANY, "warehouse": setup.warehouse, "facility": facility}


def _location(setup: Setup, location: str, facility: str) -> Row:
    return {"connection": setup.storefront, "location": location, "warehouse": setup.warehouse, "facility": facility, "share_percent": "100"}
