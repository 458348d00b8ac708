"""What systems said: one immutable Parquet file a snapshot, with when it was true and when we looked."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd

from connectors.kit.clock import Clock
from connectors.kit.errors import NotNow
from connectors.snapshots import files
from connectors.snapshots.errors import SnapshotRefused
from connectors.snapshots.frames import to_frame
from connectors.snapshots.kinds import columns_of, fitting, kind_of
from connectors.snapshots.sql import diff_sql, quoted, relation, scratch

FOLDER = "snapshots"
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, order=True)
class Kept:
    """One snapshot that is kept: true `as_of`, read by us at `seen_at`."""

    as_of: datetime
    seen_at: datetime
    path: Path


class Snapshots:
    """The snapshots in `folder`. Any number of processes may keep and read at once: a file appears whole and never changes.

    A snapshot lies at snapshots/kind=K/source=S/key=H/AS_OF.SEEN_AT.parquet, H being the hash of its key. The folder `key=H` is
    what is renamed into place: that fails when it is there already, so the same key twice is one file whoever comes first.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = Path(folder) / FOLDER
        self.clock = clock

    def keep(self, kind: str, source: str, as_of: datetime, frame: pd.DataFrame, key: str) -> Path:
        """Keep what `source` said at `as_of`; where `key` is kept already, that file stays as it is. Returns its path.

        Raises SnapshotRefused (kind, name, columns, types, personal data) and NotNow (disk full or away; nothing was kept).
        """
        frame = fitting(kind, frame)
        with scratch() as connection:
            connection.register("said", frame)
            return self.keep_query(kind, source, as_of, connection, "SELECT * FROM said", key)

    def keep_query(self, kind: str, source: str, as_of: datetime, connection: duckdb.DuckDBPyConnection, query: str, key: str) -> Path:
        """The same for what a query of `connection` gives, in the columns of the kind's contract: for what is too big to pass through a frame."""
        if as_of.tzinfo is None or not key:
            raise SnapshotRefused(f"keeping a snapshot of {kind}", "its moment has no time zone" if key else "it has no key")
        place = self._place(kind, source, key)
        if place.is_dir():
            return next(place.iterdir())
        try:
            return self._write(place, as_of.astimezone(UTC), connection, query)
        except (OSError, duckdb.IOException) as error:
            if place.is_dir():  # somebody else was quicker
                return next(place.iterdir())
            raise NotNow(f"keeping a snapshot of {kind} from {source}", f"the file could not be written ({type(error).__name__})",
                         "See that the disk is there and has room; nothing was kept.") from error

    def latest(self, kind: str, source: str) -> pd.DataFrame:
        """The snapshot with the newest `as_of`, as a frame of the kind's contract; empty when there is none."""
        return self._frame(kind, max(self.kept(kind, source), default=None))

    def keyed(self, kind: str, source: str, key: str) -> pd.DataFrame:
        """The snapshot that was kept under this key; empty when there is none."""
        place = self._place(kind, source, key)
        return self._frame(kind, max((kept for kept in self.kept(kind, source) if kept.path.parent == place), default=None))

    def as_of(self, kind: str, source: str, at: datetime) -> pd.DataFrame:
        """The snapshot that was the newest at `at` (as_of <= at), in whatever order they arrived; empty when there is none."""
        return self._frame(kind, self._at(kind, source, at))

    def kept(self, kind: str, source: str) -> list[Kept]:
        """Every snapshot of one source, oldest first."""
        found = []
        for path in self._source(kind, source).glob("key=*/*.parquet"):
            as_of, seen_at = path.stem.split(".")
            found.append(Kept(files.unstamp(as_of), files.unstamp(seen_at), path))
        return sorted(found)

    def before(self, kind: str, source: str, moment: datetime) -> list[Kept]:
        """What is not needed to know anything from `moment` on: everything older than the newest that was true then."""
        holds = self._at(kind, source, moment)
        return [] if holds is None else [kept for kept in self.kept(kind, source) if kept.as_of < holds.as_of]

    def forget(self, kept: Kept) -> None:
        """Remove one snapshot. Twice is harmless."""
        files.remove(kept.path.parent)

    def sources(self, kind: str) -> list[str]:
        """Every source that a snapshot of this kind is kept of."""
        kind_of(kind)
        return sorted(path.name.removeprefix("source=") for path in (self.folder / f"kind={kind}").glob("source=*"))

    def diff(self, kind: str, source: str, keys: Sequence[str], a: datetime, b: datetime) -> pd.DataFrame:
        """What changed from the snapshot that stood at `a` to the one that stood at `b`, one row a key.

        Columns: the keys, `change` (added, removed, changed), `changed_columns` ('unit,barcode'), and for every other column
        `{column}_before` and `{column}_after` (where there is none: '' for text, else missing).
        Raises SnapshotRefused when a key is no column or names two rows.
        """
        columns = columns_of(kind)
        if not keys or not set(keys) <= set(columns):
            raise SnapshotRefused(f"comparing snapshots of {kind}", f"{', '.join(keys) or 'nothing'} is no key of it")
        with scratch() as connection:
            for side, at in (("a", a), ("b", b)):
                kept = self._at(kind, source, at)
                relation(connection, kind, kept and kept.path).create(side)
                if connection.execute(f"SELECT 1 FROM {side} GROUP BY {', '.join(map(quoted, keys))} HAVING count(*) > 1 LIMIT 1").fetchall():
                    raise SnapshotRefused(f"comparing snapshots of {kind} from {source}", f"two rows have the same {', '.join(keys)}")
            others = {column: sql_type for column, sql_type in columns.items() if column not in keys}
            return to_frame(connection.sql(diff_sql(keys, others)).to_arrow_table())

    def _source(self, kind: str, source: str) -> Path:
        kind_of(kind)
        if not SAFE_NAME.fullmatch(source):
            raise SnapshotRefused(f"looking for snapshots of {kind}", "the name of the source is not made of letters, digits, - and _")
        return self.folder / f"kind={kind}" / f"source={source}"

    def _place(self, kind: str, source: str, key: str) -> Path:
        return self._source(kind, source) / f"key={hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def _write(self, place: Path, as_of: datetime, connection: duckdb.DuckDBPyConnection, query: str) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        files.sweep(place.parent, self.clock)
        seen_at = self.clock.now().astimezone(UTC)
        name = f"{files.stamp(as_of)}.{files.stamp(seen_at)}.parquet"
        temporary = files.unfinished(place.parent, self.clock)
        temporary.mkdir()
        try:
            connection.execute(f"COPY (SELECT *, $as_of::TIMESTAMPTZ AS _as_of, $seen_at::TIMESTAMPTZ AS _seen_at FROM ({query})) TO $file "
                               "(FORMAT parquet, COMPRESSION zstd)", {"as_of": as_of, "seen_at": seen_at, "file": str(temporary / name)})
            (temporary / name).chmod(0o444)
            files.settle(temporary / name)
            files.settle(temporary)
            os.rename(temporary, place)
            files.settle(place.parent)
        finally:
            files.remove(temporary)
        return place / name

    def _at(self, kind: str, source: str, at: datetime) -> Kept | None:
        if at.tzinfo is None:
            raise SnapshotRefused(f"looking for snapshots of {kind}", "the moment has no time zone")
        return max((kept for kept in self.kept(kind, source) if kept.as_of <= at), default=None)

    def _frame(self, kind: str, kept: Kept | None) -> pd.DataFrame:
        with scratch() as connection:
            frame = to_frame(relation(connection, kind, kept and kept.path).to_arrow_table())
        types = {column: str(dtype) for column, dtype in kind_of(kind).contract.frame().dtypes.items()}
        gaps = {column: {"int64": "Int64", "bool": "boolean"}.get(types[column], types[column]) for column in frame if frame[column].isna().any()}
        return frame.astype(types | gaps)
