"""What webhooks said, taken up: the records they name are fetched anew through the usual take-in. A hint is a hint: the pull always runs too."""

from collections import Counter
from dataclasses import fields

import pandas as pd
from prefect import task

from connectors.house import House
from connectors.kit.errors import BadDocument, Refused, WharfingerError
from connectors.ports import Hint, OrderPage, Storefront
from tasks.flow_runs import ask_for_runs
from tasks.opened import RETRY, house
from tasks.orders import enter_page, keep_page

TAKES_IN = "orders-to-warehouse"  # the flow that takes orders in
OF_ORDERS = ("order", "refund")
FETCHED_MAX = 100  # more than this: the pull, which reads whole pages, is the cheaper way to the same truth


def enqueue(opened: House, storefront: str, said: Hint) -> bool:
    """Keep a hint, durably; False when it is there already. Raises NotNow when the ledger cannot take it: then it must come again."""
    with opened.ledger.transaction() as tx:
        return opened.ledger.hints.put(tx, storefront, said)


def ask_for_run(opened: House, storefront: str) -> list[str]:
    """Ask Prefect for the flow that takes this storefront's orders in; what was asked for. Raises NotNow: the schedule runs it anyway."""
    return ask_for_runs(opened, TAKES_IN, "storefront", storefront)


def take_hints(opened: House, storefront: str) -> Counter:
    """Every order that a hint names, as it stands now, into the order book. Never raises for the storefront: the pull after it will.

    The watermark stays where it is. What cannot be fetched now stays open; what is gone or unreadable is left to the pull.
    """
    with opened.ledger.transaction() as tx:
        rows = opened.ledger.hints.open(tx, storefront)
    if not rows:
        return Counter()
    wanted = list(dict.fromkeys(row.record for row in rows if row.topic in OF_ORDERS))
    counts: Counter = Counter(hints=len(rows), left_to_the_pull=max(0, len(wanted) - FETCHED_MAX))
    pages, missed = _fetch(opened.storefront(storefront), wanted[:FETCHED_MAX], counts)
    done = [row.key for row in rows if row.topic not in OF_ORDERS or row.record not in missed]
    page = _joined(pages)
    with opened.ledger.transaction() as tx:
        entered = enter_page(opened, tx, storefront, page, reach=False) if page else Counter()
        opened.ledger.hints.taken(tx, done)
    if page and (entered["new"] or entered["changed"]):
        keep_page(opened, storefront, page)
    return counts + entered


def _fetch(port: Storefront, wanted: list[str], counts: Counter) -> tuple[list[OrderPage], set[str]]:
    """Pages of one order each, and the orders that could not be asked for: once the storefront is away, all that are left."""
    pages: list[OrderPage] = []
    for place, order_id in enumerate(wanted):
        try:
            pages.append(port.order(order_id))
        except (Refused, BadDocument):
            counts["gone_or_unreadable"] += 1
        except WharfingerError:
            return pages, set(wanted[place:])
    counts["fetched"] += len(pages)
    return pages, set()


def _joined(pages: list[OrderPage]) -> OrderPage | None:
    if not pages:
        return None
    frames = {part.name: pd.concat([getattr(page, part.name) for page in pages], ignore_index=True) for part in fields(OrderPage)
              if part.name in ("orders", "lines", "ship_groups", "recipients")}
    return OrderPage(**frames, reached=max(page.reached for page in pages), unreadable=[one for page in pages for one in page.unreadable])


@task(name="take hints", task_run_name="take up what {storefront} called about", **RETRY)
def take_hints_of(storefront: str) -> dict[str, int]:
    """What webhooks named, fetched anew."""
    return dict(take_hints(house(), storefront))
