"""What must hold for files exchanged with a partner, over a local folder and over a real SSH server alike."""

import os
import resource
import shutil
import subprocess
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.kit.clock import Clock, ManualClock, SystemClock
from connectors.kit.errors import BadConfiguration, BadDocument, NotAllowed, NotNow, Refused, WharfingerError
from connectors.kit.exchange import kind_of, shown
from connectors.kit.files import Files, FilesSettings, Folder, connect_files
from tests.connectors.sshd import Sshd, find_sshd, sshd

BODY = b"ISA*00*          *00*          ~\n" * 40
HOSTILE = ["a b.edi", "945\u202eide.exe", "945;rm -rf.edi", "..945.edi", ".945.edi", "945\n.edi", "9" * 101,
           "\u0661.edi", "-\u00e9.edi", "a\\b", "'q'.edi"]
NOT_UTF8 = b"caf\xe9.edi"


class Meanwhile(ManualClock):
    """A clock during whose sleeps something happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self.happens, self.slept = happens, 0.0

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.slept += seconds
        self.happens()


class Place:
    """Where the partner's files are: `root` as the partner sees it, and as many connections to it as a test wants."""

    def __init__(self, root: Path, settings: Callable[..., FilesSettings]) -> None:
        self.root, self._settings, self._opened = root, settings, []
        for folder in ("in", "out"):
            (root / folder).mkdir()

    def connect(self, clock: Clock | None = None, **changes: object) -> Files:
        files = connect_files(self._settings(self.root, **changes), clock or ManualClock())
        self._opened.append(files)
        return files

    def names(self, folder: str) -> list[str]:
        return sorted(os.listdir(self.root / folder))

    def close(self) -> None:
        for files in self._opened:
            files.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Sshd]:
    if find_sshd() is None:
        pytest.skip("no sshd on this machine (tests/system.sh installs it)")
    with sshd() as running:
        yield running


def folder_settings(root: Path, **changes: object) -> FilesSettings:
    return FilesSettings(**{"kind": "folder", "path": str(root), "settle_seconds": 1} | changes)


@pytest.fixture(params=["folder", pytest.param("sftp", marks=pytest.mark.sshd)])
def settings_for(request: pytest.FixtureRequest) -> Callable[..., FilesSettings]:
    return folder_settings if request.param == "folder" else request.getfixturevalue("server").settings


@pytest.fixture
def place(settings_for: Callable[..., FilesSettings], tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path, settings_for)
    yield place
    place.close()


# --- publishing


def test_a_put_publishes_exactly_these_bytes_and_leaves_nothing_beside_them(place: Place) -> None:
    files = place.connect()
    files.put("out", "940_000000001.x12", BODY, "7")
    files.put("out", "empty.x12", b"", "7")
    assert (place.root / "out/940_000000001.x12").read_bytes() == BODY == files.read("out", "940_000000001.x12")
    assert place.names("out") == ["940_000000001.x12", "empty.x12"]


def test_the_same_bytes_put_twice_are_one_file_that_is_not_touched_again(place: Place) -> None:
    files = place.connect()
    files.put("out", "a.x12", BODY, "1")
    before = os.stat(place.root / "out/a.x12")
    files.put("out", "a.x12", BODY, "1")
    place.connect().put("out", "a.x12", BODY, "2")
    after = os.stat(place.root / "out/a.x12")
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert place.names("out") == ["a.x12"]


@pytest.mark.parametrize("other", [b"x", BODY[:-1] + b"!", b"", BODY * 2], ids=["shorter", "same size", "empty", "longer"])
def test_other_bytes_under_a_published_name_are_refused_and_change_nothing(place: Place, other: bytes) -> None:
    files = place.connect()
    files.put("out", "a.x12", BODY, "1")
    for _ in range(2):
        with pytest.raises(Refused, match="something else is there"):
            files.put("out", "a.x12", other, "2")
    assert place.names("out") == ["a.x12"] and (place.root / "out/a.x12").read_bytes() == BODY


def test_a_link_or_a_folder_under_the_name_is_refused_and_not_followed(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "theirs"
    elsewhere.write_bytes(BODY)
    (place.root / "out/link.x12").symlink_to(elsewhere)
    (place.root / "out/folder.x12").mkdir()
    for name in ("link.x12", "folder.x12"):
        with pytest.raises(Refused):
            place.connect().put("out", name, BODY, "1")
    assert elsewhere.read_bytes() == BODY and (place.root / "out/link.x12").is_symlink()


def test_a_part_left_by_an_earlier_try_or_planted_as_a_link_is_replaced(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    victim = tmp_path_factory.mktemp("elsewhere") / "victim"
    victim.write_bytes(b"precious")
    (place.root / "out/a.x12.tmp.1").write_bytes(b"half")
    (place.root / "out/b.x12.tmp.1").symlink_to(victim)
    files = place.connect()
    files.put("out", "a.x12", BODY, "1")
    files.put("out", "b.x12", BODY, "1")
    assert place.names("out") == ["a.x12", "b.x12"] and victim.read_bytes() == b"precious"
    assert not (place.root / "out/b.x12").is_symlink()


def test_a_reader_never_sees_the_final_name_before_the_file_is_whole(place: Place) -> None:
    body, done, sizes, parts = os.urandom(1 << 20) * 16, threading.Event(), set(), 0

    def put() -> None:
        try:
            place.connect().put("out", "big.x12", body, "1")
        finally:
            done.set()

    with ThreadPoolExecutor(1) as pool:
        putting = pool.submit(put)
        while not done.is_set():
            for entry in os.scandir(place.root / "out"):
                if entry.name == "big.x12":
                    sizes.add(entry.stat().st_size)
                parts += entry.name == "big.x12.tmp.1"
        putting.result()
    assert parts > 0, "the reader never looked while the file was being written"
    assert sizes <= {len(body)} and (place.root / "out/big.x12").read_bytes() == body


def test_two_connections_with_the_same_bytes_publish_one_file_and_both_succeed(place: Place) -> None:
    for round_ in range(5):
        name, connections = f"{round_}.x12", [place.connect() for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n, name=name, all_=connections: all_[n].put("out", name, BODY, str(n)), range(4)))
        assert (place.root / "out" / name).read_bytes() == BODY
    assert place.names("out") == [f"{n}.x12" for n in range(5)]


def test_of_two_connections_with_other_bytes_exactly_one_wins_and_the_others_are_refused(place: Place) -> None:
    """A rename that replaces what is there (os.replace, posix-rename) let both succeed, and one order was gone without a word."""
    connections = [place.connect() for _ in range(4)]

    def put(n: int) -> str:
        try:
            connections[n].put("out", name, bodies[n], str(n))
        except Refused:
            return "refused"
        return "published"

    for round_ in range(10):
        name, bodies = f"{round_}.x12", [bytes([65 + n]) * 1000 for n in range(4)]
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(put, range(4)))
        assert sorted(outcomes) == ["published", "refused", "refused", "refused"]
        assert (place.root / "out" / name).read_bytes() == bodies[outcomes.index("published")]
    assert len(place.names("out")) == 10


@pytest.mark.parametrize("name", ["../a.x12", "a/b.x12", "", ".a", "a\0b", "a" * 101, "a.tmp", "a.x12.part", "a.x12.tmp.1"])
def test_a_name_that_we_do_not_give_is_refused_before_anything_is_written(place: Place, name: str) -> None:
    with pytest.raises(Refused, match="not a name"):
        place.connect().put("out", name, BODY, "1")
    assert place.names("out") == [] and place.names("") == ["in", "out"]


@pytest.mark.parametrize("folder", ["..", "../out", "out/..", "/etc", "out//x", ".ssh", "out/", "out\0", "a\nb"])
def test_a_folder_that_would_leave_the_root_is_a_mistake_in_the_profile(place: Place, folder: str) -> None:
    files = place.connect()
    for act in (lambda: files.list(folder), lambda: files.put(folder, "a.x12", BODY, "1"), lambda: files.read(folder, "a.x12"),
                lambda: files.move("in", "a.x12", folder), lambda: files.settled(folder), lambda: files.refused_names(folder)):
        (place.root / "in/a.x12").write_bytes(BODY)
        with pytest.raises(BadConfiguration, match="relative"):
            act()
    assert place.names("in") == ["a.x12"]


def test_a_token_of_any_shape_makes_a_safe_part_name(place: Place) -> None:
    files = place.connect()
    for token in ("wo:bigcommerce-uk:100/../1", "", "t" * 500, "\u00e9\0"):
        files.put("out", "n" * 100, BODY, token)
        os.remove(place.root / "out" / ("n" * 100))
    assert place.names("out") == []


def test_a_folder_that_is_not_there_says_so_and_publishes_nothing(place: Place) -> None:
    files = place.connect()
    for act in (lambda: files.list("nowhere"), lambda: files.put("nowhere", "a.x12", BODY, "1"), lambda: files.settled("nowhere")):
        with pytest.raises(NotAllowed, match="See that the folder exists"):
            act()
    assert place.names("") == ["in", "out"]


# --- a full disk


def test_old_files_of_a_folder_are_removed_whatever_their_names_and_young_ones_stay(place: Place) -> None:
    files, archive = place.connect(), place.root / "archive"
    archive.mkdir(exist_ok=True)
    now = SystemClock().now()
    for name, days in (("945_1.edi", 40), ("odd name (2).edi", 31), ("945_3.edi", 29)):
        (archive / name).write_bytes(BODY)
        os.utime(archive / name, ((now - timedelta(days=days)).timestamp(),) * 2)
    before = now - timedelta(days=30)
    assert files.remove_older("archive", before, dry_run=True) == 2 and len(list(archive.iterdir())) == 3
    assert files.remove_older("archive", before) == 2 and [path.name for path in archive.iterdir()] == ["945_3.edi"]
    assert files.remove_older("archive", before) == 0 == files.remove_older("never-made", before)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="wharfinger-small-"))
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False)
    if not mounted or mounted.returncode:
        shutil.rmtree(folder)
        pytest.skip("this user may not mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)


def test_a_full_disk_publishes_nothing_keeps_nothing_and_works_again_once_there_is_room(
        small_disk: Path, settings_for: Callable[..., FilesSettings]) -> None:
    place = Place(small_disk, settings_for)
    files = place.connect()
    (small_disk / "ballast").write_bytes(b"x" * 700_000)
    for _ in range(2):
        with pytest.raises(NotNow, match="[Dd]isk"):
            files.put("out", "a.x12", BODY * 1000, "1")
        assert place.names("out") == []
    files.put("out", "small.x12", BODY, "1")
    (small_disk / "ballast").unlink()
    files.put("out", "a.x12", BODY * 500, "2")
    assert (small_disk / "out/a.x12").read_bytes() == BODY * 500
    place.close()


def test_a_quota_says_that_nothing_was_published(tmp_path: Path) -> None:
    files, limits = connect_files(folder_settings(tmp_path), ManualClock()), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(NotNow, match="full or the quota used up.*Nothing was published"):
            files.put("", "a.x12", BODY * 10, "1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == []


# --- taking in


def test_files_come_oldest_first_and_parts_and_folders_are_told_apart(place: Place) -> None:
    for age, name in enumerate(["c.edi", "a.edi", "b.edi", "x.edi.tmp.9"]):
        (place.root / "in" / name).write_bytes(b"x" * age)
        os.utime(place.root / "in" / name, (1_700_000_000 - age, 1_700_000_000 - age))
    (place.root / "in/archive").mkdir()
    found = place.connect().list("in")
    assert [(file.name, file.size) for file in found] == [("x.edi.tmp.9", 3), ("b.edi", 2), ("a.edi", 1), ("c.edi", 0)]
    assert found[-1].modified_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_a_flood_of_files_is_taken_in_by_the_bound_and_goes_on_as_they_are_filed_away(tmp_path: Path) -> None:
    for n in range(12):
        (tmp_path / f"{n}.edi").write_bytes(BODY)
    files, seen = Folder(tmp_path, ManualClock(), max_files=5), set()
    while found := files.list(""):
        assert len(found) <= 5
        seen.update(file.name for file in found)
        for file in found:
            files.move("", file.name, "archive")
    assert seen == {f"{n}.edi" for n in range(12)} == set(os.listdir(tmp_path / "archive"))


def test_a_file_that_still_grows_is_not_offered_until_it_stands_still(place: Place) -> None:
    growing = place.root / "in/945.edi"
    growing.write_bytes(b"ISA*")
    (place.root / "in/whole.edi").write_bytes(BODY)
    clock = Meanwhile(lambda: growing.write_bytes(growing.read_bytes() + b"more"))
    files = place.connect(clock, settle_seconds=10)
    for _ in range(3):
        assert [file.name for file in files.settled("in")] == ["whole.edi"]
    clock.happens = lambda: None
    for _ in range(2):
        assert sorted(file.name for file in files.settled("in")) == ["945.edi", "whole.edi"]
    assert clock.slept == 50


def test_a_file_written_anew_with_the_same_size_is_not_offered(place: Place) -> None:
    (place.root / "in/945.edi").write_bytes(b"AAAA")
    clock = Meanwhile(lambda: os.utime(place.root / "in/945.edi", (1, 1_700_000_000 + clock.slept)))
    assert place.connect(clock).settled("in") == []


def test_a_file_that_appears_or_vanishes_between_the_looks_is_not_offered(place: Place) -> None:
    (place.root / "in/going.edi").write_bytes(BODY)
    clock = Meanwhile(lambda: (place.root / "in/going.edi").rename(place.root / "in/coming.edi"))
    assert place.connect(clock).settled("in") == []


def test_an_empty_folder_is_not_waited_for_and_no_wait_is_possible(place: Place) -> None:
    clock = Meanwhile(lambda: None)
    assert place.connect(clock, settle_seconds=100).settled("in") == []
    (place.root / "in/a.edi").write_bytes(BODY)
    assert [file.name for file in place.connect(clock, settle_seconds=0).settled("in")] == ["a.edi"]
    assert clock.slept == 0


def test_unfinished_transfers_are_neither_offered_nor_complained_about(place: Place) -> None:
    for name in ("a.edi.tmp", "a.edi.tmp.77", "a.edi.part", "a.edi.filepart", "a.edi.TMP", "a.edi.tmp."):
        (place.root / "in" / name).write_bytes(BODY)
    (place.root / "in/tmp.edi").write_bytes(BODY)
    files = place.connect()
    assert [file.name for file in files.settled("in")] == ["tmp.edi"] and files.refused_names("in") == []


def test_hostile_names_are_not_offered_and_are_shown_so_that_they_do_no_harm(place: Place) -> None:
    """A listing died on the first name that was not UTF-8 (a partner's Latin-1 file), and with it the whole feed."""
    for name in HOSTILE:
        (place.root / "in" / name).write_bytes(BODY)
    Path(os.fsdecode(os.path.join(os.fsencode(place.root / "in"), NOT_UTF8))).write_bytes(BODY)
    (place.root / "in/good.edi").write_bytes(BODY)
    files = place.connect()
    for _ in range(2):
        refused = files.refused_names("in")
        assert [file.name for file in files.settled("in")] == [file.name for file in files.list("in")] == ["good.edi"]
        assert len(refused) == len(set(refused)) == len(HOSTILE) + 1
        assert all(name.isascii() and name.isprintable() and len(name) <= 160 for name in refused)
    assert "945\\u202eide.exe" in refused and "caf\\udce9.edi" in refused and "945\\n.edi" in refused
    for name in HOSTILE:
        for act in (lambda name=name: files.read("in", name), lambda name=name: files.move("in", name, "out")):
            with pytest.raises(Refused, match="not a name we take"):
                act()


@pytest.mark.parametrize("name", [*HOSTILE, "a\0.edi", "../x", "x" * 4096, "\ud800", "\u200f945", "a.edi ", "a.edi\n", "", ".", ".."])
def test_the_allow_list_takes_no_such_name(name: str) -> None:
    assert kind_of(name) == "refused" and shown(name).isascii() and shown(name).isprintable() and len(shown(name)) <= 160


def test_two_long_names_that_differ_late_are_shown_differently() -> None:
    assert shown("x" * 4096 + "1") != shown("x" * 4096 + "2")


def test_links_pipes_and_linked_folders_lead_nowhere(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_bytes(b"secret")
    (place.root / "in/link.edi").symlink_to(secret)
    (place.root / "in/dangling.edi").symlink_to("/nowhere")
    os.mkfifo(place.root / "in/pipe.edi")
    files = place.connect()
    assert files.list("in") == files.settled("in") == []
    assert files.refused_names("in") == ["dangling.edi", "link.edi", "pipe.edi"]
    for name in ("link.edi", "dangling.edi", "pipe.edi"):
        with pytest.raises(BadDocument, match="link or a device|no regular file"):
            files.read("in", name)


def test_a_linked_folder_is_not_entered(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "secret.edi").write_bytes(b"secret")
    (tmp_path / "in").symlink_to(elsewhere)
    files = connect_files(folder_settings(tmp_path), ManualClock())
    for act in (lambda: files.list("in"), lambda: files.read("in", "secret.edi"), lambda: files.put("in", "a.x12", BODY, "1"),
                lambda: files.remove_stale_parts("in", 0)):
        with pytest.raises(NotAllowed, match="is no link"):
            act()
    assert os.listdir(elsewhere) == ["secret.edi"]


def test_a_sparse_file_of_a_gibibyte_is_refused_in_little_memory_and_can_be_filed_away(place: Place) -> None:
    with (place.root / "in/huge.edi").open("wb") as file:
        file.truncate(1 << 30)
    files = place.connect()
    files.list("in")
    tracemalloc.start()
    try:
        assert [file.name for file in files.settled("in")] == ["huge.edi"]
        with pytest.raises(BadDocument, match="1073741824 bytes, more than the 20000000"):
            files.read("in", "huge.edi")
        files.move("in", "huge.edi", "quarantine")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert place.names("quarantine") == ["huge.edi"] and place.names("in") == []


def test_a_file_of_just_the_limit_is_read_and_one_byte_more_is_not(place: Place) -> None:
    files = place.connect(max_bytes=100_000)
    (place.root / "in/just.edi").write_bytes(os.urandom(100_000))
    (place.root / "in/more.edi").write_bytes(os.urandom(100_001))
    assert files.read("in", "just.edi") == (place.root / "in/just.edi").read_bytes()
    with pytest.raises(BadDocument):
        files.read("in", "more.edi")


def test_a_file_that_is_gone_when_it_is_read_is_for_the_next_look(place: Place) -> None:
    with pytest.raises(NotNow, match="not there any more"):
        place.connect().read("in", "gone.edi")


# --- filing away


def test_moving_twice_is_moving_once(place: Place) -> None:
    (place.root / "in/a.edi").write_bytes(BODY)
    for files in (place.connect(), place.connect()):
        for _ in range(2):
            files.move("in", "a.edi", "in/archive/2026")
    assert place.names("in") == ["archive"] and (place.root / "in/archive/2026/a.edi").read_bytes() == BODY


def test_the_same_name_with_other_bytes_is_kept_beside_and_with_the_same_bytes_is_one(place: Place) -> None:
    files = place.connect()
    for body in (b"first", b"second", b"third", b"first", b"third"):
        (place.root / "in/a.edi").write_bytes(body)
        for _ in range(2):
            files.move("in", "a.edi", "archive")
    assert {name: (place.root / "archive" / name).read_bytes() for name in place.names("archive")} == {
        "a.edi": b"first", "a.edi.2": b"second", "a.edi.3": b"third"}
    assert place.names("in") == []


def test_a_kept_second_version_has_a_safe_name_however_long_the_first_was(place: Place) -> None:
    files, name = place.connect(), "n" * 96 + ".edi"
    for body in (b"first", b"second"):
        (place.root / "in" / name).write_bytes(body)
        files.move("in", name, "archive")
    assert [kind_of(kept) for kept in place.names("archive")] == ["whole", "whole"]


def test_a_move_that_died_between_its_two_halves_is_completed(place: Place) -> None:
    """link, then unlink: killed between the two, the file has both names."""
    (place.root / "in/a.edi").write_bytes(BODY)
    (place.root / "archive").mkdir()
    os.link(place.root / "in/a.edi", place.root / "archive/a.edi")
    place.connect().move("in", "a.edi", "archive")
    assert (place.names("in"), place.names("archive")) == ([], ["a.edi"])


def test_two_connections_that_file_the_same_file_away_lose_nothing(place: Place) -> None:
    """One compared the two copies while the other removed the first: 'not there any more', for a file that was safely filed away."""
    connections = [place.connect() for _ in range(4)]
    for round_ in range(50):
        (place.root / f"in/{round_}.edi").write_bytes(BODY)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda files, name=f"{round_}.edi": files.move("in", name, "archive"), connections))
    assert place.names("in") == [] and place.names("archive") == sorted(f"{n}.edi" for n in range(50))


def test_only_our_own_parts_are_swept_and_only_old_ones(place: Place) -> None:
    clock = ManualClock(datetime(2026, 1, 15, 9, 0, tzinfo=UTC))
    for name, hours in (("a.x12.tmp.7", 5), ("b.x12.tmp.8", 1), ("c.edi.part", 5), ("d.edi.tmp", 5), ("e.x12", 5)):
        (place.root / "out" / name).write_bytes(b"half")
        at = (clock.now() - timedelta(hours=hours)).timestamp()
        os.utime(place.root / "out" / name, (at, at))
    files = place.connect(clock)
    assert [files.remove_stale_parts("out", 2 * 3600) for _ in range(2)] == [1, 0]
    assert place.names("out") == ["b.x12.tmp.8", "c.edi.part", "d.edi.tmp", "e.x12"]


def test_a_closed_connection_can_be_closed_again_and_used_again(place: Place) -> None:
    files = place.connect()
    for n in range(2):
        files.put("out", f"{n}.x12", BODY, "1")
        files.close()
        files.close()
    assert [file.size for file in files.list("out")] == [len(BODY)] * 2


# --- settings


@pytest.mark.parametrize(("settings", "why"), [
    ({"kind": "folder"}, "needs a path"), ({"kind": "folder", "path": "/x", "host": "y"}, "has no host"), ({"kind": "ftp"}, "'folder' or 'sftp'"),
    ({"kind": "folder", "path": "/x", "colour": "red"}, "Extra inputs"), ({"kind": "sftp", "host": "x"}, "needs username, host_key"),
    ({"kind": "sftp", "host": "x", "username": "y", "host_key": "anything"}, "ssh-ed25519 AAAA"),
    ({"kind": "sftp", "host": "x", "username": "y", "host_key": "SHA256:abc"}, "ssh-ed25519 AAAA"),
    ({"kind": "sftp", "host": "x", "username": "y", "host_key": "SHA256:" + "A" * 43}, "password or a private_key"),
    ({"kind": "sftp", "host": "x", "username": "y", "host_key": "SHA256:" + "A" * 43, "password": "hunter2"}, "given by reference"),
])
def test_settings_that_cannot_work_say_which_key(settings: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        FilesSettings(**settings)


def test_every_error_of_a_real_folder_survives_the_way_between_processes(tmp_path: Path) -> None:
    import pickle

    with pytest.raises(WharfingerError) as caught:
        connect_files(folder_settings(tmp_path / "absent"), SystemClock()).list("in")
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is NotAllowed and str(again) == str(caught.value)
