"""Dispatch advice placed on order lines: what the storefront is told, what is kept for later, what a person must see."""

from datetime import timedelta

import pytest

from contracts.dispatches import Dispatches
from tasks.rules.dispatch import place, rows_again, with_carrier
from tasks.rules.mapping_tables import frees
from tests.rules.rule_cases import AT, SHOP, TYPICAL, WAREHOUSE, advice, advices, mappings, request, request_line, types

TWO_OF_ONE_SKU = request(request_line(1, "A", 2), request_line(2, "B", 1), request_line(3, "A", 3))
CASES = request(request_line(1, "A", 24, factor=12))
KIT = request(request_line(1, "A", 4, factor=2, line_id="K", component_of="KIT"), request_line(2, "B", 2, line_id="K", component_of="KIT"))


def _place(*rows, ask=TWO_OF_ONE_SKU, shipped=None, **tables):
    return place(advices(*rows), {ask["reference"]: ask}, shipped or {}, mappings(**tables))


def _confirmed(placement):
    return [(one.package_id, [(x.line_id, x.quantity) for x in one.lines]) for one in placement.confirmations]


def test_a_package_is_confirmed_with_the_storefronts_names_for_its_carrier():
    confirmations = _place(advice("A", 2, "1", tracking_number="1Z 9/9")).confirmations
    assert [one.model_dump() for one in confirmations] == [{
        "connection": SHOP, "order_id": "100", "ship_group": "a", "warehouse": WAREHOUSE, "reference": "BC100", "advice_id": "SHP-1",
        "package_id": "P1", "package_number": 0, "carrier": "UPSN", "service": "GND", "provider": "ups", "tracking_carrier": "ups",
        "tracking_link": "https://ups.example/track?n=1Z%209%2F9", "tracking_number": "1Z 9/9", "shipped_at": "2026-01-15T09:00:00+00:00",
        "lines": [{"line_id": "L1", "quantity": 2}], "channel": "1", "package_number": 0,
    }]


@pytest.mark.parametrize(("rows", "confirmed", "advised"), [
    ([advice("A", 2, "1"), advice("B", 1, "2"), advice("A", 3, "3")], [("L1", 2), ("L2", 1), ("L3", 3)], [(1, 2), (2, 1), (3, 3)]),
    ([advice("A", 3, "3")], [("L3", 3)], [(3, 3)]),
    ([advice("A", 4), advice("B", 1)], [("L1", 2), ("L2", 1), ("L3", 2)], [(1, 2), (2, 1), (3, 2)]),
    ([advice("A", 1), advice("A", 1), advice("A", 1)], [("L1", 2), ("L3", 1)], [(1, 2), (3, 1)]),
    ([advice("A", 2), advice("A", 3, "3")], [("L1", 2), ("L3", 3)], [(1, 2), (3, 3)]),
    ([advice("A", 5, "1")], [("L1", 2), ("L3", 3)], [(1, 2), (3, 3)]),
    ([advice(" A ", 2, "001")], [("L1", 2)], [(1, 2)]),
    ([advice("a", 2, "1")], [("L1", 2)], [(1, 2)]),
    ([advice("", 2, "1")], [("L1", 2)], [(1, 2)]),
    ([advice("B", 1, "1")], [("L2", 1)], [(2, 1)]),
    ([advice("B", 1, "99")], [("L2", 1)], [(2, 1)]),
    ([advice("B", 1, "LINE-2")], [("L2", 1)], [(2, 1)]),
    ([advice("B", 1, "²")], [("L2", 1)], [(2, 1)]),
    ([advice("A", 0, "1"), advice("B", 1, "2")], [("L2", 1)], [(2, 1)]),
    ([advice("A", 2, "1", unit="")], [("L1", 2)], [(1, 2)]),
])
def test_units_find_their_line_by_number_or_by_sku_in_order(rows, confirmed, advised):
    """Numbered, unnumbered, mixed, merged by the warehouse, with a number that is none or that contradicts the SKU."""
    for given in (rows, rows[::-1]):
        placement = _place(*given)
        assert _confirmed(placement) == [("P1", confirmed)]
        assert placement.advised == [("BC100", *one) for one in advised]
        assert placement.findings == []


@pytest.mark.parametrize(("row", "why"), [
    (advice("X", 2), "no line of the order asks for X"), (advice("X", 2, "1"), "no line of the order asks for X"),
    (advice("", 2), "no line of the order asks for it"),
    (advice("b", 1), "no line of the order asks for b"), (advice("A", 2, "1", unit="CA"), "the advice counts in CA, the order in EA"),
])
def test_what_no_line_asks_for_is_a_finding_and_the_rest_is_confirmed(row, why):
    placement = _place(row, advice("B", 1, "2"))
    finding, = placement.findings
    assert (finding.type, finding.connection, finding.record, finding.evidence["why"]) == ("line_unmatched", SHOP, "100", why)
    assert finding.evidence["quantity"] == row["quantity"]
    assert _confirmed(placement) == [("P1", [("L2", 1)])]
    assert placement.advised == [("BC100", 2, 1)]


def test_more_than_was_ordered_is_confirmed_up_to_the_order_with_the_figures_on_a_desk():
    placement = _place(advice("A", 7), advice("B", 1))
    finding, = placement.findings
    assert (finding.type, finding.cause) == ("over_shipped", "over_shipped:BC100:SHP-1:P1:A")
    assert finding.evidence == {"reference": "BC100", "advice_id": "SHP-1", "package_id": "P1", "warehouse_sku": "A", "unit": "EA", "ordered": 5,
                                "advised": 7, "too_many": 2}
    assert _confirmed(placement) == [("P1", [("L1", 2), ("L2", 1), ("L3", 3)])]
    assert sum(units for *_, units in placement.advised) == 6


@pytest.mark.parametrize("row", [advice("A", 9, "3"), advice("a", 9, "3"), advice("", 9, "3")])
def test_the_figures_are_right_however_the_warehouse_names_the_line(row):
    finding, = _place(row).findings
    assert (finding.type, *(finding.evidence[name] for name in ("warehouse_sku", "ordered", "too_many"))) == ("over_shipped", "A", 5, 4)


def test_a_second_advice_of_what_was_shipped_in_full_confirms_nothing_more():
    placement = _place(advice("B", 1, "2"), shipped={("BC100", 2): 1})
    assert (placement.confirmations, placement.advised, types(placement.findings)) == ([], [], ["over_shipped"])
    assert placement.incomplete == [("BC100", "SHP-1", "P1")]


def test_a_count_that_is_already_beyond_the_order_does_no_harm():
    """The order was cut after the warehouse had shipped."""
    placement = _place(advice("A", 1), shipped={("BC100", 1): 9, ("BC100", 3): 2})
    assert _confirmed(placement) == [("P1", [("L3", 1)])]
    assert (placement.advised, placement.findings) == ([("BC100", 3, 1)], [])


def test_each_package_of_an_advice_is_a_confirmation_of_its_own_and_may_have_no_tracking():
    second = {"package_id": "P2", "tracking_number": ""}
    placement = _place(advice("A", 1, "1", **second), advice("A", 1, "1"), advice("B", 1, "2", **second))
    assert _confirmed(placement) == [("P1", [("L1", 1)]), ("P2", [("L1", 1), ("L2", 1)])]
    assert [(one.tracking_number, one.tracking_link) for one in placement.confirmations][1] == ("", "")


def test_the_first_package_of_two_advices_is_two_packages():
    """Where the warehouse gives no SSCC and no tracking number, a package is known only by its place in the advice."""
    placement = _place(advice("A", 1, "1", package_id="1"), advice("A", 1, "1", package_id="1", advice_id="SHP-2"))
    assert [(one.advice_id, one.lines[0].quantity) for one in placement.confirmations] == [("SHP-1", 1), ("SHP-2", 1)]


def test_a_case_is_confirmed_by_the_package_that_completes_it():
    rows = [advice("A", 7, package_id="P1"), advice("A", 6, package_id="P2"), advice("A", 11, package_id="P3")]
    placement = _place(*rows, ask=CASES)
    assert _confirmed(placement) == [("P2", [("L1", 1)]), ("P3", [("L1", 1)])]
    assert (placement.incomplete, placement.advised, placement.findings) == ([("BC100", "SHP-1", "P1")], [("BC100", 1, 24)], [])


def test_what_is_left_of_a_case_waits_for_the_next_advice():
    first = _place(advice("A", 13), ask=CASES)
    assert (_confirmed(first), first.advised) == ([("P1", [("L1", 1)])], [("BC100", 1, 13)])
    second = _place(advice("A", 11, advice_id="SHP-2"), ask=CASES, shipped={("BC100", 1): 13})
    assert (_confirmed(second), second.advised) == ([("P1", [("L1", 1)])], [("BC100", 1, 11)])


def test_a_kit_is_confirmed_when_its_last_component_is_shipped():
    rows = [advice("A", 2, package_id="P1"), advice("A", 2, package_id="P2"), advice("B", 2, package_id="P3")]
    assert _confirmed(_place(*rows, ask=KIT)) == [("P3", [("K", 2)])]
    assert _confirmed(_place(advice("A", 3), advice("B", 2), ask=KIT)) == [("P1", [("K", 1)])]
    assert _confirmed(_place(advice("A", 1), ask=KIT, shipped={("BC100", 1): 3, ("BC100", 2): 2})) == [("P1", [("K", 1)])]


@pytest.mark.parametrize("row", [advice(reference="BC999"), advice(reference="BC100", warehouse="gxo-us")])
def test_advice_for_what_we_did_not_send_there_is_kept_whole_and_the_rest_goes_on(row):
    placement = _place(row, row | {"sku": "Z"}, advice("B", 1))
    finding, = placement.findings
    assert (finding.type, finding.connection, finding.record) == ("advice_before_export", row["warehouse"], row["reference"])
    assert _confirmed(placement) == [("P1", [("L2", 1)])]
    again = Dispatches.sound(rows_again(finding.evidence))
    assert sorted(again.to_dict("records"), key=lambda r: r["sku"]) == advices(row, row | {"sku": "Z"}).to_dict("records")


def test_advice_without_any_reference_is_known_by_its_own_number():
    assert [finding.record for finding in _place(advice(reference=" ")).findings] == ["SHP-1"]


def test_two_advices_for_one_unknown_order_are_two_findings():
    placement = _place(advice(reference="BC9"), advice(reference="BC9", advice_id="SHP-2"))
    causes = [finding.cause for finding in placement.findings]
    assert causes == [f"advice_before_export:{WAREHOUSE}:BC9:{advice_id}" for advice_id in ("SHP-1", "SHP-2")]


def test_an_unknown_carrier_holds_its_package_counts_its_units_and_lets_the_others_go():
    placement = _place(advice("A", 2, "1", carrier="ZZZZ"), advice("B", 1, "2", package_id="P2"))
    assert _confirmed(placement) == [("P2", [("L2", 1)])]
    assert placement.advised == [("BC100", 1, 2), ("BC100", 2, 1)]
    finding, = placement.findings
    assert (finding.type, finding.record) == ("carrier_unmapped", "100")
    assert [one.package_id for one in placement.held] == ["P1"]


def test_the_carrier_mapping_that_was_missing_frees_the_package_as_it_was_kept():
    finding, = _place(advice("A", 2, "1", carrier="ZZZZ", service="")).findings
    row = TYPICAL["carriers"][0] | {"carrier": "ZZZZ", "provider": "custom", "tracking_link": ""}
    assert frees("carriers", {"added": [row], "removed": [], "altered": []}, [("e", finding.waits_on)]) == ["e"]
    assert frees("carriers", {"added": [row | {"carrier": "YYYY"}], "removed": [], "altered": []}, [("e", finding.waits_on)]) == []
    kept = finding.evidence["confirmation"]
    assert with_carrier(kept, mappings()) is None
    freed = with_carrier(kept, mappings(carriers=[row]))
    assert freed.model_dump() == kept | {"provider": "custom", "tracking_carrier": "ups"}
    assert (freed.tracking_number, freed.lines[0].line_id, freed.lines[0].quantity) == ("1Z1", "L1", 2)


def test_a_carrier_without_a_name_at_the_storefront_is_still_mapped():
    row = TYPICAL["carriers"][0] | {"provider": "", "tracking_carrier": "", "tracking_link": ""}
    assert _place(advice("B", 1), carriers=[row]).confirmations[0].provider == ""


def test_every_held_package_is_a_cause_of_its_own_so_that_none_is_forgotten():
    """The ledger counts an open cause up and keeps its latest evidence: two packages under one cause would be one package."""
    placement = _place(advice("A", 1, carrier="ZZZZ"), advice("A", 1, carrier="ZZZZ", package_id="P2"))
    assert len({finding.cause for finding in placement.findings}) == len(placement.held) == 2


@pytest.mark.parametrize(("rows", "shipped", "is_cancelled"), [
    ([advice("A", 0, "1"), advice("B", 0, "2"), advice("A", 0, "3")], {}, True),
    ([advice("A", 0), advice("B", 0)], {}, True),
    ([advice("", 0)], {}, True),
    ([advice("A", 0, "1"), advice("B", 1, "2"), advice("A", 0, "3")], {}, False),
    ([advice("A", 0), advice("B", 0)], {("BC100", 1): 1}, False),
    ([advice("A", 0, "1")], {}, False),
    ([advice("A", 0), advice("B", 0, line_status="BK")], {}, False),
    ([advice("X", 0)], {}, False),
])
def test_zero_on_every_line_and_nothing_shipped_before_is_a_request_that_the_warehouse_closed(rows, shipped, is_cancelled):
    placement = _place(*rows, shipped=shipped)
    assert placement.cancelled == (["BC100"] if is_cancelled else [])
    assert placement.findings == []


def test_nothing_shipped_is_nothing_confirmed():
    placement = _place(advice("A", 0, "1"))
    assert (placement.confirmations, placement.advised, placement.incomplete) == ([], [], [])


def test_no_advice_is_no_work():
    placement = place(Dispatches.frame(), {}, {}, mappings())
    assert (placement.confirmations, placement.findings, placement.advised, placement.cancelled) == ([], [], [], [])


def test_several_orders_in_one_frame_do_not_touch_each_other():
    other = request(request_line(1, "A", 1), reference="BC200")
    rows = advices(advice("A", 1, reference="BC200"), advice("A", 1, shipped_at=AT + timedelta(hours=1)))
    placement = place(rows, {"BC100": TWO_OF_ONE_SKU, "BC200": other}, {("BC200", 1): 0}, mappings())
    assert [(one.order_id, one.lines[0].quantity) for one in placement.confirmations] == [("100", 1), ("200", 1)]
    assert placement.advised == [("BC100", 1, 1), ("BC200", 1, 1)]


def test_no_tracking_number_alters_the_link_around_it():
    link = _place(advice("A", 2, "1", tracking_number="1&a=b#é{x}")).confirmations[0].tracking_link
    assert link == "https://ups.example/track?n=1%26a%3Db%23%C3%A9%7Bx%7D"
