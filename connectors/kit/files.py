"""Files exchanged with a partner: one Protocol over a local folder and over SFTP.

Folders are relative to the connection's root ('in', 'out/940'; '' is the root). Names are `^[A-Za-z0-9._-]{1,100}$` without a leading dot.
The rules (atomic put, whole files only, nothing overwritten) are in exchange.py, the local disk in folder.py, SSH in sftp.py and ssh.py.
"""

from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.kit.clock import Clock
from connectors.kit.exchange import MAX_BYTES, FileStat, FileStats, Names
from connectors.kit.folder import Folder
from connectors.kit.login import HostKey, Login
from connectors.kit.secret import Secret

__all__ = ["FileStat", "Files", "FilesSettings", "Folder", "connect_files"]
_SFTP_ONLY = ("host", "username", "password", "private_key", "passphrase", "host_key")


class Files(Protocol):
    """What an EDI connection needs of its exchange folders.

    All raise NotNow (away, disk full) and NotAllowed (host key, login, rights, no such folder), and BadConfiguration for a folder name
    that would leave the root. One thread at a time; several connections to the same folders are fine.
    """

    def list(self, folder: str) -> FileStats:
        """Every regular file with a safe name (unfinished ones too), oldest first, at most 10,000."""

    def read(self, folder: str, name: str) -> bytes:
        """The whole file. BadDocument: larger than `max_bytes`, or no regular file. Refused: not a safe name. NotNow: gone."""

    def put(self, folder: str, name: str, body: bytes, token: str, until: datetime | None = None) -> None:
        """Publish under `name`, all or nothing, never over another file: by way of `{name}.tmp.{token}` and a rename.

        Not after `until`, by our clock: whoever was stopped for that long must not publish what somebody else may have published since (NotNow).

        The same bytes there already: success. Other bytes: Refused. Every DefiniteNo: this call published nothing. InDoubt: the answer
        to the rename never came; look with `list`, or put the same bytes again, which converges.
        """

    def move(self, folder: str, name: str, to_folder: str) -> None:
        """File away (makes `to_folder`); moved already is success; other bytes there under that name: ours becomes `name.2`."""

    def settled(self, folder: str) -> FileStats:
        """The files that are whole: safe name, no temporary suffix, unchanged between two looks `settle_seconds` apart."""

    def refused_names(self, folder: str) -> Names:
        """What lies there under a name, or of a kind (link, device), that is never offered; escaped to short ASCII, safe to show."""

    def remove_parts(self, folder: str, name: str) -> int:
        """Remove every unfinished `{name}.tmp.{token}`, whoever wrote it; how many. A put that is under way elsewhere then publishes nothing."""

    def remove_stale_parts(self, folder: str, older_than_seconds: float) -> int:
        """Remove what our own interrupted puts left behind; how many. A partner's unfinished files are left alone."""

    def remove_older(self, folder: str, before: datetime, dry_run: bool = False) -> int:
        """Remove what was written to a folder before that moment. How many files; dry_run: only counted."""

    def close(self) -> None:
        """Let go of the connection. Twice is harmless."""


class FilesSettings(BaseModel):
    """Where the files are. kind 'folder': `path`, which must exist. kind 'sftp': host, username, host_key, and a password or private key.

    path for SFTP is the folder on the server under which all is done ('' is where the server puts us). host_key is the pinned key:
    'ssh-ed25519 AAAA...' or 'SHA256:...'. Secrets by reference: 'env:NAME' or 'file:/path'. settle_seconds: how far apart the two looks
    are that decide whether a file still grows; 0 only where the partner renames.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["folder", "sftp"]
    path: str = ""
    host: str = ""
    port: int = Field(default=22, ge=1, le=65535)
    username: str = ""
    password: Secret | None = None
    private_key: Secret | None = None
    passphrase: Secret | None = None
    host_key: str = ""
    timeout_seconds: float = Field(default=30.0, gt=0, le=600)
    settle_seconds: float = Field(default=10.0, ge=0, le=3600)
    max_bytes: int = Field(default=MAX_BYTES, gt=0, le=200_000_000)

    @field_validator("host_key")
    @classmethod
    def _can_be_pinned(cls, text: str) -> str:
        if text:
            HostKey.parse(text)
        return text

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "FilesSettings":
        if self.kind == "folder":
            if not self.path:
                raise ValueError("kind 'folder' needs a path")
            if given := [key for key in _SFTP_ONLY if getattr(self, key)]:
                raise ValueError(f"kind 'folder' has no {', '.join(given)}")
            return self
        if missing := [key for key in ("host", "username", "host_key") if not getattr(self, key)]:
            raise ValueError(f"kind 'sftp' needs {', '.join(missing)}")
        if self.password is None and self.private_key is None:
            raise ValueError("kind 'sftp' needs a password or a private_key")
        return self


def connect_files(settings: FilesSettings, clock: Clock) -> Files:
    """The exchange that the settings describe. Nothing is opened yet: the first call connects, and says so when it cannot."""
    if settings.kind == "folder":
        return Folder(settings.path, clock, settings.settle_seconds, settings.max_bytes)
    from connectors.kit.sftp import Sftp  # paramiko takes most of a second to load, and a folder has no use for it

    login = Login(host=settings.host, port=settings.port, username=settings.username, host_key=HostKey.parse(settings.host_key),
                  password=settings.password, private_key=settings.private_key, passphrase=settings.passphrase,
                  timeout_seconds=settings.timeout_seconds)
    return Sftp(login, settings.path, clock, settings.settle_seconds, settings.max_bytes)
