"""Two accounts with the same order numbers, and one warehouse."""

from deployments.demo_world import STOREFRONT
from tests.journeys.rig import BOB, QUIET, Crash

SECOND = "bigcommerce-de"


def test_two_shops_with_the_same_order_numbers_share_a_warehouse_and_each_is_told_of_its_own_parcels(world):
    rig = world(accounts=(STOREFRONT, SECOND), kinds={"packages": 1})
    for number in (500, 501, 502):
        rig.orders(("HEART", 2), number=number)
        rig.orders(("MUG", 4), number=number, shop=SECOND, to=[BOB])
    deaths = []

    def die_once(what: str) -> None:
        if what.startswith("POST /orders/501/") and not deaths:
            deaths.append(what)
            raise Crash

    rig.watch.after.append(die_once)
    for _ in range(3):
        try:
            rig.day()
        except Crash:
            rig.dies()
        rig.passes(QUIET + 61)
    rig.drains()
    copies = rig.site.books()["orders"]
    assert deaths and sorted(copies) == [f"{prefix}{number}" for prefix in ("DE", "UK") for number in (500, 501, 502)]
    assert all(len(of_one) == 1 for of_one in copies.values())
    for prefix, shop, units in (("UK", STOREFRONT, 2), ("DE", SECOND, 4)):
        books = rig.shops[shop].books()
        tracking = {p["tracking"] for reference, of_one in copies.items() if reference.startswith(prefix) for copy in of_one for p in copy["parcels"]}
        assert {shipment["tracking_number"] for shipment in books["shipments"]} == tracking and len(tracking) == 6
        assert len(books["emails"]) == len(books["shipments"]) == 6
        assert {order["status_id"] for order in books["orders"].values()} == {2}
        assert {line["quantity_shipped"] for order in books["orders"].values() for line in order["lines"].values()} == {units}
    assert rig.desk() == []
