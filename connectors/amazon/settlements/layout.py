"""The two layouts of a settlement flat file, by their columns' names: V2 has one amount a line, V1 up to nine. And what is no settlement file, told by name."""

import re
from collections.abc import Sequence

from connectors.kit.errors import BadDocument

V2, V1 = "V2", "V1"
HEAD = ("settlement-id", "settlement-start-date", "settlement-end-date", "deposit-date", "total-amount", "currency")
V2_COLUMNS = (*HEAD, "transaction-type", "order-id", "merchant-order-id", "adjustment-id", "shipment-id", "marketplace-name", "amount-type", "amount-description",
              "amount", "fulfillment-id", "posted-date", "posted-date-time", "order-item-code", "merchant-order-item-id", "merchant-adjustment-item-id", "sku",
              "quantity-purchased", "promotion-id")
V1_COLUMNS = (*HEAD, "transaction-type", "order-id", "merchant-order-id", "adjustment-id", "shipment-id", "marketplace-name", "shipment-fee-type", "shipment-fee-amount",
              "order-fee-type", "order-fee-amount", "fulfillment-id", "posted-date", "order-item-code", "merchant-order-item-id", "merchant-adjustment-item-id", "sku",
              "quantity-purchased", "price-type", "price-amount", "item-related-fee-type", "item-related-fee-amount", "misc-fee-amount", "other-fee-amount",
              "other-fee-reason-description", "promotion-id", "promotion-type", "promotion-amount", "direct-payment-type", "direct-payment-amount", "other-amount")
# V1: (column of the amount, column of its description or '', our name of its kind: V2's amount-type where V2 has the like)
V1_AMOUNTS = (
    ("price-amount", "price-type", "ItemPrice"),
    ("item-related-fee-amount", "item-related-fee-type", "ItemFees"),
    ("shipment-fee-amount", "shipment-fee-type", "Shipment-Fees"),
    ("order-fee-amount", "order-fee-type", "Order-Fees"),
    ("promotion-amount", "promotion-type", "Promotion"),
    ("misc-fee-amount", "", "misc-fee"),
    ("other-fee-amount", "other-fee-reason-description", "other-fee"),
    ("direct-payment-amount", "direct-payment-type", "direct-payment"),
    ("other-amount", "", "other-amount"),
)
ESSENTIAL = {
    V2: ("settlement-id", "total-amount", "currency", "transaction-type", "amount-type", "amount-description", "amount"),
    V1: ("settlement-id", "total-amount", "currency", "transaction-type", "price-type", "price-amount", "item-related-fee-type", "item-related-fee-amount"),
}
_ALIASES = {"settlementid": "settlement-id", "fulfilment-id": "fulfillment-id", "posted-datetime": "posted-date-time", "order-item-id": "order-item-code",
            "quantity": "quantity-purchased", "seller-sku": "sku", "marketplace": "marketplace-name", "total": "total-amount"}
_KNOWN = {*V2_COLUMNS, *V1_COLUMNS}
_SQUASHED = {name.replace("-", ""): name for name in (*V2_COLUMNS, *V1_COLUMNS)}
_DATE_RANGE = {"date/time", "datum/uhrzeit", "date/heure", "data/ora:", "data/ora", "fecha-y-hora", "日付/時間", "datum/tijd", "data/godzina", "datum/tid"}


def is_header(cells: Sequence[str]) -> bool:
    """Does this line name the columns of a settlement file, or of another export that we can name?"""
    names = named(cells)
    return len({*names} & _KNOWN) >= 4 or bool({*names} & _DATE_RANGE and len(names) > 5) or any(cell.startswith("<") and "xml" in cell.lower() for cell in cells)


def named(cells: Sequence[str]) -> list[str]:
    """'Settlement_ID', 'settlement id', 'settlementId' -> 'settlement-id'. A name that we do not know stays itself, in lower case."""
    return [_named(cell) for cell in cells]


def layout_of(name: str, cells: Sequence[str]) -> tuple[str, list[str]]:
    """The layout and the columns' names. Raises BadDocument with what it is instead, or what it lacks."""
    names, doing = named(cells), f"reading {name}"
    if {*names} & _DATE_RANGE:
        raise BadDocument(doing, "it is a date-range transaction report, not a settlement: it is in marketplace time and states no deposit",
                          "Download the settlement itself: Payments, All statements, Download flat file V2.")
    if any("<" in cell for cell in cells):
        raise BadDocument(doing, "it is a settlement in XML", "Download the flat file V2 instead; Amazon has withdrawn the XML.")
    layout = V2 if {"amount-type", "amount-description"} & {*names} or "price-amount" not in names else V1
    missing = [column for column in ESSENTIAL[layout] if column not in names]
    if missing:
        raise BadDocument(doing, f"as a settlement {layout} it lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
                          "Download it again; a file with columns left out cannot be added up.")
    twice = sorted({one for one in names if one and names.count(one) > 1})
    if twice:
        raise BadDocument(doing, f"it has the column {twice[0]} twice", "Which one counts nobody can say: download it again.")
    return layout, [one or f"column {number}" for number, one in enumerate(names, 1)]


def unknown_columns(layout: str, names: Sequence[str]) -> list[str]:
    """Columns that the layout does not have: kept out of the sums, and reported."""
    return [one for one in names if one not in (V2_COLUMNS if layout == V2 else V1_COLUMNS)]


def _named(cell: str) -> str:
    plain = re.sub(r"[\s_\-]+", "-", cell.strip().strip("\ufeff\"'").strip()).strip("-").lower()
    if plain in _KNOWN:
        return plain
    return _ALIASES.get(plain) or _SQUASHED.get(plain.replace("-", ""), plain)
