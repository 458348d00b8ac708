"""The v2 shipping side of the stand-in: zones by country, and the methods that customers can choose in each."""

from collections.abc import Iterable
from typing import Any

import httpx


class Shipping:
    """Zones and their methods."""

    def __init__(self) -> None:
        self._zones: dict[int, dict[str, Any]] = {}
        self._methods: dict[int, list[dict[str, Any]]] = {}

    def add_zone(self, name: str, countries: Iterable[str], methods: Iterable[str], switched_off: Iterable[str] = (), free: bool = False) -> None:
        """A zone of these countries (none: the rest of the world), with methods that are on and methods that are off."""
        number, countries, off = len(self._zones) + 1, list(countries), set(switched_off)
        self._zones[number] = {"id": number, "name": name, "type": "country" if countries else "global", "enabled": True,
                               "locations": [{"id": place, "country_iso2": code} for place, code in enumerate(countries, 1)],
                               "free_shipping": {"enabled": free, "minimum_sub_total": "0.0000", "exclude_fixed_shipping_products": False},
                               "handling_fees": {"display_separately": False, "fixed_surcharge": "0.0000"}}
        self._methods[number] = [{"id": place, "name": method, "type": "perorder", "settings": {"rate": 5}, "enabled": method not in off,
                                  "handling_fees": {"fixed_surcharge": "0"}, "is_fallback": False, "channel_ids": [1]}
                                 for place, method in enumerate([*methods, *off], 1)]

    def list_zones(self, request: httpx.Request) -> httpx.Response:
        """GET /v2/shipping/zones."""
        return httpx.Response(200, json=list(self._zones.values())) if self._zones else httpx.Response(204)

    def list_methods(self, request: httpx.Request, zone: int) -> httpx.Response:
        """GET /v2/shipping/zones/{id}/methods."""
        if zone not in self._zones:
            return httpx.Response(404, json=[{"status": 404, "message": "The requested resource was not found."}])
        return httpx.Response(200, json=self._methods[zone]) if self._methods[zone] else httpx.Response(204)
