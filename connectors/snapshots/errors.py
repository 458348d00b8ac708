"""What this folder refuses, apart from the errors of the kit."""

from connectors.kit.errors import WharfingerError


class SnapshotRefused(WharfingerError):
    """What was to be kept or published is not what was declared: unknown kind, column or type, an unsafe name, personal data."""

    helps = "Trying again cannot help."


class QueryRefused(WharfingerError):
    """An analyst's query that is not answered: it does more than read the published views, is wrong, too big or too slow."""

    helps = "Trying again cannot help."
