"""GXO as a warehouse over a real folder, against its sandbox: files put, found, taken in and filed away, faults included."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from connectors.gxo.sandbox import GxoSandbox
from connectors.gxo.warehouse import Settings, connect
from connectors.gxo.x12 import parse
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument, InDoubt, NotNow, Refused
from connectors.kit.exchange import Exchange
from connectors.kit.files import FilesSettings
from connectors.kit.folder import LocalDisk
from connectors.kit.rehearsal import UnsteadyDisk
from connectors.kit.sandbox import CONNECT_REFUSED, TIMEOUT_AFTER, TIMEOUT_BEFORE
from connectors.ports import (
    ACKNOWLEDGEMENT, FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, RECEIPT_NOTICE, RETURN_NOTICE, Effect, Inbound, Message, Warehouse,
)
from contracts.dispatches import Dispatches
from tests.connectors.x12_kit import PARTNER, profile, recipient, request, take_in

SKUS, FACILITIES = {"SKU-A", "SKU-B"}, {"WH01"}
ITEMS = "sku,description,active,unit,barcode,hs_code,origin,customs_value,customs_currency\n"


@dataclass
class Site:
    """A GXO site, the port to it, and what they share."""

    port: Warehouse
    sandbox: GxoSandbox
    clock: ManualClock
    folder: Path
    sent: int = 0

    def effect(self, reference: str = "UK-100-1", kind: str = FULFILMENT_REQUEST, number: int = 0, **changes: Any) -> Effect:
        """Numbered and frozen, as the ledger hands it out."""
        self.sent = number or self.sent + 1
        effect = Effect(f"{kind}:{reference}", kind, "gxo", reference, request(reference=reference, **changes).model_dump(), number=self.sent,
                        planned_at=self.clock.now(), sent_at=self.clock.now(), recipient=recipient())
        return replace(effect, document=self.port.prepare(effect))

    def order(self, reference: str = "UK-100-1", kind: str = FULFILMENT_REQUEST, **changes: Any) -> Effect:
        effect = self.effect(reference, kind, **changes)
        self.port.send(effect)
        return effect

    def take_in(self) -> list[Message]:
        return take_in(self.port)

    def day(self, hours: float = 8) -> list[Message]:
        """Step and take in until nothing moves."""
        messages: list[Message] = []
        for _ in range(int(hours * 60)):
            self.sandbox.step()
            messages += self.take_in()
            self.clock.sleep(60)
        return messages

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.folder / folder).iterdir())


@pytest.fixture
def open_site(tmp_path: Path) -> Callable[..., Site]:
    def open_it(partner: dict[str, Any] | None = None, **sandbox: Any) -> Site:
        clock, agreed = ManualClock(), profile(**partner or {})
        settings = Settings(partner=agreed, files=FilesSettings(kind="folder", path=str(tmp_path), settle_seconds=0))
        stand_in = GxoSandbox(tmp_path, clock, agreed, SKUS, FACILITIES, **{"kinds": {"complete": 1}} | sandbox)
        return Site(connect("gxo", settings, clock, Exchange(UnsteadyDisk(LocalDisk(tmp_path), stand_in.faults), clock, 0)), stand_in, clock, tmp_path)
    return open_it


def shipped(messages: list[Message]) -> dict[tuple[str, str], int]:
    """Units by (reference, SKU); a package that came twice counts once, as the ledger has it."""
    frames = [m.dispatches for m in messages if m.dispatches is not None]
    rows = pd.concat(frames).drop_duplicates() if frames else Dispatches.frame()
    return rows.groupby(["reference", "sku"])["quantity"].sum().to_dict()


def booked(site: Site) -> dict[tuple[str, str], int]:
    """The same out of the site's own books."""
    return {(reference, line["sku"]): line["shipped"] for reference, copies in site.sandbox.books()["orders"].items() for copy in copies
            for line in copy["lines"].values()}


def test_an_order_is_put_acknowledged_shipped_and_advised(open_site: Callable[..., Site]) -> None:
    site = open_site()
    site.order()
    messages = site.day(1)
    assert [a for m in messages for a in m.acknowledgements] == [{"number": 1, "accepted": True, "code": "A", "reason": ""}]
    assert shipped(messages) == booked(site) == {("UK-100-1", "SKU-A"): 12, ("UK-100-1", "SKU-B"): 3}
    assert site.names("inbound") == site.names("outbound") == []
    assert site.names("archive") == ["940_MERCHANT_GXOWH01_000000001.edi", "945_000000002.edi", "997_000000001.edi"]


def test_what_is_put_bears_its_control_number_and_no_personal_data_in_the_receipt(open_site: Callable[..., Site]) -> None:
    site = open_site()
    effect = site.effect()
    receipt = site.port.send(effect)
    assert (receipt.remote_id, receipt.evidence["file"]) == ("000000001", "940_MERCHANT_GXOWH01_000000001.edi")
    assert parse(effect.document)[0].control == receipt.remote_id
    assert "zcanary" not in str(receipt).lower()


def test_all_kinds_share_one_stream_of_numbers_for_the_account(open_site: Callable[..., Site]) -> None:
    port = open_site().port
    assert len({port.numbers(kind) for kind in port.kinds}) == 1 and port.account == "MERCHANT:GXOWH01:T" and port.account in port.numbers(ACKNOWLEDGEMENT)


@pytest.mark.parametrize(("partner", "kinds"), [
    ({}, {FULFILMENT_REQUEST, FULFILMENT_CHANGE, FULFILMENT_CANCEL, RETURN_NOTICE, RECEIPT_NOTICE, ACKNOWLEDGEMENT}),
    ({"accepts_changes": False, "announces_returns": False}, {FULFILMENT_REQUEST, FULFILMENT_CANCEL, RECEIPT_NOTICE, ACKNOWLEDGEMENT}),
    ({"accepts_changes": False, "accepts_cancels": False, "announces_returns": False, "announces_receipts": False, "wants_acknowledgements": False},
     {FULFILMENT_REQUEST})])
def test_it_carries_out_what_the_partner_follows_and_no_more(open_site: Callable[..., Site], partner: dict[str, Any], kinds: set[str]) -> None:
    port = open_site(partner).port
    assert set(port.kinds) == kinds
    assert (port.follows_changes, port.follows_cancels, port.announces_returns) == tuple(
        kind in kinds for kind in (FULFILMENT_CHANGE, FULFILMENT_CANCEL, RETURN_NOTICE))


@pytest.mark.parametrize("folder", ["inbound", "archive", "error"])
def test_a_file_is_found_wherever_the_partner_has_moved_it(open_site: Callable[..., Site], folder: str) -> None:
    site = open_site()
    effect = site.order()
    if folder != "inbound":
        (site.folder / "inbound" / "940_MERCHANT_GXOWH01_000000001.edi").rename(site.folder / folder / "940_MERCHANT_GXOWH01_000000001.edi")
    found = site.port.find(effect)
    assert found and (found.remote_id, found.evidence["folder"]) == ("000000001", folder)
    assert site.port.find(replace(effect, document=None)).remote_id == "000000001", "asked by one who has not opened the vault"


def test_only_a_temporary_name_or_nothing_at_all_is_surely_absent(open_site: Callable[..., Site]) -> None:
    site = open_site()
    effect = site.effect()
    assert site.port.find(effect) is None
    (site.folder / "inbound" / "940_MERCHANT_GXOWH01_000000001.edi.tmp.1").write_bytes(effect.document)
    assert site.port.find(effect) is None


def test_a_file_that_is_gone_is_in_doubt_when_the_archive_cannot_be_seen(open_site: Callable[..., Site]) -> None:
    site = open_site({"is_partner_archive_listable": False})
    effect = site.order()
    site.sandbox.step()
    with pytest.raises(InDoubt, match="cannot be listed"):
        site.port.find(effect)


def test_a_file_that_is_gone_may_be_sent_again_to_a_partner_that_refuses_repeated_numbers(open_site: Callable[..., Site]) -> None:
    site = open_site({"is_partner_archive_listable": False, "detects_duplicates": True})
    effect = site.order()
    site.sandbox.step()
    assert site.port.find(effect) is None
    site.port.send(effect)
    site.sandbox.step()
    books = site.sandbox.books()
    assert [file["verdict"] for file in books["received"]] == ["", "duplicate control number"]
    assert len(books["orders"]["UK-100-1"]) == 1


def test_other_bytes_under_our_name_are_in_doubt(open_site: Callable[..., Site]) -> None:
    site = open_site()
    effect = site.effect()
    (site.folder / "inbound" / "940_MERCHANT_GXOWH01_000000001.edi").write_bytes(b"something else")
    with pytest.raises(InDoubt, match="holds 14 bytes, and not ours"):
        site.port.find(effect)
    with pytest.raises(Refused):
        site.port.send(effect)


def test_a_partner_that_is_away_says_nothing_about_absence(open_site: Callable[..., Site]) -> None:
    """find() once let 'no connection' through as a definite no; the next send would have been a second order."""
    site = open_site()
    effect = site.order()
    site.sandbox.faults.add(CONNECT_REFUSED, on="ENTRIES *", times=1)
    with pytest.raises(InDoubt, match="inbound cannot be tidied"):
        site.port.find(effect)
    assert site.port.find(effect)


@pytest.mark.parametrize(("fault", "is_there"), [(TIMEOUT_BEFORE, False), (TIMEOUT_AFTER, True)])
def test_a_rename_without_an_answer_is_read_back_and_the_order_made_once(open_site: Callable[..., Site], fault: str, is_there: bool) -> None:
    site = open_site()
    effect = site.effect()
    site.sandbox.faults.add(fault, on="RENAME *", times=1)
    with pytest.raises(InDoubt):
        site.port.send(effect)
    assert bool(site.port.find(effect)) == is_there
    if not is_there:
        site.port.send(replace(effect, attempt=2, fence=2))
    site.sandbox.step()
    assert len(site.sandbox.books()["orders"]["UK-100-1"]) == 1
    assert site.sandbox.books()["controls"] == [1]


# the sandbox

def test_a_lenient_site_makes_a_second_order_of_a_second_n_and_a_strict_one_refuses_it(open_site: Callable[..., Site], tmp_path: Path) -> None:
    for nastiness, copies, verdicts in (("lenient", 2, [True, True]), ("strict", 1, [True, False])):
        site = open_site(nastiness=nastiness)
        site.sent = copies * 10
        for _ in range(2):
            site.order()
        site.sandbox.step()
        said = [a["accepted"] for m in site.take_in() for a in m.acknowledgements]
        assert (len(site.sandbox.books()["orders"]["UK-100-1"]), said) == (copies, verdicts)


@pytest.mark.parametrize("changes", [{"facility": "MARS"}, {"lines": [request().lines[0].model_copy(update={"warehouse_sku": "NO-SUCH"})]}])
def test_an_unknown_sku_or_facility_is_refused_and_never_shipped(open_site: Callable[..., Site], changes: dict[str, Any]) -> None:
    site = open_site()
    site.order(**changes)
    messages = site.day(1)
    assert [a["accepted"] for m in messages for a in m.acknowledgements] == [False]
    assert shipped(messages) == {} and site.sandbox.books()["orders"]["UK-100-1"][0]["state"] == "refused"


def test_a_change_before_the_pick_is_followed_and_after_it_refused(open_site: Callable[..., Site]) -> None:
    site = open_site(pick_seconds=600)
    site.order()
    site.sandbox.step()
    site.order(kind=FULFILMENT_CHANGE, lines=request().lines[:1], revision=2)
    messages = site.day(1)
    assert shipped(messages) == {("UK-100-1", "SKU-A"): 12}
    site.order(kind=FULFILMENT_CHANGE, revision=3)
    assert [a["accepted"] for m in messages + site.day(0.1) for a in m.acknowledgements] == [True, True, False]


def test_a_cancel_before_the_pick_is_answered_with_zeros_and_after_it_refused(open_site: Callable[..., Site]) -> None:
    site = open_site(pick_seconds=600)
    site.order("UK-1")
    site.order("UK-2")
    site.sandbox.step()
    site.order("UK-1", FULFILMENT_CANCEL)
    messages = site.day(1)
    site.order("UK-2", FULFILMENT_CANCEL)
    messages += site.day(0.1)
    assert shipped(messages) == {("UK-1", "SKU-A"): 0, ("UK-1", "SKU-B"): 0, ("UK-2", "SKU-A"): 12, ("UK-2", "SKU-B"): 3}
    assert [a["accepted"] for m in messages for a in m.acknowledgements] == [True, True, True, False]
    assert site.sandbox.books()["orders"]["UK-1"][0]["state"] == "cancelled"


@pytest.mark.parametrize("kind", ["complete", "packages", "unnumbered", "partial", "other carrier", "repeated"])
def test_however_the_site_ships_the_rows_agree_with_its_own_books(open_site: Callable[..., Site], kind: str) -> None:
    site = open_site(kinds={kind: 1})
    for n in range(7):
        site.order(f"UK-{n}")
    messages = site.day(1)
    assert [m.errors for m in messages if m.errors] == []
    assert shipped(messages) == booked(site) and len(booked(site)) == 14
    packages = {(r.reference, r.package_id, r.carrier, r.tracking_number) for m in messages if m.dispatches is not None for r in m.dispatches.itertuples() if r.quantity}
    assert packages == {(reference, p["package"], p["carrier"], p["tracking"]) for reference, copies in site.sandbox.books()["orders"].items()
                        for copy in copies for p in copy["parcels"]}


@pytest.mark.parametrize("fault", ["F22", "F23", "F24", "F25", "F26"])
def test_file_faults_lose_nothing_and_what_is_cut_off_gives_no_row(open_site: Callable[..., Site], fault: str) -> None:
    site = open_site()
    site.sandbox.faults.add(fault, on="WRITE 945*", times=2)
    messages: list[Message] = []
    for n in range(5):
        site.order(f"UK-{n}")
        site.sandbox.step()
        messages += site.take_in()
        site.clock.sleep(30)
    messages += site.day(1)
    assert site.sandbox.faults.struck[fault]
    assert shipped(messages) == booked(site) and len(booked(site)) == 10
    unreadable = [m for m in messages if m.kind == "unreadable"]
    assert all(m.dispatches is None for m in unreadable) and bool(unreadable) == (fault in ("F22", "F23"))


def test_a_huge_file_does_not_hold_up_the_ones_behind_it(open_site: Callable[..., Site]) -> None:
    """A file over the limit once ended the reading of the whole folder, at every run."""
    site = open_site()
    with (site.folder / "outbound" / "000_huge.edi").open("wb") as file:
        file.truncate(30_000_000)
    site.order()
    messages = site.day(0.2)
    assert ("000_huge.edi", "unreadable") in [(m.key, m.kind) for m in messages]
    assert shipped(messages) == booked(site) != {}
    assert "000_huge.edi" in site.names("archive")


def test_our_997s_reach_the_site_and_it_knows_which_of_its_groups_they_are_for(open_site: Callable[..., Site]) -> None:
    site = open_site()
    site.order()
    owed = [m.answer for m in site.day(0.2) if m.answer]
    effect = Effect("ack:1", ACKNOWLEDGEMENT, "gxo", "1", owed[0], number=900, planned_at=site.clock.now())
    site.port.send(replace(effect, document=site.port.prepare(effect)))
    site.sandbox.step()
    assert site.sandbox.books()["acknowledged"] == [owed[0]["group_number"]]
    assert site.port.find(replace(effect, document=site.port.prepare(effect))).evidence["file"].startswith("997_")


def test_a_thousand_orders_take_the_site_a_few_seconds(open_site: Callable[..., Site]) -> None:
    site = open_site(kinds=None)
    for n in range(1000):
        effect = site.effect(f"UK-{n}")
        (site.folder / "inbound" / f"940_{n:09}.edi").write_bytes(effect.document)
    messages = site.day(0.2)
    assert shipped(messages) == booked(site) and len(booked(site)) == 2000
    assert sum(len(m.acknowledgements) for m in messages) == 1000
    assert len(site.names("archive")) < 1000 + 2 * 1000 / 50 + 100


def test_the_same_seed_ships_the_same_way_whatever_the_order_of_arrival(tmp_path: Path) -> None:
    def kinds(seed: int) -> list[str]:
        sandbox = GxoSandbox(tmp_path, ManualClock(), profile(), SKUS, FACILITIES, seed=seed)
        return [sandbox._kind_of(f"UK-{n}") for n in range(40)]
    assert kinds(1) == kinds(1) != kinds(2)
    assert len(set(kinds(1))) > 2


# items

def items_of(site: Site, text: str) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    (site.folder / "items.csv").write_text(text)
    return site.port.items()


def test_a_missing_items_file_is_an_error_and_never_no_items(open_site: Callable[..., Site]) -> None:
    with pytest.raises(NotNow, match="not there"):
        open_site().port.items()


def test_bad_items_are_set_aside_with_their_reason_and_the_others_taken(open_site: Callable[..., Site]) -> None:
    sound, bad = items_of(open_site(), ITEMS + "A,Rope,yes,EA,,560750,GB,12.50,GBP\nB,Twice,yes,EA,,,,,\nB,Twice,no,EA,,,,,\nC,Odd,perhaps,EA,,,,,\nD,Dear,yes,EA,,,,1.999,GBP\n,None,yes,EA,,,,,\n")
    assert sound[["sku", "is_active", "customs_value_minor", "customs_currency"]].values.tolist() == [["A", True, 1250, "GBP"]]
    assert {row["record"] for row in bad} == {"B", "C", "D", "a row without a SKU"} and all(row["why"] for row in bad)


@pytest.mark.parametrize("text", ["", "<html></html>\n", "sku,active\nA,yes\n", ITEMS + "A,Rope,yes,EA\n", ITEMS + "A,Rope,yes,EA,,560750,GB,12.50,GBP"])
def test_an_items_file_that_cannot_be_trusted_is_refused_whole(open_site: Callable[..., Site], text: str) -> None:
    with pytest.raises(BadDocument):
        items_of(open_site(), text)


def test_settings_without_a_place_for_files_are_refused() -> None:
    with pytest.raises(ValueError, match="files"):
        Settings(partner=PARTNER)


def test_reading_the_same_file_twice_gives_the_same_messages(open_site: Callable[..., Site]) -> None:
    site = open_site()
    site.order()
    for _ in range(3):
        site.sandbox.step()
        site.clock.sleep(60)
    for inbound in list(site.port.inbound()):
        first, again = site.port.read(inbound), site.port.read(Inbound("elsewhere", "other-name.edi", inbound.body))
        assert [m.key for m in first] == [m.key for m in again]
        site.port.file_away(inbound)
        site.port.file_away(inbound)
    assert list(site.port.inbound()) == []
    assert site.clock.now() > ManualClock().now() + timedelta(seconds=100)
