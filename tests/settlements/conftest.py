"""Worlds with a marketplace, closed when their test ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.settlements.market_rig import MarketRig


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Callable[..., MarketRig]]:
    """Makes a world; the arguments are the marketplace's."""
    made: list[MarketRig] = []

    def make(**given: Any) -> MarketRig:
        made.append(MarketRig(tmp_path / f"home{len(made)}", **given))
        return made[-1]

    yield make
    for rig in made:
        rig.house.close()
