"""Exceptions: records that a person must look at. Same cause, same exception; none disappears without actor, time and reason."""

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration
from connectors.ledger.database import Database, shortened
from connectors.ledger.tables import exception, order_book
from contracts.exceptions import CUT_OFF, TYPES, WITH_SHIP_BY, Finding, due_at

OPEN, RESOLVED = "open", "resolved"
RECORD_LONGEST, CAUSE_LONGEST = 120, 250


class Exceptions:
    """The exception table."""

    def __init__(self, database: Database, clock: Clock, make_id: Any, cut_off: time = CUT_OFF) -> None:
        self._database, self._clock, self._make_id, self._cut_off = database, clock, make_id, cut_off
        self._open = database.kept(database.insert(exception).on_conflict_do_nothing(
            index_elements=["type", "connection", "record", "cause"], index_where=sa.text("state = 'open'")))

    def open(self, tx: Connection, findings: Iterable[Finding]) -> int:
        """Open each finding, or count up the exception that is open for the same cause. How many are new."""
        now, opened = self._clock.now(), 0
        for finding in findings:
            kind = TYPES[finding.type]
            record, cause = shortened(finding.record, RECORD_LONGEST), shortened(finding.cause, CAUSE_LONGEST)
            values = {"evidence": finding.evidence, "last_seen_at": now, "waits_on": finding.waits_on}
            again = {"kind": finding.type, "of": finding.connection, "about": record, "because": cause} | values
            if tx.execute(_AGAIN, again).rowcount:
                continue
            if self._open(tx, values | {
                "exception_id": self._make_id(), "type": finding.type, "owner": kind.owner, "severity": kind.severity, "connection": finding.connection,
                "record": record, "cause": cause, "state": OPEN, "count": 1, "opened_at": now,
                "due_at": due_at(finding.type, now, self._cut_off, _ship_by(tx, finding))}).rowcount:
                opened += 1
            else:  # another process opened it between our two steps (PostgreSQL)
                tx.execute(_AGAIN, again)
        return opened

    def open_about(self, tx: Connection, connection: str, record: str, types: Iterable[str]) -> list[Row[Any]]:
        """What is open about this record, of these types."""
        return list(tx.execute(_OPEN_ABOUT, {"of": connection, "about": shortened(record, RECORD_LONGEST), "kinds": list(types)}))

    def settle(self, tx: Connection, connection: str, record: str, types: Iterable[str], keep: Iterable[tuple[str, str]], actor: str, reason: str) -> int:
        """Resolve what no longer holds for this record: open, of these types, and not among `keep` (type, cause)."""
        kept, settled = {(kind, shortened(cause, CAUSE_LONGEST)) for kind, cause in keep}, 0
        for row in self.open_about(tx, connection, record, types):
            if (row.type, row.cause) not in kept:
                settled += self.resolve(tx, row.exception_id, actor, reason)
        return settled

    def resolve(self, tx: Connection, exception_id: str, actor: str, reason: str) -> bool:
        """Close one, with who and why. False when it was closed already. Raises BadConfiguration without a reason."""
        if not actor.strip() or not reason.strip():
            raise BadConfiguration(f"resolving exception {exception_id}", "there is no name or no reason", "Say who decided, and why.")
        return bool(tx.execute(sa.update(exception).where(exception.c.exception_id == exception_id, exception.c.state == OPEN).values(
            state=RESOLVED, resolved_at=self._clock.now(), resolved_by=actor, reason=reason)).rowcount)

    def settle_cause(self, tx: Connection, type_name: str, connection: str, record: str, cause: str, actor: str, reason: str) -> int:
        """Resolve the one that is open for exactly this cause, if it is."""
        found = tx.execute(_OPEN_FOR, {"kind": type_name, "of": connection, "about": shortened(record, RECORD_LONGEST),
                                       "because": shortened(cause, CAUSE_LONGEST)}).scalar()
        return int(found is not None and self.resolve(tx, found, actor, reason))

    def open_of(self, tx: Connection, type_name: str, connection: str = "") -> list[Row[Any]]:
        """What is open of one type, oldest first."""
        return list(tx.execute(_OPEN_OF_ONE if connection else _OPEN_OF, {"kind": type_name} | ({"of": connection} if connection else {})))

    def get(self, tx: Connection, exception_id: str) -> Row[Any] | None:
        """One exception, open or not."""
        return tx.execute(sa.select(exception).where(exception.c.exception_id == exception_id)).one_or_none()

    def of_record(self, tx: Connection, connection: str, record: str) -> list[Row[Any]]:
        """Every exception about one record, oldest first."""
        return list(tx.execute(sa.select(exception).where(exception.c.connection == connection, exception.c.record == shortened(record, RECORD_LONGEST))
                               .order_by(exception.c.opened_at, exception.c.exception_id)))

    def beginning(self, tx: Connection, beginning: str) -> list[Row[Any]]:
        """Those whose id begins so, open or not."""
        return list(tx.execute(sa.select(exception).where(sa.func.substr(exception.c.exception_id, 1, len(beginning)) == beginning)
                               .order_by(exception.c.exception_id).limit(10)))

    def waiting(self, tx: Connection, prefix: str = "") -> list[Row[Any]]:
        """Open exceptions that something outside the record would free, oldest first."""
        # not LIKE: it takes '_' for any letter, and SQLite's takes 'a' for 'A'
        begins = sa.func.substr(exception.c.waits_on, 1, len(prefix)) == prefix
        return list(tx.execute(sa.select(exception).where(exception.c.state == OPEN, exception.c.waits_on != "", begins)
                               .order_by(exception.c.opened_at)))

    def listed(self, only_open: bool = True, owner: str = "", connection: str = "") -> list[Row[Any]]:
        """Exceptions as a person wants them: most urgent first."""
        wanted = sa.select(exception).order_by(exception.c.due_at, exception.c.opened_at, exception.c.exception_id)
        for column, value in ((exception.c.owner, owner), (exception.c.connection, connection), (exception.c.state, OPEN if only_open else "")):
            wanted = wanted.where(column == value) if value else wanted
        with self._database.transaction() as tx:
            return list(tx.execute(wanted))


def _ship_by(tx: Connection, finding: Finding) -> datetime | None:
    """Of the order that it is about, where it is about one and the storefront names one."""
    if TYPES[finding.type].due not in WITH_SHIP_BY:
        return None
    said = tx.execute(sa.select(order_book.c.order["ship_by"].as_string()).where(
        order_book.c.connection == finding.connection, order_book.c.order_id == finding.record)).scalar()
    return datetime.fromisoformat(said) if said else None


# asked in every run: built once
_OPEN_OF = sa.select(exception).where(exception.c.type == sa.bindparam("kind"), exception.c.state == OPEN).order_by(exception.c.opened_at, exception.c.exception_id)
_OPEN_OF_ONE = _OPEN_OF.where(exception.c.connection == sa.bindparam("of"))
_ABOUT = (exception.c.connection == sa.bindparam("of"), exception.c.record == sa.bindparam("about"), exception.c.state == OPEN)
_OPEN_ABOUT = sa.select(exception).where(*_ABOUT, exception.c.type.in_(sa.bindparam("kinds", expanding=True)))
_SAME = (*_ABOUT, exception.c.type == sa.bindparam("kind"), exception.c.cause == sa.bindparam("because"))
_OPEN_FOR = sa.select(exception.c.exception_id).where(*_SAME)
_AGAIN = sa.update(exception).where(*_SAME).values(
    {"count": exception.c.count + 1} | {name: sa.bindparam(name) for name in ("evidence", "last_seen_at", "waits_on")})
