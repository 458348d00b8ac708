"""People mend a mapping; exactly what waited for it goes."""

import pytest

from connectors.kit.errors import BadConfiguration
from deployments.demo_world import FORGOTTEN_CARRIER, FORGOTTEN_METHOD, tables
from tasks import mappings
from tests.journeys.rig import ADA, some_items, tables_for

COURIER = {**ADA, "shipping_method": FORGOTTEN_METHOD}


def test_a_new_ship_method_frees_exactly_the_orders_that_waited_for_it_once(world):
    rig = world()
    waiting = [rig.orders(("HEART", 1), to=[COURIER]) for _ in range(2)]
    other = rig.orders(("NOSUCH", 1))
    rig.drains()
    before = rig.desk()
    asked = mappings.change_mapping(rig.house, "ship_methods", tables(True)["ship_methods"], "ann", dry_run=True)
    assert rig.desk() == before and not rig.ledger.table("order_book")["replan"].any()
    change = mappings.change_mapping(rig.house, "ship_methods", tables(True)["ship_methods"], "ann")
    assert change == asked and change.added == 1 and change.removed == change.altered == 0
    assert change.freed_orders == [str(order) for order in waiting] and change.freed_dispatches == []
    book = rig.ledger.table("order_book")
    assert sorted(book.loc[book["replan"], "order_id"]) == [str(order) for order in waiting]
    again = mappings.change_mapping(rig.house, "ship_methods", tables(True)["ship_methods"], "ann")
    assert (again.added, again.removed, again.altered, again.freed_orders) == (0, 0, 0, [])
    mappings.change_mapping(rig.house, "carriers", tables(True)["carriers"], "ann")
    rig.drains()
    assert [len(rig.at_warehouse(order)) for order in waiting] == [1, 1] and rig.at_warehouse(other) == []
    assert rig.desk() == [("sku_unknown", str(other))] and rig.violations() == []


def test_a_new_carrier_frees_exactly_its_parcels_once(world):
    rig = world(kinds={"other carrier": 1})
    held = [rig.orders(("HEART", 1)) for _ in range(2)]
    rig.drains()
    rig.site._other_carrier = "ZZZZ"  # a second carrier that nobody mapped
    strange = rig.orders(("MUG", 1))
    rig.drains()
    assert [kind for kind, _ in rig.desk()] == ["carrier_unmapped"] * 3 and rig.shop.books()["shipments"] == []
    change = mappings.change_mapping(rig.house, "carriers", tables(True)["carriers"], "ann")
    assert change.freed_dispatches == [str(order) for order in held] and change.freed_orders == []
    rig.drains()
    rig.day()
    assert [len(rig.shipments(order)) for order in (*held, strange)] == [1, 1, 0] and len(rig.shop.books()["emails"]) == 2
    assert rig.desk() == [("carrier_unmapped", str(strange))]
    assert {shipment["tracking_carrier"] for shipment in rig.shop.books()["shipments"]} == {"tuffnells"}
    resolved = [row for row in rig.ledger.exceptions.listed(only_open=False) if row.state == "resolved"]
    assert len(resolved) == 2 and all(row.reason and row.resolved_by for row in resolved)


@pytest.mark.parametrize("wrong", ["twice", "wrong header", "bad value"])
def test_a_table_with_a_fault_is_refused_whole_and_changes_nothing(world, wrong):
    rig = world()
    rig.orders(("HEART", 1), to=[COURIER])
    rig.sends_orders()
    good = tables(True)["ship_methods"]
    csv = {"twice": good + good.splitlines()[-1] + "\n", "wrong header": good.replace("carrier", "scac", 1), "bad value": good.replace("TUFF", "tuff!", 1)}[wrong]
    before, history = mappings.current_csv(rig.house, "ship_methods"), len(rig.ledger.table("mapping"))
    with pytest.raises(BadConfiguration) as refused:
        mappings.change_mapping(rig.house, "ship_methods", csv, "ann")
    assert "ship_methods" in str(refused.value)
    assert mappings.current_csv(rig.house, "ship_methods") == before and len(rig.ledger.table("mapping")) == history
    rig.drains()
    assert rig.desk() == [("ship_method_unmapped", "100")]


def test_an_item_that_the_warehouse_sets_up_frees_exactly_the_orders_with_it(world):
    rig = world(items=some_items(without="TRAY"))
    waiting, other = [rig.orders(("TRAY", 1), ("MUG", 1)), rig.orders(("TRAY", 2))], rig.orders(("NOSUCH", 1))
    rig.drains()
    assert rig.desk() == [("sku_unknown", str(order)) for order in sorted((*waiting, other))]
    rig.site._skus.add("TRAY")
    rig.publishes_items(some_items())
    assert mappings.refresh_items(rig.house, "gxo-uk")["freed"] == 2
    assert mappings.refresh_items(rig.house, "gxo-uk")["freed"] == 0
    rig.drains()
    assert [len(rig.at_warehouse(order)) for order in waiting] == [1, 1] and rig.desk() == [("sku_unknown", str(other))]
    assert rig.violations() == []


def test_every_row_that_ever_held_is_kept_with_who_and_when(world):
    rig = world()
    rig.passes(60)
    mappings.change_mapping(rig.house, "carriers", tables(True)["carriers"], "ann")
    rig.passes(60)
    altered = tables(True)["carriers"].replace("tuffnells", "tuffnells-uk")
    assert mappings.change_mapping(rig.house, "carriers", altered, "bob").altered == 1
    with rig.ledger.transaction() as tx:
        history = [row for row in rig.ledger.mappings.history(tx, "carriers") if FORGOTTEN_CARRIER in row.key]
    assert [(row.actor, row.fields["tracking_carrier"], row.valid_to is None) for row in history] == [("ann", "tuffnells", False), ("bob", "tuffnells-uk", True)]
    assert history[0].valid_to == history[1].valid_from > history[0].valid_from
    assert mappings.current_csv(rig.house, "carriers").count("\n") == tables_for()["carriers"].count("\n") + 1
