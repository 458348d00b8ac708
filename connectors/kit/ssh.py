"""The SSH connection and SFTP requests, on paramiko.

paramiko's own SFTP calls are passed by where they lose something: a listing dies on a name that is not UTF-8, errors of a close and
of pipelined writes are swallowed, a refusal by the server and a broken connection are both OSError. (Seen in paramiko 5.1.)
"""

import io
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from paramiko import ECDSAKey, Ed25519Key, PKey, RSAKey, SFTPClient, Transport
from paramiko.message import Message
from paramiko.sftp import (CMD_CLOSE, CMD_DATA, CMD_EXTENDED, CMD_HANDLE, CMD_INIT, CMD_NAME, CMD_OPEN, CMD_OPENDIR, CMD_READ, CMD_READDIR,
                           CMD_VERSION, CMD_WRITE, SFTP_EOF, SFTP_FLAG_CREATE, SFTP_FLAG_EXCL, SFTP_FLAG_READ, SFTP_FLAG_WRITE, SFTP_OK,
                           SFTPError, int64)
from paramiko.sftp_attr import SFTPAttributes
from paramiko.ssh_exception import AuthenticationException, IncompatiblePeer, SSHException

from connectors.kit.errors import BadConfiguration, NotAllowed, NotNow, WharfingerError
from connectors.kit.login import Login, fingerprint

# whatever paramiko raises when a connection breaks, falls silent or carries rubbish
BROKEN = (SSHException, SFTPError, OSError, EOFError, struct.error, ValueError, IndexError)
REQUEST_BYTES = 32_768  # what every server takes in one request
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_POSIX_RENAME, _FSYNC = b"posix-rename@openssh.com", b"fsync@openssh.com"


class Answer(Exception):
    """The server answered, and the answer was no: `code` of SSH_FXP_STATUS. Nothing was done."""

    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(f"status {code}")


class Session(SFTPClient):
    """An SFTP session. Its methods raise Answer when the server says no, and one of BROKEN when no answer came."""

    extensions: frozenset[bytes] = frozenset()

    @property
    def is_alive(self) -> bool:
        """Whether the connection still stands, as far as this side knows."""
        transport = self.sock.get_transport()
        return bool(transport and transport.is_active() and not self.sock.closed)

    def names(self, path: str, limit: int) -> list[tuple[str, str, SFTPAttributes]]:
        """Up to `limit` entries (name, longname, attributes); bytes that are no UTF-8 become lone surrogates."""
        found: list[tuple[str, str, SFTPAttributes]] = []
        with self._opened(CMD_OPENDIR, path) as handle:
            for _ in range(limit):  # a server that answers without end, or with nothing in it, is not heard for ever
                try:
                    kind, message = self._request(CMD_READDIR, handle)
                except EOFError:
                    break
                if kind != CMD_NAME:
                    raise SFTPError("expected names")
                for _ in range(min(message.get_int(), limit + 2 - len(found))):
                    name, longname = (message.get_string().decode("utf-8", "surrogateescape") for _ in range(2))
                    attributes = SFTPAttributes._from_msg(message)
                    if name not in (".", ".."):
                        found.append((name, longname, attributes))
                if len(found) >= limit:
                    break
        return found[:limit]

    def fetch(self, path: str, limit: int) -> bytes:
        """The first `limit` bytes of a file."""
        chunks, size = [], 0
        with self._opened(CMD_OPEN, path, SFTP_FLAG_READ, SFTPAttributes()) as handle:
            while size < limit:
                wanted = min(REQUEST_BYTES, limit - size)
                try:
                    kind, message = self._request(CMD_READ, handle, int64(size), wanted)
                except EOFError:
                    break
                chunk = message.get_string()
                if kind != CMD_DATA or not 0 < len(chunk) <= wanted:
                    raise SFTPError("expected some of the bytes asked for")
                chunks.append(chunk)
                size += len(chunk)
        return b"".join(chunks)

    def write(self, path: str, body: bytes) -> None:
        """Write a new file, flushed to the far disk where the server can; each request is answered before the next."""
        with self._opened(CMD_OPEN, path, SFTP_FLAG_WRITE | SFTP_FLAG_CREATE | SFTP_FLAG_EXCL, SFTPAttributes()) as handle:
            for start in range(0, len(body), REQUEST_BYTES):
                self._request(CMD_WRITE, handle, int64(start), body[start:start + REQUEST_BYTES])
            if _FSYNC in self.extensions:
                self._request(CMD_EXTENDED, _FSYNC, handle)

    def can_posix_rename(self) -> bool:
        """Whether the server said that it has OpenSSH's rename, which replaces what is there."""
        return _POSIX_RENAME in self.extensions

    def hang_up(self) -> None:
        """Close the session and its connection."""
        transport = self.sock.get_transport()
        with suppress(*BROKEN):
            self.close()
        with suppress(*BROKEN):
            transport.close()

    @contextmanager
    def _opened(self, *request: Any) -> Iterator[bytes]:
        """A handle; that it cannot be closed properly (quota, NFS) is an error of what was done with it."""
        kind, message = self._request(*request)
        if kind != CMD_HANDLE:
            raise SFTPError("expected a handle")
        handle = message.get_string()
        try:
            yield handle
        except Answer:
            with suppress(Answer):
                self._request(CMD_CLOSE, handle)
            raise
        self._request(CMD_CLOSE, handle)

    def _convert_status(self, msg: Message) -> None:
        code, text = msg.get_int(), msg.get_string()
        if code == SFTP_EOF:
            raise EOFError
        if code != SFTP_OK:
            raise Answer(code, text[:80].decode("utf-8", "replace"))

    def _send_version(self) -> int:
        hello = Message()
        hello.add_int(3)
        self._send_packet(CMD_INIT, hello)
        kind, body = self._read_packet()
        if kind != CMD_VERSION:
            raise SFTPError("no SFTP server answered")
        message, extensions = Message(body), set()
        version = message.get_int()
        while message.get_remainder():
            extensions.add(message.get_string())
            message.get_string()
        self.extensions = frozenset(extensions)
        return version


def connect(login: Login, doing: str) -> Session:
    """Reach the server, see that it is the pinned one, and only then log in.

    Raises NotNow (not reached, hung up, silent), NotAllowed (another host key, or the login was refused), BadConfiguration (our key).
    """
    doing = f"{doing}: logging in to {login.host}:{login.port}"
    key = _private_key(login, doing)
    try:
        line = socket.create_connection((login.host, login.port), timeout=login.timeout_seconds)
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        raise NotNow(doing, f"it cannot be reached ({error})", "See the host, the port, and the network between.") from error
    try:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # without it every 32 KB of a put waits 30 ms for an acknowledgement
        transport = Transport(line)
    except BROKEN as error:
        line.close()
        raise NotNow(doing, f"no SSH server answers ({error})") from error
    try:
        with limited(5 * login.timeout_seconds, transport.close):
            _shake_hands(transport, login, doing)
            _log_in(transport, login, key, doing)
            return _open(transport, login)
    except WharfingerError:
        transport.close()
        raise
    except (*BROKEN, Answer) as error:
        transport.close()
        raise NotNow(doing, f"the connection broke or stood still ({type(error).__name__}: {error})") from error


@contextmanager
def limited(seconds: float, give_up: Any) -> Iterator[None]:
    """Bounds the whole of something made of many waits (some of paramiko's have no end): `give_up` is called when time is up."""
    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shake_hands(transport: Transport, login: Login, doing: str) -> None:
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = transport.channel_timeout = login.timeout_seconds
    pinned = login.host_key
    try:
        if pinned.type:  # a server with several keys shows the pinned one
            transport.get_security_options().key_types = _RSA if pinned.type == "ssh-rsa" else (pinned.type,)
    except ValueError:
        raise BadConfiguration(doing, f"host keys of type {pinned.type} are not supported", "Pin another key of that server.") from None
    try:
        transport.start_client(timeout=login.timeout_seconds)
        seen = transport.get_remote_server_key()
    except IncompatiblePeer as error:
        raise NotAllowed(doing, f"no common ground with the server ({error}; the pinned host key is {pinned.type or pinned.fingerprint}); "
                         "no credential was sent", "Ask the partner whether the server or its host key was changed.") from error
    if fingerprint(seen.asbytes()) != pinned.fingerprint:
        raise NotAllowed(doing, f"the server shows another host key ({seen.get_name()} {fingerprint(seen.asbytes())}) than the pinned "
                         f"{pinned.type} {pinned.fingerprint}; no credential was sent",
                         "Ask the partner by telephone whether the key was changed; only then change host_key in the profile.")


def _log_in(transport: Transport, login: Login, key: PKey | None, doing: str) -> None:
    """Key first, then password: a server may want one or both."""
    try:
        if key is not None:
            transport.auth_publickey(login.username, key)
        if not transport.is_authenticated() and login.password is not None:
            transport.auth_password(login.username, login.password.get_secret_value())
    except AuthenticationException as error:
        # paramiko tells a hang-up and a silence from a refusal by the text alone (auth_handler.wait_for_response)
        if any(word in str(error).lower() for word in ("timeout", "shut down")):
            raise NotNow(doing, f"the server hung up or stood still before it answered ({error})") from error
        raise NotAllowed(doing, f"the server refused the login of {login.username!r} ({type(error).__name__})",
                         "Mend the key or password in the profile, or ask the partner to admit the key.") from error
    if not transport.is_authenticated():
        raise NotAllowed(doing, f"the server wants more than the profile has to log in {login.username!r}",
                         "Give both a key and a password if the partner asks for both.")


def _open(transport: Transport, login: Login) -> Session:
    transport.set_keepalive(30)
    channel = transport.open_session(timeout=login.timeout_seconds)
    channel.settimeout(login.timeout_seconds)
    channel.invoke_subsystem("sftp")
    return Session(channel)


def _private_key(login: Login, doing: str) -> PKey | None:
    if login.private_key is None:
        return None
    passphrase = login.passphrase.get_secret_value() if login.passphrase else None
    for kind in (Ed25519Key, ECDSAKey, RSAKey):
        with suppress(SSHException, ValueError, TypeError, IndexError, struct.error):
            return kind.from_private_key(io.StringIO(login.private_key.get_secret_value() + "\n"), passphrase)
    raise BadConfiguration(doing, "the private key cannot be read: it is no Ed25519, ECDSA or RSA key, or the passphrase is wrong or missing",
                           "Correct private_key or passphrase in the profile.")
