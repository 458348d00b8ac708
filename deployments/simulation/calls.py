"""The shop that calls: its webhooks are registered with our door, and come late, twice, again, or not at all. A hint is never the truth; the pull runs too."""

from collections.abc import Iterator
from typing import Any

from deployments import webhooks
from deployments.simulation.world import World

FORGETS = 0.3  # how many calls a proxy before our door answers and forgets, in a world where far sides have no memory


def listen(world: World) -> None:
    """From now on the shop calls us about its orders and refunds."""
    house, before, world.weather.is_calm = world.house(), world.weather.is_calm, True
    house.storefront(world.storefront).keep_webhooks(f"https://hooks.invalid/hooks/{world.storefront}")
    world.weather.is_calm = before
    world.weather.asked.clear()  # the first call of this world is one of its own people's
    world.weather.calls.clear()
    world.after_step.append(lambda: _delivers(world, house))


def open_hints(world: World) -> list[dict[str, Any]]:
    """What the shop called about and nobody has looked at yet."""
    return world.look("SELECT key FROM hint WHERE taken_at IS NULL") if world.has("calls") else []


def calls_are_kept_and_looked_at(world: World, _: Any) -> Iterator[str]:
    """27: a call that was answered is in the ledger, and at rest somebody has looked at what it was about."""
    if not world.was_restored:
        kept = {row["key"] for row in world.look("SELECT key FROM hint")}
        yield from (f"{key} was answered, and is not kept" for key in sorted(world.answered - kept))
    yield from (f"{row['key']} is not looked at" for row in open_hints(world))


def _delivers(world: World, house: Any) -> None:
    """What is due is delivered at this moment: the shop's own calls meet no process of ours."""
    def receive(_: str, headers: dict[str, str], body: bytes) -> int:
        if world.nastiness == "amnesiac" and world.kernel.dice("calls").random() < FORGETS:
            return webhooks.OK
        status, _ = webhooks.take(house, world.storefront, headers, body)
        if status == webhooks.OK:
            world.answered.add(house.storefront(world.storefront).hint(headers, body).key)
        return status

    world.shop.send_webhooks_to(receive)
    world.shop.step()
    world.shop.send_webhooks_to(None)
