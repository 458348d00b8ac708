"""The closed list of exception types, and when each is due."""

from datetime import UTC, datetime, time

import pytest

from contracts.exceptions import DUE, ROLES, TYPES, due_at
from contracts.mappings import TABLES


@pytest.mark.parametrize("kind", TYPES.values(), ids=list(TYPES))
def test_every_type_has_an_owner_a_due_time_a_meaning_a_remedy_and_an_end(kind):
    assert kind.owner in ROLES and kind.due in DUE and kind.severity in ("low", "medium", "high")
    assert all(text.endswith(".") for text in (kind.means, kind.remedy, kind.clears))
    assert kind.mapping in ("", *TABLES)


@pytest.mark.parametrize(("name", "opened", "due"), [
    ("sku_unknown", datetime(2026, 1, 15, 9, tzinfo=UTC), datetime(2026, 1, 15, 15, tzinfo=UTC)),
    ("sku_unknown", datetime(2026, 1, 15, 14, 59, 59, 999999, tzinfo=UTC), datetime(2026, 1, 15, 15, tzinfo=UTC)),
    ("sku_unknown", datetime(2026, 1, 15, 15, tzinfo=UTC), datetime(2026, 1, 16, 15, tzinfo=UTC)),
    ("sku_unknown", datetime(2026, 1, 31, 23, tzinfo=UTC), datetime(2026, 2, 1, 15, tzinfo=UTC)),
    ("carrier_unmapped", datetime(2026, 1, 15, 9, tzinfo=UTC), datetime(2026, 1, 16, 9, tzinfo=UTC)),
    ("paid_not_shipped", datetime(2026, 1, 31, 9, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    ("paid_not_shipped", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
])
def test_the_due_time_is_the_next_cut_off_or_a_day_or_the_end_of_the_month(name, opened, due):
    assert due_at(name, opened) == due


def test_the_cut_off_is_the_merchants():
    assert due_at("sku_unknown", datetime(2026, 1, 15, 9, tzinfo=UTC), time(17, 30)) == datetime(2026, 1, 15, 17, 30, tzinfo=UTC)
