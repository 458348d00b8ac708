"""The contract's checks on a frame of few rows, value by value: most frames are a page of a feed, where pandas and pandera cost far more than the look itself.

The verdict is pandera's own (tests/contracts/test_few.py holds both against each other); what is wrong in detail, only pandera says.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

TEXT = pd.StringDtype("pyarrow")
ROWS_MAX = 50  # from about a hundred rows on, whole columns are quicker
Holds = Callable[[list[Any]], bool]


def columns(frame: pd.DataFrame) -> list[list[Any]]:
    """Each column of a contract's frame as a list of Python's own values, in order."""
    # each column as a Series costs eight times as much as all that is done here; tests/contracts/test_few.py notices when pandas has no such method any more
    arrays = map(frame._get_column_array, range(frame.shape[1]))
    return [array.__arrow_array__().to_pylist() if array.dtype == TEXT else array.tolist() for array in arrays]


def predicate(name: str, said: Mapping[str, Any]) -> Holds | None:
    """A check of pandera's, by its name and what it was told, for a list without nulls. None: of a kind that is not known here."""
    match name:
        case "isin":
            allowed = frozenset(said["allowed_values"])
            return allowed.issuperset
        case "str_matches":
            pattern = re.compile(said["pattern"])
            return lambda values: all(map(pattern.match, values))
        case "str_length":
            exact, least, most = said["exact_value"], said["min_value"], said["max_value"]
            return lambda values: all((exact is None or n == exact) and (least is None or n >= least) and (most is None or n <= most) for n in map(len, values))
        case "greater_than_or_equal_to":
            return lambda values: min(values) >= said["min_value"]
        case "greater_than":
            return lambda values: min(values) > said["min_value"]
        case "less_than_or_equal_to":
            return lambda values: max(values) <= said["max_value"]
        case "less_than":
            return lambda values: max(values) < said["max_value"]
    return None
