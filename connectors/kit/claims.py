"""The last look at a claim before something is changed at a far side."""

from connectors.kit.clock import Clock
from connectors.kit.errors import NotNow
from connectors.ports import Effect


def doing(name: str, effect: Effect) -> str:
    """What an error says we were at."""
    return f"{name}: {effect.kind.replace('_', ' ')} {effect.effect_id}"


def in_time(effect: Effect, clock: Clock, doing: str) -> None:
    """A process that slept since it looked first, or waited for a token or its budget, must not send on a claim that has ended. Raises NotNow: nothing was sent."""
    if effect.lease_until is not None and clock.now() >= effect.lease_until:
        raise NotNow(doing, "what came before the change took longer than the claim lasts; nothing was sent",
                     "Whoever has it now sends it. Where it comes often, give `ledger.lease_seconds` more, or smaller updates.")
