"""From orders to fulfilment requests: what each warehouse is to be asked, and what is held and why.

An order goes whole or not at all: one finding of any kind holds all of it, and the other orders go on.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from contracts.base import rows_of
from contracts.effects import FulfilmentRequest
from contracts.exceptions import Finding
from tasks.rules.edits import content_hash, difference
from tasks.rules.findings import Findings
from tasks.rules.lookup import ItemMaster, Mappings
from tasks.rules.preflight import Checks, Line, Place, numbered
from tasks.rules.waits import waits_on_mapping

__all__ = ["Plan", "content_hash", "difference", "plan_orders"]

REFERENCE = re.compile(r"[A-Za-z0-9-]{1,22}")  # W05-02 holds 22 characters, and these pass through every partner's system
Key = tuple[str, str]


@dataclass
class Plan:
    """What is to be sent, what is held, and an account of every line and order that is neither.

    Lines as (connection, order id, line id), orders as (connection, order id). `nothing_to_ship`: no line of goods is left to
    ship. `not_ours`: the marketplace fulfils it. A held order's non-stock lines are counted too.
    """

    requests: list[FulfilmentRequest] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    non_stock: list[tuple[str, str, str]] = field(default_factory=list)
    nothing_to_ship: list[Key] = field(default_factory=list)
    held: list[Key] = field(default_factory=list)
    not_shippable: list[tuple[str, str, str]] = field(default_factory=list)
    zero_quantity: list[tuple[str, str, str]] = field(default_factory=list)
    already_shipped: list[tuple[str, str, str]] = field(default_factory=list)
    not_ours: list[Key] = field(default_factory=list)


@dataclass(frozen=True)
class _World:
    groups: dict[tuple[str, str, str], dict[str, Any]]
    addressed: set[tuple[str, str, str]]
    mappings: Mappings
    items: ItemMaster
    prefixes: dict[str, str]
    revision: int


def plan_orders(orders: pd.DataFrame, lines: pd.DataFrame, ship_groups: pd.DataFrame, addressed: set[tuple[str, str, str]], mappings: Mappings,
                items: ItemMaster, prefixes: dict[str, str], revision: int = 1) -> Plan:
    """Plan every order of the frames (contracts Orders, OrderLines, ShipGroups), oldest order first.

    `addressed`: the (connection, order id, ship group) whose recipient is complete. `prefixes`: what a connection's references
    begin with. Orders of any state are planned: `eligibility.sort_orders` says which may be.
    """
    groups = {(g["connection"], g["order_id"], g["ship_group"]): g for g in rows_of(ship_groups)}
    world = _World(groups, addressed, mappings, items, prefixes, revision)
    lines_of: dict[Key, list[Line]] = {}
    for line in rows_of(lines):
        lines_of.setdefault((line["connection"], line["order_id"]), []).append(line)
    plan = Plan()
    for key, order in _oldest_first(orders):
        _plan_order(order, lines_of.get(key, []), world, plan)
    return _without_shared_references(plan)


def _oldest_first(orders: pd.DataFrame) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Each order once, as last modified: pages that shift under the reader show an order twice."""
    newest: dict[Key, dict[str, Any]] = {}
    for order in sorted(rows_of(orders), key=lambda o: o["modified_at"]):
        newest[order["connection"], order["order_id"]] = order
    yield from sorted(newest.items(), key=lambda one: (one[1]["placed_at"], one[0]))


def _plan_order(order: dict, lines: list[Line], world: _World, plan: Plan) -> None:
    key = (order["connection"], order["order_id"])
    if order["fulfilled_by"] != "merchant":
        plan.not_ours.append(key)
        return
    checks = Checks(world.mappings, world.items, Findings(*key))
    goods = _goods(_told_once(lines, checks.found), world, plan)
    if not lines:
        checks.found.add("record_unsound", "no lines", {"why": "the order has no lines"})
    places = {line["line_id"]: _place(order, line, world, checks) for line in goods}
    still_open = [line for line in goods if line["quantity"] > line["quantity_shipped"]]
    plan.already_shipped += [(*key, line["line_id"]) for line in goods if line["quantity"] <= line["quantity_shipped"]]
    if not still_open and not checks.found:
        plan.nothing_to_ship.append(key)
        return
    requests = _requests(order, still_open, places, world, checks)
    if checks.found:
        plan.held.append(key)
        plan.findings += checks.found.listed()
    else:
        plan.requests += requests


def _told_once(lines: list[Line], found: Findings) -> list[Line]:
    """A line that came twice alike is one line; told in two ways, it cannot be trusted."""
    once: dict[str, Line] = {}
    for line in lines:
        if once.setdefault(line["line_id"], line) != line:
            found.add("record_unsound", f"line twice:{line['line_id']}", {"why": "the line was told in two ways"}, line_id=line["line_id"])
    return list(once.values())


def _goods(lines: list[Line], world: _World, plan: Plan) -> list[Line]:
    """The lines that a warehouse could ship; the others are counted."""
    goods = []
    for line in lines:
        where = (line["connection"], line["order_id"], line["line_id"])
        if is_no_goods(line, world.mappings):
            plan.non_stock.append(where)
        elif not line["is_shippable"]:
            plan.not_shippable.append(where)
        elif line["quantity"] == 0:
            plan.zero_quantity.append(where)
        else:
            goods.append(line)
    return goods


def is_no_goods(line: Mapping[str, Any], mappings: Mappings) -> bool:
    """Nothing that a warehouse could ship: postage, a charge, or a kit of nothing else. mappings: non_stock and kits."""
    parts = [sku for sku, _ in mappings.kit(line["connection"], line["sku"])]
    return mappings.is_non_stock(line["connection"], line["sku"]) or bool(parts) and all(mappings.is_non_stock(line["connection"], sku) for sku in parts)


def _place(order: dict, line: Line, world: _World, checks: Checks) -> Place | None:
    """Where the line ships from. A line that is shipped already is placed too, so that the order's references keep their numbers."""
    is_open = line["quantity"] > line["quantity_shipped"]
    where = (line["connection"], line["order_id"], line["ship_group"])
    group = world.groups.get(where)
    if is_open and (group is None or where not in world.addressed):
        checks.found.add("address_missing", line["ship_group"], {"ship_group": line["ship_group"]}, line_id=line["line_id"])
    if group is None:
        return None
    if is_open:
        return checks.place(order, line, group)
    route = world.mappings.route(order["connection"], order["channel"], group["country"], line["sku"])
    return (line["ship_group"], *route) if route else None


def _requests(order: dict, lines: list[Line], places: dict[str, Place | None], world: _World, checks: Checks) -> list[FulfilmentRequest]:
    """The order's requests, sorted by place. When anything was found they are not to be used: their number may be short."""
    _check_gates(order, world, checks.found)
    checks.report_unrouted(order["connection"])
    by_place: dict[Place, list[dict[str, Any]]] = {}
    for line in lines:
        place = places[line["line_id"]]
        if place:
            by_place.setdefault(place, []).extend(checks.request_lines(line, place))
    known = sorted({place for place in places.values() if place})
    requests = []
    for place, entries in sorted(by_place.items()):
        number = known.index(place) + 1 if len(known) > 1 else 0
        request = _request(order, place, entries, _reference(order, number, world, checks.found), world, checks)
        requests += [request] if request else []
    return requests


def _check_gates(order: dict, world: _World, found: Findings) -> None:
    connection, channel, group = order["connection"], order["channel"], order["customer_group"]
    po_required, organisation_required = world.mappings.po_rule(connection, channel, group)
    for type_name, required, value in (("po_missing", po_required, order["po_number"]),
                                       ("organisation_missing", organisation_required, order["organisation"])):
        if required and not value.strip():
            found.add(type_name, f"{channel}:{group}", {"channel": channel, "customer_group": group},
                      waits_on_mapping("po_rules", connection=connection, channel=channel, customer_group=group.strip()))


def _reference(order: dict, number: int, world: _World, found: Findings) -> str:
    reference = world.prefixes.get(order["connection"], "") + order["order_id"] + (f"-{number}" if number else "")
    if not REFERENCE.fullmatch(reference):
        why = "the reference for the warehouse may hold up to 22 letters, digits and hyphens"
        found.add("record_unsound", f"reference:{reference}", {"reference": reference, "why": why})
    return reference


def _request(order: dict, place: Place, entries: list[dict[str, Any]], reference: str, world: _World, checks: Checks) -> FulfilmentRequest | None:
    group_id, warehouse, facility = place
    connection = order["connection"]
    group = world.groups[connection, order["order_id"], group_id]
    method = world.mappings.ship_method(connection, group["ship_method"], warehouse)
    if method is None:
        checks.found.add("ship_method_unmapped", f"{warehouse}:{group['ship_method']}",
                         {"ship_method": group["ship_method"], "warehouse": warehouse, "ship_group": group_id},
                         waits_on_mapping("ship_methods", connection=connection, ship_method=group["ship_method"].strip(), warehouse=warehouse))
    is_home = world.mappings.is_home(warehouse, facility, group["country"])
    if not is_home:
        checks.check_customs(connection, place, group["country"], entries)
    if checks.found:
        return None
    return FulfilmentRequest(
        connection=connection, order_id=order["order_id"], ship_group=group_id, reference=reference, warehouse=warehouse, facility=facility,
        channel=order["channel"], po_number=order["po_number"].strip(), organisation=order["organisation"].strip(),
        ship_method=group["ship_method"], carrier=method[0], service=method[1], country=group["country"], is_international=not is_home,
        currency=order["currency"], placed_on=order["placed_at"].strftime("%Y-%m-%d"), order_total_minor=order["total_minor"],
        discount_minor=order["discount_minor"], lines=numbered(entries), revision=world.revision,
    )


def _without_shared_references(plan: Plan) -> Plan:
    """Two orders under one reference could not be told apart when the warehouse echoes it: both are held."""
    times = Counter(request.reference.upper() for request in plan.requests)
    shared = {(r.connection, r.order_id): r.reference for r in plan.requests if times[r.reference.upper()] > 1}
    for key, reference in shared.items():
        found = Findings(*key)
        found.add("record_unsound", f"reference shared:{reference}", {"reference": reference, "why": "another order would have the same reference"})
        plan.findings += found.listed()
        plan.held.append(key)
    plan.requests = [request for request in plan.requests if (request.connection, request.order_id) not in shared]
    return plan
