"""The whole journey with everything that a day brings; every step twice."""

import pandas as pd

from deployments.demo_orders import generated, period
from deployments.demo_world import FORGOTTEN_CARRIER, FORGOTTEN_METHOD, STOREFRONT, address_of, channel_of, item_master
from tasks import mappings, orders
from tests.journeys.rig import ADA, BOB, Rig, some_items, tables_for

HELD = {"sku_spelling", "sku_unknown", "facility_unmapped", "ship_method_unmapped"}


def _many_orders(rig: Rig, found) -> None:
    for order in found.orders:
        rig.shop.place_order([{"sku": line.sku, "name": line.name or line.sku, "quantity": line.quantity, "price": str(line.price), "product_id": 1}
                              for line in order.lines], [address_of(order)], channel_id=int(channel_of(order.country)), status_id=11,
                             external_order_id=order.invoice, currency="GBP")
        rig.passes(1)


def _twice(rig: Rig, step) -> None:
    step()
    before, at_rest = rig.writes(), [rig.ledger.effects.counts(name, ("fulfilment_request", "dispatch_confirmation")) for name in ("gxo-uk", STOREFRONT)]
    step()
    assert rig.writes() == before, "the second time wrote something"
    assert [rig.ledger.effects.counts(name, ("fulfilment_request", "dispatch_confirmation")) for name in ("gxo-uk", STOREFRONT)] == at_rest


def _a_day_with_everything(world) -> tuple[Rig, dict[str, int]]:
    found = period(generated(days=1, orders_a_day=24, seed=3))
    rig = world(items=pd.concat([item_master(found.orders), some_items()], ignore_index=True), nastiness="strict",
                kinds={"complete": 6, "packages": 2, "unnumbered": 1, "partial": 2, "other carrier": 2, "repeated": 1})
    _many_orders(rig, found)
    return rig, {
        "postage": rig.orders(("HEART", 2), ("POST", 1)), "twin": rig.orders(("heart", 1), ("MUG", 1)), "unknown": rig.orders(("NOSUCH", 1)),
        "nowhere": rig.orders(("HEART", 1), to=[{**ADA, "country": "Ruritania", "country_iso2": "XX"}]),
        "courier": rig.orders(("HEART", 1), to=[{**ADA, "shipping_method": FORGOTTEN_METHOD}]),
        "two addresses": rig.orders(("HEART", 1), ("MUG", 3, {"address": 1}), to=[ADA, BOB]),
        "digital": rig.orders(("TRAY", 1), ("EBOOK", 1, {"type": "digital"})), "doubled": rig.orders(("MUG", 1), ("MUG", 2), ("MUG", 3)),
        "only postage": rig.orders(("POST", 1)), "unpaid": rig.orders(("HEART", 1), status_id=7)}


def test_a_trading_day_ends_with_every_check_holding_and_every_step_done_twice_writes_once(world):
    rig, of = _a_day_with_everything(world)
    apart = (of["two addresses"], of["digital"], of["unpaid"])
    _twice(rig, rig.sends_orders)
    assert rig.watch.calls.count("GET /orders") > 6, "a page of five was to be turned many times"
    assert {kind for kind, _ in rig.desk()} >= HELD
    for _ in range(3):
        rig.passes(5)
        rig.warehouse_works()
        _twice(rig, rig.tells_of_dispatches)
        _twice(rig, rig.sends_orders)
    assert rig.on_desk("carrier_unmapped"), "no parcel went with the carrier that nobody mapped"
    for table in ("ship_methods", "carriers"):
        mappings.change_mapping(rig.house, table, tables_for(mended=True)[table], "operator")
    rig.drains()
    assert rig.violations(apart=apart) == []
    assert not rig.errors
    assert len(rig.at_warehouse(of["courier"])) == 1 and rig.shop.books()["orders"][of["courier"]]["status_id"] == 2
    for name in ("twin", "unknown", "nowhere", "only postage", "unpaid"):
        assert rig.at_warehouse(of[name]) == [], name
    assert rig.units(of["doubled"]) == {"MUG": 6} and rig.units(of["postage"]) == {"HEART": 2} and rig.units(of["digital"]) == {"TRAY": 1}
    parts = rig.at_warehouse(of["two addresses"])
    assert sorted((line["sku"], line["quantity"]) for copy in parts for line in copy["lines"].values()) == [("HEART", 1), ("MUG", 3)] and len(parts) == 2, "each address has its own request"
    assert {shipment["order_address_id"] for shipment in rig.shipments(of["two addresses"])} == set(
        rig.shop.books()["orders"][of["two addresses"]]["addresses"]), "each parcel is shown at its own address"
    carriers = {parcel["carrier"] for copies in rig.site.books()["orders"].values() for copy in copies for parcel in copy["parcels"]}
    assert FORGOTTEN_CARRIER in carriers
    for order in of.values():
        sent = [row for row in rig.shop.books()["emails"] if row["order_id"] == order]
        assert len(sent) == len(rig.shipments(order))
    before = rig.outcome()
    rig.day()
    assert rig.outcome() == before


def test_a_dry_run_says_what_a_run_does_and_changes_no_row_anywhere(world):
    rig, _ = _a_day_with_everything(world)
    mappings.refresh_items(rig.house, "gxo-uk")
    before, files, writes = _rows(rig), sorted(p for p in rig.home.rglob("*")), rig.writes()
    said = orders.rehearse_orders(rig.house, STOREFRONT)
    assert _rows(rig) == before and rig.writes() == writes and sorted(p for p in rig.home.rglob("*")) == files
    assert not [call for call in rig.watch.calls if call.split()[0] in ("POST", "PUT", "DELETE", "write", "rename", "remove")]
    rig.sends_orders()
    asked = {row["reference"] for row in said["asked"]}
    assert asked and asked == set(rig.ledger.table("request")["reference"])
    assert {(held["type"], held["record"]) for held in said["held"]} == set(rig.desk())


def _rows(rig: Rig) -> dict[str, list]:
    with rig.ledger.transaction() as tx:
        names = [name for (name,) in tx.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        return {name: [tuple(row) for row in tx.exec_driver_sql(f'SELECT * FROM "{name}"')] for name in names}
