"""What travels of finances (2024-06-19), in Amazon's own field names. Amounts are signed numbers there, Decimal here; titles of items are not read.

A transaction's `breakdowns` is a list, or an object that holds the list (both are in the official description); many lists may be null.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from connectors.amazon.wire import Amount, Moment, Read, Text

DEFERRED, RELEASED, DEFERRED_RELEASED = "DEFERRED", "RELEASED", "DEFERRED_RELEASED"
ORDER_ID, DEFERRED_TRANSACTION_ID, SETTLEMENT_ID = "ORDER_ID", "DEFERRED_TRANSACTION_ID", "SETTLEMENT_ID"


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        value = value.get("breakdowns")
    return [] if value is None else value


class Money(Read):
    """`Currency`."""

    currencyCode: str = Field(pattern=r"^[A-Z]{3}$")
    currencyAmount: Amount


class Breakdown(Read):
    """A part of an amount, and what it is made of."""

    breakdownType: Text = ""
    breakdownAmount: Money | None = None
    breakdowns: Annotated[list["Breakdown"], BeforeValidator(_listed)] = []


class Named(Read):
    """`RelatedIdentifier`."""

    relatedIdentifierName: Text = ""
    relatedIdentifierValue: Text = ""


class Context(Read):
    """`Context`: of its many kinds only what we use of ProductContext."""

    contextType: Text = ""
    sku: Text = ""
    quantityShipped: int | None = None
    fulfillmentNetwork: Text = ""


class Item(Read):
    """One article of a transaction. There is no order item id in this API: only the SKU says which line it is."""

    totalAmount: Money | None = None
    breakdowns: Annotated[list[Breakdown], BeforeValidator(_listed)] = []
    contexts: Annotated[list[Context], BeforeValidator(_listed)] = []

    @property
    def product(self) -> Context:
        """Its SKU and how many."""
        return next((one for one in self.contexts if one.contextType == "ProductContext" or one.sku), Context())


class Marketplace(Read):
    """`MarketplaceDetails`."""

    marketplaceId: Text = ""
    marketplaceName: Text = ""


class Transaction(Read):
    """One movement of money of the account."""

    transactionType: Text = ""
    transactionId: Text = ""
    transactionStatus: Text = ""
    postedDate: Moment
    totalAmount: Money
    relatedIdentifiers: Annotated[list[Named], BeforeValidator(_listed)] = []
    marketplaceDetails: Marketplace | None = None
    items: Annotated[list[Item], BeforeValidator(_listed)] = []
    breakdowns: Annotated[list[Breakdown], BeforeValidator(_listed)] = []

    def related(self, name: str) -> str:
        """The identifier of this name; '' when it has none."""
        return next((one.relatedIdentifierValue for one in self.relatedIdentifiers if one.relatedIdentifierName == name), "")

    @property
    def identity(self) -> str:
        """The same for a transaction that was deferred and for the one that releases it."""
        return self.related(DEFERRED_TRANSACTION_ID) or self.transactionId


class TransactionsPayload(Read):
    """A page of listTransactions; it may be empty, and not the last."""

    transactions: Annotated[list[Transaction], BeforeValidator(_listed)] = []
    nextToken: Text = ""


class TransactionsPage(Read):
    """The answer of listTransactions."""

    payload: TransactionsPayload
