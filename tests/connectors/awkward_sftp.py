"""An SFTP server that does on request what no sshd does: drop the line around a rename, fall silent, lie, run full, answer without end.

paramiko's own server side over a real socket; files lie in a folder of this machine. `mood` changes while it runs.
"""

import os
import socket
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko.sftp import SFTP_FAILURE, SFTP_OK, SFTP_OP_UNSUPPORTED

from connectors.kit.files import FilesSettings
from connectors.kit.login import fingerprint

NO_SPACE = 14  # SSH_FX_NO_SPACE_ON_FILESYSTEM of the later drafts
USERNAME, PASSWORD = "partner", "correct horse"


@dataclass
class Mood:
    """How the server behaves. Each of the first five holds for `times` calls and is then over."""

    drop_before_rename: bool = False
    drop_after_rename: bool = False
    drop_while_writing: bool = False
    drop_at_listing: bool = False
    silent_at_listing: bool = False
    times: int = 1
    full: bool = False
    forgets_bytes: bool = False
    plain_rename: bool = True
    posix_rename: bool = False
    subsystem_answers: bool = True
    lies_about_size: int = 0
    extra_names: list[str | bytes] = field(default_factory=list)
    without_attributes: bool = False
    endless_listing: bool = False
    seen: Counter = field(default_factory=Counter)

    def strikes(self, what: str) -> bool:
        """Whether this mood is on, and once less from now on."""
        if not getattr(self, what) or self.times < 1:
            return False
        self.times -= 1
        return True


class AwkwardSftp:
    """One server; see `awkward_sftp`."""

    def __init__(self, root: Path) -> None:
        self.root, self.mood = root, Mood()
        self.key = paramiko.ECDSAKey.generate()
        self.logins: list[str] = []
        self.hangs_up_at_login = False
        self.transports: list[paramiko.Transport] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def settings(self, **changes: object) -> FilesSettings:
        """For `connect_files`."""
        fields = {"kind": "sftp", "host": "127.0.0.1", "port": self._socket.getsockname()[1], "username": USERNAME, "path": "",
                  "host_key": fingerprint(self.key.asbytes()), "timeout_seconds": 2, "settle_seconds": 1}
        return FilesSettings(**fields | changes)

    def close(self) -> None:
        """No more connections, and the open ones end."""
        self._socket.close()
        self.drop_all()

    def drop_all(self) -> None:
        """Break every line there is now; one that is made meanwhile stands."""
        dropped, self.transports = self.transports, []
        for transport in dropped:
            transport.close()

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(line)
            transport.add_server_key(self.key)
            transport.set_subsystem_handler("sftp", _Server, sftp_si=_Disk, awkward=self)
            self.transports.append(transport)
            transport.start_server(event=threading.Event(), server=_Door(self))


class _Door(paramiko.ServerInterface):
    def __init__(self, awkward: AwkwardSftp) -> None:
        self._awkward = awkward

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        self._awkward.logins.append(username)
        if self._awkward.hangs_up_at_login:
            for transport in self._awkward.transports:
                transport.sock.shutdown(socket.SHUT_RDWR)
        return paramiko.AUTH_SUCCESSFUL if (username, password) == (USERNAME, PASSWORD) else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        if not self._awkward.mood.subsystem_answers:
            threading.Event().wait(30)
        return super().check_channel_subsystem_request(channel, name)


class _Server(paramiko.SFTPServer):
    def _send_server_version(self) -> int:
        self._read_packet()
        hello = paramiko.Message()
        hello.add_int(3)
        if self.server.mood.posix_rename:
            hello.add_string("posix-rename@openssh.com")
            hello.add_string("1")
        self._send_packet(paramiko.sftp.CMD_VERSION, hello)
        return 3

    def _read_folder(self, request_number: int, folder: paramiko.SFTPHandle) -> None:
        if self.server.mood.endless_listing:
            return self._response(request_number, paramiko.sftp.CMD_NAME, 0)
        return super()._read_folder(request_number, folder)


class _Disk(paramiko.SFTPServerInterface):
    def __init__(self, server: _Door, *, awkward: AwkwardSftp) -> None:
        self._awkward, self.mood = awkward, awkward.mood

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        self.mood.seen["list"] += 1
        if self.mood.strikes("drop_at_listing"):
            self._drop()
        if self.mood.strikes("silent_at_listing"):
            threading.Event().wait(30)
        try:
            found = [self._attributes(os.lstat(entry.path), entry.name) for entry in os.scandir(self._real(path))]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        for name in self.mood.extra_names:
            entry = _Named()
            entry.filename, entry.st_size, entry.st_mode = name, 3, stat.S_IFREG | 0o600
            found.append(entry)
        return found

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        try:
            return self._attributes(os.lstat(self._real(path)))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    stat = lstat

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        try:
            descriptor = os.open(self._real(path), flags, 0o600)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        handle = _Handle(flags)
        handle.disk = self
        handle.readfile = handle.writefile = os.fdopen(descriptor, "wb" if flags & os.O_WRONLY else "rb")
        return handle

    def remove(self, path: str) -> int:
        try:
            os.remove(self._real(path))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return SFTP_OK

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        try:
            os.mkdir(self._real(path))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        self.mood.seen["rename"] += 1
        if not self.mood.plain_rename:
            return SFTP_OP_UNSUPPORTED
        if self.mood.strikes("drop_before_rename"):
            return self._drop()
        if os.path.lexists(self._real(newpath)):
            return SFTP_FAILURE
        try:
            os.rename(self._real(oldpath), self._real(newpath))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return self._drop() if self.mood.strikes("drop_after_rename") else SFTP_OK

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        self.mood.seen["posix_rename"] += 1
        os.replace(self._real(oldpath), self._real(newpath))
        return SFTP_OK

    def _drop(self) -> int:
        self._awkward.drop_all()
        return SFTP_FAILURE

    def _real(self, path: str) -> str:
        return str(self._awkward.root / path.lstrip("/"))

    def _attributes(self, seen: os.stat_result, name: str = "") -> paramiko.SFTPAttributes:
        attributes = paramiko.SFTPAttributes.from_stat(seen, name)
        if self.mood.without_attributes:
            attributes.st_mode = attributes.st_mtime = attributes.st_atime = None
        if self.mood.lies_about_size and stat.S_ISREG(seen.st_mode):
            attributes.st_size = self.mood.lies_about_size
        return attributes


class _Named(paramiko.SFTPAttributes):
    """A listing entry whose name may be any bytes."""

    def asbytes(self) -> bytes:
        return b"-rw------- 1 0 0 3 Jan 01 00:00 name"


class _Handle(paramiko.SFTPHandle):
    disk: _Disk

    def write(self, offset: int, data: bytes) -> int:
        if self.disk.mood.full:
            return NO_SPACE
        if self.disk.mood.strikes("drop_while_writing"):
            return self.disk._drop()
        return super().write(offset, data[:-1] if self.disk.mood.forgets_bytes else data)


@contextmanager
def awkward_sftp(root: Path) -> Iterator[AwkwardSftp]:
    """A running server over `root`."""
    server = AwkwardSftp(root)
    try:
        yield server
    finally:
        server.close()
