"""A dry run of returns: what would be refunded and what would be held, reckoned in transactions that are rolled back."""

from dataclasses import asdict
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadDocument
from connectors.ports import Message
from tasks.opened import RETRY, house
from tasks.refunds import Owed, owe, payments_of
from tasks.returns import enter_returns
from tasks.rules.returns import UNEXPECTED, UNMATCHED


class _RolledBack(Exception):
    pass


def rehearse_returns(opened: House, warehouse: str, storefront: str) -> dict[str, Any]:
    """Reads the warehouse's files and the orders' payments, changes nothing anywhere, and files nothing away."""
    messages = _waiting(opened, warehouse)
    first = _would(opened, warehouse, storefront, messages, {})
    payments = {order_id: payments_of(opened, storefront, order_id) for order_id in first["unpriced"]}
    would = _would(opened, warehouse, storefront, messages, payments)
    return {"files": len(messages), "counts": would["counts"], "refunds": would["refunds"], "held": would["held"]}


def _waiting(opened: House, warehouse: str) -> list[Message]:
    port, found = opened.warehouse(warehouse), []
    for inbound in port.inbound():
        try:
            found += [message for message in port.read(inbound) if message.kind == "returns" and not message.errors]
        except BadDocument:
            continue  # the real run sets it aside, with its bytes
    return found


def _would(opened: House, warehouse: str, storefront: str, messages: list[Message], payments: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    owed, unpriced, held = Owed(), [], []
    try:
        with opened.ledger.transaction() as tx:
            for message in messages:
                if opened.ledger.inbox.seen(tx, message.key) is None:
                    owed.counts.update(enter_returns(opened, tx, warehouse, message).counts)
            for order_id in opened.ledger.returns.orders_due(tx, storefront):
                if owe(opened, tx, (storefront, order_id), payments.get(order_id), owed):
                    unpriced.append(order_id)
            held = [asdict(finding) for finding in owed.findings]
            held += [{"type": row.type, "connection": row.connection, "record": row.record, "cause": row.cause, "evidence": row.evidence}
                     for kind in (UNMATCHED, UNEXPECTED) for row in opened.ledger.exceptions.open_of(tx, kind)]
            raise _RolledBack
    except _RolledBack:
        pass
    return {"counts": dict(owed.counts), "refunds": owed.planned, "held": held, "unpriced": unpriced}


@task(name="rehearse returns", task_run_name="rehearse returns of {warehouse} to {storefront} (dry run)", **RETRY)
def rehearse_returns_of(warehouse: str, storefront: str) -> dict[str, Any]:
    """What a run would refund and hold now."""
    return rehearse_returns(house(), warehouse, storefront)
