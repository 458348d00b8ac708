"""Take in whatever lies ready at a warehouse: dispatches, acknowledgements, stock, returns. One transaction a file.

Every flow that reads a warehouse begins with this, whichever noun it is about: a file is entered by whoever comes first, whole.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadDocument
from connectors.ledger.effects import Planned
from connectors.ledger.ledger import Tx
from connectors.ledger.records import Arrived, sha256
from connectors.ports import ACKNOWLEDGEMENT, Inbound, Message
from contracts.exceptions import Finding
from tasks.dispatches import enter_acknowledgements, enter_advice, place_again
from tasks.entered import Entered
from tasks.opened import RETRY, house
from tasks.returns import enter_returns

Enter = Callable[[House, Tx, str, Message], Entered]
ENTER: dict[str, Enter] = {"dispatches": enter_advice, "acknowledgement": enter_acknowledgements, "returns": enter_returns}


def take_in(opened: House, warehouse: str) -> Counter:
    """Everything that lies ready at the warehouse, filed away after it is committed."""
    port, counts = opened.warehouse(warehouse), Counter()
    place_again(opened, warehouse, counts)
    for inbound in port.inbound():
        try:
            messages, error = port.read(inbound), ""
        except BadDocument as problem:
            messages, error = [], problem.got
        with opened.ledger.transaction() as tx:
            _enter_file(opened, tx, warehouse, inbound, messages, error, counts)
        port.file_away(inbound)
    refused = port.refused_names()
    with opened.ledger.transaction() as tx:
        opened.ledger.exceptions.open(tx, [_hostile(warehouse, name) for name in refused])
    counts["refused names"] += len(refused)
    return counts


def _hostile(warehouse: str, name: str) -> Finding:
    return Finding("document_malformed", warehouse, name[:120], f"document_malformed:name {sha256(name.encode())[:16]}",
                   {"file": name, "why": "its name is not one that we open; nothing of it was read"})


def _enter_file(opened: House, tx: Tx, warehouse: str, inbound: Inbound, messages: list[Message], error: str, counts: Counter) -> None:
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
            _enter_message(opened, tx, warehouse, inbound, message, digest, counts)
        if message.answer is not None:
            _owe_answer(opened, tx, warehouse, message.answer, digest)


def _quarantine(opened: House, tx: Tx, warehouse: str, inbound: Inbound, key: str, kind: str, digest: str, why: str,
                type_name: str = "document_malformed") -> int:
    opened.ledger.exceptions.open(tx, [Finding(type_name, warehouse, inbound.name[:120], f"{type_name}:{key}:{digest[:12]}",
                                               {"file": inbound.name, "why": why, "sha256": digest, "kept_as": f"inbound:{digest}"})])
    opened.ledger.inbox.enter(tx, Arrived(key, inbound.source, inbound.name, kind, "quarantined", digest, why))
    return 1


def _enter_message(opened: House, tx: Tx, warehouse: str, inbound: Inbound, message: Message, digest: str, counts: Counter) -> None:
    entered = ENTER[message.kind](opened, tx, warehouse, message)
    counts.update(entered.counts)
    if entered.state == "quarantined":
        counts["quarantined"] += _quarantine(opened, tx, warehouse, inbound, message.key, message.kind, digest, entered.detail, entered.type)
        return
    opened.ledger.inbox.enter(tx, Arrived(message.key, inbound.source, inbound.name, message.kind, entered.state, digest, entered.detail))
    counts[entered.state] += 1


def _owe_answer(opened: House, tx: Tx, warehouse: str, answer: dict[str, Any], digest: str) -> None:
    """The acknowledgement we owe for a functional group. The same group again is the same answer: it is not sent twice for the same bytes."""
    key = f"{answer['partner_control']}/{answer['group_number']}/{digest[:16]}"
    if opened.ledger.effects.get(tx, f"{ACKNOWLEDGEMENT}:{warehouse}:{key}") is None:
        opened.ledger.effects.plan(tx, Planned(ACKNOWLEDGEMENT, warehouse, key, f"{warehouse} acknowledgement {key}", warehouse, key[:80], answer))


@task(name="take in files", task_run_name="take in what {warehouse} has sent", **RETRY)
def take_in_from(warehouse: str) -> dict[str, int]:
    """Every file or message that lies ready, into the ledger; what cannot be read is set aside with its bytes."""
    return dict(take_in(house(), warehouse))
