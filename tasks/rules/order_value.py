"""What each unit of an order is worth, to the cent: every amount of the order goes to exactly one place.

| amount of the order | goes to |
|---|---|
| total of a line of goods | the line; to its units in equal parts, the cents that are left over to the first units |
| discounts and coupons, lines with a negative total | off the lines with a positive total, in proportion to it |
| tax that is in the prices | stays where it is |
| tax on top of the prices | to the lines and to shipping, in proportion to what they come to after discounts; where shipping holds its own already, to the lines |
| shipping; lines that are no goods (digital, gift certificates, non_stock.csv) | `rest`: owed with the first goods that leave |
| what the parts of the order lack, or have too much (`missing`) | `rest`, and named: totals_do_not_add |

Parts that do not divide are given out by largest remainder, the first of equals first, so that they always sum to the whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class LineValue:
    """A line of goods: how many, what the customer is charged for all of them, and how much of that is our guess at its share of the tax."""

    quantity: int
    value: int
    tax: int


@dataclass(frozen=True)
class OrderValue:
    """goods + rest = total. tax: what was spread because it is on top of the prices; 0 where the prices hold it.

    is_mixed: a line is in another currency than the order; it counts as 0, since currencies are never added.
    """

    total: int
    goods: dict[str, LineValue]
    rest: int
    missing: int
    tax: int
    is_mixed: bool = False


def order_value(order: Row, lines: Sequence[Row]) -> OrderValue:
    """The order's amounts, each in its place. `is_shippable` of a line says whether it is goods that a warehouse ships."""
    lines = sorted(lines, key=lambda line: line["line_id"])
    totals = [line["total_minor"] if line["currency"] == order["currency"] else 0 for line in lines]
    gross = [max(amount, 0) for amount in totals]
    discount = order["discount_minor"] - sum(min(amount, 0) for amount in totals)
    without_tax = sum(gross) - discount + order["shipping_minor"]
    on_top = _tax_on_top(order["total_minor"] - without_tax, order["tax_minor"], order["shipping_minor"])
    net = [amount - off for amount, off in zip(gross, split(min(discount, sum(gross)), gross), strict=True)]
    taxed = split(on_top, [*net, max(order["shipping_minor"], 0) if on_top == order["tax_minor"] else 0])
    goods = {line["line_id"]: LineValue(line["quantity"], net[n] + taxed[n], taxed[n]) for n, line in enumerate(lines) if line["is_shippable"] and line["quantity"]}
    rest = order["total_minor"] - sum(line.value for line in goods.values())
    return OrderValue(order["total_minor"], goods, rest, order["total_minor"] - without_tax - on_top, on_top,
                      any(line["currency"] != order["currency"] for line in lines))


def _tax_on_top(gap: int, tax: int, shipping: int) -> int:
    """How much of the tax comes on top of lines and shipping: none, all, or all but what is in the shipping already (a quarter of it at most)."""
    if abs(gap - tax) >= abs(gap):
        return 0
    return gap if tax - shipping // 4 <= gap <= tax else tax


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """The amount in whole parts by weight (largest remainder): they sum to it. Weights that are all 0 get nothing. Negative amounts alike."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    sign = -1 if amount < 0 else 1
    parts = [abs(amount) * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(abs(amount) * weights[n] % whole), n))
    for n in by_remainder[:abs(amount) - sum(parts)]:
        parts[n] += 1
    return [sign * part for part in parts]


def first_units(value: int, count: int, quantity: int) -> int:
    """What the first `count` of `quantity` equal units of a line come to; the units after them come to exactly the rest."""
    return value // quantity * count + min(count, value % quantity) if quantity else 0
