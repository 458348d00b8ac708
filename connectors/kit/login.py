"""Who we are to an SSH server, and which server we take for the partner's."""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from pydantic import SecretStr


@dataclass(frozen=True)
class HostKey:
    """The server's pinned key: its type and fingerprint; type '' when only the fingerprint is known."""

    type: str
    fingerprint: str  # 'SHA256:' and unpadded base64, as `ssh-keygen -lf` prints it

    @classmethod
    def parse(cls, text: str) -> "HostKey":
        """'ssh-ed25519 AAAA… comment' (a line of `ssh-keyscan` without the host) or 'SHA256:…'. Raises ValueError for anything else."""
        first, *rest = text.split() or [""]
        if first.startswith("SHA256:") and not rest and len(_decoded(first[7:] + "=")) == 32:
            return cls("", first)
        if rest:
            blob = _decoded(rest[0])
            if blob.startswith(len(first).to_bytes(4, "big") + first.encode()) and len(blob) > len(first) + 8:
                return cls(first, fingerprint(blob))
        raise ValueError("a host key is 'ssh-ed25519 AAAA...' (ask the partner, or compare ssh-keyscan with what he tells you) or 'SHA256:...'")


@dataclass(frozen=True)
class Login:
    """One account on one server. timeout_seconds bounds every wait for the server; a whole step gets ten times that."""

    host: str
    username: str
    host_key: HostKey
    port: int = 22
    password: SecretStr | None = field(default=None, repr=False)
    private_key: SecretStr | None = field(default=None, repr=False)
    passphrase: SecretStr | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0


def fingerprint(blob: bytes) -> str:
    """'SHA256:…' of a public key's wire form."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
