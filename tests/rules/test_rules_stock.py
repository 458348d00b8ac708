"""What a location should show: statements, what happened since, orders that the warehouse has not seen, units, kits, shares and safety."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.mappings import TABLES
from contracts.stock import AskedLine
from tasks.rules.claims import UNPAID_DAYS, claims
from tasks.rules.stock import ABSURD, UNIT, Change, Selling, World, figures, unseen
from tests.rules.rule_cases import AT, FACILITY, SHOP, WAREHOUSE, group, line, mappings, order

HERE, THERE = (WAREHOUSE, FACILITY), (WAREHOUSE, "GXO2")


def selling(**tables):
    rows = {name: tables.get(name, []) for name in ("skus", "units", "kits")}
    rows["stock_locations"] = tables.get("stock_locations", [place()])
    return Selling(SHOP, mappings(**tables), {name: TABLES[name].frame(found) for name, found in rows.items()})


def place(facility=FACILITY, share=100, location="1"):
    return {"connection": SHOP, "location": location, "warehouse": WAREHOUSE, "facility": facility, "share_percent": str(share)}


def row(available, on_hand=None, on_hold=0, minutes=0, unit="EA", sequence=1):
    return {"sku": "", "unit": unit, "available": available, "on_hand": available if on_hand is None else on_hand, "on_hold": on_hold,
            "as_of": AT + timedelta(minutes=minutes), "sequence": sequence}


def world(positions, **more):
    at = {where: rows if isinstance(where, tuple) else {where: rows} for where, rows in positions.items()}
    by_place = {where: rows for where, rows in at.items() if isinstance(where, tuple)}
    by_place.setdefault(HERE, {}).update({sku: rows[sku] for sku, rows in at.items() if not isinstance(sku, tuple)})
    return World(by_place, floors={where: (AT, 1) for where in by_place}, **more)


def shown(world, sku="A", safety=lambda sku, sellable: (0, ""), **tables):
    found = figures(selling(**tables), [sku], world, safety)
    return found[0] if found else None


def asked(quantity=4, seen=None, *shipped):
    return AskedLine(FACILITY, "A", quantity, AT + timedelta(minutes=seen) if seen is not None else None,
                     tuple((AT + timedelta(minutes=minutes), units) for minutes, units in shipped))


def test_a_statement_is_shown_as_it_is_and_a_sku_nobody_named_is_not_shown_at_all():
    assert shown(world({"A": row(10)})).quantity == 10 and shown(world({"A": row(10)}), "B") is None


def test_what_may_be_sold_is_never_more_than_what_is_there():
    assert shown(world({"A": row(10, on_hand=7)})).quantity == 7


@pytest.mark.parametrize(("line", "expected"), [
    (asked(4, None), 4), (asked(4, 5), 4), (asked(4, -5), 0), (asked(4, 0), 0), (asked(4, None, (-5, 1)), 3), (asked(4, 5, (3, 4)), 4), (asked(4, 5, (-1, 9)), 0)])
def test_an_order_is_taken_off_while_the_statement_cannot_know_it(line, expected):
    """By minutes before or after the statement: seen, and (when, units) that left."""
    assert unseen(line, AT, by_hand=False) == expected


@pytest.mark.parametrize(("line", "expected"), [(asked(4, -5), 4), (asked(4, -5, (-1, 3)), 1), (asked(4, -5, (1, 4)), 4), (asked(4, -5, (-1, 4)), 0)])
def test_where_figures_are_of_what_lies_there_everything_asked_and_not_yet_gone_is_taken_off(line, expected):
    assert unseen(line, AT, by_hand=True) == expected


def test_the_basis_on_hand_sells_what_lies_there_less_what_is_held():
    found = world({"A": row(0, on_hand=10, on_hold=2)}, on_hand_basis={WAREHOUSE}, asked={HERE: {"A": [asked(3, -5)]}})
    assert shown(found).quantity == 5


def test_changes_count_from_the_statement_on_by_their_own_time_and_number():
    changes = [Change((AT + timedelta(minutes=1), 0), 5, "EA"), Change((AT - timedelta(minutes=1), 9), 100, "EA"), Change((AT, 1), 100, "EA"), Change((AT, 2), -1, "EA")]
    one = shown(world({"A": row(10)}, changes={HERE: {"A": changes}}))
    assert one.quantity == 14 and one.version == (AT + timedelta(minutes=1), 0) and one.is_corrected


def test_goods_that_no_statement_names_yet_are_sold_from_their_receipt_and_never_below_zero():
    got = {HERE: {"NEW": [Change((AT + timedelta(minutes=1), 0), 5, "EA")]}, THERE: {"NEW": [Change((AT, 0), 5, "EA")]}}
    assert shown(world({"A": row(1)}, changes=got), "NEW").quantity == 5
    assert shown(world({"A": row(3)}, changes={HERE: {"A": [Change((AT + timedelta(minutes=1), 0), -9, "EA")]}})).quantity == 0


def test_a_whole_statement_counts_what_it_leaves_out_also_when_none_ever_named_it():
    """A site that leaves out what it has none of: what came back left again the same day, and was for sale ever after."""
    came = {HERE: {"NEW": [Change((AT - timedelta(minutes=9), 7), 2, "EA"), Change((AT + timedelta(minutes=1), 0), 5, "EA")]}}
    found = shown(world({"A": row(1)}, changes=came, wholes={HERE: (AT, 1)}), "NEW")
    assert found.quantity == 5 and found.parts["at"][0]["changed"] == 5
    before = {HERE: {"NEW": came[HERE]["NEW"][:1]}}
    assert shown(world({"A": row(1)}, changes=before, wholes={HERE: (AT, 1)}), "NEW").quantity == 0
    assert shown(world({"A": row(1)}, changes=before), "NEW").quantity == 2


def test_an_absurd_figure_withholds_and_a_newer_sound_one_does_not():
    assert shown(world({"A": row(10)}, absurd={HERE: {"A": (AT + timedelta(minutes=1), 1)}})).withheld == ABSURD
    assert shown(world({"A": row(10)}, absurd={HERE: {"A": (AT - timedelta(minutes=1), 1)}})).withheld == ""


def test_a_statement_in_another_unit_than_the_item_is_kept_in_is_withheld():
    assert shown(world({"A": row(10, unit="CA")}, item_units={(WAREHOUSE, "A"): "EA"})).withheld == UNIT
    assert shown(world({"A": row(10)}, changes={HERE: {"A": [Change((AT + timedelta(minutes=1), 0), 1, "CA")]}})).withheld == UNIT


def test_the_storefronts_sku_and_unit_are_found_backwards_and_only_whole_units_are_shown():
    tables = {"skus": [{"connection": SHOP, "sku": "shop-a", "warehouse": WAREHOUSE, "warehouse_sku": "A"}],
              "units": [{"connection": SHOP, "sku": "shop-a", "unit": "CA", "warehouse": WAREHOUSE, "warehouse_unit": "EA", "factor": "12"}]}
    assert selling(**tables).skus_of(WAREHOUSE, "A") == ["A", "shop-a"] and shown(world({"A": row(35)}), "shop-a", **tables).quantity == 2
    moved = {"skus": [{"connection": SHOP, "sku": "A", "warehouse": WAREHOUSE, "warehouse_sku": "B"}]}
    assert selling(**moved).skus_of(WAREHOUSE, "A") == [] and selling(**moved).skus_of(WAREHOUSE, "B") == ["A", "B"]


def test_a_sku_with_two_units_cannot_be_told_in_either():
    units = [{"connection": SHOP, "sku": "A", "unit": unit, "warehouse": WAREHOUSE, "warehouse_unit": "EA", "factor": factor} for unit, factor in (("CA", "12"), ("BX", "6"))]
    assert shown(world({"A": row(35)}), units=units).withheld == UNIT


def test_what_is_no_goods_has_no_stock():
    assert selling().skus_of(WAREHOUSE, "POST") == []


def test_a_kit_is_as_many_as_its_scarcest_component_in_one_facility():
    kits = [{"connection": SHOP, "sku": "KIT", "component": part, "quantity": count} for part, count in (("A", "2"), ("B", "1"))]
    known = world({HERE: {"A": row(9), "B": row(3)}, THERE: {"A": row(1), "B": row(50)}})
    tables = {"kits": kits, "stock_locations": [place(), place("GXO2")]}
    assert selling(**tables).skus_of(WAREHOUSE, "B") == ["B", "KIT"] and shown(known, "KIT", **tables).quantity == 3
    assert shown(world({"A": row(9)}), "KIT", kits=kits) is None


def test_facilities_add_up_by_share_and_orders_that_no_route_places_are_taken_off_the_sum():
    known = world({HERE: {"A": row(10)}, THERE: {"A": row(5)}}, unrouted={"A": 2})
    assert shown(known, stock_locations=[place(), place("GXO2", 50)]).quantity == 10


def claimed(orders, lines, asked=None, **tables):
    def kept(row):
        return row | {name: row[name].isoformat() for name in ("placed_at", "modified_at")}

    entries = [(kept(one), [each for each in lines if each["order_id"] == one["order_id"]], [group(order_id=one["order_id"])]) for one in orders]
    return claims(entries, asked or {}, mappings(**tables), AT)


def test_an_order_claims_what_nobody_has_asked_a_warehouse_for():
    some = [line("1", "A", 5), line("2", "POST", 1), line("3", "B", 2, quantity_shipped=2), line("4", "E", 1, is_shippable=False)]
    assert dict(claimed([order()], some).at) == {HERE: {"A": 5}}
    assert dict(claimed([order()], some, {(SHOP, "100", "1"): 3}).at) == {HERE: {"A": 2}} and not claimed([order()], some, {(SHOP, "100", "1"): 5}).at
    assert claimed([order()], some, routes=[]).unrouted == {(SHOP, "A"): 5}


def test_which_orders_claim_stock():
    def claims_it(**head):
        return bool(claimed([order(**head)], [line()]).at)

    assert claims_it() and claims_it(status="on_hold") and claims_it(status="awaiting_payment")
    assert not claims_it(status="cancelled") and not claims_it(status="shipped") and not claims_it(fulfilled_by="marketplace")
    assert not claims_it(status="awaiting_payment", placed_at=AT - timedelta(days=UNPAID_DAYS))


def test_kits_and_cases_are_claimed_in_the_warehouses_skus_and_units():
    tables = {"kits": [{"connection": SHOP, "sku": "KIT", "component": "A", "quantity": "2"}],
              "units": [{"connection": SHOP, "sku": "C", "unit": "CA", "warehouse": WAREHOUSE, "warehouse_unit": "EA", "factor": "12"}],
              "skus": [{"connection": SHOP, "sku": "A", "warehouse": WAREHOUSE, "warehouse_sku": "w-a"}]}
    assert dict(claimed([order()], [line("1", "KIT", 3), line("2", "C", 2, unit="CA")], **tables).at) == {HERE: {"w-a": 6, "C": 24}}


_units = st.integers(0, 50)
_changes = st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 3), st.integers(-30, 30)), max_size=5)
_asked = st.lists(st.builds(lambda quantity, seen, shipped: asked(quantity, seen, *shipped), st.integers(1, 20), st.none() | st.integers(-5, 5),
                            st.lists(st.tuples(st.integers(-5, 5), st.integers(1, 9)), max_size=3)), max_size=4)


@given(available=_units, more=_units, held=st.integers(0, 9), changes=_changes, lines=_asked, unasked=_units, unrouted=_units, share=st.integers(1, 100),
       kept=_units, by_hand=st.booleans())
def test_what_is_shown_is_never_negative_never_above_what_is_there_and_nothing_is_sold_twice(
        available, more, held, changes, lines, unasked, unrouted, share, kept, by_hand):
    told = [Change((AT + timedelta(minutes=minutes), sequence), change, "EA") for minutes, sequence, change in changes]
    known = world({"A": row(available, on_hand=available + more + held, on_hold=held)}, on_hand_basis={WAREHOUSE} if by_hand else set(),
                  changes={HERE: {"A": told}}, asked={HERE: {"A": lines}}, unasked={HERE: {"A": unasked}}, unrouted={"A": unrouted})
    one = shown(known, safety=lambda sku, sellable: (kept, "fixed"), stock_locations=[place(share=share)])
    on_hand = max(0, available + more + held + sum(change.change for change in told if change.version > (AT, 1)))
    assert 0 <= one.quantity <= on_hand
    part = one.parts["at"][0]
    free = part["stated"] + part.get("changed", 0) - part.get("asked", 0) - part.get("unasked", 0)
    assert one.quantity == max(0, max(0, max(0, free) * share // 100 - unrouted) - kept), "what is shown is made of its parts, and of nothing else"


def test_the_order_of_rows_in_a_table_is_of_no_consequence():
    rows = [place(share=50), place("GXO2", 30)]
    known = world({HERE: {"A": row(10)}, THERE: {"A": row(10)}})
    assert shown(known, stock_locations=rows).quantity == shown(known, stock_locations=rows[::-1]).quantity == 8
