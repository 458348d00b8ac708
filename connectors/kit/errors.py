"""Errors sorted by what to do next, not by what went wrong.

    WharfingerError
    ├── DefiniteNo             certainly nothing happened on the far side
    │   ├── NotNow             try again later: refused connection, DNS, 429, a full budget     -> the effect is planned again
    │   ├── NotAllowed         401/403: the account must be mended; the effect keeps            -> planned again, the run fails
    │   └── Refused            the far side said no to this record                              -> rejected, a person looks
    ├── InDoubt                it may have happened: time-out after sending, any 5xx, a 2xx that cannot be read -> read back
    ├── BadDocument            what came cannot be read: malformed X12, HTML instead of JSON    -> set aside with its bytes
    └── BadConfiguration       our own settings or mappings are wrong                           -> stop and say which key

Every text says what we were doing, what came back, whether trying again helps, and what to do. None holds personal data or
a secret: give it ids and codes.
"""


class WharfingerError(Exception):
    """Base of every error a caller may have to act on."""

    helps = "Trying again may help."

    def __init__(self, doing: str, got: str, remedy: str = "", wait_seconds: float | None = None) -> None:
        self.doing, self.got, self.remedy, self.wait_seconds = doing, got, remedy, wait_seconds
        super().__init__(" ".join(part for part in (f"{doing}: {got}.", self.helps, remedy) if part))

    def __reduce__(self):  # Prefect carries errors between processes
        return type(self), (self.doing, self.got, self.remedy, self.wait_seconds)


class DefiniteNo(WharfingerError):
    """Certainly nothing happened on the far side."""


class NotNow(DefiniteNo):
    """Nothing happened; the same call may work later (`wait_seconds`, when the far side said so)."""

    helps = "Trying again will help once it is back."


class NotAllowed(DefiniteNo):
    """The account may not do this: credentials or scopes."""

    helps = "Trying again cannot help until the credentials are mended."


class Refused(DefiniteNo):
    """The far side understood, and said no to this record.

    records: which of several in one call are at fault (SKUs), where the far side named them. known_as: the exception type that this is,
    where the kind of effect alone does not say it.
    """

    helps = "Trying again cannot help."

    def __init__(self, doing: str, got: str, remedy: str = "", wait_seconds: float | None = None, records: tuple[str, ...] = (), known_as: str = "") -> None:
        super().__init__(doing, got, remedy, wait_seconds)
        self.records, self.known_as = records, known_as

    def __reduce__(self):
        return type(self), (self.doing, self.got, self.remedy, self.wait_seconds, self.records, self.known_as)


class InDoubt(WharfingerError):
    """It may or may not have happened. Only a read-back can tell; never repeat a write on this.

    evidence: what is known of it already (the far side's id of what it is still working on), kept for the read-back. wait_seconds: how soon that can
    tell more; None: after the target's quiet period.
    """

    helps = "Do not repeat it blindly: read back first."

    def __init__(self, doing: str, got: str, remedy: str = "", wait_seconds: float | None = None, evidence: dict | None = None) -> None:
        super().__init__(doing, got, remedy, wait_seconds)
        self.evidence = evidence or {}

    def __reduce__(self):
        return type(self), (self.doing, self.got, self.remedy, self.wait_seconds, self.evidence)


class BadDocument(WharfingerError):
    """Something came that cannot be read. Nothing of it was used; its bytes are kept."""

    helps = "Trying again cannot help with these bytes."


class BadConfiguration(WharfingerError):
    """Our own settings, profile or mapping tables are wrong."""

    helps = "Trying again cannot help."
