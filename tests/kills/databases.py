"""PostgreSQL killed under the house: the postmaster, or a process that serves a connection, at an instant or exactly where a run commits.

The run that was at work ends with an error of ours, or goes on with a new connection; the next one takes up what it left.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.kills import steps
from tests.kills.campaign import Campaign, Report
from tests.kills.mortal import Child, Doom
from tests.postgres import Postgres

AT = ("before commit", "after a transaction", "within a transaction: reading", "within a transaction: UPDATE effect", "within a transaction: INSERT effect",
      "after POST v#/orders/#/shipments", "before rename inbound/#")
DATABASE = "kills"


@contextmanager
def campaign(folder: Path, seed: int, server: Postgres, database: str = DATABASE) -> Iterator[Campaign]:
    """A house whose ledger is on the server."""
    made = Campaign(folder, seed, server.create(database))
    try:
        yield made
    finally:
        made.close()


def run(made: Campaign, server: Postgres, kills: int, database: str = DATABASE) -> Report:
    """So many kills of the server, then peace and the judges."""
    began = time.monotonic()
    for _ in range(8 * kills):
        if made.report.kills >= kills:
            break
        made.trade()
        name = made.dice.choice(("orders", "dispatches", "stock", "returns"))
        if made.dice.random() < 0.5:
            _kill_where_it_stands(made, server, name)
        else:
            _kill_at_an_instant(made, server, name, database)
    return made.ends(began)


def _kill_where_it_stands(made: Campaign, server: Postgres, name: str) -> None:
    """The run itself pulls the plug, at a point of its own, and goes on."""
    place = min(AT, key=lambda place: (made.report.named[f"postmaster {place}"], made.dice.random()))
    child = Child(made.home, made.shared, steps.STEPS[name], Doom(place, made.dice.randint(1, 3), server.pid))
    while not child.is_over() and _lives(server.pid):
        time.sleep(0.005)
    if not _lives(server.pid):
        made.report.kills += 1
        made.report.named[f"postmaster {place}"] += 1
        time.sleep(made.dice.uniform(0, 0.3))
        server.restart()
    made.ended(child, name)


def _kill_at_an_instant(made: Campaign, server: Postgres, name: str, database: str) -> None:
    child = Child(made.home, made.shared, steps.STEPS[name])
    time.sleep(made.dice.uniform(0.02, 0.35))
    victims = server.backends(database)
    if child.is_over() or not victims:
        made.ended(child, name)
        return
    made.report.kills += 1
    if made.dice.random() < 0.5:
        made.report.instants["postmaster"] += 1
        server.restart()
    else:
        made.report.instants["a process that serves us"] += 1
        with suppress(ProcessLookupError):
            os.kill(made.dice.choice(victims), signal.SIGKILL)
    made.ended(child, name)


def _lives(pid: int) -> bool:
    """Not gone, and not only waiting to be buried."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
