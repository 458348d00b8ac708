"""Bugs that somebody could make in returns and refunds, planted one at a time. `python -m tests.simulation.planted 14 NAME` looks for them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from connectors.bigcommerce.refunds import RefundDesk
from connectors.gxo import mapping_receipt
from tasks import desk, refund_gates, refunds, refunds_seen, returned, returns, rmas
from tasks.rules import refunds as refund_rules
from tasks.rules.returned_units import ReturnedUnits
from tasks.rules.returns import Whose
from tests.simulation.garden import Garden, bug


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
def a_return_needs_no_approval(garden: Garden) -> None:
    """The rule that asks for one is not looked at."""
    garden.put(refund_gates, "_approval", lambda *_: None)


@bug
def a_refused_return_is_refunded(garden: Garden) -> None:
    """A person said no; the goods came all the same."""
    garden.put(refund_gates, "REFUSED", "never so")
    garden.put(rmas, "_refuse", lambda *_: None)


@bug
def who_approves_the_return_approves_its_refund(garden: Garden) -> None:
    """One person can pay anybody."""
    class Anybody(str):
        def strip(self, *_: Any) -> str:
            return self

        def casefold(self) -> str:
            return "nobody who approved a return"

    real = garden.put(desk, "approve_refund", lambda opened, exception_id, actor, reason: real(opened, exception_id, Anybody(actor), reason))


@bug
def the_limit_of_refunds_is_forgotten(garden: Garden) -> None:
    """Any amount is paid without a person's word."""
    real = garden.put(refunds, "decide", lambda order, lines, pieces, money, limit=None, is_approved=False: real(order, lines, pieces, money, None, is_approved))


@bug
def the_limit_looks_at_each_refund_alone(garden: Garden) -> None:
    """What was refunded of the order before does not count."""
    real = garden.put(refunds, "money_of", lambda *args: replace(real(*args), ours_minor=0))


@bug
def the_cap_is_not_looked_at(garden: Garden) -> None:
    """Whatever the shop quotes is paid."""
    real = garden.put(RefundDesk, "_paid_out", lambda self, payload, quoted, at: real(self, payload.model_copy(update={"cap_minor": 10**9}), quoted, at))


@bug
def what_the_shop_refunded_itself_is_refunded_again(garden: Garden) -> None:
    """Others' refunds are not set against what comes back."""
    garden.put(refunds, "without_refunded", lambda pieces, by_others, counted: (pieces, []))


@bug
def a_favour_of_the_shop_pays_for_every_return(garden: Garden) -> None:
    """Others' refunds are set against each return anew."""
    real = garden.put(refunds, "without_refunded", lambda pieces, by_others, counted: real(pieces, by_others, {}))


@bug
def a_declined_refund_counts_as_paid(garden: Garden) -> None:
    """What the provider did not pay out is taken for money that left: there is nothing left to try again with."""
    real = garden.put(refunds, "money_of", lambda order, payments, shown, ours: real(order, payments, [row | {"is_declined": False} for row in shown], ours))


@bug
def the_next_refund_does_not_wait_for_the_one_before(garden: Garden) -> None:
    """Reckoned on amounts that are not known yet."""
    garden.put(refunds, "_is_under_way", lambda *_: False)


@bug
def a_discount_is_given_back_too(garden: Garden) -> None:
    """A line is worth what it lists, not what was paid for it."""
    garden.put(refund_rules, "line_money", lambda order, lines: {line["line_id"]: line["total_minor"] for line in lines})


@bug
def postage_is_spread_over_the_goods(garden: Garden) -> None:
    """A half-worn thing gives back a part of its postage."""
    def all_of_it(order: Any, lines: list[Any]) -> dict[str, int]:
        listed = sum(line["total_minor"] for line in lines)
        return {line["line_id"]: order["total_minor"] * line["total_minor"] // listed for line in lines} if listed else {}

    garden.put(refund_rules, "line_money", all_of_it)


@bug
def the_best_part_of_a_kit_says_what_it_is_worth(garden: Garden) -> None:
    """Mixed grades count as the better one."""
    real = garden.put(refund_gates, "_judge", lambda opened, tx, order, lines, line, piece, rules: _by_the_best(
        real(opened, tx, order, lines, line, piece, rules), [rules.return_rule(order[0], line.warehouse, grade) for grade in piece["grades"]]))


def _by_the_best(judged: Any, terms: list[Any]) -> Any:
    return (max(int(rule["refund_percent"]) for rule in terms), None) if judged[0] is not None else judged


@bug
def every_unit_counts_as_the_first(garden: Garden) -> None:
    """Where a piece begins is forgotten: the odd penny goes back with each of them."""
    real = garden.put(ReturnedUnits, "_make_whole", lambda self, goods: [replace(due, first=0) for due in real(self, goods)])


@bug
def more_comes_back_than_was_shipped_and_is_paid(garden: Garden) -> None:
    """Nobody counts what had left."""
    real = garden.put(ReturnedUnits, "__init__", lambda self, lines, placed=(): real(self, [line | {"advised": 1000 * line["factor"]} for line in lines], placed))


@bug
def a_part_of_a_kit_pays_for_the_kit(garden: Garden) -> None:
    """The first component that comes makes it whole."""
    real = garden.put(ReturnedUnits, "_make_whole", lambda self, goods: _by_its_first_part(real, self, goods))


def _by_its_first_part(real: Any, units: ReturnedUnits, goods: tuple[str, str]) -> Any:
    keys = units._goods[goods]
    units._goods[goods] = sorted(keys, key=lambda key: -(units._count[key] // units._lines[key]["factor"]))[:1]
    try:
        return real(units, goods)
    finally:
        units._goods[goods] = keys


@bug
def a_return_is_announced_in_the_shops_units(garden: Garden) -> None:
    """A kit of three pieces is announced as one of each."""
    real = garden.put(rmas, "_notice_lines", lambda opened, tx, row, reference: [
        line.model_copy(update={"quantity": next(one["quantity"] for one in row.lines)}) for line in real(opened, tx, row, reference)])


@bug
def an_approval_is_not_announced(garden: Garden) -> None:
    """The warehouse does not know what to do with the parcel."""
    garden.put(rmas, "_announce", lambda *_: None)


@bug
def what_is_announced_may_be_announced_again(garden: Garden) -> None:
    """Two return labels for one unit."""
    def room(opened: Any, tx: Any, order: tuple[str, str]) -> dict[str, int]:
        places = {request.warehouse for request in opened.ledger.books.requests_of(tx, *order)}
        return {line_id: units for warehouse in sorted(places) for line_id, units in returned.counted(opened, tx, warehouse, order).shipped().items()}

    garden.put(rmas, "_room", room)


@bug
def returned_goods_wait_for_the_next_statement(garden: Garden) -> None:
    """The site has put them on sale, and we do not."""
    garden.put(mapping_receipt, "sale_changes", lambda returned, grades, sequence: [])


@bug
def a_return_that_nobody_knows_is_filed_away(garden: Garden) -> None:
    """No order, no exception."""
    garden.put(returns, "_unmatched", lambda opened, tx, warehouse, rows, why: returns.Finding("return_unmatched", warehouse, "", "return_unmatched:all", {"lines": [], "document": ""}))


@bug
def a_refund_that_is_declined_later_is_not_seen(garden: Garden) -> None:
    """Nobody looks back further than the newest refund."""
    garden.put(refunds_seen, "LOOK_BACK", timedelta(0))
    real = garden.put(refunds_seen, "_window", lambda opened, storefront, unproven: _from_the_newest(opened, storefront, real(opened, storefront, unproven)))


def _from_the_newest(opened: Any, storefront: str, window: Any) -> Any:
    with opened.ledger.transaction() as tx:
        reached = opened.ledger.watermarks.read(tx, f"{storefront} refunds")
    return window if reached is None else replace(window, since=max(window.since, reached + timedelta(seconds=1)))


@bug
def an_announced_return_takes_any_number_of_units(garden: Garden) -> None:
    """What comes under an approval is approved, however many were announced."""
    def under(new: Any, named: str, known: Any, taken: Any) -> Any:
        found = [row for row in known if row["state"] != "refused"] or [row for row in known if row["rma"] == named]
        return [piece | {"rma": found[0]["rma"]} if found else piece for piece in new]

    garden.put(returns, "under", under)


# all of them want worlds with returns
ABOUT = dict.fromkeys((
    "a_refund_is_made_twice", "more_is_refunded_than_came_back",
    "cents_are_rounded_piece_by_piece", "goods_are_back_on_sale_before_anybody_graded_them",
    "a_return_without_an_order_is_given_to_somebody", "the_warehouse_hears_of_a_return_before_it_is_approved",
    "nobody_hears_that_a_refund_was_declined", "a_return_needs_no_approval",
    "a_refused_return_is_refunded", "who_approves_the_return_approves_its_refund",
    "the_limit_of_refunds_is_forgotten", "the_limit_looks_at_each_refund_alone",
    "the_cap_is_not_looked_at", "what_the_shop_refunded_itself_is_refunded_again",
    "a_favour_of_the_shop_pays_for_every_return", "a_declined_refund_counts_as_paid",
    "the_next_refund_does_not_wait_for_the_one_before", "a_discount_is_given_back_too",
    "postage_is_spread_over_the_goods", "the_best_part_of_a_kit_says_what_it_is_worth",
    "every_unit_counts_as_the_first", "more_comes_back_than_was_shipped_and_is_paid",
    "a_part_of_a_kit_pays_for_the_kit", "a_return_is_announced_in_the_shops_units",
    "an_approval_is_not_announced", "what_is_announced_may_be_announced_again",
    "returned_goods_wait_for_the_next_statement", "a_return_that_nobody_knows_is_filed_away",
    "a_refund_that_is_declined_later_is_not_seen", "an_announced_return_takes_any_number_of_units"), "returns")
