"""The stand-in's money: what each order brought, what it cost, what was given back; settled about every two weeks, and told by listTransactions.

Everything is kept as events of signed rows, so that a statement and the transactions of the same days tell the same story in two vocabularies. A
statement adds up by construction; `faulty` makes one that does not. An order's money is split as documented statements show it: the buyer's parts,
the tax that Amazon withholds, its commission, a promotion that is taken off.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.amazon.sandbox_settlement import Row, Statement, form_of, written
from connectors.kit.clock import Clock

EVERY = timedelta(days=14)
COMMISSION_PERCENT, REFUND_COMMISSION_PERCENT, FBA_FEE_MINOR = 15, 20, 320
VAT = "MarketplaceFacilitatorVAT-{}"
TAX = "MarketplaceFacilitatorTax-{}"
ADJUSTED = "amzn1:crow:{:032x}"
FAULTS = ("row", "total")


@dataclass(frozen=True)
class Sold:
    """One order item as it was charged, tax apart, in minor units. fulfilment: MFN or AFN. promotion_minor: what Amazon took off the price."""

    item_code: str
    sku: str
    quantity: int
    principal_minor: int
    tax_minor: int = 0
    shipping_minor: int = 0
    shipping_tax_minor: int = 0
    promotion_minor: int = 0
    fulfilment: str = "MFN"


@dataclass
class Event:
    """Something that moved money. kind: the transaction type of the finances API. matures_at: until then Amazon keeps the money back."""

    number: int
    kind: str
    marketplace_id: str
    posted_at: datetime
    rows: list[Row]
    order_id: str = ""
    matures_at: datetime | None = None
    settlement_id: str = ""
    units: dict[str, int] = field(default_factory=dict)  # of a refund, by order item id: a statement does not tell them

    @property
    def counts_at(self) -> datetime:
        """When it may be settled."""
        return max(filter(None, (self.posted_at, self.matures_at)))


@dataclass
class Account:
    """One marketplace of the seller: what is settled apart from the others."""

    began: datetime
    reserve_minor: int = 0
    owed_minor: int = 0  # what the last statement came to, where it was less than nothing
    statements: list[Statement] = field(default_factory=list)


class Money:
    """The books. publish: called with every statement's bytes. reserve_percent: how much of a statement Amazon keeps back until the next."""

    def __init__(self, clock: Clock, publish: Callable[[Statement, bytes], None], reserve_percent: int = 10, deferred_days: float = 0) -> None:
        self._clock, self._publish, self._reserve_percent, self.deferred = clock, publish, reserve_percent, timedelta(days=deferred_days)
        self.events: list[Event] = []
        self._sold: dict[str, dict[str, Sold]] = {}
        self._accounts: dict[str, Account] = {}
        self._opened_at = clock.now()
        self._statements = 0

    def sell(self, order_id: str, marketplace_id: str, items: Iterable[Sold], shipment_id: str = "") -> Event:
        """Items of an order have left: the buyer is charged."""
        items = list(items)
        known = self._sold.setdefault(order_id, {})
        rows = [row for item in items for row in _sale(item, order_id, shipment_id or f"S{len(self.events) + 1}", _withheld(marketplace_id))]
        for item in items:
            before = known.get(item.item_code)
            known[item.item_code] = item if before is None else _together(before, item)
        return self._add("Shipment", marketplace_id, rows, order_id, self.deferred)

    def refund(self, order_id: str, quantities: dict[str, int], kind: str = "Refund", goodwill_minor: int = 0) -> Event:
        """Amazon gives back what these units cost, by order item id. kind: Refund, or Chargeback and GuaranteeClaim, which people call otherwise."""
        name = {"Refund": "Refund", "Chargeback": "Chargeback Refund", "GuaranteeClaim": "A-to-z Guarantee Refund"}[kind]
        number, rows = len(self.events) + 1, []
        marketplace_id = next(one.marketplace_id for one in self.events if one.order_id == order_id)
        for item_code, quantity in quantities.items():
            rows += _refund(self._sold[order_id][item_code], quantity, order_id, number, name, _withheld(marketplace_id))
            if goodwill_minor:
                rows.append(replace(rows[-1], amount_type="ItemPrice", amount_description="Goodwill", minor=-goodwill_minor))
                goodwill_minor = 0
        event = self._add(kind, marketplace_id, rows, order_id)
        event.units = dict(quantities)
        return event

    def retrocharge(self, order_id: str, tax_minor: int) -> Event:
        """Tax of an order is put right: a pair of rows that comes to nothing."""
        sale = next(one for one in self.events if one.order_id == order_id)
        row = Row("Order_Retrocharge", "ItemPrice", "Tax", tax_minor, order_id, item_code=sale.rows[0].item_code, sku=sale.rows[0].sku, fulfilment="MFN")
        pair = replace(row, amount_type="ItemWithheldTax", amount_description=_withheld(sale.marketplace_id).format("Principal"), minor=-tax_minor)
        return self._add("Retrocharge", sale.marketplace_id, [row, pair], order_id)

    def charge(self, marketplace_id: str, minor: int, transaction_type: str = "ServiceFee", amount_type: str = "Cost of Advertising",
               description: str = "TransactionTotalAmount", **row: str) -> Event:
        """Anything else, signed as it stands in the statement: advertising (as it is), storage, a subscription, a reimbursement, a triple nobody knows."""
        kind = {"ServiceFee": "ProductAdsPayment", "other-transaction": "Adjustment"}.get(transaction_type, "ServiceFee")
        return self._add(kind, marketplace_id, [Row(transaction_type, amount_type, description, minor, **row)], row.get("order_id", ""))

    def fulfil_elsewhere(self, marketplace_id: str, shipment_id: str) -> list[Event]:
        """Rows of stock that lies with Amazon: storage, and an inbound fee whose order-id is a shipment's."""
        return [self.charge(marketplace_id, -1234, "FBAFees", "FBA Inventory Storage Fee", "Base fee"),
                self.charge(marketplace_id, -460, "FBAFees", "FBA Inbound Placement Service Fee", "Base fee", order_id=shipment_id)]

    def close_settlement(self, marketplace_id: str, faulty: str = "") -> Statement:
        """End the period now, and publish its statement. faulty: 'row' leaves one out, 'total' tells a total that is a cent too much."""
        if faulty not in ("", *FAULTS):
            raise ValueError(f"a statement has no fault {faulty!r}")
        now, account = self._clock.now(), self._account(marketplace_id)
        rows = self._carried(account, now)
        for event in self.events:
            if event.marketplace_id == marketplace_id and not event.settlement_id and event.counts_at <= now:
                event.settlement_id = self._next_id
                rows += [(row, event.posted_at) for row in event.rows]
        net = sum(row.minor for row, _ in rows)
        reserve = max(0, net) * self._reserve_percent // 100
        if reserve:
            rows.append((Row("other-transaction", "other-transaction", "Current Reserve Amount", -reserve), now))
        shop, total = MARKETPLACES[marketplace_id], net - reserve
        dropped = next((place for place, (row, _) in enumerate(rows) if row.order_id), 0) if faulty == "row" else len(rows)
        shown = rows[:dropped] + rows[dropped + 1:]
        statement = Statement(self._next_id, account.began, now, marketplace_id, shop.name, shop.currency, tuple(shown), total + (1 if faulty == "total" else 0))
        account.began, account.reserve_minor, account.owed_minor = now, reserve, max(0, -total)
        account.statements.append(statement)
        self._statements += 1
        self._publish(statement, written(statement, form_of(shop.country)))
        return statement

    def settle(self) -> None:
        """What is due by the clock: every marketplace that has ever moved money has its period ended once it is two weeks old."""
        for marketplace_id in dict.fromkeys(event.marketplace_id for event in self.events):
            if self._clock.now() - self._account(marketplace_id).began >= EVERY:
                self.close_settlement(marketplace_id)

    def books(self) -> dict[str, Any]:
        """Its own record: statements, and what every order brought and cost, event by event."""
        return {"statements": [one for account in self._accounts.values() for one in account.statements],
                "money": [{"kind": one.kind, "order_id": one.order_id, "marketplace_id": one.marketplace_id, "posted_at": one.posted_at,
                           "settlement_id": one.settlement_id, "minor": sum(row.minor for row in one.rows)} for one in self.events]}

    @property
    def _next_id(self) -> str:
        return str(11_000_000_001 + self._statements)

    def _account(self, marketplace_id: str) -> Account:
        return self._accounts.setdefault(marketplace_id, Account(self._opened_at))

    def _add(self, kind: str, marketplace_id: str, rows: list[Row], order_id: str = "", deferred: timedelta = timedelta(0)) -> Event:
        now = self._clock.now()
        event = Event(len(self.events) + 1, kind, marketplace_id, now, rows, order_id, now + deferred if deferred else None)
        self.events.append(event)
        return event

    def _carried(self, account: Account, now: datetime) -> list[tuple[Row, datetime]]:
        """What the last period left: its reserve comes back; what it lacked was charged to the seller's card, which comes to nothing."""
        rows = []
        if account.reserve_minor:
            rows.append((Row("other-transaction", "other-transaction", "Previous Reserve Amount Balance", account.reserve_minor), account.began))
        if account.owed_minor:
            rows += [(Row("other-transaction", "other-transaction", name, minor), account.began)
                     for name, minor in (("Payable to Amazon", -account.owed_minor), ("Successful charge", account.owed_minor))]
        return rows


def _withheld(marketplace_id: str) -> str:
    return TAX if MARKETPLACES[marketplace_id].region == "na" else VAT


def _sale(item: Sold, order_id: str, shipment_id: str, withheld: str) -> list[Row]:
    whole = Row("Order", "ItemPrice", "Principal", item.principal_minor, order_id, shipment_id=shipment_id, fulfilment=item.fulfilment,
                item_code=item.item_code, sku=item.sku, quantity=str(item.quantity))
    promotion = f"PROMO-{item.sku}" if item.promotion_minor else ""
    parts = [("ItemPrice", "Principal", item.principal_minor, ""), ("ItemPrice", "Tax", item.tax_minor, ""), ("ItemPrice", "Shipping", item.shipping_minor, ""),
             ("ItemPrice", "ShippingTax", item.shipping_tax_minor, ""), ("ItemWithheldTax", withheld.format("Principal"), -item.tax_minor, ""),
             ("ItemWithheldTax", withheld.format("Shipping"), -item.shipping_tax_minor, ""), ("Promotion", "Principal", -item.promotion_minor, promotion),
             ("ItemFees", "Commission", -commission(item.principal_minor), ""),
             ("ItemFees", "FBAPerUnitFulfillmentFee", -FBA_FEE_MINOR * item.quantity if item.fulfilment == "AFN" else 0, "")]
    return [replace(whole, amount_type=kind, amount_description=name, minor=minor, promotion=code) for kind, name, minor, code in parts if minor]


def _refund(item: Sold, quantity: int, order_id: str, number: int, name: str, withheld: str) -> list[Row]:
    """What `quantity` of the item's units were charged, back; the commission too, less what Amazon keeps of it."""
    def share(minor: int) -> int:
        return minor * quantity // item.quantity

    whole = Row(name, "ItemPrice", "Principal", 0, order_id, ADJUSTED.format(number), fulfilment=item.fulfilment, item_code=item.item_code,
                adjustment_item=f"{item.item_code}-R{number}", sku=item.sku)
    fee = commission(share(item.principal_minor))
    parts = [("ItemPrice", "Principal", -share(item.principal_minor)), ("ItemPrice", "Tax", -share(item.tax_minor)),
             ("ItemWithheldTax", withheld.format("Principal"), share(item.tax_minor)),
             ("Promotion", "Principal", share(item.promotion_minor) if name == "Refund" else 0), ("ItemFees", "Commission", fee), ("ItemFees", "RefundCommission", -fee * REFUND_COMMISSION_PERCENT // 100)]
    return [replace(whole, amount_type=kind, amount_description=part, minor=minor) for kind, part, minor in parts if minor]


def _together(one: Sold, more: Sold) -> Sold:
    summed = {name: getattr(one, name) + getattr(more, name) for name in ("quantity", "principal_minor", "tax_minor", "shipping_minor", "shipping_tax_minor",
                                                                        "promotion_minor")}
    return replace(one, **summed)


def commission(minor: int) -> int:
    """Amazon's part of a price."""
    return minor * COMMISSION_PERCENT // 100
