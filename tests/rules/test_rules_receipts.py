"""What a person announces is checked row by row, and what came is held against it to the unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.rules.receipts import differences, read_rows

ITEMS = {"HEART": {"unit": "EA"}, "MUG": {"unit": "CA"}}


def line(sku: str, quantity: int, unit: str = "EA") -> dict[str, object]:
    return {"warehouse_sku": sku, "quantity": quantity, "unit": unit}


def came(sku: str, units: int, unit: str = "EA", facility: str = "NORTH") -> dict[str, object]:
    return {"sku": sku, "units": units, "unit": unit, "facility": facility}


def test_rows_become_lines_in_the_items_own_unit() -> None:
    lines, problems = read_rows("sku,quantity\nHEART,500\n MUG , 24 \n", ITEMS)
    assert problems == []
    assert [(one["number"], one["warehouse_sku"], one["quantity"], one["unit"]) for one in lines] == [(1, "HEART", 500, "EA"), (2, "MUG", 24, "CA")]
    assert read_rows("quantity,unit,sku\n2,BX,HEART", ITEMS)[0][0] == {"number": 1, "sku": "HEART", "warehouse_sku": "HEART", "quantity": 2, "unit": "BX"}


@pytest.mark.parametrize(("text", "says"), [
    ("", "need a header of sku, quantity"), ("sku\nHEART\n", "need a header of sku, quantity"), ("sku,quantity,price\nHEART,1,2\n", "need a header"),
    ("sku,quantity\n", "at least one row"), ("sku,quantity\nHEARTS,1\n", "row 1 (HEARTS): the warehouse has no active item of this SKU"),
    ("sku,quantity\nheart,1\n", "row 1 (heart): the warehouse has no active item"), ("sku,quantity\n,1\n", "row 1 (no SKU): the warehouse has no active item"),
    ("sku,quantity\nHEART,1\nHEART,2\n", "row 2 (HEART): the SKU is on a row before"), ("sku,quantity\nHEART,0\n", "quantity is not a whole number of 1 or more"),
    ("sku,quantity\nHEART,1.5\n", "quantity is not a whole number"), ("sku,quantity\nHEART,-3\n", "quantity is not a whole number"),
    ("sku,quantity\nHEART\n", "quantity is not a whole number"), ("sku,quantity\nHEART,1,1\n", "more cells than the header"),
    ("sku,quantity,unit\nHEART,1,each\n", "unit is not a code of two characters"),
])
def test_a_row_that_cannot_be_right_is_named(text: str, says: str) -> None:
    _, problems = read_rows(text, ITEMS)
    assert len(problems) == 1 and says in problems[0]


def test_what_came_in_several_receipts_adds_up_and_every_difference_is_named() -> None:
    announced = [line("HEART", 500), line("MUG", 24, "CA"), line("TRAY", 5)]
    received = [came("HEART", 300), came("HEART", 195), came("MUG", 24, "CA"), came("LAMP", 2)]
    assert differences(announced, received, "NORTH") == [
        {"sku": "HEART", "unit": "EA", "facility": "NORTH", "announced": 500, "received": 495},
        {"sku": "LAMP", "unit": "EA", "facility": "NORTH", "announced": 0, "received": 2},
        {"sku": "TRAY", "unit": "EA", "facility": "NORTH", "announced": 5, "received": 0}]
    assert differences(announced[1:2], received[2:3], "NORTH") == []


def test_another_unit_or_another_facility_is_a_difference_on_both_sides() -> None:
    assert [(one["unit"], one["announced"], one["received"]) for one in differences([line("MUG", 2, "CA")], [came("MUG", 2, "EA")], "NORTH")] == [
        ("CA", 2, 0), ("EA", 0, 2)]
    assert [one["facility"] for one in differences([line("MUG", 2)], [came("MUG", 2, facility="SOUTH")], "NORTH")] == ["NORTH", "SOUTH"]


@given(st.dictionaries(st.sampled_from("ABCDE"), st.integers(1, 99), min_size=1), st.dictionaries(st.sampled_from("ABCDE"), st.integers(1, 99)))
def test_it_agrees_exactly_when_every_sku_came_in_the_number_announced(wanted: dict[str, int], there: dict[str, int]) -> None:
    found = differences([line(sku, units) for sku, units in wanted.items()], [came(sku, units) for sku, units in there.items()], "NORTH")
    assert (found == []) == (wanted == there)
    assert sum(one["received"] - one["announced"] for one in found) == sum(there.values()) - sum(wanted.values())
