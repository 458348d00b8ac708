"""The databases: SQLite in a file, SQLite in memory, and a real PostgreSQL that is started once and emptied for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.kit.clock import ManualClock
from connectors.ledger.database import Database
from connectors.ledger.ledger import Ledger
from tests.ledger.rigs import KEY, LEASE, Rig, empty
from tests.postgres import Postgres, postgres, why_not

FILE, MEMORY = "sqlite file", "sqlite memory"
POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL server whose database `ledger` has the tables."""
    if why := why_not():
        pytest.skip(why)
    with postgres() as running:
        database = Database(running.create("ledger"))
        database.migrate()
        database.close()
        yield running


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger in a file, for copying: a migration takes a tenth of a second."""
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.checkpoint()
    database.close()
    return path


def _opened(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if backend == "postgres":
        url = request.getfixturevalue("server").url_of("ledger")
        empty(url)
    elif backend == FILE:
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "ledger.db")
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        url = "sqlite://"
    clock = ManualClock()
    ledger = Ledger(url, clock, KEY, LEASE)
    yield Rig(ledger, clock, url)
    ledger.close()


@pytest.fixture(params=[FILE, MEMORY, POSTGRES])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A ledger on each database."""
    yield from _opened(request.param, request, tmp_path)


@pytest.fixture(params=[FILE, POSTGRES])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A ledger on each database that several processes can open."""
    yield from _opened(request.param, request, tmp_path)


@pytest.fixture
def in_file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A ledger in a SQLite file."""
    yield from _opened(FILE, request, tmp_path)


@pytest.fixture
def on_postgres(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A ledger on PostgreSQL."""
    yield from _opened("postgres", request, tmp_path)


@pytest.fixture(params=[FILE, POSTGRES])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that has no table yet."""
    if request.param == FILE:
        return f"sqlite:///{tmp_path / 'new.db'}"
    return request.getfixturevalue("server").create(f"new_{abs(hash(request.node.name)) % 10**9}")
