"""Orders and what happened to them, for tests of the reconciliation: a test names only what it is about. Amounts in pence."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.rules.reconciliation import Books, Patience, Reconciliation, month, reconcile

SHOP, WAREHOUSE = "bc-uk", "gxo-uk"
JANUARY, FEBRUARY = month("2026-01"), month("2026-02")
PLACED = datetime(2026, 1, 5, 9, tzinfo=UTC)
AFTERWARDS = datetime(2026, 3, 10, tzinfo=UTC)


def days(count: float) -> datetime:
    """So many days after the order was placed."""
    return PLACED + timedelta(days=count)


class Case:
    """One order or more, told as it happened. `order` of 3 units at 3.00 and 1.00 postage unless said otherwise: 10.00."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in Books.CONTRACTS}

    def order(self, order_id: str = "1", *lines: dict[str, Any], shipping: int = 100, tax: int = 0, discount: int = 0, total: int | None = None, **other: Any) -> "Case":
        """Placed."""
        given = lines or (line(),)
        currency = other.get("currency", "GBP")
        sums = sum(one["total_minor"] for one in given) + shipping - discount
        self.rows["orders"].append({
            "connection": SHOP, "order_id": order_id, "channel": "1", "status": "shipped", "status_code": "2", "fulfilled_by": "merchant", "placed_at": PLACED,
            "modified_at": PLACED, "ship_by": None, "currency": "GBP", "total_minor": sums if total is None else total, "shipping_minor": shipping, "tax_minor": tax,
            "discount_minor": discount, "po_number": "", "organisation": "", "customer_group": ""} | other)
        self.rows["lines"] += [{"currency": currency} | one | {"order_id": order_id} for one in given]
        return self

    def paid(self, amount: int = 1000, order_id: str = "1", at: datetime = PLACED, **other: Any) -> "Case":
        """The customer's money moved."""
        self.rows["payments"].append({"connection": SHOP, "order_id": order_id, "payment_id": f"p{len(self.rows['payments'])}", "kind": "purchase", "amount_minor": amount,
                                      "currency": "GBP", "is_settled": True, "gateway": "card", "occurred_at": at} | other)
        return self

    def sent(self, quantity: int = 3, line_id: str = "1", order_id: str = "1", at: datetime | None = None) -> "Case":
        """A parcel left."""
        self.rows["dispatched"].append({"order_id": order_id, "line_id": line_id, "quantity": quantity, "warehouse": WAREHOUSE, "reference": order_id,
                                        "shipped_at": at or days(1)})
        return self

    def refunded(self, amount: int, order_id: str = "1", at: datetime | None = None, line_id: str = "1", **other: Any) -> "Case":
        """Money went back."""
        self.rows["refunds"].append({"connection": SHOP, "order_id": order_id, "refund_id": f"r{len(self.rows['refunds'])}", "line_id": line_id, "quantity": 1,
                                     "amount_minor": amount, "currency": "GBP", "is_declined": False, "reason": "", "created_at": at or days(10)} | other)
        return self

    def returned(self, quantity: int, order_id: str = "1", at: datetime | None = None, line_id: str = "1", percent: int = 100, **other: Any) -> "Case":
        """Goods came back."""
        self.rows["returned"].append({"order_id": order_id, "line_id": line_id, "document_id": f"R{len(self.rows['returned'])}", "quantity": quantity,
                                      "refund_percent": percent, "received_at": at or days(8), "is_decided": False} | other)
        return self

    def on_desk(self, kind: str, order_id: str = "1", cause: str = "c", decided_by: str = "", at: datetime | None = None) -> "Case":
        """Somebody has it before him, or has decided it."""
        self.rows["on_desk"].append({"order_id": order_id, "type": kind, "cause": cause, "owner": "ecommerce", "is_open": not decided_by, "resolved_by": decided_by,
                                     "reason": "goodwill" if decided_by else "", "resolved_at": (at or days(20)) if decided_by else None})
        return self

    @property
    def books(self) -> Books:
        """All of it."""
        return Books.of(**self.rows)

    def judged(self, period: Any = JANUARY, as_of: datetime = AFTERWARDS, patience: Patience | None = None) -> Reconciliation:
        """Reconciled."""
        return reconcile(self.books, period, as_of, patience)

    def row(self, **how: Any) -> dict[str, Any]:
        """The only row."""
        (row,) = self.judged(**how).rows.to_dict("records")
        return row

    def verdict(self, **how: Any) -> tuple[str, dict[str, int]]:
        """(verdict, {difference: amount}) of the only row."""
        found = self.judged(**how)
        (row,) = found.rows.to_dict("records")
        return row["verdict"], {one["name"]: one["amount_minor"] for one in found.differences.to_dict("records")}


def line(line_id: str = "1", quantity: int = 3, total: int = 900, **other: Any) -> dict[str, Any]:
    """A line of goods."""
    return {"connection": SHOP, "line_id": line_id, "ship_group": "a", "sku": "MUG", "name": "MUG", "quantity": quantity, "quantity_shipped": 0, "unit": "",
            "unit_price_minor": total // quantity if quantity else 0, "total_minor": total, "is_shippable": True, "is_gift": False} | other
