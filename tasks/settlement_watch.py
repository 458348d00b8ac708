"""What cannot be right about settlements, on finance's desk: kinds that nobody knows, statements that do not add up, reserves that break, silence."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from connectors.house import House
from connectors.ledger.database import shortened
from connectors.ledger.exceptions import CAUSE_LONGEST, RECORD_LONGEST
from connectors.ledger.ledger import Row, Tx
from contracts.exceptions import Finding
from contracts.money import to_major
from contracts.settled import HELD
from contracts.settlements import UNKNOWN
from tasks.rules.reserve_chain import Link, reserve_chain
from tasks.rules.settlements import TEXTS
from tasks.rules.waits import waits_on_mapping

ACTOR = "settlement_watch"
UNKNOWN_TYPE, WRONG, SILENT, FEED = "settlement_unknown_type", "settlement_inconsistent", "feed_silent", "settlements"
TOLD_APART = ("unknown_triple", "inconsistent", "reserve_broken", "duplicate_differs", "unexplained")  # a reader's findings that are told here in another way
SETTLED_AGAIN = "It holds no more: a rule was added, the missing statement came, or it adds up."


def tell(opened: House, storefront: str) -> int:
    """Every kind that is unknown and every statement that does not add up, as they are now; what holds no more is settled. How many hold."""
    with opened.ledger.transaction() as tx:
        heads, sums = opened.ledger.settlements.heads(tx, storefront), opened.ledger.settlements.sums(tx, storefront)
        found = [*_unknown(storefront, sums), *_wrong(storefront, heads, sums), *_unexplained(storefront, sums)]
        still = [one for one in found if not opened.ledger.returns.decided_by(tx, one.type, one.connection, one.record, one.cause, ACTOR) or one.type == UNKNOWN_TYPE]
        opened.ledger.exceptions.open(tx, still)
        holding = {(one.type, shortened(one.record, RECORD_LONGEST), shortened(one.cause, CAUSE_LONGEST)) for one in found}
        for kind in (UNKNOWN_TYPE, WRONG):
            for row in opened.ledger.exceptions.open_of(tx, kind, storefront):
                if row.evidence.get("found_by") == ACTOR and (row.type, row.record, row.cause) not in holding:
                    opened.ledger.exceptions.resolve(tx, row.exception_id, ACTOR, SETTLED_AGAIN)
    return len(found)


def chain(heads: Iterable[Row], sums: Iterable[Row]) -> list[Link]:
    """The reserve chain of a connection."""
    reserves: dict[str, list[int]] = defaultdict(list)
    by_kind: Counter[tuple[str, ...]] = Counter()
    for row in sums:
        if row.category in HELD:
            by_kind[(row.settlement_id, *(getattr(row, name) for name in TEXTS))] += row.amount_minor
    for (settlement_id, *_), amount in by_kind.items():
        reserves[settlement_id].append(amount)
    return reserve_chain((head._mapping for head in heads), reserves)


def _unknown(storefront: str, sums: Iterable[Row]) -> Iterator[Finding]:
    amounts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    rows, where = Counter(), defaultdict(set)
    for row in sums:
        if row.level == UNKNOWN:
            triple = tuple(getattr(row, name) for name in TEXTS)
            amounts[triple][row.currency] += row.amount_minor
            rows[triple] += row.rows
            where[triple].add(row.settlement_id)
    for triple, found in sorted(amounts.items()):
        yield Finding(UNKNOWN_TYPE, storefront, " / ".join(triple), f"{UNKNOWN_TYPE}:{' / '.join(triple)}", {
            "found_by": ACTOR, **dict(zip(TEXTS, triple, strict=True)), "rows": rows[triple], "settlements": sorted(where[triple])[:20],
            "amounts": {currency: to_major(amount, currency) for currency, amount in sorted(found.items())},
        }, waits_on_mapping("settlement_types", connection=storefront, **dict(zip(TEXTS, triple, strict=True))))


def _unexplained(storefront: str, sums: Iterable[Row]) -> Iterator[Finding]:
    """Known what it is, and not whose: an amount of an order without its number."""
    amounts: Counter[tuple[str, str]] = Counter()
    rows, kinds = Counter(), defaultdict(set)
    for row in sums:
        if not row.is_explained and row.level != UNKNOWN:
            amounts[row.settlement_id, row.currency] += row.amount_minor
            rows[row.settlement_id, row.currency] += row.rows
            kinds[row.settlement_id, row.currency].add(" / ".join(getattr(row, name) for name in TEXTS))
    for (settlement_id, currency), amount in sorted(amounts.items()):
        yield _finding(storefront, settlement_id, f"unexplained {rows[settlement_id, currency]} rows", amount, currency,
                       f"{rows[settlement_id, currency]} rows are of a known kind and name no order", {"kinds": sorted(kinds[settlement_id, currency])[:20]})


def _wrong(storefront: str, heads: list[Row], sums: list[Row]) -> Iterator[Finding]:
    for head in heads:
        difference = head.sum_minor - head.deposit_minor
        if head.state == "inconsistent":
            why = head.why or "its rows are not its deposit"
            yield _finding(storefront, head.settlement_id, f"sum {to_major(difference, head.currency)}", difference, head.currency, why, _sides(head))
        for one in head.findings:
            if one["fails"] and one["kind"] not in TOLD_APART:
                yield _finding(storefront, head.settlement_id, f"{one['kind']} {one['detail']}", one["amount_minor"], head.currency, one["detail"], {"rows": one["rows"], "row": one["row"]})
    for link in chain(heads, sums):
        if link.verdict in ("broken", "missing"):
            why = f"it brings a reserve of {to_major(link.brought_minor, link.currency)}, and {link.previous} held {to_major(link.held_before_minor, link.currency)}"
            yield _finding(storefront, link.settlement_id, f"reserve {link.verdict} {to_major(link.difference_minor, link.currency)}", link.difference_minor, link.currency,
                           why + ("; a statement between the two is missing" if link.verdict == "missing" else ""), {"previous": link.previous})


def _finding(storefront: str, settlement_id: str, what: str, amount: int, currency: str, why: str, more: Mapping[str, Any]) -> Finding:
    return Finding(WRONG, storefront, settlement_id, f"{WRONG}:{what}", {"found_by": ACTOR, "amount": f"{to_major(amount, currency)} {currency}", "why": why, **more})


def _sides(head: Row) -> dict[str, Any]:
    return {"rows": to_major(head.sum_minor, head.currency), "deposit": to_major(head.deposit_minor, head.currency) if head.has_deposit else "not stated", "file": head.document}


def watch_silence(opened: House, storefront: str) -> bool:
    """Has no statement come for longer than one may take? An exception, settled when one comes."""
    now, allowed = opened.clock.now(), timedelta(seconds=opened.storefront(storefront).statements_silent_after_seconds)
    with opened.ledger.transaction() as tx:
        heads = opened.ledger.settlements.heads(tx, storefront)
        since = max((head.ended_at or head.made_at for head in heads), default=None) or _watched_since(opened, tx, storefront)
        is_silent = now - since > allowed
        if is_silent:
            opened.ledger.exceptions.open(tx, [Finding(SILENT, storefront, FEED, f"{SILENT}:{FEED}", {
                "feed": FEED, "silent_since": since.isoformat(), "may_be_silent_for_seconds": allowed.total_seconds(),
                "why": f"the last statement ends {since:%Y-%m-%d}" if heads else f"none has come since {since:%Y-%m-%d}"})])
        else:
            opened.ledger.exceptions.settle_cause(tx, SILENT, storefront, FEED, f"{SILENT}:{FEED}", ACTOR, "A statement has come.")
    return is_silent


def _watched_since(opened: House, tx: Tx, storefront: str) -> Any:
    feed = f"{storefront} settlements watched"
    since = opened.ledger.watermarks.read(tx, feed)
    if since is None:
        since = opened.clock.now()
        opened.ledger.watermarks.reach(tx, feed, since)
    return since
