"""Personal data in the vault: nowhere else, for nobody without the key, and no look goes unnoticed."""

import base64
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from connectors.kit.errors import BadConfiguration
from connectors.ledger.tables import access_log, vault_item, vault_key
from connectors.ledger.vault import Vault, VaultShut, new_master_key
from tests.ledger.rigs import KEY, OTHER_KEY, Rig

CANARY = "Zzyzx Quillfeather, 7 Canary Row"
SUBJECT, NAME = "bc-uk/1001", "recipient:7"


@pytest.fixture
def rig(shared: Rig) -> Rig:
    """SQLite in a file, and PostgreSQL: these tables do not care whether SQLite is in memory."""
    return shared


def _seal(rig: Rig, subject: str = SUBJECT, name: str = NAME, text: str = CANARY) -> None:
    with rig.ledger.transaction() as tx:
        rig.ledger.vault.seal(tx, subject, name, text.encode())


def _open(rig: Rig, subject: str = SUBJECT, name: str = NAME, actor: str = "run-1", why: str = "fulfilment_request to gxo-uk") -> str | None:
    with rig.ledger.transaction() as tx:
        content = rig.ledger.vault.open(tx, subject, name, actor, why)
    return None if content is None else content.decode()


def _shred(rig: Rig, subject: str = SUBJECT) -> bool:
    with rig.ledger.transaction() as tx:
        return rig.ledger.vault.shred(tx, subject)


def _change(rig: Rig, statement: sa.Update | sa.Delete) -> None:
    with rig.ledger.transaction() as tx:
        assert tx.execute(statement).rowcount == 1


def test_what_is_sealed_opens_again_and_a_second_sealing_replaces_it(rig: Rig) -> None:
    _seal(rig), _seal(rig, name="n" * 900, text="long"), _seal(rig, name="n" * 901, text="longer")
    assert _open(rig) == CANARY and _open(rig, name="n" * 900) == "long" and _open(rig, name="n" * 901) == "longer"
    _seal(rig, text="moved house")
    assert _open(rig) == "moved house"
    with rig.ledger.transaction() as tx:
        rig.ledger.vault.seal_fields(tx, SUBJECT, "fields", {"name": "Zoë", "phone": ""})
        assert rig.ledger.vault.open_fields(tx, SUBJECT, "fields", "a", "w") == {"name": "Zoë", "phone": ""}
        assert rig.ledger.vault.open_fields(tx, SUBJECT, "none", "a", "w") is None


def test_what_was_never_sealed_is_none_and_leaves_no_line(rig: Rig) -> None:
    assert _open(rig) is None and rig.rows("access_log") == []


def test_a_canary_is_nowhere_in_the_files_of_the_database(in_file: Rig) -> None:
    _seal(in_file)
    assert _open(in_file) == CANARY
    in_file.plan("1", payload={"seen": "marker-in-the-clear"})
    master = base64.urlsafe_b64decode(KEY.get_secret_value())
    files = sorted(in_file.file.parent.iterdir())
    together = b"".join(file.read_bytes() for file in files)
    assert {file.name for file in files} >= {"ledger.db", "ledger.db-wal"} and b"marker-in-the-clear" in together, "we looked at the right files"
    assert CANARY.encode() not in together and b"Quillfeather" not in together
    assert master not in together and KEY.get_secret_value().encode() not in together, "and the key is not beside the lock"


def test_neither_canary_nor_key_is_in_any_row(rig: Rig) -> None:
    _seal(rig), _open(rig)
    everything = repr(rig.everything()).encode("latin-1", "backslashreplace")
    assert b"run-1" in everything and b"Quillfeather" not in everything and KEY.get_secret_value().encode() not in everything
    assert repr(base64.urlsafe_b64decode(KEY.get_secret_value()))[2:-1].encode() not in everything


def test_another_master_key_opens_nothing_and_seals_nothing_beside_what_is_there(rig: Rig) -> None:
    """A new order sealed with a mistyped key would have been unreadable for whoever came back with the right one."""
    _seal(rig)
    rig.ledger.vault = Vault(rig.ledger.database, rig.clock, OTHER_KEY)
    for attempt in (lambda: _open(rig), lambda: _seal(rig), lambda: _seal(rig, subject="bc-uk/1002")):
        with pytest.raises(VaultShut, match="the master key does not fit"):
            attempt()
    assert len(rig.rows("vault_key")) == 1
    rig.ledger.vault = Vault(rig.ledger.database, rig.clock, KEY)
    assert _open(rig) == CANARY


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1:]


@pytest.mark.parametrize("place", [0, 11, 12, -17, -1])
@pytest.mark.parametrize(("table", "column"), [(vault_item, "sealed"), (vault_key, "wrapped")], ids=["item", "key"])
def test_one_flipped_bit_shuts_the_vault(rig: Rig, table: sa.Table, column: str, place: int) -> None:
    _seal(rig)
    whole = getattr(rig.rows(table.name)[0], column)
    place %= len(whole)
    _change(rig, sa.update(table).values({column: _flipped(whole, place)}))
    with pytest.raises(VaultShut) as shut:
        _open(rig)
    assert CANARY not in str(shut.value)


@pytest.mark.parametrize("cut", [0, 5, 12, 27])
def test_a_record_that_was_cut_off_shuts_the_vault(rig: Rig, cut: int) -> None:
    _seal(rig)
    _change(rig, sa.update(vault_item).values(sealed=rig.rows("vault_item")[0].sealed[:cut]))
    with pytest.raises(VaultShut):
        _open(rig)


def test_a_record_moved_to_another_name_or_subject_shuts_the_vault(rig: Rig) -> None:
    _seal(rig), _seal(rig, name="recipient:8", text="eight"), _seal(rig, subject="bc-uk/1002", text="another order")
    mine = next(row for row in rig.rows("vault_item") if (row.subject, row.name) == (SUBJECT, NAME))
    for subject, name in ((SUBJECT, "recipient:8"), ("bc-uk/1002", NAME)):
        _change(rig, sa.update(vault_item).where(vault_item.c.subject == subject, vault_item.c.name == name).values(sealed=mine.sealed))
        with pytest.raises(VaultShut, match="seal is broken"):
            _open(rig, subject, name)
    key = next(row for row in rig.rows("vault_key") if row.subject == SUBJECT)
    _change(rig, sa.update(vault_key).where(vault_key.c.subject == "bc-uk/1002").values(wrapped=key.wrapped))
    with pytest.raises(VaultShut):
        _open(rig, "bc-uk/1002")


def test_what_was_shredded_is_shut_for_ever_and_only_that(rig: Rig) -> None:
    _seal(rig), _seal(rig, name="recipient:8"), _seal(rig, subject="bc-uk/1002")
    assert (_shred(rig), _shred(rig), _shred(rig, "nobody")) == (True, False, False)
    for name in (NAME, "recipient:8", "never there"):
        with pytest.raises(VaultShut, match="destroyed"):
            _open(rig, name=name)
    assert _open(rig, "bc-uk/1002") == CANARY
    assert [row.subject for row in rig.rows("vault_item")] == ["bc-uk/1002"]


def test_a_copied_record_of_a_shredded_subject_cannot_be_put_back(rig: Rig) -> None:
    _seal(rig)
    item = rig.rows("vault_item")[0]
    _shred(rig)
    with rig.ledger.transaction() as tx:
        tx.execute(sa.insert(vault_item).values(**item._mapping))
    with pytest.raises(VaultShut, match="destroyed"):
        _open(rig)


def test_a_shredded_subject_may_be_sealed_anew_with_a_new_key(rig: Rig) -> None:
    _seal(rig)
    old = rig.rows("vault_key")[0].wrapped
    _shred(rig)
    _seal(rig, text="ordered again")
    assert _open(rig) == "ordered again" and rig.rows("vault_key")[0].wrapped != old


def test_what_was_shredded_is_overwritten_in_the_files(in_file: Rig) -> None:
    """SQLite only forgets where deleted bytes are: key and record of a shredded order could be read from the file with the master key."""
    for n in range(40):
        _seal(in_file, subject=f"bc-uk/{n}", text=CANARY * 20)
    gone = [next(row.sealed for row in in_file.rows("vault_item") if row.subject == "bc-uk/7"),
            next(row.wrapped for row in in_file.rows("vault_key") if row.subject == "bc-uk/7")]
    in_file.ledger.database.checkpoint()
    assert all(secret in in_file.file.read_bytes() for secret in gone), "we look for the right bytes"
    _shred(in_file, "bc-uk/7")
    in_file.ledger.database.checkpoint()
    left = b"".join(file.read_bytes() for file in in_file.file.parent.iterdir())
    assert not any(part in left for secret in gone for part in (secret, secret[:16], secret[-32:]))


def test_every_look_is_written_down_with_who_and_why(rig: Rig) -> None:
    _seal(rig), _open(rig, actor="ada", why="customer rang"), rig.clock.sleep(5), _open(rig, actor="odd \x00 name")
    lines = sorted(rig.rows("access_log"), key=lambda line: line.sequence)
    assert [(line.subject, line.actor, line.why) for line in lines][0] == (SUBJECT, "ada", "customer rang") and len(lines) == 2
    assert _broken(rig) == []


def _broken(rig: Rig, head: str = "") -> list[int]:
    with rig.ledger.transaction() as tx:
        return rig.ledger.vault.check_log(tx, head)


def _head(rig: Rig) -> str:
    with rig.ledger.transaction() as tx:
        return rig.ledger.vault.log_head(tx)


def _five_looks(rig: Rig) -> list[int]:
    _seal(rig)
    for n in range(5):
        _open(rig, actor=f"ada {n}")
        rig.clock.sleep(1)
    assert _broken(rig) == []
    return sorted(line.sequence for line in rig.rows("access_log"))


def _swap(rig: Rig, first: int, second: int) -> None:
    for old, new in ((first, -1), (second, first), (-1, second)):
        _change(rig, sa.update(access_log).where(access_log.c.sequence == old).values(sequence=new))


TAMPERINGS: dict[str, Callable[[Rig, list[int]], None]] = {
    "a name is altered": lambda rig, lines: _change(rig, sa.update(access_log).where(access_log.c.sequence == lines[2]).values(actor="nobody")),
    "a reason is altered": lambda rig, lines: _change(rig, sa.update(access_log).where(access_log.c.sequence == lines[0]).values(why="")),
    "a time is altered": lambda rig, lines: _change(rig, sa.update(access_log).where(access_log.c.sequence == lines[4]).values(at=rig.clock.now())),
    "the first line is deleted": lambda rig, lines: _change(rig, sa.delete(access_log).where(access_log.c.sequence == lines[0])),
    "a line is deleted": lambda rig, lines: _change(rig, sa.delete(access_log).where(access_log.c.sequence == lines[3])),
    "two lines change places": lambda rig, lines: _swap(rig, lines[1], lines[2]),
    "text moves between columns": lambda rig, lines: _change(rig, sa.update(access_log).where(access_log.c.sequence == lines[1]).values(
        subject=SUBJECT + "\x1f" + "ada 1", actor="")),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_tampered_access_log_is_found_out(rig: Rig, tampering: str) -> None:
    TAMPERINGS[tampering](rig, _five_looks(rig))
    assert _broken(rig) != []


def test_a_log_rewritten_by_somebody_without_the_key_is_found_out(rig: Rig) -> None:
    """The hashes were plain SHA-256: whoever could alter a line could compute them all anew."""
    lines = _five_looks(rig)
    forger = Vault(rig.ledger.database, rig.clock, OTHER_KEY)
    with rig.ledger.transaction() as tx:
        tx.execute(sa.delete(access_log).where(access_log.c.sequence >= lines[1]))
        forger._log(tx, SUBJECT, "nobody", "nothing to see")
    assert _broken(rig) != []


def test_an_end_cut_off_the_log_is_found_out_by_a_head_that_was_noted_elsewhere(rig: Rig) -> None:
    lines = _five_looks(rig)
    head = _head(rig)
    _open(rig)
    assert _broken(rig, head) == []
    with rig.ledger.transaction() as tx:
        tx.execute(sa.delete(access_log).where(access_log.c.sequence >= lines[4]))
    assert _broken(rig) == [] and _broken(rig, head) == [0]


def test_a_fingerprint_is_equal_for_equal_fields_and_useless_without_the_key(rig: Rig) -> None:
    mine, theirs = rig.ledger.vault, Vault(rig.ledger.database, rig.clock, OTHER_KEY)
    assert mine.fingerprint({"name": "Zoë", "city": "Bath"}) == mine.fingerprint({"city": "Bath", "name": "Zoë"})
    assert mine.fingerprint({"name": "Zoë"}) != mine.fingerprint({"name": "Zoe"}) and len(mine.fingerprint({})) == 64
    assert mine.fingerprint({"name": "Zoë"}) != theirs.fingerprint({"name": "Zoë"})


@pytest.mark.parametrize("bad", ["", "short", "é" * 44, "AAAA" * 4, "AAAA" * 8, new_master_key() + "AAAA", new_master_key().replace("=", "")[:-3] + "!!!="],
                         ids=["none", "short", "not ascii", "12 bytes", "24 bytes", "35 bytes", "not base64"])
def test_a_master_key_that_is_not_32_bytes_is_refused_and_not_repeated(rig: Rig, bad: str) -> None:
    """16 and 24 bytes were taken for AES-128 and AES-192, and characters that are not base64 were dropped in silence."""
    with pytest.raises(BadConfiguration, match="not 32 bytes") as refused:
        Vault(rig.ledger.database, rig.clock, SecretStr(bad))
    assert not bad or bad not in str(refused.value)


def test_a_new_master_key_is_always_another() -> None:
    keys = {new_master_key() for _ in range(20)}
    assert len(keys) == 20 and all(len(base64.urlsafe_b64decode(key)) == 32 for key in keys)
