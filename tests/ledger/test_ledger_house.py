"""The house and its profile: a wrong key is named, a secret never shown."""

import threading
from pathlib import Path

import httpx
import pytest

from connectors.house import House, read_profile
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadConfiguration
from connectors.ledger.vault import new_master_key

SECRET = "hunter2-do-not-print"
GOOD = """
home = "{home}"
[vault]
key = "env:WF_TEST_KEY"
[connections.quay-uk]
system = "_template"
base_url = "https://quayside.example"
token = "env:WF_TEST_TOKEN"
"""


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a profile and reads it."""
    monkeypatch.delenv("WHARFINGER_HOME", raising=False)
    monkeypatch.setenv("WF_TEST_KEY", new_master_key())
    monkeypatch.setenv("WF_TEST_TOKEN", SECRET)

    def write(text: str = GOOD, *changes: tuple[str, str]):
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "house.toml").write_text(text.replace("{home}", str(tmp_path / "home"), 1))
        return read_profile(tmp_path / "house.toml")

    return write


@pytest.fixture
def house(profile):
    """Opens houses, and closes them."""
    opened = []

    def build(*changes: tuple[str, str]) -> House:
        opened.append(House(profile(GOOD, *changes), ManualClock(), {"quay-uk": httpx.MockTransport(lambda request: httpx.Response(500))}))
        return opened[-1]

    yield build
    for one in opened:
        one.close()


WRONG = {
    "a key that is not ours": ("[vault]", "[vault]\ncolour = 1", "vault.colour"),
    "a key at the top": ("home =", "homes = 1\nhome =", "homes"),
    "a table that is not ours": ("[vault]", "[legder]\nurl = 'x'\n[vault]", "legder"),
    "no vault": ('[vault]\nkey = "env:WF_TEST_KEY"', "", "vault"),
    "a lease of no length": ("[vault]", "[ledger]\nlease_seconds = 0\n[vault]", "ledger.lease_seconds"),
    "a cut-off that is no time": ("[vault]", "cut_off = 'noon'\n[vault]", "cut_off"),
    "a prefix that is too long": ("base_url", "reference_prefix = 'TOOLONG'\nbase_url", "connections.quay-uk.reference_prefix"),
    "a system that does not exist": ('system = "_template"', 'system = "gox"', "connections.quay-uk.system: Value error, there is no system 'gox'"),
    "a part of ours for a system": ('system = "_template"', 'system = "kit"', "there is no system 'kit'"),
    "a path for a system": ('system = "_template"', 'system = "../evil"', "connections.quay-uk.system"),
    "a name that ids are made of": ("[connections.quay-uk]", "[connections.'quay:uk/1']", "connections.quay:uk/1"),
    "a URL that is none": ("[vault]", "[ledger]\nurl = 'nonsense'\n[vault]", "ledger.url: Value error, it is not a database URL"),
    "a secret that the environment has not": ("env:WF_TEST_KEY", "env:WF_NO_SUCH", "vault.key: Value error, the environment has no WF_NO_SUCH"),
    "a secret file that is not there": ("env:WF_TEST_KEY", "file:/nowhere/key", "vault.key: Value error, cannot read /nowhere/key: No such file"),
    "no connection's system": ('system = "_template"\n', "", "connections.quay-uk.system"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_key_is_refused_with_its_name(profile, case: str) -> None:
    old, new, named = WRONG[case]
    with pytest.raises(BadConfiguration) as refused:
        profile(GOOD, (old, new))
    assert named in str(refused.value) and "house.toml" in str(refused.value)


@pytest.mark.parametrize(("old", "new", "named"), [
    ('key = "env:WF_TEST_KEY"', f'key = "{SECRET}"', "vault.key"),
    ('key = "env:WF_TEST_KEY"', f'key = ["{SECRET}"]', "vault.key"),
    ('key = "env:WF_TEST_KEY"', f'key = "env:WF_TEST_KEY"\npassword = "{SECRET}"', "vault.password"),
    ("[vault]", f'[ledger]\nurl = "postgresql://wf:{SECRET}@db/ledger"\n[vault]', "ledger.url"),
    ("[vault]", f'[ledger]\nurl = "postgresql://db/ledger?password={SECRET}"\n[vault]', "ledger.url"),
    ("[vault]", f'[ledger]\nurl = "{SECRET}"\n[vault]', "ledger.url"),
    ("[vault]", f'[ledger]\npassword = "{SECRET}"\n[vault]', "ledger.password"),
    ('"env:WF_TEST_KEY"', f'"env:WF_TEST_KEY" {SECRET}', "not TOML"),
], ids=["a secret itself", "a list", "an unknown key", "a URL", "a URL's query", "no URL", "a password", "broken TOML"])
def test_a_secret_in_the_wrong_place_is_named_by_its_key_and_never_shown(profile, old: str, new: str, named: str) -> None:
    with pytest.raises(BadConfiguration) as refused:
        profile(GOOD, (old, new))
    assert named in str(refused.value) and SECRET not in str(refused.value) and SECRET not in repr(refused.value.__cause__)


def test_a_profile_shows_no_secret(profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WF_TEST_KEY", SECRET)
    read = profile(GOOD, ("[vault]", '[ledger]\nurl = "postgresql://wf@db:5433/ledger"\npassword = "env:WF_TEST_TOKEN"\n[vault]'))
    assert SECRET not in repr(read) and SECRET not in str(read.model_dump()) and SECRET not in read.model_dump_json()
    assert read.ledger.full_url == f"postgresql://wf:{SECRET}@db:5433/ledger"


def test_broken_toml_is_refused_with_its_line(profile) -> None:
    with pytest.raises(BadConfiguration, match=r"house.toml.*not TOML.*line 3"):
        profile("home = '/x'\n[vault]\nkey = \n")


def test_a_profile_that_cannot_be_read_is_refused(profile, tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="absent.toml: No such file"):
        read_profile(tmp_path / "absent.toml")
    with pytest.raises(BadConfiguration, match="Is a directory"):
        read_profile(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"home = '\xe9'")
    with pytest.raises(BadConfiguration, match="not UTF-8"):
        read_profile(tmp_path / "latin.toml")


def test_home_stands_for_the_homes_folder_and_the_environment_may_move_it(profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GOOD.replace("[vault]", '[ledger]\nurl = "sqlite:///{home}/books/l.db"\n[vault]')
    text = text.replace('home = "{home}"', f'home = "{tmp_path}/one"')
    (tmp_path / "p.toml").write_text(text)
    assert read_profile(tmp_path / "p.toml").ledger.url == f"sqlite:///{tmp_path}/one/books/l.db"
    monkeypatch.setenv("WHARFINGER_HOME", str(tmp_path / "two"))
    assert read_profile(tmp_path / "p.toml").home == tmp_path / "two" and "/two/books" in read_profile(tmp_path / "p.toml").ledger.url


def test_a_connection_is_opened_once_and_by_its_side(house) -> None:
    one = house()
    assert one.warehouse("quay-uk") is one.warehouse("quay-uk") and one.warehouse("quay-uk").name == "quay-uk"
    assert (one.names("warehouse"), one.names("storefront")) == (["quay-uk"], [])


def test_a_warehouse_that_is_open_is_still_no_storefront(house) -> None:
    """Opened connections were kept by name alone: asked for on the other side, the warehouse was handed out as a storefront."""
    one = house()
    one.warehouse("quay-uk")
    with pytest.raises(BadConfiguration, match="no system '_template' that is a storefront"):
        one.storefront("quay-uk")


def test_an_unknown_connection_is_refused_and_the_known_are_named(house) -> None:
    with pytest.raises(BadConfiguration, match="'quai-uk'.*only: quay-uk"):
        house().warehouse("quai-uk")


@pytest.mark.parametrize(("change", "named"), [
    (("base_url", "base_uri"), "base_url"), (('token = "env:WF_TEST_TOKEN"', ""), "token"), (('"env:WF_TEST_TOKEN"', f'"{SECRET}"'), "token"),
    (('"env:WF_TEST_TOKEN"', '"env:WF_NO_SUCH"'), "the environment has no WF_NO_SUCH"), (("base_url", "page_size = 0\nbase_url"), "page_size")])
def test_a_connections_wrong_key_is_refused_with_its_name_when_it_is_opened(house, change: tuple[str, str], named: str) -> None:
    with pytest.raises(BadConfiguration) as refused:
        house(change).warehouse("quay-uk")
    assert named in str(refused.value) and "'quay-uk'" in str(refused.value) and SECRET not in str(refused.value)


def test_the_ledger_is_made_in_a_home_that_did_not_exist_and_opened_once(house) -> None:
    one = house()
    assert one.ledger is one.ledger and (one.profile.home / "ledger.db").is_file()


def test_threads_open_one_ledger_and_one_connection(house) -> None:
    one, found = house(), []
    threads = [threading.Thread(target=lambda: found.append((id(one.ledger), id(one.warehouse("quay-uk"))))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and len(set(found)) == 1


def test_a_home_that_cannot_be_made_and_a_master_key_that_is_none_are_refused(house, monkeypatch: pytest.MonkeyPatch) -> None:
    one = house()
    one.profile.home.write_text("a file is in the way")
    with pytest.raises(BadConfiguration, match="home .* cannot be made"):
        one.ledger  # noqa: B018
    one.profile.home.unlink()
    monkeypatch.setenv("WF_TEST_KEY", SECRET)
    with pytest.raises(BadConfiguration, match="not 32 bytes") as refused:
        house().ledger  # noqa: B018
    assert SECRET not in str(refused.value)


def test_a_closed_house_may_be_closed_again_and_opens_anew(house) -> None:
    one = house()
    with one.ledger.transaction() as tx:
        one.ledger.timeline.note(tx, "quay-uk", "1", "x", "ada")
    one.warehouse("quay-uk")
    one.close(), one.close()
    with one.ledger.transaction() as tx:
        assert len(one.ledger.timeline.of(tx, "quay-uk", "1")) == 1
