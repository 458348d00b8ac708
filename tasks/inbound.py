"""Take in whatever lies ready at a warehouse: dispatches, acknowledgements, stock, returns. One transaction a file.

Every flow that reads a warehouse begins with this, whichever noun it is about: a file is entered by whoever comes first, whole.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration, BadDocument, NotNow
from connectors.ledger.effects import Planned
from connectors.ledger.ledger import Tx
from connectors.ledger.records import Arrived, sha256
from connectors.ports import ACKNOWLEDGEMENT, Inbound, Message
from contracts.exceptions import Finding
from tasks.dispatches import enter_acknowledgements, enter_advice, place_again
from tasks.entered import Entered
from tasks.opened import RETRY, house
from tasks.returns import enter_returns
from tasks.receipts import compare_receipts
from tasks.stock_feed import CHANGES, LEVELS, FeedMoved, enter_changes, enter_unprepared, ready_levels

Enter = Callable[[House, Tx, str, Message], Entered]
ENTER: dict[str, Enter] = {
    "dispatches": enter_advice, "acknowledgement": enter_acknowledgements, "returns": enter_returns, LEVELS: enter_unprepared, CHANGES: enter_changes,
}
# work on files that a kind of message needs before the transaction: from (house, warehouse, messages, hash of the file) to how each is entered, by key
READY: tuple[Callable[[House, str, list[Message], str], dict[str, Enter]], ...] = (ready_levels,)
ALSO = {CHANGES: "stock_changes"}  # what a message of another kind may bring as well: a receipt of returned goods
ATTEMPTS = 5


def take_in(opened: House, warehouse: str) -> Counter:
    """Everything that lies ready at the warehouse, filed away after it is committed."""
    port, counts = opened.warehouse(warehouse), Counter()
    place_again(opened, warehouse, counts)
    for inbound in port.inbound():
        try:
            messages, error = port.read(inbound), ""
        except BadDocument as problem:
            messages, error = [], problem.got
        counts.update(_enter(opened, warehouse, inbound, messages, error))
        port.file_away(inbound)
    refused = port.refused_names()
    with opened.ledger.transaction() as tx:
        opened.ledger.exceptions.open(tx, [_hostile(warehouse, name) for name in refused])
    counts["refused names"] += len(refused)
    return counts


def _enter(opened: House, warehouse: str, inbound: Inbound, messages: list[Message], error: str) -> Counter:
    """The file in one transaction, after what it needs on the disk was written. Prepared anew when somebody else was quicker meanwhile."""
    for _ in range(ATTEMPTS):
        ready: dict[str, Enter] = {}
        for prepare in READY:
            ready |= prepare(opened, warehouse, messages, sha256(inbound.body))
        counts: Counter = Counter()
        try:
            with opened.ledger.transaction() as tx:
                _enter_file(opened, tx, warehouse, inbound, messages, error, ready, counts)
            return counts
        except FeedMoved as moved:
            last = moved
    raise NotNow(f"taking in {inbound.name}", last.got, "Others are entering statements of the same facility: run it again.")


def _hostile(warehouse: str, name: str) -> Finding:
    return Finding("document_malformed", warehouse, name[:120], f"document_malformed:name {sha256(name.encode())[:16]}",
                   {"file": name, "why": "its name is not one that we open; nothing of it was read"})


def _enter_file(opened: House, tx: Tx, warehouse: str, inbound: Inbound, messages: list[Message], error: str, ready: dict[str, Enter],
                counts: Counter) -> None:
    digest = sha256(inbound.body)
    opened.ledger.vault.seal(tx, f"partner/{warehouse}", f"inbound:{digest}", inbound.body)
    if error:
        counts["quarantined"] += _quarantine(opened, tx, warehouse, inbound, f"{inbound.source}:file:{digest}", "file", digest, error)
    for message in messages:
        before = opened.ledger.inbox.seen(tx, message.key)
        if before == digest:
            opened.ledger.inbox.enter(tx, Arrived(message.key, inbound.source, inbound.name, message.kind, "duplicate", digest, "the same bytes again"))
            counts["duplicate"] += 1
        elif before is not None:
            why = "its control number came before, with other bytes"
            counts["quarantined"] += _quarantine(opened, tx, warehouse, inbound, message.key, message.kind, digest, why, "control_number_reused")
        elif message.errors:
            counts["quarantined"] += _quarantine(opened, tx, warehouse, inbound, message.key, message.kind, digest, "; ".join(message.errors[:5]))
        else:
            _enter_message(opened, tx, warehouse, inbound, message, digest, ready.get(message.key) or ENTER.get(message.kind), counts)
        if message.answer is not None:
            _owe_answer(opened, tx, warehouse, message.answer, digest)


def _quarantine(opened: House, tx: Tx, warehouse: str, inbound: Inbound, key: str, kind: str, digest: str, why: str,
                type_name: str = "document_malformed", evidence: dict[str, Any] | None = None) -> int:
    opened.ledger.exceptions.open(tx, [Finding(type_name, warehouse, inbound.name[:120], f"{type_name}:{key}:{digest[:12]}",
                                               {"file": inbound.name, "why": why, "sha256": digest, "kept_as": f"inbound:{digest}", "key": key,
                                                "source": inbound.source} | (evidence or {}))])
    opened.ledger.inbox.enter(tx, Arrived(key, inbound.source, inbound.name, kind, "quarantined", digest, why))
    return 1


def _enter_message(opened: House, tx: Tx, warehouse: str, inbound: Inbound, message: Message, digest: str, enter: Enter | None, counts: Counter) -> None:
    part = tx.begin_nested()
    entered = enter(opened, tx, warehouse, message) if enter else Entered("quarantined", f"nothing here takes in a message of kind {message.kind!r}")
    for kind, frame in ALSO.items():
        if entered.state != "quarantined" and kind != message.kind and getattr(message, frame) is not None:
            also = ENTER[kind](opened, tx, warehouse, message)
            state = "quarantined" if also.state == "quarantined" else "processed" if "processed" in (also.state, entered.state) else "duplicate"
            entered = Entered(state, "; ".join(filter(None, (entered.detail, also.detail))), entered.counts + also.counts, also.type)
    if entered.state == "quarantined":
        part.rollback()  # all of a message or nothing
        counts["quarantined"] += _quarantine(opened, tx, warehouse, inbound, message.key, message.kind, digest, entered.detail, entered.type, entered.evidence)
        return
    part.commit()
    compare_receipts(opened, tx, warehouse, message)
    counts.update(entered.counts)
    opened.ledger.inbox.enter(tx, Arrived(message.key, inbound.source, inbound.name, message.kind, entered.state, digest, entered.detail))
    counts[entered.state] += 1


def read_again(opened: House, warehouse: str, kept: dict[str, str], prepare: Callable[..., dict[str, Enter]], exception_id: str, actor: str,
               reason: str) -> Counter:
    """Enter one message of a file in quarantine after all, by a person's word: its bytes are in the vault. Raises BadConfiguration when they are not.

    kept: the evidence of its exception.
    """
    digest, key, name = kept["sha256"], kept["key"], kept["file"]
    with opened.ledger.transaction() as tx:
        body = opened.ledger.vault.open(tx, f"partner/{warehouse}", f"inbound:{digest}", actor, reason)
    if body is None:
        raise BadConfiguration(f"reading {name} again", "its bytes are no longer kept", "Ask the partner to send it again.")
    message = next(one for one in opened.warehouse(warehouse).read(Inbound(kept["source"], name, body)) if one.key == key)
    enter = prepare(opened, warehouse, [message], digest, is_believed=True)[message.key]
    with opened.ledger.transaction() as tx:
        opened.ledger.exceptions.resolve(tx, exception_id, actor, reason)
        entered = enter(opened, tx, warehouse, message)
        if entered.state == "quarantined":
            raise BadConfiguration(f"reading {name} again", entered.detail, "Ask the partner for a corrected file.")
        opened.ledger.inbox.enter(tx, Arrived(key, kept["source"], name, message.kind, entered.state, digest, f"by {actor}: {reason}"))
    return entered.counts


def _owe_answer(opened: House, tx: Tx, warehouse: str, answer: dict[str, Any], digest: str) -> None:
    """The acknowledgement we owe for a functional group. The same group again is the same answer: it is not sent twice for the same bytes."""
    key = f"{answer['partner_control']}/{answer['group_number']}/{digest[:16]}"
    if opened.ledger.effects.get(tx, f"{ACKNOWLEDGEMENT}:{warehouse}:{key}") is None:
        opened.ledger.effects.plan(tx, Planned(ACKNOWLEDGEMENT, warehouse, key, f"{warehouse} acknowledgement {key}", warehouse, key[:80], answer))


@task(name="take in files", task_run_name="take in what {warehouse} has sent", **RETRY)
def take_in_from(warehouse: str) -> dict[str, int]:
    """Every file or message that lies ready, into the ledger; what cannot be read is set aside with its bytes."""
    return dict(take_in(house(), warehouse))
