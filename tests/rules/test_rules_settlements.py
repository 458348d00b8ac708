"""What a settlement's amounts are made into: nothing lost, nothing counted twice, nothing guessed."""

import random
from datetime import timedelta

import pytest

from contracts.settled import PARTS
from tasks.rules.settlements import Types, attributed, items, part_of, sums
from tests.settlements.amounts import BEGAN, KINDS, SHOP, Statement, row, sale

LAUNCHED = {"connection": "*", "transaction_type": "novelty fee", "amount_type": "*", "amount_description": "launched*", "category": "account_fee", "level": "account"}


def _made(*rows, types=()):
    found = attributed(Statement("s1", rows).rows(), SHOP, Types(types))
    return sums(found, SHOP, BEGAN), items(found, SHOP, BEGAN)


def test_the_sums_and_the_items_hold_every_amount_once():
    dice = random.Random(11)
    for _ in range(20):
        rows = [row(dice.choice(list(KINDS)), dice.randint(-9999, 9999), dice.choice(("", "A", "B")), dice.uniform(0, 14), item=dice.choice(("", "1", "2")),
                    fine=dice.choice((0, 0, 999_999, -5))) for _ in range(40)]
        by_kind, by_item = _made(*rows)
        fines = sum(one["amount_fine"] for one in rows)
        assert sum(one["amount_minor"] for one in by_kind) * 1_000_000 + sum(one["amount_fine"] for one in by_kind) == sum(one["amount_minor"] for one in rows) * 1_000_000 + fines
        assert sum(one["rows"] for one in by_kind) == len(rows)
        tied = [one for one in rows if one["order_id"] and one["level"] in ("order_line", "order", "unknown")]
        assert sum(one["net_minor"] for one in by_item) == sum(one["amount_minor"] for one in tied)
        assert all(sum(one[f"{part}_minor"] for part in PARTS) == one["net_minor"] for one in by_item)


def test_an_item_has_its_price_postage_tax_fees_and_units_in_columns_of_their_own():
    (one,) = _made(*sale("A", "1", 1000, units=3, tax=200, postage=350, fee=150), row("promotion", -100, "A", item="1"))[1]
    assert {part: one[f"{part}_minor"] for part in PARTS if one[f"{part}_minor"]} == {"principal": 1000, "shipping": 350, "tax": 200, "withheld": -200, "fees": -150, "promotion": -100}
    assert (one["quantity"], one["net_minor"], one["fulfilment"]) == (3, 1100, "merchant")


def test_a_refund_is_what_the_customer_got_back_promotions_included_and_no_sale():
    rows = [row("refund", -1000, "A", item="1", day=9), row("refund tax", -200, "A", item="1", day=10), row("refund commission", 120, "A", item="1"),
            row("promotion", 100, "A", item="1", adjustment_id="adj")]
    (one,) = _made(*rows)[1]
    assert (one["refunded_minor"], one["fees_minor"], one["promotion_minor"], one["quantity"]) == (-1100, 120, 0, 0)
    assert one["refunded_at"] == BEGAN + timedelta(days=10)


def test_an_unknown_kind_is_in_suspense_until_somebody_says_what_it_is_and_only_that_changes():
    rows = [*sale("A", "1", 1000, fee=150), row("strange", -77, day=2), row("strange", -23, day=3, transaction_type="NOVELTY FEE ")]
    before, after = _made(*rows)[0], _made(*rows, types=[LAUNCHED])[0]
    assert [(one["account"], one["level"], one["known_by"], one["amount_minor"]) for one in before if one["transaction_type"] == "novelty fee"] == [
        ("Suspense: kind not known", "unknown", "nobody", -77), ("Suspense: kind not known", "unknown", "nobody", -23)]
    assert [(one["account"], one["level"], one["known_by"], one["amount_minor"]) for one in after if one["transaction_type"] == "novelty fee"] == [
        ("Selling fees", "account", "rule", -77), ("Selling fees", "account", "rule", -23)]
    assert [one for one in before if one["transaction_type"] != "novelty fee"] == [one for one in after if one["transaction_type"] != "novelty fee"]


def test_people_never_overrule_the_catalogue():
    rule = LAUNCHED | {"transaction_type": "order", "amount_description": "*"}
    assert _made(*sale("A", "1", 1000), types=[rule]) == _made(*sale("A", "1", 1000))


def test_the_most_particular_rule_wins_whatever_the_order_and_another_connections_never_does():
    particular = LAUNCHED | {"amount_type": "other-transaction", "amount_description": "launched yesterday", "category": "advertising"}
    other = particular | {"connection": "market-de", "category": "fee"}
    for rules in ([LAUNCHED, particular, other], [other, particular, LAUNCHED]):
        assert Types(rules).find(SHOP, ("novelty fee", "other-transaction", "launched yesterday")) == ("advertising", "account")
    assert Types([other]).find(SHOP, ("novelty fee", "other-transaction", "launched yesterday")) is None


def test_an_amount_of_an_order_without_its_number_is_known_and_not_explained():
    by_kind, by_item = _made(row("price", 500, ""))
    assert [(one["known_by"], one["is_explained"]) for one in by_kind] == [("catalogue", False)] and by_item == []


@pytest.mark.parametrize(("words", "part"), [("principal itemprice", "principal"), ("shippingtax itemprice", "tax"), ("giftwrap itemprice", "shipping"), ("gift wrap x", "shipping")])
def test_sales_are_told_apart_by_their_description(words, part):
    assert part_of("revenue_or_tax", "order_line", words) == part


def test_rows_without_a_date_count_on_the_settlements_last_day():
    rows = [row("subscription", -30) | {"posted_at": None}]
    assert [one["posted_on"] for one in _made(*rows)[0]] == ["2026-01-01"]
