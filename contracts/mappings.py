"""Tables that people edit. Each is a CSV in, a CSV out, and a history in the ledger.

Text only: a mapping is what a person typed. '*' in a key column means: any. The most particular row wins; two rows that
are equally particular are a duplicate, and a table with duplicates is refused whole.
"""

import pandera.pandas as pa
from pandera.typing.pandas import Series

from contracts.base import Contract
from contracts.settled import CATEGORIES
from contracts.settlements import LEVELS, UNKNOWN


class Key:
    """The key columns of a table, read as a tuple of names. A descriptor: pandera takes any plain attribute for an unfinished field."""

    def __init__(self, *columns: str) -> None:
        self._columns = columns

    def __get__(self, instance: object, owner: type) -> tuple[str, ...]:
        return self._columns


class Mapping(Contract):
    """A mapping table. `KEY` names the columns that must be unique together."""

    KEY = Key()


class Skus(Mapping):
    """Storefront SKU -> warehouse SKU, where they differ by decision. Never filled in by guess."""

    KEY = Key("connection", "sku", "warehouse")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    sku: Series[str] = pa.Field(str_length={"min_value": 1})
    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    warehouse_sku: Series[str] = pa.Field(str_length={"min_value": 1})


class NonStock(Mapping):
    """SKUs that are no goods (postage, manual charges, bank charges). Patterns as in a shell (`gift_*`), case ignored."""

    KEY = Key("connection", "pattern")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    pattern: Series[str] = pa.Field(str_length={"min_value": 1})
    what: Series[str]


class Routes(Mapping):
    """Which warehouse and facility ships: by channel, country and SKU pattern. No row: held, never guessed."""

    KEY = Key("connection", "channel", "country", "sku")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    channel: Series[str] = pa.Field(str_length={"min_value": 1})
    country: Series[str] = pa.Field(str_length={"min_value": 1})
    sku: Series[str] = pa.Field(str_length={"min_value": 1})
    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    facility: Series[str] = pa.Field(str_length={"min_value": 1})


class ShipMethods(Mapping):
    """Storefront's shipping method -> the warehouse's carrier (SCAC) and service."""

    KEY = Key("connection", "ship_method", "warehouse")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    ship_method: Series[str] = pa.Field(str_length={"min_value": 1})
    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    carrier: Series[str] = pa.Field(str_matches=r"\A[A-Z0-9]{2,4}\Z")
    service: Series[str]


class Units(Mapping):
    """Storefront unit -> warehouse unit with an integer factor: one CA is 12 EA. '*' as SKU: for every SKU."""

    KEY = Key("connection", "sku", "unit", "warehouse")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    sku: Series[str] = pa.Field(str_length={"min_value": 1})
    unit: Series[str] = pa.Field(str_length={"min_value": 1})
    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    warehouse_unit: Series[str] = pa.Field(str_matches=r"\A[A-Z0-9]{2}\Z")
    factor: Series[str] = pa.Field(str_matches=r"\A[1-9][0-9]{0,5}\Z")


class Carriers(Mapping):
    """The warehouse's carrier and service -> what the storefront calls it. '*' as service: any."""

    KEY = Key("warehouse", "carrier", "service", "connection")
    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    carrier: Series[str] = pa.Field(str_length={"min_value": 1})
    service: Series[str] = pa.Field(str_length={"min_value": 1})
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    provider: Series[str] = pa.Field(description="the storefront's provider code (BigCommerce `shipping_provider`); '' for none")
    tracking_carrier: Series[str] = pa.Field(description="BigCommerce `tracking_carrier` (an AfterShip slug); '' for none")
    tracking_link: Series[str] = pa.Field(description="a template with {tracking_number}; '' for none")


class Kits(Mapping):
    """A kit's components: one row a component."""

    KEY = Key("connection", "sku", "component")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    sku: Series[str] = pa.Field(str_length={"min_value": 1})
    component: Series[str] = pa.Field(str_length={"min_value": 1})
    quantity: Series[str] = pa.Field(str_matches=r"\A[1-9][0-9]{0,4}\Z")


class PoRules(Mapping):
    """Where a customer PO number and an organisation are mandatory. '*' as customer group or channel: any."""

    KEY = Key("connection", "channel", "customer_group")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    channel: Series[str] = pa.Field(str_length={"min_value": 1})
    customer_group: Series[str] = pa.Field(str_length={"min_value": 1})
    po_required: Series[str] = pa.Field(isin=("yes", "no"))
    organisation_required: Series[str] = pa.Field(isin=("yes", "no"))


class HomeCountries(Mapping):
    """Countries that need no customs data from a facility. What is not listed is international."""

    KEY = Key("warehouse", "facility", "country")
    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    facility: Series[str] = pa.Field(str_length={"min_value": 1})
    country: Series[str] = pa.Field(str_matches=r"\A[A-Z]{2}\Z")


class StockLocations(Mapping):
    """Which facilities' stock a location of a storefront shows; several rows of one location add up."""

    KEY = Key("connection", "location", "warehouse", "facility")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    location: Series[str] = pa.Field(str_length={"min_value": 1})
    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    facility: Series[str] = pa.Field(str_length={"min_value": 1})
    share_percent: Series[str] = pa.Field(str_matches=r"\A(100|[1-9][0-9]?)\Z", description="how much of that facility's stock this location may sell")


class SafetyStock(Mapping):
    """What is kept back per SKU, '*' as SKU: for every other one. `value`: units (fixed), percent of what is available, or the risk of overselling
    in a thousand (velocity: computed from sales and the time until a sale is known everywhere)."""

    KEY = Key("connection", "sku")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    sku: Series[str] = pa.Field(str_length={"min_value": 1})
    rule: Series[str] = pa.Field(isin=("fixed", "percent", "velocity"))
    value: Series[str] = pa.Field(str_matches=r"\A[0-9]{1,6}\Z")


class ReturnRules(Mapping):
    """What a returned item's grade means: how much is refunded, and where the goods go. '*' as grade: any other, '' in the advice included."""

    KEY = Key("connection", "warehouse", "grade")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    warehouse: Series[str] = pa.Field(str_length={"min_value": 1})
    grade: Series[str] = pa.Field(str_length={"min_value": 1})
    refund_percent: Series[str] = pa.Field(str_matches=r"\A(100|[1-9]?[0-9])\Z")
    disposition: Series[str] = pa.Field(isin=("restock", "keep apart", "scrap"))
    needs_rma: Series[str] = pa.Field(isin=("yes", "no"), description="yes: nothing is refunded before the return was authorised")


class SettlementTypes(Mapping):
    """What an amount of a settlement is, where the catalogue does not know its kind. Case ignored; the three texts may hold shell patterns.

    Rows here only ever speak of kinds that the catalogue does not have.
    """

    KEY = Key("connection", "transaction_type", "amount_type", "amount_description")
    connection: Series[str] = pa.Field(str_length={"min_value": 1})
    transaction_type: Series[str]
    amount_type: Series[str]
    amount_description: Series[str]
    category: Series[str] = pa.Field(isin=CATEGORIES)
    level: Series[str] = pa.Field(isin=tuple(level for level in LEVELS if level != UNKNOWN))


TABLES: dict[str, type[Mapping]] = {
    "skus": Skus, "non_stock": NonStock, "routes": Routes, "ship_methods": ShipMethods, "units": Units, "carriers": Carriers,
    "kits": Kits, "po_rules": PoRules, "home_countries": HomeCountries,
    "stock_locations": StockLocations, "safety_stock": SafetyStock, "return_rules": ReturnRules,
    "settlement_types": SettlementTypes,
}
