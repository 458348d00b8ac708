"""The invariants of RELIABILITY.md §3, each a named function over the sandboxes' own books and the ledger.

`at_every_step`: what must hold at every moment. `at_the_end`: what must hold once all is healed and nothing is owed. What the demo's judge asks of
a trading day is asked here too (deployments/demo_checks.py).
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from deployments import demo_checks
from deployments.demo_orders import Period

KITS = {"SET": {"MUG": 2, "LANTERN": 1}}  # by the world's table of kits, written down anew here
OTHERWISE = {"units_asked_equal_units_ordered", "storefront_shipped_what_the_warehouse_shipped", "personal_data_is_only_in_the_vault"}
Found = list[tuple[str, str]]


def at_every_step(world: Any) -> Found:
    """Cheap, and asked after every turn."""
    return [*_shipped_within_ordered(world.shop.lines_now)]


def at_the_end(world: Any) -> Found:
    """Asked once, at rest."""
    books = demo_checks.Books(world.shop.books(), world.site.books())
    house = _Ledgered(world)
    evidence = demo_checks.Evidence(house, books, Period([]), world.cancelled)
    found: Found = []
    for check in demo_checks.CHECKS:
        if check.__name__ not in OTHERWISE:
            result = demo_checks.Found()
            check(evidence, result)
            found += [(check.__name__, what) for what in result.violated]
    for check in (_units_asked, _units_shown, _one_warehouse_order):
        found += [(check.__name__.strip("_").replace("_", " "), what) for what in check(evidence)]
    return found


class _Ledgered:
    """A house as the judge wants it: the ledger only."""

    def __init__(self, world: Any) -> None:
        self.ledger = world.ledger


def _shipped_within_ordered(orders: dict[int, dict[int, dict[str, Any]]]) -> Iterator[tuple[str, str]]:
    """4: at the storefront, at every instant."""
    for number, lines in orders.items():
        for line_id, line in lines.items():
            if line["quantity_shipped"] > line["quantity"]:
                yield "shipped never exceeds ordered", f"order {number} line {line_id}: {line['quantity_shipped']} of {line['quantity']}"


def _units_asked(e: demo_checks.Evidence) -> Iterator[str]:
    """3: in base units, the factor applied exactly once."""
    for number, order in e.orders.items():
        for copy in e.live(str(number)):
            if "edited_after_export" in e.open_types(str(number)):
                continue
            ordered, asked = Counter(), Counter()
            for line in e.goods(order).values():
                ordered.update(_units(line["sku"], line["quantity"]))
            for line in copy["lines"].values():
                asked[line["sku"]] += line["quantity"]
            if ordered != asked:
                yield f"order {number}: ordered {dict(ordered)}, asked {dict(asked)}"


def _units_shown(e: demo_checks.Evidence) -> Iterator[str]:
    """4: at rest, what the storefront shows as shipped is what the warehouse shipped, in storefront units."""
    for number, order in e.orders.items():
        if e.open_types(str(number)) & {"carrier_unmapped", "over_shipped", "line_unmatched", "advice_changed"}:
            continue
        left, told = Counter(), Counter()
        for copy in (copy for reference in e.references_of.get(str(number), []) for copy in e.at_warehouse[reference]):
            for line in copy["lines"].values():
                left[line["sku"]] += line["shipped"]
        for line in order["lines"].values():
            told.update(_units(line["sku"], line["quantity_shipped"]))
        if +left != +told:
            yield f"order {number}: the warehouse shipped {dict(left)}, the storefront shows {dict(told)}"


def _units(sku: str, quantity: int) -> Counter:
    """What the warehouse handles for so many of the storefront's."""
    return Counter({component: count * quantity for component, count in KITS.get(sku, {sku: 1}).items()})


def _one_warehouse_order(e: demo_checks.Evidence) -> Iterator[str]:
    """1: never more than one was ever made under a reference."""
    for reference, copies in e.at_warehouse.items():
        if len(copies) > 1:
            yield f"{reference}: {len(copies)} orders at the warehouse"
