"""Everything that the ledger knows of one order, as tables. No recipient, no address, no free text that a person typed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.house import House
from connectors.kit.errors import BadConfiguration
from connectors.ledger.ledger import Row, Tx
from connectors.ledger.records import sha256
from connectors.ledger.vault import VaultShut
from connectors.ports import DISPATCH_CONFIRMATION, FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST
from contracts.money import to_major

WHY = "evidence for a claim"
ASKED = (FULFILMENT_REQUEST, FULFILMENT_CHANGE, FULFILMENT_CANCEL)
# table -> what it shows; in the order of the page
TABLES: dict[str, str] = {
    "order": "The order, as the storefront told it",
    "lines": "Its lines",
    "asked": "What was asked of the warehouse, and how far the asking got",
    "asked_lines": "Line by line",
    "shipped": "What the warehouse says it shipped: one row a SKU in a package",
    "told": "What the storefront was told of it, and when it was read back there",
    "returned": "What came back to the warehouse",
    "refunds": "Refunds as the storefront shows them",
    "settled": "What the marketplace's settlements have of the order",
    "exceptions": "What a person had to look at",
    "timeline": "Everything, in the order in which it happened",
    "documents": "The files and requests behind it, by their fingerprints (SHA-256)",
}


@dataclass(frozen=True)
class Evidence:
    """What is known of one order. tables: name in TABLES -> rows, all values text or whole numbers. findings: what is missing from the chain, in words."""

    storefront: str
    order_id: str
    made_at: datetime
    made_by: str
    tables: dict[str, list[dict[str, Any]]]
    findings: list[str] = field(default_factory=list)


def gather(opened: House, storefront: str, order_id: str, actor: str) -> Evidence:
    """The evidence as of now. Raises BadConfiguration when neither the order book nor a settlement knows the order."""
    opened.settings(storefront)
    with opened.ledger.transaction() as tx:
        entry = opened.ledger.books.order(tx, storefront, order_id)
        settled = opened.ledger.settlements.of_order(tx, storefront, order_id)
        if entry is None and not settled:
            raise BadConfiguration(f"gathering evidence about {order_id}", f"{storefront} has told of no such order", "Give the storefront's own order id.")
        effects = opened.ledger.effects.of_record(tx, storefront, order_id)
        requests = opened.ledger.books.requests_of(tx, storefront, order_id)
        dispatched = [line for request in requests for line in opened.ledger.books.dispatched(tx, request.warehouse, [request.reference])]
        tables = {
            "order": [_order(entry)] if entry else [], "lines": [_line(line) for line in entry.lines] if entry else [],
            "asked": [_asked(request, effects) for request in requests],
            "asked_lines": [_fields(line, "warehouse reference number line_id sku warehouse_sku quantity unit factor advised")
                            for request in requests for line in opened.ledger.books.request_lines(tx, request.warehouse, request.reference)],
            "shipped": [_fields(line, "warehouse advice_id reference package_id carrier service tracking_number sku quantity unit facility shipped_at inbox_key")
                        for line in dispatched],
            "told": [_told(effect) for effect in effects if effect.kind == DISPATCH_CONFIRMATION],
            "returned": [_fields(line, "warehouse document_id line reference rma sku quantity unit grade tracking_number facility received_at inbox_key state line_id")
                         for line in opened.ledger.returns.of_order(tx, storefront, order_id)],
            "refunds": [_refund(row) for row in opened.ledger.returns.refunds_of(tx, storefront, order_id)],
            "settled": [_settled(row) for row in settled],
            "exceptions": [_fields(row, "type owner opened_at resolved_at state") for row in opened.ledger.exceptions.of_record(tx, storefront, order_id)],
            "timeline": [{"at": _text(row.at), "what": row.what, "who": row.actor} for row in opened.ledger.timeline.of(tx, storefront, order_id)],
        }
        tables["documents"] = [*_documents(opened, tx, storefront, order_id, effects, actor), *_arrivals(opened, tx, tables)]
    return Evidence(storefront, order_id, opened.clock.now(), actor, tables, list(_missing(tables)))


def _missing(tables: dict[str, list[dict[str, Any]]]) -> Iterable[str]:
    """Links of the chain that are not there: whoever hands this over should know before the other side says so."""
    if not tables["order"]:
        yield "The storefront never told us of this order: only its settlement rows are known."
    if not tables["asked"]:
        yield "No warehouse was asked to ship it."
    if not tables["shipped"]:
        yield "No warehouse says that it shipped anything of it."
    elif not all(row["tracking_number"] for row in tables["shipped"]):
        yield "A package left without a tracking number."
    if tables["shipped"] and not tables["told"]:
        yield "The storefront was not told of the package."
    yield from (f"The confirmation of {row['tracking_number'] or 'a package'} was not read back at the storefront." for row in tables["told"] if not row["read_back_at"])


def _order(entry: Row) -> dict[str, Any]:
    order = entry.order
    kept = {name: order[name] for name in ("order_id", "channel", "status", "fulfilled_by", "placed_at", "currency")}
    return kept | {"ship_by": order.get("ship_by") or "", "total": to_major(order["total_minor"], order["currency"]), "taken_in_at": _text(entry.taken_in_at)}


def _line(line: dict[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in ("line_id", "sku", "name", "quantity", "unit")} | {
        "total": to_major(line["total_minor"], line["currency"]), "currency": line["currency"]}


def _asked(request: Row, effects: list[Row]) -> dict[str, Any]:
    """A request with its effect: planned, sent, accepted in place, and proven (acknowledged or read back)."""
    effect = next((row for row in effects if row.effect_id == request.effect_id), None)
    return _fields(request, "warehouse reference facility carrier service state revision created_at") | _moments(effect)


def _told(effect: Row) -> dict[str, Any]:
    told = effect.payload
    units = ", ".join(f"{line['line_id']} × {line['quantity']}" for line in told.get("lines", []))
    return {"reference": told.get("reference", ""), "carrier": told.get("tracking_carrier") or told.get("provider") or told.get("carrier", ""),
            "tracking_number": told.get("tracking_number", ""), "shipped_at": str(told.get("shipped_at", "")), "lines": units} | _moments(effect) | {
                "read_back_at": _text(effect.verified_at)}


def _moments(effect: Row | None) -> dict[str, Any]:
    if effect is None:
        return {"effect_state": "", "attempts": 0, "planned_at": "", "sent_at": "", "confirmed_at": "", "proven_at": "", "their_id": ""}
    return {"effect_state": effect.state, "attempts": effect.attempt, "planned_at": _text(effect.planned_at), "sent_at": _text(effect.sent_at),
            "confirmed_at": _text(effect.confirmed_at), "proven_at": _text(effect.verified_at), "their_id": effect.remote_id}


def _refund(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("refund_id", "line_id", "quantity", "currency")} | {
        "amount": to_major(row["amount_minor"], row["currency"]), "declined": "yes" if row["is_declined"] else "no", "created_at": _text(row["created_at"])}


def _settled(row: Row) -> dict[str, Any]:
    amounts = {name.removesuffix("_minor"): to_major(getattr(row, name), row.currency) for name in row._fields if name.endswith("_minor")}
    return {name: _text(getattr(row, name)) for name in ("settlement_id", "line_id", "sku", "fulfilment", "currency", "quantity", "first_posted_at", "last_posted_at")} | amounts


def _documents(opened: House, tx: Tx, storefront: str, order_id: str, effects: list[Row], actor: str) -> Iterable[dict[str, Any]]:
    """What we sent: the frozen bytes' fingerprint where they are still kept, else the one that was noted when they were taken; and the payload's, always."""
    subject = f"{storefront}/{order_id}"
    for effect in effects:
        if effect.kind not in (*ASKED, DISPATCH_CONFIRMATION):
            continue
        evidence = effect.evidence or {}
        try:
            frozen = opened.ledger.vault.open(tx, subject, f"document:{effect.effect_id}", actor, WHY)
        except VaultShut:
            frozen = None
        digest = sha256(frozen) if frozen is not None else str(evidence.get("sha256", ""))
        kept = "kept sealed" if frozen is not None else "destroyed on schedule, or never frozen"
        yield {"what": effect.kind, "name": str(evidence.get("file") or effect.effect_id), "direction": f"to {effect.target}", "at": _text(effect.sent_at),
               "sha256": digest, "payload_sha256": effect.payload_hash, "bytes": kept}


def _arrivals(opened: House, tx: Tx, tables: dict[str, list[dict[str, Any]]]) -> Iterable[dict[str, Any]]:
    """What came: the warehouse's files that told of packages and returns, by the fingerprint under which they were received."""
    for key in dict.fromkeys(row["inbox_key"] for name in ("shipped", "returned") for row in tables[name] if row["inbox_key"]):
        for arrived in opened.ledger.inbox.arrivals(tx, key):
            yield {"what": arrived.kind, "name": arrived.name, "direction": f"from {arrived.source}", "at": _text(arrived.received_at), "sha256": arrived.sha256,
                   "payload_sha256": "", "bytes": "received"}


def _fields(row: Row, names: str) -> dict[str, Any]:
    return {name: _text(getattr(row, name)) for name in names.split()}


def _text(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
