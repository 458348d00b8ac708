"""What became of one message from a warehouse."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Entered:
    """state: 'processed', 'duplicate' (it says nothing new) or 'quarantined' (it cannot be trusted: nothing of it was used, `detail` says why).

    type, evidence: the exception type of a quarantined one, and what more its exception should show. counts: what the run tells of it, over all messages.
    """

    state: str
    detail: str = ""
    counts: Counter = field(default_factory=Counter)
    type: str = "document_malformed"
    evidence: dict[str, Any] = field(default_factory=dict)
