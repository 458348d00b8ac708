"""The contract that every frame is held against, on the way in and again before anything leaves.

A wrong *type* is a bug of ours and stops the run (`WrongType`). A wrong *value* is the data's fault and sets its row aside
with a `why` that an analyst can read. Nothing is coerced: pandera's coercion turns 12.9 into 12 and 'False' into True
without a word.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pandas as pd
import pandera.pandas as pa
import pyarrow

from contracts import few

WHY = "why"


class WrongType(TypeError):
    """A value of a type that the contract does not have in that column: a bug in a mapping, not bad data."""


class Contract(pa.DataFrameModel):
    """A strict frame: exactly these columns, exactly these types. Text is never null ('' says: none)."""

    class Config:
        strict = True
        coerce = False
        ordered = True

    @classmethod
    def columns(cls) -> list[str]:
        """The column names, in order."""
        return list(cls.to_schema().columns)

    @classmethod
    def frame(cls, rows: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
        """Exactly these columns and types, even from no rows. Raises WrongType; checks no values (see `split`)."""
        rows = list(rows)
        return pd.DataFrame({name: _column(cls.__name__, name, dtype, rows) for name, dtype in _dtypes(cls).items()}) if rows else _empty(cls).copy()

    @classmethod
    def split(cls, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Sound rows, and unsound rows with a `why`. Every row is in exactly one of the two.

        Raises WrongType when a column is missing, unknown or of another type: then no row can be trusted.
        """
        frame = frame.reset_index(drop=True)
        try:
            if not cls._holds(frame):
                cls.validate(frame, lazy=True)
            return frame, _none_unsound(cls).copy()
        except pa.errors.SchemaErrors as errors:
            reasons = _reasons(cls.__name__, errors.failure_cases)
        unsound = frame.index.isin(list(reasons))
        sound = frame[~unsound].reset_index(drop=True)
        cls.validate(sound, lazy=True)
        bad = frame[unsound].assign(**{WHY: [reasons[i] for i in frame.index[unsound]]})
        return sound, bad.reset_index(drop=True)

    @classmethod
    def _holds(cls, frame: pd.DataFrame) -> bool:
        """The contract's own checks, without pandera's account of what failed where: a tenth of its time. False: let pandera look."""
        schema = cls.to_schema()
        if schema.checks or not frame.dtypes.equals(_types(cls)):
            return False
        if schema.unique and frame.duplicated(subset=schema.unique).any():
            return False
        quick = _quick(cls) if len(frame) <= few.ROWS_MAX else None
        if quick is not None:
            return all((is_nullable or not _has_null(values)) and all(holds(values) for holds in checks)
                       for values, (is_nullable, checks) in zip(few.columns(frame), quick, strict=True)) if len(frame) else True
        return all((column.nullable or not frame[name].hasnans) and not column.unique and all(check(frame[name]).check_passed for check in column.checks)
                   for name, column in schema.columns.items())

    @classmethod
    def sound(cls, frame: pd.DataFrame) -> pd.DataFrame:
        """The same frame, when every row holds; else ValueError with the first reasons. For what is about to leave."""
        good, bad = cls.split(frame)
        if len(bad):
            reasons = "; ".join(dict.fromkeys(bad[WHY].tolist()[:5]))
            raise ValueError(f"{cls.__name__}: {len(bad)} of {len(frame)} rows break the contract: {reasons}")
        return good


@cache
def _dtypes(contract: type[Contract]) -> dict[str, str]:
    """Column names in order, and their types by name."""
    return {name: str(column.dtype) for name, column in contract.to_schema().columns.items()}


@cache
def _empty(contract: type[Contract]) -> pd.DataFrame:
    """The frame of no rows: many are made, and each costs as much as one with rows."""
    return pd.DataFrame({name: _column(contract.__name__, name, dtype, []) for name, dtype in _dtypes(contract).items()})


@cache
def _none_unsound(contract: type[Contract]) -> pd.DataFrame:
    """No rows that do not hold, with their `why`."""
    return _empty(contract).assign(**{WHY: pd.array([], dtype="string[pyarrow]")})


@cache
def _quick(contract: type[Contract]) -> list[tuple[bool, list[few.Holds]]] | None:
    """Of each column, whether it may hold null, and its checks for few rows. None: some of them are of a kind that only pandera knows."""
    found = []
    for column in contract.to_schema().columns.values():
        checks = [few.predicate(check.name, check.statistics) for check in column.checks]
        if column.unique or column.nullable and checks or any(check is None for check in checks):
            return None
        found.append((column.nullable, checks))
    return found


def _has_null(values: list[Any]) -> bool:
    return any(value is None or value is pd.NA or value is pd.NaT or value != value for value in values)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a contract's frame as dictionaries of Python's own values: `to_dict("records")` in a third of its time."""
    names = list(frame.columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*few.columns(frame), strict=True)]


@cache
def _types(contract: type[Contract]) -> pd.Series:
    """The same as `_empty` has them, to compare a frame's with."""
    return _empty(contract).dtypes


def _reasons(contract: str, cases: pd.DataFrame) -> dict[int, str]:
    if cases["index"].isna().any():
        shape = cases[cases["index"].isna()]
        raise WrongType(f"{contract}: {'; '.join(f'{c.column}: {c.check}' for c in shape.itertuples())}")
    reasons: dict[int, list[str]] = {}
    for case in cases.itertuples():
        why = f"{case.column}: {case.check}" if case.column else str(case.check)
        listed = reasons.setdefault(int(case.index), [])
        if why not in listed:
            listed.append(why)
    return {index: "; ".join(whys) for index, whys in reasons.items()}


def _column(contract: str, name: str, dtype: str, rows: list[Mapping[str, Any]]) -> Any:
    try:
        values = [row[name] for row in rows]
    except KeyError:
        raise WrongType(f"{contract}.{name}: a row has no such field") from None
    for value in values:
        if not _fits(dtype, value):
            raise WrongType(f"{contract}.{name} holds {dtype}, was given {type(value).__name__}")
    if dtype.startswith("string"):
        return pd.arrays.ArrowStringArray(pyarrow.array(values, pyarrow.large_string()))
    if dtype in ("int64", "bool"):
        return pyarrow.array(values, dtype).to_numpy(zero_copy_only=False)
    return pd.array(values, dtype=dtype)


def _fits(dtype: str, value: Any) -> bool:
    if dtype.startswith("string"):
        return isinstance(value, str)
    if dtype == "bool":
        return isinstance(value, bool)
    if dtype == "int64":
        return isinstance(value, int) and not isinstance(value, bool)
    if dtype == "Int64":
        return value is None or (isinstance(value, int) and not isinstance(value, bool))
    if dtype.startswith("datetime64"):
        return value is None or (isinstance(value, datetime) and value.utcoffset() == timedelta(0))
    return False
