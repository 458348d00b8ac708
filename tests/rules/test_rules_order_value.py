"""Every amount of an order goes to exactly one place, and parts sum to their whole to the cent."""

from hypothesis import given
from hypothesis import strategies as st
from tests.rules.books_cases import Case, line

from tasks.rules.order_value import OrderValue, first_units, order_value, split


def _value(*lines: dict, **order: object) -> OrderValue:
    rows = Case().order("1", *lines, **order).rows
    return order_value(rows["orders"][0], rows["lines"])


def test_a_line_goes_to_itself_and_postage_to_the_rest() -> None:
    found = _value(line(total=900), shipping=100)
    assert (found.total, found.goods["1"].value, found.rest, found.missing) == (1000, 900, 100, 0)


def test_a_discount_comes_off_the_lines_in_proportion_and_the_odd_penny_by_largest_remainder() -> None:
    """10.00 off 30.00 and 60.00 and 10.00: 3.00, 6.00, 1.00. Of 1.00 the thirds are 33.3: the first of equals gets the odd penny."""
    found = _value(line("1", 1, 3000), line("2", 1, 6000), line("3", 1, 1000), discount=1000)
    assert [found.goods[n].value for n in "123"] == [2700, 5400, 900]
    thirds = _value(line("1", 1, 1000), line("2", 1, 1000), line("3", 1, 1000), discount=100)
    assert [thirds.goods[n].value for n in "123"] == [966, 967, 967]


def test_a_line_with_a_negative_total_is_a_discount() -> None:
    found = _value(line("1", 1, 1000), line("2", 1, -100, sku="D", is_shippable=False))
    assert (found.goods["1"].value, found.rest, found.missing) == (900, 100, 0)


def test_tax_on_top_goes_to_the_lines_and_to_postage() -> None:
    """20.00 and 5.00 of postage, 5.00 of tax: 4.00 and 1.00."""
    found = _value(line(quantity=1, total=2000), shipping=500, tax=500, total=3000)
    assert (found.goods["1"].value, found.goods["1"].tax, found.rest, found.missing, found.tax) == (2400, 400, 600, 0, 500)


def test_tax_on_top_of_lines_only_goes_to_the_lines_when_shipping_holds_its_own() -> None:
    """20.00 and 4.00 of tax, 6.00 of postage that holds 1.00 of tax: 30.00, of which 5.00 is tax."""
    found = _value(line(quantity=1, total=2000), shipping=600, tax=500, total=3000)
    assert (found.goods["1"].value, found.rest, found.missing) == (2400, 600, 0)
    assert _value(line(quantity=1, total=2000), shipping=600, tax=500, total=2949).missing == 2949 - 3100


def test_tax_in_the_prices_stays_where_it_is() -> None:
    found = _value(line(quantity=1, total=2400), shipping=600, tax=500, total=3000)
    assert (found.goods["1"].value, found.rest, found.missing, found.tax) == (2400, 600, 0, 0)


def test_what_is_no_goods_is_in_the_rest() -> None:
    found = _value(line("1", 1, 1000), line("2", 1, 500, is_shippable=False), line("3", 0, 70), shipping=0)
    assert list(found.goods) == ["1"] and found.rest == 570


def test_what_the_parts_lack_is_named_and_still_in_the_total() -> None:
    found = _value(line(total=900), shipping=100, total=1234)
    assert (found.missing, found.goods["1"].value + found.rest) == (234, 1234)


def test_a_line_in_another_currency_is_not_added() -> None:
    found = _value(line("1", 1, 1000), line("2", 1, 500, currency="EUR"), shipping=0, total=1500)
    assert (found.is_mixed, found.goods["2"].value, found.missing) == (True, 0, 500)


def test_units_of_a_line_share_it_and_the_first_get_the_odd_pennies() -> None:
    assert [first_units(1000, n, 3) for n in range(4)] == [0, 334, 667, 1000]
    assert [first_units(2, n, 4) for n in range(5)] == [0, 1, 2, 2, 2]


@given(st.integers(-10**9, 10**9), st.lists(st.integers(0, 10**7), min_size=1, max_size=12))
def test_parts_by_weight_sum_to_the_whole_and_none_is_a_unit_off(amount: int, weights: list[int]) -> None:
    parts = split(amount, weights)
    if not any(weights):
        assert parts == [0] * len(weights)
        return
    assert sum(parts) == amount
    assert all(abs(part * sum(weights) - amount * weight) < sum(weights) for part, weight in zip(parts, weights, strict=True))


@given(st.integers(0, 10**9), st.integers(1, 500))
def test_units_sum_to_their_line_and_differ_by_a_penny_at_most(value: int, quantity: int) -> None:
    units = [first_units(value, n + 1, quantity) - first_units(value, n, quantity) for n in range(quantity)]
    assert sum(units) == value and max(units) - min(units) <= 1 and all(type(unit) is int for unit in units)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-5000, 50_000), st.booleans()), min_size=1, max_size=6), st.integers(0, 3000), st.integers(0, 3000),
       st.integers(0, 60_000), st.integers(-2, 2))
def test_goods_and_rest_are_always_the_total(lines: list[tuple[int, int, bool]], shipping: int, tax: int, discount: int, off: int) -> None:
    given_lines = [line(str(n), quantity, total, is_shippable=is_goods) for n, (quantity, total, is_goods) in enumerate(lines)]
    found = _value(*given_lines, shipping=shipping, tax=tax, discount=discount, total=sum(one["total_minor"] for one in given_lines) + shipping - discount + off)
    assert sum(one.value for one in found.goods.values()) + found.rest == found.total
    assert all(one.value >= 0 for one in found.goods.values())
    if not tax:
        assert found.missing == off
