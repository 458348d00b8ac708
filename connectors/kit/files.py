"""Files exchanged with a partner: one Protocol over a local folder and over SFTP.

Folder names are relative to the connection's root ('in', 'out/940'). Names are safe names (`^[A-Za-z0-9._-]{1,100}$`, no leading dot).
"""

from datetime import datetime
from typing import NamedTuple, Protocol


class FileStat(NamedTuple):
    """A regular file as the far side shows it: size in bytes, modified_at in UTC by the far side's clock."""

    name: str
    size: int
    modified_at: datetime


class Files(Protocol):
    """What an EDI connection needs of its exchange folders."""

    def list(self, folder: str) -> list[FileStat]:
        """Every regular file with a safe name (parts included), oldest first, bounded."""

    def read(self, folder: str, name: str) -> bytes:
        """The whole file. Raises BadDocument when it is larger than the limit."""

    def put(self, folder: str, name: str, body: bytes, token: str) -> None:
        """Publish under `name`, all or nothing; the same bytes there already is success, other bytes are Refused.

        DefiniteNo: surely nothing was published. InDoubt: the outcome of the rename is unknown.
        """

    def move(self, folder: str, name: str, to_folder: str) -> None:
        """File away; twice is harmless, and nothing there is overwritten."""

    def settled(self, folder: str) -> list[FileStat]:
        """The files that are whole: safe name, no temporary suffix, unchanged between two looks `settle_seconds` apart."""

    def refused_names(self, folder: str) -> list[str]:
        """What lies there under a name (or of a kind) that we do not take, escaped so that it can be shown."""

    def remove_stale_parts(self, folder: str, older_than_seconds: float) -> int:
        """Remove what our own interrupted puts left behind; how many."""

    def close(self) -> None:
        """Let go of the connection. Twice is harmless."""
