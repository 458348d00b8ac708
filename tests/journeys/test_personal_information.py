"""Names, streets and e-mails are in the vault, sealed, and nowhere else."""

import logging
import traceback

from tasks import analytics, mappings
from tests.journeys.rig import ADA, BOB, CANARIES, QUIET, TOKEN, Rig, tables_for


def _found(text: str) -> list[str]:
    return [canary for canary in (*CANARIES, TOKEN) if canary.casefold() in text.casefold()]


def _a_journey_with_faults(world) -> Rig:
    rig = world(kinds={"packages": 1, "other carrier": 1}, nastiness="strict")
    for number in range(5):
        rig.orders(("HEART", 2), to=[ADA], customer_message="Leave it with Lovelace, 1 Canary Row", staff_notes="Babbage called")
        rig.orders(("NOSUCH" if number == 2 else "MUG", 1), to=[{**BOB, "street_1": ""} if number == 3 else BOB])
    rig.orders(("HEART", 1), to=[{**ADA, "country_iso2": "QQ"}])
    rig.orders(("HEART", 1), to=[{**ADA, "last_name": "Lovelace~*>\u202e" * 30, "zip": "CN1 1CN" * 20}])
    rig.arrives("945_bad.edi", b"ISA*Lovelace of Canary Row, Canaryton*canary.ada@example.invalid")
    for fault in ("F3", "F5", "F6", "F7", "F8", "F2", "F10", "F1"):
        rig.shop.faults.add(fault, chance=0.3, times=4)
    for _ in range(8):
        rig.day()
        rig.passes(QUIET + 61)
    for table in ("ship_methods", "carriers"):
        mappings.change_mapping(rig.house, table, tables_for(mended=True)[table], "operator")
    rig.drains()
    return rig


def test_no_name_street_or_address_is_anywhere_but_in_the_vault(world, caplog):
    caplog.set_level(logging.DEBUG)
    rig = _a_journey_with_faults(world)
    analytics.publish(rig.house)
    assert len(rig.shop.books()["shipments"]) > 5 and len(rig.errors) > 5
    for error in rig.errors:
        assert not _found("".join(traceback.format_exception(error))), type(error)
        assert not _found(repr(error.__reduce__()))
    assert not _found(caplog.text)
    for table in ("exception", "timeline", "effect", "order_book", "request", "inbox", "dispatch_line", "run"):
        assert not _found(rig.ledger.table(table).to_csv()), table
    looked = set()
    for path in rig.home.rglob("*"):
        if path.is_file() and not path.is_relative_to(rig.home / "partner") and path.name != "bigcommerce.token":
            looked.add(path.suffix)
            body = path.read_bytes()
            assert not [canary for canary in (*CANARIES, TOKEN) if canary.encode() in body], path.name
    assert {".db", ".duckdb", ".parquet"} <= looked


def test_what_the_vault_gives_back_is_what_the_customer_wrote(world):
    rig = world()
    order = rig.orders(("HEART", 1))
    rig.drains()
    with rig.ledger.transaction() as tx:
        group = rig.ledger.books.order(tx, "bigcommerce-uk", str(order)).ship_groups[0]["ship_group"]
        person = rig.ledger.vault.open_fields(tx, f"bigcommerce-uk/{order}", f"recipient:{group}", "test", "look")
    assert (person["street_1"], person["city"]) == (ADA["street_1"], ADA["city"])
    sent = next(path.read_bytes() for path in (rig.home / "partner").rglob("940_*") if path.is_file())
    assert b"CANARYTON" in sent.upper()
