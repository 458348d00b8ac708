"""What a marketplace let its customers send back: kept as a book, and read beside a refund for goods that no warehouse has."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from prefect import task

from connectors.house import House
from connectors.kit.errors import NotNow
from connectors.ledger.ledger import Row, Tx
from connectors.ports import AuthorisesReturns, Window
from contracts.base import WHY
from contracts.exceptions import Finding
from contracts.money import to_major
from contracts.returns import AuthorisedReturns
from tasks.opened import RETRY, house

LOOK_BACK = timedelta(days=60)  # a return's status, its parcel and its claim change for weeks


def see_authorised_returns(opened: House, storefront: str) -> Counter:
    """The returns of the last sixty days as the marketplace shows them now; nothing for a storefront that authorises none.

    The list is made on demand and may take minutes: 'not ready' says so, and the next run takes it up. The window ends with the full hour: only a run
    that asks for the same window finds the list that was being made.
    """
    port, until = opened.storefront(storefront), opened.clock.now().replace(minute=0, second=0, microsecond=0)
    if not isinstance(port, AuthorisesReturns):
        return Counter()
    try:
        frame, unreadable = port.authorised_returns(Window(until - LOOK_BACK, until))
    except NotNow:
        return Counter({"not ready": 1})
    sound, unsound = AuthorisedReturns.split(frame)
    bad = [*unreadable, *({"record": f"{row['return_id']}/{row['order_id']}", "why": row[WHY]} for row in unsound.to_dict("records"))]
    with opened.ledger.transaction() as tx:
        opened.ledger.returns.see_authorised(tx, [{name: _native(value) for name, value in row.items()} for row in sound.to_dict("records")])
        opened.ledger.exceptions.open(tx, [Finding("record_unsound", storefront, one["record"][:120], f"record_unsound:authorised return {one['record']}:{one['why']}", dict(one)) for one in bad])
    return Counter({"returns": len(sound), "unreadable": len(bad)})


def told_of(opened: House, tx: Tx, storefront: str, order_ids: Iterable[str]) -> dict[str, str]:
    """Order -> what the marketplace says of its return, for whoever looks for the goods."""
    found: dict[str, list[str]] = {}
    for row in opened.ledger.returns.authorised_of(tx, storefront, order_ids):
        found.setdefault(row.order_id, []).append(_sentence(row))
    return {order_id: "; ".join(sentences) for order_id, sentences in found.items()}


def _sentence(row: Row) -> str:
    parcel = f"its parcel {row.tracking_number or ''}".rstrip() + (f" was delivered on {row.delivered_at:%Y-%m-%d}: ask the warehouse" if row.delivered_at else " has not arrived")
    claim = f"; claim {row.claim_id} {row.claim_state}, {to_major(row.reimbursed_minor, row.currency)} {row.currency} made good" if row.claim_id else ""
    return f"{row.quantity} × {row.sku} were asked back on {row.asked_at:%Y-%m-%d} ({row.status}), {parcel}{claim}"


def _native(value: Any) -> Any:
    """Python's own moments, and None for one that is missing."""
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime() if value == value else None
    return value


@task(name="see authorised returns", task_run_name="see returns that {storefront} authorised", **RETRY)
def see_authorised_returns_at(storefront: str) -> dict[str, int]:
    """What the marketplace let customers send back."""
    return dict(see_authorised_returns(house(), storefront))
