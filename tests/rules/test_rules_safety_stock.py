"""How many units are kept back: the table of RELIABILITY.md §4, its definition, and a back-test on generated demand."""

import math
import random
from datetime import timedelta
from types import SimpleNamespace

import pytest

from tasks.rules.safety_stock import DISPERSED, PEAK, Safety, Sales, count_sales, safety_units, total_sales, window_seconds
from tests.rules.rule_cases import AT, SHOP

MINUTES = (2, 7, 20, 65)
# units a day -> for each window: Poisson at 1 %, Poisson at 0.1 %, negative binomial (variance twice the mean) at 0.1 %
TABLE = {5: ("1/1/3", "1/2/5", "2/3/6", "4/5/9"), 50: ("2/3/6", "4/5/9", "7/9/14", "17/20/26"), 500: ("7/9/14", "18/21/28", "41/45/55", "113/121/136"),
         5000: ("41/45/55", "121/129/145", "317/331/355", "973/997/1038")}


@pytest.mark.parametrize("per_day", TABLE)
def test_the_table_of_the_design_is_reproduced(per_day):
    made = tuple("/".join(str(safety_units(per_day, minutes * 60, risk, dispersion)) for risk, dispersion in ((0.01, 1), (0.001, 1), (0.001, 2)))
                 for minutes in MINUTES)
    assert made == TABLE[per_day]


@pytest.mark.parametrize("mean", [0.01, 0.3, 2.5, 40, 1200])
def test_it_is_the_smallest_stock_that_is_safe_enough(mean):
    """Against a sum made another way: term by term from nothing, in logarithms."""
    def below(s):
        return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(s + 1))

    kept = safety_units(mean / PEAK, 86_400, 0.001)
    assert below(kept) >= 0.999 > (below(kept - 1) if kept else 0)


def test_what_does_not_sell_needs_nothing_and_more_risk_window_or_sales_never_need_less_stock():
    assert safety_units(0, 3600, 0.001) == 0 and safety_units(5, 0, 0.001) == 0 and safety_units(5, 3600, 1) == 0
    for more in (lambda x: safety_units(x, 1200, 0.01), lambda x: safety_units(50, x * 60, 0.01), lambda x: safety_units(50, 1200, 1 / (10 + x))):
        kept = [more(x) for x in range(1, 200, 7)]
        assert kept == sorted(kept)


@pytest.mark.parametrize(("per_day", "minutes", "dispersion"), [(50, 7, 1.0), (500, 20, 1.0), (50, 65, 2.0)])
def test_generated_demand_oversells_no_more_often_than_allowed(per_day, minutes, dispersion):
    """A short back-test: the rate of oversold windows stays within the risk, three standard deviations aside."""
    dice, windows, risk = random.Random(20260115), 20_000, 0.01
    mean = per_day * PEAK * minutes / 1440
    kept = safety_units(per_day, minutes * 60, risk, dispersion)

    def demand():
        rate = mean if dispersion == 1 else dice.gammavariate(mean / (dispersion - 1), dispersion - 1)
        until, sold = dice.expovariate(1), 0
        while until < rate:
            until, sold = until + dice.expovariate(1), sold + 1
        return sold

    oversold = sum(demand() > kept for _ in range(windows)) / windows
    allowed = 3 * math.sqrt(risk * (1 - risk) / windows)
    assert oversold <= risk + allowed
    tight = sum(demand() > kept - 2 for _ in range(windows)) / windows
    assert tight > oversold, "the back-test would not notice a buffer that is two units too small"


def test_sales_are_counted_over_whole_days_and_days_without_a_sale_count():
    sold = [(AT - timedelta(days=ago, hours=1), "A", units) for ago, units in ((0, 4), (1, 4), (9, 12), (40, 99))] + [(AT - timedelta(hours=2), "B", 10)]
    rows = {row["sku"]: row for row in count_sales(sold, AT)}
    assert rows["A"]["units"] == 20 and rows["A"]["days"] == 10, "what is older than four weeks is not counted"
    assert rows["A"]["dispersion_milli"] > 1000 * DISPERSED and rows["B"]["units"] == 10


def test_a_unit_sold_anywhere_is_gone_everywhere():
    rows = [SimpleNamespace(sku="A", units=28, days=28, dispersion_milli=900), SimpleNamespace(sku="A", units=14, days=7, dispersion_milli=2500)]
    assert total_sales(rows) == {"A": Sales(3.0, 2.5)}


def test_the_most_particular_rule_holds_and_no_rule_keeps_nothing_back():
    rows = [{"connection": "*", "sku": "*", "rule": "percent", "value": "10"}, {"connection": SHOP, "sku": "*", "rule": "fixed", "value": "2"},
            {"connection": SHOP, "sku": "A", "rule": "velocity", "value": "1"}, {"connection": "other", "sku": "A", "rule": "fixed", "value": "99"}]
    safety = Safety(SHOP, rows, {"A": Sales(500.0)}, 1200)
    assert safety("B", 100) == (2, "fixed") and safety("A", 100) == (45, "velocity") and Safety("third", rows, {}, 0)("A", 15) == (2, "percent")
    assert Safety(SHOP, [], {}, 0)("A", 5) == (0, "")


def test_the_window_is_every_delay_there_is():
    assert window_seconds(600, 300, 30, 60, 120, 0.01) == 991.2
