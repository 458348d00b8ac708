"""A partner's SFTP server as an exchange.

SFTP version 3 (draft-ietf-secsh-filexfer-02). Reads reconnect once; a write never does: the next attempt is the ledger's business.
"""

import stat
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

from paramiko.sftp_attr import SFTPAttributes

from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, DefiniteNo, InDoubt, NotAllowed, NotNow, WharfingerError
from connectors.kit.exchange import MAX_BYTES, MAX_FILES, Entry, Exchange, folder_parts, moment, shown
from connectors.kit.login import Login
from connectors.kit.ssh import BROKEN, Answer, Session, connect, limited

Result = TypeVar("Result")
# of SSH_FXP_STATUS; 14 and 15 are from later drafts, which some servers speak all the same
NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, UNSUPPORTED, NO_SPACE, QUOTA = 2, 3, 4, 8, 14, 15


class Sftp(Exchange):
    """`Files` on an SFTP server. `root` is the folder there under which all is done; '' is where the server puts us."""

    def __init__(self, login: Login, root: str, clock: Clock, settle_seconds: float = 10.0, max_bytes: int = MAX_BYTES,
                 max_files: int = MAX_FILES) -> None:
        super().__init__(RemoteDisk(login, root), clock, settle_seconds, max_bytes, max_files)


class RemoteDisk:
    """The single steps, each one or a few SFTP requests."""

    def __init__(self, login: Login, root: str) -> None:
        self._login, self._root = login, root.rstrip("/") if root.strip("/") else root[:1]
        self._session: Session | None = None
        self.where = f"{login.host}:{login.port}"

    def entries(self, folder: str, limit: int) -> Iterator[Entry]:
        for name, longname, attributes in self._repeatable("listing", folder, "", lambda session: session.names(self._path(folder), limit)):
            if not _is_folder(attributes, longname):
                yield _entry(name, attributes, longname)

    def entry(self, folder: str, name: str) -> Entry | None:
        def look(session: Session) -> Entry | None:
            try:
                return _entry(name, session.lstat(self._path(folder, name)))
            except Answer as answer:
                if answer.code != NO_SUCH_FILE:
                    raise
                return None

        return self._repeatable("looking for", folder, name, look)

    def fetch(self, folder: str, name: str, limit: int) -> bytes:
        entry, doing = self.entry(folder, name), self._doing("reading", folder, name)
        if entry is None:
            raise NotNow(doing, "it is not there any more", "Look at the folder again.")
        if not entry.regular:
            raise BadDocument(doing, "it is a link or a device, not a regular file")
        if entry.size > limit:
            raise BadDocument(doing, f"it has {entry.size} bytes, more than the {limit} allowed", "Nothing of it was read.")
        # one byte more than there should be shows that it grew; a server that lies about the size can send no more than that either
        body = self._repeatable("reading", folder, name, lambda session: session.fetch(self._path(folder, name), entry.size + 1))
        if len(body) != entry.size:
            raise NotNow(doing, "it changed while it was read")
        return body

    def write(self, folder: str, name: str, body: bytes) -> None:
        path, doing = self._path(folder, name), self._doing("writing", folder, name)
        self.remove(folder, name)  # what an earlier try with this token left

        def write_and_look(session: Session) -> int | None:
            session.write(path, body)
            return session.lstat(path).st_size

        size = self._once(doing, write_and_look, lambda what: NotNow(doing, what, "Nothing was published."))
        if size != len(body):
            raise NotNow(doing, f"{size} bytes arrived of {len(body)}", "Nothing was published. The disk there may be full.")

    def rename(self, folder: str, name: str, to_folder: str, to_name: str) -> Literal["done", "taken", "gone"]:
        """Plain rename first: version 3 wants it to fail when the name is taken, and OpenSSH does so without a gap.

        posix-rename would replace what is there, so it comes second, for servers that cannot do the plain one, and after a look.
        """
        source, target, doing = self._path(folder, name), self._path(to_folder, to_name), self._doing("renaming", folder, name)
        refusal: DefiniteNo | None = None
        for act in (Session.rename, Session.posix_rename):
            try:
                self._once(doing, lambda session, act=act: act(session, source, target), lambda what: InDoubt(doing, what))
                return "done"
            except DefiniteNo as error:
                if not isinstance(error.__cause__, Answer):
                    raise
                refusal = error
            if self.entry(folder, name) is None:
                return "gone"
            if self.entry(to_folder, to_name) is not None:
                return "taken"
            if refusal.__cause__.code not in (FAILURE, UNSUPPORTED) or not (self._session and self._session.can_posix_rename()):
                break
        raise refusal

    def remove(self, folder: str, name: str) -> None:
        def unlink(session: Session) -> None:
            try:
                session.remove(self._path(folder, name))
            except Answer as answer:
                if answer.code != NO_SUCH_FILE:
                    raise

        self._repeatable("removing", folder, name, unlink)

    def make(self, folder: str) -> None:
        def make(session: Session, path: str) -> None:
            try:
                session.mkdir(path)
            except Answer:
                if not stat.S_ISDIR(session.lstat(path).st_mode or 0):
                    raise

        parts = folder_parts(folder)
        for depth in range(1, len(parts) + 1):
            self._repeatable("making", folder, "", lambda session, depth=depth: make(session, self._path("/".join(parts[:depth]))))

    def close(self) -> None:
        """Hang up. The next step connects again."""
        session, self._session = self._session, None
        if session is not None:
            session.hang_up()

    def _repeatable(self, verb: str, folder: str, name: str, act: Callable[[Session], Result]) -> Result:
        """A step that does no harm twice: when the connection breaks, a new one gets one more try."""
        doing = self._doing(verb, folder, name)
        try:
            return self._once(doing, act, lambda what: _Broken(doing, what))
        except _Broken:
            return self._once(doing, act, lambda what: NotNow(doing, what))

    def _once(self, doing: str, act: Callable[[Session], Result], broken: Callable[[str], WharfingerError]) -> Result:
        """One try. What the server refuses is a DefiniteNo (its cause: the Answer); when no answer comes, `broken` says what that means."""
        if self._session is None or not self._session.is_alive:
            self.close()
            self._session = connect(self._login, doing)
        session = self._session
        try:
            with limited(10 * self._login.timeout_seconds, session.hang_up):
                return act(session)
        except Answer as answer:
            raise _sorted(answer, doing) from answer
        except BROKEN as error:
            self.close()
            raise broken(f"the connection broke or stood still before the answer came ({type(error).__name__})") from error

    def _path(self, folder: str, name: str = "") -> str:
        parts = [*folder_parts(folder), *([name] if name else [])]
        if self._root == "/":
            return "/" + "/".join(parts)
        return "/".join(([self._root] if self._root else []) + parts) or "."

    def _doing(self, verb: str, folder: str, name: str = "") -> str:
        return f"{verb} {shown('/'.join(filter(None, (folder, name))) or '.')} at {self.where}"


class _Broken(NotNow):
    """No answer to something that may be asked again."""


def _sorted(answer: Answer, doing: str) -> DefiniteNo:
    said = f"the server refuses it (status {answer.code}: {shown(answer.text)})"
    if answer.code in (NO_SUCH_FILE, PERMISSION_DENIED, UNSUPPORTED):
        return NotAllowed(doing, said, "Nothing was done. See that the folder exists there and that this account may use it.")
    if answer.code in (NO_SPACE, QUOTA):
        return NotNow(doing, f"the disk there is full, {said}", "Nothing was published. Ask the partner to free some space.")
    return NotNow(doing, said, "Nothing was done. The disk there may be full (OpenSSH does not say why).")


def _is_folder(attributes: SFTPAttributes, longname: str) -> bool:
    return longname.startswith("d") if attributes.st_mode is None else stat.S_ISDIR(attributes.st_mode)


def _entry(name: str, attributes: SFTPAttributes, longname: str = "-") -> Entry:
    """Attributes may be missing in version 3: then the line for people tells what kind of thing it is."""
    regular = longname.startswith("-") if attributes.st_mode is None else stat.S_ISREG(attributes.st_mode)
    return Entry(name, attributes.st_size or 0, moment((attributes.st_mtime or 0) * 1_000_000), regular)
