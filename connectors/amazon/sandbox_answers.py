"""What every part of the stand-in answers with, and how it hangs into it: routes, refusals, and the faults that strike the request at hand."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx



class No(Exception):
    """The API says no: a status and one entry of its `errors` list."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(message)
        self.status, self.error = status, {"code": code, "message": message, **({"details": details} if details else {})}

    def response(self) -> httpx.Response:
        """As Amazon says it."""
        return httpx.Response(self.status, json={"errors": [self.error]})


@dataclass(frozen=True)
class Route:
    """One operation. path: a pattern that is matched whole, its groups (percent-decoded) go to `act` after the request. operation: whose bucket
    it draws from; '' for what is outside the API (the token endpoint, presigned documents): no access token and no bucket.
    """

    method: str
    path: str
    operation: str
    act: Callable[..., httpx.Response]


@dataclass
class Struck:
    """Which of the faults that the stand-in carries out itself strike the request at hand."""

    shifts: bool = False  # F12: something changes right after this page
    stale: bool = False  # F13: the answer shows an older state


class Part(Protocol):
    """A part of the stand-in: its routes, what is due by its clock, and its record."""

    def routes(self) -> list[Route]:
        """Its operations."""

    def step(self) -> None:
        """Do what is due."""

    def books(self) -> dict[str, Any]:
        """Its own record, copied."""


def invalid(message: str, details: str = "") -> No:
    """400 InvalidInput."""
    return No(400, "InvalidInput", message, details)


def moment(text: Any) -> datetime:
    """An ISO 8601 date-time as Amazon takes it: one without a zone is UTC. Raises ValueError."""
    if not isinstance(text, str) or "T" not in text:
        raise ValueError("not a date-time")
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def body_of(request: httpx.Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises No."""
    try:
        body = json.loads(request.content)
    except ValueError:
        raise invalid("Request has missing or invalid parameters and cannot be parsed.") from None
    if not isinstance(body, dict):
        raise invalid("The request body is no object.")
    return body


def listed(params: httpx.QueryParams, name: str) -> list[str]:
    """A list parameter, comma-separated or repeated."""
    return [part for value in params.get_list(name) for part in value.split(",") if part]


def moment_of(params: httpx.QueryParams, name: str) -> datetime | None:
    """A date-time parameter. Raises No."""
    if name not in params:
        return None
    try:
        return moment(params[name])
    except ValueError:
        raise invalid(f"{name} is not an ISO 8601 date-time.") from None


def whole_number(params: httpx.QueryParams, name: str, default: int, lowest: int, highest: int) -> int:
    """An integer parameter within bounds. Raises No."""
    text = params.get(name, str(default))
    if not text.isdigit() or not lowest <= int(text) <= highest:
        raise invalid(f"{name} must be between {lowest} and {highest}.")
    return int(text)
