"""GXO over a real folder (connectors.kit.files.Folder), told as stories: what is put, found, taken in, and what nobody may learn from an error."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.gxo.mapping_order import NEW, order_document
from connectors.gxo.profile import Profile
from connectors.gxo.sandbox import GxoSandbox
from connectors.gxo.warehouse import Gxo, Settings, connect
from connectors.gxo.x12 import parse
from connectors.kit.clock import ManualClock
from connectors.kit.errors import BadDocument, InDoubt, NotAllowed, NotNow, Refused, WharfingerError
from connectors.kit.files import FilesSettings
from connectors.kit.rehearsal import canaries_in
from connectors.kit.sandbox import Faults
from connectors.ports import FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, Effect, Message
from tests.connectors.x12_kit import AT, advice, from_partner, profile, recipient, request, w12

NAME = "940_MERCHANT_GXOWH01_000000001.edi"
GOOD = from_partner(advice(("LX", "1"), ("MAN", "CP", "1Z1"), w12("A", 1), total=1))


class WatchedClock(ManualClock):
    """Sleeping lets somebody else act: the partner who is still writing."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.meanwhile()


@dataclass
class Site:
    """The port over a real folder, and the partner's sandbox on the same folder."""

    folder: Path
    port: Gxo
    sandbox: GxoSandbox
    clock: WatchedClock
    sent: int = 0
    refused: list[str] = field(default_factory=list)

    def effect(self, reference: str = "UK-1", kind: str = FULFILMENT_REQUEST, number: int = 0, to: dict[str, str] | None = None,
               **changes: Any) -> Effect:
        self.sent = number or self.sent + 1
        effect = Effect(f"{kind}:{reference}", kind, "gxo", reference, request(reference=reference, **changes).model_dump(), number=self.sent,
                        planned_at=self.clock.now(), sent_at=self.clock.now(), recipient=recipient(**to or {}))
        return replace(effect, document=self.port.prepare(effect))

    def order(self, reference: str = "UK-1", kind: str = FULFILMENT_REQUEST, **changes: Any) -> Effect:
        effect = self.effect(reference, kind, **changes)
        self.port.send(effect)
        return effect

    def take_in(self) -> Iterator[Message]:
        for inbound in self.port.inbound():
            try:
                yield from self.port.read(inbound)
            except BadDocument as error:
                self.refused.append(f"{inbound.name}: {error}")
            self.port.file_away(inbound)
            self.port.file_away(inbound)

    def run(self, minutes: int) -> list[Message]:
        messages = []
        for _ in range(minutes):
            self.sandbox.step()
            messages += self.take_in()
            self.clock.sleep(60)
        return messages

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.folder / folder).iterdir())


@pytest.fixture
def open_site(tmp_path: Path) -> Callable[..., Site]:
    def open_it(partner: dict[str, Any] | None = None, settle_seconds: float = 0, folder: str = "site", **sandbox: Any) -> Site:
        root, clock, agreed = tmp_path / folder, WatchedClock(), profile(**partner or {})
        root.mkdir()
        stand_in = GxoSandbox(root, clock, agreed, {"SKU-A", "SKU-B"}, {"WH01"}, **{"kinds": {"complete": 1}} | sandbox)
        settings = Settings(partner=agreed, files=FilesSettings(kind="folder", path=str(root), settle_seconds=settle_seconds))
        return Site(root, connect("gxo", settings, clock), stand_in, clock)
    return open_it


def units(messages: list[Message]) -> dict[tuple[str, str], int]:
    """By reference and SKU; the same message again counts once."""
    told: dict[str, dict[tuple[str, str], int]] = {}
    for message in messages:
        if message.dispatches is not None:
            rows = message.dispatches.groupby(["reference", "sku"])["quantity"].sum().to_dict()
            assert told.setdefault(message.key, rows) == rows
    return {key: sum(rows.get(key, 0) for rows in told.values()) for rows_ in told.values() for key in rows_}


def booked(site: Site) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for reference, copies in site.sandbox.books()["orders"].items():
        for line in (line for copy in copies for line in copy["lines"].values()):
            found[reference, line["sku"]] = found.get((reference, line["sku"]), 0) + line["shipped"]
    return found


# putting and finding

def test_a_file_appears_whole_under_its_own_name_and_leaves_nothing_beside_it(open_site: Callable[..., Site]) -> None:
    site = open_site()
    effect = site.order()
    site.port.send(effect)
    assert site.names("inbound") == [NAME]
    assert (site.folder / "inbound" / NAME).read_bytes() == effect.document


def test_preparing_twice_gives_the_same_bytes_and_the_number_is_in_name_and_envelope(open_site: Callable[..., Site]) -> None:
    site = open_site()
    one = site.effect(number=123_456_789)
    assert site.port.prepare(replace(one, document=None)) == one.document == site.port.prepare(replace(one, attempt=3, fence=9))
    receipt = site.port.send(one)
    assert parse(one.document)[0].control in receipt.evidence["file"] and receipt.remote_id == "123456789"
    assert site.port.find(one).evidence["sha256"] == receipt.evidence["sha256"]


@pytest.mark.parametrize("folder", ["inbound", "archive", "error"])
def test_another_order_of_the_same_length_under_our_name_is_in_doubt_and_never_proof(open_site: Callable[..., Site], folder: str) -> None:
    """find() compared the sizes only. After a ledger was restored from an older copy, a number given twice would have confirmed the second
    order by the first one's file: an order that nobody ever got."""
    site = open_site()
    effect = site.effect()
    other = effect.document.replace(b"UK-1", b"UK-2")
    assert len(other) == len(effect.document) and other != effect.document
    (site.folder / folder / NAME).write_bytes(other)
    with pytest.raises(InDoubt, match="and not ours"):
        site.port.find(effect)
    if folder == "inbound":
        with pytest.raises(Refused):
            site.port.send(effect)
        assert (site.folder / "inbound" / NAME).read_bytes() == other


def test_a_file_that_may_be_listed_and_not_read_is_known_by_its_size_and_one_that_moves_is_looked_for_again(open_site: Callable[..., Site]) -> None:
    site = open_site()
    effect = site.effect()

    class Unreadable:
        def __init__(self, files: Any, error: Exception) -> None:
            self._files, self._error = files, error

        def list(self, folder: str) -> Any:
            return self._files.list(folder)

        def remove_parts(self, folder: str, name: str) -> int:
            return self._files.remove_parts(folder, name)

        def read(self, folder: str, name: str) -> bytes:
            raise self._error

    def port(error: Exception) -> Gxo:
        return Gxo("gxo", Settings(partner=profile(), files=FilesSettings(kind="folder", path=str(site.folder))), Unreadable(site.port._files, error))
    shy, moving = port(NotAllowed("reading", "permission denied", "Ask.")), port(NotNow("reading", "it is gone", "Look again."))
    (site.folder / "archive" / NAME).write_bytes(effect.document)
    assert shy.find(effect).evidence["folder"] == "archive"
    with pytest.raises(InDoubt, match="could not be read"):
        moving.find(effect)
    (site.folder / "archive" / NAME).write_bytes(effect.document + b"\n")
    with pytest.raises(InDoubt):
        shy.find(effect)


def test_a_name_that_we_do_not_take_is_shown_and_not_touched(open_site: Callable[..., Site]) -> None:
    """A hostile name was skipped without a word: its advice would have been missed by all."""
    site = open_site()
    outbound = site.folder / "outbound"
    (outbound / "..;rm -rf $HOME \u202e.edi").write_bytes(GOOD)
    (outbound / ".hidden.edi").write_bytes(GOOD)
    (outbound / "link.edi").symlink_to(site.folder / "inbound")
    (outbound / "good.edi").write_bytes(GOOD)
    (outbound / "under_way.edi.tmp").write_bytes(GOOD[:50])
    assert [inbound.name for inbound in site.port.inbound()] == ["good.edi"]
    refused = site.port.refused_names()
    assert refused == site.port.refused_names() == ["..;rm -rf $HOME \\u202e.edi", ".hidden.edi", "link.edi"]
    assert all(name.isascii() and name.isprintable() for name in refused)
    assert len(list(outbound.iterdir())) == 5


def test_a_file_that_still_grows_is_offered_only_once_it_has_stopped(open_site: Callable[..., Site]) -> None:
    site = open_site(settle_seconds=10)
    growing = site.folder / "outbound" / "945.edi"
    growing.write_bytes(b"")
    pieces = [GOOD[start:start + 60] for start in range(0, len(GOOD), 60)]

    def write_on() -> None:
        if pieces:
            with growing.open("ab") as file:
                file.write(pieces.pop(0))
    site.clock.meanwhile = write_on
    seen = []
    while pieces:
        assert list(site.port.inbound()) == []
        seen.append(growing.stat().st_size)
    assert seen == sorted(seen) and len(seen) > 2
    assert [len(m.dispatches) for inbound in site.port.inbound() for m in site.port.read(inbound)] == [1]


# orders and advices

def test_an_order_comes_back_to_exactly_the_units_that_the_site_says_it_shipped(open_site: Callable[..., Site]) -> None:
    site = open_site(kinds={"complete": 3, "packages": 2, "unnumbered": 2, "partial": 2, "other carrier": 1, "repeated": 2}, seed=5)
    for n in range(1, 31):
        site.order(f"UK-{n}")
    messages = site.run(10)
    assert units(messages) == booked(site) and len(booked(site)) == 60
    assert {a["number"]: a["accepted"] for m in messages for a in m.acknowledgements} == {n: True for n in range(1, 31)}
    assert site.refused == [] and site.sandbox.is_idle()


def test_two_sites_with_one_seed_keep_the_same_books_and_another_seed_others(open_site: Callable[..., Site]) -> None:
    def books(folder: str, seed: int) -> dict[str, Any]:
        site = open_site(folder=folder, seed=seed, kinds={"complete": 1, "packages": 1, "partial": 1}, faults=Faults(seed=seed))
        site.sandbox.faults.add("F24", on="WRITE 945*", chance=0.5)
        for n in range(1, 9):
            site.order(f"UK-{n}")
            site.run(1)
        site.run(5)
        return site.sandbox.books()
    assert books("one", 1) == books("again", 1) != books("other", 2)


@pytest.mark.parametrize(("nastiness", "copies", "accepted"), [("lenient", 2, [True, True]), ("strict", 1, [True, False])])
def test_a_second_new_order_under_one_reference_is_made_twice_or_refused(open_site: Callable[..., Site], nastiness: str, copies: int,
                                                                         accepted: list[bool]) -> None:
    site = open_site(nastiness=nastiness)
    site.order()
    site.order()
    messages = site.run(4)
    assert len(site.sandbox.books()["orders"]["UK-1"]) == copies
    assert [a["accepted"] for m in messages for a in m.acknowledgements] == accepted
    assert units(messages) == booked(site) == {("UK-1", "SKU-A"): 12 * copies, ("UK-1", "SKU-B"): 3 * copies}


def test_the_same_bytes_put_again_after_the_partner_took_them_make_a_second_order_only_where_it_does_not_look(open_site: Callable[..., Site]) -> None:
    for detects, copies in ((False, 2), (True, 1)):
        site = open_site({"detects_duplicates": detects}, nastiness="lenient", folder=f"detects_{detects}")
        effect = site.order()
        site.sandbox.step()
        assert site.port.find(effect).evidence["folder"] == "archive", "found: so nobody sends it again"
        site.port.send(effect)
        site.sandbox.step()
        assert len(site.sandbox.books()["orders"]["UK-1"]) == copies


def test_a_change_and_a_cancel_of_an_order_that_never_came_are_refused(open_site: Callable[..., Site]) -> None:
    site = open_site()
    site.order(kind=FULFILMENT_CHANGE)
    site.order(kind=FULFILMENT_CANCEL)
    assert [a["accepted"] for m in site.run(2) for a in m.acknowledgements] == [False, False] and booked(site) == {}


def test_a_change_during_a_partly_shipped_order_is_refused_and_the_rest_still_ships(open_site: Callable[..., Site]) -> None:
    site = open_site(kinds={"partial": 1}, rest_seconds=600)
    site.order()
    messages = site.run(3)
    assert units(messages) == {("UK-1", "SKU-A"): 6, ("UK-1", "SKU-B"): 2}
    site.order(kind=FULFILMENT_CHANGE, lines=request().lines[:1])
    messages += site.run(15)
    assert [a["accepted"] for m in messages for a in m.acknowledgements] == [True, False]
    assert units(messages) == booked(site) == {("UK-1", "SKU-A"): 12, ("UK-1", "SKU-B"): 3}


@pytest.mark.parametrize("on", ["WRITE 945*", "WRITE 997*"])
@pytest.mark.parametrize("fault", ["F22", "F23", "F24", "F25", "F26"])
def test_file_faults_cost_neither_an_advice_nor_an_acknowledgement_and_no_file_counts_in_part(open_site: Callable[..., Site], fault: str,
                                                                                               on: str) -> None:
    site = open_site(kinds={"complete": 1, "packages": 1})
    site.sandbox.faults.add(fault, on=on, times=3)
    messages: list[Message] = []
    for n in range(1, 7):
        site.order(f"UK-{n}")
        messages += site.run(1)
        whole = booked(site)
        assert all(whole[key] == count for key, count in units(messages).items()), "an advice that is in, is in with all its units"
    messages += site.run(5)
    assert site.sandbox.faults.struck[fault] == 3
    assert units(messages) == booked(site) and len(booked(site)) == 12
    assert {a["number"] for m in messages for a in m.acknowledgements if a["accepted"]} == set(range(1, 7))
    assert bool(site.refused) == (fault in ("F22", "F23"))
    assert bool(site.port.refused_names()) == (fault == "F26")


# nobody learns a name from an error

def errors(site: Site) -> Iterator[str]:
    """Everything that can be made to fail around an order with canaries in every personal field."""
    effect = site.effect(number=1)
    attempts: list[Callable[[], Any]] = [
        lambda: site.effect(to={"name": "張偉 Zzcanary 李", "company": "張張張張張張張張張張張張張張"}),
        lambda: site.effect(to={"street_1": "Zzcanary Road " * 40}),
        lambda: site.effect(to={"region": "Zzcanary " * 5}), lambda: site.effect(to={"order_note": "Zzcanary " * 2000}),
        lambda: site.effect(to={"country": "Zzcanary"}),
        lambda: site.effect(to={"postcode": "ZC9 9ZC" * 5}), lambda: site.effect(order_id="9" * 40), lambda: site.effect(carrier="TOOLONG")]
    (site.folder / "inbound" / NAME).write_bytes(effect.document + b"\n")
    attempts += [lambda: site.port.find(effect), lambda: site.port.send(effect)]
    for attempt in attempts:
        with pytest.raises(WharfingerError) as raised:
            attempt()
        yield f"{raised.value!r} {raised.value} {raised.value.__cause__} {vars(raised.value)}"
    body = effect.document
    for at in range(106, len(body), 11):
        for kind, broken in enumerate((body[:at], body[:at] + b"~" + body[at:], body[:at] + b"\x01" + body[at:])):
            (site.folder / "outbound" / f"x{at}_{kind}.edi").write_bytes(broken)
            list(site.take_in())
    yield from site.refused
    turned = order_document(NEW, request(), recipient(), profile(our_id="GXOWH01", partner_id="MERCHANT"), 7, AT)
    (site.folder / "outbound" / "turned.edi").write_bytes(turned)
    found = [why for message in site.take_in() for why in message.errors]
    assert found
    yield from found


def test_no_error_of_the_port_gives_a_customer_away(open_site: Callable[..., Site]) -> None:
    site = open_site()
    assert canaries_in(site.effect().document.decode()), "the canaries do sit in the document"
    told = list(errors(site))
    assert len(told) > 100 and canaries_in(" ".join(told)) == []


def test_the_settings_of_a_partner_that_follows_changes_and_no_cancels_are_refused() -> None:
    with pytest.raises(ValueError, match="accepts_changes"):
        Settings(partner=Profile(our_id="A", partner_id="B", usage="T", accepts_cancels=False), files=FilesSettings(kind="folder", path="."))


def test_a_process_that_was_stopped_before_its_rename_publishes_nothing_after_the_read_back(open_site: Callable[..., Site]) -> None:
    """Found by the simulator: the file had been sent and taken meanwhile, and the same control number came to the partner twice."""
    site = open_site()
    effect = site.effect()
    part = site.folder / "inbound" / f"{NAME}.tmp.1"
    part.write_bytes(effect.document)
    assert site.port.find(effect) is None
    assert not part.exists(), "a process that goes on now finds a file to rename"


def test_a_put_that_takes_longer_than_its_lease_publishes_nothing(open_site: Callable[..., Site]) -> None:
    site = open_site()
    effect = replace(site.effect(), lease_until=site.clock.now())
    with pytest.raises(NotNow, match="nothing was published"):
        site.port.send(effect)
    assert not list((site.folder / "inbound").iterdir())
