"""The sandbox's stock: what lies where, what is promised to orders, and what is set apart."""

from dataclasses import asdict, dataclass


@dataclass
class Place:
    """One SKU in one facility: free to sell, allocated to orders, held (damaged, in quality control)."""

    free: int = 0
    allocated: int = 0
    held: int = 0


class StockBook:
    """Units by facility and SKU. Nothing of it goes below zero but by an adjustment."""

    def __init__(self, stock: dict[str, dict[str, int]]) -> None:
        self._places = {facility: {sku: Place(units) for sku, units in skus.items()} for facility, skus in stock.items()}

    def facilities(self) -> list[str]:
        """In order of their names."""
        return sorted(self._places)

    def at(self, facility: str, sku: str) -> Place:
        """That place; an empty one is made where there was none."""
        return self._places.setdefault(facility, {}).setdefault(sku, Place())

    def allocate(self, facility: str, sku: str, units: int) -> int:
        """Promise as many of the units as there are; how many that was."""
        place = self.at(facility, sku)
        got = max(0, min(units, place.free))
        place.free, place.allocated = place.free - got, place.allocated + got
        return got

    def release(self, facility: str, sku: str, units: int) -> None:
        """Take a promise back."""
        place = self.at(facility, sku)
        place.free, place.allocated = place.free + units, place.allocated - units

    def ship(self, facility: str, sku: str, units: int) -> None:
        """Promised units leave."""
        self.at(facility, sku).allocated -= units

    def figures(self, facility: str) -> dict[str, dict[str, int]]:
        """What the site would state: {sku: {available, on_hand, on_hold}}."""
        return {sku: {"available": place.free, "on_hand": place.free + place.allocated + place.held, "on_hold": place.held}
                for sku, place in sorted(self._places.get(facility, {}).items())}

    def all(self) -> dict[str, dict[str, dict[str, int]]]:
        """The whole book."""
        return {facility: {sku: asdict(place) for sku, place in sorted(skus.items())} for facility, skus in sorted(self._places.items())}
