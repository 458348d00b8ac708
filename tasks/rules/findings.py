"""What is wrong with one record, gathered: the same cause once, with every line that it concerns."""

from typing import Any

from contracts.exceptions import TYPES, Finding


class Findings:
    """The findings of one record of one connection. The cause, with its type in front, makes each the same exception next time."""

    def __init__(self, connection: str, record: str) -> None:
        self._connection, self._record = connection, record
        self._found: dict[str, tuple[str, dict[str, Any], str]] = {}

    def add(self, type_name: str, detail: str, evidence: dict[str, Any], waits_on: str = "", line_id: str = "") -> None:
        """Note one. `detail` says which cause of that type. Found again, only the line id is added. No personal data in the evidence."""
        assert type_name in TYPES, type_name
        cause = f"{type_name}:{detail}"
        _, kept, _ = self._found.setdefault(cause, (type_name, dict(evidence), waits_on))
        if line_id and line_id not in kept.setdefault("line_ids", []):
            kept["line_ids"].append(line_id)

    def listed(self) -> list[Finding]:
        """All of them, in the order found."""
        return [Finding(type_name, self._connection, self._record, cause, evidence, waits_on)
                for cause, (type_name, evidence, waits_on) in self._found.items()]

    def __bool__(self) -> bool:
        return bool(self._found)
