"""That a storefront goes on calling us: its hooks are registered, active and point here. Polling goes on whatever is found."""

from typing import Any

from prefect import task

from connectors.house import House
from contracts.exceptions import Finding
from tasks.opened import RETRY, house

ACTOR = "keep_webhooks"
OFF = "webhook_off"


def keep_webhooks(opened: House, storefront: str) -> list[dict[str, Any]]:
    """Put the storefront's hooks right, and say what was found: an exception for each that was off, gone or pointed elsewhere.

    It closes when the next look finds the hook active. The first time of all nothing can have been lost, so nothing is opened. Nothing is done
    for a house that has no `webhooks_url`.
    """
    address = opened.profile.webhooks_url.rstrip("/")
    if not address:
        return []
    destination, feed = f"{address}/hooks/{storefront}", f"{storefront} webhooks"
    found = opened.storefront(storefront).keep_webhooks(destination)
    with opened.ledger.transaction() as tx:
        is_first = opened.ledger.watermarks.read(tx, feed) is None
        opened.ledger.watermarks.reach(tx, feed, opened.clock.now())
        for one in found:
            if one["was"] == "active":
                opened.ledger.exceptions.settle(tx, storefront, one["topic"], (OFF,), (), ACTOR, "The hook is active again.")
        opened.ledger.exceptions.open(tx, [Finding(OFF, storefront, one["topic"], f"{OFF}:{one['topic']}", {"was": one["was"], "destination": destination})
                                           for one in found if one["was"] != "active" and not is_first])
    return found


@task(name="keep webhooks", task_run_name="keep the webhooks of {storefront}", **RETRY)
def keep_webhooks_of(storefront: str) -> list[dict[str, Any]]:
    """What each hook was before it was put right."""
    return keep_webhooks(house(), storefront)
