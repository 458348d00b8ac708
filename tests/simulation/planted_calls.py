"""Bugs that somebody could make in what is done when a shop calls (webhooks), planted one at a time; see planted.py.

Equivalent, and so not planted: *a hint is closed before its order was fetched* (the pull, which runs always, brings the order all the same).
"""

from deployments import webhooks
from tasks import hints
from tests.simulation.garden import Garden, bug

ABOUT = dict.fromkeys(("a_hint_is_taken_for_the_feed", "a_call_is_answered_and_not_kept", "hints_are_looked_at_for_ever"), "calls")


@bug
def a_hint_is_taken_for_the_feed(garden: Garden) -> None:
    """One order that was fetched by itself moves the watermark past those that were not."""
    real = garden.put(hints, "enter_page", lambda opened, tx, storefront, page, reach=True: real(opened, tx, storefront, page))


@bug
def a_call_is_answered_and_not_kept(garden: Garden) -> None:
    """The answer goes out first, and what follows is forgotten."""
    garden.put(webhooks, "enqueue", lambda opened, storefront, said: True)


@bug
def hints_are_looked_at_for_ever(garden: Garden) -> None:
    """What was looked at stays open, and is fetched again with each run."""
    real = garden.put(hints, "_fetch", lambda port, wanted, counts: (real(port, wanted, counts)[0], set(wanted)))
