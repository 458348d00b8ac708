"""The worst that can follow a change: its answer is lost, and what is looked at afterwards is old, or cannot be looked at at all for a while.

Blind dice seldom throw both; in a world that has such a doubt they come together, once, about one order.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.kit.sandbox import CONNECT_REFUSED, STALE_READ, TIMEOUT_AFTER, TIMEOUT_BEFORE
from deployments.simulation.kernel import BEGIN
from deployments.simulation.world import ADDRESS, SKUS

HAPPENS = 0.3  # of the worlds
STALE, AWAY, SECOND = "stale", "away", "second"  # what is read is old; nobody can read; the second of two like boxes never came
HOW = {STALE: (TIMEOUT_AFTER, STALE_READ), AWAY: (TIMEOUT_AFTER, CONNECT_REFUSED), SECOND: (TIMEOUT_BEFORE, "")}
LASTS = timedelta(seconds=400)
LOOKS_MAX = 4  # old ones: more would only keep everybody waiting
SHOPS, MARKETS = {"dispatch_confirmation": "read shipments", "refund": "read refunds"}, {"market confirmation": "read market order"}


@dataclass
class Doubt:
    """One of the weather's whims: the change that it strikes, and what becomes of the looks at it."""

    world: Any
    how: str
    changes: dict[str, str]
    begins_at: datetime
    about: str = ""  # the order in doubt
    looks_at: str = ""
    until: datetime = BEGIN
    looks: int = 0

    def __call__(self, candidates: tuple[str, ...], what: str, effect: str) -> str:
        """The fault that strikes this call, or ''."""
        now, (lost, unseen) = self.world.kernel.at, HOW[self.how]
        if self.world.is_closed or now < self.begins_at:
            return ""
        if not self.about and effect in self.changes and lost in candidates and self._is_fit(_order(what)):
            self.about, self.looks_at, self.until = _order(what), self.changes[effect], now + LASTS
            return lost
        if self.about and effect == self.looks_at and _order(what) == self.about and now < self.until and unseen in candidates and (self.how == AWAY or self.looks < LOOKS_MAX):
            self.looks += 1
            return unseen
        return ""

    def _is_fit(self, order: str) -> bool:
        """For likes: an order of which a box is shown already. For old lists: one of which more boxes are to be shown, so that nothing else tells that this one is."""
        boxes = [sorted(parcel.content.items()) for copies in self.world.site.orders_now.values() for copy in copies if copy.storefront_order == order for parcel in copy.parcels]
        if self.how == AWAY or not order.isdigit():
            return True
        shown = len(self.world.shop.notes_of(int(order)))
        return shown < len(boxes) and boxes[shown] in boxes[:shown] if self.how == SECOND else len(boxes) > shown + 1


def may_come(world: Any, trading: timedelta) -> None:
    """In worlds that have one; with an order that goes in two like boxes."""
    dice = world.kernel.dice("doubts")
    if dice.random() >= HAPPENS:
        return
    is_shop = world.storefront == "bigcommerce-uk"
    how = dice.choice((STALE, AWAY, SECOND) if is_shop else (STALE, AWAY))
    changes = MARKETS if not is_shop else SHOPS
    if is_shop and how == STALE and world.has("returns") and dice.random() < 0.4:
        changes = {"refund": SHOPS["refund"]}
    elif is_shop and how != AWAY:
        changes = {"dispatch_confirmation": SHOPS["dispatch_confirmation"]}
    if how == SECOND:
        world.site.has_one_number_each = False  # like boxes, and nothing but our reference tells them apart
    world.weather.whims.append(Doubt(world, how, changes, BEGIN + timedelta(seconds=60)))
    if is_shop and "dispatch_confirmation" in changes:
        sku = dice.choice(SKUS)
        world.kernel.later(dice.uniform(0, trading.total_seconds() * 0.3), lambda: _goes_in_like_boxes(world, sku))


def _goes_in_like_boxes(world: Any, sku: str) -> None:
    lines = [{"sku": sku, "name": sku, "quantity": 4, "price": "2.55", "product_id": 1}]
    number = world.shop.place_order(lines, [ADDRESS], status_id=11, currency="GBP")
    world.moves(number, ADDRESS["street_1"])
    world.site.ways[str(number)] = "packages"
    world.kernel.tell(f"a customer places order {number}, which goes in like boxes")


def _order(what: str) -> str:
    """The order that a call is about: '/v2/orders/105/shipments', '/orders/v0/orders/202-1/shipmentConfirmation'."""
    parts = what.partition(" ")[2].split("/")
    return next((after for before, after in zip(reversed(parts[:-1]), reversed(parts[1:]), strict=False) if before == "orders" and after not in ("v0", "2026-01-01")), "")
