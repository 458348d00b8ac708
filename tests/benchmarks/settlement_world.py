"""A settlement of a million rows by formula, as Amazon's V2 flat file: about 170 MB. The same number of rows gives the same bytes."""

from pathlib import Path

COLUMNS = ("settlement-id settlement-start-date settlement-end-date deposit-date total-amount currency transaction-type order-id merchant-order-id adjustment-id shipment-id "
           "marketplace-name amount-type amount-description amount fulfillment-id posted-date posted-date-time order-item-code merchant-order-item-id "
           "merchant-adjustment-item-id sku quantity-purchased promotion-id").split()
_KINDS = (("ItemPrice", "Principal", 1), ("ItemPrice", "Tax", 1), ("ItemPrice", "Shipping", 1), ("ItemFees", "Commission", -1), ("ItemFees", "FBAPerUnitFulfillmentFee", -1),
          ("ItemWithheldTax", "MarketplaceFacilitatorTax-Principal", -1), ("Promotion", "Shipping", -1))
_NUMBER, _START, _END, _DEPOSIT = "12345678901", "2026-01-01 00:00:00 UTC", "2026-01-15 00:00:00 UTC", "2026-01-17 00:00:00 UTC"


def cents(row: int) -> int:
    """The amount of a row."""
    return _KINDS[row % len(_KINDS)][2] * (row * 7_919 % 20_000 + 1)


def total(rows: int) -> int:
    """What the settlement pays, in cents."""
    return sum(map(cents, range(rows)))


def write_settlement(path: Path, rows: int) -> int:
    """Write it. The deposit in cents."""
    paid = total(rows)
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write("\t".join(COLUMNS) + "\n" + "\t".join([_NUMBER, _START, _END, _DEPOSIT, _money(paid), "USD", *[""] * 18]) + "\n")
        file.writelines(_line(row) for row in range(rows))
    return paid


def _line(row: int) -> str:
    item = row // len(_KINDS)
    kind, description, _ = _KINDS[row % len(_KINDS)]
    second = item * 37 % (14 * 86_400)
    day, rest = 1 + second // 86_400, second % 86_400
    order = f"{100 + item % 900}-{item * 7 % 10 ** 7:07d}-{item % 10 ** 7:07d}"
    moment = f"2026-01-{day:02d} {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d} UTC"
    return (f"{_NUMBER}\t\t\t\t\t\tOrder\t{order}\t{order}\t\tD{item:08x}\tAmazon.com\t{kind}\t{description}\t{_money(cents(row))}\tAFN\t2026-01-{day:02d}\t{moment}\t"
            f"{10 ** 13 + item * 97}\t\t\tSKU-{item % 3000:05d}\t1\t{'Core Free Shipping' if kind == 'Promotion' else ''}\n")


def _money(minor: int) -> str:
    return f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02d}"
