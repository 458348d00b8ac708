"""Money: integer minor units, and no amount that needs rounding gets in."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.money import MINOR_DIGITS, NotMoney, to_major, to_minor

CURRENCIES = ["GBP", "EUR", "USD", "JPY", "KRW", "BHD", "KWD"]


@pytest.mark.parametrize(("amount", "currency", "minor"), [
    ("19.9900", "GBP", 1999), ("19.99", "GBP", 1999), (" 5 ", "EUR", 500), ("0", "GBP", 0), ("-0.01", "GBP", -1), ("-0.00", "GBP", 0),
    ("+1.5", "GBP", 150),
    (7, "GBP", 700), (Decimal("1.10"), "GBP", 110), ("1e2", "GBP", 10000), ("500", "JPY", 500), ("500.000", "JPY", 500), ("1.234", "KWD", 1234),
    ("0.1", "BHD", 100), ("999999999999999", "GBP", 99999999999999900), ("0.29", "GBP", 29), ("1.15", "USD", 115),
])
def test_an_amount_becomes_whole_minor_units_of_its_currency(amount, currency, minor):
    assert to_minor(amount, currency) == minor


@pytest.mark.parametrize(("amount", "currency"), [
    ("19.999", "GBP"), ("0.001", "EUR"), ("500.5", "JPY"), ("1.2345", "KWD"), ("", "GBP"), ("free", "GBP"), ("1,99", "EUR"), ("1.234,56", "EUR"),
    ("NaN", "GBP"), ("Infinity", "GBP"), ("-inf", "GBP"), ("sNaN", "GBP"), ("1e15", "GBP"), ("-1e30", "GBP"), ("£5", "GBP"), ("0x10", "GBP"),
    ("1.5.2", "GBP"),
    (1.5, "GBP"), (0.0, "GBP"), (float("nan"), "GBP"),
])
def test_what_is_no_exact_amount_is_refused_not_rounded(amount, currency):
    with pytest.raises(NotMoney):
        to_minor(amount, currency)


@pytest.mark.parametrize(("minor", "currency", "text"), [
    (1999, "GBP", "19.99"), (0, "GBP", "0.00"), (-1, "GBP", "-0.01"), (5, "GBP", "0.05"), (500, "JPY", "500"), (1234, "KWD", "1.234"),
    (-100, "BHD", "-0.100"),
    (10**17, "GBP", "1000000000000000.00"),
])
def test_minor_units_are_written_with_the_digits_of_their_currency(minor, currency, text):
    assert to_major(minor, currency) == text


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.sampled_from(CURRENCIES))
def test_there_and_back_is_the_same_to_the_last_unit(minor, currency):
    assert to_minor(to_major(minor, currency), currency) == minor


def test_a_currency_nobody_listed_has_two_digits():
    assert to_minor("1.23", "ZZZ") == 123
    assert set(MINOR_DIGITS.values()) == {0, 3}
