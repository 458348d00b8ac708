"""Webhooks (v3): registering them, and telling a genuine delivery from everything else.

BigCommerce signs by Standard Webhooks with the app's client secret. That secret is the app's, not the account's, so the account that a delivery
names is held against ours too; and each hook carries a header of our own that only the account and we know.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from standardwebhooks import Webhook

from connectors.bigcommerce.checked import read
from connectors.bigcommerce.client import Client
from connectors.bigcommerce.mapping import why
from connectors.bigcommerce.wire import Read, Text
from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration, BadDocument, NotAllowed
from connectors.kit.http import parse
from connectors.ports import Hint

HEADER = "X-Wharfinger-Hook"
BODY_MAX, HEADER_MAX, SIGNATURES_MAX = 65_536, 512, 8
TOLERANCE = timedelta(minutes=5)
PER_SCOPE_MAX = 10
# what each scope is about, in our words. A stock update of ours is told back for each SKU of it: two thousand calls for one request
SCOPES = {"store/order/created": "order", "store/order/updated": "order", "store/order/statusUpdated": "order", "store/order/archived": "order",
          "store/order/refund/created": "refund", "store/sku/inventory/updated": "stock", "store/product/inventory/updated": "stock"}


class Hook(Read):
    """A registered webhook."""

    id: int = Field(gt=0)
    scope: str
    destination: Text = ""
    is_active: bool = False
    headers: dict[str, str] | None = None


class Event(Read):
    """The body of a delivery: thin on purpose."""

    scope: str = Field(max_length=200)
    producer: str = Field(max_length=200)
    hash: str = Field(min_length=1, max_length=200)
    created_at: int
    data: dict[str, Any]


class Keys(BaseModel):
    """What tells a genuine delivery: the app's client secret, and the value of our own header."""

    client_secret: str = Field(min_length=8, repr=False)
    header: str = Field(min_length=16, max_length=256, repr=False)


class Webhooks:
    """The account's webhooks. `keys` None: none are configured, and no delivery is genuine."""

    def __init__(self, name: str, account: str, client: Client, clock: Clock, keys: Keys | None, scopes: tuple[str, ...]) -> None:
        self._name, self._account, self._client, self._clock, self._keys, self._scopes = name, account, client, clock, keys, scopes
        self._signer = Webhook(base64.b64encode(keys.client_secret.encode()).decode()) if keys else None

    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """What a delivery says. Raises NotAllowed when it is not genuine or more than five minutes off, BadDocument when it cannot be read."""
        at = f"{self._name}: a webhook"
        if len(body) > BODY_MAX or not self._is_genuine({name.lower(): value for name, value in headers.items()}, body):
            raise NotAllowed(at, "it is not genuine, or more than five minutes old")
        try:
            event = Event.model_validate(parse(body))
            topic = _topic(event.scope)
            record = _record(topic, event.data)
        except ValidationError as error:
            raise BadDocument(at, why(error)) from None
        except ValueError as error:
            raise BadDocument(at, str(error)) from None
        if event.producer != f"stores/{self._account}":
            raise NotAllowed(at, "it is another account's")
        return Hint(f"{self._name} {event.scope} {record} {event.created_at} {event.hash[:64]}", topic, record)

    def keep(self, destination: str) -> list[dict[str, str]]:
        """Every scope that is wanted, once, active, to this address and with our header; what it was before. Others' hooks are left alone.

        A hook of ours that points elsewhere is turned here. Raises BadConfiguration without secrets, or for an address that is not https on 443.
        """
        at = f"{self._name}: registering webhooks"
        if self._keys is None:
            raise BadConfiguration(at, "client_secret and webhook_secret are not set", "Set both, by reference.")
        if not destination.startswith("https://") or ":" in destination.removeprefix("https://").split("/")[0]:
            raise BadConfiguration(at, f"{destination[:60]!r} is not an https address on port 443", "Put a TLS proxy before the door.")
        there = [read(Hook, row, "/hooks") for row in self._client.hooks()]
        return [{"topic": scope, "was": self._keep_one(scope, destination, [hook for hook in there if hook.scope == scope], at)} for scope in self._scopes]

    def _keep_one(self, scope: str, destination: str, there: list[Hook], at: str) -> str:
        body = {"scope": scope, "destination": destination, "is_active": True, "headers": {HEADER: self._keys.header}}
        ours = [hook for hook in there if hook.destination == destination or (hook.headers or {}).get(HEADER) == self._keys.header]
        if not ours:
            if len(there) >= PER_SCOPE_MAX:
                raise BadConfiguration(at, f"there are {len(there)} hooks of {scope} already", "Delete those that are not used.")
            self._write(None, body, at)
            return "missing"
        hook = next((one for one in ours if one.destination == destination), ours[0])
        if hook.destination == destination and hook.is_active and (hook.headers or {}).get(HEADER) == self._keys.header:
            return "active"
        self._write(hook.id, body, at)
        return "elsewhere" if hook.destination != destination else "off"

    def _write(self, hook_id: int | None, body: dict[str, Any], at: str) -> None:
        sent = json.dumps(body).encode()
        made = read(Hook, self._client.create_hook(sent) if hook_id is None else self._client.update_hook(hook_id, sent), "/hooks")
        if not made.is_active or made.destination != body["destination"]:
            raise BadDocument(at, f"hook {made.id} was written and is not as asked for")

    def _is_genuine(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Constant in time where secrets are compared; stricter than the library's own check, which forgives letters that are no base64."""
        if self._keys is None or self._signer is None:
            return False
        named, moment, signed, own = (headers.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature", HEADER.lower()))
        if not named or max(map(len, (named, moment, signed, own))) > HEADER_MAX or not (moment.isascii() and moment.isdigit() and len(moment) < 12):
            return False
        sent_at = datetime.fromtimestamp(int(moment), UTC)
        try:
            wanted = self._signer.sign(named, sent_at, body.decode())
        except UnicodeDecodeError:
            return False
        given = signed.split(" ")
        if len(given) > SIGNATURES_MAX or "" in given:
            return False
        matches = [hmac.compare_digest(wanted.encode(), one.encode("utf-8", "replace")) for one in given]
        is_ours = hmac.compare_digest(self._keys.header.encode(), own.encode("utf-8", "replace"))
        return any(matches) and is_ours and str(int(moment)) == moment and abs(self._clock.now() - sent_at) <= TOLERANCE


def _topic(scope: str) -> str:
    """What a scope is about, in our words: 'store/channel/2/order/updated' and 'store/order/updated' are the same."""
    parts = scope.split("/")
    plain = "/".join([parts[0], *parts[3:]]) if parts[1:2] == ["channel"] and len(parts) > 3 else scope
    if plain not in SCOPES:
        raise ValueError("it is of a scope that we did not ask for")
    return SCOPES[plain]


def _record(topic: str, data: dict[str, Any]) -> str:
    """An order's id (channel-scoped events call it `order_id`); of stock, what the figure belongs to."""
    value = data.get("order_id", data.get("id")) if topic in ("order", "refund") else data.get("id", data.get("variant_id"))
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 10**18:
        raise ValueError("it names no record")
    return str(value) if topic in ("order", "refund") else f"{data.get('type') if data.get('type') in ('sku', 'product') else 'item'} {value}"
