"""The stand-in's seller: in which marketplaces he takes part."""

from typing import Any

import httpx

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.amazon.sandbox_answers import Route

LANGUAGES = {"GB": "en_GB", "US": "en_US", "CA": "en_CA", "DE": "de_DE", "FR": "fr_FR", "IT": "it_IT", "ES": "es_ES", "JP": "ja_JP"}


class SellersApi:
    """A part (sandbox_answers.Part)."""

    def __init__(self, marketplaces: tuple[str, ...]) -> None:
        self._marketplaces = marketplaces

    def routes(self) -> list[Route]:
        """sellers v1."""
        return [Route("GET", "/sellers/v1/marketplaceParticipations", "getMarketplaceParticipations", self.list_participations)]

    def step(self) -> None:
        """Nothing is due."""

    def books(self) -> dict[str, Any]:
        """Nothing is written."""
        return {}

    def list_participations(self, request: httpx.Request) -> httpx.Response:
        """Every marketplace of the account."""
        return httpx.Response(200, json={"payload": [{
            "marketplace": {"id": one, "name": MARKETPLACES[one].name, "countryCode": MARKETPLACES[one].country,
                            "defaultCurrencyCode": MARKETPLACES[one].currency, "defaultLanguageCode": LANGUAGES.get(MARKETPLACES[one].country, "en_US"),
                            "domainName": f"www.{MARKETPLACES[one].name.lower()}"},
            "participation": {"isParticipating": True, "hasSuspendedListings": False}, "storeName": "Sandbox"} for one in self._marketplaces]})
