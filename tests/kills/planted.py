"""Bugs planted into the processes that are killed: kills must show each of them within a few worlds."""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.bigcommerce.shipments import Shipments
from connectors.gxo.warehouse import Gxo
from tests.kills.campaign import Campaign

KILLS, WORLDS = 40, 4


def _blind(found: Any) -> Any:
    """Whatever is read back is taken for absent, and so sent again."""
    return lambda self, effect: None


BUGS: dict[str, tuple[type, str, Callable[[Any], Any]]] = {
    "a parcel's shipment is sent again without a look": (Shipments, "find", _blind),
    "a file is sent again without a look": (Gxo, "find", _blind),
}


def shows(name: str, folder: Path, seed: int) -> bool:
    """Does any of a few worlds break an invariant with this bug in it?"""
    for place in range(WORLDS):
        with _planted(name):
            campaign = Campaign(folder / str(place), seed + place)
            try:
                if campaign.run(KILLS).violations:
                    return True
            finally:
                campaign.close()
    return False


@contextmanager
def _planted(name: str):
    owner, method, spoil = BUGS[name]
    right = getattr(owner, method)
    setattr(owner, method, spoil(right))
    try:
        yield
    finally:
        setattr(owner, method, right)
