"""Flows of the tests' own: they do nothing but note, in a folder, that they were there. Served like the real ones."""

import os
from pathlib import Path
from typing import Literal

from prefect import flow

from tasks.opened import house
from tasks.runs import at_work


def noted(folder: str) -> list[str]:
    """What the runs have noted so far."""
    return sorted(path.name for path in Path(folder).iterdir())


@flow(name="tick", flow_run_name="tick")
def tick(folder: str) -> None:
    """Notes that it ran."""
    with at_work(house(), "tick") as run_id:
        (Path(folder) / f"tick {run_id}").touch()


@flow(name="hold", flow_run_name="{storefront} → {warehouse}")
def hold(folder: str, storefront: str, warehouse: str, gate: Literal["closed", "open"] = "open") -> None:
    """Is at work on two connections; behind a closed gate until the test opens it.

    Args:
        folder: Where the notes go.
        storefront: A connection.
        warehouse: Another connection.
        gate: Whether to wait at the gate.
    """
    opened = house()
    with at_work(opened, "hold", storefront, warehouse) as run_id:
        (Path(folder) / f"began {storefront} {run_id}").write_text(str(os.getpid()))
        while gate == "closed" and not (Path(folder) / "gate is open").exists():
            opened.clock.sleep(0.1)
        (Path(folder) / f"ended {storefront} {run_id}").touch()
