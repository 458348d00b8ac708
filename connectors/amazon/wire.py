"""What every API of Amazon's has in common on the way: moments, ids in a path, money. Money is text ('19.99'), dates are ISO 8601.

Text, amounts and the bases of what is read and what is sent are the kit's, and are had from here with the rest.
"""

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BeforeValidator, Field

from connectors.kit.wire import Amount, Read, Sent, Text


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


__all__ = ("Amount", "Moment", "Money", "Read", "Sent", "Text", "in_path", "read_moment", "write_moment")

Moment = Annotated[datetime, BeforeValidator(read_moment)]


class Money(Read):
    """An amount and its currency."""

    amount: Amount
    currencyCode: str = Field(pattern=r"^[A-Z]{3}$")
