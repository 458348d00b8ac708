"""What is published is read as of one moment, and nobody who writes waits for it."""

import threading
from datetime import timedelta

import pytest
from tests.ledger.rigs import Rig

from connectors.ledger.tables import metadata
from connectors.snapshots.tables import LEDGER_TABLES
from tasks.analytics import BOOK, NAMES, RMA, UPDATE


def _note(rig: Rig, order_id: str) -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.timeline.note(tx, "bc-uk", order_id, "taken in", "test", "ünïcode \u202e")
        rig.ledger.journal.note(tx, "test", "noted", {"orders": 1})


def test_every_declared_column_can_be_read_from_an_empty_ledger(rig: Rig) -> None:
    columns = {table: tuple(LEDGER_TABLES[name]) for table, name in NAMES.items()} | {"order_book": BOOK, "rma": RMA}
    found = rig.ledger.extract.frames(columns, updates=UPDATE)
    assert all(list(found[table].columns) == list(columns[table]) and found[table].empty for table in columns) and list(found["stock_update"].columns) == list(UPDATE)


def test_it_is_what_the_table_says(rig: Rig) -> None:
    for number in range(1203):  # more than two handfuls of rows
        with rig.ledger.transaction() as tx:
            rig.ledger.timeline.note(tx, "bc-uk", str(number), "taken in", "test", "ünïcode \u202e")
        if number > 3 and not number % 400:
            rig.clock.sleep(60)
    read = rig.ledger.extract.frames({"timeline": ("sequence", "at", "order_id", "detail")})["timeline"]
    whole = rig.ledger.table("timeline")
    assert read["sequence"].tolist() == whole["sequence"].tolist() and read["detail"].tolist() == whole["detail"].tolist()
    assert [text[:19] for text in read["at"]] == [f"{at:%Y-%m-%d %H:%M:%S}" for at in whole["at"]]


@pytest.mark.parametrize("table", ["vault_item", "vault_key", "no_such_table"])
def test_the_vault_is_never_read(rig: Rig, table: str) -> None:
    with pytest.raises(KeyError):
        rig.ledger.extract.frames({table: ("subject",)})
    assert not [name for name in NAMES if name.startswith("vault") or name == "access_log"] and set(NAMES) <= set(metadata.tables)


def test_a_writer_does_not_wait_for_a_reader_and_the_reader_sees_one_moment(rig: Rig) -> None:
    """A publish of 100,000 orders takes ten seconds: under the writers' lock every flow would have stood still."""
    if rig.url == "sqlite://":
        pytest.skip("in memory there is one connection for everybody")
    _note(rig, "1")
    began, wrote = rig.clock.now(), []
    with rig.ledger.database.reading() as tx:
        assert len(tx.exec_driver_sql("SELECT * FROM timeline").fetchall()) == 1
        writer = threading.Thread(target=lambda: (_note(rig, "2"), wrote.append(True)))
        writer.start()
        writer.join(10)
        assert wrote == [True]
        assert len(tx.exec_driver_sql("SELECT * FROM timeline").fetchall()) == 1 == len(tx.exec_driver_sql("SELECT * FROM journal").fetchall())
    assert len(rig.ledger.table("timeline")) == 2 and rig.clock.now() - began < timedelta(minutes=1)


def test_reading_can_not_write_and_no_transaction_is_inside_another(rig: Rig) -> None:
    with rig.ledger.database.reading(), pytest.raises(AssertionError, match="inside"), rig.ledger.transaction():
        pass
    _note(rig, "1")
    with rig.ledger.transaction() as tx:
        assert [row.detail for row in rig.ledger.journal.of(tx, "noted")] == [{"orders": 1}]
        assert rig.ledger.journal.of(tx, "noted", rig.clock.now() + timedelta(seconds=1)) == []
