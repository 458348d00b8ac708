"""The demo's GXO site: its folders, its items file, and its working pace."""

from pathlib import Path

import pandas as pd

from connectors.gxo.profile import Profile
from connectors.gxo.sandbox import GxoSandbox
from connectors.kit.clock import Clock
from deployments.demo_world import EU_FACILITY, UK_FACILITY

PARTNER = {"our_id": "WHARFINGER", "partner_id": "GXODEMO", "usage": "T", "acknowledgement_seconds": 900}


def open_warehouse(root: Path, items: pd.DataFrame, clock: Clock, stock: dict[str, dict[str, int]] | None = None) -> GxoSandbox:
    """A site that picks within seconds and ships a part of its orders in the awkward ways that sites do. stock: {facility: {SKU: units}}."""
    sandbox = GxoSandbox(root, clock, Profile(**PARTNER), set(items["sku"]), {UK_FACILITY, EU_FACILITY}, seed=7, nastiness="lenient",
                         pick_seconds=0, rest_seconds=1, stock=stock)
    rows = [{"sku": row.sku, "description": row.description, "active": "yes" if row.is_active else "no", "unit": row.unit, "barcode": row.barcode,
             "hs_code": row.hs_code, "origin": row.origin, "customs_value": "", "customs_currency": ""} for row in items.itertuples()]
    pd.DataFrame(rows).to_csv(root / "items.csv", index=False)
    return sandbox
