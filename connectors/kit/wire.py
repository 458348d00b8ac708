"""What every system's JSON has in common on the way: text that can be stored, amounts that are exact, and the bases of what is read and what is sent."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


def storable(value: Any) -> Any:
    """null is ''. Half a surrogate pair and NUL cannot be stored anywhere; they must not cost us the record."""
    if not isinstance(value, str):
        return "" if value is None else value
    return value.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def exact(value: Any) -> Decimal:
    """Text or a number that JSON gave as such -> Decimal, never through float. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError("not an amount")
    try:
        amount = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise ValueError("not an amount") from None
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 15:
        raise ValueError("not a usable amount")
    return amount


Text = Annotated[str, BeforeValidator(storable)]
Amount = Annotated[Decimal, BeforeValidator(exact)]


class Read(BaseModel):
    """Base of what we read: unknown fields pass, as vendors add some every month."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)


class Sent(BaseModel):
    """Base of what we send: exactly these fields."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
