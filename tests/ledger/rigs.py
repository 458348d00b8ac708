"""What the ledger's tests share: a ledger on one of the databases it supports, and small ways to work with it."""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from pydantic import SecretStr

from connectors.kit.clock import Clock, ManualClock, SystemClock
from connectors.ledger.effects import Planned
from connectors.ledger.ledger import Ledger
from connectors.ledger.tables import metadata
from connectors.ports import Effect, Receipt

KEY = SecretStr("a2trS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0s=")
OTHER_KEY = SecretStr("b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28=")
KIND, TARGET, KINDS = "fulfilment_request", "gxo-uk", ("fulfilment_request",)
LEASE, QUIET = 120.0, 300.0
RECEIPT = Receipt("their-id", {"seen": "once"})


@dataclass
class Rig:
    """A ledger, its clock, and where its database is."""

    ledger: Ledger
    clock: ManualClock
    url: str

    @property
    def file(self) -> Path:
        """SQLite's file."""
        return Path(sa.make_url(self.url).database)

    def another(self, busy_seconds: float = 30, clock: Clock | None = None) -> Ledger:
        """The same database, opened once more."""
        return Ledger(self.url, clock or self.clock, KEY, LEASE, busy_seconds=busy_seconds)

    def plan(self, key: str, ordering: str = "", target: str = TARGET, payload: dict[str, Any] | None = None) -> str:
        """Plan one effect; its id."""
        planned = Planned(KIND, target, key, ordering or f"order {key}", "bc-uk", key, {"order": key} if payload is None else payload)
        with self.ledger.transaction() as tx:
            self.ledger.effects.plan(tx, planned)
        return planned.effect_id

    def claim(self, effect_id: str, holder: str = "run-1") -> Effect | None:
        """Claim it, in a transaction of its own."""
        with self.ledger.transaction() as tx:
            return self.ledger.effects.claim(tx, effect_id, holder)

    def settle(self, effect_id: str, holder: str = "run-2") -> Effect | None:
        """Claim it for a read-back."""
        with self.ledger.transaction() as tx:
            return self.ledger.effects.claim_doubtful(tx, effect_id, holder)

    def do(self, step: str, *arguments: Any, **named: Any) -> Any:
        """One step on the effects, in a transaction of its own."""
        with self.ledger.transaction() as tx:
            return getattr(self.ledger.effects, step)(tx, *arguments, **named)

    def row(self, effect_id: str) -> Any:
        """The whole row."""
        return self.do("get", effect_id)

    def state(self, effect_id: str) -> str:
        """Its state."""
        return self.row(effect_id).state

    def rows(self, table: str) -> list[Any]:
        """Every row of a table."""
        with self.ledger.transaction() as tx:
            return list(tx.execute(sa.select(metadata.tables[table])))

    def everything(self) -> dict[str, list[Any]]:
        """The whole database."""
        return {name: sorted(map(repr, self.rows(name))) for name in metadata.tables}

    def run(self, statement: str, **values: Any) -> int:
        """SQL as a vandal would type it."""
        with self.ledger.transaction() as tx:
            return tx.execute(sa.text(statement), values).rowcount


def empty(url: str) -> None:
    """Take every row out of every table of a PostgreSQL database, in one go."""
    parsed = sa.make_url(url)
    with psycopg.connect(host=parsed.host, port=parsed.port, user=parsed.username, dbname=parsed.database) as connection:
        connection.execute("; ".join(f"DELETE FROM {name}" for name in metadata.tables))


def in_processes(count: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `work(number, *arguments)` returns in so many processes that start together; raises when one of them fails."""
    fork = multiprocessing.get_context("fork")
    start, answers = fork.Barrier(count), fork.SimpleQueue()
    processes = [fork.Process(target=_work, args=(number, start, answers, work, arguments)) for number in range(count)]
    for process in processes:
        process.start()
    found = [answers.get() for _ in processes]
    for process in processes:
        process.join(60)
    failed = [error for error, _ in found if error]
    assert not failed, failed
    return [answer for _, answer in found]


def _work(number: int, start: Any, answers: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        start.wait(60)
        answers.put(("", work(number, *arguments)))
    except BaseException as error:
        answers.put((f"{type(error).__name__}: {error}", None))


def open_ledger(url: str, busy_seconds: float = 30) -> Ledger:
    """A ledger by the machine's clock, for a process of its own."""
    return Ledger(url, SystemClock(), KEY, LEASE, busy_seconds=busy_seconds)
