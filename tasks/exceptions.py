"""A person's word on an exception."""

from connectors.house import House
from connectors.kit.errors import BadConfiguration

BLOCKED = "blocked_effect"


def resolve(opened: House, exception_id: str, actor: str, reason: str, it_is_there: bool | None = None) -> None:
    """Close an exception with who and why. For a blocked effect `it_is_there` says what was found at the other system. Raises BadConfiguration."""
    doing = f"resolving exception {exception_id}"
    with opened.ledger.transaction() as tx:
        row = opened.ledger.exceptions.get(tx, exception_id)
        if row is None or row.state != "open":
            raise BadConfiguration(doing, "there is no open exception of this id", "See `wharfinger exceptions list`.")
        if row.type == BLOCKED:
            if it_is_there is None:
                raise BadConfiguration(doing, "it needs to know what you found", "Look in the other system, then say --there or --send-again.")
            opened.ledger.effects.decide(tx, row.evidence["effect"], it_is_there, actor)
        opened.ledger.exceptions.resolve(tx, exception_id, actor, reason)
        opened.ledger.timeline.note(tx, row.connection, row.record, f"{row.type} resolved", actor, reason)
