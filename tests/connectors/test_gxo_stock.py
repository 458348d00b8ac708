"""846, 947, 944 and 180 in: what a site has, what changed, what came and what came back, by the partner profile."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.gxo.warehouse import Settings, connect
from connectors.gxo.x12_write import Row
from connectors.kit.clock import ManualClock
from connectors.kit.files import FilesSettings
from connectors.ports import Inbound, Message
from contracts.base import WHY
from contracts.effects import Acknowledgement
from contracts.returns import ReturnLines
from contracts.stock import StockChanges, StockLevels
from tests.connectors.x12_kit import WAREHOUSE, from_partner, profile

BIA: Row = ("BIA", "00", "DD", "INV-1", "20260115", "0930")
W15: Row = ("W15", "20260115", "ADJ-1", "ADJ-1")
W17: Row = ("W17", "F", "20260115", "RCPT-1", "ASN-1")
RETURN: Row = ("W17", "C", "20260120", "RET-1", "UK-100-1")
GROUPS = {"846": "IB", "947": "AW", "944": "RE", "180": "AN"}


def read(*sets: tuple[str, list[Row]], control: int = 201, **changes: Any) -> list[Message]:
    port = connect("gxo", Settings(partner=profile(**changes), files=FilesSettings(kind="folder", path=".")), ManualClock())
    return port.read(Inbound("gxo", "file.edi", from_partner(*sets, group=GROUPS[sets[0][0]], control=control)))


def one(set_id: str, *rows: Row, **changes: Any) -> Message:
    [message] = read((set_id, list(rows)), **changes)
    assert message.errors == []
    return message


def error(set_id: str, *rows: Row, **changes: Any) -> str:
    [message] = read((set_id, list(rows)), **changes)
    assert message.stock_levels is None and message.stock_changes is None and message.returns is None
    assert message.answer["status"] == "R"
    return message.errors[0].partition(": ")[2]


def lin(sku: str, available: Any = None, on_hand: Any = None, on_hold: Any = None, unit: str = "EA") -> list[Row]:
    said = (("33", available), ("17", on_hand), ("QH", on_hold))
    return [("LIN", "", "SK", sku), *(("QTY", qualifier, str(units), unit) for qualifier, units in said if units is not None)]


def levels(*lines: list[Row], head: tuple[Row, ...] = (BIA, WAREHOUSE), tail: tuple[Row, ...] = ()) -> list[Row]:
    return [*head, *(row for line in lines for row in line), *tail]


def w07(sku: str, units: Any, unit: str = "EA") -> Row:
    return ("W07", str(units), unit, "", "SK", sku)


def figures(message: Message) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in message.stock_levels[["sku", "available", "on_hand", "on_hold"]].itertuples(index=False)]


# 846

def test_a_statement_gives_each_skus_figures_and_its_version() -> None:
    message = one("846", *levels(lin("A", 96, 120, 4), lin("B", 0, 0), tail=(("CTT", "2"),)))
    assert (message.kind, message.is_whole) == ("stock_levels", True)
    assert figures(message) == [("A", 96, 120, 4), ("B", 0, 0, 0)]
    assert set(zip(message.stock_levels["facility"], message.stock_levels["as_of"].astype(str), message.stock_levels["sequence"], strict=True)) == {
        ("WH01", "2026-01-15 09:30:00+00:00", 201)}
    assert StockLevels.split(message.stock_levels)[1].empty


def test_what_a_site_leaves_out_follows_from_the_rest() -> None:
    assert figures(one("846", *levels(lin("A", 96, on_hold=4), lin("B", 5)))) == [("A", 96, 100, 4), ("B", 5, 5, 0)]
    assert figures(one("846", *levels(lin("A", on_hand=120, on_hold=4), lin("B", 7, 9)), stock_basis="on_hand")) == [("A", 116, 120, 4), ("B", 9, 9, 0)]


@pytest.mark.parametrize(("bia", "changes", "is_whole"), [
    (BIA, {}, True), (("BIA", "04", *BIA[2:]), {}, False), (("BIA", "04", *BIA[2:]), {"stock": {"whole_purposes": ["04"]}}, True),
    (BIA, {"stock": {"whole_reports": ["SI"]}}, False), (("BIA", "00", "SI", *BIA[3:]), {"stock": {"whole_reports": ["SI"]}}, True),
])
def test_a_statement_is_whole_by_its_purpose_and_report_type(bia: Row, changes: dict[str, Any], is_whole: bool) -> None:
    assert one("846", *levels(lin("A", 1), head=(bia, WAREHOUSE)), **changes).is_whole == is_whole


@pytest.mark.parametrize(("head", "changes", "as_of"), [
    ((BIA,), {}, "2026-01-15T09:30:00+00:00"), ((BIA,), {"timezone": "America/Los_Angeles"}, "2026-01-15T17:30:00+00:00"),
    ((("BIA", "00", "DD", "I", "20260115"),), {}, "2026-01-15T09:30:00+00:00"),  # no time: GS05 of the same day
    ((("BIA", "00", "DD", "I", "20260114"),), {}, "2026-01-14T00:00:00+00:00"),  # another day: its beginning, so that nothing newer is outdone
    ((BIA, ("DTM", "097", "20260115", "081559")), {"stock": {"as_of": ["DTM*097", "BIA-04"]}}, "2026-01-15T08:15:00+00:00"),
    ((BIA, ("DTM", "097", "20260115", "0815", "UT")), {"stock": {"as_of": ["DTM*097"]}, "timezone": "America/Los_Angeles"}, "2026-01-15T08:15:00+00:00"),
])
def test_as_of_is_the_sources_own_time(head: tuple[Row, ...], changes: dict[str, Any], as_of: str) -> None:
    message = one("846", *levels(lin("A", 1), head=(*head, WAREHOUSE)), **changes)
    assert message.stock_levels["as_of"][0].isoformat() == as_of


def test_another_partner_keeps_stock_elsewhere_and_only_its_profile_says_so() -> None:
    rows = [BIA, ("N1", "SF", "RENO", "92", "W9"), ("LIN", "1", "UP", "012345678905", "VN", "A"), ("QTY", "AV", "7", "CA"), ("QTY", "OH", "9", "CA")]
    message = one("846", *rows, stock={"available": ["AV"], "on_hand": ["OH"], "sku_qualifiers": ["VN"], "facility": ["N1*SF-04"]})
    assert message.stock_levels[["facility", "sku", "unit", "available", "on_hand"]].values.tolist() == [["W9", "A", "CA", 7, 9]]


def test_stock_by_lot_adds_up_within_a_line_and_over_lines_where_the_profile_says_so() -> None:
    within = [*lin("A", 5), ("QTY", "33", "7", "EA"), ("UIT", "EA")]
    assert figures(one("846", *levels(within))) == [("A", 12, 12, 0)]
    twice = levels(lin("A", 5), lin("B", 1), lin("A", 7, 8, 1))
    assert figures(one("846", *twice, stock={"repeated": "added"})) == [("A", 12, 13, 1), ("B", 1, 1, 0)]
    assert [row[:2] for row in figures(one("846", *twice))] == [("A", 5), ("B", 1), ("A", 7)], "both stay: whoever takes it in sets that SKU aside"


def test_a_figure_below_zero_or_beyond_belief_sets_its_own_row_aside_and_no_other() -> None:
    frame = one("846", *levels(lin("A", -5), lin("B", 3), lin("C", 999_999_999))).stock_levels
    sound, unsound = StockLevels.split(frame)
    assert (sound["sku"].tolist(), unsound["sku"].tolist()) == (["B"], ["A", "C"])
    assert all("available" in why for why in unsound[WHY])


@pytest.mark.parametrize(("rows", "changes", "says"), [
    (levels(lin("A", "1.5")), {}, "segment 7 (QTY element 02): not a whole quantity"),
    (levels(lin("A", on_hand=3)), {}, "segment 6 (LIN): no quantity (QTY) with qualifier 33"),
    (levels(lin("A", 3)), {"stock_basis": "on_hand"}, "segment 6 (LIN): no quantity (QTY) with qualifier 17"),
    (levels([*lin("A", 3), ("QTY", "17", "3", "CA")]), {}, "segment 6 (LIN): its quantities are in two units"),
    (levels(lin("A", 3), lin("A", 3, unit="CA")), {"stock": {"repeated": "added"}}, "segment 8 (LIN): the SKU was on a line before, in another unit"),
    (levels([("LIN", "", "UP", "012345678905"), ("QTY", "33", "1", "EA")]), {}, "segment 6 (LIN): no item number with qualifier SK"),
    (levels(lin("A", 1), head=(BIA,)), {}, "segment 5 (LIN): no facility at N1*WH-04"),
    (levels(lin("A", 1), head=(BIA, WAREHOUSE, ("N1", "WH", "", "92", "WH02"))), {}, "segment 7 (LIN): two facilities at N1*WH-04"),
    (levels(lin("A", 1), tail=(("CTT", "2"),)), {}, "segment 8 (CTT element 01): it counts 2 lines, there are 1"),
    (levels(lin("A", 1, 2), tail=(("CTT", "1", "4"),)), {}, "segment 9 (CTT element 02): its hash total is not the sum of the quantities"),
    (levels(lin("A", 1), head=(("BIA", "00", "DD", "I", "20260115", "2530"), WAREHOUSE)), {}, "segment 4 (BIA element 05): not a time"),
    (levels(), {}, "segment 6 (LIN): the mandatory segment is missing"),
])
def test_a_statement_that_cannot_be_true_is_refused_with_segment_and_reason(rows: list[Row], changes: dict[str, Any], says: str) -> None:
    assert error("846", *rows, **changes) == says


def test_a_hash_total_that_agrees_is_taken_and_one_of_another_kind_can_be_passed_over() -> None:
    good = levels(lin("A", 1, 2), tail=(("CTT", "1", "3"),))
    assert figures(one("846", *good)) == [("A", 1, 2, 0)]
    assert one("846", *levels(lin("A", 1, 2), tail=(("CTT", "1", "4"),)), stock={"hash_total": "unchecked"})


def test_a_statement_in_several_sets_is_whole_only_when_every_part_is_sound() -> None:
    """A set holds 10,000 lines; each part taken for the whole would have set the SKUs of the others to zero."""
    parts = [("846", levels(lin(sku, 1))) for sku in "ABC"]
    first, *rest = read(*parts)
    assert (first.is_whole, [row[0] for row in figures(first)]) == (True, ["A", "B", "C"])
    assert [(message.is_whole, figures(message), message.errors) for message in rest] == [(False, [], [])] * 2
    broken = read(parts[0], ("846", levels(lin("B", "1.5"))), parts[2])
    assert [message.is_whole for message in broken] == [False] * 3
    assert [message.stock_levels is None for message in broken] == [False, True, False]


def test_statements_of_two_facilities_in_one_group_are_two_whole_statements() -> None:
    other = levels(lin("A", 2), head=(BIA, ("N1", "WH", "", "92", "WH02")))
    assert [(message.is_whole, len(message.stock_levels)) for message in read(("846", levels(lin("A", 1))), ("846", other))] == [(True, 1), (True, 1)]


def test_a_line_may_name_its_own_facility_in_a_statement_of_several() -> None:
    head = (BIA, WAREHOUSE, ("N1", "WH", "", "92", "WH02"))
    lines = ([*lin("A", 1), ("N1", "WH", "", "92", "WH02")], [*lin("A", 2), ("N1", "WH", "", "92", "WH01")])
    assert one("846", *levels(*lines, head=head)).stock_levels[["facility", "available"]].values.tolist() == [["WH02", 1], ["WH01", 2]]


# 947

def test_an_adjustment_gives_signed_changes_with_reason_and_document() -> None:
    message = one("947", W15, WAREHOUSE, ("W19", "AA", "-2", "EA", "", "SK", "A"), ("W19", "AB", "5", "CA", "", "UP", "012345678905", "SK", "B"))
    assert message.kind == "stock_changes"
    assert message.stock_changes[["document_id", "line", "kind", "sku", "unit", "change", "reason"]].values.tolist() == [
        ["ADJ-1", 1, "adjustment", "A", "EA", -2, "AA"], ["ADJ-1", 2, "adjustment", "B", "CA", 5, "AB"]]
    assert message.stock_changes["occurred_at"].dt.strftime("%H:%M").tolist() == ["09:30"] * 2, "W15 has no time: the group's, on the same day"
    assert StockChanges.split(message.stock_changes)[1].empty


def test_reasons_may_take_away_without_a_sign_or_leave_what_may_be_sold_as_it_is() -> None:
    rows = (W15, WAREHOUSE, ("W19", "51", "2", "EA", "", "SK", "A"), ("W19", "52", "9", "EA", "", "SK", "A"), ("W19", "AA", "3.0", "EA", "", "SK", "A"))
    changed = one("947", *rows, adjustments={"minus_reasons": ["51"], "unsold_reasons": ["52"]}).stock_changes
    assert list(zip(changed["reason"], changed["change"], strict=True)) == [("51", -2), ("52", 0), ("AA", 3)]


@pytest.mark.parametrize(("rows", "says"), [
    ((W15, WAREHOUSE, ("W19", "AA", "-2.5", "EA", "", "SK", "A")), "segment 6 (W19 element 02): not a whole quantity"),
    ((("W15", "20260115"), WAREHOUSE, ("W19", "AA", "1", "EA", "", "SK", "A")), "segment 4 (W15): no document number at W15-02 or W15-03"),
    ((W15, ("N1", "SF", "", "92", "X1"), ("W19", "AA", "1", "EA", "", "SK", "A")), "segment 6 (W19): no facility at N1*WH-04"),
    ((W15, WAREHOUSE), "segment 6 (W19): the mandatory segment is missing"),
])
def test_an_adjustment_that_cannot_be_true_is_refused_with_segment_and_reason(rows: tuple[Row, ...], says: str) -> None:
    assert error("947", *rows) == says


# 944

def test_a_receipt_of_stock_names_what_may_be_sold_and_what_announced_it() -> None:
    message = one("944", W17, WAREHOUSE, w07("A", 495), ("W13", "5", "EA", "01"), w07("B", 3, "CA"), ("W14", "498", "500", "5"))
    assert (message.kind, message.returns) == ("stock_changes", None)
    assert message.stock_changes[["document_id", "line", "kind", "sku", "unit", "change", "reason", "reference"]].values.tolist() == [
        ["RCPT-1", 1, "receipt", "A", "EA", 495, "F", "ASN-1"], ["RCPT-1", 2, "receipt", "B", "CA", 3, "F", "ASN-1"]]


@pytest.mark.parametrize(("condition", "changes", "change"), [
    ("01", {}, 100), ("01", {"receipts": {"apart": "within"}}, 95), ("02", {"receipts": {"apart": "within"}}, 100),
    ("03", {"receipts": {"apart": "within"}}, 100), ("09", {"receipts": {"apart": "within"}}, 95),
    ("02", {"receipts": {"apart": "within", "apart_conditions": ["02"]}}, 95),
])
def test_units_that_are_set_apart_are_not_for_sale_and_a_remark_changes_nothing(condition: str, changes: dict[str, Any], change: int) -> None:
    rows = (W17, WAREHOUSE, w07("A", 100), ("W13", "5", "EA", condition), ("W14", "100"))
    assert one("944", *rows, **changes).stock_changes["change"].tolist() == [change]


@pytest.mark.parametrize(("rows", "changes", "says"), [
    ((W17, WAREHOUSE, w07("A", 5), ("W14", "6")), {}, "segment 7 (W14 element 01): it totals 6 units, the lines have 5"),
    ((W17, WAREHOUSE, w07("A", 5)), {}, "segment 7 (W14): the mandatory segment is missing"),
    ((W17, WAREHOUSE, w07("A", -5), ("W14", "-5")), {}, "segment 6 (W07 element 01): a quantity below zero"),
    ((W17, WAREHOUSE, w07("A", 5), ("W13", "6", "EA", "01"), ("W14", "5")), {"receipts": {"apart": "within"}},
     "segment 6 (W07 element 01): its exceptions (W13) are more than it received"),
    ((W17, WAREHOUSE, w07("A", 5), ("W13", "1", "CA", "01"), ("W14", "5")), {}, "segment 7 (W13 element 02): another unit than the line's"),
    ((("W17", "K", *W17[2:]), WAREHOUSE, w07("A", 5), ("W14", "5")), {}, "segment 4 (W17 element 01): 'K' is neither a receipt nor a return by the profile"),
])
def test_a_receipt_that_cannot_be_true_is_refused_with_segment_and_reason(rows: tuple[Row, ...], changes: dict[str, Any], says: str) -> None:
    """K is an exercise: counted as stock it would have sold goods that nobody has."""
    assert error("944", *rows, **changes) == says


def test_a_total_that_counts_otherwise_can_be_passed_over() -> None:
    assert one("944", W17, WAREHOUSE, w07("A", 5), ("W14", "6"), receipts={"total": "unchecked"})


# returned goods

def back(message: Message, *columns: str) -> list[tuple[Any, ...]]:
    assert message.kind == "returns" and ReturnLines.split(message.returns)[1].empty
    return [tuple(row) for row in message.returns[list(columns)].itertuples(index=False)]


def test_a_return_names_order_rma_line_grade_and_parcel() -> None:
    head = (("W17", "C", "20260120", "RET-1", "RMA-7", "", "1", "0915"), WAREHOUSE, ("N9", "RZ", "RMA-7"), ("N9", "SO", "UK-100-1"), ("N9", "CN", "1ZRET"))
    message = one("944", *head, w07("A", 2), ("N9", "LI", "1"), ("N9", "ZZ", "A"), w07("B", 1), ("N9", "ZZ", "C"), ("W14", "3"),
                  receipts={"sale_grades": ["A"]})
    assert back(message, "document_id", "line", "reference", "rma", "request_line", "sku", "quantity", "grade", "tracking_number", "facility") == [
        ("RET-1", 1, "UK-100-1", "RMA-7", "1", "A", 2, "A", "1ZRET", "WH01"), ("RET-1", 2, "UK-100-1", "RMA-7", "", "B", 1, "C", "1ZRET", "WH01")]
    assert message.returns["received_at"][0].isoformat() == "2026-01-20T09:15:00+00:00"
    assert message.stock_changes[["kind", "line", "sku", "change", "reason", "reference"]].values.tolist() == [["return", 1, "A", 2, "A", "RMA-7"]]


@pytest.mark.parametrize(("head", "changes", "reference", "rma"), [
    ((RETURN, WAREHOUSE), {}, "UK-100-1", ""),
    ((("W17", "C", "20260120", "RET-1"), WAREHOUSE), {}, "", ""),
    ((("W17", "F", "20260120", "RET-1", "RMA-7"), WAREHOUSE, ("N9", "RZ", "RMA-7")), {}, "", "RMA-7"),
    ((("W17", "F", "20260120", "RET-1", "UK-1"), WAREHOUSE, ("N9", "RMA", "RMA-7")), {}, "UK-1", "RMA-7"),
    ((("W17", "R", "20260120", "RET-1", "UK-1"), WAREHOUSE), {"receipts": {"return_codes": ["R"]}}, "UK-1", ""),
    ((("W17", "C", "20260120", "RET-1", "RMA-7"), WAREHOUSE, ("N9", "VR", "UK-1")), {"receipts": {"rma": ["W17-04"], "return_reference": ["N9*VR"]}}, "UK-1", "RMA-7"),
])
def test_a_return_is_known_by_its_code_or_its_rma_and_the_rma_is_never_taken_for_an_order(head: tuple[Row, ...], changes: dict[str, Any], reference: str,
                                                                                         rma: str) -> None:
    message = one("944", *head, w07("A", 1), ("W14", "1"), **changes)
    assert back(message, "reference", "rma", "grade") == [(reference, rma, "")]
    assert message.stock_changes is None, "nothing goes back on sale unless the profile names the grade"


def test_a_receipt_of_stock_is_no_return_when_the_profile_finds_no_rma() -> None:
    assert one("944", W17, WAREHOUSE, ("N9", "PO", "PO-77"), w07("A", 1), ("W14", "1")).kind == "stock_changes"


@pytest.mark.parametrize(("changes", "expected"), [
    ({}, [("A", 3, "B"), ("A", 1, "01"), ("A", 2, "09")]),  # W13 beside what W07 counts
    ({"receipts": {"apart": "within"}}, [("A", 1, "01"), ("A", 2, "09")]),
    ({"receipts": {"apart": "within", "apart_conditions": ["01"]}}, [("A", 2, "B"), ("A", 1, "01")]),
])
def test_each_condition_of_a_returned_line_is_a_row_of_its_own_and_no_unit_is_lost(changes: dict[str, Any], expected: list[tuple[str, int, str]]) -> None:
    rows = (RETURN, WAREHOUSE, w07("A", 3), ("N9", "ZZ", "B"), ("W13", "1", "EA", "01"), ("W13", "2", "EA", "09"), ("W14", "3"))
    assert back(one("944", *rows, **changes), "sku", "quantity", "grade") == expected


def test_a_return_of_nothing_is_still_a_row() -> None:
    assert back(one("944", RETURN, WAREHOUSE, w07("A", 0), ("W13", "0", "EA", "01"), ("W14", "0")), "sku", "quantity") == [("A", 0)]


def test_a_180_is_read_as_return_advice_only_where_the_profile_says_so() -> None:
    rows = [("BGN", "00", "RMA-7", "20260120", "0910"), ("N9", "SO", "UK-1"), ("N1", "ST", "", "92", "WH01"), ("BLI", "SK", "A", "2", "EA"), ("N9", "LI", "1"),
            ("N9", "ZZ", "B"), ("QTY", "76", "2"), ("BLI", "SK", "B"), ("QTY", "76", "1")]
    assert error("180", *rows) == "segment 3 (ST): set 180 is not read (returns, without return_advice in the profile)"
    message = one("180", *rows, return_advice={})
    assert back(message, "document_id", "reference", "rma", "request_line", "sku", "quantity", "unit", "grade") == [
        ("RMA-7", "UK-1", "RMA-7", "1", "A", 2, "EA", "B"), ("RMA-7", "UK-1", "RMA-7", "", "B", 1, "", "")]


@pytest.mark.parametrize(("rows", "says"), [
    ([("BLI", "SK", "A", "2", "EA"), ("QTY", "76", "3")], "segment 6 (BLI element 03): it says 2, its quantities (QTY) add up to 3"),
    ([("BLI", "SK", "A")], "segment 6 (BLI element 03): no quantity"), ([], "segment 4 (BGN): the return has no line (BLI)"),
    ([("BLI", "SK", "A", "-1", "EA")], "segment 6 (BLI element 03): a quantity below zero"),
])
def test_a_180_that_cannot_be_true_is_refused_with_segment_and_reason(rows: list[Row], says: str) -> None:
    assert error("180", ("BGN", "00", "RMA-7", "20260120"), ("N1", "ST", "", "92", "WH01"), *rows, return_advice={}) == says


# what all of them have in common

def test_the_997_we_owe_covers_these_groups_too() -> None:
    good, bad = [W15, WAREHOUSE, ("W19", "AA", "1", "EA", "", "SK", "A")], [W15, WAREHOUSE, ("W19", "AA", "1.5", "EA", "", "SK", "A")]
    answer = Acknowledgement.model_validate(read(("947", good), ("947", bad))[0].answer)
    assert (answer.group_code, answer.status, [(one.set_id, one.accepted, one.codes) for one in answer.sets]) == (
        "AW", "P", [("947", True, []), ("947", False, ["5"])])


@pytest.mark.parametrize("set_id", ["846", "947", "944", "180"])
def test_a_set_in_another_sets_group_is_refused(set_id: str) -> None:
    port = connect("gxo", Settings(partner=profile(return_advice={}), files=FilesSettings(kind="folder", path=".")), ManualClock())
    [message] = port.read(Inbound("gxo", "f", from_partner((set_id, [BIA]), group="SW")))
    assert message.errors[0].endswith(f"a {set_id} does not belong into a group of code SW")


def test_segments_that_a_partner_adds_can_be_passed_over_by_profile_in_every_set() -> None:
    rows = levels([*lin("A", 1), ("G69", "Anchor")])
    assert "(G69): not expected here in a 846" in error("846", *rows)
    assert figures(one("846", *rows, stock={"ignore_segments": ["G69"]})) == [("A", 1, 1, 0)]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text("ABC123-", min_size=1, max_size=8).filter(str.strip), st.tuples(st.integers(-9, 10**9), st.integers(0, 99), st.integers(0, 9)),
                       min_size=1, max_size=8), st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.integers(1, 999_999_999))
def test_every_figure_of_a_statement_arrives_as_it_was_written(stated: dict[str, tuple[int, int, int]], at: datetime, control: int) -> None:
    total = sum(sum(figures) for figures in stated.values())
    ctt = ("CTT", str(len(stated)), str(total)) if len(str(abs(total))) <= 10 else ("CTT", str(len(stated)))
    rows = levels(*(lin(sku, *said) for sku, said in stated.items()), tail=(ctt,), head=(("BIA", "00", "DD", "I", f"{at:%Y%m%d}", f"{at:%H%M}"), WAREHOUSE))
    [message] = read(("846", rows), control=control)
    assert message.errors == [] and figures(message) == [(sku, *said) for sku, said in stated.items()]
    assert (message.stock_levels["as_of"].dt.strftime("%Y%m%d%H%M") == f"{at:%Y%m%d%H%M}").all() and set(message.stock_levels["sequence"]) == {control}
