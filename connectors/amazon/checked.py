"""Reading what came: one way for every part of the port."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from connectors.kit.errors import BadDocument, Refused

M = TypeVar("M", bound=BaseModel)
ID = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")


def why(error: Exception) -> str:
    """Why a record could not be read: field names and kinds of fault, never values."""
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False, include_context=False)
        return "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in found[:5])
    return str(error)


def read(model: type[M], row: Any, path: str) -> M:
    """One record of an answer. Raises BadDocument that names fields, never values."""
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise BadDocument(f"reading {path}", why(error)) from None


def order_id(text: str, doing: str) -> str:
    """An order id that may stand in a path. Raises Refused."""
    if not text or len(text) > 64 or not set(text) <= ID:
        raise Refused(doing, f"{text[:20]!r} is not an Amazon order id")
    return text
