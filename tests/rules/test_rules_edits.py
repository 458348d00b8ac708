"""Was an order edited after the warehouse had it, and how is it told?"""

import pytest

from tasks.rules.fulfilment import content_hash, difference
from tests.rules.rule_cases import SHOP, WAREHOUSE, group, item, items, line, order, plan

MASTER = items(item("A"), item("B"), item("85123A"))
LINES = [line("1", "A", 6), line("2", "B", 2)]


def _requests(orders=None, lines=None, groups=None, **other):
    return plan(orders, lines or LINES, groups, master=other.pop("master", MASTER), **other).requests


BEFORE = _requests()
EDITS = [
    ("quantity", _requests(lines=[line("1", "A", 4), line("2", "B", 2)]), ["line 1 (A): quantity 6 -> 4"]),
    ("removed", _requests(lines=[line("1", "A", 6)]), ["line 2 (B): removed, was 2"]),
    ("added", _requests(lines=[*LINES, line("3", "85123A", 5)]), ["line 3 (85123A): added, 5"]),
    ("sku", _requests(lines=[line("1", "85123A", 6), line("2", "B", 2)]), ["line 1: SKU A -> 85123A"]),
    ("gift", _requests(lines=[line("1", "A", 6, is_gift=True), line("2", "B", 2)]), ["line 1 (A): is now a gift"]),
    ("method", _requests(groups=[group(ship_method="Next day")], tables={"ship_methods": [
        {"connection": SHOP, "ship_method": "*", "warehouse": WAREHOUSE, "carrier": "UPSN", "service": "GND"}]}),
     ["delivery address a: shipping method 'Standard' -> 'Next day'"]),
    ("country", _requests(groups=[group(country="IE")]), ["delivery address a: country 'GB' -> 'IE'"]),
    ("po", _requests([order(po_number="SECRET-PO")]), ["purchase order number changed"]),
    ("organisation", _requests([order(organisation="Secret & Sons")]), ["organisation changed"]),
    ("split", _requests(lines=[line("1", "A", 6), line("2", "B", 2, ship_group="b")], groups=[group(), group("b")]),
     ["delivery address b: added", "line 2 (B): goes to delivery address b, was a"]),
    ("all gone", [], ["delivery address a: removed", "line 1 (A): removed, was 6", "line 2 (B): removed, was 2"]),
]


@pytest.mark.parametrize(("after", "words"), [edit[1:] for edit in EDITS], ids=[edit[0] for edit in EDITS])
def test_an_edit_changes_the_hash_and_is_said_in_words_without_personal_data(after, words):
    assert content_hash(after, "f") != content_hash(BEFORE, "f")
    assert difference(BEFORE, after) == words
    assert "SECRET" not in str(words).upper()


NO_EDITS = {
    "the totals changed": _requests([order(total_minor=1, discount_minor=7)]),
    "a carrier mapping changed": _requests(tables={"ship_methods": [
        {"connection": SHOP, "ship_method": "*", "warehouse": WAREHOUSE, "carrier": "DHLE", "service": "EXP"}]}),
    "the item master changed": _requests(master=items(item("A", barcode="5012345678900", origin="IN"), item("B", hs_code="111111"))),
    "a name was corrected": _requests(lines=[line("1", "A", 6, name="Holder"), line("2", "B", 2)]),
    "the lines came in another order": _requests(lines=LINES[::-1]),
    "it was sent again": plan(lines=LINES, master=MASTER, revision=2).requests,
    "a route changed": _requests(tables={"routes": [
        {"connection": "*", "channel": "*", "country": "*", "sku": "*", "warehouse": WAREHOUSE, "facility": "X"}]}),
}


@pytest.mark.parametrize("after", NO_EDITS.values(), ids=list(NO_EDITS))
def test_what_the_storefront_did_not_change_is_no_edit(after):
    """Else one corrected row of a mapping would change every order that waits to be picked."""
    assert content_hash(after, "f") == content_hash(BEFORE, "f")
    assert difference(BEFORE, after) == []


def test_a_new_address_changes_the_hash_and_has_no_words_of_its_own():
    assert content_hash(BEFORE, "f") != content_hash(BEFORE, "g")
    assert difference(BEFORE, BEFORE) == []


def test_the_hash_is_the_same_for_requests_and_for_what_the_ledger_kept_of_them():
    kept = [one.model_dump(mode="json") for one in BEFORE]
    assert content_hash(kept, "f") == content_hash(BEFORE, "f") == content_hash(BEFORE[::-1], "f")
    assert difference(kept, BEFORE) == []


def test_the_hash_is_the_same_tomorrow():
    """The ledger keeps it: a new way of hashing would make an edit of every order that is out."""
    assert content_hash(BEFORE, "f") == "31129832e0aebce7b3ca6fc6b1a6508cf4d7741b5d6fccd10ed75349e17a5294"


def test_a_kit_is_one_line_of_an_edit():
    tables = {"kits": [{"connection": SHOP, "sku": "KIT", "component": c, "quantity": q} for c, q in (("A", "2"), ("B", "1"))]}
    one, two = (_requests(lines=[line("1", "KIT", count)], tables=tables) for count in (1, 2))
    assert difference(one, two) == ["line 1 (KIT): quantity 1 -> 2"]


def test_quantities_are_told_in_the_storefronts_unit_and_a_corrected_factor_is_no_edit():
    def in_cases(count, factor):
        unit = {"connection": SHOP, "sku": "*", "unit": "CA", "warehouse": WAREHOUSE, "warehouse_unit": "EA", "factor": factor}
        return _requests(lines=[line("1", "A", count, unit="CA")], tables={"units": [unit]})

    assert difference(in_cases(1, "12"), in_cases(2, "12")) == ["line 1 (A): quantity 1 -> 2"]
    assert content_hash(in_cases(1, "12"), "f") == content_hash(in_cases(1, "6"), "f")


def test_the_order_of_the_requests_decides_neither_the_hash_nor_the_words():
    lines = [line("9", "A", 1), line("1", "B", 1, ship_group="b")]
    one = _requests(lines=lines, groups=[group(), group("b")])
    two = _requests(lines=[row | {"quantity": 5} for row in lines], groups=[group(), group("b")])
    assert content_hash(one, "f") == content_hash(one[::-1], "f")
    assert difference(one, two) == difference(one[::-1], two[::-1]) == ["line 9 (A): quantity 1 -> 5", "line 1 (B): quantity 1 -> 5"]
