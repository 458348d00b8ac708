"""Orders of several addresses: each address is a request of its own, at the warehouse, on the way back and when the customer calls it off.

They are asked about here, address by address; the other checks know orders of one request, and do not see these.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from deployments import demo_checks
from deployments.demo_orders import Period

SHIPPED, CALLED_OFF = 2, (4, 5)  # the shop's statuses
TOLD_OTHERWISE = {"edited_after_export", "rejected_by_warehouse", "cancel_refused", "unacknowledged", "over_shipped", "line_unmatched", "advice_changed", "carrier_unmapped",
                  "rejected_by_storefront", "blocked_effect"}


class Ledgered:
    """A house as the judge wants it: the ledger only."""

    def __init__(self, world: Any) -> None:
        self.ledger = world.ledger


class WithoutSplit(demo_checks.Evidence):
    """The evidence as if no order had several addresses."""

    def __init__(self, world: Any, books: demo_checks.Books, cancelled: set[int]) -> None:
        split = world.split
        shop = books.storefront | {"orders": {number: order for number, order in books.storefront["orders"].items() if number not in split},
                                   "shipments": [one for one in books.storefront["shipments"] if one["order_id"] not in split]}
        kept = {reference: [copy for copy in copies if copy["storefront_order"] not in _texts(split)] for reference, copies in books.warehouse["orders"].items()}
        site = books.warehouse | {"orders": {reference: copies for reference, copies in kept.items() if copies}}
        super().__init__(Ledgered(world), demo_checks.Books(shop, site), Period([]), cancelled - split)
        self.all_effects = list(self.house.ledger.table("effect").itertuples())
        self.effects = [row for row in self.all_effects if row.record not in _texts(split)]


def each_address_has_its_request(world: Any, books: demo_checks.Books) -> Iterator[tuple[str, str]]:
    """1, 3, 10, O14: each address of an order has one request, with its goods, to its street; none of an order that is held; and none that may leave of
    one that was called off, unless somebody is told."""
    e = demo_checks.Evidence(Ledgered(world), books, Period([]), world.cancelled)
    known = world.known_orders()
    for number in sorted(world.split):
        order, order_id, name = books.storefront["orders"][number], str(number), "each address has its request"
        told, copies = e.open_types(order_id), e.live(order_id)
        if known.get(number, 0) < order["modified"]:
            yield name, f"order {number} changed at {order['modified']}, the book knows {known.get(number)}"
        if number in world.cancelled:
            crossed = number in world.crossed and order["status_id"] not in CALLED_OFF  # overwritten on the way: the shop says shipped
            if copies and "cancel_refused" not in told and not crossed and order_id not in world.excused:
                yield name, f"order {number} was called off, {len(copies)} of its requests are alive or have left, and nobody is told"
            continue
        if told & demo_checks.HELD_TYPES:
            if copies:
                yield name, f"order {number} is held as {sorted(told & demo_checks.HELD_TYPES)}, and {len(copies)} parts of it are at the warehouse"
            continue
        in_silence = not world.partner.acknowledges and any(row.state == "partly_shipped" for row in e.requests.values() if row.order_id == order_id)  # see oracle.py
        if told & TOLD_OTHERWISE or order_id in world.excused or in_silence:
            continue
        yield from ((name, f"order {number}: {what}") for what in _by_address(world, e, order, copies))
        yield from (("each address has its parcels", f"order {number}: {what}") for what in _shown(e, number, order, copies))


def _by_address(world: Any, e: demo_checks.Evidence, order: dict[str, Any], copies: list[dict[str, Any]]) -> Iterator[str]:
    wanted: dict[str, Counter[str]] = {}
    for line in e.goods(order).values():
        wanted.setdefault(order["addresses"][line["order_address_id"]]["street_1"].casefold(), Counter())[line["sku"]] += line["quantity"]
    asked: dict[str, list[Counter[str]]] = {}
    for copy in copies:
        units: Counter[str] = Counter()
        for line in copy["lines"].values():
            units[line["sku"]] += line["quantity"]
        asked.setdefault(copy["street"].casefold(), []).append(units)
    if asked != {street: [units] for street, units in wanted.items()}:
        yield f"{ {street: dict(units) for street, units in wanted.items()} } is wanted, {asked} is asked"


def _shown(e: demo_checks.Evidence, number: int, order: dict[str, Any], copies: list[dict[str, Any]]) -> Iterator[str]:
    left, told = Counter(), Counter()
    for copy in copies:
        for line in copy["lines"].values():
            left[copy["street"].casefold(), line["sku"]] += line["shipped"]
    for shipment in (one for one in e.books.storefront["shipments"] if one["order_id"] == number):
        street = order["addresses"][shipment["order_address_id"]]["street_1"].casefold()
        for item in shipment["items"]:
            told[street, order["lines"][item["order_product_id"]]["sku"]] += item["quantity"]
    if +left != +told:
        yield f"{dict(+left)} has left, {dict(+told)} is shown"
    is_whole = all(line["quantity_shipped"] >= line["quantity"] for line in e.goods(order).values())
    if is_whole and order["status_id"] != SHIPPED:
        yield f"all of it is shown, its status is {order['status_id']}"


def _texts(numbers: set[int]) -> set[str]:
    return {str(number) for number in numbers}
