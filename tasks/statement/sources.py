"""What a statement was made from, and what else was open when it was made."""

from typing import Any

from connectors.house import House
from connectors.ledger.ledger import Row
from contracts.exceptions import TYPES
from tasks.rules.reconciliation import Books, Period


def open_exceptions(opened: House, storefront: str, but_of: str) -> list[dict[str, Any]]:
    """By type, those found by `but_of` left out: the statement names them itself."""
    found: dict[str, list[Row]] = {}
    for row in opened.ledger.exceptions.listed(connection=storefront):
        if row.evidence.get("found_by") != but_of:
            found.setdefault(row.type, []).append(row)
    return [{"type": kind, "owner": TYPES[kind].owner, "open": len(rows), "oldest": f"{min(row.opened_at for row in rows):%Y-%m-%d}"} for kind, rows in sorted(found.items())]


def sources(opened: House, storefront: str, books: Books, period: Period) -> dict[str, str]:
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
