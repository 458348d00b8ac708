"""Personal data, sealed for each order with a key of its own, and every look at it written down.

AES-256-GCM. The master key lives outside the database (environment or file); it wraps one data key a subject. Deleting a
subject's data key makes everything sealed under it unreadable for ever, backups included.
"""

import base64
import hashlib
import hmac
import json
import os
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from sqlalchemy.engine import Connection

from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration, WharfingerError
from connectors.ledger.database import Database, dumps
from connectors.ledger.tables import access_log, vault_item, vault_key

NONCE_BYTES = 12


class VaultShut(WharfingerError):
    """A sealed record cannot be opened: the wrong master key, a shredded key, or bytes that were changed."""

    helps = "Trying again cannot help."


def new_master_key() -> str:
    """A fresh master key, as text for an environment variable or a key file."""
    return base64.urlsafe_b64encode(AESGCM.generate_key(bit_length=256)).decode()


class Vault:
    """Seals and opens. `subject` is what a key belongs to ('bigcommerce-uk/1001'), `name` one thing under it."""

    def __init__(self, database: Database, clock: Clock, master: SecretStr) -> None:
        self._database, self._clock = database, clock
        try:
            self._master = base64.urlsafe_b64decode(master.get_secret_value())
            self._wrap = AESGCM(self._master)
        except ValueError:
            raise BadConfiguration("opening the vault", "the master key is not 32 bytes in base64", "Make one with `wharfinger doctor --new-key`.") from None

    def seal(self, tx: Connection, subject: str, name: str, content: bytes) -> None:
        """Keep `content`; the same name again replaces it."""
        key = self._key(tx, subject, make=True)
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + AESGCM(key).encrypt(nonce, content, f"{subject}|{name}".encode())
        where = (vault_item.c.subject == subject, vault_item.c.name == name)
        if not tx.execute(sa.update(vault_item).where(*where).values(sealed=sealed, sealed_at=self._clock.now())).rowcount:
            tx.execute(sa.insert(vault_item).values(subject=subject, name=name, sealed=sealed, sealed_at=self._clock.now()))

    def open(self, tx: Connection, subject: str, name: str, actor: str, why: str) -> bytes | None:
        """The content, or None when there is none. The look is logged. Raises VaultShut."""
        sealed = tx.execute(sa.select(vault_item.c.sealed).where(vault_item.c.subject == subject, vault_item.c.name == name)).scalar()
        if sealed is None:
            return None
        self._log(tx, subject, actor, why)
        try:
            return AESGCM(self._key(tx, subject)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], f"{subject}|{name}".encode())
        except InvalidTag:
            raise VaultShut(f"opening {name} of {subject}", "its seal is broken", "Check the master key; if it is right, the database was altered.") from None

    def seal_fields(self, tx: Connection, subject: str, name: str, fields: dict[str, Any]) -> None:
        """The same for a small table of fields."""
        self.seal(tx, subject, name, dumps(fields).encode())

    def open_fields(self, tx: Connection, subject: str, name: str, actor: str, why: str) -> dict[str, Any] | None:
        """The fields, or None."""
        content = self.open(tx, subject, name, actor, why)
        return None if content is None else json.loads(content)

    def shred(self, tx: Connection, subject: str) -> bool:
        """Destroy the subject's key and everything sealed under it. True when there was something."""
        tx.execute(sa.delete(vault_item).where(vault_item.c.subject == subject))
        return bool(tx.execute(sa.delete(vault_key).where(vault_key.c.subject == subject)).rowcount)

    def fingerprint(self, fields: Any) -> str:
        """A keyed hash: equal fields, equal fingerprint; useless to whoever has not the master key."""
        return hmac.new(self._master, dumps(fields).encode(), hashlib.sha256).hexdigest()

    def check_log(self, tx: Connection) -> list[int]:
        """Sequence numbers of access-log lines that were altered, or whose predecessor is missing. Empty: untouched."""
        broken, previous = [], ""
        for line in tx.execute(sa.select(access_log).order_by(access_log.c.sequence)):
            if line.previous != previous or line.hash != _line_hash(line.previous, line.at.isoformat(), line.subject, line.actor, line.why):
                broken.append(line.sequence)
            previous = line.hash
        return broken

    def _key(self, tx: Connection, subject: str, make: bool = False) -> bytes:
        wrapped = tx.execute(sa.select(vault_key.c.wrapped).where(vault_key.c.subject == subject)).scalar()
        if wrapped is None:
            if not make:
                raise VaultShut(f"opening the records of {subject}", "their key was destroyed", "They were deleted on purpose.")
            key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(NONCE_BYTES)
            wrapped = nonce + self._wrap.encrypt(nonce, key, subject.encode())
            tx.execute(sa.insert(vault_key).values(subject=subject, wrapped=wrapped, created_at=self._clock.now()))
            return key
        try:
            key = self._wrap.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], subject.encode())
        except InvalidTag:
            raise VaultShut(f"opening the records of {subject}", "the master key does not fit", "Give the key that this ledger was made with.") from None
        return key

    def _log(self, tx: Connection, subject: str, actor: str, why: str) -> None:
        self._database.lock(tx, "access log")
        previous = tx.execute(sa.select(access_log.c.hash).order_by(access_log.c.sequence.desc()).limit(1)).scalar() or ""
        now = self._clock.now()
        tx.execute(sa.insert(access_log).values(at=now, subject=subject, actor=actor, why=why, previous=previous,
                                                hash=_line_hash(previous, now.isoformat(), subject, actor, why)))


def _line_hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
