"""Stock on its way to a warehouse: announced to it, and what it receives compared with what was announced."""

import re
from datetime import date
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import BadConfiguration
from connectors.ledger.effects import Planned
from connectors.ledger.ledger import Tx
from connectors.ports import RECEIPT_NOTICE, Message
from contracts.effects import ReceiptNotice
from contracts.exceptions import Finding
from tasks.opened import RETRY, house
from tasks.rules.receipts import differences, read_rows

ACTOR = "announce_receipt"
RECEIPT_NOTICES = (RECEIPT_NOTICE,)
DIFFERS = "receipt_differs"
SHOWN = 20


def announce(opened: House, warehouse: str, facility: str, reference: str, expected_on: str, csv: str, actor: str, carrier: str = "",
             dry_run: bool = False) -> dict[str, Any]:
    """Note what is on its way, and owe the warehouse the notice. The same once more changes nothing. Raises BadConfiguration: then nothing was noted.

    csv: sku, quantity and, if need be, unit; SKUs as the warehouse spells them.
    """
    doing = f"announcing {reference!r} to {warehouse}"
    if RECEIPT_NOTICE not in opened.warehouse(warehouse).kinds:
        raise BadConfiguration(doing, "this warehouse takes no announcements", "See announces_receipts in its profile.")
    _check_head(doing, facility, reference, expected_on, actor)
    with opened.ledger.transaction() as tx:
        lines, problems = read_rows(csv, _items(opened, tx, warehouse))
        if problems:
            raise BadConfiguration(doing, "; ".join(problems[:10]), "Nothing was announced. Correct the rows and give them again.")
        notice = ReceiptNotice(warehouse=warehouse, facility=facility, reference=reference, expected_on=expected_on, carrier=carrier, lines=lines).model_dump()
        before = opened.ledger.receipts.notice(tx, warehouse, reference)
        if before is not None and (before.facility, before.expected_on, before.lines) != (facility, expected_on, notice["lines"]):
            raise BadConfiguration(doing, "another announcement went out under this reference", "Give it a reference of its own.")
        if not dry_run and before is None:
            opened.ledger.receipts.announce(tx, warehouse, reference, facility, expected_on, notice["lines"], actor)
            opened.ledger.effects.plan(tx, Planned(RECEIPT_NOTICE, warehouse, reference, f"{warehouse} receipt {reference}", warehouse, reference, notice))
            opened.ledger.timeline.note(tx, warehouse, reference, "receipt announced", actor, f"{len(lines)} lines for {facility}, expected on {expected_on}")
            _compare(opened, tx, warehouse, reference)  # the goods may have been quicker than the person
    return {"reference": reference, "lines": notice["lines"], "units": sum(line["quantity"] for line in lines), "is_new": before is None}


def _check_head(doing: str, facility: str, reference: str, expected_on: str, actor: str) -> None:
    try:
        date.fromisoformat(expected_on)
    except ValueError:
        raise BadConfiguration(doing, f"{expected_on!r} is no date", "Write it as 2026-01-31.") from None
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,21}", reference) or reference != reference.strip():
        raise BadConfiguration(doing, "a reference has 1 to 22 letters, digits and ._/-", "Give it one that the warehouse can echo.")
    if not facility.strip() or not actor.strip():
        raise BadConfiguration(doing, "there is no facility or no name", "Say where it goes, and who says so.")


def _items(opened: House, tx: Tx, warehouse: str) -> dict[str, dict[str, Any]]:
    items = opened.ledger.items.current(tx)
    return {row["sku"]: row for row in items[(items["warehouse"] == warehouse) & items["is_active"]].to_dict("records")}


def compare_receipts(opened: House, tx: Tx, warehouse: str, message: Message) -> None:
    """After a document of stock was entered: hold every announced receipt that it names against what was announced, line by line."""
    if message.stock_changes is None:
        return
    rows = message.stock_changes
    for reference in sorted({reference.strip() for reference in rows[rows["kind"] == "receipt"]["reference"]} - {""}):
        _compare(opened, tx, warehouse, reference)


def _compare(opened: House, tx: Tx, warehouse: str, reference: str) -> None:
    """All receipts under one reference together: the rest of a delivery that comes a day later settles the difference."""
    receipts, exceptions, cause = opened.ledger.receipts, opened.ledger.exceptions, f"{DIFFERS}:{reference}"
    notice, received = receipts.notice(tx, warehouse, reference), receipts.received(tx, warehouse, reference)
    if notice is None or not received:
        return
    differing = differences(notice.lines, [row._asdict() for row in received], notice.facility)
    if differing:
        exceptions.open(tx, [Finding(DIFFERS, warehouse, reference, cause, {
            "reference": reference, "expected_on": notice.expected_on, "differences": differing[:SHOWN], "differing": len(differing),
            "announced_by": notice.announced_by})])
    else:
        exceptions.settle_cause(tx, DIFFERS, warehouse, reference, cause, ACTOR, "It agrees again.")
    state = "differs" if differing else "received"
    if state != notice.state:
        receipts.set_state(tx, warehouse, reference, state)
        opened.ledger.timeline.note(tx, warehouse, reference, f"receipt {state}", warehouse, f"{sum(row.units for row in received)} units so far")


@task(name="announce receipt", task_run_name="announce {reference} to {warehouse}", **RETRY)
def announce_to(warehouse: str, facility: str, reference: str, expected_on: str, csv: str, actor: str, carrier: str, dry_run: bool) -> dict[str, Any]:
    """What is on its way, noted and owed to the warehouse."""
    return announce(house(), warehouse, facility, reference, expected_on, csv, actor, carrier, dry_run)
