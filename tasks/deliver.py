"""Work through the effects that are owed to one system, whatever run they came from: send once, write the outcome at once.

Intent is committed before the call and the outcome right after it, each in its own transaction; no call is made inside one.
Any doubt waits the target's quiet period and is then read back; only what is proved absent is sent again.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import InDoubt, NotAllowed, NotNow, Refused, WharfingerError
from connectors.ledger.effects import FenceLost
from connectors.ledger.ledger import Tx
from connectors.ports import (
    DISPATCH_CONFIRMATION, FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, ORDER_COMPLETION, RECEIPT_NOTICE, REFUND, RETURN_NOTICE, STOCK_UPDATE,
    Delivers, Effect, Receipt,
)
from contracts.exceptions import Finding
from tasks.asked import refused
from tasks.opened import CHUNK, RETRY, house

WITH_RECIPIENT = (FULFILMENT_REQUEST, FULFILMENT_CHANGE)
AWAY_AFTER = 3  # refusals in a row that say: the whole system is away, not this record
WAIT_SECONDS = 30.0
BLOCK_AFTER_SECONDS = 4 * 3600.0  # in doubt for longer than this: a person looks (RELIABILITY.md §1.3, the 997 limit)
ROUNDS_MAX = 5  # sent, in doubt and absent so often, and that for so long: a person looks
REJECTED_AS = {FULFILMENT_REQUEST: "rejected_by_warehouse", FULFILMENT_CHANGE: "edited_after_export", FULFILMENT_CANCEL: "cancel_refused",
               DISPATCH_CONFIRMATION: "rejected_by_storefront", ORDER_COMPLETION: "rejected_by_storefront", REFUND: "refund_declined",
               RETURN_NOTICE: "rejected_by_warehouse", RECEIPT_NOTICE: "rejected_by_warehouse"}
LOOKED_AT_LATER = (STOCK_UPDATE,)  # a refused group is not one record's fault: tasks/stock.py finds out whose it is


@dataclass
class Delivered:
    """What one chunk did. `away` is the error that made it stop early."""

    counts: Counter = field(default_factory=Counter)
    records: list[dict[str, Any]] = field(default_factory=list)
    away: WharfingerError | None = None

    @property
    def worked(self) -> int:
        """How many effects got a new state."""
        return sum(self.counts.values())


def deliver(opened: House, port: Delivers, kinds: tuple[str, ...], holder: str, limit: int = CHUNK, beat: Callable[[], None] = lambda: None) -> Delivered:
    """Up to `limit` effects of these kinds: doubts whose quiet period is over are read back first, then what is due is sent."""
    ledger, done = opened.ledger, Delivered()
    with ledger.transaction() as tx:
        ledger.effects.expire(tx, {port.name: port.quiet_seconds})
        doubtful, due = ledger.effects.owed(tx, port.name, kinds, limit)
    refused = 0
    for work, effect_ids in ((_settle, doubtful), (_send, due)):
        for effect_id in effect_ids:
            beat()
            try:
                error = work(opened, port, effect_id, holder, done)
            except FenceLost:
                done.counts["lost"] += 1
                continue
            refused = refused + 1 if isinstance(error, (NotNow, NotAllowed)) else 0
            if isinstance(error, NotAllowed) or refused >= AWAY_AFTER:
                done.away = error
                return done
    return done


def _send(opened: House, port: Delivers, effect_id: str, holder: str, done: Delivered) -> WharfingerError | None:
    try:
        with opened.ledger.transaction() as tx:
            effect = opened.ledger.effects.claim(tx, effect_id, holder)
            effect = None if effect is None else _ready(opened, tx, port, effect, holder)
    except Refused as error:  # it cannot even be written in the target's language
        return _refuse_unsent(opened, effect_id, holder, error, done)
    if effect is None:
        return None
    if not opened.ledger.effects.may_send(effect):  # this worker slept past its lease: somebody else reads back and decides
        done.counts["lost"] += 1
        return None
    effect = replace(effect, lease_until=opened.clock.now() + opened.ledger.effects.lease_left(effect))  # by the clock that the port looks at
    try:
        receipt = port.send(effect)
    except WharfingerError as error:
        return _failed(opened, port, effect, error, done)
    except Exception as error:  # a bug of ours is a doubt like any other: the far side may have it
        _failed(opened, port, effect, InDoubt(f"sending {effect_id}", f"{type(error).__name__} in our own code"), done)
        raise
    _confirmed(opened, port, effect, receipt, done, "sent")
    return None


def _settle(opened: House, port: Delivers, effect_id: str, holder: str, done: Delivered) -> WharfingerError | None:
    try:
        with opened.ledger.transaction() as tx:
            effect = opened.ledger.effects.claim_doubtful(tx, effect_id, holder)
            effect = None if effect is None else _ready(opened, tx, port, effect, holder)
    except Refused as error:
        return _never_sent(opened, effect_id, holder, error, done)
    if effect is None:
        return None
    try:
        receipt = port.find(effect)
    except WharfingerError as error:
        return _still_in_doubt(opened, port, effect, error, done)
    if receipt is not None:
        _confirmed(opened, port, effect, receipt, done, "found")
        return None
    with opened.ledger.transaction() as tx:
        if _goes_round(opened, effect):
            error = InDoubt(f"reading back {effect.effect_id}", f"sent {effect.attempt} times, each time in doubt and then not there", "Look at the record there.")
            return _blocked(opened, tx, effect, error, done)
        opened.ledger.effects.absent(tx, effect)
        _note(opened, tx, effect, f"{effect.kind} read back: absent", "it will be sent again")
    done.counts["absent"] += 1
    return None


def _never_sent(opened: House, effect_id: str, holder: str, error: Refused, done: Delivered) -> None:
    """In doubt (a restored backup makes all so that is owed), and it cannot even be written in the target's language: nobody ever sent it. It is planned again,
    so that the next send refuses it and a person is told; one such effect must not end every run before the others have their turn."""
    with opened.ledger.transaction() as tx:
        effect = opened.ledger.effects.claim_doubtful(tx, effect_id, holder)
        if effect is not None:
            opened.ledger.effects.absent(tx, effect)
            _note(opened, tx, effect, f"{effect.kind} was never sent", str(error))
            done.counts["absent"] += 1


def _goes_round(opened: House, effect: Effect) -> bool:
    """A shipment that a proxy delivered twice used up the units of the next one, which was then sent and missed for ever, and nobody was told."""
    since = effect.planned_at or opened.clock.now()
    return effect.attempt >= ROUNDS_MAX and opened.clock.now() - since >= timedelta(seconds=BLOCK_AFTER_SECONDS)


def _ready(opened: House, tx: Tx, port: Delivers, effect: Effect, holder: str) -> Effect:
    """The effect with what its call needs: the recipient from the vault, a control number, and the frozen bytes."""
    vault, subject = opened.ledger.vault, f"{effect.payload.get('connection', 'partner')}/{effect.payload.get('order_id', effect.target)}"
    stream = port.numbers(effect.kind)
    frozen = vault.open(tx, subject, f"document:{effect.effect_id}", holder, "the same bytes again") if stream and effect.number else None
    if frozen is not None:
        return replace(effect, document=frozen)
    if effect.kind == DISPATCH_CONFIRMATION:
        entry = opened.ledger.books.order(tx, effect.payload["connection"], effect.payload["order_id"])
        # taken in is not yet acted on: until the plan is made, a cancel is as unknown as before (it would be overwritten, and nobody told)
        effect = replace(effect, known_status=entry.order["status"] if entry and not entry.replan else "")
    if effect.kind in WITH_RECIPIENT:
        effect = replace(effect, recipient=vault.open_fields(tx, subject, f"recipient:{effect.payload['ship_group']}", holder, f"{effect.kind} to {effect.target}"))
    if stream:
        effect = replace(effect, number=opened.ledger.effects.number(tx, effect, stream))
    effect = replace(effect, document=port.prepare(effect))
    if stream:
        vault.seal(tx, subject, f"document:{effect.effect_id}", effect.document)
    return effect


def _confirmed(opened: House, port: Delivers, effect: Effect, receipt: Receipt, done: Delivered, how: str) -> None:
    with opened.ledger.transaction() as tx:
        opened.ledger.effects.confirm(tx, effect, receipt, port.verify_seconds)
        _note(opened, tx, effect, f"{effect.kind} {how}", f"{effect.target} has it as {receipt.remote_id}")
        _settle_blocked(opened, tx, effect)
    done.counts[how] += 1
    done.records.append({"record": effect.payload.get("order_id", ""), "reference": effect.payload.get("reference", ""), "kind": effect.kind,
                         "remote id": receipt.remote_id, "how": how, "attempt": effect.attempt})


def _failed(opened: House, port: Delivers, effect: Effect, error: WharfingerError, done: Delivered) -> WharfingerError:
    effects = opened.ledger.effects
    with opened.ledger.transaction() as tx:
        if isinstance(error, Refused):
            effects.reject(tx, effect, str(error), error.records)
            _reject(opened, tx, effect, error)
            outcome = "rejected"
        elif isinstance(error, (NotNow, NotAllowed)):
            effects.not_now(tx, effect, str(error), error.wait_seconds or min(WAIT_SECONDS, port.quiet_seconds))
            outcome = "not now"
        else:
            effects.doubt(tx, effect, str(error), _quiet(port, error), **_known(error))
            outcome = "in doubt"
        _note(opened, tx, effect, f"{effect.kind} {outcome}", str(error))
    done.counts[outcome] += 1
    return error


def _refuse_unsent(opened: House, effect_id: str, holder: str, error: Refused, done: Delivered) -> None:
    with opened.ledger.transaction() as tx:
        effect = opened.ledger.effects.claim(tx, effect_id, holder)
        if effect is not None:
            opened.ledger.effects.reject(tx, effect, str(error), error.records)
            _reject(opened, tx, effect, error)
            _note(opened, tx, effect, f"{effect.kind} rejected", str(error))
            done.counts["rejected"] += 1


def _still_in_doubt(opened: House, port: Delivers, effect: Effect, error: WharfingerError, done: Delivered) -> WharfingerError:
    with opened.ledger.transaction() as tx:
        if _doubted_for(opened, tx, effect) < timedelta(seconds=BLOCK_AFTER_SECONDS):
            opened.ledger.effects.doubt(tx, effect, str(error), _quiet(port, error), **_known(error))
            done.counts["in doubt"] += 1
        else:
            _blocked(opened, tx, effect, error, done)
    return error


def _quiet(port: Delivers, error: WharfingerError) -> float:
    """When a read-back can tell more: after the quiet period, or when the far side is expected to be done with what it is working on."""
    return error.wait_seconds if isinstance(error, InDoubt) and error.wait_seconds is not None else port.quiet_seconds


def _known(error: WharfingerError) -> dict[str, Any]:
    return {"evidence": error.evidence} if isinstance(error, InDoubt) and error.evidence else {}


def _blocked(opened: House, tx: Tx, effect: Effect, error: WharfingerError, done: Delivered) -> None:
    opened.ledger.effects.block(tx, effect, str(error))
    opened.ledger.exceptions.open(tx, [_finding("blocked_effect", effect, error)])
    _note(opened, tx, effect, f"{effect.kind} blocked", str(error))
    done.counts["blocked"] += 1


def _doubted_for(opened: House, tx: Tx, effect: Effect) -> timedelta:
    row = opened.ledger.effects.get(tx, effect.effect_id)
    since: datetime = row.doubted_at or row.sent_at
    return opened.clock.now() - since


def _reject(opened: House, tx: Tx, effect: Effect, error: WharfingerError) -> None:
    if effect.kind in LOOKED_AT_LATER:
        return
    kind = getattr(error, "known_as", "") or REJECTED_AS.get(effect.kind, "blocked_effect")
    opened.ledger.exceptions.open(tx, [_finding(kind, effect, error)])
    if effect.kind == FULFILMENT_REQUEST:
        opened.ledger.books.set_request(tx, effect.target, effect.payload["reference"], "rejected")
    elif effect.kind == FULFILMENT_CHANGE:
        refused(opened, tx, opened.ledger.effects.get(tx, effect.effect_id))


def _finding(kind: str, effect: Effect, error: WharfingerError) -> Finding:
    return Finding(kind, effect.payload.get("connection", effect.target), effect.payload.get("order_id", effect.business_key), f"{kind}:{effect.effect_id}",
                   {"effect": effect.effect_id, "target": effect.target, "said": error.got, "remedy": error.remedy})


def _settle_blocked(opened: House, tx: Tx, effect: Effect) -> None:
    if effect.attempt > 1:  # this one, and no other of the same order that a person still has to look for
        opened.ledger.exceptions.settle_cause(tx, "blocked_effect", effect.payload.get("connection", effect.target), effect.payload.get("order_id", effect.business_key),
                                              f"blocked_effect:{effect.effect_id}", "deliver", f"{effect.target} has it.")


def _note(opened: House, tx: Tx, effect: Effect, what: str, detail: str) -> None:
    if "order_id" in effect.payload:
        opened.ledger.timeline.note(tx, effect.payload["connection"], effect.payload["order_id"], what, "deliver", detail)


@task(name="deliver", task_run_name="deliver what is owed to {target}", **RETRY)
def deliver_chunk(side: str, target: str, kinds: list[str], holder: str) -> dict[str, Any]:
    """One chunk of what is owed to `target`. Raises NotNow or NotAllowed when the target is away: Prefect then repeats the claim."""
    opened = house()
    port = opened.storefront(target) if side == "storefront" else opened.warehouse(target)
    done = deliver(opened, port, tuple(kinds), holder, beat=lambda: None)
    if done.away is not None:
        raise done.away
    return {"counts": dict(done.counts), "records": done.records, "worked": done.worked}


def deliver_all(side: str, target: str, kinds: list[str], holder: str, chunks_max: int = 1000) -> dict[str, Any]:
    """Chunk after chunk until nothing more is due. Called from a flow: each chunk is a task run. `away`: why it stopped early, or ''."""
    counts, records = Counter(), []
    for _ in range(chunks_max):
        try:
            done = deliver_chunk(side, target, kinds, holder)
        except (NotNow, NotAllowed) as error:
            return {"counts": dict(counts), "records": records, "away": str(error)}
        counts += Counter(done["counts"])
        records += done["records"]
        if not done["worked"]:
            break
    return {"counts": dict(counts), "records": records, "away": ""}
