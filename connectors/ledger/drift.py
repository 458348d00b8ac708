"""Differences between systems, one open row a record with since when; and what the ledger believes of the orders that are compared."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from connectors.kit.clock import Clock
from connectors.ledger.database import Database, shortened
from connectors.ledger.effects import WAS_IN_DOUBT
from connectors.ledger.tables import (
    BLOCKED, CONFIRMED, IN_FLIGHT, UNKNOWN, dispatch_line, drift, effect, exception, held_dispatch, inbox, order_book, request, request_line,
)
from contracts.drift import Drifted

RECORD_LONGEST = 250
AT_ONCE = 400  # values in one IN list
LIVE = ("asked", "changed", "cancelling", "partly_shipped")


@dataclass
class Kept:
    """What one sweep changed: how many differences are new, and the rows that ended (they agree again, or for another cause now)."""

    new: int = 0
    ended: list[Row[Any]] = field(default_factory=list)


class Drifts:
    """The drift table, and the reads that a comparison needs."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def keep(self, tx: Connection, connection: str, warehouse: str, about: str, found: Iterable[Drifted], looked_at: set[str] | None = None) -> Kept:
        """Open a row for each difference, or refresh the one that is open; end the others. looked_at: the records that were compared; None: all.

        A record whose cause is another now keeps its beginning: it never agreed in between.
        """
        now, kept = self._clock.now(), Kept()
        before = {row.record: row for row in self.open_of(tx, connection, warehouse, about)}
        compared = None if looked_at is None else {shortened(record, RECORD_LONGEST) for record in looked_at}
        there = set()
        for one in found:
            record = shortened(one.record, RECORD_LONGEST)
            there.add(record)
            says = {"cause": one.cause, "storefront_says": one.storefront_says, "warehouse_says": one.warehouse_says, "ledger_says": one.ledger_says,
                    "detail": one.detail, "last_seen_at": now}
            if record in before:
                began_at = min(before[record].began_at, one.began_at)
                tx.execute(sa.update(drift).where(drift.c.drift_id == before[record].drift_id).values(began_at=began_at, **says))
                continue
            kept.new += tx.execute(self._database.insert(drift).values(
                connection=connection, warehouse=warehouse, about=about, record=record, began_at=min(one.began_at, now), found_at=now, **says,
            ).on_conflict_do_nothing(index_elements=["connection", "warehouse", "about", "record"], index_where=sa.text("ended_at IS NULL"))).rowcount
        for record, row in before.items():
            if record not in there and (compared is None or record in compared):
                tx.execute(sa.update(drift).where(drift.c.drift_id == row.drift_id, drift.c.ended_at.is_(None)).values(ended_at=now, last_seen_at=now))
                kept.ended.append(row)
        return kept

    def open_of(self, tx: Connection, connection: str, warehouse: str, about: str = "") -> list[Row[Any]]:
        """The differences that are open, oldest first."""
        wanted = sa.select(drift).where(drift.c.connection == connection, drift.c.warehouse == warehouse, drift.c.ended_at.is_(None))
        return list(tx.execute((wanted.where(drift.c.about == about) if about else wanted).order_by(drift.c.began_at, drift.c.drift_id)))

    def orders_in_play(self, tx: Connection, connection: str, warehouse: str, since: datetime) -> list[Row[Any]]:
        """Orders that may disagree: changed since then, or still to be shipped by this warehouse; oldest change first."""
        live = sa.exists().where(request.c.connection == order_book.c.connection, request.c.order_id == order_book.c.order_id,
                                 request.c.warehouse == warehouse, request.c.state.in_(LIVE))
        return list(tx.execute(sa.select(order_book).where(order_book.c.connection == connection, sa.or_(order_book.c.modified_at >= since, live))
                               .order_by(order_book.c.modified_at, order_book.c.order_id)))

    def book_of(self, tx: Connection, connection: str, order_ids: Iterable[str]) -> dict[str, Row[Any]]:
        """Entries of the order book by order id."""
        return {row.order_id: row for part in _parts(order_ids) for row in tx.execute(
            sa.select(order_book).where(order_book.c.connection == connection, order_book.c.order_id.in_(part)))}

    def requests_of(self, tx: Connection, connection: str, order_ids: Iterable[str]) -> list[Row[Any]]:
        """The requests made for these orders, at any warehouse."""
        return [row for part in _parts(order_ids) for row in tx.execute(
            sa.select(request).where(request.c.connection == connection, request.c.order_id.in_(part)).order_by(request.c.order_id, request.c.reference))]

    def advised_of(self, tx: Connection, warehouse: str, references: Iterable[str]) -> dict[tuple[str, int], int]:
        """Warehouse units advised so far, by (reference, line number)."""
        return {(row.reference, row.number): row.advised for part in _parts(references) for row in tx.execute(
            sa.select(request_line.c.reference, request_line.c.number, request_line.c.advised).where(
                request_line.c.warehouse == warehouse, request_line.c.reference.in_(part)))}

    def effects_of(self, tx: Connection, connection: str, order_ids: Iterable[str], kinds: tuple[str, ...]) -> list[Row[Any]]:
        """Effects of these kinds about these orders, oldest first."""
        return [row for part in _parts(order_ids) for row in tx.execute(
            sa.select(effect).where(effect.c.connection == connection, effect.c.record.in_(part), effect.c.kind.in_(kinds)).order_by(effect.c.sequence))]

    def latest_effects(self, tx: Connection, target: str, kind: str, limit: int) -> list[Row[Any]]:
        """The newest effects of this kind that may have arrived, the newest first. Not those that surely did not: refused, or given up and never in doubt."""
        may_be_there = sa.or_(effect.c.state.in_((CONFIRMED, IN_FLIGHT, UNKNOWN, BLOCKED)), effect.c.evidence[WAS_IN_DOUBT].as_boolean().is_(True))
        return list(tx.execute(sa.select(effect.c.effect_id, effect.c.payload, effect.c.sent_at, effect.c.state).where(
            effect.c.target == target, effect.c.kind == kind, effect.c.sent_at.is_not(None), may_be_there).order_by(effect.c.sequence.desc()).limit(limit)))

    def waiting_at(self, tx: Connection, connection: str, warehouse: str) -> list[Row[Any]]:
        """Requests of this storefront that the warehouse has not shipped whole, each with what became of its effect, and when the order was placed."""
        return list(tx.execute(sa.select(
            request.c.order_id, request.c.reference, request.c.facility, request.c.state, request.c.created_at, order_book.c.order, effect.c.confirmed_at,
            effect.c.verified_at, effect.c.state.label("effect_state")).join(effect, effect.c.effect_id == request.c.effect_id).join(
            order_book, sa.and_(order_book.c.connection == request.c.connection, order_book.c.order_id == request.c.order_id)).where(
            request.c.connection == connection, request.c.warehouse == warehouse, request.c.state.in_(("asked", "changed", "partly_shipped")),
        ).order_by(request.c.order_id, request.c.reference)))

    def not_asked(self, tx: Connection, connection: str) -> list[Row[Any]]:
        """Orders that were taken in and not asked of any warehouse, oldest first."""
        return list(tx.execute(sa.select(order_book).where(order_book.c.connection == connection, order_book.c.state.in_(("new", "held")),
                                                           order_book.c.asked_hash == "").order_by(order_book.c.taken_in_at, order_book.c.order_id)))

    def held_of(self, tx: Connection, connection: str, order_ids: Iterable[str]) -> list[Row[Any]]:
        """Packages of these orders that wait for a mapping."""
        return [row for part in _parts(order_ids) for row in tx.execute(
            sa.select(held_dispatch).where(held_dispatch.c.connection == connection, held_dispatch.c.order_id.in_(part)))]

    def on_desks(self, tx: Connection, connection: str, types: Iterable[str]) -> dict[str, set[str]]:
        """Record -> the types of exceptions that are open for it, of these."""
        found: dict[str, set[str]] = {}
        for row in tx.execute(sa.select(exception.c.record, exception.c.type).where(
                exception.c.connection == connection, exception.c.state == "open", exception.c.type.in_(list(types)))):
            found.setdefault(row.record, set()).add(row.type)
        return found

    def lead_times(self, tx: Connection, warehouse: str, since: datetime) -> list[tuple[str, datetime, datetime]]:
        """(facility, when it was asked, when the first parcel left) of the requests that this warehouse shipped from since then."""
        first = sa.select(dispatch_line.c.reference, sa.func.min(dispatch_line.c.shipped_at, type_=dispatch_line.c.shipped_at.type).label("left_at")).where(
            dispatch_line.c.warehouse == warehouse, dispatch_line.c.quantity > 0).group_by(dispatch_line.c.reference).subquery()
        found = tx.execute(sa.select(request.c.facility, effect.c.confirmed_at, first.c.left_at).join(
            first, first.c.reference == request.c.reference).join(effect, effect.c.effect_id == request.c.effect_id).where(
            request.c.warehouse == warehouse, effect.c.confirmed_at.is_not(None), first.c.left_at >= since).order_by(first.c.left_at, request.c.reference))
        return [(row.facility, row.confirmed_at, row.left_at) for row in found]

    def told_times(self, tx: Connection, warehouse: str, since: datetime) -> list[tuple[str, datetime, datetime]]:
        """(facility, when it was asked, when its first advice came) of the requests that this warehouse told of since then."""
        heard = sa.select(dispatch_line.c.reference, sa.func.min(inbox.c.received_at, type_=inbox.c.received_at.type).label("told_at")).join(
            inbox, inbox.c.key == dispatch_line.c.inbox_key).where(dispatch_line.c.warehouse == warehouse, dispatch_line.c.quantity > 0).group_by(
            dispatch_line.c.reference).subquery()
        found = tx.execute(sa.select(request.c.facility, effect.c.confirmed_at, heard.c.told_at).join(
            heard, heard.c.reference == request.c.reference).join(effect, effect.c.effect_id == request.c.effect_id).where(
            request.c.warehouse == warehouse, effect.c.confirmed_at.is_not(None), heard.c.told_at >= since).order_by(heard.c.told_at, request.c.reference))
        return [(row.facility, row.confirmed_at, row.told_at) for row in found]

    def not_told(self, tx: Connection, connection: str, warehouse: str) -> list[Row[Any]]:
        """Parcels of this warehouse that the storefront should know of and does not yet: order, order id, since when, the longest first."""
        of_order = sa.and_(order_book.c.connection == connection, order_book.c.order_id == effect.c.record)
        owed = sa.select(effect.c.record.label("order_id"), effect.c.planned_at, order_book.c.order).join(order_book, of_order).where(
            effect.c.target == connection, effect.c.kind == "dispatch_confirmation", effect.c.state.in_(("PLANNED", "IN_FLIGHT", "UNKNOWN", "BLOCKED")),
            effect.c.payload["warehouse"].as_string() == warehouse)
        held = sa.select(held_dispatch.c.order_id, held_dispatch.c.held_at.label("planned_at"), order_book.c.order).join(
            order_book, sa.and_(order_book.c.connection == connection, order_book.c.order_id == held_dispatch.c.order_id)).where(
            held_dispatch.c.connection == connection, held_dispatch.c.payload["warehouse"].as_string() == warehouse)
        rows = [row for wanted in (owed, held) for row in tx.execute(wanted)]
        return sorted(rows, key=lambda row: (row.planned_at, row.order_id))

    def last_heard(self, tx: Connection, source: str) -> dict[str, datetime]:
        """Message kind -> when the last one came that said something new and could be used."""
        newest = sa.func.max(inbox.c.received_at, type_=inbox.c.received_at.type).label("at")
        return {row.kind: row.at for row in tx.execute(
            sa.select(inbox.c.kind, newest).where(inbox.c.source == source, inbox.c.state == "processed").group_by(inbox.c.kind))}

    def waits_since(self, tx: Connection, warehouse: str) -> dict[str, datetime]:
        """Message kind -> since when the warehouse has owed us such a message: the oldest request that is not shipped, or not acknowledged."""
        oldest = sa.select(sa.func.min(effect.c.confirmed_at, type_=effect.c.confirmed_at.type)).where(
            effect.c.target == warehouse, effect.c.confirmed_at.is_not(None))
        waits = {"dispatches": tx.execute(oldest.join(request, request.c.effect_id == effect.c.effect_id).where(request.c.state.in_(LIVE))).scalar(),
                 "acknowledgement": tx.execute(oldest.where(effect.c.kind.in_(("fulfilment_request", "fulfilment_change", "fulfilment_cancel")),
                                                            effect.c.state == "CONFIRMED", effect.c.verified_at.is_(None))).scalar()}
        return {kind: since for kind, since in waits.items() if since is not None}

    def placed_since(self, tx: Connection, connection: str, since: datetime) -> list[datetime]:
        """When the orders were placed that were taken in or changed since then, oldest first."""
        rows = tx.execute(sa.select(order_book.c.order).where(order_book.c.connection == connection, order_book.c.modified_at >= since)).scalars()
        return sorted(datetime.fromisoformat(order["placed_at"]) for order in rows)

    def book_since(self, tx: Connection, connection: str, since: datetime) -> Iterator[Row[Any]]:
        """What was ordered since then: order, lines, ship groups, and since when the book has it so; one row an order."""
        return iter(tx.execute(sa.select(order_book.c.order, order_book.c.lines, order_book.c.ship_groups, order_book.c.changed_at).where(
            order_book.c.connection == connection, order_book.c.modified_at >= since).order_by(order_book.c.order_id)))

    def shipped_after_all(self, tx: Connection, connection: str, since: datetime) -> set[str]:
        """Orders that were called off, and whose warehouse did not follow: the storefront has moved its own figures for them, there and back."""
        return set(tx.execute(sa.select(exception.c.record).where(
            exception.c.connection == connection, exception.c.type == "cancel_refused", exception.c.opened_at >= since)).scalars())

    def carriers_of(self, tx: Connection, warehouse: str, since: datetime) -> set[tuple[str, str]]:
        """(carrier, service) that this warehouse shipped with since then."""
        return {(row.carrier, row.service) for row in tx.execute(sa.select(dispatch_line.c.carrier, dispatch_line.c.service).where(
            dispatch_line.c.warehouse == warehouse, dispatch_line.c.shipped_at >= since, dispatch_line.c.quantity > 0).distinct())}


def _parts(values: Iterable[str]) -> Iterable[list[str]]:
    listed = sorted(set(values))
    return (listed[at:at + AT_ONCE] for at in range(0, len(listed), AT_ONCE))
