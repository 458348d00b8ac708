"""Quayside's endpoints: base URL, token, paging and nothing else. One method an endpoint."""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from connectors._template import mapping, wire
from connectors.kit.errors import InDoubt, WharfingerError
from connectors.kit.http import Http, ReadFailed

PAGES_MAX = 10_000
# what may be shown of a refusal: Quayside's codes ('unknown_item:QS-9'), never free text, which could be somebody's name
CODE = re.compile(r"[a-z_.]{1,60}(:[A-Za-z0-9._-]{1,40})?")
Model = TypeVar("Model", bound=BaseModel)


def said(response: httpx.Response) -> str:
    """Quayside's own code for a refusal, or ''."""
    try:
        code = response.json()["code"]
    except (ValueError, KeyError, TypeError):
        return ""
    return code if isinstance(code, str) and CODE.fullmatch(code) else ""


class Client:
    """Quayside over one `Http`."""

    def __init__(self, http: Http, page_size: int, pages_max: int = PAGES_MAX) -> None:
        self._http, self._page_size, self._pages_max = http, page_size, pages_max

    def items(self) -> Iterator[dict[str, Any]]:
        """Every item of the master, as it came."""
        after: str | None = None
        for _ in range(self._pages_max):
            page = self._page(wire.ItemPage, "/v1/items", after)
            yield from page.items
            if page.next is None:
                return
            self._must_advance("/v1/items", after, page.next)
            after = page.next
        raise ReadFailed(f"{self._http.target}: GET /v1/items", f"more than {self._pages_max} pages")

    def orders(self, reference: str) -> list[wire.OrderSeen]:
        """Every order under our reference, oldest first; Quayside does not keep a reference unique."""
        came = self._http.read("/v1/orders", {"reference": reference})
        return _shaped(wire.OrdersSeen, came, f"{self._http.target}: GET /v1/orders", ReadFailed).orders

    def create(self, body: bytes) -> wire.OrderSeen:
        """A new order, also when there is one under this reference already."""
        return self._write("POST", "/v1/orders", body)

    def change(self, reference: str, body: bytes) -> wire.OrderSeen:
        """The newest order under this reference, complete again. Refused once it is shipped."""
        return self._write("PUT", f"/v1/orders/{quote(reference, safe='')}", body)

    def cancel(self, reference: str) -> wire.OrderSeen:
        """Cancel the newest order under this reference; twice is harmless. Refused once it is shipped."""
        return self._write("DELETE", f"/v1/orders/{quote(reference, safe='')}")

    def shipments(self) -> Iterator[wire.ShipmentPage]:
        """What was shipped since the last acknowledgement, page by page."""
        after: str | None = None
        for _ in range(self._pages_max):
            page = self._page(wire.ShipmentPage, "/v1/shipments", after)
            if page.shipments:
                yield page
            if not page.more:
                return
            self._must_advance("/v1/shipments", after, str(page.last))
            after = str(page.last)
        raise ReadFailed(f"{self._http.target}: GET /v1/shipments", f"more than {self._pages_max} pages")

    def acknowledge(self, up_to: int) -> None:
        """Quayside need not offer shipments up to this `seq` again; twice is harmless."""
        self._http.write("POST", "/v1/shipments/acknowledged", json.dumps({"up_to": up_to}).encode())

    def _page(self, model: type[Model], path: str, after: str | None) -> Model:
        came = self._http.read(path, {"limit": self._page_size} | ({} if after is None else {"after": after}))
        return _shaped(model, came, f"{self._http.target}: GET {path}", ReadFailed)

    def _must_advance(self, path: str, before: str | None, following: str) -> None:
        if following == before:
            raise ReadFailed(f"{self._http.target}: GET {path}", f"the page after {before} leads to itself")

    def _write(self, method: str, path: str, body: bytes | None = None) -> wire.OrderSeen:
        return _shaped(wire.OrderSeen, self._http.write(method, path, body), f"{self._http.target}: {method} {path}", InDoubt)


def _shaped(model: type[Model], came: Any, doing: str, error: type[WharfingerError]) -> Model:
    """A 2xx is good only when its body has the shape that was promised."""
    try:
        return model.model_validate(came)
    except ValidationError as wrong:
        raise error(doing, f"2xx, but of another shape: {mapping.why(wrong)}") from None
