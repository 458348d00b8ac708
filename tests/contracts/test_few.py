"""The look at few rows, value by value, says what pandera says of whole columns: for every check of every contract."""

import importlib
import pkgutil
import random
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

import contracts
from contracts import few
from contracts.base import Contract, _quick, rows_of

SPICE = ["", " ", "A", "a", "GB", "GBP", "0", "7", "100", "101", "1234567", "x" * 64, "x" * 65, "GBP\n", "A B", "é", "日本", "٣", "\u00a0A", "EA", "A" * 5, "A\x00", "-1", "1.5", "#/._-"]
NUMBERS = [-2**62, -1, 0, 1, 2, 5, 99, 100, 101, 2**40]
MOMENT = datetime(2026, 1, 15, 9, tzinfo=UTC)


def every_contract() -> list[type[Contract]]:
    for module in pkgutil.iter_modules(contracts.__path__):
        importlib.import_module(f"contracts.{module.name}")

    def below(kind: type) -> list[type]:
        return [one for child in kind.__subclasses__() for one in (child, *below(child))]

    return sorted({kind for kind in below(Contract) if kind.__module__.startswith("contracts.") and kind.to_schema().columns}, key=lambda kind: kind.__name__)


def values_of(dtype: str, said: list[Any], dice: random.Random) -> Any:
    if dtype.startswith("string"):
        return dice.choice(SPICE + said)
    return MOMENT if dtype.startswith("datetime") else dice.random() < 0.5 if dtype == "bool" else dice.choice(NUMBERS)


@pytest.mark.parametrize("contract", every_contract(), ids=lambda kind: kind.__name__)
def test_few_rows_are_judged_as_many_are(contract: type[Contract]) -> None:
    dice, verdicts = random.Random(contract.__name__), set()
    assert _quick(contract) is not None, "a check that only pandera knows: few rows of it are no quicker than many"
    for name, column in contract.to_schema().columns.items():
        for check in column.checks:
            said = [value for value in check.statistics.get("allowed_values", ()) if isinstance(value, str)]
            quick = few.predicate(check.name, check.statistics)
            for value in (*SPICE, *said) if str(column.dtype).startswith("string") else NUMBERS:
                series = pd.Series(pd.array([value], dtype=str(column.dtype)))
                assert quick([value]) == bool(check(series).check_passed), (name, check.name, value)
                verdicts.add(quick([value]))
    assert verdicts in ({True, False}, set()), "the values above try both verdicts"
    for _ in range(20):
        frame = contract.frame({name: values_of(str(column.dtype), [], dice) for name, column in contract.to_schema().columns.items()} for _ in range(dice.randint(1, 4)))
        good, bad = contract.split(frame)
        many_good, many_bad = contract.split(pd.concat([frame] * (few.ROWS_MAX + 1), ignore_index=True).drop_duplicates() if contract.to_schema().unique
                                             else pd.concat([frame] * (few.ROWS_MAX + 1), ignore_index=True))
        assert (len(good) > 0, len(bad) > 0) == (len(many_good) > 0, len(many_bad) > 0)


def test_null_text_is_unsound_among_few() -> None:
    from contracts.orders import Recipients
    frame = Recipients.frame([dict.fromkeys(Recipients.columns(), "x")])
    frame["name"] = pd.array([None], dtype="string[pyarrow]")
    good, bad = Recipients.split(frame)
    assert (len(good), len(bad)) == (0, 1)


def test_rows_of_a_frame_are_those_of_to_dict() -> None:
    frame = pd.DataFrame({"text": pd.array(["a", ""], dtype="string[pyarrow]"), "number": [1, 2], "at": pd.array([MOMENT, None], dtype="datetime64[us, UTC]"), "is": [True, False]})
    assert repr(rows_of(frame)) == repr(frame.to_dict("records")) and rows_of(frame.iloc[:0]) == []
    assert [type(value) for value in rows_of(frame)[0].values()] == [type(value) for value in frame.to_dict("records")[0].values()]
