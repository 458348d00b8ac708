"""What the book may believe of a statement of stock that lost a part of itself on its way."""

from collections.abc import Iterator
from typing import Any

from connectors.kit.sandbox import FEED_SILENT, ROWS_LOST, SKU_STRANGE
from deployments.demo_checks import Evidence
from deployments.simulation.oracle_stock import LOST_PERCENT
from deployments.simulation.world import SKUS

KNOWN_IN = ("available", "on_hand")


def what_lost_too_much_is_set_aside(world: Any, e: Evidence) -> Iterator[str]:
    """14: a whole statement without articles that lay there by all that was ever stated, and too many of them to be believed, is set aside."""
    if not world.has("stock"):
        return
    written = [one for one in world.site.dock.statements if one["fault"] != FEED_SILENT and one["figures"]]
    files = {name[4:13]: one for (name, _), one in zip(world.site.statement_files(), written, strict=True)}
    believed: dict[str, list[dict[str, Any]]] = {}
    for row in world.look("SELECT key FROM inbox WHERE kind = 'stock_levels' AND state = 'processed' ORDER BY received_at, key"):
        if (statement := files.get(row["key"].split("|")[1])) is None:
            continue
        before = believed.setdefault(statement["facility"], [])
        if statement["fault"] == ROWS_LOST and ROWS_LOST not in [one["fault"] for one in before] and all(one["at"] < statement["at"] for one in before):
            others = [one for one in written if one["facility"] == statement["facility"] and one is not statement]
            gone = [sku for sku in statement["left_out"] if statement["is_whole"] and _certainly_lay_there(sku, statement, before, others)]
            most = len(SKUS) + any(one["fault"] == SKU_STRANGE for one in others)
            if 100 * len(gone) > LOST_PERCENT * most:
                yield f"{row['key']} of {statement['facility']} lost {gone} of {most}, and is believed"
        before.append(statement)


def _certainly_lay_there(sku: str, statement: dict[str, Any], before: list[dict[str, Any]], others: list[dict[str, Any]]) -> bool:
    """Did our book have it, and did nobody ever state that there is none, nor state it anew by the time at which this statement was made?"""
    if not any(one["is_whole"] and sku in one["as_it_is"] for one in before):
        return False
    is_newer = any(one["at"] >= statement["at"] and sku in one["figures"] for one in before)
    return not is_newer and all(sku in one["figures"] and min(one["figures"][sku][figure] for figure in KNOWN_IN) > 0 for one in others if one["is_whole"] or sku in one["figures"])
