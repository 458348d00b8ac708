"""Bugs that somebody could make in stock, returns, refunds and restores, planted one at a time. `python -m tests.simulation.planted 14 NAME` looks for them."""

from dataclasses import replace
from typing import Any

from connectors.gxo import mapping_receipt
from connectors.ledger.effects import Effects
from connectors.ledger.stock import Stock
from connectors.snapshots import positions
from deployments.simulation.play import Scenario
from tasks import refunds, refunds_seen, returns, rmas, stock, stock_feed, stock_send
from tasks.rules import refunds as refund_rules
from tasks.rules.returns import Whose
from tasks.rules.safety_stock import Safety
from tests.simulation.garden import IN_PEACE, Garden, bug


@bug
def an_older_statement_wins(garden: Garden) -> None:
    """No version fence: whatever statement comes last is what there is."""
    real = garden.put(positions, "_merge_sql", lambda *names: real(*names).replace("WHEN (s.as_of, s.sequence) > (b.as_of, b.sequence) OR", "WHEN true OR"))


@bug
def a_partial_statement_is_taken_for_a_whole_one(garden: Garden) -> None:
    """What it does not name is out of stock."""
    real = garden.put(positions.Merging, "merge", lambda self, facility, known, is_whole, spared=None: real(self, facility, known, True, spared))


@bug
def a_feed_that_lost_half_is_believed(garden: Garden) -> None:
    """No look at how much is gone."""
    garden.put(stock_feed, "_lost", lambda *_: "")


@bug
def safety_stock_is_forgotten(garden: Garden) -> None:
    """Nothing is kept back."""
    garden.put(Safety, "__call__", lambda self, sku, sellable: (0, ""))


@bug
def safety_stock_goes_below_zero(garden: Garden) -> None:
    """Less than nothing is published: the floor is gone, and the contract's with it."""
    real = garden.put(stock, "figures", lambda *args: [replace(one, quantity=one.quantity - 3) for one in real(*args)])


@bug
def orders_that_wait_are_sold_again(garden: Garden) -> None:
    """What customers have bought and no warehouse was asked for is not taken off."""
    garden.put(Stock, "claiming_orders", lambda self, tx: [])


@bug
def documents_between_statements_are_ignored(garden: Garden) -> None:
    """A receipt or a breakage changes nothing before the next statement."""
    garden.put(Stock, "open_changes", lambda self, tx, warehouse: [])


@bug
def a_cancel_puts_goods_on_sale_and_nobody_looks(garden: Garden) -> None:
    """The shop's own figure moves with its orders; ours is not told again."""
    garden.put(Stock, "moved_there", lambda self, tx, storefront, since: [])


@bug
def figures_are_told_without_their_group(garden: Garden) -> None:
    """A group that was taken in is not noted as told: it is sent for ever."""
    garden.put(stock_send, "_confirmed", lambda *_: None)


@bug
def a_refund_is_made_twice(garden: Garden) -> None:
    """What was refunded is not marked."""
    garden.put(refunds, "keep_dues", lambda *_, **__: None)


@bug
def more_is_refunded_than_came_back(garden: Garden) -> None:
    """One unit more than the receipt says."""
    real = garden.put(refunds, "_as_piece", lambda one: replace(real(one), quantity=real(one).quantity + 1))


@bug
def cents_are_rounded_piece_by_piece(garden: Garden) -> None:
    """Each piece to the nearer penny: the parts of a line no longer sum to it."""
    garden.put(refund_rules, "worth", lambda money, ordered, first, quantity, percent: -(-money * quantity * percent // (ordered * 100)) if ordered else 0)


@bug
def goods_are_back_on_sale_before_anybody_graded_them(garden: Garden) -> None:
    """Every returned unit may be sold again."""
    real = garden.put(mapping_receipt, "sale_changes", lambda returned, grades, sequence: real(returned, [row["grade"] for row in returned], sequence))


@bug
def a_return_without_an_order_is_given_to_somebody(garden: Garden) -> None:
    """The first order that had the article."""
    real = garden.put(returns, "_whose", lambda opened, tx, warehouse, parcel: _guessed(real(opened, tx, warehouse, parcel), opened, tx, warehouse, parcel))


def _guessed(found: Whose, opened: Any, tx: Any, warehouse: str, parcel: list[dict[str, Any]]) -> Whose:
    rows = [] if found.order else opened.ledger.returns.candidates(tx, warehouse, {row["sku"].strip() for row in parcel})
    return Whose((rows[0]["connection"], rows[0]["order_id"]), "a guess") if rows else found


@bug
def the_warehouse_hears_of_a_return_before_it_is_approved(garden: Garden) -> None:
    """Asked for is as good as approved."""
    real = garden.put(rmas, "_ask", lambda opened, tx, order, units, reason, actor: [
        rmas._announce(opened, tx, opened.ledger.returns.rma(tx, order[0], number)) or number for number in real(opened, tx, order, units, reason, actor)])


@bug
def nobody_hears_that_a_refund_was_declined(garden: Garden) -> None:
    """The storefront took it, so it is done."""
    garden.put(refunds_seen, "_tell_declined", lambda *_: 0)


@bug
def a_restored_ledger_goes_on_as_if_nothing_had_been(garden: Garden) -> None:
    """Neither control numbers nor fences jump ahead."""
    garden.put(Effects, "jump_ahead", lambda self, tx, numbers, fences, quiet_seconds=0, streams=(): 0)


# what a bug needs to be seen at all: worlds that are about something, or a fault that every world has
ABOUT = {
    **dict.fromkeys(("an_older_statement_wins", "a_partial_statement_is_taken_for_a_whole_one", "a_feed_that_lost_half_is_believed", "safety_stock_is_forgotten",
                     "safety_stock_goes_below_zero", "orders_that_wait_are_sold_again", "documents_between_statements_are_ignored",
                     "a_cancel_puts_goods_on_sale_and_nobody_looks", "figures_are_told_without_their_group"), "stock"),
    **dict.fromkeys(("a_refund_is_made_twice", "more_is_refunded_than_came_back", "cents_are_rounded_piece_by_piece",
                     "goods_are_back_on_sale_before_anybody_graded_them", "a_return_without_an_order_is_given_to_somebody",
                     "the_warehouse_hears_of_a_return_before_it_is_approved", "nobody_hears_that_a_refund_was_declined"), "returns"),
}
WITH = {"a_restored_ledger_goes_on_as_if_nothing_had_been": Scenario(weights=(("F20", 1.0),))} | {
    name: IN_PEACE[theme] for name, theme in ABOUT.items() if name not in (
        "a_feed_that_lost_half_is_believed", "documents_between_statements_are_ignored", "nobody_hears_that_a_refund_was_declined")}
