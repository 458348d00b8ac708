"""How the suite is shared out among processes (`make test` starts one a core): a file stays together, and what needs the Prefect server is one share.

A file's fixtures (a server, a template of a ledger) are made once where its tests stay together. The long ones begin first: whoever begins with
them last ends last.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
FIRST = ("flows", "simulation/test_simulation.py", "snapshots/test_query.py", "snapshots/test_publish.py")  # the longest, measured with --durations


def _share(item: pytest.Item) -> str:
    """The name of what must stay in one process."""
    where = item.path.relative_to(HERE).as_posix()
    return "flows" if where.startswith("flows/") else where


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each test's share, and put the long shares first; else the order stays."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_share(item)))
    items.sort(key=lambda item: next((place for place, name in enumerate(FIRST) if _share(item) == name), len(FIRST)))
