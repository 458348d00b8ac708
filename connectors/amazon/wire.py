"""What every API of Amazon's has in common on the way: text, amounts, moments, ids in a path, and the bases of what is read and what is sent.

Read models take what we use and let unknown fields pass; what we send is exact. Money is text ('19.99'), dates are ISO 8601.
"""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _text(value: Any) -> Any:
    """null is ''. Half a surrogate pair and NUL cannot be stored anywhere; they must not cost us the order."""
    if not isinstance(value, str):
        return "" if value is None else value
    return value.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError("not an amount")
    try:
        amount = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise ValueError("not an amount") from None
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 15:
        raise ValueError("not a usable amount")
    return amount


def read_moment(value: Any) -> datetime:
    """'2026-01-15T09:00:00Z' -> aware, UTC. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("not a moment")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("not a moment") from None
    if moment.tzinfo is None or "T" not in value:
        raise ValueError("a moment without time or zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("not a usable moment") from None


def write_moment(moment: datetime) -> str:
    """ISO 8601 in UTC, whole seconds: what every date parameter takes."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def in_path(text: str) -> str:
    """An id or a SKU as one part of a path, whatever is in it."""
    return quote(text, safe="").replace(".", "%2E")


Text = Annotated[str, BeforeValidator(_text)]
Amount = Annotated[Decimal, BeforeValidator(_decimal)]
Moment = Annotated[datetime, BeforeValidator(read_moment)]


class Read(BaseModel):
    """Base of what we read."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)


class Sent(BaseModel):
    """Base of what we send: exactly these fields."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Money(Read):
    """An amount and its currency."""

    amount: Amount
    currencyCode: str = Field(pattern=r"^[A-Z]{3}$")
