"""Stock in the ledger, on each database: feeds move by compare-and-set, documents count once, desired figures never go back."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from connectors.ledger.books import OrderEntry
from connectors.ledger.desired import REFUSED
from connectors.ledger.effects import Planned
from connectors.ledger.tables import stock_desired
from contracts.stock import AskedLine
from tests.ledger.rigs import RECEIPT, in_processes, open_ledger

SHOP, SITE, NOW = "bc-uk", "gxo-uk", ("1", "A")


def feed(rig, positions, expected=""):
    values = {"as_of": rig.clock.now(), "sequence": 1, "positions": positions, "skus": 1, "units": 1, "inbox_key": "k", "whole_as_of": None, "whole_sequence": None}
    with rig.ledger.transaction() as tx:
        return rig.ledger.stock.move_feed(tx, SITE, "F1", expected, values)


def decide(rig, quantity, sku="A", minutes=0, sequence=0, withheld="", is_corrected=False):
    with rig.ledger.transaction() as tx:
        rig.ledger.desired.decide(tx, [{"connection": SHOP, "location": "1", "sku": sku, "quantity": quantity, "as_of": rig.clock.now() + timedelta(minutes=minutes),
                                        "sequence": sequence, "parts": {"at": []}, "withheld": withheld, "is_corrected": is_corrected}])


def row(rig, sku="A"):
    with rig.ledger.transaction() as tx:
        return rig.ledger.desired.rows(tx, SHOP, [sku])["1", sku]


def tell(rig, quantity, effect_id="e1", skus=("A",)):
    with rig.ledger.transaction() as tx:
        rig.ledger.desired.carry(tx, SHOP, [("1", sku) for sku in skus], effect_id)
    yield
    with rig.ledger.transaction() as tx:
        rig.ledger.desired.told(tx, SHOP, "1", [{"sku": sku, "quantity": quantity, "as_of": rig.clock.now(), "sequence": 0} for sku in skus], effect_id)


def test_a_feed_moves_only_from_where_it_was_read(rig):
    assert feed(rig, "p1") and not feed(rig, "p2") and feed(rig, "p2", "p1") and not feed(rig, "p3", "p1")
    with rig.ledger.transaction() as tx:
        assert rig.ledger.stock.feeds(tx, SITE)["F1"].positions == "p2" and rig.ledger.stock.feeds(tx, "other") == {}


def _move(number, url):
    ledger = open_ledger(url)
    with ledger.transaction() as tx:
        values = {"as_of": ledger.stock._clock.now(), "sequence": 1, "positions": f"p{number}", "skus": 1, "units": 1, "inbox_key": "k"}
        moved = ledger.stock.move_feed(tx, SITE, "F1", "p", values)
    ledger.close()
    return moved


def test_of_many_processes_exactly_one_moves_the_feed(shared):
    feed(shared, "p")
    shared.ledger.close()
    assert sum(in_processes(4, _move, shared.url)) == 1


def test_a_documents_line_is_entered_once_and_is_open_until_a_statement_counts_it(rig):
    rows = [{"warehouse": SITE, "document_id": "D1", "line": line, "kind": "adjustment", "facility": "F1", "sku": "A", "unit": "EA", "change": -1, "reason": "",
             "reference": "", "occurred_at": rig.clock.now(), "sequence": 1} for line in (1, 2)]
    with rig.ledger.transaction() as tx:
        assert rig.ledger.stock.enter_changes(tx, rows, "k1") == 2 and rig.ledger.stock.enter_changes(tx, rows, "k2") == 0
        assert set(rig.ledger.stock.documents(tx, SITE, ["D1"])) == {("D1", 1), ("D1", 2)}
        assert rig.ledger.stock.close_changes(tx, SITE, [("D1", 1), ("D1", 9)]) == 1
        assert [one.line for one in rig.ledger.stock.open_changes(tx, SITE)] == [2]


def test_owed_is_what_the_storefront_was_not_told_or_told_otherwise(rig):
    decide(rig, 5)
    assert row(rig).is_owed
    for _ in tell(rig, 5):
        assert row(rig).effect_id == "e1"
    assert not row(rig).is_owed and row(rig).sent_quantity == 5 and row(rig).turn == 1
    decide(rig, 4)
    assert row(rig).is_owed
    decide(rig, 5)
    assert not row(rig).is_owed, "it is what it was told"


def test_a_figure_that_moved_on_while_it_was_told_is_owed_again(rig):
    decide(rig, 5)
    for _ in tell(rig, 5):
        decide(rig, 3)
        assert row(rig).is_owed
    assert row(rig).is_owed and row(rig).sent_quantity == 5 and row(rig).quantity == 3


def test_what_another_effect_was_told_is_not_written_over_a_row_that_it_no_longer_carries(rig):
    decide(rig, 5)
    with rig.ledger.transaction() as tx:
        rig.ledger.desired.carry(tx, SHOP, [NOW], "e2")
        rig.ledger.desired.told(tx, SHOP, "1", [{"sku": "A", "quantity": 9, "as_of": rig.clock.now(), "sequence": 0}], "e1")
    assert row(rig).sent_quantity is None and row(rig).effect_id == "e2"


def test_a_version_never_goes_back(rig):
    decide(rig, 5, minutes=10, sequence=2)
    decide(rig, 4, minutes=5, sequence=9)
    assert (row(rig).quantity, row(rig).as_of, row(rig).sequence) == (4, rig.clock.now() + timedelta(minutes=10), 2)
    decide(rig, 4, minutes=10, sequence=3)
    assert row(rig).sequence == 3


def test_a_withheld_figure_leaves_the_one_before_and_owes_nothing(rig):
    decide(rig, 5)
    decide(rig, 0, withheld="its figure is absurd", is_corrected=True)
    assert row(rig).quantity == 5 and not row(rig).is_owed
    with rig.ledger.transaction() as tx:
        assert rig.ledger.desired.corrected(tx, SHOP) == [NOW] and rig.ledger.desired.withheld(tx, SHOP, "its figure is absurd", 5) == (1, ["A"])
        assert rig.ledger.desired.owed(tx, SHOP) == [] and rig.ledger.desired.owe_again(tx, SHOP, [NOW]) == 0
    decide(rig, 6)
    assert row(rig).is_owed and row(rig).quantity == 6


def test_what_was_refused_waits_for_another_figure(rig):
    decide(rig, 5)
    with rig.ledger.transaction() as tx:
        rig.ledger.desired.carry(tx, SHOP, [NOW], "e1")
        rig.ledger.desired.refuse(tx, SHOP, "e1")
    decide(rig, 5)
    assert not row(rig).is_owed and row(rig).withheld == REFUSED
    decide(rig, 6)
    assert row(rig).is_owed and row(rig).halved == 1


def test_a_group_that_did_not_come_about_is_owed_again_in_smaller_groups(rig):
    for sku in "AB":
        decide(rig, 5, sku)
    with rig.ledger.transaction() as tx:
        rig.ledger.desired.carry(tx, SHOP, [("1", "A"), ("1", "B")], "e1")
        assert {effect_id: len(rows) for effect_id, rows in rig.ledger.desired.under_way(tx, SHOP).items()} == {"e1": 2} and rig.ledger.desired.owed(tx, SHOP) == []
        assert rig.ledger.desired.put_back(tx, SHOP, "e1", size=1) == 2
        assert [(one.sku, one.halved) for one in rig.ledger.desired.owed(tx, SHOP)] == [("A", 1), ("B", 1)]


def test_the_mark_is_what_the_rows_were_decided_from(rig):
    with rig.ledger.transaction() as tx:
        assert rig.ledger.desired.mark(tx, SHOP) is None
        for path in ("p1", "p2"):
            rig.ledger.desired.set_mark(tx, SHOP, {"w/F1": path}, "hash")
        assert rig.ledger.desired.mark(tx, SHOP).positions == {"w/F1": "p2"}


def test_no_row_can_be_kept_without_its_parts(rig):
    decide(rig, 5)
    with rig.ledger.transaction() as tx:
        assert tx.execute(sa.select(stock_desired.c.parts)).scalar() == {"at": []}


def request(rig, order="100", quantity=5, state="asked", is_seen=False):
    reference = f"UK{order}"
    payload = {"connection": SHOP, "order_id": order, "ship_group": "a", "reference": reference, "warehouse": SITE, "facility": "F1", "carrier": "C", "service": "S",
               "revision": 1, "lines": [{"number": 1, "line_id": "1", "sku": "A", "warehouse_sku": "A", "quantity": quantity, "unit": "EA", "factor": 1}]}
    planned = Planned("fulfilment_request", SITE, reference, reference, SHOP, order, payload)
    with rig.ledger.transaction() as tx:
        rig.ledger.effects.plan(tx, planned)
        rig.ledger.books.ask(tx, payload, planned.effect_id, state)
    if is_seen:
        rig.do("confirm", rig.claim(planned.effect_id), RECEIPT, 60)


def asked(rig, acknowledges=False, since_minutes=-60):
    with rig.ledger.transaction() as tx:
        return rig.ledger.stock.asked(tx, SITE, rig.clock.now() + timedelta(minutes=since_minutes), acknowledges)


def test_requests_are_listed_with_since_when_the_warehouse_knows_of_them_and_what_has_left(rig):
    request(rig)
    assert asked(rig) == [AskedLine("F1", "A", 5, None)]
    request(rig, "101", 2, "partly_shipped", is_seen=True)
    with rig.ledger.transaction() as tx:
        rig.ledger.books.enter_dispatch(tx, [{"warehouse": SITE, "advice_id": "S1", "reference": "UK101", "package_id": "P", "carrier": "C", "service": "", "unit": "EA",
                                              "tracking_number": "T", "request_line": "1", "sku": "A", "quantity": 1, "line_status": "CC", "facility": "F1",
                                              "shipped_at": rig.clock.now()}], "k")
    assert asked(rig)[1] == AskedLine("F1", "A", 2, rig.clock.now(), ((rig.clock.now(), 1),))
    assert asked(rig, acknowledges=True)[1].seen_at is None, "a warehouse that acknowledges knows of it when it says so"


@pytest.mark.parametrize("state", ["withdrawn", "cancelled", "rejected"])
def test_requests_that_are_gone_want_nothing(rig, state):
    request(rig, state=state)
    assert asked(rig) == []


def test_what_was_shipped_and_known_long_ago_is_not_looked_at_again(rig):
    request(rig, state="shipped", is_seen=True)
    rig.clock.sleep(86_400)
    assert asked(rig) == []


def test_orders_that_may_still_want_stock_and_how_much_of_them_was_asked_for(rig):
    for order, state in (("100", "asked"), ("101", "held"), ("102", "done"), ("103", "new")):
        entry = OrderEntry(SHOP, order, {"status": "awaiting_fulfilment"}, [{"line_id": "1"}], [], "", [], rig.clock.now())
        with rig.ledger.transaction() as tx:
            rig.ledger.books.take_in(tx, entry)
            rig.ledger.books.planned(tx, SHOP, order, state)
    request(rig)
    with rig.ledger.transaction() as tx:
        assert [one.order_id for one in rig.ledger.stock.claiming_orders(tx)] == ["100", "101", "103"]
        assert rig.ledger.stock.asked_of_orders(tx) == {(SHOP, "100", "1"): 5}


def test_sales_are_replaced_each_time_they_are_counted_and_called_off_orders_sold_nothing(rig):
    now = rig.clock.now()
    for order, status in (("100", "shipped"), ("101", "cancelled")):
        line = {"sku": " A ", "quantity": 3, "is_shippable": True}
        with rig.ledger.transaction() as tx:
            rig.ledger.books.take_in(tx, OrderEntry(SHOP, order, {"status": status, "placed_at": now.isoformat()}, [line], [], "", [], now))
    with rig.ledger.transaction() as tx:
        assert rig.ledger.stock.sold(tx, SHOP, now - timedelta(days=1)) == [(now, "A", 3)] and rig.ledger.stock.sold(tx, SHOP, now + timedelta(days=1)) == []
        for units in (1, 2):
            rig.ledger.stock.keep_sales(tx, SHOP, [{"sku": "A", "units": units, "days": 7, "dispersion_milli": 1000}])
        assert [(one.sku, one.units) for one in rig.ledger.stock.sales(tx)] == [("A", 2)]
