"""What people read after a run: table artifacts of what was sent and what is held, and one clear end."""

import re
from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from connectors.house import House
from contracts.exceptions import TYPES
from tasks.opened import house

ROWS_MAX = 500


class RunIncomplete(Exception):
    """The run did everything it could, and something is left that it could not do: a system away, an effect blocked."""


def held_rows(opened: House, connections: set[str]) -> list[dict[str, Any]]:
    """Open exceptions of these connections, most urgent first, with owner, due time and remedy. No personal data."""
    return [{"due": row.due_at.strftime("%Y-%m-%d %H:%M"), "owner": row.owner, "type": row.type, "where": row.connection, "record": row.record,
             "what to do": TYPES[row.type].remedy, "cause": row.cause, "seen": row.count, "since": row.opened_at.strftime("%Y-%m-%d %H:%M"), "id": row.exception_id}
            for row in opened.ledger.exceptions.listed() if row.connection in connections]


@task(name="report", task_run_name="report {title}", cache_policy=NO_CACHE)
def report(title: str, rows: list[dict[str, Any]], description: str) -> None:
    """One table artifact, under a key made of its title."""
    more = f" The first {ROWS_MAX} of {len(rows)} are listed." if len(rows) > ROWS_MAX else ""
    create_table_artifact(table=rows[:ROWS_MAX] or [{"": "none"}], key=artifact_key(title), description=f"{description}{more}")


def artifact_key(title: str) -> str:
    """Prefect's keys: lower case, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")


def report_held(*connections: str) -> int:
    """The open exceptions of these connections, as an artifact. How many there are."""
    rows = held_rows(house(), set(connections))
    report(f"held {' '.join(connections)}", rows, "Records that a person must look at, most urgent first.")
    return len(rows)


def blocked(*targets: str) -> list[str]:
    """What is blocked at these targets, in words."""
    opened = house()
    with opened.ledger.transaction() as tx:
        found = [row for row in opened.ledger.exceptions.open_of(tx, "blocked_effect") if row.evidence.get("target") in targets]
    return [f"blocked: {row.record} at {row.evidence['target']}" for row in found]


def conclude(problems: list[str]) -> None:
    """End the run Failed when something is left undone; everything else was done before. Raises RunIncomplete."""
    told = [problem for problem in problems if problem]
    if told:
        raise RunIncomplete("; ".join(told[:10]))
