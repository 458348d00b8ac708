"""Enter what a warehouse advises and acknowledges, owe the confirmations to the storefronts, and read them back. (`inbound.py` reads the files.)"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from prefect import task

from connectors.house import House
from connectors.ledger.effects import EffectChanged, Planned
from connectors.ledger.ledger import Row, Tx
from connectors.ports import (
    ACKNOWLEDGEMENT, DISPATCH_CONFIRMATION, FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, ORDER_COMPLETION, RECEIPT_NOTICE, RETURN_NOTICE,
    Effect, Message, Receipt, Warehouse,
)
from contracts.base import WHY, rows_of
from contracts.dispatches import Dispatches
from contracts.effects import DispatchConfirmation, OrderCompletion
from contracts.exceptions import Finding
from tasks.asked import refused
from tasks.entered import Entered
from tasks.opened import RETRY, house
from tasks.orders import order_row
from tasks.rules.dispatch import place, rows_again, with_carrier
from tasks.rules.fulfilment import is_no_goods
from tasks.rules.lookup import Mappings
from tasks.rules.waits import waits_on_mapping

ACTOR = "dispatch_back"
IN_FLIGHT, UNKNOWN, BLOCKED = "IN_FLIGHT", "UNKNOWN", "BLOCKED"
OF_REQUESTS = (FULFILMENT_REQUEST, FULFILMENT_CHANGE, FULFILMENT_CANCEL)
NOTICES = (RETURN_NOTICE, RECEIPT_NOTICE)
ANSWERS = (ACKNOWLEDGEMENT,)
CONFIRMATIONS = (DISPATCH_CONFIRMATION, ORDER_COMPLETION)
READ_BACK_SECONDS = 240.0  # of one run
PACKAGE = ("advice_id", "reference", "package_id")
CONTENT = ("carrier", "service", "tracking_number", "request_line", "sku", "quantity", "unit")


def enter_advice(opened: House, tx: Tx, warehouse: str, message: Message) -> Entered:
    """The dispatches of one message into the book, with what is owed for them. Every package that was advised before makes it a duplicate."""
    sound, unsound = Dispatches.split(message.dispatches)
    if len(unsound):
        return Entered("quarantined", "; ".join(unsound[WHY].unique()[:5]))
    counts: Counter = Counter()
    new = _not_advised_before(opened, tx, warehouse, rows_of(sound))
    _place(opened, tx, warehouse, new, message.key, counts)
    if new or not len(sound):
        return Entered("processed", f"{len(new)} rows", counts)
    return Entered("duplicate", "every package of it was advised before", counts)


def enter_acknowledgements(opened: House, tx: Tx, warehouse: str, message: Message) -> Entered:
    """What the warehouse says of our own files."""
    acknowledged = sum(_acknowledge(opened, tx, warehouse, one) for one in message.acknowledgements)
    return Entered("processed", "", Counter(acknowledged=acknowledged) if acknowledged else Counter())


def _not_advised_before(opened: House, tx: Tx, warehouse: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of packages that are new. A package that was advised before with other contents is a person's to look at."""
    before: dict[tuple[str, ...], Counter] = {}
    for line in opened.ledger.books.dispatched(tx, warehouse, {row["reference"] for row in rows}):
        before.setdefault(tuple(getattr(line, name) for name in PACKAGE), Counter())[tuple(getattr(line, name) for name in CONTENT)] += 1
    now: dict[tuple[str, ...], Counter] = {}
    for row in rows:
        now.setdefault(tuple(row[name] for name in PACKAGE), Counter())[tuple(row[name] for name in CONTENT)] += 1
    changed = [package for package in now if package in before and before[package] != now[package]]
    requests = opened.ledger.books.requests(tx, warehouse, {package[1] for package in changed})
    opened.ledger.exceptions.open(tx, [_advice_changed(warehouse, package, requests.get(package[1])) for package in changed])
    return [row for row in rows if tuple(row[name] for name in PACKAGE) not in before]


def _advice_changed(warehouse: str, package: tuple[str, ...], request: Row | None) -> Finding:
    connection, record = (request.connection, request.order_id) if request else (warehouse, package[1])
    return Finding("advice_changed", connection, record, f"advice_changed:{':'.join(package)}", dict(zip(PACKAGE, package, strict=True)))


def _place(opened: House, tx: Tx, warehouse: str, rows: list[dict[str, Any]], inbox_key: str, counts: Counter) -> None:
    books = opened.ledger.books
    books.enter_dispatch(tx, rows, inbox_key)
    requests = books.requests(tx, warehouse, {row["reference"].strip() for row in rows})
    shipped = {(reference, line.number): line.advised for reference in requests for line in books.request_lines(tx, warehouse, reference)}
    placement = place(Dispatches.frame(_native(row) for row in rows), {reference: row.payload for reference, row in requests.items()}, shipped,
                      Mappings.of({"carriers": opened.ledger.mappings.current(tx, "carriers")}))
    for reference, number, units in placement.advised:
        books.advise(tx, warehouse, reference, number, units)
    for confirmation in placement.confirmations:
        counts["confirmations"] += _owe_confirmation(opened, tx, confirmation)
    for held in placement.held:
        books.hold_dispatch(tx, _key(held), held.model_dump(), _waits_on(held))
        opened.ledger.timeline.note(tx, held.connection, held.order_id, "dispatch held", ACTOR, f"carrier {held.carrier} has no mapping")
        counts["held"] += 1
    opened.ledger.exceptions.open(tx, placement.findings)
    counts["findings"] += len(placement.findings)
    for reference, request in requests.items():
        _move_request(opened, tx, request, reference in placement.cancelled)


def _move_request(opened: House, tx: Tx, request: Row, is_cancelled: bool) -> None:
    """The request's state after an advice; a cancel that was not obeyed, and a closing that nobody asked for, get an exception."""
    lines = opened.ledger.books.request_lines(tx, request.warehouse, request.reference)
    asked_to_cancel = request.state == "cancelling"
    state = "cancelled" if is_cancelled else "shipped" if all(line.advised >= line.quantity for line in lines) else "partly_shipped"
    if is_cancelled and not asked_to_cancel:
        opened.ledger.exceptions.open(tx, [Finding("rejected_by_warehouse", request.connection, request.order_id, f"closed_unshipped:{request.reference}",
                                                   {"reference": request.reference, "why": "the warehouse closed it without shipping anything"})])
    elif asked_to_cancel and any(line.advised for line in lines):
        opened.ledger.exceptions.open(tx, [Finding("cancel_refused", request.connection, request.order_id, f"cancel_refused:{request.reference}",
                                                   {"reference": request.reference, "why": "it was shipped after the cancel was sent"})])
    elif not any(line.advised for line in lines) and not is_cancelled:
        return
    opened.ledger.books.set_request(tx, request.warehouse, request.reference, state)
    opened.ledger.timeline.note(tx, request.connection, request.order_id, f"warehouse says {state.replace('_', ' ')}", request.warehouse, request.reference)


def _owe_confirmation(opened: House, tx: Tx, confirmation: DispatchConfirmation) -> int:
    connection, order_id, key = confirmation.connection, confirmation.order_id, _key(confirmation)
    payload = confirmation.model_dump() | {"package_number": opened.ledger.books.number_package(tx, connection, order_id, key)}
    entry = opened.ledger.books.order(tx, connection, order_id)
    planned = Planned(DISPATCH_CONFIRMATION, connection, key, f"{connection}/{order_id}", connection, order_id, payload,
                      order_row(entry)["ship_by"] if entry else None)
    try:
        return int(opened.ledger.effects.plan(tx, planned))
    except EffectChanged:
        package = (confirmation.advice_id, confirmation.reference, confirmation.package_id)
        request = opened.ledger.books.requests(tx, confirmation.warehouse, [confirmation.reference])[confirmation.reference]
        opened.ledger.exceptions.open(tx, [_advice_changed(confirmation.warehouse, package, request)])
        return 0


def _key(confirmation: DispatchConfirmation) -> str:
    return (f"{confirmation.order_id}/{confirmation.ship_group}/{confirmation.warehouse}/{confirmation.reference}/"
            f"{confirmation.advice_id}/{confirmation.package_id}")


def _waits_on(held: DispatchConfirmation) -> str:
    return waits_on_mapping("carriers", warehouse=held.warehouse, carrier=held.carrier, service=held.service, connection=held.connection)


def _acknowledge(opened: House, tx: Tx, warehouse: str, acknowledgement: dict[str, Any]) -> int:
    effects = [row for row in opened.ledger.effects.by_number(tx, warehouse, acknowledgement["number"]) if row.kind in OF_REQUESTS + NOTICES]
    if not effects:
        opened.ledger.exceptions.open(tx, [Finding("advice_before_export", warehouse, f"control number {acknowledgement['number']}",
                                                   f"ack:{acknowledgement['number']}", {"why": "it acknowledges what we did not send"} | acknowledgement)])
    for row in effects:
        _end_doubt(opened, tx, row)
        if not opened.ledger.effects.prove(tx, row.effect_id):
            continue
        order = (row.connection, row.record)  # of stock on its way: the warehouse and the notice's reference
        opened.ledger.exceptions.settle(tx, *order, ("unacknowledged",), (), warehouse, "The acknowledgement arrived.")
        what = "accepted" if acknowledgement["accepted"] else "rejected"
        opened.ledger.timeline.note(tx, *order, f"{row.kind} {what}", warehouse, f"acknowledged under control number {row.number}")
        if not acknowledgement["accepted"]:
            kind = {FULFILMENT_CHANGE: "edited_after_export", FULFILMENT_CANCEL: "cancel_refused"}.get(row.kind, "rejected_by_warehouse")
            cause = f"{kind}:{row.payload['reference']}" if kind == "cancel_refused" else f"{kind}:{row.effect_id}"
            opened.ledger.exceptions.open(tx, [Finding(kind, *order, cause, {"reference": row.payload["reference"], "effect": row.effect_id, "target": warehouse} | acknowledgement)])
            if row.kind == FULFILMENT_REQUEST:
                opened.ledger.books.set_request(tx, warehouse, row.payload["reference"], "rejected")
            elif row.kind == FULFILMENT_CHANGE:
                refused(opened, tx, row)
    return len(effects)


def _end_doubt(opened: House, tx: Tx, row: Row) -> None:
    """The answer overtook our read-back: what is acknowledged is there. Without this its verdict was lost, a refusal too."""
    if row.state in (IN_FLIGHT, UNKNOWN):
        effect = Effect(row.effect_id, row.kind, row.target, row.business_key, row.payload, row.attempt, row.fence, row.number, row.planned_at, row.sent_at)
        opened.ledger.effects.confirm(tx, effect, Receipt(f"{row.number:09}", {"told by": "its acknowledgement"}), opened.warehouse(row.target).verify_seconds)
        opened.ledger.timeline.note(tx, row.connection, row.record, f"{row.kind} found", ACTOR, f"{row.target} acknowledges control number {row.number}")
    elif row.state == BLOCKED and opened.ledger.effects.decide(tx, row.effect_id, True, row.target):
        opened.ledger.exceptions.settle_cause(tx, "blocked_effect", row.connection, row.record, f"blocked_effect:{row.effect_id}", ACTOR, "It was acknowledged.")


def place_again(opened: House, warehouse: str, counts: Counter) -> None:
    """Advice that came before its order was known to us: placed now, where the order has turned up since."""
    with opened.ledger.transaction() as tx:
        early = [row for row in opened.ledger.exceptions.open_of(tx, "advice_before_export", warehouse) if row.evidence.get("rows")]
        known = opened.ledger.books.requests(tx, warehouse, {row.evidence["reference"] for row in early})
        for row in early:
            if row.evidence["reference"] in known:
                rows = rows_of(rows_again(row.evidence))
                opened.ledger.books.forget_dispatch(tx, warehouse, row.evidence["reference"], row.evidence["advice_id"])
                _place(opened, tx, warehouse, rows, f"placed again {row.exception_id}", counts)
                opened.ledger.exceptions.resolve(tx, row.exception_id, ACTOR, "The order is known now; the advice was placed.")


def release_held(opened: House, storefront: str) -> int:
    """Owe the confirmations of exactly those packages whose carrier has a mapping by now."""
    released = 0
    with opened.ledger.transaction() as tx:
        mappings = Mappings.of({"carriers": opened.ledger.mappings.current(tx, "carriers")})
        for row in opened.ledger.books.held_dispatches(tx, storefront):
            ready = with_carrier(row.payload, mappings)
            if ready is None:
                continue
            released += _owe_confirmation(opened, tx, ready)
            opened.ledger.books.release_dispatch(tx, row.business_key)
            cause = f"carrier_unmapped:{ready.warehouse}:{ready.carrier}:{ready.service}:{ready.reference}:{ready.advice_id}:{ready.package_id}"
            opened.ledger.exceptions.settle_cause(tx, "carrier_unmapped", storefront, ready.order_id, cause, ACTOR, "A carrier mapping was added.")
            opened.ledger.timeline.note(tx, storefront, ready.order_id, "dispatch freed", ACTOR, f"carrier {ready.carrier} is mapped now")
    return released


def read_back(opened: House, storefront: str) -> Counter:
    """Look at every confirmed but unproven dispatch at the storefront itself. What it does not show in time is an exception (D8).

    Where that takes long (a marketplace gives two reads a second or one in two), the rest is left to the next run: confirmations must not wait for it.
    """
    port, ledger, counts = opened.storefront(storefront), opened.ledger, Counter()
    until = opened.clock.now() + timedelta(seconds=READ_BACK_SECONDS)
    for order_id, rows in _to_read_back(opened, storefront).items():
        if opened.clock.now() > until:
            counts["left to the next run"] += len(rows)
            continue
        shown = {one["remote_id"]: one for one in port.shown_dispatches(order_id)}
        with ledger.transaction() as tx:
            for row in rows:
                counts[_prove(opened, tx, row, shown.get(row.remote_id))] += 1
            counts["completed"] += owe_completion(opened, tx, storefront, order_id)
    return counts


def _to_read_back(opened: House, storefront: str) -> dict[str, list[Row]]:
    """By order, oldest first; those last that are on a desk already, so that they keep nobody else from being read."""
    unproven = opened.ledger.effects.unproven(storefront, (DISPATCH_CONFIRMATION,))
    with opened.ledger.transaction() as tx:
        on_desk = {row.cause for row in opened.ledger.exceptions.open_of(tx, "tracking_not_taken", storefront)}
    by_order: dict[str, list[Row]] = {}
    for row in sorted(unproven, key=lambda row: f"tracking_not_taken:{row.effect_id}" in on_desk):
        by_order.setdefault(row.record, []).append(row)
    return by_order


def owe_completion(opened: House, tx: Tx, storefront: str, order_id: str) -> int:
    """Tell the storefront that all of the order has left, where all of it has and it would not know by itself. 1 when that is owed now."""
    if ORDER_COMPLETION not in opened.storefront(storefront).kinds:  # a marketplace closes its orders itself
        return 0
    return _owe_completion(opened, tx, storefront, order_id)


def _owe_completion(opened: House, tx: Tx, storefront: str, order_id: str) -> int:
    """Postage and the like are never shipped, so the storefront would call the order partially shipped for ever: tell it once all goods are shown."""
    entry, requests = opened.ledger.books.order(tx, storefront, order_id), opened.ledger.books.requests_of(tx, storefront, order_id)
    # of a package that was refused and sent again, the newest counts
    told = {tuple(row.payload[name] for name in PACKAGE): row
            for row in opened.ledger.effects.of_record(tx, storefront, order_id) if row.kind == DISPATCH_CONFIRMATION}.values()
    if entry is None or not requests or any(request.state != "shipped" for request in requests) or any(row.verified_at is None for row in told):
        return 0
    shown: Counter[str] = Counter()
    for line in (line for row in told if row.state == "CONFIRMED" for line in row.payload["lines"]):
        shown[line["line_id"]] += line["quantity"]
    missing = [line for line in entry.lines if line["is_shippable"] and max(shown[line["line_id"]], line["quantity_shipped"]) < line["quantity"]]
    mappings = Mappings.of({table: opened.ledger.mappings.current(tx, table) for table in ("non_stock", "kits")})
    if not missing or not all(is_no_goods(line, mappings) for line in missing):  # it knows by itself, or goods are missing: of an edit that came too late, say
        return 0
    payload = OrderCompletion(connection=storefront, order_id=order_id).model_dump()
    return int(opened.ledger.effects.plan(tx, Planned(ORDER_COMPLETION, storefront, order_id, f"{storefront}/{order_id}", storefront, order_id, payload)))


def _prove(opened: House, tx: Tx, row: Row, shown: dict[str, Any] | None) -> str:
    asked = {(line["line_id"], line["quantity"]) for line in row.payload["lines"]}
    order = (row.connection, row.record)
    if shown and shown["tracking_number"] == row.payload["tracking_number"] and {(line["line_id"], line["quantity"]) for line in shown["lines"]} == asked:
        opened.ledger.effects.prove(tx, row.effect_id)
        opened.ledger.exceptions.settle_cause(tx, "tracking_not_taken", *order, f"tracking_not_taken:{row.effect_id}", ACTOR, "The storefront shows it now.")
        opened.ledger.timeline.note(tx, *order, "dispatch read back", ACTOR, f"shipment {row.remote_id} shows the parcel")
        return "proven"
    if row.verify_by > opened.clock.now():
        return "not yet"
    opened.ledger.exceptions.open(tx, [Finding("tracking_not_taken", *order, f"tracking_not_taken:{row.effect_id}",
                                               {"effect": row.effect_id, "target": row.target, "shipment": row.remote_id, "shown": "another content" if shown else "nothing",
                                                "carrier": row.payload["provider"] or row.payload["tracking_carrier"], "told_at": row.confirmed_at.isoformat(),
                                                "reference": row.payload["reference"], "package": row.payload["package_id"]})])
    return "not taken"


def watch_acknowledgements(opened: House, warehouse: str) -> int:
    """Requests whose acknowledgement is overdue, each with an exception (invariant 22). How many.

    A warehouse that sends none is asked instead: what it shows by our reference is proven.
    """
    port = opened.warehouse(warehouse)
    late = [row for row in opened.ledger.effects.unproven(warehouse, OF_REQUESTS + NOTICES)
            if not (_is_shown(opened, port, row) if not port.acknowledges else row.verify_by > opened.clock.now())]
    with opened.ledger.transaction() as tx:
        open_already = {row.record for row in opened.ledger.exceptions.open_of(tx, "unacknowledged")}
        opened.ledger.exceptions.open(tx, [Finding("unacknowledged", row.connection, row.record, f"unacknowledged:{row.effect_id}",
                                                   {"reference": row.payload["reference"], "control_number": row.number, "sent": row.sent_at.isoformat(),
                                                    "effect": row.effect_id, "target": warehouse})
                                           for row in late if row.record not in open_already])
    return len(late)


def _is_shown(opened: House, port: Warehouse, row: Row) -> bool:
    effect = Effect(row.effect_id, row.kind, row.target, row.business_key, row.payload, row.attempt, row.fence, row.number, row.planned_at, row.sent_at)
    if port.find(effect) is None:
        return row.verify_by > opened.clock.now()
    with opened.ledger.transaction() as tx:
        opened.ledger.effects.prove(tx, row.effect_id)
    return True


def _native(row: dict[str, Any]) -> dict[str, Any]:
    shipped_at = row["shipped_at"]
    return row | {"shipped_at": shipped_at if type(shipped_at) is datetime else shipped_at.to_pydatetime()}


@task(name="release held dispatches", task_run_name="release held dispatches for {storefront}", **RETRY)
def release_held_of(storefront: str) -> int:
    """Exactly those that a new carrier mapping frees."""
    return release_held(house(), storefront)


@task(name="read back dispatches", task_run_name="read back dispatches at {storefront}", **RETRY)
def read_back_at(storefront: str) -> dict[str, int]:
    """Every confirmation, looked at where the customer sees it."""
    return dict(read_back(house(), storefront))


@task(name="watch acknowledgements", task_run_name="watch acknowledgements of {warehouse}", **RETRY)
def watch_acknowledgements_of(warehouse: str) -> int:
    """What the warehouse has not acknowledged in time."""
    return watch_acknowledgements(house(), warehouse)


