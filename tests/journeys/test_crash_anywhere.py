"""A process may die at any point. What it leaves on the disk and in the other systems is all that the next one has.

One run is made, and before and after every commit and every call that leaves the house the world is photographed: the disk's bytes,
the shop, the warehouse. Two photographs with the same bytes are the same death. From each different one, a new process goes on.
"""

import hashlib
import json

import pytest

from tests.journeys.rig import LEASE, QUIET, Crash, Image, Rig

KINDS = {"kinds": {"complete": 2, "packages": 1}, "seed": 7}  # three orders, four parcels


def _three_orders(world) -> Rig:
    rig = world(**KINDS)
    rig.orders(("HEART", 2), ("POST", 1))
    rig.orders(("MUG", 3))
    rig.orders(("LANTERN", 4), ("MUG", 1))
    return rig


def _digest(image: Image) -> str:
    of_shops = [shop.books() for shop in image.shops.values()]
    told = json.dumps([of_shops, image.site.books(), image.at], default=str, sort_keys=True)
    return hashlib.sha256(b"".join(name.encode() + body for name, body in sorted(image.files.items())) + told.encode()).hexdigest()


class Photographs:
    """Every different state that a dying process could leave, with the first point at which it would."""

    def __init__(self, rig: Rig) -> None:
        self.points, self.different, self._rig = 0, {}, rig
        self.step = ""
        rig.watch.before.append(lambda what: self.take(f"before {what}"))
        rig.watch.after.append(lambda what: self.take(f"after {what}"))

    def take(self, where: str) -> None:
        """One point."""
        self.points += 1
        image = self._rig.image()
        self.different.setdefault(_digest(image), (f"{self.step}: {where}", image))


def _whole_run(rig: Rig, photographs: Photographs | None = None) -> None:
    for name, step in (("orders", rig.sends_orders), ("picking", rig.warehouse_works), ("dispatches", rig.tells_of_dispatches)):
        if photographs:
            photographs.step = name
        step()
        rig.passes(2)
    rig.warehouse_works()


def test_a_process_that_dies_at_any_point_leaves_a_debt_and_never_a_hole(world):
    rig = _three_orders(world)
    start = rig.image()
    photographs = Photographs(rig)
    _whole_run(rig, photographs)
    rig.drains()
    expected = rig.outcome()
    assert len(expected["warehouse"]) == 3 and expected["emails"] == 4 and rig.violations() == []
    assert photographs.points > 150 and len(photographs.different) > 40, (photographs.points, len(photographs.different))
    wrong = {}
    for where, image in [("the start", start), *photographs.different.values()]:
        rig.goes_back_to(image)
        rig.passes(QUIET + LEASE)
        rig.drains(rounds=6)
        found = rig.violations() + ([] if rig.outcome() == expected else [str(rig.outcome())])
        if found or rig.errors:
            wrong[where] = found + [str(error) for error in rig.errors]
    assert wrong == {}


@pytest.mark.parametrize("when", ["before", "after"])
def test_nothing_in_the_product_holds_on_to_a_process_that_is_told_to_die(world, when):
    rig = _three_orders(world)
    start = rig.image()
    _whole_run(rig)
    rig.drains()
    expected = rig.outcome()
    for pattern in ("write inbound", "rename inbound", "POST /orders", "rename outbound"):
        rig.goes_back_to(start)
        deaths = []

        def die(what: str, pattern: str = pattern, deaths: list[str] = deaths) -> None:
            if what.startswith(pattern) and not deaths:
                deaths.append(what)
                raise Crash(what)

        getattr(rig.watch, when).append(die)
        with pytest.raises(Crash):
            _whole_run(rig)
        rig.dies()
        rig.passes(QUIET + LEASE)
        rig.drains()
        assert deaths and rig.violations() == [] and rig.outcome() == expected, pattern
