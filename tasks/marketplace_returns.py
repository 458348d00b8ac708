"""What a marketplace lets customers send back, kept as it stands: the newest statement of the last sixty days is the analysts' `authorised_returns`."""

from collections import Counter
from datetime import timedelta

from prefect import task

from connectors.house import House
from connectors.ports import AuthorisesReturns, Window
from contracts.base import WHY
from contracts.exceptions import Finding
from contracts.returns import AuthorisedReturns
from tasks.opened import RETRY, house

KIND = "authorised_returns"
LOOK_BACK = timedelta(days=60)  # what was asked for goes on changing: it arrives, it is refunded, a claim is granted
UNSOUND = "record_unsound"


def see_authorised_returns(opened: House, storefront: str) -> Counter:
    """The returns of the last sixty days as the marketplace has them now, kept when they differ from what was known. Nothing for a storefront that is none.

    The period ends with the full hour: a report that is still being made when this gives up (NotNow) is what the next look within the hour finds.
    """
    port = opened.storefront(storefront)
    if not isinstance(port, AuthorisesReturns):
        return Counter()
    until = opened.clock.now().replace(minute=0, second=0, microsecond=0)
    frame, unreadable = port.authorised_returns(Window(until - LOOK_BACK, until))
    sound, unsound = AuthorisedReturns.split(frame.sort_values(["asked_at", "return_id", "order_id", "sku"], ignore_index=True))
    is_new = not sound.equals(opened.snapshots.latest(KIND, storefront))
    if is_new:
        opened.snapshots.keep(KIND, storefront, opened.clock.now(), sound, opened.clock.now().isoformat())
    bad = unreadable + [{"record": f"{row['return_id']}/{row['order_id']}", WHY: row[WHY]} for row in unsound.to_dict("records")]
    with opened.ledger.transaction() as tx:
        opened.ledger.exceptions.open(tx, [Finding(UNSOUND, storefront, row["record"], f"{UNSOUND}:return:{row[WHY]}", {"why": row[WHY]}) for row in bad])
    return Counter(returns=len(sound), unreadable=len(bad), changed=int(is_new))


@task(name="see authorised returns", task_run_name="see what {storefront} lets customers send back", **RETRY)
def see_authorised_returns_at(storefront: str) -> dict[str, int]:
    """What the marketplace says of returns now."""
    return dict(see_authorised_returns(house(), storefront))
