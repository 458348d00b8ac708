"""Marketplace to warehouse and back: what is the marketplace's own never leaves, every parcel has its number, and a confirmation is read back."""

import pandas as pd
import pytest

from deployments.demo_world import EU_FACILITY, UK_FACILITY
from tasks import audit, dispatches, drift, mappings, stuck
from tasks.analytics import tables as published
from tasks.desk import resolve
from tests.journeys.rig import MARKET, QUIET, Rig, some_items

SITE = "gxo-uk"
OTHER_ACCOUNT = "market-two"
HOME = {"name": "Canary Lovelace", "addressLine1": "1 Canary Row", "city": "Canaryton", "postalCode": "CN1 1CN", "countryCode": "GB"}
ABROAD = {**HOME, "addressLine1": "2 Canary Row", "countryCode": "DE"}
FAR = {**HOME, "addressLine1": "3 Canary Row", "countryCode": "US"}


def market(world, **given) -> Rig:
    """No shop has orders; one marketplace has."""
    return world(markets={MARKET: given.pop("stand_in", {})} | given.pop("more", {}), **given)


def _effects(rig: Rig, kind: str = "dispatch_confirmation") -> list:
    return [row for row in rig.ledger.table("effect").itertuples() if row.kind == kind]


def _references(rig: Rig) -> list[str]:
    return sorted(rig.site.books()["orders"])


def test_an_order_goes_out_under_the_marketplaces_own_number_and_comes_back_confirmed(world):
    rig = market(world)
    order = rig.market_orders(("HEART", 2), ("MUG", 1), order_id="902-1234567-1234567")
    rig.drains()
    assert _references(rig) == [order] and len(rig.at_warehouse(order)) == 1
    [package] = rig.packages(order)
    parcel = rig.at_warehouse(order)[0]["parcels"][0]
    assert (package["number"], package["tracking_number"], package["carrier"]) == ("1", parcel["tracking"], "Royal Mail")
    assert sorted(package["units"].values()) == [1, 2] and rig.status(order) == "SHIPPED"
    assert rig.desk() == []
    rig.drains()
    assert len(rig.markets[MARKET].books()["confirmations"]) == 1, "run again, nothing is told again"


def test_what_the_marketplace_fulfils_never_leaves_and_is_counted_wherever_people_look(world):
    rig = market(world)
    ours = rig.market_orders(("HEART", 1))
    theirs = [rig.market_orders(("MUG", 2), fulfilled_by="AMAZON", to=HOME) for _ in range(3)]
    rig.drains()
    assert _references(rig) == [ours]
    book = {row.order_id: row.state for row in rig.ledger.table("order_book").itertuples()}
    assert [book[order] for order in theirs] == ["not_ours"] * 3 and book[ours] != "not_ours"
    assert not [row for row in rig.ledger.table("timeline").itertuples() if row.order_id in theirs and "planned" in row.what]
    with rig.ledger.transaction() as tx:
        assert [rig.ledger.vault.open_fields(tx, f"{MARKET}/{order}", "recipient:1", "test", "is it there?") for order in theirs] == [None] * 3
    assert audit.audit_route(rig.house, MARKET, SITE)["looked_at"]["orders the marketplace fulfils"] == 3
    orders = published(rig.house)["orders"]
    assert orders["fulfilled_by"].tolist().count("marketplace") == 3
    assert rig.desk() == []


def test_an_order_that_becomes_the_marketplaces_own_is_taken_back_and_one_that_becomes_ours_goes(world):
    rig = market(world)
    given_up, taken_on = rig.market_orders(("HEART", 1)), rig.market_orders(("MUG", 1), fulfilled_by="AMAZON")
    rig.reads_orders(MARKET)
    for order, by in ((given_up, "AMAZON"), (taken_on, "MERCHANT")):
        rig.markets[MARKET].orders.edit(order, fulfilled_by=by)
    rig.passes(180)
    rig.sends_orders(MARKET)
    rig.drains()
    assert _references(rig) == [taken_on] and rig.status(given_up) == "UNSHIPPED" and rig.desk() == []


def test_orders_are_routed_by_marketplace_and_country_and_those_abroad_carry_customs_data_or_wait(world):
    rig = market(world, items=some_items("BARE"), kinds={"complete": 1})
    items = rig.items.copy()
    items.loc[items["sku"] == "BARE", ["hs_code", "origin"]] = ""
    rig.publishes_items(items)
    home, europe, far = (rig.market_orders(("HEART", 1), to=to) for to in (HOME, ABROAD, FAR))
    bare, nowhere = rig.market_orders(("BARE", 1), to=FAR), rig.market_orders(("MUG", 1), to={**HOME, "countryCode": "JP"})
    rig.drains()
    assert [rig.at_warehouse(order)[0]["facility"] for order in (home, europe, far)] == [UK_FACILITY, EU_FACILITY, UK_FACILITY]
    request = next(row.payload for row in rig.ledger.table("request").itertuples() if row.order_id == far)
    assert request["is_international"] and (request["lines"][0]["hs_code"], request["lines"][0]["origin"]) == ("950590", "CN")
    assert rig.desk() == [("customs_missing", bare), ("facility_unmapped", nowhere)]


def test_an_address_that_our_role_may_not_see_is_held_and_goes_when_it_is_granted(world):
    rig = market(world, stand_in={"has_address_role": False})
    order = rig.market_orders(("HEART", 1))
    rig.drains()
    assert rig.desk() == [("address_missing", order), ("facility_unmapped", order)] and _references(rig) == []
    rig.markets[MARKET].orders._has_address_role = True
    rig.markets[MARKET].orders.edit(order)
    rig.passes(180)
    rig.drains()
    assert rig.desk() == [] and rig.status(order) == "SHIPPED"


def test_the_proxy_address_of_a_buyer_joins_nothing(world):
    """Two orders with one proxy address are two orders; one customer's second proxy makes no second customer of anything."""
    rig = market(world)
    first, second = rig.market_orders(("HEART", 1), to=HOME), rig.market_orders(("HEART", 1), to=HOME)
    shape = rig.markets[MARKET].orders.book.shape
    rig.markets[MARKET].orders.book.shape = lambda order: shape(order) | {"buyer": {"buyerName": "Canary", "buyerEmail": "same@marketplace.amazon.co.uk"}}
    rig.drains()
    assert _references(rig) == sorted([first, second])
    assert [len(rig.at_warehouse(order)) for order in (first, second)] == [1, 1] and rig.packages(first) != rig.packages(second)
    book = rig.ledger.table("order_book")
    assert not book["order"].astype(str).str.contains("marketplace.amazon").any() and not book["lines"].astype(str).str.contains("marketplace.amazon").any()
    assert {row.organisation for row in published(rig.house)["orders"].itertuples()} == {""}


def test_parcels_have_numbers_of_their_own_and_a_partial_shipment_is_whole_units(world):
    rig = market(world, kinds={"packages": 1})
    order = rig.market_orders(("HEART", 3), ("MUG", 2))
    rig.drains()
    packages = rig.packages(order)
    assert [package["number"] for package in packages] == [str(n + 1) for n in range(len(packages))] and len(packages) > 1
    sums: dict[str, int] = {}
    for package in packages:
        for line, count in package["units"].items():
            sums[line] = sums.get(line, 0) + count
    assert sorted(sums.values()) == [2, 3] and rig.status(order) == "SHIPPED" and rig.desk() == []


def test_a_one_line_order_that_the_warehouse_calls_partial_is_confirmed_to_the_unit(world):
    rig = market(world, kinds={"partial": 1})
    order = rig.market_orders(("HEART", 5))
    rig.sends_orders(MARKET)
    rig.passes(5)
    rig.warehouse_works()
    rig.tells_of_dispatches(MARKET)
    [package] = rig.packages(order)
    assert list(package["units"].values()) == [3] and rig.status(order) == "PARTIALLY_SHIPPED"
    rig.drains()
    assert [list(one["units"].values()) for one in rig.packages(order)] == [[3], [2]] and [one["number"] for one in rig.packages(order)] == ["1", "2"]
    assert rig.status(order) == "SHIPPED" and all(type(line["quantity"]) is int for row in _effects(rig) for line in row.payload["lines"])


def test_a_kit_is_confirmed_with_its_last_component_and_never_in_parts(world):
    rig = market(world, kinds={"partial": 1})
    mappings.change_mapping(rig.house, "kits", f"connection,sku,component,quantity\n{MARKET},SET,HEART,2\n{MARKET},SET,MUG,1\n", "ann")
    order = rig.market_orders(("SET", 1))
    rig.drains()
    assert [sorted(one["units"].values()) for one in rig.packages(order)] == [[1]] and rig.status(order) == "SHIPPED"


def test_an_unknown_carrier_waits_and_the_mapping_frees_exactly_its_parcels(world):
    rig = market(world, kinds={"other carrier": 1})
    held = [rig.market_orders(("HEART", 1)) for _ in range(2)]
    rig.drains()
    assert rig.desk() == [("carrier_unmapped", order) for order in sorted(held)] and not rig.markets[MARKET].books()["confirmations"]
    assert all(row.due_at <= rig.markets[MARKET].books()["orders"][row.record]["ship_by"] for row in rig.on_desk("carrier_unmapped"))
    rig.site._other_carrier = "ZZZZ"
    strange = rig.market_orders(("MUG", 1))
    rig.drains()
    table = mappings.current_csv(rig.house, "carriers") + f"{SITE},TUFF,*,{MARKET},Other,Tuffnells,\n"
    change = mappings.change_mapping(rig.house, "carriers", table, "ann")
    assert sorted(change.freed_dispatches) == sorted(held)
    rig.drains()
    assert [[one["carrier"] for one in rig.packages(order)] for order in held] == [["Tuffnells"]] * 2 and rig.packages(strange) == []
    assert rig.desk() == [("carrier_unmapped", strange)]


def _dropped(world) -> tuple[Rig, str]:
    """The mapping names a carrier that the marketplace has never heard of: it answers 204 and forgets."""
    rig = market(world)
    table = mappings.current_csv(rig.house, "carriers").replace(f"{SITE},RMLL,*,{MARKET},Royal Mail,,", f"{SITE},RMLL,*,{MARKET},Royal Postal Service,,")
    mappings.change_mapping(rig.house, "carriers", table, "ann")
    order = rig.market_orders(("HEART", 2))
    for _ in range(3):
        rig.day()
        rig.passes(QUIET)
    return rig, order


def test_a_confirmation_that_was_dropped_in_silence_is_found_and_its_remedy_tells_it_again_under_the_same_number(world):
    rig, order = _dropped(world)
    [lost] = rig.on_desk("tracking_not_taken")
    assert lost.record == order and rig.status(order) == "UNSHIPPED"
    assert (lost.evidence["shown"], lost.evidence["carrier"], lost.evidence["shipment"]) == ("nothing", "Royal Postal Service", "1")
    mappings.change_mapping(rig.house, "carriers", mappings.current_csv(rig.house, "carriers").replace("Royal Postal Service", "Royal Mail"), "ann")
    resolve(rig.house, lost.exception_id, "resend", "ann", "the carrier's name is mended")
    rig.drains()
    assert [(one["number"], one["carrier"]) for one in rig.packages(order)] == [("1", "Royal Mail")] and rig.status(order) == "SHIPPED"
    assert rig.desk() == [] and {row.payload["package_number"] for row in _effects(rig)} == {1}
    assert len(rig.ledger.table("package_number")) == 1


def test_a_parcel_that_is_shown_late_settles_the_exception_by_itself(world):
    rig, order = _dropped(world)
    parcel = rig.at_warehouse(order)[0]["parcels"][0]
    items = {item: line["quantity"] for item, line in rig.markets[MARKET].books()["orders"][order]["items"].items()}
    rig.markets[MARKET].orders.confirm_by_hand(order, items, parcel["tracking"], number="1")
    assert dispatches.read_back(rig.house, MARKET)["proven"] == 1
    assert rig.desk() == [] and {row.reason for row in rig.ledger.exceptions.listed(only_open=False)} == {"The storefront shows it now."}


def test_a_long_read_back_leaves_the_rest_to_the_next_run_so_that_confirmations_do_not_wait_for_it(world):
    rig = market(world)
    for _ in range(4):
        rig.market_orders(("HEART", 1))
    port = rig.house.storefront(MARKET)
    quick = port.shown_dispatches

    def slow(order: str) -> list:
        rig.passes(100)
        return quick(order)

    port.shown_dispatches = slow
    rig.sends_orders(MARKET)
    rig.passes(5)
    rig.warehouse_works()
    rig.tells_of_dispatches(MARKET)
    assert len(rig.markets[MARKET].books()["confirmations"]) == 4
    assert [pd.isna(row.verified_at) for row in _effects(rig)] == [False, False, False, True]
    rig.tells_of_dispatches(MARKET)
    assert not any(pd.isna(row.verified_at) for row in _effects(rig))


def test_storefront_warehouse_and_ledger_agree_of_all_that_a_healthy_marketplace_shows(world):
    """What the marketplace fulfils, a parcel under "Other" and one that was told twice: each once looked like a disagreement."""
    rig, told_again = _dropped(world)
    mappings.change_mapping(rig.house, "carriers", mappings.current_csv(rig.house, "carriers").replace("Royal Postal Service", "Royal Mail"), "ann")
    resolve(rig.house, rig.on_desk("tracking_not_taken")[0].exception_id, "resend", "ann", "mended")
    rig.drains()
    table = mappings.current_csv(rig.house, "carriers") + f"{SITE},TUFF,*,{MARKET},Other,Tuffnells,\n"
    mappings.change_mapping(rig.house, "carriers", table, "ann")
    rig.site._kinds = {"other carrier": 1}
    other, theirs = rig.market_orders(("MUG", 1)), rig.market_orders(("TRAY", 1), fulfilled_by="AMAZON")
    rig.drains()
    assert [one["carrier"] for one in rig.packages(other)] == ["Tuffnells"] and len(rig.packages(told_again)) == 1
    rig.markets[MARKET].orders.edit(theirs, status="SHIPPED")
    rig.passes(4 * 3600)
    assert drift.watch_orders_and_tracking(rig.house, MARKET, SITE)["found"] == 0 and rig.desk() == []


def test_cancelled_before_it_is_sent_it_never_goes_and_afterwards_the_warehouse_is_asked(world):
    rig = market(world)
    early, late, asked_for = (rig.market_orders(("HEART", 1)) for _ in range(3))
    rig.markets[MARKET].cancel_order(early)
    rig.markets[MARKET].orders.ask_to_cancel(asked_for)
    rig.passes(180)
    rig.site.is_picking = False
    rig.sends_orders(MARKET)
    rig.passes(5)
    rig.warehouse_works()
    rig.markets[MARKET].cancel_order(late)
    rig.passes(180)
    rig.sends_orders(MARKET)
    rig.site.is_picking = True
    rig.drains()
    assert early not in _references(rig) and asked_for not in _references(rig), "what the buyer wants to cancel waits for the marketplace's word"
    assert rig.packages(late) == [] and (rig.at_warehouse(late)[0]["state"] == "cancelled" or ("cancel_refused", late) in rig.desk())


def test_fewer_are_wanted_before_the_order_is_sent(world):
    rig = market(world)
    order = rig.market_orders(("HEART", 5))
    rig.reads_orders(MARKET)
    [item] = rig.markets[MARKET].books()["orders"][order]["items"]
    rig.markets[MARKET].orders.cancel_item(order, item, 2)
    rig.passes(180)
    rig.drains()
    assert rig.units(order) == {"HEART": 3} and rig.status(order) == "SHIPPED" and rig.desk() == []


def test_two_accounts_and_a_shop_share_a_warehouse_and_each_is_told_of_its_own(world):
    rig = market(world, more={OTHER_ACCOUNT: {"marketplaces": ("A1PA6795UKMFR9",)}})
    shop = rig.orders(("HEART", 1))
    here, there = rig.market_orders(("HEART", 2), order_id="902-0000001-0000001"), rig.market_orders(("MUG", 1), market=OTHER_ACCOUNT, to=ABROAD, order_id="303-0000001-0000001")
    mappings.change_mapping(rig.house, "carriers", mappings.current_csv(rig.house, "carriers").replace(f"{OTHER_ACCOUNT},Royal Mail", f"{OTHER_ACCOUNT},DHL"), "ann")
    rig.drains()
    assert _references(rig) == sorted([f"UK{shop}", here, there])
    assert [one["carrier"] for one in rig.packages(here)] == ["Royal Mail"] and [one["carrier"] for one in rig.packages(there, OTHER_ACCOUNT)] == ["DHL"]
    assert len(rig.shipments(shop)) == 1 and rig.desk() == []


def test_an_order_that_will_miss_its_ship_by_is_named_with_the_hours_left_and_settles_when_the_marketplace_knows(world):
    rig = market(world)
    order = rig.market_orders(("HEART", 1), ship_within_hours=5)
    rig.site.is_picking = False
    rig.sends_orders(MARKET)
    rig.passes(5)
    rig.warehouse_works()
    assert stuck.watch_stuck(rig.house, MARKET, SITE) == []
    rig.passes(3.5 * 3600)
    [row] = stuck.watch_stuck(rig.house, MARKET, SITE)
    [risk] = rig.on_desk("cutoff_at_risk")
    assert row["order"] == order and row["is ship-by"] and 1 < row["hours left"] < 2
    assert risk.evidence["ship_by"] and risk.due_at.isoformat() == risk.evidence["ship_by"]
    rig.site.is_picking = True
    rig.passes(60)
    rig.warehouse_works()
    rig.passes(60)
    rig.warehouse_works()
    rig.tells_of_dispatches(MARKET)
    assert stuck.watch_stuck(rig.house, MARKET, SITE) == [] and not rig.on_desk("cutoff_at_risk") and rig.status(order) == "SHIPPED"


@pytest.mark.parametrize("first", [0, 1])
def test_of_many_parcels_the_one_with_the_nearest_ship_by_is_told_first(world, first):
    rig = market(world)
    hours = (48, 9) if first else (9, 48)
    orders = [rig.market_orders(("HEART", 1), ship_within_hours=within) for within in hours]
    rig.sends_orders(MARKET)
    rig.passes(5)
    rig.warehouse_works()
    rig.passes(60)
    rig.warehouse_works()
    rig.tells_of_dispatches(MARKET)
    told = [one["order_id"] for one in rig.markets[MARKET].books()["confirmations"]]
    assert told == [orders[first], orders[1 - first]]
