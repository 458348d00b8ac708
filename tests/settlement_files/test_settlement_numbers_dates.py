"""Numbers and dates in files, by rules that are told one by one, and by any value that hypothesis thinks of."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.amazon.settlements.dates import DAY_FIRST, MONTH_FIRST, Dates, day_order, read_moment
from connectors.amazon.settlements.numbers import Numbers, read_number
from tests.settlement_files.written import NUMBERS

SURE = {
    "1.234,56": "1234.56", "1,234.56": "1234.56", "-0.99": "-0.99", "12,5": "12.5", "1.234.567": "1234567", "1,234,567": "1234567", "12,34,567.89": "1234567.89",
    "1'234.50": "1234.50", "1 234,56": "1234.56", "1\u00a0234,56": "1234.56", "1\u202f234": "1234", "\u22123.20": "-3.20", "3.20-": "-3.20", "(3.00)": "-3.00", "+5": "5",
    "$4.00": "4.00", "-$4.00": "-4.00", "4,00 \u20ac": "4.00", "EUR 5,00": "5.00", '"7.10"': "7.10", "1234.567": "1234.567", "0.123": "0.123", ".5": "0.5", "5.": "5",
    "0": "0", "-0.00": "0", "1234567,89": "1234567.89",
}
NONE = ("1.2.3", "1,23,4", "1,234,56", "1.234.56", "abc", "--5", "-5-", "1e5", "NaN", "inf", "(-1.00)", "()", "-", ".", "1 23", "12 34.5", "0x10", "1/2", "5%", "\u0661\u0662")


@pytest.mark.parametrize(("text", "value"), SURE.items())
def test_a_number_that_can_be_read_one_way_is_read_so(text, value):
    number = read_number(text)
    assert number and not number.is_ambiguous and number.as_decimal == Decimal(value)


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_number_is_not_made_one(text):
    assert read_number(text) is None


@pytest.mark.parametrize(("text", "as_decimal", "as_thousands"), [("1.234", "1.234", "1234"), ("-12,500", "-12.5", "-12500"), ("999.000", "999", "999000")])
def test_one_mark_with_three_digits_behind_it_is_two_numbers(text, as_decimal, as_thousands):
    number = read_number(text)
    assert number.is_ambiguous and (number.as_decimal, number.as_thousands) == (Decimal(as_decimal), Decimal(as_thousands))


@pytest.mark.parametrize(("others", "digits", "text", "minor"), [
    (["5.10"], 2, "1,234", 123400),  # its decimals have a dot: a comma is for thousands
    (["5,10"], 2, "1.234", 123400),
    (["5.10"], 2, "1.234", 123),  # and a dot for decimals, finer than a cent (0.4 cents more, exactly)
    (["5.10", "5,10"], 2, "1.234", 123400),  # both: an amount of two decimals has two decimals
    ([], 2, "1.234", 123400),
    ([], 0, "1,234", 1234),
    ([], 3, "1.234", 1234),
    (["5,100.25"], 3, "1.234", 1234),
    (["5,1"], 3, "1.234", 1234000),
])
def test_what_an_ambiguous_number_is_follows_the_files_other_amounts(others, digits, text, minor):
    numbers = Numbers.read(pa.array([text, *others], pa.string()))
    assert numbers.minor(digits, numbers.usual(digits))[0][0].as_py() == minor


def test_what_is_finer_than_a_cent_is_kept_to_the_millionth_and_nothing_is_rounded():
    numbers = Numbers.read(pa.array(["-0.005", "1234.123456", "0.12345678", "0.123456789"]))
    minor, fine, too_fine = numbers.minor(2, frozenset())
    assert list(zip(minor.to_pylist(), fine.to_pylist(), strict=True))[:3] == [(0, -500_000), (123412, 345_600), (12, 345_678)] and too_fine == {3}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.decimals(-(10 ** 9), 10 ** 9, places=2, allow_nan=False), min_size=1, max_size=30), st.sampled_from(NUMBERS))
def test_any_amounts_in_any_hand_are_read_back_exactly(values, hand):
    numbers = Numbers.read(pa.array([hand(value) for value in values]))
    minor, fine, too_fine = numbers.minor(2, numbers.usual(2))
    assert minor.to_pylist() == [int(value * 100) for value in values] and not any(fine.to_pylist()) and not too_fine and not numbers.unreadable


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789.,-+()' \u00a0\u2212$EUReN\"", max_size=14))
def test_no_text_is_read_as_a_number_with_other_digits(text):
    number = read_number(text)
    if number is not None:
        digits = "".join(filter(str.isdigit, text)).strip("0")
        assert all("".join(filter(str.isdigit, f"{value:f}")).strip("0") == digits for value in (number.as_decimal, number.as_thousands))


FORMS = ("%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+00:00", "%d.%m.%Y %H:%M:%S UTC", "%Y/%m/%d %H:%M:%S GMT", "%d.%m.%Y %H:%M:%S",
         "%d-%b-%Y %H:%M:%S UTC", "%b %d, %Y %I:%M:%S %p UTC")


@settings(max_examples=150, deadline=None)
@given(st.datetimes(datetime(2005, 1, 1), datetime(2040, 1, 1)), st.sampled_from(FORMS))
def test_any_moment_in_any_form_is_read_back(moment, form):
    moment = moment.replace(microsecond=0)
    found = Dates().moments(pa.array([moment.strftime(form)]))
    assert found.to_pylist() == [moment.replace(tzinfo=UTC)]


@pytest.mark.parametrize(("text", "utc"), [
    ("2024-01-05 10:00:00 PST", "2024-01-05 18:00"), ("2024-07-05 10:00:00 PDT", "2024-07-05 17:00"), ("05.07.2024 10:00:00 CEST", "2024-07-05 08:00"),
    ("2024-07-05 10:00:00 BST", "2024-07-05 09:00"), ("2024/01/05 10:00:00 JST", "2024-01-05 01:00"), ("2024-01-05T10:00:00-08:00", "2024-01-05 18:00"),
    ("2024-01-05", "2024-01-05 00:00"), ("25/01/2024 10:00:00 GMT", "2024-01-25 10:00"), ("01/25/2024", "2024-01-25 00:00"), ("2024-01-05T10:00:00.250Z", "2024-01-05 10:00"),
])
def test_a_moment_is_read_in_its_own_zone(text, utc):
    assert read_moment(text).strftime("%Y-%m-%d %H:%M") == utc


@pytest.mark.parametrize("text", ["31.02.2024 10:00:00 UTC", "2024-02-31 10:00:00 UTC", "2024-13-01", "05/01/2024", "tomorrow", "2024-01-05 25:00:00 UTC", "2024-01-05 10:00:00 XYZ", "20240105"])
def test_what_is_no_date_or_two_is_none(text):
    dates = Dates()
    assert dates.moments(pa.array([text])).to_pylist() == [None] and dates.unreadable == {text}


def test_where_the_day_stands_is_said_by_the_dates_then_by_the_period():
    assert day_order([], ["05/01/2024", "25/01/2024"]) == (DAY_FIRST, "")
    assert day_order([], ["05/01/2024", "01/25/2024"]) == (MONTH_FIRST, "")
    assert day_order([], ["05/01/2024"]) == ("", "")
    assert day_order([], ["25/01/2024", "01/25/2024"]) == ("", "")
    assert day_order([("02/01/2024", "03/01/2024", "05/01/2024")], [])[0] == DAY_FIRST  # the second to the third of January, not a month to February
    order, why = day_order([("01/03/2024", "01/12/2024", "02/01/2024")], ["01/05/2024"])
    assert order == MONTH_FIRST and "in order" in why
