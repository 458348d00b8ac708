"""Look at the storefront's catalogue for what would make its orders or dispatches fail later (D6)."""

from typing import Any

from prefect import task

from connectors.house import House
from contracts.exceptions import Finding
from tasks.opened import RETRY, house
from tasks.rules.lookup import Mappings

ACTOR = "check_catalogue"
UNTRACKED = "untracked_item"
SKUS_MAX = 20_000


def check_catalogue(opened: House, storefront: str) -> dict[str, int]:
    """Every SKU that was ordered: is its stock tracked at the storefront? One exception a SKU that is not; it closes when it is.

    SKUs that the catalogue no longer has are counted as missing: they were sold, so this is no fault by itself.
    """
    skus = sold_skus(opened, storefront)[:SKUS_MAX]
    catalogue = opened.storefront(storefront).catalogue(skus)
    untracked = {row["sku"]: row for row in catalogue.to_dict("records") if row["tracking"] == "none"}
    with opened.ledger.transaction() as tx:
        opened.ledger.exceptions.open(tx, [_finding(storefront, row) for row in untracked.values()])
        for row in opened.ledger.exceptions.open_of(tx, UNTRACKED, storefront):
            if row.record not in untracked and row.record in set(catalogue["sku"]):
                opened.ledger.exceptions.resolve(tx, row.exception_id, ACTOR, "The catalogue says that it is tracked now.")
    return {"sold": len(skus), "in_catalogue": len(catalogue), "untracked": len(untracked)}


def sold_skus(opened: House, storefront: str) -> list[str]:
    """The goods that this storefront sold, by SKU as it spells them, in their order."""
    with opened.ledger.transaction() as tx:
        rules = Mappings.of({"non_stock": opened.ledger.mappings.current(tx, "non_stock")})
        lines = opened.ledger.books.lines(tx, storefront)
    return sorted({line["sku"] for line in lines if line["is_shippable"] and line["sku"].strip() and not rules.is_non_stock(storefront, line["sku"])})


def _finding(storefront: str, row: dict[str, Any]) -> Finding:
    return Finding(UNTRACKED, storefront, row["sku"][:120], f"{UNTRACKED}:{row['sku']}", {"product": row["product_id"], "variant": row["variant_id"]})


@task(name="check catalogue", task_run_name="check the catalogue of {storefront}", **RETRY)
def check_catalogue_of(storefront: str) -> dict[str, int]:
    """Items whose stock the storefront does not track, each with an exception."""
    return check_catalogue(house(), storefront)
