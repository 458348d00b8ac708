"""What is asked of whatever a door let in."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from connectors.kit.rehearsal import frames
from connectors.ports import Message
from contracts.base import WHY
from contracts.mappings import TABLES
from contracts.returns import AuthorisedReturns
from tests.connectors.conformance import contract_of

SETS_ASIDE = {"StockLevels", "Orders", "OrderLines", "ShipGroups", "CatalogueItems", "ShownStock", "AuthorisedReturns", "Refunds", "Payments", "Channels", "Locations"}  # by whoever takes them in


def rows_hold(came: Any) -> Iterable[str]:
    """Every row that was let in holds its contract; of what the take-in sets aside row by row, the types do."""
    for frame in frames(came):
        contract = AuthorisedReturns if list(frame.columns) == AuthorisedReturns.columns() else contract_of(frame)
        unsound = contract.split(frame)[1]
        if len(unsound) and contract.__name__ not in SETS_ASIDE:
            yield f"{contract.__name__}: {unsound[WHY].iloc[0]}"


def messages_hold(came: list[Message]) -> Iterable[str]:
    """Rows hold their contract; a message with errors brings none; one without says something; no two have one key."""
    for message in came:
        brought = frames(message)
        if message.errors and brought:
            yield f"{message.kind} has errors and rows"
        if not message.errors and not brought and not message.acknowledgements and not message.answer:
            yield f"{message.kind} says nothing, and nobody is told"
        yield from () if message.errors else rows_hold(message)
    if len({message.key for message in came}) < len(came):
        yield "two messages have one key"


def rows_of(came: Any) -> list[Any]:
    """Every row, for comparing."""
    return [tuple(str(value) for value in row) for frame in frames(came) for row in frame.itertuples(index=False)]


def rows_of_messages(came: list[Message]) -> list[Any]:
    """Every row of the messages that are used."""
    return [row for message in came if not message.errors for row in rows_of(message)]


def table_is_sound(came: tuple[Any, list[str]]) -> Iterable[str]:
    """Rows or problems; and what is let in without a problem holds its contract."""
    rows, problems = came
    if isinstance(rows, pd.DataFrame) and not problems:
        yield from rows_hold_any(rows)


def rows_hold_any(frame: pd.DataFrame) -> Iterable[str]:
    """The same for mapping tables."""
    contract = next(contract for contract in TABLES.values() if contract.columns() == list(frame.columns))
    unsound = contract.split(frame)[1]
    if len(unsound):
        yield f"{contract.__name__}: {unsound[WHY].iloc[0]}"
