"""What travels of the seller himself (sellers v1)."""

from connectors.amazon.wire import Read, Text


class SellersMarketplace(Read):
    """A marketplace as the seller sees it."""

    id: str
    name: Text = ""


class Participation(Read):
    """Does the seller sell there?"""

    isParticipating: bool
    hasSuspendedListings: bool = False


class OneParticipation(Read):
    """One marketplace and what the seller does there."""

    marketplace: SellersMarketplace
    participation: Participation


class Participations(Read):
    """getMarketplaceParticipations."""

    payload: list[OneParticipation]
