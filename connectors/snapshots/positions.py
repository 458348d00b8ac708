"""The current stock of a facility: a statement merged into what was known, and what changed between two such positions. All of it in DuckDB.

Per SKU the newest statement that names it holds, in whatever order they arrive. A whole statement names every SKU: what it leaves out is
out of stock as of that statement, also when an older one that names it turns up later.

Positions of few SKUs are read and compared without DuckDB, which takes ten times as long to be asked as to answer (test_positions.py holds both against each other).
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.snapshots.snapshots import Snapshots
from connectors.snapshots.sql import relation, scratch

KIND = "stock_positions"
FIGURES = ("unit", "available", "on_hand", "on_hold")
COLUMNS = ["sku", *FIGURES, "as_of", "sequence"]
FEW = 1_000  # rows
Version = tuple[datetime, int]

@dataclass(frozen=True)
class Known:
    """What the ledger knows of a facility's feed: the positions it is at ('': none), the newest statement, the newest whole one."""

    positions: str = ""
    version: Version | None = None
    whole: Version | None = None


@dataclass(frozen=True)
class Positions:
    """One facility's stock after a statement, not kept yet. skus: how many are in stock; units: on hand. `before` and `lost`: against what was known.

    says_new: did the statement change anything that is known, its age included?
    """

    facility: str
    table: str
    says_new: bool
    version: Version
    whole: Version | None
    skus: int
    units: int
    skus_before: int
    units_before: int
    skus_lost: int
    named_twice: list[str]


class Merging:
    """One statement (contract StockLevels, sound rows) on its way into the positions of its facilities."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, snapshots: Snapshots, statement: pd.DataFrame) -> None:
        self._connection, self._snapshots = connection, snapshots
        connection.register("statement", pa.Table.from_pandas(statement, preserve_index=False))
        said = connection.execute("SELECT facility, max((as_of, sequence)), min((as_of, sequence)) FROM statement GROUP BY facility").fetchall()
        self._versions = {facility: (tuple(newest), tuple(oldest)) for facility, newest, oldest in said}
        self.facilities = sorted(self._versions)

    def merge(self, facility: str, known: Known, is_whole: bool, spared: list[str] | None = None) -> Positions:
        """The facility's positions with this statement in them. spared: SKUs that the statement names, but not in a way that can be used."""
        connection, number = self._connection, self.facilities.index(facility)
        said, was, now = f"said_{number}", f"was_{number}", f"now_{number}"
        twice = [sku for (sku,) in connection.execute("SELECT sku FROM statement WHERE facility = ? GROUP BY sku HAVING count(*) > 1 ORDER BY sku",
                                                      [facility]).fetchall()]
        connection.register(f"spared_{number}", pa.table({"sku": pa.array([*twice, *(spared or [])], pa.string())}))
        connection.execute(f"CREATE TEMP TABLE {said} AS FROM statement WHERE facility = ? AND sku NOT IN (SELECT sku FROM spared_{number})", [facility])
        relation(connection, KIND, path_of(self._snapshots, known.positions)).create_view(was)
        newest, oldest = self._versions[facility]
        connection.execute(f"CREATE TEMP TABLE {now} AS {_merge_sql(said, was, f'spared_{number}')}", {
            "is_whole": is_whole, "said_as_of": oldest[0], "said_sequence": oldest[1], "is_known": known.whole is not None,
            "known_as_of": (known.whole or oldest)[0], "known_sequence": (known.whole or oldest)[1]})
        # fetchall everywhere: DuckDB 2 refuses the next statement while a result is not read to its end
        (figures,) = connection.execute(
            f"FROM (SELECT {_stocked('n')}, count(*) FILTER (holds <> 'known') FROM {now} n), (SELECT {_stocked('b')} FROM {was} b), (SELECT count(*) FROM {was} b "
            f"JOIN {now} n ON b.sku = n.sku WHERE (b.available > 0 OR b.on_hand > 0) AND n.available <= 0 AND n.on_hand <= 0)").fetchall()
        skus, units, moved, skus_before, units_before, lost = map(int, figures)
        version, whole = max(filter(None, (known.version, newest))), max(filter(None, (known.whole, oldest if is_whole else None)), default=None)
        return Positions(facility, now, bool(moved) or (version, whole) != (known.version, known.whole), version, whole, skus, units, skus_before, units_before,
                         lost, twice)

    def keep(self, merged: Positions, source: str, key: str) -> str:
        """Keep them as a snapshot; its name for the ledger. The same key twice is one file."""
        query = f"SELECT warehouse, facility, sku, {', '.join(FIGURES)}, as_of, sequence FROM {merged.table} ORDER BY sku"
        return name_of(self._snapshots, self._snapshots.keep_query(KIND, source, merged.version[0], self._connection, query, key))

    def versions(self, merged: Positions, skus: list[str]) -> dict[str, Version]:
        """The version of each of these SKUs after the merge."""
        self._connection.register("asked_for", pa.table({"sku": pa.array(skus, pa.string())}))
        found = self._connection.execute(f"SELECT sku, as_of, sequence FROM {merged.table} WHERE sku IN (SELECT sku FROM asked_for)").fetchall()
        return {sku: (as_of, sequence) for sku, as_of, sequence in found}


@contextmanager
def merging(snapshots: Snapshots, statement: pd.DataFrame) -> Iterator[Merging]:
    """A statement on its way into the positions."""
    with scratch() as connection:
        yield Merging(connection, snapshots, statement)


def changed_skus(snapshots: Snapshots, before: str, now: str) -> list[str]:
    """The SKUs whose figures differ between two positions of one facility. That only the statement is newer is no difference."""
    if before == now:
        return []
    few = [_few(snapshots, name) for name in (before, now)]
    if None not in few:
        was, known = ({row["sku"]: [row[name] for name in FIGURES] for row in rows} for rows in few)
        return [sku for sku in was | known if was.get(sku) != known.get(sku)]
    with scratch() as connection:
        for side, name in (("a", before), ("b", now)):
            relation(connection, KIND, path_of(snapshots, name)).select("sku, unit, available, on_hand, on_hold").create_view(side)
        differs = " OR ".join(f"a.{column} IS DISTINCT FROM b.{column}" for column in FIGURES)
        found = connection.sql(f"SELECT coalesce(a.sku, b.sku) AS sku FROM a FULL JOIN b ON a.sku = b.sku WHERE {differs}")
        return found.to_arrow_table().column("sku").to_pylist()


def positions_of(snapshots: Snapshots, name: str, skus: list[str] | None = None) -> list[dict[str, Any]]:
    """The positions of these SKUs (None: all): sku, unit, available, on_hand, on_hold, as_of, sequence."""
    if (few := _few(snapshots, name)) is not None:
        asked = None if skus is None else set(skus)
        return [row for row in few if asked is None or row["sku"] in asked]
    with scratch() as connection:
        rows = relation(connection, KIND, path_of(snapshots, name)).select(", ".join(COLUMNS))
        rows.create_view("known")
        if skus is not None:
            connection.register("asked_for", pa.table({"sku": pa.array(skus, pa.string())}))
        table = connection.sql("FROM known" + ("" if skus is None else " WHERE sku IN (SELECT sku FROM asked_for)")).to_arrow_table()
    return table.to_pylist()


def _few(snapshots: Snapshots, name: str) -> list[dict[str, Any]] | None:
    """All rows of positions, in order of their SKUs, when they are few. None: too many, or written when the contract had other columns."""
    path = path_of(snapshots, name)
    if path is None:
        return []
    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows > FEW or not set(COLUMNS) <= set(file.schema_arrow.names):
            return None
        return file.read(columns=COLUMNS, use_threads=False).to_pylist()


def stock_at(snapshots: Snapshots, warehouse: str, facility: str, at: datetime) -> pd.DataFrame:
    """What the facility had as of a moment, by the statements known today: a frame of contract StockLevels."""
    return snapshots.as_of(KIND, source_of(warehouse, facility), at)


def source_of(warehouse: str, facility: str) -> str:
    """The snapshots' source for one facility: readable, and different for different names."""
    plain = f"{warehouse}--{facility}"
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")
    return safe if safe == plain and len(safe) <= 64 else f"{safe[:47].strip('-')}-{hashlib.sha256(plain.encode()).hexdigest()[:16]}"


def path_of(snapshots: Snapshots, name: str) -> Path | None:
    """The file of a snapshot as the ledger names it."""
    return snapshots.folder / name if name else None


def name_of(snapshots: Snapshots, path: Path) -> str:
    """A snapshot's name for the ledger: stays true when the folder moves."""
    return path.relative_to(snapshots.folder).as_posix()


def _stocked(table: str) -> str:
    """How many SKUs are in stock, and how many units are on hand."""
    return f"count(*) FILTER ({table}.available > 0 OR {table}.on_hand > 0), coalesce(sum({table}.on_hand), 0)"


def _merge_sql(said: str, was: str, spared: str) -> str:
    """A full join, and for each SKU whose word holds: 'said', 'known', or 'out' (a whole statement left it out).

    A SKU that is out is dated one before the whole statement's own number: whatever names it under that number wins, whichever comes first.
    Of two figures of one version the more careful one holds, for the same reason.
    """
    new, old = "(s.as_of, s.sequence)", "(b.as_of, b.sequence)"
    careful = "({0}.available, {0}.on_hand, -{0}.on_hold, {0}.unit)"
    known_whole, said_whole = "($known_as_of::TIMESTAMPTZ, $known_sequence::BIGINT)", "($said_as_of::TIMESTAMPTZ, $said_sequence::BIGINT)"
    is_out = f"{old} = ($said_as_of::TIMESTAMPTZ, $said_sequence::BIGINT - 1) AND b.available = 0 AND b.on_hand = 0 AND b.on_hold = 0"
    holds = f"""CASE
        WHEN b.sku IS NULL THEN CASE WHEN $is_known::BOOLEAN AND {new} < {known_whole} THEN 'out' ELSE 'said' END
        WHEN s.sku IS NULL THEN CASE WHEN $is_whole::BOOLEAN AND {old} < {said_whole} AND NOT ({is_out}) AND b.sku NOT IN (SELECT sku FROM {spared})
                                     THEN 'out' ELSE 'known' END
        WHEN {new} > {old} OR ({new} = {old} AND {careful.format('s')} < {careful.format('b')}) THEN 'said' ELSE 'known' END"""
    figures = ", ".join(f"CASE holds WHEN 'said' THEN s_{name} WHEN 'known' THEN b_{name} ELSE 0 END AS {name}" for name in FIGURES[1:])
    versions = ", ".join(f"CASE WHEN holds = 'said' THEN s_{name} WHEN holds = 'known' THEN b_{name} WHEN b_{name} IS NULL THEN $known_{name}::{kind}{less} "
                         f"ELSE $said_{name}::{kind}{less} END AS {name}" for name, kind, less in (("as_of", "TIMESTAMPTZ", ""), ("sequence", "BIGINT", " - 1")))
    both = ", ".join(f"{side}.{name} AS {side}_{name}" for side in "sb" for name in (*FIGURES, "as_of", "sequence"))
    return f"""
        SELECT warehouse, facility, sku, CASE WHEN holds = 'said' THEN s_unit ELSE coalesce(b_unit, s_unit) END AS unit, {figures}, {versions}, holds
        FROM (SELECT coalesce(s.warehouse, b.warehouse) AS warehouse, coalesce(s.facility, b.facility) AS facility, coalesce(s.sku, b.sku) AS sku,
                     {holds} AS holds, {both} FROM {said} s FULL JOIN {was} b ON s.sku = b.sku)"""
