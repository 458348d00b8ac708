"""Numbers of packages: one for each package of an order, the same for ever, whoever asks and whatever dies; and what is due by a time goes first."""

from datetime import timedelta

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from connectors.kit.clock import ManualClock
from connectors.ledger.effects import Planned
from connectors.ledger.ledger import Ledger
from tests.ledger.rigs import KEY, KIND, KINDS, LEASE, TARGET, Rig, in_processes, open_ledger

SHOP, ORDER = "market-uk", "902-1234567-1234567"


def _number(ledger: Ledger, package: str, order: str = ORDER, shop: str = SHOP) -> int:
    with ledger.transaction() as tx:
        return ledger.books.number_package(tx, shop, order, package)


def test_packages_of_an_order_are_numbered_from_one_and_keep_their_numbers(shared: Rig) -> None:
    assert [_number(shared.ledger, package) for package in ("A", "B", "A", "C", "B")] == [1, 2, 1, 3, 2]
    assert _number(shared.ledger, "A", order="902-0000000-0000000") == 1 and _number(shared.ledger, "A", shop="market-de") == 1
    again = shared.another()
    assert [_number(again, package) for package in ("C", "B", "A", "D")] == [3, 2, 1, 4]
    again.close()


def test_names_of_packages_of_any_length_stay_apart(shared: Rig) -> None:
    long = "P" * 1000
    assert [_number(shared.ledger, package) for package in (f"{long}1", f"{long}2", f"{long}1")] == [1, 2, 1]


def _race(number: int, url: str) -> dict[str, int]:
    ledger = open_ledger(url)
    mine = {package: _number(ledger, package) for package in sorted("ABCDEFGH", key=lambda name: (ord(name) * 7 + number * 5) % 11)}
    ledger.close()
    return mine


def test_runs_that_number_the_same_packages_at_once_agree(shared: Rig) -> None:
    """Two warehouses ship one order and both advices are taken in at the same moment: an agreed number twice would overwrite a parcel."""
    said = in_processes(4, _race, shared.url)
    assert all(mine == said[0] for mine in said) and sorted(said[0].values()) == list(range(1, 9))


class _Gone(Exception):
    pass


STEPS = st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from(("commits", "dies", "is restored"))), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_number_is_ever_that_of_two_packages_through_crashes_and_restores(steps: list[tuple[str, str]]) -> None:
    """`sent` is what the far side knows: a number that was committed may have been sent. Restored is the backup of the very beginning."""
    ledger, sent = Ledger("sqlite://", ManualClock(), KEY, LEASE), {}
    empty = ledger.database.content()
    for package, then in steps:
        try:
            with ledger.transaction() as tx:
                number = ledger.books.number_package(tx, SHOP, ORDER, package)
                if then == "dies":
                    raise _Gone
        except _Gone:
            continue
        assert sent.setdefault(number, package) == package and 0 < number < 2**31
        if then == "is restored":
            ledger.database.load(empty)
            ledger.jump_ahead(numbers=100 * len(sent), fences=10)
    ledger.close()


def test_what_is_due_by_a_time_goes_first_and_the_rest_in_their_order(shared: Rig) -> None:
    ids, now = {}, shared.clock.now()
    with shared.ledger.transaction() as tx:
        for key, hours in (("late", 9), ("never", None), ("soon", 1), ("nor ever", None), ("soon too", 1)):
            planned = Planned(KIND, TARGET, key, f"order {key}", "c", key, {}, now + timedelta(hours=hours) if hours else None)
            shared.ledger.effects.plan(tx, planned)
            ids[planned.effect_id] = key
    due = [ids[one] for one in shared.ledger.effects.due(TARGET, KINDS)]
    assert due == ["soon", "soon too", "late", "never", "nor ever"]
    assert [ids[one] for one in shared.ledger.effects.due(TARGET, KINDS, 2)] == ["soon", "soon too"]


def test_urgency_never_overtakes_an_older_effect_of_the_same_order(shared: Rig) -> None:
    now = shared.clock.now()
    with shared.ledger.transaction() as tx:
        first = Planned(KIND, TARGET, "first", "order 1", "c", "1", {})
        shared.ledger.effects.plan(tx, first)
        shared.ledger.effects.plan(tx, Planned(KIND, TARGET, "second", "order 1", "c", "1", {}, now))
    assert shared.ledger.effects.due(TARGET, KINDS) == [first.effect_id]
