"""What must be struck by what: every effect and every read, by every fault that its way knows; and which world aims at which cell.

Random weather leaves thin cells thin: whoever draws ten thousand worlds still has luck in the matrix. So each world aims at a few cells, in
turn by its seed, among those that its theme can hit; any run of consecutive seeds then strikes all of them about equally often.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from deployments.simulation.faults import AT_POINTS, CALLS, EVERY_FAULT, SELDOM

CALL = ("F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F10")
READ = ("F1", "F2", "F5", "F6", "F8", "F10")
WRITTEN = ("F22", "F23", "F24", "F25", "F26")
ORDERS: dict[str, tuple[str, ...]] = {
    "dispatch_confirmation": (*CALL, *AT_POINTS), "order_completion": (*CALL, "F11", *AT_POINTS), "fulfilment_request": ("F3", "F19", *AT_POINTS),
    "acknowledgement": ("F3", "F19", *AT_POINTS), "filing away": ("F3", *AT_POINTS), "file 945": WRITTEN, "file 997": WRITTEN,
    "look before dispatch_confirmation": AT_POINTS, "read orders": (*READ, "F11", "F12"), "read shipments": (*READ, "F13"), "read files": ("F1",), "ledger": ("F18",), "process": ("F15", "F20", "F21"),
}
STOCK: dict[str, tuple[str, ...]] = {
    "stock_update": (*CALL, "F11", *AT_POINTS), "read inventory": (*READ, "F13"), "read catalogue": READ, "file 846": WRITTEN, "file 947": WRITTEN,
    "statement": ("F27", "F28", "F29", "F30"),
}
RETURNS: dict[str, tuple[str, ...]] = {
    "refund": (*CALL, *AT_POINTS), "read quote": READ, "read refunds": (*READ, "F13"), "file 944": WRITTEN, "return_notice": ("F3", "F19", *AT_POINTS),
    "look before refund": AT_POINTS,
}
THEMES = {"orders": ORDERS, "stock": STOCK, "returns": RETURNS, "calls": CALLS}
CELLS = {effect: faults for theme in THEMES.values() for effect, faults in theme.items()}
AIMED_AT = 8  # cells of each of its themes that one world aims at
SELDOM_AIMED_AT = 2  # ... and faults at the first calls of each effect that comes seldom: what has to be tried again is called again
NTH_MAX = 3  # ... at the first, second or third call of that effect
WORLDS_MIN = 400  # a swarm must be so large before thin cells count
LEAST_OF_WORLDS = 100  # ... and then every cell must have been struck once in so many worlds


def cells_of(theme: str) -> list[tuple[str, str]]:
    """The cells of a theme as (fault, effect), the effects mixed, so that neighbours are about different things."""
    table = THEMES[theme]
    found = [(fault, effect) for place in range(max(map(len, table.values()))) for effect, faults in table.items() for fault in faults[place:place + 1]]
    return found


def aims(seed: int, themes: list[str], without: Mapping[str, float]) -> Iterator[tuple[str, str, int]]:
    """The cells that the world of this seed aims at: (fault, effect, at its n-th call). without: weights; a fault of weight 0 is not aimed at."""
    for theme in themes:
        cells = [cell for cell in cells_of(theme) if without.get(cell[0]) != 0]
        turn = _turn(seed, theme)
        for place in range(min(AIMED_AT, len(cells))):
            fault, effect = cells[(turn * AIMED_AT + place) % len(cells)]
            yield fault, effect, 1 + (turn + place) % NTH_MAX
        for effect in filter(THEMES[theme].__contains__, SELDOM):
            faults = [fault for fault in THEMES[theme][effect] if without.get(fault) != 0]
            for nth in range(min(SELDOM_AIMED_AT, len(faults))):
                yield faults[(_place(seed, theme) * SELDOM_AIMED_AT + nth) % len(faults)], effect, nth + 1


def _place(seed: int, theme: str) -> int:
    """Which of the worlds of this theme it is, marketplaces not left out: returns are in two of four."""
    return seed if theme == "orders" else seed // 4 * 2 + seed % 2


def _turn(seed: int, theme: str) -> int:
    """How many worlds of this theme come before this seed: consecutive worlds of a theme take turns."""
    return seed if theme == "orders" else seed // 2


def least(worlds: int) -> int:
    """How often each cell must have been struck by a swarm of so many worlds."""
    return worlds // LEAST_OF_WORLDS if worlds >= WORLDS_MIN else 0


def thin(matrix: Mapping[str, Counter], worlds: int, weights: Mapping[str, float]) -> list[str]:
    """Cells that were struck less often than that."""
    return [f"{fault} on {effect}: {matrix.get(fault, Counter())[effect]}" for effect, faults in CELLS.items() for fault in faults
            if weights.get(fault) != 0 and matrix.get(fault, Counter())[effect] < least(worlds)]


def read_weights(text: str) -> dict[str, float]:
    """'F3=0.1,F14=0.02' or a JSON object. Raises ValueError that names what is wrong, and what would be right."""
    found: dict[str, float] = {}
    for fault, chance in _pairs(text):
        name = str(fault).strip().upper()
        if name not in EVERY_FAULT:
            why = ": GraphQL errors with status 200, and neither system speaks GraphQL" if name == "F9" else ""
            raise ValueError(f"{fault} is no fault of these worlds{why}. There are {', '.join(sorted(EVERY_FAULT, key=lambda one: int(one[1:])))}")
        try:
            found[name] = float(chance)
        except (TypeError, ValueError):
            raise ValueError(f"{chance} is no number: the chance of {name} is one from 0 to 1") from None
        if not 0 <= found[name] <= 1:
            raise ValueError(f"{chance} is no chance: that of {name} is a number from 0 to 1")
    return found


def _pairs(text: str) -> list[tuple[str, Any]]:
    if text.strip().startswith("{"):
        try:
            return list(json.loads(text).items())
        except json.JSONDecodeError as error:
            raise ValueError(f"no JSON object: {error}") from None
    parts = [part for part in text.replace(" ", "").split(",") if part]
    if strange := next((part for part in parts if "=" not in part), None):
        raise ValueError(f"{strange} says no chance: write F3=0.1,F14=0.02 or a JSON object of them")
    return [(fault, chance) for fault, _, chance in (part.partition("=") for part in parts)]
