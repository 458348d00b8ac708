"""What `frame` and `split` promise of every contract: nothing is coerced, nothing is lost."""

from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.base import WHY, WrongType
from contracts.dispatches import Dispatches
from contracts.items import CatalogueItems, Channels, Items
from contracts.mappings import TABLES
from contracts.orders import OrderLines, Orders, Recipients, ShipGroups
from tests.rules.rule_cases import advice, item, line, order

ALL = [Orders, OrderLines, ShipGroups, Recipients, Items, CatalogueItems, Channels, Dispatches, *TABLES.values()]
ROWS = {Orders: order(), OrderLines: line(), Items: item(), Dispatches: advice()}


@pytest.mark.parametrize(("contract", "column", "value"), [
    (OrderLines, "quantity", 12.9), (OrderLines, "quantity", 12.0), (OrderLines, "quantity", "12"), (OrderLines, "quantity", True),
    (OrderLines, "quantity", None),
    (OrderLines, "is_shippable", "False"), (OrderLines, "is_shippable", 0), (OrderLines, "is_shippable", None), (Orders, "total_minor", 19.99),
    (Orders, "total_minor", float("nan")), (Orders, "order_id", 100), (Orders, "po_number", None), (Orders, "po_number", float("nan")),
    (Orders, "placed_at", datetime(2026, 1, 1)), (Orders, "placed_at", "2026-01-01"),
    (Orders, "placed_at", datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    (Items, "is_active", "yes"), (Dispatches, "shipped_at", 20260101),
])
def test_a_value_of_another_type_stops_the_run_instead_of_being_bent_to_fit(contract, column, value):
    """Coercion turns 12.9 into 12 and 'False' into True without a word."""
    with pytest.raises(WrongType, match=f"{contract.__name__}.{column}"):
        contract.frame([ROWS[contract] | {column: value}])


@pytest.mark.parametrize("contract", ROWS, ids=lambda contract: contract.__name__)
def test_a_row_that_lacks_a_field_stops_the_run_and_one_too_many_is_left_out(contract):
    row = dict(ROWS[contract])
    assert list(contract.frame([row | {"colour": "red"}]).columns) == contract.columns()
    first = row.popitem()[0]
    with pytest.raises(WrongType, match=first):
        contract.frame([row])


@pytest.mark.parametrize("contract", ALL, ids=lambda contract: contract.__name__)
def test_an_empty_frame_has_every_column_and_every_type_and_joins_a_full_one(contract):
    empty = contract.frame()
    sound, unsound = contract.split(empty)
    assert (len(sound), len(unsound), list(unsound.columns)) == (0, 0, [*contract.columns(), WHY])
    expected = {name: str(column.dtype).removesuffix("[pyarrow]") for name, column in contract.to_schema().columns.items()}
    assert {name: str(dtype) for name, dtype in empty.dtypes.items()} == expected
    if contract in ROWS:
        full = contract.frame([ROWS[contract]])
        assert pd.concat([empty, full]).dtypes.equals(full.dtypes)


@pytest.mark.parametrize("contract", TABLES.values(), ids=list(TABLES))
def test_every_key_of_a_mapping_table_names_columns_of_it(contract):
    """The keys were once plain attributes, which pandera takes for unfinished fields: no table of mappings could be built at all."""
    assert contract.KEY and set(contract.KEY) <= set(contract.columns())


UNSOUND = [
    (Orders, {"status": "shiped"}, "status"), (Orders, {"currency": "gbp"}, "currency"), (Orders, {"order_id": "a b"}, "order_id"),
    (Orders, {"order_id": "x" * 65}, "order_id"), (Orders, {"order_id": "1\n"}, "order_id"), (Orders, {"connection": ""}, "connection"),
    (OrderLines, {"quantity": -1}, "quantity"), (OrderLines, {"line_id": ""}, "line_id"), (Items, {"sku": "X", "unit": "EACH"}, "unit"),
    (Items, {"sku": " A"}, "sku"), (Items, {"sku": "X", "hs_code": "12.34"}, "hs_code"), (Dispatches, {"quantity": -3}, "quantity"),
    (Dispatches, {"advice_id": ""}, "advice_id"),
]


@pytest.mark.parametrize(("contract", "wrong", "column"), UNSOUND)
def test_a_wrong_value_sets_its_row_aside_with_the_column_named(contract, wrong, column):
    good = ROWS[contract]
    sound, unsound = contract.split(contract.frame([good, good | wrong, good | ({"sku": "OTHER"} if contract is Items else {})]))
    assert (len(sound), len(unsound)) == (2, 1)
    assert unsound[WHY][0].startswith(f"{column}: ")
    assert list(sound.columns) == contract.columns()


def test_every_reason_of_a_row_is_said():
    why = OrderLines.split(OrderLines.frame([line() | {"quantity": -1, "currency": "x"}]))[1][WHY][0]
    assert {part.partition(":")[0] for part in why.split("; ")} == {"quantity", "currency"}


def test_all_rows_of_a_duplicate_key_are_set_aside():
    sound, unsound = Items.split(Items.frame([item("A"), item("B"), item("A")]))
    assert (sound["sku"].tolist(), unsound["sku"].tolist()) == (["B"], ["A", "A"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-2, 2), st.sampled_from(["GBP", "gbp", ""]), st.sampled_from(["1", ""])), max_size=12))
def test_every_row_is_in_exactly_one_part(cells):
    frame = OrderLines.frame(line(str(at)) | {"name": str(at), "quantity": q, "currency": c, "line_id": i} for at, (q, c, i) in enumerate(cells))
    sound, unsound = OrderLines.split(frame)
    assert sorted(sound["name"].tolist() + unsound["name"].tolist(), key=int) == [str(at) for at in range(len(cells))]
    assert sound["name"].tolist() == [str(at) for at, (q, c, i) in enumerate(cells) if q >= 0 and c == "GBP" and i]


@pytest.mark.parametrize("spoil", [
    lambda f: f.drop(columns="sku"), lambda f: f.assign(colour="red"), lambda f: f.assign(quantity=f["quantity"].astype("float64")),
    lambda f: f.assign(is_gift=f["is_gift"].astype("str")), lambda f: f[f.columns[::-1]],
], ids=["column missing", "column unknown", "numbers as floats", "truths as text", "columns in another order"])
def test_a_frame_of_another_shape_stops_the_run_for_no_row_of_it_can_be_trusted(spoil):
    with pytest.raises(WrongType):
        OrderLines.split(spoil(OrderLines.frame([line()])))


def test_what_leaves_must_be_sound_and_the_refusal_says_how_many_are_not():
    assert len(OrderLines.sound(OrderLines.frame([line()]))) == 1
    with pytest.raises(ValueError, match="OrderLines: 1 of 2 rows break the contract: quantity: "):
        OrderLines.sound(OrderLines.frame([line("1"), line("2", quantity=-1)]))


def test_the_index_that_a_frame_was_given_does_not_matter():
    frame = OrderLines.frame([line("1"), line("2", quantity=-1), line("3")])
    sound, unsound = OrderLines.split(frame.set_axis([7, 7, 7]))
    assert (sound["line_id"].tolist(), unsound["line_id"].tolist()) == (["1", "3"], ["2"])


def test_times_keep_their_moment_to_the_microsecond():
    at = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
    assert Orders.frame([order(placed_at=at)])["placed_at"][0].to_pydatetime() == at
