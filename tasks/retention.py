"""Personal data is destroyed on schedule; what is kept longer is named, with the reason and since when it was due. What is left proves nothing less.

An order's data goes `personal_days` after its goods left (or it was cancelled, or nothing of it is ours to ship), never while an effect of it is not
settled, a plan of it is owed or an exception about it is open. An order that changes again afterwards is sealed anew and goes with the next run.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import NotAllowed, NotNow
from connectors.ledger.ledger import Tx
from connectors.ledger.retention import Held, Key
from connectors.ports import Archives
from tasks.opened import RETRY, house

ACTOR, PURGED, RETAINED = "retention", "personal data purged", "retention run"
CHUNK = 200
FINAL = ("shipped", "completed", "cancelled", "refunded")  # the storefront expects nothing more of the order
STOCK_KINDS = ("stock_positions", "stock_levels", "shown_stock", "stock_decisions")


@dataclass
class Retained:
    """What one run did. kept: orders with data older than the limit that stay, each with why and since when it is due ('' while it is not)."""

    counts: Counter = field(default_factory=Counter)
    kept: list[dict[str, str]] = field(default_factory=list)
    away: list[str] = field(default_factory=list)


def retain(opened: House, dry_run: bool = False) -> Retained:
    """Purge what is due, trim what nobody needs, and note in the journal how much it was. dry_run: only say what would be done. Twice is harmless."""
    now, limits, done = opened.clock.now(), opened.profile.retention, Retained()
    before = now - timedelta(days=limits.personal_days)
    held, others = opened.ledger.retention.held()
    due = [order for order in held if _is_due(order, before)]
    for chunk in _chunks(due):
        _purge_orders(opened, chunk, before, dry_run, done)
    done.kept += [_kept(order, _unfinished(order, limits.personal_days), None) for order in held if not _is_due(order, before) and order.oldest_at < before]
    for subject, oldest_at in others:
        if oldest_at < before:
            _purge_messages(opened, subject, before, dry_run, done)
    _purge_archives(opened, before, dry_run, done)
    _trim(opened, now, dry_run, done)
    _trim_stock(opened, now - timedelta(days=limits.stock_days), dry_run, done)
    if not dry_run:
        _prove(opened, done)
    return done


def _is_due(order: Held, before: datetime) -> bool:
    ended_at = _ended_at(order)
    return ended_at is not None and ended_at < before


def _ended_at(order: Held) -> datetime | None:
    """When the order was over: its last package left, or it was last changed when none ever will. None: goods of it may still leave."""
    if order.live and order.status not in FINAL:
        return None
    return order.last_shipped_at or order.modified_at


def _unfinished(order: Held, days: int) -> str:
    ended_at = _ended_at(order)
    return "goods of it may still leave" if ended_at is None else f"due on {ended_at + timedelta(days=days):%Y-%m-%d}"


def _kept(order: Held, why: str, due_since: datetime | None) -> dict[str, str]:
    return {"connection": order.connection, "order": order.order_id, "why": why, "due since": f"{due_since:%Y-%m-%d}" if due_since else "",
            "oldest": f"{order.oldest_at:%Y-%m-%d}"}


def _purge_orders(opened: House, orders: list[Held], before: datetime, dry_run: bool, done: Retained) -> None:
    """In the transaction that destroys it is asked again whether anything is open: a run may have planned something meanwhile."""
    ledger, purged = opened.ledger, Counter()
    with ledger.transaction() as tx:
        unsettled = ledger.retention.unsettled(tx)
        for order in orders:
            why = unsettled.get((order.connection, order.order_id), []) + (["a plan of it is owed"] if order.is_plan_owed else [])
            if why:
                done.kept.append(_kept(order, "; ".join(why), (_ended_at(order) or before) + (opened.clock.now() - before)))
                continue
            purged += _shred(opened, tx, (order.connection, order.order_id), order.live == 0, dry_run)
        if purged and not dry_run:
            ledger.journal.note(tx, ACTOR, PURGED, dict(purged))
    done.counts += purged


def _shred(opened: House, tx: Tx, key: Key, is_out_of_play: bool, dry_run: bool) -> Counter:
    subject = "/".join(key)
    names = opened.ledger.vault.held(tx, subject)
    if not dry_run:
        opened.ledger.vault.shred(tx, subject)
        opened.ledger.timeline.note(tx, *key, "personal data destroyed", ACTOR, f"{len(names)} records")
        if is_out_of_play:
            opened.ledger.retention.unaddress(tx, [key])
    return Counter({"orders": 1, "records": len(names)})


def _purge_messages(opened: House, subject: str, before: datetime, dry_run: bool, done: Retained) -> None:
    """Files as they came and documents as they went that belong to no one order. What an open exception shows as its evidence stays."""
    ledger = opened.ledger
    with ledger.transaction() as tx:
        needed, names = ledger.retention.evidence(tx), ledger.vault.held(tx, subject, before)
        going = [name for name in names if name not in needed]
        if not dry_run and going:
            ledger.vault.forget(tx, subject, going)
            ledger.journal.note(tx, ACTOR, PURGED, {"messages": len(going)})
    done.counts["messages"] += len(going)
    done.kept += [{"connection": subject, "order": "", "why": f"{name} is the evidence of something open", "due since": "", "oldest": ""} for name in names if name in needed]


def _purge_archives(opened: House, before: datetime, dry_run: bool, done: Retained) -> None:
    """The files themselves, where a warehouse's archive is ours. One that is away is named, and purged by the next run."""
    for name in opened.names("warehouse"):
        port = opened.warehouse(name)
        if isinstance(port, Archives):
            try:
                done.counts["archived files"] += port.forget_filed(before, dry_run)
            except (NotNow, NotAllowed) as error:
                done.away.append(str(error))


def _trim(opened: House, now: datetime, dry_run: bool, done: Retained) -> None:
    limits = opened.profile.retention
    when = (now - timedelta(days=limits.hint_days), now - timedelta(days=limits.run_days))
    with opened.ledger.transaction() as tx:
        trimmed = opened.ledger.retention.trimmable(tx, *when) if dry_run else opened.ledger.retention.trim(tx, *when)
    done.counts.update(trimmed)


def _trim_stock(opened: House, before: datetime, dry_run: bool, done: Retained) -> None:
    """Snapshots of stock; the newest before the limit stays, so that stock is known from the limit on, and so does what the ledger points at."""
    in_use, snapshots = opened.ledger.retention.positions_in_use(), opened.snapshots
    for kind in STOCK_KINDS:
        for source in snapshots.sources(kind):
            for kept in snapshots.before(kind, source, before):
                if kept.path.relative_to(snapshots.folder).as_posix() not in in_use:
                    done.counts["stock snapshots"] += 1
                    if not dry_run:
                        snapshots.forget(kept)


def _prove(opened: House, done: Retained) -> None:
    """Counts, no names; and the end of the access log, so that nobody can cut it off unnoticed. The journal of the database is emptied too."""
    with opened.ledger.transaction() as tx:
        opened.ledger.journal.note(tx, ACTOR, RETAINED, {name: count for name, count in sorted(done.counts.items()) if count} | {
            "kept": len(done.kept), "personal_days": opened.profile.retention.personal_days, "access_log_head": opened.ledger.vault.log_head(tx)})
    opened.ledger.database.checkpoint()


def _chunks(orders: list[Held]) -> Iterator[list[Held]]:
    return (orders[start:start + CHUNK] for start in range(0, len(orders), CHUNK))


@task(name="retain", task_run_name="destroy what is due", **RETRY)
def retain_now(dry_run: bool) -> dict[str, Any]:
    """Counts, and what is kept longer with its reason."""
    done = retain(house(), dry_run)
    return {"counts": dict(done.counts), "kept": done.kept, "away": done.away}
