"""What came back, counted: never more than was shipped, whole units only, and the same whole units in any order of the documents."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.rules.returned_units import Due, ReturnedUnits


def line(number, sku="A", advised=1, factor=1, line_id="", reference="BC100", unit="EA"):
    return {"reference": reference, "number": number, "line_id": line_id or f"L{number}", "warehouse_sku": sku, "advised": advised, "unit": unit, "factor": factor}


TWO_OF_ONE_SKU = [line(1, "A", 2), line(2, "B", 1), line(3, "A", 3)]
CASES = [line(1, "A", 36, factor=12)]
KIT = [line(1, "A", 4, factor=2, line_id="K"), line(2, "B", 2, line_id="K")]


def _take(lines, *rows, placed=()):
    """Each row (sku, quantity) with more at will: what became of them, in order."""
    units = ReturnedUnits(lines, placed)
    return [units.take(more.get("reference", "BC100"), more.get("request_line", ""), sku, more.get("unit", "EA"), quantity, more.get("grade", ""))
            for sku, quantity, more in ((*row, {})[:3] for row in rows)], units


def _dues(taken):
    return [(due.line_id, due.quantity) for one in taken for due in one.dues]


def test_several_lines_of_one_sku_are_filled_in_order():
    taken, _ = _take(TWO_OF_ONE_SKU, ("A", 4))
    assert _dues(taken) == [("L1", 2), ("L3", 2)] and taken[0].rest == 0


def test_the_line_that_the_warehouse_names_goes_first():
    taken, _ = _take(TWO_OF_ONE_SKU, ("A", 4, {"request_line": "003"}))
    assert sorted(_dues(taken)) == [("L1", 1), ("L3", 3)] and [one["number"] for one in taken[0].placed] == [3, 1]


def test_the_own_request_goes_before_the_orders_other_one():
    lines = [line(1, "A", 2, reference="BC100-1"), line(1, "A", 2, reference="BC100-2", line_id="L9")]
    taken, _ = _take(lines, ("A", 3, {"reference": "BC100-2"}))
    assert [(one["reference"], one["units"]) for one in taken[0].placed] == [("BC100-2", 2), ("BC100-1", 1)]


def test_a_line_number_with_another_sku_is_not_believed():
    taken, _ = _take(TWO_OF_ONE_SKU, ("B", 1, {"request_line": "1"}))
    assert _dues(taken) == [("L2", 1)]


def test_more_than_was_shipped_less_returned_before_is_left_with_the_evidence():
    (first, second), _ = _take(TWO_OF_ONE_SKU, ("A", 4), ("A", 3))
    assert first.rest == 0 and _dues([second]) == [("L3", 1)]
    assert second.rest == 2 and second.why == "more than was shipped"
    assert second.evidence == {"shipped": 5, "returned_before": 4, "due": 1, "too_many": 2}


def test_what_was_ordered_and_never_shipped_is_too_much():
    (taken,), _ = _take([line(1, "A", 0)], ("A", 1))
    assert taken.rest == 1 and taken.evidence["shipped"] == 0 and taken.placed == []


def test_a_sku_that_was_never_ordered_is_told_from_too_many():
    (taken,), _ = _take(TWO_OF_ONE_SKU, ("Z", 2))
    assert taken.rest == 2 and taken.why == "not ordered" and taken.evidence == {"ordered_skus": ["A", "B"]}


def test_another_unit_than_it_was_shipped_in_is_not_converted():
    (taken,), _ = _take(CASES, ("A", 1, {"unit": "CA"}))
    assert taken.rest == 1 and taken.why == "other unit" and taken.evidence == {"unit": "CA", "shipped_in": "EA"}


def test_a_case_is_whole_with_its_twelfth_piece_and_the_rest_is_loose():
    taken, units = _take(CASES, ("A", 17), ("A", 6), ("A", 1))
    assert [_dues([one]) for one in taken] == [[("L1", 1)], [], [("L1", 1)]]
    assert units.loose() == {} and units.whole() == {"L1": 2}
    assert _take(CASES, ("A", 17))[1].loose() == {"L1": [{"sku": "A", "units": 5, "of": 12}]}


def test_a_kit_is_whole_with_its_last_component_and_takes_the_grades_of_all():
    taken, units = _take(KIT, ("A", 3, {"grade": "GOOD"}), ("B", 2, {"grade": "DAMAGED"}))
    assert taken[0].dues == [] and taken[1].dues == [Due("K", 0, 1, ("DAMAGED", "GOOD"))]
    assert units.loose() == {"K": [{"sku": "A", "units": 1, "of": 2}, {"sku": "B", "units": 1, "of": 1}]}


def test_units_become_whole_in_the_order_in_which_they_came():
    taken, _ = _take(KIT, ("A", 4, {"grade": "GOOD"}), ("B", 1, {"grade": "GOOD"}), ("B", 1, {"grade": "BAD"}))
    assert [one.dues for one in taken] == [[], [Due("K", 0, 1, ("GOOD",))], [Due("K", 1, 1, ("BAD", "GOOD"))]]


@st.composite
def orders(draw):
    lines = []
    for at in range(draw(st.integers(1, 4))):
        units = draw(st.integers(1, 4))
        for factor in draw(st.sampled_from([[1], [1], [3], [12], [2, 1], [1, 1]])):
            lines.append(line(len(lines) + 1, draw(st.sampled_from("ABC")), units * factor, factor, f"L{at}"))
    return lines


@st.composite
def came_back(draw, lines, times=1):
    """Every shipped unit `times` times, in any order and any parts."""
    rows = []
    for one in lines:
        left = one["advised"] * times
        while left:
            part = draw(st.integers(1, left))
            left -= part
            rows.append((one["warehouse_sku"], part, {"request_line": draw(st.sampled_from(["", str(one["number"])])), "grade": draw(st.sampled_from("GX"))}))
    return draw(st.permutations(rows))


def _shipped(lines):
    return ReturnedUnits(lines).shipped()


@settings(max_examples=150, deadline=None)
@given(st.data(), orders(), st.sampled_from([1, 2]))
def test_however_it_comes_back_all_that_was_shipped_is_due_once_and_no_more(data, lines, times):
    rows = data.draw(came_back(lines, times))
    taken, units = _take(lines, *rows)
    sums = {}
    for line_id, quantity in _dues(taken):
        sums[line_id] = sums.get(line_id, 0) + quantity
        assert sums[line_id] <= _shipped(lines)[line_id]
    assert sums == _shipped(lines) == units.whole() and units.loose() == {}
    assert sum(one.rest for one in taken) == sum(one["advised"] for one in lines) * (times - 1)


@settings(max_examples=150, deadline=None)
@given(st.data(), orders())
def test_a_count_that_is_put_together_anew_goes_on_where_it_was(data, lines):
    rows = data.draw(came_back(lines))
    at = data.draw(st.integers(0, len(rows)))
    at_once, _ = _take(lines, *rows)
    before, _ = _take(lines, *rows[:at])
    after, _ = _take(lines, *rows[at:], placed=[entry for one in before for entry in one.placed])
    assert [*before, *after] == at_once


@settings(max_examples=100, deadline=None)
@given(st.data(), orders())
def test_the_units_of_a_line_are_numbered_without_a_gap(data, lines):
    taken, _ = _take(lines, *data.draw(came_back(lines)))
    reached = {}
    for due in (due for one in taken for due in one.dues):
        assert due.first == reached.get(due.line_id, 0)
        reached[due.line_id] = due.first + due.quantity
