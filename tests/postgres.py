"""A real PostgreSQL server for tests: a throw-away cluster in a temporary folder on a free loopback port."""

import glob
import os
import pwd
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

_CLOCK = SystemClock()
_PATIENCE = timedelta(seconds=60)

# fsync and full_page_writes stay on: what a killed server has committed must be there when it is back
_CONFIG = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = 32MB
max_connections = 100
timezone = 'UTC'
log_timezone = 'UTC'
"""


def find_postgres() -> Path | None:
    """The folder of the newest server binaries; None when the machine has none (tests/system.sh installs them)."""
    folders = [Path(found).parent for found in glob.glob("/usr/lib/postgresql/*/bin/postgres")]
    folders.sort(key=lambda folder: [int(part) for part in folder.parent.name.split(".") if part.isdigit()], reverse=True)
    if pg_config := shutil.which("pg_config"):
        said = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        folders.append(Path(said))
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    return next((folder for folder in folders if (folder / "postgres").exists() and (folder / "initdb").exists()), None)


def why_not() -> str:
    """Why no server can be started here, for a test to skip with; '' when one can."""
    if find_postgres() is None:
        return "no PostgreSQL server binaries on this machine (tests/system.sh installs them)"
    if os.geteuid() == 0 and _unprivileged() is None:
        return "PostgreSQL will not run as root, and there is no user 'postgres' or 'nobody' to run it as"
    return ""


class Postgres:
    """One cluster. `url` is for SQLAlchemy; `kill` and `restart` do what power cuts do, on the same port and files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self._process: subprocess.Popen | None = None
        self._user = _unprivileged() if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "--pgdata", str(folder / "cluster"), "--username", "postgres", "--auth", "trust", "--encoding", "UTF8",
                  "--no-locale", "--no-sync")
        (folder / "cluster/pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database `postgres`."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The SQLAlchemy URL of a database, which must exist."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """A new, empty database; its URL."""
        self._run("createdb", "--host", "127.0.0.1", "--port", str(self.port), "--username", "postgres", database)
        return self.url_of(database)

    def __str__(self) -> str:
        return self.url

    def start(self) -> None:
        """Serve, on the same port as before if there was one; returns once it takes connections (recovery done).

        Raises RuntimeError with the server's log when it does not come up within a minute.
        """
        until = _CLOCK.now() + _PATIENCE
        while _CLOCK.now() < until:  # the port may be taken; the children of a killed server may still hold its memory
            port = self.port or _free_port()
            with (self.folder / "cluster/postgresql.conf").open("a") as config:
                config.write(_CONFIG.format(port=port))
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen([str(_binary("postgres")), "-D", str(self.folder / "cluster")], stdin=subprocess.DEVNULL,
                                                 stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **self._as_user())
            while _CLOCK.now() < until and self._process.poll() is None:
                if self._is_ready(port):
                    self.port = port
                    return
                _CLOCK.sleep(0.05)
            self._end(signal.SIGQUIT)
            _CLOCK.sleep(0.2)
        raise RuntimeError(f"PostgreSQL does not come up: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """SIGKILL to the postmaster. Its children notice and leave by themselves, as they would in earnest."""
        self._end(signal.SIGKILL)

    @property
    def pid(self) -> int:
        """The postmaster's; 0 when none runs."""
        return self._process.pid if self._process else 0

    def backends(self, database: str) -> list[int]:
        """The processes that serve connections to this database (found through /proc). When one is killed the postmaster ends and restarts them all."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == self.pid and f" {database} 127.0.0.1" in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
        return found

    def restart(self) -> None:
        """Kill, if that was not done yet, and start again; recovers what was committed."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Stop without ceremony (SIGINT, PostgreSQL's fast shutdown)."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)

    def _is_ready(self, port: int) -> bool:
        asked = subprocess.run([str(_binary("pg_isready")), "--quiet", "--host", "127.0.0.1", "--port", str(port)], check=False)
        return asked.returncode == 0 and self._process is not None and self._process.poll() is None

    def _run(self, tool: str, *arguments: str) -> None:
        done = subprocess.run([str(_binary(tool)), *arguments], capture_output=True, text=True, cwd=self.folder, check=False, **self._as_user())
        if done.returncode:
            raise RuntimeError(f"{tool} failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")

    def _as_user(self) -> dict[str, object]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": [], "umask": 0o077,
                "env": {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "LC_ALL": "C"}}


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running server with an empty cluster, gone afterwards with all its files."""
    folder = Path(tempfile.mkdtemp(prefix="wharfinger-postgres-"))  # not pytest's: no other user may enter that
    server: Postgres | None = None
    try:
        server = Postgres(folder)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def _binary(name: str) -> Path:
    folder = find_postgres()
    if folder is None:
        raise RuntimeError(why_not())
    return folder / name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
