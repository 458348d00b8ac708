"""A month after the goods have left nobody's name is anywhere, whatever must stay is named, and everything else still adds up."""

import os
from datetime import timedelta

import duckdb
import pytest

from connectors.ledger.vault import VaultShut
from tasks import analytics
from tasks.retention import PURGED, RETAINED, retain
from tests.journeys.rig import ADA, BOB, CANARIES, WAREHOUSE, Rig

DAY = 86_400
SECRETS = ("vault_key", "vault_item", "access_log")
TOUCHED = {*SECRETS, "journal", "timeline", "hint", "run", "order_book"}


def _a_month_old_world(world, days: int = 31) -> tuple[Rig, dict[str, int]]:
    rig = world(nastiness="strict")
    of = {"shipped": rig.orders(("HEART", 2), to=[ADA]), "two": rig.orders(("MUG", 1), to=[BOB]), "held": rig.orders(("NOSUCH", 1), to=[ADA]),
          "unpaid": rig.orders(("HEART", 1), to=[BOB], status_id=7)}
    rig.arrives("945_bad.edi", b"ISA*Lovelace of Canary Row, Canaryton*canary.ada@example.invalid")
    rig.drains()
    for path in (rig.home / "partner").rglob("*"):  # a file bears the time of this machine, not of the world
        os.utime(path, (rig.clock.now().timestamp(),) * 2)
    rig.passes(days * DAY)
    return rig, of


def _rows(rig: Rig) -> dict[str, list[tuple]]:
    with rig.ledger.transaction() as tx:
        names = [name for (name,) in tx.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1")]
        return {name: [tuple(row) for row in tx.exec_driver_sql(f'SELECT * FROM "{name}"')] for name in names}


def _old(rig: Rig, days: int = 30) -> set[str]:
    """Subjects with a row that is older than the limit."""
    limit = (rig.clock.now() - timedelta(days=days)).replace(tzinfo=None).isoformat(" ")
    return {row[0] for row in _rows(rig)["vault_item"] if row[3] < limit}


def _asked(rig: Rig, sql: str) -> list[tuple]:
    with duckdb.connect(analytics.publish(rig.house), read_only=True) as catalogue:
        return catalogue.execute(sql).fetchall()


def test_after_a_month_only_what_is_named_is_left_in_the_vault_and_it_can_be_proved(world) -> None:
    rig, of = _a_month_old_world(world)
    with rig.ledger.transaction() as tx:
        head = rig.ledger.vault.log_head(tx)
    done = retain(rig.house)
    named = {(kept["connection"], kept["order"]): kept for kept in done.kept}
    assert set(named) == {("bigcommerce-uk", str(of["held"])), (f"partner/{WAREHOUSE}", "")}
    assert "sku_unknown is open" in named["bigcommerce-uk", str(of["held"])]["why"] and named["bigcommerce-uk", str(of["held"])]["due since"]
    assert _old(rig) == {"/".join(key).rstrip("/") for key in named}
    with rig.ledger.transaction() as tx:
        for name in ("shipped", "two", "unpaid"):
            with pytest.raises(VaultShut, match="on purpose"):
                rig.ledger.vault.open(tx, f"bigcommerce-uk/{of[name]}", "recipient:1", "test", "look")
    with rig.ledger.transaction() as tx:
        proofs, runs = rig.ledger.journal.of(tx, PURGED), rig.ledger.journal.of(tx, RETAINED)
        assert sum(proof.detail.get("orders", 0) for proof in proofs) == 3 and [run.detail["kept"] for run in runs] == [2]
        assert rig.ledger.vault.check_log(tx, head) == [] == rig.ledger.vault.check_log(tx, runs[0].detail["access_log_head"])
    assert not [word for word in CANARIES if word.casefold() in str([(row.actor, row.what, row.detail) for row in (*proofs, *runs)]).casefold()]


def test_no_name_is_left_in_any_file_but_the_partner_s_own(world) -> None:
    rig, _ = _a_month_old_world(world)
    archive = rig.home / "partner" / rig.site_profile.archive
    assert any(archive.iterdir())
    analytics.publish(rig.house)
    retain(rig.house)
    assert not any(archive.iterdir())
    for path in rig.home.rglob("*"):
        if path.is_file() and not path.is_relative_to(rig.home / "partner"):
            assert not [word for word in CANARIES if word.encode() in path.read_bytes()], path.name


def test_what_is_sealed_is_overwritten_in_the_ledger_s_file(world) -> None:
    """SQLite would leave the bytes in free pages and in its journal; a later theft of the key would open them."""
    rig, of = _a_month_old_world(world)
    rig.ledger.database.checkpoint()
    sealed = [row[2] for row in _rows(rig)["vault_item"] if row[0] == f"bigcommerce-uk/{of['shipped']}"]
    before = b"".join((rig.home / name).read_bytes() for name in ("ledger.db", "ledger.db-wal"))
    assert sealed and all(one[:64] in before for one in sealed)
    retain(rig.house)
    left = b"".join((rig.home / name).read_bytes() for name in ("ledger.db", "ledger.db-wal") if (rig.home / name).exists())
    assert not any(one[:64] in left for one in sealed)


def test_everything_but_the_personal_data_is_as_it_was(world) -> None:
    rig, of = _a_month_old_world(world)
    looked = "SELECT * EXCLUDE (due_at) FROM order_status ORDER BY ALL"
    before, books, rows = _asked(rig, looked), rig.outcome(), _rows(rig)
    retain(rig.house)
    assert _asked(rig, looked) == before and rig.outcome() == books and rig.violations(apart=(of["unpaid"],)) == []
    after = _rows(rig)
    assert {name for name in rows if rows[name] != after[name]} <= TOUCHED
    assert [row for row in after["access_log"]] == rows["access_log"]


def test_a_second_run_finds_nothing_and_a_day_later_neither(world) -> None:
    rig, _ = _a_month_old_world(world)
    first = retain(rig.house)
    for _ in range(2):
        again = retain(rig.house)
        assert not +again.counts and [kept["order"] for kept in again.kept] == [kept["order"] for kept in first.kept]
        rig.passes(DAY)


def test_a_dry_run_says_what_a_run_does_and_changes_nothing(world) -> None:
    rig, _ = _a_month_old_world(world)
    before, files = _rows(rig), sorted(rig.home.rglob("*"))
    said = retain(rig.house, dry_run=True)
    assert _rows(rig) == before and sorted(rig.home.rglob("*")) == files
    done = retain(rig.house)
    assert said.counts == done.counts and said.kept == done.kept and done.counts["orders"] == 3


def test_before_its_time_nothing_is_destroyed_and_what_is_settled_late_goes_then(world) -> None:
    rig, of = _a_month_old_world(world, days=29)
    assert not +retain(rig.house).counts
    rig.passes(2 * DAY)
    retain(rig.house)
    [held] = rig.on_desk("sku_unknown")
    with rig.ledger.transaction() as tx:
        rig.ledger.exceptions.resolve(tx, held.exception_id, "test", "sold out for good")
    assert retain(rig.house).counts["orders"] == 1
    assert not [subject for subject in _old(rig) if subject.startswith("bigcommerce-uk/")], of


def test_an_effect_that_is_not_settled_keeps_its_order(world) -> None:
    rig, of = _a_month_old_world(world)
    for state in ("PLANNED", "IN_FLIGHT", "UNKNOWN", "BLOCKED"):
        _set_effect(rig, of["shipped"], state)
        [kept] = [kept for kept in retain(rig.house).kept if kept["order"] == str(of["shipped"])]
        assert f"is {state}" in kept["why"] and kept["due since"]
        assert f"bigcommerce-uk/{of['shipped']}" in _old(rig) and f"bigcommerce-uk/{of['two']}" not in _old(rig)


def _set_effect(rig: Rig, order: int, state: str) -> None:
    with rig.ledger.transaction() as tx:
        for (trigger,) in tx.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'effect'").fetchall():
            tx.exec_driver_sql(f"DROP TRIGGER {trigger}")
        tx.exec_driver_sql("UPDATE effect SET state = ? WHERE record = ? AND kind = 'dispatch_confirmation'", (state, str(order)))


def test_an_order_that_changes_after_it_was_purged_is_sealed_anew_and_goes_with_the_next_run(world) -> None:
    rig, of = _a_month_old_world(world)
    retain(rig.house)
    before = rig.outcome()
    rig.shop.edit_order(of["shipped"], customer_message="Lovelace rang")
    rig.drains()
    assert f"bigcommerce-uk/{of['shipped']}" in {row[0] for row in _rows(rig)["vault_item"]} and rig.outcome() == before
    retain(rig.house)
    assert f"bigcommerce-uk/{of['shipped']}" not in {row[0] for row in _rows(rig)["vault_item"]}

