"""The closed list of gaps that an audit of a route can name before go-live: whose each is, how bad, and what to do."""

from dataclasses import dataclass, field

BLOCKS, HOLDS, KNOW = "blocks go-live", "will hold orders", "worth knowing"
SEVERITIES = (BLOCKS, HOLDS, KNOW)


@dataclass(frozen=True)
class GapKind:
    """One kind of gap. table: the mapping table in which a row is missing or wrong; '' when it is not one of ours."""

    name: str
    severity: str
    owner: str
    remedy: str
    table: str = ""


@dataclass(frozen=True)
class Gap:
    """One gap. row: the mapping row to add, as far as it can be proposed; '' in it is for a person to fill in."""

    kind: str
    subject: str
    says: str
    row: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same on every run over the same set-up."""
        return f"{self.kind}:{self.subject}"


KINDS: dict[str, GapKind] = {kind.name: kind for kind in (
    GapKind("secret_unresolved", BLOCKS, "data", "Set the environment variable or the file that the profile names."),
    GapKind("connection_unusable", BLOCKS, "data", "Correct the connection's table in the profile."),
    GapKind("account_refuses", BLOCKS, "data", "Mend the account's credentials or scopes at that system."),
    GapKind("reference_collision", BLOCKS, "data", "Give each storefront a reference_prefix of its own in the profile."),
    GapKind("reference_too_long", BLOCKS, "data", "Shorten the storefront's reference_prefix in the profile: marketplaces have long order ids of their own."),
    GapKind("route_missing", BLOCKS, "operations", "Add a row to routes.csv that leads to this warehouse.", "routes"),
    GapKind("items_missing", BLOCKS, "ecommerce", "Ask the warehouse for its item master."),
    GapKind("unit_doubtful", BLOCKS, "ecommerce", "Have the item kept in pieces at the warehouse, or sell it under a SKU that is a kit or has a unit.", "units"),
    GapKind("stock_unmapped", BLOCKS, "operations", "Add a row to stock_locations.csv: which facility's stock the location shows.", "stock_locations"),
    GapKind("channel_unrouted", HOLDS, "operations", "Add a row to routes.csv for the channel.", "routes"),
    GapKind("country_unrouted", HOLDS, "operations", "Add a row to routes.csv for the country, or stop offering it.", "routes"),
    GapKind("route_warehouse_unknown", HOLDS, "operations", "Correct the row in routes.csv, or add the warehouse to the profile.", "routes"),
    GapKind("home_country_missing", HOLDS, "operations", "Add the countries that need no customs data from the facility to home_countries.csv.", "home_countries"),
    GapKind("ship_method_unmapped", HOLDS, "operations", "Add a row to ship_methods.csv.", "ship_methods"),
    GapKind("carrier_unmapped", HOLDS, "operations", "Add a row to carriers.csv: without it no parcel of this carrier is confirmed.", "carriers"),
    GapKind("sku_blank", HOLDS, "ecommerce", "Give the product a SKU in the storefront."),
    GapKind("sku_missing", HOLDS, "ecommerce", "Have the item set up at the warehouse, or add a row to skus.csv.", "skus"),
    GapKind("sku_spelling", HOLDS, "ecommerce", "Correct the SKU in the storefront, or add the proposed row to skus.csv.", "skus"),
    GapKind("sku_inactive", HOLDS, "ecommerce", "Have the item made active at the warehouse, or take the product off sale."),
    GapKind("kit_component_missing", HOLDS, "ecommerce", "Have the component set up at the warehouse, or correct kits.csv.", "kits"),
    GapKind("unit_unmapped", HOLDS, "ecommerce", "Add a row to units.csv.", "units"),
    GapKind("unit_contradicts", HOLDS, "ecommerce", "Correct the row in units.csv: it must end in the unit that the warehouse keeps the item in.", "units"),
    GapKind("customs_missing", HOLDS, "ecommerce", "Have HS code and origin completed at the warehouse: orders abroad are held."),
    GapKind("item_unreadable", HOLDS, "data", "Ask the warehouse to correct the row in its item master."),
    GapKind("po_rule_missing", HOLDS, "customer service", "Add a row to po_rules.csv: must these customers give a purchase order number?", "po_rules"),
    GapKind("row_never_matches", KNOW, "operations", "Correct or remove the mapping row."),
    GapKind("sku_not_sold", KNOW, "ecommerce", "List the item in the storefront, or ignore it."),
    GapKind("sku_twice", KNOW, "ecommerce", "Give each product a SKU of its own: their stock is one figure."),
    GapKind("sku_shared", KNOW, "ecommerce", "Two SKUs of the storefront are one item of the warehouse: each shows all of its stock. Keep safety stock, or sell one of them."),
    GapKind("untracked_item", KNOW, "ecommerce", "Switch inventory tracking on in the storefront: its stock cannot be set, and it never sells out."),
    GapKind("location_unmapped", KNOW, "operations", "Add a row to stock_locations.csv, or switch the location off.", "stock_locations"),
    GapKind("facility_unrouted", KNOW, "operations", "Its stock is shown and no order is sent there: correct stock_locations.csv or routes.csv."),
    GapKind("safety_stock_missing", KNOW, "operations", "Add a row to safety_stock.csv, '*' for every SKU: without one the last unit is sold twice sooner or later.", "safety_stock"),
    GapKind("return_rule_missing", KNOW, "finance", "Add a row to return_rules.csv, '*' for any grade: without one every return waits for a person.", "return_rules"),
    GapKind("ships_everywhere", KNOW, "operations", "The storefront ships to every country, and routes name some: orders to the others are held.", "routes"),
)}
