"""Drift that somebody planted is found, named, and gone when it is mended; a healthy world has none, whatever the weather was."""

import json
from typing import Any

import httpx
import pytest

from connectors.kit import sandbox as faults
from deployments.demo_world import FORGOTTEN_CARRIER
from tasks import drift, inbound, mappings, orders
from tests.journeys.rig import ADA, TOKEN, Rig, tables_for

SHOP, SITE = "bigcommerce-uk", "gxo-uk"


def _watch(rig: Rig) -> dict[str, Any]:
    return drift.watch_orders_and_tracking(rig.house, SHOP, SITE)


def _rows(rig: Rig, about: str = "order") -> dict[str, Any]:
    """The open differences, by record."""
    with rig.ledger.transaction() as tx:
        return {row.record: row for row in rig.ledger.drifts.open_of(tx, SHOP, SITE, about)}


def _causes(rig: Rig, about: str = "order") -> dict[str, str]:
    return {record: row.cause for record, row in _rows(rig, about).items()}


def _by_hand(rig: Rig, method: str, path: str, body: dict[str, Any] | None = None) -> None:
    """Somebody, or another app, at the storefront's own API."""
    answer = rig.shop.handle(httpx.Request(method, f"https://shop.invalid/v2{path}", headers={"X-Auth-Token": TOKEN}, json=body))
    assert answer.is_success, answer.text


def _shipped_world(world, *lines: tuple[str, int], **given: Any) -> tuple[Rig, str]:
    """A world in which some orders were shipped, shown and read back; the one to spoil is returned."""
    rig = world(**given)
    others = [rig.orders(("MUG", 1)) for _ in range(3)]
    order = rig.orders(*(lines or (("HEART", 2),)))
    rig.drains()
    _quiet_hour(rig)
    assert _watch(rig)["found"] == 0 and len(others) == 3
    return rig, str(order)


def _quiet_hour(rig: Rig) -> None:
    """So much time that nothing can be on its way any more; the flows go on running."""
    rig.passes(3600)
    rig.day()


def _ends(rig: Rig, order: str, kind: str = "status_drift") -> None:
    """Mended: the row ends, the exception is settled, and both say so."""
    _quiet_hour(rig)
    assert _watch(rig)["found"] == 0
    assert [row for row in rig.desk() if row[0] == kind] == []
    (settled,) = [row for row in rig.ledger.exceptions.listed(only_open=False) if row.type == kind and row.record == order]
    assert settled.reason == "They agree again." and settled.resolved_by == "drift_watch"
    assert all(row.ended_at is not None for row in rig.ledger.table("drift").itertuples() if row.cause != "late")


def test_a_trading_day_ends_in_agreement_and_what_is_on_its_way_is_late_and_no_alarm(world):
    rig = world()
    placed = [rig.orders(("HEART", n + 1), ("MUG", 1)) for n in range(7)] + [rig.orders(("HEART", 1), ("POST", 1))]
    rig.sends_orders()
    assert _watch(rig)["found"] == 0
    rig.passes(5)
    rig.warehouse_works()
    rig.passes(60)
    rig.warehouse_works()
    drift_before_told = _tell_without_delivery(rig)
    assert set(drift_before_told["by_cause"]) == {"late"} and not rig.on_desk("status_drift")
    rig.drains()
    _quiet_hour(rig)
    told = _watch(rig)
    assert told["found"] == 0, _rows(rig)
    assert told["read"]["changed orders"] == len(placed)
    assert rig.on_desk("status_drift") == rig.on_desk("tracking_drift") == []


def _tell_without_delivery(rig: Rig) -> dict[str, Any]:
    inbound.take_in(rig.house, SITE)
    return _watch(rig)


def test_a_shipment_deleted_at_the_storefront_is_a_manual_edit(world):
    rig, order = _shipped_world(world)
    (shipment,) = rig.shipments(int(order))
    _by_hand(rig, "DELETE", f"/orders/{order}/shipments/{shipment['id']}")
    rig.passes(60)
    assert _watch(rig)["by_cause"] == {"manual_edit": 1}
    (held,) = rig.on_desk("status_drift")
    assert (held.record, held.owner, held.evidence["cause"]) == (order, "ecommerce", "manual_edit")
    assert "advised, and not shown as shipped: line" in held.evidence["detail"] and "shipped 2 of 2" in held.evidence["warehouse_says"]
    assert _watch(rig)["new"] == 0 and len(rig.on_desk("status_drift")) == 1, "the same drift opened twice"
    _by_hand(rig, "POST", f"/orders/{order}/shipments", {"order_address_id": shipment["order_address_id"], "tracking_number": shipment["tracking_number"],
                                                         "items": [{"order_product_id": i["order_product_id"], "quantity": i["quantity"]} for i in shipment["items"]]})
    _ends(rig, order)


def test_pending_here_and_dispatched_there_names_the_status_that_was_set_back(world):
    rig, order = _shipped_world(world)
    rig.shop.edit_order(int(order), status_id=11)
    _watch(rig)
    assert _causes(rig) == {order: "manual_edit"} and "the status was set back" in _rows(rig)[order].detail
    assert _rows(rig)[order].storefront_says == "awaiting_fulfilment (11), shipped 2 of 2"
    rig.shop.edit_order(int(order), status_id=2)
    _ends(rig, order)


def test_an_order_marked_shipped_before_the_warehouse_shipped_is_named(world):
    rig, _ = _shipped_world(world)
    order = rig.orders(("HEART", 1))
    rig.sends_orders()
    rig.shop.edit_order(order, status_id=2)
    rig.passes(7200)
    rig.reads_orders()
    _watch(rig)
    assert _causes(rig) == {str(order): "manual_edit"}


def test_goods_shipped_by_hand_while_the_warehouse_has_the_order_are_shipped_outside(world):
    rig, _ = _shipped_world(world)
    order = rig.orders(("HEART", 2))
    rig.sends_orders()
    books = rig.shop.books()["orders"][order]
    rig.shop.ship(order, {"order_address_id": next(iter(books["addresses"])), "tracking_number": "BYHAND", "items": [
        {"order_product_id": next(iter(books["lines"])), "quantity": 1}]})
    _watch(rig)
    assert _causes(rig) == {str(order): "shipped_outside"}


def test_one_parcel_shown_twice_is_a_double_count(world):
    rig = world(kinds={"partial": 1})
    order = rig.orders(("HEART", 3))
    for step in (rig.sends_orders, rig.warehouse_works, rig.tells_of_dispatches):
        step()
    (shipment,) = rig.shipments(order)
    one = [{"order_product_id": shipment["items"][0]["order_product_id"], "quantity": 1}]
    _by_hand(rig, "POST", f"/orders/{order}/shipments", {"order_address_id": shipment["order_address_id"], "tracking_number": shipment["tracking_number"],
                                                         "comments": shipment["comments"], "items": one})
    rig.passes(60)
    _watch(rig)
    assert _causes(rig) == {str(order): "double_count"}


def test_a_parcel_that_was_accepted_and_never_shown_is_late_and_then_a_lost_write(world):
    rig, _ = _shipped_world(world)
    order = rig.orders(("HEART", 1))
    rig.sends_orders()
    rig.passes(5)
    rig.warehouse_works()
    rig.passes(60)
    rig.warehouse_works()
    lost = []

    def read_back_comes_too_late(call: str) -> None:
        if call == f"GET /orders/{order}/shipments" and not lost:
            lost.append([one["id"] for one in rig.shipments(order)])
            rig.shop._books.unship(order, lost[0])

    rig.watch.before.append(read_back_comes_too_late)
    rig.tells_of_dispatches()
    rig.watch.stop()
    assert lost == [[lost[0][0]]]
    _watch(rig)
    assert _causes(rig) == {str(order): "late"} and not rig.on_desk("status_drift")
    began = _rows(rig)[str(order)].began_at
    _quiet_hour(rig)
    _watch(rig)
    assert _causes(rig) == {str(order): "lost_write"} and _rows(rig)[str(order)].began_at == began, "a late one that never agreed keeps its age"
    assert [row.record for row in rig.on_desk("tracking_not_taken")] == [str(order)] and not rig.on_desk("status_drift"), "one exception is enough"


def test_a_parcel_that_waits_for_a_carrier_mapping_is_unmapped(world):
    rig = world(kinds={"other carrier": 1})
    order = str(rig.orders(("HEART", 1)))
    rig.day()
    _quiet_hour(rig)
    if not rig.on_desk("carrier_unmapped"):
        pytest.fail(f"the parcel was to go with {FORGOTTEN_CARRIER}")
    _watch(rig)
    assert _causes(rig) == {order: "unmapped"} and not rig.on_desk("status_drift"), "it is on a desk as carrier_unmapped"
    mappings.change_mapping(rig.house, "carriers", tables_for(mended=True)["carriers"], "operator")
    rig.drains()
    _quiet_hour(rig)
    assert _watch(rig)["found"] == 0


def test_an_order_cancelled_after_it_was_shipped_is_cancelled_there(world):
    rig, order = _shipped_world(world)
    rig.shop.cancel_order(int(order))
    _watch(rig)
    assert _causes(rig) == {order: "cancelled_there"} and "the warehouse shipped it" in _rows(rig)[order].detail


def test_a_cancel_that_is_on_its_way_is_late_and_an_order_that_both_cancelled_agrees(world):
    rig, _ = _shipped_world(world)
    order = rig.orders(("HEART", 1))
    rig.sends_orders()
    rig.shop.cancel_order(order)
    _watch(rig)
    assert _causes(rig) == {str(order): "late"} and not rig.on_desk("status_drift")
    rig.drains()
    _quiet_hour(rig)
    assert _watch(rig)["found"] == 0, _rows(rig)


def test_an_order_that_the_warehouse_refused_is_closed_there_and_on_one_desk_only(world):
    rig = world()
    order = str(rig.orders(("HEART", 1)))
    rig.site._skus.discard("HEART")  # its item master and its system differ
    rig.drains()
    _quiet_hour(rig)
    _watch(rig)
    assert [row.record for row in rig.on_desk("rejected_by_warehouse")] == [order]
    assert _causes(rig) == {order: "closed_there"} and not rig.on_desk("status_drift")


def test_an_order_that_our_feed_read_past_is_late_and_then_missed_and_one_that_nobody_read_yet_is_only_late(world):
    rig, _ = _shipped_world(world)
    order = str(rig.orders(("HEART", 1)))
    rig.passes(3600)
    _watch(rig)
    assert _causes(rig) == {order: "late"} and not rig.on_desk("status_drift"), "the feed was not read for an hour: that is a silence, told as such"
    orders.take_in_orders(rig.house, SHOP)
    with rig.ledger.transaction() as tx:
        tx.exec_driver_sql(f"DELETE FROM order_book WHERE order_id = '{order}'")  # as a page that shifted under the reader would have it
    _watch(rig)
    assert _causes(rig) == {order: "missed"} and [row.record for row in rig.on_desk("status_drift")] == [order]
    rig.shop.edit_order(int(order), external_order_id="touched")
    rig.drains()
    _ends(rig, order)


@pytest.mark.parametrize(("edit", "says"), [({"tracking_number": "TYPED"}, "tracking number TYPED"), ({"shipping_provider": "ups"}, "carrier ups")],
                         ids=["number", "carrier"])
def test_a_parcel_edited_by_hand_is_tracking_drift_until_it_is_put_right(world, edit, says):
    rig, order = _shipped_world(world)
    (shipment,) = rig.shipments(int(order))
    before = {name: shipment[name] for name in edit}
    _by_hand(rig, "PUT", f"/orders/{order}/shipments/{shipment['id']}", edit)
    rig.shop._books.touch(int(order))
    told = _watch(rig)
    assert told["by_cause"] == {"manual_edit": 1} and not _rows(rig)
    (row,) = _rows(rig, "tracking").values()
    assert row.record.startswith(f"{order} ") and row.storefront_says == says and "seen there" in row.ledger_says
    assert [row.record for row in rig.on_desk("tracking_drift")] == [order]
    _by_hand(rig, "PUT", f"/orders/{order}/shipments/{shipment['id']}", before)
    rig.shop._books.touch(int(order))
    _ends(rig, order, "tracking_drift")


def test_a_carrier_mapping_changed_after_the_storefront_was_told_is_named_remapped(world):
    rig, order = _shipped_world(world)
    csv = tables_for()["carriers"].replace("royalmail", "royal-mail-new").replace("dpd-uk", "dpd-new")
    mappings.change_mapping(rig.house, "carriers", csv, "operator")
    rig.shop._books.touch(int(order))
    _watch(rig)
    assert set(_causes(rig, "tracking").values()) == {"remapped"}


def test_an_order_that_nobody_touched_is_read_anew_in_its_turn(world):
    """date_modified does not move for everything: without the turn, a parcel edited quietly was never seen."""
    rig, order = _shipped_world(world)
    (shipment,) = rig.shipments(int(order))
    rig.shop._books.shipments[int(order)][0]["tracking_number"] = "QUIETLY"
    seen = []
    for _ in range(drift.TURNS):
        rig.passes(drift.EVERY_SECONDS)
        seen.append(_watch(rig)["found"])
        if seen[-1]:
            break
    assert seen[-1] == 1 and list(_causes(rig, "tracking").values()) == ["manual_edit"]


WEATHER = (faults.TIMEOUT_AFTER, faults.ERROR_AFTER, faults.THROTTLED, faults.TIMEOUT_BEFORE, faults.STALE_READ)


@pytest.mark.parametrize("seed", range(3))
def test_bad_weather_that_heals_leaves_no_drift_and_raises_no_false_alarm_on_the_way(world, seed):
    rig = world(seed=seed, kinds={"complete": 3, "packages": 2, "partial": 1})
    for n in range(6):
        rig.orders(("HEART", n % 3 + 1), ("MUG", 2))
    for fault in WEATHER:
        rig.shop.faults.add(fault, chance=0.15)
    for _ in range(8):
        rig.day()
        rig.passes(300)
        rig._tries(lambda: _watch(rig))
        alarms = {record: cause for record, cause in (_causes(rig) | _causes(rig, "tracking")).items() if cause != "late"}
        assert not alarms, str([list(row) for row in _rows(rig).values()])
    rig.drains()
    _quiet_hour(rig)
    assert _watch(rig)["found"] == 0
    assert rig.violations() == []
    assert json.dumps([row._asdict() for row in rig.ledger.table("drift").itertuples()], default=str).find(ADA["last_name"]) < 0
