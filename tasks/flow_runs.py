"""What Prefect believes of our runs, put right: a run whose worker was killed does not stay "Running" for ever, nor keep its concurrency slot."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from prefect import get_client, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter, DeploymentFilterTags, FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterExpectedStartTime,
    FlowRunFilterState, FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.states import Crashed

from connectors.house import House
from connectors.kit.errors import NotNow, WharfingerError
from tasks.opened import house
from tasks.runs import Reaped, reap

OURS = "wharfinger"  # the tag of every deployment of ours
OPEN = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
# from Pending to at_work a flow run needs 2-7 s (STACK.md), more on a machine under load
STRAY_AFTER_SECONDS = 120.0
UNKNOWN_PATIENCE = 30
PAGE = 200
SOON_SECONDS = 15.0
HINTED = "hinted"  # the tag of a run that a webhook asked for


@task(name="take up what dead runs left", cache_policy=NO_CACHE)
def take_up_dead_runs(stray_after_seconds: float = STRAY_AFTER_SECONDS) -> Reaped:
    """Reap in this process's house. Never cached: it writes."""
    return reap_all(house(), stray_after_seconds)


def reap_all(opened: House, stray_after_seconds: float = STRAY_AFTER_SECONDS) -> Reaped:
    """The runs that the ledger knows to be dead, then those that Prefect believes open and the ledger does not. Safe to repeat.

    stray_after_seconds: 0 only where the caller knows that no worker is at work (the supervisor, before it starts one).
    """
    reaped = reap(opened, crash)
    if not has_server() or reaped.away:
        return reaped
    try:
        found = strays(opened, stray_after_seconds)
        reaped.crashed += [run_id for run_id in found if crash(run_id, "it has no living process; the next run does its work")]
    except NotNow as error:
        reaped.away = error
    return reaped


def crash(run_id: str, message: str) -> bool:
    """Mark the flow run Crashed if it is still open, which frees its concurrency slot; False when it is not open or not Prefect's.

    Not forced: a run that has ended in this very moment keeps its end. Raises NotNow when Prefect is away.
    """
    if not has_server() or "-" not in run_id:  # our own ids have no dashes, Prefect's have
        return False
    with server(f"marking flow run {run_id} Crashed") as client:
        try:
            found = client.read_flow_run(UUID(run_id))
        except ObjectNotFound:  # another server's, or deleted
            return False
        if found.state is None or found.state.type not in OPEN:
            return False
        client.set_flow_run_state(found.id, Crashed(message=message))
        return client.read_flow_run(found.id).state.type == StateType.CRASHED


def strays(opened: House, after_seconds: float) -> list[str]:
    """Flow runs of our deployments that are open for too long and of which no run at work in the ledger knows anything.

    Pending for longer than `after_seconds`: their worker was killed before they began. Running that much longer than they were at work:
    they could not say that they had ended. Running without ever having been at work (a dry run, a publication): thirty times that long,
    for they may well live. Raises NotNow when Prefect is away.
    """
    now = opened.clock.now()
    with server("looking for flow runs without a process") as client:
        found = [run for run in _open_runs(client) if run.state is not None]
    begun = {run.run_id: run for run in opened.ledger.runs.find(str(run.id) for run in found)}

    def is_stray(run: FlowRun) -> bool:
        known = begun.get(str(run.id))
        if known is not None:
            return known.ended_at is not None and known.ended_at <= now - timedelta(seconds=after_seconds)
        patience = after_seconds * (1 if run.state.type == StateType.PENDING else UNKNOWN_PATIENCE)
        return run.state.timestamp <= now - timedelta(seconds=patience)

    return [str(run.id) for run in found if is_stray(run)]


def ask_for_runs(opened: House, flow: str, parameter: str, value: str, soon_seconds: float = SOON_SECONDS) -> list[str]:
    """Ask for a run of each of our deployments of this flow whose `parameter` is `value`; the ids of the runs asked for.

    A run that waits for its turn, or is due within moments, is enough: another is not asked for. [] without a Prefect server. Raises NotNow.
    """
    if not has_server():
        return []
    asked = []
    with server(f"asking for a run of {flow}") as client:
        found = client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])), limit=PAGE,
                                        deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[OURS])))
        for deployment in (one for one in found if one.parameters.get(parameter) == value and not one.paused):
            if not _waiting(client, deployment.id, opened.clock.now(), soon_seconds):
                asked.append(str(client.create_flow_run_from_deployment(deployment.id, tags=[HINTED]).id))
    return asked


def _waiting(client: SyncPrefectClient, deployment_id: UUID, now: datetime, soon_seconds: float) -> bool:
    soon = FlowRunFilterExpectedStartTime(before_=now + timedelta(seconds=soon_seconds))
    waits = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING]))
    of_it = FlowRunFilterDeploymentId(any_=[deployment_id])
    return bool(client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id=of_it, state=waits, expected_start_time=soon), limit=1))


def _open_runs(client: SyncPrefectClient) -> Iterable[FlowRun]:
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[OURS]))
    is_open = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(OPEN))))
    return client.read_flow_runs(deployment_filter=ours, flow_run_filter=is_open, limit=PAGE)


def has_server() -> bool:
    """Without an address Prefect would start a server of its own, with an empty database."""
    return bool(get_current_settings().api.url)


@contextmanager
def server(doing: str) -> Iterator[SyncPrefectClient]:
    """Prefect's API. Raises NotNow when it is away."""
    try:
        with get_client(sync_client=True) as client:
            yield client
    except WharfingerError:
        raise
    except Exception as error:  # Prefect lets its HTTP library's errors through: all of them mean that it is away or overloaded
        raise NotNow(doing, f"Prefect's API gave {type(error).__name__}", "Look at the Prefect server.") from error
