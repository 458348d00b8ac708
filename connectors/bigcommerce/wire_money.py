"""What travels of money, in BigCommerce's own field names: refunds and transactions of orders v3. Amounts are numbers there, and Decimal here."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.bigcommerce.wire import Amount, Count, Moment, Read, Text

REFUND_REASON_MAX = 1000


class RefundItem(BaseModel):
    """A line of a refund that we ask for. The order's tax and discounts are the vendor's to work out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    item_type: Literal["PRODUCT"] = "PRODUCT"
    item_id: int = Field(gt=0)
    quantity: int = Field(gt=0)
    reason: str = Field(max_length=REFUND_REASON_MAX)


class PaymentOption(Read):
    """One provider of a way to pay a refund out. `offline`: the storefront only notes it, somebody else must move the money."""

    provider_id: str = Field(min_length=1)
    amount: Amount
    offline: bool


class RefundQuote(Read):
    """What a refund would come to (`RefundQuote_Full`)."""

    order_id: int
    total_refund_amount: Amount
    total_refund_tax_amount: Amount
    refund_methods: list[list[PaymentOption]]


class RefundedItem(Read):
    """A line of a refund as it is shown."""

    item_type: Text = ""
    item_id: int = 0
    quantity: Count | None = 0
    reason: Text = ""


class RefundPayment(Read):
    """How a refund was paid out. It may be declined later than the refund was made."""

    provider_id: Text = ""
    amount: Amount
    offline: bool = False
    is_declined: bool = False


class Refund(Read):
    """A refund as it is shown (`RefundQuote`'s outcome)."""

    id: int = Field(gt=0)
    order_id: int = Field(gt=0)
    created: Moment
    reason: Text = ""
    total_amount: Amount
    items: list[RefundedItem] = []
    payments: list[RefundPayment] = []

    @property
    def is_declined(self) -> bool:
        """Did a provider not pay its part out?"""
        return any(payment.is_declined for payment in self.payments)


class Transaction(Read):
    """A movement of money of an order. Cards and gateways' own texts are not read at all."""

    id: int = Field(gt=0)
    order_id: str | Count
    event: Text
    amount: Amount
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    gateway: Text = ""
    status: Text = "ok"
    date_created: Moment


def amount(value: Any) -> float:
    """A Decimal as JSON has to write it. At most fifteen digits (Amount): the float's shortest form is the amount itself."""
    return float(value)
