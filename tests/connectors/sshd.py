"""A real SSH server for tests: own keys, own config, a free loopback port, nothing of the machine's own set-up touched."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from connectors.kit.clock import SystemClock
from connectors.kit.files import FilesSettings

_CLOCK = SystemClock()
_PATIENCE = timedelta(seconds=10)
_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin yes
PubkeyAuthentication yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
AllowTcpForwarding no
MaxStartups 100
Subsystem sftp internal-sftp
"""


def find_sshd() -> str | None:
    """The server's binary, which must be called by its full path; None when the machine has none (tests/system.sh installs it)."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Sshd:
    """One server. `settings` says how to reach it; `kill` and `restart` do what power cuts do, on the same port and keys."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.username = folder, 0, getpass.getuser()
        self._process: subprocess.Popen | None = None
        for name in ("host_key", "user_key", "other_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)], check=True)
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")

    @property
    def host_key(self) -> str:
        """The line to pin."""
        return (self.folder / "host_key.pub").read_text().strip()

    def settings(self, root: Path | str, **changes: object) -> FilesSettings:
        """For `connect_files`, working in `root` on the server, which is this machine."""
        fields = {"kind": "sftp", "path": str(root), "host": "127.0.0.1", "port": self.port, "username": self.username, "host_key": self.host_key,
                  "private_key": f"file:{self.folder / 'user_key'}", "timeout_seconds": 10, "settle_seconds": 1}
        return FilesSettings(**fields | changes)

    def start(self) -> None:
        """Listen, on the same port as before if there was one. Raises RuntimeError with the server's log when it does not come up."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)  # where its unprivileged half is locked up
        for _ in range(5):  # somebody else may take the free port first
            port = self.port or free_port()
            (self.folder / "sshd_config").write_text(_CONFIG.format(port=port, folder=self.folder))
            log = (self.folder / "sshd.log").open("ab")
            self._process = subprocess.Popen([find_sshd() or "sshd", "-D", "-e", "-f", str(self.folder / "sshd_config")], stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log)
            log.close()
            if self._comes_up(port):
                self.port = port
                return
            self.kill()
        raise RuntimeError(f"sshd does not come up: {(self.folder / 'sshd.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL to the server and all its open sessions at once (a session outlives its listener otherwise)."""
        if self._process is None:
            return
        for pid in (self._process.pid, *_descendants(self._process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None

    def restart(self) -> None:
        """Kill, if that was not done yet, and start again."""
        self.kill()
        self.start()

    def _comes_up(self, port: int) -> bool:
        until = _CLOCK.now() + _PATIENCE
        while _CLOCK.now() < until and self._process is not None and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as line:
                if line.recv(4) == b"SSH-" and self._process.poll() is None:
                    return True
            _CLOCK.sleep(0.02)
        return False


@contextmanager
def sshd() -> Iterator[Sshd]:
    """A running server, gone afterwards with its keys."""
    folder = Path(tempfile.mkdtemp(prefix="wharfinger-sshd-"))
    server = Sshd(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _descendants(pid: int) -> list[int]:
    """Linux: every process below this one. Elsewhere none."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for parent in found:
        found.extend(child for child, its_parent in parents.items() if its_parent == parent)
    return found[1:]
