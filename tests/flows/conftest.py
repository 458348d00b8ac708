"""One Prefect server and one home for the whole session: each costs 8-15 s to start."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from connectors.house import PROFILE, House, read_profile
from connectors.kit.clock import SystemClock
from connectors.ledger.vault import new_master_key
from deployments.prefect_server import PrefectServer, prefect_server
from deployments.worker import Worker

ROOT = Path(__file__).resolve().parents[2]
CHECK_SECONDS = 0.4
TINY = "tests.flows.tiny_flows"


@dataclass
class Site:
    """A server that can be killed and started again on its home, a profile, and the folder where the tiny flows leave their notes."""

    home: Path
    profile: Path
    notes: Path
    server: PrefectServer
    client: SyncPrefectClient
    _stack: ExitStack

    def environment(self) -> dict[str, str]:
        """For a worker of this site."""
        here = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        return self.server.environment() | {PROFILE: str(self.profile), "PYTHONPATH": here}

    def house(self) -> House:
        """The same ledger that the worker's flows use."""
        return House(read_profile(self.profile))

    def worker(self, *written: dict, **more: object) -> Worker:
        """A worker that serves this list, written like prefect.yaml."""
        file = self.home / f"{written[0]['name']}.yaml".replace("/", "-")
        file.write_text(yaml.safe_dump({"deployments": list(written)}, allow_unicode=True))
        return Worker(self.home, self.environment(), options=["--file", str(file), "--poll-seconds", "1", *more.pop("options", ())], **more)

    def restart_server(self) -> None:
        """Start it again, on the same home and port, after it was killed."""
        self.server = self._stack.enter_context(prefect_server(self.home, self.server.port))


def tiny(name: str, flow: str, **more: object) -> dict:
    """One entry for `Site.worker`."""
    return {"name": name, "entrypoint": f"{TINY}.{flow}", "description": "for a test", "tags": ["wharfinger", "test"], **more}


def eventually(claim: Callable[[], object], seconds: float, what: str) -> object:
    """The claim's first true answer; fails the test when there is none within `seconds`."""
    clock = SystemClock()
    for _ in range(int(seconds / CHECK_SECONDS)):
        if answer := claim():
            return answer
        clock.sleep(CHECK_SECONDS)
    return pytest.fail(f"after {seconds} s it is still not so: {what}")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server of the session, and settings that point this process at it."""
    home = tmp_path_factory.mktemp("site")
    profile = home / "profile.toml"
    (home / "key").write_text(new_master_key())
    profile.write_text(f'home = "{home / "house"}"\n[ledger]\nurl = "sqlite:///{{home}}/ledger.db"\n[vault]\nkey = "file:{home / "key"}"\n')
    notes = home / "notes"
    notes.mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(prefect_server(home))
        stack.enter_context(temporary_settings({PREFECT_API_URL: server.api_url, PREFECT_HOME: home / "client"}))
        made = Site(home, profile, notes, server, stack.enter_context(get_client(sync_client=True)), stack)
        yield made
