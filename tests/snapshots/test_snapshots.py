"""What systems said is kept once, whole, for ever, and without personal data."""

import itertools
import multiprocessing
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from connectors.kit.clock import ManualClock
from connectors.snapshots.errors import SnapshotRefused
from connectors.snapshots.kinds import KINDS, PERSONAL
from connectors.snapshots.snapshots import Snapshots
from contracts.items import Items
from contracts.orders import Orders
from tests.snapshots.rows import NOW, items

ROOT = Path(__file__).resolve().parents[2]
KEYS = ("warehouse", "sku")
HOUR = timedelta(hours=1)


@pytest.fixture
def kept(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path, ManualClock(NOW))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _keep_in_a_process(folder: Path, number: int) -> str:
    return str(Snapshots(folder, ManualClock(NOW + number * timedelta(minutes=1))).keep("items", "gxo", NOW, items(f"S{number}"), "the same"))


def test_the_same_key_twice_is_one_file_and_the_first_word_stands(kept: Snapshots) -> None:
    first = kept.keep("items", "gxo", NOW, items("A"), "k")
    before = first.read_bytes()
    kept.clock.sleep(60)
    again = kept.keep("items", "gxo", NOW + HOUR, items("B"), "k")
    assert again == first and first.read_bytes() == before and _files(kept.folder) == [first]


def test_processes_that_keep_the_same_key_at_once_make_one_file(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        paths = pool.starmap(_keep_in_a_process, [(tmp_path, number) for number in range(9)])
    assert len(set(paths)) == 1 and [str(path) for path in _files(tmp_path)] == paths[:1]


def test_threads_that_keep_the_same_key_at_once_make_one_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        paths = list(threads.map(lambda number: _keep_in_a_process(tmp_path, number), range(24)))
    assert len(set(paths)) == 1 and [str(path) for path in _files(tmp_path)] == paths[:1]


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(4))))
def test_the_newest_is_by_when_it_was_true_in_whatever_order_it_came(kept: Snapshots, arrival: tuple[int, ...]) -> None:
    for hour in arrival:
        kept.clock.sleep(60)
        kept.keep("items", "gxo", NOW + hour * HOUR, items(f"S{hour}"), f"k{hour}")
    assert kept.latest("items", "gxo")["sku"].tolist() == ["S3"]
    assert kept.as_of("items", "gxo", NOW - HOUR).empty
    for hour in range(4):
        for at in (NOW + hour * HOUR, NOW + hour * HOUR + timedelta(minutes=59)):
            assert kept.as_of("items", "gxo", at)["sku"].tolist() == [f"S{hour}"]


def test_what_is_not_needed_from_a_moment_on_is_all_that_came_before_the_one_that_held_then(kept: Snapshots) -> None:
    for hour in (3, 1, 2):
        kept.keep("items", "gxo", NOW + hour * HOUR, items(f"S{hour}"), f"k{hour}")
    assert kept.before("items", "gxo", NOW) == [] and kept.before("items", "gxo", NOW + HOUR) == []
    gone = kept.before("items", "gxo", NOW + 2.5 * HOUR)
    assert [one.as_of for one in gone] == [NOW + HOUR]
    for one in (*gone, *gone):
        kept.forget(one)
    assert [one.as_of for one in kept.kept("items", "gxo")] == [NOW + 2 * HOUR, NOW + 3 * HOUR]
    assert kept.as_of("items", "gxo", NOW + 2.5 * HOUR)["sku"].tolist() == ["S2"]


def test_a_frame_comes_back_as_its_contract_has_it(kept: Snapshots) -> None:
    said = Orders.frame([{column: "x" for column in Orders.columns()} | {
        "placed_at": NOW, "modified_at": NOW, "ship_by": None, "total_minor": 2**53 + 1, "shipping_minor": 0, "tax_minor": 0, "discount_minor": -1,
        "connection": "it's; \"quoted\"\n"}])
    kept.keep("orders", "bc-uk", NOW, said, "k")
    pd.testing.assert_frame_equal(kept.latest("orders", "bc-uk"), said)
    pd.testing.assert_frame_equal(kept.latest("orders", "bc-de"), Orders.frame())


def test_a_system_that_says_nothing_is_kept_as_saying_nothing(kept: Snapshots) -> None:
    kept.keep("items", "gxo", NOW, items("A"), "1")
    kept.keep("items", "gxo", NOW + HOUR, items(), "2")
    pd.testing.assert_frame_equal(kept.latest("items", "gxo"), Items.frame())
    assert [one.as_of for one in kept.kept("items", "gxo")] == [NOW, NOW + HOUR]


def test_the_file_says_when_it_was_true_and_when_we_looked(kept: Snapshots) -> None:
    path = kept.keep("items", "gxo", NOW - HOUR, items("A"), "k")
    with duckdb.connect() as connection:
        assert connection.execute("SELECT _as_of, _seen_at FROM read_parquet(?)", [str(path)]).fetchall() == [(NOW - HOUR, NOW)]


def test_a_file_from_before_the_contract_grew_is_still_read(kept: Snapshots) -> None:
    path = kept.keep("items", "gxo", NOW, items("A"), "k")
    path.chmod(0o644)  # an old release wrote it: without two of today's columns, with one that is gone
    with duckdb.connect() as connection:
        older = connection.execute("SELECT * EXCLUDE (barcode, customs_value_minor), 1 AS gone FROM read_parquet(?)", [str(path)]).df()  # noqa: F841
        connection.execute("COPY older TO ? (FORMAT parquet)", [str(path)])
    frame = kept.latest("items", "gxo")
    assert kept.diff("items", "gxo", KEYS, NOW, NOW).empty
    kept.keep("items", "gxo", NOW + HOUR, items("A"), "k2")
    assert kept.diff("items", "gxo", KEYS, NOW, NOW + HOUR)["changed_columns"].tolist() == ["customs_value_minor"]  # unknown became 0
    assert list(frame.columns) == Items.columns() and frame["barcode"].tolist() == [""] and frame["customs_value_minor"].isna().all()


def test_diff_names_what_came_what_went_and_what_changed(kept: Snapshots) -> None:
    kept.keep("items", "gxo", NOW, pd.concat([items("A", "B"), items("C")], ignore_index=True), "1")
    kept.keep("items", "gxo", NOW + HOUR, pd.concat([items("A", "D"), items("C", unit="CA")], ignore_index=True), "2")
    found = kept.diff("items", "gxo", KEYS, NOW, NOW + HOUR)
    assert found[["sku", "change", "changed_columns", "unit_before", "unit_after"]].values.tolist() == [
        ["B", "removed", "", "EA", ""], ["C", "changed", "unit", "EA", "CA"], ["D", "added", "", "", "EA"]]
    assert str(found["customs_value_minor_before"].dtype) == "Int64"
    assert kept.diff("items", "gxo", KEYS, NOW, NOW).empty
    assert kept.diff("items", "gxo", KEYS, NOW - HOUR, NOW)["change"].tolist() == ["added"] * 3


def test_diff_refuses_keys_that_name_two_rows_or_none(kept: Snapshots) -> None:
    kept.keep("items", "gxo", NOW, items("A", "B"), "1")
    for keys in (["warehouse"], ["colour"], []):
        with pytest.raises(SnapshotRefused):
            kept.diff("items", "gxo", keys, NOW, NOW)


@pytest.mark.parametrize("column", sorted(PERSONAL))
def test_no_kind_takes_a_personal_column(kept: Snapshots, column: str) -> None:
    for kind, declared in KINDS.items():
        if column not in declared.harmless:
            with pytest.raises(SnapshotRefused, match="personal data"):
                kept.keep(kind, "gxo", NOW, declared.contract.frame().assign(**{column.upper(): "canary"}), "k")
    assert not _files(kept.folder)


def test_no_kind_declares_a_personal_column_without_saying_why_it_is_none() -> None:
    assert PERSONAL >= {"name", "street_1", "phone", "email", "gift_note", "postcode"} and not PERSONAL & {"order_id", "country", "region"}
    for declared in KINDS.values():
        assert set(declared.contract.columns()) & PERSONAL == set(declared.harmless) and all(declared.harmless.values())


@pytest.mark.parametrize("source", ["", "..", "a/b", "../x", "gxo\n", "a" * 65, ".hidden", "a*", "C:"])
def test_a_name_that_could_leave_its_folder_is_refused(kept: Snapshots, source: str) -> None:
    with pytest.raises(SnapshotRefused):
        kept.keep("items", source, NOW, items("A"), "k")
    assert not _files(kept.folder)


@pytest.mark.parametrize("key", ["../../x", "a/b\x00", "ключ " * 500, "'; DROP"])
def test_a_key_may_be_any_text(kept: Snapshots, key: str) -> None:
    assert kept.keep("items", "gxo", NOW, items("A"), key).is_relative_to(kept.folder / "kind=items" / "source=gxo")
    assert kept.latest("items", "gxo")["sku"].tolist() == ["A"]


def test_what_was_not_declared_is_refused(kept: Snapshots) -> None:
    sound = items("A")
    wrong = {
        "kind": ("colours", NOW, sound, "k"), "no key": ("items", NOW, sound, ""), "no zone": ("items", datetime(2026, 1, 1), sound, "k"),
        "more": ("items", NOW, sound.assign(colour="red"), "k"), "less": ("items", NOW, sound.drop(columns="unit"), "k"),
        "float": ("items", NOW, sound.assign(customs_value_minor=1.5), "k"),
        "null": ("items", NOW, sound.assign(unit=pd.array([None], dtype="string[pyarrow]")), "k"),
    }
    for name, (kind, as_of, frame, key) in wrong.items():
        with pytest.raises(SnapshotRefused):
            kept.keep(kind, "gxo", as_of, frame, key)
            pytest.fail(name)
    assert not _files(kept.folder)


def _python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    begin = ("import os, sys; from pathlib import Path; from connectors.kit.clock import ManualClock; from tests.snapshots.rows import NOW, items\n"
             "from connectors.snapshots.snapshots import Snapshots\nkept = Snapshots(Path(sys.argv[1]), ManualClock(NOW))\n")
    return subprocess.run([sys.executable, "-c", begin + code, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_a_crash_before_the_rename_leaves_nothing_to_read_and_is_swept_later(kept: Snapshots, tmp_path: Path) -> None:
    died = _python("os.rename = lambda *_: os._exit(9)\nkept.keep('items', 'gxo', NOW, items('A'), 'k')", tmp_path)
    assert died.returncode == 9 and len(_files(tmp_path)) == 1
    assert kept.kept("items", "gxo") == [] and kept.latest("items", "gxo").empty
    kept.keep("items", "gxo", NOW, items("A"), "k")
    assert kept.latest("items", "gxo")["sku"].tolist() == ["A"] and len(_files(tmp_path)) == 2
    kept.clock.sleep(7 * 3600)
    kept.keep("items", "gxo", NOW + HOUR, items("B"), "another")
    assert len(_files(tmp_path)) == 2 == len(kept.kept("items", "gxo"))


def test_a_full_disk_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    code = ("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\nfrom connectors.kit.errors import NotNow\n"
            "try: kept.keep('items', 'gxo', NOW, items(*map(str, range(999))), 'k')\nexcept NotNow as error: print(error)")
    done = _python(code, tmp_path)
    assert "room" in done.stdout and "Trying again will help" in done.stdout, done.stderr
    assert not _files(tmp_path)


def test_moments_are_utc_whatever_zone_they_come_in(kept: Snapshots) -> None:
    from datetime import timezone

    kept.keep("items", "gxo", NOW.astimezone(timezone(timedelta(hours=5))), items("A"), "k")
    assert kept.kept("items", "gxo")[0].as_of == NOW and kept.kept("items", "gxo")[0].as_of.tzinfo == UTC
