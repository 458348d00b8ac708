"""The way to a simulated marketplace: one for all processes, so that a late commit is late by its own clock and not by its sender's next call."""

import json
from typing import Any

import httpx

from connectors.kit.sandbox import DELIVERED_TWICE, LATE_COMMIT, PAGE_SHIFT, STALE_READ
from deployments.simulation.faults import HTTP, SandboxFaults
from deployments.simulation.wire import SimTransport

CONFIRMATION, PATCH, FEED, UPLOAD = "market confirmation", "market patch", "market feed", "market upload"
ORDERS, ORDER, LISTINGS, FEEDS, REPORTS, LOGIN, MONEY, ACCOUNT = (f"read market {what}" for what in (
    "orders", "order", "listings", "feeds", "reports", "login", "money", "account"))
LEDGERED = {CONFIRMATION: "dispatch_confirmation", PATCH: "stock_update", FEED: "stock_update"}  # the effect that such a call carries
SHOWS_OLD = (ORDERS, ORDER, LISTINGS)
SEARCH = "/orders/2026-01-01/orders"


def effect_of(what: str) -> str:
    """From a call ('POST /orders/v0/orders/1/shipmentConfirmation') to what it is about."""
    method, _, path = what.partition(" ")
    if method in ("POST", "PATCH", "PUT"):
        return CONFIRMATION if path.endswith("/shipmentConfirmation") else PATCH if method == "PATCH" else FEED if path.endswith("/feeds") else \
            UPLOAD if "/documents" in path else LOGIN if "/auth/" in path else REPORTS
    if path.startswith(SEARCH):
        return ORDERS if path == SEARCH else ORDER
    return LISTINGS if path.startswith("/listings") else FEEDS if "/feeds" in path else REPORTS if "report" in path or path.startswith("/documents") else \
        MONEY if "/finances" in path else ACCOUNT


class MarketFaults(SandboxFaults):
    """The marketplace's faults, decided by the world's weather."""

    def __init__(self, weather: Any, late_seconds: float) -> None:
        super().__init__(weather, effect_of, late_seconds, HTTP)

    def strike(self, what: str) -> str:
        """The fault of this call. Stale reads and shifting pages are carried out by the stand-in itself."""
        effect = effect_of(what)
        is_read = effect.startswith("read")
        never = {LATE_COMMIT, DELIVERED_TWICE} if is_read else {PAGE_SHIFT, STALE_READ}
        never |= ({PAGE_SHIFT} if effect != ORDERS else set()) | ({STALE_READ} if effect not in SHOWS_OLD else set())
        fault = self._weather.strike(tuple(one for one in self._candidates if one not in never), what, effect, not is_read)
        self.struck[fault] += bool(fault)
        return fault


class MarketTransport(SimTransport):
    """One process's way to the marketplace: a point before and after each request, and the witness of every change."""

    has_one_budget = False  # each kind of request has a bucket of its own

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        path, wire, worker = request.url.path, self._world.wire, self._worker
        what = f"{request.method} {path}"
        effect = effect_of(what)
        about = "" if effect.startswith("read") else effect
        wire.reaches_out(worker, what)
        sent = wire.leaves(worker, LEDGERED[effect], what, (path, request.read())) if effect in LEDGERED else None
        came = self._round_trip(request, what, about, sent)
        is_said = came.status_code < 300 and "html" not in came.headers.get("content-type", "")
        if is_said and effect == PATCH:
            wire.is_sure(sent)
        elif is_said:
            self._hears(effect, path, came)
        return came

    def _hears(self, effect: str, path: str, came: httpx.Response) -> None:
        wire = self._world.wire
        if effect == ORDER:
            wire.read("read shipments", path.rpartition("/")[2])
        elif effect in (LISTINGS, FEEDS):
            wire.read("read inventory", "")
        elif effect == ORDERS:
            heard = wire.orders_heard.setdefault(self._worker.name, {})
            for row in json.loads(came.content)["orders"]:
                heard[row["orderId"]] = self._world.changed_at(row["lastUpdatedTime"])
