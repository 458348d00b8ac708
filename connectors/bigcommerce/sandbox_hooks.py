"""The stand-in's webhooks: registered, signed as the vendor signs, delivered at least once or not at all, tried again, and switched off.

Faults strike a delivery as they strike a call: F1 under the name 'EVENT {scope}', and it is never sent; under 'HOOK {scope}' F2, it is lost before it
arrived, F3, its answer is lost (so it comes again), F11, it comes twice at once.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import httpx
from standardwebhooks import Webhook

from connectors.bigcommerce.sandbox_catalogue import Problem, paged, sent
from connectors.kit.clock import Clock
from connectors.kit.sandbox import CONNECT_REFUSED, DELIVERED_TWICE, TIMEOUT_AFTER, TIMEOUT_BEFORE, Faults

RETRY_SECONDS = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400)
IDLE = timedelta(days=90)
PER_SCOPE_MAX, PAGE_MAX, QUEUE_MAX = 10, 250, 20_000
CLIENT_SECRET = "bigcommerce-client-secret"
Receiver = Callable[[str, dict[str, str], bytes], int]  # address, headers, body -> status


class Hooks:
    """Hooks and what is still to be delivered. `receiver` takes the deliveries: a function, or `post` for a real address."""

    def __init__(self, clock: Clock, account: str, client_secret: str, faults: Faults) -> None:
        self._clock, self._account, self._faults = clock, account, faults
        self._signer = Webhook(base64.b64encode(client_secret.encode()).decode())
        self.receiver: Receiver | None = None
        self.hooks: dict[int, dict[str, Any]] = {}
        self.deliveries: list[dict[str, Any]] = []
        self._queue: list[tuple[datetime, int, int, str, bytes]] = []  # due, hook, attempt, message id, body
        self._messages = 0

    def tell(self, scope: str, about: dict[str, Any]) -> None:
        """Something happened: a message for each active hook of this scope."""
        for hook_id, hook in self.hooks.items():
            if hook["scope"] != scope or not hook["is_active"] or len(self._queue) >= QUEUE_MAX:
                continue
            if self._faults.strike(f"EVENT {scope}") == CONNECT_REFUSED:
                continue
            self._messages += 1
            body = {"scope": scope, "store_id": "1025646", "data": about, "hash": hashlib.sha1(json.dumps(about).encode()).hexdigest(),
                    "created_at": int(self._clock.now().timestamp()), "producer": f"stores/{self._account}"}
            self._queue.append((self._clock.now(), hook_id, 0, f"msg_{self._messages}", json.dumps(body).encode()))

    def settle(self) -> None:
        """Deliver what is due, and switch off what has been idle for 90 days."""
        now = self._clock.now()
        for hook in self.hooks.values():
            hook["is_active"] = hook["is_active"] and now - hook["used_at"] <= IDLE
        due, self._queue = [one for one in self._queue if one[0] <= now], [one for one in self._queue if one[0] > now]
        for _, hook_id, attempt, message, body in due if self.receiver else []:
            if hook_id in self.hooks and self.hooks[hook_id]["is_active"]:
                self._deliver(hook_id, attempt, message, body)
        if not self.receiver:
            self._queue = due + self._queue

    def switch_off(self, hook_id: int) -> None:
        """As after 48 hours of failures."""
        self.hooks[hook_id]["is_active"] = False

    def books(self) -> dict[str, Any]:
        """Its record: hooks by id, and every delivery that was tried."""
        return deepcopy({"hooks": self.hooks, "deliveries": self.deliveries})

    def signed(self, message: str, body: bytes, hook: dict[str, Any], at: datetime | None = None) -> dict[str, str]:
        """The headers of a delivery."""
        moment = at or self._clock.now()
        return {"content-type": "application/json", "webhook-id": message, "webhook-timestamp": str(int(moment.timestamp())),
                "webhook-signature": self._signer.sign(message, moment, body.decode()), **(hook["headers"] or {})}

    def list_hooks(self, request: httpx.Request) -> httpx.Response:
        """GET /v3/hooks."""
        wanted = request.url.params
        rows = [self._shape(hook) for hook in self.hooks.values() if wanted.get("scope", hook["scope"]) == hook["scope"]
                and wanted.get("destination", hook["destination"]) == hook["destination"]
                and wanted.get("is_active", str(hook["is_active"]).lower()) == str(hook["is_active"]).lower()]
        return paged(request, rows, PAGE_MAX)

    def get_hook(self, request: httpx.Request, hook_id: int) -> httpx.Response:
        """GET /v3/hooks/{id}."""
        return httpx.Response(200, json={"data": self._shape(self._known(hook_id)), "meta": {}})

    def post_hook(self, request: httpx.Request) -> httpx.Response:
        """POST /v3/hooks: https on port 443 only, at most ten of one scope."""
        body = self._checked(sent(request))
        if not {"scope", "destination"} <= set(body):
            raise _json(422, "JSON data is missing or invalid", {"destination": "error.path.missing."})
        if sum(hook["scope"] == body["scope"] for hook in self.hooks.values()) >= PER_SCOPE_MAX:
            raise _json(400, "Too many webhooks of this scope")
        now = self._clock.now()
        number = max(self.hooks, default=18048286) + 1
        self.hooks[number] = {"id": number, "client_id": "sandboxclientid", "store_hash": self._account, "headers": None, "is_active": True,
                              "created_at": int(now.timestamp()), "updated_at": int(now.timestamp()), **body, "used_at": now}
        return httpx.Response(200, json={"data": self._shape(self.hooks[number]), "meta": {}})

    def put_hook(self, request: httpx.Request, hook_id: int) -> httpx.Response:
        """PUT /v3/hooks/{id}."""
        self._known(hook_id).update(self._checked(sent(request)), updated_at=int(self._clock.now().timestamp()), used_at=self._clock.now())
        return self.get_hook(request, hook_id)

    def delete_hook(self, request: httpx.Request, hook_id: int) -> httpx.Response:
        """DELETE /v3/hooks/{id}: it is shown once more."""
        answer = self.get_hook(request, hook_id)
        del self.hooks[hook_id]
        return answer

    def _deliver(self, hook_id: int, attempt: int, message: str, body: bytes) -> None:
        hook = self.hooks[hook_id]
        fault = self._faults.strike(f"HOOK {hook['scope']}")
        status = 0
        for _ in range(2 if fault == DELIVERED_TWICE else 0 if fault == TIMEOUT_BEFORE else 1):
            status = self.receiver(hook["destination"], self.signed(message, body, hook), body)
        self.deliveries.append({"at": self._clock.now(), "hook": hook_id, "scope": hook["scope"], "message": message, "attempt": attempt, "status": status,
                                "fault": fault})
        if 200 <= status < 300 and fault != TIMEOUT_AFTER:
            hook["used_at"] = self._clock.now()
        elif attempt < len(RETRY_SECONDS):
            self._queue.append((self._clock.now() + timedelta(seconds=RETRY_SECONDS[attempt]), hook_id, attempt + 1, message, body))
        else:
            hook["is_active"] = False

    def _checked(self, body: dict[str, Any]) -> dict[str, Any]:
        kinds = {"scope": str, "destination": str, "is_active": bool, "headers": dict}
        wrong = {name: "error.invalid" for name, value in body.items() if name not in kinds or type(value) is not kinds[name]}
        destination = httpx.URL(body.get("destination", "https://x"))
        if wrong or destination.scheme != "https" or destination.port not in (None, 443):
            raise _json(422, "JSON data is missing or invalid", wrong or {"destination": "error.invalid"})
        return body

    def _known(self, hook_id: int) -> dict[str, Any]:
        if hook_id not in self.hooks:
            raise _json(404, f"Webhook with id [{hook_id}] not found")
        return self.hooks[hook_id]

    def _shape(self, hook: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in hook.items() if name != "used_at"}


def _json(status: int, title: str, errors: dict[str, str] | None = None) -> Problem:
    return Problem(status, title, errors, "application/json")


def post(inside: httpx.Client, root: str) -> Receiver:
    """A receiver that posts to a door near by: the path of the hook's address under `root`."""
    def receive(address: str, headers: dict[str, str], body: bytes) -> int:
        try:
            return inside.post(root + httpx.URL(address).path, headers=headers, content=body).status_code
        except httpx.HTTPError:
            return 0
    return receive
