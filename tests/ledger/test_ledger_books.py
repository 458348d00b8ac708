"""The smaller tables: orders, requests, dispatches, watermarks, mappings, items, inbox, timeline, runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from connectors.kit.errors import BadConfiguration
from connectors.ledger.books import OrderEntry
from connectors.ledger.records import Arrived, sha256
from contracts.items import Items
from contracts.mappings import TABLES
from tests.ledger.rigs import Rig

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
ENTRY = OrderEntry("bc-uk", "1001", {"order_id": "1001", "total_minor": 1999, "modified_at": NOON.isoformat()}, [{"sku": "A", "quantity": 2}],
                   [{"ship_group": "7"}], "f" * 64, ["7"], NOON)
ITEM = {"warehouse": "gxo-uk", "sku": "85123A", "description": "HEART", "is_active": True, "unit": "EA", "barcode": "", "hs_code": "", "origin": "",
        "customs_value_minor": 0, "customs_currency": ""}


@pytest.fixture
def rig(shared: Rig) -> Rig:
    """SQLite in a file, and PostgreSQL: these tables do not care whether SQLite is in memory."""
    return shared


def _later(minutes: int, **changes: Any) -> OrderEntry:
    at = NOON + timedelta(minutes=minutes)
    return replace(ENTRY, modified_at=at, order=ENTRY.order | {"modified_at": at.isoformat()} | changes.pop("order", {}), **changes)


def _take_in(rig: Rig, entry: OrderEntry) -> str:
    with rig.ledger.transaction() as tx:
        return rig.ledger.books.take_in(tx, entry)


def _order(rig: Rig) -> Any:
    with rig.ledger.transaction() as tx:
        return rig.ledger.books.order(tx, "bc-uk", "1001")


def _planned(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.books.planned(tx, "bc-uk", "1001", "asked", "h")


def test_an_older_word_about_an_order_never_wins(rig: Rig) -> None:
    assert _take_in(rig, _later(10, order={"total_minor": 5})) == "new"
    before = _order(rig)
    assert _take_in(rig, _later(9, order={"total_minor": 1})) == "older"
    assert _order(rig) == before
    assert _take_in(rig, _later(11, order={"total_minor": 6})) == "changed"
    assert _order(rig).order["total_minor"] == 6


def test_the_same_order_again_is_the_same_and_owes_no_new_plan(rig: Rig) -> None:
    _take_in(rig, ENTRY)
    assert _take_in(rig, ENTRY) == "same" and _order(rig).replan is True, "a plan that is still owed stays owed"
    _planned(rig)
    assert _take_in(rig, ENTRY) == "same" and _take_in(rig, _later(5)) == "same"
    row = _order(rig)
    assert (row.replan, row.state, row.asked_hash, row.modified_at) == (False, "asked", "h", NOON + timedelta(minutes=5))


@pytest.mark.parametrize("change", [{"order": {"total_minor": 1}}, {"lines": []}, {"ship_groups": []}, {"fingerprint": "0" * 64}, {"addressed": []}],
                         ids=lambda change: next(iter(change)))
def test_whatever_changes_in_an_order_owes_a_new_plan(rig: Rig, change: dict[str, Any]) -> None:
    _take_in(rig, ENTRY)
    _planned(rig)
    assert _take_in(rig, _later(0, **change)) == "changed" and _order(rig).replan is True


def test_owed_plans_come_oldest_first_and_only_until_they_are_made(rig: Rig) -> None:
    for minute, order_id in ((3, "c"), (1, "b"), (1, "a")):
        _take_in(rig, replace(_later(minute), order_id=order_id))
    with rig.ledger.transaction() as tx:
        books = rig.ledger.books
        assert [row.order_id for row in books.to_plan(tx, "bc-uk", 10)] == ["a", "b", "c"] and len(books.to_plan(tx, "bc-uk", 2)) == 2
        books.planned(tx, "bc-uk", "a", "held")
        assert [row.order_id for row in books.to_plan(tx, "bc-uk", 10)] == ["b", "c"] and books.to_plan(tx, "bc-us", 10) == []
        assert books.plan_again(tx, [("bc-uk", "a"), ("bc-uk", "nobody")]) == 1
        assert [row.order_id for row in books.to_plan(tx, "bc-uk", 10)] == ["a", "b", "c"]


def _payload(revision: int = 1, *quantities: int) -> dict[str, Any]:
    lines = [{"number": n, "line_id": str(n), "sku": "S", "warehouse_sku": "W", "quantity": q, "unit": "EA", "factor": 1} for n, q in enumerate(quantities, 1)]
    return {"warehouse": "gxo-uk", "reference": "UK1001", "connection": "bc-uk", "order_id": "1001", "ship_group": "7", "facility": "F1", "carrier": "UPSN",
            "service": "", "revision": revision, "lines": lines}


def test_asking_again_keeps_what_was_already_advised(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        books = rig.ledger.books
        books.ask(tx, _payload(1, 5, 3), "e1")
        books.advise(tx, "gxo-uk", "UK1001", 1, 2)
        books.advise(tx, "gxo-uk", "UK1001", 1, 1)
        books.ask(tx, _payload(2, 6, 3, 1), "e2", "changed")
        assert [(row.number, row.quantity, row.advised) for row in books.request_lines(tx, "gxo-uk", "UK1001")] == [(1, 6, 3), (2, 3, 0), (3, 1, 0)]
        (row,) = books.requests_of(tx, "bc-uk", "1001")
        assert (row.revision, row.effect_id, row.state) == (2, "e2", "changed")
        books.set_request(tx, "gxo-uk", "UK1001", "shipped")
        assert books.requests(tx, "gxo-uk", ["UK1001", "none"])["UK1001"].state == "shipped" and books.requests(tx, "other", ["UK1001"]) == {}


def test_a_request_without_lines_is_entered_too(rig: Rig) -> None:
    """SQLAlchemy takes an empty list for 'one row of defaults', and the database refused that row."""
    with rig.ledger.transaction() as tx:
        rig.ledger.books.ask(tx, _payload(1), "e1")
        assert rig.ledger.books.request_lines(tx, "gxo-uk", "UK1001") == []


def test_a_dispatch_is_held_once_and_released(rig: Rig) -> None:
    held, key = {"connection": "bc-uk", "order_id": "1001", "n": 1}, "k" * 600
    with rig.ledger.transaction() as tx:
        books = rig.ledger.books
        books.hold_dispatch(tx, key, held, "carriers:*")
        books.hold_dispatch(tx, key, held | {"n": 2}, "carriers:*")
        assert [(row.payload["n"], row.waits_on) for row in books.held_dispatches(tx, "bc-uk")] == [(1, "carriers:*")]
        assert books.held_dispatches(tx, "bc-us") == []
        books.release_dispatch(tx, key)
        assert books.held_dispatches(tx, "bc-uk") == []


def test_an_advice_is_kept_as_it_came_however_long_its_texts(rig: Rig) -> None:
    row = {"warehouse": "gxo-uk", "advice_id": "A" * 200, "reference": "UK1001", "package_id": "P" * 200, "carrier": "C" * 90, "service": "", "sku": "S" * 300,
           "tracking_number": "T" * 200, "request_line": "1", "quantity": 2, "unit": "EA", "line_status": "CC", "facility": "", "shipped_at": NOON}
    with rig.ledger.transaction() as tx:
        rig.ledger.books.enter_dispatch(tx, [], "none")
        rig.ledger.books.enter_dispatch(tx, [row, row | {"sku": "other"}], "key")
        kept = rig.ledger.books.dispatched(tx, "gxo-uk", ["UK1001"])
    assert [{name: getattr(line, name) for name in row} for line in kept] == [row, row | {"sku": "other"}] and kept[0].inbox_key == "key"


def _reach(rig: Rig, at: datetime) -> datetime | None:
    with rig.ledger.transaction() as tx:
        rig.ledger.watermarks.reach(tx, "bc-uk orders", at)
        return rig.ledger.watermarks.read(tx, "bc-uk orders")


def test_a_watermark_never_goes_back(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        assert rig.ledger.watermarks.read(tx, "bc-uk orders") is None
    minutes = [0, 5, 3, 5, 6, 1]
    assert [_reach(rig, NOON + timedelta(minutes=m)) for m in minutes] == [NOON + timedelta(minutes=max(minutes[:n + 1])) for n in range(6)]
    rig.clock.sleep(60)
    _reach(rig, NOON)
    assert rig.rows("watermark")[0].updated_at == rig.clock.now(), "but that we looked is kept"


def test_a_watermark_in_another_time_zone_is_the_same_moment(rig: Rig) -> None:
    east = timezone(timedelta(hours=9))
    assert _reach(rig, NOON.astimezone(east)) == NOON and _reach(rig, NOON + timedelta(microseconds=1)).microsecond == 1


def test_a_naive_datetime_is_refused_and_nothing_is_written(rig: Rig) -> None:
    with pytest.raises(sa.exc.StatementError, match="naive"):
        _reach(rig, datetime(2026, 1, 1, 12, 0))
    with pytest.raises(sa.exc.StatementError, match="naive"):
        _take_in(rig, replace(ENTRY, modified_at=datetime(2026, 1, 1)))
    assert rig.rows("watermark") == [] and rig.rows("order_book") == []


def _sample(table: str, tag: str) -> dict[str, str]:
    fixed = {"carrier": "UPSN", "factor": "12", "warehouse_unit": "EA", "quantity": "2", "po_required": "yes", "organisation_required": "no",
             "share_percent": "60", "rule": "fixed", "value": "5", "refund_percent": "50", "disposition": "restock", "needs_rma": "no", "category": "fee",
              "level": "account"}
    row = {column: f"{column} {tag}" for column in TABLES[table].columns()} | {k: v for k, v in fixed.items() if k in TABLES[table].columns()}
    return row | ({"country": "GB"} if table == "home_countries" else {})


def _change(rig: Rig, table: str, remove: list[dict[str, str]], add: list[dict[str, str]], actor: str = "ada") -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.mappings.change(tx, table, remove, add, actor)


@pytest.mark.parametrize("table", list(TABLES))
def test_a_mapping_table_comes_back_as_it_went_in(rig: Rig, table: str) -> None:
    rows = [_sample(table, tag) for tag in ("one", "naïve ☃", "three")]
    if table == "home_countries":
        rows = [row | {"country": country} for row, country in zip(rows, ("GB", "IE", "FR"), strict=True)]
    frame = TABLES[table].sound(TABLES[table].frame(rows))
    _change(rig, table, [], frame.to_dict("records"))
    with rig.ledger.transaction() as tx:
        pd.testing.assert_frame_equal(rig.ledger.mappings.current(tx, table), frame)
        everything = rig.ledger.mappings.all_current(tx)
    assert set(everything) == set(TABLES) and all(len(everything[name]) == (3 if name == table else 0) for name in TABLES)


def test_a_changed_mapping_leaves_its_history_and_one_row_that_holds(rig: Rig) -> None:
    first = {"connection": "bc-uk", "sku": "a", "warehouse": "gxo-uk", "warehouse_sku": "A"}
    second, at = first | {"warehouse_sku": "B"}, rig.clock.now()
    _change(rig, "skus", [], [first])
    rig.clock.sleep(60)
    _change(rig, "skus", [first], [second], "bob")
    with rig.ledger.transaction() as tx:
        assert rig.ledger.mappings.current(tx, "skus").to_dict("records") == [second]
        history = rig.ledger.mappings.history(tx, "skus")
    assert [(row.fields["warehouse_sku"], row.actor, row.valid_from, row.valid_to) for row in history] == [
        ("A", "ada", at, at + timedelta(seconds=60)), ("B", "bob", at + timedelta(seconds=60), None)]
    _change(rig, "skus", [second], [])
    with rig.ledger.transaction() as tx:
        assert len(rig.ledger.mappings.current(tx, "skus")) == 0 and len(rig.ledger.mappings.history(tx, "skus")) == 2


def test_a_key_that_holds_already_is_refused_by_name_and_nothing_is_changed(rig: Rig) -> None:
    first = {"connection": "bc-uk", "sku": "a" * 900, "warehouse": "gxo-uk", "warehouse_sku": "A"}
    _change(rig, "skus", [], [first])
    with pytest.raises(BadConfiguration, match="mapping table skus.*is there already"):
        _change(rig, "skus", [], [first | {"sku": "new"}, first | {"warehouse_sku": "B"}])
    assert [row.fields for row in rig.rows("mapping")] == [first]


def _keep(rig: Rig, *rows: dict[str, Any], warehouse: str = "gxo-uk") -> list[str]:
    with rig.ledger.transaction() as tx:
        return rig.ledger.items.keep(tx, warehouse, Items.frame(rows))


def test_keeping_an_item_master_says_what_is_new_or_altered_and_forgets_what_is_gone(rig: Rig) -> None:
    other = ITEM | {"sku": "other"}
    assert _keep(rig, ITEM, other) == ["85123A", "other"]
    assert _keep(rig, ITEM, other) == []
    assert _keep(rig, ITEM | {"is_active": False}, other) == ["85123A"]
    assert _keep(rig, other | {"warehouse": "sh-us"}, warehouse="sh-us") == ["other"]
    assert _keep(rig, ITEM) == ["85123A"]
    with rig.ledger.transaction() as tx:
        pd.testing.assert_frame_equal(rig.ledger.items.current(tx), Items.frame([ITEM, other | {"warehouse": "sh-us"}]))


def test_an_item_master_of_thousands_is_replaced_whole(rig: Rig) -> None:
    rows = [ITEM | {"sku": f"S{n:05}"} for n in range(1500)]
    assert len(_keep(rig, *rows)) == 1500 and _keep(rig, *rows[:3]) == []
    assert len(rig.rows("item")) == 3


def _enter(rig: Rig, key: str, state: str = "processed", name: str = "945_1.x12", digest: str = "a") -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.inbox.enter(tx, Arrived(key, "gxo-uk", name, "dispatches", state, sha256(digest.encode()), "detail"))


def _seen(rig: Rig, key: str) -> str | None:
    with rig.ledger.transaction() as tx:
        return rig.ledger.inbox.seen(tx, key)


def test_every_arrival_is_in_exactly_one_state_and_a_repeated_key_is_kept_too(rig: Rig) -> None:
    arrivals = [("k1", "processed"), ("k1", "duplicate"), ("k1", "quarantined"), ("k2", "processed"), ("k1", "duplicate")]
    for key, state in arrivals:
        _enter(rig, key, state, digest=key)
    with rig.ledger.transaction() as tx:
        assert rig.ledger.inbox.counts(tx, "gxo-uk") == {"processed": 2, "duplicate": 2, "quarantined": 1}
        assert rig.ledger.inbox.counts(tx, "another") == {}
    assert len(rig.rows("inbox")) == len(arrivals)
    assert _seen(rig, "k1") == sha256(b"k1") and _seen(rig, "k3") is None


def test_a_message_cannot_be_in_a_state_that_does_not_exist(rig: Rig) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        _enter(rig, "k", "lost")


@pytest.mark.parametrize("length", [219, 220, 221, 249, 250, 251, 400, 401, 3000])
def test_a_long_key_is_recognised_when_it_comes_again(rig: Rig, length: int) -> None:
    """Keys were kept with 220 characters and looked for with 250: a file with a long name was taken in, and its units counted, every time."""
    key = "k" * length
    _enter(rig, key, name="n" * length)
    assert _seen(rig, key) == sha256(b"a") and _seen(rig, key + "x") is None and _seen(rig, key[:-1]) is None
    _enter(rig, key, "duplicate")
    _enter(rig, key + "x")
    assert len(rig.rows("inbox")) == 3


def test_the_timeline_of_an_order_is_in_the_order_in_which_it_happened(rig: Rig) -> None:
    with rig.ledger.transaction() as tx:
        for what in ("taken in", "sent", "shipped"):
            rig.ledger.timeline.note(tx, "bc-uk", "1001", what, "ada", "")
        rig.ledger.timeline.note(tx, "bc-uk", "1002", "taken in", "ada")
        assert [row.what for row in rig.ledger.timeline.of(tx, "bc-uk", "1001")] == ["taken in", "sent", "shipped"]


def test_runs_begin_beat_and_end_and_may_begin_again(rig: Rig) -> None:
    runs, begun = rig.ledger.runs, rig.clock.now()
    runs.start("r1", "orders_to_warehouse", "bc-uk → gxo-uk", "host", 1)
    rig.clock.sleep(30)
    runs.beat("r1")
    (row,) = runs.unended()
    assert (row.started_at, row.beat_at) == (begun, rig.clock.now())
    runs.end("r1", "done")
    assert runs.unended() == []
    runs.start("r1", "orders_to_warehouse", "bc-uk → gxo-uk", "host", 2)
    assert [row.pid for row in runs.unended()] == [2] and len(rig.rows("run")) == 1


def test_a_table_becomes_a_frame_and_the_vault_never_does(rig: Rig) -> None:
    rig.plan("1")
    assert rig.ledger.table("effect")["state"].tolist() == ["PLANNED"] and list(rig.ledger.table("watermark").columns) == ["feed", "reached_at", "updated_at"]
    for name in ("vault_key", "vault_item", "nothing"):
        with pytest.raises(KeyError):
            rig.ledger.table(name)
