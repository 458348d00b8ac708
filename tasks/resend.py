"""Ask again, once, for what was refused or never answered: a new revision, made by the rules as they stand now."""

from typing import Any

from connectors.house import House
from connectors.kit.errors import BadConfiguration
from connectors.ledger.effects import Planned
from connectors.ledger.ledger import Row, Tx
from connectors.ports import DISPATCH_CONFIRMATION, FULFILMENT_CHANGE, FULFILMENT_REQUEST, STOCK_UPDATE
from contracts.orders import OrderLines, Orders
from tasks.orders import GONE, RESEND, order_row
from tasks.rules.dispatch import with_carrier
from tasks.rules.eligibility import sort_orders
from tasks.rules.lookup import Mappings

REJECTED, NOT_TAKEN = "REJECTED", "tracking_not_taken"


def resend(opened: House, tx: Tx, row: Row, actor: str) -> str:
    """What this exception says was refused, under a new revision; in words, what happens now. Raises BadConfiguration when it may not be sent."""
    effect = opened.ledger.effects.get(tx, row.evidence.get("effect", ""))
    if effect is None or effect.kind == FULFILMENT_REQUEST:
        return _request_again(opened, tx, row, row.evidence.get("reference") or effect and effect.payload["reference"], actor)
    if row.type == NOT_TAKEN:
        return _tell_again(opened, tx, row, effect, actor)
    if effect.kind == STOCK_UPDATE:  # its figures are of another day: what is right by now is told
        again = opened.ledger.desired.try_again(tx, effect.target, row.evidence["location"], row.evidence["sku"])
        return "The figure as it stands by now goes there with the next run." if again else "It took another figure since; nothing is sent."
    if effect.state != REJECTED:
        return f"It is {effect.state.lower().replace('_', ' ')} by now; nothing is sent."
    return revise(opened, tx, effect)


def _tell_again(opened: House, tx: Tx, row: Row, effect: Row, actor: str) -> str:
    """A confirmation that was accepted and dropped in silence: the old one is given up, and told again with the carrier's mapping as it stands now."""
    if effect.verified_at is not None:
        return "The storefront shows it by now; nothing is sent."
    if row.evidence.get("shown") != "nothing":
        raise BadConfiguration(f"telling {effect.target} of order {effect.record} again", "it shows this shipment with another content",
                               "Correct it in the storefront, then choose done.")
    said = revise(opened, tx, effect)
    opened.ledger.effects.prove(tx, effect.effect_id)  # nobody looks for it any more: the one that follows is looked for
    opened.ledger.timeline.note(tx, effect.connection, effect.record, f"{effect.kind} given up", actor, f"{effect.target} dropped it in silence")
    return said


def send_unanswered(opened: House, tx: Tx, row: Row, actor: str) -> str:
    """The warehouse says that it does not have it: the old one is given up, and it is sent under a new revision."""
    effect = _effect_of(opened, tx, row)
    opened.ledger.effects.prove(tx, effect.effect_id)  # nobody waits for its acknowledgement any more
    opened.ledger.timeline.note(tx, effect.connection, effect.record, f"{effect.kind} given up", actor, f"{effect.target} does not have it")
    if effect.kind == FULFILMENT_REQUEST:
        request = opened.ledger.books.requests(tx, effect.target, [effect.payload["reference"]])[effect.payload["reference"]]
        if request.effect_id != effect.effect_id:
            return f"It was asked for again since, as revision {request.revision}; nothing more is sent."
        return _mark(opened, tx, request)
    return revise(opened, tx, effect)


def has_arrived(opened: House, tx: Tx, row: Row) -> str:
    """The warehouse says that it has it, though it did not acknowledge it."""
    effect = _effect_of(opened, tx, row)
    opened.ledger.effects.prove(tx, effect.effect_id)
    return f"{effect.target} has it."


def revise(opened: House, tx: Tx, effect: Row) -> str:
    """The same effect under a business key of its own: the refused one stays what it was."""
    payload = effect.payload
    if effect.kind == DISPATCH_CONFIRMATION:
        ready = with_carrier(payload, Mappings.of({"carriers": opened.ledger.mappings.current(tx, "carriers")}))
        if ready is None:
            raise BadConfiguration("sending the confirmation again", f"carrier {payload['carrier']} has no mapping", "Add it to carriers, then resend.")
        payload = ready.model_dump()
    planned = _next(opened, tx, effect, payload)
    opened.ledger.effects.plan(tx, planned)
    if effect.kind == FULFILMENT_CHANGE:
        opened.ledger.books.ask(tx, payload, planned.effect_id, "changed")
    return f"{effect.kind.replace('_', ' ')} goes to {effect.target} again with the next run."


def _next(opened: House, tx: Tx, effect: Row, payload: dict[str, Any]) -> Planned:
    number, first = 2, effect.business_key.partition(" resent ")[0]
    while True:
        planned = Planned(effect.kind, effect.target, f"{first} resent {number}", effect.ordering_key, effect.connection, effect.record, payload, effect.due_by)
        if opened.ledger.effects.get(tx, planned.effect_id) is None:
            return planned
        number += 1


def _request_again(opened: House, tx: Tx, row: Row, reference: str, actor: str) -> str:
    request = next((one for one in opened.ledger.books.requests_of(tx, row.connection, row.record) if one.reference == reference), None)
    if request is None:
        raise BadConfiguration(f"sending {row.record} again", f"there is no fulfilment request {reference!r} of it", "Choose done, and say what was agreed.")
    if request.state not in GONE:
        return f"It was asked for again since, as revision {request.revision}; nothing more is sent."
    return _mark(opened, tx, request)


def _mark(opened: House, tx: Tx, request: Row) -> str:
    """The rules make the new revision with the next run: what was mended since (a mapping, an address) is in it."""
    entry = opened.ledger.books.order(tx, request.connection, request.order_id)
    verdict = sort_orders(Orders.frame([order_row(entry)]), OrderLines.frame(entry.lines)).iloc[0]
    if verdict["verdict"] != "plan":
        raise BadConfiguration(f"asking {request.warehouse} for order {request.order_id} again", f"the storefront says: {verdict['why']}",
                               "Choose done if it need not be shipped, or set the order back in the storefront.")
    opened.ledger.books.set_request(tx, request.warehouse, request.reference, RESEND)
    opened.ledger.books.plan_again(tx, [(request.connection, request.order_id)])
    return f"{request.warehouse} is asked for {request.reference} again, as revision {request.revision + 1}, with the next run."


def _effect_of(opened: House, tx: Tx, row: Row) -> Row:
    """Exceptions of before name their effect in the cause only."""
    named = row.evidence.get("effect") or row.cause.partition(":")[2]
    effect = opened.ledger.effects.get(tx, named)
    if effect is None:
        raise BadConfiguration(f"resolving {row.type} of {row.record}", "it names no effect that we know", "Report this as a bug.")
    return effect
