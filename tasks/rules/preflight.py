"""What one order line becomes at its warehouse: the checks before anything is sent.

Every check goes on after another failed, so that a person sees all that is wrong with an order at once.
"""

from dataclasses import dataclass, field
from typing import Any

from contracts.effects import RequestLine
from tasks.rules.findings import Findings
from tasks.rules.lookup import ItemMaster, Mappings
from tasks.rules.waits import any_of, waits_on_item, waits_on_mapping

EACH = ("", "EA")
SHOWN = 40  # SKUs in one piece of evidence

Line = dict[str, Any]
Place = tuple[str, str, str]  # ship group, warehouse, facility


@dataclass(frozen=True)
class Checks:
    """What lines are checked against, and where what is wrong goes."""

    mappings: Mappings
    items: ItemMaster
    found: Findings
    unrouted: dict[tuple[str, str], list[Line]] = field(default_factory=dict)

    def place(self, order: dict, line: Line, group: dict) -> Place | None:
        """Where the line ships from; None when no route says so."""
        route = self.mappings.route(order["connection"], order["channel"], group["country"], line["sku"])
        if route is None:
            self.unrouted.setdefault((order["channel"], group["country"]), []).append(line)
            return None
        return group["ship_group"], *route

    def report_unrouted(self, connection: str) -> None:
        """One finding a channel and country, however many lines miss a route: it is one row in routes.csv that is missing."""
        for (channel, country), lines in self.unrouted.items():
            skus = list(dict.fromkeys(line["sku"].strip() for line in lines))
            waits_on = waits_on_mapping("routes", connection=connection, channel=channel, country=country, sku=skus) if country.strip() else ""
            evidence = {"channel": channel, "country": country, "skus": skus[:SHOWN], "line_ids": [line["line_id"] for line in lines]}
            self.found.add("facility_unmapped", f"{channel}:{country}", evidence, waits_on)

    def request_lines(self, line: Line, place: Place) -> list[dict[str, Any]]:
        """The line's part of a request (fields of RequestLine but its number): one entry, or one a component of a kit."""
        if not line["sku"].strip():
            self.found.add("sku_unknown", f"{place[1]}:", {"sku": "", "warehouse": place[1], "why": "the line has no SKU"}, line_id=line["line_id"])
            return []
        components = self.mappings.kit(line["connection"], line["sku"])
        if components:
            return self._kit(line, place, components)
        item = self._item(line, place, line["sku"])
        units = self._units(line, place, item) if item else None
        return [self._entry(line, place, item, units[0], units[1], line["unit_price_minor"], units[1])] if units else []

    def _kit(self, line: Line, place: Place, components: list[tuple[str, int]]) -> list[dict[str, Any]]:
        """One entry a component. A kit in a kit is not unpacked: it must be an item of the warehouse."""
        goods = [(sku, count) for sku, count in components if not self.mappings.is_non_stock(line["connection"], sku)]
        kits = self._kits_in_unit(line, place)
        entries, in_kit = [], sum(count for _, count in goods)
        for sku, count in goods:
            item = self._item(line, place, sku, kit=line["sku"])
            if item and kits:
                entries.append(self._entry(line, place, item, item["unit"], kits * count, line["unit_price_minor"], kits * in_kit, sku))
        return entries

    def _item(self, line: Line, place: Place, sku: str, kit: str = "") -> dict | None:
        warehouse, connection = place[1], line["connection"]
        wanted = self.mappings.sku(connection, warehouse, sku) or sku
        item = self.items.get(warehouse, wanted)
        if item:
            return item
        alike = self.items.did_you_mean(warehouse, wanted)
        inactive = self.items.is_inactive(warehouse, wanted)
        type_name = "sku_spelling" if alike and not inactive else "sku_unknown"
        evidence = {"sku": sku, "warehouse": warehouse, "warehouse_sku": wanted, "did_you_mean": alike}
        if inactive:
            evidence["why"] = "the warehouse knows this SKU, but it is inactive"
        if kit:
            evidence["component_of"] = kit
        key = sku.strip()
        waits_on = any_of(waits_on_item(warehouse, wanted), waits_on_mapping("skus", connection=connection, sku=key, warehouse=warehouse),
                          waits_on_mapping("kits", connection=connection, sku=(kit or sku).strip()),
                          waits_on_mapping("non_stock", connection=connection, pattern=key))
        self.found.add(type_name, f"{warehouse}:{sku}" + (f":{kit}" if kit else ""), evidence, waits_on, line["line_id"])
        return None

    def _units(self, line: Line, place: Place, item: dict) -> tuple[str, int] | None:
        """(warehouse unit, factor). The storefront's '' and the item's own unit are the same thing once; all else needs a row.

        A row that ends in another unit than the item is kept in is ambiguous, and held like a missing one.
        """
        unit = line["unit"].strip()
        if unit in ("", item["unit"]):
            return item["unit"], 1
        mapped = self.mappings.unit(line["connection"], line["sku"], unit, place[1])
        if mapped and mapped[0] == item["unit"]:
            return mapped
        self._no_unit(line, place, {"item_unit": item["unit"]} | ({"mapped_to": mapped[0]} if mapped else {}), item["sku"])
        return None

    def _kits_in_unit(self, line: Line, place: Place) -> int | None:
        """How many kits one storefront unit is."""
        unit = line["unit"].strip()
        if unit in EACH:
            return 1
        mapped = self.mappings.unit(line["connection"], line["sku"], unit, place[1])
        if mapped is None:
            self._no_unit(line, place, {"kit": line["sku"]})
        return mapped[1] if mapped else None

    def _no_unit(self, line: Line, place: Place, evidence: dict, item_sku: str = "") -> None:
        sku, unit, warehouse = line["sku"], line["unit"].strip(), place[1]
        waits_on = any_of(waits_on_mapping("units", connection=line["connection"], sku=sku.strip(), unit=unit, warehouse=warehouse),
                          waits_on_item(warehouse, item_sku) if item_sku else "")
        self.found.add("unit_unmapped", f"{warehouse}:{sku}:{unit}", {"sku": sku, "unit": unit, "warehouse": warehouse} | evidence, waits_on,
                       line["line_id"])

    def _entry(self, line: Line, place: Place, item: dict, unit: str, factor: int, price: int, sold_as: int, component: str = "") -> dict[str, Any]:
        """`price` buys `sold_as` warehouse units."""
        value, currency = _declared(item, price, sold_as, line["currency"])
        return {
            "line_id": line["line_id"], "sku": component or line["sku"], "warehouse_sku": item["sku"],
            "quantity": (line["quantity"] - line["quantity_shipped"]) * factor, "unit": unit, "factor": factor,
            "component_of": line["sku"] if component else "", "name": item["description"] if component else line["name"],
            "barcode": item["barcode"], "is_gift": line["is_gift"], "value_minor": value, "currency": currency,
            "hs_code": item["hs_code"], "origin": item["origin"],
        }

    def check_customs(self, connection: str, place: Place, country: str, entries: list[dict[str, Any]]) -> None:
        """HS code, origin and a declared value for every SKU that leaves the country; once a SKU."""
        _, warehouse, facility = place
        for entry in entries:
            missing = [name for name in ("hs_code", "origin") if not entry[name]] + ["declared value"] * (entry["value_minor"] <= 0)
            if missing:
                waits_on = any_of(waits_on_item(warehouse, entry["warehouse_sku"]),
                                  waits_on_mapping("home_countries", warehouse=warehouse, facility=facility, country=country))
                evidence = {"warehouse_sku": entry["warehouse_sku"], "warehouse": warehouse, "facility": facility, "country": country,
                            "missing": missing}
                self.found.add("customs_missing", f"{warehouse}:{entry['warehouse_sku']}", evidence, waits_on, entry["line_id"])


def numbered(entries: list[dict[str, Any]]) -> list[RequestLine]:
    """The lines of one request, 1..n in the order given."""
    return [RequestLine(number=number, **entry) for number, entry in enumerate(entries, 1)]


def _declared(item: dict, price: int, sold_as: int, currency: str) -> tuple[int, str]:
    """(minor units, currency) of one warehouse unit: the item's customs value, else its share of the price, halves rounded up.

    The share is a declaration, never an amount that is charged or summed. A customs value without a currency is no value.
    """
    if item["customs_value_minor"] > 0 and item["customs_currency"]:
        return item["customs_value_minor"], item["customs_currency"]
    return max(0, (2 * price + sold_as) // (2 * sold_as)), currency
