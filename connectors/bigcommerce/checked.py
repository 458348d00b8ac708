"""Reading what came, and writing an id into a path: one way for every part of the port."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from connectors.bigcommerce.mapping import why
from connectors.kit.errors import BadDocument, Refused

M = TypeVar("M", bound=BaseModel)


def read(model: type[M], row: Any, path: str) -> M:
    """One record of an answer. Raises BadDocument that names fields, never values."""
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise BadDocument(f"reading {path}", why(error)) from None


def number(text: str, doing: str) -> str:
    """An id that may stand in a path. Raises Refused."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused(doing, f"{text[:20]!r} is not a BigCommerce id")
    return text
