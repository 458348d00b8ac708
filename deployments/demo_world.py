"""The demo's merchant: what the warehouse knows of its articles, which facility ships where, and which mappings were forgotten.

Gaps are put in on purpose, decided by a hash of the code and so the same for the same file: articles the warehouse does not
have, articles without customs data, a shipping method and a carrier that nobody mapped. An operator mends the mappings half-way.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from contracts.items import Items
from deployments.demo_orders import COUNTRIES, NON_STOCK, DemoOrder, DemoReturn
from tasks.rules.lookup import Mappings
from tasks.rules.mapping_tables import read_csv

STOREFRONT, WAREHOUSE, PREFIX = "bigcommerce-uk", "gxo-uk", "UK"
CHANNELS = {"1": "United Kingdom", "2": "Ireland and islands", "3": "Europe", "4": "World"}
UK_FACILITY, EU_FACILITY = "DAVENTRY", "VENRAY"
EUROPE = ("AT", "BE", "CY", "CZ", "DE", "DK", "ES", "FI", "FR", "GR", "IE", "IT", "LT", "LU", "MT", "NL", "PL", "PT", "SE")
ISLANDS = ("IE", "JE", "GG", "IM")
FORGOTTEN_METHOD, FORGOTTEN_CARRIER = "Courier (customer's own)", "TUFF"
METHODS = {"Royal Mail Tracked 48": ("RMLL", "TRACKED 48"), "DPD Next Day": ("DPDL", "NEXT DAY"), "DPD Classic": ("DPDL", "CLASSIC"),
           "International Priority": ("FDEN", "PRIORITY")}
CARRIERS = {"RMLL": ("royalmail", "", ""), "DPDL": ("", "dpd-uk", ""), "FDEN": ("fedex", "", ""),
            "UPSN": ("ups", "", ""), FORGOTTEN_CARRIER: ("", "tuffnells", "https://track.example/?c={tracking_number}")}
UNKNOWN_ONE_IN, INACTIVE_ONE_IN, NO_CUSTOMS_ONE_IN, COURIER_ONE_IN, UNTRACKED_ONE_IN = 400, 700, 60, 70, 300


def one_in(n: int, what: str, about: str) -> bool:
    """Decided by a hash, so that every process and every run decides the same."""
    return int.from_bytes(hashlib.sha256(f"{about}:{what}".encode()).digest()[:8], "big") % n == 0


def non_stock_rules() -> Mappings:
    """The table of what is no goods, ready to ask."""
    return Mappings.of({"non_stock": table_frame("non_stock", tables()["non_stock"])})


def table_frame(table: str, csv: str) -> pd.DataFrame:
    """A mapping table from its CSV."""
    frame, problems = read_csv(table, csv)
    assert not problems, problems
    return frame


def channel_of(country: str) -> str:
    """The sales channel that the country's customers use."""
    return "1" if country in ("GB", "") else "2" if country in ISLANDS else "3" if country in EUROPE or country == "CH" else "4"


def ship_method_of(order: DemoOrder) -> str:
    """What the customer chose."""
    if one_in(COURIER_ONE_IN, order.invoice, "courier"):
        return FORGOTTEN_METHOD
    if order.country in ("GB", "", *ISLANDS):
        return "DPD Next Day" if sum(line.price * line.quantity for line in order.lines) > 150 else "Royal Mail Tracked 48"
    return "DPD Classic" if order.country in EUROPE else "International Priority"


def tables(mended: bool = False) -> dict[str, str]:
    """Every mapping table as CSV; `mended` has what was forgotten at first."""
    methods = METHODS | ({FORGOTTEN_METHOD: ("TUFF", "COLLECT")} if mended else {})
    carriers = {code: names for code, names in CARRIERS.items() if mended or code != FORGOTTEN_CARRIER}
    routes = [(STOREFRONT, "1", "GB", "*", WAREHOUSE, UK_FACILITY)]
    routes += [(STOREFRONT, channel_of(code), code, "*", WAREHOUSE, EU_FACILITY if code in EUROPE and code not in ISLANDS else UK_FACILITY)
               for code in sorted({*COUNTRIES.values(), "GG", "IM"} - {"", "GB"})]
    homes = [(WAREHOUSE, UK_FACILITY, code) for code in ("GB", "JE", "GG", "IM")] + [(WAREHOUSE, EU_FACILITY, code) for code in EUROPE]
    homes += [(WAREHOUSE, UK_FACILITY, "IE")]
    return {
        "non_stock": csv_of("connection,pattern,what", [(STOREFRONT, pattern, what) for pattern, what in NON_STOCK.items()]),
        "routes": csv_of("connection,channel,country,sku,warehouse,facility", routes),
        "ship_methods": csv_of("connection,ship_method,warehouse,carrier,service", [(STOREFRONT, name, WAREHOUSE, *to) for name, to in methods.items()]),
        "carriers": csv_of("warehouse,carrier,service,connection,provider,tracking_carrier,tracking_link",
                         [(WAREHOUSE, code, "*", STOREFRONT, *names) for code, names in carriers.items()]),
        "home_countries": csv_of("warehouse,facility,country", homes),
    }


def csv_of(header: str, rows: Iterable[tuple[str, ...]]) -> str:
    """A mapping table as CSV."""
    out = io.StringIO()
    pd.DataFrame(list(rows), columns=header.split(",")).to_csv(out, index=False)
    return out.getvalue()


def item_master(sold: Sequence[DemoOrder | DemoReturn]) -> pd.DataFrame:
    """The warehouse's articles (contract Items): one spelling each, the one that the shop uses most; some were never set up."""
    spellings: dict[str, Counter[str]] = {}
    names: dict[str, str] = {}
    rules = non_stock_rules()
    for line in (line for one in sold for line in one.lines):
        if line.sku.strip() and not rules.is_non_stock(STOREFRONT, line.sku):
            spellings.setdefault(line.sku.strip().upper(), Counter())[line.sku.strip()] += 1
            names.setdefault(line.sku.strip().upper(), line.name)
    rows = []
    for folded, counted in sorted(spellings.items()):
        if one_in(UNKNOWN_ONE_IN, folded, "unknown"):
            continue
        sku = min(counted, key=lambda spelled: (-counted[spelled], spelled))
        has_customs = not one_in(NO_CUSTOMS_ONE_IN, folded, "customs")
        rows.append({"warehouse": WAREHOUSE, "sku": sku, "description": names[folded], "is_active": not one_in(INACTIVE_ONE_IN, folded, "inactive"), "unit": "EA",
                     "barcode": "", "hs_code": "950590" if has_customs else "", "origin": "CN" if has_customs else "", "customs_value_minor": 0,
                     "customs_currency": ""})
    return Items.frame(rows)


def catalogue(sold: Sequence[DemoOrder | DemoReturn]) -> list[dict[str, str]]:
    """The storefront's products, as its sandbox takes them; of a few the inventory is not tracked."""
    names = {line.sku: line.name for one in sold for line in one.lines if line.sku}
    return [{"sku": sku, "name": name or sku, "inventory_tracking": "none" if one_in(UNTRACKED_ONE_IN, sku, "tracking") else "product"}
            for sku, name in sorted(names.items())]


def address_of(order: DemoOrder) -> dict[str, str]:
    """An invented person for the order; the file has none. 'Canary' marks it, so that a leak is found."""
    number = int(order.invoice) % 9973
    return {"first_name": "Canary", "last_name": f"Person{number}", "company": "", "street_1": f"{number % 200 + 1} Canary Row", "street_2": "",
            "city": "Canaryton", "state": "", "zip": f"CN{number % 90 + 10} {number % 9}CN", "country": order.country_name,
            "country_iso2": order.country, "phone": f"07700900{number % 1000:03}", "email": f"canary.{number}@example.invalid",
            "shipping_method": ship_method_of(order)}
