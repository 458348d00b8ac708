"""Stock on its way: announced once, received in one go or in parts, compared line by line, and nothing announced by mistake."""

from pathlib import Path

import pytest

from connectors.kit.errors import BadConfiguration
from deployments.demo_world import UK_FACILITY, WAREHOUSE
from tasks import dispatches, inbound, receipts
from tests.journeys.rig import Rig

CSV = "sku,quantity\nHEART,500\nMUG,24\n"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path)
    made.reads_orders()  # the item master comes with it
    return made


def announce(rig: Rig, reference: str = "ASN-1", csv: str = CSV, **more: object) -> dict[str, object]:
    return receipts.announce(rig.house, WAREHOUSE, UK_FACILITY, reference, "2026-01-20", csv, "ann", **more)


def works(rig: Rig) -> None:
    """The notice goes out, the site reads it, and what it wrote is taken in."""
    rig._delivers(rig.house.warehouse(WAREHOUSE), receipts.RECEIPT_NOTICES)
    rig.warehouse_works()
    inbound.take_in(rig.house, WAREHOUSE)


def differing(rig: Rig) -> list[dict[str, object]]:
    with rig.ledger.transaction() as tx:
        return [row.evidence for row in rig.ledger.exceptions.open_of(tx, "receipt_differs")]


def state(rig: Rig, reference: str = "ASN-1") -> str:
    with rig.ledger.transaction() as tx:
        return rig.ledger.receipts.notice(tx, WAREHOUSE, reference).state


def test_what_is_announced_twice_is_sent_once_and_acknowledged(rig: Rig) -> None:
    assert announce(rig)["is_new"] and not announce(rig)["is_new"]
    works(rig)
    works(rig)
    notices = rig.site.books()["notices"]
    assert {number: (notice["copies"], [line["quantity"] for line in notice["lines"]]) for number, notice in notices.items()} == {"ASN-1": (1, [500, 24])}
    assert rig.ledger.effects.unproven(WAREHOUSE, receipts.RECEIPT_NOTICES) == [], "its 997 came"
    with rig.ledger.transaction() as tx:
        assert rig.ledger.exceptions.open_of(tx, "advice_before_export") == []


def test_a_receipt_that_agrees_opens_nothing(rig: Rig) -> None:
    announce(rig)
    works(rig)
    rig.site.dock.receive_announced("ASN-1")
    works(rig)
    assert (state(rig), differing(rig)) == ("received", [])


def test_a_difference_is_named_line_by_line_and_the_rest_of_the_delivery_settles_it(rig: Rig) -> None:
    announce(rig)
    works(rig)
    rig.site.dock.receive_announced("ASN-1", {"HEART": -5, "TRAY": 2})
    works(rig)
    [found] = differing(rig)
    assert [(one["sku"], one["announced"], one["received"]) for one in found["differences"]] == [("HEART", 500, 495), ("TRAY", 0, 2)]
    assert state(rig) == "differs"
    rig.site.receive(UK_FACILITY, [("HEART", 5)], "ASN-1")
    works(rig)
    assert [(one["sku"], one["received"]) for one in differing(rig)[0]["differences"]] == [("TRAY", 2)]
    rig.site.receive(UK_FACILITY, [("MUG", 1)], "NOT-OURS")
    works(rig)
    assert len(differing(rig)) == 1, "a receipt that nobody announced is stock, and no difference"


def test_the_same_receipt_file_twice_counts_once(rig: Rig) -> None:
    announce(rig)
    works(rig)
    rig.site.faults.add("F24", on="WRITE 944*", times=1)
    rig.site.dock.receive_announced("ASN-1")
    works(rig)
    works(rig)
    assert (state(rig), differing(rig)) == ("received", [])


def test_goods_that_were_quicker_than_the_person_are_compared_when_he_announces_them(rig: Rig) -> None:
    rig.site.receive(UK_FACILITY, [("HEART", 499), ("MUG", 24)], "ASN-1")
    works(rig)
    assert differing(rig) == []
    announce(rig)
    assert [one["received"] for one in differing(rig)[0]["differences"]] == [499]


def test_a_notice_that_the_site_refuses_is_on_a_desk(rig: Rig) -> None:
    announce(rig)
    works(rig)
    with rig.ledger.transaction() as tx:  # as after a restored backup: it is sent under a new number
        row = rig.ledger.effects.get(tx, f"receipt_notice:{WAREHOUSE}:ASN-1")
        dispatches.enter_acknowledgements(rig.house, tx, WAREHOUSE, _refusal(row.number))
    with rig.ledger.transaction() as tx:
        assert rig.ledger.exceptions.open_of(tx, "rejected_by_warehouse", WAREHOUSE) == [], "its first answer stands"
    announce(rig, "ASN-2")
    rig._delivers(rig.house.warehouse(WAREHOUSE), receipts.RECEIPT_NOTICES)
    with rig.ledger.transaction() as tx:
        row = rig.ledger.effects.get(tx, f"receipt_notice:{WAREHOUSE}:ASN-2")
        dispatches.enter_acknowledgements(rig.house, tx, WAREHOUSE, _refusal(row.number))
        assert [one.record for one in rig.ledger.exceptions.open_of(tx, "rejected_by_warehouse", WAREHOUSE)] == ["ASN-2"]


def _refusal(number: int) -> receipts.Message:
    return receipts.Message("k", "acknowledgement", acknowledgements=[{"number": number, "accepted": False, "code": "R", "reason": "announced before"}])


def test_an_unanswered_notice_is_watched_like_a_request(rig: Rig) -> None:
    announce(rig)
    rig._delivers(rig.house.warehouse(WAREHOUSE), receipts.RECEIPT_NOTICES)
    rig.passes(rig.house.warehouse(WAREHOUSE).verify_seconds + 60)
    assert dispatches.watch_acknowledgements(rig.house, WAREHOUSE) == 1
    works(rig)
    with rig.ledger.transaction() as tx:
        assert rig.ledger.exceptions.open_of(tx, "unacknowledged") == [], "the answer settles it"


@pytest.mark.parametrize(("more", "says"), [
    ({"csv": "sku,quantity\nHEARTS,1\n"}, "no active item"), ({"reference": "x" * 23}, "1 to 22 letters"), ({"reference": "A*B"}, "1 to 22 letters"),
    ({"csv": "sku,quantity\nHEART,5\n"}, "another announcement went out under this reference"),
])
def test_what_cannot_be_right_is_refused_whole(rig: Rig, more: dict[str, str], says: str) -> None:
    if "another" in says:
        announce(rig)
    effects = len(rig.ledger.table("effect"))
    with pytest.raises(BadConfiguration, match=says):
        announce(rig, **more)
    assert len(rig.ledger.table("effect")) == effects


def test_a_dry_run_and_a_warehouse_that_takes_no_announcements_send_nothing(rig: Rig, tmp_path: Path) -> None:
    assert announce(rig, dry_run=True)["units"] == 524
    assert not len(rig.ledger.table("receipt_notice"))
    other = Rig(tmp_path / "other", partner={"announces_receipts": False})
    other.reads_orders()
    with pytest.raises(BadConfiguration, match="takes no announcements"):
        announce(other)
