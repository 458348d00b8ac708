"""Quayside as a warehouse: joins client, wire and mapping, and knows how each effect is read back."""

import json
from collections.abc import Iterator

import httpx
import pandas as pd
from pydantic import BaseModel, Field

from connectors._template import mapping, wire
from connectors._template.client import Client, said
from connectors.kit.budget import shared_budget
from connectors.kit.clock import Clock
from connectors.kit.http import Http, parse
from connectors.kit.secret import Secret
from connectors.ports import FULFILMENT_CANCEL, FULFILMENT_CHANGE, FULFILMENT_REQUEST, Effect, Inbound, Message, Receipt


class Settings(BaseModel, extra="forbid"):
    """One Quayside account, as a profile describes it. Connections with the same `account` share its request budget."""

    base_url: str
    token: Secret
    account: str = ""
    page_size: int = Field(100, ge=1, le=100)
    timeout_seconds: float = Field(30.0, gt=0)
    quiet_seconds: float = Field(120.0, gt=0)
    verify_seconds: float = Field(3600.0, gt=0)


def connect(name: str, settings: Settings, clock: Clock, transport: httpx.BaseTransport | None = None) -> "Quayside":
    """The port to this account. Nothing is asked of Quayside yet. Raises BadConfiguration on an address that cannot be right."""

    def sign(request: httpx.Request) -> None:
        request.headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"

    account = settings.account or name
    http = Http(name, settings.base_url, clock, sign=sign, budget=shared_budget(f"quayside:{account}", clock), describe=said,
                timeout_seconds=settings.timeout_seconds, transport=transport)
    return Quayside(name, account, settings, Client(http, settings.page_size))


class Quayside:
    """The port `Warehouse`. An order is read back by our reference, which Quayside keeps but does not keep unique."""

    kinds = (FULFILMENT_REQUEST, FULFILMENT_CHANGE, FULFILMENT_CANCEL)
    follows_changes = True
    follows_cancels = True
    acknowledges = False
    announces_returns = False
    stock_basis = "available"

    def __init__(self, name: str, account: str, settings: Settings, client: Client) -> None:
        self.name, self.account, self._client = name, account, client
        self.quiet_seconds, self.verify_seconds = settings.quiet_seconds, settings.verify_seconds
        self.silent_after_seconds: dict[str, float] = {}

    def numbers(self, kind: str) -> str:
        """Quayside counts for itself."""
        return ""

    def prepare(self, effect: Effect) -> bytes:
        """The body of the request; a cancel has none."""
        return b"" if effect.kind == FULFILMENT_CANCEL else mapping.order_body(effect)

    def send(self, effect: Effect) -> Receipt:
        """Send once. Raises NotNow, NotAllowed, Refused or InDoubt, as Http sorts them."""
        reference, body = effect.payload["reference"], effect.document or self.prepare(effect)
        if effect.kind == FULFILMENT_REQUEST:
            return _receipt(self._client.create(body))
        if effect.kind == FULFILMENT_CHANGE:
            return _receipt(self._client.change(reference, body))
        return _receipt(self._client.cancel(reference))

    def find(self, effect: Effect) -> Receipt | None:
        """The newest order under our reference, if it has what this effect wanted."""
        orders = self._client.orders(effect.payload["reference"])
        if not orders:
            return None
        if effect.kind == FULFILMENT_CANCEL:
            return _receipt(orders[-1]) if all(order.state == "cancelled" for order in orders) else None
        current = [order for order in orders if order.revision >= effect.payload["revision"]]
        return _receipt(current[-1], copies=len(orders)) if current else None

    def items(self) -> tuple[pd.DataFrame, list[dict[str, str]]]:
        """The item master, and the rows that could not be read."""
        return mapping.items_frame(self.name, list(self._client.items()))

    def inbound(self) -> Iterator[Inbound]:
        """One `Inbound` a page of shipments, in one spelling, so that the same page has the same bytes."""
        for page in self._client.shipments():
            body = json.dumps(page.model_dump(), sort_keys=True, default=str).encode()
            yield Inbound(source=f"{self.name}:shipments", name=f"shipments-{page.first}-{page.last}", body=body)

    def read(self, inbound: Inbound) -> list[Message]:
        """One message a shipment. Raises BadDocument for a page that cannot be read."""
        return mapping.messages(self.name, inbound)

    def refused_names(self) -> list[str]:
        """Nothing comes here under a name of somebody's choice."""
        return []

    def file_away(self, inbound: Inbound) -> None:
        """Tell Quayside that everything up to the page's end was taken in."""
        self._client.acknowledge(wire.ShipmentPage.model_validate(parse(inbound.body)).last)


def _receipt(order: wire.OrderSeen, copies: int = 1) -> Receipt:
    return Receipt(order.id, {"state": order.state, "revision": order.revision} | ({"copies": copies} if copies > 1 else {}))
