"""The demo's judge: the sandboxes' own books against the ledger and the file that was played.

Each check is named after an invariant (RELIABILITY.md §3), says how many things it looked at, and lists what is wrong. What counts
as goods is decided here from the file and the demo's own list, not with the flows' rules.
"""

import fnmatch
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from connectors.house import House
from deployments.demo_orders import NON_STOCK, Period
from deployments.demo_world import CARRIERS, STOREFRONT, WAREHOUSE

CANARIES = ("Canaryton", "Canary Row", "canary.")
HELD_TYPES = {"sku_unknown", "sku_spelling", "unit_unmapped", "facility_unmapped", "ship_method_unmapped", "po_missing", "organisation_missing",
              "customs_missing", "address_missing", "record_unsound"}
ENDED_UNSENT = {"refused"}


@dataclass
class Books:
    """What the two sandboxes wrote down."""

    storefront: dict[str, Any]
    warehouse: dict[str, Any]


@dataclass
class Found:
    """One check's result."""

    checked: int = 0
    violated: list[str] = field(default_factory=list)

    def look(self, is_right: bool, what: str) -> None:
        """One thing looked at."""
        self.checked += 1
        if not is_right:
            self.violated.append(what)


class Evidence:
    """Books and ledger, read once and put together."""

    def __init__(self, house: House, books: Books, period: Period, cancelled: set[int]) -> None:
        self.house, self.books, self.period = house, books, period
        self.orders, self.shipments = books.storefront["orders"], books.storefront["shipments"]
        self.at_warehouse: dict[str, list[dict[str, Any]]] = books.warehouse["orders"]
        self.cancelled = {str(number) for number in cancelled}
        self.exceptions = [row for row in house.ledger.exceptions.listed(only_open=False)]

    @cached_property
    def effects(self) -> list[Any]:
        """Every effect."""
        return list(self.house.ledger.table("effect").itertuples())

    @cached_property
    def requests(self) -> dict[str, Any]:
        """Fulfilment requests by reference."""
        return {row.reference: row for row in self.house.ledger.table("request").itertuples()}

    @cached_property
    def references_of(self) -> dict[str, list[str]]:
        """At the warehouse: references by the storefront's order id, as the warehouse noted it."""
        found: dict[str, list[str]] = {}
        for reference, copies in self.at_warehouse.items():
            for copy in copies:
                if reference not in found.setdefault(copy["storefront_order"], []):
                    found[copy["storefront_order"]].append(reference)
        return found

    def goods(self, order: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """The lines of a storefront order that are goods."""
        return {line_id: line for line_id, line in order["lines"].items() if not is_non_stock(line["sku"]) and line["quantity"]}

    def open_types(self, order_id: str) -> set[str]:
        """The types of the order's open exceptions."""
        return {row.type for row in self.exceptions if row.connection == STOREFRONT and row.record == order_id and row.state == "open"}

    def live(self, order_id: str) -> list[dict[str, Any]]:
        """The warehouse's copies of this order that it means to ship or has shipped."""
        return [copy for reference in self.references_of.get(order_id, []) for copy in self.at_warehouse[reference] if copy["state"] not in ("cancelled", "refused")]


def is_non_stock(sku: str) -> bool:
    """No goods, by the demo's own list."""
    return any(fnmatch.fnmatchcase(sku.strip().upper(), pattern.upper()) for pattern in NON_STOCK)


def each_order_at_the_warehouse_once_or_held(e: Evidence, found: Found) -> None:
    """1: every paid order with goods is at the warehouse exactly once, or on the exception list; cancelled ones are neither silently."""
    for number, order in e.orders.items():
        order_id = str(number)
        if not e.goods(order) or order_id in e.cancelled:
            continue
        copies, held = len(e.live(order_id)), e.open_types(order_id) & HELD_TYPES
        found.look((copies == 1 and not held) or (copies == 0 and bool(e.open_types(order_id))), f"order {order_id}: {copies} at the warehouse, held as {sorted(held)}")


def no_warehouse_order_without_an_effect(e: Evidence, found: Found) -> None:
    """2: what the warehouse has was intended, once."""
    confirmed = Counter(e.requests[row.payload["reference"]].reference for row in e.effects
                        if row.kind == "fulfilment_request" and row.state == "CONFIRMED" and row.payload["reference"] in e.requests)
    for reference, copies in e.at_warehouse.items():
        found.look(confirmed[reference] == len(copies), f"{reference}: {len(copies)} at the warehouse, {confirmed[reference]} confirmed requests")


def no_confirmed_effect_without_its_order(e: Evidence, found: Found) -> None:
    """2: what the ledger calls confirmed is there."""
    files = {one["control"] for one in e.books.warehouse["received"] if not one["verdict"]}
    there = {"dispatch_confirmation": {str(shipment["id"]) for shipment in e.shipments}, "refund": {str(one["id"]) for one in e.books.storefront["refunds"]},
             "stock_update": {one["transaction_id"] for one in e.books.storefront["stock_writes"]}}
    for row in e.effects:
        if row.state == "CONFIRMED" and row.kind != "order_completion":
            found.look(row.number in files if row.target == WAREHOUSE else row.kind == "stock_update" or row.remote_id in there[row.kind],
                       f"{row.effect_id} is confirmed, and not there")


def units_asked_equal_units_ordered(e: Evidence, found: Found) -> None:
    """3: line by line, what the warehouse was asked for is what the customer ordered (edits that were followed included)."""
    for number, order in e.orders.items():
        for copy in e.live(str(number)):
            if "edited_after_export" in e.open_types(str(number)):
                continue
            ordered = Counter()
            for line in e.goods(order).values():
                ordered[line["sku"].strip()] += line["quantity"]
            asked = Counter()
            for line in copy["lines"].values():
                asked[line["sku"]] += line["quantity"]
            found.look(ordered == asked, f"order {number}: ordered {sum(ordered.values())}, asked {sum(asked.values())}")


def no_non_stock_line_on_a_request(e: Evidence, found: Found) -> None:
    """O10: postage and the like never reach a pick list."""
    for reference, copies in e.at_warehouse.items():
        for line in (line for copy in copies for line in copy["lines"].values()):
            found.look(not is_non_stock(line["sku"]), f"{reference} has {line['sku']}")


def held_orders_are_not_sent_in_part(e: Evidence, found: Found) -> None:
    """8: an order that is held is not at the warehouse, not even a part of it."""
    for number in e.orders:
        held = e.open_types(str(number)) & HELD_TYPES
        if held:
            found.look(not e.live(str(number)), f"order {number} is held as {sorted(held)} and at the warehouse")


def shipped_never_exceeds_ordered(e: Evidence, found: Found) -> None:
    """4: at the storefront."""
    for number, order in e.orders.items():
        for line_id, line in order["lines"].items():
            found.look(line["quantity_shipped"] <= line["quantity"], f"order {number} line {line_id}: {line['quantity_shipped']} of {line['quantity']}")


def storefront_shipped_what_the_warehouse_shipped(e: Evidence, found: Found) -> None:
    """4: at rest, unit for unit, except for dispatches that are held with an exception."""
    for number, order in e.orders.items():
        if e.open_types(str(number)) & {"carrier_unmapped", "over_shipped", "line_unmatched", "advice_changed"}:
            continue
        left = sum(line["shipped"] for reference in e.references_of.get(str(number), []) for copy in e.at_warehouse[reference] for line in copy["lines"].values())
        told = sum(line["quantity_shipped"] for line in order["lines"].values())
        found.look(left == told, f"order {number}: the warehouse shipped {left}, the storefront shows {told}")


def every_parcel_is_read_at_the_storefront_once(e: Evidence, found: Found) -> None:
    """5, 6: each parcel of the warehouse is one shipment with its tracking number and its carrier by the mapping, and one e-mail."""
    shown = Counter((shipment["order_id"], shipment["tracking_number"]) for shipment in e.shipments)
    mails = Counter(mail["shipment_id"] for mail in e.books.storefront["emails"])
    by_tracking = {(shipment["order_id"], shipment["tracking_number"]): shipment for shipment in e.shipments}
    for order_id, references in e.references_of.items():
        waiting = e.open_types(order_id) & {"carrier_unmapped", "over_shipped", "line_unmatched", "advice_changed"}
        for parcel in (p for reference in references for copy in e.at_warehouse[reference] for p in copy["parcels"]):
            key = (int(order_id), parcel["tracking"])
            if waiting and not shown[key]:
                continue
            shipment = by_tracking.get(key)
            provider, slug, _ = CARRIERS[parcel["carrier"]]
            right = shipment and shown[key] == 1 and mails[shipment["id"]] == 1 and provider in ("", shipment["shipping_provider"]) \
                and slug in ("", shipment["tracking_carrier"])
            found.look(bool(right), f"order {order_id}, {parcel['tracking']}: {shown[key]} shipments")


def shipped_orders_are_shown_as_shipped(e: Evidence, found: Found) -> None:
    """D1: when all goods of an order have left and are shown, its status is Shipped, or one that a refund made of it."""
    for number, order in e.orders.items():
        goods = e.goods(order).values()
        if goods and all(line["quantity_shipped"] >= line["quantity"] for line in goods) and str(number) not in e.cancelled:
            found.look(order["status_id"] in (2, 4, 14), f"order {number} has status {order['status_id']}")


def no_shipment_without_a_parcel(e: Evidence, found: Found) -> None:
    """6: nothing is shown as shipped that the warehouse did not ship."""
    parcels = {(order_id, p["tracking"]) for order_id, references in e.references_of.items() for reference in references
               for copy in e.at_warehouse[reference] for p in copy["parcels"]}
    for shipment in e.shipments:
        found.look((str(shipment["order_id"]), shipment["tracking_number"]) in parcels, f"shipment {shipment['id']} of order {shipment['order_id']}")


def cancelled_orders_are_answered(e: Evidence, found: Found) -> None:
    """10: cancelled orders did not ship and will not, or somebody has it on the desk (one that waits for goods, too, of a partner that follows no cancels)."""
    for order_id in e.cancelled:
        shipped = any(copy["parcels"] for reference in e.references_of.get(order_id, []) for copy in e.at_warehouse[reference])
        alive = [copy for copy in e.live(order_id) if not copy["parcels"]]
        found.look("cancel_refused" in e.open_types(order_id) or not shipped and not alive, f"order {order_id} was cancelled; shipped: {shipped}, alive: {len(alive)}")


def control_numbers_are_used_once(e: Evidence, found: Found) -> None:
    """19: each number, once, and rising in the order of first sending."""
    received = [one["control"] for one in e.books.warehouse["received"] if not one["verdict"]]
    for control, times in Counter(received).items():
        found.look(times == 1, f"control number {control} came {times} times")
    numbered = sorted((row.number, row.sequence) for row in e.effects if row.number)
    found.look(len({number for number, _ in numbered}) == len(numbered), "two effects have one control number")


def every_request_is_acknowledged_or_chased(e: Evidence, found: Found) -> None:
    """22: each interchange the warehouse took has its acknowledgement in the ledger, or an exception."""
    for row in e.effects:
        if row.kind.startswith("fulfilment") and row.state == "CONFIRMED":
            known = row.verified_at == row.verified_at and row.verified_at is not None
            found.look(known or "unacknowledged" in e.open_types(row.record), f"{row.effect_id} has no acknowledgement")


def every_file_is_in_one_state(e: Evidence, found: Found) -> None:
    """20: every file that the warehouse wrote is in the inbox: processed, set aside, or known as a repetition."""
    arrived = e.house.ledger.table("inbox")
    for one in e.books.warehouse["written"]:
        states = set(arrived.loc[arrived["name"] == one["file"], "state"])
        found.look(bool(states) and len(states - {"duplicate"}) <= 1, f"{one['file']} is {sorted(states) or 'nowhere'}")


def our_acknowledgements_reached_the_warehouse(e: Evidence, found: Found) -> None:
    """20: each group of dispatch advice was acknowledged."""
    had = Counter(int(number) for number in e.books.warehouse["acknowledged"])
    for one in e.books.warehouse["written"]:
        if one["file"].startswith("945") and "again" not in one["file"]:
            control = int(one["file"][4:13])
            found.look(had[control] == 1, f"{one['file']}: {had[control]} acknowledgements")


def nothing_is_left_in_doubt(e: Evidence, found: Found) -> None:
    """28: every effect has come to its end."""
    for row in e.effects:
        found.look(row.state in ("CONFIRMED", "REJECTED", "WITHDRAWN", "BLOCKED"), f"{row.effect_id} is {row.state}")


def confirmations_were_read_back(e: Evidence, found: Found) -> None:
    """D8: each confirmed dispatch was looked at in the storefront."""
    for row in e.effects:
        if row.kind == "dispatch_confirmation" and row.state == "CONFIRMED":
            found.look(row.verified_at == row.verified_at and row.verified_at is not None, f"{row.effect_id} was not read back")


def exceptions_have_owner_due_time_and_reason(e: Evidence, found: Found) -> None:
    """26: open ones have an owner and a due time; closed ones who, when and why."""
    for row in e.exceptions:
        closed = row.state == "resolved" and bool(row.resolved_at and row.resolved_by and row.reason)
        found.look(bool(row.owner and row.due_at) and (row.state == "open" or closed), f"{row.type} {row.record}")


def personal_data_is_only_in_the_vault(e: Evidence, found: Found) -> None:
    """30: the invented people's addresses are in no database, log, artifact, snapshot or catalogue in the clear."""
    home = e.house.profile.home
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_relative_to(home / "partner"):
            body = path.read_bytes()
            for canary in CANARIES:
                found.look(canary.encode() not in body, f"{path.relative_to(home)} has {canary}")


CHECKS: tuple[Callable[[Evidence, Found], None], ...] = (
    each_order_at_the_warehouse_once_or_held, no_warehouse_order_without_an_effect, no_confirmed_effect_without_its_order, units_asked_equal_units_ordered,
    no_non_stock_line_on_a_request, held_orders_are_not_sent_in_part, shipped_never_exceeds_ordered, storefront_shipped_what_the_warehouse_shipped,
    every_parcel_is_read_at_the_storefront_once, shipped_orders_are_shown_as_shipped, no_shipment_without_a_parcel, cancelled_orders_are_answered, control_numbers_are_used_once,
    every_request_is_acknowledged_or_chased, every_file_is_in_one_state, our_acknowledgements_reached_the_warehouse, nothing_is_left_in_doubt,
    confirmations_were_read_back, exceptions_have_owner_due_time_and_reason, personal_data_is_only_in_the_vault,
)


def check_all(house: House, books: Books, period: Period, cancelled: set[int]) -> dict[str, Found]:
    """Every check, by its name."""
    return asked(CHECKS, Evidence(house, books, period, cancelled))


def asked(checks: tuple[Callable[[Evidence, Found], None], ...], evidence: Evidence) -> dict[str, Found]:
    """These checks, by their names."""
    results = {}
    for check in checks:
        results[check.__name__] = Found()
        check(evidence, results[check.__name__])
    return results
