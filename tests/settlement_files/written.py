"""Settlement files as the regions write them, made without a line of the reader: a list of amounts, and a pen that knows separators, dates and encodings."""

import gzip
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

HEAD = ["settlement-id", "settlement-start-date", "settlement-end-date", "deposit-date", "total-amount", "currency"]
V2 = [*HEAD, "transaction-type", "order-id", "merchant-order-id", "adjustment-id", "shipment-id", "marketplace-name", "amount-type", "amount-description", "amount",
      "fulfillment-id", "posted-date", "posted-date-time", "order-item-code", "merchant-order-item-id", "merchant-adjustment-item-id", "sku", "quantity-purchased",
      "promotion-id"]
V1_33 = [*HEAD, "transaction-type", "order-id", "merchant-order-id", "adjustment-id", "shipment-id", "marketplace-name", "shipment-fee-type", "shipment-fee-amount",
         "order-fee-type", "order-fee-amount", "fulfillment-id", "posted-date", "order-item-code", "merchant-order-item-id", "merchant-adjustment-item-id", "sku",
         "quantity-purchased", "price-type", "price-amount", "item-related-fee-type", "item-related-fee-amount", "misc-fee-amount", "other-fee-amount",
         "other-fee-reason-description", "promotion-id", "promotion-type", "promotion-amount"]
V1_36 = [*V1_33, "direct-payment-type", "direct-payment-amount", "other-amount"]
V1_PLACE = {"ItemPrice": ("price-type", "price-amount"), "ItemFees": ("item-related-fee-type", "item-related-fee-amount"), "Promotion": ("promotion-type", "promotion-amount"),
            "Shipment-Fees": ("shipment-fee-type", "shipment-fee-amount")}
START = datetime(2024, 3, 1, 22, 7, 18, tzinfo=UTC)


@dataclass(frozen=True)
class Amount:
    """One amount of a settlement, as the marketplace knows it."""

    kind: tuple[str, str, str]
    value: Decimal
    order: str = ""
    item: str = ""
    sku: str = ""
    quantity: str = ""
    adjustment: str = ""
    shipment: str = ""
    marketplace: str = ""
    at: datetime = START + timedelta(days=3)


@dataclass(frozen=True)
class Settlement:
    """A settlement: what it pays is the sum, unless somebody says otherwise."""

    number: str
    currency: str
    amounts: list[Amount]
    start: datetime = START
    days: int = 14
    states: Decimal | None = None

    @property
    def total(self) -> Decimal:
        """The deposit."""
        return sum((one.value for one in self.amounts), Decimal(0)) if self.states is None else self.states

    @property
    def end(self) -> datetime:
        """Of the period."""
        return self.start + timedelta(days=self.days)


def dot(value: Decimal) -> str:
    """-1234.50"""
    return f"{value:f}"


def dot_grouped(value: Decimal) -> str:
    """-1,234.50"""
    return f"{value:,f}"


def comma(value: Decimal) -> str:
    """-1234,50"""
    return f"{value:f}".replace(".", ",")


def comma_grouped(value: Decimal) -> str:
    """-1.234,50"""
    return f"{value:,f}".translate(str.maketrans(".,", ",."))


def spaced(value: Decimal) -> str:
    """−1 234,50, with a narrow no-break space and a real minus."""
    return f"{value:,f}".replace(".", ";").replace(",", "\u202f").replace(";", ",").replace("-", "\u2212")


def swiss(value: Decimal) -> str:
    """1'234.50-"""
    return f"{abs(value):,f}".replace(",", "'") + ("-" if value < 0 else "")


def bracketed(value: Decimal) -> str:
    """(1,234.50)"""
    return f"({abs(value):,f})" if value < 0 else f"{value:,f}"


NUMBERS: tuple[Callable[[Decimal], str], ...] = (dot, dot_grouped, comma, comma_grouped, spaced, swiss, bracketed)


@dataclass(frozen=True)
class Pen:
    """How a region writes."""

    number: Callable[[Decimal], str] = dot
    moment: str = "%Y-%m-%d %H:%M:%S UTC"
    day: str = "%Y-%m-%d"
    columns: Sequence[str] = field(default_factory=lambda: V2)
    spell: Callable[[str], str] = str
    encoding: str = "utf-8"
    line_end: str = "\n"
    separator: str = "\t"

    @property
    def is_v1(self) -> bool:
        """Does it write V1?"""
        return "price-type" in self.columns


US = Pen()
UK = Pen(moment="%d.%m.%Y %H:%M:%S UTC", day="%d.%m.%Y", line_end="\r\n")
GERMANY = Pen(number=comma, moment="%d.%m.%Y %H:%M:%S UTC", day="%d.%m.%Y", encoding="cp1252")
FRANCE = Pen(number=spaced, moment="%d.%m.%Y %H:%M:%S UTC", day="%d.%m.%Y", encoding="utf-8-sig")
ITALY = Pen(number=comma_grouped, moment="%d/%m/%Y %H:%M:%S UTC", day="%d/%m/%Y", spell=lambda name: name.replace("-", "_"))
CANADA = Pen(moment="%Y-%m-%dT%H:%M:%S+00:00", encoding="utf-16", columns=[one for one in V2 if one != "merchant-order-item-id"])
JAPAN = Pen(number=dot_grouped, moment="%Y/%m/%d %H:%M:%S UTC", day="%Y/%m/%d", encoding="cp932", spell=lambda name: name.replace("-", " ").title())
V1_CANADA = Pen(columns=V1_33, moment="%Y-%m-%dT%H:%M:%S+00:00", day="%Y-%m-%dT%H:%M:%S+00:00")
V1_WIDE = replace(V1_CANADA, columns=V1_36)
REGIONS = {"US": US, "UK": UK, "Germany": GERMANY, "France": FRANCE, "Italy": ITALY, "Canada": CANADA, "V1 33": V1_CANADA, "V1 36": V1_WIDE}


def written(*settlements: Settlement, pen: Pen = US, columns: Sequence[str] | None = None) -> bytes:
    """The file."""
    columns = list(columns or pen.columns)
    rows = [line for one in settlements for line in _lines(one, pen)]
    lines = [pen.separator.join(pen.spell(name) for name in columns)]
    lines += [pen.separator.join(row.get(name, "") for name in columns) for row in rows]
    return (pen.line_end.join(lines) + pen.line_end).encode(pen.encoding)


def packed(body: bytes) -> bytes:
    """gzip, the same bytes every time."""
    return gzip.compress(body, mtime=0)


def _lines(one: Settlement, pen: Pen) -> list[dict[str, str]]:
    head = {"settlement-id": one.number, "settlement-start-date": one.start.strftime(pen.moment), "settlement-end-date": one.end.strftime(pen.moment),
            "deposit-date": (one.end + timedelta(days=2)).strftime(pen.moment), "total-amount": pen.number(one.total), "currency": one.currency}
    return [head, *(_row(one.number, amount, pen) for amount in one.amounts)]


def _row(number: str, one: Amount, pen: Pen) -> dict[str, str]:
    row = {"settlement-id": number, "transaction-type": one.kind[0], "order-id": one.order, "merchant-order-id": one.order, "adjustment-id": one.adjustment,
           "shipment-id": one.shipment, "marketplace-name": one.marketplace, "fulfillment-id": "MFN" if one.order else "", "posted-date": one.at.strftime(pen.day),
           "posted-date-time": one.at.strftime(pen.moment), "order-item-code": one.item, "sku": one.sku, "quantity-purchased": one.quantity}
    if not pen.is_v1:
        return row | {"amount-type": one.kind[1], "amount-description": one.kind[2], "amount": pen.number(one.value)}
    if one.kind[1] in V1_PLACE:
        kind, amount = V1_PLACE[one.kind[1]]
        return row | {kind: one.kind[2], amount: pen.number(one.value), "quantity-purchased": ""}
    label = {"transaction-type": one.kind[2] or one.kind[0]}
    return row | label | {"other-amount" if "other-amount" in pen.columns else "other-fee-amount": pen.number(one.value)}


def month(seed: int = 1, currency: str = "EUR", marketplace: str = "Amazon.de", number: str = "1234567890", orders: int = 12, cents: bool = True) -> Settlement:
    """Sales, a refund, fees of the account, reserves: as a month looks."""
    dice = random.Random(seed)
    unit = Decimal("0.01") if cents else Decimal(1)

    def some(most: int) -> Decimal:
        return dice.randint(1, most) * unit

    amounts = []
    for n in range(orders):
        order, item, sku = f"{dice.randint(100, 999)}-{dice.randint(0, 9999999):07d}-{n:07d}", f"{dice.randint(10 ** 13, 10 ** 14)}", f"KÜ-{n % 5:03d}" if currency == "EUR" else f"SKU-{n % 5}"
        common = {"order": order, "item": item, "sku": sku, "marketplace": marketplace, "shipment": f"D{n}", "at": START + timedelta(days=n % 13, seconds=n)}
        for kind, sign in ((("ItemPrice", "Principal"), 1), (("ItemPrice", "Tax"), 1), (("ItemFees", "Commission"), -1), (("Promotion", "Shipping"), -1)):
            amounts.append(Amount(("Order", *kind), sign * some(250_000), quantity="2", **common))
        if n % 4 == 0:
            amounts += [Amount(("Refund", "ItemPrice", "Principal"), -some(9_000), adjustment=f"amzn1:crow:{n}", **common),
                        Amount(("Refund", "ItemFees", "RefundCommission"), -some(400), adjustment=f"amzn1:crow:{n}", **common)]
    account = ("other-transaction", "other-transaction")
    amounts += [Amount((*account, "Subscription Fee"), -39 * Decimal(1).quantize(unit)), Amount((*account, "Storage Fee"), -some(9_999)),
                Amount((*account, "Previous Reserve Amount Balance"), some(90_000)), Amount((*account, "Current Reserve Amount"), -some(90_000))]
    return Settlement(number, currency, amounts)
