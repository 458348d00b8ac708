"""Reconcile a storefront's orders of a period with what the warehouses sent and got back: gather, judge, put on desks, and make the statement."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration
from connectors.ledger.ledger import Row, Tx
from connectors.ledger.records import sha256
from connectors.ports import DISPATCH_CONFIRMATION
from contracts.base import WHY
from contracts.exceptions import TYPES, Finding
from contracts.reconciliation import DIFFERENCES
from contracts.returns import Payments
from contracts.settled import MERCHANT
from tasks.opened import CHUNK, RETRY, house
from tasks.orders import order_row
from tasks.refunds_seen import see_refunds
from tasks.rules.lookup import Mappings
from tasks import settled_books
from tasks.rules.reconciliation import Books, Patience, Period, Reconciliation, between, cause, month, reconcile
from tasks.settled_books import patience_of
from tasks.settlements import settles
from tasks.statement.figures import Statement, summary
from tasks.statement.files import keep

ACTOR = "settlement_reconciliation"
OVER_SHIPPED = "over_shipped"
OWN_TYPES = tuple(sorted({name if name in TYPES else "reconciliation_difference" for name in DIFFERENCES} - {OVER_SHIPPED}))  # those come from the dispatches
BY_HAND, RETURN_REFUSED = "by hand", "the return was refused"  # how `tasks/refunds.py` closes a piece that it does not refund
SETTLED = ("awaiting_payment", "cancelled", "on_hold")  # statuses in which nobody expects the payments to be the total


@dataclass(frozen=True)
class Outcome:
    """What a reconciliation came to. statement: the page's path, '' after a dry run."""

    found: Reconciliation
    summary: dict[str, Any]
    opened: int = 0
    settled: int = 0
    statement: str = ""


def period_of(opened: House, name: str = "", first: str = "", until: str = "") -> Period:
    """'YYYY-MM', 'this month' or 'last month'; or two days 'YYYY-MM-DD' (the second not in it), which go before a month. Raises BadConfiguration."""
    now = opened.clock.now()
    this = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    named = {"this month": f"{this:%Y-%m}", "last month": f"{this - timedelta(days=1):%Y-%m}"}.get(name, name)
    try:
        return between(_day(first), _day(until)) if first or until else month(named)
    except ValueError as error:
        raise BadConfiguration("naming the period", str(error), "Give a month as 2026-01, or two days as 2026-01-05 and 2026-01-12.") from None


def see_money(opened: House, storefront: str, period: Period) -> Counter:
    """Refunds made since the period began, and the payments of orders that changed since we last looked or are not paid in full, into the ledger."""
    port, began = opened.storefront(storefront), opened.clock.now()
    counts = Counter({"refunds": see_refunds(opened, storefront, period.since)["seen"]})
    if settles(opened, storefront):
        return counts  # what was paid is what its settlements say
    with opened.ledger.transaction() as tx:
        wanted = sorted(_to_look_at(opened, tx, storefront, period.since, began + timedelta(days=1)))  # the storefront's clock may be ahead
    for start in range(0, len(wanted), CHUNK):
        told = [Payments.split(port.payments(order_id)) for order_id in wanted[start:start + CHUNK]]
        with opened.ledger.transaction() as tx:
            opened.ledger.returns.see_payments(tx, [row for sound, _ in told for row in _native(sound)])
            opened.ledger.exceptions.open(tx, [Finding("record_unsound", storefront, row["order_id"] or "?", f"record_unsound:payment {row['payment_id']}:{row[WHY]}",
                                                       {"payment": row["payment_id"], "why": row[WHY]}) for _, unsound in told for row in unsound.to_dict("records")])
        counts["payments"] += sum(len(sound) for sound, _ in told)
    counts["orders asked about"] += len(wanted)
    with opened.ledger.transaction() as tx:
        opened.ledger.watermarks.reach(tx, f"{storefront} payments", began)
    return counts


def _to_look_at(opened: House, tx: Tx, storefront: str, since: datetime, before: datetime) -> Iterator[str]:
    known = opened.ledger.reconciliations
    concerned = known.concerned(tx, storefront, since, before)
    looked = opened.ledger.watermarks.read(tx, f"{storefront} payments")
    paid: Counter[str] = Counter()
    for row in known.payments(tx, storefront, concerned):
        paid[row.order_id] += row.amount_minor if row.is_settled and row.kind in ("capture", "purchase") else 0
    for row in known.orders(tx, storefront, concerned):
        is_short = paid[row.order_id] != row.order["total_minor"] and row.order["status"] not in SETTLED
        if looked is None or row.taken_in_at >= looked or is_short:
            yield row.order_id


def gather(opened: House, storefront: str, since: datetime, until: datetime) -> Books:
    """What the ledger knows of the orders that a period may concern, and of their money and goods."""
    with opened.ledger.transaction() as tx:
        known, mappings = opened.ledger.reconciliations, Mappings.of(opened.ledger.mappings.all_current(tx))
        concerned = known.concerned(tx, storefront, since, until)
        entries = [row for row in known.orders(tx, storefront, concerned) if row.order["fulfilled_by"] == MERCHANT]  # the others the marketplace explains itself
        shown = list(map(_fields, known.refunds(tx, storefront, concerned)))
        paid, given_back = settled_books.money(opened, tx, storefront, concerned, shown) or (map(_fields, known.payments(tx, storefront, concerned)), shown)
        desk = known.on_desks(tx, storefront)
        return Books.of(
            orders=map(order_row, entries),
            lines=(line | {"is_shippable": line["is_shippable"] and not mappings.is_non_stock(storefront, line["sku"])} for row in entries for line in row.lines),
            payments=paid, refunds=given_back,
            dispatched=[*_dispatched(known.confirmations(tx, storefront, concerned, DISPATCH_CONFIRMATION)), *_over_shipped(opened, tx, storefront, desk)],
            returned=_returned(known.returned(tx, storefront, concerned), mappings), asked=map(_fields, known.requests(tx, storefront, concerned)), on_desk=map(_on_desk, filter(_counts, desk)))


def _fields(row: Row) -> dict[str, Any]:
    return dict(row._mapping)


def _dispatched(confirmations: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for told in confirmations:
        for line in told["lines"]:
            yield {"order_id": told["order_id"], "line_id": line["line_id"], "quantity": line["quantity"], "warehouse": told["warehouse"],
                   "reference": told["reference"], "shipped_at": datetime.fromisoformat(told["shipped_at"]).astimezone(UTC)}


def _over_shipped(opened: House, tx: Tx, storefront: str, desk: list[Row]) -> Iterator[dict[str, Any]]:
    """Units that no line took, put on the line of their SKU: beyond what was ordered. A part of a storefront's unit counts as one."""
    for row in desk:
        evidence = row.evidence
        if row.type == OVER_SHIPPED and {"reference", "warehouse_sku", "too_many"} <= evidence.keys():
            line = opened.ledger.reconciliations.request_line(tx, storefront, evidence["reference"], evidence["warehouse_sku"])
            if line:
                yield {"order_id": row.record, "line_id": line.line_id, "quantity": -(-evidence["too_many"] // line.factor), "warehouse": line.warehouse,
                       "reference": line.reference, "shipped_at": row.opened_at}


def _returned(rows: list[Row], mappings: Mappings) -> Iterator[dict[str, Any]]:
    """Whole storefront units that came back; a unit made of several grades is worth what its worst part is worth."""
    for row in rows:
        for due in row.dues:
            rules = [mappings.return_rule(row.connection, row.warehouse, grade) for grade in due["grades"]]
            yield {"order_id": row.order_id, "line_id": due["line_id"], "document_id": row.document_id, "quantity": due["quantity"],
                   "received_at": row.received_at, "is_decided": due["closed"] == BY_HAND,
                   "refund_percent": 0 if due["closed"] == RETURN_REFUSED else min((int(rule["refund_percent"]) for rule in rules if rule), default=100)}


def _counts(row: Row) -> bool:
    """Does it account for a difference? Open, or closed by a person; what a flow settled does not hold any more."""
    return row.state == "open" and row.evidence.get("found_by") != ACTOR or row.state != "open" and row.type in (*OWN_TYPES, OVER_SHIPPED) and row.resolved_by != ACTOR


def _on_desk(row: Row) -> dict[str, Any]:
    return {"order_id": row.record, "type": row.type, "cause": row.cause, "owner": row.owner, "is_open": row.state == "open", "resolved_by": row.resolved_by,
            "reason": row.reason, "resolved_at": row.resolved_at}


def reconcile_period(opened: House, storefront: str, warehouse: str, period: Period, *, actor: str = ACTOR, dry_run: bool = False,
                     patience_days: int | None = None) -> Outcome:
    """Reconcile from what the ledger knows. The statement shows the period's end; the desks get what still holds now. A dry run changes nothing.

    Every warehouse's dispatches and returns count: an order that two of them shipped could never agree with one.
    """
    opened.settings(storefront), opened.settings(warehouse)  # are they there?
    now, patience = opened.clock.now(), patience_of(opened, storefront, patience_days)
    as_of = now + timedelta(microseconds=1)  # what happens at this very moment has happened
    books = gather(opened, storefront, period.since, max(as_of, period.until))
    found = reconcile(books, period, as_of, patience)
    if dry_run:
        return Outcome(found, summary(found))
    today = found if now < period.until else reconcile(books, Period("today", period.since, as_of), as_of, patience)
    statement = Statement(storefront, warehouse, period, found, _open_exceptions(opened, storefront), _sources(opened, storefront, books, period), now, actor,
                          settled_books.marketplace_statement(opened, storefront, period, found.rows.to_dict("records")))
    page, csv = keep(opened.profile.home / "statements" / storefront / period.name, statement)
    rows = _rows(found)
    with opened.ledger.transaction() as tx:
        opened.ledger.reconciliations.replace(tx, storefront, period.name, rows, actor, now, {"rows": len(rows), "csv_sha256": sha256(csv), "warehouse": warehouse})
        findings = [*_findings(storefront, today), *_of_unknown_orders(opened, tx, storefront, as_of, patience)]
        opened_now = opened.ledger.exceptions.open(tx, findings)
        settled = _settle(opened, tx, storefront, {(finding.type, finding.record, finding.cause) for finding in findings})
    return Outcome(found, summary(found), opened_now, settled, str(page))


def _findings(storefront: str, found: Reconciliation) -> Iterator[Finding]:
    """One for each difference that nothing accounts for."""
    for row in found.differences.to_dict("records"):
        if not row["explained_by"]:
            kind = row["name"] if row["name"] in OWN_TYPES else "reconciliation_difference"
            yield Finding(kind, storefront, row["order_id"], cause(row["name"], row["amount_minor"], row["currency"]),
                          {"found_by": ACTOR, "difference": row["name"], "amount_minor": row["amount_minor"], "currency": row["currency"], "detail": row["detail"]})


def _of_unknown_orders(opened: House, tx: Tx, storefront: str, as_of: datetime, patience: Patience) -> Iterator[Finding]:
    """Paid for by a settlement, and in nobody's order book; unless a person has decided exactly this."""
    if settles(opened, storefront):
        for one in settled_books.unknown_orders(opened, tx, storefront, as_of, patience):
            if not opened.ledger.returns.decided_by(tx, one.type, one.connection, one.record, one.cause, ACTOR):
                yield Finding(one.type, one.connection, one.record, one.cause, {"found_by": ACTOR} | one.evidence)


def _settle(opened: House, tx: Tx, storefront: str, holding: set[tuple[str, str, str]]) -> int:
    """What we found in earlier runs and does not hold any more."""
    return sum(opened.ledger.exceptions.resolve(tx, row.exception_id, ACTOR, "It agrees again, it is another amount now, or another exception accounts for it.")
               for kind in OWN_TYPES for row in opened.ledger.exceptions.open_of(tx, kind, storefront)
               if row.evidence.get("found_by") == ACTOR and (row.type, row.record, row.cause) not in holding)


def _rows(found: Reconciliation) -> list[dict[str, Any]]:
    """Rows for the ledger, each with its differences."""
    named: dict[str, list[dict[str, Any]]] = {}
    for row in found.differences.to_dict("records"):
        named.setdefault(row["order_id"], []).append({name: row[name] for name in ("name", "amount_minor", "explained_by")})
    return [row | {"placed_at": row["placed_at"].to_pydatetime(), "differences": named.get(row["order_id"], [])} for row in found.rows.to_dict("records")]


def _open_exceptions(opened: House, storefront: str) -> list[dict[str, Any]]:
    """By type, those of this reconciliation left out: the statement names them itself."""
    found: dict[str, list[Row]] = {}
    for row in opened.ledger.exceptions.listed(connection=storefront):
        if row.evidence.get("found_by") != ACTOR:
            found.setdefault(row.type, []).append(row)
    return [{"type": kind, "owner": TYPES[kind].owner, "open": len(rows), "oldest": f"{min(row.opened_at for row in rows):%Y-%m-%d}"} for kind, rows in sorted(found.items())]


def _sources(opened: House, storefront: str, books: Books, period: Period) -> dict[str, str]:
    """What the figures were made from, and how far that was known."""
    with opened.ledger.transaction() as tx:
        reached = {what: opened.ledger.watermarks.read(tx, f"{storefront} {what}") for what in ("orders", "payments", "settlements")}
        heads = opened.ledger.settlements.heads(tx, storefront)
    till = {what: f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never" for what, moment in reached.items()}
    counts = {name: len(getattr(books, name)) for name in Books.CONTRACTS}
    if heads:
        money = f"{len(heads)} settlements with {sum(head.amounts for head in heads):,} amounts, as the marketplace listed them at {till['settlements']}"
    else:
        money = f"{counts['payments']:,} movements of money and {counts['refunds']:,} lines of refunds, as the storefront showed them at {till['payments']}"
    return {
        "Orders": f"{counts['orders']:,} with {counts['lines']:,} lines placed before {max(period.until, period.since):%Y-%m-%d}, as the storefront told them until {till['orders']}",
        "Payments and refunds": money,
        "Dispatches": f"{counts['dispatched']:,} lines of parcels in the warehouses' advice, placed on order lines; {counts['asked']:,} fulfilment requests",
        "Returns": f"{counts['returned']:,} lines of return advice, placed on order lines",
    }


def _native(frame: Any) -> list[dict[str, Any]]:
    """Rows with Python's own moments, for the ledger."""
    return [{name: value.to_pydatetime() if hasattr(value, "to_pydatetime") else value for name, value in row.items()} for row in frame.to_dict("records")]


def _day(text: str) -> datetime:
    try:
        if re.fullmatch(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}", text):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        pass  # a day that its month does not have
    raise ValueError(f"{text!r} is no day as in '2026-01-05'")


@task(name="see payments and refunds", task_run_name="see payments and refunds at {storefront}", **RETRY)
def see_money_at(storefront: str, name: str, first: str, until: str) -> dict[str, int]:
    """What was paid and given back, as the storefront shows it now."""
    return dict(see_money(house(), storefront, period_of(house(), name, first, until)))


@task(name="reconcile", task_run_name="reconcile {storefront} {name}{first}", **RETRY)
def reconcile_of(storefront: str, warehouse: str, name: str, first: str, until: str, actor: str, dry_run: bool, patience_days: int) -> dict[str, Any]:
    """Every order of the period under one verdict, the differences on desks, the statement in its folder. `differences` is a table for people."""
    outcome = reconcile_period(house(), storefront, warehouse, period_of(house(), name, first, until), actor=actor, dry_run=dry_run,
                               patience_days=None if patience_days < 0 else patience_days)
    return {"summary": outcome.summary, "opened": outcome.opened, "settled": outcome.settled, "statement": outcome.statement, "differences": difference_table(outcome.found)}


def difference_table(found: Reconciliation) -> list[dict[str, Any]]:
    """For an artifact: what does not agree, the unexplained first."""
    from contracts.money import to_major

    return [{"order": row["order_id"], "difference": row["name"].replace("_", " "), "amount": f"{to_major(row['amount_minor'], row['currency'])} {row['currency']}",
             "explained by": row["explained_by"] or "nothing", "what is known": row["detail"]}
            for row in sorted(found.differences.to_dict("records"), key=lambda row: (bool(row["explained_by"]), row["name"], row["order_id"]))]
