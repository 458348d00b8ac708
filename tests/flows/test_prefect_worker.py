"""A real Prefect server, a real worker, real kills."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.exceptions import PrefectHTTPStatusError
from tests.flows.conftest import Site, eventually, tiny
from tests.flows.tiny_flows import noted

from connectors.kit.errors import NotNow
from connectors.ledger.effects import Planned
from deployments.process_group import ProcessGroup
from deployments.worker import Worker
from tasks.flow_runs import crash, reap_all
from tasks.processes import group_lives, process_started_at

pytestmark = pytest.mark.prefect
UK = "bigcommerce-uk → gxo-uk"
ONE = {"limit": 1, "collision_strategy": "ENQUEUE"}


@pytest.fixture(scope="module")
def worker(site: Site) -> Iterator[Worker]:
    """Serves a ticking flow, and two that are at work on connections that they share."""
    folder = {"folder": str(site.notes)}
    every = [{"interval": 15, "slug": "ticks"}]
    north = folder | {"storefront": "bigcommerce-uk", "warehouse": "gxo-north"}
    listed = (
        tiny("ticks", "tick", parameters=folder, schedules=every, concurrency_limit=ONE | {"collision_strategy": "CANCEL_NEW"}),
        tiny(UK, "hold", parameters=folder | {"storefront": "bigcommerce-uk", "warehouse": "gxo-uk"}, concurrency_limit=ONE),
        tiny("bigcommerce-uk → gxo-north", "hold", parameters=north, concurrency_limit=ONE),
    )
    with site.worker(*listed) as made:
        made.watch()
        eventually(lambda: len(deployments_of(site)) == len(listed), 120, "the deployments are registered")
        yield made


@pytest.fixture(autouse=True)
def gate(site: Site) -> Iterator[None]:
    """Every test finds the gate closed and leaves it open, so that nothing waits there for ever."""
    (site.notes / "gate is open").unlink(missing_ok=True)
    yield
    open_gate(site)


def open_gate(site: Site) -> None:
    (site.notes / "gate is open").touch()


def deployments_of(site: Site) -> dict[str, object]:
    return {deployment.name: deployment for deployment in site.client.read_deployments() if "test" in deployment.tags}


def start(site: Site, name: str, **parameters: object) -> UUID:
    return site.client.create_flow_run_from_deployment(deployments_of(site)[name].id, parameters=parameters).id


def look(site: Site, run_id: UUID) -> FlowRun:
    return site.client.read_flow_run(run_id)


def is_now(site: Site, run_id: UUID, *states: str) -> bool:
    return look(site, run_id).state.name in states


def slots(site: Site, name: str) -> int:
    """Taken concurrency slots of the deployment."""
    return site.client.read_global_concurrency_limit_by_name(f"deployment:{deployments_of(site)[name].id}").active_slots


def holding(site: Site, run_id: UUID) -> int:
    """The process that is at work for this run, once it is."""
    return int(eventually(lambda: next((path.read_text() for path in site.notes.glob(f"began * {run_id}")), ""), 120, "the run began"))


def lose_an_effect(site: Site, holder: UUID) -> str:
    """An effect that this run has sent and not yet heard of."""
    opened = site.house()
    planned = Planned("fulfilment_request", "gxo-uk", f"order {holder}", f"order {holder}", "bigcommerce-uk", "1", {})
    with opened.ledger.transaction() as tx:
        opened.ledger.effects.plan(tx, planned)
        assert opened.ledger.effects.claim(tx, planned.effect_id, str(holder))
    opened.close()
    return planned.effect_id


def test_a_schedule_makes_a_run_and_the_worker_runs_it(site: Site, worker: Worker) -> None:
    """With SQLAlchemy 2.1 schedules never fired while runs by hand worked: a smoke test missed it."""
    deployment = deployments_of(site)["ticks"]
    assert deployment.schedules[0].schedule == IntervalSchedule(interval=15, anchor_date=deployment.schedules[0].schedule.anchor_date, timezone="UTC")
    eventually(lambda: any(name.startswith("tick ") for name in noted(str(site.notes))), 120, "a scheduled run left its note")
    ran = {name.split()[1] for name in noted(str(site.notes)) if name.startswith("tick ")}
    assert all(look(site, UUID(run_id)).auto_scheduled and look(site, UUID(run_id)).name == "tick" for run_id in ran)
    site.client.pause_deployment(deployment.id)


def test_a_killed_worker_leaves_no_run_running_no_slot_taken_no_orphan_and_no_effect_in_flight(site: Site, worker: Worker) -> None:
    """Prefect alone leaves the run "Running" for ever and its slot taken for five minutes (deployments/README.md has the measurement)."""
    run_id = start(site, UK, gate="closed")
    orphan = holding(site, run_id)
    effect_id = lose_an_effect(site, run_id)
    opened = site.house()
    assert reap_all(opened, 0.0).crashed == [], "the reaper took a living run for dead"
    assert (look(site, run_id).name, look(site, run_id).state.name, slots(site, UK)) == (UK, "Running", 1)

    restarts = worker.restarts
    os.kill(worker.pid, signal.SIGKILL)
    eventually(lambda: process_started_at(orphan) is None, 60, "the flow run does not outlive its worker")
    eventually(lambda: is_now(site, run_id, "Crashed"), 90, "the killed worker's run is Crashed")
    assert "is gone" in look(site, run_id).state.message
    assert worker.restarts == restarts + 1
    assert slots(site, UK) == 0
    with opened.ledger.transaction() as tx:
        assert opened.ledger.effects.get(tx, effect_id).state == "UNKNOWN"
    opened.close()

    again = start(site, UK)
    eventually(lambda: is_now(site, again, "Completed"), 120, "the next run went through")
    assert crash(str(again), "too late") is False
    assert is_now(site, again, "Completed")


def test_two_deployments_that_share_a_connection_are_not_at_work_at_once(site: Site, worker: Worker) -> None:
    first = start(site, UK, gate="closed")
    holding(site, first)
    second = start(site, "bigcommerce-uk → gxo-north")
    eventually(lambda: is_now(site, second, "Running"), 120, "the second run waits for its turn")
    opened = site.house()
    eventually(lambda: [run.outcome for run in opened.ledger.runs.unended()] == ["at work", ""], 60, "one is at work, the other waits")
    opened.close()
    assert not list(site.notes.glob(f"began * {second}"))
    open_gate(site)
    eventually(lambda: is_now(site, second, "Completed"), 120, "the second run had its turn")
    assert is_now(site, first, "Completed")


def test_an_unknown_parameter_is_refused_when_the_run_is_asked_for(site: Site, worker: Worker) -> None:
    """Prefect accepts it by itself, and the run ends Crashed with 'Process exited with a general error'."""
    with pytest.raises(PrefectHTTPStatusError) as refused:
        start(site, UK, dry_runn=True)
    assert refused.value.response.status_code == 409 and "dry_runn" in refused.value.response.text
    with pytest.raises(PrefectHTTPStatusError) as refused:
        start(site, UK, gate="ajar")
    assert "ajar" in refused.value.response.text


def test_a_killed_server_stops_no_work_and_after_its_restart_work_goes_on(site: Site, worker: Worker) -> None:
    run_id = start(site, UK, gate="closed")
    holding(site, run_id)
    site.server.process.kill()
    with pytest.raises(NotNow, match="Look at the Prefect server"):
        crash(str(run_id), "nobody hears this")
    open_gate(site)
    eventually(lambda: list(site.notes.glob(f"ended * {run_id}")), 60, "the run did its work without a server")

    site.restart_server()
    eventually(lambda: look(site, run_id).state.is_final(), 120, "the run's end was told, or it was reaped")
    again = start(site, UK)
    eventually(lambda: is_now(site, again, "Completed"), 90, "the next run went through")
    assert slots(site, UK) == 0


def test_a_run_that_was_killed_before_it_began_is_crashed_by_the_reaper(site: Site, worker: Worker) -> None:
    """Killed between Pending and its first line, a run is in no ledger: only Prefect knows it, for ever."""
    run_id = start(site, "bigcommerce-uk → gxo-north", gate="closed")
    eventually(lambda: look(site, run_id).state.type.value in ("PENDING", "RUNNING"), 120, "the worker took the run")
    worker.kill()
    assert not list(site.notes.glob(f"began * {run_id}"))
    eventually(lambda: is_now(site, run_id, "Crashed"), 90, "the stray is Crashed")
    assert "no living process" in look(site, run_id).state.message
    assert slots(site, "bigcommerce-uk → gxo-north") == 0


def test_a_group_left_by_a_killed_owner_is_ended_at_the_next_start(tmp_path: Path) -> None:
    """The demo was killed, its server went on, and the next demo's server wrote to the same database.

    A killed process that has much memory to give back runs on for a moment: the next one was started while it still held port and database,
    and this test failed one time in a few on a busy machine. Both of the group have a good deal here, so that it is so every time.
    """
    heavy = f"import sys, time; kept = bytearray({200_000_000}); print('up', flush=True); time.sleep(600)"
    first = ProcessGroup("sleeper", ["sh", "-c", f'{sys.executable} -c "{heavy}" & exec {sys.executable} -c "{heavy}"'], dict(os.environ), tmp_path)
    first.start()
    left = first.pid
    eventually(lambda: first.log_tail().count("up") == 2, 60, "both of it are up")
    second = ProcessGroup("sleeper", ["sleep", "600"], dict(os.environ), tmp_path)
    second.start()
    assert process_started_at(left) is None and not group_lives(left)
    right = second.pid
    assert process_started_at(right) is not None and group_lives(right)
    second.kill()
    assert not group_lives(right)
    first.kill()
