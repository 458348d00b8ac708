"""Give money back for what came back: decide by rule, owe each refund once, and look at the storefront whether it was made and paid out.

One refund of an order is under way at a time: the next is only reckoned when the storefront shows the one before, so that what was paid and what
was given back are always known when an amount is fixed. Without a rule, an approval or a payment nothing is refunded, and it is on a desk.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration, Refused
from connectors.ledger.effects import Planned
from connectors.ledger.ledger import Row, Tx
from connectors.ports import REFUND
from contracts.base import rows_of
from contracts.effects import RefundLine, RefundRequest
from contracts.exceptions import Finding
from contracts.returns import Payments
from tasks.opened import RETRY, house
from tasks.refund_gates import BY_HAND, MISSING, NOT_APPROVED, UNEXPECTED, Ready, by_a_person, let_through
from tasks.refunds_seen import DECLINED, REFUNDS
from tasks.returned import ACTOR, Order, all_pieces, keep_dues, rules_of
from tasks.rules.refunds import AS_A_WHOLE, OVER_LIMIT, Held, Money, Piece, Refund, decide, in_the_storefront, money_of, without_refunded
from tasks.rules.rmas import is_open, split

__all__ = ["REFUNDS", "Owed", "approve_refund", "owe", "owe_refunds", "owe_refunds_of", "payments_of", "refund_again"]

OVER_CAP, IN_STOREFRONT = "refund_over_cap", "refund_by_hand"
UNDER_WAY = ("PLANNED", "IN_FLIGHT", "UNKNOWN", "BLOCKED")
BEFORE, NOTHING = "refunded before", "nothing is due"


@dataclass
class Owed:
    """What one look at the open returns came to."""

    counts: Counter = field(default_factory=Counter)
    planned: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def owe_refunds(opened: House, storefront: str) -> Owed:
    """Decide every return of this storefront that is open; what is due is owed as an effect. Payments are only read where a rule lets a piece through."""
    owed = Owed()
    with opened.ledger.transaction() as tx:
        order_ids = opened.ledger.returns.orders_due(tx, storefront)
    for order_id in order_ids:
        with opened.ledger.transaction() as tx:
            needs_payments = owe(opened, tx, (storefront, order_id), None, owed)
        if needs_payments:
            payments = payments_of(opened, storefront, order_id)
            with opened.ledger.transaction() as tx:
                owe(opened, tx, (storefront, order_id), payments, owed)
    return owed


def owe(opened: House, tx: Tx, order: Order, payments: list[dict[str, Any]] | None, owed: Owed, approved: tuple[str, str] | None = None) -> bool:
    """Decide the open pieces of one order. Without its payments only as far as rules and approvals go: True then says that payments are wanted.

    `approved`: the (warehouse, document) whose refund a person has just approved.
    """
    opened.ledger.returns.lock(tx, *order)
    ready, findings = let_through(opened, tx, order, opened.ledger.returns.of_order(tx, *order), rules_of(opened, tx))
    priced = bool(ready) and not _is_under_way(opened, tx, order)
    if priced and payments is None:
        opened.ledger.exceptions.open(tx, [finding for finding in findings if finding.type == UNEXPECTED])  # said once: its pieces are closed by now
        return True
    if priced:
        opened.ledger.returns.see_payments(tx, payments)
        priced = _price(opened, tx, order, ready, owed, findings, approved)
    owed.counts["waiting"] += len({one.document for one in ready}) if not priced else 0
    types = (MISSING, NOT_APPROVED) + ((OVER_CAP, IN_STOREFRONT) if priced or not ready else ())
    said_there = [(row.type, row.cause) for row in opened.ledger.exceptions.open_of(tx, OVER_CAP, order[0]) if "effect" in row.evidence]
    opened.ledger.exceptions.settle(tx, *order, types, [*((f.type, f.cause) for f in findings), *said_there], ACTOR, "It is decided, or holds no longer.")
    if opened.ledger.exceptions.open(tx, findings):
        opened.ledger.timeline.note(tx, *order, "refund held", ACTOR, ", ".join(sorted({finding.type for finding in findings})))
    owed.counts["held"] += len(findings)
    owed.findings += findings
    return False


def _is_under_way(opened: House, tx: Tx, order: Order) -> bool:
    return any(row.kind == REFUND and (row.state in UNDER_WAY or row.state == "CONFIRMED" and row.verified_at is None)
               for row in opened.ledger.effects.of_record(tx, *order))


def _price(opened: House, tx: Tx, order: Order, ready: list[Ready], owed: Owed, findings: list[Finding], approved: tuple[str, str] | None) -> bool:
    """Document by document, oldest first, until one refund is planned. True when all of them were looked at."""
    entry, takes_refunds = opened.ledger.books.order(tx, *order), REFUND in opened.storefront(order[0]).kinds
    ours = [row.remote_id for row in opened.ledger.effects.of_record(tx, *order) if row.kind == REFUND and row.remote_id]
    money = money_of(entry.order, opened.ledger.returns.payments_of(tx, *order), opened.ledger.returns.refunds_of(tx, *order), ours)
    documents = list(dict.fromkeys(one.document for one in ready))
    for document in sorted(documents, key=lambda document: (document != approved, documents.index(document))):
        left = _set_against_others(opened, tx, order, [one for one in ready if one.document == document], money)
        pieces = [_as_piece(one) for one in left]
        if takes_refunds:
            verdict = decide(entry.order, entry.lines, pieces, money, opened.settings(order[0]).refund_limit_minor, document == approved)
        else:
            verdict = in_the_storefront(decide(entry.order, entry.lines, pieces, money, is_approved=True))
        if isinstance(verdict, Refund):
            _plan(opened, tx, order, document, left, verdict, owed)
            return document == documents[-1] and approved is None
        if verdict is None:
            _close(opened, tx, left, NOTHING)
            continue
        kind = OVER_CAP if takes_refunds else IN_STOREFRONT
        finding = Finding(kind, *order, f"{kind}:{document[0]}:{document[1]}:{verdict.why}", _evidence(document, verdict))
        if by_a_person(opened, tx, finding):
            _close(opened, tx, left, BY_HAND)
        else:
            findings.append(finding)
    return True


def _evidence(document: tuple[str, str], verdict: Held) -> dict[str, Any]:
    return {"warehouse": document[0], "document": document[1], "held_for": verdict.why} | verdict.evidence


def _as_piece(one: Ready) -> Piece:
    return Piece(one.piece["line_id"], one.piece["first"], one.piece["quantity"], one.percent)


def _set_against_others(opened: House, tx: Tx, order: Order, ready: list[Ready], money: Money) -> list[Ready]:
    """Units that somebody refunded in the storefront already, at its desk or before they came back, are not refunded again."""
    counted: Counter = Counter()
    for row in opened.ledger.effects.of_record(tx, *order):
        if row.kind == REFUND and row.state == "CONFIRMED" and not row.remote_id:  # a person's word that it is there: the refund he found is ours
            counted.update({line["line_id"]: line["quantity"] for line in row.payload["lines"]})
    for piece in all_pieces(opened.ledger.returns.of_order(tx, *order)):
        counted[piece["line_id"]] += piece["quantity"] if piece["closed"] == BEFORE else 0
    _, done = without_refunded([_as_piece(one) for one in ready], money.by_others, counted)
    units = {(piece.line_id, piece.first): piece.quantity for piece in done}
    left = []
    for one in ready:
        refunded = units.get((one.piece["line_id"], one.piece["first"]), 0)
        if not refunded:
            left.append(one)
            continue
        before, rest = split(one.piece, refunded)
        one.line.dues[one.place] = before | {"closed": BEFORE}
        if rest["quantity"]:  # at the end of its line, so that every other piece keeps its place
            one.line.dues.append(rest)
            left.append(Ready(one.line, len(one.line.dues) - 1, one.percent))
        keep_dues(opened, tx, one.line, one.line.dues)
        opened.ledger.timeline.note(tx, *order, "refunded before", ACTOR, f"{refunded} of line {before['line_id']} had been refunded in the storefront")
    return left


def _close(opened: House, tx: Tx, ready: list[Ready], why: str) -> None:
    for one in ready:
        one.line.dues[one.place] = one.piece | {"closed": why}
        keep_dues(opened, tx, one.line, one.line.dues)


def _plan(opened: House, tx: Tx, order: Order, document: tuple[str, str], ready: list[Ready], refund: Refund, owed: Owed) -> None:
    """Owe it, once: the effect and the mark on each of its pieces are one transaction."""
    warehouse, document_id = document
    before = sum(row.kind == REFUND and (row.payload["warehouse"], row.payload["document_id"]) == document
                 for row in opened.ledger.effects.of_record(tx, *order))
    rma = next((one.piece["rma"] for one in ready if one.piece["rma"]), "")
    entry = opened.ledger.books.order(tx, *order)
    payload = RefundRequest(
        connection=order[0], order_id=order[1], warehouse=warehouse, document_id=document_id, rma=rma, currency=entry.order["currency"],
        lines=[RefundLine(line_id=line_id, quantity=quantity) for line_id, quantity in refund.lines], amount_minor=refund.amount_minor,
        cap_minor=refund.cap_minor, reason=f"Return {rma or document_id}").model_dump()
    planned = Planned(REFUND, order[0], f"{order[1]}/{warehouse}/{document_id}" + (f"/{before + 1}" if before else ""), f"{order[0]}/{order[1]}", *order, payload)
    opened.ledger.effects.plan(tx, planned)
    for one in ready:
        one.line.dues[one.place] = one.piece | ({"effect": planned.effect_id} if one.percent else {"closed": NOTHING})
        keep_dues(opened, tx, one.line, one.line.dues)
    much = f"{refund.expected_minor} {entry.order['currency']} (minor units)" + ("" if refund.amount_minor else ", as the storefront quotes it")
    opened.ledger.timeline.note(tx, *order, "refund planned", ACTOR, f"for {document_id}: {much}")
    owed.counts["refunds"] += 1
    owed.planned.append({"order": order[1], "document": document_id, "rma": rma, "lines": len(refund.lines), "minor": refund.expected_minor,
                         "currency": entry.order["currency"], "by": "amount" if refund.amount_minor else "quote"})


def approve_refund(opened: House, exception_id: str, actor: str, reason: str) -> None:
    """A person's "refund it" on a `refund_over_cap` that is held for its size, or because somebody refunded a part of the order before.

    Who approved the return may not approve its refund too. More than was paid and not refunded is never approved: then a person refunds by hand.
    """
    doing = f"approving the refund of exception {exception_id}"
    row = _open_exception(opened, exception_id, (OVER_CAP,), doing)
    if row.evidence.get("held_for") not in (OVER_LIMIT, AS_A_WHOLE):
        raise BadConfiguration(doing, f"it is held because {row.evidence.get('why') or row.evidence.get('said')}", "Refund by hand what is due, then say that it is done.")
    order, document = (row.connection, row.record), (row.evidence["warehouse"], row.evidence["document"])
    payments, owed = payments_of(opened, *order), Owed()
    with opened.ledger.transaction() as tx:
        deciders = {opened.ledger.returns.rma(tx, order[0], piece["rma"]).decided_by.casefold()
                    for line in opened.ledger.returns.of_order(tx, *order) for piece in line.dues if piece["rma"] and is_open(piece)}
        if actor.strip().casefold() in deciders:
            raise BadConfiguration(doing, f"{actor} approved the return", "Let another person approve the refund.")
        if not opened.ledger.exceptions.resolve(tx, exception_id, actor, reason):
            raise BadConfiguration(doing, "somebody has resolved it meanwhile", "Look at the list again.")
        owe(opened, tx, order, payments, owed, document)
        if not any(planned["document"] == document[1] for planned in owed.planned):
            raise BadConfiguration(doing, owed.findings[0].evidence.get("why", owed.findings[0].cause) if owed.findings else "another refund is under way",
                                   "Look at the order's timeline, and try again later.")
        opened.ledger.timeline.note(tx, *order, "refund approved", actor, reason)


def refund_again(opened: House, exception_id: str, actor: str, reason: str) -> None:
    """A person's "try again" on a refund that the storefront refused or that was declined: what it was for is open again, and reckoned anew by the next run."""
    doing = f"refunding again for exception {exception_id}"
    row = _open_exception(opened, exception_id, (DECLINED, OVER_CAP), doing)
    with opened.ledger.transaction() as tx:
        effect = opened.ledger.effects.get(tx, row.evidence.get("effect", ""))
        if effect is None:
            raise BadConfiguration(doing, "it is about no refund that was tried", "Approve it, or refund by hand.")
        shown = [refund for refund in opened.ledger.returns.refunds_of(tx, row.connection, row.record) if refund["refund_id"] == effect.remote_id]
        if effect.state != "REJECTED" and not (shown and all(refund["is_declined"] for refund in shown)):
            raise BadConfiguration(doing, "it is not certain that nothing was refunded", "Look at the order in the storefront.")
        if not opened.ledger.exceptions.resolve(tx, exception_id, actor, reason):
            raise BadConfiguration(doing, "somebody has resolved it meanwhile", "Look at the list again.")
        opened.ledger.returns.lock(tx, row.connection, row.record)
        for line in opened.ledger.returns.of_order(tx, row.connection, row.record):
            if any(piece["effect"] == effect.effect_id for piece in line.dues):
                keep_dues(opened, tx, line, [piece | {"effect": ""} if piece["effect"] == effect.effect_id else piece for piece in line.dues])
        opened.ledger.timeline.note(tx, row.connection, row.record, "refund to be tried again", actor, reason)


def _open_exception(opened: House, exception_id: str, kinds: tuple[str, ...], doing: str) -> Row:
    with opened.ledger.transaction() as tx:
        row = opened.ledger.exceptions.get(tx, exception_id)
    if row is None or row.state != "open" or row.type not in kinds:
        raise BadConfiguration(doing, f"there is no open {' or '.join(kinds)} of this id", "Take the id from the list.")
    return row


def payments_of(opened: House, storefront: str, order_id: str) -> list[dict[str, Any]]:
    """Every movement of money of the order, as shown now. An order that the storefront no longer has shows none."""
    try:
        frame = opened.storefront(storefront).payments(order_id)
    except Refused:
        return []
    return [row | {"occurred_at": row["occurred_at"].to_pydatetime()} for row in rows_of(Payments.sound(frame))]


@task(name="owe refunds", task_run_name="owe refunds of {storefront}", **RETRY)
def owe_refunds_of(storefront: str) -> dict[str, Any]:
    """What is due for returns, and what is held."""
    owed = owe_refunds(house(), storefront)
    return {"counts": dict(owed.counts), "planned": owed.planned}
