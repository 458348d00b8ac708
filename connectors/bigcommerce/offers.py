"""What the account offers as a whole: every SKU that it lists, and every shipping method by country. For an audit, not for every day."""

from typing import Any

import pandas as pd
from pydantic import Field, ValidationError

from connectors.bigcommerce.client import Client
from connectors.bigcommerce.mapping import why
from connectors.bigcommerce.wire import CatalogueProduct, CatalogueVariant, Read, Text
from connectors.kit.errors import BadDocument
from contracts.items import CatalogueItems, ShipOptions

FREE = "Free Shipping"  # what an order bears when the zone's free shipping applied


class ZoneLocation(Read):
    """A country, or a part of one, that a zone covers."""

    country_iso2: Text = ""


class FreeShipping(Read):
    """The zone's free shipping."""

    enabled: bool = False


class Zone(Read):
    """A shipping zone (v2). type 'global': the rest of the world."""

    id: int = Field(gt=0)
    type: Text = ""
    locations: list[ZoneLocation] = []
    free_shipping: FreeShipping = FreeShipping()


class Method(Read):
    """A shipping method of a zone."""

    name: Text
    enabled: bool = False


def listed(name: str, client: Client) -> pd.DataFrame:
    """Frame of contract CatalogueItems: every variant; one without a SKU of its own bears its product's."""
    products = {product.id: product for product in (_read(CatalogueProduct, row, "/catalog/products") for row in client.products())}
    variants = [_read(CatalogueVariant, row, "/catalog/variants") for row in client.variants()]
    rows = [{"connection": name, "sku": variant.sku or products[variant.product_id].sku, "product_id": str(variant.product_id), "variant_id": str(variant.id),
             "name": products[variant.product_id].name, "tracking": products[variant.product_id].inventory_tracking}
            for variant in sorted(variants, key=lambda variant: variant.id) if variant.product_id in products]
    return CatalogueItems.frame(rows)


def ship_options(name: str, client: Client) -> pd.DataFrame:
    """Frame of contract ShipOptions. A carrier that quotes by itself shows its own services on orders: only its name here is known before."""
    rows = []
    for zone in (_read(Zone, row, "/shipping/zones") for row in client.shipping_zones()):
        methods = [_read(Method, row, "/shipping/zones/{id}/methods") for row in client.shipping_methods(zone.id)]
        methods += [Method(name=FREE, enabled=True)] if zone.free_shipping.enabled else []
        countries = sorted({place.country_iso2.upper() for place in zone.locations} - {""}) or [""]
        rows += [{"connection": name, "ship_method": method.name, "country": country, "is_enabled": method.enabled} for method in methods for country in countries
                 if method.name]
    return ShipOptions.frame(rows)


def _read(model: type, row: dict[str, Any], path: str) -> Any:
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise BadDocument(f"reading {path}", why(error)) from None
