"""What must hold at rest of orders, their requests and their parcels, asked of the far sides' own books; and what is left of people a month later."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from contracts.exceptions import TYPES
from deployments.demo_checks import Evidence
from deployments.demo_world import METHODS, UK_FACILITY
from deployments.simulation.world import CANARIES, KITS, SKUS, TOKEN
from tasks import orders, retention
from tasks.orders import GONE

ASKED = ("fulfilment_request", "fulfilment_change")
TOLD_OTHERWISE = {"over_shipped", "line_unmatched", "advice_changed", "edited_after_export", "carrier_unmapped", "rejected_by_storefront", "blocked_effect",
                  "return_unexpected", "cancel_refused"}
DATED = ("edited_after_export",)  # one cause each time
TWENTY_DAYS, TOUCHED_BY = timedelta(days=20), 77
PARCEL = ("warehouse", "carrier", "service", "reference", "advice_id", "package_id")
CUT_OFF = 15  # o'clock, UTC
OPEN_WHILE = {"unacknowledged": lambda effect: effect.verified_at != effect.verified_at or effect.verified_at is None, "blocked_effect": lambda effect: effect.state == "BLOCKED"}
OPEN_WHILE["tracking_not_taken"] = OPEN_WHILE["unacknowledged"]  # what it names is not proven yet
PEOPLE = ("dora", "fiona", "carla", "operator")
WITH_ADDRESS = ("fulfilment_request", "fulfilment_change")


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
    shown = {(one["order_id"], one["tracking_number"]): one for one in e.shipments} if world.site.has_one_number_each else {}  # else only the sum is asked, elsewhere
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
        if not world.was_restored and record.isdigit() and times > 1 + world.edits[int(record)] + world.asked_again[int(record)]:
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


def what_is_asked_is_there(world: Any, e: Evidence) -> Iterator[str]:
    """1, 2: what our book calls asked for, whatever became of the file that said so, the warehouse has."""
    state = {row.effect_id: row.state for row in e.effects}
    for reference, row in e.requests.items() if not world.was_restored else ():
        is_known = state.get(row.effect_id) in ("CONFIRMED", "REJECTED") and "unacknowledged" not in e.open_types(row.order_id)
        if row.state not in GONE and is_known and all(copy["state"] == "refused" for copy in e.at_warehouse.get(reference, [])):
            yield f"order {row.order_id}, {reference} is {row.state} in our book, and not at the warehouse"


def no_line_is_told_beyond_what_was_asked(world: Any, e: Evidence) -> Iterator[str]:
    """4: parcel by parcel and line by line, no more is told as shipped of a line than the warehouse was ever asked for of it, whatever the storefront made of that."""
    asked: Counter[tuple[str, str]] = Counter()
    packages: dict[tuple[str, ...], Any] = {}
    for row in e.effects:
        if row.kind in ASKED:
            of_line: Counter[str] = Counter({line["line_id"]: line["quantity"] // line["factor"] for line in row.payload["lines"]})
            for line_id, units in of_line.items():
                asked[row.payload["reference"], line_id] = max(asked[row.payload["reference"], line_id], units)
        elif row.kind == "dispatch_confirmation":
            packages[tuple(row.payload[name] for name in ("reference", "advice_id", "package_id"))] = row.payload
    told: Counter[tuple[str, str]] = Counter()
    for (reference, *_), payload in packages.items():
        told.update({(reference, line["line_id"]): line["quantity"] for line in payload["lines"]})
    yield from (f"{reference}, line {line_id}: {units} are told, {asked[reference, line_id]} were asked for" for (reference, line_id), units in told.items()
                if units > asked[reference, line_id] and not world.was_restored)


def all_of_a_message_or_nothing(world: Any, e: Evidence) -> Iterator[str]:
    """20, 21: of a message that was set aside nothing is in any book."""
    states: dict[str, set[str]] = {}
    for row in world.look("SELECT key, state FROM inbox"):
        states.setdefault(row["key"], set()).add(row["state"])
    for table in ("dispatch_line", "stock_change", "return_line"):
        keys = {row["inbox_key"] for row in world.look(f"SELECT DISTINCT inbox_key FROM {table}")}
        yield from (f"{table} has rows of {key}, which was set aside" for key in sorted(keys) if states.get(key) == {"quarantined"})


def the_book_says_what_the_shop_says(world: Any, e: Evidence) -> Iterator[str]:
    """25, 27: at rest, line by line: article, units, how many have left, price and total to the penny; and the order's status and method."""
    for row in world.look("SELECT order_id, \"order\", lines, ship_groups, modified_at FROM order_book WHERE connection = ?", world.storefront):
        order = e.orders.get(int(row["order_id"]))
        if order is None or world.second(row["modified_at"]) != order["modified"]:
            continue  # asked elsewhere
        books = {line["line_id"]: tuple(line[name] for name in ("sku", "quantity", "quantity_shipped", "unit_price_minor", "total_minor")) for line in json.loads(row["lines"])}
        shops = {str(line_id): (line["sku"], line["quantity"], line["quantity_shipped"], int(line["price"] * 100), int(line["price"] * line["quantity"] * 100))
                 for line_id, line in order["lines"].items()}
        if books != shops or int(json.loads(row["order"])["status_code"]) != order["status_id"]:
            yield f"order {row['order_id']}: the shop has {shops} as {order['status_id']}, the book {books} as {json.loads(row['order'])['status_code']}"
        methods = {group["ship_method"] for group in json.loads(row["ship_groups"])}
        if methods - {one["shipping_method"] for one in order["addresses"].values()}:
            yield f"order {row['order_id']}: the book has it by {methods}"


def what_waits_for_a_mapping_is_on_a_desk(world: Any, e: Evidence) -> Iterator[str]:
    """6, 26: each parcel that is held for its carrier has an exception of its own."""
    open_causes = {row.cause for row in e.exceptions if row.state == "open" and row.type == "carrier_unmapped"}
    for row in e.house.ledger.table("held_dispatch").itertuples():
        cause = "carrier_unmapped:" + ":".join(row.payload[name] for name in PARCEL)
        if cause not in open_causes:
            yield f"order {row.order_id}: {cause}"


def a_mapping_frees_what_waited_for_it(world: Any, e: Evidence) -> Iterator[str]:
    """8: the operator added the carrier and the method that were forgotten, the site the items: nothing waits for them any more."""
    yield from (f"{row.type} of {row.record} waits for {row.evidence.get('sku')}, which the site has" for row in e.exceptions
                if row.state == "open" and row.type == "sku_unknown" and row.evidence.get("sku") in (*SKUS, *KITS))
    if not world.look("SELECT 1 FROM mapping WHERE table_name = 'carriers' AND actor = 'operator' AND valid_to IS NULL"):
        return
    yield from (f"{row.type} of {row.record} is open still" for row in e.exceptions if row.state == "open" and row.type in ("carrier_unmapped", "ship_method_unmapped"))


def one_fact_is_told_once(world: Any, e: Evidence) -> Iterator[str]:
    """26: the same type, record and evidence is one exception, however its cause is spelled."""
    told = Counter((row.type, row.connection, row.record, repr(sorted(row.evidence.items()))) for row in e.exceptions if row.state == "open" and row.type not in DATED)
    yield from (f"{kind} of {connection} {record} is open {times} times" for (kind, connection, record, _), times in told.items() if times > 1)


def exceptions_are_whose_they_are(world: Any, e: Evidence) -> Iterator[str]:
    """26: owner, severity and due time by the closed list: the next collection, in a day, or with the end of the month."""
    for row in e.exceptions:
        kind = TYPES[row.type]
        if (row.owner, row.severity) != (kind.owner, kind.severity) or row.due_at != _due(kind.due, row.opened_at):
            yield f"{row.type} of {row.record}: {row.owner}, {row.severity}, opened {row.opened_at}, due {row.due_at}"


def _due(due: str, opened_at: datetime) -> datetime:
    """No order of these worlds has a ship-by of its own."""
    midnight = opened_at.replace(hour=0, minute=0, second=0, microsecond=0)
    if due == "month-end":
        return (midnight.replace(day=1) + timedelta(days=31)).replace(day=1)
    collection = midnight + timedelta(hours=CUT_OFF)
    return opened_at + timedelta(days=1) if due != "cut-off" else collection if opened_at < collection else collection + timedelta(days=1)


def what_is_over_is_off_the_desk(world: Any, e: Evidence) -> Iterator[str]:
    """26: what an open exception says is so still: its effect is not proven, or blocked; its parcel waits for a mapping."""
    by_id = {row.effect_id: row for row in e.effects}
    held = {tuple(row.payload[name] for name in PARCEL) for row in e.house.ledger.table("held_dispatch").itertuples()}
    for row in (row for row in e.exceptions if row.state == "open"):
        effect = by_id.get(str(row.evidence.get("effect")))
        if row.type in OPEN_WHILE and effect is not None and not OPEN_WHILE[row.type](effect):
            yield f"{row.type} of {row.record} is open, its effect is {effect.state}, proven at {effect.verified_at}"
        if row.type == "carrier_unmapped" and tuple(row.evidence["confirmation"][name] for name in PARCEL) not in held:
            yield f"{row.type} of {row.record} is open, and no parcel waits for it"


def what_still_holds_is_not_closed(world: Any, e: Evidence) -> Iterator[str]:
    """26: no flow closes an exception and opens the same again in one breath: it was never over."""
    opened = {(row.type, row.connection, row.record, row.cause, row.opened_at) for row in e.exceptions}
    yield from (f"{row.type} of {row.connection} {row.record} was closed by {row.resolved_by} and opened again at {row.resolved_at}" for row in e.exceptions
                if row.state == "resolved" and row.resolved_by not in PEOPLE and row.opened_at < row.resolved_at and (row.type, row.connection, row.record, row.cause, row.resolved_at) in opened)


def the_book_has_each_parcel_as_it_was_advised(world: Any, e: Evidence) -> Iterator[str]:
    """20: parcel by parcel, the units that the site packed, once."""
    booked: Counter[tuple[str, str]] = Counter()
    for row in e.house.ledger.table("dispatch_line").itertuples():
        booked[row.reference, row.package_id] += row.quantity
    for reference, parcel in ((reference, parcel) for reference, copies in e.at_warehouse.items() for copy in copies for parcel in copy["parcels"]):
        packed = sum(parcel["content"].values())
        if booked[reference, parcel["package"]] != packed:
            yield f"{reference}, {parcel['package']}: {packed} units lie in it, the book has {booked[reference, parcel['package']]}"


def the_timeline_tells_what_was_done(world: Any, e: Evidence) -> Iterator[str]:
    """M6: of each change that reached a far side, the order's own history says so."""
    told = {(row.connection, row.order_id, row.what) for row in e.house.ledger.table("timeline").itertuples()}
    for row in e.effects:
        is_of_an_order = row.record.isdigit() and row.payload.get("order_id") == row.record
        if row.state == "CONFIRMED" and is_of_an_order and not row.error and not {(row.connection, row.record, f"{row.kind} {how}") for how in ("sent", "found")} & told:
            yield f"{row.effect_id} is {row.state}, and the timeline of {row.record} has nothing of it"


def every_look_into_the_vault_is_written_down(world: Any, e: Evidence) -> Iterator[str]:
    """30: who sent an address has looked it up, and each claim that did is a line of the access log; no line was altered or is missing."""
    looks = Counter(row.subject for row in e.house.ledger.table("access_log").itertuples())
    claims: Counter[str] = Counter()
    for row in e.effects:
        if row.kind in WITH_ADDRESS and row.state != "REJECTED":  # one that cannot be written is refused without a look
            claims[f"{row.connection}/{row.record}"] += row.attempt
    yield from (f"{subject} was sent {times} times and looked up {looks[subject]} times" for subject, times in claims.items() if times > looks[subject])
    with e.house.ledger.transaction() as tx:
        yield from (f"line {line} of the access log is not what it was" for line in e.house.ledger.vault.check_log(tx))


def advice_of_strangers_is_told(world: Any, e: Evidence) -> Iterator[str]:
    """2, 20: a dispatch under a reference that we never sent is on a desk, once."""
    told = Counter(row.record for row in e.exceptions if row.type == "advice_before_export")
    yield from (f"{reference} is told {told[reference]} times" for reference in world.site.strays if told[reference] != 1)


def what_the_partner_says_otherwise_is_told(world: Any, e: Evidence) -> Iterator[str]:
    """20: a package that it advised before with other contents, and a control number that it used before with other bytes, are a person's to look at."""
    changed = {row.record for row in e.exceptions if row.type == "advice_changed"}
    yield from (f"{reference} was advised again with other contents, and nobody was told" for reference in world.site.corrected if reference not in changed)
    reused = {str(row.evidence.get("file")) for row in e.exceptions if row.type == "control_number_reused"}
    if not world.was_restored:
        yield from (f"{name} has the number of {used}, and nobody was told" for used, name in world.site.used_again if not {used, name} & reused)


def a_request_goes_by_the_method_of_the_order(world: Any, e: Evidence) -> Iterator[str]:
    """3, O3: carrier and service at the warehouse are what the mapping makes of the method that the order has now; a change that came too late is on a desk,
    or was never known before all had left."""
    for number, order in e.orders.items():
        if number in world.methods_changed and (world.was_restored or world.known_open.get(str(number), 0) < world.methods_changed[number]):
            continue
        method = METHODS.get(next(iter(order["addresses"].values()))["shipping_method"])
        for copy in e.live(str(number)) if method and not _may_differ(world, e, str(number)) else ():
            if (copy["carrier"], copy["service"]) != method:
                yield f"order {number} goes by {copy['carrier']} {copy['service']}, its method is {method}"


def _may_differ(world: Any, e: Evidence, order_id: str) -> bool:
    """Is it told that the warehouse may have another version of the order than the shop, or could nobody know?"""
    return order_id in e.cancelled or bool(e.open_types(order_id) & {"edited_after_export", "rejected_by_warehouse", "cancel_refused", "unacknowledged"}) or (
        not world.partner.acknowledges and any(row.kind == "fulfilment_change" and row.record == order_id for row in e.effects))


def nobody_and_nothing_secret_is_named(world: Any, e: Evidence) -> Iterator[str]:
    """30, 32: no canary in an error or a log, and the token nowhere but on the wire."""
    heard = "\n".join((*world.said, *world.kernel.story))
    yield from (f"a log or an error has {word}" for word in (*(one.decode() for one in CANARIES), TOKEN) if word in heard)
    if TOKEN.encode() in world.ledger.database.content():
        yield "the ledger has the token"


def people_are_forgotten_in_time(world: Any) -> Iterator[tuple[str, str]]:
    """31: forty days after all is over, nothing of the people in a finished order can be read any more, though the shop's staff has touched it since;
    and what is not over can be. (Time goes on for this; nobody else is at work.)"""
    now, house = world.kernel.at, world.house()
    had = {row["subject"] for row in world.look("SELECT DISTINCT subject FROM vault_item WHERE length(sealed) > 0")}
    finished = _finished(world)
    world.kernel.at += TWENTY_DAYS
    if touched := next((order_id for order_id in sorted(finished) if order_id.isdigit() and int(order_id) not in world.cancelled), ""):
        world.shop.edit_order(int(touched), customer_id=TOUCHED_BY)
        world.kernel.at += timedelta(seconds=300)  # until its list shows it
        orders.take_in_orders(house, world.storefront)
        orders.plan_owed(house, world.storefront)
    world.kernel.at += TWENTY_DAYS
    retention.retain(house)
    world.kernel.at = now
    left = {row["subject"]: row["name"] for row in world.look("SELECT subject, name FROM vault_item WHERE length(sealed) > 0")}
    for order_id in _finished(world) & finished:
        if f"{world.storefront}/{order_id}" in left:
            yield "people are forgotten in time", f"order {order_id}: {left[f'{world.storefront}/{order_id}']} can be read still"
    for order_id in _open_orders(world):
        if f"{world.storefront}/{order_id}" in had - left.keys():
            yield "people are forgotten in time", f"order {order_id} is not over, and nothing of it can be read any more"


def _finished(world: Any) -> set[str]:
    """Orders of which nothing more is to come: by the shop's word, without an open effect or exception, and none that a restored ledger never asked for."""
    ended = world.look("SELECT order_id FROM order_book WHERE json_extract(\"order\", '$.status') IN ('shipped', 'completed', 'cancelled', 'refunded')")
    return {row["order_id"] for row in ended} - _open_orders(world) - world.excused


def _open_orders(world: Any) -> set[str]:
    """Orders about which an effect or an exception is open, under their own number or a reference of theirs."""
    records = {row["record"] for row in world.look("SELECT record FROM exception WHERE state = 'open' UNION SELECT record FROM effect "
                                                   "WHERE state IN ('PLANNED', 'IN_FLIGHT', 'UNKNOWN', 'BLOCKED')")}
    order_of = {row["reference"]: row["order_id"] for row in world.look("SELECT reference, order_id FROM request")}
    known = {row["order_id"] for row in world.look("SELECT order_id FROM order_book")}
    return {order_of.get(record, record) for record in records} & known


CHECKS = (every_shipment_names_its_effect, a_shipment_has_what_its_parcel_has, nothing_is_asked_without_an_edit, a_request_says_what_the_order_says, what_is_asked_is_there, no_line_is_told_beyond_what_was_asked, all_of_a_message_or_nothing, the_book_says_what_the_warehouse_has, the_book_says_what_the_shop_says,
          what_waits_for_a_mapping_is_on_a_desk, a_mapping_frees_what_waited_for_it, one_fact_is_told_once, exceptions_are_whose_they_are,
          what_is_over_is_off_the_desk, what_still_holds_is_not_closed, the_book_has_each_parcel_as_it_was_advised, the_timeline_tells_what_was_done,
          every_look_into_the_vault_is_written_down, what_the_partner_says_otherwise_is_told,
          a_request_goes_by_the_method_of_the_order, advice_of_strangers_is_told, nobody_and_nothing_secret_is_named)
