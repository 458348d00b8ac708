"""Marketplaces as channels, and the service levels that customers choose from."""

import pandas as pd

from connectors.amazon.checked import read
from connectors.amazon.client import Client
from connectors.amazon.marketplaces import MARKETPLACES
from connectors.amazon.wire_sellers import Participations
from contracts.items import Channels, ShipOptions

SERVICE_LEVELS = ("EXPEDITED", "FREE_ECONOMY", "NEXT_DAY", "PRIORITY", "SAME_DAY", "SCHEDULED", "SECOND_DAY", "STANDARD")


def channels(name: str, client: Client, marketplaces: tuple[str, ...]) -> pd.DataFrame:
    """Frame of contract Channels. A marketplace that the account does not list is there all the same, and not active."""
    came = read(Participations, client.read("getMarketplaceParticipations", "/sellers/v1/marketplaceParticipations"), "getMarketplaceParticipations")
    found = {one.marketplace.id: one for one in came.payload}
    active = {key for key, one in found.items() if one.participation.isParticipating and not one.participation.hasSuspendedListings}
    return Channels.frame({"connection": name, "channel": one, "name": found[one].marketplace.name if one in found else MARKETPLACES[one].name,
                           "is_active": one in active} for one in marketplaces)


def ship_options(name: str, marketplaces: tuple[str, ...]) -> pd.DataFrame:
    """Frame of contract ShipOptions: the levels are Amazon's, the same everywhere."""
    return ShipOptions.frame({"connection": name, "ship_method": level, "country": MARKETPLACES[one].country, "is_enabled": True}
                             for one in marketplaces for level in SERVICE_LEVELS)
