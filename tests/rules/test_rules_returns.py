"""Whose a return is: taken only when certain, else the likeliest orders first, with the reasons in words."""

from datetime import timedelta

import pytest

from contracts.returns import ReturnLines
from tasks.rules.mapping_tables import frees
from tasks.rules.returned_units import ReturnedUnits
from tasks.rules.returns import BY_PREFIX, BY_REFERENCE, BY_RMA, order_ids, rank, unexpected, unmatched, whose
from tasks.rules.rmas import ask_for, is_complete, pieces, read_lines, under, used
from tasks.rules.waits import waits_on_mapping
from tests.rules.rule_cases import AT, FACILITY, SHOP, WAREHOUSE

OTHER = "bc-de"
PREFIXES = {SHOP: "BC", OTHER: ""}
MINE, THEIRS = (SHOP, "100"), (OTHER, "100")


def came(sku="A", quantity=1, line=1, **other):
    return {"warehouse": WAREHOUSE, "document_id": "RC1", "line": line, "reference": "", "rma": "", "request_line": "", "sku": sku, "quantity": quantity,
            "unit": "EA", "grade": "GOOD", "tracking_number": "", "facility": FACILITY, "received_at": AT} | other


def candidate(order_id="100", left=None, days=3, **other):
    return {"connection": SHOP, "order_id": order_id, "references": {f"BC{order_id}"}, "facilities": {FACILITY}, "tracking_numbers": {f"1Z{order_id}"},
            "shipped_at": AT - timedelta(days=days), "left": {"A": 1} if left is None else left} | other


def _whose(reference="", rma="", requests=None, orders=(MINE,), rmas=None):
    return whose(reference, rma, {"BC100": MINE} if requests is None else requests, orders, rmas or {}, PREFIXES)


@pytest.mark.parametrize(("reference", "rma", "order", "how"), [
    ("BC100", "", MINE, BY_REFERENCE), (" BC100 ", "", MINE, BY_REFERENCE), ("100", "", MINE, BY_PREFIX), ("BC100-2", "", MINE, BY_PREFIX),
    ("", "R1", MINE, BY_RMA), ("nonsense", "R1", MINE, BY_RMA), ("BC100", "R1", MINE, BY_RMA), ("BC100", "R9", MINE, BY_REFERENCE),
])
def test_an_order_is_taken_when_it_is_certain(reference, rma, order, how):
    found = _whose(reference, rma, rmas={"R1": [MINE]})
    assert (found.order, found.how) == (order, how)


@pytest.mark.parametrize(("given", "why"), [
    ({}, "names no order"), ({"reference": "BC999"}, "no order under the reference"), ({"reference": "bc100"}, "no order under the reference"),
    ({"reference": "100", "orders": (MINE, THEIRS)}, "2 orders"), ({"rma": "R1", "rmas": {"R1": [MINE, THEIRS]}}, "two shops"),
    ({"reference": "BC100", "rma": "R1", "rmas": {"R1": [(SHOP, "101")]}}, "its return number order 101"),
])
def test_an_order_is_never_guessed(given, why):
    found = _whose(**given)
    assert found.order is None and why in found.why


def test_the_prefix_form_looks_with_and_without_prefix_and_part_number():
    assert set(order_ids("BC100-2", {SHOP: "BC"})) == {(SHOP, "BC100-2"), (SHOP, "100-2"), (SHOP, "BC100"), (SHOP, "100")}
    assert order_ids("  ", PREFIXES) == []


def _ranked(*candidates, rows=None):
    return [(one["order_id"], one["score"]) for one in rank(rows or [came()], candidates, PREFIXES)]


def test_the_likeliest_order_is_first_and_the_reasons_are_in_words():
    rows = [came("A", 1, tracking_number="1Z101"), came("B", 2, 2, tracking_number="1Z101")]
    found = rank(rows, [candidate("100", {"A": 5}), candidate("101", {"A": 1, "B": 2}, 10), candidate("102", {"A": 1, "B": 1})], PREFIXES)
    assert [one["order_id"] for one in found] == ["101", "102", "100"]
    assert found[0]["because"] == ["2 of 2 SKUs were shipped with it: A, B", "exactly so many were shipped and are not back yet",
                                   "it came back under the tracking number it was sent with", "it was shipped 10 days before",
                                   "it came back to the facility that shipped it"]
    assert "more came back than was shipped of B" in found[1]["because"] and "the rest is not on it" in found[2]["because"]


def test_a_reference_that_is_almost_right_points_to_its_order_and_is_not_believed():
    assert _ranked(candidate("100", days=1), candidate("101", days=30), rows=[came(reference="bc-0101")])[0][0] == "101"
    assert _ranked(candidate("100", days=1), candidate("102345", days=30), rows=[came(reference="BC102346")])[0][0] == "102345"
    assert _ranked(candidate("100", days=1), candidate("102345", days=30), rows=[came(reference="BC120345")])[0][0] == "102345"


def test_an_order_that_cannot_be_it_is_no_candidate():
    assert _ranked(candidate(left={"B": 1}), candidate(left={"A": 0}), candidate(days=-1)) == []


def test_of_equal_candidates_the_order_of_the_list_does_not_decide():
    both = [candidate("101"), candidate("100")]
    assert _ranked(*both) == _ranked(*reversed(both)) and [one for one, _ in _ranked(*both)] == ["100", "101"]


def test_at_most_five_candidates_are_shown():
    assert len(_ranked(*(candidate(str(number)) for number in range(100, 120)))) == 5


def test_one_parcel_is_one_exception_with_its_lines():
    finding = unmatched(WAREHOUSE, [came(tracking_number="1Z9"), came("B", 2, 2, tracking_number="1Z9")], "it names no order", [])
    assert (finding.type, finding.connection, finding.record) == ("return_unmatched", WAREHOUSE, "RC1")
    assert finding.evidence["lines"] == [{"line": 1, "sku": "A", "quantity": 1, "unit": "EA", "grade": "GOOD"},
                                         {"line": 2, "sku": "B", "quantity": 2, "unit": "EA", "grade": "GOOD"}]
    assert set(ReturnLines.columns()) >= set(came())


def test_what_was_not_taken_is_told_with_the_evidence():
    units = ReturnedUnits([{"reference": "BC100", "number": 1, "line_id": "L1", "warehouse_sku": "A", "advised": 1, "unit": "EA", "factor": 1}])
    finding = unexpected(MINE, came(quantity=3), units.take("BC100", "", "A", "EA", 3, ""))
    assert finding.record == "100" and finding.evidence["not_taken"] == 2 and finding.evidence["came"] == 3 and finding.evidence["due"] == 1


def _piece(quantity, line_id="L1", first=0):
    return {"line_id": line_id, "first": first, "quantity": quantity, "grades": [""], "rma": "", "effect": "", "closed": ""}


def _rma(number, quantity, state="approved", line_id="L1"):
    return {"rma": number, "state": state, "lines": [{"line_id": line_id, "quantity": quantity}]}


def test_units_go_under_the_return_they_name_then_under_the_orders_others_and_the_rest_under_none():
    found = under([_piece(5)], "R2", [_rma("R1", 1), _rma("R2", 2)], {})
    assert [(one["rma"], one["first"], one["quantity"]) for one in found] == [("R2", 0, 2), ("R1", 2, 1), ("", 3, 2)]
    assert used(found) == {("R2", "L1"): 2, ("R1", "L1"): 1}


def test_a_return_has_room_once_and_a_refused_one_only_where_it_is_named():
    assert [one["rma"] for one in under([_piece(1)], "", [_rma("R1", 1)], {("R1", "L1"): 1})] == [""]
    assert [one["rma"] for one in under([_piece(1)], "", [_rma("R1", 1, "refused")], {})] == [""]
    assert [one["rma"] for one in under([_piece(1)], "R1", [_rma("R1", 1, "refused")], {})] == ["R1"]
    assert [one["rma"] for one in under([_piece(1, "L2")], "R1", [_rma("R1", 1)], {})] == [""]


def test_a_return_is_complete_when_every_line_has_come():
    lines = [{"line_id": "L1", "quantity": 2}, {"line_id": "L2", "quantity": 1}]
    assert not is_complete(lines, "R1", {("R1", "L1"): 2}) and is_complete(lines, "R1", {("R1", "L1"): 2, ("R1", "L2"): 1})


def test_pieces_begin_undecided():
    due = ReturnedUnits([{"reference": "r", "number": 1, "line_id": "L1", "warehouse_sku": "A", "advised": 2, "unit": "EA", "factor": 1}]).take("r", "", "A", "", 2, "X").dues
    assert pieces(due) == [_piece(2) | {"grades": ["X"]}]


@pytest.mark.parametrize(("text", "lines", "problems"), [
    ("sku,quantity\nA,2\n B , 1 \n\n", [("A", 2), ("B", 1)], 0), ("\ufeffSKU,Quantity\r\n\"A,1\",2", [("A,1", 2)], 0), ("", [], 1), ("sku,quantity\n", [], 1),
    ("A,2", [], 1), ("sku,quantity\nA,0\nB,1.5\n,2\nC", [], 4),
])
def test_the_lines_of_a_form_are_read_or_refused_with_the_line(text, lines, problems):
    found, told = read_lines(text)
    assert (found, len(told)) == (lines, problems)


def test_no_more_is_announced_than_was_shipped_and_is_neither_back_nor_announced():
    lines = [{"line_id": "L1", "sku": "A"}, {"line_id": "L2", "sku": "A"}, {"line_id": "L3", "sku": "B"}]
    assert ask_for([("A", 3)], lines, {"L1": 2, "L2": 2}) == ({"L1": 2, "L2": 1}, [])
    assert ask_for([("A", 2), ("A", 3)], lines, {"L1": 2, "L2": 2})[1] == ["A: 3 asked for, 2 were shipped and are neither back nor announced"]
    assert ask_for([("Z", 1)], lines, {})[1] == ["Z is not on the order"]


@pytest.mark.parametrize("grade", ["GOOD", ""])
@pytest.mark.parametrize("row_grade", ["*", "GOOD"])
def test_a_rule_that_is_added_frees_what_waited_for_its_grade(grade, row_grade):
    waits_on = waits_on_mapping("return_rules", connection=SHOP, warehouse=WAREHOUSE, grade=grade)
    added = [{"connection": SHOP, "warehouse": WAREHOUSE, "grade": row_grade, "refund_percent": "100", "disposition": "restock", "needs_rma": "no"}]
    assert bool(frees("return_rules", {"added": added, "removed": [], "altered": []}, [("e1", waits_on)])) == (row_grade in ("*", grade))
