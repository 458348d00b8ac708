"""The stand-in's till: what leaves is charged to the buyer, and given back to him, at the prices of the order book."""

from decimal import Decimal
from typing import Any

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.amazon.sandbox_book import OrderBook
from connectors.amazon.sandbox_finances import Event, Money, Sold
from contracts.money import to_minor


class Till:
    """Charges each unit of an order once, whatever parcel it leaves in."""

    def __init__(self, book: OrderBook, money: Money) -> None:
        self._book, self._money = book, money
        self._charged: dict[tuple[str, str], int] = {}

    def charge_shipped(self, order_id: str) -> None:
        """Charge what is in parcels and not charged yet."""
        order = self._book.orders[order_id]
        self._charge(order_id, {item_id: self._book.fulfilled(order_id, item_id) for item_id in order["items"]}, "MFN")

    def charge_whole(self, order_id: str) -> None:
        """Amazon ships the order itself, whole: it is shipped, and charged."""
        order = self._book.orders[order_id]
        self._book.remember(order_id)
        order["fulfilled_by"], order["status"] = "AMAZON", "SHIPPED"
        self._book.touch(order_id)
        self._charge(order_id, {item_id: item["quantity"] - item["cancelled"] for item_id, item in order["items"].items()}, "AFN")

    def give_back(self, order_id: str, quantities: dict[str, int] | None = None, **how: Any) -> Event:
        """Refund units by order item id; none named: all that were charged. how: see sandbox_finances.Money.refund."""
        wanted = quantities or {item_id: units for (order, item_id), units in self._charged.items() if order == order_id and units}
        return self._money.refund(order_id, wanted, **how)

    def _charge(self, order_id: str, gone: dict[str, int], fulfilment: str) -> None:
        order = self._book.orders[order_id]
        currency = MARKETPLACES[order["marketplace"]].currency
        is_first = not any(order_ == order_id for order_, _ in self._charged)
        sold = []
        for item_id, units in gone.items():
            item, before = order["items"][item_id], self._charged.get((order_id, item_id), 0)
            if units <= before:
                continue
            postage = to_minor(str(order["shipping"]), currency) if is_first and not sold else 0
            whole = {"principal_minor": Decimal(str(item["price"])) * item["quantity"], "tax_minor": item["tax"], "promotion_minor": item["discount"]}
            sold.append(Sold(item_id, item["sku"], units - before, shipping_minor=postage, fulfilment=fulfilment, **{
                name: _between(to_minor(str(amount), currency), before, units, item["quantity"]) for name, amount in whole.items()}))
            self._charged[order_id, item_id] = units
        if sold:
            self._money.sell(order_id, order["marketplace"], sold)


def _between(minor: int, before: int, after: int, quantity: int) -> int:
    """What units `before` to `after` of `quantity` cost: all of them together cost exactly the whole."""
    return minor * after // quantity - minor * before // quantity
