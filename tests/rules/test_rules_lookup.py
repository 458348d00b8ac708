"""Mapping lookups, the item master, and the text of what a record waits for."""

import pytest
from contracts.mappings import Routes, Skus
from tasks.rules.lookup import Mappings, any_of, parse, waits_on_item, waits_on_mapping
from tasks.rules.waits import LONGEST, touches
from tests.rules.rule_cases import FACILITY, SHOP, WAREHOUSE, item, items, mappings


def _route(facility, connection=SHOP, channel="*", country="*", sku="*"):
    return {"connection": connection, "channel": channel, "country": country, "sku": sku, "warehouse": WAREHOUSE, "facility": facility}


ROUTES = [_route("ANY"), _route("CHANNEL", channel="2"), _route("COUNTRY", country="IE"), _route("SKU", sku="22423"), _route("PATTERN", sku="224*"),
          _route("LONGER", sku="2249?"), _route("BOTH", channel="2", country="IE"), _route("OTHER", connection="bc-us", country="US"),
          _route("BRACKET", sku="A[1]")]


@pytest.mark.parametrize(("channel", "country", "sku", "facility"), [
    ("1", "GB", "10002", "ANY"), ("2", "GB", "10002", "CHANNEL"), ("1", "IE", "10002", "COUNTRY"), ("2", "IE", "10002", "BOTH"),
    ("1", "GB", "22423", "SKU"), ("1", "IE", "22423", "SKU"), ("2", "GB", "22423", "SKU"), ("1", "GB", "22457", "PATTERN"),
    ("1", "GB", "22499", "LONGER"), ("2", "IE", "22423", "BOTH"), ("1", "GB", " 22423 ", "SKU"), ("1", "GB", "a[1]", "BRACKET"),
])
def test_the_most_particular_route_wins(channel, country, sku, facility):
    assert mappings(routes=ROUTES).route(SHOP, channel, country, sku) == (WAREHOUSE, facility)


@pytest.mark.parametrize("rows", [ROUTES, ROUTES[::-1]])
def test_the_order_of_the_rows_decides_nothing(rows):
    assert mappings(routes=rows).route(SHOP, "2", "GB", "22423") == (WAREHOUSE, "SKU")


@pytest.mark.parametrize(("connection", "country"), [(SHOP, ""), (SHOP, " "), ("amazon-de", "DE"), ("bc-us", "GB")])
def test_without_a_route_there_is_no_facility_and_an_unknown_country_has_none(connection, country):
    assert mappings(routes=ROUTES).route(connection, "1", country, "22423") is None


@pytest.mark.parametrize(("sku", "is_non_stock"), [
    ("POST", True), ("post", True), (" Post ", True), ("POSTCARD", False), ("gift_0001_20", True), ("GIFT_1", True), ("m", True), ("M1", False),
    ("BANK CHARGES", True), ("85123A", False), ("", False),
])
def test_non_stock_is_told_by_pattern_whatever_the_case(sku, is_non_stock):
    assert mappings().is_non_stock(SHOP, sku) is is_non_stock


def test_a_pattern_of_one_connection_is_nothing_to_another():
    tables = mappings(non_stock=[{"connection": "bc-us", "pattern": "FEE", "what": ""}])
    assert (tables.is_non_stock("bc-us", "fee"), tables.is_non_stock(SHOP, "fee")) == (True, False)


def test_a_pattern_with_a_bracket_in_it_also_means_itself():
    assert mappings(non_stock=[{"connection": "*", "pattern": "FEE[1]", "what": ""}]).is_non_stock(SHOP, "fee[1]")


def _sku(warehouse_sku, connection=SHOP, sku="85123a", warehouse=WAREHOUSE):
    return {"connection": connection, "sku": sku, "warehouse": warehouse, "warehouse_sku": warehouse_sku}


def test_a_sku_is_changed_only_where_a_row_says_so():
    tables = mappings(skus=[_sku("85123A")])
    assert tables.sku(SHOP, WAREHOUSE, "85123a") == tables.sku(SHOP, WAREHOUSE, " 85123a ") == "85123A"
    assert tables.sku(SHOP, WAREHOUSE, "85123A") is tables.sku("bc-us", WAREHOUSE, "85123a") is tables.sku(SHOP, "gxo-us", "85123a") is None


def test_a_star_in_a_key_means_any_and_the_named_row_goes_before_it():
    tables = mappings(skus=[_sku("EVERYWHERE", connection="*"), _sku("HERE")])
    assert (tables.sku(SHOP, WAREHOUSE, "85123a"), tables.sku("bc-us", WAREHOUSE, "85123a")) == ("HERE", "EVERYWHERE")


@pytest.mark.parametrize(("method", "found"), [
    ("Standard", ("UPSN", "GND")), (" Standard ", ("UPSN", "GND")), ("Express", ("DHLE", "EXP")), ("", ("DHLE", "EXP")),
])
def test_a_named_shipping_method_goes_before_the_star(method, found):
    rows = [{"connection": SHOP, "ship_method": m, "warehouse": WAREHOUSE, "carrier": c, "service": s}
            for m, c, s in (("*", "DHLE", "EXP"), ("Standard", "UPSN", "GND"))]
    assert mappings(ship_methods=rows).ship_method(SHOP, method, WAREHOUSE) == found


def test_an_unmapped_shipping_method_is_no_guess():
    assert mappings().ship_method(SHOP, "standard", WAREHOUSE) is None


def _unit(sku, unit, factor, connection=SHOP):
    return {"connection": connection, "sku": sku, "unit": unit, "warehouse": WAREHOUSE, "warehouse_unit": "EA", "factor": factor}


def test_the_unit_of_the_sku_goes_before_the_unit_of_all_skus():
    tables = mappings(units=[_unit("*", "CA", "12"), _unit("22423", "CA", "6", connection="*")])
    assert tables.unit(SHOP, "22423", "CA", WAREHOUSE) == ("EA", 6)
    assert tables.unit(SHOP, "10002", "CA", WAREHOUSE) == ("EA", 12)
    assert tables.unit(SHOP, "10002", "BX", WAREHOUSE) is None


def test_a_carrier_is_found_by_service_before_any_service():
    row = {"warehouse": WAREHOUSE, "carrier": "UPSN", "connection": SHOP, "tracking_carrier": "", "tracking_link": ""}
    tables = mappings(carriers=[row | {"service": "*", "provider": "any"}, row | {"service": "AIR", "provider": "air"}])
    assert [tables.carrier(WAREHOUSE, "UPSN", service, SHOP)["provider"] for service in ("GND", "AIR", "")] == ["any", "air", "any"]
    assert tables.carrier(WAREHOUSE, "FDEG", "GND", SHOP) is None


def test_a_kit_gives_its_components_in_the_tables_order_and_a_connections_own_kit_goes_first():
    rows = [{"connection": c, "sku": "KIT", "component": p, "quantity": q} for c, p, q in (("*", "X", "1"), (SHOP, "B", "2"), (SHOP, "A", "1"))]
    tables = mappings(kits=rows)
    assert (tables.kit(SHOP, "KIT"), tables.kit("bc-us", "KIT"), tables.kit(SHOP, "A")) == ([("B", 2), ("A", 1)], [("X", 1)], [])


@pytest.mark.parametrize(("channel", "customer_group", "rule"), [
    ("1", "trade", (True, True)), ("2", "trade", (True, False)), ("1", "", (False, False)), ("3", "retail", (False, False)),
    ("2", "x", (False, True)),
])
def test_the_purchase_order_rule_of_the_group_goes_before_that_of_the_channel(channel, customer_group, rule):
    rows = [{"connection": SHOP, "channel": ch, "customer_group": g, "po_required": po, "organisation_required": o}
            for ch, g, po, o in (("*", "trade", "yes", "no"), ("1", "trade", "yes", "yes"), ("2", "*", "no", "yes"))]
    assert mappings(po_rules=rows).po_rule(SHOP, channel, customer_group) == rule


def test_only_a_listed_country_is_home():
    home = mappings(home_countries=[{"warehouse": WAREHOUSE, "facility": "*", "country": "GB"}])
    asked = [(WAREHOUSE, FACILITY, "GB"), (WAREHOUSE, FACILITY, "IE"), ("gxo-us", FACILITY, "GB")]
    assert [home.is_home(*one) for one in asked] == [True, False, False]


def test_missing_tables_are_empty_and_unknown_ones_refused():
    assert Mappings.of({}).route(SHOP, "1", "GB", "22423") is None
    with pytest.raises(ValueError, match="no mapping table skuz"):
        Mappings.of({"skuz": Skus.frame()})


def test_a_table_with_two_rows_for_one_key_is_refused_whole():
    with pytest.raises(ValueError, match="routes has two rows for connection=bc-uk"):
        Mappings.of({"routes": Routes.frame([_route("A"), _route("B")])})


@pytest.mark.parametrize(("asked", "meant"), [
    ("85123a", ["85123A"]), (" 85123A", ["85123A"]), ("85 123A", ["85123A"]), ("085123A", ["85123A"]), ("00012", ["12"]), ("012", ["12"]),
    ("85123A", []), ("85123B", []), ("old", []),
])
def test_spelling_variants_are_named_and_only_active_items_are_meant(asked, meant):
    master = items(item("85123A"), item("12"), item("OLD", is_active=False))
    assert master.did_you_mean(WAREHOUSE, asked) == meant


def test_leading_zeros_that_differ_are_named_both_ways():
    assert items(item("0012"), item("12")).did_you_mean(WAREHOUSE, "012") == ["0012", "12"]


def test_an_inactive_item_and_another_warehouses_item_are_not_there():
    master = items(item("A"), item("B", is_active=False))
    assert master.get(WAREHOUSE, "A")["sku"] == "A"
    assert master.get(WAREHOUSE, "B") is master.get(WAREHOUSE, "a") is master.get("gxo-us", "A") is None
    assert (master.is_inactive(WAREHOUSE, "B"), master.is_inactive(WAREHOUSE, "A"), master.is_inactive(WAREHOUSE, "C")) == (True, False, False)
    assert master.did_you_mean("gxo-us", "a") == []


@pytest.mark.parametrize("sku", ["85123A", "", "a|b=c;d:e,f%g", "Größe 5/6", "*", "A B"])
def test_a_wait_reads_back_as_it_was_written_whatever_is_in_the_sku(sku):
    text = any_of(waits_on_item(WAREHOUSE, sku), waits_on_mapping("skus", connection=SHOP, sku=sku, warehouse=WAREHOUSE),
                  waits_on_mapping("routes", connection=SHOP, sku=[sku, "X"]))
    assert parse(text) == [
        ("items", {"warehouse": frozenset([WAREHOUSE]), "sku": frozenset([sku])}),
        ("skus", {"connection": frozenset([SHOP]), "sku": frozenset([sku]), "warehouse": frozenset([WAREHOUSE])}),
        ("routes", {"connection": frozenset([SHOP]), "sku": frozenset([sku, "X"])}),
    ]


def test_the_two_documented_forms_are_what_is_written():
    assert waits_on_item("gxo-uk", "85123a") == "items:gxo-uk:85123a"
    assert waits_on_mapping("ship_methods", connection="bc-uk", ship_method="Free Post") == "ship_methods:connection=bc-uk|ship_method=Free Post"
    assert parse("") == []


def test_any_change_of_a_table_is_a_wait_too():
    assert parse("routes:*") == [("routes", {})]
    assert touches("routes", {"connection": "x", "channel": "1", "country": "FR", "sku": "1"}, parse("routes:*"))
    assert touches("items", {"warehouse": "w", "sku": "1"}, parse("items:*"))


def test_a_wait_never_outgrows_the_ledgers_column_but_waits_for_more_instead():
    """The ledger keeps 250 characters: on PostgreSQL a longer text stops the run, on SQLite nobody notices."""
    skus = [f"{number:05}" for number in range(100)]
    routes = waits_on_mapping("routes", connection=SHOP, channel="1", country="IE", sku=skus)
    assert parse(routes) == [("routes", {"connection": {SHOP}, "channel": {"1"}, "country": {"IE"}, "sku": {"*"}})]
    long = any_of(waits_on_item(WAREHOUSE, "x" * 100), waits_on_mapping("skus", sku="x" * 100), waits_on_mapping("kits", sku="x" * 100))
    assert len(long) <= LONGEST
    assert parse(long)[0][1]["sku"] == {"x" * 100}
    assert [(table, key) for table, key in parse(long) if not key] == [("kits", {})]


@pytest.mark.parametrize("text", ["nonsense", "skuz:sku=1", "skus:colour=red", "items:onlyone", "skus:sku"])
def test_a_wait_in_no_known_form_is_refused(text):
    with pytest.raises(ValueError, match="not a wait that we know"):
        parse(text)


def test_a_wait_for_a_column_outside_the_key_is_refused():
    with pytest.raises(ValueError, match="no key column warehouse_sku"):
        waits_on_mapping("skus", warehouse_sku="X")


@pytest.mark.parametrize(("row", "is_touched"), [
    ({"connection": SHOP, "channel": "1", "country": "IE", "sku": "22423"}, True),
    ({"connection": "*", "channel": "*", "country": "*", "sku": "*"}, True),
    ({"connection": SHOP, "channel": "*", "country": "IE", "sku": "224*"}, True),
    ({"connection": SHOP, "channel": "*", "country": "FR", "sku": "*"}, False),
    ({"connection": SHOP, "channel": "2", "country": "IE", "sku": "*"}, False),
    ({"connection": SHOP, "channel": "*", "country": "IE", "sku": "33*"}, False),
    ({"connection": "bc-us", "channel": "*", "country": "*", "sku": "*"}, False),
])
def test_a_row_touches_exactly_the_waits_that_it_would_answer(row, is_touched):
    waits = parse(waits_on_mapping("routes", connection=SHOP, channel="1", country="IE", sku=["10002", "22423"]))
    assert touches("routes", row, waits) is is_touched
    assert not touches("skus", row, waits)
