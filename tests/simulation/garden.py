"""What all planted bugs share: changes that can be taken back, the list of bugs by name, and which worlds show them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from deployments.simulation.play import Scenario

Plant = Callable[["Garden"], None]
BUGS: dict[str, Plant] = {}
IN_PEACE = {theme: Scenario(has_weather=False, themes=("orders", theme)) for theme in ("stock", "returns", "minds")}  # no fault needs to hide it: quick worlds


class Garden:
    """Changes attributes, and remembers what was there."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def put(self, owner: Any, name: str, value: Any) -> Any:
        """The attribute is now this; returns what it was."""
        before = getattr(owner, name)
        self._before.append((owner, name, owner.__dict__.get(name, before) if isinstance(owner, type) else before))
        setattr(owner, name, value)
        return before

    def clear(self) -> None:
        """As it was."""
        while self._before:
            setattr(*self._before.pop())


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The product with this bug in it."""
    garden = Garden()
    BUGS[name](garden)
    try:
        yield
    finally:
        garden.clear()


def bug(plant: Plant) -> Plant:
    """Into the list, by its name."""
    BUGS[plant.__name__] = plant
    return plant
