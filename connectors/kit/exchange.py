"""How files are exchanged with a partner, whatever they lie on: safe names, atomic publishing, whole files only.

`Exchange` holds the rules; a `Disk` (local or SFTP) carries out single steps and sorts what goes wrong into kit/errors.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, Protocol

from connectors.kit.clock import Clock
from connectors.kit.errors import BadConfiguration, BadDocument, InDoubt, NotNow, Refused, WharfingerError

MAX_BYTES = 20_000_000
MAX_FILES = 10_000
EVERYTHING = 1_000_000
MAX_REFUSED = 1_000
SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_UNFINISHED = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}(\.tmp|\.tmp\.[A-Za-z0-9_-]*|\.part|\.filepart)", re.IGNORECASE)
_OURS = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\.tmp\.[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FOLDER_PART = re.compile(r"[A-Za-z0-9_@+&()-][A-Za-z0-9._@+&() -]{0,99}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FileStat(NamedTuple):
    """A regular file as the far side shows it: size in bytes, modified_at in UTC by the far side's clock."""

    name: str
    size: int
    modified_at: datetime


FileStats = list[FileStat]  # these two have names because inside a class with a method `list` the word means that method
Names = list[str]


class Entry(NamedTuple):
    """What a `Disk` finds under a name (never a directory, and no link is followed). The name may hold anything."""

    name: str
    size: int
    modified_at: datetime
    regular: bool


class Disk(Protocol):
    """Single steps on a file system. Each raises NotNow or NotAllowed when it surely did nothing, unless it says otherwise."""

    where: str  # for error texts: 'sftp.example.com:22'

    def entries(self, folder: str, limit: int) -> Iterator[Entry]:
        """Up to `limit` entries that are no directories, in the order they come."""

    def entry(self, folder: str, name: str) -> Entry | None:
        """What lies there under this name (a directory too), or None."""

    def fetch(self, folder: str, name: str, limit: int) -> bytes:
        """The whole regular file. Raises BadDocument when it is larger than `limit` bytes or no regular file."""

    def write(self, folder: str, name: str, body: bytes) -> None:
        """Write a new file, flushed and its size checked; on an error a piece of it may stay."""

    def rename(self, folder: str, name: str, to_folder: str, to_name: str) -> Literal["done", "taken", "gone"]:
        """Atomic and never over an existing file: then 'taken'. 'gone': there is no such file. InDoubt: no answer came."""

    def remove(self, folder: str, name: str) -> None:
        """Remove a file; none there is fine."""

    def make(self, folder: str) -> None:
        """Make a folder; there already is fine."""

    def close(self) -> None:
        """Let go of whatever is held open."""


def kind_of(name: str) -> Literal["whole", "unfinished", "refused"]:
    """Sort a name by the allow-list: ours to take, a transfer under way (.tmp, .tmp.*, .part, .filepart), or not to be touched."""
    if _UNFINISHED.fullmatch(name):
        return "unfinished"
    return "whole" if SAFE_NAME.fullmatch(name) else "refused"


def shown(name: str) -> str:
    """A name in printable ASCII, at most 120 characters: two different names never look the same."""
    text = ascii(name)[1:-1]
    if len(text) <= 120:
        return text
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:80]}... ({len(name)} characters, sha256 {digest[:16]})"


def folder_parts(folder: str) -> list[str]:
    """'out/940' -> ['out', '940']; '' is the root itself. Raises BadConfiguration for a folder that would leave the root."""
    parts = folder.split("/") if folder else []
    if not all(_FOLDER_PART.fullmatch(part) for part in parts):
        raise BadConfiguration(f"opening the folder {shown(folder)}", "folder names are relative, without '..', a leading dot or a leading '/'",
                               "Correct the folder in the profile.")
    return parts


def moment(microseconds: int) -> datetime:
    """Microseconds since 1970 -> UTC; 1970 itself for what no calendar holds."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return _EPOCH


class Exchange:
    """The `Files` of a `Disk`. One connection, one thread: give each thread its own."""

    def __init__(self, disk: Disk, clock: Clock, settle_seconds: float = 10.0, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> None:
        self._disk, self._clock = disk, clock
        self._settle_seconds, self._max_bytes, self._max_files = settle_seconds, max_bytes, max_files
        self._made: set[str] = set()

    def list(self, folder: str) -> FileStats:
        """Every regular file with a safe name, unfinished ones too, oldest first; at most `max_files`, the rest when these are gone."""
        found = [entry for entry in self._disk.entries(folder, self._max_files) if entry.regular and kind_of(entry.name) != "refused"]
        return sorted((FileStat(*entry[:3]) for entry in found), key=lambda file: (file.modified_at, file.name))

    def read(self, folder: str, name: str) -> bytes:
        """The whole file. BadDocument: larger than `max_bytes`, or a link. NotNow: gone, or it changed meanwhile."""
        self._check_name("reading", folder, name)
        return self._disk.fetch(folder, name, self._max_bytes)

    def put(self, folder: str, name: str, body: bytes, token: str, until: datetime | None = None) -> None:
        """Write `{name}.tmp.{token}`, check it, rename it to `name`. The same bytes there already: success. Other bytes: Refused.

        Every DefiniteNo means that this call published nothing; InDoubt that the answer to the rename never came.
        """
        self._check_name("putting", folder, name)
        part = f"{name}.tmp.{token if _TOKEN.fullmatch(token) else hashlib.sha256(token.encode()).hexdigest()[:32]}"
        if self._is_there(folder, name, body):
            self._tidy(folder, part)
            return
        try:
            self._disk.write(folder, part, body)
            if until is not None and self._clock.now() >= until:
                raise NotNow(self._doing("putting", folder, name), "it took too long; nothing was published", "Whoever has it now puts it.")
            outcome = self._disk.rename(folder, part, folder, name)
        except InDoubt:
            raise
        except WharfingerError:
            self._tidy(folder, part)
            raise
        if outcome == "done":
            return
        self._tidy(folder, part)
        if not self._is_there(folder, name, body):
            raise NotNow(self._doing("putting", folder, name), "its temporary file was taken away before it could be renamed",
                         "Nothing was published. See who clears that folder.")

    def move(self, folder: str, name: str, to_folder: str) -> None:
        """File away. Gone from `folder` already: success. The same name with other bytes there: both are kept, ours as `name.2`.

        Repeatable, so a lost answer is tried once more and is then NotNow: the file is in one of the two folders.
        """
        self._check_name("moving", folder, name)
        try:
            self._move_once(folder, name, to_folder)
        except InDoubt:
            try:
                self._move_once(folder, name, to_folder)
            except InDoubt as error:
                raise NotNow(self._doing("moving", folder, name), error.got, "Moving twice is harmless.") from error

    def settled(self, folder: str) -> FileStats:
        """The whole files: safe name, no temporary suffix, same size and time in two looks `settle_seconds` apart (0: one look).

        Two looks rather than the file's age, as the far side's clock may be wrong. Sleeps only when there is something to see.
        """
        before = {file for file in self.list(folder) if kind_of(file.name) == "whole"}
        if not before or self._settle_seconds <= 0:
            return sorted(before, key=lambda file: (file.modified_at, file.name))
        self._clock.sleep(self._settle_seconds)
        return [file for file in self.list(folder) if file in before]

    def refused_names(self, folder: str) -> Names:
        """What is not offered for its name, or because it is a link or device, escaped to ASCII; at most 1,000."""
        entries = self._disk.entries(folder, self._max_files)
        return sorted(shown(entry.name) for entry in entries if not entry.regular or kind_of(entry.name) == "refused")[:MAX_REFUSED]

    def remove_parts(self, folder: str, name: str) -> int:
        """Remove every unfinished `{name}.tmp.{token}`: a put that sleeps before its rename finds nothing to rename."""
        parts = [file for file in self.list(folder) if _OURS.fullmatch(file.name) and file.name.startswith(f"{name}.tmp.")]
        for file in parts:
            self._disk.remove(folder, file.name)
        return len(parts)

    def remove_stale_parts(self, folder: str, older_than_seconds: float) -> int:
        """Remove our own `*.tmp.{token}` that nobody has written to for so long; a partner's unfinished files are left alone."""
        limit = self._clock.now() - timedelta(seconds=older_than_seconds)
        stale = [file for file in self.list(folder) if _OURS.fullmatch(file.name) and file.modified_at < limit]
        for file in stale:
            self._disk.remove(folder, file.name)
        return len(stale)

    def remove_older(self, folder: str, before: datetime, dry_run: bool = False) -> int:
        """Remove the regular files of a folder, whatever their names, that were written before that moment. How many; dry_run: only counted.

        A folder that was never made holds none.
        """
        above, _, name = folder.rpartition("/")
        if self._disk.entry(above, name) is None:
            return 0
        old = [entry for entry in self._disk.entries(folder, EVERYTHING) if entry.regular and FileStat(*entry[:3]).modified_at < before]
        for entry in old if not dry_run else ():
            self._disk.remove(folder, entry.name)
        return len(old)

    def close(self) -> None:
        """Let go of the connection. Twice is harmless; the next call opens it again."""
        self._disk.close()

    def _doing(self, verb: str, folder: str, name: str) -> str:
        return f"{verb} {shown('/'.join((*folder_parts(folder), name)))} at {self._disk.where}"

    def _check_name(self, verb: str, folder: str, name: str) -> None:
        if kind_of(name) == "refused" or (verb == "putting" and kind_of(name) == "unfinished"):
            raise Refused(self._doing(verb, folder, name), "this is not a name we take or give",
                          "Names are letters, digits, '.', '_' and '-', at most 100, without a leading dot.")

    def _is_there(self, folder: str, name: str, body: bytes) -> bool:
        """Whether exactly these bytes are published. Raises Refused when something else has the name."""
        entry = self._disk.entry(folder, name)
        if entry is None:
            return False
        if entry.regular and entry.size == len(body):
            with suppress(BadDocument):
                if self._disk.fetch(folder, name, len(body)) == body:
                    return True
        raise Refused(self._doing("putting", folder, name), f"something else is there under that name ({entry.size} bytes, ours has {len(body)})",
                      "It was not touched. See whether the control number was used twice.")

    def _tidy(self, folder: str, part: str) -> None:
        """Best effort: what stays is swept by remove_stale_parts, and the first error is the one to tell."""
        with suppress(WharfingerError):
            self._disk.remove(folder, part)

    def _move_once(self, folder: str, name: str, to_folder: str) -> None:
        if self._disk.entry(folder, name) is None:
            return
        if to_folder not in self._made:
            self._disk.make(to_folder)
            self._made.add(to_folder)
        for to_name in (name, *(f"{name[:90]}.{number}" for number in range(2, 100))):
            if self._disk.rename(folder, name, to_folder, to_name) != "taken":
                return
            try:
                is_copy = self._are_same(folder, name, to_folder, to_name)
            except NotNow:
                if self._disk.entry(folder, name) is None:  # another run filed it away while we compared
                    return
                raise
            if is_copy:
                self._disk.remove(folder, name)
                return
        raise Refused(self._doing("moving", folder, name), f"{to_folder} holds a hundred other files of that name", "Clear that folder.")

    def _are_same(self, folder: str, name: str, to_folder: str, to_name: str) -> bool:
        ours, theirs = self._disk.entry(folder, name), self._disk.entry(to_folder, to_name)
        if ours is None or theirs is None or not theirs.regular or ours.size != theirs.size or ours.size > self._max_bytes:
            return False
        return self._disk.fetch(folder, name, self._max_bytes) == self._disk.fetch(to_folder, to_name, self._max_bytes)
