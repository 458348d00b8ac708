"""Worlds for the journeys, closed when their test ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.rig import Rig


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Makes a world; the arguments are Rig's."""
    made: list[Rig] = []

    def make(**given: Any) -> Rig:
        made.append(Rig(tmp_path / f"home{len(made)}", **given))
        return made[-1]

    yield make
    for rig in made:
        rig.house.close()
