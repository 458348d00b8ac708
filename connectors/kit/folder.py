"""A local folder as an exchange: a mounted share, a drop directory, the demo.

Every step starts at the root's descriptor and follows no link below it, so nothing outside the root can be reached, not even by
somebody who swaps a folder for a link between two of our steps.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Literal

from connectors.kit.clock import Clock
from connectors.kit.errors import BadDocument, InDoubt, NotAllowed, NotNow, WharfingerError
from connectors.kit.exchange import MAX_BYTES, MAX_FILES, Entry, Exchange, folder_parts, moment, shown

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_CHUNK = 1 << 20


class Folder(Exchange):
    """`Files` under a local root, which must exist."""

    def __init__(self, root: Path | str, clock: Clock, settle_seconds: float = 10.0, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> None:
        super().__init__(LocalDisk(Path(root)), clock, settle_seconds, max_bytes, max_files)


class LocalDisk:
    """The single steps, on the operating system's own calls. Written and renamed means flushed to the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self.where = str(self._root)

    def entries(self, folder: str, limit: int) -> Iterator[Entry]:
        with self._step("listing", folder), self._open(folder) as at, os.scandir(at) as found:
            for entry in islice(found, limit):
                with suppress(FileNotFoundError):  # moved away since
                    if not entry.is_dir(follow_symlinks=False):
                        yield _entry(entry.name, entry.stat(follow_symlinks=False))

    def entry(self, folder: str, name: str) -> Entry | None:
        with self._step("looking for", folder, name), self._open(folder) as at:
            try:
                return _entry(name, os.stat(name, dir_fd=at, follow_symlinks=False))
            except FileNotFoundError:
                return None

    def fetch(self, folder: str, name: str, limit: int) -> bytes:
        with self._step("reading", folder, name), self._open(folder) as at:
            try:  # O_NONBLOCK: a pipe under that name must not hold us up
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
            except FileNotFoundError:
                raise NotNow(self._doing("reading", folder, name), "it is not there any more", "Look at the folder again.") from None
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
                    raise
                raise BadDocument(self._doing("reading", folder, name), "it is a link or a device, not a regular file") from None
            with os.fdopen(file, "rb") as stream:
                size = self._fetchable_size(os.fstat(stream.fileno()), folder, name, limit)
                body = stream.read(size + 1)
        if len(body) != size:
            raise NotNow(self._doing("reading", folder, name), "it changed while it was read")
        return body

    def write(self, folder: str, name: str, body: bytes) -> None:
        with self._step("writing", folder, name), self._open(folder) as at:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=at)
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660, dir_fd=at)
            with os.fdopen(file, "wb", buffering=0) as stream:
                for start in range(0, len(body), _CHUNK):
                    _write(stream.fileno(), body[start:start + _CHUNK])
                os.fsync(stream.fileno())
                if (size := os.fstat(stream.fileno()).st_size) != len(body):
                    raise NotNow(self._doing("writing", folder, name), f"{size} bytes arrived of {len(body)}", "Nothing was published.")

    def rename(self, folder: str, name: str, to_folder: str, to_name: str) -> Literal["done", "taken", "gone"]:
        doing = self._doing("renaming", folder, name)
        with self._step("renaming", folder, name), self._open(folder) as at, self._open(to_folder) as to:
            try:
                _link_over(name, at, to_name, to)
            except FileExistsError:
                return "taken"
            except FileNotFoundError:
                return "gone"
            try:  # from here on it is published
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=at)
                os.fsync(to)
                os.fsync(at)
            except OSError as error:
                raise InDoubt(doing, f"renamed, but the folder could not be flushed to the disk ({_code(error)})") from error
        return "done"

    def remove(self, folder: str, name: str) -> None:
        with self._step("removing", folder, name), self._open(folder) as at, suppress(FileNotFoundError):
            os.unlink(name, dir_fd=at)

    def make(self, folder: str) -> None:
        parts = folder_parts(folder)
        for depth, part in enumerate(parts):
            with self._step("making", folder), self._open("/".join(parts[:depth])) as at, suppress(FileExistsError):
                os.mkdir(part, dir_fd=at)

    def close(self) -> None:
        """Nothing is held open between two steps."""

    @contextmanager
    def _open(self, folder: str) -> Iterator[int]:
        """A descriptor of the folder, reached step by step from the root without following a link."""
        at = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in folder_parts(folder):
                outer, at = at, os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                os.close(outer)
            yield at
        finally:
            os.close(at)

    @contextmanager
    def _step(self, verb: str, folder: str, name: str = "") -> Iterator[None]:
        """Sort what the operating system says by what to do next."""
        try:
            yield
        except WharfingerError:
            raise
        except OSError as error:
            doing = self._doing(verb, folder, name)
            if error.errno in _FULL:
                raise NotNow(doing, f"the disk is full or the quota used up ({_code(error)})", "Nothing was published. Free some space.") from error
            if error.errno in _CLOSED:
                raise NotAllowed(doing, f"the operating system refuses it ({_code(error)})",
                                 "See that the folder exists, is no link, and may be written by this user.") from error
            raise NotNow(doing, f"the operating system says {_code(error)}") from error

    def _doing(self, verb: str, folder: str, name: str = "") -> str:
        return f"{verb} {shown('/'.join(filter(None, (folder, name))) or '.')} in {self.where}"

    def _fetchable_size(self, seen: os.stat_result, folder: str, name: str, limit: int) -> int:
        if not stat.S_ISREG(seen.st_mode):
            raise BadDocument(self._doing("reading", folder, name), "it is no regular file")
        if seen.st_size > limit:
            raise BadDocument(self._doing("reading", folder, name), f"it has {seen.st_size} bytes, more than the {limit} allowed",
                              "Nothing of it was read.")
        return seen.st_size


def _entry(name: str, seen: os.stat_result) -> Entry:
    return Entry(name, seen.st_size, moment(seen.st_mtime_ns // 1000), stat.S_ISREG(seen.st_mode))


def _write(file: int, body: bytes) -> None:
    while body:
        body = body[os.write(file, body):]


def _link_over(name: str, at: int, to_name: str, to: int) -> None:
    """Give the file its second name; unlike rename, link fails when that name is taken, also when two of us try at once.

    File systems without links (FAT, some network shares) get a look and a rename, which leaves a moment between the two.
    """
    try:
        os.link(name, to_name, src_dir_fd=at, dst_dir_fd=to, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with suppress(FileNotFoundError):
            os.stat(to_name, dir_fd=to, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, "the name is taken") from None
        os.rename(name, to_name, src_dir_fd=at, dst_dir_fd=to)


def _code(error: OSError) -> str:
    return f"{errno.errorcode.get(error.errno or 0, 'no code')}: {error.strerror}"
