"""How many units are kept back, so that what sells elsewhere before everybody knows does not sell twice.

    fixed      so many units
    percent    of what may be sold, rounded up
    velocity   S = min{s : P(D_W <= s) >= 1 - alpha}: D_W is what sells in the sync window W at the day's peak. Poisson; negative binomial
               when the days of the past vary by more than 1.3 times their mean (RELIABILITY.md §4).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import fmean, pvariance
from typing import Any

from tasks.rules.waits import ANY

PEAK = 4.0  # the busiest hour against the day's mean
DISPERSED = 1.3  # variance by mean above which Poisson is too narrow
SALES_DAYS = 28
DAYS_MIN = 7  # fewer days say little: the rate is then taken over so many
DAY = timedelta(days=1)
FAR = 12  # standard deviations below the mean that carry no weight worth adding
RISK_MIN = 0.1  # in a thousand: zero risk would keep back everything


@dataclass(frozen=True)
class Sales:
    """What one SKU sells in a day on average, and how much the days vary (variance by mean)."""

    per_day: float
    dispersion: float = 1.0


def count_sales(sold: Iterable[tuple[datetime, str, int]], now: datetime, days: int = SALES_DAYS) -> list[dict[str, Any]]:
    """{sku, units, days, dispersion_milli} of each SKU over the last whole `days` days, or since the first sale of all when that is later."""
    by_sku: dict[str, dict[int, int]] = {}
    first = days - 1
    for placed_at, sku, units in sold:
        ago = (now - placed_at) // DAY
        if 0 <= ago < days:
            by_day = by_sku.setdefault(sku, {})
            by_day[ago] = by_day.get(ago, 0) + units
    known = max(DAYS_MIN, min(days, 1 + max((ago for by_day in by_sku.values() for ago in by_day), default=first)))
    return [{"sku": sku, "units": sum(by_day.values()), "days": known, "dispersion_milli": _dispersion([by_day.get(ago, 0) for ago in range(known)])}
            for sku, by_day in sorted(by_sku.items())]


def _dispersion(units: list[int]) -> int:
    mean = fmean(units)
    return round(1000 * pvariance(units, mean) / mean) if mean else 1000


def total_sales(rows: Iterable[Any]) -> dict[str, Sales]:
    """Of every storefront together, by SKU: a unit sold anywhere is gone everywhere. The most varied storefront counts for all."""
    found: dict[str, Sales] = {}
    for row in rows:
        before = found.get(row.sku, Sales(0.0))
        found[row.sku] = Sales(before.per_day + row.units / row.days, max(before.dispersion, row.dispersion_milli / 1000))
    return found


def window_seconds(batch_age: float, poll: float, processing: float, apply_lag: float, quiet: float, p_unknown: float = 0.01) -> float:
    """W: how long a sale may go unnoticed by the others."""
    return batch_age + poll + processing + apply_lag + quiet * p_unknown


def safety_units(per_day: float, window: float, risk: float, dispersion: float = 1.0, peak: float = PEAK) -> int:
    """The smallest stock whose chance of being oversold within the window (seconds) is at most `risk` (0..1)."""
    mean = per_day * peak * window / DAY.total_seconds()
    if mean <= 0 or risk >= 1:
        return 0
    return _quantile(round(mean, 6), round(dispersion, 2) if dispersion > DISPERSED else 1.0, 1 - risk)


@lru_cache(maxsize=65536)
def _quantile(mean: float, dispersion: float, wanted: float) -> int:
    """The smallest s with P(D <= s) >= wanted."""
    weight = _poisson(mean) if dispersion == 1.0 else _negative_binomial(mean, dispersion)
    s = max(0, math.floor(mean - FAR * math.sqrt(mean * dispersion)))
    reached = weight(s)
    while reached < wanted and s < 100 * (mean + 10 * dispersion):
        s += 1
        reached += weight(s)
    return s


def _poisson(mean: float) -> Callable[[int], float]:
    log_mean = math.log(mean)
    return lambda s: math.exp(s * log_mean - mean - math.lgamma(s + 1))


def _negative_binomial(mean: float, dispersion: float) -> Callable[[int], float]:
    size, log_p, log_q = mean / (dispersion - 1), -math.log(dispersion), math.log1p(-1 / dispersion)
    return lambda s: math.exp(math.lgamma(s + size) - math.lgamma(size) - math.lgamma(s + 1) + size * log_p + s * log_q)


class Safety:
    """The rule for each SKU of one storefront: called with the SKU and what may be sold, says how much is kept back and by which rule."""

    def __init__(self, connection: str, rows: Iterable[Mapping[str, str]], sales: Mapping[str, Sales], window: float) -> None:
        self._sales, self._window = sales, window
        of = {row["sku"]: row for row in sorted(rows, key=lambda row: row["connection"] != ANY) if row["connection"] in (connection, ANY)}
        self._rows, self._any = of, of.get(ANY)

    def __call__(self, sku: str, sellable: int) -> tuple[int, str]:
        row = self._rows.get(sku, self._any)
        if row is None:
            return 0, ""
        value = int(row["value"])
        if row["rule"] == "fixed":
            return value, "fixed"
        if row["rule"] == "percent":
            return -(-sellable * min(value, 100) // 100), "percent"
        sales = self._sales.get(sku)
        return (safety_units(sales.per_day, self._window, max(value, RISK_MIN) / 1000, sales.dispersion) if sales else 0), "velocity"
