"""Sheets on Prefect's board: artifacts that always say how things stand now. Written anew in their place, not piled up, and taken down when nothing holds.

They belong to no run: Prefect's clean-up of old runs leaves them alone, and their addresses stay the same.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey
from prefect.exceptions import ObjectNotFound

PAGE = 200


@dataclass(frozen=True)
class Sheet:
    """One artifact: a table (rows) or text in Markdown."""

    key: str
    description: str
    content: list[dict[str, Any]] | str


class Board:
    """What hangs there under keys that begin so, read once; `hang` writes only what is different."""

    def __init__(self, client: SyncPrefectClient, *beginnings: str) -> None:
        self._client = client
        self._there = {one.key: one for beginning in beginnings for one in all_latest(client, beginning)}
        self.written = self.taken_down = 0

    def hang(self, sheet: Sheet) -> str:
        """Show this under its key. Where it hangs: a link within the UI."""
        data = sheet.content if isinstance(sheet.content, str) else json.dumps(sheet.content, default=str)
        kind = "markdown" if isinstance(sheet.content, str) else "table"
        there = self._there.get(sheet.key)
        if there is None or there.type != kind:
            self.written += 1
            return address(self._client.create_artifact(ArtifactCreate(key=sheet.key, type=kind, description=sheet.description, data=data)).id)
        if (there.data if isinstance(there.data, str) else json.dumps(there.data, default=str), there.description) != (data, sheet.description):
            self.written += 1
            # not the client's update_artifact: that emits an event with the whole content for each
            self._client.request("PATCH", "/artifacts/{id}", path_params={"id": there.latest_id},
                                 json=ArtifactUpdate(data=data, description=sheet.description).model_dump(mode="json", exclude_unset=True))
        return address(there.latest_id)

    def take_down(self, beginning: str, keep: Iterable[str]) -> None:
        """Away with the sheets under this beginning that nobody needs any more."""
        kept = set(keep)
        for key, there in self._there.items():
            if key.startswith(beginning) and key not in kept:
                try:
                    self._client.delete_artifact(there.latest_id)
                    self.taken_down += 1
                except ObjectNotFound:  # another run was quicker
                    continue


def address(artifact_id: UUID) -> str:
    """Within the UI."""
    return f"/artifacts/artifact/{artifact_id}"


def form_address(deployment_id: UUID, parameters: Mapping[str, Any]) -> str:
    """A deployment's form within the UI, filled in so far."""
    return f"/deployments/deployment/{deployment_id}/run?parameters={quote(json.dumps(dict(parameters)), safe='')}"


def link(text: str, target: str) -> str:
    """As Prefect's tables and Markdown show links; plain text where there is no target."""
    return f"[{plain(text)}]({target})" if target else plain(text)


def plain(text: str) -> str:
    """Text from outside that neither becomes a link nor breaks a table."""
    return re.sub(r"([\[\]|`<>*_])", r"\\\1", re.sub(r"\s+", " ", text))


def cell(text: str) -> str:
    """Text from outside in a cell of a table artifact, which knows links and nothing else of Markdown."""
    return re.sub(r"\]\s*\(", "] - (", re.sub(r"\s+", " ", text))


def all_latest(client: SyncPrefectClient, beginning: str) -> list[Any]:
    """The newest artifact under each key that begins so."""
    wanted = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(like_=f"{beginning}%"))
    found: list[Any] = []
    while True:
        page = client.read_latest_artifacts(artifact_filter=wanted, limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return found
