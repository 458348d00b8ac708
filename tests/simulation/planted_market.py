"""Bugs that somebody could make in what is a marketplace's, planted one at a time; each world here has one. `python -m tests.simulation.planted_market 20`."""

import itertools
import sys
from datetime import timedelta
from typing import Any

from connectors.amazon import mapping, mapping_stock, shipments, stock
from connectors.amazon.wire_listings import Patch
from connectors.ledger.settlements import Settled
from deployments.simulation.play import MARKETPLACE, Scenario, play
from tasks import dispatches, settlements
from tasks.rules.settlements import Types
from tests.simulation.garden import Garden, Plant

BUGS: dict[str, Plant] = {}


def bug(plant: Plant) -> Plant:
    """Into the list, by its name."""
    BUGS[plant.__name__] = plant
    return plant


@bug
def what_amazon_fulfils_is_let_through(garden: Garden) -> None:
    """Every order is the merchant's."""
    garden.put(mapping, "fulfilled_by", lambda order: "merchant")


@bug
def a_parcel_gets_a_new_number_each_time_it_is_sent(garden: Garden) -> None:
    """The number counts the calls, not the parcels."""
    numbers = itertools.count(1)
    real = garden.put(shipments, "confirm_request", lambda confirmation, number, marketplace: real(confirmation, next(numbers), marketplace))


@bug
def a_204_is_believed(garden: Garden) -> None:
    """What was answered with 204 is shown: nobody looks."""
    real = garden.put(dispatches, "_prove", lambda opened, tx, row, shown: real(opened, tx, row, {"tracking_number": row.payload["tracking_number"], "lines": row.payload["lines"]}))


@bug
def a_carrier_that_amazon_does_not_list_is_sent_as_a_guess(garden: Garden) -> None:
    """Nobody compares the code with the marketplace's list, or it is tidied up."""
    garden.put(shipments, "fault", lambda code, marketplace, listed=(): "")


@bug
def a_carrier_becomes_another(garden: Garden) -> None:
    """What the list does not know is told as "Other"."""
    def guessed(confirmation: Any, number: int, marketplace: str) -> Any:
        other = {"provider": "Other", "tracking_carrier": confirmation.provider}
        return real(confirmation.model_copy(update=other) if shipments.fault(confirmation.provider, marketplace, ()) or confirmation.provider == "DPD" else confirmation,
                    number, marketplace)

    real = garden.put(shipments, "confirm_request", guessed)


@bug
def replace_for_merge(garden: Garden) -> None:
    """The other verb."""
    garden.put(Patch, "of", classmethod(lambda cls, quantity: cls.model_construct(op="replace", path=cls.model_fields["path"].default,
                                                                                   value=real(quantity).value)))


real = Patch.of


@bug
def what_amazon_ships_is_told_too(garden: Garden) -> None:
    """Any listing takes a figure."""
    garden.put(stock, "untouchable", lambda one: "")
    garden.put(mapping_stock.Listing, "is_ours", property(lambda self: True))


@bug
def a_settlement_is_entered_twice(garden: Garden) -> None:
    """The amounts of a statement that is listed again are added again."""
    def again(opened: Any, storefront: str, document: Any, digest: str, head: Any, content: str, before: Any) -> Any:
        kept = opened.snapshots.keyed(settlements.KIND, storefront, settlements._key(before.settlement_id, before.content_hash))
        with opened.ledger.transaction() as tx:
            opened.ledger.settlements._fill(tx, *settlements._derived(kept, storefront, settlements._types(opened, tx), opened.clock.now()))
        return settlements.Counter({"entered": 1})

    garden.put(settlements, "_again", again)
    garden.put(settlements, "sha256", lambda body: f"{next(digests):064}")


digests = itertools.count()


@bug
def an_unknown_triple_is_defaulted(garden: Garden) -> None:
    """What nobody knows is a fee."""
    real = garden.put(Types, "find", lambda self, connection, triple: real(self, connection, triple) or ("other", "account"))


@bug
def the_watermark_of_settlements_goes_before_the_rows(garden: Garden) -> None:
    """How far is looked is committed before what was found, and nobody looks back."""
    def take_in(opened: Any, storefront: str) -> Any:
        window = settlements._window(opened, storefront)
        settlements._reach(opened, storefront, window)
        return real(opened, storefront)

    garden.put(settlements, "LOOK_BACK", timedelta(0))
    whole = garden.put(settlements, "_window", lambda opened, storefront: _no_overlap(opened, storefront, whole(opened, storefront)))
    real = garden.put(settlements, "take_in_settlements", take_in)


def _no_overlap(opened: Any, storefront: str, window: Any) -> Any:
    with opened.ledger.transaction() as tx:
        reached = opened.ledger.watermarks.read(tx, f"{storefront} settlements")
    return window if reached is None else settlements.Window(min(reached, window.until), window.until)


@bug
def statements_are_dated_by_our_clock(garden: Garden) -> None:
    """Five minutes of overlap, as for orders: found in the product by seeds 2, 8 and 16."""
    garden.put(settlements, "LOOK_BACK", timedelta(0))


@bug
def a_cent_goes_astray(garden: Garden) -> None:
    """Sums are rounded somewhere on the way into the ledger."""
    def fill(self: Any, tx: Any, sums: Any, items: Any) -> None:
        return true(self, tx, [{**one, "amount_minor": round(one["amount_minor"] / 5) * 5} for one in sums], items)

    true = garden.put(Settled, "_fill", fill)


# what a bug needs to be seen soon: a world that is about it
ABOUT = {"a_204_is_believed": "unknown there", "a_carrier_that_amazon_does_not_list_is_sent_as_a_guess": "misspelled"}


def hunt(name: str, seeds: range) -> str:
    """Which world with a marketplace shows the bug; '' when none does."""
    garden = Garden()
    BUGS[name](garden)
    try:
        for seed in seeds:
            if found := play(seed, Scenario(about=MARKETPLACE, themes=(MARKETPLACE, ABOUT[name]) if name in ABOUT else None)).violations:
                return f"marketplace {seed}: {found[0].invariant}: {found[0].what[:90]}"
    finally:
        garden.clear()
    return ""


if __name__ == "__main__":
    for one in sys.argv[2:] or list(BUGS):
        print(one, "->", hunt(one, range(1, 1 + int(sys.argv[1]))) or "not found", flush=True)
