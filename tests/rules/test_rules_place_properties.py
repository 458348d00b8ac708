"""However an order is split over packages and advices, what is confirmed adds up exactly, and never to more than was ordered."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.rules.dispatch import place
from tests.rules.rule_cases import advice, advices, mappings, request, request_line

MAPPINGS = mappings()


@st.composite
def requests(draw):
    """Up to four order lines: plain, in cases, the same SKU again, a kit of two components."""
    lines = []
    for at in range(draw(st.integers(1, 4))):
        units = draw(st.integers(1, 4))
        factors = draw(st.sampled_from([[1], [1], [3], [12], [2, 1], [1, 1]]))
        for factor in factors:
            sku = draw(st.sampled_from("ABC"))
            lines.append(request_line(len(lines) + 1, sku, units * factor, factor, f"L{at}", "KIT" if len(factors) > 1 else ""))
    return request(*lines)


@st.composite
def shipments(draw, ask, times=1):
    """Every unit of the request `times` times, in rows: with or without its line number, in any package of any advice, in any order."""
    rows = []
    for line in ask["lines"]:
        left = line["quantity"] * times
        while left:
            part = draw(st.integers(1, left))
            left -= part
            number = draw(st.sampled_from(["", str(line["number"])]))
            rows.append(advice(line["warehouse_sku"], part, number, package_id=draw(st.sampled_from(["P1", "P2"])),
                               advice_id=draw(st.sampled_from(["S1", "S2", "S3"])), carrier=draw(st.sampled_from(["UPSN", "UPSN", "ZZZZ"]))))
    return draw(st.permutations(rows))


def _played(ask, rows, batches):
    """The rows in that many calls, each told what the earlier ones advised; yields what is confirmed or held after each call."""
    shipped, confirmed, size = Counter(), Counter(), -(-len(rows) // batches)
    for start in range(0, len(rows), size):
        placement = place(advices(*rows[start:start + size]), {ask["reference"]: ask}, shipped, MAPPINGS)
        for reference, number, units in placement.advised:
            shipped[reference, number] += units
        for confirmation in placement.confirmations + placement.held:
            confirmed.update({line.line_id: line.quantity for line in confirmation.lines})
        yield dict(confirmed), dict(shipped), placement


def _ordered(ask):
    return {line["line_id"]: line["quantity"] // line["factor"] for line in ask["lines"]}


@settings(max_examples=150, deadline=None)
@given(st.data(), requests(), st.integers(1, 4))
def test_all_shipped_once_is_all_confirmed_once(data, ask, batches):
    rows = data.draw(shipments(ask))
    for confirmed, _, placement in _played(ask, rows, batches):
        assert all(units <= _ordered(ask)[line_id] for line_id, units in confirmed.items())
        assert {finding.type for finding in placement.findings} <= {"carrier_unmapped"}
    assert confirmed == _ordered(ask)


@settings(max_examples=100, deadline=None)
@given(st.data(), requests(), st.integers(1, 4))
def test_however_much_is_shipped_no_line_is_confirmed_beyond_its_order(data, ask, batches):
    rows = data.draw(shipments(ask, times=2))
    for confirmed, shipped, _ in _played(ask, rows, batches):
        assert all(units <= _ordered(ask)[line_id] for line_id, units in confirmed.items())
        assert all(units <= ask["lines"][number - 1]["quantity"] for (_, number), units in shipped.items())
    assert confirmed == _ordered(ask)


@settings(max_examples=100, deadline=None)
@given(st.data(), requests(), st.integers(1, 4))
def test_while_something_is_missing_only_what_is_whole_is_confirmed(data, ask, batches):
    rows = data.draw(shipments(ask))
    rows = rows[:data.draw(st.integers(0, len(rows)))]
    confirmed = {}
    for confirmed, shipped, _ in _played(ask, rows, batches) if rows else ():
        units = {line["number"]: shipped.get((ask["reference"], line["number"]), 0) for line in ask["lines"]}
        whole = {line_id: min(units[line["number"]] // line["factor"] for line in ask["lines"] if line["line_id"] == line_id)
                 for line_id in _ordered(ask)}
        assert confirmed == {line_id: count for line_id, count in whole.items() if count}
    assert sum(row["quantity"] for row in rows) == (sum(shipped.values()) if rows else 0)


@settings(max_examples=60, deadline=None)
@given(st.data(), requests())
def test_the_order_of_the_rows_decides_nothing(data, ask):
    rows = data.draw(shipments(ask))
    again = data.draw(st.permutations(rows))
    first, second = (place(advices(*given_rows), {ask["reference"]: ask}, {}, MAPPINGS) for given_rows in (rows, again))
    assert first == second
