"""What comes back in the demo: each `C…` invoice of the file, with the order that its customer must have meant.

The file does not name the order. As a warehouse that opens the parcel would, we look for the customer's latest earlier order with the article;
what no order explains comes back without a reference, and somebody must find out whose it is.
"""

from dataclasses import dataclass, field

from deployments.demo_orders import DemoOrder, DemoReturn
from deployments.demo_world import STOREFRONT, WAREHOUSE, csv_of, non_stock_rules, one_in

GRADES = {"A": ("100", "restock"), "B": ("50", "keep apart"), "C": ("0", "scrap")}
FORGOTTEN_GRADE = "U"  # undecided at the dock: no rule says what it is worth
FORGOTTEN_ONE_IN, WORN_ONE_IN, BROKEN_ONE_IN = 25, 6, 15


@dataclass(frozen=True)
class Parcel:
    """One parcel that comes back: goods of one order ('' when nobody can tell which)."""

    invoice: str
    order: str
    goods: tuple[tuple[str, int, str], ...]  # sku, quantity, grade


@dataclass
class Sorting:
    """Which goods of which order have come back so far, so that the same unit does not come back twice from one order."""

    orders: list[DemoOrder]
    left: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for order in self.orders:
            for line in order.lines:
                key = order.invoice, line.sku.strip()
                self.left[key] = self.left.get(key, 0) + line.quantity

    def parcels(self, back: DemoReturn) -> list[Parcel]:
        """The parcels of one return, one for each order that it is from. Postage and the like do not come back."""
        goods: dict[str, list[tuple[str, int, str]]] = {}
        rules = non_stock_rules()
        for line in back.lines:
            sku = line.sku.strip()
            if sku and line.quantity and not rules.is_non_stock(STOREFRONT, sku):
                goods.setdefault(self._order_of(back, sku), []).append((sku, line.quantity, grade_of(back.invoice, sku)))
        return [Parcel(back.invoice, order, tuple(lines)) for order, lines in goods.items()]

    def _order_of(self, back: DemoReturn, sku: str) -> str:
        for order in reversed(self.orders):
            if back.customer and order.customer == back.customer and order.placed_at < back.sent_at and self.left.get((order.invoice, sku), 0) > 0:
                return order.invoice
        return ""


def grade_of(invoice: str, sku: str) -> str:
    """What the dock finds: mostly as new."""
    about = f"{invoice} {sku}"
    for one_of, grade in ((FORGOTTEN_ONE_IN, FORGOTTEN_GRADE), (BROKEN_ONE_IN, "C"), (WORN_ONE_IN, "B")):
        if one_in(one_of, about, f"grade {grade}"):
            return grade
    return "A"


def return_tables() -> dict[str, str]:
    """What each grade is worth; nobody thought of the undecided ones."""
    return {"return_rules": csv_of("connection,warehouse,grade,refund_percent,disposition,needs_rma",
                                   [(STOREFRONT, WAREHOUSE, grade, *worth, "no") for grade, worth in GRADES.items()])}
