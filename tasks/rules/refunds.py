"""What a return is worth: how much money goes back for the units that came back, and when a person must decide instead.

Amounts are integer minor units. A line's units share its money by *cumulative rounding*: the first k of q units hold floor(money x k / q) of it, at
p percent floor(that x p / 100), and units k to m are worth the difference. So however a line comes back, in parts or at once, the parts sum to
the whole to the minor unit (the last unit carries the remainder), and whatever the grades, a line never gives back more than was paid for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

OVER_CAP, OVER_LIMIT, AS_A_WHOLE, CURRENCY, UNPAID, BY_STOREFRONT = (
    "over cap", "over limit", "refunded as a whole", "currency", "no payment", "by the storefront")


@dataclass(frozen=True)
class Piece:
    """Units of one order line that came back and are not decided: from the `first` unit that ever came back, at this percent."""

    line_id: str
    first: int
    quantity: int
    percent: int


@dataclass(frozen=True)
class Money:
    """What the storefront took for an order and gave back. by_others: {line id: units} refunded by somebody else than us; whole_minor: of
    refunds by others that name no line."""

    currency: str
    paid_minor: int
    refunded_minor: int
    ours_minor: int = 0
    by_others: Mapping[str, int] = field(default_factory=dict)
    whole_minor: int = 0
    is_mixed: bool = False


@dataclass(frozen=True)
class Refund:
    """To be refunded. amount_minor None: whatever the storefront quotes for these units (then it counts the tax, to its own rounding)."""

    lines: list[tuple[str, int]]
    amount_minor: int | None
    expected_minor: int
    cap_minor: int


@dataclass(frozen=True)
class Held:
    """Not to be refunded by us before a person has looked."""

    why: str
    evidence: dict[str, Any]


def money_of(order: Row, payments: Iterable[Row], refunds: Iterable[Row], ours: Iterable[str]) -> Money:
    """The money of one order, from rows of the contracts Payments and Refunds. `ours`: the refund ids that our own effects made.

    Declined refunds count for nothing. Of what the refunds say and what the payments say was given back, the larger counts.
    """
    payments, refunds, ours = list(payments), [row for row in refunds if not row["is_declined"]], set(ours)
    shown = sum(row["amount_minor"] for row in refunds)
    moved_back = _settled(payments, ("refund",))
    others = [row for row in refunds if row["refund_id"] not in ours]
    by_others: dict[str, int] = {}
    for row in others:
        if row["line_id"] and row["quantity"]:
            by_others[row["line_id"]] = by_others.get(row["line_id"], 0) + row["quantity"]
    of_lines = {row["refund_id"] for row in others if row["line_id"] and row["quantity"]}
    whole = sum(row["amount_minor"] for row in others if row["refund_id"] not in of_lines)
    mixed = {row["currency"] for row in (*payments, *refunds) if row["amount_minor"]} - {order["currency"]}
    return Money(order["currency"], _settled(payments, ("capture", "purchase")), max(shown, moved_back),
                 sum(row["amount_minor"] for row in refunds if row["refund_id"] in ours), by_others, whole + max(0, moved_back - shown), bool(mixed))


def _settled(payments: list[Row], kinds: tuple[str, ...]) -> int:
    return sum(row["amount_minor"] for row in payments if row["is_settled"] and row["kind"] in kinds)


def line_money(order: Row, lines: list[Row]) -> dict[str, int]:
    """{line id: what the customer paid for it}: the order's money for goods over its lines in proportion to their totals, by largest remainder.

    Where prices include the tax and nothing was taken off, that is each line's own total. Else the tax that prices leave out, and discounts on
    the order as a whole, are spread. Postage is not goods. What the total holds beyond goods, tax and postage (wrapping, handling) is left out.
    """
    weights = {line["line_id"]: max(0, line["total_minor"]) for line in lines}
    listed = sum(weights.values())
    goods = max(0, min(order["total_minor"] - order["shipping_minor"], listed + max(0, order["tax_minor"])))
    if not listed:
        return weights
    shares = {line_id: goods * weight // listed for line_id, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda line_id: (-(goods * weights[line_id] % listed), line_id))
    for line_id in by_remainder[:goods - sum(shares.values())]:
        shares[line_id] += 1
    return shares


def worth(money_minor: int, ordered: int, first: int, quantity: int, percent: int) -> int:
    """What units `first` to `first + quantity` of `ordered` are worth, at `percent` of the line's money."""
    def held_by(units: int) -> int:
        return money_minor * min(units, ordered) // ordered * percent // 100

    return held_by(first + quantity) - held_by(first) if ordered else 0


def without_refunded(pieces: list[Piece], by_others: Mapping[str, int], counted: Mapping[str, int]) -> tuple[list[Piece], list[Piece]]:
    """(still to be refunded, refunded by somebody already). `counted`: units that earlier returns were set against others' refunds."""
    free = {line_id: max(0, units - counted.get(line_id, 0)) for line_id, units in by_others.items()}
    left, done = [], []
    for piece in pieces:
        units = min(piece.quantity, free.get(piece.line_id, 0))
        if units:
            free[piece.line_id] -= units
            done.append(Piece(piece.line_id, piece.first, units, piece.percent))
        if piece.quantity > units:
            left.append(Piece(piece.line_id, piece.first + units, piece.quantity - units, piece.percent))
    return left, done


def decide(order: Row, lines: list[Row], pieces: list[Piece], money: Money, limit_minor: int | None = None, is_approved: bool = False) -> Refund | Held | None:
    """The refund for these pieces of one document; Held when a person must look; None when nothing is due for them.

    limit_minor: what may be refunded of one order without a person's approval, everything we refunded of it before included.
    """
    ordered, paid_for, listed = {line["line_id"]: line["quantity"] for line in lines}, line_money(order, lines), {line["line_id"]: line["total_minor"] for line in lines}
    due = [piece for piece in pieces if piece.percent]
    expected = sum(worth(paid_for.get(p.line_id, 0), ordered.get(p.line_id, 0), p.first, p.quantity, p.percent) for p in due)
    if not expected:
        return None
    left = money.paid_minor - money.refunded_minor
    evidence = {"currency": money.currency, "due_minor": expected, "paid_minor": money.paid_minor, "refunded_minor": money.refunded_minor,
                "lines": [{"line_id": p.line_id, "quantity": p.quantity, "percent": p.percent} for p in due]}
    if money.is_mixed:
        return Held(CURRENCY, evidence | {"why": "the storefront shows payments of this order in another currency"})
    if not money.paid_minor:
        return Held(UNPAID, evidence | {"why": "the storefront shows no payment for this order that it has received"})
    if money.whole_minor and not is_approved:
        return Held(AS_A_WHOLE, evidence | {"refunded_as_a_whole_minor": money.whole_minor,
                                            "why": "somebody has refunded a part of this order without saying for which goods: is it for these?"})
    if expected > left:
        return Held(OVER_CAP, evidence | {"left_minor": left, "why": "it is more than what was paid and is not refunded yet"})
    cap = min(left, sum(_most(order, paid_for.get(p.line_id, 0), listed.get(p.line_id, 0), ordered[p.line_id], p) for p in due))
    if limit_minor is not None and not is_approved:
        if money.ours_minor + expected > limit_minor:
            return Held(OVER_LIMIT, evidence | {"limit_minor": limit_minor, "refunded_by_us_minor": money.ours_minor,
                                                "why": "it is above what is refunded without a person's approval"})
        cap = min(cap, limit_minor - money.ours_minor)
    units: dict[str, int] = {}
    for piece in due:
        units[piece.line_id] = units.get(piece.line_id, 0) + piece.quantity
    return Refund(sorted(units.items()), None if all(p.percent == 100 for p in due) else expected, expected, cap)


def in_the_storefront(verdict: Refund | Held | None) -> Held | None:
    """The same, where the storefront takes no refund from us: a person gives the money back there. Until then, and whatever it comes to, it is held."""
    if isinstance(verdict, Refund):
        evidence = {"due_minor": verdict.expected_minor, "lines": [{"line_id": line_id, "quantity": quantity} for line_id, quantity in verdict.lines]}
    else:
        evidence = {} if verdict is None else verdict.evidence
    return verdict and Held(BY_STOREFRONT, evidence | {"why": "this storefront takes no refund from us: give the money back there"})


def _most(order: Row, paid_minor: int, listed_minor: int, ordered: int, piece: Piece) -> int:
    """The most that a storefront may quote for the piece: its share, and as much again for a tax that falls on this line alone, but no more than all tax.

    A guard, not an amount: with tax at several rates, the spread shares are not the storefront's own.
    """
    share = max(worth(paid_minor, ordered, piece.first, piece.quantity, 100), worth(listed_minor, ordered, piece.first, piece.quantity, 100))
    return share + min(share, max(0, order["tax_minor"]))
