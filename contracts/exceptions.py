"""The closed list of exception types: what each means, whose it is, when it is due, what to do and what clears it."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

ROLES = ("operations", "ecommerce", "finance", "customer service", "data")
DUE = ("cut-off", "ship-by", "day", "month-end")
WITH_SHIP_BY = ("cut-off", "ship-by")


@dataclass(frozen=True)
class ExceptionType:
    """One kind of record that a person must look at."""

    name: str
    owner: str
    severity: str
    due: str
    means: str
    remedy: str
    clears: str
    mapping: str = ""
    remedies: tuple[str, ...] = ("done",)


@dataclass(frozen=True)
class Finding:
    """One thing a rule found wrong with one record: becomes an open exception, or counts up the one that is open.

    `cause` makes it the same exception next time ("same cause, same exception"). `waits_on` names what would free the record:
    '{mapping table}:{key column}={value}|…' or 'items:{warehouse}:{sku}'; '' when only the record itself can change.
    """

    type: str
    connection: str
    record: str
    cause: str
    evidence: dict
    waits_on: str = ""


# what a person may choose on the desk, in the words of the form
DONE, ADD_MAPPING, IT_IS_THERE, SEND_AGAIN, RESEND = "done", "add a mapping", "it is there", "send again", "resend"
CHOOSE_ORDER, APPROVE_RETURN, REFUSE_RETURN, REFUND_IT = "choose the order", "approve the return", "refuse the return", "refund it"
BELIEVE_IT = "believe it"
REMEDIES: dict[str, str] = {
    DONE: "It has been dealt with; the reason says how. A held order is planned again: what still holds comes back.",
    ADD_MAPPING: "Adds a row to a mapping table. What waited for exactly that goes on with the next run.",
    IT_IS_THERE: "You looked in the other system: the change has arrived there.",
    SEND_AGAIN: "You looked in the other system: it is not there. It is sent again.",
    RESEND: "What was refused has been mended. A new revision of it is sent, once.",
    CHOOSE_ORDER: "The return belongs to this order.",
    APPROVE_RETURN: "The goods may come back, and are paid back by the rules.",
    REFUSE_RETURN: "The goods are not taken back; nothing is paid.",
    REFUND_IT: "The refund is right: it is paid after all, or tried again.",
    BELIEVE_IT: "The stock really is so much less: the statement that was set aside is entered as it is.",
}
# a type that is not named here is closed by DONE, and by ADD_MAPPING where a mapping would free it.
# A type without DONE is one where goods or money would be forgotten if it were merely called done
_REMEDIES_OF: dict[str, tuple[str, ...]] = {
    "carrier_unmapped": (ADD_MAPPING,),
    "settlement_unknown_type": (ADD_MAPPING,),
    "blocked_effect": (IT_IS_THERE, SEND_AGAIN),
    "unacknowledged": (IT_IS_THERE, SEND_AGAIN),
    "rejected_by_warehouse": (RESEND, DONE),
    "rejected_by_storefront": (RESEND, DONE),
    "return_unmatched": (CHOOSE_ORDER, DONE),
    "rma_not_approved": (APPROVE_RETURN, REFUSE_RETURN),
    "refund_over_cap": (REFUND_IT, DONE),
    "refund_declined": (REFUND_IT, DONE),
    "feed_shrank": (BELIEVE_IT, DONE),
}


def _t(name: str, owner: str, severity: str, due: str, means: str, remedy: str, clears: str, mapping: str = "") -> ExceptionType:
    allowed = _REMEDIES_OF.get(name, (ADD_MAPPING, DONE) if mapping else (DONE,))
    return ExceptionType(name, owner, severity, due, means, remedy, clears, mapping, allowed)


TYPES: dict[str, ExceptionType] = {t.name: t for t in (
    _t("record_unsound", "data", "high", "cut-off", "The record breaks its contract, so nothing in it can be trusted.",
       "Correct the record in the system it came from.", "The corrected record is taken in."),
    _t("document_malformed", "data", "high", "cut-off", "A file from the partner cannot be read; its bytes are kept and none of its rows were used.",
       "Ask the partner for a corrected file.", "A person resolves it with the number of the replacement."),
    _t("control_number_reused", "data", "high", "cut-off", "The partner used a control number again with other bytes.",
       "Ask the partner which of the two files is meant.", "A person resolves it."),
    _t("sku_unknown", "ecommerce", "high", "cut-off", "The warehouse has no active item with this SKU.",
       "Have the item set up at the warehouse, or add a row to skus.csv.", "The item appears in the item master, or a mapping is added.", "skus"),
    _t("sku_spelling", "ecommerce", "high", "cut-off", "The SKU differs from an item of the warehouse only in case, spacing or leading zeros.",
       "Correct the SKU in the storefront, or add a row to skus.csv. Nothing is changed silently.", "A mapping is added or the item appears.", "skus"),
    _t("unit_unmapped", "ecommerce", "high", "cut-off", "It is not known how many warehouse units one storefront unit is.",
       "Add a row to units.csv.", "A mapping is added.", "units"),
    _t("facility_unmapped", "operations", "high", "cut-off", "No route says which facility ships this line.",
       "Add a row to routes.csv.", "A route is added.", "routes"),
    _t("ship_method_unmapped", "operations", "high", "cut-off", "The shipping method has no carrier service at the warehouse.",
       "Add a row to ship_methods.csv.", "A mapping is added.", "ship_methods"),
    _t("carrier_unmapped", "operations", "high", "ship-by", "The warehouse shipped with a carrier code that the storefront has no name for.",
       "Add a row to carriers.csv.", "A mapping is added; exactly the affected dispatches are sent.", "carriers"),
    _t("po_missing", "customer service", "high", "cut-off", "This customer's orders need a purchase order number.",
       "Ask the customer and enter it on the order.", "The order is taken in with a number.", "po_rules"),
    _t("organisation_missing", "customer service", "high", "cut-off", "This customer's orders need the customer's organisation.",
       "Enter it on the order.", "The order is taken in with it.", "po_rules"),
    _t("customs_missing", "ecommerce", "high", "cut-off", "The order leaves the country and a SKU has no HS code or origin.",
       "Have the item's customs data completed at the warehouse.", "The item master has it."),
    _t("address_missing", "customer service", "high", "cut-off", "A delivery address is missing or incomplete.",
       "Complete the address on the order.", "The order is taken in with it."),
    _t("line_unmatched", "operations", "high", "day", "The warehouse shipped something that no line of the order asks for.",
       "Compare with the warehouse; resolve with what was agreed.", "A person resolves it."),
    _t("over_shipped", "operations", "high", "day", "The warehouse shipped more than was ordered.",
       "Ask the warehouse; only what was ordered is confirmed.", "A person resolves it."),
    _t("advice_before_export", "operations", "medium", "day", "The warehouse advises a dispatch for an order that we did not send.",
       "Check the reference with the warehouse.", "The order is found, or a person resolves it."),
    _t("advice_changed", "operations", "high", "day", "The warehouse advises a package again, with other contents.",
       "Ask the warehouse which of the two is right; the first was confirmed.", "A person resolves it."),
    _t("rejected_by_warehouse", "operations", "high", "cut-off", "The warehouse refused the fulfilment request.",
       "Read the reason, mend it, and choose resend.", "A person resolves it."),
    _t("rejected_by_storefront", "ecommerce", "high", "ship-by", "The storefront refused a dispatch confirmation.",
       "Read the reason, mend it, and choose resend.", "A person resolves it."),
    _t("unacknowledged", "operations", "high", "cut-off", "The warehouse has not acknowledged a fulfilment request in time.",
       "Ask the warehouse whether it has the order before anything is sent again.", "An acknowledgement arrives, or a person resolves it."),
    _t("cancel_refused", "customer service", "high", "cut-off", "The order was cancelled but the warehouse shipped it, or did not answer.",
       "Stop the parcel or arrange its return.", "A person resolves it."),
    _t("edited_after_export", "customer service", "high", "cut-off", "The order was changed after the warehouse had it, and the warehouse cannot follow.",
       "Ring the warehouse before the pick.", "A person resolves it."),
    _t("stock_absurd", "operations", "high", "day", "A stock figure is negative or absurdly large.", "Ask the warehouse.", "A sound figure arrives."),
    _t("feed_shrank", "data", "high", "day", "A feed lost far more rows than usual.", "Ask the partner; nothing was set to zero.", "A full statement of the facility arrives, or a person believes this one."),
    _t("feed_silent", "data", "high", "cut-off", "A feed stopped: nothing has come for longer than it may.", "Ask the partner.", "The feed speaks again."),
    _t("stale_stock", "operations", "medium", "day", "A stock figure is older than it may be.", "Ask the warehouse for a fresh one.", "A newer figure arrives."),
    _t("stock_sku_unknown", "ecommerce", "medium", "day", "Stock of a SKU that one of the two sides does not know; nothing is sent for it.",
       "Set the item up, add a row to skus.csv, or map the location in stock_locations.csv.", "The SKU is known on both sides, or a mapping is added.", "skus"),
    _t("receipt_differs", "operations", "medium", "day", "The warehouse received other goods than were announced to it.",
       "Compare the delivery note with the warehouse's receipt.", "A person resolves it."),
    _t("return_unmatched", "customer service", "medium", "day", "A return names no order we know.", "Choose among the candidates.", "A person chooses."),
    _t("return_unexpected", "customer service", "medium", "day", "More, or something else, came back than was sent.", "Look at the evidence and decide.", "A person resolves it."),
    _t("rma_not_approved", "customer service", "medium", "day", "Goods came back before the return was authorised.", "Approve or refuse the return.", "The RMA is decided."),
    _t("refund_declined", "finance", "high", "day", "The payment provider declined a refund.", "Refund by another way.", "A person resolves it."),
    _t("return_rule_missing", "finance", "medium", "day", "No rule says what a return of this grade is refunded.",
       "Add a row to return_rules.csv.", "A rule is added.", "return_rules"),
    _t("refund_over_cap", "finance", "high", "day", "The refund would be more than was paid or than came back.",
       "Look at the order's payments and refunds, then refund by hand what is due.", "A person resolves it."),
    _t("refunded_not_returned", "finance", "medium", "month-end", "Money was given back and no goods came back.",
       "Ask customer service whether goods are expected.", "The goods arrive, or a person resolves it."),
    _t("returned_not_refunded", "finance", "medium", "month-end", "Goods came back and no money was given back.",
       "Look at the order's timeline; refund, or say why not.", "A refund is seen, or a person resolves it."),
    _t("reconciliation_difference", "finance", "medium", "month-end", "The books of a period do not agree about an order's money or quantities.",
       "Look at the difference named in the statement.", "They agree again, or a person resolves it."),
    _t("tracking_drift", "ecommerce", "medium", "day", "The storefront shows another tracking number or carrier than the warehouse's.",
       "Look at the cause named, and correct the shipment in the storefront.", "They agree again."),
    _t("webhook_off", "data", "medium", "day", "The storefront no longer calls us: the hook is missing, off or points elsewhere. Polling goes on.",
       "See that the address can be reached; the hook is registered again by itself.", "The hook is active again."),
    _t("status_drift", "ecommerce", "medium", "day", "Storefront and warehouse disagree about an order.", "Look at the timeline.", "They agree again."),
    _t("stock_drift", "ecommerce", "medium", "day", "Storefront and warehouse disagree about stock.", "Look at the cause named.", "They agree again."),
    _t("tracking_not_taken", "ecommerce", "high", "ship-by", "The storefront accepted a dispatch confirmation but does not show it.",
       "Look at the order in the storefront; enter the tracking by hand if need be.", "The read-back shows it, or a person resolves it."),
    _t("untracked_item", "ecommerce", "low", "day", "The storefront does not track this item's inventory; some bridges cannot confirm it.",
       "Switch inventory tracking on.", "The catalogue says it is tracked."),
    _t("settlement_unknown_type", "finance", "high", "month-end", "Amounts of a settlement are of a kind that no catalogue knows; they are in suspense.",
       "Say what it is: add a row to settlement_types.csv.", "A rule is added; exactly these amounts are attributed.", "settlement_types"),
    _t("settlement_inconsistent", "finance", "high", "month-end", "A settlement does not add up at its source: rows against deposit, reserve against the one before, or a statement is missing.",
       "Compare with the marketplace's own page; a missing statement is put into the inbox.", "It adds up, or a person resolves it."),
    _t("paid_not_shipped", "finance", "medium", "month-end", "Paid for, and no dispatch.", "Look at the timeline.", "A dispatch arrives."),
    _t("shipped_not_paid", "finance", "medium", "month-end", "Dispatched, and not paid for.", "Look at the timeline.", "A payment arrives."),
    _t("cutoff_at_risk", "operations", "high", "cut-off", "The order will miss its collection, or the storefront's own ship-by.",
       "Ask the warehouse to pull it forward and to send its manifest; of one that is shipped and not told, see why.", "It ships, and the storefront knows."),
    _t("blocked_effect", "operations", "high", "cut-off", "It cannot be told whether a change reached the other system.",
       "Look there; then choose: it is there, or send it again.", "A person decides."),
)}

CUT_OFF = time(15, 0)


def due_at(type_name: str, opened_at: datetime, cut_off: time = CUT_OFF, ship_by: datetime | None = None) -> datetime:
    """When the exception must be dealt with, in UTC: the next collection cut-off, in 24 hours, or the end of the month.

    ship_by: the order's own, where its storefront names one. What would keep a parcel from leaving or being told is due by then.
    """
    due = TYPES[type_name].due
    usual = _due_at(due, opened_at, cut_off)
    return min(usual, ship_by) if ship_by is not None and due in WITH_SHIP_BY else usual


def _due_at(due: str, opened_at: datetime, cut_off: time) -> datetime:
    if due == "day" or due == "ship-by":
        return opened_at + timedelta(hours=24)
    if due == "month-end":
        first = opened_at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return (first + timedelta(days=32)).replace(day=1)
    today = opened_at.replace(hour=cut_off.hour, minute=cut_off.minute, second=0, microsecond=0)
    return today if opened_at < today else today + timedelta(days=1)
