"""A Prefect server of our own on this machine: started, waited for, and ended with everything that belongs to it.

For one machine and for tests. Beyond that run `prefect server start` yourself on PostgreSQL with the settings of `server_settings`
(deployments/README.md); nothing else in the project cares who started the server.
"""

import base64
import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.kit.clock import SystemClock
from connectors.kit.errors import NotNow
from deployments.process_group import ProcessGroup

START_SECONDS = 90
STOP_SECONDS = 20
# history waits in the server's memory for its next flush (1 s, below); stopping at once would lose it
FLUSH_SECONDS = 2.5
HEALTH_CHECK_SECONDS = 0.25


@dataclass(frozen=True)
class PrefectServer:
    """A running server. `api_url` is for programs, `ui_url` for people."""

    api_url: str
    ui_url: str
    home: Path
    process: ProcessGroup

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self.ui_url.rsplit(":", 1)[1])

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self.process.log

    def environment(self) -> dict[str, str]:
        """The environment for a child that talks to this server: everything of ours, no other Prefect setting, no key."""
        return clean_environment() | {
            "PREFECT_HOME": str(self.home / "client"), "PREFECT_API_URL": self.api_url,
            # a child that lost its URL must fail, not quietly start a server of its own with an empty database
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        }


@contextmanager
def prefect_server(home: Path, port: int = 0) -> Iterator[PrefectServer]:
    """Run a Prefect server whose whole state is under `home`; port 0 means a free one. The same home may be used again.

    Raises NotNow, with the tail of the server's log, when it is not healthy within 90 seconds.
    """
    home = home.absolute()
    (home / "server").mkdir(parents=True, exist_ok=True)
    server = _started(home, port)
    try:
        yield server
    finally:
        if server.process.alive():
            SystemClock().sleep(FLUSH_SECONDS)
        server.process.stop(STOP_SECONDS)


def server_settings(home: Path, port: int) -> dict[str, str]:
    """What differs from Prefect's defaults, and why."""
    ui = f"http://127.0.0.1:{port}"
    return {
        "PREFECT_HOME": str(home / "server"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_API_URL": f"{ui}/api",
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        # '*' by default: any web page in the user's browser could start runs
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ui,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # without it the key of the secret blocks is kept in the same database as the blocks
        "PREFECT_SERVER_ENCRYPTION_KEY": _encryption_key(home / "server" / "encryption.key"),
        # in memory by default: after a restart every lease is gone, a running flow's next renewal fails and ends that flow, and slots leak
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
        # task history appears 30-40 s late with the defaults, 5-8 s with these (STACK.md)
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
        # flow runs are kept for ever otherwise
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": '["events","flow_runs"]',
    }


def clean_environment() -> dict[str, str]:
    """Our environment without any Prefect setting: a developer's own profile must not leak into the house."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "ORION_"))}
    return kept | {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


def _started(home: Path, wanted_port: int) -> PrefectServer:
    port = wanted_port or _free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    process = ProcessGroup("prefect-server", command, clean_environment() | server_settings(home, port), home)
    server = PrefectServer(f"http://127.0.0.1:{port}/api", f"http://127.0.0.1:{port}", home, process)
    process.end_leftover()
    if _is_taken(port):  # asked before the start: a stranger's server would answer our health check in its place
        raise NotNow("starting the Prefect server", f"port {port} is already in use", "End what listens there, or choose another port.")
    process.start()
    if not _became_healthy(server):
        tail = process.log_tail()
        process.kill()
        got = f"it is not healthy on port {port}; the end of {process.log.name}:\n{tail}"
        raise NotNow("starting the Prefect server", got, "Read the log's last lines.")
    return server


def _became_healthy(server: PrefectServer) -> bool:
    clock = SystemClock()
    for _ in range(int(START_SECONDS / HEALTH_CHECK_SECONDS)):
        if not server.process.alive():
            return False
        if _is_healthy(server.api_url):
            return True
        clock.sleep(HEALTH_CHECK_SECONDS)
    return False


def _is_healthy(api_url: str) -> bool:
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the user's has no business with 127.0.0.1
    try:
        with straight.open(f"{api_url}/health", timeout=5) as answer:
            return json.load(answer) is True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _encryption_key(path: Path) -> str:
    """The key of Prefect's secret blocks: made once, readable by its owner only, never in the database."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.urlsafe_b64encode(os.urandom(32)))
    return path.read_text().strip()
