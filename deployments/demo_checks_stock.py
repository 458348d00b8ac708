"""The demo's judge of stock, returns and money: the sandboxes' own books against the ledger and against each other.

What should be shown, returned and paid is worked out here anew, from the books and the demo's own lists, not with the flows' rules.
"""

from collections import Counter, defaultdict
from decimal import Decimal
from functools import cached_property
from typing import Any

from deployments.demo_checks import Evidence, Found
from deployments.demo_returns import FORGOTTEN_GRADE, GRADES
from deployments.demo_stock import KEPT_BACK, LOCATION
from deployments.demo_world import UNTRACKED_ONE_IN, one_in

WORTH = {grade: Decimal(percent) / 100 for grade, (percent, _) in GRADES.items()} | {FORGOTTEN_GRADE: Decimal("0.5")}
A_PENNY = Decimal("0.01")


class Goods:
    """Stock, returns and money as the books have them."""

    def __init__(self, e: Evidence) -> None:
        self.e, self.shown = e, e.books.storefront["stock"].get(int(LOCATION), e.books.storefront["stock"].get(LOCATION, {}))

    @cached_property
    def free(self) -> Counter[str]:
        """What lies at the site and is promised to nobody, both facilities together."""
        found: Counter[str] = Counter()
        for skus in self.e.books.warehouse["stock"].values():
            for sku, place in skus.items():
                found[sku] += place["free"]
        return found

    @cached_property
    def promised(self) -> Counter[str]:
        """What customers have bought and the site does not know of: the goods of orders that wait for a person."""
        found: Counter[str] = Counter()
        for number, order in self.e.orders.items():
            if order["status_id"] in (11, 3) and not self.e.live(str(number)):
                for line in self.e.goods(order).values():
                    found[line["sku"].strip()] += line["quantity"] - line["quantity_shipped"]
        return found

    @cached_property
    def refunded(self) -> dict[int, Decimal]:
        """Money that went back, by order."""
        sums: dict[int, Decimal] = defaultdict(Decimal)
        for refund in self.e.books.storefront["refunds"]:
            if not any(payment.get("is_declined") for payment in refund["payments"]):
                sums[refund["order_id"]] += Decimal(str(refund["total_amount"]))
        return sums

    @cached_property
    def paid(self) -> dict[int, Decimal]:
        """Money that came in, by order."""
        sums: dict[int, Decimal] = defaultdict(Decimal)
        for one in self.e.books.storefront["transactions"]:
            if one["event"] in ("purchase", "capture") and one.get("success", True):
                sums[int(one["order_id"])] += Decimal(str(one["amount"]))
        return sums

    @cached_property
    def came_back(self) -> list[dict[str, Any]]:
        """The site's receipts of returned goods."""
        return self.e.books.warehouse["returns"]

    def order_of(self, reference: str) -> int:
        """The storefront's order under that reference; 0 when there is none."""
        return next((int(copy["storefront_order"]) for copy in self.e.at_warehouse.get(reference, [])), 0)


def storefront_shows_what_is_there(e: Evidence, found: Found) -> None:
    """13: free units, less what was bought and is not known there, less what is kept back; never below zero."""
    goods = Goods(e)
    for sku, units in goods.free.items():
        if sku not in goods.shown or one_in(UNTRACKED_ONE_IN, sku, "tracking"):
            continue
        should = max(0, units - goods.promised[sku] - KEPT_BACK)
        found.look(goods.shown[sku]["on_hand"] == should, f"{sku}: shown {goods.shown[sku]['on_hand']}, there are {units}, promised {goods.promised[sku]}")


def older_stock_never_wins(e: Evidence, found: Found) -> None:
    """11: for each SKU, the versions that were sent never go back."""
    last: dict[tuple[str, str], tuple[str, int]] = {}
    for row in sorted(e.effects, key=lambda row: row.sequence):
        if row.kind == "stock_update" and row.state == "CONFIRMED":
            for item in row.payload["items"]:
                key, version = (row.payload["location"], item["sku"]), (item["as_of"], item["sequence"])
                found.look(version >= last.get(key, version), f"{key}: {version} after {last.get(key)}")
                last[key] = version


def every_return_is_refunded_or_on_a_desk(e: Evidence, found: Found) -> None:
    """R1-R3: nothing that came back is forgotten: it is in the book, and paid, worth nothing, or somebody's to look at."""
    lines = {(row.document_id, row.line): row for row in e.house.ledger.table("return_line").itertuples()}
    refunds = {row.effect_id: row for row in e.effects if row.kind == "refund"}
    told = {number for row in e.exceptions for number in (row.evidence.get("document"), row.evidence.get("document_id")) if number}
    for document in Goods(e).came_back:
        for number, line in enumerate(document["lines"], 1):
            row = lines.get((document["number"], number))
            paid = row is not None and bool(row.refund_effect) and refunds.get(row.refund_effect) is not None and refunds[row.refund_effect].state == "CONFIRMED"
            found.look(row is not None and (paid or not WORTH[line["grade"]] or document["number"] in told),
                       f"{document['number']} line {number} ({line['sku']}): {row.state if row is not None else 'not in the book'}")


def refunds_stay_within_what_came_back(e: Evidence, found: Found) -> None:
    """23: per order, units refunded are within what its parcels brought back, and money within what they are worth."""
    goods = Goods(e)
    chosen = {row.document_id: int(row.order_id) for row in e.house.ledger.table("return_line").itertuples() if row.order_id}
    worth: dict[int, Decimal] = defaultdict(Decimal)
    for document in goods.came_back:
        order_id = goods.order_of(document["reference"]) or chosen.get(document["number"], 0)
        if order_id not in e.orders:
            continue
        prices = {line["sku"].strip(): Decimal(str(line["price"])) for line in e.orders[order_id]["lines"].values()}
        worth[order_id] += sum((prices.get(line["sku"], Decimal()) * line["quantity"] * WORTH[line["grade"]] for line in document["lines"]), Decimal())
    for order_id, amount in goods.refunded.items():
        found.look(amount <= worth[order_id] + A_PENNY * len(goods.came_back), f"order {order_id}: refunded {amount}, what came back is worth {worth[order_id]}")


def refunds_never_exceed_what_was_paid(e: Evidence, found: Found) -> None:
    """23: money."""
    goods = Goods(e)
    for order_id, amount in goods.refunded.items():
        found.look(amount <= goods.paid[order_id], f"order {order_id}: refunded {amount} of {goods.paid[order_id]}")


def each_refund_is_made_once(e: Evidence, found: Found) -> None:
    """23: one refund at the storefront for each effect that says so, and none besides."""
    confirmed = Counter(row.remote_id for row in e.effects if row.kind == "refund" and row.state == "CONFIRMED")
    there = Counter(str(refund["id"]) for refund in e.books.storefront["refunds"])
    for refund_id in confirmed.keys() | there.keys():
        found.look(confirmed[refund_id] == there[refund_id] == 1, f"refund {refund_id}: {confirmed[refund_id]} confirmed, {there[refund_id]} at the storefront")


def every_order_has_one_verdict(e: Evidence, found: Found) -> None:
    """F3, F5: the period's statement has every order once, and its money is the storefront's."""
    rows = e.house.ledger.table("reconciliation")
    verdicts, goods = Counter(rows["order_id"]), Goods(e)
    for number in e.orders:
        found.look(verdicts[str(number)] == 1, f"order {number} has {verdicts[str(number)]} verdicts")
    for column, book in (("paid_minor", goods.paid), ("refunded_minor", goods.refunded)):
        ours, theirs = int(rows[column].sum()), int(sum(book.values(), Decimal()) * 100)
        found.look(ours == theirs, f"{column}: the statement has {ours}, the storefront {theirs}")


def a_healthy_world_shows_no_drift(e: Evidence, found: Found) -> None:
    """M3: before anybody meddled, the three agree about every order and every figure, but for what a person has on the desk already."""
    now = {(row.about, row.record.split(" ")[0] if row.about != "stock" else row.record): row for row in e.house.ledger.table("drift").itertuples()
           if (row.ended_at != row.ended_at or row.ended_at is None) and row.cause not in ("late", "unmapped")}
    for number in e.orders:
        for about in ("order", "tracking"):
            row = now.get((about, str(number)))
            found.look(row is None or bool(e.open_types(str(number))), f"{about} {number}: {row and row.cause}")
    for sku in Goods(e).shown:
        row = now.get(("stock", f"{LOCATION} {sku}"))
        found.look(row is None, f"stock {sku}: {row and row.cause}")


CHECKS = (
    storefront_shows_what_is_there, older_stock_never_wins, every_return_is_refunded_or_on_a_desk, refunds_stay_within_what_came_back,
    refunds_never_exceed_what_was_paid, each_refund_is_made_once, every_order_has_one_verdict, a_healthy_world_shows_no_drift,
)
