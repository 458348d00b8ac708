"""What must be struck by what in a world with a marketplace, and which of these worlds aims at which cell (as coverage.py does for the others)."""

from collections import Counter
from collections.abc import Iterator, Mapping

from deployments.simulation.faults import AT_POINTS
from deployments.simulation.market_wire import CONFIRMATION, FEED, FEEDS, LISTINGS, LOGIN, MONEY, ORDER, ORDERS, PATCH, REPORTS, UPLOAD

CALL = ("F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F10", "F11")
READ = ("F1", "F2", "F5", "F6", "F8", "F10")
CELLS: dict[str, tuple[str, ...]] = {
    CONFIRMATION: (*CALL, *AT_POINTS), PATCH: (*CALL, *AT_POINTS), FEED: (*CALL, *AT_POINTS), UPLOAD: ("F2", "F3", "F5", "F7", "F8", "F10"),
    ORDERS: (*READ, "F12", "F13"), ORDER: (*READ, "F13"), LISTINGS: (*READ, "F13"), FEEDS: ("F2", "F5", "F8"), REPORTS: READ, LOGIN: READ, MONEY: ("F2", "F5", "F8"),
    "process": ("F15", "F20", "F21"),
}
OF_STOCK = (PATCH, FEED, UPLOAD, LISTINGS, FEEDS)  # only where the world has stock
AIMED_AT = 12
SELDOM, SELDOM_AIMED_AT = (PATCH, FEED), 2  # most worlds have few of them, and patches (faults.py) are also struck when all has healed
NTH_MAX = 2
WORLDS_MIN, LEAST_OF_WORLDS = 100, 100


def aims(seed: int, turn: int, has_stock: bool, without: Mapping[str, float]) -> Iterator[tuple[str, str, int]]:
    """(fault, effect, at its n-th call). turn: how many worlds of this kind came before. Where there is stock, half of the strikes are at stock's own calls,
    and the first patches and feeds are aimed at besides."""
    for effect in SELDOM if has_stock else ():
        faults = [fault for fault in CELLS[effect] if without.get(fault) != 0]
        for nth in range(min(SELDOM_AIMED_AT, len(faults))):
            yield faults[(turn * SELDOM_AIMED_AT + nth) % len(faults)], effect, nth + 1
    for is_stock in (True, False) if has_stock else (False,):
        cells = [(fault, effect) for place in range(max(map(len, CELLS.values()))) for effect, faults in CELLS.items() for fault in faults[place:place + 1]
                 if without.get(fault) != 0 and (effect in OF_STOCK) == is_stock]
        most = min(AIMED_AT // (2 if has_stock else 1), len(cells))
        for place in range(most):
            fault, effect = cells[(turn * most + place) % len(cells)]
            yield fault, effect, 1 + (turn + place) % NTH_MAX


def least(worlds: int) -> int:
    """How often each cell must have been struck by so many worlds with a marketplace."""
    return worlds // LEAST_OF_WORLDS if worlds >= WORLDS_MIN else 0


def thin(matrix: Mapping[str, Counter], worlds: int, weights: Mapping[str, float]) -> list[str]:
    """Cells that were struck less often than that."""
    return [f"{fault} on {effect}: {matrix.get(fault, Counter())[effect]}" for effect, faults in CELLS.items() for fault in faults
            if effect != "process" and weights.get(fault) != 0 and matrix.get(fault, Counter())[effect] < least(worlds)]
