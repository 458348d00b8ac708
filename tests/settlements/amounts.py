"""Settlements in few words, for tests of what the house makes of them. Amounts in minor units; a test names only what it is about."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from contracts.settlements import SettlementFindings, SettlementRows, Settlements

SHOP = "market-uk"
BEGAN = datetime(2026, 1, 1, 8, tzinfo=UTC)
# what a test calls an amount -> (transaction type, amount type, description, category, level)
KINDS: dict[str, tuple[str, str, str, str, str]] = {
    "price": ("Order", "ItemPrice", "Principal", "revenue_or_tax", "order_line"),
    "tax": ("Order", "ItemPrice", "Tax", "revenue_or_tax", "order_line"),
    "postage": ("Order", "ItemPrice", "Shipping", "revenue_or_tax", "order_line"),
    "promotion": ("Order", "Promotion", "Principal", "promotion", "order_line"),
    "withheld": ("Order", "ItemWithheldTax", "MarketplaceFacilitatorTax-Principal", "withheld_tax", "order_line"),
    "commission": ("Order", "ItemFees", "Commission", "fee", "order_line"),
    "refund": ("Refund", "ItemPrice", "Principal", "refund", "order_line"),
    "refund tax": ("Refund", "ItemPrice", "Tax", "refund", "order_line"),
    "refund commission": ("Refund", "ItemFees", "RefundCommission", "fee_reversal", "order_line"),
    "subscription": ("ServiceFee", "other-transaction", "Subscription Fee", "account_fee", "account"),
    "brought": ("other-transaction", "other-transaction", "Previous Reserve Amount Balance", "reserve", "balance"),
    "held": ("other-transaction", "other-transaction", "Current Reserve Amount", "reserve", "balance"),
    "strange": ("Novelty Fee", "other-transaction", "Launched Yesterday", "", "unknown"),
}


def row(kind: str, amount: int, order_id: str = "", day: float = 1, *, item: str = "", sku: str = "", units: int = 0, by: str = "MFN", fine: int = 0, **other: Any) -> dict[str, Any]:
    """One amount, posted `day` days after the first of January."""
    transaction_type, amount_type, description, category, level = KINDS[kind]
    return {"transaction_type": transaction_type, "amount_type": amount_type, "amount_description": description, "category": category, "level": level,
            "rule": f"{kind} of the catalogue" if category else "", "why": "", "amount_minor": amount, "amount_fine": fine, "order_id": order_id, "merchant_order_id": "",
            "adjustment_id": f"adj-{order_id}" if kind.startswith("refund") else "", "shipment_id": "", "marketplace": "", "fulfilment": by if order_id else "",
            "posted_at": BEGAN + timedelta(days=day), "order_item_id": item, "merchant_order_item_id": "", "merchant_adjustment_item_id": "", "sku": sku, "quantity": units,
            "promotion_id": ""} | other


def sale(order_id: str, item: str, price: int, *, units: int = 1, tax: int = 0, postage: int = 0, fee: int = 0, day: float = 1, by: str = "MFN", sku: str = "") -> list[dict[str, Any]]:
    """An item that was paid for, with its commission, and with the tax that the marketplace keeps."""
    common: dict[str, Any] = {"order_id": order_id, "day": day, "item": item, "by": by, "sku": sku}
    found = [row("price", price, units=units, **common)]
    for kind, amount in (("postage", postage), ("tax", tax), ("withheld", -tax), ("commission", -fee)):
        found += [row(kind, amount, **common)] if amount else []
    return found


class Statement:
    """One settlement: its rows, and what it says that it pays."""

    def __init__(self, settlement_id: str, rows: Iterable[dict[str, Any]], *, begins: float = 0, days: float = 14, deposit: int | None = None, currency: str = "GBP",
                 format: str = "V2", findings: Iterable[dict[str, Any]] = ()) -> None:
        self.settlement_id, self.currency, self.format, self._rows, self._findings = settlement_id, currency, format, list(rows), list(findings)
        self.started_at, self.ended_at = BEGAN + timedelta(days=begins), BEGAN + timedelta(days=begins + days)
        self.sum = sum(one["amount_minor"] for one in self._rows)
        self.deposit = self.sum if deposit is None else deposit

    def rows(self, file: str = "file") -> pd.DataFrame:
        """Its amounts, as a reader gives them."""
        return SettlementRows.frame(one | {"settlement_id": self.settlement_id, "file": file, "row": number, "part": 1, "currency": self.currency}
                                    for number, one in enumerate(self._rows, 3))

    def heads(self, file: str = "file") -> pd.DataFrame:
        """Its head."""
        return Settlements.frame([{
            "settlement_id": self.settlement_id, "file": file, "format": self.format, "started_at": self.started_at, "ended_at": self.ended_at,
            "deposit_at": self.ended_at + timedelta(days=2), "currency": self.currency, "marketplace": "", "has_deposit": True, "deposit_minor": self.deposit, "deposit_fine": 0,
            "rows": len(self._rows), "amounts": len(self._rows), "sum_minor": self.sum, "sum_fine": 0, "is_consistent": self.sum == self.deposit, "is_counted": True,
            "why": "" if self.sum == self.deposit else "its rows are not its deposit"}])

    def findings(self, file: str = "file") -> pd.DataFrame:
        """What its reader says of it."""
        empty = {"file": file, "settlement_id": self.settlement_id, "fails": True, "row": 0, "rows": 1, "amount_minor": 0, "currency": self.currency, "detail": ""}
        return SettlementFindings.frame(empty | one for one in self._findings)
