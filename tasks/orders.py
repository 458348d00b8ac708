"""Take orders in from a storefront, and plan what is owed to the warehouses for them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from prefect import task


from connectors.house import House
from connectors.ledger.books import OrderEntry
from connectors.ledger.effects import Planned
from connectors.ledger.ledger import Row, Tx
from connectors.ports import FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, OrderPage, Window
from contracts.base import WHY, rows_of
from contracts.exceptions import Finding
from contracts.orders import OrderLines, Orders, ShipGroups
from tasks.asked import SHIPPING, put_back, refused_changes
from tasks.opened import CHUNK, RETRY, house
from tasks.rules.eligibility import sort_orders
from tasks.rules.fulfilment import content_hash, difference, plan_orders
from tasks.rules.lookup import ItemMaster, Mappings

ACTOR = "orders_to_warehouse"
RESEND = "resend"  # a person said so: refused, mended, and to be asked for under a new revision
GONE = ("withdrawn", "cancelled", "rejected", RESEND)
MOMENTS = ("placed_at", "modified_at", "ship_by")  # an order that an earlier version entered has no `ship_by`
NO_LONGER_OPEN = ("done", "not_yet")
PLANNING_TYPES = ("sku_unknown", "sku_spelling", "unit_unmapped", "facility_unmapped", "ship_method_unmapped", "po_missing", "organisation_missing",
                  "customs_missing", "address_missing", "record_unsound")
READ_AS = "in"  # in the evidence of an order that could not be read as it came


@dataclass
class Planning:
    """What one planning did: counts, the references asked for, and the findings."""

    counts: Counter = field(default_factory=Counter)
    asked: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def window(opened: House, storefront: str) -> Window:
    """From the watermark less the overlap (the storefront's clock may be off, and pages may shift) to now."""
    settings, now = opened.settings(storefront), opened.clock.now()
    with opened.ledger.transaction() as tx:
        reached = opened.ledger.watermarks.read(tx, f"{storefront} orders")
    since = now - timedelta(days=settings.first_days) if reached is None else reached - timedelta(seconds=settings.overlap_seconds)
    return Window(min(since, now), now + timedelta(seconds=settings.overlap_seconds))


def take_in_orders(opened: House, storefront: str) -> Counter:
    """Every order changed since the watermark into the order book, page by page; each page is one transaction."""
    counts: Counter = Counter()
    for page in opened.storefront(storefront).orders(window(opened, storefront)):
        with opened.ledger.transaction() as tx:
            entered = enter_page(opened, tx, storefront, page)
        if entered["new"] or entered["changed"]:
            keep_page(opened, storefront, page)
        counts += entered
    with opened.ledger.transaction() as tx:  # read to its end, orders or not: a watermark that stands still does not tell (see tasks/feeds.py)
        opened.ledger.watermarks.reach(tx, f"{storefront} orders read", opened.clock.now())
    return counts


def keep_page(opened: House, storefront: str, page: OrderPage) -> None:
    """What the storefront said, for later questions; the addresses are not in it."""
    key = f"{page.reached:%Y%m%dT%H%M%S} {len(page.orders)} {page.orders['order_id'].iloc[-1]}"
    for kind, frame in (("orders", page.orders), ("order_lines", page.lines), ("ship_groups", page.ship_groups)):
        opened.snapshots.keep(kind, storefront, page.reached, frame, key)


def enter_page(opened: House, tx: Tx, storefront: str, page: OrderPage, reach: bool = True) -> Counter:
    """One page: sound orders into the book, unsound ones onto a desk, the addresses into the vault, the watermark last.

    reach False: the page is no part of the feed in its order (orders fetched singly), so the watermark stays.
    """
    counts: Counter = Counter()
    orders, lines, groups, findings = _sound(storefront, page)
    opened.ledger.exceptions.open(tx, findings)
    counts["unsound"] += len({finding.record for finding in findings})
    recipients = _by_order(page.recipients)
    for order_id, order in orders.items():
        # whose parcel is not ours to send, his address is not ours to keep
        people = {person["ship_group"]: person for person in recipients.get(order_id, []) if order["fulfilled_by"] == "merchant"}
        entry = OrderEntry(storefront, order_id, _json(order), lines.get(order_id, []), groups.get(order_id, []), opened.ledger.vault.fingerprint(people),
                           sorted(group for group, person in people.items() if is_complete(person)), order["modified_at"])
        outcome = opened.ledger.books.take_in(tx, entry)
        counts[outcome] += 1
        for row in opened.ledger.exceptions.open_about(tx, storefront, order_id, ("record_unsound",)):
            if READ_AS in row.evidence:  # what the plan, or a refund of it, is said to break is not mended by reading the order again
                opened.ledger.exceptions.resolve(tx, row.exception_id, ACTOR, "The corrected order was taken in.")
        if order["fulfilled_by"] != "merchant":
            counts["not_ours"] += outcome in ("new", "changed")
        if outcome in ("new", "changed"):
            for group, person in people.items():
                opened.ledger.vault.seal_fields(tx, f"{storefront}/{order_id}", f"recipient:{group}", person)
            opened.ledger.timeline.note(tx, storefront, order_id, f"order {outcome}", ACTOR, f"{order['status']} ({order['status_code']})")
    if len(page.orders) and reach:
        opened.ledger.watermarks.reach(tx, f"{storefront} orders", min(page.reached, page.orders["modified_at"].max().to_pydatetime()))
    return counts


def is_complete(person: dict[str, str]) -> bool:
    """Can a parcel be addressed to this? Whether the address exists is the warehouse's to say."""
    return bool((person["name"] or person["company"]) and person["street_1"] and person["city"] and person["country"])


def plan_owed(opened: House, storefront: str) -> Planning:
    """Make the plan of every order whose plan is owed: new, changed, or freed by a mapping."""
    planning = Planning()
    while True:
        with opened.ledger.transaction() as tx:
            planned = plan_chunk(opened, tx, storefront, planning)
        if not planned:
            return planning


def plan_chunk(opened: House, tx: Tx, storefront: str, planning: Planning, limit: int = CHUNK * 2) -> int:
    """Up to `limit` orders: their effects, exceptions and states in this one transaction. How many orders it was."""
    entries = {row.order_id: row for row in opened.ledger.books.to_plan(tx, storefront, limit)}
    if not entries:
        return 0
    orders = Orders.frame(order_row(row) for row in entries.values())
    lines = OrderLines.frame(line for row in entries.values() for line in row.lines)
    verdicts = {row.order_id: row for row in sort_orders(orders, lines).itertuples()}
    wanted = [order_id for order_id, entry in entries.items()
              if verdicts[order_id].verdict == "plan" or verdicts[order_id].verdict in NO_LONGER_OPEN and entry.asked_hash]
    plan = plan_orders(
        orders[orders["order_id"].isin(wanted)].reset_index(drop=True), lines[lines["order_id"].isin(wanted)].reset_index(drop=True),
        ShipGroups.frame(group for order_id in wanted for group in entries[order_id].ship_groups),
        {(storefront, order_id, group) for order_id in wanted for group in entries[order_id].addressed},
        Mappings.of(opened.ledger.mappings.all_current(tx)), ItemMaster.of(opened.ledger.items.current(tx)),
        {storefront: opened.settings(storefront).reference_prefix})
    requests: dict[str, list[dict[str, Any]]] = {order_id: [] for order_id in entries}
    for request in plan.requests:
        requests[request.order_id].append(request.model_dump())
    findings: dict[str, list[Finding]] = {order_id: [] for order_id in entries}
    for finding in plan.findings + _strange_warehouses(opened, plan.requests):
        findings[finding.record].append(finding)
    nothing = {order_id for _, order_id in plan.nothing_to_ship}
    planning.counts["non_stock_lines"] += len(plan.non_stock)
    for order_id, entry in entries.items():
        _plan_order(opened, tx, entry, verdicts[order_id], requests[order_id], findings[order_id], order_id in nothing, planning)
    return len(entries)


def _plan_order(opened: House, tx: Tx, entry: Row[Any], verdict: Any, requests: list[dict[str, Any]], findings: list[Finding],
                nothing: bool, planning: Planning) -> None:
    known = {row.reference: row for row in opened.ledger.books.requests_of(tx, entry.connection, entry.order_id)}
    live = {reference: row for reference, row in known.items() if row.state not in GONE}
    state, asked_hash = verdict.verdict, None
    if verdict.verdict == "cancelled":
        findings = _cancel(opened, tx, entry, live.values(), "cancelled at the storefront")
    elif verdict.verdict == "not_ours":
        findings = _cancel(opened, tx, entry, live.values(), "the marketplace fulfils it itself now")
    elif verdict.verdict == "plan":
        findings = findings + _taken_references(opened, tx, entry, requests)
        asked_hash = content_hash(requests, entry.fingerprint)
        edited = bool(live) and (_is_edited(entry, live, findings) if findings else asked_hash != entry.asked_hash)
        if findings and live:
            findings = [_edited(entry, row, [f"{finding.type}: {finding.cause}" for finding in findings]) for row in live.values()] if edited else []
        elif not findings and not live:
            for request in requests:
                _ask(opened, tx, request, FULFILMENT_REQUEST, planning)
        elif not findings and edited:
            findings = _follow_edit(opened, tx, entry, live, requests, planning)
        elif not findings:
            for request in requests:
                if request["reference"] in known and known[request["reference"]].state == RESEND:
                    _ask(opened, tx, request, FULFILMENT_REQUEST, planning)
        state = "held" if findings and not live else "nothing_to_ship" if nothing else "asked"
        asked_hash = entry.asked_hash if findings else asked_hash
    else:
        findings = _late_edits(opened, tx, entry, live, requests, findings) if verdict.verdict in NO_LONGER_OPEN else []
    opened.ledger.books.planned(tx, entry.connection, entry.order_id, state, asked_hash)
    unread = [row for row in opened.ledger.exceptions.open_about(tx, entry.connection, entry.order_id, ("record_unsound",)) if READ_AS in row.evidence]
    opened.ledger.exceptions.settle(tx, entry.connection, entry.order_id, PLANNING_TYPES, [(f.type, f.cause) for f in [*findings, *unread]], ACTOR,
                                    f"It no longer holds: the order is now {state}.")
    if opened.ledger.exceptions.open(tx, findings):
        opened.ledger.timeline.note(tx, entry.connection, entry.order_id, "held", ACTOR, ", ".join(sorted({finding.type for finding in findings})))
    planning.counts[state] += 1
    planning.findings += findings


def _late_edits(opened: House, tx: Tx, entry: Row[Any], live: dict[str, Row[Any]], requests: list[dict[str, Any]], findings: list[Finding]) -> list[Finding]:
    """Goods added to, or taken from, an order that the storefront calls shipped, wholly or in part: the plan only sees what is still open of it.
    Not what a refused change said already: that is told."""
    asked = _asked_lines(row.payload for row in live.values())
    now = {line["line_id"]: (line["sku"], line["quantity"]) for line in entry.lines}
    more = {line["line_id"] for request in requests for line in request["lines"]} | {one for found in findings for one in found.evidence.get("line_ids", [])}
    what = [f"line {line_id}: asked {asked[line_id][1] if line_id in asked else 0}, ordered {now[line_id][1] if line_id in now else 0}"
            for line_id in sorted(asked.keys() | more) if now.get(line_id) != asked.get(line_id)]
    said = [_asked_lines([payload]) for payload in refused_changes(opened, tx, entry.connection, entry.order_id)]
    is_told = any(all(now.get(line_id) == lines.get(line_id) for line_id in asked.keys() | more) for lines in said)
    return [_edited(entry, row, what) for row in live.values()] if what and live and not is_told else []


def _asked_lines(payloads: Iterable[dict[str, Any]]) -> dict[str, tuple[str, int]]:
    return {line["line_id"]: (line["component_of"] or line["sku"], line["quantity"] // line["factor"]) for payload in payloads for line in payload["lines"]}


def _is_edited(entry: Row[Any], live: dict[str, Row[Any]], findings: list[Finding]) -> bool:
    """Did the order itself change since we asked, or only what the rules think of it (an item that went inactive)? Then nothing is to be done."""
    asked = _asked_lines(row.payload for row in live.values())
    now = {line["line_id"]: (line["sku"], line["quantity"]) for line in entry.lines if line["line_id"] in asked}
    found_on = {line_id for finding in findings for line_id in finding.evidence.get("line_ids", [])}
    same_address = content_hash([row.payload for row in live.values()], entry.fingerprint) == entry.asked_hash
    return now != asked or bool(found_on - asked.keys()) or not same_address


def _taken_references(opened: House, tx: Tx, entry: Row[Any], requests: list[dict[str, Any]]) -> list[Finding]:
    """Two orders must not share a reference: a dispatch would go back to the wrong one."""
    findings = []
    for request in requests:
        other = opened.ledger.books.requests(tx, request["warehouse"], [request["reference"]]).get(request["reference"])
        if other and (other.connection, other.order_id) != (entry.connection, entry.order_id):
            findings.append(Finding("record_unsound", entry.connection, entry.order_id, f"record_unsound:reference {request['reference']} is taken",
                                    {"reference": request["reference"], "by": f"{other.connection} {other.order_id}",
                                     "why": "give each storefront connection a reference_prefix of its own"}))
    return findings


def _ask(opened: House, tx: Tx, request: dict[str, Any], kind: str, planning: Planning) -> None:
    before = opened.ledger.books.requests(tx, request["warehouse"], [request["reference"]]).get(request["reference"])
    request = request | {"revision": before.revision + 1 if before else 1}
    planned = _effect(kind, request)
    opened.ledger.effects.plan(tx, planned)
    opened.ledger.books.ask(tx, request, planned.effect_id, "changed" if kind == FULFILMENT_CHANGE else "asked")
    opened.ledger.timeline.note(tx, request["connection"], request["order_id"], f"{kind} planned", ACTOR,
                                f"{request['reference']} to {request['warehouse']}/{request['facility']}, revision {request['revision']}")
    planning.counts["requests"] += 1
    planning.asked.append({name: request[name] for name in ("order_id", "reference", "warehouse", "facility", "carrier", "service")} | {"lines": len(request["lines"])})


def _follow_edit(opened: House, tx: Tx, entry: Row[Any], live: dict[str, Row[Any]], requests: list[dict[str, Any]], planning: Planning) -> list[Finding]:
    """The order changed after we asked: take back what was not sent, tell the warehouse where it follows, else a person must."""
    findings: list[Finding] = []
    wanted = {request["reference"]: request for request in requests}
    moved = [row for row in live.values() if row.reference not in wanted or row.warehouse != wanted[row.reference]["warehouse"]]
    findings += _cancel(opened, tx, entry, moved, "no longer part of the order")
    for reference, request in wanted.items():
        row = live.get(reference)
        if row is not None and row not in moved:
            row = _what_left(opened, tx, row, "the order was edited before it was sent")
        if row is None or row in moved:
            _ask(opened, tx, request, FULFILMENT_REQUEST, planning)
        elif row.state in SHIPPING or not opened.warehouse(row.warehouse).follows_changes:
            findings.append(_edited(entry, row, difference([row.payload], [request]) or ["the delivery address or a note changed"]))
        else:
            _ask(opened, tx, request, FULFILMENT_CHANGE, planning)
    return findings


def _cancel(opened: House, tx: Tx, entry: Row[Any], rows: Any, why: str) -> list[Finding]:
    findings = []
    for row in rows:
        if row.state == "cancelling":
            continue
        left = _what_left(opened, tx, row, why)
        if left is None:
            opened.ledger.books.set_request(tx, row.warehouse, row.reference, "withdrawn")
            what = "withdrawn before it was sent"
        elif left.state in SHIPPING or not opened.warehouse(row.warehouse).follows_cancels:
            findings.append(Finding("cancel_refused", entry.connection, entry.order_id, f"cancel_refused:{row.reference}",
                                    {"reference": row.reference, "request": left.state, "why": why}))
            what = "too late to cancel"
        else:
            opened.ledger.effects.plan(tx, _effect(FULFILMENT_CANCEL, left.payload))
            opened.ledger.books.set_request(tx, row.warehouse, row.reference, "cancelling")
            what = "cancel planned"
        opened.ledger.timeline.note(tx, entry.connection, entry.order_id, what, ACTOR, f"{row.reference}: {why}")
    return findings


def _what_left(opened: House, tx: Tx, row: Row[Any], why: str) -> Row[Any] | None:
    """Withdraw the newest of this request. What the warehouse has of it then; None: nothing has left."""
    newest = opened.ledger.effects.get(tx, row.effect_id)
    if newest is None or not opened.ledger.effects.withdraw(tx, row.effect_id, why):
        return row
    return None if newest.kind == FULFILMENT_REQUEST else put_back(opened, tx, row, newest)


def _effect(kind: str, request: dict[str, Any]) -> Planned:
    order = f"{request['connection']}/{request['order_id']}"
    return Planned(kind, request["warehouse"], f"{order}/{request['reference']}/r{request['revision']}", order, request["connection"], request["order_id"], request)


def _edited(entry: Row[Any], row: Row[Any], what: list[str]) -> Finding:
    return Finding("edited_after_export", entry.connection, entry.order_id, f"edited_after_export:{row.reference}:{entry.modified_at:%Y%m%dT%H%M%S}",
                   {"reference": row.reference, "warehouse": row.warehouse, "request": row.state, "what": what[:20]})


def _strange_warehouses(opened: House, requests: list[Any]) -> list[Finding]:
    known = set(opened.names("warehouse"))
    return [Finding("facility_unmapped", request.connection, request.order_id, f"facility_unmapped:no such warehouse {request.warehouse}",
                    {"warehouse": request.warehouse, "why": "a route names a warehouse that the profile does not have"}, "routes:*")
            for request in requests if request.warehouse not in known]


def _sound(storefront: str, page: OrderPage) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[Finding]]:
    """Orders whose every row holds its contract; one unsound row sets the whole order aside."""
    findings = [Finding("record_unsound", storefront, bad["record"], f"record_unsound:{bad['why']}", {"why": bad["why"], READ_AS: "a page of orders"}) for bad in page.unreadable]
    sound = []
    for contract, frame in ((Orders, page.orders), (OrderLines, page.lines), (ShipGroups, page.ship_groups)):
        good, bad = contract.split(frame)
        findings += [Finding("record_unsound", storefront, row["order_id"] or "?", f"record_unsound:{row[WHY]}", {"why": row[WHY], READ_AS: contract.__name__})
                     for row in rows_of(bad)]
        sound.append(_by_order(good))
    aside = {finding.record for finding in findings}
    orders = {order_id: rows[0] for order_id, rows in sound[0].items() if order_id not in aside}
    return {order_id: row | {"modified_at": row["modified_at"].to_pydatetime()} for order_id, row in orders.items()}, sound[1], sound[2], findings


def _by_order(frame: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(frame):
        found.setdefault(row["order_id"], []).append(row)
    return found


def _json(order: dict[str, Any]) -> dict[str, Any]:
    return order | {name: None if pd.isna(order[name]) else order[name].isoformat() for name in MOMENTS}


def order_row(entry: Row[Any]) -> dict[str, Any]:
    """The order as a row of the contract Orders."""
    return entry.order | {name: datetime.fromisoformat(entry.order[name]) if entry.order.get(name) else None for name in MOMENTS}


@task(name="take in orders", task_run_name="take in orders of {storefront}", **RETRY)
def take_in_orders_of(storefront: str) -> dict[str, int]:
    """Orders changed since the watermark, into the ledger."""
    return dict(take_in_orders(house(), storefront))


@task(name="plan fulfilment requests", task_run_name="plan fulfilment requests for {storefront}", **RETRY)
def plan_orders_of(storefront: str) -> dict[str, Any]:
    """What is owed to the warehouses, and what must be held. `asked` and `held` are tables for people."""
    planning = plan_owed(house(), storefront)
    return {"counts": dict(planning.counts), "asked": planning.asked, "held": [asdict(finding) for finding in planning.findings]}


@task(name="rehearse orders", task_run_name="rehearse orders of {storefront} (dry run)", **RETRY)
def rehearse_orders_of(storefront: str) -> dict[str, Any]:
    """What a run would plan now. Reads the storefront, changes nothing anywhere."""
    return rehearse_orders(house(), storefront)


class _RolledBack(Exception):
    pass


def rehearse_orders(opened: House, storefront: str) -> dict[str, Any]:
    """The same take-in and the same rules, in a transaction that is rolled back."""
    pages, planning, counts = list(opened.storefront(storefront).orders(window(opened, storefront))), Planning(), Counter()
    try:
        with opened.ledger.transaction() as tx:
            for page in pages:
                counts += enter_page(opened, tx, storefront, page)
            while plan_chunk(opened, tx, storefront, planning):
                pass
            raise _RolledBack
    except _RolledBack:
        pass
    return {"read": dict(counts), "counts": dict(planning.counts), "asked": planning.asked, "held": [asdict(finding) for finding in planning.findings]}
