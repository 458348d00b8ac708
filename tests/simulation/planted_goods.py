"""Bugs that somebody could make in stock and restores, planted one at a time (those of returns and refunds: planted_returns.py).

`python -m tests.simulation.planted 14 NAME` looks for them.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from connectors.bigcommerce.inventory import Inventory, Receipt
from connectors.gxo import mapping_receipt, mapping_stock
from connectors.gxo.warehouse import Gxo
from connectors.ledger import desired
from connectors.ledger.desired import DesiredStock
from connectors.ledger.effects import Effects
from connectors.ledger.stock import Stock
from connectors.ledger.tables import effect
from connectors.snapshots import positions
from deployments.simulation.play import Scenario
from tasks import drift_stock, stock, stock_feed, stock_send, stock_watch
from tasks.rules import stock as stock_rules
from tasks.rules.safety_stock import Safety
from tasks.rules.stock import Change, Selling
from tests.simulation import planted_returns
from tests.simulation.garden import Garden, bug


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
def a_late_statement_settles_a_newer_one_that_was_refused(garden: Garden) -> None:
    """Found in the product by seed 2013: the exception is closed, and the stock stands still."""
    def settle(opened: Any, tx: Any, warehouse: str, whole: Iterable[str]) -> None:
        for row in opened.ledger.exceptions.open_of(tx, "feed_shrank", warehouse):
            if set(row.evidence.get("facilities", ())) <= set(whole):
                opened.ledger.exceptions.resolve(tx, row.exception_id, stock_feed.ACTOR, "A full statement arrived.")

    garden.put(stock_feed, "_settle_shrunk", settle)


@bug
def what_a_whole_statement_leaves_out_is_still_there(garden: Garden) -> None:
    """Silence says nothing, also in a whole statement."""
    real = garden.put(positions.Merging, "merge", lambda self, facility, known, is_whole, spared=None: real(self, facility, known, False, spared))


@bug
def a_document_counts_whenever_it_happened(garden: Garden) -> None:
    """A receipt that the statement knows of already is added to it."""
    garden.put(stock, "Change", lambda version, change, unit: Change((version[0].replace(year=2999), version[1]), change, unit))


@bug
def what_the_warehouse_was_asked_for_is_sold_again(garden: Garden) -> None:
    """Orders that are at the warehouse since its last statement are not taken off."""
    garden.put(Stock, "asked", lambda self, tx, warehouse, since, acknowledges: [])


@bug
def what_the_warehouse_was_asked_for_is_taken_off_for_ever(garden: Garden) -> None:
    """Also where a statement has counted it."""
    garden.put(stock_rules, "unseen", lambda line, as_of, by_hand: line.quantity)


@bug
def a_share_is_rounded_up(garden: Garden) -> None:
    """Of an odd number one more is sold than the shop's part."""
    def figure(selling: Selling, location: str, *more: Any) -> Any:
        was = selling.locations[location]
        selling.locations[location] = [(place, share + 1 if share < 100 else share) for place, share in was]
        try:
            return real(selling, location, *more)
        finally:
            selling.locations[location] = was

    real = garden.put(stock_rules, "_figure", figure)


@bug
def every_shop_may_sell_all_of_a_place(garden: Garden) -> None:
    """Shares are not looked at."""
    def all_of_it(self: Selling, *args: Any) -> None:
        real(self, *args)
        self.locations = {location: [(place, 100) for place, _ in places] for location, places in self.locations.items()}

    real = garden.put(Selling, "__init__", all_of_it)


@bug
def a_kit_is_as_many_as_its_first_part(garden: Garden) -> None:
    """The other components are not looked at."""
    real = garden.put(Selling, "components", lambda self, warehouse, sku: real(self, warehouse, sku)[:1])


@bug
def a_kit_takes_one_of_each(garden: Garden) -> None:
    """How many of a component it needs is forgotten."""
    real = garden.put(Selling, "components", lambda self, warehouse, sku: [(part, 1) for part, _ in real(self, warehouse, sku)])


@bug
def a_percentage_is_rounded_down(garden: Garden) -> None:
    """One too few is kept back."""
    real = garden.put(Safety, "__call__", lambda self, sku, sellable: _down(real(self, sku, sellable), self._rows.get(sku, self._any), sellable))


def _down(kept: tuple[int, str], row: Any, sellable: int) -> tuple[int, str]:
    return (sellable * int(row["value"]) // 100, "percent") if kept[1] == "percent" else kept


@bug
def the_rule_for_all_wins_over_the_skus_own(garden: Garden) -> None:
    """Safety stock of a SKU that has a row of its own."""
    real = garden.put(Safety, "__call__", lambda self, sku, sellable: real(self, "*" if self._any else sku, sellable))


@bug
def what_moved_on_while_a_figure_was_told_is_not_owed(garden: Garden) -> None:
    """Told is told."""
    garden.put(desired, "_TOLD", desired._TOLD.values(is_owed=False))


@bug
def figures_are_believed_without_a_look(garden: Garden) -> None:
    """A group in doubt counts as shown."""
    garden.put(Inventory, "find", lambda self, claimed: Receipt(f"location {claimed.payload['location']}", {}))


@bug
def a_group_is_there_when_a_part_of_it_is(garden: Garden) -> None:
    """Zeros agree by chance."""
    def find(self: Inventory, claimed: Any) -> Any:
        wanted = {item["sku"]: item["quantity"] for item in claimed.payload["items"]}
        shown = {sku: item.total_inventory_onhand for page in self._items(claimed.payload["location"], list(wanted)) for sku, item in page.items()}
        return Receipt("there", {}) if any(shown.get(sku) == quantity for sku, quantity in wanted.items()) else None

    garden.put(Inventory, "find", find)


@bug
def a_lost_write_is_never_noticed(garden: Garden) -> None:
    """Nobody compares what the shop shows."""
    garden.put(stock_watch, "compare_shown", lambda *_: [])
    garden.put(drift_stock, "compare_shown", lambda *_: [])


@bug
def nothing_is_owed_again(garden: Garden) -> None:
    """A lost write is named, and stays lost."""
    garden.put(DesiredStock, "owe_again", lambda self, tx, connection, keys: 0)


@bug
def a_figure_that_somebody_typed_in_is_overwritten(garden: Garden) -> None:
    """Every difference is taken for a lost write."""
    every = {"none": (), "lost_writes": ("lost_write", "manual_edit", "unexplained"), "all": ("lost_write",)}
    garden.put(stock_watch, "REPAIRS", every)
    garden.put(drift_stock, "REPAIRS", every)


@bug
def damaged_goods_of_a_receipt_go_on_sale(garden: Garden) -> None:
    """What a receipt sets apart is added to what may be sold."""
    def for_sale(line: Any, where: Any) -> int:
        own, conditions = mapping_receipt._split(line, where)
        return mapping_receipt.whole_and_positive(own[0], 1) + sum(units for _, units in conditions)

    garden.put(mapping_receipt, "_for_sale", for_sale)


@bug
def a_breakage_is_added(garden: Garden) -> None:
    """An adjustment loses its sign."""
    real = garden.put(mapping_stock, "_adjusted", lambda *args: (row := real(*args)) | {"change": abs(row["change"])})


@bug
def two_feeds_overtake_each_other(garden: Garden) -> None:
    """Positions are written without a look at whether they still are what they were made of."""
    real = garden.put(Stock, "move_feed", lambda self, tx, warehouse, facility, expected, values: real(self, tx, warehouse, facility, next(
        (row.positions for place, row in self.feeds(tx, warehouse).items() if place == facility), ""), values))


@bug
def a_restored_ledger_goes_on_as_if_nothing_had_been(garden: Garden) -> None:
    """Neither control numbers nor fences jump ahead."""
    garden.put(Effects, "jump_ahead", lambda self, tx, numbers, fences, quiet_seconds=0, streams=(): 0)


@bug
def what_was_filed_away_since_the_backup_is_lost(garden: Garden) -> None:
    """Files that the restored ledger never saw stay in the archive."""
    garden.put(Gxo, "put_back", lambda self, is_known: 0)


@bug
def figures_are_not_told_again_after_a_restore(garden: Garden) -> None:
    """What the shop was told since the backup is taken for what the backup says."""
    real = garden.put(DesiredStock, "owe_again", lambda self, tx, connection, keys: 0 if len(keys := list(keys)) >= 4 else real(self, tx, connection, keys))


@bug
def what_was_owed_at_the_backup_is_sent_blindly_after_it(garden: Garden) -> None:
    """Numbers and fences jump, and nothing goes into doubt."""
    def jump(self: Effects, tx: Any, numbers: int, fences: int, quiet_seconds: float = 0, streams: Iterable[str] = ()) -> int:
        planned = list(tx.execute(sa.select(effect.c.effect_id).where(effect.c.state == "PLANNED")).scalars())
        came = real(self, tx, numbers, fences, quiet_seconds, streams)
        tx.execute(sa.update(effect).where(effect.c.effect_id.in_(planned)).values(state="PLANNED", not_before=self._clock.now(), sent_at=None, doubted_at=None))
        return came

    real = garden.put(Effects, "jump_ahead", jump)


@bug
def streams_that_the_backup_does_not_know_begin_again(garden: Garden) -> None:
    """Found in the product by seed 22: the first control number was drawn after the backup."""
    real = garden.put(Effects, "jump_ahead", lambda self, tx, numbers, fences, quiet_seconds=0, streams=(): real(self, tx, numbers, fences, quiet_seconds))


# what a bug needs to be seen at all: worlds that are about something, or a fault that every world has
RESTORES = (
    "a_restored_ledger_goes_on_as_if_nothing_had_been", "what_was_filed_away_since_the_backup_is_lost",
    "figures_are_not_told_again_after_a_restore", "what_was_owed_at_the_backup_is_sent_blindly_after_it",
    "streams_that_the_backup_does_not_know_begin_again")
ABOUT = planted_returns.ABOUT | dict.fromkeys((
    "an_older_statement_wins", "a_partial_statement_is_taken_for_a_whole_one",
    "a_feed_that_lost_half_is_believed", "safety_stock_is_forgotten",
    "safety_stock_goes_below_zero", "orders_that_wait_are_sold_again",
    "documents_between_statements_are_ignored", "a_cancel_puts_goods_on_sale_and_nobody_looks",
    "figures_are_told_without_their_group", "a_late_statement_settles_a_newer_one_that_was_refused",
    "what_a_whole_statement_leaves_out_is_still_there", "a_document_counts_whenever_it_happened",
    "what_the_warehouse_was_asked_for_is_sold_again", "what_the_warehouse_was_asked_for_is_taken_off_for_ever",
    "a_share_is_rounded_up", "every_shop_may_sell_all_of_a_place",
    "a_kit_is_as_many_as_its_first_part", "a_kit_takes_one_of_each",
    "a_percentage_is_rounded_down", "the_rule_for_all_wins_over_the_skus_own",
    "what_moved_on_while_a_figure_was_told_is_not_owed", "figures_are_believed_without_a_look",
    "a_group_is_there_when_a_part_of_it_is", "a_lost_write_is_never_noticed",
    "nothing_is_owed_again", "a_figure_that_somebody_typed_in_is_overwritten",
    "damaged_goods_of_a_receipt_go_on_sale", "a_breakage_is_added",
    "two_feeds_overtake_each_other"), "stock") | {"figures_are_not_told_again_after_a_restore": "stock"}
WITH = dict.fromkeys(RESTORES, Scenario(weights=(("F20", 1.0),))) | {
    "a_figure_that_somebody_typed_in_is_overwritten": Scenario(themes=("orders", "stock", "drift")),
    "a_feed_that_lost_half_is_believed": Scenario(weights=(("F27", 0.1),)), **dict.fromkeys(("figures_are_believed_without_a_look", "a_group_is_there_when_a_part_of_it_is"), Scenario(weights=(("F2", 0.05), ("F6", 0.05)))),
    "what_moved_on_while_a_figure_was_told_is_not_owed": Scenario(weights=(("F3", 0.08), ("F7", 0.08)))}
