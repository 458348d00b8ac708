"""SKUs in the catalogue (v3): which product or variant each is, and how its stock is tracked."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from connectors.bigcommerce.checked import read
from connectors.bigcommerce.client import Client
from connectors.bigcommerce.wire import CatalogueProduct, CatalogueVariant
from contracts.items import CatalogueItems

SKUS_PER_REQUEST, IDS_PER_REQUEST = 50, 250


@dataclass(frozen=True)
class Found:
    """A SKU's product, and its variant: for a product without options that is its base variant."""

    product: CatalogueProduct
    variant_id: int | None

    @property
    def is_whole(self) -> bool:
        """Is the SKU the product itself, so that a figure for it is the product's, and not one variant's among several?"""
        return self.product.base_variant_id is not None or self.variant_id is None


class Catalogue:
    """What the account sells."""

    def __init__(self, name: str, client: Client) -> None:
        self._name, self._client = name, client

    def items(self, skus: list[str]) -> pd.DataFrame:
        """Frame of contract CatalogueItems for those of the SKUs that exist, spelled exactly so."""
        found = self.find(skus)
        return CatalogueItems.frame({"connection": self._name, "sku": sku, "product_id": str(found[sku].product.id),
                                     "variant_id": str(found[sku].variant_id or ""), "name": found[sku].product.name,
                                     "tracking": found[sku].product.inventory_tracking} for sku in sorted(found))

    def find(self, skus: Iterable[str]) -> dict[str, Found]:
        """Those of the SKUs that exist.

        A product's own SKU can be asked for many at a time; a variant's only one at a time, or all variants at once: whatever is fewer requests.
        """
        wanted = {sku for sku in skus if sku}
        products = self._products_by_sku(sorted(wanted))
        rows = {p.sku: Found(p, p.base_variant_id) for p in products.values() if p.sku in wanted}
        variants = self._variants_by_sku(sorted(wanted - set(rows)))
        known = products | self.products(sorted({v.product_id for v in variants} - set(products)))
        return rows | {v.sku: Found(known[v.product_id], v.id) for v in variants if v.product_id in known}

    def products(self, ids: list[int]) -> dict[int, CatalogueProduct]:
        """Products by their ids."""
        batches = [ids[i:i + IDS_PER_REQUEST] for i in range(0, len(ids), IDS_PER_REQUEST)]
        rows = [row for batch in batches for row in self._client.products(**{"id:in": ",".join(map(str, batch))})]
        return {product.id: product for product in (read(CatalogueProduct, row, "/catalog/products") for row in rows)}

    def _products_by_sku(self, skus: list[str]) -> dict[int, CatalogueProduct]:
        plain = [sku for sku in skus if "," not in sku]  # 'sku:in' is separated by commas
        batches: list[dict] = [{"sku:in": ",".join(plain[i:i + SKUS_PER_REQUEST])} for i in range(0, len(plain), SKUS_PER_REQUEST)]
        batches += [{"sku": sku} for sku in skus if "," in sku]
        found = [read(CatalogueProduct, row, "/catalog/products") for batch in batches for row in self._client.products(**batch)]
        return {product.id: product for product in found}

    def _variants_by_sku(self, skus: list[str]) -> list[CatalogueVariant]:
        if len(skus) > 1 and self._client.variant_pages() < len(skus):
            rows = list(self._client.variants())
        else:
            rows = [row for sku in skus for row in self._client.variants(sku=sku)]
        wanted = set(skus)
        return [variant for variant in (read(CatalogueVariant, row, "/catalog/variants") for row in rows) if variant.sku in wanted]
