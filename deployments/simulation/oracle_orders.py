"""What must hold at rest of orders, their requests and their parcels, asked of the far sides' own books; and what is left of people a month later."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from contracts.exceptions import TYPES
from deployments.demo_checks import Evidence
from deployments.demo_world import UK_FACILITY
from deployments.simulation.world import CANARIES, KITS, TOKEN
from tasks import retention
from tasks.orders import GONE

ASKED = ("fulfilment_request", "fulfilment_change")
TOLD_OTHERWISE = {"over_shipped", "line_unmatched", "advice_changed", "edited_after_export", "carrier_unmapped", "rejected_by_storefront", "blocked_effect",
                  "return_unexpected", "cancel_refused"}
DATED = ("edited_after_export",)  # one cause each time
A_MONTH = timedelta(days=40)


def every_shipment_names_its_effect(world: Any, e: Evidence) -> Iterator[str]:
    """2, 5: a shipment bears the reference of the one effect that made it, and the effect holds its number."""
    by_effect = {row.effect_id: row for row in e.effects if row.kind == "dispatch_confirmation"}
    for shipment in e.shipments:
        named = next((unquote(word[4:]) for word in shipment["comments"].split() if word.startswith("ref:")), "")
        row = by_effect.get(named)
        if row is None or row.state == "CONFIRMED" and row.remote_id != str(shipment["id"]) and not (row.remote_id == "" and row.error.startswith("decided by ")):
            yield f"shipment {shipment['id']} of order {shipment['order_id']} names {named!r}, which holds {row.remote_id if row is not None else 'nothing'}"


def a_shipment_has_what_its_parcel_has(world: Any, e: Evidence) -> Iterator[str]:
    """4, 6: parcel by parcel, the units that lay in it; line by line where the warehouse names our lines."""
    shown = {(one["order_id"], one["tracking_number"]): one for one in e.shipments}
    told_otherwise = {row.record for row in e.exceptions if row.type in TOLD_OTHERWISE}  # resolved ones too: the shipment stays as it is
    for order_id, references in e.references_of.items():
        order = e.orders.get(int(order_id))
        if order is None or order_id in told_otherwise or any(line["sku"] in KITS for line in order["lines"].values()):
            continue
        for reference, copy in ((one, copy) for one in references for copy in e.at_warehouse[one]):
            for parcel in copy["parcels"]:
                shipment = shown.get((int(order_id), parcel["tracking"]))
                if shipment is None:
                    continue
                told, packed = Counter(), Counter()
                for item in shipment["items"]:
                    told[order["lines"][item["order_product_id"]]["sku"]] += item["quantity"]
                for key, count in parcel["content"].items():
                    packed[copy["lines"][key]["sku"]] += count
                if told != packed:
                    yield f"order {order_id}, {parcel['tracking']}: {dict(packed)} lay in it, {dict(told)} is shown"
                elif why := _by_line(world, e, reference, parcel, shipment):
                    yield f"order {order_id}, {parcel['tracking']}: {why}"


def _by_line(world: Any, e: Evidence, reference: str, parcel: dict[str, Any], shipment: dict[str, Any]) -> str:
    request = e.requests.get(reference)
    if request is None or request.revision > 1 or world.site.ships_as(reference) == "unnumbered":
        return ""
    lines = {str(line["number"]): line["line_id"] for line in request.payload["lines"]}
    packed = Counter({lines.get(key, "?"): count for key, count in parcel["content"].items()})
    told = Counter({str(item["order_product_id"]): item["quantity"] for item in shipment["items"]})
    return "" if told == packed else f"lines {dict(packed)} lay in it, {dict(told)} are shown"


def nothing_is_asked_without_an_edit(world: Any, e: Evidence) -> Iterator[str]:
    """3, 33: one request, and at most one more for each time that the customer changed his mind."""
    asked = Counter(row.record for row in e.effects if row.kind in ASKED)
    for record, times in asked.items():
        if not world.was_restored and record.isdigit() and times > 1 + world.edits[int(record)]:
            yield f"order {record} was edited {world.edits[int(record)]} times, and asked for {times} times"


def a_request_says_what_the_order_says(world: Any, e: Evidence) -> Iterator[str]:
    """25: the discount, the currency and the place that the warehouse was told are the order's."""
    for row in e.effects:
        if row.kind in ASKED and row.record.isdigit() and int(row.record) in world.discounts:
            wanted = (int(Decimal(world.discounts[int(row.record)]) * 100), e.orders[int(row.record)]["currency"], UK_FACILITY)
            if (told := tuple(row.payload[name] for name in ("discount_minor", "currency", "facility"))) != wanted:
                yield f"{row.effect_id} says {told}, the order {wanted}"


def the_book_says_what_the_warehouse_has(world: Any, e: Evidence) -> Iterator[str]:
    """3, 14: a request's lines in our book are those that the warehouse has, whatever was taken back or refused: goods that nobody will ship are not kept for it."""
    asked: dict[str, Counter] = {}
    for line in e.house.ledger.table("request_line").itertuples():
        asked.setdefault(line.reference, Counter())[line.warehouse_sku] += line.quantity
    for reference, row in e.requests.items():
        copies = [copy for copy in e.at_warehouse.get(reference, []) if copy["state"] not in ("cancelled", "refused")]
        if row.state in GONE or len(copies) != 1 or not world.partner.acknowledges or "unacknowledged" in e.open_types(row.order_id):
            continue  # of one that acknowledges nothing nobody knows what it followed
        there = Counter()
        for line in copies[0]["lines"].values():
            there[line["sku"]] += line["quantity"]
        if +there != +asked.get(reference, Counter()):
            yield f"order {row.order_id}, {reference}: the warehouse has {dict(there)}, our book says {dict(asked.get(reference, {}))}"


def what_waits_for_a_mapping_is_on_a_desk(world: Any, e: Evidence) -> Iterator[str]:
    """6, 26: each parcel that is held for its carrier has an exception of its own."""
    open_causes = {row.cause for row in e.exceptions if row.state == "open" and row.type == "carrier_unmapped"}
    for row in e.house.ledger.table("held_dispatch").itertuples():
        cause = "carrier_unmapped:" + ":".join(row.payload[name] for name in ("warehouse", "carrier", "service", "reference", "advice_id", "package_id"))
        if cause not in open_causes:
            yield f"order {row.order_id}: {cause}"


def a_mapping_frees_what_waited_for_it(world: Any, e: Evidence) -> Iterator[str]:
    """8: the operator added the carrier and the method that were forgotten; nothing waits for them any more."""
    if not world.look("SELECT 1 FROM mapping WHERE table_name = 'carriers' AND actor = 'operator' AND valid_to IS NULL"):
        return
    yield from (f"{row.type} of {row.record} is open still" for row in e.exceptions if row.state == "open" and row.type in ("carrier_unmapped", "ship_method_unmapped"))


def one_fact_is_told_once(world: Any, e: Evidence) -> Iterator[str]:
    """26: the same type, record and evidence is one exception, however its cause is spelled."""
    told = Counter((row.type, row.connection, row.record, repr(sorted(row.evidence.items()))) for row in e.exceptions if row.state == "open" and row.type not in DATED)
    yield from (f"{kind} of {connection} {record} is open {times} times" for (kind, connection, record, _), times in told.items() if times > 1)


def exceptions_are_whose_they_are(world: Any, e: Evidence) -> Iterator[str]:
    """26: owner and severity by the closed list, and due after it was opened."""
    for row in e.exceptions:
        kind = TYPES[row.type]
        if (row.owner, row.severity) != (kind.owner, kind.severity) or row.due_at < row.opened_at:
            yield f"{row.type} of {row.record}: {row.owner}, {row.severity}, opened {row.opened_at}, due {row.due_at}"


def advice_of_strangers_is_told(world: Any, e: Evidence) -> Iterator[str]:
    """2, 20: a dispatch under a reference that we never sent is on a desk, once."""
    told = Counter(row.record for row in e.exceptions if row.type == "advice_before_export")
    yield from (f"{reference} is told {told[reference]} times" for reference in world.site.strays if told[reference] != 1)


def nobody_and_nothing_secret_is_named(world: Any, e: Evidence) -> Iterator[str]:
    """30, 32: no canary in an error or a log, and the token nowhere but on the wire."""
    heard = "\n".join((*world.said, *world.kernel.story))
    yield from (f"a log or an error has {word}" for word in (*(one.decode() for one in CANARIES), TOKEN) if word in heard)
    if TOKEN.encode() in world.ledger.database.content():
        yield "the ledger has the token"


def people_are_forgotten_in_time(world: Any) -> Iterator[tuple[str, str]]:
    """31: a month after all is over, nothing of the people in a finished order can be read any more. (Time goes on for this; nobody else is at work.)"""
    now = world.kernel.at
    world.kernel.at += A_MONTH
    retention.retain(world.house())
    world.kernel.at = now
    open_records = {row["record"] for row in world.look("SELECT record FROM exception WHERE state = 'open'")}
    for row in world.look("SELECT b.order_id FROM order_book b WHERE json_extract(b.\"order\", '$.status') IN ('shipped', 'completed', 'cancelled', 'refunded') "
                          "AND NOT EXISTS (SELECT 1 FROM effect f WHERE f.record = b.order_id AND (f.state IN ('PLANNED', 'IN_FLIGHT', 'UNKNOWN', 'BLOCKED')))"):
        order_id, references = row["order_id"], [one["reference"] for one in world.look("SELECT reference FROM request WHERE order_id = ?", row["order_id"])]
        if open_records & {order_id, *references}:
            continue
        left = world.look("SELECT name FROM vault_item WHERE subject = ? AND length(sealed) > 0", f"{world.storefront}/{order_id}")
        if left:
            yield "people are forgotten in time", f"order {order_id}: {left[0]['name']} can be read still"


CHECKS = (every_shipment_names_its_effect, a_shipment_has_what_its_parcel_has, nothing_is_asked_without_an_edit, a_request_says_what_the_order_says, the_book_says_what_the_warehouse_has,
          what_waits_for_a_mapping_is_on_a_desk, a_mapping_frees_what_waited_for_it, one_fact_is_told_once, exceptions_are_whose_they_are,
          advice_of_strangers_is_told, nobody_and_nothing_secret_is_named)
