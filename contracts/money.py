"""Money is integer minor units and a currency. Decimal at the edges, float nowhere."""

from decimal import Decimal, InvalidOperation

# ISO 4217: currencies whose minor unit is not 1/100. Everything else has two digits.
MINOR_DIGITS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0,
    "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0, "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}


class NotMoney(ValueError):
    """Text that is not an amount, or an amount finer than the currency's minor unit."""


def to_minor(amount: str | int | Decimal, currency: str) -> int:
    """'19.9900', 'GBP' -> 1999. Raises NotMoney for anything finer than a minor unit: rounding is somebody's decision."""
    if isinstance(amount, float):
        raise NotMoney("money came as a float: read JSON with parse_float=Decimal")
    try:
        value = Decimal(str(amount).strip())
    except InvalidOperation:
        raise NotMoney(f"not an amount: {str(amount)[:40]!r}") from None
    if not value.is_finite() or abs(value) >= Decimal(10) ** 15:
        raise NotMoney(f"not a usable amount: {str(amount)[:40]!r}")
    scaled = value.scaleb(MINOR_DIGITS.get(currency, 2))
    if scaled != scaled.to_integral_value():
        raise NotMoney(f"{amount} {currency} is finer than the currency's minor unit")
    return int(scaled)


def to_major(minor: int, currency: str) -> str:
    """1999, 'GBP' -> '19.99'."""
    digits = MINOR_DIGITS.get(currency, 2)
    return str(Decimal(minor).scaleb(-digits).quantize(Decimal(1).scaleb(-digits)))
