"""What only a network does to files: wrong keys, wrong logins, lines that break, servers that lie. See test_files.py for the rest."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.kit.clock import ManualClock, SystemClock
from connectors.kit.errors import BadConfiguration, BadDocument, InDoubt, NotAllowed, NotNow, Refused, WharfingerError
from connectors.kit.files import Files, connect_files
from connectors.kit.login import fingerprint
from tests.connectors.awkward_sftp import PASSWORD, AwkwardSftp, awkward_sftp
from tests.connectors.sshd import Sshd, find_sshd, free_port, sshd

pytestmark = pytest.mark.sshd
BODY = b"ISA*00*          *00*          ~\n" * 40


@pytest.fixture(scope="module")
def server() -> Iterator[Sshd]:
    if find_sshd() is None:
        pytest.skip("no sshd on this machine (tests/system.sh installs it)")
    with sshd() as running:
        yield running


@pytest.fixture
def awkward(tmp_path: Path) -> Iterator[AwkwardSftp]:
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    with awkward_sftp(tmp_path) as running:
        yield running


def joined(awkward: AwkwardSftp, **changes: object) -> Files:
    return connect_files(awkward.settings(**{"password": SecretStr(PASSWORD)} | changes), ManualClock())


# --- who is there, and who are we


def test_a_server_with_another_host_key_gets_no_credential(awkward: AwkwardSftp, server: Sshd) -> None:
    for host_key in (server.host_key, fingerprint(b"another key")):
        for _ in range(2):
            with pytest.raises(NotAllowed, match="no credential was sent"):
                joined(awkward, host_key=host_key).list("in")
    assert awkward.logins == []


def test_a_real_server_with_another_host_key_is_not_trusted_whichever_way_it_is_pinned(server: Sshd, tmp_path: Path) -> None:
    other = (server.folder / "other_key.pub").read_text()
    for host_key in (other, fingerprint(b"another key")):
        with pytest.raises(NotAllowed, match="another host key.*no credential was sent.*by telephone"):
            connect_files(server.settings(tmp_path, host_key=host_key), ManualClock()).put("", "a.x12", BODY, "1")
    assert os.listdir(tmp_path) == []


def test_a_host_key_may_be_pinned_as_a_line_or_as_a_fingerprint(server: Sshd, tmp_path: Path) -> None:
    import base64

    pinned = fingerprint(base64.b64decode(server.host_key.split()[1]))
    for host_key in (server.host_key, " ".join(server.host_key.split()[:2]), pinned):
        connect_files(server.settings(tmp_path, host_key=host_key), ManualClock()).put("", "a.x12", BODY, "1")
    assert os.listdir(tmp_path) == ["a.x12"]


def test_a_key_that_the_server_does_not_admit_is_for_a_person_to_mend(server: Sshd, tmp_path: Path) -> None:
    for changes in ({"private_key": f"file:{server.folder / 'other_key'}"}, {"private_key": None, "password": SecretStr("wrong")}):
        with pytest.raises(NotAllowed, match="refused the login"):
            connect_files(server.settings(tmp_path, **changes), ManualClock()).list("")


def test_a_password_is_taken_or_refused_and_shown_nowhere(awkward: AwkwardSftp) -> None:
    files = joined(awkward)
    files.put("out", "a.x12", BODY, "1")
    assert (awkward.root / "out/a.x12").read_bytes() == BODY
    wrong = joined(awkward, password=SecretStr("hunter2"))
    with pytest.raises(NotAllowed, match="refused the login of 'partner'") as caught:
        wrong.list("in")
    shown = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {awkward.settings(password=SecretStr('hunter2'))!r} {vars(wrong)}"
    assert "hunter2" not in shown and PASSWORD not in shown


def test_an_unreadable_private_key_is_our_own_mistake(server: Sshd, tmp_path: Path) -> None:
    for text in ("rubbish", (server.folder / "other_key").read_text()[:200]):
        with pytest.raises(BadConfiguration, match="private key cannot be read") as caught:
            connect_files(server.settings(tmp_path, private_key=SecretStr(text)), ManualClock()).list("")
        assert text not in str(caught.value)


# --- servers that are not there


def test_an_unknown_host_and_a_refused_connection_happen_before_anything_does(server: Sshd, tmp_path: Path) -> None:
    for changes in ({"host": "no-such-host.invalid"}, {"port": free_port()}, {"host": "a..b"}):
        with pytest.raises(NotNow, match="cannot be reached"):
            connect_files(server.settings(tmp_path, **changes), ManualClock()).put("", "a.x12", BODY, "1")


@pytest.mark.parametrize("banner", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 200, b"SSH-2.0-silent\r\n"],
                         ids=["silent", "no ssh", "silent after hello"])
def test_what_answers_but_is_no_ssh_server_is_given_up_in_time(server: Sshd, tmp_path: Path, banner: bytes) -> None:
    lines, clock = [], SystemClock()

    def answer() -> None:
        line, _ = listener.accept()
        lines.append(line)
        line.sendall(banner)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, daemon=True).start()
        before = clock.now()
        with pytest.raises(NotNow, match="broke or stood still"):
            connect_files(server.settings(tmp_path, port=listener.getsockname()[1], timeout_seconds=0.5), ManualClock()).list("")
        assert (clock.now() - before).total_seconds() < 5


def test_a_server_that_hangs_up_while_we_log_in_is_no_refusal(server: Sshd, tmp_path: Path, awkward: AwkwardSftp) -> None:
    """paramiko raises AuthenticationException for both; taken for a refusal, a restart of the partner's server paged a person."""
    awkward.hangs_up_at_login = True
    with pytest.raises(NotNow):
        joined(awkward).list("in")
    assert awkward.logins == ["partner"]


def test_a_server_without_sftp_that_never_says_so_is_given_up_in_time(awkward: AwkwardSftp) -> None:
    awkward.mood.subsystem_answers = False
    clock = SystemClock()
    before = clock.now()
    with pytest.raises(NotNow):
        joined(awkward, timeout_seconds=0.4).list("in")
    assert (clock.now() - before).total_seconds() < 8


# --- lines that break


def test_a_server_killed_at_any_moment_of_a_put_leaves_nothing_or_everything_and_the_retry_converges(server: Sshd, tmp_path: Path) -> None:
    body, seen = os.urandom(1 << 20) * 6, set()
    for n in range(12):
        server.restart()
        files, name, clock = connect_files(server.settings(tmp_path), ManualClock()), f"{n}.x12", SystemClock()
        files.list("")  # connected
        with ThreadPoolExecutor(1) as pool:
            putting = pool.submit(outcome, lambda files=files, name=name: files.put("", name, body, "1"))
            clock.sleep(0.02 * n)
            server.kill()
            error = putting.result(60)
        seen.add(type(error))
        assert error is None or type(error) in (NotNow, InDoubt), error
        there = (tmp_path / name).exists()
        assert not (there and isinstance(error, NotNow)), "it said that nothing was published, and it was"
        assert there or error is not None, "it said that it was published, and it was not"
        server.restart()
        for token in ("1", "2"):
            files.put("", name, body, token)
        assert (tmp_path / name).read_bytes() == body
    assert NotNow in seen
    assert sorted(os.listdir(tmp_path)) == sorted(f"{n}.x12" for n in range(12))


def outcome(act: Callable[[], object]) -> WharfingerError | None:
    try:
        act()
    except WharfingerError as error:
        return error
    return None


def test_a_line_that_breaks_around_the_rename_is_in_doubt_and_the_retry_converges(awkward: AwkwardSftp) -> None:
    files = joined(awkward)
    for n, (mood, published) in enumerate((("drop_before_rename", False), ("drop_after_rename", True))):
        setattr(awkward.mood, mood, True)
        awkward.mood.times = 1
        with pytest.raises(InDoubt, match="before the answer came"):
            files.put("out", f"{n}.x12", BODY, "1")
        assert (awkward.root / f"out/{n}.x12").exists() is published
        for _ in range(2):
            files.put("out", f"{n}.x12", BODY, "1")
        setattr(awkward.mood, mood, False)
    assert sorted(os.listdir(awkward.root / "out")) == ["0.x12", "1.x12"]


def test_a_line_that_breaks_while_the_part_is_written_published_nothing(awkward: AwkwardSftp) -> None:
    files, awkward.mood.drop_while_writing = joined(awkward), True
    with pytest.raises(NotNow, match="Nothing was published"):
        files.put("out", "a.x12", BODY, "1")
    assert "a.x12" not in os.listdir(awkward.root / "out")
    files.put("out", "a.x12", BODY, "2")
    assert os.listdir(awkward.root / "out") == ["a.x12"]


def test_a_line_that_broke_since_last_time_costs_a_read_nothing_and_a_write_neither(server: Sshd, tmp_path: Path) -> None:
    files = connect_files(server.settings(tmp_path), ManualClock())
    for n in range(3):
        files.put("", f"{n}.x12", BODY, "1")
        server.restart()
        assert files.read("", f"{n}.x12") == BODY
        server.restart()
        files.move("", f"{n}.x12", "archive")
        server.restart()
        assert len(files.list("archive")) == n + 1


def test_a_read_reconnects_once_and_not_for_ever(awkward: AwkwardSftp) -> None:
    files, awkward.mood.drop_at_listing = joined(awkward), True
    assert files.refused_names("in") == []
    awkward.mood.seen.clear()
    awkward.mood.times = 1
    assert files.list("in") == [] and awkward.mood.seen["list"] == 2
    awkward.mood.seen.clear()
    awkward.mood.times = 99
    with pytest.raises(NotNow):
        files.list("in")
    assert awkward.mood.seen["list"] == 2


def test_a_server_that_falls_silent_is_given_up_in_time(awkward: AwkwardSftp) -> None:
    files, awkward.mood.silent_at_listing, clock = joined(awkward, timeout_seconds=0.5), True, SystemClock()
    before, awkward.mood.times = clock.now(), 2
    with pytest.raises(NotNow, match="stood still"):
        files.list("in")
    assert (clock.now() - before).total_seconds() < 5
    assert files.list("in") == []


def test_a_lost_answer_to_a_move_is_found_out_and_not_repeated_blindly(awkward: AwkwardSftp) -> None:
    files = joined(awkward)
    for n, mood in enumerate(("drop_before_rename", "drop_after_rename")):
        (awkward.root / f"in/{n}.edi").write_bytes(BODY)
        setattr(awkward.mood, mood, True)
        awkward.mood.times = 1
        files.move("in", f"{n}.edi", "archive")
        setattr(awkward.mood, mood, False)
    assert sorted(os.listdir(awkward.root / "archive")) == ["0.edi", "1.edi"] and os.listdir(awkward.root / "in") == []
    (awkward.root / "in/2.edi").write_bytes(BODY)
    awkward.mood.drop_before_rename, awkward.mood.times = True, 99
    with pytest.raises(NotNow, match="Moving twice is harmless"):
        files.move("in", "2.edi", "archive")
    awkward.mood.times = 0
    files.move("in", "2.edi", "archive")
    assert os.listdir(awkward.root / "in") == []


# --- servers that cannot, or will not


def test_a_full_disk_there_publishes_nothing_and_keeps_nothing(awkward: AwkwardSftp) -> None:
    files, awkward.mood.full = joined(awkward), True
    with pytest.raises(NotNow, match="disk there is full.*Nothing was published"):
        files.put("out", "a.x12", BODY, "1")
    assert os.listdir(awkward.root / "out") == []
    awkward.mood.full = False
    files.put("out", "a.x12", BODY, "1")
    assert os.listdir(awkward.root / "out") == ["a.x12"]


def test_a_server_that_says_yes_and_loses_bytes_is_found_out_before_anything_is_published(awkward: AwkwardSftp) -> None:
    files, awkward.mood.forgets_bytes = joined(awkward), True
    with pytest.raises(NotNow, match=rf"{len(BODY) - 1} bytes arrived of {len(BODY)}"):
        files.put("out", "a.x12", BODY, "1")
    assert os.listdir(awkward.root / "out") == []


def test_a_server_that_has_only_the_replacing_rename_is_used_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with awkward_sftp(tmp_path) as awkward:
        awkward.mood.plain_rename, awkward.mood.posix_rename = False, True
        files = joined(awkward)
        files.put("out", "a.x12", BODY, "1")
        with pytest.raises(Refused):
            files.put("out", "a.x12", b"other", "1")
        assert awkward.mood.seen["posix_rename"] == 1 and (tmp_path / "out/a.x12").read_bytes() == BODY


def test_a_server_that_cannot_rename_at_all_gets_nothing_published(awkward: AwkwardSftp) -> None:
    files, awkward.mood.plain_rename = joined(awkward), False
    with pytest.raises(NotAllowed, match="status 8"):
        files.put("out", "a.x12", BODY, "1")
    assert os.listdir(awkward.root / "out") == []


@pytest.mark.parametrize(("size", "error"), [(1 << 40, BadDocument), (3, NotNow), (len(BODY) + 5, NotNow)])
def test_a_server_that_lies_about_a_size_does_not_get_a_cut_file_taken_in(awkward: AwkwardSftp, size: int, error: type[WharfingerError]) -> None:
    (awkward.root / "in/a.edi").write_bytes(BODY)
    files, awkward.mood.lies_about_size = joined(awkward), size
    with pytest.raises(error):
        files.read("in", "a.edi")


def test_names_that_no_disk_here_could_hold_are_refused_and_the_good_one_still_comes(awkward: AwkwardSftp) -> None:
    awkward.mood.extra_names = ["../../etc/passwd", "a\0.edi", "x" * 4096, "x" * 4095 + "y", b"\xff\xfe.edi", b"\x80" * 4096,
                                "945\u202e.edi", "", "/etc/x"]
    (awkward.root / "in/good.edi").write_bytes(BODY)
    files = joined(awkward)
    for _ in range(2):
        assert [file.name for file in files.settled("in")] == ["good.edi"]
        refused = files.refused_names("in")
        assert len(set(refused)) == len(awkward.mood.extra_names)
        assert all(name.isascii() and name.isprintable() and len(name) < 170 for name in refused)


def test_a_listing_without_end_ends(awkward: AwkwardSftp) -> None:
    files, awkward.mood.endless_listing = joined(awkward), True
    assert files.list("in") == []
    awkward.mood.endless_listing, awkward.mood.extra_names = False, [f"{n}.edi" for n in range(12_000)]
    assert len(files.list("in")) == 10_000


def test_a_kind_of_entry_that_the_server_keeps_to_itself_is_reported_and_not_read(awkward: AwkwardSftp) -> None:
    """Attributes are optional in SFTP 3. What may be a folder or a link is not offered; it is not lost without a word either."""
    (awkward.root / "in/a.edi").write_bytes(BODY)
    files, awkward.mood.without_attributes = joined(awkward), True
    assert files.settled("in") == [] and files.refused_names("in") == ["a.edi"]
