"""Stock in the demo: what lies at the site, what the shop may show of it, and what the site states in the awkward ways that sites do."""

from collections import Counter

import pandas as pd

from deployments.demo_orders import DemoOrder
from deployments.demo_world import EU_FACILITY, STOREFRONT, UK_FACILITY, WAREHOUSE, csv_of, non_stock_rules, one_in

LOCATION = "1"
KEPT_BACK = 2  # units of every SKU that the shop does not show
SPARE_MAX, SHORT_ONE_IN = 40, 12


def stock_of(orders: list[DemoOrder], items: pd.DataFrame) -> dict[str, dict[str, int]]:
    """{facility: {SKU: units}}: enough for what will be ordered, and some to spare; of a few there is nothing to spare."""
    asked: Counter[str] = Counter()
    rules = non_stock_rules()
    for line in (line for order in orders for line in order.lines):
        if not rules.is_non_stock(STOREFRONT, line.sku):
            asked[line.sku.strip()] += line.quantity
    return {facility: {sku: asked[sku] + _spare(sku, facility) for sku in items["sku"]} for facility in (UK_FACILITY, EU_FACILITY)}


def _spare(sku: str, facility: str) -> int:
    if one_in(SHORT_ONE_IN, sku, "short"):
        return 3
    return next((units for units in range(SPARE_MAX) if one_in(SPARE_MAX, f"{sku} {units}", facility)), 7)


def stock_tables() -> dict[str, str]:
    """Both facilities add up at the shop's one location; two of each are kept back."""
    return {
        "stock_locations": csv_of("connection,location,warehouse,facility,share_percent",
                                  [(STOREFRONT, LOCATION, WAREHOUSE, facility, "100") for facility in (UK_FACILITY, EU_FACILITY)]),
        "safety_stock": csv_of("connection,sku,rule,value", [(STOREFRONT, "*", "fixed", str(KEPT_BACK))]),
    }
