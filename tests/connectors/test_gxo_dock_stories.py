"""A GXO site with stock, told as stories: it promises, ships, receives, counts, states, and takes goods back; nastily, too."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from connectors.gxo.sandbox import GxoSandbox
from connectors.gxo.warehouse import Gxo, Settings, connect
from connectors.kit.clock import ManualClock
from connectors.kit.files import FilesSettings
from connectors.kit.sandbox import FEED_SILENT, FIGURES_ABSURD, ROWS_LOST, SKU_STRANGE, Faults
from connectors.ports import FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, RECEIPT_NOTICE, RETURN_NOTICE, Effect, Message
from contracts.effects import NoticeLine, ReceiptNotice, ReturnNotice
from contracts.stock import StockChanges, StockLevels
from tests.connectors.x12_kit import profile, recipient, request, take_in

STOCK = {"WH01": {"SKU-A": 30, "SKU-B": 10}}


@dataclass
class Site:
    """A site and the port to it."""

    folder: Path
    port: Gxo
    sandbox: GxoSandbox
    clock: ManualClock
    sent: int = 0

    def send(self, kind: str, payload: Any, reference: str) -> None:
        self.sent += 1
        effect = Effect(f"{kind}:{reference}", kind, "gxo", reference, payload.model_dump(), number=self.sent, planned_at=self.clock.now(),
                        sent_at=self.clock.now(), recipient=recipient())
        self.port.send(replace(effect, document=self.port.prepare(effect)))

    def order(self, reference: str = "UK-1", kind: str = FULFILMENT_REQUEST, **changes: Any) -> None:
        self.send(kind, request(reference=reference, **changes), reference)

    def take_in(self) -> list[Message]:
        return take_in(self.port)

    def run(self, minutes: int = 1) -> list[Message]:
        messages: list[Message] = []
        for _ in range(minutes):
            self.sandbox.step()
            messages += self.take_in()
            self.clock.sleep(60)
        return messages

    def figures(self, sku: str = "SKU-A") -> tuple[int, int, int]:
        place = self.sandbox.books()["stock"]["WH01"].get(sku, {"free": 0, "allocated": 0, "held": 0})
        return place["free"], place["allocated"], place["held"]


@pytest.fixture
def open_site(tmp_path: Path) -> Callable[..., Site]:
    def open_it(partner: dict[str, Any] | None = None, folder: str = "site", **sandbox: Any) -> Site:
        root, clock, agreed = tmp_path / folder, ManualClock(), profile(**partner or {})
        root.mkdir()
        stand_in = GxoSandbox(root, clock, agreed, {"SKU-A", "SKU-B"}, {"WH01"}, **{"kinds": {"complete": 1}, "stock": STOCK} | sandbox)
        return Site(root, connect("gxo", Settings(partner=agreed, files=FilesSettings(kind="folder", path=str(root), settle_seconds=0)), clock), stand_in, clock)
    return open_it


def levels(messages: list[Message]) -> list[dict[str, int]]:
    """{SKU: available} of each statement."""
    return [dict(zip(m.stock_levels["sku"], m.stock_levels["available"], strict=True)) for m in messages if m.stock_levels is not None]


def changes(messages: list[Message]) -> list[tuple[str, str, int]]:
    return [(row.kind, row.sku, row.change) for m in messages if m.stock_changes is not None for row in m.stock_changes.itertuples()]


def shipped(messages: list[Message]) -> dict[str, int]:
    frames = [m.dispatches for m in messages if m.dispatches is not None]
    return pd.concat(frames).groupby("sku")["quantity"].sum().to_dict() if frames else {}


def available(messages: list[Message]) -> dict[str, int]:
    """What a reader believes who takes the newest statement and adds what was written after it: all in the order of (time, control number)."""
    rows = [(row.as_of, row.sequence, row.sku, row.available, True) for m in messages if m.stock_levels is not None for row in m.stock_levels.itertuples()]
    rows += [(row.occurred_at, row.sequence, row.sku, row.change, False) for m in messages if m.stock_changes is not None for row in m.stock_changes.itertuples()]
    believed: dict[str, int] = {}
    for _, _, sku, units, is_level in sorted(rows):
        believed[sku] = units if is_level else believed.get(sku, 0) + units
    return believed


# promising and shipping

def test_an_order_takes_stock_from_what_may_be_sold_at_once_and_from_the_shelf_when_it_ships(open_site: Callable[..., Site]) -> None:
    site = open_site(pick_seconds=120)
    site.order()  # 12 of SKU-A, 3 of SKU-B
    site.sandbox.state_stock()
    before = site.run()
    site.sandbox.state_stock()
    promised = site.run()
    assert site.figures() == (18, 12, 0)
    sent = site.run(3)
    site.sandbox.state_stock()
    after = site.run()
    assert [levels(part) for part in (before, promised, after)] == [[{"SKU-A": 30, "SKU-B": 10}], [{"SKU-A": 18, "SKU-B": 7}], [{"SKU-A": 18, "SKU-B": 7}]]
    assert shipped(sent) == {"SKU-A": 12, "SKU-B": 3} and site.figures() == (18, 0, 0)
    assert after[0].stock_levels.set_index("sku")["on_hand"].to_dict() == {"SKU-A": 18, "SKU-B": 7}


def test_a_cancel_and_a_change_give_promised_stock_back(open_site: Callable[..., Site]) -> None:
    site = open_site(pick_seconds=600)
    site.order("UK-1")
    site.order("UK-2")
    site.run()
    assert site.figures() == (6, 24, 0)
    site.order("UK-1", FULFILMENT_CANCEL)
    site.order("UK-2", FULFILMENT_CHANGE, lines=request().lines[1:])
    site.run()
    assert (site.figures(), site.figures("SKU-B")) == ((30, 0, 0), (7, 3, 0))


def test_an_order_that_the_shelf_cannot_fill_ships_what_is_there_and_the_rest_when_it_comes(open_site: Callable[..., Site]) -> None:
    site = open_site(stock={"WH01": {"SKU-A": 10, "SKU-B": 0}})
    site.order()
    assert shipped(site.run(4)) == {"SKU-A": 10} and site.sandbox.books()["orders"]["UK-1"][0]["state"] == "backordered" and site.sandbox.is_idle()
    site.sandbox.receive("WH01", [("SKU-A", 5), ("SKU-B", 3)])
    assert shipped(site.run(4)) == {"SKU-A": 2, "SKU-B": 3} and site.figures() == (3, 0, 0)
    assert site.sandbox.books()["orders"]["UK-1"][0]["state"] == "shipped"


def test_two_orders_never_get_the_same_unit(open_site: Callable[..., Site]) -> None:
    site = open_site(kinds={"complete": 1, "partial": 1, "packages": 1}, seed=3)
    for n in range(5):
        site.order(f"UK-{n}")
    assert shipped(site.run(20)) == {"SKU-A": 30, "SKU-B": 10} and site.figures() == site.figures("SKU-B") == (0, 0, 0)


def test_a_site_without_a_stock_book_ships_all_and_states_nothing(open_site: Callable[..., Site]) -> None:
    site = open_site(stock=None, statement_seconds=60)
    site.order()
    site.sandbox.state_stock()
    messages = site.run(5)
    assert shipped(messages) == {"SKU-A": 12, "SKU-B": 3} and levels(messages) == [] and site.sandbox.books()["stock"] == {}


# receiving, counting, stating

def test_what_is_announced_received_and_counted_is_in_the_books_and_in_the_documents(open_site: Callable[..., Site]) -> None:
    site = open_site()
    site.send(RECEIPT_NOTICE, ReceiptNotice(warehouse="gxo", facility="WH01", reference="ASN-1", expected_on="2026-01-20", lines=[
        NoticeLine(number=1, sku="SKU-A", warehouse_sku="SKU-A", quantity=20, unit="EA")]), "ASN-1")
    answered = site.run()
    assert [a["accepted"] for m in answered for a in m.acknowledgements] == [True]
    site.sandbox.dock.receive_announced("ASN-1", {"SKU-A": -1, "SKU-B": 2})
    site.sandbox.receive("WH01", [("SKU-B", 4)])
    site.sandbox.adjust("WH01", {"SKU-A": -3}, "AA")
    messages = site.run()
    assert changes(messages) == [("receipt", "SKU-A", 19), ("receipt", "SKU-B", 2), ("receipt", "SKU-B", 4), ("adjustment", "SKU-A", -3)]
    assert [m.stock_changes["reference"][0] for m in messages] == ["ASN-1", "", ""]
    assert (site.figures(), site.figures("SKU-B")) == ((46, 0, 0), (16, 0, 0))
    books = site.sandbox.books()
    assert (books["notices"]["ASN-1"]["state"], len(books["receipts"]), len(books["adjustments"])) == ("received", 2, 1)
    assert all(StockChanges.split(m.stock_changes)[1].empty for m in messages)


def test_announced_goods_come_by_themselves_where_the_site_is_set_up_so(open_site: Callable[..., Site]) -> None:
    site = open_site(receive_seconds=120)
    notice = ReceiptNotice(warehouse="gxo", facility="WH01", reference="ASN-1", expected_on="2026-01-20", carrier="ODFL",
                           lines=[NoticeLine(number=1, sku="SKU-A", warehouse_sku="SKU-A", quantity=20, unit="EA")])
    site.send(RECEIPT_NOTICE, notice, "ASN-1")
    assert changes(site.run(10)) == [("receipt", "SKU-A", 20)]


def test_a_notice_that_comes_twice_is_refused_by_a_strict_site_and_counted_by_a_lenient_one(open_site: Callable[..., Site]) -> None:
    notice = ReturnNotice(connection="bc-uk", order_id="100", rma="RMA-7", reference="UK-1", warehouse="gxo", facility="WH01", approved_on="2026-01-15",
                          lines=[NoticeLine(number=1, sku="a", warehouse_sku="SKU-A", quantity=1, unit="EA")])
    for nastiness, accepted, copies in (("strict", [True, False], 1), ("lenient", [True, True], 2)):
        site = open_site(nastiness=nastiness, folder=nastiness)
        site.send(RETURN_NOTICE, notice, "RMA-7")
        site.send(RETURN_NOTICE, notice, "RMA-7")
        assert [a["accepted"] for m in site.run() for a in m.acknowledgements] == accepted
        told = site.sandbox.books()["notices"]["RMA-7"]
        assert (told["set"], told["order"], told["copies"], told["lines"]) == ("180", "UK-1", copies, [{"sku": "SKU-A", "quantity": 1, "unit": "EA"}])


@pytest.mark.parametrize(("partner", "is_whole"), [({}, True), ({"stock_basis": "on_hand"}, True), ({"stock": {"whole_purposes": ["05"]}}, True)])
def test_statements_come_by_the_clock_and_a_partial_one_says_that_it_is(open_site: Callable[..., Site], partner: dict[str, Any], is_whole: bool) -> None:
    site = open_site(partner, statement_seconds=300)
    messages = site.run(11)
    assert [(m.kind, m.is_whole) for m in messages] == [("stock_levels", is_whole)] * 3 and levels(messages) == [{"SKU-A": 30, "SKU-B": 10}] * 3
    site.sandbox.state_stock(skus=["SKU-B"])
    [partial] = site.run()
    assert (partial.is_whole, levels([partial])) == (False, [{"SKU-B": 10}])


def test_a_statement_longer_than_a_set_may_be_comes_in_several_and_is_read_as_one(open_site: Callable[..., Site]) -> None:
    site = open_site(stock={"WH01": {f"S{n:03}": n for n in range(25)}})
    site.sandbox.dock.lines_max = 10
    site.sandbox.state_stock()
    messages = site.run()
    assert [(m.is_whole, len(m.stock_levels)) for m in messages] == [(True, 25), (False, 0), (False, 0)]
    assert levels(messages)[0] == {f"S{n:03}": n for n in range(25)}


def test_the_newest_statement_and_what_came_after_it_are_what_the_site_has_in_any_order_of_arrival(open_site: Callable[..., Site]) -> None:
    site = open_site()
    messages: list[Message] = []
    for step in (lambda: site.sandbox.state_stock(), lambda: site.sandbox.adjust("WH01", {"SKU-A": -2}), lambda: site.sandbox.receive("WH01", [("SKU-B", 7)]),
                 lambda: site.sandbox.state_stock(late_seconds=3600), lambda: site.sandbox.adjust("WH01", {"SKU-B": -1}),
                 lambda: site.sandbox.state_stock(), lambda: site.sandbox.adjust("WH01", {"SKU-A": 4})):
        step()  # several in one minute: the control numbers alone tell what came first
        messages += site.run(0)
    messages += site.run(90)
    assert len(levels(messages)) == 3 and levels(messages)[-1] == {"SKU-A": 28, "SKU-B": 17}, "the old one came last"
    assert available(messages) == {"SKU-A": site.figures()[0], "SKU-B": site.figures("SKU-B")[0]} == {"SKU-A": 32, "SKU-B": 16}
    site.sandbox.repeat_statement(3)
    again = site.run()
    assert levels(again) == [{"SKU-A": 30, "SKU-B": 10}] and again[0].key in {m.key for m in messages}, "the same bytes under another name have the same key"


# nastiness

@pytest.mark.parametrize("fault", ["F22", "F23", "F24", "F25", "F26"])
@pytest.mark.parametrize("on", ["WRITE 846*", "WRITE 944*", "WRITE 947*"])
def test_file_faults_cost_no_statement_and_no_document(open_site: Callable[..., Site], fault: str, on: str) -> None:
    site = open_site()
    site.sandbox.faults.add(fault, on=on, times=2)
    messages: list[Message] = []
    for n in range(3):
        site.sandbox.state_stock()
        site.sandbox.receive("WH01", [("SKU-A", n + 1)])
        site.sandbox.adjust("WH01", {"SKU-B": -1})
        messages += site.run()
    messages += site.run(3)
    assert site.sandbox.faults.struck[fault] == 2
    once = list({m.key: m for m in messages if m.kind != "unreadable"}.values())
    assert sorted(changes(once)) == sorted([("receipt", "SKU-A", n + 1) for n in range(3)] + [("adjustment", "SKU-B", -1)] * 3)
    assert available(once) == {"SKU-A": 36, "SKU-B": 7} == {"SKU-A": site.figures()[0], "SKU-B": site.figures("SKU-B")[0]}


@pytest.mark.parametrize(("fault", "stated"), [
    (ROWS_LOST, lambda figures: len(figures) == 5 and all(units == 1 for units in figures.values())),
    (FIGURES_ABSURD, lambda figures: sorted(figures.values())[::9] == [-7, 999_999_999] and len(figures) == 10),
    (SKU_STRANGE, lambda figures: len(figures) == 11 and figures["NOBODY-KNOWS-1"] == 5),
])
def test_a_statement_may_be_spoiled_and_the_next_is_sound_again(open_site: Callable[..., Site], fault: str, stated: Callable[[dict[str, int]], bool]) -> None:
    site = open_site(stock={"WH01": {f"S{n}": 1 for n in range(10)}}, statement_seconds=60)
    site.sandbox.faults.add(fault, on="STATE WH01", times=1)
    first, second = site.run(2)
    assert stated(levels([first])[0]) and levels([second]) == [{f"S{n}": 1 for n in range(10)}]
    assert len(StockLevels.split(first.stock_levels)[1]) == (2 if fault == FIGURES_ABSURD else 0)
    assert [one["fault"] for one in site.sandbox.books()["statements"]] == [fault, ""]


def test_a_site_that_falls_silent_writes_nothing_and_its_books_say_that_it_should_have(open_site: Callable[..., Site]) -> None:
    site = open_site(statement_seconds=60)
    site.sandbox.faults.add(FEED_SILENT, on="STATE *", times=3)
    assert [len(levels(site.run())) for _ in range(4)] == [0, 0, 0, 1]
    assert len(site.sandbox.books()["statements"]) == 4


def test_two_sites_with_one_seed_make_the_same_mistakes_and_another_seed_others(open_site: Callable[..., Site]) -> None:
    def books(folder: str, seed: int) -> tuple[Any, ...]:
        site = open_site(folder=folder, seed=seed, faults=Faults(seed=seed), stock={"WH01": {f"S{n}": n for n in range(10)}}, statement_seconds=60)
        site.sandbox.faults.add(ROWS_LOST, on="STATE *", chance=0.5)
        site.sandbox.faults.add("F24", on="WRITE 947*", chance=0.5)
        told = []
        for n in range(8):
            site.sandbox.adjust("WH01", {f"S{n}": 1})
            told += levels(site.run())
        return site.sandbox.books(), told
    assert books("one", 1) == books("again", 1) != books("other", 2)


# returns

def test_goods_come_back_with_what_the_customer_wrote_on_the_parcel(open_site: Callable[..., Site]) -> None:
    site = open_site({"receipts": {"sale_grades": ["A"]}})
    site.order()
    site.run(4)
    site.sandbox.receive_return("UK-1", [("SKU-A", 2, "A"), ("SKU-B", 1, "C")], rma="RMA-7", tracking="1ZRET")
    site.sandbox.receive_return("UK-1", [("SKU-A", 1, "B")])
    site.sandbox.receive_return("", [("SKU-B", 1, "")])
    site.sandbox.receive_return("", [("NEVER-SOLD", 1, "A")], rma="RMA-8")
    messages = site.run()
    rows = pd.concat([m.returns for m in messages], ignore_index=True)
    assert rows[["reference", "rma", "request_line", "sku", "quantity", "grade", "tracking_number"]].values.tolist() == [
        ["UK-1", "RMA-7", "1", "SKU-A", 2, "A", "1ZRET"], ["UK-1", "RMA-7", "2", "SKU-B", 1, "C", "1ZRET"], ["UK-1", "", "1", "SKU-A", 1, "B", ""],
        ["", "", "", "SKU-B", 1, "", ""], ["", "RMA-8", "", "NEVER-SOLD", 1, "A", ""]]
    assert changes(messages) == [("return", "SKU-A", 2), ("return", "NEVER-SOLD", 1)]
    assert (site.figures(), site.figures("SKU-B"), site.figures("NEVER-SOLD")) == ((20, 0, 1), (7, 0, 2), (1, 0, 0))
    assert [(r["reference"], r["rma"], [line["sku"] for line in r["lines"]]) for r in site.sandbox.books()["returns"]] == [
        ("UK-1", "RMA-7", ["SKU-A", "SKU-B"]), ("UK-1", "", ["SKU-A"]), ("", "", ["SKU-B"]), ("", "RMA-8", ["NEVER-SOLD"])]


def test_nothing_goes_back_on_sale_by_itself_unless_the_profile_names_the_grade(open_site: Callable[..., Site]) -> None:
    site = open_site()
    site.sandbox.receive_return("", [("SKU-A", 2, "A")])
    assert changes(site.run()) == [] and site.figures() == (30, 0, 2)


def test_a_site_without_a_stock_book_takes_goods_back_too(open_site: Callable[..., Site]) -> None:
    site = open_site(stock=None)
    site.sandbox.receive_return("", [("SKU-A", 2, "A")])
    assert [m.returns["quantity"].tolist() for m in site.run()] == [[2]]
