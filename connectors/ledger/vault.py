"""Personal data, sealed for each order with a key of its own, and every look at it written down.

AES-256-GCM. The master key lives outside the database (environment or file); it wraps one data key a subject. Shredding destroys
a subject's data key and overwrites what it sealed. A backup taken before still holds both: keep no backup longer than the data may live.
"""

import base64
import hashlib
import hmac
import json
import os
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from sqlalchemy.engine import Connection

from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration, WharfingerError
from connectors.ledger.database import Database, dumps, shortened
from connectors.ledger.tables import access_log, storable, vault_item, vault_key

NONCE_BYTES, KEY_BYTES = 12, 32
NAME_LONGEST = 400
SHREDDED = b""


class VaultShut(WharfingerError):
    """A sealed record cannot be opened: the wrong master key, a shredded key, or bytes that were changed."""

    helps = "Trying again cannot help."


def new_master_key() -> str:
    """A fresh master key, as text for an environment variable or a key file."""
    return base64.urlsafe_b64encode(AESGCM.generate_key(bit_length=256)).decode()


# asked for every order: built once
_ITEM = (vault_item.c.subject == sa.bindparam("of"), vault_item.c.name == sa.bindparam("named"))
_WRAPPED = sa.select(vault_key.c.wrapped).where(vault_key.c.subject == sa.bindparam("of"))
_SEALED = sa.select(vault_item.c.sealed).where(*_ITEM)
_SEAL = sa.insert(vault_item)
_SEAL_AGAIN = sa.update(vault_item).where(*_ITEM).values(sealed=sa.bindparam("content"), sealed_at=sa.bindparam("at"))


class Vault:
    """Seals and opens. `subject` is what a key belongs to ('bigcommerce-uk/1001'), `name` one thing under it."""

    def __init__(self, database: Database, clock: Clock, master: SecretStr) -> None:
        self._database, self._clock = database, clock
        try:
            key = base64.b64decode(master.get_secret_value(), altchars=b"-_", validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise BadConfiguration("opening the vault", "the master key is not 32 bytes in base64", "Make one with `wharfinger doctor --new-key`.")
        self._wrap, self._fits = AESGCM(key), False
        self._fingerprint_key, self._log_key = (hmac.new(key, use, hashlib.sha256).digest() for use in (b"wharfinger fingerprint", b"wharfinger access log"))

    def seal(self, tx: Connection, subject: str, name: str, content: bytes) -> None:
        """Keep `content`; the same name again replaces it. Raises VaultShut when the master key is not the one of this ledger."""
        key, name = self._key(tx, subject, make=True), shortened(name, NAME_LONGEST)
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + AESGCM(key).encrypt(nonce, content, f"{subject}|{name}".encode())
        now = self._clock.now()
        if not tx.execute(_SEAL_AGAIN, {"of": subject, "named": name, "content": sealed, "at": now}).rowcount:
            tx.execute(_SEAL, {"subject": subject, "name": name, "sealed": sealed, "sealed_at": now})

    def open(self, tx: Connection, subject: str, name: str, actor: str, why: str) -> bytes | None:
        """The content, or None when there never was one. The look is logged with the caller's transaction. Raises VaultShut."""
        name = shortened(name, NAME_LONGEST)
        sealed = tx.execute(_SEALED, {"of": subject, "named": name}).scalar()
        if sealed is None:
            if self._wrapped(tx, subject) == SHREDDED:
                raise _shredded(subject)
            return None
        self._log(tx, subject, actor, why)
        try:
            return AESGCM(self._key(tx, subject)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], f"{subject}|{name}".encode())
        except (InvalidTag, ValueError):
            raise VaultShut(f"opening {name} of {subject}", "its seal is broken", "Check the master key; if it is right, the database was altered.") from None

    def seal_fields(self, tx: Connection, subject: str, name: str, fields: dict[str, Any]) -> None:
        """The same for a small table of fields."""
        self.seal(tx, subject, name, dumps(fields).encode())

    def open_fields(self, tx: Connection, subject: str, name: str, actor: str, why: str) -> dict[str, Any] | None:
        """The fields, or None."""
        content = self.open(tx, subject, name, actor, why)
        return None if content is None else json.loads(content)

    def shred(self, tx: Connection, subject: str) -> bool:
        """Destroy the subject's key and everything sealed under it; that there was one stays known. True when there was something.

        SQLite overwrites the bytes; `Database.checkpoint` clears them out of the journal too. PostgreSQL: they are gone after a VACUUM.
        """
        tx.execute(sa.delete(vault_item).where(vault_item.c.subject == subject))
        return bool(tx.execute(sa.update(vault_key).where(vault_key.c.subject == subject, vault_key.c.wrapped != SHREDDED).values(wrapped=SHREDDED)).rowcount)

    def held(self, tx: Connection, subject: str, before: datetime | None = None) -> list[str]:
        """Names of what is sealed under a subject (before that moment), without opening any."""
        wanted = sa.select(vault_item.c.name).where(vault_item.c.subject == subject).order_by(vault_item.c.sealed_at, vault_item.c.name)
        return list(tx.execute(wanted if before is None else wanted.where(vault_item.c.sealed_at < before)).scalars())

    def forget(self, tx: Connection, subject: str, names: list[str]) -> int:
        """Destroy some of what is sealed under a subject; the rest stays readable. How many there were. Same remarks as for `shred`."""
        return sum(tx.execute(sa.delete(vault_item).where(vault_item.c.subject == subject, vault_item.c.name == name)).rowcount for name in names)

    def fingerprint(self, fields: Any) -> str:
        """A keyed hash: equal fields, equal fingerprint; useless to whoever has not the master key."""
        return hmac.new(self._fingerprint_key, dumps(fields).encode(), hashlib.sha256).hexdigest()

    def log_head(self, tx: Connection) -> str:
        """The last line's hash ('' for an empty log). Noted elsewhere, it shows later that no end was cut off."""
        return tx.execute(sa.select(access_log.c.hash).order_by(access_log.c.sequence.desc()).limit(1)).scalar() or ""

    def check_log(self, tx: Connection, head: str = "") -> list[int]:
        """Sequence numbers of access-log lines that were altered, or whose predecessor is missing. Empty: untouched.

        head: what `log_head` said once; when no line has it any more, the end was cut off and 0 is in the answer.
        """
        broken, previous, heads = [], "", {""}
        for line in tx.execute(sa.select(access_log).order_by(access_log.c.sequence)):
            if line.previous != previous or not hmac.compare_digest(line.hash, self._line_hash(line.previous, line.at, line.subject, line.actor, line.why)):
                broken.append(line.sequence)
            previous = line.hash
            heads.add(line.hash)
        return broken if head in heads else [*broken, 0]

    def _wrapped(self, tx: Connection, subject: str) -> bytes | None:
        return tx.execute(_WRAPPED, {"of": subject}).scalar()

    def _key(self, tx: Connection, subject: str, make: bool = False) -> bytes:
        wrapped = self._wrapped(tx, subject)
        if wrapped:
            return self._unwrap(subject, wrapped)
        if not make:
            raise _shredded(subject)
        self._prove(tx)
        key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(NONCE_BYTES)
        values = {"wrapped": nonce + self._wrap.encrypt(nonce, key, subject.encode()), "created_at": self._clock.now()}
        if wrapped is None:
            tx.execute(sa.insert(vault_key).values(subject=subject, **values))
        else:  # its records were destroyed, and now there is something new about it
            tx.execute(sa.update(vault_key).where(vault_key.c.subject == subject).values(**values))
        return key

    def _unwrap(self, subject: str, wrapped: bytes) -> bytes:
        try:
            key = self._wrap.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], subject.encode())
        except (InvalidTag, ValueError):
            raise VaultShut(f"opening the records of {subject}", "the master key does not fit", "Give the key that this ledger was made with.") from None
        self._fits = True
        return key

    def _prove(self, tx: Connection) -> None:
        """Before a first key is made with this master key: does it fit the keys that are there? Two masters in one ledger help nobody."""
        if not self._fits:
            row = tx.execute(sa.select(vault_key).where(vault_key.c.wrapped != SHREDDED).order_by(vault_key.c.created_at).limit(1)).one_or_none()
            if row is not None:
                self._unwrap(row.subject, row.wrapped)

    def _log(self, tx: Connection, subject: str, actor: str, why: str) -> None:
        self._database.lock(tx, "access log")
        previous, now = self.log_head(tx), self._clock.now()
        subject, actor, why = storable(subject), storable(actor), storable(why)
        tx.execute(sa.insert(access_log).values(at=now, subject=subject, actor=actor, why=why, previous=previous,
                                                hash=self._line_hash(previous, now, subject, actor, why)))

    def _line_hash(self, previous: str, at: datetime, *parts: str) -> str:
        return hmac.new(self._log_key, dumps([previous, at.astimezone(UTC).isoformat(), *parts]).encode(), hashlib.sha256).hexdigest()


def _shredded(subject: str) -> VaultShut:
    return VaultShut(f"opening the records of {subject}", "their key was destroyed", "They were deleted on purpose.")
