"""A machine that is off for a night while something is in doubt.

In the morning the shop or the partner cannot be looked at for a while, so that nobody can tell any more what became of it; or one order's shipments are lost
each time that they are sent. Either is a person's to decide (`blocked_effect`). Nobody is at work in the night, so it costs nothing: time is moved on.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from connectors.kit.exchange import kind_of
from connectors.kit.sandbox import CONNECT_REFUSED, TIMEOUT_AFTER, TIMEOUT_BEFORE
from contracts.exceptions import IT_IS_THERE, SEND_AGAIN
from deployments.simulation.kernel import BEGIN

NIGHT, HOURS = "night", timedelta(hours=5)
HIDDEN = timedelta(minutes=10)  # how long in the morning
BROKEN = 560.0  # a broken night: the machine is on for so many seconds in the middle of it, and nobody can look
FALLS_AFTER = 45.0  # seconds after the doubt: nobody has looked yet
LOST_AT_MOST = 12
KINDS = {  # what cannot be looked at in the morning ('': nothing, and it is lost again and again), the change in doubt, what strikes it
    "shop": ("read shipments", "dispatch_confirmation", (TIMEOUT_BEFORE, TIMEOUT_AFTER)), "partner": ("read files", "fulfilment_request", (TIMEOUT_AFTER,)),
    "order": ("", "dispatch_confirmation", (TIMEOUT_BEFORE,)),
}


@dataclass
class Night:
    """The weather's whim in such a world: asked at each call before the dice are."""

    world: Any
    kind: str
    fault: str
    begins_at: datetime
    what: str = ""  # the call that is in doubt
    times: int = 0
    morning: datetime | None = None
    is_broken: bool = False

    def __call__(self, candidates: tuple[str, ...], what: str, effect: str) -> str:
        """The fault that strikes this call, or ''."""
        now, (hidden, change, _) = self.world.kernel.at, KINDS[self.kind]
        if self.morning is not None and now < self.morning + HIDDEN and effect == hidden and CONNECT_REFUSED in candidates:
            return CONNECT_REFUSED
        if effect != change or self.fault not in candidates or now < self.begins_at or self.world.was_restored:
            return ""
        if not self.what and not self.world.is_closed:
            self.what = what
            self.world.kernel.later(FALLS_AFTER, self.falls)
        if what != self.what or self.times >= (1 if hidden else LOST_AT_MOST) or self.times and self._is_told():
            return ""
        self.times += 1
        return self.fault

    def falls(self) -> None:
        """Everybody's process ends; what anybody would do is done so much later."""
        kernel = self.world.kernel
        if self.world.is_closed or self.world.was_restored:
            return
        kernel.kill_all()
        length = HOURS / 2 if KINDS[self.kind][0] and (self.is_broken or self.world.slept) else HOURS
        kernel.sleeps(length)
        self.world.slept, self.morning = self.world.slept + length, kernel.at
        if self.world.slept < HOURS:
            kernel.later(BROKEN, self.falls)
        kernel.tell("it is morning" if self.world.slept >= HOURS else "the machine is on for a while")

    def _is_told(self) -> bool:
        return bool(self.world.look("SELECT 1 FROM exception WHERE type = 'blocked_effect'"))


def may_fall(world: Any, trading: timedelta) -> None:
    """In worlds that have one."""
    if world.has(NIGHT):
        dice = world.kernel.dice("nights")
        kind = dice.choice(sorted(KINDS))
        world.weather.whims.append(Night(world, kind, dice.choice(KINDS[kind][2]), BEGIN + trading * dice.uniform(0.1, 0.3), is_broken=dice.random() < 0.5))


def looked_up(world: Any, effect_id: str) -> str:
    """What a person finds who looks at the shop, or asks the partner: the remedy."""
    row = world.look("SELECT kind, record, number FROM effect WHERE effect_id = ?", effect_id)[0]
    if row["number"]:
        came = any(one["control"] == row["number"] for one in world.site.books()["received"])
        waits = any(kind_of(file.name) == "whole" for file in (world.home / "partner" / world.partner.to_partner).glob(f"*_{row['number']:09}.*"))  # half put is not there
        return IT_IS_THERE if came or waits else SEND_AGAIN
    said = world.shop.notes_of(int(row["record"])) if row["kind"] == "dispatch_confirmation" else [str(one["items"]) for one in world.shop.books()["refunds"]]
    return IT_IS_THERE if any(effect_id in unquote(one) for one in said) else SEND_AGAIN
