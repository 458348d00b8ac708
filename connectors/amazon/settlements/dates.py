"""Moments as settlement files write them: ISO, '05.01.2024 10:00:00 UTC', '01/05/2024 10:00:00 PST', a day alone. UTC inside.

'05/01/2024' is the fifth of January or the first of May. What decides is the file's other dates (one that has a 25 in it says where the days are), then which
reading puts the settlement's dates in order and its rows within its period; where neither does, the date is left out and said.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.compute as pc

DAY_FIRST, MONTH_FIRST = "day first", "month first"
_ZONES = {"": 0, "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "BST": 60, "WEST": 60, "IST": 330, "CET": 60, "MET": 60, "MEZ": 60, "CEST": 120, "MEST": 120, "MESZ": 120, "EET": 120,
          "EEST": 180, "TRT": 180, "PST": -480, "PDT": -420, "MST": -420, "MDT": -360, "CST": -360, "CDT": -300, "EST": -300, "EDT": -240, "BRT": -180, "JST": 540,
          "AEST": 600, "AEDT": 660, "SGT": 480, "GST": 240}
_MONTHS = {name: number for number, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}
_TIME = r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?\s*(?P<zone>[A-Za-z]{1,4}|)(?P<offset>[+-]\d{2}:?\d{2})?$"
_ISO = re.compile(r"^(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _TIME)
_GERMAN = re.compile(r"^(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})" + _TIME)
_EITHER = re.compile(r"^(?P<first>\d{1,2})[/-](?P<second_>\d{1,2})[/-](?P<year>\d{4})" + _TIME)
_NAMED = re.compile(r"^(?:(?P<day>\d{1,2})[ -](?P<name>[A-Za-z]{3})[a-z]*\.?|(?P<name2>[A-Za-z]{3})[a-z]*\.? (?P<day2>\d{1,2}),?)[ -](?P<year>\d{4})" + _TIME)
# (what Arrow takes at once, how): all distinct texts of these forms, without a look at each
_ISO_UTC = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:Z| UTC|\+00:00)$"
_GERMAN_UTC = r"^\d{2}\.\d{2}\.\d{4} \d{2}:\d{2}:\d{2}(?: UTC)?$"
_MOMENT = pa.timestamp("us", "UTC")


@dataclass
class Dates:
    """Date texts of a file, read. order: where the day stands in '05/01/2024'; '' when nothing says."""

    order: str = ""
    assumed: str = ""
    unreadable: set[str] = field(default_factory=set)

    def moment(self, text: str) -> datetime | None:
        """One text; None for '' and for what cannot be read, which is noted."""
        text = text.strip().strip('"')
        found = read_moment(text, self.order) if text else None
        if text and found is None:
            self.unreadable.add(text)
        return found

    def moments(self, texts: pa.Array) -> pa.Array:
        """Distinct texts -> timestamps."""
        texts = pc.utf8_trim_whitespace(texts)
        is_iso, is_german = (pc.match_substring_regex(texts, pattern) for pattern in (_ISO_UTC, _GERMAN_UTC))
        fast = pc.coalesce(_cast(pc.if_else(is_iso, pc.utf8_slice_codeunits(texts, 0, 19), None), "%Y-%m-%d %H:%M:%S"),
                           _cast(pc.if_else(is_german, pc.utf8_slice_codeunits(texts, 0, 19), None), "%d.%m.%Y %H:%M:%S"))
        rest = pc.indices_nonzero(pc.is_null(fast)).to_pylist()
        if not rest:
            return fast
        slow: list[datetime | None] = [None] * len(texts)
        for position in rest:
            slow[position] = self.moment(texts[position].as_py())
        return pc.coalesce(fast, pa.array(slow, _MOMENT))


def read_moment(text: str, order: str = "") -> datetime | None:
    """The moment in UTC; a day alone is its midnight. None for what is no date, or could be two."""
    for pattern in (_ISO, _GERMAN, _EITHER, _NAMED):
        found = pattern.match(text)
        if found:
            parts = found.groupdict()
            day, month = _day_and_month(parts, order)
            return _moment(parts, day, month) if day else None
    return None


def _day_and_month(parts: dict[str, str | None], order: str) -> tuple[int, int]:
    if "month" in parts:
        return int(parts["day"]), int(parts["month"])
    if "name" in parts:
        return int(parts["day"] or parts["day2"]), _MONTHS.get((parts["name"] or parts["name2"]).lower(), 0)
    first, second = int(parts["first"]), int(parts["second_"])
    if first == second or (not order and first > 12):
        return first, second
    if not order and second > 12:
        return second, first
    return {DAY_FIRST: (first, second), MONTH_FIRST: (second, first)}.get(order, (0, 0))


def _moment(parts: dict[str, str | None], day: int, month: int) -> datetime | None:
    zone, offset = (parts["zone"] or "").upper(), parts["offset"]
    if zone not in _ZONES:
        return None
    minutes = _ZONES[zone] + (int(offset[0] + offset[1:3]) * 60 + int(offset[0] + offset[-2:]) if offset else 0)
    hour = int(parts["hour"] or 0)
    if parts["half"]:
        hour = hour % 12 + (12 if parts["half"][:1] in "pP" else 0)
    try:
        return datetime(int(parts["year"]), month, day, hour, int(parts["minute"] or 0), int(parts["second"] or 0),
                        tzinfo=timezone(timedelta(minutes=minutes))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def either_way(texts: pa.Array) -> list[str]:
    """Those of the texts in which day and month cannot be told apart by their form."""
    return texts.filter(pc.match_substring_regex(texts, r"^\s*\d{1,2}[/-]\d{1,2}[/-]\d{4}")).to_pylist()


def day_order(heads: Iterable[tuple[str, str, str]], texts: Iterable[str]) -> tuple[str, str]:
    """Where the day stands, and what was assumed to say so ('' when the dates themselves say it). heads: start, end and deposit of each settlement."""
    heads, texts = list(heads), list(texts)
    either = [found for text in (*texts, *(text for head in heads for text in head)) if (found := _EITHER.match(text.strip()))]
    if not either:
        return "", ""
    says_day = any(int(found["first"]) > 12 for found in either)
    says_month = any(int(found["second_"]) > 12 for found in either)
    if says_day != says_month:
        return (DAY_FIRST if says_day else MONTH_FIRST), ""
    if says_day:
        return "", ""  # both in one file: each text must say it itself
    fitting = [order for order in (DAY_FIRST, MONTH_FIRST) if all(_in_order(head, order) for head in heads) and _within(heads, texts, order)]
    return (fitting[0], f"dates like {either[0].group()[:10]!r} were read {fitting[0]}: only so are the settlement's dates in order") if len(fitting) == 1 else ("", "")


def _in_order(head: tuple[str, str, str], order: str) -> bool:
    start, end, deposit = (read_moment(text.strip(), order) for text in head)
    if not start or not end:
        return True
    return timedelta(0) <= end - start <= timedelta(days=92) and (deposit is None or timedelta(days=-1) <= deposit - end <= timedelta(days=31))


def _within(heads: list[tuple[str, str, str]], texts: list[str], order: str) -> bool:
    """Nearly all rows are posted within the settlements' periods; some are posted before."""
    periods = [(start, end) for head in heads if (start := read_moment(head[0].strip(), order)) and (end := read_moment(head[1].strip(), order))]
    moments = [found for text in texts[:5000] if (found := read_moment(text.strip(), order))]
    if not periods or not moments:
        return True
    day = timedelta(days=1)
    inside = sum(any(start - day <= moment <= end + day for start, end in periods) for moment in moments)
    return 2 * inside >= len(moments)


def _cast(texts: pa.Array, form: str) -> pa.Array:
    """Null where the day does not exist."""
    if form.startswith("%Y"):
        texts = pc.replace_substring(texts, "T", " ")
    found = pc.strptime(texts, format=form, unit="us", error_is_null=True)
    back = pc.strftime(found, format=form)  # 31 February: strptime rolls it over
    wrong = pc.not_equal(pc.utf8_slice_codeunits(back, 0, 10), pc.utf8_slice_codeunits(texts, 0, 10))
    return pc.cast(pc.if_else(pc.fill_null(wrong, True), None, found), pa.timestamp("us")).cast(pa.timestamp("us")).cast(_MOMENT)
