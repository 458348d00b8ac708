"""What money must be: worked out anew from prices, grades and what came back, not with the flows' rules (invariants 23, 25)."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from deployments.demo_checks import Evidence
from deployments.simulation.world import KITS, REFUND_LIMIT, WORTH

WORTH_OF = WORTH | {"U": 50, "": 0}


def each_refund_is_made_once(world: Any, e: Evidence) -> Iterator[str]:
    """23: one refund at the storefront for each effect that says so; and none of ours that no effect knows."""
    confirmed = Counter(row.remote_id for row in e.effects if row.kind == "refund" and row.state == "CONFIRMED" and row.remote_id)
    ours = Counter(str(refund["id"]) for refund in e.books.storefront["refunds"] if effect_of(refund) and not is_declined(refund))
    yield from (f"refund {one} of order {_order(e, one)}: {confirmed[one]} confirmed, {ours[one]} at the storefront"
                for one in confirmed.keys() | ours.keys() if ours[one] > 1 or confirmed[one] > 1 or ours[one] and not confirmed[one])
    for effect_id, times in Counter(effect_of(refund) for refund in e.books.storefront["refunds"] if effect_of(refund) and not is_declined(refund)).items():
        if times > 1:
            yield f"{effect_id} was refunded {times} times"


def refunds_stay_within_what_was_paid(world: Any, e: Evidence) -> Iterator[str]:
    """23: money, in exact decimals."""
    paid: dict[int, Decimal] = defaultdict(Decimal)
    back: dict[int, Decimal] = defaultdict(Decimal)
    for one in e.books.storefront["transactions"]:
        if one["event"] in ("purchase", "capture"):
            paid[int(one["order_id"])] += Decimal(str(one["amount"]))
    for refund in e.books.storefront["refunds"]:
        if not is_declined(refund):
            back[refund["order_id"]] += Decimal(str(refund["total_amount"]))
    yield from (f"order {order}: {amount} refunded of {paid[order]}" for order, amount in back.items() if amount > paid[order])


def refunds_stay_within_what_came_back(world: Any, e: Evidence) -> Iterator[str]:
    """23: of no line more units are refunded by us than came back, and none that was not shipped."""
    came: dict[int, Counter[str]] = defaultdict(Counter)
    for document in e.books.warehouse["returns"]:
        for line in document["lines"]:
            came[world.came_back.get(document["number"], 0)][line["sku"]] += line["quantity"]
    refunded: dict[int, Counter[str]] = defaultdict(Counter)
    for refund in e.books.storefront["refunds"]:
        if effect_of(refund) and not is_declined(refund) and refund["order_id"] in e.orders:
            for item in refund["items"]:
                line = e.orders[refund["order_id"]]["lines"].get(item["item_id"])
                for part, count in KITS.get(line["sku"], {line["sku"]: 1}).items() if line else ():
                    refunded[refund["order_id"]][part] += count * item["quantity"]
    for order, parts in refunded.items():
        for part, units in parts.items():
            if units > came[order][part]:
                yield f"order {order}: {units} of {part} are refunded, {came[order][part]} came back"


def refunds_are_worth_what_the_grade_says(world: Any, e: Evidence) -> Iterator[str]:
    """23, 25: to the minor unit: the parts of a line sum to the whole, a grade of 50 % is half, and a discount of the order is taken off in proportion.

    What is paid at 100 % is what the shop quotes; that may round a discount to its own penny.
    """
    amounts = {str(refund["id"]): Decimal(str(refund["total_amount"])) * 100 for refund in e.books.storefront["refunds"]}
    pieces: dict[str, list[dict[str, Any]]] = defaultdict(list)
    order_of: dict[str, int] = {}
    for line in e.house.ledger.table("return_line").itertuples():
        for piece in line.dues:
            if piece["effect"]:
                pieces[piece["effect"]].append(piece)
                order_of[piece["effect"]] = int(line.order_id)
    for row in e.effects:
        if row.kind != "refund" or row.state != "CONFIRMED" or row.remote_id not in amounts or row.effect_id not in pieces:
            continue
        order, dues = e.orders[order_of[row.effect_id]], pieces[row.effect_id]
        discount = Decimal(str(world.discounts.get(order_of[row.effect_id], "0"))) * 100
        paid_for = _paid_for(order, int(discount))
        due = sum(_worth(order, piece, paid_for) for piece in dues)
        is_quoted = discount and all(_percent(piece) == 100 for piece in dues if _percent(piece))
        if amounts[row.remote_id] != due and not (is_quoted and abs(amounts[row.remote_id] - due) <= sum(1 for _ in dues)):
            yield f"order {order_of[row.effect_id]}: {row.effect_id} paid {amounts[row.remote_id]}, {due} is due"


def _paid_for(order: dict[str, Any], discount: int) -> dict[int, int]:
    """{line: pence that were paid for it}: what it lists, less its part of the discount; odd pence to the largest remainders."""
    listed = {line_id: int(line["price"] * line["quantity"] * 100) for line_id, line in order["lines"].items()}
    gross = sum(listed.values())
    goods = max(0, gross - discount)
    shares = {line_id: goods * units // gross if gross else 0 for line_id, units in listed.items()}
    for line_id in sorted(listed, key=lambda one: (-(goods * listed[one] % gross if gross else 0), str(one)))[:goods - sum(shares.values())]:
        shares[line_id] += 1
    return shares


def _percent(piece: dict[str, Any]) -> int:
    return min(WORTH_OF.get(grade, 0) for grade in piece["grades"])


def _worth(order: dict[str, Any], piece: dict[str, Any], paid_for: dict[int, int]) -> int:
    """Units `first` to `first + quantity` of a line: the first k of q hold floor(money k / q), at p percent floor(that p / 100)."""
    line = order["lines"].get(int(piece["line_id"]))
    if line is None or not line["quantity"]:
        return 0
    money, percent = paid_for[int(piece["line_id"])], _percent(piece)

    def held(units: int) -> int:
        return floor(Fraction(floor(Fraction(money * min(units, line["quantity"]), line["quantity"])) * percent, 100))

    return held(piece["first"] + piece["quantity"]) - held(piece["first"])


def refunds_are_held_for_a_reason(world: Any, e: Evidence) -> Iterator[str]:
    """23: what is held as more than was paid is more, still; what is held for its size is beyond the limit."""
    paid, back, ours = Counter(), Counter(), Counter()
    for one in e.books.storefront["transactions"]:
        paid[str(one["order_id"])] += int(Decimal(str(one["amount"])) * 100) if one["event"] in ("purchase", "capture") else 0
    for refund in e.books.storefront["refunds"]:
        amount = 0 if is_declined(refund) else int(Decimal(str(refund["total_amount"])) * 100)
        back[str(refund["order_id"])] += amount
        ours[str(refund["order_id"])] += amount if effect_of(refund) else 0
    for row in e.exceptions:
        why, due = row.evidence.get("held_for"), row.evidence.get("due_minor", 0)
        if row.type == "refund_over_cap" and row.state == "open" and (
                why == "over cap" and due <= paid[row.record] - back[row.record] or why == "over limit" and ours[row.record] + due <= REFUND_LIMIT):
            yield f"order {row.record}: {due} is held as {why}; {paid[row.record]} were paid, {back[row.record]} went back, {ours[row.record]} of it by us"


def nothing_that_came_back_is_forgotten(world: Any, e: Evidence) -> Iterator[str]:
    """R1 to R3, 23: every line of every receipt of returned goods is in the book, and paid, worth nothing, closed with a word, or on a desk."""
    lines = {(row.document_id, row.line): row for row in e.house.ledger.table("return_line").itertuples()}
    told = {str(value) for row in e.exceptions for value in row.evidence.values()} | {row.record for row in e.exceptions if row.state == "open"}
    for document in e.books.warehouse["returns"]:
        for place, line in enumerate(document["lines"], 1):
            row = lines.get((document["number"], place))
            if row is None:
                yield f"{document['number']} line {place} of order {world.came_back.get(document['number'])}: not in the book"
                continue
            is_open = [piece for piece in row.dues if not piece["effect"] and not piece["closed"]]
            if (row.state == "due" or is_open) and document["number"] not in told and str(row.order_id) not in told:
                yield f"{document['number']} line {place} of order {row.order_id}: {row.state}, and nobody is told"


def a_return_without_an_order_is_told(world: Any, e: Evidence) -> Iterator[str]:
    """23: goods that name neither order nor announced return were somebody's to look at, and are refunded only by that person's choice."""
    told = {row.evidence.get("document") for row in e.exceptions if row.type == "return_unmatched"}
    for document in e.books.warehouse["returns"]:
        if not document["reference"] and not document["rma"] and document["number"] not in told:
            yield f"{document['number']} of order {world.came_back.get(document['number'])} named nothing, and nobody was told"


def a_declined_refund_is_told(world: Any, e: Evidence) -> Iterator[str]:
    """23: the customer has no money, and somebody knows it."""
    told = {row.evidence.get("refund") for row in e.exceptions} | {row.evidence.get("effect") for row in e.exceptions}
    for refund in e.books.storefront["refunds"]:
        if effect_of(refund) and is_declined(refund) and not {str(refund["id"]), effect_of(refund)} & told:
            yield f"refund {refund['id']} of order {refund['order_id']} was declined, and nobody was told"


def announced_returns_reach_the_warehouse_once(world: Any, e: Evidence) -> Iterator[str]:
    """R4, 5: the warehouse hears of a return when it is approved, once, and never before."""
    state = {row.rma: row.state for row in e.house.ledger.table("rma").itertuples()}
    for number, notice in e.books.warehouse["notices"].items():
        if notice["set"] == "180" and (state.get(number) not in ("approved", "closed") or notice["copies"] > 1):
            yield f"return {number} is {state.get(number)}, the warehouse was told {notice['copies']} times"


def returns_are_restocked_by_the_grade(world: Any, e: Evidence) -> Iterator[str]:
    """23: only what the site has put back on sale adds to the stock that may be sold, once, and no refund moves any."""
    on_sale: Counter[tuple[str, str]] = Counter()
    for document in e.books.warehouse["returns"]:
        for line in document["lines"]:
            on_sale[document["number"], line["sku"]] += line["quantity"] if line["grade"] == "A" else 0
    counted: Counter[tuple[str, str]] = Counter()
    for row in e.house.ledger.table("stock_change").itertuples():
        if row.kind == "return":
            counted[row.document_id, row.sku] += row.change
    yield from (f"{document}: {counted[document, sku]} of {sku} back on sale, {on_sale[document, sku]} by the site" for document, sku in sorted(counted.keys() | on_sale.keys())
                if counted[document, sku] != on_sale[document, sku])


def effect_of(refund: dict[str, Any]) -> str:
    """The effect of ours that made it; '' for somebody else's."""
    return next((word.removeprefix("ref:") for item in refund["items"] for word in item["reason"].split() if word.startswith("ref:")), "")


def is_declined(refund: dict[str, Any]) -> bool:
    """No money moved."""
    return any(payment["is_declined"] for payment in refund["payments"])


def _order(e: Evidence, refund_id: str) -> str:
    return next((str(one["order_id"]) for one in e.books.storefront["refunds"] if str(one["id"]) == refund_id), "?")


CHECKS = (each_refund_is_made_once, refunds_stay_within_what_was_paid, refunds_stay_within_what_came_back, refunds_are_worth_what_the_grade_says, refunds_are_held_for_a_reason,
          nothing_that_came_back_is_forgotten, a_return_without_an_order_is_told, a_declined_refund_is_told, announced_returns_reach_the_warehouse_once, returns_are_restocked_by_the_grade)
