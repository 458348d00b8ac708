"""The smaller tables: watermarks, mappings with history, item master, inbox, timeline, runs."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration, NotNow
from connectors.ledger.database import Database, dumps, shortened
from connectors.ledger.tables import inbox, item, mapping, run, timeline, watermark
from contracts.base import rows_of
from contracts.items import Items
from contracts.mappings import TABLES


KEY_LONGEST = 400
AT_WORK = "at work"  # a run's outcome while its turn lasts; '' while it waits for it


# asked in every run: built once
_REACHED = sa.select(watermark.c.reached_at).where(watermark.c.feed == sa.bindparam("of"))
_ALL_TABLES = sa.select(mapping.c.table_name, mapping.c.fields).where(mapping.c.valid_to.is_(None)).order_by(mapping.c.mapping_id)
_STATE = sa.select(sa.func.count(), sa.func.max(mapping.c.mapping_id), sa.func.max(mapping.c.valid_from), sa.func.count(mapping.c.valid_to),
                   sa.func.max(mapping.c.valid_to))  # rows are added and ended, never altered
_TABLE = sa.select(mapping.c.fields).where(mapping.c.table_name == sa.bindparam("of"), mapping.c.valid_to.is_(None)).order_by(mapping.c.mapping_id)
_SEEN = sa.select(inbox.c.sha256).where(inbox.c.key == sa.bindparam("of"))
_NOTE = sa.insert(timeline)


class Watermarks:
    """How far each feed has been taken in. Never passes an unprocessed record, never goes back."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._clock = clock
        reaches = database.insert(watermark)
        further = sa.case((reaches.excluded.reached_at > watermark.c.reached_at, reaches.excluded.reached_at), else_=watermark.c.reached_at)
        self._reach = database.kept(reaches.on_conflict_do_update(index_elements=[watermark.c.feed], set_={"reached_at": further,
                                                                                                       "updated_at": reaches.excluded.updated_at}))

    def read(self, tx: Connection, feed: str) -> datetime | None:
        """None: never taken in."""
        return tx.execute(_REACHED, {"of": feed}).scalar()

    def reach(self, tx: Connection, feed: str, reached_at: datetime) -> None:
        """Everything before this moment is in the ledger."""
        self._reach(tx, {"feed": feed, "reached_at": reached_at, "updated_at": self._clock.now()})


class Mappings:
    """The tables that people edit, each row with when it held and who said so."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._known: tuple[Any, dict[str, pd.DataFrame]] = (None, {})

    def current(self, tx: Connection, table: str) -> pd.DataFrame:
        """The table as it holds now: a frame of its contract."""
        return TABLES[table].frame(tx.execute(_TABLE, {"of": table}).scalars())

    def all_current(self, tx: Connection) -> dict[str, pd.DataFrame]:
        """Every table, in one look: frames of their contracts, to be read and never changed (the next who asks gets the same ones)."""
        state = tuple(tx.execute(_STATE).one())
        if self._known[0] != state:
            rows: dict[str, list[dict[str, str]]] = {table: [] for table in TABLES}
            for row in tx.execute(_ALL_TABLES):
                rows[row.table_name].append(row.fields)
            self._known = (state, {table: TABLES[table].frame(found) for table, found in rows.items()})
        return dict(self._known[1])

    def change(self, tx: Connection, table: str, remove: Iterable[dict[str, str]], add: Iterable[dict[str, str]], actor: str) -> None:
        """End the rows of `remove` (by key) and begin those of `add`. The history keeps both. Raises BadConfiguration when a key would hold twice."""
        now, contract = self._clock.now(), TABLES[table]
        self._database.lock(tx, f"mapping {table}")
        for row in remove:
            tx.execute(sa.update(mapping).where(mapping.c.table_name == table, mapping.c.key == _key(contract.KEY, row), mapping.c.valid_to.is_(None)).values(valid_to=now))
        for row in add:
            if not tx.execute(self._database.insert(mapping).values(
                table_name=table, key=_key(contract.KEY, row), fields=dict(row), valid_from=now, actor=actor,
            ).on_conflict_do_nothing(index_elements=["table_name", "key"], index_where=sa.text("valid_to IS NULL"))).rowcount:
                raise BadConfiguration(f"changing the mapping table {table}", f"the key {_key(contract.KEY, row)} is there already",
                                       "Was it changed meanwhile? Take the table out anew.")

    def history(self, tx: Connection, table: str) -> list[Row[Any]]:
        """Every row that ever held, oldest first."""
        return list(tx.execute(sa.select(mapping).where(mapping.c.table_name == table).order_by(mapping.c.mapping_id)))


class ItemMasters:
    """What each warehouse last said of its items."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def keep(self, tx: Connection, warehouse: str, items: pd.DataFrame) -> list[str]:
        """Replace the warehouse's item master; returns the SKUs that are new or altered."""
        before = {row.sku: row.fields for row in tx.execute(sa.select(item).where(item.c.warehouse == warehouse))}
        now = {row["sku"]: row for row in rows_of(items)}
        altered = [sku for sku, fields in now.items() if before.get(sku) != fields]
        gone = [sku for sku in before if sku not in now]
        for chunk in range(0, len(gone + altered), 500):
            tx.execute(sa.delete(item).where(item.c.warehouse == warehouse, item.c.sku.in_((gone + altered)[chunk:chunk + 500])))
        if altered:
            tx.execute(sa.insert(item), [{"warehouse": warehouse, "sku": sku, "fields": now[sku], "seen_at": self._clock.now()} for sku in altered])
        return altered

    def current(self, tx: Connection) -> pd.DataFrame:
        """Every item of every warehouse: a frame of contract Items."""
        return Items.frame(tx.execute(sa.select(item.c.fields).order_by(item.c.warehouse, item.c.sku)).scalars())


@dataclass(frozen=True)
class Arrived:
    """One message that came, and what became of it: 'processed', 'quarantined' or 'duplicate'."""

    key: str
    source: str
    name: str
    kind: str
    state: str
    sha256: str
    detail: str = ""


class Inbox:
    """Every message that ever came, in exactly one state."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def seen(self, tx: Connection, key: str) -> str | None:
        """The hash this key came with before, or None."""
        return tx.execute(_SEEN, {"of": shortened(key, KEY_LONGEST)}).scalar()

    def arrivals(self, tx: Connection, key: str) -> list[Row[Any]]:
        """What came under this key: the first of it."""
        return list(tx.execute(sa.select(inbox).where(inbox.c.key == shortened(key, KEY_LONGEST))))

    def enter(self, tx: Connection, arrived: Arrived) -> None:
        """Keep it. A repeated key is entered under a key of its own, so that no arrival is lost."""
        first = key = shortened(arrived.key, KEY_LONGEST)
        again = 1
        while self.seen(tx, key) is not None:
            again += 1
            key = f"{first} again {again}"
        tx.execute(sa.insert(inbox).values(key=key, source=arrived.source, name=arrived.name, kind=arrived.kind, state=arrived.state,
                                           sha256=arrived.sha256, received_at=self._clock.now(), detail=arrived.detail))

    def has_bytes(self, tx: Connection, digest: str) -> bool:
        """Did a file with this hash ever come?"""
        return tx.execute(sa.select(sa.func.count()).select_from(inbox).where(inbox.c.sha256 == digest)).scalar_one() > 0

    def names(self, tx: Connection, source: str) -> frozenset[str]:
        """What every arrival of this source was called."""
        return frozenset(tx.execute(sa.select(inbox.c.name).where(inbox.c.source == source)).scalars())

    def counts(self, tx: Connection, source: str) -> dict[str, int]:
        """How many arrivals are in each state."""
        return {row.state: row.n for row in tx.execute(sa.select(inbox.c.state, sa.func.count().label("n")).where(inbox.c.source == source).group_by(inbox.c.state))}


class Timeline:
    """What happened to each order, in the order it happened, across all systems."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def note(self, tx: Connection, connection: str, order_id: str, what: str, actor: str, detail: str = "") -> None:
        """One thing that happened. No personal data in `detail`."""
        tx.execute(_NOTE, {"at": self._clock.now(), "connection": connection, "order_id": order_id, "what": what, "actor": actor, "detail": detail})

    def of(self, tx: Connection, connection: str, order_id: str) -> list[Row[Any]]:
        """The order's timeline."""
        return list(tx.execute(sa.select(timeline).where(timeline.c.connection == connection, timeline.c.order_id == order_id).order_by(timeline.c.sequence)))


class Runs:
    """Which runs are at work, so that one whose worker died is noticed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def start(self, run_id: str, flow: str, about: str, host: str, pid: int) -> None:
        """A run begins; the same run may begin again (Prefect retries it under its id)."""
        now = self._clock.now()
        values = {"flow": flow, "about": about, "host": host, "pid": pid, "started_at": now, "beat_at": now, "ended_at": None, "outcome": ""}
        with self._database.transaction() as tx:
            if not tx.execute(sa.update(run).where(run.c.run_id == run_id).values(**values)).rowcount:
                tx.execute(sa.insert(run).values(run_id=run_id, **values))

    def beat(self, run_id: str) -> None:
        """Still at work."""
        with self._database.transaction() as tx:
            tx.execute(sa.update(run).where(run.c.run_id == run_id).values(beat_at=self._clock.now()))

    def end(self, run_id: str, outcome: str) -> None:
        """Over."""
        with self._database.transaction() as tx:
            tx.execute(sa.update(run).where(run.c.run_id == run_id).values(ended_at=self._clock.now(), outcome=outcome))

    def unended(self) -> list[Row[Any]]:
        """Runs that have not said that they are over, oldest first."""
        with self._database.transaction() as tx:
            return self._unended(tx)

    def take_turn(self, run_id: str, in_the_way: Callable[[Row[Any], Row[Any]], bool]) -> Row[Any] | None:
        """Go to work, unless another unended run is in the way (`in_the_way(ours, other)`): then that run is returned, and we go on waiting.

        Raises NotNow when our own run has been ended meanwhile (somebody took it for dead).
        """
        with self._database.transaction() as tx:
            self._database.lock(tx, "turns")
            unended = {row.run_id: row for row in self._unended(tx)}
            ours = unended.pop(run_id, None)
            if ours is None:
                raise NotNow(f"taking the turn of run {run_id}", "it was taken for dead meanwhile", "Run it again.")
            ahead = next((other for other in unended.values() if in_the_way(ours, other)), None)
            if ahead is None:
                tx.execute(sa.update(run).where(run.c.run_id == run_id).values(outcome=AT_WORK))
        return ahead

    def find(self, run_ids: Iterable[str]) -> list[Row[Any]]:
        """Those of these runs that ever began here, ended or not."""
        with self._database.transaction() as tx:
            return list(tx.execute(sa.select(run).where(run.c.run_id.in_(list(run_ids)))))

    def _unended(self, tx: Connection) -> list[Row[Any]]:
        return list(tx.execute(sa.select(run).where(run.c.ended_at.is_(None)).order_by(run.c.started_at, run.c.run_id)))


def sha256(content: bytes) -> str:
    """The content's fingerprint."""
    return hashlib.sha256(content).hexdigest()


def _key(names: tuple[str, ...], row: dict[str, str]) -> str:
    return shortened(dumps([row[name] for name in names]), KEY_LONGEST)
