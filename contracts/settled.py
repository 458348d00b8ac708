"""What the house makes of a settlement's amounts: which account each kind goes to, and what of it the customer paid or got back."""

from pandera.typing.pandas import Series

from contracts.settlements import SettlementRows

SALES, POSTAGE, TAX, PROMOTIONS, WITHHELD = "Sales", "Postage and gift wrap", "Sales tax collected", "Promotions", "Tax withheld by the marketplace"
REFUNDS, FEES, FULFILMENT_FEES, ADVERTISING = "Refunds", "Selling fees", "Storage and fulfilment fees", "Advertising and promotions bought"
COMPENSATION, LABELS, ADJUSTMENTS, OTHER = "Compensation", "Postage bought", "Adjustments", "Other"
RESERVE, TRANSFERS, SUSPENSE, DEPOSIT, DIFFERENCE = "Reserve held", "Transfers and debts", "Suspense: kind not known", "Deposit", "Difference at the source"

# the catalogue's class of an amount -> the account that a bookkeeper puts it to. Sales are divided further: see `ACCOUNT_OF_PART`
ACCOUNTS: dict[str, str] = {
    "revenue_or_tax": SALES, "promotion": PROMOTIONS, "pass_through": OTHER, "withheld_tax": WITHHELD, "tax_reclass": WITHHELD, "tax": WITHHELD, "tax_or_fee": FEES,
    "refund": REFUNDS, "goodwill": REFUNDS, "a_to_z": REFUNDS, "chargeback": REFUNDS,
    "fee": FEES, "fee_reversal": FEES, "fee_correction": FEES, "account_fee": FEES, "regulatory": FEES, "v1_only": OTHER,
    "fba_service": FULFILMENT_FEES, "shipping_label": LABELS, "advertising": ADVERTISING, "promotion_fee": ADVERTISING,
    "reimbursement": COMPENSATION, "credit": COMPENSATION, "liquidation": COMPENSATION, "adjustment": ADJUSTMENTS,
    "reserve": RESERVE, "transfer": TRANSFERS, "balance_movement": TRANSFERS,
}
CATEGORIES = tuple(ACCOUNTS)
SOLD, GIVEN_BACK = ("revenue_or_tax",), ("refund", "goodwill", "a_to_z", "chargeback")
HELD = ("reserve",)  # no earnings: kept back for later, and given back

# what an amount is of an order: the columns of the ledger's settlement_item
PARTS = ("principal", "shipping", "tax", "promotion", "withheld", "fees", "refunded", "unknown", "other")
ACCOUNT_OF_PART = {"principal": SALES, "shipping": POSTAGE, "tax": TAX}

MARKETPLACE, MERCHANT = "marketplace", "merchant"
FULFILLED_BY = {"afn": MARKETPLACE, "mfn": MERCHANT}  # the marketplaces' words, case-folded; any other, and none, says nothing


class KeptRows(SettlementRows):
    """The amounts as they are kept: with the connection that they belong to. Key: (connection, settlement_id, file, row, part)."""

    connection: Series[str]
