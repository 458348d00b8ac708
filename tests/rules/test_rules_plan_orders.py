"""From orders to fulfilment requests: what is asked of the warehouse, what is held, and that nothing is forgotten."""

from datetime import timedelta
from time import process_time

import pytest

from contracts.effects import FulfilmentRequest
from contracts.exceptions import TYPES
from contracts.items import Items
from contracts.orders import OrderLines, Orders, ShipGroups
from tasks.rules.fulfilment import plan_orders
from tasks.rules.lookup import ItemMaster
from tasks.rules.mapping_tables import frees
from tests.rules.rule_cases import AT, FACILITY, SHOP, TYPICAL, WAREHOUSE, group, item, items, line, mappings, order, plan, types

KIT = [{"connection": SHOP, "sku": "KIT", "component": c, "quantity": q} for c, q in (("A", "2"), ("B", "1"))]
CASE = {"connection": SHOP, "sku": "*", "unit": "CA", "warehouse": WAREHOUSE, "warehouse_unit": "EA", "factor": "12"}
PO_RULE = {"connection": SHOP, "channel": "*", "customer_group": "*", "po_required": "no", "organisation_required": "no"}
ROUTE = {"connection": SHOP, "channel": "*", "country": "*", "sku": "*", "warehouse": WAREHOUSE, "facility": FACILITY}


def _asked(planned):
    return [(one.reference, [(x.line_id, x.warehouse_sku, x.quantity) for x in one.lines]) for one in planned.requests]


def test_a_sound_order_becomes_one_request_with_all_that_the_warehouse_needs():
    orders = [order(po_number=" PO-7 ", organisation="ACME", total_minor=2550, discount_minor=100)]
    asked = plan(orders, [line(quantity=10, is_gift=True)], master=items(item(barcode="5012345678900"))).requests
    assert [one.model_dump() for one in asked] == [{
        "connection": SHOP, "order_id": "100", "ship_group": "a", "reference": "BC100", "warehouse": WAREHOUSE, "facility": FACILITY, "channel": "1",
        "po_number": "PO-7", "organisation": "ACME", "ship_method": "Standard", "carrier": "UPSN", "service": "GND", "country": "GB",
        "is_international": False, "currency": "GBP", "placed_on": "2026-01-15", "order_total_minor": 2550, "discount_minor": 100, "revision": 1,
        "lines": [{"number": 1, "line_id": "1", "sku": "85123A", "warehouse_sku": "85123A", "quantity": 10, "unit": "EA", "factor": 1,
                   "component_of": "", "name": "T-LIGHT HOLDER", "barcode": "5012345678900", "is_gift": True, "value_minor": 255, "currency": "GBP",
                   "hs_code": "392690", "origin": "CN"}],
    }]


def test_lines_keep_the_storefronts_order_and_two_lines_of_one_sku_stay_two():
    lines = [line("9", "B", 1), line("2", "A", 2), line("5", "B", 3)]
    planned = plan(lines=lines, master=items(item("A"), item("B")))
    assert _asked(planned) == [("BC100", [("9", "B", 1), ("2", "A", 2), ("5", "B", 3)])]
    assert [x.number for x in planned.requests[0].lines] == [1, 2, 3]


def test_the_revision_is_the_callers():
    assert plan(revision=3).requests[0].revision == 3


def test_what_is_no_goods_never_reaches_a_request_and_is_counted():
    lines = [line("1"), line("2", "POST"), line("3", "post"), line("4", "gift_0001_20", is_shippable=False), line("5", "EBOOK", is_shippable=False),
             line("6", quantity=0), line("7", quantity=2, quantity_shipped=2), line("8", " dot ")]
    planned = plan(lines=lines)
    assert _asked(planned) == [("BC100", [("1", "85123A", 1)])]
    assert [line_id for *_, line_id in planned.non_stock] == ["2", "3", "4", "8"]
    assert [[x[2] for x in part] for part in (planned.not_shippable, planned.zero_quantity, planned.already_shipped)] == [["5"], ["6"], ["7"]]


@pytest.mark.parametrize("lines", [
    [line("1", "POST"), line("2", "EBOOK", is_shippable=False, ship_group="")], [line(quantity=0)], [line(quantity_shipped=1)],
    [line(sku="KIT")],
])
def test_an_order_of_nothing_to_ship_is_said_to_be_one_and_not_held(lines):
    tables = {"kits": [{"connection": SHOP, "sku": "KIT", "component": "gift_card", "quantity": "1"}]}
    planned = plan([order(po_number="")], lines, tables=tables)
    assert (planned.nothing_to_ship, planned.held, planned.requests, planned.findings) == ([(SHOP, "100")], [], [], [])


def test_an_order_without_any_line_is_held_not_forgotten():
    planned = plan(lines=[])
    assert (types(planned.findings), planned.held, planned.nothing_to_ship) == (["record_unsound"], [(SHOP, "100")], [])


def test_an_order_that_the_marketplace_fulfils_is_never_asked_for():
    planned = plan([order(fulfilled_by="marketplace")])
    assert (planned.requests, planned.held, planned.not_ours) == ([], [], [(SHOP, "100")])


def test_what_was_shipped_already_is_not_asked_for_again():
    assert _asked(plan(lines=[line(quantity=5, quantity_shipped=2)])) == [("BC100", [("1", "85123A", 3)])]


def _one(finding_type, **other):
    """(what makes exactly this finding)"""
    return pytest.param(finding_type, other, id=finding_type + "-" + "-".join(other))


HELD = [
    _one("sku_unknown", lines=[line(sku="99999")]),
    _one("sku_unknown", lines=[line(sku="")]),
    _one("sku_unknown", stock=[item(is_active=False)]),
    _one("sku_unknown", tables={"skus": [{"connection": SHOP, "sku": "85123A", "warehouse": WAREHOUSE, "warehouse_sku": "GONE"}]}),
    _one("sku_unknown", lines=[line(sku="KIT")], tables={"kits": KIT}, stock=[item("A")]),
    _one("sku_spelling", lines=[line(sku="85123a")]),
    _one("sku_spelling", lines=[line(sku="85123A ")]),
    _one("sku_spelling", lines=[line(sku="085123A")]),
    _one("unit_unmapped", lines=[line(unit="CA")]),
    _one("unit_unmapped", lines=[line(unit="ea")]),
    _one("unit_unmapped", lines=[line(unit="CA")], tables={"units": [CASE | {"warehouse_unit": "BX"}]}),
    _one("unit_unmapped", lines=[line(sku="KIT", unit="CA")], tables={"kits": KIT}, stock=[item("A"), item("B")]),
    _one("facility_unmapped", tables={"routes": []}),
    _one("facility_unmapped", groups=[group(country="")]),
    _one("ship_method_unmapped", groups=[group(ship_method="Drone")]),
    _one("po_missing", tables={"po_rules": [PO_RULE | {"po_required": "yes"}]}),
    _one("organisation_missing", tables={"po_rules": [PO_RULE | {"organisation_required": "yes"}]}),
    _one("customs_missing", groups=[group(country="IE")], stock=[item(hs_code="")]),
    _one("customs_missing", groups=[group(country="IE")], stock=[item(origin="")]),
    _one("customs_missing", groups=[group(country="IE")], lines=[line(unit_price_minor=0)]),
    _one("address_missing", addressed=set()),
    _one("address_missing", lines=[line(ship_group="")]),
    _one("address_missing", lines=[line(ship_group="z")]),
    _one("record_unsound", prefixes={SHOP: "A-VERY-LONG-PREFIX-OF-20"}),
    _one("record_unsound", prefixes={SHOP: "BC_"}),
    _one("record_unsound", lines=[line(quantity=1), line(quantity=2)]),
]


@pytest.mark.parametrize(("finding_type", "world"), HELD)
def test_one_thing_amiss_holds_the_whole_order_and_only_that_order(finding_type, world):
    """Invariant 8: no partial send. The order also has a line that is fine, and another order is fine altogether."""
    tables = TYPICAL | world.get("tables", {})
    tables["routes"] = [*tables["routes"], ROUTE | {"connection": "bc-us"}]
    tables["ship_methods"] = [*tables["ship_methods"], TYPICAL["ship_methods"][0] | {"connection": "bc-us"}]
    orders = [order(), order(connection="bc-us")]
    lines = [line("77", "FINE"), *world.get("lines", [line()]), line("1", "FINE", connection="bc-us")]
    groups = [*world.get("groups", [group()]), group(connection="bc-us")]
    addressed = {*world.get("addressed", {(SHOP, "100", "a")}), ("bc-us", "100", "a")}
    master = items(*world.get("stock", [item()]), item("FINE"))
    prefixes = {SHOP: "BC", "bc-us": "US"} | world.get("prefixes", {})
    planned = plan(orders, lines, groups, tables=tables, master=master, addressed=addressed, prefixes=prefixes)
    assert types(planned.findings) == [finding_type]
    assert planned.held == [(SHOP, "100")]
    assert [one.reference for one in planned.requests] == ["US100"]
    for finding in planned.findings:
        assert (finding.connection, finding.record) == (SHOP, "100")
        assert finding.cause.startswith(f"{finding_type}:")


def test_every_kind_of_finding_that_planning_makes_is_in_the_closed_list():
    assert {kind for kind, _ in (param.values for param in HELD)} <= set(TYPES)


def test_all_that_is_wrong_with_an_order_is_said_at_once():
    rules = [PO_RULE | {"po_required": "yes", "organisation_required": "yes"}]
    lines = [line("1", "UNKNOWN"), line("2", "85123a"), line("3", unit="CA"), line("4", "NOHS"), line("5", "85123A", ship_group="b"),
             line("6", "X1", ship_group="c"), line("7", "X2", ship_group="c")]
    groups = [group(country="IE", ship_method="Drone"), group("b"), group("c", country="")]
    planned = plan(lines=lines, groups=groups, tables={"po_rules": rules}, master=items(item(), item("NOHS", hs_code="", origin="")),
                   addressed={(SHOP, "100", "a"), (SHOP, "100", "c")})
    assert types(planned.findings) == ["address_missing", "customs_missing", "facility_unmapped", "organisation_missing", "po_missing",
                                       "ship_method_unmapped", "sku_spelling", "sku_unknown", "unit_unmapped"]
    assert (planned.requests, planned.held) == ([], [(SHOP, "100")])


def test_the_same_cause_is_one_finding_with_all_its_lines():
    planned = plan(lines=[line("1", "85123a"), line("2"), line("3", "85123a")])
    finding, = planned.findings
    assert finding.cause == f"sku_spelling:{WAREHOUSE}:85123a"
    assert finding.evidence == {"sku": "85123a", "warehouse": WAREHOUSE, "warehouse_sku": "85123a", "did_you_mean": ["85123A"],
                                "line_ids": ["1", "3"]}


def test_a_missing_route_is_one_finding_however_many_lines_miss_it():
    finding, = plan(lines=[line(str(n), f"S{n}") for n in range(30)], tables={"routes": []}).findings
    assert (finding.cause, len(finding.evidence["line_ids"])) == ("facility_unmapped:1:GB", 30)


def test_an_inactive_item_is_unknown_and_the_evidence_says_so():
    finding, = plan(master=items(item(is_active=False), item("85123a"))).findings
    assert (finding.type, finding.evidence["why"], finding.evidence["did_you_mean"]) == (
        "sku_unknown", "the warehouse knows this SKU, but it is inactive", ["85123a"])


def test_customs_data_is_missed_once_a_sku_and_says_what():
    lines = [line("1", "A"), line("2", "B"), line("3", "A"), line("4", "C", unit_price_minor=0)]
    master = items(item("A", hs_code="", origin=""), item("B", origin=""), item("C"))
    planned = plan(lines=lines, groups=[group(country="US")], master=master)
    assert [(f.cause, f.evidence["missing"], f.evidence["line_ids"]) for f in planned.findings] == [
        (f"customs_missing:{WAREHOUSE}:A", ["hs_code", "origin"], ["1", "3"]), (f"customs_missing:{WAREHOUSE}:B", ["origin"], ["2"]),
        (f"customs_missing:{WAREHOUSE}:C", ["declared value"], ["4"])]


@pytest.mark.parametrize(("customs", "price", "unit", "declared"), [
    ({}, 255, "", (255, "GBP")), ({}, 1000, "CA", (83, "GBP")), ({}, 1002, "CA", (84, "GBP")), ({}, -500, "", (0, "GBP")),
    ({"customs_value_minor": 99, "customs_currency": "USD"}, 255, "", (99, "USD")), ({"customs_value_minor": 99}, 255, "", (255, "GBP")),
])
def test_the_declared_value_is_the_items_own_or_its_share_of_the_price(customs, price, unit, declared):
    entry = plan(lines=[line(unit=unit, unit_price_minor=price)], tables={"units": [CASE]}, master=items(item(**customs))).requests[0].lines[0]
    assert (entry.value_minor, entry.currency) == declared


@pytest.mark.parametrize(("country", "is_international"), [("GB", False), ("IE", True)])
def test_a_country_that_is_not_listed_as_home_is_international(country, is_international):
    assert plan(groups=[group(country=country)]).requests[0].is_international is is_international


@pytest.mark.parametrize(("unit", "quantity", "asked"), [
    ("", 3, (3, "EA", 1)), ("EA", 3, (3, "EA", 1)), ("CA", 3, (36, "EA", 12)), (" CA ", 1, (12, "EA", 12)),
])
def test_the_factor_of_a_unit_is_applied_exactly_once(unit, quantity, asked):
    entry = plan(lines=[line(unit=unit, quantity=quantity)], tables={"units": [CASE]}).requests[0].lines[0]
    assert (entry.quantity, entry.unit, entry.factor) == asked


def test_a_mapped_sku_is_asked_for_in_the_warehouses_spelling_and_keeps_the_storefronts():
    tables = {"skus": [{"connection": SHOP, "sku": "85123a", "warehouse": WAREHOUSE, "warehouse_sku": "85123A"}]}
    entry = plan(lines=[line(sku="85123a")], tables=tables).requests[0].lines[0]
    assert (entry.sku, entry.warehouse_sku) == ("85123a", "85123A")


def test_a_kit_becomes_its_components_under_the_kits_line():
    planned = plan(lines=[line("7", "KIT", 3, unit_price_minor=1000), line("8", "A")], tables={"kits": KIT}, master=items(item("A"), item("B")))
    assert [(x.number, x.line_id, x.sku, x.quantity, x.factor, x.component_of, x.name, x.value_minor) for x in planned.requests[0].lines] == [
        (1, "7", "A", 6, 2, "KIT", "item A", 333), (2, "7", "B", 3, 1, "KIT", "item B", 333), (3, "8", "A", 1, 1, "", "T-LIGHT HOLDER", 255)]


def test_a_kit_in_cases_is_as_many_kits_and_its_components_are_mapped_and_stripped_like_lines():
    tables = {"kits": [*KIT, {"connection": SHOP, "sku": "KIT", "component": "gift_card", "quantity": "1"}], "units": [CASE | {"factor": "4"}],
              "skus": [{"connection": SHOP, "sku": "B", "warehouse": WAREHOUSE, "warehouse_sku": "BB"}]}
    planned = plan(lines=[line("7", "KIT", 2, unit="CA", quantity_shipped=1)], tables=tables, master=items(item("A"), item("BB")))
    assert [(x.warehouse_sku, x.quantity, x.factor) for x in planned.requests[0].lines] == [("A", 8, 8), ("BB", 4, 4)]


def test_one_line_two_facilities_two_addresses_each_get_their_own_numbered_request():
    tables = {"routes": [ROUTE, ROUTE | {"sku": "B", "facility": "GXO2"}]}
    lines = [line("1", "B", ship_group="b"), line("2", "A", ship_group="b"), line("3", "B"), line("4", "A"), line("5", "A")]
    planned = plan(lines=lines, groups=[group("b"), group("a")], tables=tables, master=items(item("A"), item("B")))
    assert [(r.reference, r.ship_group, r.facility, [x.line_id for x in r.lines]) for r in planned.requests] == [
        ("BC100-1", "a", FACILITY, ["4", "5"]), ("BC100-2", "a", "GXO2", ["3"]), ("BC100-3", "b", FACILITY, ["2"]), ("BC100-4", "b", "GXO2", ["1"])]


def test_a_request_keeps_its_number_when_another_part_of_the_order_is_shipped():
    """Found in design: numbering only what is still open would give the second half the reference of the first."""
    lines = [line("1", quantity_shipped=1), line("2", ship_group="b")]
    planned = plan(lines=lines, groups=[group("a"), group("b")])
    assert [(r.reference, r.ship_group) for r in planned.requests] == [("BC100-2", "b")]


def test_two_orders_that_would_share_a_reference_are_both_held():
    orders = [order("100"), order("100-1"), order("7")]
    lines = [line("1"), line("2", ship_group="b"), line("1", order_id="100-1"), line("1", order_id="7")]
    groups = [group("a"), group("b"), group("a", order_id="100-1"), group("a", order_id="7")]
    planned = plan(orders, lines, groups)
    assert [r.reference for r in planned.requests] == ["BC7"]
    assert sorted(planned.held) == [(SHOP, "100"), (SHOP, "100-1")]
    assert types(planned.findings) == ["record_unsound", "record_unsound"]


@pytest.mark.parametrize(("order_id", "fits"), [("1" * 20, True), ("1" * 21, False), ("10/0", False), ("AB-12", True), ("A.1", False)])
def test_a_reference_is_at_most_22_letters_digits_and_hyphens(order_id, fits):
    planned = plan([order(order_id)], [line(order_id=order_id)])
    assert ([r.reference for r in planned.requests] == [f"BC{order_id}"]) is fits
    assert bool(planned.held) is not fits


def test_pages_that_showed_an_order_twice_ask_for_it_once():
    twice = [order(modified_at=AT, po_number="old"), order(modified_at=AT + timedelta(minutes=1), po_number="new")]
    planned = plan(twice[::-1], [line(), line()], [group(), group()])
    assert [(r.reference, r.po_number, len(r.lines)) for r in planned.requests] == [("BC100", "new", 1)]


def test_the_order_of_the_frames_decides_nothing_but_the_order_of_lines():
    orders = [order("2", placed_at=AT + timedelta(hours=1)), order("1", placed_at=AT + timedelta(hours=2)), order("3"), order("4", placed_at=AT)]
    lines = [line(order_id=o["order_id"]) for o in orders]
    forward, backward = plan(orders, lines), plan(orders[::-1], lines[::-1])
    assert forward == backward
    assert [r.order_id for r in forward.requests] == ["3", "4", "2", "1"]


def test_the_same_order_id_at_two_connections_is_two_orders():
    orders = [order(), order(connection="bc-us")]
    tables = {"routes": [ROUTE | {"connection": "*"}],
              "ship_methods": [{"connection": "*", "ship_method": "*", "warehouse": WAREHOUSE, "carrier": "UPSN", "service": ""}]}
    planned = plan(orders, [line(), line(connection="bc-us")], tables=tables, prefixes={SHOP: "UK", "bc-us": "US"})
    assert [r.reference for r in planned.requests] == ["UK100", "US100"]


def test_every_order_is_in_exactly_one_part_of_the_plan():
    orders = [order("1"), order("2"), order("3"), order("4", fulfilled_by="marketplace")]
    planned = plan(orders, [line(order_id="1"), line(order_id="2", sku="?"), line(order_id="3", sku="POST"), line(order_id="4")])
    parts = [{r.order_id for r in planned.requests}, *({o for _, o in part} for part in (planned.held, planned.nothing_to_ship, planned.not_ours))]
    assert parts == [{"1"}, {"2"}, {"3"}, {"4"}]


@pytest.mark.parametrize(("world", "table", "row"), [
    ({"lines": [line(sku="NEW")]}, "items", item("NEW")),
    ({"lines": [line(sku="NEW")]}, "skus", {"connection": SHOP, "sku": "NEW", "warehouse": WAREHOUSE, "warehouse_sku": "85123A"}),
    ({"lines": [line(sku="NEW")]}, "non_stock", {"connection": "*", "pattern": "n?w", "what": ""}),
    ({"lines": [line(sku="NEW")]}, "kits", {"connection": SHOP, "sku": "NEW", "component": "85123A", "quantity": "1"}),
    ({"lines": [line(sku=" 85123a")]}, "skus", {"connection": SHOP, "sku": "85123a", "warehouse": WAREHOUSE, "warehouse_sku": "85123A"}),
    ({"lines": [line(unit="CA")]}, "units", CASE),
    ({"groups": [group(country="FR")], "tables": {"routes": []}}, "routes", ROUTE | {"country": "FR", "sku": "85*"}),
    ({"groups": [group(ship_method="Drone")]}, "ship_methods",
     {"connection": SHOP, "ship_method": "Drone", "warehouse": WAREHOUSE, "carrier": "UPSN", "service": ""}),
    ({"groups": [group(country="IE")], "master": items(item(hs_code=""))}, "home_countries",
     {"warehouse": WAREHOUSE, "facility": FACILITY, "country": "IE"}),
    ({"groups": [group(country="IE")], "master": items(item(hs_code=""))}, "items", item()),
])
def test_the_row_that_mends_a_finding_is_the_row_it_waits_on(world, table, row):
    before = plan(**world)
    waiting = [(finding.cause, finding.waits_on) for finding in before.findings]
    assert frees(table, {"added": [row], "removed": [], "altered": []}, waiting) == [finding.cause for finding in before.findings] != []
    if table == "items":
        world = world | {"master": items(item(), row) if row["sku"] != "85123A" else items(row)}
    else:
        tables = world.get("tables", {})
        world = world | {"tables": tables | {table: [row, *tables.get(table, [])]}}
    assert plan(**world).findings == []


def test_a_thousand_orders_of_twenty_lines_are_planned_in_well_under_two_seconds():
    """Measured in processor time: the machine is shared."""
    skus = [f"{number:05}" for number in range(4000)]
    orders = [order(str(number)) for number in range(1000)]
    lines = [line(str(at), skus[(number * 20 + at) % 4000], order_id=str(number)) for number in range(1000) for at in range(20)]
    frames = Orders.frame(orders), OrderLines.frame(lines), ShipGroups.frame(group(order_id=o["order_id"]) for o in orders)
    routes = [ROUTE, *(ROUTE | {"sku": sku, "facility": "GXO2"} for sku in skus[::2]), *(ROUTE | {"sku": f"{n:03}*"} for n in range(50))]
    tables = mappings(routes=routes, skus=[{"connection": SHOP, "sku": s, "warehouse": WAREHOUSE, "warehouse_sku": f"W{s}"} for s in skus])
    master = ItemMaster.of(Items.frame(item(f"W{sku}") for sku in skus))
    began = process_time()
    planned = plan_orders(*frames, {(SHOP, o["order_id"], "a") for o in orders}, tables, master, {SHOP: "BC"})
    assert process_time() - began < 2
    assert sum(len(one.lines) for one in planned.requests) == 20_000 and not planned.held


def test_what_is_planned_is_what_the_ledger_can_keep_and_read_again():
    request = plan().requests[0]
    assert FulfilmentRequest.model_validate(request.model_dump(mode="json")) == request
