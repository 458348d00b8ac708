"""What the storefront shows of refunds: kept as a book, our own proven by it, and a declined one put on a desk (R5)."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from prefect import task

from connectors.house import House
from connectors.ledger.ledger import Row, Tx
from connectors.ports import REFUND, Window
from contracts.base import WHY, rows_of
from contracts.exceptions import Finding
from contracts.returns import Refunds
from tasks.opened import RETRY, house
from tasks.returned import ACTOR

REFUNDS = (REFUND,)
DECLINED = "refund_declined"
LOOK_BACK = timedelta(days=3)  # a payment provider may decline a refund long after the storefront has taken it


def see_refunds(opened: House, storefront: str, since: datetime | None = None) -> Counter:
    """Every refund that the storefront shows, ours and other people's, into the book; ours are proven, and a declined one is on a desk (R5).

    since: look back so far at least (the reconciliation of a whole period).
    """
    ledger, counts = opened.ledger, Counter()
    unproven = ledger.effects.unproven(storefront, REFUNDS)
    window = _window(opened, storefront, unproven)
    window = Window(min(since or window.since, window.since), window.until)
    sound, unsound = Refunds.split(opened.storefront(storefront).refunds(window))
    rows = [row | {"created_at": row["created_at"].to_pydatetime()} for row in rows_of(sound)]
    with ledger.transaction() as tx:
        news = ledger.returns.see_refunds(tx, rows)
        ledger.exceptions.open(tx, [Finding("record_unsound", storefront, bad["order_id"] or "?", f"record_unsound:refund {bad['refund_id']}:{bad[WHY]}",
                                            {"refund": bad["refund_id"], "why": bad[WHY]}) for bad in rows_of(unsound)])
        shown: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            shown.setdefault(row["refund_id"], []).append(row)
        for effect in unproven:
            counts[_prove(opened, tx, effect, shown.get(effect.remote_id))] += 1
        # one that was in doubt when its refund was seen declined had no number yet to be known by: it is told when it is proven
        proven = [effect.remote_id for effect in unproven if any(row["is_declined"] for row in shown.get(effect.remote_id, ()))]
        for refund_id in dict.fromkeys([row["refund_id"] for row in news if row["is_declined"]] + proven):
            counts["declined"] += _tell_declined(opened, tx, storefront, shown[refund_id])
        counts["seen"] += len({row["refund_id"] for row in news})
        if rows:
            ledger.watermarks.reach(tx, f"{storefront} refunds", min(max(row["created_at"] for row in rows), opened.clock.now()))
    return counts


def _window(opened: House, storefront: str, unproven: list[Row]) -> Window:
    """From the watermark or three days ago, whichever is longer ago, and never later than the oldest refund that is not proven."""
    settings, now = opened.settings(storefront), opened.clock.now()
    with opened.ledger.transaction() as tx:
        reached = opened.ledger.watermarks.read(tx, f"{storefront} refunds")
    overlap = timedelta(seconds=settings.overlap_seconds)
    since = now - timedelta(days=settings.first_days) if reached is None else min(reached - overlap, now - LOOK_BACK)
    return Window(min([since, *(row.sent_at - overlap for row in unproven)]), now + overlap)


def _prove(opened: House, tx: Tx, effect: Row, shown: list[dict[str, Any]] | None) -> str:
    order, cause = (effect.connection, effect.record), f"{DECLINED}:not shown:{effect.effect_id}"
    if shown:
        opened.ledger.effects.prove(tx, effect.effect_id)
        opened.ledger.exceptions.settle_cause(tx, DECLINED, *order, cause, ACTOR, "The storefront shows it now.")
        much = f"{sum(row['amount_minor'] for row in shown)} {shown[0]['currency']} (minor units)"
        opened.ledger.timeline.note(tx, *order, "refund read back", ACTOR, f"refund {effect.remote_id}: {much}")
        return "proven"
    if effect.verify_by > opened.clock.now():
        return "not yet"
    opened.ledger.exceptions.open(tx, [Finding(DECLINED, *order, cause, {"effect": effect.effect_id, "refund": effect.remote_id,
                                                                        "why": "the storefront took the refund and does not show it"})])
    return "not shown"


def _tell_declined(opened: House, tx: Tx, storefront: str, shown: list[dict[str, Any]]) -> int:
    """A refund of ours whose payment was declined: the customer has no money. Somebody else's is theirs."""
    order, refund_id = (storefront, shown[0]["order_id"]), shown[0]["refund_id"]
    effect = next((row for row in opened.ledger.effects.of_record(tx, *order) if row.kind == REFUND and row.remote_id == refund_id), None)
    if effect is None:
        return 0
    opened.ledger.exceptions.open(tx, [Finding(DECLINED, *order, f"{DECLINED}:{effect.effect_id}", {
        "effect": effect.effect_id, "refund": refund_id, "minor": sum(row["amount_minor"] for row in shown), "currency": shown[0]["currency"],
        "why": "the payment provider declined it"})])
    opened.ledger.timeline.note(tx, *order, "refund declined", storefront, f"refund {refund_id}: the payment provider did not pay it out")
    return 1


def of_period(opened: House, storefront: str, since: datetime, until: datetime) -> dict[str, pd.DataFrame]:
    """What came back and what was given back from `since` to before `until`: {'returns', 'refunds'}, rows of the ledger's return_line and refund_seen."""
    with opened.ledger.transaction() as tx:
        return opened.ledger.returns.period(tx, storefront, since, until)


@task(name="see refunds", task_run_name="see refunds at {storefront}", **RETRY)
def see_refunds_at(storefront: str) -> dict[str, int]:
    """What the storefront shows of refunds now."""
    return dict(see_refunds(house(), storefront))
