"""A partner's SFTP server as an exchange, with a pinned host key.

SFTP version 3 (draft-ietf-secsh-filexfer-02). Reads reconnect once; a write never does: the next attempt is the ledger's business.
"""

import errno
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Literal, TypeVar

from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, InDoubt, NotAllowed, NotNow, Refused, WharfingerError
from connectors.kit.exchange import MAX_BYTES, MAX_FILES, Entry, Exchange, folder_parts, moment, shown
from connectors.kit.ssh import BROKEN, Answer, Login, Session, connect

Result = TypeVar("Result")
NO_SUCH_FILE, PERMISSION_DENIED, UNSUPPORTED, NO_SPACE, QUOTA = 2, 3, 8, 14, 15


class Sftp(Exchange):
    """`Files` on an SFTP server. `root` is the folder there under which all is done; '' is where the server puts us."""

    def __init__(self, login: Login, root: str, clock: Clock, settle_seconds: float = 10.0, max_bytes: int = MAX_BYTES,
                 max_files: int = MAX_FILES) -> None:
        super().__init__(RemoteDisk(login, root), clock, settle_seconds, max_bytes, max_files)


class RemoteDisk:
    """The single steps, each one or a few SFTP requests."""

    def __init__(self, login: Login, root: str) -> None:
        self._login, self._root = login, root
        self._session: Session | None = None
        self.where = f"{login.host}:{login.port}"

    def entries(self, folder: str, limit: int) -> Iterator[Entry]:
        found = self._read("listing", folder, "", lambda session: session.names(self._path(folder), limit))
        for name, longname, attributes in found:
            entry = _entry(name, attributes, longname)
            if entry is not None:
                yield entry

    def entry(self, folder: str, name: str) -> Entry | None:
        def look(session: Session) -> Entry | None:
            try:
                attributes = session.lstat(self._path(folder, name))
            except Answer as answer:
                if answer.code != NO_SUCH_FILE:
                    raise
                return None
            return _entry(name, attributes) or Entry(name, 0, moment(0), False)

        return self._read("looking for", folder, name, look)

    def fetch(self, folder: str, name: str, limit: int) -> bytes:
        entry, doing = self.entry(folder, name), self._doing("reading", folder, name)
        if entry is None:
            raise NotNow(doing, "it is not there any more", "Look at the folder again.")
        if not entry.regular:
            raise BadDocument(doing, "it is a link or a device, not a regular file")
        if entry.size > limit:
            raise BadDocument(doing, f"it has {entry.size} bytes, more than the {limit} allowed", "Nothing of it was read.")
        # one byte more than it should have shows that it grew; a server that lies about sizes can send no more than that either
        body = self._read("reading", folder, name, lambda session: session.fetch(self._path(folder, name), entry.size + 1))
        if len(body) != entry.size:
            raise NotNow(doing, "it changed while it was read")
        return body

    def store(self, folder: str, name: str, body: bytes) -> None:
        path, doing = self._path(folder, name), self._doing("writing", folder, name)
        self.remove(folder, name)  # what an earlier try with this token left

        def write(session: Session) -> int | None:
            session.store(path, body)
            return session.lstat(path).st_size

        size = self._once(doing, write, lambda error: NotNow(doing, f"the connection broke ({_what(error)})", "Nothing was published."))
        if size != len(body):
            raise NotNow(doing, f"{size} bytes arrived of {len(body)}", "Nothing was published. The disk there may be full.")

    def rename(self, folder: str, name: str, to_folder: str, to_name: str) -> Literal["done", "taken", "gone"]:
        source, target, doing = self._path(folder, name), self._path(to_folder, to_name), self._doing("renaming", folder, name)
        try:
            self._once(doing, lambda session: session.publish(source, target),
                       lambda error: InDoubt(doing, f"the connection broke before the answer came ({_what(error)})"))
        except _Unnamed as refusal:
            if self.entry(folder, name) is None:
                return "gone"
            if self.entry(to_folder, to_name) is not None:
                return "taken"
            raise refusal.sorted_out() from None
        except NotAllowed:
            if self.entry(folder, name) is None:
                return "gone"
            raise
        return "done"

    def remove(self, folder: str, name: str) -> None:
        def unlink(session: Session) -> None:
            try:
                session.remove(self._path(folder, name))
            except Answer as answer:
                if answer.code != NO_SUCH_FILE:
                    raise

        self._read("removing", folder, name, unlink)  # repeatable like a read

    def make(self, folder: str) -> None:
        parts = folder_parts(folder)
        for depth in range(1, len(parts) + 1):
            path = self._path("/".join(parts[:depth]))
            self._read("making", folder, "", lambda session, path=path: _make(session, path))

    def close(self) -> None:
        """Hang up. The next step connects again."""
        session, self._session = self._session, None
        if session is not None:
            session.hang_up()

    def _path(self, folder: str, name: str = "") -> str:
        return "/".join(filter(None, ("" if self._root == "/" else self._root.rstrip("/"), *folder_parts(folder), name))) or "."
